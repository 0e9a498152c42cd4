// policy/history_retrieval.cc - REFER for a record of a history that is one short message (OMA-HIS-5). See deferred_retrieval.h.
#include <algorithm>
#include <utility>

#include "policy/deferred_retrieval.h"
#include "sip/date.h"

namespace parley::policy {
namespace {

constexpr std::uint64_t message_bytes_max = 1300;  // RFC 3428 section 8: what is longer goes by MSRP

void put_line(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  for (const char c : value) head.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  head.append("\r\n");
}

}  // namespace

// 0, and it is among those that are sent.
std::uint16_t DeferredRetrieval::judge_record(Retrieval& r, std::uint64_t id, const core::StoreResult& result,
                                              std::string_view& why) const {
  const auto row = std::find_if(result.histories.begin(), result.histories.end(),
                                [id](const auto& one) { return one.id == id; });
  if (row == result.histories.end()) return 404;
  if (row->aor != r.aor) return 403;
  if (row->ended_ms != 0 && row->expires_ms <= wall_ms_) return 404;
  if (row->kind != core::HistoryKind::pager_large || row->messages != 1 || row->bytes > message_bytes_max) {
    why = "more than one short message: INVITE its reference";
    return 488;
  }
  core::HistoryRecordRow kept = *row;
  kept.people = {};
  r.records.push_back(std::move(kept));
  return 0;
}

// As the row of a message that waits.
void DeferredRetrieval::on_record(Retrieval& r, const core::StoreResult& result) {
  if (result.history_messages.empty()) return next(r, 410);  // since it was found
  const core::HistoryMessageRow& message = result.history_messages.front();
  if (!message.kept || message.body.size() > message_bytes_max) return next(r, 488);
  const core::HistoryRecordRow& record = r.records[r.at];
  core::DeferredRow row;
  row.id = record.id;
  put_line(row.head, "From", record.from);
  if (!record.subject.empty()) put_line(row.head, "Subject", record.subject);
  put_line(row.head, "Content-Type", message.type.empty() ? std::string_view("text/plain") : message.type);
  row.head.append("Date: ");
  sip::put_date(row.head, message.at_ms);
  row.head.append("\r\n");
  row.body = message.body;
  send(r, row);
}

}  // namespace parley::policy

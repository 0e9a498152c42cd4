// policy/history_message.cc - see history_message.h.
#include "policy/history_message.h"

#include <string_view>
#include <utility>

#include "core/id_text.h"
#include "core/text.h"
#include "policy/cpim.h"
#include "policy/list_document.h"
#include "policy/xml_reader.h"
#include "sip/address.h"

namespace parley::policy {
namespace {

bool is_cpim(std::string_view type) {
  constexpr std::string_view cpim = "message/cpim";
  return core::equal_ignore_case(type.substr(0, cpim.size()), cpim) &&
         (type.size() == cpim.size() || type[cpim.size()] == ';' || type[cpim.size()] == ' ');
}

// A line of a head; nothing that was kept may end it.
std::string one_line(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

std::string wrapped(const core::HistoryRecordRow& record, const core::HistoryMessageRow& message, std::string_view type) {
  // Whom he talks to: the group, or the other one.
  const std::string_view value = !record.group.empty()   ? std::string_view(record.group)
                                 : record.begun_by_owner ? std::string_view(record.to)
                                                         : std::string_view(record.from);
  sip::Address other;
  const bool parsed = sip::parse_address(value, other);
  const std::string uri = one_line(parsed ? other.uri : value);
  const std::string name = parsed && !message.sent ? plain_name(other.display) : std::string();
  const std::string own = one_line(record.aor);
  std::string head;
  append_cpim_address(head, "From", name, message.sent ? own : uri);
  append_cpim_address(head, "To", {}, message.sent ? uri : own);
  head.append("DateTime: ");
  append_date_time(head, message.at_ms);
  head.append("\r\n\r\nContent-Type: ").append(type).append("\r\n");
  if (!message.kept) head.append("Content-Disposition: attachment;size=").append(std::to_string(message.size)).append("\r\n");
  return head.append("\r\n").append(message.body);
}

}  // namespace

HistorySend put_history_message(const core::HistoryRecordRow& record, core::HistoryMessageRow&& message) {
  HistorySend send;
  char letters[core::letters64_chars];
  core::letters_encode64(message.record, letters);
  send.headers.append("Message-ID: ").append(letters, sizeof letters).append(".");
  send.headers.append(std::to_string(message.number));
  send.headers.append("\r\nHistory-Direction: ").append(message.sent ? "sent" : "received");
  send.headers.append("\r\nHistory-Date: ").append(xml_date_time(message.at_ms)).append("\r\nContent-Type: ");
  const std::string type = message.type.empty() ? std::string("text/plain") : one_line(message.type);
  if (message.kept && is_cpim(type)) {
    send.headers.append(type).append("\r\n");
    send.body = std::move(message.body);
  } else {
    send.headers.append("message/cpim\r\n");
    send.body = wrapped(record, message, type);
  }
  return send;
}

}  // namespace parley::policy

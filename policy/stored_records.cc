// policy/stored_records.cc - legs that give a record of a user's history, message after message (OMA-HIS-5). See
// stored_legs.h.
//
// Several are under way at one time, as pieces of one message are; each has a REPORT of its own in the end, or is
// refused. What its receiver has no use for (415) or no room for (413) is passed over; who does not answer gets no more.
#include <algorithm>
#include <utility>

#include "policy/history_message.h"
#include "policy/store_owner.h"
#include "policy/stored_legs.h"

namespace parley::policy {

using core::Metric;

msrp::EndHandle StoredLegs::give_record(core::HistoryRecordRow row, std::uint64_t owner, const Limits& limits,
                                        std::uint32_t open_max) {
  Leg leg;
  leg.owner = owner;
  leg.gives = true;
  leg.record = std::make_unique<Record>();
  row.people = {};
  leg.record->row = std::move(row);
  leg.record->open_max = std::min(pieces_max, std::max(open_max, 1U));
  const msrp::EndHandle end = add(std::move(leg), limits);
  if (end.valid()) ++giving_;
  return end;
}

// The next one becomes that of the leg. False: there is none, or not yet.
bool StoredLegs::next_message(Leg& leg) {
  Record& record = *leg.record;
  if (record.page.empty()) {
    if (record.more) {
      read_page(leg);
    } else {
      look_at_end(leg);
    }
    return false;
  }
  if (record.open.size() >= record.open_max) return false;
  HistorySend send = put_history_message(record.row, std::move(record.page.front()));
  record.page.pop_front();
  record.current = line_value(send.headers, "Message-ID").of(send.headers);
  record.open.push_back(record.current);
  leg.row.large_head = std::move(send.headers);
  leg.row.large_bytes = leg.asked = leg.loaded = send.body.size();
  leg.given = 0;
  leg.used = 0;
  leg.blocks.push_back(std::move(send.body));
  return true;
}

void StoredLegs::read_page(Leg& leg) {
  Record& record = *leg.record;
  if (std::exchange(record.asked, true)) return;
  ask(leg, Asked::page, 0,
      {0, core::LoadHistoryMessages{
              .record = record.row.id, .after = record.after, .count_max = page_count, .bytes_max = page_bytes}});
}

void StoredLegs::on_page(Leg& leg, const core::StoreResult& result) {
  Record& record = *leg.record;
  record.asked = false;
  if (result.status != core::StoreResult::Status::done) {
    metrics_.add(Metric::history_unreadable);
    tell(leg, 503);
    return;
  }
  record.more = result.more && !result.history_messages.empty();
  for (const core::HistoryMessageRow& row : result.history_messages) {
    record.after = row.number;
    record.page.push_back(row);
  }
  ready_.push_back(leg.self);
}

// What has become of one of its messages.
void StoredLegs::on_end(Leg& leg, std::string_view message_id, std::uint16_t status) {
  Record& record = *leg.record;
  const auto found = std::find(record.open.begin(), record.open.end(), message_id);
  if (found == record.open.end()) return;
  record.open.erase(found);
  if (status == 200) {
    ++record.taken;
    metrics_.add(Metric::history_fetched_messages);
  } else {
    record.refusal = status;
    metrics_.add(Metric::history_fetched_refused);
    if (record.current == message_id) leg.blocks.clear();  // the rest of it
  }
  if (status == 408 || status == 481) {
    tell(leg, status);
  } else {
    ready_.push_back(leg.self);
  }
}

void StoredLegs::look_at_end(Leg& leg) {
  const Record& record = *leg.record;
  if (record.open.empty()) tell(leg, record.taken == 0 && record.refusal != 0 ? record.refusal : std::uint16_t{200});
}

std::size_t StoredLegs::page_messages() {
  std::size_t count = 0;
  legs_.for_each([&count](core::SlotId, Leg& leg) {
    if (leg.record != nullptr) count += leg.record->page.size();
  });
  return count;
}

}  // namespace parley::policy

// policy/stored_legs_give.cc - legs that give a message of the store. See stored_legs.h; OMA-DEF-8, OMA-DEF-13.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/store_owner.h"
#include "policy/stored_legs.h"

namespace parley::policy {

using core::Metric;

msrp::EndHandle StoredLegs::give(const core::DeferredRow& row, std::uint64_t owner, const Limits& limits) {
  Leg leg;
  leg.owner = owner;
  leg.gives = true;
  leg.row = row;
  if (row.large_bytes == 0) {  // it came as a MESSAGE
    const std::string_view type = line_value(row.head, "Content-Type").of(row.head);
    leg.row.large_head.assign("Message-ID: ").append(own_id(row)).append("\r\nContent-Type: ");
    leg.row.large_head.append(type.empty() ? std::string_view("text/plain") : type).append("\r\n");
    leg.row.large_bytes = row.body.size();
    leg.blocks.push_back(row.body);
    leg.asked = leg.loaded = row.body.size();
  }
  leg.row.body.clear();
  const msrp::EndHandle end = add(std::move(leg), limits);
  if (end.valid()) ++giving_;
  return end;
}

// What came was answered by who gets it.
void StoredLegs::look_at(const msrp::EndFact& fact) {
  if (fact.kind != msrp::EndFact::Kind::answered) return;
  legs_.for_each([&](core::SlotId id, Leg& leg) {
    if (!leg.gives || std::find(leg.to.begin(), leg.to.end(), fact.end) == leg.to.end()) return;
    if (leg.unanswered != 0) --leg.unanswered;
    ready_.push_back(id);
  });
}

void StoredLegs::read_ahead(Leg& leg) {
  while (leg.asked < leg.row.large_bytes && leg.loaded + block_bytes <= window_bytes) {
    const auto length =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(block_bytes, leg.row.large_bytes - leg.asked));
    ask(leg, Asked::read, length, {0, core::ReadBody{.id = leg.row.id, .offset = leg.asked, .length = length}});
    leg.asked += length;
    leg.loaded += length;
  }
}

void StoredLegs::on_read(Leg& leg, const core::StoreResult& result, std::uint64_t bytes) {
  if (result.status != core::StoreResult::Status::done || result.bytes.size() != bytes) {  // it is not what its row says
    metrics_.add(Metric::im_deferred_large_unreadable);
    leg.blocks.clear();
    tell(leg, 503);
    return;
  }
  leg.blocks.push_back(result.bytes);
  ready_.push_back(leg.self);
}

// What it is given is sure to be sent before long. Answers say less: one may come before the kernel has told that what it
// answers is sent, and with several of these in a row the queue would be full.
bool StoredLegs::has_room(const Leg& leg) const {
  return leg.unanswered < pieces_max && std::all_of(leg.to.begin(), leg.to.end(), [this](msrp::EndHandle end) {
           return others_.waiting_bytes(end) <= piece_bytes;
         });
}

void StoredLegs::pump(Leg& leg) {
  if (!leg.gives || leg.over || !leg.begun || leg.holds != 0) return;
  const bool is_record = leg.record != nullptr;
  if (!is_record && leg.given == leg.row.large_bytes && leg.given != 0) return;
  if (has_room(leg)) {
    if (is_record && leg.blocks.empty() && !next_message(leg)) return;
    read_ahead(leg);
    if (!leg.blocks.empty()) give_piece(leg);
    return;
  }
  if (!is_record) read_ahead(leg);
  if (leg.unanswered == 0 && (is_record || !leg.blocks.empty())) stalled_.push_back(leg.self);
}

void StoredLegs::give_piece(Leg& leg) {
  const std::string& block = leg.blocks.front();
  const auto length = static_cast<std::uint32_t>(std::min<std::size_t>(piece_bytes, block.size() - leg.used));
  const core::BufferId buffer = pool_.take_heap(std::max(length, std::uint32_t{1}));
  if (buffer == core::no_buffer) {
    tell(leg, 503);
    return;
  }
  std::copy_n(block.data() + leg.used, length, pool_.data(buffer));
  Fact& made = facts_.emplace_back();
  made.text.assign("Success-Report: yes\r\n").append(leg.row.large_head);
  msrp::Head& head = made.head;
  head.method = msrp::Method::send;
  head.headers = {0, static_cast<std::uint32_t>(made.text.size())};
  head.message_id = line_value(made.text, "Message-ID");
  head.content_type = line_value(made.text, "Content-Type");
  head.success_report = line_value(made.text, "Success-Report");
  head.success = head.has_body = head.has_range = true;
  msrp::EndFact& fact = made.fact;
  fact.kind = msrp::EndFact::Kind::piece;
  fact.end = handle(leg.self);
  fact.first = fact.last = true;
  fact.start = leg.given + 1;
  fact.total = leg.row.large_bytes;
  fact.body = {buffer, 0, length};
  leg.given += length;
  leg.loaded -= length;
  leg.used += length;
  if (leg.used == block.size()) {
    leg.blocks.pop_front();
    leg.used = 0;
  }
  fact.flag = leg.given == leg.row.large_bytes ? msrp::Flag::end : msrp::Flag::more;
  head.range = {fact.start, leg.given, fact.total};
  ready_.push_back(leg.self);  // when this one has gone
}

}  // namespace parley::policy

// policy/pager_trace.cc - see pager_trace.h.
#include "policy/pager_trace.h"

#include <utility>

namespace parley::policy {
namespace {

std::uint32_t since(const TracedPager& message, std::int64_t wall_ms) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(wall_ms - message.wall_ms, 0, 0xffffffffLL));
}

}  // namespace

void PagerTrace::set_capacity(std::uint32_t capacity) {
  if (capacity == records_.size()) return;
  records_.assign(capacity, {});
  heads_.assign(capacity, none);
  records_.shrink_to_fit();  // numbers go on, so what refers to those that are forgotten finds nothing
  heads_.shrink_to_fit();
}

std::uint64_t PagerTrace::add(const Names& names, const About& about) {
  if (!on()) return 0;
  const std::uint64_t number = ++last_;
  const auto index = static_cast<std::uint32_t>(number % records_.size());
  Record& record = records_[index];
  unlink(index);
  record.place = place_of(names.whose, names.message_id);
  record.previous = about.previous;
  if (record.place != 0) {
    if (const std::uint32_t older = index_of(record.place); older != none) {  // nobody asks for it any more
      unlink(older);
      records_[older].place = 0;
    }
    record.next = std::exchange(heads_[head_of(record.place)], index);
  }
  record.names = {hash(names.message_id), hash(names.call_id), hash(names.leg_call_id)};
  TracedPager& message = record.message;
  message.number = number;
  message.way = about.way;
  message.came = about.came;
  message.kept = false;
  message.status = 0;
  message.answered_ms = message.hops = message.taken = message.failed = 0;
  message.wall_ms = about.wall_ms;
  message.bytes = about.bytes;
  message.copies = about.copies;
  message.message_id.assign(names.message_id);
  message.call_id.assign(names.call_id);
  message.sender.assign(about.sender);
  message.recipient.assign(about.recipient);
  return number;
}

void PagerTrace::unlink(std::uint32_t index) {
  const Record& record = records_[index];
  if (record.place == 0) return;
  std::uint32_t* link = &heads_[head_of(record.place)];
  while (*link != index) link = &records_[*link].next;
  *link = record.next;
}

std::uint32_t PagerTrace::index_of(std::uint64_t place) const {
  std::uint32_t at = heads_[head_of(place)];
  while (at != none && records_[at].place != place) at = records_[at].next;
  return at;
}

std::size_t PagerTrace::longest_chain() const {
  std::size_t longest = 0;
  for (std::uint32_t at : heads_) {
    std::size_t length = 0;
    for (; at != none; at = records_[at].next) ++length;
    longest = std::max(longest, length);
  }
  return longest;
}

PagerTrace::Record* PagerTrace::record_of(std::uint64_t number) {
  if (number == 0 || !on()) return nullptr;
  Record& record = records_[number % records_.size()];
  return record.message.number == number ? &record : nullptr;
}

void PagerTrace::sent(std::uint64_t number, unsigned branch, core::Transport transport, const core::Address& remote,
                      std::int64_t wall_ms) {
  TracedPager* const message = find(number);
  if (message == nullptr || message->hops++ >= TracedPager::hops_max) return;
  message->hop[message->hops - 1] = {.remote = remote,
                                     .transport = transport,
                                     .branch = static_cast<std::uint8_t>(branch),
                                     .sent_ms = since(*message, wall_ms)};
}

// Of the hops of a branch the last one is meant: those before it had failed.
void PagerTrace::heard(std::uint64_t number, unsigned branch, TracedHop::Result result, std::uint16_t status, std::int64_t wall_ms) {
  TracedPager* const message = find(number);
  if (message == nullptr) return;
  for (std::size_t i = std::min<std::size_t>(message->hops, TracedPager::hops_max); i-- > 0;) {
    TracedHop& hop = message->hop[i];
    if (hop.branch != static_cast<std::uint8_t>(branch)) continue;
    if (hop.result != TracedHop::Result::open) return;  // it is one that found no room here
    hop.result = result;
    hop.status = status;
    hop.answered_ms = since(*message, wall_ms);
    return;
  }
}

void PagerTrace::answered(std::uint64_t number, std::uint16_t status, bool kept, std::int64_t wall_ms) {
  TracedPager* const message = find(number);
  if (message == nullptr || message->status != 0) return;
  message->status = status;
  message->kept = kept;
  message->answered_ms = since(*message, wall_ms);
}

void PagerTrace::reported(std::uint64_t number, std::uint16_t status, std::int64_t wall_ms) {
  TracedPager* const message = find(number);
  if (message == nullptr || (message->status >= 300 && status < 300)) return;
  message->status = status;
  message->answered_ms = since(*message, wall_ms);
}

void PagerTrace::has_bytes(std::uint64_t number, std::uint64_t bytes) {
  TracedPager* const message = find(number);
  if (message != nullptr) message->bytes = std::max(message->bytes, bytes);
}

void PagerTrace::has_come(std::uint64_t number, TracedPager::Came came, std::int64_t wall_ms) {
  TracedPager* const message = find(number);
  if (message == nullptr || message->came == TracedPager::Came::whole) return;
  message->came = came;
  if (came == TracedPager::Came::broken_off) message->answered_ms = since(*message, wall_ms);
}

std::uint64_t PagerTrace::number_of(std::uint64_t whose, std::string_view message_id) const {
  if (!on()) return 0;
  const std::uint32_t index = index_of(place_of(whose, message_id));
  return index == none ? 0 : records_[index].message.number;
}

void PagerTrace::break_off(std::uint64_t last, std::uint32_t count, std::int64_t wall_ms) {
  for (Record* at = record_of(last); at != nullptr && count != 0; at = record_of(at->previous), --count) {
    has_come(at->message.number, TracedPager::Came::broken_off, wall_ms);
  }
}

void PagerTrace::end(std::uint64_t last, std::uint16_t status, std::int64_t wall_ms) {
  for (Record* at = record_of(last); at != nullptr; at = record_of(at->previous)) {
    const TracedPager& message = at->message;
    const bool passed_on = message.hops != 0 && message.hop[0].result == TracedHop::Result::unawaited;
    if (message.came == TracedPager::Came::broken_off || passed_on) continue;
    answered(message.number, status, false, wall_ms);
  }
}

void PagerTrace::copy_over(std::uint64_t number, bool taken) {
  TracedPager* const message = find(number);
  if (message != nullptr) ++(taken ? message->taken : message->failed);
}

}  // namespace parley::policy

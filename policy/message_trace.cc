// policy/message_trace.cc - see message_trace.h.
#include "policy/message_trace.h"

namespace parley::policy {

void MessageTrace::set_capacity(std::uint32_t capacity) {
  if (capacity == records_.size()) return;
  records_.assign(capacity, {});
  heads_.assign(capacity, none);
  records_.shrink_to_fit();
  heads_.shrink_to_fit();
  next_ = used_ = 0;
}

// Rooms and numbers are our own: nobody chooses them so that they collide.
std::uint32_t& MessageTrace::head(core::SlotId room, std::uint64_t number) {
  const std::uint64_t mixed = (room.packed() + number * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
  return heads_[(mixed >> 32) % heads_.size()];
}

void MessageTrace::add(const TracedMessage& message) {
  if (!on()) return;
  Record& record = records_[next_];
  if (used_ == records_.size()) {
    std::uint32_t* link = &head(record.message.room, record.message.number);
    while (*link != next_) link = &records_[*link].next;
    *link = record.next;
  } else {
    ++used_;
  }
  record.message = message;
  std::uint32_t& first = head(message.room, message.number);
  record.next = first;
  first = next_;
  next_ = (next_ + 1) % static_cast<std::uint32_t>(records_.size());
}

TracedMessage* MessageTrace::find(core::SlotId room, std::uint64_t number) {
  if (!on()) return nullptr;
  for (std::uint32_t at = head(room, number); at != none; at = records_[at].next) {
    TracedMessage& message = records_[at].message;
    if (message.room == room && message.number == number) return &message;
  }
  return nullptr;
}

void MessageTrace::answered(core::SlotId room, std::uint64_t number, bool ok) {
  TracedMessage* const message = find(room, number);
  if (message != nullptr) ++(ok ? message->answered : message->failed);
}

void MessageTrace::caught_up(core::SlotId room, std::uint64_t number) {
  TracedMessage* const message = find(room, number);
  if (message == nullptr) return;
  ++message->delivered;
  if (message->behind != 0) {
    --message->behind;
  } else {
    ++message->legs;  // he was away when it came
  }
}

}  // namespace parley::policy

// policy/room_admin.cc - what operators may know of rooms: how their members do, and what became of the last messages. See
// room_state.h.
#include <algorithm>

#include "policy/room_state.h"

namespace parley::policy {

void Rooms::keep_trace(std::uint32_t messages) { state_->trace.set_capacity(messages); }

void Rooms::trace(std::string_view message_id, std::size_t limit, std::vector<TracedMessage>& found) const {
  state_->trace.for_each(message_id, [&](const TracedMessage& each) {
    if (found.size() < limit) found.push_back(each);
  });
}

Rooms::MemberState Rooms::state_of(MemberHandle handle) const {
  const State& s = *state_;
  const RoomMember* const member = s.members.get(handle);
  if (member == nullptr) return {};
  const Room& room = *s.rooms.get(member->room);
  const RoomLeg& leg = room.legs[member->index];
  return {.number = leg.number,
          .connected = member->connected,
          .live = leg.live,
          .held = member->held || member->alone,
          .behind = member->behind && room.head > member->next ? room.head - member->next : 0,
          .messages_in = member->messages_in,
          .messages_out = leg.copies,
          .waiting_bytes = s.legs.waiting_bytes(leg.end)};
}

// A message has just been committed and written; not_sent and room.behind say to whom it was not.
void Rooms::State::keep_record(const Room& room, const RoomMessage& message, std::uint64_t number, std::uint64_t bytes) {
  TracedMessage record;
  record.id = message.message_id;
  record.id_length = message.message_id_length;
  const std::string_view shown = std::string_view(message.headers).substr(message.about.id_offset, message.about.id_length);
  record.shown_length = static_cast<std::uint8_t>(std::min(shown.size(), record.shown.size()));
  std::copy_n(shown.begin(), record.shown_length, record.shown.begin());
  record.to_one = message.to_user != 0;
  record.room = room.self;
  record.room_owner = room.traits.owner;
  record.number = number;
  record.wall_ms = now.wall_ms;
  record.bytes = bytes;
  record.sender = message.sender_number;
  record.delivered = static_cast<std::uint32_t>(ends.size() - not_sent.size());
  if (record.to_one) {
    for (const MemberHandle each : private_legs(room, message)) {
      ++record.legs;
      if (members.get(each)->behind) ++record.behind;
    }
  } else {
    const RoomMember* const sender = members.get(message.sender);
    const bool there = sender != nullptr && sender->room == room.self;
    record.legs = static_cast<std::uint32_t>(room.legs.size() - (there ? 1 : 0));
    record.behind = static_cast<std::uint32_t>(room.behind.size() - (there && sender->behind ? 1 : 0));
  }
  trace.add(record);
}

}  // namespace parley::policy

// policy/room_return.cc - a device that joins while the room still has it: its old connection may live, or nobody has
// noticed yet that it does not; and how it is known what a member has. See room.h, "Who comes back".
#include <utility>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

namespace {
constexpr std::uint64_t probe_every = 128;
constexpr core::Duration probe_time = std::chrono::seconds(1);
}  // namespace

// The member of the same device that is in already, the one that joined last. Somebody who does not name his device may
// have two: then it is one whose connection is gone.
RoomMember* Rooms::State::same_device(const Room& room, const Member& about) {
  char key_room[room_key_bytes_max];
  const std::string shown(
      room_key(about.anonymous_number != 0 ? anonymous_uri(about.anonymous_number) : about.uri, key_room));
  const auto user = room.users_by_key.find(shown);
  if (user == room.users_by_key.end()) return nullptr;
  const std::string_view owner = room_key(about.uri, key_room);
  RoomMember* found = nullptr;
  for (const MemberHandle each : room.users[user->second].legs) {
    RoomMember* const member = members.get(each);
    const bool gone = member->was_connected && !member->connected;
    if (member->own_key != owner || member->about.device != about.device) continue;
    if (about.device.empty() && !gone) continue;
    if (members.get(member->after) == nullptr) found = member;
  }
  return found;
}

// It counts as the same member from now on, and the old connection goes on until the new one is there.
void Rooms::State::stand_behind(Room& room, RoomMember& before, RoomMember& member, RoomLeg& leg, std::string& nickname) {
  before.after = member.self;
  member.before = before.self;
  member.joined = before.joined;
  leg.number = room.legs[before.index].number;
  if (const auto name = room.nicknames.find(before.nickname_key);
      member.nickname_key.empty() && name != room.nicknames.end() && name->second.owner == member.own_key) {
    member.nickname_key = before.nickname_key;
    ++name->second.legs;
    nickname = name->second.shown;
  }
  metrics.add(Metric::room_rejoined);
}

// The new connection is there.
void Rooms::State::replace_before(Room& room, RoomMember& member) {
  RoomMember* const before = members.get(member.before);
  if (before == nullptr) return;
  replace_before(room, *before);
  tell(RoomFact::Kind::replaced, room, before);
  leave(*before, LeaveReason::departed);
}

// `member` is down and leaves. True: its place stays in the room, with who waits behind it or is still there before it.
bool Rooms::State::hand_over(Room& room, RoomMember& member) {
  RoomMember* const before = members.get(member.before);
  RoomMember* const after = members.get(member.after);
  if (before != nullptr) before->after = member.after;  // it never came
  if (after != nullptr) after->before = member.before;
  if (before == nullptr && after != nullptr) {
    owe_from(room, *after, member.next);
    room.legs[after->index].got = member.next;
    after->pauses = std::move(member.pauses);  // it knows of more, and has been told of each change
  }
  return before != nullptr || after != nullptr;
}

// Whether the copies of a message that would not be answered are. An answer is one for all that was written before.
bool Rooms::State::probe_due(const Room& room) const {
  return room.probed.at == core::Instant{} || room.head - room.probed.number >= probe_every ||
         now.mono - room.probed.at >= probe_time;
}

}  // namespace parley::policy

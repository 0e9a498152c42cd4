// policy/room_members.cc - who is in a room, by which names, and who may come back. See room_state.h.
#include <algorithm>
#include <utility>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

Rooms::Joined Rooms::join(RoomHandle handle, const Member& member) {
  Room* const room = state_->rooms.get(handle);
  return room == nullptr ? Joined{} : state_->join(*room, member);
}

Rooms::Joined Rooms::State::join(Room& room, const Member& about) {
  if (room.traits.kind == RoomKind::group && !accepts_type(about.accept_types, "message/cpim")) {  // OMA-MSRP-4
    return {.result = JoinResult::no_cpim, .member = {}};
  }
  expire_away(room);
  const std::uint32_t most = room.traits.members_max != 0
                                 ? std::min(room.traits.members_max, config->members_per_room_max)
                                 : config->members_per_room_max;
  RoomMember* const before = same_device(room, about);
  if (room.legs.size() >= most && before == nullptr) {
    metrics.add(Metric::room_members_limit);
    return {.result = JoinResult::room_full, .member = {}};
  }
  const MemberHandle handle = members.size() < config->members_max ? members.emplace() : MemberHandle{};
  RoomMember* const member = members.get(handle);
  if (member == nullptr) {
    metrics.add(Metric::room_members_limit);
    return {.result = JoinResult::no_room, .member = {}};
  }
  member->room = room.self;
  member->self = handle;
  member->about = about;
  describe(room, *member);

  Joined joined{.result = JoinResult::joined, .member = handle};
  if (about.anonymous_number != 0 && !about.display_name.empty()) {  // OMA-ALIAS-2
    std::string shown;
    if (take_nickname(room, *member, about.display_name, shown) != 200) {
      members.erase(handle);
      return {.result = JoinResult::alias_in_use, .member = {}};
    }
  }
  member->joined = ++room.serial;
  RoomLeg leg{.end = about.end, .member = handle};
  leg.got = leg.sent = room.head;
  member->next = room.head;
  if (before != nullptr) {
    joined.result = JoinResult::rejoined;
    stand_behind(room, *before, *member, leg, joined.nickname);
  }
  // The same device before the same user: it is the one whose position is known.
  auto found = std::find_if(room.away.begin(), room.away.end(), [&](const RoomAway& away) {
    return away.owner == member->own_key && away.device == about.device;
  });
  if (found == room.away.end() && about.device.empty()) {
    found = std::find_if(room.away.begin(), room.away.end(),
                         [&](const RoomAway& away) { return away.owner == member->own_key; });
  }
  std::vector<RoomPause> pauses;
  if (before != nullptr) {
    // What is kept of it is older.
  } else if (found != room.away.end()) {
    joined.result = JoinResult::rejoined;
    leg.number = found->number;
    leg.got = member->next = found->next;
    member->joined = found->joined;
    pauses = std::move(found->pauses);
    if (const auto name = room.nicknames.find(found->nickname_key);
        member->nickname_key.empty() && name != room.nicknames.end() && name->second.owner == member->own_key) {
      member->nickname_key = found->nickname_key;
      if (name->second.legs++ == 0) --room.names_held;
      joined.nickname = name->second.shown;
    }
    room.away.erase(found);
    metrics.sub(Metric::room_away);
    metrics.add(Metric::room_rejoined);
  } else {
    leg.number = room.next_number++;
    if (room.early != ~std::uint64_t{0})
      member->next = leg.got = leg.sent = std::exchange(room.early, ~std::uint64_t{0});
  }
  // Until its session is bound it is behind; what began before it came it gets as a whole, when it is kept.
  leg.later = room.slots & ~room.counting;
  member->index = static_cast<std::uint32_t>(room.legs.size());
  room.legs.push_back(leg);
  if (is_far(leg.end)) ++room.far_legs;
  take_user(room, *member);
  place(*member);
  member->pauses.insert(member->pauses.begin(), pauses.begin(), pauses.end());
  member->behind = true;
  member->behind_index = static_cast<std::uint32_t>(room.behind.size());
  room.behind.push_back(handle);
  owe_from(room, *member, member->next);
  metrics.add(Metric::room_behind);
  member->timer.owner = handle.packed();
  member->timer.kind = static_cast<std::uint32_t>(TimerKind::member);
  metrics.add(Metric::room_members);
  update_alone(room);
  return joined;
}

// What is made of his description once.
void Rooms::State::describe(Room& room, RoomMember& member) {
  char key_room[room_key_bytes_max];
  const Member& about = member.about;
  member.own_key = room_key(about.uri, key_room);
  const bool anonymous = about.anonymous_number != 0;
  member.shown_uri = anonymous ? anonymous_uri(about.anonymous_number) : about.uri;
  member.from_line.clear();
  append_cpim_address(member.from_line, "From", about.display_name, member.shown_uri);
  (void)room;
}

// What the fan-out has to know of him.
void Rooms::State::place(RoomMember& member) {
  Room& room = *rooms.get(member.room);
  RoomLeg& leg = room.legs[member.index];
  pause(room, member, member.about.may_receive);
  for (RoomMember* old = members.get(member.before); old != nullptr; old = members.get(old->before)) {
    pause(room, *old, member.about.may_receive);  // until it is replaced
  }
  leg.any_size = member.about.message_bytes_max == 0;
  leg.any_type = room.traits.kind == RoomKind::group ? accepts_type(member.about.accept_wrapped_types, "*/*")
                                                     : accepts_type(member.about.accept_types, "*/*");
  place_of(leg.end) = member.self;
}

// What comes while it takes nothing it does not get; what it is owed from before, it gets when it takes something again.
void Rooms::State::pause(Room& room, RoomMember& member, bool receives) {
  constexpr std::size_t pauses_max = 8;  // who has had more gets what came during the oldest ones
  RoomLeg& leg = room.legs[member.index];
  if (std::exchange(leg.receives, receives) == receives) return;
  if (receives) {
    member.pauses.back().to = room.head;
    member.behind_since = now.mono;
  } else {
    member.pauses.push_back({.from = room.head});
    leg.later |= room.slots & ~room.counting & ~leg.never;
  }
  const std::uint64_t certain = leg.got < leg.sent ? leg.got : (member.behind ? member.next : room.head);
  std::erase_if(member.pauses, [certain](const RoomPause& p) { return p.to <= certain || p.from == p.to; });
  if (member.pauses.size() > pauses_max) member.pauses.erase(member.pauses.begin());
}

void Rooms::State::take_user(Room& room, RoomMember& member) {
  char key_room[room_key_bytes_max];
  const std::string shown(room_key(member.shown_uri, key_room));
  const auto found = room.users_by_key.find(shown);
  std::uint32_t user = 0;
  if (found != room.users_by_key.end()) {
    user = found->second;
  } else {
    while (user < room.users.size() && !room.users[user].key.empty()) ++user;
    if (user == room.users.size()) room.users.emplace_back();
    room.users[user].key = shown;
    room.users[user].hash = core::KeyedHash(hash_key).add(shown).finish().low | 1;
    room.users_by_key.emplace(shown, user);
  }
  if (member.about.anonymous_number == 0) {
    for (const std::string& uri : member.about.other_uris) {
      if (const std::string_view other = room_key(uri, key_room); !other.empty())
        room.users_by_key.emplace(other, user);
    }
  }
  room.users[user].legs.push_back(member.self);
  room.legs[member.index].user = user;
}

void Rooms::State::drop_user(Room& room, RoomMember& member) {
  const std::uint32_t index = room.legs[member.index].user;
  RoomUser& user = room.users[index];
  std::erase(user.legs, member.self);
  if (!user.legs.empty()) return;
  char key_room[room_key_bytes_max];
  const auto forget_key = [&](std::string_view name) {
    const auto found = room.users_by_key.find(name);
    if (found != room.users_by_key.end() && found->second == index) room.users_by_key.erase(found);
  };
  forget_key(user.key);
  for (const std::string& uri : member.about.other_uris) forget_key(room_key(uri, key_room));
  user.key.clear();
  user.hash = 0;
}

JoinResult Rooms::change(MemberHandle handle, const Member& about) {
  State& s = *state_;
  RoomMember* const member = s.members.get(handle);
  if (member == nullptr) return JoinResult::no_room;
  Room& room = *s.rooms.get(member->room);
  if (room.traits.kind == RoomKind::group && !accepts_type(about.accept_types, "message/cpim"))
    return JoinResult::no_cpim;
  Member& old = member->about;
  old.accept_types = about.accept_types;
  old.accept_wrapped_types = about.accept_wrapped_types;
  old.message_bytes_max = about.message_bytes_max;
  old.may_send = about.may_send;
  old.may_receive = about.may_receive;
  old.private_messages = about.private_messages;
  old.may_ask_count = about.may_ask_count;
  s.place(*member);
  s.catch_up(room, *member);
  if (room.traits.kind == RoomKind::distribution) {
    s.update_alone(room);
    s.give_up(room);
  }
  return JoinResult::joined;
}

void Rooms::leave(MemberHandle handle, LeaveReason reason) {
  if (RoomMember* const member = state_->members.get(handle); member != nullptr) state_->leave(*member, reason);
}

void Rooms::State::leave(RoomMember& member, LeaveReason reason) {
  Room& room = *rooms.get(member.room);
  go_down(room, member, reason == LeaveReason::lost || members.contains(member.after));
  const RoomLeg leg = room.legs[member.index];
  bool kept = !hand_over(room, member) && reason == LeaveReason::lost && !room.ring.off() && !member.own_key.empty();
  if (kept && room.away.size() >= config->away_per_room_max) {
    kept = false;
    metrics.add(Metric::room_away_limit);
  }
  if (kept) {
    if (!leg.receives) member.pauses.back().to = room.head;
    const core::Instant until = now.mono + config->rejoin_window;
    room.away.push_back({.owner = member.own_key,
                         .device = member.about.device,
                         .nickname_key = member.nickname_key,
                         .number = leg.number,
                         .next = member.next,
                         .joined = member.joined,
                         .pauses = std::move(member.pauses),
                         .until = until});
    metrics.add(Metric::room_away);
    if (!room.ring_age.armed()) wheel.arm(room.ring_age, until);
  }
  drop_nickname(room, member, reason == LeaveReason::lost);
  stop_being_behind(room, member);
  drop_user(room, member);
  wheel.cancel(member.timer);
  place_of(leg.end) = {};
  if (is_far(leg.end)) --room.far_legs;
  legs.close(leg.end);
  const RoomLeg& last = room.legs.back();
  if (last.member != member.self) {
    members.get(last.member)->index = member.index;
    room.legs[member.index] = last;
  }
  room.legs.pop_back();
  metrics.sub(Metric::room_members);
  members.erase(member.self);
  update_alone(room);
}

void Rooms::State::expire_away(Room& room) {
  while (!room.away.empty() && room.away.front().until <= now.mono) {
    room.away.pop_front();
    metrics.sub(Metric::room_away);
  }
  expire_names(room);
}

}  // namespace parley::policy

// policy/room_catch_up.cc - members that have not got everything: because they are slow, or were not there. See
// room_state.h; OMA-MSRP-6, RFC 7701 section 6.4.
//
// A member that is behind gets nothing as it comes. What it missed comes from the ring, in order, until it has caught
// up. The room never waits for it; only the sender of a long message is not read for a while when half of a group is
// slow.
#include <algorithm>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

namespace {
constexpr core::Duration hold_look = std::chrono::milliseconds(20);  // how often a sender that is held is looked at
constexpr core::Duration lag_look = std::chrono::seconds(1);         // and a member that is behind and says nothing
}  // namespace

void Rooms::State::fall_behind(Room& room, RoomLeg& leg, std::uint64_t number) {
  RoomMember& member = *members.get(leg.member);
  leg.live = false;
  leg.later |= room.slots & ~room.counting & ~leg.never;
  if (member.behind) {
    owe_from(room, member, std::min(member.next, number));
    return;
  }
  member.behind = true;
  owe_from(room, member, number);
  member.behind_since = now.mono;
  member.behind_index = static_cast<std::uint32_t>(room.behind.size());
  room.behind.push_back(leg.member);
  metrics.add(Metric::room_behind);
  arm_member(member);
}

void Rooms::State::stop_being_behind(Room& room, RoomMember& member) {
  if (!member.behind) return;
  member.behind = false;
  const MemberHandle last = room.behind.back();
  room.behind[member.behind_index] = last;
  members.get(last)->behind_index = member.behind_index;
  room.behind.pop_back();
  metrics.sub(Metric::room_behind);
}

bool Rooms::State::concerns(const Room& room, const RoomLeg& leg, const RoomMember& member,
                            const RoomRing::About& about, std::string_view type, std::uint64_t number) const {
  for (const RoomPause& pause : member.pauses) {
    if (number >= pause.from && number < pause.to) return false;
  }
  if (about.to_user == 0) {
    if (about.sender == leg.number) return false;
  } else if (about.to_user != room.users[leg.user].hash || !member.about.private_messages) {
    return false;
  }
  return leg.any_type || takes(room, member, type);
}

void Rooms::State::catch_up(Room& room, RoomMember& member) {
  if (!member.behind || !member.connected) return;
  RoomLeg& leg = room.legs[member.index];
  const std::uint64_t oldest = room.ring.oldest(room.head);
  if (member.next < oldest) {
    // Without a ring what is missed was counted when it was.
    const std::uint64_t gone = room.ring.off() ? 0 : oldest - member.next;
    member.missed += gone;
    room.counts.missed += gone;
    metrics.add(Metric::room_missed, gone);
    member.next = oldest;
  }
  if (!room.unkept.empty()) miss_unkept(room, member, member.next, room.head, false);
  for (; member.next < room.head; ++member.next) {
    const RoomRing::Entry* const entry = room.ring.find(member.next);
    if (entry == nullptr || entry->bytes.buffer == core::no_buffer) continue;  // a gap
    if (!replay(room, member, leg, *entry)) return;
  }
  become_live(room, member);
}

// False: not now.
bool Rooms::State::replay(Room& room, RoomMember& member, RoomLeg& leg, const RoomRing::Entry& entry) {
  const RoomRing::About& about = entry.about;
  msrp::EndSend send;
  send.headers = pool.view(entry.bytes.part(0, entry.headers_length));
  send.body = entry.bytes.part(entry.headers_length, entry.bytes.length - entry.headers_length);
  const std::string_view typed = about.type_in_body ? pool.view(send.body) : send.headers;
  const std::string_view type =
      about.type_length == 0 ? "text/plain" : typed.substr(about.type_offset, about.type_length);
  if (!concerns(room, leg, member, about, type, entry.number)) return true;
  if (!leg.receives) return false;  // what it has missed waits until it takes something again
  const std::uint64_t limit = member.about.message_bytes_max;
  if (limit != 0 && send.body.length > limit) return true;
  send.failure = about.failure;
  send.total = send.body.length;
  const bool answers = about.failure == msrp::FailureReport::yes;
  send.tell_200 = answers;
  core::SlotId record;
  if (room.traits.kind == RoomKind::group) {
    send.mark = entry.number << 8 | 2U;
    for (std::uint64_t slots = room.counting & leg.awaiting; slots != 0; slots &= slots - 1) {
      const auto slot = static_cast<unsigned>(__builtin_ctzll(slots));
      const RoomMessage* const message = messages.get(room.messages[slot]);
      if (message != nullptr && message->number == entry.number) send.mark |= std::uint64_t{slot} << 2 | 1U;
    }
  } else if (answers) {
    record = keep_passed(room, about.sender, send.headers.substr(about.id_offset, about.id_length),
                         {1, send.total, send.total}, entry.number);
    send.mark = record.packed();
  }
  if (legs.send(leg.end, send) != Sent::sent) {
    passed.erase(record);
    return false;
  }
  metrics.add(Metric::room_copies);
  note_sent(leg, entry.number, answers || room.traits.kind == RoomKind::group);
  trace.caught_up(room.self, entry.number);
  return true;
}

core::SlotId Rooms::State::keep_passed(const Room& room, std::uint32_t sender, std::string_view message_id,
                                       const msrp::ByteRange& range, std::uint64_t number) {
  const core::SlotId id = passed.emplace();
  RoomPassed* const record = passed.get(id);
  if (record == nullptr) return {};
  for (const RoomLeg& leg : room.legs) {
    if (leg.number == sender) record->sender = leg.member;
  }
  record->message_id_length = static_cast<std::uint8_t>(std::min(message_id.size(), record->message_id.size()));
  std::copy_n(message_id.begin(), record->message_id_length, record->message_id.begin());
  record->range = range;
  record->number = number;
  record->last = true;
  return id;
}

void Rooms::State::become_live(Room& room, RoomMember& member) {
  stop_being_behind(room, member);
  room.legs[member.index].live = true;
  if (member.lagging) tell(RoomFact::Kind::recovered, room, &member);
  member.lagging = false;
  if (member.missed != 0) tell(RoomFact::Kind::missed, room, &member).count = member.missed;
  member.missed = 0;
}

// --- holding senders back

std::uint32_t Rooms::State::slow_legs(const Room& room, std::uint32_t& live) const {
  std::uint32_t slow = 0;
  live = 0;
  for (const RoomLeg& leg : room.legs) {
    if (!leg.live || !leg.receives) continue;
    ++live;
    if (legs.waiting_bytes(leg.end) > config->hold_high_bytes) ++slow;
  }
  return slow;
}

void Rooms::State::hold_for_slow(Room& room, RoomMessage& message) {
  RoomMember* const sender = members.get(message.sender);
  if (sender == nullptr) return;
  if (room.traits.kind != RoomKind::group) return;  // EndSend::source
  if (!sender->held && sender->no_hold_until <= now.mono && receivers_slow(room)) hold_sender(*sender);
}

bool Rooms::State::receivers_slow(const Room& room) const {
  if (room.far_legs != 0 && legs.outrun()) return true;
  std::uint32_t live = 0;
  const std::uint32_t slow = slow_legs(room, live);
  return slow != 0 && slow * 2 >= live;
}

void Rooms::State::hold_sender(RoomMember& sender) {
  if (sender.held || sender.no_hold_until > now.mono) return;
  sender.held = true;
  sender.held_since = now.mono;
  metrics.add(Metric::room_held);
  legs.hold(rooms.get(sender.room)->legs[sender.index].end);
  arm_member(sender);
}

// --- time

void Rooms::State::arm_member(RoomMember& member) {
  core::Instant due = core::never;
  if (member.held) due = now.mono + hold_look;
  if (member.behind && member.connected) due = std::min(due, now.mono + lag_look);
  if (rooms.get(member.room)->traits.kind == RoomKind::distribution && !member.begun.empty()) {
    if (member.timer.armed()) return;
    due = std::min(due, now.mono + stall_look);
  }
  if (due != core::never) wheel.arm(member.timer, due);
}

void Rooms::State::on_member_timer(Room& room, RoomMember& member) {
  if (room.traits.kind == RoomKind::distribution && !member.begun.empty()) drop_stalled(room);
  RoomLeg& leg = room.legs[member.index];
  if (member.held) {
    const bool over = now.mono - member.held_since >= config->hold_time;
    if (over) member.no_hold_until = now.mono + config->hold_time;
    if (over || !receivers_slow(room)) {
      member.held = false;
      legs.release(leg.end);
    }
  }
  if (member.behind && member.connected) {
    catch_up(room, member);
    if (member.behind && leg.receives && now.mono - member.behind_since >= config->lag_time) {
      metrics.add(Metric::room_too_slow);
      go_down(room, member, true);
      tell(RoomFact::Kind::too_slow, room, &member);
      legs.close(leg.end);
      return;
    }
  }
  arm_member(member);
}

}  // namespace parley::policy

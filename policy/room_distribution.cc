// policy/room_distribution.cc - a file or a large message for several: it is streamed to all of them at once, and nothing of
// it is kept. See room_state.h; OMA-FT-7, OMA-LRG-3, OMA-MSRP-6, OMA-DR-3.
//
// The sender is not read while somebody who is to get it has yet to connect, and never faster than the slowest of them
// takes it; where his connection serves others too and can not be held, who is too slow is closed instead. Who takes
// nothing for --room-lag-time is closed, who breaks off or refuses gets no more; the others go on. When all that are left
// have answered the last piece, the sender has one REPORT: 200 if anybody has it, or with a count how many.
#include <algorithm>

#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

// Nothing has waited for anybody until now.
void Rooms::State::begin_distribution(const Room& room) {
  for (const RoomLeg& leg : room.legs) {
    if (legs.waiting_bytes(leg.end) == 0) members.get(leg.member)->heard = now.mono;
  }
}

void Rooms::State::hold_until_all_there(Room& room) {
  std::size_t there = 0;
  bool awaited = false;
  for (const RoomLeg& leg : room.legs) {
    const RoomMember& member = *members.get(leg.member);
    if (!leg.receives) continue;
    if (member.connected) {
      ++there;
    } else if (!member.was_connected) {
      awaited = true;
    }
  }
  for (RoomLeg& leg : room.legs) {
    const RoomMember& member = *members.get(leg.member);
    set_alone(leg, member.about.may_send && member.connected && (awaited || there == 0));
  }
}

void Rooms::State::set_alone(RoomLeg& leg, bool alone) {
  RoomMember& member = *members.get(leg.member);
  if (alone == member.alone) return;
  member.alone = alone;
  if (alone) {
    legs.hold(leg.end);
  } else {
    legs.release(leg.end);
  }
}

// A receiver for whom something waits, and who takes none of it, would hold up all.
void Rooms::State::drop_stalled(Room& room) {
  const std::vector<RoomLeg> all = room.legs;
  for (const RoomLeg& leg : all) {
    RoomMember* const member = members.get(leg.member);
    if (member == nullptr || !leg.receives || !member->connected) continue;
    if (legs.waiting_bytes(leg.end) == 0) member->heard = now.mono;
    if (!member->cut && now.mono - member->heard < config->lag_time) continue;
    metrics.add(Metric::room_too_slow);
    go_down(room, *member, true);
    tell(RoomFact::Kind::too_slow, room, member);
    legs.close(leg.end);
  }
}

// A relay on its way says that what it had taken did not come through.
void Rooms::State::not_delivered(Room& room, RoomLeg& leg, const msrp::EndFact& fact) {
  if (fact.status == 200) return;
  const std::vector<core::SlotId> open = room.messages;
  for (const core::SlotId id : open) {
    RoomMessage* const message = messages.get(id);
    if (message == nullptr || message->room != room.self || message_id_of(*message) != fact.message_id) continue;
    const std::uint64_t bit = std::uint64_t{1} << message->slot;
    if (message->state == RoomMessage::State::open && (leg.never & bit) == 0) {
      leg.never |= bit;
      return refused_by(room, *message, fact.status);
    }
    if (message->state != RoomMessage::State::counting) return;
    if ((leg.awaiting & bit) != 0) {
      message->refusal = fact.status;
      return leg_done(room, *message, leg, false);
    }
    if ((leg.reached & bit) == 0) return;
    leg.reached &= ~bit;
    if (!user_reached(room, leg.user, message->slot)) --message->reached;
    return;
  }
}

bool Rooms::State::nobody_left(const Room& room, const RoomMessage& message) const {
  const std::uint64_t bit = std::uint64_t{1} << message.slot;
  return std::none_of(room.legs.begin(), room.legs.end(),
                      [bit](const RoomLeg& leg) { return leg.live && leg.receives && ((leg.later | leg.never) & bit) == 0; });
}

void Rooms::State::refused_by(Room& room, RoomMessage& message, std::uint16_t status) {
  message.refusal = status;
  give_up(room);
}

// What nobody takes any more need not come to its end: its sender hears so, and the rest of it is refused.
void Rooms::State::give_up(Room& room) {
  const std::vector<core::SlotId> open = room.messages;
  for (const core::SlotId id : open) {
    RoomMessage* const message = messages.get(id);
    if (message == nullptr || message->room != room.self || message->state != RoomMessage::State::open) continue;
    if (!message->sent_some || !nobody_left(room, *message)) continue;
    metrics.add(Metric::room_aborted);
    if (const RoomMember* const sender = sender_of(room, *message); sender != nullptr) {
      report_distribution(room, *message, *sender);
    }
    forget(room, *message);
  }
}

// OMA-DR-3, OMA-DR-4: the one REPORT of it.
void Rooms::State::report_distribution(Room& room, const RoomMessage& message, const RoomMember& sender) {
  report_headers.clear();
  if (message.message_id_length == 0) return;
  std::uint16_t status = 200;
  if (message.tell_count) {  // also of nobody
    report_headers.assign("Distribution-Count: ").append(std::to_string(message.reached)).append("\r\n");
  } else if (message.reached != 0) {
    if (!message.success) return;
  } else {
    if (message.failure == msrp::FailureReport::no) return;
    status = message.refusal == 0 ? std::uint16_t{408} : message.refusal;
  }
  const std::uint64_t total = message.total;
  legs.report(room.legs[sender.index].end, message_id_of(message), {1, total, total}, status, report_headers);
}

}  // namespace parley::policy

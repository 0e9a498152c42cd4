// policy/room_reports.cc - what members answer, and what senders are told. See room_state.h; OMA-DR-2 to OMA-DR-4,
// DEC-11.
//
// In a group the room itself speaks to the sender: its REPORT says that the room has the message, with a count also
// whom it has reached. Members' REPORTs end here (R7701-2). Between two, REPORTs go through, and an error that the
// receiver answers becomes one, since the sender has got its 200 long ago (OMA-MSRP-5).
#include <algorithm>
#include <charconv>

#include "policy/room_state.h"

namespace parley::policy {

void Rooms::State::on_answered(Room& room, RoomMember& member, const msrp::EndFact& fact) {
  RoomLeg& leg = room.legs[member.index];
  const bool settled = fact.status != 408;  // it has it, or does not want it
  const auto got = [&](std::uint64_t number) {
    leg.got = std::min(leg.sent, std::max(leg.got, number + 1));
    if (room.traits.kind == RoomKind::group) return;  // what was written behind it may not have come
    // Of two, what needs no answer counts as delivered since it was written.
    for (; leg.got < leg.sent; ++leg.got) {
      const RoomRing::Entry* const entry = room.ring.find(leg.got);
      if (entry == nullptr || entry->about.failure != msrp::FailureReport::no) break;
    }
  };
  if (switches(room)) {
    if (settled) member.heard = now.mono;
    const std::uint64_t number = fact.mark >> 8;
    const bool last = (fact.mark & 2) != 0;
    if (last && settled) got(number);
    if (last) trace.answered(room.self, number, fact.status == 200);
    const auto slot = static_cast<std::size_t>(fact.mark >> 2 & 63);
    RoomMessage* const message =
        (fact.mark & 1) != 0 && slot < room.messages.size() ? messages.get(room.messages[slot]) : nullptr;
    if (message != nullptr && last && message->state == RoomMessage::State::counting && message->number == number) {
      if (fact.status != 200) message->refusal = fact.status;
      leg_done(room, *message, leg, fact.status == 200);
    } else if (message != nullptr && !last && (settled || room.traits.kind == RoomKind::distribution) &&
               fact.status != 200 && message->id == number) {
      leg.never |= std::uint64_t{1} << slot;  // R4975-11: it wants no more of this message
      if (room.traits.kind == RoomKind::distribution) refused_by(room, *message, fact.status);
    }
  } else if (RoomPassed* const record = passed.get(core::SlotId::unpack(fact.mark)); record != nullptr) {
    if (record->last && settled) got(record->number);
    if (record->last) trace.answered(room.self, record->number, fact.status == 200);
    RoomMember* const sender = members.get(record->sender);
    if (fact.status != 200 && record->message_id_length != 0 && sender != nullptr && sender->room == room.self) {
      const std::string_view message_id(record->message_id.data(), record->message_id_length);
      legs.report(room.legs[sender->index].end, message_id, record->range, fact.status, {});
      for (const core::SlotId id : sender->begun) {
        RoomMessage* const message = messages.get(id);
        if (message != nullptr && message_id_of(*message) == message_id) leg.never |= std::uint64_t{1} << message->slot;
      }
    }
    if (room.traits.kind == RoomKind::exchange && record->last && fact.status == 200 && sender != nullptr) {
      RoomFact& told = tell(RoomFact::Kind::delivered, room, sender);
      told.message_id.assign(record->message_id.data(), record->message_id_length);
      told.count = 1;
    }
    passed.erase(core::SlotId::unpack(fact.mark));
  }
  if (member.behind && legs.waiting_bytes(leg.end) <= config->lag_low_bytes) catch_up(room, member);
}

void Rooms::State::on_report(Room& room, RoomMember& member, const msrp::EndFact& fact) {
  RoomLeg& leg = room.legs[member.index];
  if (!switches(room)) return pass_report(room, member, fact);
  if (room.traits.kind == RoomKind::distribution) return not_delivered(room, leg, fact);
  // A relay on his way says that what it had taken did not come through.
  const std::string_view prefix(room.id_prefix.data(), room.id_prefix.size());
  if (fact.status == 200 || !fact.message_id.starts_with(prefix)) return;
  std::uint64_t id = 0;
  const char* const end = fact.message_id.data() + fact.message_id.size();
  if (std::from_chars(fact.message_id.data() + prefix.size(), end, id).ptr != end) return;
  for (std::uint64_t slots = room.counting & leg.reached; slots != 0; slots &= slots - 1) {
    const auto slot = static_cast<unsigned>(__builtin_ctzll(slots));
    RoomMessage* const message = messages.get(room.messages[slot]);
    if (message == nullptr || message->id != id) continue;
    leg.reached &= ~(std::uint64_t{1} << slot);
    if (!user_reached(room, leg.user, slot)) --message->reached;
  }
}

// Of two: whose message it was, with whatever device he is here now.
void Rooms::State::note_said(Room& room, const RoomMember& sender, std::string_view message_id) {
  constexpr std::size_t said_max = 256;
  if (message_id.empty()) return;
  const RoomSaid said{core::KeyedHash(hash_key).add(message_id).finish().low, room.legs[sender.index].number};
  if (room.said.size() < said_max) {
    room.said.push_back(said);
  } else {
    room.said[room.said_at] = said;
    room.said_at = (room.said_at + 1) % said_max;
  }
}

// OMA-MSRP-5: to the device that has sent what it speaks of, and to no other (R4975-10).
void Rooms::State::pass_report(Room& room, const RoomMember& member, const msrp::EndFact& fact) {
  const std::uint64_t id = core::KeyedHash(hash_key).add(fact.message_id).finish().low;
  for (const RoomSaid& said : room.said) {
    if (said.id != id || said.sender == room.legs[member.index].number) continue;
    for (const RoomLeg& leg : room.legs) {
      if (leg.number == said.sender) legs.report(leg.end, fact.message_id, fact.range, fact.status, {});
    }
    return;
  }
}

bool Rooms::State::user_reached(const Room& room, std::uint32_t user, unsigned slot) const {
  const std::uint64_t bit = std::uint64_t{1} << slot;
  return std::any_of(room.users[user].legs.begin(), room.users[user].legs.end(),
                     [&](MemberHandle each) { return (room.legs[members.get(each)->index].reached & bit) != 0; });
}

// Recipients are counted, not devices.
void Rooms::State::leg_done(Room& room, RoomMessage& message, RoomLeg& leg, bool reached) {
  const std::uint64_t bit = std::uint64_t{1} << message.slot;
  if ((leg.awaiting & bit) == 0) return;
  leg.awaiting &= ~bit;
  if (reached) {
    if (!user_reached(room, leg.user, message.slot)) ++message.reached;
    leg.reached |= bit;
  }
  CHECK(message.awaited != 0);
  if (--message.awaited == 0) report_count(room, message);
}

RoomMember* Rooms::State::sender_of(const Room& room, const RoomMessage& message) {
  RoomMember* const sender = members.get(message.sender);
  return sender != nullptr && sender->room == room.self ? sender : nullptr;
}

// R7701-1: a REPORT about a private message carries From and To of what it speaks of. The body stands behind the last
// header line; its CRLF goes before the end-line.
void Rooms::State::put_wrapper(std::string_view reply_head) {
  if (reply_head.empty()) return;
  report_headers.append("Content-Type: message/cpim\r\n\r\n").append(reply_head).append("\r\n\r\n\r\n\r\n");
}

void Rooms::State::report_whole(Room& room, RoomMessage& message) {
  RoomMember* const sender = sender_of(room, message);
  if (sender == nullptr || message.message_id_length == 0) return;
  report_headers.clear();
  put_wrapper(message.reply_head);
  const std::uint64_t total = message.total;
  legs.report(room.legs[sender->index].end, message_id_of(message), {1, total, total}, 200, report_headers);
}

bool Rooms::State::report_failure(Room& room, RoomMessage& message, std::uint16_t status) {
  RoomMember* const sender = sender_of(room, message);
  if (sender == nullptr) return false;
  report_headers.clear();
  put_wrapper(message.reply_head);
  const std::uint64_t total = message.total;
  legs.report(room.legs[sender->index].end, message_id_of(message), {1, total, total}, status, report_headers);
  return true;
}

bool Rooms::State::hears_of_misses(const Room& room, const RoomMessage& message) const {
  if (message.message_id_length == 0 || message.failure == msrp::FailureReport::no) return false;
  if (room.traits.kind == RoomKind::distribution) return false;  // one REPORT for all of them, in the end
  return message.to_user != 0 || room.traits.kind != RoomKind::group || config->report_missed;
}

// What the ring could not keep longer, and somebody who is behind has not got (R7701-2): one REPORT for the message.
void Rooms::State::tell_left(Room& room) {
  std::vector<RoomRing::Left>& all = room.ring.left();
  if (all.empty()) return;
  for (const RoomRing::Left& left : all) {
    const auto misses = [&](MemberHandle each) {
      const RoomMember& member = *members.get(each);
      return member.next <= left.number && concerns(room, room.legs[member.index], member, left.about, left.type, left.number);
    };
    const auto is_his = [&](const RoomLeg& leg) {
      return leg.number == left.about.sender && members.get(leg.member)->connected;
    };
    const auto sender = std::find_if(room.legs.begin(), room.legs.end(), is_his);
    if (sender == room.legs.end() || std::none_of(room.behind.begin(), room.behind.end(), misses)) continue;
    report_headers.clear();
    CpimParser parser;
    if (!left.head.empty() &&
        parser.parse(left.head, true, static_cast<std::uint32_t>(left.head.size())) == CpimParser::Progress::done) {
      const CpimHead& head = parser.head();
      std::string reply_head = "From: ";
      put_wrapper(reply_head.append(head.from.of(left.head)).append("\r\nTo: ").append(head.to.of(left.head)));
    }
    const std::uint64_t total = left.about.own_total;
    legs.report(sender->end, left.own_id, {1, total, total}, 408, report_headers);
  }
  all.clear();
  std::uint64_t from = ~std::uint64_t{0};
  for (const MemberHandle each : room.behind) from = std::min(from, members.get(each)->next);
  room.ring.note_from(from);
}

// A member has yet to get what has that number.
void Rooms::State::owe_from(Room& room, RoomMember& member, std::uint64_t number) {
  member.next = number;
  room.ring.note_from(std::min(room.ring.noted_from(), number));
}

// OMA-DR-3: once, when all have answered or time is up.
void Rooms::State::report_count(Room& room, RoomMessage& message) {
  const std::uint64_t bit = std::uint64_t{1} << message.slot;
  for (RoomLeg& leg : room.legs) {
    leg.awaiting &= ~bit;
    leg.reached &= ~bit;
  }
  RoomMember* const sender = sender_of(room, message);
  RoomFact& fact = tell(RoomFact::Kind::delivered, room, sender);
  fact.message_id.assign(message_id_of(message));
  fact.count = message.reached;
  if (sender != nullptr && room.traits.kind == RoomKind::distribution) {
    report_distribution(room, message, *sender);
  } else if (sender != nullptr) {
    report_headers.assign("Distribution-Count: ").append(std::to_string(message.reached)).append("\r\n");
    put_wrapper(message.reply_head);
    const std::uint64_t total = message.total;
    legs.report(room.legs[sender->index].end, message_id_of(message), {1, total, total}, 200, report_headers);
  }
  forget(room, message);
}

}  // namespace parley::policy

// policy/room_send.cc - who gets what a member has sent, and when a message counts as sent. See room_state.h.
//
// Each chunk is one fan_out, whatever the number of members; what differs from member to member is read from its leg.
#include <algorithm>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;
using msrp::Flag;

namespace {

std::uint64_t bit_of(const RoomMessage& message) {
  return message.slot == room_slots ? 0 : std::uint64_t{1} << message.slot;
}

// Of the whole message, as the members count; 0: nobody knows yet.
std::uint64_t known_bytes(const RoomMessage& message) {
  return message.total == msrp::ByteRange::unknown ? 0 : message.total + message.delta;
}

std::uint64_t bytes_of(std::string_view prefix, core::Slice body) { return prefix.size() + body.length; }

// `mark` of what goes to a group. The number: of the commit where this is its last chunk, else of the message.
std::uint64_t mark_of(const RoomMessage& message, std::uint64_t number, bool last) {
  const bool has_slot = message.slot != room_slots;
  return number << 8 | (has_slot ? std::uint64_t{message.slot} << 2 : 0) | (last ? 2U : 0U) | (has_slot ? 1U : 0U);
}

}  // namespace

bool Rooms::State::takes(const Room& room, const RoomMember& member, std::string_view type) const {
  return accepts_type(
      room.traits.kind == RoomKind::group ? member.about.accept_wrapped_types : member.about.accept_types, type);
}

// Whether all to whom it is, in a room of two or privately, take nothing that long (a=max-size).
bool Rooms::State::too_large_for_all(const Room& room, const RoomMember& sender, std::uint32_t to_user,
                                     std::uint64_t bytes) const {
  const auto is_over = [&](const RoomLeg& leg) {
    return !leg.any_size && bytes > members.get(leg.member)->about.message_bytes_max;
  };
  if (to_user != 0) {
    const std::vector<MemberHandle>& his = room.users[to_user - 1].legs;
    return std::all_of(his.begin(), his.end(), [&](MemberHandle each) { return is_over(room.legs[members.get(each)->index]); });
  }
  bool refused = false;
  for (const RoomLeg& leg : room.legs) {
    if (leg.user == room.legs[sender.index].user || !leg.receives) continue;
    if (!is_over(leg)) return false;
    refused = true;
  }
  return refused;
}

// Who takes nothing that long has not got it, and will not.
void Rooms::State::note_too_large(Room& room, RoomMessage& message, std::uint64_t number, std::uint64_t bytes) {
  message.too_large = false;  // somebody's limit is below it; but is it for him?
  const auto note = [&](RoomLeg& leg) {
    RoomMember& member = *members.get(leg.member);
    if (leg.any_size || bytes <= member.about.message_bytes_max) return;
    if (!concerns(room, leg, member, message.about, message.type, number)) return;
    const bool late = message.missed;
    miss(room, message, member);
    message.missed = late;
    message.too_large = true;
  };
  if (message.to_user == 0) {
    for (RoomLeg& leg : room.legs) note(leg);
  } else {
    for (const MemberHandle each : private_legs(room, message)) note(room.legs[members.get(each)->index]);
  }
}

bool Rooms::State::anybody_takes(const Room& room, const RoomMember& sender, std::string_view type) const {
  if (room.legs.size() < 2) return true;  // he is early, or alone
  for (const RoomLeg& leg : room.legs) {
    if (leg.member != sender.self && (leg.any_type || takes(room, *members.get(leg.member), type))) return true;
  }
  return false;
}

// --- the header lines of its copies

void Rooms::State::put_headers(const Room& room, RoomMessage& message) {
  std::string& out = message.headers;
  out.assign("Message-ID: ");
  message.about.id_offset = static_cast<std::uint32_t>(out.size());
  out.append(room.id_prefix.data(), room.id_prefix.size()).append(std::to_string(message.id));
  message.about.id_length = static_cast<std::uint32_t>(out.size()) - message.about.id_offset;
  out.append("\r\n");
  // A sender who wants to hear of no failure gets none, and his copies cost half; a count needs the answers.
  if (message.failure == msrp::FailureReport::no && !message.count) message.answers = false;
  if (!message.answers) message.answers = probe_due(room);
  message.about.failure = message.answers ? msrp::FailureReport::yes : msrp::FailureReport::no;
  if (!message.answers) out.append("Failure-Report: no\r\n");
  out.append("Content-Type: message/cpim\r\n");
}

void Rooms::State::copy_headers(const Room& room, RoomMessage& message, const msrp::EndFact& fact) {
  std::string& out = message.headers;
  out.clear();
  // OMA-MSRP-5: what came is copied. Whether our copy is answered is between its receiver and us.
  const bool distribution = switches(room);
  message.answers = distribution || message.failure != msrp::FailureReport::no;
  message.about.failure = message.answers ? msrp::FailureReport::yes : msrp::FailureReport::no;
  if (!message.answers) out.append("Failure-Report: no\r\n");
  std::string_view lines = fact(fact.head->headers);
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size() - 1);
    const std::string_view line = lines.substr(0, end + 1);
    lines.remove_prefix(end + 1);
    const auto is = [line](std::string_view name) {
      return line.size() > name.size() && core::equal_ignore_case(line.substr(0, name.size()), name);
    };
    if (line.size() <= 2 || is("Byte-Range:") || is("Failure-Report:")) continue;
    if (distribution && (is("Success-Report:") || is("Include-Sent-Count:"))) continue;  // REPORTs would end here
    if (is("Message-ID:")) {
      const std::string_view id = message_id_of(message);
      message.about.id_offset = static_cast<std::uint32_t>(out.size() + std::min(line.find(id), line.size()));
      message.about.id_length = static_cast<std::uint32_t>(id.size());
    }
    if (is("Content-Type:")) {
      const std::string_view type = fact(fact.head->content_type);
      message.about.type_offset = static_cast<std::uint32_t>(out.size() + std::min(line.find(type), line.size()));
      message.about.type_length = static_cast<std::uint32_t>(type.size());
    }
    out.append(line);
  }
}

msrp::EndSend Rooms::State::make_send(const Room& room, RoomMessage& message, std::uint64_t start,
                                      std::string_view prefix, core::Slice body, Flag flag) {
  msrp::EndSend send;
  send.headers = message.headers;
  send.start = start;
  send.prefix = prefix;
  send.body = body;
  send.flag = flag;
  const bool last = flag == Flag::end;
  // OMA-MSRP-6. A short text of one of two is kept in the ring instead, and the other one catches up.
  if (room.traits.kind != RoomKind::group && (room.traits.kind != RoomKind::one_to_one || message.slot != room_slots)) {
    if (const RoomMember* const sender = members.get(message.sender); sender != nullptr && sender->room == room.self) {
      send.source = room.legs[sender->index].end;
    }
  }
  const std::uint64_t end = start - 1 + bytes_of(prefix, body);
  if (message.total != msrp::ByteRange::unknown) send.total = message.total + message.delta;
  send.tell_200 = last && message.answers;
  send.failure = message.about.failure;
  if (switches(room)) {
    if (room.traits.kind == RoomKind::distribution) send.tell_200 = true;  // that it takes something
    if (message.passing) {
      send.tell_200 = false;
    } else {
      send.mark = mark_of(message, last ? room.head - 1 : message.id, last);
    }
    return send;
  }
  if (!message.answers) return send;
  send.tell_200 = true;  // the record below ends with the answer
  const core::SlotId id = passed.emplace();
  RoomPassed* const record = passed.get(id);
  if (record == nullptr) return send;  // an error would be nobody's: no REPORT comes of it
  record->sender = message.sender;
  record->message_id = message.message_id;
  record->message_id_length = message.message_id_length;
  record->range = {start, end, send.total};
  record->number = room.head - 1;
  record->last = last;
  send.mark = id.packed();
  return send;
}

// --- who gets it

// He may have left and come back to another place, and somebody else may have his.
std::span<const MemberHandle> Rooms::State::private_legs(const Room& room, const RoomMessage& message) const {
  const RoomUser& user = room.users[message.to_user - 1];
  if (user.hash == message.about.to_user) return user.legs;
  for (const RoomUser& each : room.users) {
    if (each.hash == message.about.to_user) return each.legs;
  }
  return {};
}

// At its beginning: who will not get it, and who gets it later, as a whole.
void Rooms::State::begin_legs(Room& room, RoomMessage& message) {
  const std::uint64_t bit = bit_of(message);
  if (bit == 0) return;
  const auto begin = [&](RoomLeg& leg) {
    leg.later &= ~bit;
    leg.never &= ~bit;
    leg.awaiting &= ~bit;
    leg.reached &= ~bit;
    const RoomMember& member = *members.get(leg.member);
    const bool own = leg.number == message.sender_number && message.to_user == 0;
    const std::uint64_t limit = member.about.message_bytes_max;
    const bool too_large = !leg.any_size && known_bytes(message) > limit;
    message.too_large = message.too_large || too_large;
    if (too_large) message.refusal = 413;
    if (own || too_large || (!leg.any_type && !takes(room, member, message.type)) ||
        (message.to_user != 0 && !member.about.private_messages)) {
      leg.never |= bit;
    } else if (!leg.live || !leg.receives) {
      leg.later |= bit;
    }
  };
  if (message.to_user == 0) {
    for (RoomLeg& leg : room.legs) begin(leg);
  } else {
    for (const MemberHandle each : private_legs(room, message)) begin(room.legs[members.get(each)->index]);
  }
}

void Rooms::State::choose_legs(Room& room, RoomMessage& message, std::uint64_t number, bool last) {
  ends.clear();
  const std::uint64_t bytes = known_bytes(message);
  const std::uint64_t bit = bit_of(message);
  const auto choose = [&](RoomLeg& leg) {
    if (!leg.live) return;
    if (bit != 0) {
      if (((leg.later | leg.never) & bit) != 0) return;
    } else {
      if (leg.number == message.sender_number && message.to_user == 0) return;
      if (!leg.receives) return;
      if (!leg.any_type || !leg.any_size || message.to_user != 0) {
        const RoomMember& member = *members.get(leg.member);
        if (!leg.any_size && bytes > member.about.message_bytes_max) {
          message.too_large = true;
          return;
        }
        if (!leg.any_type && !takes(room, member, message.type)) return;
        if (message.to_user != 0 && !member.about.private_messages) return;
      }
    }
    ends.push_back(leg.end);
    if (!last || message.passing) return;
    note_sent(leg, number, message.answers || switches(room));
    if (message.count) {
      leg.awaiting |= bit;
      ++message.awaited;
    }
  };
  if (message.to_user == 0) {
    for (RoomLeg& leg : room.legs) choose(leg);
  } else {
    for (const MemberHandle each : private_legs(room, message)) choose(room.legs[members.get(each)->index]);
  }
}

// --- chunks

void Rooms::State::keep_piece(Room& room, RoomMessage& message, std::uint64_t start, std::string_view prefix,
                              core::Slice body) {
  if (!message.keep || message.slot == room_slots) return;
  if (!message.kept.present()) {
    const std::uint64_t expected =
        message.total == msrp::ByteRange::unknown
            ? 0
            : message.total + message.delta + message.headers.size() + message.message_id_length;
    message.keep = start == 1 && expected <= room.ring.message_bytes_max() &&
                   room.ring.gather(message.kept, expected, message.headers, {});
    if (message.keep) message.kept_headers = static_cast<std::uint32_t>(message.headers.size());
  }
  if (!message.keep) return;
  const bool in_order = start == std::uint64_t{message.kept.used} - message.kept_headers + 1;
  const std::string_view view = body.length == 0 ? std::string_view{} : pool.view(body);
  message.keep = in_order && room.ring.gather(message.kept, 0, prefix, view);
  if (!message.keep) room.ring.drop(message.kept);
}

void Rooms::State::send_chunk(Room& room, RoomMessage& message, std::uint64_t start, std::string_view prefix,
                              core::Slice body, Flag flag) {
  if (flag != Flag::abort) keep_piece(room, message, start, prefix, body);
  tell_left(room);
  choose_legs(room, message, room.head, false);
  not_sent.clear();
  if (!ends.empty()) {
    legs.fan_out(ends, make_send(room, message, start, prefix, body, flag), not_sent);
    metrics.add(Metric::room_copies, ends.size() - not_sent.size());
  }
  if (flag != Flag::abort) note_not_sent(room, message, room.head);
  record(room, message, prefix, body, flag == Flag::abort, flag == Flag::abort);
  message.sent_some = true;
  message.next_out = std::max(message.next_out, start + bytes_of(prefix, body));
}

// The last chunk: the message gets its number, the same for everybody.
void Rooms::State::commit(Room& room, RoomMessage& message, std::uint64_t start, std::string_view prefix,
                          core::Slice body) {
  const bool counts = !message.passing;
  const std::uint64_t bit = bit_of(message);
  const std::uint64_t number = room.head;
  bool kept = false;
  if (counts) {
    ++room.head;
    keep_piece(room, message, start, prefix, body);
    const std::string_view own_id = hears_of_misses(room, message) ? message_id_of(message) : std::string_view{};
    message.about.own_id_length = static_cast<std::uint8_t>(own_id.size());
    message.about.own_total = message.total;
    if (bit != 0) {
      if (message.kept.present()) (void)room.ring.gather(message.kept, 0, own_id, {});
      kept = room.ring.add(number, message.about, message.kept_headers, message.kept);
    } else {
      kept = room.ring.add(number, message.about, message.headers, prefix,
                           body.length == 0 ? std::string_view{} : pool.view(body), own_id);
    }
    tell_left(room);
    if (room.ring.entries() != 0 && !room.ring_age.armed()) wheel.arm(room.ring_age, now.mono + config->rejoin_window);
  }
  message.kept_whole = kept;
  if (counts && !kept && room.traits.kind == RoomKind::group) note_unkept(room, message, number);
  choose_legs(room, message, number, true);
  not_sent.clear();
  if (!ends.empty()) {
    legs.fan_out(ends, make_send(room, message, start, prefix, body, Flag::end), not_sent);
    metrics.add(Metric::room_copies, ends.size() - not_sent.size());
  }
  note_not_sent(room, message, number);
  record(room, message, prefix, body, true, false);
  message.sent_some = true;
  if (!counts) return;

  if (message.answers && message.to_user == 0) room.probed = {number, now.mono};
  if (RoomMember* const sender = members.get(message.sender); sender != nullptr) ++sender->messages_in;
  const std::uint64_t bytes = start - 1 + bytes_of(prefix, body);
  if (trace.on()) keep_record(room, message, number, bytes);
  if (!kept) note_written(room, message, number, bytes);
  owe_later(room, message, number);
  if (message.too_large) note_too_large(room, message, number, bytes);
  if (!switches(room) && room.legs.size() < 2) room.early = std::min(room.early, number);
  ++room.counts.messages;
  room.counts.last_message = now.mono;
  metrics.add(Metric::room_messages);
  if (message.repeat_key != 0) {
    if (room.recent.size() < config->recent_ids) {
      room.recent.push_back(message.repeat_key);
    } else {
      room.recent[room.recent_at] = message.repeat_key;
      room.recent_at = (room.recent_at + 1) % room.recent.size();
    }
  }
  if (room.far_legs != 0 && legs.outrun()) {
    if (RoomMember* const sender = members.get(message.sender); sender != nullptr) hold_sender(*sender);
  }
  // Of two it has another device, or it would have been refused.
  const bool refused = message.too_large && room.traits.kind == RoomKind::group;
  if ((message.missed || refused) && hears_of_misses(room, message) &&
      report_failure(room, message, message.missed ? 408 : 413)) {
    message.success = false;
  }
  if (message.count) {
    message.state = RoomMessage::State::counting;
    message.number = number;
    room.counting |= bit;
    if (RoomMember* const sender = members.get(message.sender); sender != nullptr)
      std::erase(sender->begun, message.self);
    wheel.arm(message.timer, now.mono + (room.traits.kind == RoomKind::group ? config->count_wait : stall_look));
  }
}

// Those that could not be given it as it came.
void Rooms::State::owe_later(Room& room, RoomMessage& message, std::uint64_t number) {
  const std::uint64_t bit = bit_of(message);
  if (bit == 0) {
    if (message.kept_whole) return;  // their position says so
    for (const MemberHandle each : room.behind) {
      RoomMember& member = *members.get(each);
      const RoomLeg& leg = room.legs[member.index];
      if (!leg.any_size && known_bytes(message) > member.about.message_bytes_max) continue;  // note_too_large()
      if (concerns(room, leg, member, message.about, message.type, number)) miss(room, message, member);
    }
    return;
  }
  const auto owe = [&](RoomLeg& leg) {
    if ((leg.later & bit) == 0 || (leg.never & bit) != 0) return;
    RoomMember& member = *members.get(leg.member);
    if (!leg.receives && !concerns(room, leg, member, message.about, message.type, number)) return;
    if (!message.kept_whole) {
      // Who joined when it had begun is owed nothing.
      if (member.joined < message.serial) miss(room, message, member);
      return;
    }
    if (message.count) {
      leg.awaiting |= bit;
      ++message.awaited;
    }
    if (leg.live) {
      fall_behind(room, leg, number);
      catching_up.push_back(leg.member);
    }
  };
  catching_up.clear();
  if (message.to_user == 0) {
    for (RoomLeg& leg : room.legs) owe(leg);
  } else {
    for (const MemberHandle each : private_legs(room, message)) owe(room.legs[members.get(each)->index]);
  }
  if (TracedMessage* const record = trace.find(room.self, number)) {
    record->behind += static_cast<std::uint32_t>(catching_up.size());
  }
  for (const MemberHandle each : catching_up) catch_up(room, *members.get(each));
}

void Rooms::State::miss(Room& room, RoomMessage& message, RoomMember& member) {
  message.missed = true;
  ++room.counts.missed;
  ++member.missed;
  metrics.add(Metric::room_missed);
}

void Rooms::State::note_not_sent(Room& room, RoomMessage& message, std::uint64_t number) {
  if (message.passing) return;
  for (const NotSent& each : not_sent) {
    RoomMember* const member = member_of(each.end);
    if (member == nullptr) continue;
    RoomLeg& leg = room.legs[member->index];
    leg.sent = std::min(leg.sent, number);
    leg.got = std::min(leg.got, number);
    if (number != room.head) --leg.copies;  // committed
    if (message.count && (leg.awaiting & bit_of(message)) != 0) {  // owe_later() comes back to it
      leg.awaiting &= ~bit_of(message);
      --message.awaited;
    }
    fall_behind(room, leg, number);
    member->cut = room.traits.kind == RoomKind::distribution;
    if (each.why == Sent::full) {
      metrics.add(Metric::room_lagging);
      if (!member->lagging) tell(RoomFact::Kind::lagging, room, member);
      member->lagging = true;
    }
  }
}

// --- the history

void Rooms::State::record(Room& room, RoomMessage& message, std::string_view prefix, core::Slice body, bool last,
                          bool aborted) {
  if (!room.traits.recorded || message.passing) return;
  if (message.sent_some && !message.recorded) return;  // it began before somebody wanted to know
  const auto add = [&](core::Slice slice, bool final) {
    RoomFact& fact = tell(RoomFact::Kind::recorded, room, members.get(message.sender));
    fact.message = message.id;
    fact.message_id.assign(message_id_of(message));
    fact.first = !message.recorded;
    if (fact.first) fact.content_type = message.type;
    if (message.to_user != 0 && !private_legs(room, message).empty()) fact.to = private_legs(room, message).front();
    fact.last = final;
    fact.aborted = final && aborted;
    fact.body = slice;  // with the reference it has
    message.recorded = true;
  };
  if (!prefix.empty()) {
    const core::BufferId block = pool.take_heap(static_cast<std::uint32_t>(prefix.size()));
    if (block != core::no_buffer) {
      std::copy(prefix.begin(), prefix.end(), pool.data(block));
      add({block, 0, static_cast<std::uint32_t>(prefix.size())}, last && body.length == 0);
    }
  }
  if (body.length != 0) {
    pool.retain(body.buffer);
    add(body, last);
  } else if (last && prefix.empty()) {
    add({}, true);
  }
}

}  // namespace parley::policy

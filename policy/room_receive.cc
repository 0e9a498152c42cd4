// policy/room_receive.cc - what a member sends: gathered until its head is whole, judged, passed on. See room_state.h.
//
// R7701-1, R7701-2, R4975-5 to R4975-8. Each SEND is answered at once, whatever becomes of its copies (T-62).
#include <algorithm>
#include <cstring>

#include "policy/room_names.h"
#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;
using Stage = RoomMessage::State;

namespace {

// R4975-6: no chunk below this goes out, but a message's last one. A sender that dribbles does not make N times as
// many.
constexpr std::uint32_t chunk_bytes_min = 2048;

// DEC-11: "yes;Include-Sent-Count", or a header of its own.
void read_report_wishes(RoomMessage& message, const msrp::EndFact& fact) {
  const msrp::Head& head = *fact.head;
  std::string_view value = fact(head.success_report);
  const std::size_t semicolon = value.find(';');
  message.success = core::equal_ignore_case(bare_type(value), "yes");
  message.count = false;
  if (semicolon != std::string_view::npos) {
    std::string_view parameter = value.substr(semicolon + 1);
    while (!parameter.empty() && parameter.front() == ' ') parameter.remove_prefix(1);
    message.count = core::equal_ignore_case(bare_type(parameter), "Include-Sent-Count");
  }
  constexpr std::string_view name = "include-sent-count:";
  std::string_view lines = fact(head.headers);
  while (!message.count && lines.size() > name.size()) {
    const std::size_t end = lines.find('\n');
    if (core::equal_ignore_case(lines.substr(0, name.size()), name)) {
      std::string_view wish = lines.substr(name.size(), end == std::string_view::npos ? end : end - name.size());
      while (!wish.empty() && (wish.front() == ' ')) wish.remove_prefix(1);
      while (!wish.empty() && (wish.back() == '\r' || wish.back() == ' ')) wish.remove_suffix(1);
      message.count = core::equal_ignore_case(wish, "yes");
    }
    if (end == std::string_view::npos) break;
    lines.remove_prefix(end + 1);
  }
  message.count = message.count && message.success;
}

}  // namespace

void Rooms::State::refuse(Room& room, RoomMember& member, msrp::EndFact& fact, std::uint16_t status, Metric metric) {
  metrics.add(metric);
  ++room.counts.refused;
  member.current = {};
  member.discarding = !fact.last;  // no more pieces come, by the contract of answer(); if they do, they are nothing
  legs.answer(fact.end, fact.token, status);
}

void Rooms::State::on_piece(Room& room, RoomMember& member, msrp::EndFact& fact) {
  room.counts.bytes += fact.body.length;
  metrics.add(Metric::room_bytes, fact.body.length);
  RoomMessage* message = nullptr;
  if (fact.first) {
    member.discarding = false;
    member.current = {};
    if (!member.about.may_send) return refuse(room, member, fact, 403, Metric::room_bad_from);
    message = find_begun(member, fact.message_id);
    if (message == nullptr) {
      if (fact.last && fact.flag == msrp::Flag::abort) {  // of what is refused or unknown already
        legs.answer(fact.end, fact.token, 200);
        return;
      }
      if (fact.start != 1) return refuse(room, member, fact, 400, Metric::room_bad_chunk);
      const bool is_group = room.traits.kind == RoomKind::group;
      if (is_group && fact.last && is_composing(fact(fact.head->content_type)))
        return take_bare_composing(room, member, fact);
      if (is_group && !core::equal_ignore_case(bare_type(fact(fact.head->content_type)), "message/cpim")) {
        return refuse(room, member, fact, 415, Metric::room_no_cpim);
      }
      if (fact.total != msrp::ByteRange::unknown && fact.total > bytes_max(room)) {
        return refuse(room, member, fact, 413, Metric::room_too_large);
      }
      if (!is_group && !anybody_takes(room, member, fact(fact.head->content_type))) {  // R4975-15
        return refuse(room, member, fact, 415, Metric::room_no_cpim);
      }
      if (!is_group && fact.total != msrp::ByteRange::unknown && too_large_for_all(room, member, 0, fact.total)) {
        return refuse(room, member, fact, 413, Metric::room_too_large);
      }
      message = begin_message(room, member, fact);
      if (message == nullptr) return refuse(room, member, fact, 413, Metric::room_open_limit);
    } else if (fact.start == 1 && !fact.head->has_range) {
      return refuse(room, member, fact, 400, Metric::room_bad_chunk);  // R4975-5: it can not begin again
    }
    member.current = message->self;
  } else {
    if (member.discarding) return;
    message = messages.get(member.current);
    // It ended between two pieces of a SEND: time ran out.
    if (message == nullptr) return refuse(room, member, fact, 413, Metric::room_bad_chunk);
  }
  take_piece(room, member, *message, fact);
}

// T-82: without a wrapper nobody would know who composes.
void Rooms::State::take_bare_composing(Room& room, RoomMember& member, msrp::EndFact& fact) {
  const std::string_view content = fact.body.length == 0 ? std::string_view{} : pool.view(fact.body);
  if (fact.flag == msrp::Flag::end) {
    send_own(room, &member, 0, room.traits.identity, bare_type(fact(fact.head->content_type)), content);
  }
  legs.answer(fact.end, fact.token, 200);
}

RoomMessage* Rooms::State::find_begun(RoomMember& member, std::string_view message_id) {
  if (message_id.empty()) return nullptr;
  for (const core::SlotId id : member.begun) {
    RoomMessage* const message = messages.get(id);
    if (message != nullptr && message->state != Stage::counting && message_id_of(*message) == message_id)
      return message;
  }
  return nullptr;
}

// A record of its own, unless it is there as a whole and nothing of it stays. nullptr: there are too many.
RoomMessage* Rooms::State::begin_message(Room& room, RoomMember& member, const msrp::EndFact& fact) {
  const bool there = fact.last && fact.flag == msrp::Flag::end;
  RoomMessage* message = &whole;
  whole.count = false;
  read_report_wishes(whole, fact);
  const bool counted = whole.count && member.about.may_ask_count;
  const bool distribution = room.traits.kind == RoomKind::distribution;
  if (!there || counted || distribution) {
    if (!there && fact.message_id.empty()) return nullptr;  // its next chunk could not be told from another's
    message = open_message(room, member);
    // A message that could be delivered is not refused because it can not be counted.
    if (message == nullptr && there && !distribution) message = &whole;
    if (message == nullptr) return nullptr;
    message->success = whole.success;
  }
  if (distribution) begin_distribution(room);
  start_message(room, *message, &member, fact.head->failure, fact.message_id);
  message->tell_count = counted && message != &whole;
  message->count = message->tell_count || distribution;
  message->total = fact.total;
  if (room.traits.kind == RoomKind::group) {
    put_headers(room, *message);
  } else {
    copy_headers(room, *message, fact);
    note_said(room, member, fact.message_id);
    message->type.assign(fact(fact.head->content_type));
    // Of one for several, who is said to send it is looked at first (OMA-ALIAS-4); of what is stored that was done.
    if (distribution && !member.about.judged && core::equal_ignore_case(bare_type(message->type), "message/cpim")) {
      message->state = Stage::gathering;
    } else {
      begin_legs(room, *message);
    }
  }
  return message;
}

// All that is the same for every message at its beginning. `sender`: nullptr when it is the room itself.
void Rooms::State::start_message(Room& room, RoomMessage& message, const RoomMember* sender,
                                 msrp::FailureReport failure, std::string_view message_id) {
  message.room = room.self;
  message.sender = sender == nullptr ? MemberHandle{} : sender->self;
  message.sender_number = sender == nullptr ? 0 : room.legs[sender->index].number;
  message.to_user = 0;
  message.serial = ++room.serial;
  message.id = room.next_id++;
  message.number = 0;
  message.failure = failure;
  message.state = room.traits.kind == RoomKind::group ? Stage::gathering : Stage::open;
  message.count = message.tell_count = false;
  message.refusal = 0;
  message.answers = room.legs.size() <= config->answers_members_max;
  message.sent_some = message.missed = message.too_large = message.passing = message.ended = false;
  message.kept_whole = message.recorded = false;
  message.keep = !room.ring.off();
  message.delta = 0;
  message.total = msrp::ByteRange::unknown;
  message.next_out = message.held_start = 1;
  message.held_used = 0;
  message.coverage = {};
  message.parser.reset();
  message.kept_headers = 0;
  message.about = {};
  message.about.sender = message.sender_number;
  message.about.at = now.mono;
  message.reply_head.clear();
  message.repeat_key = 0;
  message.awaited = message.reached = 0;
  message.message_id_length = static_cast<std::uint8_t>(std::min(message_id.size(), message.message_id.size()));
  std::copy_n(message_id.begin(), message.message_id_length, message.message_id.begin());
}

RoomMessage* Rooms::State::open_message(Room& room, RoomMember& member) {
  if (member.begun.size() >= config->messages_per_member_max || ~room.slots == 0) return nullptr;
  if (messages.size() >= config->messages_max) return nullptr;
  const core::SlotId id = messages.emplace();
  RoomMessage* const message = messages.get(id);
  if (message == nullptr) return nullptr;
  message->self = id;
  message->slot = static_cast<unsigned>(__builtin_ctzll(~room.slots));
  room.slots |= std::uint64_t{1} << message->slot;
  room.counting &= ~(std::uint64_t{1} << message->slot);
  if (room.messages.size() <= message->slot) room.messages.resize(message->slot + 1);
  room.messages[message->slot] = id;
  member.begun.push_back(id);
  message->timer.owner = id.packed();
  message->timer.kind = static_cast<std::uint32_t>(TimerKind::message);
  metrics.add(Metric::room_messages_open);
  return message;
}

void Rooms::State::take_piece(Room& room, RoomMember& member, RoomMessage& message, msrp::EndFact& fact) {
  const std::uint64_t length = fact.body.length;
  const auto fail = [&](std::uint16_t status, Metric metric) {
    refuse(room, member, fact, status, metric);
    abort(room, message);
  };
  if (fact.last && fact.flag == msrp::Flag::abort) {
    metrics.add(Metric::room_aborted);
    legs.answer(fact.end, fact.token, 200);
    member.current = {};
    abort(room, message);
    return;
  }
  if (fact.total != msrp::ByteRange::unknown) message.total = fact.total;
  const std::uint64_t end = fact.start - 1 + length;
  if (end > bytes_max(room) || (message.total != msrp::ByteRange::unknown && message.total > bytes_max(room))) {
    return fail(413, Metric::room_too_large);
  }
  // What has come before is a repetition (R4975-7); the rest may stand behind a hole.
  const std::uint64_t known = message.coverage.next();
  const std::uint64_t skip = fact.start < known ? std::min(length, known - fact.start) : 0;
  if (!message.coverage.add(fact.start, length)) return fail(400, Metric::room_bad_chunk);
  if (fact.last && fact.flag == msrp::Flag::end) message.ended = true;
  const bool complete = message.ended && message.coverage.whole(message.total);
  if (&message != &whole) wheel.arm(message.timer, now.mono + config->message_timeout);

  core::Slice body = fact.body;
  body.offset += static_cast<std::uint32_t>(skip);
  body.length -= static_cast<std::uint32_t>(skip);
  const std::uint64_t start = body.length == 0 ? message.coverage.next() : fact.start + skip;
  if (message.state == Stage::gathering) {
    const Gathered gathered = gather_head(room, member, message, start, body, complete);
    if (gathered.status != 0) return fail(gathered.status, gathered.metric);
  } else if (message.state == Stage::open) {
    pass_piece(room, message, start + message.delta, {}, body, complete);
  }
  if (fact.last) {
    member.current = {};
    legs.answer(fact.end, fact.token, 200);
  }
  if (!complete) return;
  if (message.state != Stage::counting) {
    if (message.success && room.traits.kind == RoomKind::group) report_whole(room, message);
    forget(room, message);
  } else if (message.awaited == 0) {
    report_count(room, message);
  }
}

// The bytes of a message up to where its head ends, and then all that has come.
Rooms::State::Gathered Rooms::State::gather_head(Room& room, RoomMember& member, RoomMessage& message,
                                                 std::uint64_t start, core::Slice body, bool complete) {
  const std::uint32_t before = message.held_used;
  if (body.length != 0 && start != std::uint64_t{before} + 1)
    return {400, Metric::room_bad_chunk};  // its head has a hole
  const std::string_view fresh = body.length == 0 ? std::string_view{} : pool.view(body);
  std::string_view bytes = fresh;
  if (before != 0) {
    if (!hold_bytes(message, fresh.substr(0, config->cpim_head_bytes_max - before)))
      return {413, Metric::room_open_limit};
    bytes = {pool.data(message.held), message.held_used};
  }
  switch (message.parser.parse(bytes, complete, config->cpim_head_bytes_max)) {
    case CpimParser::Progress::bad:
      return {400,
              message.parser.error() == CpimError::too_long ? Metric::room_cpim_head_limit : Metric::room_bad_cpim};
    case CpimParser::Progress::need_more:
      if (before == 0 && !hold_bytes(message, fresh)) return {413, Metric::room_open_limit};
      return {};
    case CpimParser::Progress::done: break;
  }
  const CpimHead& head = message.parser.head();
  new_head.clear();
  if (const Gathered judged = judge(room, member, message, head, bytes); judged.status != 0) return judged;
  if (message.state == Stage::discarded) return {};
  message.state = Stage::open;
  if (message.slot != room_slots) begin_legs(room, message);
  // A head that goes out as it came, with its content behind it, needs no copy.
  if (new_head.empty() && before == 0) {
    pass_piece(room, message, 1, {}, body, complete);
    return {};
  }
  if (new_head.empty()) new_head.assign(bytes.substr(0, head.length));
  if (head.length < before) {  // its last line has no end, so it is content: what came of it before goes with the head
    new_head.append(bytes.substr(head.length, before - head.length));
  } else {
    body.offset += head.length - before;
    body.length -= head.length - before;
  }
  message.held_used = 0;
  pass_piece(room, message, 1, new_head, body, complete);
  return {};
}

bool Rooms::State::hold_bytes(RoomMessage& message, std::string_view bytes) {
  const auto need = static_cast<std::uint32_t>(message.held_used + bytes.size());
  if (message.held == core::no_buffer || pool.size(message.held) < need) {
    const core::BufferId block =
        pool.take_heap(std::max(need <= chunk_bytes_min ? chunk_bytes_min : config->cpim_head_bytes_max, need));
    if (block == core::no_buffer) return false;
    if (message.held != core::no_buffer) {
      std::memcpy(pool.data(block), pool.data(message.held), message.held_used);
      pool.release(message.held);
    }
    message.held = block;
  }
  if (!bytes.empty()) std::memcpy(pool.data(message.held) + message.held_used, bytes.data(), bytes.size());
  message.held_used = need;
  return true;
}

// Gives the members what has come, or keeps it until there is enough for a chunk. Numbers as the members count.
void Rooms::State::pass_piece(Room& room, RoomMessage& message, std::uint64_t start, std::string_view first,
                              core::Slice body, bool last) {
  const std::uint64_t size = first.size() + body.length;
  if (size == 0 && !last) return;
  const auto held = [this, &message] {
    return message.held_used == 0 ? std::string_view{} : std::string_view(pool.data(message.held), message.held_used);
  };
  if (message.held_used != 0 && size != 0 && start != message.held_start + message.held_used) {
    send_chunk(room, message, message.held_start, held(), {}, msrp::Flag::more);
    message.held_used = 0;
  }
  if (!last && message.held_used + size < chunk_bytes_min) {
    if (message.held_used == 0) message.held_start = start;
    if (hold_bytes(message, first) && (body.length == 0 || hold_bytes(message, pool.view(body)))) return;
  }
  const bool joined = message.held_used != 0;
  const std::uint64_t from = joined ? message.held_start : start;
  const std::string_view prefix = joined ? held() : first;
  if (last) {
    commit(room, message, from, prefix, body);
  } else {
    send_chunk(room, message, from, prefix, body, msrp::Flag::more);
    hold_for_slow(room, message);
    if (room.traits.kind == RoomKind::distribution) {
      if (RoomMember* const sender = members.get(message.sender); sender != nullptr) arm_member(*sender);
    }
  }
  message.held_used = 0;
}

// --- ends

// Those that have the beginning are told that there will be no more.
void Rooms::State::abort(Room& room, RoomMessage& message) {
  if (message.sent_some && message.state == Stage::open) {
    message.held_used = 0;
    send_chunk(room, message, message.next_out, {}, {}, msrp::Flag::abort);
  }
  if (message.state == Stage::counting) {
    report_count(room, message);
    return;
  }
  forget(room, message);
}

void Rooms::State::forget(Room& room, RoomMessage& message) {
  room.ring.drop(message.kept);
  if (&message == &whole) return;
  if (message.held != core::no_buffer) pool.release(message.held);
  wheel.cancel(message.timer);
  const std::uint64_t bit = std::uint64_t{1} << message.slot;
  room.slots &= ~bit;
  room.counting &= ~bit;
  if (RoomMember* const sender = members.get(message.sender); sender != nullptr) {
    std::erase(sender->begun, message.self);
    if (sender->current == message.self) sender->current = {};
  }
  metrics.sub(Metric::room_messages_open);
  messages.erase(message.self);
}

}  // namespace parley::policy

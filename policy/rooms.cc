// policy/rooms.cc - who is in which room, and which fact goes where. See room.h and room_state.h.
#include <algorithm>
#include <utility>

#include "core/id_text.h"
#include "policy/nickname.h"
#include "policy/room_names.h"
#include "policy/room_state.h"
#include "policy/stored_legs.h"

namespace parley::policy {

using core::Metric;
using Kind = msrp::EndFact::Kind;

Rooms::Rooms(const Parts& parts) : state_(std::make_unique<State>(parts)) {}
Rooms::~Rooms() = default;

Rooms::State::State(const Parts& parts)
    : pool(parts.pool),
      metrics(parts.metrics),
      random(parts.random),
      legs(parts.legs),
      config(parts.config),
      hash_key(core::HashKey::make(parts.random)),
      rooms(parts.config->rooms_max),
      members(parts.config->members_max),
      messages(parts.config->messages_max),
      passed(parts.config->messages_max) {
  whole.slot = room_slots;
}

Rooms::State::~State() {
  for (RoomFact& fact : facts) {
    if (fact.body.buffer != core::no_buffer) pool.release(fact.body.buffer);
  }
  if (told_body.buffer != core::no_buffer) pool.release(told_body.buffer);
  const auto cancel = [this](core::Timer& timer) { wheel.cancel(timer); };
  messages.for_each([&](core::SlotId, RoomMessage& m) {
    cancel(m.timer);
    if (m.held != core::no_buffer) pool.release(m.held);
    if (Room* const room = rooms.get(m.room); room != nullptr) room->ring.drop(m.kept);
  });
  members.for_each([&](core::SlotId, RoomMember& m) { cancel(m.timer); });
  rooms.for_each([&](core::SlotId, Room& r) {
    cancel(r.idle);
    cancel(r.ring_age);
  });
}

void Rooms::begin(const core::Now& now) { state_->now = now; }
void Rooms::reload(std::shared_ptr<const RoomConfig> config) { state_->config = std::move(config); }
std::uint32_t Rooms::rooms() const { return state_->rooms.size(); }
std::uint32_t Rooms::members() const { return state_->members.size(); }
core::Instant Rooms::next_deadline() const {
  return state_->facts.empty() ? state_->wheel.next_deadline() : state_->now.mono;
}

// --- rooms

RoomHandle Rooms::open(RoomTraits traits) {
  State& s = *state_;
  const RoomConfig& config = *s.config;
  std::uint32_t ring_bytes = 0;
  if (traits.kind == RoomKind::group) ring_bytes = config.ring_bytes;
  if (traits.kind == RoomKind::one_to_one) ring_bytes = config.one_to_one_ring_bytes;
  const RoomHandle handle = s.rooms.size() < config.rooms_max ? s.rooms.emplace(s.pool, ring_bytes) : RoomHandle{};
  Room* const room = s.rooms.get(handle);
  if (room == nullptr) {
    s.metrics.add(Metric::room_rooms_limit);
    return {};
  }
  room->self = handle;
  room->traits = std::move(traits);
  room->counts.last_message = s.now.mono;
  core::letters_encode64(s.random.next(), room->id_prefix.data());
  room->id_prefix[16] = '.';
  char key[room_key_bytes_max];
  room->identity_keys.emplace_back(room_key(room->traits.identity, key));
  for (const std::string& other : room->traits.other_identities) room->identity_keys.emplace_back(room_key(other, key));
  for (const std::string& name : room->traits.reserved_nicknames) {
    std::string prepared;
    if (nickname_key(name, prepared)) room->reserved.push_back(prepared);
  }
  room->idle.owner = room->ring_age.owner = handle.packed();
  room->idle.kind = static_cast<std::uint32_t>(State::TimerKind::room_idle);
  room->ring_age.kind = static_cast<std::uint32_t>(State::TimerKind::room_age);
  if (room->traits.idle > core::Duration::zero()) s.wheel.arm(room->idle, s.now.mono + room->traits.idle);
  s.metrics.add(Metric::rooms);
  return handle;
}

void Rooms::end(RoomHandle handle) {
  if (Room* const room = state_->rooms.get(handle); room != nullptr) state_->end(*room);
}

void Rooms::State::end(Room& room) {
  const std::vector<core::SlotId> open = room.messages;
  for (const core::SlotId id : open) {
    if (RoomMessage* const message = messages.get(id); message != nullptr) abort(room, *message);
  }
  while (!room.legs.empty()) {
    RoomMember* const member = members.get(room.legs.back().member);
    CHECK(member != nullptr);
    leave(*member, LeaveReason::departed);
  }
  metrics.sub(Metric::room_away, room.away.size());
  wheel.cancel(room.idle);
  wheel.cancel(room.ring_age);
  metrics.sub(Metric::rooms);
  rooms.erase(room.self);
}

void Rooms::set_recorded(RoomHandle handle, bool recorded) {
  if (Room* const room = state_->rooms.get(handle); room != nullptr) room->traits.recorded = recorded;
}

std::string Rooms::chatroom_tokens(RoomHandle handle) const {
  const Room* const room = state_->rooms.get(handle);
  if (room == nullptr || room->traits.kind != RoomKind::group) return {};
  std::string tokens;
  if (room->traits.nicknames) tokens = "nickname";  // R7701-4
  if (room->traits.private_messages) tokens.append(tokens.empty() ? "" : " ").append("private-messages");
  return tokens;
}

std::uint32_t Rooms::messages_per_member_max() const { return state_->config->messages_per_member_max; }

bool Rooms::delivering(RoomHandle handle) const {
  const Room* const room = state_->rooms.get(handle);
  return room != nullptr && room->counting != 0;
}

RoomCounts Rooms::counts(RoomHandle handle) const {
  const Room* const room = state_->rooms.get(handle);
  if (room == nullptr) return {};
  RoomCounts counts = room->counts;
  counts.members = static_cast<std::uint32_t>(room->legs.size());
  counts.away = static_cast<std::uint32_t>(room->away.size());
  return counts;
}

std::uint64_t Rooms::State::bytes_max(const Room& room) const {
  const std::uint64_t bytes =
      room.traits.message_bytes_max != 0 ? room.traits.message_bytes_max : config->message_bytes_max;
  return bytes == 0 ? ~std::uint64_t{0} : bytes;
}

// --- facts

RoomMember* Rooms::State::member_of(msrp::EndHandle end) {
  const std::vector<MemberHandle>& places = is_far(end) ? by_far : is_stored(end) ? by_stored : by_end;
  const std::uint32_t place = is_far(end) ? far_slot(end) : is_stored(end) ? stored_slot(end) : end.index;
  if (place >= places.size()) return nullptr;
  RoomMember* const member = members.get(places[place]);
  if (member == nullptr) return nullptr;
  return rooms.get(member->room)->legs[member->index].end == end ? member : nullptr;
}

MemberHandle& Rooms::State::place_of(msrp::EndHandle end) {
  std::vector<MemberHandle>& places = is_far(end) ? by_far : is_stored(end) ? by_stored : by_end;
  const std::uint32_t place = is_far(end) ? far_slot(end) : is_stored(end) ? stored_slot(end) : end.index;
  if (places.size() <= place) places.resize(place + std::size_t{1});
  return places[place];
}

RoomFact& Rooms::State::tell(RoomFact::Kind kind, const Room& room, const RoomMember* member) {
  RoomFact& fact = facts.emplace_back();
  fact.kind = kind;
  fact.room = room.self;
  fact.room_owner = room.traits.owner;
  if (member != nullptr) {
    fact.member = member->self;
    fact.member_owner = member->about.owner;
  }
  return fact;
}

bool Rooms::on_fact(msrp::EndFact& fact) {
  State& s = *state_;
  RoomMember* const member = s.member_of(fact.end);
  if (member == nullptr) return false;
  Room& room = *s.rooms.get(member->room);
  switch (fact.kind) {
    case Kind::connected: s.on_connected(room, *member); break;
    case Kind::failed: s.on_gone(room, *member, RoomFact::Kind::failed, fact.status); break;
    case Kind::closed: s.on_gone(room, *member, RoomFact::Kind::lost, 0); break;
    case Kind::piece: s.on_piece(room, *member, fact); break;
    case Kind::nickname: s.on_nickname(room, *member, fact); break;
    case Kind::answered: s.on_answered(room, *member, fact); break;
    case Kind::report: s.on_report(room, *member, fact); break;
    case Kind::writable: s.catch_up(room, *member); break;
    case Kind::unsent: s.on_unsent(room, *member, fact.mark); break;
  }
  return true;
}

void Rooms::State::on_connected(Room& room, RoomMember& member) {
  if (member.connected) return;
  replace_before(room, member);
  member.connected = member.was_connected = true;
  member.behind_since = member.heard = now.mono;
  tell(RoomFact::Kind::connected, room, &member);
  update_alone(room);
  catch_up(room, member);
  arm_member(member);
}

void Rooms::State::on_gone(Room& room, RoomMember& member, RoomFact::Kind kind, std::uint16_t status) {
  if (!member.connected && kind == RoomFact::Kind::lost) return;
  go_down(room, member, true);
  tell(kind, room, &member).status = status;
}

// Its messages under way end, its position is noted. `lost`: else it has left, and what it has not answered is its own
// affair.
void Rooms::State::go_down(Room& room, RoomMember& member, bool lost) {
  const std::vector<core::SlotId> begun = member.begun;
  for (const core::SlotId id : begun) {
    if (RoomMessage* const message = messages.get(id);
        message != nullptr && message->state != RoomMessage::State::counting) {
      metrics.add(Metric::room_aborted);
      abort(room, *message);
    }
  }
  member.current = {};
  RoomLeg& leg = room.legs[member.index];
  for (std::uint64_t slots = leg.awaiting & room.counting; slots != 0; slots &= slots - 1) {
    RoomMessage* const message = messages.get(room.messages[static_cast<unsigned>(__builtin_ctzll(slots))]);
    if (message != nullptr) leg_done(room, *message, leg, false);
  }
  if (member.held) {
    member.held = false;
    legs.release(leg.end);
  }
  if (!member.connected) return;
  member.connected = false;
  wheel.cancel(member.timer);
  // What was sent and not answered may not have come.
  const std::uint64_t next = leg.got < leg.sent ? leg.got : (member.behind ? member.next : room.head);
  // What is not in the ring it will not get.
  if (lost && !room.unkept.empty()) miss_unkept(room, member, leg.got, leg.sent, true);
  if (!member.behind) fall_behind(room, leg, next);
  owe_from(room, member, std::min(member.next, next));
  leg.got = leg.sent = member.next;
  update_alone(room);
  if (room.traits.kind == RoomKind::distribution) give_up(room);
}

// In a room of two, nobody is read while there is nobody to send to (OMA-MSRP-6).
void Rooms::State::update_alone(Room& room) {
  if (room.traits.kind == RoomKind::group) return;
  if (room.traits.kind == RoomKind::distribution) return hold_until_all_there(room);
  std::size_t connected = 0;
  for (const RoomLeg& leg : room.legs) connected += members.get(leg.member)->connected ? 1U : 0U;
  for (RoomLeg& leg : room.legs) set_alone(leg, members.get(leg.member)->connected && connected < 2);
}

bool Rooms::next_fact(RoomFact& fact) {
  State& s = *state_;
  if (s.told_body.buffer != core::no_buffer) {
    s.pool.release(s.told_body.buffer);
    s.told_body = {};
  }
  if (s.facts.empty()) return false;
  fact = std::move(s.facts.front());
  s.facts.pop_front();
  s.told_body = fact.body;
  return true;
}

// --- time

void Rooms::expire() {
  while (core::Timer* const timer = state_->wheel.expire_one(state_->now.mono)) state_->on_timer(*timer);
}

void Rooms::State::on_timer(core::Timer& timer) {
  const core::SlotId id = core::SlotId::unpack(timer.owner);
  switch (static_cast<TimerKind>(timer.kind)) {
    case TimerKind::room_idle: {
      Room& room = *rooms.get(id);
      // A long message is under way as long as its pieces come, which has a time of its own.
      const core::Instant due = (room.slots != 0 ? now.mono : room.counts.last_message) + room.traits.idle;
      if (due <= now.mono) tell(RoomFact::Kind::idle, room, nullptr);
      wheel.arm(room.idle, due <= now.mono ? now.mono + room.traits.idle : due);
      return;
    }
    case TimerKind::room_age: {
      Room& room = *rooms.get(id);
      room.ring.expire(now.mono - config->rejoin_window);
      tell_left(room);
      expire_away(room);
      core::Instant due = core::never;
      if (room.ring.entries() != 0) due = room.ring.oldest_at() + config->rejoin_window;
      if (!room.away.empty()) due = std::min(due, room.away.front().until);
      if (due != core::never) wheel.arm(room.ring_age, std::max(due, now.mono + std::chrono::seconds(1)));
      return;
    }
    case TimerKind::message: {
      RoomMessage& message = *messages.get(id);
      Room& room = *rooms.get(message.room);
      if (message.state == RoomMessage::State::counting && room.traits.kind == RoomKind::distribution) {
        drop_stalled(room);  // they have as long as they take something
        if (messages.get(id) != nullptr) wheel.arm(message.timer, now.mono + stall_look);
      } else if (message.state == RoomMessage::State::counting) {
        report_count(room, message);
      } else {
        metrics.add(Metric::room_timed_out);
        abort(room, message);
      }
      return;
    }
    case TimerKind::member: {
      RoomMember& member = *members.get(id);
      on_member_timer(*rooms.get(member.room), member);
      return;
    }
  }
}

}  // namespace parley::policy

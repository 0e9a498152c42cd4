// policy/room_late.cc - what is known late: that a leg did not get what it was given, since its connection went or, on
// another shard (far_legs.h), since it could not be written. What is in the ring comes again (room_catch_up.cc); what is
// not is missed. See room_state.h.
#include <algorithm>

#include "policy/room_state.h"

namespace parley::policy {

using core::Metric;

namespace {
constexpr std::size_t unkept_max = 64;  // of one room
}

// A message that is not in the ring, while it may still turn out that a leg did not get it.
void Rooms::State::note_unkept(Room& room, const RoomMessage& message, std::uint64_t number) {
  while (!room.unkept.empty() && (room.unkept.size() == unkept_max ||
                                  now.mono - room.unkept.front().about.at >= config->rejoin_window)) {
    room.unkept.pop_front();
  }
  RoomUnkept& note = room.unkept.emplace_back();
  note.number = number;
  note.about = message.about;
  note.sender = message.sender;
  note.message_id.assign(message_id_of(message));
  note.total = message.total;
  note.failure = message.failure;
  note.reply_head = message.reply_head;
  note.type = message.type;
}

// After it was written: who has nothing of it that could be lost. They are behind, and what they miss is counted when it is
// committed; or they do not take it.
void Rooms::State::note_written(Room& room, const RoomMessage& message, std::uint64_t number, std::uint64_t bytes) {
  if (room.unkept.empty() || room.unkept.back().number != number) return;
  RoomUnkept& note = room.unkept.back();
  const std::uint64_t bit = message.slot == room_slots ? 0 : std::uint64_t{1} << message.slot;
  for (const RoomLeg& leg : room.legs) {
    const bool written = leg.live && ((leg.later | leg.never) & bit) == 0;
    const bool too_large = !leg.any_size && bytes > members.get(leg.member)->about.message_bytes_max;
    if (!written || too_large) note.without.push_back(leg.number);
  }
}

// `member` has not got what was written to it of these numbers.
void Rooms::State::miss_unkept(Room& room, RoomMember& member, std::uint64_t from, std::uint64_t to, bool report) {
  const RoomLeg& leg = room.legs[member.index];
  for (RoomUnkept& note : room.unkept) {
    if (note.number < from || note.number >= to) continue;
    if (!concerns(room, leg, member, note.about, note.type, note.number)) continue;
    if (std::find(note.without.begin(), note.without.end(), leg.number) != note.without.end()) continue;
    note.without.push_back(leg.number);
    ++room.counts.missed;
    ++member.missed;
    metrics.add(Metric::room_missed);
    if (report && (note.about.to_user != 0 || config->report_missed)) report_unkept(room, note);
  }
}

// Nothing from the message of `mark` on was written to it; without a mark it was the middle of one that is still open.
void Rooms::State::on_unsent(Room& room, RoomMember& member, std::uint64_t mark) {
  RoomLeg& leg = room.legs[member.index];
  const std::uint64_t number = mark == 0 ? room.head : mark >> leg_mark_shift;
  const std::uint64_t known = member.behind ? std::min(member.next, room.head) : room.head;
  miss_unkept(room, member, number, known, true);
  for (std::uint64_t slots = leg.awaiting & room.counting; slots != 0; slots &= slots - 1) {
    RoomMessage* const message = messages.get(room.messages[static_cast<unsigned>(__builtin_ctzll(slots))]);
    if (message != nullptr && message->number >= number && !message->kept_whole) leg_done(room, *message, leg, false);
  }
  for (std::uint64_t each = number; trace.on() && each < known; ++each) {
    TracedMessage* const record = trace.find(room.self, each);
    const RoomRing::Entry* const entry = room.ring.find(each);
    if (record == nullptr || entry == nullptr || !concerns(room, leg, member, entry->about, "", each)) continue;
    if (record->delivered != 0) --record->delivered;
    ++record->behind;
  }
  leg.sent = std::min(leg.sent, number);
  leg.got = std::min(leg.got, number);
  fall_behind(room, leg, number);
  if (!member.connected) return;
  metrics.add(Metric::room_lagging);
  if (!member.lagging) tell(RoomFact::Kind::lagging, room, &member);
  member.lagging = true;
}

void Rooms::State::report_unkept(Room& room, RoomUnkept& note) {
  const RoomMember* const sender = members.get(note.sender);
  if (sender == nullptr || sender->room != room.self || note.message_id.empty()) return;
  if (note.reported || note.failure == msrp::FailureReport::no) return;
  note.reported = true;
  report_headers.clear();
  put_wrapper(note.reply_head);
  legs.report(room.legs[sender->index].end, note.message_id, {1, note.total, note.total}, 408, report_headers);
}

}  // namespace parley::policy

// policy/guest_legs.cc - see guest_legs.h.
#include "policy/guest_legs.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/far_legs.h"

namespace parley::policy {

using Kind = msrp::EndFact::Kind;
using Sent = msrp::Ends::Sent;

GuestLegs::Guest* GuestLegs::find(std::uint32_t home, msrp::EndHandle far) {
  auto& guests = homes_[home].guests;
  const std::uint32_t slot = far_slot(far);
  return slot < guests.size() && guests[slot].far == far ? &guests[slot] : nullptr;
}

GuestLegs::Guest* GuestLegs::guest_of(msrp::EndHandle end, std::uint32_t& home) {
  if (end.index >= by_end_.size()) return nullptr;
  const Place& place = by_end_[end.index];
  if (!place.far.valid()) return nullptr;
  home = place.home;
  Guest* const guest = find(home, place.far);
  return guest != nullptr && guest->end == end ? guest : nullptr;
}

// --- what home wants

void GuestLegs::on_record(const LegPost::Incoming& record) {
  const LegRecordHead& head = *record.head;
  switch (head.kind) {
    case LegRecord::open: return open(record);
    case LegRecord::fan_out: return fan_out(record);
    default: break;
  }
  Guest* const guest = find(record.from, head.leg);
  if (guest == nullptr) return;  // it could not be opened
  switch (head.kind) {
    case LegRecord::connect: {
      LegReader<LegText> in(record);
      const std::string_view path = in.text(in->first_bytes);
      const msrp::EndPeer peer{.path = std::string(path),
                               .we_connect = (head.flags & 1) != 0,
                               .loose = (head.flags & 2) != 0,
                               .address = std::string(in.text(in->second_bytes))};
      (void)((head.flags & 4) != 0 ? media_.change_peer(guest->end, peer) : media_.connect(guest->end, peer));
      return;
    }
    case LegRecord::close: return close(record.from, *guest);
    case LegRecord::hold: return legs_.hold(guest->end);
    case LegRecord::release: return legs_.release(guest->end);
    case LegRecord::answer: {
      LegReader<LegText> in(record);
      msrp::EndToken token = msrp::EndToken::read(in.text(in->first_bytes));
      return legs_.answer(guest->end, token, head.status);
    }
    case LegRecord::send: return send(record);
    case LegRecord::report: {
      LegReader<LegReport> in(record);
      const std::string_view message_id = in.text(in->message_id_bytes);
      return legs_.report(guest->end, message_id, in->range, head.status, in.text(in->headers_bytes));
    }
    case LegRecord::noted: {
      auto& told = post_.add<LegDropped>(record.from, LegRecord::dropped, guest->far);
      told.mark = guest->dropped_mark;
      told.some = guest->dropped ? 1 : 0;
      guest->stopped = guest->dropped = false;
      guest->dropped_mark = 0;
      guest->taken = 0;
      return;
    }
    default: CHECK(false);
  }
}

void GuestLegs::open(const LegPost::Incoming& record) {
  LegReader<LegText> in(record);
  const std::string_view id = in.text(in->first_bytes);
  const msrp::EndHandle end = media_.open_named(id, in.text(in->second_bytes));
  if (!end.valid()) return tell_failed(record.from, record.head->leg, 503);
  auto& guests = homes_[record.from].guests;
  const std::uint32_t slot = far_slot(record.head->leg);
  if (guests.size() <= slot) guests.resize(slot + std::size_t{1});
  guests[slot] = {.far = record.head->leg, .end = end};
  if (by_end_.size() <= end.index) by_end_.resize(end.index + std::size_t{1});
  by_end_[end.index] = {record.from, record.head->leg};
  ++live_;
}

void GuestLegs::close(std::uint32_t, Guest& guest) {
  by_end_[guest.end.index] = {};
  const msrp::EndHandle end = std::exchange(guest, {}).end;
  legs_.close(end);
  --live_;
}

msrp::EndSend GuestLegs::read_send(LegReader<LegSend>& in) {
  msrp::EndSend message;
  message.mark = in->mark;
  message.start = in->start;
  message.total = in->total;
  message.failure = in->failure;
  message.flag = in->flag;
  message.tell_200 = in->tell_200;
  message.has_body = in->has_body;
  message.headers = in.text(in->headers_bytes);
  message.body = in.slice(in->body_bytes);
  return message;
}

void GuestLegs::send(const LegPost::Incoming& record) {
  Guest& guest = *find(record.from, record.head->leg);
  LegReader<LegSend> in(record);
  const msrp::EndSend message = read_send(in);
  if (guest.stopped) return drop(guest, message.mark);
  const Sent sent = legs_.send(guest.end, message);
  if (sent != Sent::sent) return note_not_sent(record.from, guest, sent, message.mark);
  if (guest.taken == 0) homes_[record.from].taken.push_back(far_slot(guest.far));
  guest.taken += in->headers_bytes + in->body_bytes;
}

void GuestLegs::fan_out(const LegPost::Incoming& record) {
  LegReader<LegSend> in(record);
  const std::span<const core::SlotId> legs = in.legs(in->legs);
  const msrp::EndSend message = read_send(in);
  ends_.clear();
  for (const core::SlotId far : legs) {
    Guest* const guest = find(record.from, far);
    if (guest == nullptr) continue;
    if (guest->stopped) {
      drop(*guest, message.mark);
    } else {
      ends_.push_back(guest->end);
    }
  }
  not_sent_.clear();
  if (!ends_.empty()) legs_.fan_out(ends_, message, not_sent_);
  for (const msrp::Ends::NotSent& each : not_sent_) {
    std::uint32_t home = 0;
    if (Guest* const guest = guest_of(each.end, home); guest != nullptr) {
      note_not_sent(home, *guest, each.why, message.mark);
    }
  }
  if (message.flag == msrp::Flag::more) look_for_slow(record.from);
}

// --- what could not be written

void GuestLegs::drop(Guest& guest, std::uint64_t mark) {
  if (mark == 0) return;
  guest.dropped = true;
  if (guest.dropped_mark == 0 && (mark & leg_mark_last) != 0) guest.dropped_mark = mark;
}

void GuestLegs::stop(std::uint32_t home, Guest& guest, LegStop why) {
  if (guest.stopped) return;
  guest.stopped = true;
  auto& told = post_.add<LegText>(home, LegRecord::stopped, guest.far);
  told.head.status = static_cast<std::uint16_t>(why);
}

void GuestLegs::note_not_sent(std::uint32_t home, Guest& guest, Sent why, std::uint64_t mark) {
  if (mark == 0) return;  // it need not arrive
  stop(home, guest, why == Sent::full ? LegStop::full : LegStop::gone);
  drop(guest, mark);
}

// Of a long message half of the room may be slow: its sender is held back by the room.
void GuestLegs::look_for_slow(std::uint32_t home) {
  for (const msrp::EndHandle end : ends_) {
    const std::uint64_t waiting = legs_.waiting_bytes(end);
    if (waiting <= slow_bytes_) continue;
    std::uint32_t its_home = 0;
    Guest* const guest = guest_of(end, its_home);
    if (guest == nullptr || guest->waiting != 0) continue;
    guest->waiting = static_cast<std::uint32_t>(waiting);
    post_.add<LegCount>(home, LegRecord::waiting, guest->far).bytes = waiting;
    next_look_ = std::min(next_look_, now_ + slow_look);
    homes_[home].slow.push_back(far_slot(guest->far));
  }
}

// --- what happens here

void GuestLegs::tell_failed(std::uint32_t home, msrp::EndHandle far, std::uint16_t status) {
  auto& record = post_.add<LegFact>(home, LegRecord::fact, far);
  record.kind = Kind::failed;
  record.head.status = status;
}

bool GuestLegs::on_fact(msrp::EndFact& fact) {
  std::uint32_t home = 0;
  Guest* const guest = guest_of(fact.end, home);
  if (guest == nullptr) return false;
  if (fact.kind == Kind::answered) {
    post_.add_answer(home, guest->far, fact.mark, fact.status);
    return true;
  }
  // What is on its way would reach another connection than it was written for.
  if (fact.kind == Kind::closed) stop(home, *guest, LegStop::gone);
  token_.clear();
  if (fact.kind == Kind::piece || fact.kind == Kind::nickname) fact.token.put(token_);
  const std::size_t more =
      token_.size() + fact.head_bytes.size() + fact.message_id.size() + fact.nickname.size() + fact.body.length;
  auto& record = post_.add<LegFact>(home, LegRecord::fact, guest->far, more);
  record.head.status = fact.status;
  record.kind = fact.kind;
  record.flag = fact.flag;
  record.first = fact.first;
  record.last = fact.last;
  record.start = fact.start;
  record.total = fact.total;
  record.range = fact.range;
  record.has_head = fact.head != nullptr;
  if (fact.head != nullptr) record.parsed = *fact.head;
  record.token_bytes = static_cast<std::uint32_t>(token_.size());
  record.head_bytes = static_cast<std::uint32_t>(fact.head_bytes.size());
  record.message_id_bytes = static_cast<std::uint32_t>(fact.message_id.size());
  record.nickname_bytes = static_cast<std::uint32_t>(fact.nickname.size());
  record.body_bytes = fact.body.length;
  post_.put(token_);
  post_.put(fact.head_bytes);
  post_.put(fact.message_id);
  post_.put(fact.nickname);
  if (fact.body.length != 0) post_.put(post_.pool().view(fact.body));
  fact.token.let_go();
  if (fact.kind == Kind::piece && !guest->held && post_.busy(home)) {
    guest->held = true;
    homes_[home].held.push_back(far_slot(guest->far));
    legs_.hold(guest->end);
  }
  return true;
}

void GuestLegs::expire() {
  const bool look = next_look_ <= now_;
  bool slow = false;
  for (std::uint32_t number = 0; number < homes_.size(); ++number) {
    Home& home = homes_[number];
    for (const std::uint32_t slot : std::exchange(home.taken, {})) {
      Guest& guest = home.guests[slot];
      if (guest.taken == 0) continue;
      post_.add<LegCount>(number, LegRecord::taken, guest.far).bytes = std::exchange(guest.taken, 0U);
    }
    if (!home.held.empty() && !post_.busy(number)) {
      for (const std::uint32_t slot : std::exchange(home.held, {})) {
        Guest& guest = home.guests[slot];
        if (std::exchange(guest.held, false)) legs_.release(guest.end);
      }
    }
    if (look) {
      std::erase_if(home.slow, [&](std::uint32_t slot) {
        Guest& guest = home.guests[slot];
        if (guest.waiting != 0 && legs_.waiting_bytes(guest.end) > slow_bytes_) return false;
        if (std::exchange(guest.waiting, 0U) != 0) post_.add<LegCount>(number, LegRecord::waiting, guest.far).bytes = 0;
        return true;
      });
    }
    slow = slow || !home.slow.empty();
  }
  if (look) next_look_ = slow ? now_ + slow_look : core::never;
}

core::Instant GuestLegs::next_deadline() const { return next_look_; }

}  // namespace parley::policy

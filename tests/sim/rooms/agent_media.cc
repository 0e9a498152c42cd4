// tests/sim/rooms/agent_media.cc - see agent.h. What is said, nicknames, connections that break.
#include <algorithm>
#include <utility>

#include "tests/sim/rooms/agent.h"
#include "tests/sim/rooms/cpim.h"

namespace parley::sim::rooms {

void Agent::say_in(Party& p, const std::string& to, Said** said) {
  if (!p.talk->up() || p.changing || p.direction == "inactive" || p.direction == "recvonly") return;
  Said& one = book_.say(*p.seat);
  if (said != nullptr) *said = &one;
  one.to = to;
  one.content = "m" + std::to_string(one.number) + " ";
  std::size_t size = rng_.coin(1, 8) ? rng_.scaled(1000, 40'000) : rng_.scaled(1, 900);
  while (one.content.size() < size) one.content += "quick\r\n-------brown$\r\n fox \xc3\xa9 \r\n\r\n";
  if (calm_) size = std::min<std::size_t>(size, 3000);
  one.content.resize(size + 8, 'x');
  one.failure = rng_.coin(3, 4) || calm_ ? "yes" : rng_.coin(1, 2) ? "partial" : "no";
  one.wants_success = rng_.coin(1, 4);
  Talk::Plan plan;
  plan.said = &one;
  const bool two = p.seat->room->kind == Kind::two;
  const std::string from = traits_.anonymous ? "sip:anonymous@anonymous.invalid" : aor_;
  const std::string all = two && !p.other.empty() ? p.other : p.group ? p.target : p.focus;
  plan.bytes = write_cpim(from, to.empty() ? all : to, one.content);
  if (rng_.coin(1, 2)) plan.chunk = rng_.scaled(std::max<std::size_t>(1, plan.bytes.size() / 40), plan.bytes.size());
  plan.star = plan.chunk != 0 && rng_.coin(1, 2);
  if (!calm_ && plan.chunk != 0 && rng_.coin(1, 10)) plan.abort_at = rng_.between(1, plan.bytes.size() - 1);
  p.talk->say(std::move(plan));
}

void Agent::say(std::uint64_t draw, Said** said) {
  if (Party* const p = any_up(draw)) say_in(*p, "", said);
}

void Agent::whisper(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr || p->seat->room->kind == Kind::two) return;
  std::vector<const Seat*> others;
  for (const Seat* seat : p->seat->room->seats) {
    if (seat->is_in() && !seat->anonymous && seat->user != user_) others.push_back(seat);
  }
  if (!others.empty()) say_in(*p, others[(draw >> 16) % others.size()]->uri, nullptr);
}

void Agent::rename(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p != nullptr && p->seat->room->kind != Kind::two) p->talk->nickname("Nick" + std::to_string((draw >> 16) % 4));
}

void Agent::quit(std::uint64_t draw) {
  if (Party* const p = any_up(draw)) leave(*p);
}

void Agent::break_media(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr || p->talk->line() == nullptr) return;
  world_.journal.line("seat %u breaks its connection", p->seat->number);
  ++world_.journal.faults;
  if (draw % 3 == 0)
    p->talk->line()->close();
  else
    p->talk->line()->abort();
}

void Agent::stall_media(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr || p->talk->line() == nullptr) return;
  world_.journal.line("seat %u does not read", p->seat->number);
  ++world_.journal.faults;
  for (Talk* const talk : talks_of(*p->talk->line())) talk->seat().troubled = true;
  p->talk->line()->pause(std::chrono::milliseconds(rng_.scaled(10, 30'000)));
}

void Agent::on_up(Talk& talk) {
  Seat& seat = talk.seat();
  seat.media = true;
  if (seat.out == Instant::max()) seat.up = std::min(seat.up, world_.agenda.now());
  world_.journal.line("seat %u has its connection", seat.number);
}

void Agent::on_down(Talk& talk) {
  Seat& seat = talk.seat();
  seat.media = false;
  Party* const p = party_of(talk);
  world_.journal.line("seat %u has lost its connection", seat.number);
  if (p == nullptr || p->state != Party::State::up || p->switching) return;
  seat.troubled = true;
  after(some(calm_ ? 1s : 8s) + 10ms, [this, n = p->number] { reconnect(n); });
}

void Agent::reconnect(std::uint32_t party) {
  Party& p = *parties_[party];
  if (p.state != Party::State::up || p.talk->line() != nullptr || ending_) return;
  if (p.changing) return after(1s, [this, party] { reconnect(party); });
  const std::uint64_t what = calm_ ? 5 : rng_.next() % 10;
  if (what == 0) return leave(p);
  if (what == 1) return;  // it waits for better times
  if (what < 5 && p.active) return connect(p);
  re_invite(p, p.direction, true);
}

void Agent::on_status(Talk& talk, const std::string& what, int status) {
  Party* const p = party_of(talk);
  if (what == "session") {  // RFC 4975 section 10.8: there is none any more, and its BYE was lost
    if (p != nullptr) after(1s, [this, n = p->number] {
      Party& gone = *parties_[n];
      if (gone.state == Party::State::up) gone.seat->troubled = true, leave(gone, true);
    });
    return;
  }
  if (what != "bind") {
    world_.journal.line("seat %u: %s gets %d", talk.seat().number, what.c_str(), status);
    if (status != 200 && status != 425 && status != 423 && status != 481) fail(what + " gets " + std::to_string(status));
    return;
  }
  // The server has not seen yet that the old connection is gone, or has sent us off.
  if (status != 506 && status != 481 && status != 408) return fail("the first SEND gets " + std::to_string(status));
  Line* const line = talk.line();
  if (line != nullptr) line->close();
  if (p == nullptr) return;
}

}  // namespace parley::sim::rooms

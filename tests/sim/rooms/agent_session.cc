// tests/sim/rooms/agent_session.cc - see agent.h. INVITE both ways, BYE, CANCEL, changes, session timers.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/rooms/agent.h"
#include "tests/sim/rooms/cpim.h"

namespace parley::sim::rooms {

using sip::cseq_number;
using sip::tag_of;
using sip::uri_of;

static bool takes_nothing(const std::string& direction) { return direction == "inactive" || direction == "sendonly"; }

void Agent::add_abilities(Message& m) {
  m.add("Accept-Contact", "*;+g.oma.sip-im");
  m.add("User-Agent", "IM-client/OMA1.0 sim/1");
  m.add("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, NOTIFY, REFER, UPDATE");
  if (traits_.timer) {
    m.add("Supported", "timer");
    m.add("Session-Expires", std::to_string(rng_.between(90, 400)) + ";refresher=uac");
  }
  if (traits_.anonymous) m.add("Privacy", "id");
}

std::string Agent::description(Party& p) {
  return describe(p.next_own.empty() ? p.talk->own() : p.next_own, p.setup, p.direction, p.version);
}

// --- calling

void Agent::call(const std::string& user, bool* done) {
  if (ending_) return;
  Party& p = add_party();
  p.done = done;
  p.other = "sip:" + user + "@" + book_.server.domain;
  p.named = {user};
  p.target = p.other;
  invite(p, make("INVITE", p.target, p.target));
}

void Agent::gather(const std::vector<std::string>& users) {
  if (ending_) return;
  Party& p = add_party();
  p.named = users;
  p.target = "sip:factory@" + book_.server.domain + ";sessiontype=adhoc";
  Message m = make("INVITE", p.target, "sip:factory@" + book_.server.domain);
  m.add("Require", "recipient-list-invite");
  invite(p, std::move(m));
}

void Agent::join(const std::string& uri, bool* done) {
  if (ending_) return;
  Party& p = add_party();
  p.done = done;
  p.target = uri;
  p.group = uri.find("@" + book_.server.domain) != std::string::npos;
  invite(p, make("INVITE", uri, uri));
}

void Agent::come_back(std::uint64_t draw) {
  std::vector<const Party*> past;
  for (const auto& p : parties_) {
    if (p->state == Party::State::gone && !p->focus.empty() && p->seat->life == book_.server.life) past.push_back(p.get());
  }
  if (!past.empty()) join(past[draw % past.size()]->focus);
}

void Agent::invite(Party& p, Message m) {
  p.setup = traits_.passive ? "passive" : rng_.coin(1, 2) ? "active" : "actpass";
  p.dialog.call_id = m.value("Call-ID");
  m.add("Contact", contact());
  add_abilities(m);
  m.body = description(p);
  if (m.has("Require")) {
    std::vector<std::string> uris;
    for (const std::string& user : p.named) uris.push_back("sip:" + user + "@" + book_.server.domain);
    const std::string boundary = fresh("bound");
    m.add("Content-Type", "multipart/mixed;boundary=\"" + boundary + "\"");
    m.body = with_recipients(m.body, uris, boundary);
  } else {
    m.add("Content-Type", "application/sdp");
  }
  ask(std::move(m), usual_way(), [this, n = p.number](const Message* answer) { answered(*parties_[n], answer); });
  if (rng_.permille(traits_.cancel_permille))
    after(some(6s), [this, call_id = p.dialog.call_id] { cancel(call_id); });
  else
    after(40s, [this, call_id = p.dialog.call_id] { cancel(call_id); });
}

void Agent::answered(Party& p, const Message* m) {
  Seat& seat = *p.seat;
  if (m == nullptr || m->status >= 300) {
    p.state = Party::State::gone;
    seat.leaving = world_.agenda.now();
    if (m != nullptr && (m->status == 422 || m->status == 400 || m->status == 488))
      fail("an INVITE to " + p.target + " gets " + std::to_string(m->status));
    return;
  }
  Dialog& d = p.dialog;
  d.local = m->value("From");
  d.remote = m->value("To");
  d.target = uri_of(m->value("Contact"));
  d.routes = m->values("Record-Route");
  std::reverse(d.routes.begin(), d.routes.end());
  d.local_seq = cseq_number(*m);
  acknowledge(d, *m);
  if (m->value("Contact").find(";isfocus") == std::string::npos && p.other.empty()) fail("a focus that is none: " + m->value("Contact"));
  p.focus = d.target;
  const auto path = attributes(m->body, "path");
  // Who dials may have been faster.
  p.talk->forget_early_peer();
  if (!p.talk->peer().empty() && path != std::vector<std::string>{p.talk->peer()})
    return fail("a connection from " + p.talk->peer() + ", and an answer with " + m->body);
  p.talk->set_peer(path.empty() ? "" : path.front());
  const auto setup = attributes(m->body, "setup");
  p.active = !setup.empty() && setup.front() == "passive";
  book_.paths[p.talk->peer()] = user_;
  if (p.talk->peer().empty() || setup.empty()) return fail("an answer without path or setup: " + m->body);
  const bool lost = seat.life != book_.server.life;  // who has answered is not sure
  Room& room = book_.room(p.focus, book_.server.life);
  const bool unknown = !room.starter.empty() && room.kind != Kind::group && p.named.empty();
  if (unknown && !room.allowed.contains(user_))
    return fail("authority: comes into session " + room.name + ", which nobody has named it for");
  book_.enter(seat, room);
  if (!p.named.empty()) {
    room.kind = p.other.empty() ? Kind::adhoc : Kind::two;
    room.starter = user_;
    room.allowed.insert(user_);
    for (const std::string& user : p.named) room.allowed.insert(user);
  }
  if (p.group) room.kind = Kind::group;
  p.state = Party::State::up;
  ++book_.joined;
  run_timer(p, *m, true);
  entered(p);
  if (p.done != nullptr) *p.done = true;
  const auto invited = clients_.find(sip::branch_of(*m) + " INVITE");
  const bool unwanted = ending_ || lost || (invited != clients_.end() && invited->second.cancelled);
  if (unwanted) return after(some(500ms), [this, n = p.number] { leave(*parties_[n]); });
  if (p.active) connect(p);
}

void Agent::entered(Party& p) {
  p.seat->in = std::min(p.seat->in, world_.agenda.now());
  world_.journal.line("seat %u: agent %u (%s) is in session %s", p.seat->number, number_, user_.c_str(),
                      p.seat->room->name.c_str());
}

// --- being called

void Agent::invited(const std::string& key) {
  // RFC 3261 section 8.2.2.2: the same one by another way.
  const Message& invite = servers_[key].request;
  for (const auto& [other, server] : servers_) {
    const Message& before = server.request;
    const bool same = other != key && before.method == "INVITE" && before.value("Call-ID") == invite.value("Call-ID") &&
                      tag_of(before.value("From")) == tag_of(invite.value("From")) &&
                      cseq_number(before) == cseq_number(invite);
    if (same) return respond(key, 482);
  }
  if (rng_.permille(traits_.silent_permille)) return;
  const Duration ring = some(500ms);
  if (rng_.coin(2, 3)) after(ring, [this, key] {
    if (servers_[key].status < 200) respond(key, 180);
  });
  after(ring + some(traits_.answer_max * 2), [this, key] {
    if (servers_[key].status >= 200) return;
    if (ending_ || rng_.permille(traits_.decline_permille)) return respond(key, rng_.coin(1, 2) ? 486 : 603);
    accept(key, 0);
  });
}

void Agent::accept(const std::string& key, std::uint32_t) {
  const Message m = servers_[key].request;
  Party& p = add_party();
  p.state = Party::State::ringing;
  p.invite = key;
  p.setup = traits_.passive ? "passive" : "active";
  p.active = !traits_.passive;
  Dialog& d = p.dialog;
  d.call_id = m.value("Call-ID");
  d.local = m.value("To") + ";tag=" + servers_[key].tag;
  d.remote = m.value("From");
  d.target = uri_of(m.value("Contact"));
  d.routes = m.values("Record-Route");
  d.remote_seq = cseq_number(m);
  d.local_seq = static_cast<unsigned>(rng_.between(1, 1000));
  p.focus = d.target;
  const auto path = attributes(m.body, "path");
  if (path.empty()) return fail("an invitation without a path: " + m.body);
  p.talk->set_peer(path.front());
  book_.paths[path.front()] = user_;
  const unsigned life = servers_[key].life;
  p.seat->life = life;
  if (life != book_.server.life) p.seat->troubled = true, p.seat->leaving = world_.agenda.now();
  Room& room = book_.room(p.focus, life);
  if (attributes(m.body, "chatroom").empty()) {
    room.kind = Kind::two;
    p.other = uri_of(m.value("P-Asserted-Identity"));
  }
  book_.enter(*p.seat, room);
  Message more;
  if (m.has("Session-Expires") && traits_.timer) {
    const std::string who = sip::parameter(m.value("Session-Expires"), "refresher");
    more.add("Supported", "timer");
    more.add("Session-Expires", m.value("Session-Expires").substr(0, m.value("Session-Expires").find(';')) + ";refresher=" +
                                    (who.empty() ? "uas" : who));
    if (who == "uac") more.add("Require", "timer");
  }
  more.add("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, NOTIFY");
  more.add("Server", "IM-client/OMA1.0 sim/1");
  if (traits_.anonymous) more.add("Privacy", "id");
  ++book_.joined;
  respond(key, 200, more.fields, description(p));
  if (more.has("Session-Expires")) run_timer(p, more, false);
  p.state = Party::State::up;
  // Its connection may come before the ACK.
  if (p.active) connect(p);
}

void Agent::on_cancel(const std::string& key) {
  const std::string invite = key.substr(0, key.find(' ')) + " INVITE";
  const auto found = servers_.find(invite);
  if (found == servers_.end()) return respond(key, 481);
  servers_[key].tag = found->second.tag;
  respond(key, 200);
  if (found->second.status < 200) respond(invite, 487);
}

// --- the end

void Agent::leave(Party& p, bool at_once) {
  if (p.state != Party::State::up) return;
  // Not before the ACK (RFC 3261 section 15).
  const bool waits = !p.invite.empty() && !servers_[p.invite].acked;
  if (waits && !at_once) return after(1s, [this, n = p.number] { leave(*parties_[n]); });
  p.state = Party::State::gone;
  p.seat->leaving = std::min(p.seat->leaving, world_.agenda.now());
  world_.journal.line("seat %u leaves", p.seat->number);
  send_bye(p.number, 3);
  over(p);
}

void Agent::send_bye(std::uint32_t party, int tries) {
  Party& p = *parties_[party];
  (void)start(in_dialog(p.dialog, "BYE"), way_in(p.dialog), [this, party, tries](const Message* answer) {
    Party& gone = *parties_[party];
    // What the one before had sent may have come when there was another already.
    const bool of_before = gone.seat->asked - book_.gone_at < 10s && book_.gone_at != Instant{};
    const bool known = gone.seat->life == book_.server.life && !of_before;
    const bool done = answer != nullptr && (answer->status == 200 || answer->status == 481 || !known);
    if (done) gone.seat->out = std::min(gone.seat->out, world_.agenda.now());
    if (!done && answer != nullptr && answer->status < 500) fail("BYE gets " + std::to_string(answer->status));
    if (!done && tries > 0) after(2s, [this, party, tries] { send_bye(party, tries - 1); });
  });
}

// What is on its way to it still comes; then its connection ends, by the server or by us.
void Agent::over(Party& p) {
  ++p.round;
  for (auto& w : watches_) {
    if (w->party == &p) w->party = nullptr;
  }
  after(20s, [this, n = p.number] {
    let_go(*parties_[n]);
  });
}

void Agent::on_bye(const std::string& key) {
  const Message& m = servers_[key].request;
  Party* const p = party_of(m);
  if (p == nullptr || tag_of(p->dialog.local) != tag_of(m.value("To"))) return respond(key, 481);
  Seat& seat = *p->seat;
  const bool was_up = p->state == Party::State::up;
  if (!p->invite.empty()) servers_[p->invite].acked = true;
  seat.sent_off = true;
  seat.out = std::min(seat.out, world_.agenda.now());
  seat.media = false;
  p->state = Party::State::gone;
  world_.journal.line("seat %u is sent off: %s", seat.number, m.value("Reason").c_str());
  respond(key, 200);
  if (was_up) check_reason(*p, m.value("Reason"));
  over(*p);
}

void Agent::check_reason(const Party& p, const std::string& reason) {
  const Room& room = *p.seat->room;
  const auto is = [&](const char* text) { return reason.find(text) != std::string::npos; };
  const bool kicked = std::any_of(book_.booted_names.begin(), book_.booted_names.end(), [&](const auto& one) {
    return room.name.starts_with(one.first) && one.second == user_;
  });
  if (is("Booted by focus") && !kicked && !room.booted.contains(user_)) fail("authority: nobody who may has made it go: " + room.name);
  const bool closed = std::any_of(book_.closed_names.begin(), book_.closed_names.end(),
                                  [&](const std::string& name) { return room.name.starts_with(name); });
  if (is("Closed By Operator") && !closed) fail("authority: nobody has closed " + room.name);
  if (is("Server Is Going Down") && !book_.server.draining) fail("it says that it goes down");
  const bool of_media = is("No MSRP Session") || is("MSRP Connection Lost") || is("Too Slow");
  const bool well = p.seat->media && p.seat->up != Instant::max() && !p.seat->troubled;
  if (of_media && well && world_.agenda.now() - book_.server.calm_at > 60s && book_.server.calm_at != Instant::max())
    fail("membership: it is sent off although it is well: " + reason);
  if (p.expelled) ++book_.expelled;
}

// --- changes

void Agent::change(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr || p->changing) return;
  static constexpr const char* directions[] = {"inactive", "sendonly", "recvonly"};
  const std::uint64_t what = draw >> 16;
  if (!p->direction.empty()) return re_invite(*p, "", false);
  if (what % 2 == 0) return re_invite(*p, "", true);
  re_invite(*p, directions[(what >> 8) % 3], false);
}

// Not while the connection is being set up, nor before the ACK.
void Agent::re_invite(Party& p, std::string direction, bool other_path) {
  if (p.changing || p.state != Party::State::up || p.seat->in == Instant::max()) return;
  p.changing = true;
  ++p.version;
  if (other_path) p.next_own = own_uri();
  if (direction == "inactive" || direction == "recvonly") p.talk->stops_sending();
  const Instant now = world_.agenda.now();
  const bool held = takes_nothing(direction);
  if (held && !takes_nothing(p.direction)) p.seat->pauses.push_back({.from = now});
  if (!held && takes_nothing(p.direction)) p.seat->pauses.back().back = now;
  const std::string was = std::exchange(p.direction, std::move(direction));
  Message m = in_dialog(p.dialog, "INVITE");
  m.add("Contact", contact());
  add_abilities(m);
  m.add("Content-Type", "application/sdp");
  m.body = description(p);
  (void)start(std::move(m), way_in(p.dialog), [this, n = p.number, was](const Message* answer) { changed(n, was, answer); });
}

void Agent::changed(std::uint32_t party, const std::string& was, const Message* m) {
  Party& p = *parties_[party];
  p.changing = false;
  const Instant now = world_.agenda.now();
  if (m != nullptr && m->status < 300) acknowledge(p.dialog, *m);
  if (p.state != Party::State::up) return;
  if (m == nullptr || m->status >= 300) {
    const bool gone = m != nullptr && (m->status == 481 || m->status == 408 || p.seat->life != book_.server.life);
    p.direction = was;  // nobody knows
    p.next_own.clear();
    if (!p.seat->pauses.empty()) p.seat->pauses.back().back = now;
    if (gone) {
      p.seat->troubled = true;
      p.seat->leaving = now;
      leave(p, true);
    } else if (m != nullptr && m->status != 491 && m->status < 500) {
      fail("a re-INVITE gets " + std::to_string(m->status));
    } else {
      p.seat->troubled = true;
      after(2s + some(2s), [this, party, direction = calm_ ? std::string() : was] {
        Party& again = *parties_[party];
        re_invite(again, direction, again.talk->line() == nullptr);
      });
    }
    return;
  }
  if (takes_nothing(p.direction)) {
    if (!takes_nothing(was)) p.seat->pauses.back().sure = now;
  } else {
    for (Seat::Pause& pause : p.seat->pauses) pause.to = std::min(pause.to, now);
  }
  run_timer(p, *m, true);
  const auto path = attributes(m->body, "path");
  if (path.empty()) return fail("an answer without a path: " + m->body);
  if (!p.next_own.empty()) switch_path(p);
  p.talk->set_peer(path.front());
  const auto setup = attributes(m->body, "setup");
  p.active = !setup.empty() && setup.front() == "passive";
  if (p.active) connect(p);
}

// The old connection is left.
void Agent::switch_path(Party& p) {
  p.talk->set_own(std::exchange(p.next_own, ""));
  p.switching = true;
  p.seat->troubled = true;
  let_go(p);
  p.switching = false;
}

void Agent::on_change(const std::string& key) {
  const Message m = servers_[key].request;
  Party* const p = party_of(m);
  if (p == nullptr || p->state == Party::State::gone || tag_of(p->dialog.local) != tag_of(m.value("To")))
    return respond(key, 481);
  if (p->changing) return respond(key, 491);
  Message more;
  if (m.has("Session-Expires") && traits_.timer) {
    const std::string who = sip::parameter(m.value("Session-Expires"), "refresher");
    more.add("Supported", "timer");
    more.add("Session-Expires", m.value("Session-Expires"));
    if (who == "uac") more.add("Require", "timer");
  }
  respond(key, 200, more.fields, m.method == "INVITE" ? description(*p) : "");
  if (more.has("Session-Expires")) run_timer(*p, more, false);
}

// --- session timers (RFC 4028)

void Agent::run_timer(Party& p, const Message& m, bool we_called) {
  const unsigned round = ++p.round;
  const std::string& value = m.value("Session-Expires");
  p.interval = static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
  if (p.interval == 0) return;
  if (p.interval < 90) return fail("a session timer of " + value);
  const std::string who = sip::parameter(value, "refresher");
  p.we_refresh = who == (we_called ? "uac" : "uas");
  if (!p.we_refresh || rng_.permille(traits_.lapse_permille)) return;
  after(std::chrono::seconds(p.interval) / 2, [this, n = p.number, round] { refresh(n, round); });
}

void Agent::refresh(std::uint32_t party, unsigned round) {
  Party& p = *parties_[party];
  if (p.round != round || p.state != Party::State::up || ending_) return;
  if (p.changing) return after(2s, [this, party, round] { refresh(party, round); });
  re_invite(p, p.direction, false);
}

}  // namespace parley::sim::rooms

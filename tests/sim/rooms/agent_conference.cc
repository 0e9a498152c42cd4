// tests/sim/rooms/agent_conference.cc - see agent.h. REFER and what is told of it (RFC 3515), SUBSCRIBE to the roster
// (RFC 4575): documents are put together as they come, none may be missing.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/rooms/agent.h"

namespace parley::sim::rooms {

using sip::cseq_number;
using sip::tag_of;
using sip::uri_of;

// --- who is made to come and go

// For sure; of a group nobody here knows who has begun its session.
bool Agent::may_expel(const Party& p, const std::string& user) const {
  return user == user_ || p.seat->room->starter == user_ || p.seat->room->kind == Kind::group;
}

void Agent::refer(Party& p, const std::string& target, Done done) {
  Message m = in_dialog(p.dialog, "REFER");
  m.add("Refer-To", "<" + target + ">");
  m.add("Contact", contact());
  if (rng_.coin(1, 3)) m.add("Refer-Sub", "false"), m.add("Supported", "norefersub");
  (void)start(std::move(m), way_in(p.dialog), std::move(done));
}

void Agent::expel(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr) return;
  Room& room = *p->seat->room;
  std::vector<const Seat*> others;
  for (const Seat* seat : room.seats) {
    if (seat->is_in() && !seat->anonymous) others.push_back(seat);
  }
  if (others.empty()) return;
  const std::string user = others[(draw >> 16) % others.size()]->user;
  const bool may = may_expel(*p, user);
  // An invitation that nobody has answered yet names the starter afterwards.
  const bool known = !room.starter.empty() || room.kind == Kind::group;
  if (may || !known) room.booted.insert(user);
  world_.journal.line("seat %u wants %s to go, and %s", p->seat->number, user.c_str(), may ? "may" : "may not");
  refer(*p, "sip:" + user + "@" + book_.server.domain + ";method=BYE", [this, may, known, &room, user, life = book_.server.life](const Message* answer) {
    if (answer == nullptr || answer->status >= 481 || life != book_.server.life || room.life != life) return;
    if (answer->status < 300 && !may && known) return fail("authority: may expel " + user + " from " + room.name);
    if (answer->status >= 300 && may && room.kind != Kind::group && answer->status != 403) fail("REFER gets " + std::to_string(answer->status));
    if (answer->status < 300) room.booted.insert(user);
  });
}

void Agent::bring(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr || p->seat->room->kind == Kind::group) return;
  std::vector<std::string> users;
  for (const auto& [name, entry] : book_.people) {
    if (!entry && name != user_) users.push_back(name);
  }
  if (users.empty()) return;
  const std::string user = users[(draw >> 16) % users.size()];
  Room& room = *p->seat->room;
  room.allowed.insert(user);
  world_.journal.line("seat %u brings %s", p->seat->number, user.c_str());
  const bool two = room.kind == Kind::two;
  refer(*p, "sip:" + user + "@" + book_.server.domain, [this, two](const Message* answer) {
    if (answer != nullptr && answer->status < 300 && two) fail("authority: a third one comes into a session of two");
  });
}

// --- NOTIFY

void Agent::on_notify(const std::string& key) {
  const Message m = servers_[key].request;
  const std::string& state = m.value("Subscription-State");
  if (!state.starts_with("active") && !state.starts_with("terminated") && !state.starts_with("pending"))
    return fail("Subscription-State: " + state);
  if (m.value("Event").starts_with("refer")) {
    if (!m.body.starts_with("SIP/2.0 ")) return fail("a NOTIFY of a REFER with " + m.body.substr(0, 200));
    ++book_.notified;
    return respond(key, party_of(m) == nullptr ? 481 : 200);
  }
  if (!m.value("Event").starts_with("conference")) return fail("a NOTIFY about " + m.value("Event"));
  for (auto& w : watches_) {
    if (w->dialog.call_id != m.value("Call-ID") || tag_of(w->dialog.local) != tag_of(m.value("To"))) continue;
    return on_conference(*w, key);
  }
  fail("a NOTIFY nobody asked for: " + servers_[key].bytes.substr(0, 600));
}

void Agent::on_conference(Watch& w, const std::string& key) {
  const Message& m = servers_[key].request;
  if (!may_watch(w)) return fail("authority: is told of " + w.foreign->name + ": " + m.body.substr(0, 300));
  if (w.dialog.remote.empty()) {
    w.dialog.remote = m.value("From");
    w.dialog.target = uri_of(m.value("Contact"));
    w.dialog.routes = m.values("Record-Route");
    std::reverse(w.dialog.routes.begin(), w.dialog.routes.end());
  } else if (tag_of(w.dialog.remote) != tag_of(m.value("From"))) {
    if (w.life == book_.server.life) return fail("a NOTIFY of another dialog");
    return respond(key, 481);
  }
  const unsigned seq = cseq_number(m);
  // What was behind another one has been answered before; it came late.
  if (seq < w.last_seq) return respond(key, 500);
  w.last_seq = seq;
  ++book_.notified;
  if (m.value("Subscription-State").starts_with("terminated")) w.over = true;
  respond(key, 200);
  if (m.body.empty()) return;
  using Step = tests::ConferenceReader::Step;
  const Step step = w.reader.take(m.body);
  if (step == Step::broken) return fail("roster: " + w.reader.fault() + ": " + m.body.substr(0, 600));
  if (step == Step::gap)
    return fail("roster: a document is missing behind version " + std::to_string(w.reader.version()) + ": " + m.body.substr(0, 200));
  const auto [before, fresh_one] = w.bodies.emplace(w.reader.version(), m.body);
  if (step == Step::discarded && !fresh_one && before->second != m.body)
    return fail("roster: two documents of version " + std::to_string(w.reader.version()));
  world_.journal.line("agent %u knows version %u, %s", number_, w.reader.version(), w.reader.last_state().c_str());
}

// --- SUBSCRIBE

void Agent::watch(std::uint64_t draw) {
  Party* const p = any_up(draw);
  if (p == nullptr || std::any_of(watches_.begin(), watches_.end(), [&](const auto& w) { return w->party == p && !w->over; })) return;
  subscribe(p->focus, p, nullptr);
}

void Agent::subscribe(const std::string& identity, Party* p, const Room* foreign) {
  watches_.push_back(std::make_unique<Watch>());
  Watch& w = *watches_.back();
  w.party = p;
  w.foreign = foreign;
  w.life = book_.server.life;
  w.began = world_.agenda.now();
  Message m = make("SUBSCRIBE", identity, identity);
  m.add("Event", "conference");
  m.add("Accept", "application/conference-info+xml");
  m.add("Expires", p == nullptr ? "600" : "3600");
  m.add("Contact", contact());
  if (traits_.anonymous) m.add("Privacy", "id");
  w.dialog.call_id = m.value("Call-ID");
  w.dialog.local = m.value("From");
  ask(std::move(m), usual_way(), [this, &w](const Message* answer) {
    if (answer == nullptr || answer->status >= 300) {
      w.over = true;
      return;
    }
    if (!may_watch(w)) return fail("authority: SUBSCRIBE from nobody in " + w.foreign->name);
    w.answered = true;
    w.dialog.remote = answer->value("To");
    w.dialog.target = uri_of(answer->value("Contact"));
    w.dialog.local_seq = cseq_number(*answer);
    if (ending_) unwatch(w);
  });
}

// A session may become its own while the SUBSCRIBE is on its way.
bool Agent::may_watch(const Watch& w) const { return w.foreign == nullptr || w.foreign->allowed.contains(user_); }

// RFC 6665 section 4.2.2: upon reestablishment of a network connection clients refresh what may be stale; a NOTIFY that could
// not be sent has ended it.
void Agent::refresh_watch(Watch& w, Duration delay) {
  if (std::exchange(w.refreshing, true)) return;
  after(delay, [this, &w] { send_refresh(w); });
}

void Agent::send_refresh(Watch& w) {
  w.refreshing = false;
  if (w.over || !w.answered || ending_ || w.life != book_.server.life) return;
  w.refreshing = true;
  Message m = in_dialog(w.dialog, "SUBSCRIBE");
  m.add("Event", "conference");
  m.add("Accept", "application/conference-info+xml");
  m.add("Expires", "3600");
  m.add("Contact", contact());
  (void)start(std::move(m), way_in(w.dialog), [this, &w](const Message* answer) {
    w.refreshing = false;
    if (answer != nullptr && answer->status < 300) return;
    // Section 4.1.2.2: other errors leave it as it was.
    const bool gone = answer != nullptr && (answer->status == 481 || answer->status == 403 || answer->status == 404);
    if (gone) {
      w.over = true;
    } else {
      refresh_watch(w, 2s);
    }
  });
}

void Agent::unwatch(Watch& w) {
  if (w.over || !w.answered) return;
  Message m = in_dialog(w.dialog, "SUBSCRIBE");
  m.add("Event", "conference");
  m.add("Expires", "0");
  m.add("Contact", contact());
  (void)start(std::move(m), way_in(w.dialog), nullptr);
}

void Agent::check_rosters() {
  for (const auto& w : watches_) {
    if (w->over || !w->answered || w->party == nullptr || w->life != book_.server.life) continue;
    const Party& p = *w->party;
    if (p.state != Party::State::up || !p.seat->is_in() || p.seat->room->life != book_.server.life) continue;
    if (!w->reader.has_state()) return fail("roster: nothing has come");
    std::map<std::string, int> wanted, told;
    int hidden = 0;
    for (const Seat* seat : p.seat->room->seats) {
      if (!seat->is_in()) continue;
      if (seat->anonymous) ++hidden;
      else wanted[seat->uri] += 1;
    }
    if (const auto* const users = w->reader.root().child("users")) {
      for (const auto& user : users->children) {
        for (const auto& endpoint : user.children) {
          if (endpoint.name != "endpoint") continue;
          const std::string status = endpoint.text_of("status");
          if (status != "connected" && status != "on-hold") continue;
          if (user.attribute("entity").find("@anonymous.invalid") != std::string::npos) --hidden;
          else told[user.attribute("entity")] += 1;
        }
      }
    }
    if (wanted == told && hidden == 0) continue;
    std::string text = "roster of " + p.seat->room->name + ": in are";
    for (const auto& [uri, n] : wanted) text += " " + uri + "*" + std::to_string(n);
    text += "; told are";
    for (const auto& [uri, n] : told) text += " " + uri + "*" + std::to_string(n);
    return fail(text + "; anonymous ones missing: " + std::to_string(hidden));
  }
}

}  // namespace parley::sim::rooms

// tests/sim/sip/agent_change.cc - see agent.h. What happens in calls beside their beginning and end: re-INVITE and
// UPDATE (RFC 3261 section 14, RFC 3311), INFO, reliable provisional responses (RFC 3262).
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {

namespace {

bool describes(const Message& m) { return !m.body.empty() && m.value("Content-Type") == "application/sdp"; }

}  // namespace

std::string Agent::describe() {
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=" + fresh("sdp") +
         "\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
}

void Agent::add_body(Message& m, const std::string& sdp) {
  if (sdp.empty()) return;
  m.add("Content-Type", "application/sdp");
  m.body = sdp;
}

void Agent::add_abilities(Message& m) const {
  m.add("Allow", std::string("INVITE, ACK, CANCEL, BYE, INFO, MESSAGE, REFER, NOTIFY, SUBSCRIBE") + (traits_.update ? ", UPDATE" : "") +
                     (traits_.reliable ? ", PRACK" : ""));
  const std::string known = std::string(traits_.timer ? "timer" : "") +
                            (traits_.timer && traits_.reliable ? ", " : "") + (traits_.reliable ? "100rel" : "");
  if (!known.empty()) m.add("Supported", known);
}

std::string Agent::dialog_of(const Message& request) const {
  return dialog_key(request.value("Call-ID"), request.value("To"), request.value("From"));
}

void Agent::begin_side(Dialog& d, const std::string& ref) {
  d.ref = ref;
  auto& sides = book_.sessions[ref].sides;
  d.side = sides.size();
  d.counted = true;
  sides.push_back({number_, book_.life, false, {}, true, world_.agenda.now(), d.call_id});
}

void Agent::over(Dialog& d) {
  d.over = true;
  if (d.ref.empty() || !d.counted) return;
  Book::Side& side = book_.sessions[d.ref].sides[d.side];
  if (!std::exchange(side.over, true)) side.over_at = world_.agenda.now();
}

// What may be done while it lasts, and when it ends.
void Agent::talk_more(const std::string& dialog) {
  Dialog& d = dialogs_[dialog];
  const bool caller = d.answered.empty();
  const Instant now = world_.agenda.now();
  const bool lasts = rng_.permille(traits_.long_permille) || now > book_.calm_at;
  d.lasts = lasts;
  Book::Call& call = book_.sessions[d.ref];
  if (!caller && rng_.coin(1, 3)) call.together = now + 1s + some(3s);
  if (rng_.permille(traits_.change_permille)) {
    if (call.together > now) {
      after(call.together - now, [this, dialog, updates = rng_.coin(1, 3)] {
        updates ? update(dialog, true) : re_invite(dialog);
      });
    }
    for (std::uint64_t n = rng_.between(1, 3); n > 0; --n) {
      after(500ms + some(lasts ? 200s : 5s), [this, dialog, what = rng_.next() % 6] {
        if (what < 2)
          re_invite(dialog);
        else if (what < 4)
          update(dialog, what == 2);
        else if (what == 4)
          inform(dialog);
        else
          refer(dialog);
      });
    }
  }
  // Either side may end it; the caller in any case.
  if (caller || rng_.coin(1, 3))
    after(lasts ? 60s + some(400s) : some(8s) + (caller ? 1s : 0s), [this, dialog] { hang_up(dialog); });
}

// --- changes of ours

// Nothing else is under way.
bool Agent::may_change(const Dialog& d) {
  return !d.offering && !d.asked && (d.answered.empty() || servers_[d.answered].acked);
}

void Agent::re_invite(const std::string& dialog, bool refresh, bool rude) {
  Dialog& d = dialogs_[dialog];
  if (d.over || (!rude && !may_change(d))) return;
  d.offering = true;
  if (rude) overtake(d.call_id);
  const Way way = way_in(d);
  Message m = in_dialog(d, "INVITE", ++d.local_seq);
  m.add("Contact", contact(way.stream));
  if (book_.timers) {
    add_abilities(m);
    ask_timer(m, &d, d.least);
    if (refresh || !rng_.permille(traits_.late_offer_permille)) add_body(m, describe());
  } else {
    add_body(m, plain_sdp);
  }
  const std::string call_id = d.call_id;
  (void)start(m, way, [this, dialog, m](const Message* answer) { changed(dialog, m, answer); });
  if (legs() && this->rude(3)) rudely(some(3s), [this, call_id] { cancel_call(call_id); });
  after(20s, [this, call_id] { cancel_call(call_id); });
}

void Agent::update(const std::string& dialog, bool sdp, bool rude, const std::string& text) {
  Dialog& d = dialogs_[dialog];
  if (d.over || !d.peer_updates || (!rude && !may_change(d))) return;
  d.offering = true;
  const Way way = way_in(d);
  Message m = in_dialog(d, "UPDATE", ++d.local_seq);
  m.add("Contact", contact(way.stream));
  add_abilities(m);
  ask_timer(m, &d, d.least);
  if (sdp) add_body(m, describe());
  if (!text.empty()) m.add("Content-Type", "text/plain"), m.body = text;
  (void)start(m, way, [this, dialog, m](const Message* answer) { changed(dialog, m, answer); });
}

void Agent::inform(const std::string& dialog) {
  Dialog& d = dialogs_[dialog];
  if (d.over) return;
  const Way way = way_in(d);
  Message m = in_dialog(d, rng_.coin(1, 2) ? "INFO" : "MESSAGE", ++d.local_seq);
  m.add("Content-Type", "text/plain");
  m.body = fresh("text");
  (void)start(std::move(m), way, [this, dialog](const Message* answer) {
    if (answer == nullptr || answer->status == 481 || answer->status == 408) hang_up(dialog);
  });
}

void Agent::changed(const std::string& dialog, const Message& asked, const Message* answer) {
  Dialog& d = dialogs_[dialog];
  d.offering = false;
  const bool invite = asked.method == "INVITE";
  if (answer == nullptr || answer->status == 481 || answer->status == 408) return hang_up(dialog);
  if (answer->status < 300) {
    if (describes(*answer)) d.given = answer->body;
    const bool owed = book_.timers && asked.body.empty();
    const bool deaf = legs() && rng_.permille(traits_.no_ack_permille);
    if (deaf && rude(2)) rudely(t1_64 - some(4s), [this, dialog] { update(dialog, true, true); });
    if (invite && !deaf) acknowledge_some_time(dialog, cseq_number(*answer), {}, owed && !lacks() ? describe() : "");
    if (book_.timers && !d.over) timer_answered(dialog, asked, *answer);
    return;
  }
  if (answer->status == 422) {
    const auto least = static_cast<std::uint32_t>(std::atoi(answer->value("Min-SE").c_str()));
    if (!too_short(asked, least)) return fail("a 422 with Min-SE " + answer->value("Min-SE"));
    d.least = std::max(d.least, least);
  }
  if (answer->status == 491) {
    after(some(4s),
          [this, dialog, invite, sdp = describes(asked)] { invite ? re_invite(dialog) : update(dialog, sdp); });
  } else if (d.we_refresh && asked.has("Session-Expires")) {
    after(3s + some(4s), [this, dialog, round = d.round] { refresh(dialog, round); });
  }
}

// --- theirs

void Agent::on_change(const std::string& key) {
  const Message& m = servers_[key].request;
  const std::string dialog = dialog_of(m);
  const auto found = dialogs_.find(dialog);
  if (found == dialogs_.end() || found->second.over) return respond(key, 481);
  Dialog& d = found->second;
  if (cseq_number(m) <= d.remote_seq) return respond(key, 500);  // another one was faster
  d.remote_seq = cseq_number(m);
  if (!m.has("Subject")) d.tried = d.round;
  const bool offer = m.method == "INVITE" || describes(m);
  if (m.method != "INVITE") d.forgetful = d.forgetful || rude(d.early ? 2 : 6);
  if (d.forgetful && traits_.rude_permille != 0) return respond(key, rng_.coin(2, 3) ? 481 : 410);
  if (on_refer(key, dialog)) return;
  if (m.method != "INVITE" && m.method != "UPDATE")
    return respond(key, m.method == "INFO" || m.method == "MESSAGE" ? 200 : 501);
  if (m.method == "INVITE" && !d.ack.empty() && rude(3)) (void)wire_.send(d.ack_way, d.ack);  // once more
  if (m.method == "INVITE" && rude(d.lasts ? 3 : 10)) return respond(key, 183);  // and no more
  if (offer && d.offering) return respond(key, 491);
  if (offer && d.asked) return respond(key, 500, {}, {{"Retry-After", "1"}});
  if (too_short(m)) return respond(key, 422, {}, {{"Min-SE", std::to_string(traits_.min_se)}});
  if (offer && rng_.permille(traits_.decline_permille / 3)) {
    static constexpr int bad[] = {488, 488, 488, 481, 408, 500, 504, 603};
    return respond(key, bad[rng_.next() % 8]);
  }
  if (!offer) return answer_change(key, dialog);
  d.asked = true;
  if (m.method == "INVITE") {  // RFC 3261 section 17.2.1
    after(200ms, [this, key] {
      if (servers_[key].status == 0 && !servers_[key].forgotten) respond(key, 100);
    });
  }
  after(some(traits_.answer_max), [this, key, dialog] { answer_change(key, dialog); });
}

void Agent::answer_change(const std::string& key, const std::string& dialog) {
  Dialog& d = dialogs_[dialog];
  const Message m = servers_[key].request;
  const bool offer = m.method == "INVITE" || describes(m);
  if (offer) d.asked = false;
  if (servers_[key].status >= 200) return;
  if (d.over) return respond(key, m.method == "INVITE" ? 487 : 481);
  d.target = uri_of(m.value("Contact"));
  if (m.method == "INVITE" && m.has("Subject")) d.held = d.given;
  if (describes(m)) d.given = m.body;
  Message more;
  add_abilities(more);
  Fields fields = more.fields;
  grant_timer(m, fields, dialog);
  respond(key, 200, offer && !(legs() && lacks()) ? describe() : "", fields);
  if (m.method == "INVITE" && rude(2)) {  // before its ACK
    static constexpr std::uint64_t acts[] = {0, 7, 11, 12, 12};
    rudely(some(4s), [this, dialog, act = acts[rng_.next() % 5]] { bother_once(dialog, act); });
  }
}

// --- reliable provisional responses

// As a caller: its PRACK, with an answer where the response made the offer.
void Agent::on_reliable(const Message& m, const Client& c) {
  if (!m.lists("Require", "100rel") || c.over) return;
  if (!c.request.lists("Supported", "100rel") && !c.request.lists("Require", "100rel"))
    return fail("a reliable response for who knows none");
  const std::string key = dialog_key(m.value("Call-ID"), m.value("From"), m.value("To"));
  const auto [at, fresh_one] = dialogs_.try_emplace(key);
  Dialog& d = at->second;
  if (!d.early) return;
  const std::string rack = m.value("RSeq") + " " + c.request.value("CSeq");
  if (fresh_one) {
    d.call_id = m.value("Call-ID");
    d.local = m.value("From");
    d.remote = m.value("To");
    d.ref = c.request.value("Subject");
    d.local_seq = cseq_number(m);
    d.deaf = rng_.permille(traits_.no_answer_permille);
  } else {
    const int next = std::atoi(d.prack.c_str()) + 1;
    if (std::atoi(rack.c_str()) != next) return;  // once more, or one is missing
  }
  d.prack = rack;
  d.target = uri_of(m.value("Contact"));
  if (!m.body.empty()) d.given = m.body;
  if (d.deaf) return;
  const bool answers = c.request.body.empty() && !m.body.empty() && !lacks();
  if (rude(2)) return after(some(25s), [this, key, rack, answers] { send_prack(key, rack, answers); });
  send_prack(key, rack, answers);
}

void Agent::send_prack(const std::string& key, const std::string& rack, bool answers) {
  Dialog& d = dialogs_[key];
  const Way way = way_in(d);
  Message prack = in_dialog(d, "PRACK", ++d.local_seq);
  prack.add("RAck", rack);
  if (answers) add_body(prack, describe());
  (void)start(std::move(prack), way, [this, key](const Message*) {
    if ((rng_.coin(1, 6) || rude(3)) && world_.agenda.now() < book_.calm_at) update_early(key);
  });
}

// Its callee knows no dialog before its 2xx: for such a one the call is lost.
void Agent::update_early(const std::string& key) {
  Dialog& d = dialogs_[key];
  if (!d.early || !traits_.update) return;
  const Way way = way_in(d);
  Message m = in_dialog(d, "UPDATE", ++d.local_seq);
  m.add("Contact", contact(way.stream));
  add_abilities(m);
  if (rng_.coin(1, 2)) add_body(m, describe());
  (void)start(std::move(m), way, [](const Message*) {});
}

void Agent::ring_reliably(const std::string& key) {
  Server& s = servers_[key];
  if (s.waits_prack) return;
  s.rseq = s.rseq == 0 ? rng_.between32(1, 1'000'000) : s.rseq + 1;
  s.waits_prack = true;
  const bool sdp = !s.holds_sdp && rng_.coin(2, 3);
  s.holds_sdp = s.holds_sdp || sdp;
  Message more;
  add_abilities(more);
  Fields fields = more.fields;
  fields.emplace_back("Require", "100rel");
  fields.emplace_back("RSeq", std::to_string(s.rseq));
  respond(key, 183, sdp ? describe() : "", fields);
  s.reliable = s.last;
  after(t1, [this, key, began = world_.agenda.now()] { repeat_reliable(key, t1, began); });
}

void Agent::repeat_reliable(const std::string& key, Duration interval, Instant began) {
  Server& s = servers_[key];
  if (!s.waits_prack || s.status >= 200 || s.forgotten) return;
  if (world_.agenda.now() - began >= t1_64) return respond(key, 504);
  Server again = s;
  again.last = s.reliable;
  send_back(again);
  after(interval * 2, [this, key, interval, began] { repeat_reliable(key, interval * 2, began); });
}

void Agent::on_prack(const std::string& key) {
  const Message& m = servers_[key].request;
  for (auto& [other, s] : servers_) {
    if (s.request.method != "INVITE" || s.request.value("Call-ID") != m.value("Call-ID")) continue;
    if (s.tag != tag_of(m.value("To")) || !tag_of(s.request.value("To")).empty()) continue;
    const std::string expected = std::to_string(s.rseq) + " " + s.request.value("CSeq");
    if (m.value("RAck") != expected) {
      if (!liar_ && std::strtoul(m.value("RAck").c_str(), nullptr, 10) >= s.rseq)
        fail("RAck: " + m.value("RAck") + ", expected " + expected);
      return respond(key, 481);
    }
    s.waits_prack = false;
    if (!m.body.empty()) {
      s.answer = m.body;
      const auto d = dialogs_.find(dialog_of(m));
      if (d != dialogs_.end() && !d->second.early) d->second.given = m.body;
    }
    respond(key, 200);
    if (s.status < 200) ring_rudely(other);
    return;
  }
  respond(key, 481);
}

}  // namespace parley::sim::sip

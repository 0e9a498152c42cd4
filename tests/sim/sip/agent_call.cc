// tests/sim/sip/agent_call.cc - see agent.h. Calls: INVITE, CANCEL, ACK, BYE, re-INVITE (RFC 3261 sections 9, 12 to
// 15).
#include <algorithm>
#include <utility>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {
// --- calling

void Agent::call(const std::string& user, int* result, int* bye_result) {
  if (gone_ || ending_) return;
  const std::string to = "sip:" + user + "@" + book_.domain;
  const Way way = usual_way();
  Message m = make("INVITE", to, to);
  m.add("Contact", contact(way.stream));
  if (book_.timers) {
    const std::string ref = fresh("ref");
    m.add("Subject", ref);
    add_abilities(m);
    if (traits_.requires_reliable && rng_.coin(1, 4)) m.add("Require", "100rel");
    ask_timer(m, nullptr);
    if (result != nullptr || !rng_.permille(traits_.late_offer_permille)) add_body(m, describe());
    book_.sessions[ref].sides.push_back(
        {number_, book_.life, false, {}, false, world_.agenda.now(), m.value("Call-ID")});
  } else {
    add_body(m, plain_sdp);
  }
  const std::string call_id = m.value("Call-ID");
  ++book_.calls;
  invite(std::move(m), way, result, bye_result);
  if (result == nullptr) call_rudely(call_id);
  const bool early = result == nullptr && rng_.permille(traits_.cancel_permille);
  // Who waits without an end gets one from the server's Timer C.
  const bool patient = !early && result == nullptr && rng_.coin(1, 4);
  if (!patient) after(early ? some(6s) : 25s, [this, call_id] { cancel_call(call_id); });
}

void Agent::invite(Message m, const Way& way, int* result, int* bye_result) {
  start_with_credentials(m, way, [this, m, way, result, bye_result](const Message* answer) {
    if (answer != nullptr && answer->status == 422) {  // RFC 4028 section 7.3
      const auto least = static_cast<std::uint32_t>(std::atoi(answer->value("Min-SE").c_str()));
      if (!too_short(m, least)) return fail("a 422 with Min-SE " + answer->value("Min-SE"));
      Message again = m;
      std::erase_if(again.fields, [](const auto& f) { return f.first == "Session-Expires" || f.first == "Min-SE"; });
      ask_timer(again, nullptr, least);
      for (auto& [name, text] : again.fields) {
        if (name == "CSeq") text = std::to_string(cseq_number(*answer) + 1) + " INVITE";
      }
      return invite(std::move(again), wire_.alive(way) ? way : usual_way(), result, bye_result);
    }
    if (answer != nullptr && answer->status >= 300) {  // RFC 3261 section 12.3
      for (auto& [key, d] : dialogs_) d.over = d.over || (d.early && d.call_id == m.value("Call-ID"));
    }
    if (answer != nullptr && answer->status >= 300 && m.has("Subject")) {
      Book::Side& side = book_.sessions[m.value("Subject")].sides[0];
      side.over = true;
      side.over_at = world_.agenda.now();
    }
    on_call_answer(answer, result, bye_result);
  });
}

void Agent::on_call_answer(const Message* m, int* result, int* bye_result) {
  if (m == nullptr || m->status >= 300) {
    if (result != nullptr) *result = m == nullptr ? 408 : m->status;
    return;
  }
  if (result != nullptr) *result = m->status;
  const std::string key = dialog_key(m->value("Call-ID"), m->value("From"), m->value("To"));
  if (dialogs_.contains(key) && !dialogs_[key].early) return;
  const bool first = std::none_of(dialogs_.begin(), dialogs_.end(), [&](const auto& d) {
    return !d.second.early && d.second.call_id == m->value("Call-ID");
  });
  Dialog& d = dialogs_[key];
  d.early = false;
  d.call_id = m->value("Call-ID");
  d.local = m->value("From");
  d.remote = m->value("To");
  d.target = uri_of(m->value("Contact"));
  d.routes = m->values("Record-Route");
  std::reverse(d.routes.begin(), d.routes.end());
  d.local_seq = std::max(d.local_seq, cseq_number(*m));
  d.bye_result = bye_result;
  if (d.routes.empty() && !legs()) return fail("a 2xx for INVITE without Record-Route");
  const auto invite = clients_.find(branch_of(*m) + " INVITE");
  const bool owed = book_.timers && invite != clients_.end() && invite->second.request.body.empty() && d.prack.empty();
  if (legs() && rng_.permille(traits_.no_ack_permille)) {
    d.deaf = true;  // nor will it repeat what it has not sent
  } else {
    acknowledge_some_time(key, cseq_number(*m), branch_of(*m), owed && !lacks() ? describe() : "");
  }
  if (book_.timers && invite != clients_.end()) {
    const Message asked = invite->second.request;
    if (first) {
      d.ref = asked.value("Subject");  // its side is the first
      d.side = 0;
      book_.sessions[d.ref].sides[0].confirmed = true;
    } else {
      begin_side(d, asked.value("Subject"));
    }
    if (!m->body.empty()) d.given = m->body;
    d.peer_updates = traits_.update && m->lists("Allow", "UPDATE");
    timer_answered(key, asked, *m);
  }
  const bool unwanted = !first || ending_ || (invite != clients_.end() && invite->second.cancelled);
  if (unwanted) {  // another branch has answered as well, or it is too late
    after(some(500ms), [this, key] { hang_up(key); });
  } else {
    talk(key);
  }
  bother(key);
}

void Agent::talk(const std::string& dialog) {
  if (book_.timers && dialogs_[dialog].bye_result == nullptr) return talk_more(dialog);
  const bool caller = dialogs_[dialog].answered.empty();
  if (dialogs_[dialog].bye_result == nullptr && rng_.coin(1, 3)) after(some(3s), [this, dialog] { re_invite(dialog); });
  // Either side may end it; the caller in any case.
  if (caller || rng_.coin(1, 3)) after(some(8s) + (caller ? 1s : 0s), [this, dialog] { hang_up(dialog); });
}

// Goes to every hop as the INVITE went; not before something was heard (RFC 3261 section 9.1).
void Agent::cancel_call(const std::string& call_id) {
  for (auto& [key, c] : clients_) {
    if (c.over || c.status >= 200 || c.request.method != "INVITE" || c.request.value("Call-ID") != call_id) continue;
    if (c.provisional == 0) {
      after(200ms, [this, call_id] { cancel_call(call_id); });
      return;
    }
    if (c.cancelled) return;
    c.cancelled = true;
    ++book_.cancelled;
    if (legs() && tag_of(c.request.value("To")).empty() && rng_.coin(1, 3) && end_early(c.request)) return;
    const std::string invite = key;
    send_cancel(invite);
    after(t1_64 + 10s, [this, invite] { check_cancelled(invite); });
    return;
  }
}

void Agent::send_cancel(const std::string& invite) {
  const Client& c = clients_[invite];
  Message m;
  m.request = true;
  m.method = "CANCEL";
  m.uri = c.request.uri;
  m.add("Via", c.request.fields.front().second);
  m.add("Max-Forwards", "70");
  for (const char* name : {"From", "To", "Call-ID"}) m.add(name, c.request.value(name));
  m.add("CSeq", std::to_string(cseq_number(c.request)) + " CANCEL");
  for (const std::string& route : c.request.values("Route")) m.add("Route", route);
  const std::string own = branch_of(m) + " CANCEL";
  Client& cancel = clients_[own];
  cancel.bytes = write(m);
  cancel.request = std::move(m);
  cancel.way = c.way;
  cancel.began = world_.agenda.now();
  cancel.life = book_.life;
  if (!wire_.send(cancel.way, cancel.bytes)) end(cancel);
  if (!cancel.way.stream) after(t1, [this, own] { repeat(own); });
  after(t1_64, [this, own] { give_up(own); });
}

// A caller may end an early dialog by BYE, and with it the call where it is the only one (RFC 3261 section 15).
bool Agent::end_early(const Message& invite) {
  for (auto& [key, d] : dialogs_) {
    if (!d.early || d.call_id != invite.value("Call-ID")) continue;
    // Its INVITE is answered all the same (section 15.1.2): by 487, or by a 2xx that crosses the BYE and comes again.
    (void)start(in_dialog(d, "BYE", ++d.local_seq), way_in(d), [](const Message*) {});
    return true;
  }
  return false;
}

// Who has taken a CANCEL owes a final response when the callees have had their time.
void Agent::check_cancelled(const std::string& key) {
  Client& c = clients_[key];
  if (c.over || c.status >= 200) return;
  const Client& cancel = clients_[branch_of(c.request) + " CANCEL"];
  const bool taken = cancel.status == 200 && cancel.life == c.life;
  if (taken && !excused(c) && !missed(c) && !c.way.stream && !book_.answered.contains(c.request.value("Call-ID")) &&
      world_.agenda.now() - cancel.began > t1_64 + 5s + world_.time_slack()) {
    return fail("a cancelled INVITE without a final response: " + key);
  }
  if (legs() && taken && c.way.stream) return;  // a connection may be slow, but what it lives on brings one: see waiting()
  end(c);
}

// --- being called

void Agent::on_invite(const std::string& key) {
  const Message& m = servers_[key].request;
  if (!tag_of(m.value("To")).empty() && book_.timers) return on_change(key);
  if (!tag_of(m.value("To")).empty()) {
    const auto found = dialogs_.find(dialog_key(m.value("Call-ID"), m.value("To"), m.value("From")));
    if (found == dialogs_.end() || found->second.over) return respond(key, 481);
    if (found->second.offering) return respond(key, 491);
    found->second.remote_seq = cseq_number(m);
    found->second.target = uri_of(m.value("Contact"));
    return respond(key, 200, plain_sdp);
  }
  if (book_.timers && too_short(m)) return respond(key, 422, {}, {{"Min-SE", std::to_string(traits_.min_se)}});
  const bool reliable = legs() && traits_.reliable && (m.lists("Require", "100rel") || m.lists("Supported", "100rel"));
  if (rude(8)) return be_stubborn(key);
  ring_rudely(key);
  const Duration ring = some(800ms);
  for (int n = rng_.coin(1, 4) ? 3 : 1; n > 0; --n) {
    after(ring * n, [this, key, n, reliable] {
      if (servers_[key].status >= 200 || servers_[key].forgotten) return;
      if (reliable && (servers_[key].request.lists("Require", "100rel") || rng_.coin(1, 2))) return ring_reliably(key);
      respond(key, n == 1 ? 180 : 183);
    });
  }
  after(ring + some(traits_.answer_max * 3), [this, key] { answer_call(key); });
}

void Agent::answer_call(const std::string& key) {
  Server& s = servers_[key];
  const Message& m = s.request;
  if (s.status >= 200 || s.forgotten) return;
  if (s.waits_prack && !rng_.permille(traits_.no_answer_permille) && !rude(2))
    return after(500ms, [this, key] { answer_call(key); });
  if (rng_.permille(traits_.silent_permille)) return;  // it rings and rings
  if (rng_.permille(traits_.decline_permille)) {
    static constexpr int bad[] = {486, 603, 302, 404, 480, 503, 500, 600};
    return respond(key, bad[rng_.next() % 8]);
  }
  const std::string local = m.value("To") + ";tag=" + s.tag;
  const std::string dialog = dialog_key(m.value("Call-ID"), local, m.value("From"));
  Dialog& d = dialogs_[dialog];
  d.call_id = m.value("Call-ID");
  d.local = local;
  d.remote = m.value("From");
  d.target = uri_of(m.value("Contact"));
  d.routes = m.values("Record-Route");
  d.remote_seq = cseq_number(m);
  d.local_seq += static_cast<unsigned>(rng_.between(1, 1000));
  d.answered = key;
  d.early = false;
  book_.answered.insert(d.call_id);
  if (book_.timers) {
    begin_side(d, m.value("Subject"));
    d.given = s.answer.empty() ? m.body : s.answer;
    d.peer_updates = traits_.update && m.lists("Allow", "UPDATE");
    Message more;
    add_abilities(more);
    Fields fields = more.fields;
    grant_timer(m, fields, dialog);
    respond(key, 200, s.holds_sdp || lacks() ? "" : describe(), fields);
  } else {
    respond(key, 200, plain_sdp);
  }
  if (rng_.permille(traits_.late_ok_permille)) {  // and changes its mind, which nobody may hear of
    const Server kept = s;
    respond(key, 486);
    servers_[key] = kept;
  }
  talk(dialog);
  bother(dialog);
}

void Agent::on_cancel(const std::string& key) {
  const std::string invite = key.substr(0, key.find(' ')) + " INVITE";
  const auto found = servers_.find(invite);
  if (found == servers_.end()) return respond(key, 481);
  // RFC 3261 section 9.1. By a stream it comes behind its INVITE.
  if (found->second.last.empty() && !liar_) fail("a CANCEL before anything was answered");
  if (found->second.status < 200 && rng_.permille(traits_.silent_permille)) {
    found->second.forgotten = true;
    return;
  }
  servers_[key].tag = found->second.tag;
  respond(key, 200);
  if (found->second.status >= 200 || found->second.stubborn || rng_.permille(traits_.late_ok_permille))
    return;  // an answer may come all the same
  respond(invite, 487);
}

void Agent::on_bye(const std::string& key) {
  const Message& m = servers_[key].request;
  const auto found = dialogs_.find(dialog_key(m.value("Call-ID"), m.value("To"), m.value("From")));
  if (found == dialogs_.end()) return respond(key, 481);
  over(found->second);
  if (found->second.bye_result != nullptr) *found->second.bye_result = 200;
  // A 2xx that is not acknowledged yet is not repeated any more.
  if (!found->second.answered.empty()) servers_[found->second.answered].acked = true;
  if (!rude(2)) return respond(key, 200);
  after(some(20s), [this, key] { respond(key, 200); });
  rudely(some(2s), [this, dialog = found->first, act = rng_.next() % 7] { bother_once(dialog, act); });
}

// --- in a dialog

Message Agent::in_dialog(const Dialog& d, const std::string& method, unsigned number) {
  Message m;
  m.request = true;
  m.method = method;
  m.uri = d.target;
  m.add("Max-Forwards", "70");
  m.add("From", d.local);
  m.add("To", d.remote);
  m.add("Call-ID", d.call_id);
  m.add("CSeq", std::to_string(number) + " " + method);
  m.add("X-Sim", "in dialog");
  if (legs()) m.add("Subject", fresh("ref"));
  for (const std::string& route : d.routes) m.add("Route", route);
  return m;
}

Way Agent::way_in(const Dialog& d) {
  if (d.routes.empty()) return legs() && !d.target.empty() ? way_of(d.target) : usual_way();
  return way_of(uri_of(d.routes.front()));
}

void Agent::acknowledge(Dialog& d, unsigned number, const std::string& invite_branch, const std::string& body) {
  d.ack_seq = number;
  d.ack_way = way_in(d);
  Message ack = in_dialog(d, "ACK", number);
  add_body(ack, body);
  if (legs()) note(ack);
  const std::string branch = traits_.old_ack && !invite_branch.empty() ? invite_branch : "z9hG4bK" + fresh("b");
  ack.fields.insert(ack.fields.begin(), {"Via", via(d.ack_way, branch)});
  d.ack = write(ack);
  (void)wire_.send(d.ack_way, d.ack);
}

void Agent::hang_up(const std::string& dialog) {
  Dialog& d = dialogs_[dialog];
  if (d.over || d.early) return;
  if (!d.answered.empty()) {  // not before the ACK, or the end of waiting for it (RFC 3261 section 15)
    const Server& s = servers_[d.answered];
    if (!s.acked && world_.agenda.now() - s.sent < t1_64) {
      after(1s, [this, dialog] { hang_up(dialog); });
      return;
    }
  }
  over(d);
  const Way way = way_in(d);
  (void)start(in_dialog(d, "BYE", ++d.local_seq), way, [bye = d.bye_result](const Message* answer) {
    if (bye != nullptr) *bye = answer == nullptr ? 408 : answer->status;
  });
}

}  // namespace parley::sim::sip

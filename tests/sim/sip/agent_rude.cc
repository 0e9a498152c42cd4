// tests/sim/sip/agent_rude.cc - see agent.h. What a user agent does at a bad moment: messages that cross others, come too
// early, too late or again. Some of it the RFCs allow, some of it they forbid; the server takes it as they say, and
// whoever is on the other side sees nothing that he could not have seen anyway.
#include <utility>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {

bool Agent::rude(std::uint64_t of) { return rng_.permille(traits_.rude_permille) && rng_.coin(1, of); }

// Not when the troubles are over.
void Agent::rudely(Duration delay, std::function<void()> act) {
  after(delay, [this, act = std::move(act)] {
    if (traits_.rude_permille != 0) act();
  });
}

// --- as a caller

// At once, as it should be; or when the 2xx has come a few times. With a description that nobody asked for.
void Agent::acknowledge_some_time(const std::string& dialog, unsigned number, const std::string& branch,
                                  std::string body) {
  if (body.empty() && rude(6)) body = describe();
  if (!rude(2)) return acknowledge(dialogs_[dialog], number, branch, body);
  after(some(25s), [this, dialog, number, branch, body] { acknowledge(dialogs_[dialog], number, branch, body); });
  if (rude(2)) rudely(some(4s), [this, dialog] { say_before_ack(dialog); });
}

// More, although the other side waits for the ACK.
void Agent::say_before_ack(const std::string& dialog) {
  if (rng_.coin(1, 3)) return bother_once(dialog, 6);
  update(dialog, true, true);
  if (rng_.coin(1, 2)) rudely(some(1s), [this, dialog] { re_invite(dialog, false, true); });
}

// While it rings: an ACK for what has not been answered; or the connection breaks, on which alone it can be called.
void Agent::call_rudely(const std::string& call_id) {
  if (traits_.no_accept && rude(4)) rudely(some(4s), [this] { cut(); });
  if (!rude(2)) return;
  rudely(some(6s), [this, call_id] {
    for (const auto& [key, c] : clients_) {
      if (c.over || c.request.method != "INVITE" || c.request.value("Call-ID") != call_id || c.early_target.empty())
        continue;
      Dialog d;
      d.call_id = call_id;
      d.local = c.request.value("From");
      d.remote = c.early_to;
      d.target = c.early_target;
      return acknowledge_blind(std::string(key), std::move(d));
    }
  });
}

// --- as a callee

// The dialog that a 1xx of ours has made, before its call is answered.
std::string Agent::early_dialog(const std::string& key) {
  const Server& s = servers_[key];
  const Message& m = s.request;
  const std::string local = m.value("To") + ";tag=" + s.tag;
  const std::string dialog = dialog_key(m.value("Call-ID"), local, m.value("From"));
  const auto [at, fresh_one] = dialogs_.try_emplace(dialog);
  if (!fresh_one) return dialog;
  Dialog& d = at->second;
  d.call_id = m.value("Call-ID");
  d.local = local;
  d.remote = m.value("From");
  d.target = uri_of(m.value("Contact"));
  d.remote_seq = cseq_number(m);
  d.local_seq = 1;
  d.ref = m.value("Subject");
  d.counted = false;
  d.peer_updates = traits_.update && m.lists("Allow", "UPDATE");
  return dialog;
}

// While it rings: a BYE, which no callee may send, or an offer, which it may when the first one has been answered.
void Agent::ring_rudely(const std::string& key) {
  if (!rude(3)) return;
  rudely(some(6s), [this, key, byes = rng_.coin(1, 3)] {
    const Server& s = servers_[key];
    if (s.status <= 100 || s.status >= 200 || s.forgotten) return;
    const std::string dialog = early_dialog(key);
    if (byes) return say(dialog, "BYE");
    if (!s.holds_sdp || s.waits_prack) return say(dialog, "INFO");
    Dialog& d = dialogs_[dialog];
    d.offering = false;
    update(dialog, true, true);
  });
}

// It rings when it likes, heeds no CANCEL, and answers when nobody waits any more.
void Agent::be_stubborn(const std::string& key) {
  servers_[key].stubborn = true;
  const Duration first = std::chrono::milliseconds(rng_.between(0, 12'000));
  for (Duration at = first; at < 39s; at += 2s) {
    after(at, [this, key] {
      if (servers_[key].status < 200) respond(key, 180);
    });
  }
  after(30s + some(8s), [this, key] { answer_call(key); });
}

// --- on either side

// In its place in the order of the dialog, whatever has become of that.
void Agent::say(const std::string& dialog, const std::string& method) {
  Dialog& d = dialogs_[dialog];
  const Way way = way_in(d);
  (void)start(in_dialog(d, method, ++d.local_seq), way, [](const Message*) {});
}

// What is answered already.
void Agent::cancel_late(const Dialog& d) {
  for (const auto& [key, c] : clients_) {
    if (c.request.method != "INVITE" || c.request.value("Call-ID") != d.call_id || c.life != book_.life) continue;
    if (clients_.contains(branch_of(c.request) + " CANCEL") || c.status < 200) continue;
    return send_cancel(std::string(key));
  }
}

// Its 2xx, whether they have been acknowledged or not.
void Agent::answer_again(const Dialog& d) {
  for (const auto& [key, s] : servers_) {
    if (s.request.method != "INVITE" || s.request.value("Call-ID") != d.call_id) continue;
    if (s.status >= 200 && s.status < 300 && world_.agenda.now() - s.sent < 30s) send_back(s);
  }
}

// An INVITE of ours that waits for its final response.
void Agent::acknowledge_early(const Dialog& d) {
  for (const auto& [key, c] : clients_) {
    if (c.request.method != "INVITE" || c.request.value("Call-ID") != d.call_id || c.over) continue;
    return acknowledge_blind(std::string(key), d);
  }
}

// Who has done that waits in vain where the 2xx was there already, and lost.
void Agent::acknowledge_blind(const std::string& invite, Dialog d) {
  acknowledge(d, cseq_number(clients_[invite].request));
  go_blind(invite);
}

// One more INVITE in a dialog says as much as an ACK of those before it: their 2xx was there, and only the ACK has been lost
// (RFC 5407 section 3.1.4).
void Agent::overtake(const std::string& call_id) {
  for (const auto& [key, c] : clients_) {
    if (c.request.method == "INVITE" && c.request.value("Call-ID") == call_id && !c.over && c.status < 200) go_blind(key);
  }
}

void Agent::go_blind(const std::string& invite) {
  clients_[invite].blind = true;
  after(t1_64, [this, invite] {
    Client& own = clients_[invite];
    if (!own.over && own.status < 200 && missed(own)) end(own);
  });
}

void Agent::bother(const std::string& dialog) {
  if (!legs() || !rude(1)) return;
  for (std::uint64_t n = rng_.between(1, 8); n > 0; --n) {
    rudely(some(40s), [this, dialog, act = rng_.next() % 14] { bother_once(dialog, act); });
  }
}

void Agent::bother_once(const std::string& dialog, std::uint64_t act) {
  Dialog& d = dialogs_[dialog];
  ++world_.journal.faults;
  world_.journal.line("agent %u is rude, %llu", number_, static_cast<unsigned long long>(act));
  switch (act) {
    case 0:  // the last ACK again
      if (!d.ack.empty()) (void)wire_.send(d.ack_way, d.ack);
      return;
    case 1:
    case 2: return cancel_late(d);
    case 3:  // the last PRACK again
      if (!d.prack.empty()) send_prack(dialog, d.prack, false);
      return;
    case 4:  // one more BYE
      if (d.over) say(dialog, "BYE");
      return;
    case 5:  // a BYE, before the ACK or not
      if (d.over || d.early) return;
      over(d);
      if (!d.answered.empty()) servers_[d.answered].acked = true;  // it waits for none
      return say(dialog, "BYE");
    case 6:
      for (int n = 0; n < 3; ++n) say(dialog, "INFO");
      return;
    case 7: return re_invite(dialog, false, true);
    case 8: return update(dialog, true, true);
    case 9:  // an offer, and one more at once
      update(dialog, true, true);
      return re_invite(dialog, false, true);
    case 10:
      re_invite(dialog, false, true);
      return rudely(some(1s), [this, dialog] {
        update(dialog, true, true);
        if (rng_.coin(1, 2)) rudely(some(1s), [this, dialog] { re_invite(dialog, false, true); });
      });
    case 12:
      answer_again(d);
      for (int n = 0; n < 3; ++n) rudely(some(12s), [this, dialog] { answer_again(dialogs_[dialog]); });
      return;
    case 13: return acknowledge_early(d);
    default: return update(dialog, false, true, fresh("text"));  // offers nothing, and says something
  }
}

}  // namespace parley::sim::sip

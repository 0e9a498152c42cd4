// tests/sim/sip/agent_register.cc - see agent.h. Digest, the registration and a subscription to it.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {

void Agent::add_credentials(Message& request, const Message& challenge) {
  if (!credentials_.answer(request, challenge, fresh("c"))) fail("a challenge without the algorithm that is asked for");
}

void Agent::enrol(std::uint32_t expires) {
  if (gone_ || ending_) return;
  reg_expires_ = expires;
  removed_at_ = Instant::max();
  send_register(expires);
}

void Agent::leave() {
  if (gone_ || reg_expires_ == 0) return;
  reg_expires_ = 0;
  send_register(0);
}

void Agent::send_register(std::uint32_t expires) {
  if (reg_open_) {
    reg_again_ = true;
    return;
  }
  reg_open_ = true;
  const std::string aor = "sip:" + user_ + "@" + book_.domain;
  const Way way = usual_way();
  Message m = make("REGISTER", "sip:" + book_.domain, aor);
  for (auto& [name, text] : m.fields) {
    if (name == "Call-ID") text = reg_call_id_;
    if (name == "CSeq") text = std::to_string(++reg_seq_) + " REGISTER";
  }
  m.add("Contact", contact(traits_.stream));
  if (traits_.twice) m.add("Contact", contact(!traits_.stream));
  m.add("Expires", std::to_string(expires));
  if (traits_.outbound) m.add("Supported", "path, outbound");
  const unsigned round = ++reg_round_;
  start_with_credentials(std::move(m), way,
                         [this, expires, round](const Message* answer) { on_registered(answer, expires, round); });
}

void Agent::on_registered(const Message* m, std::uint32_t expires, unsigned round) {
  reg_open_ = false;
  const Instant now = world_.agenda.now();
  if (m == nullptr) reg_unsure_ = true;
  if (std::exchange(reg_again_, false)) return send_register(reg_expires_);
  if (m == nullptr || m->status != 200) {
    if (m != nullptr && !liar_ && m->status < 500 && m->status != 403 && m->status != 401)
      fail("REGISTER gets " + std::to_string(m->status) + " " + m->reason);
    if (reg_expires_ == 0) return;
    after(some(5s) + 100ms, [this, round] {
      if (round == reg_round_ && reg_expires_ != 0) send_register(reg_expires_);
    });
    return;
  }
  ++book_.registered;
  std::uint32_t granted = 0;
  unsigned mine = 0;
  for (const std::string& one : m->values("Contact")) {
    if (uri_of(one) != uri_of(contact(false)) && uri_of(one) != uri_of(contact(true))) continue;
    ++mine;
    granted = static_cast<std::uint32_t>(std::atoi(parameter(one, "expires").c_str()));
    if (granted == 0 || granted > std::max(expires, 1U))
      fail("a binding for " + std::to_string(granted) + " s, asked for " + std::to_string(expires));
  }
  if (mine != (expires == 0 ? 0U : traits_.twice ? 2U : 1U))
    return fail("the answer to REGISTER has " + std::to_string(mine) + " contacts of mine");
  if (expires == 0) {
    registered_until_ = {};
    if (!reg_unsure_) removed_at_ = now;
    return;
  }
  registered_until_ = now + std::chrono::seconds(granted);
  after(std::chrono::seconds(granted) / 2, [this, round] {
    if (round == reg_round_ && reg_expires_ != 0) send_register(reg_expires_);
  });
}

// --- RFC 3680, RFC 6665

void Agent::watch(std::uint32_t expires) {
  if (gone_ || ending_) return;
  if (!subscription_.empty()) return send_subscribe(expires);
  const std::string aor = "sip:" + user_ + "@" + book_.domain;
  Message m = make("SUBSCRIBE", aor, aor);
  m.add("Event", "reg");
  m.add("Accept", "application/reginfo+xml");
  m.add("Expires", std::to_string(expires));
  const Way way = usual_way();
  m.add("Contact", contact(way.stream));
  const std::string call_id = m.value("Call-ID");
  subscription_ = call_id;
  Subscription& s = subscriptions_[call_id];
  s.call_id = call_id;
  s.local = m.value("From");
  start_with_credentials(std::move(m), way, [this, call_id](const Message* answer) {
    Subscription& mine = subscriptions_[call_id];
    if (answer == nullptr || answer->status != 200) {
      if (subscription_ == call_id) subscription_.clear();
      return;
    }
    mine.remote = answer->value("To");
    mine.target = uri_of(answer->value("Contact"));
    mine.seq = cseq_number(*answer);
    if (mine.target.empty()) fail("a 200 for SUBSCRIBE without Contact");
    if (!answer->has("Expires")) fail("a 200 for SUBSCRIBE without Expires");
  });
}

// In its dialog: a refresh, or the end.
void Agent::send_subscribe(std::uint32_t expires) {
  Subscription& s = subscriptions_[subscription_];
  if (s.target.empty() || s.over) return;
  const Way way = usual_way();
  Message m = make("SUBSCRIBE", s.target, "sip:x");
  for (auto& [name, text] : m.fields) {
    if (name == "From") text = s.local;
    if (name == "To") text = s.remote;
    if (name == "Call-ID") text = s.call_id;
    if (name == "CSeq") text = std::to_string(++s.seq) + " SUBSCRIBE";
  }
  m.add("Event", "reg");
  m.add("Expires", std::to_string(expires));
  m.add("Contact", contact(way.stream));
  (void)start(std::move(m), way, [this, call_id = s.call_id](const Message* answer) {
    if (answer == nullptr || (answer->status >= 300 && answer->status != 491 && answer->status != 500)) {
      subscriptions_[call_id].over = true;
      if (subscription_ == call_id) subscription_.clear();
    }
  });
}

void Agent::on_notify(const std::string& key) {
  const Message m = servers_[key].request;
  const auto found = subscriptions_.find(m.value("Call-ID"));
  if (found == subscriptions_.end() || tag_of(found->second.local) != tag_of(m.value("To")))
    return fail("a NOTIFY nobody asked for");
  Subscription& s = found->second;
  if (m.value("Event") != "reg") return fail("a NOTIFY about " + m.value("Event"));
  const std::string& state = m.value("Subscription-State");
  if (!state.starts_with("active") && !state.starts_with("terminated") && !state.starts_with("pending"))
    return fail("Subscription-State: " + state);
  const std::string from = tag_of(m.value("From"));
  Subscription::Notifier& n = s.notifiers[from];
  if (s.notifiers.size() > 1 && book_.life == 0 && !book_.pressure) return fail("a NOTIFY of another dialog");
  const unsigned seq = cseq_number(m);
  // The last one may come again, by another way when its answer was lost.
  if (n.last_seq != 0 && seq > n.last_seq && !state.starts_with("terminated"))
    return fail("a NOTIFY after the last one");
  if (state.starts_with("terminated")) n.last_seq = seq;
  const std::size_t at = m.body.find("version=\"", m.body.find("<reginfo"));
  if (at != std::string::npos) {
    const auto version = static_cast<unsigned>(std::atoi(m.body.c_str() + at + 9));
    const auto [before, fresh_one] = n.bodies.emplace(version, m.body);
    if (!fresh_one && before->second != m.body) return fail("two documents of version " + std::to_string(version));
  } else if (!m.body.empty()) {
    return fail("a NOTIFY about something else: " + m.body.substr(0, 300));
  }
  ++book_.notified;
  if (s.remote.empty()) {
    s.remote = m.value("From");
    s.target = uri_of(m.value("Contact"));
  }
  if (state.starts_with("terminated") && from == tag_of(s.remote)) {
    s.over = true;
    if (subscription_ == s.call_id) subscription_.clear();
  }
  if (rng_.permille(traits_.silent_permille)) return;
  after(some(traits_.answer_max),
        [this, key, bad = rng_.permille(traits_.decline_permille)] { respond(key, bad ? 481 : 200); });
}

}  // namespace parley::sim::sip

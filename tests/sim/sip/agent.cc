// tests/sim/sip/agent.cc - see agent.h. What arrives, and requests in general.
#include "tests/sim/sip/agent.h"

#include <utility>

namespace parley::sim::sip {

Agent::Agent(World& world, Place& place, Book& book, std::uint32_t number, std::string user, const core::Address& own,
             const core::Address& server_udp, const AgentTraits& traits)
    : world_(world),
      book_(book),
      rng_(world.seed, 100 + number),
      number_(number),
      user_(std::move(user)),
      traits_(traits),
      wire_(world, place, own, server_udp, *this, traits.websocket),
      own_(own),
      liar_(traits.liar),
      credentials_(user_, traits.sha256) {
  if (traits_.no_accept) world_.listen(own_, nullptr);
  reg_call_id_ = fresh("reg");
}

void Agent::fail(const std::string& what) {
  world_.journal.fail("agent %u (%s): %s", number_, user_.c_str(), what.c_str());
}

std::string Agent::fresh(const char* what) {
  return std::string(what) + std::to_string(number_) + "x" + std::to_string(next_id_++);
}

Duration Agent::some(Duration most) {
  const auto us = static_cast<std::uint64_t>(most.count()) / 1000;
  return us == 0 ? Duration{} : Duration(std::chrono::microseconds(rng_.scaled(1, us)));
}

// Nothing is done by who has vanished.
void Agent::after(Duration delay, std::function<void()> action) {
  world_.agenda.after(delay, [this, action = std::move(action)] {
    if (!gone_) action();
  });
}

std::string Agent::sent_by() const {
  return traits_.websocket ? "page" + std::to_string(number_) + ".invalid" : core::to_string(own_);
}

std::string Agent::contact(bool stream) const {
  const char* const transport = traits_.websocket ? ";transport=ws>" : stream ? ";transport=tcp>" : ">";
  std::string out = "<sip:" + user_ + "@" + sent_by() + transport;
  if (stream && traits_.outbound) {
    out += ";+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-" + std::to_string(100'000'000'000ULL + number_) +
           ">\";reg-id=1";
  }
  return out;
}

std::string Agent::via(const Way& way, const std::string& branch) const {
  const char* const transport = !way.stream ? "UDP " : traits_.websocket ? "WSS " : "TCP ";
  return std::string("SIP/2.0/") + transport + sent_by() + ";branch=" + branch + ";rport";
}

// Outside of dialogs: to the server, which finds the way.
Message Agent::make(const std::string& method, const std::string& uri, const std::string& to) {
  Message m;
  m.request = true;
  m.method = method;
  m.uri = uri;
  m.add("Max-Forwards", std::to_string(rng_.between(20, 70)));
  m.add("From", "<sip:" + user_ + "@" + book_.domain + ">;tag=" + fresh("f"));
  m.add("To", "<" + to + ">");
  m.add("Call-ID", fresh("call"));
  m.add("CSeq", std::to_string(rng_.between(1, 1000)) + " " + method);
  m.add("X-Sim", "a \"b,c;d\" <e> " + std::to_string(rng_.next() % 1000));
  return m;
}

// As a URI of the server says: the top of a route set.
Way Agent::way_of(const std::string& uri) {
  UriParts parts;
  if (!read_uri(uri, parts)) fail("a route to " + uri);
  return traits_.websocket || parts.transport == "tcp" ? wire_.stream() : wire_.datagram();
}

// Its 2xx was lost and does not come again: it was acknowledged before it could be known (RFC 3261 section 13.3.1.4).
bool Agent::missed(const Client& c) const {
  return c.blind && (c.way.stream ? !wire_.alive(c.way) : book_.accepted.contains(branch_of(c.request)));
}

bool Agent::excused(const Client& c) const { return c.life != book_.life || book_.pressure || book_.draining; }

void Agent::on_bytes(const Way& from, std::string_view bytes) {
  if (gone_) return;
  Message m;
  if (const std::string wrong = read(bytes, m); !wrong.empty()) {
    if (liar_) return;  // it is given back what it gave
    fail("the server sends " + wrong + " in: " + std::string(bytes.substr(0, 600)));
    return;
  }
  world_.journal.line("agent %u gets %s %s %s", number_,
                      m.request ? m.method.c_str() : std::to_string(m.status).c_str(), m.value("CSeq").c_str(),
                      m.value("Call-ID").c_str());
  if (m.request)
    on_request(from, m, bytes);
  else
    on_response(m, bytes);
}

void Agent::on_lost(std::uint32_t connection) {
  lost_ = true;
  // RFC 3261 section 17.1.4: its transactions have failed.
  for (auto& [key, c] : clients_) {
    if (!c.way.stream || c.way.number != connection || c.over || c.status >= 200) continue;
    end(c);
  }
  if (traits_.stream && reg_expires_ != 0 && !gone_) {  // its flow is gone: a new one
    after(some(3s) + 100ms, [this, round = reg_round_] {
      if (round == reg_round_ && reg_expires_ != 0) enrol(reg_expires_);
    });
  }
}

void Agent::message(const std::string& user, std::size_t bytes, int* result) {
  if (gone_) return;
  const std::string to = "sip:" + user + "@" + book_.domain;
  Message m = make("MESSAGE", to, to);
  m.add("Content-Type", "text/plain");
  while (m.body.size() < bytes) m.body += "0123456789 the quick brown fox\r\n\r\n";
  m.body.resize(bytes);
  start_with_credentials(std::move(m), usual_way(), [this, result](const Message* answer) {
    if (result != nullptr) *result = answer == nullptr ? 408 : answer->status;
    if (answer == nullptr || answer->status >= 300) return;
    ++book_.delivered;
    const Book::Sent* const sent = book_.find(*answer);
    if (sent == nullptr || sent->taken == 0) {  // an honest promise
      fail("a 2xx for a MESSAGE that nobody took: " + answer->value("Call-ID"));
    }
  });
}

void Agent::options() {
  if (gone_) return;
  Message m = make("OPTIONS", "sip:" + book_.domain, "sip:" + book_.domain);
  (void)start(std::move(m), usual_way(), [this](const Message* answer) {
    if (answer != nullptr && !liar_ && answer->status != 200 && answer->status != 503)
      fail("OPTIONS gets " + std::to_string(answer->status));
  });
}

void Agent::vanish() {
  if (gone_) return;
  world_.journal.line("agent %u vanishes", number_);
  ++world_.journal.faults;
  gone_ = true;
  wire_.vanish();
}

void Agent::behave() {
  traits_.silent_permille = traits_.decline_permille = traits_.cancel_permille = traits_.late_ok_permille = 0;
  traits_.answer_max = std::min<Duration>(traits_.answer_max, 2s);
  traits_.liar = false;
  traits_.no_answer_permille = traits_.no_ack_permille = traits_.rude_permille = 0;
}

void Agent::wind_up() {
  if (gone_) return;
  ending_ = true;
  std::vector<std::string> open;
  for (const auto& [key, d] : dialogs_) {
    if (!d.over) open.push_back(key);
  }
  for (const std::string& key : open) hang_up(key);
  if (!subscription_.empty()) send_subscribe(0);
  leave();
}

std::string Agent::waiting() const {
  if (gone_) return {};
  for (const auto& [key, c] : clients_) {
    // A server that has died owes nothing; and a 2xx comes as long as its sender lives and is not acknowledged.
    if (excused(c) || missed(c) || book_.answered.contains(c.request.value("Call-ID"))) continue;
    if (!c.over && c.status < 200) return key + ", last heard " + std::to_string(c.provisional);
  }
  return {};
}

}  // namespace parley::sim::sip

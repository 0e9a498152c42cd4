// tests/sim/sip/agent_server.cc - see agent.h. Server transactions (RFC 3261 section 17.2), and what is checked of
// requests that arrive: they are what their sender wrote, come once for each branch, and only to who wants them.
#include <utility>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {
namespace {

const char* phrase(int status) {
  switch (status) {
    case 180: return "Ringing";
    case 183: return "Session Progress";
    case 200: return "OK";
    case 302: return "Moved Temporarily";
    case 481: return "Call/Transaction Does Not Exist";
    case 482: return "Loop Detected";
    case 486: return "Busy Here";
    case 487: return "Request Terminated";
    case 491: return "Request Pending";
    case 503: return "Service Unavailable";
    case 603: return "Decline";
    default: return "Whatever It Is";
  }
}

}  // namespace

void Agent::on_request(const Way& from, const Message& m, std::string_view bytes) {
  const std::string branch = branch_of(m);
  if (m.method == "ACK") {
    on_ack(m);
    return;
  }
  const std::string key = branch + " " + m.method;
  const auto known = servers_.find(key);
  if (known != servers_.end()) {  // once more
    Server& s = known->second;
    if (s.bytes != bytes)
      return fail("the same branch with another request: " + std::string(bytes.substr(0, 700)) +
                  "\nbefore: " + s.bytes.substr(0, 700));
    s.back = from;
    if (!s.last.empty() && !(m.method == "INVITE" && s.status >= 200 && s.status < 300)) send_back(s);
    return;
  }
  if (!arrived_well(from, m)) return;
  Server& s = servers_[key];
  s.request = m;
  s.bytes = std::string(bytes);
  s.back = from;
  s.tag = tag_of(m.value("To"));
  if (s.tag.empty()) {
    s.tag = "ua" + fresh("t");
    book_.tags.insert(m.value("Call-ID") + " " + s.tag);
    book_.own_tags.insert(s.tag);
  }
  on_fresh(key);
}

bool Agent::arrived_well(const Way& from, const Message& m) {
  const auto vias = m.values("Via");
  const bool of_leg = legs() && (m.method != "NOTIFY" || m.has("Subject")) && (m.method == "INVITE" || !tag_of(m.value("To")).empty());
  const bool of_server = m.method == "NOTIFY" || m.method == "CANCEL" || of_leg;
  if (m.value("Call-ID").starts_with("lie")) return true;
  const bool by_stream = vias[0].starts_with(traits_.websocket ? "SIP/2.0/WSS" : "SIP/2.0/TCP");
  if (by_stream != from.stream) return fail("the wrong transport in " + vias[0]), false;
  if (m.has("Route")) return fail("a Route is left: " + m.value("Route")), false;
  if (m.has("Proxy-Authorization") || m.has("Authorization")) return fail("credentials of another"), false;
  if (vias.size() != (of_server ? 1 : 2))
    return fail("a " + m.method + " with " + std::to_string(vias.size()) + " Vias"), false;
  if (m.uri != uri_of(contact(false)) && m.uri != uri_of(contact(true))) return fail("a request for " + m.uri), false;
  if (of_leg && !arrived_on_leg(m)) return false;
  if (of_server && !(of_leg && m.method == "INVITE" && tag_of(m.value("To")).empty())) return true;
  if (of_leg) return arrived_once(from, m);
  Book::Sent* const sent = book_.find(m);
  if (sent == nullptr) return fail("a request that nobody sent: " + Book::key(m)), false;
  ++sent->arrived;
  const Message& was = sent->request;
  const std::string via = without_parameter(without_parameter(vias[1], "received"), "rport");
  if (via != without_parameter(was.value("Via"), "rport")) return fail("the sender's Via became " + vias[1]), false;
  for (const char* name : {"From", "To", "Call-ID", "CSeq", "X-Sim", "Content-Type", "Contact"}) {
    if (m.value(name) != was.value(name)) return fail(std::string(name) + " became " + m.value(name)), false;
  }
  if (m.body != was.body) return fail("another body"), false;
  if (std::stoi(m.value("Max-Forwards")) != std::stoi(was.value("Max-Forwards")) - 1)
    return fail("Max-Forwards"), false;
  if (tag_of(m.value("To")).empty()) {
    if (m.method == "INVITE" && !m.has("Record-Route")) return fail("no Record-Route"), false;
    if (sent->at > removed_at_) return fail("a request for who is not registered"), false;
    if (sent->life == book_.life) return arrived_once(from, m);
  }
  return true;
}

// Once, unless there are two ways here, or a connection broke and nobody knows.
bool Agent::arrived_once(const Way& from, const Message& m) {
  auto& before = seen_[m.value("Call-ID") + m.value("CSeq") + m.value("From")];
  before.insert(from.stream ? "stream" : branch_of(m));
  if (before.size() > 1 && !traits_.twice && !before.contains("stream") && !book_.pressure) {
    return fail("the same request by two branches: " + Book::key(m)), false;
  }
  return true;
}

void Agent::on_fresh(const std::string& key) {
  Server& s = servers_[key];
  const Message& m = s.request;
  if (m.method == "CANCEL") return on_cancel(key);
  if (m.method == "NOTIFY" && (!legs() || !m.has("Subject"))) return on_notify(key);  // else of a REFER
  if (m.method == "BYE") return on_bye(key);
  if (m.method == "PRACK") return on_prack(key);
  if (rng_.permille(traits_.silent_permille)) {
    if (m.method == "INVITE") return;
    if (rng_.coin(1, 2)) after(3500ms, [this, key] { respond(key, 100); });
    return;
  }
  // RFC 3261 section 8.2.2.2: it has come another way.
  if (tag_of(m.value("To")).empty()) {
    for (const auto& [other, o] : servers_) {
      if (other == key || o.request.value("Call-ID") != m.value("Call-ID") ||
          o.request.value("CSeq") != m.value("CSeq"))
        continue;
      if (o.request.value("From") == m.value("From")) return respond(key, 482);
    }
  }
  if (m.method == "INVITE") return on_invite(key);
  if (book_.timers && !tag_of(m.value("To")).empty()) return on_change(key);
  const Duration time = some(traits_.answer_max);
  // RFC 4320 section 4.1: a 100 is due when Timer E has reached T2.
  for (Duration at = 3500ms; at < time; at += 2s) after(at, [this, key] { respond(key, 100); });
  after(time, [this, key] { on_message(key); });
}

// MESSAGE, and whatever else is not known here.
void Agent::on_message(const std::string& key) {
  Server& s = servers_[key];
  static constexpr int bad[] = {486, 603, 302, 404, 500, 503, 480};
  const bool declines = rng_.permille(traits_.decline_permille);
  const int status = s.request.method != "MESSAGE" ? 501
                     : declines                    ? bad[rng_.next() % 7]
                     : rng_.coin(1, 5)             ? 202
                                                   : 200;
  if (status < 300) {
    if (Book::Sent* const sent = book_.find(s.request)) ++sent->taken;
  }
  respond(key, status);
  if (traits_.late_ok_permille == 0) return;
  if (rng_.coin(1, 4)) {  // a 100 behind the answer
    const Server kept = servers_[key];
    respond(key, 100);
    servers_[key] = kept;
  }
  if (rng_.coin(1, 4)) {  // answers twice, and differently
    servers_[key].tag += "again";
    book_.tags.insert(s.request.value("Call-ID") + " " + s.tag);
    respond(key, rng_.coin(1, 2) ? 200 : 486);
    if (Book::Sent* const sent = book_.find(s.request)) ++sent->taken;
  }
}

void Agent::respond(const std::string& key, int status, const std::string& body, const Fields& fields) {
  Server& s = servers_[key];
  Message m;
  m.status = status;
  m.reason = phrase(status);
  for (const std::string& via : s.request.values("Via")) m.add("Via", via);
  for (const std::string& route : s.request.values("Record-Route")) m.add("Record-Route", route);
  m.add("From", s.request.value("From"));
  const std::string& to = s.request.value("To");
  m.add("To", tag_of(to).empty() && status > 100 ? to + ";tag=" + s.tag : to);
  m.add("Call-ID", s.request.value("Call-ID"));
  m.add("CSeq", s.request.value("CSeq"));
  m.add("X-Agent", std::to_string(number_));
  if (s.request.method == "INVITE" || s.request.method == "UPDATE") m.add("Contact", contact(s.back.stream));
  if (status == 302) m.add("Contact", "<sip:elsewhere@" + core::to_string(own_) + ">");
  for (const auto& [name, text] : fields) m.add(name, text);
  add_body(m, body);
  if (legs() && s.request.has("Subject") && status > 100) {
    const std::string token = fresh("org");
    m.add("Organization", token);
    book_.passed[token] = {m, number_, world_.agenda.now(), book_.life, {}, s.request.value("Subject")};
  }
  if (book_.timers)
    world_.journal.line("agent %u answers %d to %s %s", number_, status, m.value("CSeq").c_str(),
                        m.value("Call-ID").c_str());
  s.status = status;
  s.last = write(m);
  s.sent = world_.agenda.now();
  s.interval = t1;
  send_back(s);
  if (s.request.method == "INVITE" && status >= 200) {
    s.acked = false;
    after(t1, [this, key, began = s.sent] {
      if (servers_[key].sent == began) repeat_response(key);
    });
  }
}

void Agent::send_back(const Server& s) {
  // RFC 3261 section 18.2.2: over the connection it came by, or else another one to the server.
  (void)wire_.send(wire_.alive(s.back) ? s.back : wire_.stream(), s.last);
}

// Timers G and H; of a 2xx what its user does (RFC 3261 section 13.3.1.4).
void Agent::repeat_response(const std::string& key) {
  Server& s = servers_[key];
  if (s.acked) return;
  const bool ok = s.status < 300;
  if (world_.agenda.now() - s.sent >= t1_64) {
    if (ok && !ending_) {
      const auto found = dialogs_.find(
          dialog_key(s.request.value("Call-ID"), s.request.value("To") + ";tag=" + s.tag, s.request.value("From")));
      if (found != dialogs_.end()) hang_up(found->first);
    }
    return;
  }
  const Book::Sent* const sent = book_.find(s.request);
  const bool calm = legs() ? s.sent - 40s > book_.calm_at : sent != nullptr && sent->at - 40s > book_.calm_at;
  const bool lied = s.request.value("Subject").starts_with("lie");  // who does not acknowledge either
  if (ok && calm && !lied && world_.agenda.now() - s.sent > 8s && !book_.pressure) {
    return fail("no ACK comes although all is well: " + s.request.value("Call-ID"));
  }
  if (ok || !s.back.stream) send_back(s);
  s.interval = std::min<Duration>(s.interval * 2, t2);
  after(s.interval, [this, key, began = s.sent] {
    if (servers_[key].sent == began) repeat_response(key);
  });
}

void Agent::on_ack(const Message& m) {
  // RFC 3261 section 17.1.1.3: on the INVITE's own branch it is for a refusal, whatever else was answered beside that.
  const auto invite = servers_.find(branch_of(m) + " INVITE");
  if (invite != servers_.end()) {
    if (invite->second.status >= 300) invite->second.acked = true;
    return;
  }
  bool known = false;
  for (auto& [key, s] : servers_) {
    if (s.request.method != "INVITE" || s.request.value("Call-ID") != m.value("Call-ID")) continue;
    if (cseq_number(s.request) != cseq_number(m) || s.tag != tag_of(m.value("To"))) continue;
    if (s.status < 200 || s.status >= 300) continue;
    known = true;
    if (!std::exchange(s.acked, true) && !m.body.empty()) dialogs_[dialog_of(m)].given = m.body;  // again it says nothing new
    if (legs()) check_ack(m, s);
  }
  // RFC 3261 section 13.2.2.4: it has the CSeq of an INVITE that it acknowledges.
  if (legs() && !known && !liar_) fail("an ACK for nothing: " + m.value("CSeq") + " " + m.value("Call-ID"));
}

}  // namespace parley::sim::sip

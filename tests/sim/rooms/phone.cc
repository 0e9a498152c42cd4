// tests/sim/rooms/phone.cc - see phone.h.
#include "tests/sim/rooms/phone.h"

#include <algorithm>
#include <utility>

namespace parley::sim::rooms {

using sip::branch_of;
using sip::cseq_method;
using sip::cseq_number;
using sip::tag_of;

Phone::Phone(World& world, Place& place, Book& book, std::uint32_t number, std::string user, const core::Address& own,
             const core::Address& server_udp, bool stream)
    : world_(world),
      book_(book),
      rng_(world.seed, 100 + number),
      number_(number),
      user_(std::move(user)),
      aor_("sip:" + user_ + "@" + book.server.domain),
      stream_(stream),
      wire_(world, place, own, server_udp, *this),
      own_(own),
      credentials_(user_, rng_.coin(1, 2)) {}

void Phone::fail(const std::string& what) {
  world_.journal.fail("agent %u (%s): %s", number_, user_.c_str(), what.c_str());
}

std::string Phone::fresh(const char* what) {
  return std::string(what) + std::to_string(number_) + "x" + std::to_string(next_id_++);
}

Duration Phone::some(Duration most) {
  const auto us = static_cast<std::uint64_t>(most.count()) / 1000;
  return us == 0 ? Duration{} : Duration(std::chrono::microseconds(rng_.scaled(1, us)));
}

std::string Phone::contact() const {
  return "<sip:" + user_ + "@" + core::to_string(own_) + (stream_ ? ";transport=tcp>" : ">") +
         ";+g.oma.sip-im;+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-" + std::to_string(100'000'000'000ULL + number_) +
         ">\"";
}

std::string Phone::via(const Way& way, const std::string& branch) const {
  return std::string("SIP/2.0/") + (way.stream ? "TCP " : "UDP ") + core::to_string(own_) + ";branch=" + branch + ";rport";
}

Message Phone::make(const std::string& method, const std::string& uri, const std::string& to) {
  Message m;
  m.request = true;
  m.method = method;
  m.uri = uri;
  m.add("Max-Forwards", "70");
  m.add("From", (anonymous_ ? std::string("\"Anonymous\" <sip:anonymous@anonymous.invalid>") : "<" + aor_ + ">") + ";tag=" +
                    fresh("f"));
  m.add("To", "<" + to + ">");
  m.add("Call-ID", fresh("call"));
  m.add("CSeq", std::to_string(rng_.between(1, 1000)) + " " + method);
  return m;
}

Message Phone::in_dialog(Dialog& d, const std::string& method) {
  Message m;
  m.request = true;
  m.method = method;
  m.uri = d.target;
  m.add("Max-Forwards", "70");
  m.add("From", d.local);
  m.add("To", d.remote);
  m.add("Call-ID", d.call_id);
  m.add("CSeq", std::to_string(method == "ACK" ? d.local_seq : ++d.local_seq) + " " + method);
  for (const std::string& route : d.routes) m.add("Route", route);
  return m;
}

Way Phone::way_in(const Dialog& d) {
  sip::UriParts parts;
  if (!sip::read_uri(d.routes.empty() ? d.target : sip::uri_of(d.routes.front()), parts))
    fail("a route to " + d.target);
  return parts.transport == "tcp" ? wire_.stream() : wire_.datagram();
}

void Phone::on_bytes(const Way& from, std::string_view bytes) {
  Message m;
  if (const std::string wrong = sip::read(bytes, m); !wrong.empty()) {
    return fail("the server sends " + wrong + " in: " + std::string(bytes.substr(0, 600)));
  }
  world_.journal.line("agent %u gets %s %s %s", number_, m.request ? m.method.c_str() : std::to_string(m.status).c_str(),
                      m.value("CSeq").c_str(), m.value("Call-ID").c_str());
  see(m, bytes);
  if (m.request)
    take_request(from, m, bytes);
  else
    take_response(m, bytes);
}

// RFC 3261 section 17.1.4: its transactions have failed.
void Phone::on_lost(std::uint32_t connection) {
  std::vector<std::string> failed;
  for (const auto& [key, c] : clients_) {
    if (c.way.stream && c.way.number == connection && !c.over && c.status < 200) failed.push_back(key);
  }
  for (const std::string& key : failed) end(clients_[key]);
}

// --- requests of ours

std::string Phone::start(Message request, const Way& way, Done done) {
  const std::string branch = "z9hG4bK" + fresh("b");
  request.fields.insert(request.fields.begin(), {"Via", via(way, branch)});
  const std::string key = branch + " " + request.method;
  Client& c = clients_[key];
  c.request = std::move(request);
  c.bytes = write(c.request);
  c.way = way;
  c.began = world_.agenda.now();
  c.life = book_.server.life;
  c.done = std::move(done);
  ++book_.requests;
  world_.journal.line("agent %u sends %s %s", number_, c.request.value("CSeq").c_str(),
                      c.request.value("Call-ID").c_str());
  if (!wire_.send(way, c.bytes)) {
    after(1us, [this, key] { end(clients_[key]); });
    return key;
  }
  if (!way.stream) after(c.interval, [this, key] { repeat(key); });  // Timers A and E
  after(t1_64, [this, key] { give_up(key); });                       // B and F
  return key;
}

void Phone::repeat(const std::string& key) {
  Client& c = clients_[key];
  if (c.over || c.status >= 200) return;
  const bool invite = c.request.method == "INVITE";
  if (invite && c.provisional != 0) return;
  (void)wire_.send(c.way, c.bytes);
  c.interval *= 2;
  if (!invite) c.interval = c.provisional != 0 ? t2 : std::min<Duration>(c.interval, t2);
  after(c.interval, [this, key] { repeat(key); });
}

void Phone::give_up(const std::string& key) {
  Client& c = clients_[key];
  if (c.over || c.status >= 200 || (c.request.method == "INVITE" && c.provisional != 0)) return;
  end(c);
}

void Phone::end(Client& c) {
  if (c.over) return;
  c.over = c.given_up = true;
  world_.journal.line("agent %u gives up %s %s", number_, c.request.value("CSeq").c_str(),
                      c.request.value("Call-ID").c_str());
  const Done done = std::exchange(c.done, nullptr);
  if (done) done(nullptr);
}

void Phone::ask(Message request, const Way& way, Done done, int tries) {
  const Message plain = request;
  (void)start(std::move(request), way, [this, plain, way, done = std::move(done), tries](const Message* answer) {
    if (answer == nullptr || (answer->status != 401 && answer->status != 407) || tries == 3) return done(answer);
    if (!tag_of(plain.value("To")).empty()) fail("a challenge within a dialog: " + plain.method);
    Message again = plain;
    for (auto& [name, text] : again.fields) {
      if (name == "CSeq") text = std::to_string(cseq_number(plain) + 1) + " " + plain.method;
    }
    std::erase_if(again.fields,
                  [](const auto& f) { return f.first == "Authorization" || f.first == "Proxy-Authorization"; });
    if (!credentials_.answer(again, *answer, fresh("c"))) fail("a challenge without the algorithm that is asked for");
    ask(std::move(again), wire_.alive(way) ? way : usual_way(), done, tries + 1);
  });
}

// Goes where the INVITE went; not before something was heard (RFC 3261 section 9.1).
void Phone::cancel(const std::string& call_id) {
  for (auto& [key, c] : clients_) {
    if (c.over || c.status >= 200 || c.request.method != "INVITE" || c.request.value("Call-ID") != call_id) continue;
    if (c.provisional == 0) return after(200ms, [this, call_id] { cancel(call_id); });
    if (c.cancelled) return;
    c.cancelled = true;
    Message m;
    m.request = true;
    m.method = "CANCEL";
    m.uri = c.request.uri;
    m.add("Via", c.request.fields.front().second);
    m.add("Max-Forwards", "70");
    for (const char* name : {"From", "To", "Call-ID"}) m.add(name, c.request.value(name));
    m.add("CSeq", std::to_string(cseq_number(c.request)) + " CANCEL");
    const std::string own = branch_of(m) + " CANCEL";
    Client& cancel = clients_[own];
    cancel.bytes = write(m);
    cancel.request = std::move(m);
    cancel.way = c.way;
    cancel.began = world_.agenda.now();
    cancel.life = book_.server.life;
    if (!wire_.send(cancel.way, cancel.bytes)) end(cancel);
    if (!cancel.way.stream) after(t1, [this, own] { repeat(own); });
    after(t1_64, [this, own] { give_up(own); });
    // Section 9.1: what has no answer by then is over.
    after(t1_64 + 10s, [this, key = key] { end(clients_[key]); });
    return;
  }
}

void Phone::acknowledge(Dialog& d, const Message& ok, const std::string& body) {
  const auto found = clients_.find(branch_of(ok) + " INVITE");
  Message ack = in_dialog(d, "ACK");
  for (auto& [name, text] : ack.fields) {
    if (name == "CSeq") text = std::to_string(cseq_number(ok)) + " ACK";
  }
  const Way way = way_in(d);
  ack.fields.insert(ack.fields.begin(), {"Via", via(way, "z9hG4bK" + fresh("b"))});
  if (!body.empty()) ack.add("Content-Type", "application/sdp"), ack.body = body;
  const std::string bytes = write(ack);
  if (found != clients_.end()) found->second.ack = bytes, found->second.ack_way = way;
  (void)wire_.send(way, bytes);
}

void Phone::take_response(const Message& m, std::string_view bytes) {
  const std::string key = branch_of(m) + " " + cseq_method(m);
  const auto found = clients_.find(key);
  if (found == clients_.end()) return fail("a response to nothing: " + std::string(bytes.substr(0, 600)));
  Client& c = found->second;
  if (m.values("Via").size() != 1) return fail("a response with several Vias");
  if (!echoes(c, m)) return;
  const bool invite = c.request.method == "INVITE";
  if (m.status < 200) {
    if (!invite && m.status != 100) return fail("a " + std::to_string(m.status) + " for " + c.request.method);
    if (c.status >= 200 || c.over) return;
    c.provisional = m.status;
    if (m.status > 100) on_provisional(c, m);
    return;
  }
  take_final(key, c, m, bytes);
}

// RFC 3261 section 8.2.6.2.
bool Phone::echoes(const Client& c, const Message& m) {
  for (const char* name : {"From", "Call-ID", "CSeq"}) {
    if (m.value(name) != c.request.value(name)) return fail(std::string("another ") + name + ": " + m.value(name)), false;
  }
  const std::string& to = c.request.value("To");
  const std::string back = tag_of(to).empty() ? sip::without_parameter(m.value("To"), "tag") : m.value("To");
  if (back != to) return fail("another To: " + m.value("To")), false;
  return true;
}

void Phone::take_final(const std::string& key, Client& c, const Message& m, std::string_view bytes) {
  const bool invite = c.request.method == "INVITE";
  const bool good = invite && m.status < 300;
  if (invite && m.status >= 300) send_ack(c, m);
  const auto challenge = [](int status) { return status == 401 || status == 407; };
  if (c.status >= 200) {
    // Nothing is remembered of a request that is refused at once: its copy may meet a challenge, or overload.
    if (c.status >= 300 && (m.status == 503 || challenge(m.status) || c.status == 503 || challenge(c.status))) return;
    if (excused(c) || (c.given_up && !good)) return;
    if (good && c.status < 300 && tag_of(m.value("To")) != c.to_tag) return fail("two dialogs by one INVITE");
    if (c.final_bytes != bytes)
      return fail("a second final response: " + std::string(bytes.substr(0, 300)) + "\n  after " + c.final_bytes.substr(0, 300));
    if (good && !c.ack.empty()) (void)wire_.send(c.ack_way, c.ack);
    return;
  }
  const bool late = c.over;
  c.status = m.status;
  c.over = true;
  c.final_bytes = std::string(bytes);
  if (good) c.to_tag = tag_of(m.value("To"));
  ++book_.finals;
  world_.journal.line("agent %u has %d for %s", number_, m.status, key.c_str());
  const Done done = std::exchange(c.done, nullptr);
  if (done) return done(&m);
  if (!late || !good) return;
  // It was given up; now there is a dialog that nobody wants.
  Dialog d;
  d.call_id = m.value("Call-ID");
  d.local = m.value("From");
  d.remote = m.value("To");
  d.target = sip::uri_of(m.value("Contact"));
  d.local_seq = cseq_number(m);
  acknowledge(d, m);
  (void)start(in_dialog(d, "BYE"), way_in(d), nullptr);
}

// RFC 3261 section 17.1.1.3.
void Phone::send_ack(const Client& c, const Message& m) {
  Message ack;
  ack.request = true;
  ack.method = "ACK";
  ack.uri = c.request.uri;
  ack.add("Via", c.request.fields.front().second);
  ack.add("Max-Forwards", "70");
  for (const std::string& route : c.request.values("Route")) ack.add("Route", route);
  ack.add("From", c.request.value("From"));
  ack.add("To", m.value("To"));
  ack.add("Call-ID", c.request.value("Call-ID"));
  ack.add("CSeq", std::to_string(cseq_number(c.request)) + " ACK");
  (void)wire_.send(wire_.alive(c.way) ? c.way : usual_way(), write(ack));
}

std::string Phone::waiting() const {
  for (const auto& [key, c] : clients_) {
    if (!excused(c) && !c.over && c.status < 200) return key + ", last heard " + std::to_string(c.provisional);
  }
  return {};
}

// --- requests of the server

void Phone::take_request(const Way& from, const Message& m, std::string_view bytes) {
  if (m.method == "ACK") return take_ack(m);
  const std::string key = branch_of(m) + " " + m.method;
  const auto known = servers_.find(key);
  if (known != servers_.end()) {  // once more
    Server& s = known->second;
    if (s.bytes != bytes) return fail("the same branch with another request: " + std::string(bytes.substr(0, 700)));
    s.back = from;
    if (!s.last.empty() && !(m.method == "INVITE" && s.status >= 200 && s.status < 300)) send_back(s);
    return;
  }
  if (m.has("Proxy-Authorization") || m.has("Authorization")) return fail("credentials of another");
  if (m.values("Via").size() != 1) return fail("a " + m.method + " with several Vias");
  if (m.uri != sip::uri_of(contact())) return fail("a request for " + m.uri);
  Server& s = servers_[key];
  s.request = m;
  s.bytes = std::string(bytes);
  s.back = from;
  s.life = book_.server.life;
  s.tag = tag_of(m.value("To"));
  if (s.tag.empty()) s.tag = fresh("t");
  on_request(key);
}

void Phone::take_ack(const Message& m) {
  const auto same = servers_.find(branch_of(m) + " INVITE");
  if (same != servers_.end() && same->second.status >= 300) {
    same->second.acked = true;
    return;
  }
  for (auto& [key, s] : servers_) {
    if (s.request.method != "INVITE" || s.request.value("Call-ID") != m.value("Call-ID")) continue;
    if (cseq_number(s.request) != cseq_number(m) || s.tag != tag_of(m.value("To"))) continue;
    if (s.status < 200 || s.status >= 300 || s.acked) continue;
    s.acked = true;
    on_ack(key, m);
    return;
  }
}

void Phone::respond(const std::string& key, int status, const Fields& fields, const std::string& body,
                    const std::string& type) {
  Server& s = servers_[key];
  Message m;
  m.status = status;
  m.reason = status < 300 ? "OK" : "No";
  for (const std::string& via : s.request.values("Via")) m.add("Via", via);
  for (const std::string& route : s.request.values("Record-Route")) m.add("Record-Route", route);
  m.add("From", s.request.value("From"));
  const std::string& to = s.request.value("To");
  m.add("To", tag_of(to).empty() && status > 100 ? to + ";tag=" + s.tag : to);
  m.add("Call-ID", s.request.value("Call-ID"));
  m.add("CSeq", s.request.value("CSeq"));
  if (s.request.method == "INVITE" || s.request.method == "UPDATE") m.add("Contact", contact());
  for (const auto& [name, text] : fields) m.add(name, text);
  if (!body.empty()) m.add("Content-Type", type), m.body = body;
  world_.journal.line("agent %u answers %d to %s %s", number_, status, m.value("CSeq").c_str(), m.value("Call-ID").c_str());
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

// Timers G and H; of a 2xx what its user does (RFC 3261 section 13.3.1.4).
void Phone::repeat_response(const std::string& key) {
  Server& s = servers_[key];
  if (s.acked) return;
  const bool good = s.status < 300;
  if (world_.agenda.now() - s.sent >= t1_64) {
    s.acked = true;
    if (good) on_no_ack(key);
    return;
  }
  if (good || !s.back.stream) send_back(s);
  s.interval = std::min<Duration>(s.interval * 2, t2);
  after(s.interval, [this, key, began = s.sent] {
    if (servers_[key].sent == began) repeat_response(key);
  });
}

}  // namespace parley::sim::rooms

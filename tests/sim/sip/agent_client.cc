// tests/sim/sip/agent_client.cc - see agent.h. Client transactions (RFC 3261 section 17.1), and what is checked of
// their responses: at most one final one, the same whenever it comes again, an echo of what was asked.
#include <utility>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {
namespace {

constexpr Duration grace = 5ms;  // of clocks

// Challenges to copies may have another nonce when too many others came in between.
std::string without_nonces(std::string_view bytes) {
  std::string out(bytes);
  for (const char* name : {"nonce=\"", "opaque=\""}) {
    for (std::size_t at = out.find(name); at != std::string::npos; at = out.find(name, at + 1)) {
      const std::size_t begin = out.find('"', at) + 1;
      out.erase(begin, out.find('"', begin) - begin);
    }
  }
  return out;
}

std::string response_key(const Message& m) { return branch_of(m) + " " + cseq_method(m); }

}  // namespace

std::string Agent::start(Message request, const Way& way, Done done) {
  const std::string branch = "z9hG4bK" + fresh("b");
  request.fields.insert(request.fields.begin(), {"Via", via(way, branch)});
  const std::string key = branch + " " + request.method;
  Client& c = clients_[key];
  c.request = std::move(request);
  c.bytes = write(c.request);
  c.way = way;
  c.began = world_.agenda.now();
  c.life = book_.life;
  c.done = std::move(done);
  ++book_.requests;
  Book::Sent& sent = book_.sent[Book::key(c.request)];
  sent.request = c.request;
  sent.at = c.began;
  sent.life = c.life;
  sent.by_stream = way.stream;
  if (book_.timers) note(c.request);
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

// A request of a call, for who gets it on the other leg.
void Agent::note(const Message& request) {
  const std::string& ref = request.value("Subject");
  if (ref.empty()) return;
  Book::Passed& passed = book_.passed[ref];
  passed = {request, number_, world_.agenda.now(), book_.life, ref, {}};
  const auto d = dialogs_.find(dialog_key(request.value("Call-ID"), request.value("From"), request.value("To")));
  if (d != dialogs_.end()) passed.call = d->second.ref;
}

void Agent::repeat(const std::string& key) {
  Client& c = clients_[key];
  if (c.over || c.status >= 200) return;
  const bool invite = c.request.method == "INVITE";
  if (invite && c.provisional != 0) return;
  (void)wire_.send(c.way, c.bytes);
  c.interval *= 2;
  if (!invite) c.interval = c.provisional != 0 ? t2 : std::min<Duration>(c.interval, t2);
  after(c.interval, [this, key] { repeat(key); });
}

void Agent::give_up(const std::string& key) {
  Client& c = clients_[key];
  if (c.over || c.status >= 200 || (c.request.method == "INVITE" && c.provisional != 0)) return;
  end(c);
}

// Without a final response.
void Agent::end(Client& c) {
  if (c.over) return;
  c.over = true;
  world_.journal.line("agent %u gives up %s %s", number_, c.request.value("CSeq").c_str(),
                      c.request.value("Call-ID").c_str());
  const Done done = std::move(c.done);
  c.done = nullptr;
  if (done && !gone_) done(nullptr);
}

void Agent::start_with_credentials(Message request, const Way& way, Done done, int tries) {
  const Message plain = request;
  (void)start(std::move(request), way, [this, plain, way, done = std::move(done), tries](const Message* answer) {
    if (answer == nullptr || (answer->status != 401 && answer->status != 407) || tries == 3) {
      done(answer);
      return;
    }
    if (plain.value("To").find(";tag=") != std::string::npos) fail("a challenge within a dialog");
    Message again = plain;
    for (auto& [name, text] : again.fields) {
      if (name == "CSeq") text = std::to_string(cseq_number(plain) + 1) + " " + plain.method;
    }
    std::erase_if(again.fields,
                  [](const auto& f) { return f.first == "Authorization" || f.first == "Proxy-Authorization"; });
    add_credentials(again, *answer);
    if (plain.method == "REGISTER") reg_seq_ = cseq_number(again);
    start_with_credentials(std::move(again), wire_.alive(way) ? way : usual_way(), done, tries + 1);
  });
}

void Agent::on_response(const Message& m, std::string_view bytes) {
  const auto vias = m.values("Via");
  const std::string key = response_key(m);
  const auto found = clients_.find(key);
  if (found == clients_.end()) {
    if (!liar_) fail("a response to nothing: " + std::string(bytes.substr(0, 600)));
    return;
  }
  Client& c = found->second;
  if (vias.size() != 1) return fail("a response with " + std::to_string(vias.size()) + " Vias");
  if (!echoes(c, m)) return;
  const bool invite = c.request.method == "INVITE";
  if (legs() && c.request.has("Subject") && !answered_on_leg(c, m)) return;
  if (m.status < 200) {
    if (!invite && m.status != 100) return fail("a " + std::to_string(m.status) + " for " + c.request.method);
    // R4320-1: not before a client by UDP would send once in T2 anyway.
    if (!invite && !c.way.stream && world_.agenda.now() - c.began < 3500ms - grace) return fail("a 100 too early");
    if (c.status >= 200 || c.over) return;
    c.provisional = m.status;
    c.heard = world_.agenda.now();
    if (m.status > 100) c.early_to = m.value("To"), c.early_target = uri_of(m.value("Contact"));
    if (legs() && invite) on_reliable(m, c);
    return;
  }
  on_final(key, c, m, bytes);
}

// Via, From, To, Call-ID and CSeq come back as they went (RFC 3261 section 8.2.6.2), with what was seen of us.
bool Agent::echoes(const Client& c, const Message& m) {
  const std::string& sent = c.request.fields.front().second;
  std::string back = m.value("Via");
  bool received = false, rport = false;
  const std::string host = parameter(back, "received", &received);
  const std::string port = parameter(back, "rport", &rport);
  const std::string own = core::to_string(own_);
  if (received && host != own.substr(0, own.rfind(':'))) return fail("received=" + host), false;
  if (rport && !c.way.stream && port != std::to_string(own_.port)) return fail("rport=" + port), false;
  back = without_parameter(without_parameter(back, "received"), "rport");
  if (back != without_parameter(sent, "rport")) return fail("a Via of " + back + " for " + sent), false;
  for (const char* name : {"From", "Call-ID", "CSeq"}) {
    if (m.value(name) != c.request.value(name))
      return fail(std::string("another ") + name + ": " + m.value(name)), false;
  }
  const std::string& to = c.request.value("To");
  const bool tagged = !tag_of(to).empty();
  if ((tagged ? m.value("To") : without_parameter(m.value("To"), "tag")) != to)
    return fail("another To: " + m.value("To")), false;
  // A tag that looks like a user agent's was made by one, for this call.
  const std::string tag = tag_of(m.value("To"));
  if (!tagged && tag.starts_with("ua") && !legs() && !book_.tags.contains(m.value("Call-ID") + " " + tag)) {
    return fail("a To tag of nobody: " + tag), false;
  }
  return true;
}

void Agent::on_final(const std::string& key, Client& c, const Message& m, std::string_view bytes) {
  const bool invite = c.request.method == "INVITE";
  if (!invite && m.status == 408 && c.request.method != "REGISTER" && c.request.method != "CANCEL") {
    return fail("a 408 for " + c.request.method + " (R4320-2)");
  }
  if (invite && m.status < 300) {
    if (c.status >= 300 && !excused(c)) return fail("a 2xx after a " + std::to_string(c.status));
    const std::string tag = tag_of(m.value("To"));
    const auto [at, fresh_tag] = c.accepted.emplace(tag, std::string(bytes));
    if (legs() && c.accepted.size() > 1 && !excused(c)) return fail("two dialogs by one INVITE");
    if (!fresh_tag) {
      if (at->second != bytes && !excused(c))
        return fail("a 2xx that is not what it was: " + std::string(bytes.substr(0, 400)));
      const std::string dialog = dialog_key(m.value("Call-ID"), m.value("From"), m.value("To"));
      const auto d = dialogs_.find(dialog);
      if (d != dialogs_.end() && !d->second.ack.empty() && cseq_number(m) == d->second.ack_seq)
        (void)wire_.send(d->second.ack_way, d->second.ack);
      return;
    }
  } else {
    if (invite) send_ack(c, m);
    if (c.status >= 200 && c.status < 300 && invite && !excused(c))
      return fail("a " + std::to_string(m.status) + " after a 2xx");
    // Nothing is remembered of a challenge, nor of what overload refuses: a copy may meet the other one.
    const auto challenge = [](int status) { return status == 401 || status == 407; };
    if ((challenge(c.status) && m.status == 503) || (c.status == 503 && challenge(m.status))) return;
    if (c.status >= 200) {
      if (without_nonces(c.final_bytes) != without_nonces(bytes) && !excused(c)) {
        std::size_t same = 0;
        while (same < bytes.size() && same < c.final_bytes.size() && bytes[same] == c.final_bytes[same]) ++same;
        const std::size_t line = bytes.rfind('\n', same) + 1;
        return fail("a second final response: " + std::string(bytes.substr(line, 200)) + "\n  after " +
                    c.final_bytes.substr(line, 200));
      }
      return;
    }
    c.final_bytes = std::string(bytes);
  }
  const bool late = c.over;
  c.status = m.status;
  c.over = true;
  ++book_.finals;
  if (late && !(invite && m.status < 300)) return;
  const Done done = c.done;
  if (!(invite && m.status < 300)) c.done = nullptr;
  world_.journal.line("agent %u has %d for %s", number_, m.status, key.c_str());
  if (done)
    done(&m);
  else if (invite && m.status < 300)
    on_call_answer(&m, nullptr, nullptr);
}

// RFC 3261 section 17.1.1.3: on the INVITE's branch.
void Agent::send_ack(const Client& c, const Message& m) {
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

}  // namespace parley::sim::sip

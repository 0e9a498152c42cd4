// tests/sim/sip/liar.cc - hostile acts of a user agent: whatever it sends, the server goes on serving the others, and
// what it answers is well-formed.
#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {

void Agent::lie() {
  if (gone_ || !traits_.liar) return;
  ++world_.journal.faults;
  const Way way = usual_way();
  const std::string branch = "z9hG4bK" + fresh("lie");
  const std::string to = "sip:" + user_ + "@" + book_.domain;
  Message m = make("MESSAGE", to, to);
  for (auto& [name, text] : m.fields) {
    if (name == "Call-ID") text = fresh("lie");
  }
  m.fields.insert(m.fields.begin(), {"Via", via(way, branch)});
  if (book_.timers) m.add("Subject", "lie");
  const auto replace = [&m](std::string_view name, const std::string& text) {
    for (auto& [field, old] : m.fields) {
      if (field == name) old = text;
    }
  };
  std::string bytes;
  const std::uint64_t act = rng_.next() % 18;
  world_.journal.line("agent %u lies, %llu", number_, static_cast<unsigned long long>(act));
  switch (act) {
    case 0: replace("CSeq", "1 BYE"); break;  // of another method
    case 1: replace("CSeq", "99999999999 MESSAGE"); break;
    case 2: std::erase_if(m.fields, [](const auto& f) { return f.first == "From"; }); break;
    case 3: replace("Max-Forwards", "0"); break;
    case 4: m.method = "ACK", replace("CSeq", "1 ACK"); break;  // to nothing
    case 5: m.method = "CANCEL", replace("CSeq", "1 CANCEL"); break;
    case 6:  // an answer that nobody waits for
      m.request = false;
      m.status = rng_.coin(1, 2) ? 200 : 180;
      m.reason = "Sure";
      break;
    case 7:  // an answer to something that is under way, from the wrong side and with another tag
      for (const auto& [key, s] : servers_) {
        if (s.request.method == "MESSAGE") m = s.request;
      }
      if (!book_.sent.contains(Book::key(m))) return;
      m.request = false;
      m.status = 200;
      m.reason = "Mine";
      for (auto& [name, text] : m.fields) {
        if (name == "To") text = without_parameter(text, "tag") + ";tag=lie";
      }
      book_.tags.insert(m.value("Call-ID") + " lie");
      if (Book::Sent* const sent = book_.find(m)) ++sent->taken;
      break;
    case 8: bytes = "INVITE sip:x SIP/2.0\r\nnonsense\r\n\r\n"; break;
    case 9: bytes = std::string(rng_.between(1, 3000), static_cast<char>(rng_.between(1, 255))); break;
    case 10:  // in a dialog that is none, along a route of its own making
      replace("To", "<" + to + ">;tag=nothing");
      m.add("Route", "<sip:f00f00f00f00f00f@" + book_.domain + ";lr>");
      break;
    case 11:
      m.method = "REGISTER", m.uri = "sip:" + book_.domain, replace("CSeq", "1 REGISTER"), m.add("Contact", "*");
      break;
    case 12: m.add("Proxy-Require", "nothing-we-know"); break;
    case 13: m.method = "SUBSCRIBE", replace("CSeq", "1 SUBSCRIBE"), m.add("Event", "winter"); break;
    case 14:
      m.method = "INVITE", replace("CSeq", "1 INVITE"), m.add("Contact", contact(way.stream));
      break;  // no ACK will follow
    case 16:
    case 17:  // an ACK for what is not answered
      for (const auto& [key, c] : clients_) {
        if (c.request.method == "INVITE" && !c.over) m = c.request;
      }
      if (m.method != "INVITE") return;
      m.method = "ACK";
      m.body.clear();
      replace("CSeq", std::to_string(cseq_number(m)) + " ACK");
      break;
    default: break;
  }
  // With a proof some of it gets further.
  if (m.request && bytes.empty() && credentials_.challenged() && rng_.coin(2, 3)) {
    credentials_.add(m, m.method == "REGISTER" ? "Authorization" : "Proxy-Authorization", fresh("c"));
  }
  if (act == 15) {  // the same request by two branches
    (void)wire_.send(way, write(m));
    m.fields.front().second = via(way, branch + "2");
  }
  if (bytes.empty()) bytes = write(m);
  if (!wire_.send(way, bytes)) return;
  if (rng_.coin(1, 3)) (void)wire_.send(way, bytes);
}

}  // namespace parley::sim::sip

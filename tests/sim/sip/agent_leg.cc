// tests/sim/sip/agent_leg.cc - see agent.h. What a user agent has to see of a server that carries calls leg to leg (RFC
// 3261 section 6, "B2BUA"): a dialog that is the server's own, and in it what the other side has sent, whole.
#include <algorithm>
#include <cstdlib>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {
namespace {

// A refusal of one side, as the other one may have it: what was said to the server as a client stays with it.
int refusal_beyond(int status) {
  if (status < 400) return 480;
  switch (status) {
    case 401:
    case 407: return 403;
    case 408:
    case 481:
    case 487: return 480;
    case 420:
    case 421:
    case 422:
    case 482:
    case 483:
    case 503: return 500;
    default: return status;
  }
}

// A description without its version, which comes back by `version`; 0: it has none.
std::string without_version(std::string text, unsigned& version) {
  static const std::string origin = "\r\no=- 1 ";
  const std::size_t at = text.find(origin);
  version = 0;
  if (at == std::string::npos) return text;
  const std::size_t begin = at + origin.size();
  const std::size_t end = text.find(' ', begin);
  version = static_cast<unsigned>(std::atoi(text.substr(begin, end - begin).c_str()));
  return text.erase(begin, end - begin);
}

// Behind what the server has taken back its versions are higher than they were written (RFC 3264 section 8).
bool same_description(const std::string& now, const std::string& was) {
  unsigned later = 0;
  unsigned before = 0;
  return without_version(now, later) == without_version(was, before) && later >= before;
}

// Of a subscription's requests a 481 is about the subscription (RFC 5057 section 5.1).
bool about_subscription(const std::string& method) {
  return method == "REFER" || method == "NOTIFY" || method == "SUBSCRIBE";
}

// Refusals that nobody beyond has given.
constexpr int own_refusals[] = {403, 404, 407, 422, 480, 481, 482, 483, 487, 488, 491, 500, 503, 504};

bool opens_call(const Message& m) { return m.method == "INVITE" && tag_of(m.value("To")).empty(); }

}  // namespace

// The dialog of a request that arrives, or null where it has none yet. False: there is none.
bool Agent::knows_dialog(const Message& m, const Dialog*& d) {
  const auto found = dialogs_.find(dialog_of(m));
  d = found == dialogs_.end() ? nullptr : &found->second;
  if (d != nullptr) return true;
  const std::string& call_id = m.value("Call-ID");
  // As a callee that rings; as a caller whose 2xx was lost.
  return std::any_of(servers_.begin(), servers_.end(),
                     [&](const auto& s) {
                       return s.second.request.value("Call-ID") == call_id && s.second.tag == tag_of(m.value("To"));
                     }) ||
         std::any_of(clients_.begin(), clients_.end(), [&](const auto& c) {
           const Message& own = c.second.request;
           return own.method == "INVITE" && own.value("Call-ID") == call_id && tag_of(own.value("From")) == tag_of(m.value("To"));
         });
}

// It stands for the server, which has an ACK, and not for us, who have not got the 2xx: it ends with our 481.
bool Agent::missed_dialog(const Message& m) const {
  return std::any_of(clients_.begin(), clients_.end(), [&](const auto& c) {
    const Message& own = c.second.request;
    return own.value("Call-ID") == m.value("Call-ID") && tag_of(own.value("From")) == tag_of(m.value("To")) &&
           missed(c.second);
  });
}

bool Agent::contact_of_server(const Message& m) {
  const auto contacts = m.values("Contact");
  UriParts uri;
  if (contacts.size() != 1 || !read_uri(uri_of(contacts[0]), uri))
    return fail("a leg with Contact: " + m.value("Contact")), false;
  if (uri.host != "127.0.0.1" || uri.port != 5060 || uri.user.empty() || uri.user.starts_with("user"))
    return fail("the Contact of a leg is " + contacts[0]), false;
  return true;
}

// Body, and headers that go on.
bool Agent::passed_on(const Message& m, const Message& was, bool body) {
  for (const char* name : {"X-Sim", "X-Agent"}) {
    const std::string& now = m.value(name);
    const bool fits = now == (book_.passes_unknown ? was.value(name) : "");
    if (!fits && !(book_.unknown_either && (now.empty() || now == was.value(name))))
      return fail(std::string(name) + " became \"" + now + "\""), false;
  }
  if (!body) return true;
  if (!same_description(m.body, was.body)) return fail("another body on this leg: " + m.body + "\nwas: " + was.body), false;
  if (m.value("Content-Type") != was.value("Content-Type"))
    return fail("another Content-Type on this leg: " + m.value("Content-Type")), false;
  return true;
}

bool Agent::arrived_on_leg(const Message& m) {
  const bool opens = tag_of(m.value("To")).empty();
  if (m.values("Via").size() != 1) return fail("a leg with " + std::to_string(m.values("Via").size()) + " Vias"), false;
  if (m.has("Record-Route")) return fail("a leg with Record-Route"), false;
  if ((m.method == "INVITE" || m.method == "UPDATE") && !contact_of_server(m)) return false;
  if (book_.own_tags.contains(tag_of(m.value("From"))))
    return fail("the tag of another in From: " + m.value("From")), false;
  const std::string& ref = m.value("Subject");
  if (ref.starts_with("lie") || liar_) return true;
  const Dialog* d = nullptr;
  if (!opens) {
    if (!knows_dialog(m, d)) return fail("a " + m.method + " in no dialog of mine: " + m.value("Call-ID")), false;
    if (d != nullptr && (uri_of(m.value("From")) != uri_of(d->remote) || uri_of(m.value("To")) != uri_of(d->local)))
      return fail("other names in a dialog: " + m.value("From") + ", " + m.value("To")), false;
  }
  if (ref.empty()) return of_server_itself(m, d);
  const auto found = book_.passed.find(ref);
  if (found == book_.passed.end()) return fail("a request that nobody sent: " + ref), false;
  const Book::Passed& passed = found->second;
  const Message& was = passed.message;
  if (m.method != was.method) return fail("a " + m.method + " became of " + was.method), false;
  if (m.value("Call-ID") == was.value("Call-ID")) return fail("both legs have one Call-ID"), false;
  if (d != nullptr && !d->ref.empty() && d->ref != passed.call) return fail("a request of another call: " + ref), false;
  if (!passed_on(m, was, true)) return false;
  if (m.value("Refer-To") != was.value("Refer-To")) return fail("Refer-To became " + m.value("Refer-To")), false;
  if (!opens) return true;
  if (uri_of(m.value("From")) != uri_of(was.value("From")) || m.value("To") != was.value("To"))
    return fail("other names on this leg: " + m.value("From") + ", " + m.value("To")), false;
  if (std::stoi(m.value("Max-Forwards")) != std::stoi(was.value("Max-Forwards")) - 1)
    return fail("Max-Forwards"), false;
  if (passed.at > removed_at_) return fail("a request for who is not registered"), false;
  if (!m.lists("Supported", "timer") || !m.has("Session-Expires"))
    return fail("an INVITE of the server without session timer"), false;
  if (m.lists("Supported", "100rel") && !was.lists("Supported", "100rel") && !was.lists("Require", "100rel"))
    return fail("100rel is promised for who knows none"), false;
  return true;
}

// Nobody sent it: BYE, or what keeps a session alive.
bool Agent::of_server_itself(const Message& m, const Dialog* d) {
  if (m.method == "BYE" || m.method == "CANCEL") return true;
  const bool refreshes = m.has("Session-Expires") && (d != nullptr || missed_dialog(m));
  if (m.method == "UPDATE" && refreshes && m.body.empty()) return true;
  if (m.method == "INVITE" && refreshes) {
    if (d == nullptr || m.body == d->given) return true;
    // A change that was cancelled when it had been answered: what held before, as a later description.
    unsigned now = 0;
    unsigned crossed = 0;
    (void)without_version(m.body, now);
    (void)without_version(d->given, crossed);
    if (same_description(m.body, d->held) && now > crossed) return true;
    return fail("a refresh with another description: " + m.body + "\nbefore: " + d->given), false;
  }
  return fail("a " + m.method + " of the server's own: " + m.value("Call-ID")), false;
}

bool Agent::answered_on_leg(const Client& c, const Message& m) {
  const bool invite = c.request.method == "INVITE";
  const bool opens = opens_call(c.request);
  if (m.has("Record-Route")) return fail("a leg with Record-Route"), false;
  if (book_.own_tags.contains(tag_of(m.value("To"))) && opens)
    return fail("the tag of another in To: " + m.value("To")), false;
  if (m.status == 100 || excused(c) || liar_) return true;
  const bool session = invite || c.request.method == "UPDATE";
  if (session && m.status < 300 && !contact_of_server(m)) return false;
  if (m.status < 200 && !opens) return fail("a 1xx within a dialog"), false;
  if (m.status == 487 && opens && !c.cancelled) return fail("a 487 for what was not cancelled"), false;
  const std::string& token = m.value("Organization");
  if (token.empty()) {
    const bool alone = c.request.method == "BYE" || c.request.method == "PRACK" ||
                       (c.request.method == "UPDATE" && c.request.body.empty());
    if (m.status < 300 && !alone)
      return fail("a " + std::to_string(m.status) + " for " + c.request.method + " that nobody gave"), false;
    if (m.status >= 300 &&
        std::none_of(std::begin(own_refusals), std::end(own_refusals), [&](int s) { return s == m.status; }))
      return fail("a " + std::to_string(m.status) + " for " + c.request.method + " that nobody gave"), false;
    return true;
  }
  const auto found = book_.passed.find(token);
  if (found == book_.passed.end()) return fail("an answer that nobody gave: " + token), false;
  const Message& was = found->second.message;
  if (found->second.request != c.request.value("Subject"))
    return fail("the answer to " + found->second.request + " for " + c.request.value("Subject")), false;
  const bool stays = was.status < 300 || (was.status == 481 && about_subscription(c.request.method));
  const int expected = stays ? was.status : refusal_beyond(was.status);
  if (m.status != expected)
    return fail("a " + std::to_string(was.status) + " became " + std::to_string(m.status)), false;
  if (m.status == was.status && m.reason != was.reason) return fail("another reason phrase: " + m.reason), false;
  return passed_on(m, was, true);
}

// An ACK for a 2xx, where the server has to know the answer that is owed.
void Agent::check_ack(const Message& m, const Server& invite) {
  if (liar_ || book_.pressure || m.value("Subject").starts_with("lie")) return;
  if (m.has("Route") || m.has("Record-Route")) return fail("an ACK with a route");
  if (m.uri != uri_of(contact(false)) && m.uri != uri_of(contact(true))) return fail("an ACK for " + m.uri);
  if (m.body.empty()) return;
  const auto found = book_.passed.find(m.value("Subject"));
  if (found == book_.passed.end()) return fail("an ACK with the description of nobody: " + m.body);
  if (!invite.request.body.empty()) return fail("an ACK with a description, to an answer");
  (void)passed_on(m, found->second.message, true);
}

}  // namespace parley::sim::sip

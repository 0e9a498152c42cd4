// tests/sim/client_auth.cc - see client.h. AUTH: the first time, refreshed in time, left to run out, come back after.
#include <algorithm>
#include <charconv>

#include "tests/sim/client.h"
#include "tests/sim/digest.h"

namespace parley::sim {
namespace {

std::string as_hex(std::uint32_t count) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", count);
  return text;
}

}  // namespace

Place& Client::relay_at(std::size_t hop) { return hop == 0 ? place_ : *world_.places()[1]; }

// A new exchange. With a nonce that was met before the answer to the challenge may come first.
void Client::authenticate(Leg& leg, std::size_t hop, Name name) {
  if (hop == 0) {
    leg.auth_uri = std::string(tls_ ? "msrps" : "msrp") + "://" + (rng_.coin(1, 4) ? leg.user + "@" : "") +
                   place_.host + (ws_ != nullptr ? (tls_ ? ":443;ws" : ":80;ws") : tls_ ? ":2856;tcp" : ":2855;tcp");
  } else {
    leg.auth_uri = "msrps://" + relay_at(hop).host + ":2856;tcp";
  }
  if (name == Name::session) leg.auth_uri = leg.use_path[hop];
  send_auth(leg, hop, !leg.challenge[hop].empty() && rng_.coin(1, 3) ? credentials(leg, hop) : std::string());
}

void Client::send_auth(Leg& leg, std::size_t hop, const std::string& authorization) {
  leg.authenticating = true;
  Tag& tag = world_.ledger.add_tag();
  tag.leg = &leg;
  const std::string tid = new_id();
  const bool fresh = leg.use_path.size() <= hop;
  std::vector<std::string> to(leg.use_path.begin(), leg.use_path.begin() + static_cast<std::ptrdiff_t>(hop));
  to.push_back(leg.auth_uri);
  std::string frame = request_head(tid, "AUTH", to, leg.uri, tag);
  if (!authorization.empty()) {
    frame += "Authorization: " + authorization + "\r\n";
    last_authorization_ = authorization;
    if (!fresh) world_.sessions.refreshing(leg.use_path[hop]);
  }
  std::uint32_t expires = 0;
  const std::uint32_t life = world_.faults.lifetime_s;
  if (life != 0 && rng_.coin(1, 2)) expires = rng_.between32(std::max(2U, life / 2), life * 2);
  if (life == 0 && rng_.coin(1, 3)) expires = 900;
  if (expires != 0) frame += "Expires: " + std::to_string(expires) + "\r\n";
  pending_[tid] = {
      Pending::Kind::auth, &leg, nullptr, to[0], to.size() == 1, &tag, {hop, expires, !authorization.empty(), fresh}};
  control_.push_back(frame + "-------" + tid + "$\r\n");
}

std::string Client::credentials(Leg& leg, std::size_t hop) {
  const std::string& challenge = leg.challenge[hop];
  const std::string algorithm = digest_parameter(challenge, "algorithm");
  const std::string realm = digest_parameter(challenge, "realm");
  const std::string nonce = digest_parameter(challenge, "nonce");
  const std::string opaque = digest_parameter(challenge, "opaque");
  const std::string cnonce = new_id();
  const std::string count = as_hex(++leg.nonce_count[hop]);
  const std::string response =
      digest_response({.algorithm = algorithm.empty() ? "MD5" : algorithm, .user = leg.user, .realm = realm,
                       .secret = leg.user + "-secret", .nonce = nonce, .count = count, .cnonce = cnonce,
                       .method = "AUTH", .uri = leg.auth_uri});
  std::string out = "Digest username=\"" + leg.user + "\", realm=\"" + realm + "\", nonce=\"" + nonce + "\"";
  if (rng_.coin(1, 2)) out += ", uri=\"" + leg.auth_uri + "\"";
  out += ", response=\"" + response + "\"";
  if (!algorithm.empty()) out += ", algorithm=" + algorithm;
  out += ", cnonce=\"" + cnonce + "\", qop=auth, nc=" + count;
  if (!opaque.empty()) out += ", opaque=\"" + opaque + "\"";
  return out;
}

void Client::refresh(Leg& leg, std::size_t hop) {
  if (!alive() || left_) return;
  if (leg.authenticating) {
    world_.agenda.after(500ms, [this, &leg, hop] { refresh(leg, hop); });
    return;
  }
  authenticate(leg, hop, rng_.coin(1, 2) ? Name::session : Name::relay);
  pump();
}

void Client::plan_refresh(Leg& leg, std::size_t hop, Duration expires) {
  const bool short_lived = world_.faults.lifetime_s != 0;
  if (short_lived && leg.lapses) {
    ++world_.journal.faults;
    // Those with one relay may come back, to another session.
    if (leg.hops != 1 || !rng_.coin(1, 2)) return;
    world_.agenda.after(expires + world_.time_slack() + std::chrono::milliseconds(rng_.between(1, 3000)), [this, &leg] {
      if (alive() && !left_ && !leg.authenticating) authenticate(leg, 0, Name::relay), pump();
    });
    return;
  }
  if (!short_lived && !rng_.coin(1, 3)) return;
  const Duration soon = short_lived ? expires : 40s;
  world_.agenda.after(soon * rng_.between32(10, 70) / 100, [this, &leg, hop] { refresh(leg, hop); });
}

void Client::take_challenge(const Frame& frame, const Pending& pending) {
  Leg& leg = *pending.leg;
  const auto configs = relay_at(pending.auth.hop).configs_since(pending.tag->started);
  if (std::any_of(configs.begin(), configs.end(),
                  [&](const auto* config) { return !config->users.contains(leg.user); })) {
    world_.journal.line("client %u leg %u is no user any more", number_, leg.number);
    return take_refusal(frame, pending);
  }
  std::vector<const std::string*> offered;
  for (const auto& [name, value] : frame.headers) {
    if (name == "WWW-Authenticate") offered.push_back(&value);
  }
  if (offered.empty()) {
    world_.journal.fail("client %u: 401 without a challenge", number_);
    return;
  }
  if (++auth_tries_ > 8 + 4 * legs_.size()) {
    if (blameless()) world_.journal.fail("client %u: AUTH is refused again and again", number_);
    return;
  }
  leg.challenge[pending.auth.hop] = *offered[rng_.next() % offered.size()];
  leg.nonce_count[pending.auth.hop] = 0;
  send_auth(leg, pending.auth.hop, credentials(leg, pending.auth.hop));
}

void Client::take_refusal(const Frame& frame, const Pending& pending) {
  Leg& leg = *pending.leg;
  leg.authenticating = false;
  world_.journal.line("client %u AUTH answered %d", number_, frame.status);
  const bool by_session = !pending.auth.fresh && pending.tag->to_path.back() == leg.use_path[pending.auth.hop];
  if (!pending.auth.fresh) world_.sessions.not_refreshed(leg.use_path[pending.auth.hop]);
  const bool gone = by_session && !world_.sessions.must_live(leg.use_path[pending.auth.hop]);
  const bool too_late = relay_at(pending.auth.hop).draining;
  const bool understood = frame.status == 401 || (frame.status == 481 && gone) || (frame.status == 403 && too_late);
  if (!understood && pending.expected && blameless() && !world_.auth_may_fail) {
    world_.journal.fail("client %u: AUTH answered %d", number_, frame.status);
  }
}

void Client::take_auth_response(const Frame& frame, const Pending& pending) {
  if (frame.status == 401) return take_challenge(frame, pending);
  if (frame.status != 200) return take_refusal(frame, pending);
  Leg& leg = *pending.leg;
  const std::size_t hop = pending.auth.hop;
  Place& place = relay_at(hop);
  const auto configs = place.configs_since(pending.tag->started);
  auto any_config = [&](auto holds) { return std::any_of(configs.begin(), configs.end(), holds); };
  const std::string* use_path = frame.header("Use-Path");
  const std::string* expires_text = frame.header("Expires");
  if (use_path == nullptr || expires_text == nullptr || frame.header("Authentication-Info") == nullptr) {
    world_.journal.fail("client %u: 200 to AUTH without Use-Path, Expires or Authentication-Info", number_);
    return;
  }
  std::uint32_t expires = 0;
  std::from_chars(expires_text->data(), expires_text->data() + expires_text->size(), expires);
  const bool right_time = pending.auth.expires != 0
                              ? expires == pending.auth.expires
                              : any_config([&](const auto* c) { return c->expires_default_s == expires; });
  if (!right_time) {
    world_.journal.fail("client %u: AUTH for %u s gives %u s", number_, pending.auth.expires, expires);
    return;
  }
  if (!any_config([&](const auto* c) { return c->users.contains(leg.user); })) {
    world_.journal.fail("client %u: AUTH of %s, who is no user any more, is accepted", number_, leg.user.c_str());
    return;
  }
  std::vector<std::string> path;
  for (std::size_t at = 0; at < use_path->size();) {
    const std::size_t end = std::min(use_path->find(' ', at), use_path->size());
    path.push_back(use_path->substr(at, end - at));
    at = end + 1;
  }
  const std::vector<std::string> before(leg.use_path.begin(), leg.use_path.begin() + static_cast<std::ptrdiff_t>(hop));
  if (path.size() != hop + 1 || !std::equal(before.begin(), before.end(), path.begin())) {
    world_.journal.fail("client %u: Use-Path is %s", number_, use_path->c_str());
    return;
  }
  auth_tries_ = 0;
  leg.authenticating = false;
  const bool renewed = !pending.auth.fresh && path[hop] != leg.use_path[hop];
  const bool made = pending.auth.fresh || renewed;
  if (made && place.draining && pending.tag->started >= place.drained_at + world_.time_slack()) {
    world_.journal.fail("drain: client %u gets a new session", number_);
    return;
  }
  if (renewed) {
    world_.sessions.not_refreshed(leg.use_path[hop]);
    // Behind a relay it is one session as long as that relay keeps to one connection.
    const bool lived = world_.sessions.must_live(leg.use_path[hop]);
    if (hop == 1 && world_.relay_link_unsure())
      world_.sessions.doubt(place, leg);
    else if (lived) {
      world_.journal.fail("sessions: client %u refreshes %s and gets another one", number_, leg.use_path[hop].c_str());
      return;
    }
    leg.former.push_back(leg.use_path[hop]);
  }
  world_.sessions.granted(path[hop], place, leg, pending.tag->started, std::chrono::seconds(expires),
                          world_.time_slack());
  world_.journal.line("client %u leg %u has %s for %u s", number_, leg.number, use_path->c_str(), expires);
  // A session behind another relay's knows that one; it does not follow to a new one.
  if (pending.auth.fresh)
    leg.use_path.push_back(path[hop]);
  else if (renewed && leg.hops == 1)
    leg.use_path = path;
  if (!renewed || leg.hops == 1) plan_refresh(leg, hop, std::chrono::seconds(expires));
  if (leg.use_path.size() < leg.hops) return authenticate(leg, hop + 1, Name::relay);
  leg.ready = leg.reachable = true;
  if (leg.partner != nullptr) leg.partner->client->pump();
  pump();
}

}  // namespace parley::sim

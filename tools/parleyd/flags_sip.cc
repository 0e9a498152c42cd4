// tools/parleyd/flags_sip.cc - the flags of SIP, and the checks between them.
#include "tools/parleyd/flags_sip.h"

#include <algorithm>
#include <chrono>

#include "tools/parleyd/host_port.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::minutes;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;
constexpr std::uint64_t gib = 1024 * mib;

[[noreturn]] void bad(const char* flag, const std::string& why) { FlagTable::refuse(flag, why); }

void add_names(FlagTable& flags, Settings& s, RawSip& raw) {
  flags.group("SIP");
  auto& c = s.sip;
  flags.list("--sip", raw.listeners, "udp|tcp|tls|ws|wss:HOST:PORT",
             "Listen for SIP. IPv6 in brackets; port 0 takes any free port.");
  flags.list("--trusted-peer", raw.trusted_peers, "CIDR",
             "Addresses of proxies whose requests need no digest and whose P-Asserted-Identity is believed. Whoever can send "
             "from there can send in anybody's name.");
  flags.list("--ws-origin", c.transport.ws_origins, "ORIGIN",
             "Web pages that may open a WebSocket, as their Origin header says: https://chat.example.org. Without it any.");
  flags.choice<policy::Forwarding>(
      "--sip-forwarding", c.forwarding,
      {{"stateful", policy::Forwarding::stateful}, {"stateless", policy::Forwarding::stateless}},
      "How requests other than INVITE to users with one device are forwarded; 'stateless' keeps nothing of them: cheaper, and "
      "the ends retransmit for themselves.");
  flags.duration("--sip-nonce-life", c.digest.nonce_life, 1s, hours(1),
                 "After this a nonce is stale and the client is challenged again. Raising it saves round trips.");
  flags.present("--accept-qop-less", c.digest.accept_without_qop,
                "Take digest credentials without qop (RFC 2069), each nonce once.");
}

void add_registrar(FlagTable& flags, Settings& s) {
  auto& r = s.sip.registrar;
  flags.seconds("--register-expires-min", r.expires_min_s, 1, 3600,
                "Shortest life of a binding; a shorter wish is answered 423. Lowering it raises the rate of REGISTER.");
  flags.seconds("--register-expires-default", r.expires_default_s, 1, 30 * 86'400,
                "Life of a binding when its client names none.");
  flags.seconds("--register-expires-max", r.expires_max_s, 1, 30 * 86'400,
                "Longest life of a binding; a longer wish gets this. Raising it keeps bindings of silent clients longer.");
  flags.seconds("--flow-timer", r.flow_timer_s, 0, 3600,
                "Flow-Timer for clients that register a flow (RFC 5626): how often they have to send keep-alives. 0: not told.");
  flags.list("--service-route", r.service_route, "URI",
             "Service-Route that registered clients get (RFC 3608), in this order.");
  auto& l = s.sip.location;
  flags.count("--bindings-per-user-max", l.bindings_per_aor_max, 1, 100,
              "Devices of one user; one more is refused. Each gets a copy of every request.");
  flags.count("--users-registered-max", l.aors_max, 1, 100'000'000,
              "Users with bindings, per shard. Each costs about 1 KiB.");
  flags.size("--bindings-bytes-max", l.bytes_max, mib, 1024 * gib, "Memory for bindings, per shard.");
}

void add_limits(FlagTable& flags, Settings& s) {
  auto& c = s.sip;
  auto& t = c.transport;
  flags.duration("--sip-t1", c.transactions.t1, 10ms, 10s,
                 "T1, the estimate of the round-trip time (RFC 3261 section 17.1.1.1). Raising it slows retransmissions and "
                 "every time-out that is a multiple of it.");
  flags.duration("--sip-timer-c", c.timer_c, 1s, hours(1),
                 "An INVITE may ring this long before it is cancelled (RFC 3261 section 16.6: more than 3 minutes).");
  flags.count("--sip-transactions-max", c.transactions.transactions_max, 16, 100'000'000,
              "Transactions that live at one time, per shard; when there are more, the oldest that only absorb retransmissions "
              "go first. Each costs about 1 KiB.");
  flags.count("--sip-proxied-max", c.proxied_max, 16, 100'000'000, "Requests being proxied at one time, per shard.");
  flags.size("--sip-head-bytes-max", t.head.head_bytes_max, kib, 64 * kib, "Longest head of a SIP message; a longer one is answered 513.");
  flags.size("--sip-message-bytes-max", t.stream_message_bytes_max, 4 * kib, 64 * mib,
             "Longest SIP message over a stream. Raising it lets a stranger fill more memory before he is known.");
  flags.size("--sip-partial-bytes-max", t.partial_bytes_max, mib, 64 * gib,
             "Memory for SIP messages of which only a part has come, per shard; above it connections are closed.");
  flags.size("--sip-queue-bytes-max", t.queue_bytes_max, 16 * kib, gib,
             "Bytes waiting for one SIP connection whose peer does not read; above it messages for it fail.");
  flags.duration("--sip-first-message-timeout", t.first_message, 100ms, minutes(10),
                 "A new SIP connection must bring a whole message (or its WebSocket handshake) within this time.");
  flags.duration("--sip-message-timeout", t.message_timeout, 100ms, minutes(10),
                 "A SIP message that has begun must be complete within this time, else its connection is closed.");
  flags.duration("--sip-idle-timeout", t.idle, 1s, hours(24),
                 "A SIP connection over which nobody is registered and nothing happens for this long is closed.");
}

void add_events(FlagTable& flags, Settings& s) {
  auto& e = s.sip.reg_events;
  flags.seconds("--reg-event-expires-min", e.package.expires_min_seconds, 1, 3600,
                "Shortest subscription to registrations; a shorter wish is answered 423.");
  flags.seconds("--reg-event-expires-default", e.package.expires_default_seconds, 1, 30 * 86'400,
                "Life of a subscription to registrations when its client names none (RFC 3680: 3761 s).");
  flags.seconds("--reg-event-expires-max", e.package.expires_max_seconds, 1, 30 * 86'400,
                "Longest subscription to registrations; a longer wish gets this. Raising it keeps those of silent clients longer.");
  flags.duration("--reg-event-interval", e.package.interval_min, 0ms, hours(1),
                 "Between NOTIFYs that changes of one user's registrations cause (RFC 3680: 5 s). Lowering it costs NOTIFYs.");
  flags.count("--subscriptions-per-user-max", e.subscriptions_per_user_max, 1, 1000,
              "Subscriptions to one user's registrations; one more is refused. Each gets a NOTIFY for every change.");
  flags.count("--subscriptions-max", e.notifier.subscriptions_max, 1, 10'000'000,
              "Subscriptions to registrations, per shard. Each costs about 2 KiB.");
}

core::Transport transport_named(const std::string& name, bool& good) {
  good = true;
  if (name == "udp") return core::Transport::udp;
  if (name == "tcp") return core::Transport::tcp;
  if (name == "tls") return core::Transport::tls;
  if (name == "ws") return core::Transport::ws;
  if (name == "wss") return core::Transport::wss;
  good = false;
  return core::Transport::udp;
}

}  // namespace

void add_sip(FlagTable& flags, Settings& s, RawSip& raw) {
  add_names(flags, s, raw);
  add_registrar(flags, s);
  add_events(flags, s);
  add_limits(flags, s);
}

void finish_sip_listeners(Settings& s, const RawSip& raw) {
  for (const std::string& text : raw.listeners) {
    const auto colon = text.find(':');
    bool good = false;
    const core::Transport transport = transport_named(text.substr(0, colon), good);
    if (colon == std::string::npos || !good) bad("--sip", "'" + text + "' does not start with udp:, tcp:, tls:, ws: or wss:");
    const auto at = parse_host_port(std::string_view(text).substr(colon + 1));
    if (!at || !at->port) bad("--sip", "'" + text + "' is not " + text.substr(0, colon) + ":HOST:PORT");
    s.sip_listeners.push_back({transport, at->host, *at->port});
  }
}

void finish_sip(Settings& s, const RawSip& raw) {
  auto& c = s.sip;
  for (const std::string& text : raw.trusted_peers) {
    const auto block = core::parse_cidr(text);
    if (!block) bad("--trusted-peer", "'" + text + "' is not a block such as 10.0.0.0/8 or fd00::/8");
    c.trusted_peers.push_back(*block);
  }
  auto& r = c.registrar;
  if (r.expires_min_s > r.expires_max_s) bad("--register-expires-max", "is below --register-expires-min");
  auto& events = c.reg_events.package;
  if (events.expires_min_seconds > events.expires_max_seconds) bad("--reg-event-expires-max", "is below --reg-event-expires-min");
  events.expires_default_seconds =
      std::clamp(events.expires_default_seconds, events.expires_min_seconds, events.expires_max_seconds);
  r.expires_default_s = std::clamp(r.expires_default_s, r.expires_min_s, r.expires_max_s);
  c.transport.half_closed = 64 * c.transactions.t1;
  c.domains = s.domains;
  c.realm = s.realm;
  c.dial_allow = s.relay.dial_allow;
  c.dial_deny = s.relay.dial_deny;
  c.digest.algorithms = s.relay.algorithms;
  switch (s.relay.plain_auth) {
    case msrp::PlainAuth::never: c.plain_digest = policy::PlainDigest::never; break;
    case msrp::PlainAuth::loopback: c.plain_digest = policy::PlainDigest::loopback; break;
    case msrp::PlainAuth::always: c.plain_digest = policy::PlainDigest::always; break;
  }
  if (s.sip_listeners.empty()) return;
  if (c.domains.empty()) c.domains.push_back(s.realm);
}

}  // namespace parley::parleyd

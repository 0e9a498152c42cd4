// tools/parleyd/flags_sip.cc - the flags of SIP, and the checks between them.
#include "tools/parleyd/flags_sip.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "core/units.h"
#include "policy/hop.h"
#include "sip/uri.h"
#include "tools/parleyd/listen_spec.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::minutes;

void add_names(FlagTable& flags, Settings& s, RawSip& raw) {
  flags.group("SIP");
  auto& c = s.sip;
  flags.list("--sip", raw.listeners, "udp|tcp|tls|ws|wss:HOST:PORT",
             "Listen for SIP. IPv6 in brackets; port 0 takes any free port.");
  flags.list("--trusted-peer", raw.trusted_peers, "CIDR",
             "Addresses of proxies whose requests need no digest and whose P-Asserted-Identity is believed. Whoever can send "
             "from there can send in anybody's name.");
  flags.text("--core", c.core, "URI",
             "The next hop toward users whom another server registers, such as the S-CSCF: sip:10.0.0.1:5060;transport=tcp;lr. "
             "What users served here send, and what the focus invites, goes there by a Route unless they are registered here. "
             "It must be a --trusted-peer.");
  flags.choice<policy::Forwarding>(
      "--sip-forwarding", c.forwarding,
      {{"stateful", policy::Forwarding::stateful}, {"stateless", policy::Forwarding::stateless}},
      "How requests other than INVITE to users with one device are forwarded; 'stateless' keeps nothing of them: cheaper, and "
      "the ends retransmit for themselves. MESSAGEs are forwarded so with --store memory alone, since else they may have to wait.");
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

void add_sip_limits(FlagTable& flags, Settings& s) {
  auto& c = s.sip;
  auto& t = c.transport;
  flags.duration("--sip-t1", c.transactions.t1, 10ms, 10s,
                 "T1, the estimate of the round-trip time (RFC 3261 section 17.1.1.1). Raising it slows retransmissions and "
                 "every time-out that is a multiple of it.");
  flags.duration("--sip-timer-c", c.timer_c, 1s, hours(1),
                 "An INVITE may ring this long before it is cancelled (RFC 3261 section 16.6: more than 3 minutes).");
  flags.duration(
      "--sip-shard-answer-timeout", c.shard_answer, 10ms, 30s,
      "A request for a user of another shard is answered 503 when that shard says nothing for this long. Lowering it "
      "gives up sooner in a busy moment.");
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
  flags.count("--subscriptions-restored-rate", e.notifier.restored_per_second, 1, 1'000'000,
              "Subscriptions of an earlier process that get their first NOTIFY in a second, per shard. Raising it makes more of them at a start.");
}

void add_conference_events(FlagTable& flags, Settings& s) {
  auto& e = s.sip.conference_events;
  flags.seconds("--conference-expires-min", e.package.expires_min_seconds, 1, 3600,
                "Shortest subscription to a session's state; a shorter wish is answered 423.");
  flags.seconds("--conference-expires-default", e.package.expires_default_seconds, 1, 30 * 86'400,
                "Life of a subscription to a session's state when its client names none (RFC 4575: one hour).");
  flags.seconds("--conference-expires-max", e.package.expires_max_seconds, 1, 30 * 86'400,
                "Longest subscription to a session's state; a longer wish gets this.");
  flags.duration("--conference-notify-interval", e.package.interval_min, 0ms, hours(1),
                 "Between NOTIFYs that changes of one session cause to one subscriber (RFC 4575: 5 s). Lowering it costs NOTIFYs.");
  flags.count("--conference-subscriptions-max", e.notifier.subscriptions_max, 1, 10'000'000,
              "Subscriptions to sessions, per shard. Each costs about 2 KiB. A reload does not change it.");
  flags.count("--conference-subscriptions-per-session-max", e.subscriptions_per_session_max, 1, 10'000'000,
              "Subscriptions to one session; one more is refused with 500. Each gets a NOTIFY for every change.");
  flags.count("--conference-subscriptions-per-watcher-max", e.subscriptions_per_watcher_max, 1, 1000,
              "Subscriptions of one user to one session; one more is refused with 403.");
  flags.count("--conference-notifies-unanswered-max", e.notifies_unanswered_max, 1, 1000,
              "NOTIFYs of one dialog without an answer; above it a refresh is refused with 500.");
  flags.size("--conference-document-bytes-max", e.roster.document_bytes_max, 4 * kib, 64 * mib,
             "Longest document about a session; a longer one leaves users out and says how many there are. Raising it above "
             "--sip-queue-bytes-max makes NOTIFYs fail.");
  flags.count("--conference-users-max", e.roster.users_max, 2, 1'000'000, "Users in one session. Each costs about 1 KiB.");
  flags.count("--conference-endpoints-max", e.roster.endpoints_max, 1, 100, "Devices of one user in one session.");
  flags.count("--conference-history-max", e.roster.history_max, 0, 1'000'000,
              "Departures that a session remembers until all subscribers have been told; who has missed more gets everything anew.");
  flags.list("--conference-always-full", e.always_full, "PREFIX",
             "User-Agents that begin so get everything in each NOTIFY, because they take no partial documents.");
}

void add_protection(FlagTable& flags, Settings& s, RawSip& raw) {
  flags.text("--overload-lag", raw.overload_lag, "LIST|off",
             "How late a shard may be with what has come, for 100 ms on end, before it is at level 1, 2, 3, 4 of overload: from "
             "2 on new sessions, OPTIONS and SUBSCRIBE are answered 503, from 3 on MESSAGE outside dialogs and early refreshes "
             "of registrations too, at 4 all but ACK, BYE, CANCEL and what has priority. Raising it trades delay for refusals.");
  flags.text("--overload-memory", raw.overload_memory, "LIST|off",
             "The same by how full --heap-max is, in percent.");
  auto& c = s.sip.sources;
  flags.count("--sip-source-budget", c.requests, 0, 1'000'000,
              "Datagrams in --sip-source-window from an address (IPv6: /64) where nobody has shown a password and that is no "
              "--trusted-peer, per shard; then it is not heard for --sip-source-silence. 0: no limit, also for proven ones.");
  flags.text("--sip-source-exempt", raw.source_exempt, "LIST|none",
             "Blocks (CIDR) whose addresses no stranger can use as a source, and which therefore are not counted.");
  flags.count("--sip-source-budget-proven", c.requests_proven, 0, 100'000'000,
              "The same from an address where somebody has, within --sip-source-proof; more are dropped. Many users may share "
              "one. 0: no limit.");
  flags.duration("--sip-source-window", c.window, 100ms, minutes(1), "The time that the two budgets are for.");
  flags.duration("--sip-source-silence", c.silence, 0ms, hours(1),
                 "How long nothing is taken from an address that went over its budget. Above 30s, clients behind a shared address "
                 "give up before they are heard again.");
  flags.duration("--sip-source-proof", c.proof, 1s, hours(24), "How long an address counts as proven after a password was shown.");
  flags.count("--sip-sources-max", c.sources_max, 4, 100'000'000,
              "Addresses whose datagrams are counted, per shard; with more, those heard of longest ago are forgotten. Each costs "
              "32 bytes. A reload does not change it.");
}

// Four values that rise, or "off".
template <class Value, class Read>
void read_ladder(const char* flag, const std::string& text, std::array<Value, policy::overload_levels>& out, Read read) {
  if (text == "off") {
    out.fill(Value{});
    return;
  }
  std::size_t at = 0;
  for (unsigned n = 0; n < policy::overload_levels; ++n) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const auto value = read(text.substr(at, comma - at));
    if (!value || *value <= Value{} || (n > 0 && *value <= out[n - 1]) || (comma == text.size()) != (n + 1 == out.size())) {
      bad(flag, "'" + text + "' is neither four rising values, separated by commas, nor off");
    }
    out[n] = *value;
    at = comma + 1;
  }
}

std::optional<std::uint32_t> percent(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value <= 100 ? std::optional(value) : std::nullopt;
}

// It has to be one that Route can name, and whom we believe what it asserts.
void finish_core(const policy::SipConfig& c) {
  sip::Uri uri;
  const bool good = sip::parse_uri(c.core, uri) && (uri.scheme == sip::Scheme::sip || uri.scheme == sip::Scheme::sips);
  const auto fits = [](char at) { return at > 0x20 && at < 0x7f && at != '<' && at != '>' && at != '"' && at != ','; };
  if (!good || uri.host.empty() || !std::all_of(c.core.begin(), c.core.end(), fits)) {
    bad("--core", "'" + c.core + "' is not a URI such as sip:10.0.0.1:5060;transport=tcp;lr");
  }
  if (!sip::has_uri_parameter(uri, "lr")) bad("--core", "needs ;lr: a Route leads there");
  policy::Hop hop;
  if (!policy::literal_hop(c.core, hop)) return;  // a name is looked up when it is needed
  const core::Address address = core::unmapped(hop.address);
  const auto trusts = [&address](const core::Cidr& block) { return core::contains(block, address); };
  if (std::none_of(c.trusted_peers.begin(), c.trusted_peers.end(), trusts)) bad("--core", "is no --trusted-peer");
}

void add_calls(FlagTable& flags, Settings& s) {
  auto& c = s.sip.calls;
  flags.choice<policy::Carrying>(
      "--sip-calls", c.carrying, {{"proxy", policy::Carrying::proxy}, {"b2bua", policy::Carrying::b2bua}},
      "How INVITE sessions are carried. 'b2bua': each side has a dialog with this server, which keeps every call's state; "
      "needed where the server shall see how a session goes on.");
  flags.count("--sip-calls-max", c.calls_max, 1, 10'000'000,
              "Calls carried leg to leg at one time, per shard; one more is refused with 503. Each costs about 8 KiB.");
  flags.count("--sip-call-requests-max", c.requests_max, 4, 1000,
              "Requests in one call that wait for an answer at one time; one more is refused with 500.");
  flags.count("--sip-call-refers-max", c.refers_max, 1, 1000,
              "Subscriptions of REFERs in one call whose ids are translated between its legs; with more, the oldest is forgotten.");
  flags.present("--session-timer-proxied", c.proxied_timer,
                "Where sessions are proxied, too, ask for a session timer and lower a longer one (RFC 4028 section 8).");
  flags.seconds("--session-expires-max", c.timer.interval_seconds, sip::min_se_floor_seconds, 24 * 3600,
                "Session timer (RFC 4028) that is asked for and granted at most on each leg of a call. Lowering it finds dead "
                "peers earlier and costs refreshes.");
  flags.seconds("--session-expires-min", c.timer.min_se_seconds, sip::min_se_floor_seconds, 24 * 3600,
                "Shortest session timer; a shorter wish is answered 422.");
}

}  // namespace

void add_sip(FlagTable& flags, Settings& s, RawSip& raw) {
  add_names(flags, s, raw);
  add_registrar(flags, s);
  add_events(flags, s);
  add_conference_events(flags, s);
  add_calls(flags, s);
  add_sip_limits(flags, s);
  add_protection(flags, s, raw);
}

void finish_sip_listeners(Settings& s, const RawSip& raw) {
  for (const std::string& text : raw.listeners) s.sip_listeners.push_back(parse_listen_spec("--sip", text, true));
}

void finish_sip(Settings& s, const RawSip& raw) {
  auto& c = s.sip;
  for (const std::string& text : raw.trusted_peers) {
    const auto block = core::parse_cidr(text);
    if (!block) bad("--trusted-peer", "'" + text + "' is not a block such as 10.0.0.0/8 or fd00::/8");
    c.trusted_peers.push_back(*block);
  }
  if (!c.core.empty()) finish_core(c);
  for (std::size_t at = 0; raw.source_exempt != "none" && at <= raw.source_exempt.size();) {
    const std::size_t comma = std::min(raw.source_exempt.find(',', at), raw.source_exempt.size());
    const std::string text = raw.source_exempt.substr(at, comma - at);
    const auto block = core::parse_cidr(text);
    if (!block) bad("--sip-source-exempt", "'" + text + "' is not a block such as 127.0.0.0/8");
    c.sources.exempt.push_back(*block);
    at = comma + 1;
  }
  read_ladder("--overload-lag", raw.overload_lag, c.overload.lag,
              [](const std::string& text) { return core::parse_duration(text); });
  read_ladder("--overload-memory", raw.overload_memory, c.overload.memory_percent, percent);
  auto& r = c.registrar;
  if (r.expires_min_s > r.expires_max_s) bad("--register-expires-max", "is below --register-expires-min");
  auto& events = c.reg_events.package;
  if (events.expires_min_seconds > events.expires_max_seconds) bad("--reg-event-expires-max", "is below --reg-event-expires-min");
  events.expires_default_seconds =
      std::clamp(events.expires_default_seconds, events.expires_min_seconds, events.expires_max_seconds);
  auto& conference = c.conference_events.package;
  if (conference.expires_min_seconds > conference.expires_max_seconds) {
    bad("--conference-expires-max", "is below --conference-expires-min");
  }
  // Who has come by UDP is called by TCP for a long one (OMA-CONF-10).
  c.transport.dial_waiting_bytes_max =
      std::max(c.transport.dial_waiting_bytes_max, c.conference_events.roster.document_bytes_max + 64 * 1024);
  conference.expires_default_seconds =
      std::clamp(conference.expires_default_seconds, conference.expires_min_seconds, conference.expires_max_seconds);
  r.expires_default_s = std::clamp(r.expires_default_s, r.expires_min_s, r.expires_max_s);
  auto& timer = c.calls.timer;
  if (timer.min_se_seconds > timer.interval_seconds) bad("--session-expires-max", "is below --session-expires-min");
  c.calls.drain = s.drain_timeout;
  c.transport.half_closed = 64 * c.transactions.t1;
  c.domains = s.domains;
  c.realm = s.realm;
  c.dial_allow = s.relay.dial_allow;
  c.transport.dial_deny = s.relay.dial_deny;
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

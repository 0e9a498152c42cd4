// tools/parleyd/flags.cc - every flag, its unit, its default and what raising it costs; then the checks between flags.
#include "tools/parleyd/flags.h"

#include <openssl/crypto.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <memory>
#include <set>

#include "core/digest.h"
#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/flags_deferred.h"
#include "tools/parleyd/flags_history.h"
#include "tools/parleyd/flags_system.h"
#include "tools/parleyd/flags_documents.h"
#include "tools/parleyd/flags_store.h"
#include "tools/parleyd/flags_focus.h"
#include "tools/parleyd/flags_history_lists.h"
#include "tools/parleyd/flags_im.h"
#include "tools/parleyd/flags_limits.h"
#include "tools/parleyd/flags_room.h"
#include "tools/parleyd/flags_sip.h"
#include "tools/parleyd/flags_xcap.h"
#include "tools/parleyd/help_page.h"
#include "tools/parleyd/listen_spec.h"
#include "tools/parleyd/version.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;
using core::Duration;
using core::LogFormat;
using core::LoopKind;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint32_t any_count = 0xffff'ffffU;

// What stands in flags as text and is taken apart afterwards, when all of it is known.
struct Raw {
  std::vector<std::string> msrp;
  std::vector<std::string> advertise;
  std::vector<std::string> domains;
  std::vector<std::string> relay_peers;
  std::vector<std::string> dial_allow;
  std::vector<std::string> dial_deny;
  std::vector<std::string> explicit_ranges_for;
  std::string algorithms = "SHA-256,MD5";
  std::string roles = "relay,registrar,participating,controlling,deferred";
  // The role was named, and is not only there because nothing was said.
  bool controlling_asked = false;
  bool deferred_asked = false;
  bool check_config = false;
  RawSip sip;
  RawIm im;
  RawSystem system;
  RawDocuments documents;
  RawStore store;
  RawXcap xcap;
};

void add_listeners(FlagTable& flags, Settings&, Raw& raw) {
  flags.group("Listeners and names");
  flags.list("--msrp", raw.msrp, "tcp|tls|ws|wss:HOST:PORT",
             "Listen for MSRP; ws and wss for clients that speak WebSocket (RFC 7977), which others reach through the tcp or tls "
             "listener. IPv6 in brackets; port 0 takes any free port.");
  flags.list(
      "--advertise", raw.advertise, "HOST[:PORT]",
      "What stands in the URIs handed out, where it differs from the listener (NAT, load balancer, wildcard "
      "address). Given once without a port it holds for all listeners, otherwise once per --msrp and then once per --sip, in "
      "that order.");
  flags.list("--domain", raw.domains, "NAME",
             "A name this relay answers to in AUTH requests, besides its listeners' hosts.");
  flags.text("--roles", raw.roles, "LIST",
             "What this process is, of those that have a listener: relay (RFC 4976; --msrp), registrar (SIP registrar and "
             "proxy; --sip), participating (checks IM requests from and to the users served here, and keeps their settings; "
             "--sip, with --pf-media-path always --msrp, too), controlling (focus of IM sessions; --sip and --msrp), deferred "
             "(keeps messages for users who can not be reached; participating and a --store).");
}

// Whom WebSocket listeners let in is one policy for both protocols: finish_rest gives it to SIP too.
void add_websocket(FlagTable& flags, Settings& s) {
  flags.group("WebSocket");
  auto& r = s.relay;
  flags.list("--ws-origin", r.ws.origins, "ORIGIN",
             "Web pages that may open a WebSocket, as their Origin header says: https://chat.example.org. Without it any.");
  flags.list("--ws-path", r.ws.paths, "PATH",
             "Paths at which WebSocket is spoken, such as /chat; others are answered 404. Without it any.");
  flags.duration("--msrp-ws-ping", r.ws_ping, 0s, hours(1),
                 "A WebSocket client of the relay that is silent for so long gets a ping, and is closed when that has no "
                 "answer for as long again; 0s: no pings.");
  flags.size("--msrp-ws-chunk", r.ws_chunk_bytes, 4 * kib, gib,
             "A chunk to a WebSocket client that is cut through is ended when it is this long, and the next one begun: "
             "browsers show a chunk to their page when it is whole.");
  flags.count("--msrp-ws-small-frames-max", r.ws_small_frames_max, 1, any_count,
              "Frames below 1 KiB in one WebSocket message of an MSRP client; with more the connection is closed. They cost "
              "time, no memory.");
}

void add_tls(FlagTable& flags, Settings& s) {
  flags.group("TLS");
  flags.text(
      "--tls-cert", s.tls_cert, "FILE",
      "Certificate chain in PEM, leaf first; for tls: listeners and towards other relays. Read again at SIGHUP.");
  flags.text("--tls-key", s.tls_key, "FILE", "Its private key in PEM. Read again at SIGHUP.");
  flags.text(
      "--tls-ca", s.tls_ca, "FILE",
      "Certificate authorities that other relays' certificates must chain to, in PEM. Without it no client is known "
      "by certificate, and relays we dial are checked against the system's. Read again at SIGHUP.");
  flags.duration("--tls-handshake-timeout", s.tls_handshake_timeout, 100ms, minutes(5),
                 "A handshake must end within this time. Raising it lets slow or idle connections hold a slot longer.");
}

void add_users(FlagTable& flags, Settings& s, Raw& raw) {
  flags.group("Users and AUTH");
  flags.list("--user", s.users, "NAME:SECRET",
             "One user. For trials: other processes may see it before it is wiped; use --users-file otherwise.");
  flags.text("--users-file", s.users_file, "FILE",
             "Users as lines NAME:REALM:ALGORITHM:HA1, HA1 = hex of H(NAME:REALM:SECRET); '#' starts a comment. Read "
             "again at SIGHUP.");
  flags.text("--realm", s.realm, "NAME",
             "The digest realm. Without it the first --domain, else the first listener's host.");
  flags.text("--auth-algorithms", raw.algorithms, "LIST",
             "Digest algorithms offered, one challenge each in this order: SHA-256, SHA-512-256, MD5. Old clients know "
             "only MD5.");
  flags.choice<msrp::PlainAuth>(
      "--plain-auth", s.relay.plain_auth,
      {{"never", msrp::PlainAuth::never}, {"loopback", msrp::PlainAuth::loopback}, {"always", msrp::PlainAuth::always}},
      "From where MSRP's AUTH and SIP's digest credentials are taken on transports without TLS. 'always' shows digests and "
      "messages to the network.");
  auto& r = s.relay;
  flags.seconds("--auth-expires-min", r.expires_min_s, 1, 7 * 86'400,
                "Shortest life of a session URI; a shorter wish is answered 423. Lowering it raises the rate of AUTH.");
  flags.seconds("--auth-expires-default", r.expires_default_s, 1, 7 * 86'400,
                "Life of a session URI when the client names none.");
  flags.seconds("--auth-expires-max", r.expires_max_s, 1, 7 * 86'400,
                "Longest life of a session URI. Raising it keeps sessions of silent clients longer.");
  flags.duration(
      "--nonce-life", r.nonce_life, 1s, hours(24),
      "After this a nonce is stale and the client is challenged again. Raising it widens the time in which a "
      "stolen nonce is of use (on its own connection only).");
  flags.count("--auth-failures-max", r.auth_failures_max, 1, 1000,
              "Failed AUTH requests on one connection, then it is closed. Raising it helps guessing.");
  flags.count(
      "--auth-failures-user-per-minute", r.auth_failures_user_per_minute, 1, any_count,
      "Failed AUTH requests for one user name per minute, then further ones are refused unread; loopback is not "
      "counted. Raising it helps guessing.");
  flags.count("--auth-failures-source-per-minute", r.auth_failures_source_per_minute, 1, any_count,
              "The same per source address (IPv6: /64).");
}

void add_routing(FlagTable& flags, Settings& s, Raw& raw) {
  flags.group("Next hops");
  auto& r = s.relay;
  flags.list(
      "--relay-peer", raw.relay_peers, "HOST[:PORT]",
      "Another relay or server: it may be dialled, and its certificate stands for a password. Without a port, any.");
  flags.list("--dial-allow", raw.dial_allow, "CIDR",
             "Addresses that may be dialled besides --relay-peer. Nothing is dialled by default.");
  flags.list("--dial-deny", raw.dial_deny, "CIDR", "Addresses that are never dialled, whatever allows them.");
  flags.count(
      "--dials-max", r.dials_max, 1, 100'000,
      "Connections being set up at one time, per shard. Raising it lets unreachable hops hold more descriptors.");
  flags.count("--dials-per-session-max", r.dials_per_session_per_second, 1, 100'000,
              "Connections one session may cause to be set up in a second. Raising it lets a client knock at more doors.");
  flags.duration("--dial-retry-after", r.dial_retry_after, 0s, minutes(10),
                 "A next hop that could not be reached is not dialled again for this long. Raising it spares the network "
                 "and delays the return of a next hop.");
  flags.count("--failed-dials-max", r.failed_dials_max, 1, 1'000'000,
              "Next hops that could not be reached and are remembered for --dial-retry-after, per shard; with more, all are "
              "forgotten. Each costs about 200 bytes.");
  flags.duration("--connect-timeout", r.connect_timeout, 100ms, minutes(2), "A next hop must answer within this time.");
  flags.text("--dns-servers", s.dns_servers, "LIST",
             "Name servers, HOST:PORT separated by commas. Without it those of /etc/resolv.conf.");
  flags.duration("--dns-timeout", s.dns_timeout, 100ms, minutes(1),
                 "SRV and address look-ups for one next hop must end within this time.");
  flags.count("--dns-waiting-max", s.dns_waiting_max, 1, 100'000,
              "Look-ups being worked on; one too many counts as a name without address.");
  flags.list("--explicit-ranges-for", raw.explicit_ranges_for, "CIDR",
             "Addresses of clients that read a body by the length in Byte-Range: what is sent to them goes in chunks whose "
             "range is known, none before it is complete.");
  flags.size("--explicit-range-bytes", r.explicit_range_bytes, 256, 10 * kib,
             "Largest chunk for --explicit-ranges-for. Above 2048 other messages on the same connection wait longer than RFC "
             "4975 section 7.1.1 allows.");
  flags.choice<msrp::UnknownMethods>(
      "--unknown-methods", r.unknown_methods,
      {{"forward", msrp::UnknownMethods::forward}, {"block", msrp::UnknownMethods::block}},
      "What happens to requests other than SEND, REPORT, AUTH and NICKNAME: forwarded as RFC 4976 asks, or answered "
      "501.");
}

void add_process(FlagTable& flags, Settings& s, Raw& raw) {
  flags.group("Process");
  flags.count("--shards", s.shards, 1, 1024, "Event loops, one thread each.", "one per core");
  flags.choice<Pin>("--pin", s.pin, {{"auto", Pin::automatic}, {"on", Pin::on}, {"off", Pin::off}},
                    "Bind each shard to a core of its own; auto does so when there are several and as many as cores.");
  flags.choice<LoopKind>("--loop", s.loop,
                         {{"auto", LoopKind::automatic}, {"uring", LoopKind::uring}, {"epoll", LoopKind::epoll}},
                         "The kernel interface; auto takes io_uring where it is allowed and complete.");
  flags.count("--loop-gather-us", s.gather_us, 0, 5000,
              "With io_uring: how many microseconds one event may wait for others while a shard would be woken more than 16,000 "
              "times a second for a few small ones at a time, which costs more than the events, and as long as no fewer come for "
              "it. 0: none waits.");
  flags.text("--admin", s.admin, "HOST:PORT",
             "HTTP for /livez, /readyz, /metrics and /api/v1; 'none' for no such listener. Beyond loopback it needs "
             "--admin-token-file.");
  flags.text("--admin-token-file", s.admin_token_file, "FILE",
             "A file with one line, at least 16 characters: then all but /livez and /readyz ask for "
             "'Authorization: Bearer LINE'.");
  flags.number("--ready-fd", s.ready_fd, 0, 1'000'000,
               "Write one JSON line with the bound ports here once parleyd serves.");
  flags.text("--ready-file", s.ready_file, "FILE", "The same into a file, which appears complete or not at all.");
  using Level = core::LogRecord::Level;
  flags.choice<Level>("--log-level", s.log_level,
                      {{"debug", Level::debug}, {"info", Level::info}, {"warn", Level::warn}, {"error", Level::error}},
                      "Least level that is written, to standard error; may be changed while running.");
  flags.choice<LogFormat>("--log-format", s.log_format, {{"text", LogFormat::text}, {"json", LogFormat::json}},
                          "One line per event, as text or as JSON.");
  flags.present("--dumpable", s.dumpable,
                "Allow core dumps and debuggers of the same user. Off, so that messages in memory stay there; on with "
                "--log-level debug.");
  flags.present("--check-config", raw.check_config, "Check flags and the files they name, say what is wrong, and end.");
}

// Listeners of a role that this process does not have are a mistake; a role without listeners is none.
void keep_roles(Settings& s, std::string_view list, bool has_store) {
  bool relay = false;
  s.sip.registers_users = false;
  for (;;) {
    const auto comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    if (name == "relay") {
      relay = true;
    } else if (name == "registrar") {
      s.sip.registers_users = true;
    } else if (name == "participating") {
      s.sip.im.participating = true;
    } else if (name == "controlling") {
      s.sip.focus.on = true;
    } else if (name == "deferred") {
      s.sip.im.deferred.on = true;
    } else {
      bad("--roles", "'" + std::string(name) + "' is not one of relay, registrar, participating, controlling, deferred");
    }
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  const bool focus = s.sip.focus.on;
  const policy::MediaPath path = s.sip.im.media.path;
  const bool in_media = s.sip.im.participating && (path == policy::MediaPath::always ||
                                                   (path == policy::MediaPath::automatic && has_store));
  if (!relay && !focus && !in_media && !s.msrp.empty()) {
    bad("--roles",
        "--msrp needs the role relay or controlling, or participating with --pf-media-path always, or with a --store and "
        "--sip for histories");
  }
  if (!s.sip.registers_users && !s.sip.im.participating && !focus && !s.sip_listeners.empty()) {
    bad("--roles", "--sip needs the role registrar, participating or controlling");
  }
}

void finish_listeners(Settings& s, Raw& raw) {
  for (const std::string& text : raw.msrp) s.msrp.push_back(parse_listen_spec("--msrp", text, false));
  finish_sip_listeners(s, raw.sip);
  keep_roles(s, raw.roles, raw.store.keeps() && !s.sip_listeners.empty());
  const bool named = raw.roles != Raw().roles;
  raw.controlling_asked = named && s.sip.focus.on;
  raw.deferred_asked = named && s.sip.im.deferred.on;
  std::vector<ListenSpec> all = s.msrp;
  all.insert(all.end(), s.sip_listeners.begin(), s.sip_listeners.end());
  if (all.empty()) bad("--msrp", "or --sip: at least one listener is needed");

  for (const std::string& text : raw.advertise) {
    const auto at = parse_host_port(text);
    if (!at || at->port == 0) bad("--advertise", "'" + text + "' is not HOST or HOST:PORT");
    s.advertise.push_back(*at);
  }
  const bool for_all = s.advertise.size() == 1 && (!s.advertise[0].port || all.size() == 1);
  if (!s.advertise.empty() && !for_all && s.advertise.size() != all.size()) {
    bad("--advertise", "give it once without a port, or once per listener (" + std::to_string(all.size()) + ")");
  }
  if (s.advertise.size() == 1) s.advertise.resize(all.size(), s.advertise[0]);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto literal = core::parse_ip(all[i].host, 0);
    if (s.advertise.empty() && literal && core::is_unspecified(*literal)) {
      bad("--advertise", "is needed: the wildcard address " + all[i].host + " can not stand in a URI");
    }
    if (!s.advertise.empty()) {
      const auto shown = core::parse_ip(s.advertise[i].host, 0);
      if (shown && core::is_unspecified(*shown)) bad("--advertise", s.advertise[i].host + " can not stand in a URI");
    }
  }
}

void finish_names(Settings& s, const Raw& raw) {
  for (const std::string& text : raw.domains) {
    const auto at = parse_host_port(text);
    if (!at || at->port) bad("--domain", "'" + text + "' is not a host name");
    s.domains.push_back(at->host);
  }
  if (s.realm.empty()) {
    s.realm = !s.domains.empty() ? s.domains[0] : !s.advertise.empty() ? s.advertise[0].host
              : !s.msrp.empty()    ? s.msrp[0].host
                                   : s.sip_listeners[0].host;
  }
  // It stands between quotes in every challenge; the users file can name it unless it holds a colon.
  const auto fits = [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; };
  if (s.realm.size() > 128 || !std::all_of(s.realm.begin(), s.realm.end(), fits)) {
    bad("--realm", "may hold up to 128 printable ASCII characters without quote and backslash");
  }
}

void finish_users(Settings& s, const Raw& raw) {
  s.relay.algorithms.clear();
  std::string_view rest = raw.algorithms;
  for (;;) {
    const auto comma = rest.find(',');
    const std::string name(rest.substr(0, comma));
    const auto algorithm = core::parse_digest_algorithm(name);
    if (!algorithm) bad("--auth-algorithms", "'" + name + "' is not one of SHA-256, SHA-512-256, MD5");
    auto& list = s.relay.algorithms;
    if (std::find(list.begin(), list.end(), *algorithm) != list.end()) bad("--auth-algorithms", name + " stands twice");
    list.push_back(*algorithm);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }

  std::set<std::string> names;
  for (const std::string& user : s.users) {
    const auto colon = user.find(':');
    if (colon == std::string::npos || colon == 0) bad("--user", "is not NAME:SECRET");
    const std::string name = user.substr(0, colon);
    if (colon + 1 == user.size()) bad("--user", name + " has no secret");
    if (!names.insert(name).second) bad("--user", name + " stands twice");
  }
  auto& r = s.relay;
  if (r.expires_min_s > r.expires_max_s) bad("--auth-expires-max", "is below --auth-expires-min");
  if (r.expires_default_s < r.expires_min_s || r.expires_default_s > r.expires_max_s) {
    // A changed bound takes an untouched default along; one that was asked for must fit.
    if (r.expires_default_s != msrp::RelayConfig{}.expires_default_s) {
      bad("--auth-expires-default", "is not between --auth-expires-min and --auth-expires-max");
    }
    r.expires_default_s = std::clamp(r.expires_default_s, r.expires_min_s, r.expires_max_s);
  }
}

void finish_routing(Settings& s, const Raw& raw) {
  for (const std::string& text : raw.relay_peers) {
    const auto at = parse_host_port(text);
    if (!at || at->port == 0) bad("--relay-peer", "'" + text + "' is not HOST or HOST:PORT");
    s.relay.relay_peers.push_back({at->host, at->port.value_or(0)});
  }
  const auto blocks = [](const char* flag, const std::vector<std::string>& texts, std::vector<core::Cidr>& out) {
    for (const std::string& text : texts) {
      const auto block = core::parse_cidr(text);
      if (!block) bad(flag, "'" + text + "' is not a block such as 10.0.0.0/8 or fd00::/8");
      out.push_back(*block);
    }
  };
  blocks("--dial-allow", raw.dial_allow, s.relay.dial_allow);
  blocks("--dial-deny", raw.dial_deny, s.relay.dial_deny);
  blocks("--explicit-ranges-for", raw.explicit_ranges_for, s.relay.explicit_ranges_for);
}

void finish_tls(Settings& s) {
  const auto secure = [](const ListenSpec& spec) {
    return spec.transport == core::Transport::tls || spec.transport == core::Transport::wss;
  };
  const bool listens = std::any_of(s.msrp.begin(), s.msrp.end(), secure) ||
                       std::any_of(s.sip_listeners.begin(), s.sip_listeners.end(), secure);
  if (s.tls_cert.empty() != s.tls_key.empty()) {
    s.tls_cert.empty() ? bad("--tls-cert", "is needed with --tls-key") : bad("--tls-key", "is needed with --tls-cert");
  }
  if (listens && s.tls_cert.empty()) bad("--tls-cert", "is needed for tls: and wss: listeners");
}

void finish_rest(Settings& s, std::vector<std::string>& warnings) {
  s.sip.transport.ws = s.relay.ws;
  if (s.relay.watermark_low_bytes >= s.relay.watermark_high_bytes) {
    bad("--watermark-low", "must be below --watermark-high");
  }
  if (s.relay.shared_queue_bytes_max < s.relay.watermark_high_bytes) {
    if (s.relay.shared_queue_bytes_max != msrp::RelayConfig{}.shared_queue_bytes_max) {
      bad("--shared-queue-max", "is below --watermark-high");
    }
    s.relay.shared_queue_bytes_max = s.relay.watermark_high_bytes;
  }
  if (s.relay.watermark_high_bytes > s.pool.heap_bytes_max) bad("--heap-max", "is below --watermark-high");
  if (s.admin != "none") {
    const auto at = parse_host_port(s.admin);
    if (!at || !at->port) bad("--admin", "'" + s.admin + "' is not HOST:PORT");
    const auto literal = core::parse_ip(at->host, 0);
    const bool loopback = literal ? core::is_loopback(*literal) : at->host == "localhost";
    if (!loopback && s.admin_token_file.empty()) {
      bad("--admin-token-file", "is needed: --admin " + s.admin + " is not loopback");
    }
  }
  if (s.relay.plain_auth == msrp::PlainAuth::always) {
    warnings.emplace_back("--plain-auth always: digests and messages cross the network without TLS");
  }
}

}  // namespace

Parsed parse_flags(const std::vector<std::string>& arguments) {
  Parsed parsed;
  Settings& s = parsed.settings;
  Raw raw;
  CLI::App app(
      "parleyd - MSRP relay (RFC 4975, RFC 4976), SIP registrar and proxy (RFC 3261)\n"
      "Times are written 500ms, 30s, 5m, 1h; sizes 4096, 64KiB, 1MiB. A limit 'per shard' holds for each event "
      "loop.\n");
  app.formatter(std::make_shared<HelpPage>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  FlagTable flags(app);
  add_listeners(flags, s, raw);
  add_sip(flags, s, raw.sip);
  add_focus(flags, s);
  add_im(flags, s, raw.im);
  add_rooms(flags, s);
  add_websocket(flags, s);
  add_tls(flags, s);
  add_users(flags, s, raw);
  add_documents(flags, s, raw.documents);
  add_xcap(flags, s, raw.xcap);
  add_store(flags, s, raw.store);
  add_deferred(flags, s);
  add_history(flags, s);
  add_history_lists(flags, s);
  add_system(flags, s, raw.system);
  add_routing(flags, s, raw);
  add_timers(flags, s);
  add_limits(flags, s);
  add_process(flags, s, raw);
  // Last, so that the page does not begin with them.
  app.set_help_flag("--help", "Show this page and end.");
  app.set_version_flag("--version", std::string("parleyd ") + version, "Show the version and end.");
  app.set_config("--config", "",
                 "Take flags from a file, one per line: msrp=[\"tcp:192.0.2.1:2855\"], "
                 "log-level=\"info\". The command line wins. Read again at SIGHUP.")
      ->type_name("FILE");
  for (CLI::Option* option : {app.get_config_ptr(), app.get_help_ptr(), app.get_option("--version")}) {
    option->group("Process");
  }

  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // what CLI11 wants
    app.parse(reversed);
    finish_listeners(s, raw);
    finish_names(s, raw);
    finish_users(s, raw);
    finish_routing(s, raw);
    finish_tls(s);
    finish_rest(s, parsed.warnings);
    finish_sip(s, raw.sip);
    finish_documents(s, raw.documents);
    finish_store(s, raw.store);
    finish_deferred(s, raw.deferred_asked);
    finish_history(s);
    finish_im(s, raw.im);
    finish_history_lists(s);
    finish_system(s, raw.system);
    finish_rooms(s);
    finish_focus(s, raw.controlling_asked);
    finish_rooms(s);
    finish_xcap(s, raw.xcap, parsed.warnings);
    parsed.outcome = raw.check_config ? Parsed::Outcome::check : Parsed::Outcome::run;
  } catch (const CLI::CallForHelp&) {
    parsed.outcome = Parsed::Outcome::print;
    parsed.text = help_page(app);
  } catch (const CLI::CallForVersion& version_text) {
    parsed.outcome = Parsed::Outcome::print;
    parsed.text = std::string(version_text.what()) + "\n";
  } catch (const CLI::ConfigError& error) {
    // The library says "INI was not able to parse KEY".
    const std::string what = error.what();
    parsed.text = "--config: '" + what.substr(what.rfind(' ') + 1) + "' is not a flag";
  } catch (const CLI::FileError& error) {
    parsed.text = std::string("--config: ") + error.what();
  } catch (const CLI::ParseError& error) {
    parsed.text = error.what();
  }
  return parsed;
}

std::vector<std::string> take_arguments(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  for (int i = 1; i < argc; ++i) {
    char* value = nullptr;
    if (std::strncmp(argv[i], "--user=", 7) == 0) value = argv[i] + 7;
    if (std::strcmp(argv[i], "--user") == 0 && i + 1 < argc) value = argv[++i];
    if (value == nullptr) continue;
    if (char* secret = std::strchr(value, ':')) std::memset(secret + 1, '*', std::strlen(secret + 1));
  }
  return arguments;
}

bool drop_user_flags(std::vector<std::string>& arguments) {
  std::vector<std::string> kept;
  bool dropped = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string& word = arguments[i];
    const bool joined = word.starts_with("--user=");
    if (!joined && word != "--user") {
      kept.push_back(word);
      continue;
    }
    dropped = true;
    std::string& secret = !joined && i + 1 < arguments.size() ? arguments[++i] : word;
    OPENSSL_cleanse(secret.data(), secret.size());
  }
  arguments = std::move(kept);
  return dropped;
}

}  // namespace parley::parleyd

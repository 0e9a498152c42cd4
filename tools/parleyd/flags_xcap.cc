// tools/parleyd/flags_xcap.cc - the flags of XCAP, the HTTP by which users read and write their documents (RFC 4825).
#include "tools/parleyd/flags_xcap.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "core/address.h"
#include "policy/user_key.h"
#include "tools/parleyd/host_port.h"

namespace parley::parleyd {

using namespace std::chrono_literals;

void add_xcap(FlagTable& flags, Settings& s, RawXcap& raw) {
  flags.group("XCAP");
  auto& x = s.xcap;
  auto& p = x.front.service;
  flags.list(
      "--xcap", raw.listeners, "[http|https:]HOST:PORT",
      "Listen for XCAP (RFC 4825): users write their groups, access rules and settings by HTTP, as themselves "
      "(Digest, with their SIP credentials and --plain-auth), and those hold at once. https needs --tls-cert. Needs "
      "--sip; with --store memory documents are gone with the process.");
  flags.text("--xcap-root", p.root, "PATH", "Path of the XCAP root.");
  flags.text(
      "--xcap-uri", x.uri, "URI",
      "URI of the XCAP root as clients reach it, for those who watch documents (xcap-diff). Without it that of the "
      "first --xcap.");
  flags.list(
      "--xcap-trusted", raw.trusted, "CIDR",
      "A proxy that has authenticated users: its X-3GPP-Asserted-Identity or X-XCAP-Asserted-Identity is believed.");
  flags.text(
      "--xcap-groups-prefix", p.groups_prefix, "TEXT",
      "What names of groups that users make have to begin with, so that none is the address of somebody. Without it "
      "any name that is no --user, no group of the operator's and no address of the service.");
  flags.count("--xcap-group-members-max", p.group_members_max, 1, 10'000,
              "Members of a group that a user makes, and what he may say how many take part; more is answered 409. A message to "
              "it is as many messages.");
  flags.size("--xcap-document-max", p.document_bytes_max, kib, 16 * mib,
             "Longest document, and longest body of a request; a longer one is answered 413.");
  flags.count("--xcap-documents-per-user-max", p.documents_per_user_max, 1, 10'000,
              "Documents of one user; one more is answered 409.");
  flags.count(
      "--xcap-documents-max", p.documents_max, 1, 100'000'000,
      "Documents of all users; one more is answered 507. Each costs about 1 KiB and up to ten times its length.");
  flags.size("--xcap-documents-bytes-max", p.bytes_max, mib, 65'536 * mib,
             "All documents together; what goes beyond is answered 507.");
  auto& h = x.http;
  flags.count("--xcap-connections-max", h.connections_max, 1, 10'000, "Connections; one more is closed at once.");
  flags.count("--xcap-connections-per-source-max", h.per_source_max, 1, 10'000,
              "Connections from one IPv4 address or IPv6 /64; one more is closed at once. Loopback is not counted.");
  flags.duration(
      "--xcap-request-timeout", h.request_time, 100ms, std::chrono::minutes(5),
      "A request has to be there, and its answer has to be taken, within this time; else the connection is closed.");
  flags.duration("--xcap-idle-timeout", h.idle_time, 100ms, std::chrono::hours(1),
                 "A connection without a request for so long is closed.");
  flags.duration(
      "--xcap-event-interval", s.sip.xcap.package.interval_min, 0ms, std::chrono::hours(1),
      "Between NOTIFYs that changes of one user's documents cause (RFC 5875: 5 s). Lowering it costs NOTIFYs.");
  flags.count("--xcap-threads", h.threads, 1, 64,
              "Threads that answer. One that answers a change waits for the disk and for all shards meanwhile.");
}

void finish_xcap(Settings& s, const RawXcap& raw, std::vector<std::string>& warnings) {
  auto& x = s.xcap;
  auto& p = x.front.service;
  for (const std::string& text : raw.listeners) {
    std::string_view rest = text;
    XcapListener listener;
    listener.secure = rest.starts_with("https:");
    if (listener.secure || rest.starts_with("http:")) rest.remove_prefix(rest.find(':') + 1);
    const auto at = parse_host_port(rest);
    if (!at || !at->port) bad("--xcap", "'" + text + "' is not HOST:PORT, http:HOST:PORT or https:HOST:PORT");
    listener.host = at->host;
    listener.port = *at->port;
    x.listeners.push_back(listener);
  }
  if (x.listeners.empty()) return;
  if (s.sip_listeners.empty()) bad("--xcap", "needs --sip: nothing else looks at these documents");
  const bool secure = std::any_of(x.listeners.begin(), x.listeners.end(), [](const auto& each) { return each.secure; });
  if (secure && s.tls_cert.empty()) bad("--xcap", "https needs --tls-cert");
  while (p.root.ends_with('/')) p.root.pop_back();
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '-' ||
           c == '_' || c == '.' || c == '~';
  };
  if ((!p.root.empty() && p.root[0] != '/') || !std::all_of(p.root.begin(), p.root.end(), plain)) {
    bad("--xcap-root", "is not a path");
  }
  if (!x.uri.empty() && !x.uri.starts_with("http://") && !x.uri.starts_with("https://"))
    bad("--xcap-uri", "is no HTTP URI");
  if (!x.uri.empty() && !x.uri.ends_with('/')) x.uri += '/';
  for (const std::string& text : raw.trusted) {
    const auto block = core::parse_cidr(text);
    if (!block) bad("--xcap-trusted", "'" + text + "' is not an address or CIDR block");
    x.front.trusted.push_back(*block);
  }
  p.domain = home_domain(s);
  p.reserved.clear();
  for (const std::string& uri : s.sip.im.deferred_uris) p.reserved.push_back(policy::user_key(uri));
  p.reserved.push_back(policy::user_key(s.sip.im.history_access.uri));
  for (const std::string& uri : {s.sip.focus.factory, s.sip.im.system.uri}) p.reserved.push_back(policy::user_key(uri));
  x.http.body_bytes_max = p.document_bytes_max;
  x.front.digest = s.sip.digest;
  x.front.realm = s.realm;
  x.front.plain_digest = s.sip.plain_digest;
  x.front.store_answer = s.sip.store_answer;
  if (p.groups_prefix.empty() && !s.sip.trusted_peers.empty()) {
    warnings.emplace_back(
        "--xcap: users behind a --trusted-peer are not known here; without --xcap-groups-prefix one user may make a "
        "group of "
        "another's address");
  }
}

}  // namespace parley::parleyd

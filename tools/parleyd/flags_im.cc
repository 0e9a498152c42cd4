// tools/parleyd/flags_im.cc - the flags of the IM service (OMA SIMPLE IM), and the checks between them.
#include "tools/parleyd/flags_im.h"

#include <algorithm>
#include <chrono>

#include "sip/uri.h"
#include "tools/parleyd/version.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;

void add_settings(FlagTable& flags, Settings& s) {
  auto& p = s.sip.settings.publications;
  flags.seconds(
      "--publish-expires-min", p.expires_min_seconds, 1, 3600,
      "Shortest life of published settings; a shorter wish is answered 423. Lowering it raises the rate of PUBLISH.");
  flags.seconds("--publish-expires-default", p.expires_default_seconds, 1, 30 * 86'400,
                "Life of published settings when their client names none (RFC 4354: 3600 s).");
  flags.seconds(
      "--publish-expires-max", p.expires_max_seconds, 1, 30 * 86'400,
      "Longest life of published settings; a longer wish gets this. Raising it keeps those of silent clients longer.");
  flags.count("--publications-per-user-max", p.per_resource_max, 1, 32,
              "Publications of one user, one for each of his devices; one more is refused with 403.");
  flags.count(
      "--publications-max", p.publications_max, 1, 100'000'000,
      "Publications of all users, per shard; one more is refused with 503. Each costs about 1 KiB and its document.");
  flags.size(
      "--publication-bytes-max", p.body_bytes_max, kib, mib,
      "Longest document of a PUBLISH; a longer one is refused with 413. All of a user's are read again whenever one of "
      "them changes.");
  flags.size("--publications-bytes-max", p.bytes_max, mib, 1024 * gib, "Memory for published documents, per shard.");
  auto& e = s.sip.settings.package;
  flags.seconds("--settings-event-expires-min", e.expires_min_seconds, 1, 3600,
                "Shortest subscription to settings; a shorter wish is answered 423.");
  flags.seconds("--settings-event-expires-default", e.expires_default_seconds, 1, 30 * 86'400,
                "Life of a subscription to settings when its client names none (RFC 4354: 3600 s).");
  flags.seconds("--settings-event-expires-max", e.expires_max_seconds, 1, 30 * 86'400,
                "Longest subscription to settings; a longer wish gets this.");
  flags.duration(
      "--settings-event-interval", e.interval_min, 0ms, std::chrono::hours(1),
      "Between NOTIFYs that changes of one user's settings cause (RFC 4354: 5 s). Lowering it costs NOTIFYs.");
}

void add_checks(FlagTable& flags, Settings& s, RawIm& raw) {
  auto& im = s.sip.im;
  flags.text("--im-error-info", raw.error_info, "URI",
             "Where pages stand that explain refusals (Error-Info): the reason is put behind it, system-message or "
             "client-release. Without it https://DOMAIN/im-errors/.");
  flags.list("--im-deferred-uri", raw.deferred_uris, "URI",
             "Identities of deferred messaging functions; what a --trusted-peer asserts to be from there is neither "
             "barred nor "
             "asked access rules, that was done before. Without it sip:Deferred@DOMAIN.");
  flags.choice<policy::InviteHandling>("--im-access-default", im.access_default,
                                       {{"pass", policy::InviteHandling::pass},
                                        {"accept", policy::InviteHandling::accept},
                                        {"reject", policy::InviteHandling::reject}},
                                       "What holds for a user whose access rules say nothing about a sender.");
  flags.choice<policy::MediaPath>(
      "--pf-media-path", im.media.path,
      {{"auto", policy::MediaPath::automatic},
       {"always", policy::MediaPath::always},
       {"never", policy::MediaPath::never}},
      "Whether the messages of IM sessions go through this server: 'always' carries each session leg "
      "to leg, with MSRP sessions of its own (needs --msrp); 'auto' does where one of its users has such "
      "sessions recorded (needs --msrp and --store); all others are proxied, and their descriptions stay "
      "as they are.");
  flags.count("--pf-media-pairs-max", im.media.pairs_max, 1, 10'000'000,
              "IM sessions whose messages go through a shard; one more is refused with 503. Each counts as two for "
              "--msrp-ends-max and costs about 1 KiB, and what it keeps for a slow side.");
  flags.size(
      "--pf-media-kept-max", im.media.kept_bytes_max, 4 * kib, 16 * mib,
      "Bytes of one direction of such a session that are kept while the other side is not there or does not take them; "
      "above it SENDs are answered 413.");
  flags.choice<policy::SentCount>(
      "--msrp-sent-count", im.media.sent_count,
      {{"off", policy::SentCount::off}, {"trusted", policy::SentCount::trusted}, {"always", policy::SentCount::always}},
      "Whether reports are asked for with the number of recipients (Include-Sent-Count), which strict "
      "peers do not know; 'trusted': of a --trusted-peer whose Server is IM-serv.");
  flags.count("--im-rate-users-max", im.rate_users_max, 1, 100'000'000,
              "Users whose requests are counted against the rates of the operator's policy, per shard; with more, the "
              "one heard "
              "of longest ago is forgotten. Each costs about 200 bytes.");
}

}  // namespace

void add_im(FlagTable& flags, Settings& s, RawIm& raw) {
  flags.group("IM service");
  flags.choice<Release>(
      "--im-release", raw.release, {{"1.0", Release::one}, {"2.0", Release::two}},
      "The release of the IM service that Server and User-Agent name: IM-serv/OMA1.0 or IM-serv/OMA2.0.");
  add_settings(flags, s);
  add_checks(flags, s, raw);
}

void finish_im(Settings& s, const RawIm& raw) {
  s.sip.im.product = std::string("IM-serv/OMA") + (raw.release == Release::one ? "1.0" : "2.0") + " parley/" + version;
  const std::string domain = s.sip.domains.empty() ? s.realm : s.sip.domains.front();
  s.sip.im.error_info = raw.error_info.empty() ? "https://" + domain + "/im-errors/" : raw.error_info;
  const auto fits = [](char c) { return c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != '"'; };
  if (!std::all_of(s.sip.im.error_info.begin(), s.sip.im.error_info.end(), fits))
    bad("--im-error-info", "is not a URI");
  s.sip.im.deferred_uris = raw.deferred_uris;
  if (raw.deferred_uris.empty()) s.sip.im.deferred_uris.push_back("sip:Deferred@" + domain);
  for (const std::string& text : s.sip.im.deferred_uris) {
    sip::Uri uri;
    if (!sip::parse_uri(text, uri) || uri.user.empty())
      bad("--im-deferred-uri", "'" + text + "' is not a SIP URI with a user");
  }
  if (s.sip.im.media.path == policy::MediaPath::always && s.msrp.empty()) bad("--pf-media-path", "always needs --msrp");
  auto& p = s.sip.settings.publications;
  if (p.expires_min_seconds > p.expires_max_seconds) bad("--publish-expires-max", "is below --publish-expires-min");
  p.expires_default_seconds = std::clamp(p.expires_default_seconds, p.expires_min_seconds, p.expires_max_seconds);
  auto& e = s.sip.settings.package;
  if (e.expires_min_seconds > e.expires_max_seconds) {
    bad("--settings-event-expires-max", "is below --settings-event-expires-min");
  }
  e.expires_default_seconds = std::clamp(e.expires_default_seconds, e.expires_min_seconds, e.expires_max_seconds);
}

}  // namespace parley::parleyd

// tools/parleyd/flags_system.cc - the flags of system messages, and the checks between them.
#include "tools/parleyd/flags_system.h"

#include <algorithm>
#include <chrono>

#include "core/text.h"
#include "sip/uri.h"

namespace parley::parleyd {

using namespace std::chrono_literals;

void add_system(FlagTable& flags, Settings& s, RawSystem& raw) {
  auto& c = s.sip.im.system;
  flags.group("System messages");
  flags.text("--im-system-uri", raw.uri, "URI",
             "From whom `parleyctl system-message` writes to users, and whom they answer: a SIP URI of ours that is no user's. "
             "Without it sip:system-message@DOMAIN.");
  flags.count("--system-messages-per-user-max", c.per_user_max, 1, 1000,
              "System messages to one user that are on their way or wait for his answer; one more is refused.");
  flags.count("--system-messages-max", c.messages_max, 1, 10'000'000,
              "System messages, per shard. Closed ones make room, the oldest first; where there are none, one more is refused. "
              "Each costs about 500 bytes and its text, in memory and in the store.");
  flags.count("--system-messages-parallel", c.parallel, 1, 100'000,
              "System messages that are on their way at one time, per shard. Each costs about 64 KiB.");
  flags.duration("--system-messages-kept", c.kept, 1min, std::chrono::hours(24 * 365),
                 "How long one that is closed (answered, failed, or taken where no answer is demanded) is shown by "
                 "`parleyctl system-messages`, and answered 200 when its user answers it again.");
}

void finish_system(Settings& s, const RawSystem& raw) {
  const std::string domain = s.sip.domains.empty() ? s.realm : s.sip.domains.front();
  std::string& uri = s.sip.im.system.uri;
  uri = raw.uri.empty() ? "sip:system-message@" + domain : raw.uri;
  if (raw.uri.empty()) return;
  sip::Uri parsed;
  const bool good = sip::parse_uri(uri, parsed) && parsed.scheme == sip::Scheme::sip && !parsed.user.empty() &&
                    uri.find_first_of("<>\" \r\n") == std::string::npos;
  if (!good) FlagTable::refuse("--im-system-uri", "'" + uri + "' is not a SIP URI with a user");
  const auto& domains = s.sip.domains;
  const bool ours = domains.empty() ? core::equal_ignore_case(parsed.host, domain)
                                    : std::any_of(domains.begin(), domains.end(), [&](const std::string& each) {
                                        return core::equal_ignore_case(parsed.host, each);
                                      });
  if (!ours) FlagTable::refuse("--im-system-uri", "'" + uri + "' is in no domain of ours");
}

}  // namespace parley::parleyd

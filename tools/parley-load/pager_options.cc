// tools/parley-load/pager_options.cc - the flags of `parley-load pager`, and what they mean together.
#include "tools/parley-load/pager_options.h"

#include <CLI/CLI.hpp>

#include "tools/parley-load/pager_text.h"
#include "tools/parley-load/sip_options.h"

namespace parley::load {
namespace {

constexpr size_t kListBytesMax = 12 * 1024;  // stands before its text in one room of SipOutput
constexpr uint32_t kBesidesListBytesMax = 40'000;

size_t list_bytes(const SipOptions& o) {
  size_t longest = 0;
  for (const Credentials& user : o.users) longest = std::max(longest, user.name.size());
  return o.pager.list * (kListEntryBytes + longest + o.domain.size());
}

}  // namespace

void add_pager_flags(CLI::App& app, SipOptions& o) {
  o.mode_text = "pager";
  add_shared_flags(app, o);
  PagerOptions& p = o.pager;
  app.add_flag("--cpim", p.cpim, "each text in message/cpim with a Message-ID of its own (RFC 3862, RFC 5438)");
  app.add_flag("--im-tag,!--no-im-tag", p.im_tag,
               "Contact and Accept-Contact have the feature tag of OMA SIMPLE IM, +g.oma.sip-im (default: on)");
  app.add_option("--list", p.list, "some messages go to N users each, by a list in their body (RFC 5365)");
  app.add_option("--list-share", p.list_percent, "percent of the messages that do, with --list")
      ->check(CLI::Range(0U, 100U))
      ->capture_default_str();
  app.add_option("--factory", p.factory, "where messages with a list go (default: sip:conference-factory@DOMAIN)");
  app.add_option("--group", p.group, "some messages go to this URI, a group of the first --group-members users");
  app.add_option("--group-members", p.group_members, "of the group; those of its members who send, send to it");
  app.add_option("--group-share", p.group_percent, "percent of the messages of members that do, with --group")
      ->check(CLI::Range(0U, 100U))
      ->capture_default_str();
  app.add_flag("--copies-in-order", p.copies_in_order,
               "what one sends to lists and groups must reach each recipient in its order; without it that is told, not judged");
}

std::string finish_pager_options(SipOptions& o) {
  PagerOptions& p = o.pager;
  const auto users = static_cast<uint32_t>(o.users.size());
  if (o.size_bytes < kPagerStampBytes) return "--size: at least " + std::to_string(kPagerStampBytes);
  if (p.factory.empty()) p.factory = "sip:conference-factory@" + o.domain;
  if (p.list > 0 && p.list >= users / o.threads) return "--list: each thread needs more users than a list has";
  if (p.list > 0 && list_bytes(o) > kListBytesMax) return "--list: too many for one request";
  if (p.list > 0 && o.size_bytes > kBesidesListBytesMax)
    return "--size: at most " + std::to_string(kBesidesListBytesMax) + " with --list";
  if (p.group.empty() != (p.group_members == 0)) return "--group: together with --group-members";
  if (p.group_members == 1 || p.group_members > users) return "--group-members: from 2 to the number of users";
  if (p.group_members > 0 && o.threads > 1) return "--group: with one thread alone";
  if ((p.list > 0 ? p.list_percent : 0) + (p.group_members > 0 ? p.group_percent : 0) > 100)
    return "--list-share, --group-share: more than 100 in all";
  return {};
}

}  // namespace parley::load

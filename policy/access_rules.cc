// policy/access_rules.cc - see access_rules.h.
#include "policy/access_rules.h"

#include <algorithm>

#include "policy/xml_writer.h"

namespace parley::policy {

namespace {

std::optional<InviteHandling> handling_of(std::string_view text) {
  for (const auto handling : {InviteHandling::reject, InviteHandling::pass, InviteHandling::accept}) {
    if (text == to_string(handling)) return handling;
  }
  return std::nullopt;
}

bool speaks_of_files(const Rule& rule) {
  const auto has = [](const std::vector<Media>& media) {
    return std::find(media.begin(), media.end(), Media::file_transfer) != media.end();
  };
  return has(rule.conditions.media) || has(rule.conditions.media_list);
}

// DEC-16: large messages go with sessions; so do files where no rule speaks of them.
Media media_for(Wanted wanted, bool about_files) {
  switch (wanted) {
    case Wanted::session:
    case Wanted::large_message: return Media::message_session;
    case Wanted::pager_message: return Media::pager_mode_message;
    case Wanted::file_transfer: return about_files ? Media::file_transfer : Media::message_session;
    case Wanted::group_advertisement: return Media::group_advertisement;
  }
  return Media::message_session;
}

}  // namespace

std::string_view to_string(InviteHandling handling) {
  switch (handling) {
    case InviteHandling::reject: return "reject";
    case InviteHandling::pass: return "pass";
    case InviteHandling::accept: return "accept";
  }
  return "";
}

AccessVerdict AccessRules::judge(const AccessQuestion& question, InviteHandling otherwise) const {
  AccessVerdict verdict{.handling = otherwise};
  const auto matching = matching_rules(rules_, {.keys = question.keys,
                                                .anonymous = question.anonymous,
                                                .media = media_for(question.wanted, about_files_),
                                                .wall_ms = question.wall_ms,
                                                .lists = question.lists});
  // OMA-ACC-4: the most permissive of those that match; so it is reject when each of them says so.
  for (const Rule* rule : matching) {
    const auto action = rule->action("allow-invite");
    const auto handling = action ? handling_of(*action) : std::nullopt;
    if (!handling) continue;  // a rule about something else
    if (verdict.by_default || *handling > verdict.handling) verdict = {*handling, rule->id, false};
  }
  return verdict;
}

XmlError parse_access_rules(std::string_view bytes, AccessRules& out, const XmlLimits& limits) {
  out = {};
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (!root.is(common_policy_space, "ruleset")) return {root.line(), "is no ruleset document"};
  AccessRules read;
  if (XmlError error = read_ruleset(root, read.rules_)) return error;
  for (const Rule& rule : read.rules_) {
    const auto action = rule.action("allow-invite");
    if (action && !handling_of(*action)) return {rule.line, "<allow-invite> is none of reject, pass and accept"};
    read.about_files_ |= speaks_of_files(rule);
  }
  out = std::move(read);
  return {};
}

void put_access_rules(const AccessRules& rules, std::string& out) {
  XmlWriter xml(out);
  put_ruleset(xml, rules.rules());
}

}  // namespace parley::policy

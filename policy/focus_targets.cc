// policy/focus_targets.cc - see focus_targets.h.
#include "policy/focus_targets.h"

#include "policy/im_request.h"
#include "policy/user_key.h"

namespace parley::policy {

using sip::Method;
using Target = Focus::Invitation::Target;

namespace {

// OMA-SES-1: a session of two. A large message is none, nor is a file: they go from one to the other (OMA-LRG-2).
bool begins_session(const sip::Received& request) { return im_kind(request) == ImKind::session; }

// OMA-SES-2: another server is the focus already.
bool comes_from_focus(const sip::Received& request) { return contact_has_tag(request.head, request.bytes, "isfocus"); }

}  // namespace

std::shared_ptr<const Group> FocusTargets::group_named(std::string_view aor) {
  if (config_->documents != nullptr) {
    if (const Group* const group = config_->documents->group(aor)) return {config_->documents, group};
  }
  return written_->groups.empty() ? nullptr : written_->groups.find(user_key(aor));
}

std::shared_ptr<const Group> FocusTargets::group_of(const Routing& routing) {
  if (!routing.local || routing.parsed.user.empty()) return nullptr;
  const std::string_view aor = home_.aor_of(routing.parsed, aor_);
  return aor.empty() ? nullptr : group_named(aor);
}

std::string_view FocusTargets::place_of(const LeftSession& left) {
  return left.row.group.empty() ? left.row.name : left.row.group;
}

std::optional<std::uint32_t> FocusTargets::shard_of(const Routing& routing) {
  if (const LeftSession* const left = routing.local ? focus_.known(routing.parsed.user) : nullptr) {
    return home_.shard_of(place_of(*left));
  }
  const auto group = group_of(routing);
  return group == nullptr ? std::nullopt : std::optional(home_.shard_of(group->key()));
}

// By the identity of a session that an earlier process had.
bool FocusTargets::target_left(const LeftSession& left, Focus::Invitation& target) {
  if (left.row.group.empty()) {
    target.target = Target::session;
    target.session = left.session;
    if (!left.session.valid()) target.left = &left;
    return true;
  }
  const std::shared_ptr<const Group> group = group_named(left.row.group);
  target.group = group.get();
  target.group_owner = group;
  target.target = target.group == nullptr ? Target::session : Target::group;
  if (const auto session = target.group == nullptr ? std::nullopt : focus_.session_of(left.row.group))
    target.session = *session;
  return true;
}

bool FocusTargets::find(const sip::Received& request, const Routing& routing, const Sender& sender,
                        Focus::Invitation& target) {
  if (!config_->focus.on || !request.essentials.to_tag.empty()) return false;
  target.uri = routing.uri;
  const bool invite = request.head.method == Method::invite;
  const bool here = routing.local && routing.next_route.empty();
  // Whom the core sends here by a Route that leads back to it comes to us for all that, if it is for us.
  const bool by_core = sender.kind == Sender::Kind::trusted && routing.own_routes > 0;
  if (here || (routing.local && by_core)) {
    if (const LeftSession* const left = focus_.left(routing.parsed.user)) return target_left(*left, target);
    if (const auto name = focus_.named(routing.parsed.user); name && name->kind == NameKind::session) {
      target.target = Target::session;
      target.session = name->call;
      return true;
    }
    const std::string_view aor = home_.aor_of(routing.parsed, aor_);
    if (!config_->focus.factory.empty() && user_key(aor) == user_key(config_->focus.factory)) {
      target.target = Target::factory;
      return true;
    }
    if (const auto group = group_of(routing)) {
      target.target = Target::group;
      target.group = group.get();
      target.group_owner = group;
      if (const auto session = focus_.session_of(group->key())) target.session = *session;
      return true;
    }
  }
  // What we carry for others' users goes on as it is; so does what has a focus.
  if (!invite || config_->focus.one_to_one != OneToOne::focus) return false;
  const bool calls =
      sender.kind == Sender::Kind::user || (by_core && (routing.originating || !config_->im.participating));
  if (!here && !calls) return false;
  if (routing.local && focus_.named(routing.parsed.user)) return false;  // a Contact of a call of ours
  if (!begins_session(request) || comes_from_focus(request)) return false;
  target.target = Target::user;
  return true;
}

}  // namespace parley::policy

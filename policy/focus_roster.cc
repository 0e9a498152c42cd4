// policy/focus_roster.cc - what the roster of a session says of its participants (RFC 4575; SEED2-7.2.1.1-13, DEC-9,
// OMA-CONF-5, OMA-CONF-6). See focus.h.
#include <charconv>

#include "policy/focus.h"
#include "policy/own_names.h"
#include "policy/user_key.h"

namespace parley::policy {

namespace {

// "sip:anonymous7@anonymous.invalid": the number under which the roster shows him.
std::uint32_t number_of(std::string_view entity) {
  constexpr std::string_view start = "sip:anonymous";
  if (!entity.starts_with(start)) return 0;
  std::uint32_t number = 0;
  (void)std::from_chars(entity.data() + start.size(), entity.data() + entity.size(), number);
  return number;
}

}  // namespace

// False: the roster has no room for him.
bool Focus::show(FocusSession& s, Participant& p, EndpointStatus status) {
  if (p.place.valid()) {
    if (s.roster->status(p.place, status) && conferences_ != nullptr) conferences_->changed(*s.roster);
    return true;
  }
  std::string endpoint;
  if (p.dialog->made()) endpoint = p.dialog->remote_target();
  if (endpoint.size() > RosterLimits{}.uri_bytes_max) endpoint.clear();  // whatever his Contact is, he is seen
  p.place = s.roster->join({.aor = p.key,
                            .entity = p.uri,
                            .display = p.anonymous ? std::string_view{} : std::string_view(p.display),
                            .alias = p.anonymous ? std::string_view(p.display) : std::string_view{},
                            .anonymous = p.anonymous,
                            .endpoint = endpoint.empty() ? std::string_view(p.uri) : std::string_view(endpoint),
                            .status = status,
                            .method = p.invited_by_us() ? JoiningMethod::dialed_out : JoiningMethod::dialed_in});
  if (!p.place.valid()) return false;
  if (p.anonymous) p.anonymous_number = number_of(s.roster->entity_of(p.place.user));
  if (conferences_ != nullptr) conferences_->changed(*s.roster);
  return true;
}

void Focus::show_left(FocusSession& s, Participant& p, bool was_in) {
  if (!p.place.valid()) return;
  const DisconnectionMethod method = p.booted         ? DisconnectionMethod::booted
                                     : was_in         ? (p.reason.empty() ? DisconnectionMethod::departed
                                                                          : DisconnectionMethod::failed)
                                     : p.refusal == 486 || p.refusal == 600 ? DisconnectionMethod::busy
                                                                            : DisconnectionMethod::failed;
  const std::string reason = p.booted          ? reason_text(200, "Booted by focus")
                             : p.refusal != 0 ? reason_text(p.refusal, {})
                                              : std::string();
  (void)s.roster->leave(p.place, method, reason);
  p.place = {};
  if (conferences_ != nullptr) conferences_->changed(*s.roster);
}

// Who is no longer in may watch no longer, unless rules let him. Asked when it is clear that the session goes on: its end
// is another reason.
void Focus::stop_watching(const FocusSession& s, const Participant& p) {
  if (conferences_ == nullptr || s.ending || may_watch(s, p.key)) return;
  for (const std::string& key : home_.keys_of(p.key)) conferences_->revoke(*s.roster, key);
}

// OMA-CONF-1: who takes part, or is about to, and whom the group lets.
bool Focus::may_watch(const FocusSession& s, std::string_view key) const {
  if (s.distribution) return false;  // OMA-LRG-2
  const std::vector<std::string> keys = home_.keys_of(key);
  for (const core::SlotId id : s.participants) {
    const Participant* const p = participants_.get(id);
    if (p != nullptr && p->stand != Participant::Stand::gone && has_key(keys, p->key)) return true;
  }
  return group_lets(s, keys, false, GroupAction::conference_state);
}

bool Focus::group_lets(const FocusSession& s, std::span<const std::string> keys, bool anonymous,
                       GroupAction action) const {
  if (s.group == nullptr) return false;
  const Group::Asker asker{.keys = keys,
                           .anonymous = anonymous,
                           .wall_ms = wall_ms_,
                           .lists = lists_};
  return s.group->judge(asker, action) == GroupVerdict::allowed;
}

Focus::Watch Focus::watch(const Received& request, const CallName& named, std::string_view identity) {
  Watch watch;
  const bool first = request.essentials.to_tag.empty();
  Participant* const p = named.kind == NameKind::participant ? participants_.get(named.call) : nullptr;
  if (!first && p == nullptr) {
    // Nothing but subscriptions is in that dialog, whatever its tag names. Who it is, the first of them said; whether he
    // may, rules say that may hold for a time only.
    const ConferenceEvents::Known known = conferences_ == nullptr ? ConferenceEvents::Known{} : conferences_->known(request);
    watch.decision = known.roster == nullptr ? 481 : 200;
    watch.roster = known.roster;
    watch.watcher = known.watcher;
    sip::Uri identity_of;
    const auto session = known.roster != nullptr && sip::parse_uri(known.roster->entity(), identity_of)
                             ? this->named(identity_of.user)
                             : std::nullopt;
    const LeftSession* const taken_up = session ? nullptr : left_.find(identity_of.user);
    const FocusSession* const s = session                ? sessions_.get(session->call)
                                  : taken_up != nullptr ? sessions_.get(taken_up->session)
                                                        : nullptr;
    if (s != nullptr && !may_watch(*s, watch.watcher)) watch.decision = 403;
    return watch;
  }
  FocusSession* const s = sessions_.get(p != nullptr ? p->session : named.call);
  if (s == nullptr || s->ending) {
    watch.decision = first ? 404 : 481;
    return watch;
  }
  if (p != nullptr && dialog_of(*p, request) != p->dialog.get()) {
    watch.decision = 481;
    return watch;
  }
  watch.roster = s->roster.get();
  if (p != nullptr) watch.dialog = p->dialog;
  watch.watcher = p != nullptr ? p->key : user_key(identity);
  // Also in the dialog of one who has left, while his BYE is under way.
  watch.decision = may_watch(*s, watch.watcher) ? 200 : 403;
  watch.contact = "<";
  put_listener_uri(watch.contact, request.flow.transport, transport_.listener(request.flow), s->name, request.secure());
  watch.contact.append(">").append(features_toward(*s, true));
  return watch;
}

void Focus::show_alias(FocusSession& s, Participant& p, std::string_view alias) {
  if (p.place.valid() && s.roster->alias(p.place.user, alias) && conferences_ != nullptr) {
    conferences_->changed(*s.roster);
  }
}

void Focus::show_ended(FocusSession& s) {
  (void)s.roster->activate(false);
  if (conferences_ != nullptr) conferences_->ended(*s.roster);
}

}  // namespace parley::policy

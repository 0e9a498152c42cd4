// policy/sip_subscribe.cc - SUBSCRIBE to what this server itself knows of its users: registrations (RFC 3680) and IM
// service settings (RFC 4354). See sip_service.h; the subscriptions stand in reg_events.h.
#include "policy/sip_service.h"
#include "sip/own_tag.h"
#include "sip/uri.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;

// To a user of ours, and about what we know of him or in a dialog that we have made: our Contact names the user, and what
// was let through here comes with our Route. All else about users is for their own devices.
bool SipService::about_user(const Received& request, const Routing& routing) const {
  if (request.head.method != Method::subscribe || routing.parsed.user.empty()) return false;
  const std::string_view to_tag = request.essentials.to_tag;
  if (!to_tag.empty() && routing.token) return false;
  if (!to_tag.empty() && sip::tag_key(to_tag) != 0) return true;
  sip::Event event;
  return sip::parse_event(request.head.value(HeaderId::event, request.bytes), event) && (reg_events_.serves(event.package) || watch_.serves(event.package) || history_lists_.wants(request));
}

void SipService::on_subscribe(const Received& request, const sip::RequestMatch& match, Routing& routing) {
  if (!uas_checks(request)) return;
  if (home_.aor_of(routing.parsed, aor_).empty()) {
    responder_.refuse(request, 404);
    return;
  }
  // Who owns the address of record owns its subscriptions, and answers. Nothing goes on twice.
  const std::uint32_t owner_shard = home_.shard_of(aor_);
  if (owner_shard != shard_ && request.flow.shard == shard_) {
    transport_.pass_on(owner_shard, request);
    return;
  }
  if (watch_.knows(request)) {
    finish_list_subscribe(request, match, watch_.refresh(request, match));
    return;
  }
  if (history_lists_.knows(request)) {
    finish_history_subscribe(request, match, history_lists_.refresh(request, match));
    return;
  }
  const bool of_history = history_lists_.wants(request);
  if (request.essentials.to_tag.empty() && (of_history || about_deferred_event(request))) {
    Sender sender;
    routing.token.reset();
    if (!identify(request, routing, sender)) return;
    watch_.clear();
    history_lists_.clear();
    std::uint16_t status = may_publish(request, routing, sender);  // OMA-DEF-14: each for himself
    if (status == 200 && !asks_within_rate(request, sender)) return;
    if (of_history) {
      if (status == 200) status = history_lists_.subscribe(request, match, aor_, routing.parsed.user);
      finish_history_subscribe(request, match, status);
      return;
    }
    if (status == 200) status = watch_.subscribe(request, match, aor_, routing.parsed.user);
    finish_list_subscribe(request, match, status);
    return;
  }
  std::uint16_t status = 0;
  if (!request.essentials.to_tag.empty()) {
    // Who knows Call-ID and tags is who was let in, or one whom he trusts.
    status = reg_events_.refresh(request, match);
  } else {
    routing.token.reset();  // of another dialog: it proves nothing here
    Sender sender;
    if (!identify(request, routing, sender)) return;
    status = may_watch(request, routing, sender);
    if (status == 200 && !asks_within_rate(request, sender)) return;
    if (status == 200) status = reg_events_.subscribe(request, match, aor_, routing.parsed.user);
  }
  if (status != 200 && !request.essentials.to_tag.empty()) {
    responder_.refuse_once(request, match, status, reg_events_.headers());
    return;
  }
  if (status != 200) {
    responder_.refuse(request, status, reg_events_.headers());
    return;
  }
  keep(request.flow, now_.mono + std::chrono::seconds(reg_events_.granted_s()) + config_->transport.idle);
}

// A user himself. A trusted peer all users, unless it says that one of ours asks about another.
std::uint16_t SipService::may_watch(const Received& request, const Routing& routing, const Sender& sender) {
  reg_events_.clear();
  const bool known = config_->users.find(routing.parsed.user) != config_->users.end();
  if (sender.kind == Sender::Kind::user) return sip::same_escaped(routing.parsed.user, sender.user) ? 200 : 403;
  if (!known && location_.bindings(aor_).empty()) return 404;
  const std::string_view asserted = sip::asserted_identity(request.head, request.bytes).sip.uri;
  sip::Uri uri;
  if (asserted.empty() || !sip::parse_uri(asserted, uri) || !home_.has_domain(uri.host)) return 200;
  const bool of_ours = config_->users.find(uri.user) != config_->users.end();
  return of_ours && !sip::same_escaped(uri.user, routing.parsed.user) ? 403 : 200;
}

}  // namespace parley::policy

// policy/sip_publish.cc - PUBLISH of IM service settings by our users (RFC 3903, RFC 4354; SEED3-5.2.4-1, -2, -3, -6,
// -7, -S, OMA-SET-9). See sip_service.h; the settings stand in settings.h.
#include "core/text.h"
#include "policy/sip_service.h"
#include "sip/identity.h"
#include "sip/uri.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;

// To a user of ours: state about users is composed here and nowhere else.
bool SipService::about_settings(const Received& request, const Routing& routing) const {
  return config_->im.participating && request.head.method == Method::publish && !routing.parsed.user.empty() &&
         !routing.token;
}

// Nobody else knows what users have set.
bool SipService::about_settings_event(const Received& request) const {
  sip::Event event;
  return config_->im.participating &&
         sip::parse_event(request.head.value(HeaderId::event, request.bytes), event) &&
         core::equal_ignore_case(event.package, config_->settings.package.name);
}

void SipService::on_publish(const Received& request, const sip::RequestMatch& match, Routing& routing) {
  if (!uas_checks(request)) return;
  if (!request.essentials.to_tag.empty()) {
    responder_.refuse(request, 481);
    return;
  }
  if (home_.aor_of(routing.parsed, aor_).empty()) {
    responder_.refuse(request, 404);
    return;
  }
  // Who owns the address of record composes its state, in the order in which requests come. Nothing goes on twice.
  const std::uint32_t owner_shard = home_.shard_of(aor_);
  if (owner_shard != shard_ && request.flow.shard == shard_) {
    transport_.pass_on(owner_shard, request);
    return;
  }
  Sender sender;
  if (!identify(request, routing, sender)) return;
  if (const std::uint16_t status = may_publish(request, routing, sender); status != 200) {
    responder_.refuse(request, status);
    return;
  }
  if (!asks_within_rate(request, sender)) return;
  const sip::TransactionId server = claimed(request, match);
  if (!server.valid()) return;
  const std::uint16_t status = settings_.publish(aor_, request);
  lines_.clear();
  for (const sip::HeaderText& header : settings_.headers()) lines_.add(header.id, header.value);
  lines_.add(HeaderId::server, config_->im.product);
  responder_.answer(request, server, status, lines_.headers(), settings_.reason());
}

// SEED3-5.2.4-3: each for himself. A trusted peer asserts who it is; without an assertion it is who From names.
std::uint16_t SipService::may_publish(const Received& request, const Routing& routing, const Sender& sender) const {
  const bool known = config_->users.find(routing.parsed.user) != config_->users.end();
  if (sender.kind == Sender::Kind::user) {
    if (!known) return 404;
    return sip::same_escaped(routing.parsed.user, sender.user) ? 200 : 403;
  }
  const sip::AssertedIdentity asserted = sip::asserted_identity(request.head, request.bytes);
  const bool himself = asserted.any()
                           ? home_.is_user(asserted.sip.uri, routing) || home_.is_user(asserted.tel.uri, routing)
                           : home_.is_user(request.essentials.from.uri, routing);
  return himself ? 200 : 403;
}

}  // namespace parley::policy

// policy/sip_files.cc - a re-INVITE or UPDATE that describes another file than the dialog was let in with: it is a transfer
// of its own (RFC 5547 section 8.1, OMA-FT-3), judged as an INVITE that begins one is (SEED4-6.1.1.1, SEED4-6.1.2.1). See
// sip_service.h.
//
// What the one who gets it has settled was asked when the dialog began, and he can still refuse.
#include "policy/sip_service.h"

namespace parley::policy {

using core::Metric;
using sip::Method;

// False: refused.
bool SipService::may_begin_file(const CallName& name, const Received& request, const sip::RequestMatch& match) {
  const Method method = request.head.method;
  if ((method != Method::invite && method != Method::update) || name.kind != NameKind::call) return true;
  if (!config_->im.participating || !participating_.judges_requests()) return true;
  const std::optional<DialogParty> to = calls_.offers_file(name, request);
  const std::optional<DialogParty> from = to ? calls_.party(name, request) : std::nullopt;
  if (!from) return true;
  const bool from_trusted = home_.trusts(request.flow.remote);
  Routing routing;
  const bool served = !from_trusted || (home_.read_routing(request, routing) && routing.originating);
  senders_.clear();
  home_.put_keys(from->uri, senders_);
  if (senders_.empty()) {
    participating_.senders_of(request, from->user, from_trusted, senders_);
  }
  if (served && !senders_.empty() && (from_trusted || home_.serves(senders_.front()))) {
    count(Metric::im_originating);
    if (!judge_originating(request, match, senders_.front(), {.kind = ImKind::file_transfer})) return false;
  }
  return may_get_file(request, match, *to);
}

// Of whom the policy says that he may have it, if he is a user of ours. False: refused.
bool SipService::may_get_file(const Received& request, const sip::RequestMatch& match, const DialogParty& to) {
  std::vector<std::string> keys;
  if (!to.uri.empty()) {
    keys.push_back(user_key(to.uri));
  } else if (!to.user.empty() && !config_->domains.empty()) {
    keys.push_back(user_key("sip:" + std::string(to.user) + "@" + config_->domains.front()));
  }
  if (keys.empty() || keys.front().empty() || !home_.serves(keys.front())) return true;
  const TerminatingCheck* const check = participating_.file_refusal(request, keys.front(), senders_);
  if (check == nullptr) return true;
  responder_.refuse_by_transaction(request, match, check->status, participating_.headers(), participating_.body());
  return false;
}

}  // namespace parley::policy

// policy/sip_deferred.cc - messages to users who can not be reached, between the proxy and the deferred messaging function
// (deferred.h). See sip_service.h.
#include <utility>

#include "policy/sip_service.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

void SipService::on_stored(const core::StoreResult& result) {
  switch (store_owner(result.token)) {
    case StoreOwner::deferred: deferred_.on_stored(result); break;
    case StoreOwner::exploder: exploder_.on_stored(result); break;
    case StoreOwner::system: system_.on_stored(result); break;
  }
  tell_system();
  tell_kept();
  run_errands();
}

// Whether it could be kept for its user: a pager message to him that is not on its way out of the store, and none of the
// operator's (OMA-SYS-2).
bool SipService::may_defer(const Proxied& p) const {
  return config_->im.deferred.on && p.im == ImKind::pager && p.to_user && p.method == Method::message &&
         !is_system_message(p) && !(p.errand != nullptr && p.errand->client == Errand::Client::deferred);
}

// SEED4-6.1.2.1-5, OMA-PAG-5: that answer says that he can not be reached, and it is a request that may wait for him.
bool SipService::is_unreached(const Proxied& p, std::uint16_t status) const {
  return p.im && p.to_user && means_unreachable(status) && when_unreachable(*p.im) == WhenUnreachable::defer &&
         !is_system_message(p) && !(p.errand != nullptr && p.errand->client == Errand::Client::deferred);
}

// True: it is kept for him, or will be when the store has it; its sender is answered then.
bool SipService::defer(Proxied& p, bool tried) {
  if (p.kept != 0) return true;
  count(Metric::im_deferrals);
  return may_defer(p) && keep_for(p, tried);
}

bool SipService::keep_for(Proxied& p, bool tried) {
  const Received* const request = request_of(p);
  if (request == nullptr) return false;
  const bool asserted = p.errand == nullptr ? p.from_trusted : true;
  senders_of(*request, p.errand == nullptr ? std::string_view(p.user) : std::string_view(p.errand->user), asserted, senders_);
  p.kept = deferred_.keep({.request = *request,
                           .aor = p.aor,
                           .sender = senders_.empty() ? std::string_view{} : std::string_view(senders_.front()),
                           .asker = p.self,
                           .tried = tried});
  p.waits_for_store = p.kept != 0;
  wheel_.cancel(p.answer_timer);
  return p.waits_for_store;
}

// A device takes longer than its user is waited for. It may still answer.
void SipService::on_no_answer(Proxied& p) {
  if (!p.answered) (void)defer(p, true);
}

// What a device says of a message that is kept, or about to be: only that it has it after all is news. False: nobody is
// told.
bool SipService::answers_kept(Proxied& p, std::uint16_t status) {
  if (p.kept == 0) return true;
  if (status < 200 || status >= 300) return false;
  deferred_.forget(p.kept);
  const bool waits = std::exchange(p.waits_for_store, false);
  if (waits) p.kept = 0;
  return waits;
}

void SipService::tell_kept() {
  using Outcome = Deferred::Kept::Outcome;
  for (Deferred::Kept kept; deferred_.next_kept(kept);) {
    if (kept.outcome == Outcome::kept) tell_added(kept.aor, kept.tried);
    Proxied* const p = proxied_.get(kept.asker);
    if (p == nullptr || !std::exchange(p->waits_for_store, false)) continue;  // its sender waits no more
    if (kept.outcome != Outcome::kept) {
      refuse_kept(*p, kept.outcome);
    } else if (p->errand != nullptr) {
      settled(*p);
      tell_failed(*p->errand, 202);
    } else if (const Received* const request = request_of(*p)) {
      settled(*p);
      lines_.clear();
      lines_.add(HeaderId::server, config_->im.product);
      answer(*request, p->server, 202, lines_.headers());  // OMA-DEF-4
    }
    if (p->branches.empty()) {
      drop(*p);
    } else {
      finish_if_over(kept.asker);
    }
  }
}

// OMA-DEF-5. Devices that have not answered may yet.
void SipService::refuse_kept(Proxied& p, Deferred::Kept::Outcome outcome) {
  p.kept = 0;
  if (!p.branches.empty() && !p.fork.over()) return;
  settled(p);
  if (p.errand != nullptr) {
    tell_failed(*p.errand, 480);
    return;
  }
  const Received* const request = request_of(p);
  if (request == nullptr) return;
  const bool full = outcome == Deferred::Kept::Outcome::full;
  const std::string_view why = full ? "no more is kept for the recipient" : "it can not be stored now";
  put_refusal({.status = 480, .tells = Tells::warning, .text = why, .page = {}}, policy_of({}), {}, ImKind::pager, *request);
  answer(*request, p.server, 480, lines_.headers());
}

}  // namespace parley::policy

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
    case StoreOwner::bodies:
      if (stored_ != nullptr) stored_->on_stored(result);
      break;
    case StoreOwner::large: focus_.on_stored(result); break;
    case StoreOwner::deferred_watch: watch_.on_stored(result); break;
    case StoreOwner::deferred_retrieval: retrieval_.on_stored(result); break;
    case StoreOwner::history: history_.on_stored(result); break;
    case StoreOwner::where: search_.on_found(result); break;
    case StoreOwner::history_lists: history_lists_.on_stored(result); break;
  }
  tell_system();
  tell_kept();
  tell_lists();
  run_errands();
}

// Whether it could be kept for its user: a pager message to him that is not on its way out of the store, and none of the
// operator's (OMA-SYS-2).
bool SipService::may_defer(const Proxied& p) const {
  return config_->im.deferred.on && p.im == ImKind::pager && p.to_user && p.method == Method::message &&
         !p.is_system_message() && !p.comes_from_store();
}

// It may have to be kept some time later; its place among others is that of now. True: that time has come, since others
// from its sender wait already.
bool SipService::begin_keeping(Proxied& p, bool others_wait) {
  if (!may_defer(p) && !may_store_large(p)) return false;
  p.message_id = ids_.next(now_.wall_ms);
  p.message_ms = now_.wall_ms;
  if (others_wait && may_store_large(p) && p.errand != nullptr) {  // whoever invites him has it stored, or hears of it
    (void)store_large(p, false);
    final_of_ours(p, 480);
    drop(p);
    return true;
  }
  if (others_wait && keep_for(p, false)) return true;
  wheel_.arm(p.answer_timer, now_.mono + config_->im.deferred.answer_max);
  return false;
}

// SEED4-6.1.2.1-5, OMA-PAG-5: that answer says that he can not be reached, and it is a request that may wait for him.
bool SipService::is_unreached(const Proxied& p, std::uint16_t status) const {
  const bool unreached = means_unreachable(status) || (p.given_up && status == 487);
  return p.im && p.to_user && unreached && when_unreachable(*p.im) == WhenUnreachable::defer &&
         !p.is_system_message() && !p.comes_from_store();
}

// True: it is kept for him, or will be when the store has it; its sender is answered then.
bool SipService::defer(Proxied& p, bool tried) {
  count(Metric::im_deferrals);
  return keep_for(p, tried);
}

// The policy::user_key of whom a message comes from; empty: nobody who could be told of it.
std::string_view SipService::message_sender(const Proxied& p, const Received& request) {
  const bool asserted = p.errand != nullptr || p.from_trusted;
  participating_.senders_of(request, p.errand == nullptr ? std::string_view(p.user) : std::string_view(p.errand->user),
                            asserted, senders_);
  return senders_.empty() ? std::string_view{} : std::string_view(senders_.front());
}

bool SipService::keep_for(Proxied& p, bool tried) {
  if (p.method == Method::invite) return store_large(p, tried);
  const Received* const request = p.message_id == 0 ? nullptr : request_of(p);
  if (request == nullptr) return false;
  const bool kept = deferred_.keep({.request = *request,
                                    .aor = p.aor,
                                    .sender = message_sender(p, *request),
                                    .asker = p.self,
                                    .id = p.message_id,
                                    .wall_ms = p.message_ms,
                                    .tried = tried,
                                    .proven = p.errand != nullptr || !p.from_trusted,
                                    .origin = p.errand == nullptr ? std::string_view{} : std::string_view(p.errand->origin)});
  if (!kept) return false;
  p.keeping = Proxied::Keeping::asked;
  wheel_.cancel(p.answer_timer);
  return true;
}

// A device takes longer than its user is waited for. It may still answer.
void SipService::on_no_answer(Proxied& p) {
  if (p.method == Method::invite) return give_up_devices(p);
  if (!p.answered) (void)defer(p, true);
}

// What a device says of a message that is kept, or about to be: only that it has it after all is news. False: nobody is
// told.
bool SipService::answers_kept(Proxied& p, std::uint16_t status) {
  using Keeping = Proxied::Keeping;
  if (p.keeping == Keeping::no) return true;
  if (p.keeping == Keeping::refused || status < 200 || status >= 300) return false;
  deferred_.forget(p.message_id);
  record_pager(p, true);
  if (p.keeping == Keeping::done) news_.list_changed(p.aor, false);
  const bool waits = p.keeping == Keeping::asked;
  p.keeping = waits ? Keeping::no : Keeping::done;
  return waits;
}

void SipService::tell_kept() {
  using Outcome = Deferred::Kept::Outcome;
  for (Deferred::Kept kept; deferred_.next_kept(kept);) {
    if (kept.outcome == Outcome::kept) news_.added(kept.aor, kept.sender, kept.tried);
    Proxied* const p = proxied_.get(kept.asker);
    if (p == nullptr || p->keeping != Proxied::Keeping::asked) continue;  // its sender waits no more
    settled(*p);
    p->keeping = kept.outcome == Outcome::kept ? Proxied::Keeping::done : Proxied::Keeping::refused;
    if (kept.outcome == Outcome::kept) {
      record_pager(*p, false);
      keep_record(*p);
    }
    traces_.answered(*p, kept.outcome == Outcome::kept ? 202 : 480);
    if (p->errand != nullptr) {
      errand_clients_.on_outcome(*p->errand, kept.outcome == Outcome::kept ? 202 : 480);
    } else if (const Received* const request = request_of(*p)) {
      answer_kept(*request, p->server, kept.outcome);
    }
    if (p->branches.empty()) {
      drop(*p);
    } else {
      finish_if_over(kept.asker);
    }
  }
}

// OMA-DEF-4, OMA-DEF-5.
void SipService::answer_kept(const Received& request, sip::TransactionId server, Deferred::Kept::Outcome outcome) {
  using Outcome = Deferred::Kept::Outcome;
  if (outcome == Outcome::kept) {
    lines_.clear();
    lines_.add(HeaderId::server, config_->im.product);
    responder_.answer(request, server, 202, lines_.headers());
    return;
  }
  const std::string_view why =
      outcome == Outcome::full ? "no more is kept for the recipient" : "it can not be stored now";
  participating_.put_warning(request, why);
  responder_.answer(request, server, 480, participating_.headers());
}

}  // namespace parley::policy

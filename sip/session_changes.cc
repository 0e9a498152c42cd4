// sip/session_changes.cc - see session_changes.h.
#include "sip/session_changes.h"

#include "core/check.h"
#include "sip/dialog.h"

namespace parley::sip {
namespace {

using std::chrono::milliseconds;

// Both sides step through tens of milliseconds (RFC 3261 section 14.1).
constexpr core::Duration wait_step = milliseconds(10);
constexpr core::Duration owner_wait_min = milliseconds(2100);
constexpr core::Duration owner_wait_max = milliseconds(4000);
constexpr core::Duration other_wait_max = milliseconds(2000);
constexpr std::uint8_t retry_after_max_seconds = 10;  // sections 14.2; RFC 3311 section 5.2
static_assert(other_wait_max < owner_wait_min);       // so that the two never meet again

// 14.1, 12.2.1.2: no answer, 408 and 481 end it, and so does what says that the target is no more (RFC 5057 5.1).
bool ends_session(std::uint16_t status) {
  return status == 408 || status == 481 || dialog_loss(status) == DialogLoss::dialog;
}

}  // namespace

ChangeStep SessionChanges::on(ChangeEvent event, core::Instant now) {
  const ChangeRow& row = change_row(state_, event);
  CHECK(row.kind != RowKind::missing);
  CHECK(row.kind != RowKind::never);
  if (config_->rows != nullptr) config_->rows->changes.take(state_, event);
  if (limit_of(row.next) == InviteLimit::none) {
    limit_ = core::never;
  } else if (row.next != state_) {
    limit_ = now + limit_duration(*config_, limit_of(row.next));
  }
  if (row.next != state_) {
    resend_.stop();
    if (resends(row.next)) resend_.start(now, config_->t1, config_->t2);
  }
  state_ = row.next;
  ChangeStep step{.actions = row.actions};
  if ((step.actions & change_do::answer_500) != 0) step.retry_after_seconds = retry_after();
  if ((step.actions & change_do::wait_491) != 0) wait_after_491(now);
  if ((step.actions & change_do::tell_failed) != 0) offers_.refused(SdpCarrier::invite);
  return step;
}

std::uint8_t SessionChanges::retry_after() {
  return static_cast<std::uint8_t>(random_->uniform(retry_after_max_seconds + 1U));
}

void SessionChanges::wait_after_491(core::Instant now) {
  const core::Duration least = owns_call_id_ ? owner_wait_min : core::Duration::zero();
  const core::Duration most = owns_call_id_ ? owner_wait_max : other_wait_max;
  const auto steps = static_cast<std::uint64_t>((most - least) / wait_step);
  retry_ = now + least + wait_step * static_cast<std::int64_t>(random_->uniform(steps + 1));
}

ChangeStep SessionChanges::want(bool sdp, std::uint32_t cseq, core::Instant now) {
  if (state_ != ChangeState::quiet) return on(ChangeEvent::want, now);
  if (offers_.sent(SdpCarrier::invite, sdp) != OfferVerdict::ok) return {.actions = change_do::busy};
  retry_ = core::never;
  cseq_ = cseq;
  return on(ChangeEvent::want, now);
}

ChangeStep SessionChanges::on_2xx(std::uint32_t cseq, bool sdp, core::Instant now) {
  const bool current = cseq == cseq_;
  if (current && state_ == ChangeState::ours_ok) return {};  // its ACK is being made
  if (!current || state_ != ChangeState::ours) return on(ChangeEvent::got_2xx_again, now);
  const OfferVerdict verdict = offers_.received(SdpCarrier::invite_ok, sdp);
  ChangeStep step = on(ChangeEvent::got_2xx, now);
  if (verdict == OfferVerdict::end) {
    // Neither answer nor offer: it is acknowledged all the same, and that was it (R3264-3).
    step = on(ChangeEvent::got_lost, now);
  }
  return step;
}

ChangeStep SessionChanges::acknowledge(bool sdp, core::Instant now) {
  const bool waits = state_ == ChangeState::ours_ok;
  const bool owed = waits && offers_.sent(SdpCarrier::ack, sdp) == OfferVerdict::end;
  return on(owed ? ChangeEvent::got_lost : ChangeEvent::acknowledge, now);
}

ChangeStep SessionChanges::on_refusal(std::uint16_t status, core::Instant now) {
  if (status == 491) return on(ChangeEvent::got_491, now);
  return on(ends_session(status) ? ChangeEvent::got_lost : ChangeEvent::got_refusal, now);
}

bool SessionChanges::may_update(bool sdp) const {
  // 3311 5.1. One at a time, so that their order is never in doubt.
  return !update_ours_ && (!sdp || (offers_.complete() && offers_.state() == OfferState::idle));
}

void SessionChanges::update_sent(bool sdp) {
  CHECK(may_update(sdp));
  (void)offers_.sent(SdpCarrier::update, sdp);
  update_ours_ = true;
  update_ours_sdp_ = sdp;
  retry_ = core::never;
}

ChangeStep SessionChanges::update_answered(std::uint16_t status, bool sdp, core::Instant now) {
  if (!update_ours_) return {};
  update_ours_ = false;
  if (status < 300) {
    if (!update_ours_sdp_) return {.actions = change_do::tell_done};
    if (offers_.received(SdpCarrier::update_ok, sdp) == OfferVerdict::ok) return {.actions = change_do::tell_done};
    offers_.refused(SdpCarrier::update);
    return {.actions = change_do::tell_failed | change_do::end_session};  // R3264-3
  }
  if (update_ours_sdp_) offers_.refused(SdpCarrier::update);
  if (status == 491) {
    wait_after_491(now);
    return {.actions = change_do::tell_failed | change_do::wait_491};
  }
  return {.actions = change_do::tell_failed | (ends_session(status) ? change_do::end_session : 0)};  // 3311 5.3
}

ChangeStep SessionChanges::on_invite(bool sdp, core::Instant now) {
  ChangeEvent event = ChangeEvent::got_invite;
  const bool open = state_ != ChangeState::quiet && state_ != ChangeState::theirs_ok;  // an INVITE, which decides
  if (!open && offers_.state() == OfferState::offered) event = ChangeEvent::got_glare;
  if (!open && offers_.state() == OfferState::asked) event = ChangeEvent::got_twice;
  const ChangeStep step = on(event, now);
  if ((step.actions & change_do::take_invite) != 0) (void)offers_.received(SdpCarrier::invite, sdp);
  return step;
}

ChangeStep SessionChanges::answer(bool sdp, core::Instant now) {
  const bool waits = state_ == ChangeState::theirs;
  const bool owed = waits && offers_.sent(SdpCarrier::invite_ok, sdp) == OfferVerdict::end;
  // A 2xx that cannot carry what it must is worse than a refusal: the session stays as it was.
  if (owed) return refuse(now);
  return on(ChangeEvent::answer, now);
}

ChangeStep SessionChanges::refuse(core::Instant now) {
  if (state_ == ChangeState::theirs) offers_.refused(SdpCarrier::invite);
  return on(ChangeEvent::refuse, now);
}

ChangeStep SessionChanges::on_cancel(core::Instant now) {
  if (state_ != ChangeState::theirs) return {};  // 9.2: no effect on what is answered
  return on(ChangeEvent::cancel, now);
}

ChangeStep SessionChanges::on_ack(bool sdp, core::Instant now) {
  if (state_ != ChangeState::theirs_ok) return on(ChangeEvent::ack, now);
  const OfferVerdict verdict = offers_.received(SdpCarrier::ack, sdp);
  ChangeStep step = on(ChangeEvent::ack, now);
  if (verdict == OfferVerdict::end) {
    offers_.refused(SdpCarrier::invite);
    step.actions = change_do::tell_failed | change_do::end_session;  // R3264-3: the answer did not come
  }
  return step;
}

ChangeStep SessionChanges::on_update(bool sdp) {
  // 3311 5.2, and before the first exchange there is nothing that an offer could change.
  if (update_theirs_ || (sdp && offers_.state() == OfferState::asked) ||
      (sdp && offers_.state() == OfferState::idle && !offers_.complete())) {
    return {.actions = change_do::answer_500, .retry_after_seconds = retry_after()};
  }
  if (sdp && offers_.state() == OfferState::offered) return {.actions = change_do::answer_491};
  (void)offers_.received(SdpCarrier::update, sdp);
  update_theirs_ = true;
  update_theirs_sdp_ = sdp;
  return {.actions = change_do::take_update};
}

void SessionChanges::update_answer_sent(std::uint16_t status, bool sdp) {
  if (!update_theirs_) return;
  update_theirs_ = false;
  if (!update_theirs_sdp_) return;
  if (status >= 300 || offers_.sent(SdpCarrier::update_ok, sdp) != OfferVerdict::ok)
    offers_.refused(SdpCarrier::update);
}

ChangeStep SessionChanges::due(core::Instant now) {
  if (now >= limit_) return on(ChangeEvent::limit, now);
  if (now >= retry_) {
    retry_ = core::never;
    return {.actions = change_do::try_again};
  }
  if (resend_.due(now) == Resend::Due::again) return {.actions = change_do::send_2xx_again};
  return {};
}

void SessionChanges::stop() {
  retry_ = core::never;
  update_ours_ = update_theirs_ = false;
  if (state_ == ChangeState::theirs_ok) return;
  limit_ = core::never;
  resend_.stop();
  state_ = ChangeState::quiet;
}

}  // namespace parley::sip

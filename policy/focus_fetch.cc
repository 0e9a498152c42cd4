// policy/focus_fetch.cc - somebody asks for what the store has for him: a message that waits for him, or a record of his history.
// OMA-DEF-13, OMA-DEF-14, OMA-HIS-5. See focus.h.
#include <utility>

#include "policy/focus.h"
#include "policy/focus_newcomer.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "policy/store_owner.h"
#include "policy/user_key.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;

std::uint16_t Focus::fetch(const Received& request, const sip::RequestMatch& match, const Invitation& invitation,
                           const ToFetch& wanted) {
  lines_.clear();
  refusal_body_.clear();
  const bool served = wanted.record ? gives_records() : stores();
  if (!served || media_ == nullptr || rooms_ == nullptr) return 404;
  Newcomer who;
  read_newcomer(request, invitation, who);
  who.body = read_invite_body(request);
  if (who.body.refusal != 0) return who.body.refusal;
  if (who.body.has_sdp) who.sdp_status = read_terms(who.body.sdp, true, who.terms);
  if (who.sdp_status == 400) return 400;
  if (who.sdp_status != 0 || !who.terms.may_receive) {
    lines_.add(HeaderId::content_type, "application/sdp");
    put_capabilities(true, who.body.sdp, refusal_body_);
    return 488;
  }
  sip::SessionTimer timers;
  const sip::TimerGrant grant = timers.grant(config_->calls.timer, sip::read_timer(request.head, request.bytes));
  if (grant.refuse) {  // R4028-1
    put_number(lines_.begin(HeaderId::min_se), grant.min_se);
    return 422;
  }
  const std::string& function = wanted.record ? config_->im.history_access.uri : config_->im.deferred_uris.front();
  FocusSession* const s = new_session(function, &request.flow, request.secure());
  if (s == nullptr) return 503;
  if (wanted.record) s->large_message = false;
  std::uint16_t status = 0;
  Participant* const p =
      admit(*s, request, who, {.timers = timers, .grant = grant, .trusted = invitation.from_trusted}, status);
  if (p == nullptr) {
    drop_session(*s);
    return status;
  }
  p->server = transactions_.open_server(request, match, owner_number(Owner::participant, p->self), now_);
  const bool claimed = p->server.valid() && transactions_.claim(p->server, request);
  if (!claimed) {
    const bool there = p->server.valid();
    if (there) respond_plain(p->server, 482);  // R3261-4
    media_->close(p->end);
    participants_.erase(p->self);
    drop_session(*s);
    return there ? 0 : 503;
  }
  take_way(*p, p->way, request, !p->dialog->route_set().empty());
  metrics_.add(Metric::sip_sessions);
  metrics_.add(Metric::sip_sessions_begun);
  (void)show(*s, *p, EndpointStatus::dialing_in);
  s->gather_until = now_ + config_->store_answer;
  s->stored->id = wanted.id;
  s->stored->record = wanted.record;
  s->stored->asked = ++asks_made_;
  asks_.emplace(s->stored->asked, s->self);
  core::StoreOp op{.token = store_token(StoreOwner::large, s->stored->asked), .what = core::LoadMessage{.id = wanted.id}};
  if (wanted.record) op.what = core::FindHistory{.ids = {wanted.id}};
  out_->store(std::move(op));
  settle(*p);
  settle(*s);
  return 0;
}

// 0, or why he does not get it (OMA-DEF-13, OMA-DEF-14, OMA-HIS-5). What a record has is removed some time after its end, so
// nobody could tell the two apart.
std::uint16_t Focus::judge_fetch(const FocusSession& s, const Participant& p, const core::StoreResult& result) const {
  if (result.status != core::StoreResult::Status::done) return 503;
  if (s.stored->record) {
    if (result.histories.empty()) return 404;
    const core::HistoryRecordRow& row = result.histories.front();
    if (user_key(row.aor) != p.key) return 403;
    return row.ended_ms != 0 && row.expires_ms <= wall_ms_ ? 404 : 0;
  }
  if (result.rows.empty()) return 404;
  const core::DeferredRow& row = result.rows.front();
  if (user_key(row.aor) != p.key) return 403;
  return row.expires_ms <= wall_ms_ ? 410 : 0;
}

// False: there are as many as may be.
bool Focus::begin_giving(FocusSession& s, const core::StoreResult& result) {
  if (s.stored->record) {
    const core::HistoryRecordRow& row = result.histories.front();
    s.stored->end = stored_->give_record(
        row, s.self.packed(),
        {.legs = config_->im.history_access.fetch_parallel, .per_user = config_->im.deferred.large_per_user},
        rooms_->messages_per_member_max());
    s.stored->aor = row.aor;
    return s.stored->end.valid() && join_stored(s, s.stored->end, config_->im.history_access.uri, true);
  }
  const core::DeferredRow& row = result.rows.front();
  take_head(s, row);
  s.stored->end = stored_->give(row, s.self.packed(), stored_limits());
  s.stored->aor = row.aor;
  return s.stored->end.valid() && join_stored(s, s.stored->end, row.sender, true);
}

void Focus::on_fetched(FocusSession& s, const core::StoreResult& result) {
  s.gather_until = core::never;
  Participant* const p = s.participants.empty() ? nullptr : participants_.get(s.participants.front());
  if (p == nullptr || p->stand != Participant::Stand::inviting) return;
  const core::SlotId self = p->self;
  std::uint16_t status = judge_fetch(s, *p, result);
  if (status == 0 && !begin_giving(s, result)) status = 503;
  if (status == 0) {
    s.begun = true;
    (void)answer_or_refuse(*p);
  } else {
    p->refusal = status;
    use(*p, p->usage.on(InviteEvent::refuse, now_), {.status = status});
  }
  if (Participant* const left = participants_.get(self)) settle(*left);
}

}  // namespace parley::policy

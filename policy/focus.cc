// policy/focus.cc - which session a message is for; what passes between the tables of sip/; the end of participants and
// sessions. See focus.h.
#include "policy/focus.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/owner.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;

Focus::Focus(const FocusParts& parts)
    : UserAgent(parts.agent),
      media_(parts.media),
      rooms_(parts.rooms),
      conferences_(parts.conferences),
      stored_(parts.stored),
      shards_(parts.shards),
      sessions_(config_->focus.sessions_max),
      participants_(config_->focus.participants_max) {
  invite_config_.ring_max = config_->focus.invite_timeout;  // OMA-SES-5
  if (rooms_ != nullptr) rooms_->keep_trace(config_->focus.trace_messages);
}

Focus::~Focus() {
  participants_.for_each([this](core::SlotId, Participant& p) { wheel_.cancel(p.timer); });
  sessions_.for_each([this](core::SlotId, FocusSession& s) { wheel_.cancel(s.timer); });
}

void Focus::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  invite_config_.ring_max = config_->focus.invite_timeout;
  if (rooms_ != nullptr) rooms_->keep_trace(config_->focus.trace_messages);
}

// --- which one

bool Focus::has(core::SlotId session) const {
  const FocusSession* const s = sessions_.get(session);
  return s != nullptr && !s->ending;
}

std::optional<core::SlotId> Focus::session_of(std::string_view group_key) const {
  const auto found = by_group_.find(group_key);
  if (found == by_group_.end() || !has(found->second)) return std::nullopt;
  return found->second;
}

FocusSession& Focus::session_of(const Participant& p) {
  FocusSession* const s = sessions_.get(p.session);
  CHECK(s != nullptr);  // it stays as long as one of its participants
  return *s;
}

// The dialog of `p` in which this request comes: the one that stands, or one that its INVITE may still become.
sip::Dialog* Focus::dialog_of(Participant& p, const Received& request) {
  const sip::Essentials& e = request.essentials;
  if (p.dialog->made()) return p.dialog->is(e.call_id, e.to_tag, e.from_tag) ? p.dialog.get() : nullptr;
  sip::EarlyDialog* const early = p.early == nullptr ? nullptr : p.early->find(e.from_tag);
  return early != nullptr && early->dialog.is(e.call_id, e.to_tag, e.from_tag) ? &early->dialog : nullptr;
}

Participant* Focus::find(const CallName& name, const Received& request) {
  Participant* const p = name.kind == NameKind::participant ? participants_.get(name.call) : nullptr;
  return p != nullptr && dialog_of(*p, request) != nullptr ? p : nullptr;
}

std::optional<DialogParty> Focus::party(const CallName& name, const Received& request) {
  const Participant* const p = find(name, request);
  if (p == nullptr) return std::nullopt;
  return DialogParty{.uri = p->uri, .im = true};
}

std::uint16_t Focus::on_request(const CallName& name, const Received& request, const sip::RequestMatch& match,
                                bool from_trusted) {
  lines_.clear();
  refusal_body_.clear();
  Participant* const p = find(name, request);
  if (p == nullptr) {
    if (name.kind != NameKind::participant || participants_.get(name.call) == nullptr) return 481;
    // 12.2.2: a copy must not find the dialog that a 2xx has made meanwhile.
    const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
    if (!server.valid()) return 503;
    respond_plain(server, 481);
    return 0;
  }
  p->trusted = from_trusted;
  const Method method = request.head.method;
  if (method != Method::bye && p->requests.size() >= config_->focus.requests_max) {
    metrics_.add(Metric::sip_session_requests_limit);
    return busy();
  }
  switch (dialog_of(*p, request)->receive(request.essentials)) {
    case sip::DialogCheck::ok: break;
    case sip::DialogCheck::out_of_order: return 500;
    case sip::DialogCheck::gone: return 481;
  }
  const sip::TransactionId server =
      transactions_.open_server(request, match, owner_number(Owner::participant, p->self), now_);
  if (!server.valid()) return 503;
  const core::SlotId self = p->self;
  const core::SlotId session = p->session;
  switch (method) {
    case Method::bye:
      use(*p, p->usage.on(InviteEvent::bye, now_), {.message = &request, .bye = server});
      break;
    case Method::invite: on_reinvite(*p, request, server); break;
    case Method::update: on_update(*p, request, server); break;
    case Method::prack: on_prack(*p, request, server); break;
    case Method::refer: on_refer(*p, request, server); break;
    case Method::message: on_message(*p, request, server); break;
    case Method::options:
      lines_.clear();
      describe(p->way.flow, p->session, lines_);
      texts_.assign(lines_.headers().begin(), lines_.headers().end());
      respond(server, 200);
      break;
    default:
      texts_.clear();
      add(HeaderId::allow, focus_methods);
      respond(server, method == Method::other ? 501 : 405);
      break;
  }
  if (Participant* const left = participants_.get(self)) settle(*left);
  settle(session);
  return 0;
}

// T-25: whatever its branch, Route and URI.
void Focus::on_ack(const CallName& name, const Received& ack) {
  Participant* const p = find(name, ack);
  if (p == nullptr || ack.essentials.cseq.number != p->invite_cseq) {
    metrics_.add(Metric::sip_dropped);
    return;
  }
  const core::SlotId session = p->session;
  if (!p->invited_by_us() && sip::resends(p->usage.state())) {  // to the 200 that let him in; no re-INVITE is taken before
    const bool owed = p->usage.answered() && p->changes.offers().state() == sip::OfferState::offered;
    if (p->usage.answered()) (void)p->changes.offers().received(sip::SdpCarrier::ack, has_sdp(ack));
    use(*p, p->usage.on(InviteEvent::ack, now_), {.message = &ack});
    if (owed && !take_late_answer(*p, ack)) hang_up(*p, "SIP;cause=488;text=\"No Session Description\"");  // R3264-3
  } else {
    change(*p, p->changes.on_ack(has_sdp(ack), now_), {.message = &ack});
  }
  settle(*p);
  settle(session);
}

// --- between the tables

void Focus::use(Participant& p, std::uint32_t actions, const Hand& hand) {
  namespace todo = sip::invite_do;
  if ((actions & todo::send_2xx) != 0) send_answer(p);
  if ((actions & todo::send_final) != 0) refuse(p, hand.status);
  if ((actions & todo::send_487) != 0) refuse(p, 487);
  if ((actions & todo::send_480) != 0) refuse(p, 480);
  if ((actions & todo::send_504) != 0) refuse(p, 504);
  if ((actions & todo::answer_bye_200) != 0) respond_plain(hand.bye, 200);
  if ((actions & todo::answer_bye_481) != 0) respond_plain(hand.bye, 481);
  if ((actions & todo::send_cancel) != 0) {
    Errand errand;
    errand.kind = Errand::Kind::cancel;
    errand.client = Errand::Client::participant;
    errand.call = p.self;
    errand.number = p.invite_number;
    errand.reason = p.reason;
    errands_.push_back(std::move(errand));
  }
  if ((actions & (todo::send_ack | todo::send_ack_again)) != 0) send_ack(p, p.opening_cseq);
  if ((actions & todo::send_bye) != 0) send_bye(p);
  if ((actions & todo::tell_up) != 0) p.answer.drop();
  if ((actions & todo::send_2xx_again) != 0 && !p.answer.empty()) {
    (void)transactions_.respond(p.server, 200, p.answer.view(), now_);
  }
  // A BYE of his before anything else told him that it is over: he has left.
  if ((actions & todo::tell_ended) != 0) leave(p);
}

// He is gone without having said so, and may come back.
void Focus::lose(Participant& p) {
  p.lost = true;
  use(p, p.usage.on(InviteEvent::dialog_lost, now_), {});
}

void Focus::hang_up(Participant& p, std::string_view reason) {
  if (p.reason.empty()) p.reason = reason;
  use(p, p.usage.on(InviteEvent::hang_up, now_), {});
}

// He is no longer in, or never will be: SEED4-6.1.2.2.5-2, after the 200 to his BYE.
void Focus::leave(Participant& p) {
  if (p.stand == Participant::Stand::gone) return;
  FocusSession& s = session_of(p);
  const bool was_in = p.stand == Participant::Stand::in;
  p.stand = Participant::Stand::gone;
  p.changes.stop();
  p.timers.stop();
  p.lost_until = core::never;
  if (p.member.valid()) {
    rooms_->leave(p.member, p.lost ? LeaveReason::lost : LeaveReason::departed);  // closes his MSRP session
    p.member = {};
  } else if (p.end.valid()) {
    media_->close(p.end);
  }
  p.end = {};
  show_left(s, p, was_in);
  if (was_in) {
    --s.in;
    metrics_.sub(Metric::sip_session_participants);
    if (users_ != nullptr) users_->left(p.key);
    end_record(s, p);
  }
  if (p.expelled_by != 0) refer_outcome(s, std::exchange(p.expelled_by, 0), 200);
  if (p.invited_by_us() && !was_in && !p.written_off) outcome(s, p, p.refusal == 0 ? std::uint16_t{480} : p.refusal);
  if (was_in && s.distribution && !s.begun) {  // the others need wait for him no longer
    all_have_answered(s);
    if (Participant* const originator = participants_.get(s.originator)) nobody_came(s, *originator);
  }
  look_at_end(s);
  stop_watching(s, p);
}

// OMA-SES-8.
void Focus::look_at_end(FocusSession& s) {
  if (s.ending) return;
  const Participant* const originator = participants_.get(s.originator);
  const bool waits = originator != nullptr && originator->stand == Participant::Stand::inviting;
  if (!s.begun) {
    if (!waits) end_session(s, "SIP;cause=487;text=\"Originator Has Left\"");  // nobody is to be invited any more
    return;
  }
  if (s.in == 0 && s.inviting == 0 && s.keeping == 0) {
    end_session(s, "SIP;cause=480;text=\"Session Ended\"");
    return;
  }
  if (s.distribution) {
    // Who has sent all of it may go; who has yet to read it is waited for.
    const bool present = originator != nullptr && originator->stand != Participant::Stand::gone;
    const bool sends = present || (s.stored != nullptr && s.stored->status == 0);
    const bool receives = s.in + s.inviting + s.keeping > (present && originator->stand == Participant::Stand::in ? 1U : 0U);
    if (receives && (sends || rooms_->delivering(s.room))) return;
    end_session(s, "SIP;cause=200;text=\"Session Ended\"");
    return;
  }
  if (s.group != nullptr && s.group->session_policy().originator_required &&
      (originator == nullptr || originator->stand == Participant::Stand::gone)) {
    end_session(s, "SIP;cause=480;text=\"Originator Has Left\"");
    return;
  }
  const std::uint32_t least =
      s.group != nullptr ? s.group->session_policy().min_participants.value_or(2) : std::uint32_t{2};
  const bool alone = s.in < least && s.inviting == 0 && s.waiting.empty();
  if (alone && s.kind != SessionKind::chat_room && s.peopled) {
    end_session(s, "SIP;cause=480;text=\"Session Ended\"");
  }
}

void Focus::renew_groups(const GroupNamed& named) {
  std::vector<core::SlotId> orphans;
  for (const auto& [key, id] : by_group_) {
    FocusSession* const s = sessions_.get(id);
    if (s == nullptr || s->ending) continue;
    std::shared_ptr<const Group> now = named(key);
    if (now == nullptr) {
      orphans.push_back(id);
    } else if (now.get() != s->group) {
      s->group = now.get();
      s->group_owner = std::move(now);
    }
  }
  for (const core::SlotId id : orphans) {
    end_session(*sessions_.get(id), "SIP;cause=480;text=\"Group Deleted\"");
    settle(id);
  }
}

void Focus::end_session(FocusSession& s, std::string_view reason) {
  if (std::exchange(s.ending, true)) return;
  s.waiting.clear();
  if (s.group != nullptr) by_group_.erase(s.group->key());
  unstore(s);
  const std::vector<core::SlotId> all = s.participants;
  for (const core::SlotId id : all) {
    Participant* const p = participants_.get(id);
    if (p == nullptr || p->stand == Participant::Stand::gone) continue;
    hang_up(*p, reason);
    if (Participant* const left = participants_.get(id)) settle(*left);
  }
  if (s.stored != nullptr) tell_pushed(s, s.best_refusal == 0 ? std::uint16_t{480} : s.best_refusal);
  if (rooms_ != nullptr && s.room.valid()) rooms_->end(std::exchange(s.room, {}));
  show_ended(s);
  metrics_.sub(Metric::sip_sessions);
  end_refers(s);
}

// After everything that happens to him, once. He may be gone afterwards. A re-INVITE of his that was accepted has no other
// final response than that 2xx.
void Focus::settle(Participant& p) {
  if (p.stand == Participant::Stand::gone && p.usage.over() && p.requests.empty() && !p.changes.repeats()) {
    forget(p);
    return;
  }
  const core::Instant next = deadline_of(p);
  if (next == core::never) {
    wheel_.cancel(p.timer);
  } else {
    wheel_.arm(p.timer, next);
  }
}

void Focus::forget(Participant& p) {
  wheel_.cancel(p.timer);
  ways_.forget(p.way, p.self, false);
  if (FocusSession* const s = sessions_.get(p.session)) {
    std::erase_if(s->refers, [&p](const FocusRefer& refer) { return refer.by == p.self; });
    std::erase(s->participants, p.self);
  }
  participants_.erase(p.self);
}

void Focus::settle(core::SlotId session) {
  if (FocusSession* const s = sessions_.get(session)) settle(*s);
}

void Focus::settle(FocusSession& s) {
  if (s.ending && s.participants.empty() && s.requests == 0) {
    wheel_.cancel(s.timer);
    end_talk(s);
    sessions_.erase(s.self);
    return;
  }
  const core::Instant next = deadline_of(s);
  if (next == core::never) {
    wheel_.cancel(s.timer);
  } else {
    wheel_.arm(s.timer, next);
  }
}

// --- what has become of errands

FocusRequest* Focus::request_numbered(Participant& p, std::uint32_t number) {
  const auto found = std::find_if(p.requests.begin(), p.requests.end(),
                                  [number](const FocusRequest& request) { return request.number == number; });
  return found == p.requests.end() ? nullptr : &*found;
}

void Focus::on_response(core::SlotId id, std::uint32_t number, std::string_view text, const sip::Flow& flow,
                        bool by_flow) {
  Participant* const p = participants_.get(id);
  if (p == nullptr) return;
  const Received* const response = response_.read(text, flow);
  if (response == nullptr) return;
  const core::SlotId session = p->session;
  finish(*p, number, response, response->head.status, by_flow);
  if (Participant* const left = participants_.get(id)) settle(*left);
  settle(session);
}

void Focus::on_failed(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Participant* const p = participants_.get(id);
  if (p == nullptr) return;
  const core::SlotId session = p->session;
  finish(*p, number, nullptr, status, false);
  if (Participant* const left = participants_.get(id)) settle(*left);
  settle(session);
}

void Focus::on_over(core::SlotId id, std::uint32_t number) {
  Participant* const p = participants_.get(id);
  const FocusRequest* const request = p == nullptr ? nullptr : request_numbered(*p, number);
  if (request == nullptr) return;
  const core::SlotId session = p->session;
  if (!request->final) finish(*p, number, nullptr, 408, false);
  if (number == p->invite_number) p->early.reset();
  std::erase_if(p->requests, [number](const FocusRequest& r) { return r.number == number; });
  settle(*p);
  settle(session);
}

// `response` is null when none came.
void Focus::finish(Participant& p, std::uint32_t number, const Received* response, std::uint16_t status, bool by_flow) {
  FocusRequest* const found = request_numbered(p, number);
  if (found == nullptr) return;
  const bool again = found->final;
  if (status >= 200) found->final = true;
  const FocusRequest request = *found;  // the list may move
  if (request.kind == FocusRequest::Kind::invite) {
    if (response != nullptr && status < 300) {
      if (status >= 200) {
        on_2xx(p, *response, by_flow);
      } else {
        on_1xx(p, *response, by_flow);
      }
    } else if (!again) {
      on_refused(p, status, response);
    }
    return;
  }
  if (status < 200) return;
  if (again && request.method != Method::invite) return;
  switch (request.kind) {
    case FocusRequest::Kind::invite: return;
    case FocusRequest::Kind::refresh: refresh_answered(p, request, response, status); return;
    case FocusRequest::Kind::bye: use(p, p.usage.on(InviteEvent::bye_done, now_), {}); return;
    case FocusRequest::Kind::farewell: return;
    case FocusRequest::Kind::notify:
      // 12.2.1.2: nobody is there who knows this dialog.
      if (sip::dialog_loss(status) == sip::DialogLoss::dialog || status == 408) {
        lose(p);
      }
      return;
  }
}

void Focus::on_session_over(core::SlotId id) {
  FocusSession* const s = sessions_.get(id);
  if (s == nullptr) return;
  --s->requests;
  settle(*s);
}

// --- what comes from the media

void Focus::on_room_fact(const RoomFact& fact) {
  using Kind = RoomFact::Kind;
  take_overs();
  if (fact.kind == Kind::recorded) return record(fact);
  if (fact.kind == Kind::idle) {
    FocusSession* const s = sessions_.get(core::SlotId::unpack(fact.room_owner));
    if (s == nullptr) return;
    metrics_.add(Metric::sip_sessions_idle);
    end_session(*s, "SIP;cause=480;text=\"Session Idle\"");
    settle(*s);
    return;
  }
  if (fact.kind == Kind::delivered) {
    FocusSession* const s = sessions_.get(core::SlotId::unpack(fact.room_owner));
    if (s == nullptr) return;
    look_at_end(*s);
    settle(*s);
    return;
  }
  Participant* const p = participants_.get(core::SlotId::unpack(fact.member_owner));
  if (p == nullptr || p->member != fact.member) return;
  const core::SlotId session = p->session;
  switch (fact.kind) {
    case Kind::connected:
      p->lost_until = core::never;
      all_have_answered(session_of(*p));
      break;
    case Kind::lost: p->lost_until = now_ + config_->focus.lost_max; break;  // he may come again with another path
    case Kind::failed:
      metrics_.add(Metric::sip_sessions_media_failed);
      hang_up(*p, "SIP;cause=480;text=\"No MSRP Session\"");  // T-41
      break;
    case Kind::replaced: hang_up(*p, "SIP;cause=200;text=\"Joined Again\""); break;
    case Kind::too_slow:
      p->lost = true;
      hang_up(*p, "SIP;cause=480;text=\"Too Slow\"");
      break;
    case Kind::nickname: show_alias(session_of(*p), *p, fact.nickname); break;
    case Kind::lagging:
    case Kind::recovered:
    case Kind::missed:
    case Kind::delivered:
    case Kind::recorded:
    case Kind::idle: break;
  }
  if (Participant* const left = participants_.get(core::SlotId::unpack(fact.member_owner))) settle(*left);
  settle(session);
}

}  // namespace parley::policy

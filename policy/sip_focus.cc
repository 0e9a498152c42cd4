// policy/sip_focus.cc - between the controlling function of this shard (focus.h) and the messages of SipService: which
// requests are its own, and who sends them. See sip_service.h.
#include "policy/im_request.h"
#include "policy/sip_service.h"
#include "policy/user_key.h"
#include "sip/event_headers.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;
using Target = Focus::Invitation::Target;

namespace {

bool is_refer_event(const sip::Received& request, sip::Event& event) {
  return sip::parse_event(request.head.value(HeaderId::event, request.bytes), event) && event.package == "refer";
}

}  // namespace

// In a dialog of the focus.
void SipService::on_dialog_request(const CallName& name, const Received& request, const sip::RequestMatch& match) {
  if (request.head.method == Method::subscribe) {
    sip::Event event;
    if (!is_refer_event(request, event)) {
      on_watch(request, match, name, request.essentials.from.uri);
    } else if (const std::uint16_t status = focus_.subscribe_refer(name, request, match, event); status != 0) {
      responder_.refuse_once(request, match, status, focus_.headers());
    }
    return;
  }
  const std::uint16_t status = focus_.on_request(name, request, match, home_.trusts(request.flow.remote));
  if (status != 0) responder_.refuse_once(request, match, status, focus_.headers());
}

// The session of a group belongs to the shard that the group's URI names, one of an earlier process to that which its own name
// does. Nothing goes on twice.
bool SipService::is_of_session_elsewhere(const Received& request, const Routing& routing) {
  if (!config_->focus.on || shard_count_ == 1 || !request.essentials.to_tag.empty()) return false;
  if ((!routing.next_route.empty() && routing.own_routes == 0) || request.flow.shard != shard_) return false;
  const std::optional<std::uint32_t> owner = focus_targets_.shard_of(routing);
  if (!owner || *owner == shard_) return false;
  transport_.pass_on(*owner, request);
  return true;
}

void SipService::begin_session(const Received& request, const sip::RequestMatch& match,
                               const Focus::Invitation& invitation) {
  sip::OptionSet more;
  more.add(sip::OptionTag::recipient_list_invite);
  more.add(sip::OptionTag::join);
  if (!uas_checks(request, more)) return;
  const std::uint16_t status = focus_.invite(request, match, invitation);
  if (status == 0) return;
  if (focus_.body().empty()) {
    responder_.refuse(request, status, focus_.headers());
    return;
  }
  responder_.refuse_by_transaction(request, match, status, focus_.headers(), focus_.body());
}

// Outside any dialog. True: it has been dealt with.
bool SipService::on_focus_request(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                  const Sender& sender) {
  if (fetch_stored(request, match, routing, sender)) return true;
  Focus::Invitation target;
  if (!focus_targets_.find(request, routing, sender, target)) return false;
  target.identity = parties_.identity_of(request, sender);
  target.user = sender.user;
  target.from_trusted = sender.kind == Sender::Kind::trusted;
  std::string recorder;
  target.recorder = parties_.session_recorder(request, routing, sender, recorder);
  const Focus::Outside outside{
      .session = target.session, .identity = target.identity, .from_trusted = target.from_trusted};
  sip::OptionSet list_message;
  list_message.add(sip::OptionTag::recipient_list_message);
  std::uint16_t status = 0;
  switch (request.head.method) {
    case Method::invite: begin_session(request, match, target); return true;
    case Method::refer: {
      sip::OptionSet more;
      more.add(sip::OptionTag::multiple_refer);
      if (!uas_checks(request, more)) return true;
      status = focus_.refer(request, match, outside);
      break;
    }
    case Method::message:
      if (target.target == Target::session) {
        status = focus_.message(request, match, outside);
        break;
      }
      if (!uas_checks(request, list_message)) return true;
      status = exploder_.message(request, match,
                                 {.group = target.group,
                                  .identity = target.identity,
                                  .recorded_sender = parties_.recorded_sender(request, routing, sender, aor_)});
      if (status != 0) responder_.refuse_by_transaction(request, match, status, exploder_.headers());
      return true;
    case Method::options:
      lines_.clear();
      focus_.describe(request.flow, target.session, lines_);
      responder_.refuse(request, target.target == Target::session && !focus_.has(target.session) ? 404 : 200,
                        lines_.headers());
      return true;
    case Method::subscribe:
      if (!uas_checks(request)) return true;
      if (sip::Event event; is_refer_event(request, event)) {
        responder_.refuse(request, 403);  // R3515-1: nothing but a REFER makes one
        return true;
      }
      // Of a group whose session is on, that one is meant; the factory has none (T-32).
      on_watch(request, match, {static_cast<std::uint16_t>(shard_), target.session, NameKind::session}, target.identity);
      return true;
    case Method::publish: return false;
    default: {
      const sip::HeaderText allow{.id = HeaderId::allow, .value = Focus::focus_methods};
      responder_.refuse(request, request.head.method == Method::other ? 501 : 405, {&allow, 1});
      return true;
    }
  }
  if (status != 0) responder_.refuse(request, status, focus_.headers());
  return true;
}

// SUBSCRIBE to the state of a session.
void SipService::on_watch(const Received& request, const sip::RequestMatch& match, const CallName& named,
                          std::string_view identity) {
  const Focus::Watch watch = focus_.watch(request, named, identity);
  if (watch.roster == nullptr) {
    responder_.refuse_once(request, match, watch.decision);
    return;
  }
  const std::uint16_t status = conferences_.on_subscribe({.request = request,
                                                          .match = match,
                                                          .decision = watch.decision,
                                                          .watcher = watch.watcher,
                                                          .contact = watch.contact,
                                                          .dialog = watch.dialog},
                                                         *watch.roster);
  if (status != 200) {
    responder_.refuse_once(request, match, status, conferences_.headers());
    return;
  }
  keep(request.flow, now_.mono + std::chrono::seconds(conferences_.granted_s()) + config_->transport.idle);
}

std::string SipService::answer_admin(const core::AdminRequest& request) {
  using Kind = core::AdminRequest::Kind;
  const bool system = request.kind == Kind::system_message || request.kind == Kind::list_system_messages ||
                      request.kind == Kind::close_system_message;
  const bool deferred = request.kind == Kind::deferred_list || request.kind == Kind::deferred_entries ||
                        request.kind == Kind::deferred_delete;
  const bool where = request.kind == Kind::where;
  const bool history = request.kind == Kind::history_list || request.kind == Kind::history_entries ||
                       request.kind == Kind::history_delete;
  std::string json = system     ? answer_system(request)
                     : where    ? search_.answer(request)
                     : deferred ? answer_deferred(request)
                     : history  ? answer_history(request)
                                : focus_.answer_admin(request, now_.wall_ms);
  run_errands();
  return json;
}

void SipService::on_room_fact(const RoomFact& fact) {
  focus_.on_room_fact(fact);
  run_errands();
}

}  // namespace parley::policy

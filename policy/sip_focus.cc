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

// OMA-SES-1: a session of two. A large message is none, it goes from one to the other (OMA-LRG-2).
// Between two, files and large messages need nobody between them (OMA-LRG-2).
bool begins_session(const sip::Received& request) { return im_kind(request) == ImKind::session; }

// OMA-SES-2: another server is the focus already.
bool comes_from_focus(const sip::Received& request) {
  return contact_has_tag(request.head, request.bytes, "isfocus");
}

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

std::shared_ptr<const Group> SipService::group_of(const Routing& routing) {
  if (!routing.local || routing.parsed.user.empty()) return nullptr;
  const std::string_view aor = home_.aor_of(routing.parsed, aor_);
  return aor.empty() ? nullptr : group_named(aor);
}

std::shared_ptr<const Group> SipService::group_named(std::string_view aor) {
  if (config_->documents != nullptr) {
    if (const Group* const group = config_->documents->group(aor)) return {config_->documents, group};
  }
  return user_documents_->groups.empty() ? nullptr : user_documents_->groups.find(user_key(aor));
}

// The session of a group belongs to the shard that the group's URI names, one of an earlier process to that which its own name
// does. Nothing goes on twice.
bool SipService::is_of_session_elsewhere(const Received& request, const Routing& routing) {
  if (!config_->focus.on || shard_count_ == 1 || !request.essentials.to_tag.empty()) return false;
  if ((!routing.next_route.empty() && routing.own_routes == 0) || request.flow.shard != shard_) return false;
  const LeftSession* const left = routing.local ? focus_.known(routing.parsed.user) : nullptr;
  const auto group = left == nullptr ? group_of(routing) : nullptr;
  if (left == nullptr && group == nullptr) return false;
  const std::uint32_t owner = home_.shard_of(group != nullptr ? group->key() : place_of(*left));
  if (owner == shard_) return false;
  transport_.pass_on(owner, request);
  return true;
}

std::string_view SipService::place_of(const LeftSession& left) {
  return left.row.group.empty() ? left.row.name : left.row.group;
}

// By the identity of a session that an earlier process had.
bool SipService::target_left(const LeftSession& left, Focus::Invitation& target) {
  if (left.row.group.empty()) {
    target.target = Target::session;
    target.session = left.session;
    if (!left.session.valid()) target.left = &left;
    return true;
  }
  const std::shared_ptr<const Group> group = group_named(left.row.group);
  target.group = group.get();
  target.group_owner = group;
  target.target = target.group == nullptr ? Target::session : Target::group;
  if (const auto session = target.group == nullptr ? std::nullopt : focus_.session_of(left.row.group)) target.session = *session;
  return true;
}

// Whether the request is for the focus, and what it names there (OMA-X-2).
bool SipService::target_of(const Received& request, const Routing& routing, const Sender& sender,
                           Focus::Invitation& target) {
  if (!config_->focus.on || !request.essentials.to_tag.empty()) return false;
  target.uri = routing.uri;
  const bool invite = request.head.method == Method::invite;
  const bool here = routing.local && routing.next_route.empty();
  // Whom the core sends here by a Route that leads back to it comes to us for all that, if it is for us.
  const bool by_core = sender.kind == Sender::Kind::trusted && routing.own_routes > 0;
  if (here || (routing.local && by_core)) {
    if (const LeftSession* const left = focus_.left(routing.parsed.user)) return target_left(*left, target);
    if (const auto name = focus_.named(routing.parsed.user); name && name->kind == NameKind::session) {
      target.target = Target::session;
      target.session = name->call;
      return true;
    }
    const std::string_view aor = home_.aor_of(routing.parsed, aor_);
    if (!config_->focus.factory.empty() && user_key(aor) == user_key(config_->focus.factory)) {
      target.target = Target::factory;
      return true;
    }
    if (const auto group = group_of(routing)) {
      target.target = Target::group;
      target.group = group.get();
      target.group_owner = group;
      if (const auto session = focus_.session_of(group->key())) target.session = *session;
      return true;
    }
  }
  // What we carry for others' users goes on as it is; so does what has a focus.
  if (!invite || config_->focus.one_to_one != OneToOne::focus) return false;
  const bool calls = sender.kind == Sender::Kind::user || (by_core && (routing.originating || !config_->im.participating));
  if (!here && !calls) return false;
  if (routing.local && focus_.named(routing.parsed.user)) return false;  // a Contact of a call of ours
  if (!begins_session(request) || comes_from_focus(request)) return false;
  target.target = Target::user;
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
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_.mono);
  if (server.valid()) {
    responder_.answer(request, server, status, focus_.headers(), {}, focus_.body());
  } else {
    responder_.refuse(request, 503);
  }
}

// Outside any dialog. True: it has been dealt with.
bool SipService::on_focus_request(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                  const Sender& sender) {
  if (fetch_stored(request, match, routing, sender)) return true;
  Focus::Invitation target;
  if (!target_of(request, routing, sender, target)) return false;
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
      if (status == 0) return true;
      // Its sender is proven, and a copy of what he sent would be challenged: the same nonce comes twice (R3261-1).
      if (const sip::TransactionId server = transactions_.open_server(request, match, 0, now_.mono); server.valid()) {
        responder_.answer(request, server, status, exploder_.headers());
      } else {
        responder_.refuse(request, 503);
      }
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

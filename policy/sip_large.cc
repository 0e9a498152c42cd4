// policy/sip_large.cc - large messages to users who can not be reached, between the proxy, the focus that takes and
// sends them (focus_large.cc) and the deferred messaging function (deferred.h). See sip_service.h; OMA-LRG-3,
// OMA-LRG-4, OMA-DEF-13.
#include <utility>

#include "policy/sip_service.h"

namespace parley::policy {

using sip::Method;

// An INVITE for a large message that could be taken for its user: of a client, or one of ours, of a call or to somebody
// on a list.
bool SipService::may_store_large(const Proxied& p) const {
  return stored_ != nullptr && config_->im.deferred.on && p.im == ImKind::large_message && p.to_user &&
         p.method == Method::invite &&
         (p.errand == nullptr ||
          (!p.errand->in_dialog && !p.errand->from_store &&
           (p.errand->client == Errand::Client::participant || p.errand->client == Errand::Client::calls)));
}

StoredCopy SipService::copy_for(const Proxied& p, bool tried) {
  StoredCopy copy;
  copy.aor = p.aor;
  copy.id = p.message_id;
  copy.arrived_ms = p.message_ms;
  copy.tried = tried;
  return copy;
}

// True: it is not `p`'s any more. What we invited him to ourselves is told that he can not be reached, and goes on.
bool SipService::store_large(Proxied& p, bool tried) {
  const Received* const request = p.message_id == 0 ? nullptr : request_of(p);
  if (request == nullptr || !may_store_large(p)) return false;
  StoredCopy copy = copy_for(p, tried);
  if (p.errand != nullptr && p.errand->client == Errand::Client::participant) {
    focus_.on_unreached(p.errand->call, std::move(copy));
    return false;
  }
  const bool of_call = p.errand != nullptr;
  const bool from_trusted = of_call ? p.errand->from_trusted : p.from_trusted;
  const std::string user = of_call ? p.errand->user : p.user;
  const sip::TransactionId server = of_call ? calls_.invite_of(p.errand->call) : p.server;
  const Received* const invite = of_call ? replay(server, transactions_.flow_of(server)) : request;
  if (invite == nullptr) return false;
  Sender sender;
  if (from_trusted) {
    sender.kind = Sender::Kind::trusted;
  } else if (!user.empty()) {
    sender = {.kind = Sender::Kind::user, .user = user};
  }
  const std::string identity(parties_.identity_of(*invite, sender));
  Routing routing;
  (void)home_.read_routing(*invite, routing);  // it was good before
  std::string room;
  const std::string_view recorder = parties_.session_recorder(*invite, routing, sender, room);
  if (!focus_.deposit(*invite, server,
                      {.identity = identity, .from_trusted = from_trusted, .recorder = recorder, .copy = std::move(copy)})) {
    return false;
  }
  if (of_call) {  // its call hears that he can not be reached, and has nobody to tell it to
    calls_.let_go(p.errand->call);
    return false;
  }
  wheel_.cancel(p.answer_timer);
  p.server = {};
  p.keeping = Proxied::Keeping::done;
  settled(p);
  if (p.branches.empty()) drop(p);  // else with the last of its devices
  return true;
}

// They have had their time. Who has said something is called off; who has not counts as one who will not.
void SipService::give_up_devices(Proxied& p) {
  const core::SlotId self = p.self;
  if (p.answered || p.waits_for_bindings) return;
  p.given_up = true;
  for (sip::BranchSet set = p.fork.running(); !set.empty();) {
    const unsigned index = set.take();
    Proxied* const left = proxied_.get(self);
    if (left == nullptr) return;
    if (left->fork.running().has(index) && !left->fork.unwanted(index)) on_timer_c(*left, index);
  }
  Proxied* const left = proxied_.get(self);
  if (left == nullptr || left->answered || left->fork.running().empty()) return;
  // Those of less preference have a time of their own.
  wheel_.arm(left->answer_timer, now_.mono + config_->im.deferred.answer_max);
  if (left->errand != nullptr && left->errand->client == Errand::Client::participant && may_store_large(*left)) {
    focus_.on_given_up(left->errand->call, copy_for(*left, true));
  }
}

void SipService::pass_large() {
  for (bool any = true; any;) {
    any = false;
    for (Deferred::Large large; deferred_.next_large(large); any = true) {
      focus_.push({.row = std::move(large.row), .box = large.box, .number = large.number});
    }
    for (Focus::Pushed pushed; focus_.next_pushed(pushed); any = true) {
      if (pushed.status == 0) {
        deferred_.on_no_room(pushed.box, pushed.number);
        continue;
      }
      deferred_.on_response(pushed.box, pushed.number, pushed.status);
      deferred_.on_over(pushed.box, pushed.number);
    }
    for (Focus::Stored stored; focus_.next_stored(stored); any = true) {
      if (stored.lost) {
        deferred_.on_large_lost(stored.row);
      } else {
        deferred_.on_large_stored(stored.row, stored.duplicate, stored.tried);
      }
    }
    if (any) tell_kept();
  }
}

// An INVITE to the reference of something in the store. True: it has been dealt with.
bool SipService::fetch_stored(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                              const Sender& sender) {
  if (!routing.local) return false;
  if (request.head.method != Method::invite || !request.essentials.to_tag.empty()) return false;
  const auto wanted = named_in_store(routing.parsed.user);
  if (!wanted) return false;
  if (!uas_checks(request)) return true;
  Focus::Invitation invitation;
  invitation.target = Focus::Invitation::Target::user;
  invitation.uri = routing.uri;
  const std::string identity(parties_.identity_of(request, sender));
  invitation.identity = identity;
  invitation.user = sender.user;
  invitation.from_trusted = sender.kind == Sender::Kind::trusted;
  std::string recorder;
  if (!wanted->record) invitation.recorder = parties_.session_recorder(request, routing, sender, recorder, true);
  const std::uint16_t status = focus_.fetch(request, match, invitation, *wanted);
  if (status != 0) responder_.refuse_by_transaction(request, match, status, focus_.headers(), focus_.body());
  return true;
}

}  // namespace parley::policy

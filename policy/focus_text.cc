// policy/focus_text.cc - what messages of the controlling function look like. See focus.h.
#include "policy/focus.h"
#include "policy/im_request.h"
#include "policy/own_names.h"
#include "sip/address.h"
#include "sip/params.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

// T-31: who takes `isfocus` for a group chat does not get it in a session of two.
std::string Focus::features_toward(const FocusSession& s, bool oma_client) const {
  if (s.large_message) return ";" + std::string(large_message_tag);
  bool focus = !s.distribution;  // OMA-LRG-2
  if (s.of_two()) {
    switch (config_->focus.one_to_one_isfocus) {
      case OneToOneFocus::always: break;
      case OneToOneFocus::never: focus = false; break;
      case OneToOneFocus::oma_clients: focus = oma_client; break;
    }
  }
  return focus ? ";isfocus;+g.oma.sip-im" : ";+g.oma.sip-im";
}

void Focus::describe(const sip::Flow& flow, core::SlotId session, sip::HeaderLines& lines) const {
  const FocusSession* const s = sessions_.get(session);
  if (s != nullptr) {
    std::string& contact = lines.begin(HeaderId::contact);
    contact += '<';
    put_listener_uri(contact, flow.transport, transport_.listener(flow), s->name);
    contact.append(">").append(features_toward(*s, true));
  }
  lines.add(HeaderId::allow, focus_methods);
  if (s == nullptr || !s->distribution) lines.add(HeaderId::allow_events, "conference");
  lines.add(HeaderId::accept, invite_body_types);
  lines.add(HeaderId::supported, focus_options);
  lines.add(HeaderId::server, config_->im.product);
}

// The device that a Contact is of; empty: it does not say.
std::string Focus::instance_of(const Received& message) {
  std::string_view contacts = message.head.value(HeaderId::contact, message.bytes);
  sip::Address contact;
  if (contacts.empty() || !sip::take_address(contacts, contact)) return {};
  return std::string(sip::param_value(contact.params, "+sip.instance"));
}

void Focus::put_warning(std::string_view text) {
  warning_.assign("399 ");
  warning_.append(config_->domains.empty() ? std::string_view("parley") : std::string_view(config_->domains.front()));
  warning_.append(" \"").append(text).append("\"");
}

void Focus::respond(sip::TransactionId server, std::uint16_t status, std::string_view tag, std::string_view body) {
  (void)give_response(server, status, tag, {}, body);
}

void Focus::respond_plain(sip::TransactionId server, std::uint16_t status) {
  texts_.clear();
  respond(server, status);
}

Errand Focus::errand_in(const Participant& p, const sip::Dialog& to, const Way& way) const {
  Errand errand;
  errand.client = Errand::Client::participant;
  errand.call = p.self;
  errand.next = to.next_hop();
  if (way.back) errand.flow = way.flow;
  errand.came_by = way.flow;
  errand.secure = to.secure();
  errand.from_trusted = true;
  return errand;
}

// In his dialog, with texts_.
FocusRequest& Focus::send(Participant& p, FocusRequest::Kind kind, Method method, std::string_view name,
                          std::string_view content_type, std::string_view body) {
  const std::uint32_t cseq = p.dialog->next_cseq();
  Errand errand = errand_in(p, *p.dialog, p.way);
  errand.number = ++p.numbers;
  errand.method = method;
  p.dialog->write({.method = name, .cseq = cseq, .headers = texts_, .content_type = content_type, .body = body},
                  errand.text);
  if (sip::refreshes_target(method)) {
    errand.contact_user = session_of(p).name;
    errand.contact_params = p.features;
  }
  errands_.push_back(std::move(errand));
  p.requests.push_back({.kind = kind, .number = p.numbers, .method = method, .cseq = cseq});
  return p.requests.back();
}

void Focus::send_bye(Participant& p) {
  if (!p.dialog->made()) {
    use(p, p.usage.on(sip::InviteEvent::bye_done, now_), {});
    return;
  }
  texts_.clear();
  add(HeaderId::user_agent, config_->im.product);
  if (!p.reason.empty()) add(HeaderId::reason, p.reason);
  (void)send(p, FocusRequest::Kind::bye, Method::bye, "BYE");
}

}  // namespace parley::policy

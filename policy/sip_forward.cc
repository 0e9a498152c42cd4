// policy/sip_forward.cc - what a message looks like when it goes on (RFC 3261 sections 16.6 and 16.7). See
// sip_service.h.
#include "core/text.h"
#include "policy/own_names.h"
#include "policy/sip_service.h"
#include "sip/params.h"
#include "sip/value.h"
#include "sip/writer.h"

namespace parley::policy {

using sip::HeaderEdit;
using sip::HeaderId;
using sip::Method;
using EditKind = sip::HeaderEdit::Kind;

namespace {

constexpr std::uint8_t max_forwards_default = 70;  // RFC 3261 section 8.1.1.6

bool makes_dialog(Method method) {
  return method == Method::invite || method == Method::subscribe || method == Method::refer;
}

}  // namespace

void SipService::put_via(std::string& out, const Flow& flow, std::string_view branch) const {
  policy::put_via(out, flow.transport, transport_.listener(flow), branch);
}

void SipService::put_own_uri(std::string& out, const Flow& flow, std::string_view user) const {
  out.append("<");
  put_listener_uri(out, flow.transport, transport_.listener(flow), user);
  out.append(";lr>");
}

// Two when the sides differ (RFC 5658): each names the listener of its side and, where only that connection leads
// there, the flow (R5626-2, R7118-1).
void SipService::put_record_routes(const Received& request, const Flow& source, const Flow& out,
                                   std::string (&values)[2], std::size_t& count) {
  const auto token_for = [](const Flow& flow, bool needs_flow) {
    sip::RouteToken token;
    token.has_flow = needs_flow;
    token.flow = flow;
    return token;
  };
  // The far side's connection is named when it is a client's: what we dialled can be dialled again.
  const bool source_flow = source.reliable() && transport_.accepted(source);
  const bool out_flow = out.reliable() && transport_.accepted(out);
  const bool one = !source_flow && !out_flow && source.listener == out.listener;
  const Flow* const sides[2] = {&out, &source};
  const bool with_flow[2] = {out_flow, source_flow};
  count = one ? 1 : 2;
  for (std::size_t i = 0; i < count; ++i) {
    sip::RouteTokenText room;
    const std::string_view token = sip::write_route_token(token_for(*sides[i], with_flow[i]),
                                                          request.essentials.call_id, route_key_, room);
    values[i].clear();
    put_own_uri(values[i], *sides[i], token);
  }
}

// What of the Route remains, with the target's own in front.
void SipService::put_routes(const Received& request, const Routing& routing, std::string_view in_front,
                            std::string& out) const {
  out.assign(in_front);
  unsigned skip = routing.own_routes;
  const sip::Header* header = request.head.first(HeaderId::route);
  std::size_t last_at = 0;
  bool any = false;
  for (; header != nullptr; header = request.head.next(*header)) {
    sip::Items items(header->value.of(request.bytes));
    for (std::string_view item; items.next(item);) {
      if (skip > 0) {
        --skip;
        continue;
      }
      last_at = out.size();
      any = true;
      if (!out.empty()) out += ", ";
      out += item;
    }
  }
  if (routing.drop_last_route && any) out.resize(last_at);
}

std::string_view SipService::forward_request(const Onward& on, const Received& request, const Flow& out,
                                             std::string_view branch_name, std::uint16_t breadth) {
  Routing read;
  if (current_ != &request) (void)read_routing(request, read);  // a stored one: it was good before
  const Routing& routing = current_ == &request ? *current_routing_ : read;
  edits_.clear();
  const bool out_trusted = trusted(out.remote);
  if (!on.from_trusted) {
    identities_.clear();
    identity_text_.clear();
    const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
    const bool shown = out_trusted || privacy.none ||
                       (config_->untrusted.keep_identity && !privacy.id && !privacy.user && !privacy.header);
    if (shown && !on.user.empty() && !config_->domains.empty()) {
      own_identities_.clear();
      for (const std::string& domain : config_->domains) own_identities_.push_back("sip:" + std::string(on.user) + "@" + domain);
      identity_text_ = "<" + std::string(sip::chosen_identity(request.head, request.bytes, own_identities_)) + ">";
      identities_.push_back(identity_text_);
    }
    sip::edit_from_untrusted(request.head, identities_, edits_);
  }
  if (out_trusted) {
    sip::edit_to_trusted(request.head, edits_);
  } else {
    sip::edit_to_untrusted(request.head, request.bytes, config_->untrusted, edits_);
  }
  edit_list_.clear();
  via_.clear();
  put_via(via_, out, branch_name);
  edit_list_.push_back({EditKind::prepend, {.id = HeaderId::via, .value = via_}});
  std::string (&routes)[2] = record_routes_;
  if (makes_dialog(on.method) && !on.in_dialog) {
    std::size_t count = 0;
    put_record_routes(request, on.source, out, routes, count);
    for (std::size_t i = 0; i < count; ++i) {
      edit_list_.push_back({EditKind::prepend, {.id = HeaderId::record_route, .value = routes[i]}});
    }
  }
  char hops[20];
  core::TextOut hops_text(hops);
  hops_text.number(request.essentials.has_max_forwards ? request.essentials.max_forwards - 1U : max_forwards_default);
  edit_list_.push_back({EditKind::replace, {.id = HeaderId::max_forwards, .value = {hops, hops_text.size()}}});
  char breadth_digits[20];
  core::TextOut breadth_text(breadth_digits);
  breadth_text.number(breadth);
  edit_list_.push_back(
      {EditKind::replace, {.id = HeaderId::max_breadth, .value = {breadth_digits, breadth_text.size()}}});
  if (routing.own_routes > 0 || routing.drop_last_route || !on.route.empty()) {
    put_routes(request, routing, on.route, value_);
    if (value_.empty()) {
      edit_list_.push_back({EditKind::remove, {.id = HeaderId::route}});
    } else {
      edit_list_.push_back({EditKind::replace, {.id = HeaderId::route, .value = value_}});
    }
  }
  // Credentials for us are of no use to others (RFC 3261 section 22.3).
  if (!on.user.empty()) edit_list_.push_back({EditKind::remove, {.id = HeaderId::proxy_authorization}});
  for (const HeaderEdit& edit : edits_.list()) edit_list_.push_back(edit);

  sip::ReceivedText room;
  const sip::ForwardText text{.uri = on.uri,
                              .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                              .edits = edit_list_,
                              .body_bytes = static_cast<std::uint32_t>(request.body.size())};
  return put_whole(request, text);
}

std::string_view SipService::put_whole(const Received& message, const sip::ForwardText& text) {
  const std::string_view head = message.bytes.substr(0, message.head.length);
  core::TextOut writer(text_.room(sip::forward_bytes_max(message.head, head, text) + message.body.size()));
  sip::put_forward(writer, message.head, head, text);
  writer.put(message.body);
  return text_.view(writer.size());
}

std::string_view SipService::forward_ack(const Received& request, const Routing& routing, const Flow& out) {
  // Nobody answers it: any branch will do, as long as it is the same for the same ACK (RFC 3261 section 16.11).
  const core::Hash128 hash = core::KeyedHash(tag_key_).add(request.essentials.call_id)
                                 .add(sip::branch_of(request.essentials.via))
                                 .add(std::uint64_t{request.essentials.cseq.number}).finish();
  char branch[7 + 16];
  std::uint8_t raw[8];
  for (std::size_t i = 0; i < 8; ++i) raw[i] = static_cast<std::uint8_t>(hash.low >> (8 * i));
  std::string_view("z9hG4bK").copy(branch, 7);
  core::hex_encode(raw, {branch + 7, 16});
  via_.clear();
  put_via(via_, out, {branch, sizeof branch});
  edit_list_.clear();
  edit_list_.push_back({EditKind::prepend, {.id = HeaderId::via, .value = via_}});
  char hops[20];
  core::TextOut hops_text(hops);
  hops_text.number(request.essentials.has_max_forwards ? request.essentials.max_forwards - 1U : max_forwards_default);
  edit_list_.push_back({EditKind::replace, {.id = HeaderId::max_forwards, .value = {hops, hops_text.size()}}});
  if (routing.own_routes > 0 || routing.drop_last_route) {
    put_routes(request, routing, {}, value_);
    if (value_.empty()) {
      edit_list_.push_back({EditKind::remove, {.id = HeaderId::route}});
    } else {
      edit_list_.push_back({EditKind::replace, {.id = HeaderId::route, .value = value_}});
    }
  }
  sip::ReceivedText room;
  const std::string uri(routing.uri);
  const sip::ForwardText text{.uri = uri,
                              .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                              .edits = edit_list_,
                              .body_bytes = static_cast<std::uint32_t>(request.body.size())};
  return put_whole(request, text);
}

std::string_view SipService::forward_response(bool to_trusted, const Received& response) {
  edits_.clear();
  if (!trusted(response.flow.remote)) sip::edit_from_untrusted(response.head, {}, edits_);
  if (!to_trusted) sip::edit_to_untrusted(response.head, response.bytes, config_->untrusted, edits_);
  edit_list_.clear();
  edit_list_.push_back({EditKind::pop, {.id = HeaderId::via}});
  for (const HeaderEdit& edit : edits_.list()) edit_list_.push_back(edit);
  const sip::ForwardText text{.edits = edit_list_, .body_bytes = static_cast<std::uint32_t>(response.body.size())};
  return put_whole(response, text);
}

}  // namespace parley::policy

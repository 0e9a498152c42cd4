// policy/forwarder.cc - see forwarder.h.
#include "policy/forwarder.h"

#include <utility>

#include "core/digest_header.h"
#include "policy/own_names.h"
#include "sip/address.h"
#include "sip/params.h"
#include "sip/value.h"
#include "sip/writer.h"

namespace parley::policy {

using sip::HeaderEdit;
using sip::HeaderId;
using sip::Method;
using EditKind = sip::HeaderEdit::Kind;

namespace {

constexpr std::uint32_t max_forwards_added = 70;  // RFC 3261 section 8.1.1.6

bool makes_dialog(Method method) {
  return method == Method::invite || method == Method::subscribe || method == Method::refer;
}

}  // namespace

Forwarder::Forwarder(const Home& home, const sip::Transport& transport, std::shared_ptr<const SipConfig> config)
    : home_(home), transport_(transport), config_(std::move(config)) {}

void Forwarder::put_own_uri(std::string& out, const sip::Flow& flow, std::string_view user) const {
  out.append("<");
  put_listener_uri(out, flow.transport, transport_.listener(flow), user);
  out.append(";lr>");
}

// SEED4-6.1.1.2.2-2b. Two when the sides differ (RFC 5658): each names the listener of its side and, where only that connection leads
// there, the flow (R5626-2, R7118-1).
void Forwarder::put_record_routes(const sip::Received& request, const sip::Flow& source, const sip::Flow& out,
                                  std::string (&values)[2], std::size_t& count) {
  const auto token_for = [](const sip::Flow& flow, bool needs_flow) {
    sip::RouteToken token;
    token.has_flow = needs_flow;
    token.flow = flow;
    return token;
  };
  // The far side's connection is named when it is a client's: what we dialled can be dialled again.
  const bool source_flow = source.reliable() && transport_.accepted(source);
  const bool out_flow = out.reliable() && transport_.accepted(out);
  const bool one = !source_flow && !out_flow && source.listener == out.listener;
  const sip::Flow* const sides[2] = {&out, &source};
  const bool with_flow[2] = {out_flow, source_flow};
  count = one ? 1 : 2;
  for (std::size_t i = 0; i < count; ++i) {
    sip::RouteTokenText room;
    const std::string_view token =
        home_.write_token(token_for(*sides[i], with_flow[i]), request.essentials.call_id, room);
    values[i].clear();
    put_own_uri(values[i], *sides[i], token);
  }
}

void Forwarder::put_routes(const sip::Received& request, const Routing& routing, std::string_view in_front,
                           std::string& out) {
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

// Who the sender is shown to be beyond us (R3325-1, OMA-ALIAS-6), behind the edits that are there.
void Forwarder::edit_identity(bool from_trusted, std::string_view user, const sip::Received& request,
                              const sip::Flow& out) {
  if (!from_trusted) {
    identities_.clear();
    identity_text_.clear();
    const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
    const bool shown = home_.trusts(out.remote) || privacy.none ||
                       (config_->untrusted.keep_identity && !privacy.id && !privacy.user && !privacy.header);
    if (shown && !user.empty() && !config_->domains.empty()) {
      own_identities_.clear();
      for (const std::string& domain : config_->domains) own_identities_.push_back("sip:" + std::string(user) + "@" + domain);
      identity_text_ = "<" + std::string(sip::chosen_identity(request.head, request.bytes, own_identities_)) + ">";
      identities_.push_back(identity_text_);
    }
    sip::edit_from_untrusted(request.head, request.bytes, identities_, edits_);
  }
  edit_for(out, request);
}

// R4028-4.
void Forwarder::edit_timer(const sip::ProxyTimerEdit& timer) {
  if (timer.expires != 0) {
    expires_.resize(sip::session_expires_chars);
    expires_.resize(sip::session_expires_text({timer.expires, timer.refresher}, expires_.data()).size());
    edit_list_.push_back({EditKind::replace, {.id = HeaderId::session_expires, .value = expires_}});
  }
  if (timer.min_se != 0) {
    min_se_.clear();
    put_number(min_se_, timer.min_se);
    edit_list_.push_back({EditKind::replace, {.id = HeaderId::min_se, .value = min_se_}});
  }
}

std::string_view Forwarder::request(const Onward& on, const sip::Received& request, const Routing& routing,
                                    const sip::Flow& out, std::string_view branch_name, std::uint16_t breadth) {
  edits_.clear();
  edit_identity(on.from_trusted, on.user, request, out);
  begin_edits(request, out, branch_name);
  std::string (&routes)[2] = record_routes_;
  if (makes_dialog(on.method) && !on.in_dialog) {
    std::size_t count = 0;
    put_record_routes(request, on.source, out, routes, count);
    for (std::size_t i = 0; i < count; ++i) {
      edit_list_.push_back({EditKind::prepend, {.id = HeaderId::record_route, .value = routes[i]}});
    }
  }
  breadth_.clear();
  put_number(breadth_, breadth);
  edit_list_.push_back({EditKind::replace, {.id = HeaderId::max_breadth, .value = breadth_}});
  edit_timer(on.timer);
  return put_request(request, edit_route(request, routing, on.route, on.uri));
}

std::string_view Forwarder::ack(const sip::Received& request, const Routing& routing, const sip::Flow& out,
                                std::string_view branch_name) {
  begin_edits(request, out, branch_name);
  edits_.clear();
  if (!home_.trusts(request.flow.remote)) sip::edit_from_untrusted(request.head, request.bytes, {}, edits_);
  edit_for(out, request);
  const std::string_view uri = edit_route(request, routing, {}, routing.uri);
  return put_request(request, uri);
}

// What the hop decides: Via, Contact, the request URI of a binding and its Path, and who the sender is shown to be.
std::string_view Forwarder::errand(const Errand& errand, const sip::Received& request, const sip::Flow& out,
                                   std::string_view branch_name, std::string_view uri, std::string_view route) {
  edits_.clear();
  edit_identity(errand.from_trusted, errand.user, request, out);
  edit_list_.clear();
  via_.clear();
  put_via(via_, out.transport, transport_.listener(out), branch_name);
  edit_list_.push_back({EditKind::prepend, {.id = HeaderId::via, .value = via_}});
  if (!errand.contact_user.empty()) {
    contact_.assign(1, '<');
    put_listener_uri(contact_, out.transport, transport_.listener(out), errand.contact_user, errand.secure);
    contact_.append(1, '>').append(errand.contact_params);
    edit_list_.push_back({EditKind::append, {.id = HeaderId::contact, .value = contact_}});
  }
  if (!route.empty()) {
    put_routes(request, {}, route, routes_);
    edit_list_.push_back({EditKind::replace, {.id = HeaderId::route, .value = routes_}});
  }
  for (const sip::HeaderEdit& edit : edits_.list()) edit_list_.push_back(edit);
  const sip::ForwardText text{
      .uri = uri, .edits = edit_list_, .body_bytes = static_cast<std::uint32_t>(request.body.size())};
  return put_whole(request, text);
}

// Our Via, one less Max-Forwards, and none of our credentials.
void Forwarder::begin_edits(const sip::Received& request, const sip::Flow& out, std::string_view branch_name) {
  edit_list_.clear();
  via_.clear();
  put_via(via_, out.transport, transport_.listener(out), branch_name);
  edit_list_.push_back({EditKind::prepend, {.id = HeaderId::via, .value = via_}});
  const sip::Essentials& e = request.essentials;
  hops_left_.clear();
  put_number(hops_left_, e.has_max_forwards ? e.max_forwards - 1U : max_forwards_added);
  edit_list_.push_back({EditKind::replace, {.id = HeaderId::max_forwards, .value = hops_left_}});
  edit_credentials(request);
}

// Behind edit_from_untrusted.
void Forwarder::edit_for(const sip::Flow& out, const sip::Received& request) {
  if (home_.trusts(out.remote)) {
    sip::edit_to_trusted(request.head, edits_);
  } else {
    sip::edit_to_untrusted(request.head, request.bytes, config_->untrusted, edits_);
  }
}

// Credentials for us are nobody else's business: who got them could send them again in a request of his own. Those for
// other realms go on (RFC 3261 section 22.3).
void Forwarder::edit_credentials(const sip::Received& request) {
  const auto ours = [&](const sip::Header& header) {
    core::Authorization a;
    return core::parse_authorization(header.value.of(request.bytes), a) && a.realm == config_->realm;
  };
  const sip::Header* const first = request.head.first(HeaderId::proxy_authorization);
  bool any = false;
  for (const sip::Header* h = first; h != nullptr; h = request.head.next(*h)) any = any || ours(*h);
  if (!any) return;
  edit_list_.push_back({EditKind::remove, {.id = HeaderId::proxy_authorization}});
  for (const sip::Header* h = first; h != nullptr; h = request.head.next(*h)) {
    if (ours(*h)) continue;
    edit_list_.push_back(
        {EditKind::append, {.id = HeaderId::proxy_authorization, .value = h->value.of(request.bytes)}});
  }
}

// The Route of a request to `uri`, and the request URI that goes with it: that of the first Route value, where this is
// a strict router (R3261-10; RFC 3261 section 16.6 item 6).
std::string_view Forwarder::edit_route(const sip::Received& request, const Routing& routing, std::string_view in_front,
                                       std::string_view uri) {
  const bool changes = routing.own_routes > 0 || routing.drop_last_route || !in_front.empty();
  if (!changes && routing.next_route.empty()) return uri;
  put_routes(request, routing, in_front, route_);
  std::string_view rest = route_;
  sip::Address first;
  sip::Uri next;
  const bool strict =
      sip::take_address(rest, first) && sip::parse_uri(first.uri, next) && !sip::has_uri_parameter(next, "lr");
  if (!strict && !changes) return uri;
  if (strict) {
    strict_uri_.assign(first.uri);
    routes_.assign(sip::trim(rest));
    if (!routes_.empty()) routes_ += ", ";
    routes_.append("<").append(uri).append(">");
    route_.swap(routes_);
    uri = strict_uri_;
  }
  if (route_.empty()) {
    edit_list_.push_back({EditKind::remove, {.id = HeaderId::route}});
  } else {
    edit_list_.push_back({EditKind::replace, {.id = HeaderId::route, .value = route_}});
  }
  return uri;
}

std::string_view Forwarder::put_request(const sip::Received& request, std::string_view uri) {
  for (const HeaderEdit& edit : edits_.list()) edit_list_.push_back(edit);
  sip::ReceivedText room;
  const sip::ForwardText text{.uri = uri,
                              .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                              .edits = edit_list_,
                              .body_bytes = static_cast<std::uint32_t>(request.body.size())};
  return put_whole(request, text);
}

std::string_view Forwarder::put_whole(const sip::Received& message, const sip::ForwardText& text) {
  const std::string_view head = message.bytes.substr(0, message.head.length);
  core::TextOut writer(text_.room(sip::forward_bytes_max(message.head, head, text) + message.body.size()));
  sip::put_forward(writer, message.head, head, text);
  writer.put(message.body);
  return text_.view(writer.size());
}

std::string_view Forwarder::response(bool to_trusted, const sip::Received& response, const sip::ProxyTimer* timer) {
  edit_list_.clear();
  edit_list_.push_back({EditKind::pop, {.id = HeaderId::via}});
  const bool answers = timer != nullptr && response.head.status >= 200 && response.head.status < 300;
  const std::uint32_t interval =
      answers ? sip::proxy_timer_response(*timer, sip::read_timer(response.head, response.bytes)) : 0;
  if (interval != 0) {
    expires_.clear();
    put_number(expires_, interval);
    expires_.append(";refresher=uac");
    edit_list_.push_back({EditKind::append, {.id = HeaderId::session_expires, .value = expires_}});
    edit_list_.push_back({EditKind::append, {.id = HeaderId::require, .value = "timer"}});
  }
  return put_response_on(to_trusted, response);
}

std::string_view Forwarder::response_here(bool to_trusted, const sip::Received& response) {
  edit_list_.clear();
  return put_response_on(to_trusted, response);
}

std::string_view Forwarder::put_response_on(bool to_trusted, const sip::Received& response) {
  edits_.clear();
  if (!home_.trusts(response.flow.remote)) sip::edit_from_untrusted(response.head, response.bytes, {}, edits_);
  if (!to_trusted) sip::edit_to_untrusted(response.head, response.bytes, config_->untrusted, edits_);
  for (const HeaderEdit& edit : edits_.list()) edit_list_.push_back(edit);
  const sip::ForwardText text{.edits = edit_list_, .body_bytes = static_cast<std::uint32_t>(response.body.size())};
  return put_whole(response, text);
}

}  // namespace parley::policy

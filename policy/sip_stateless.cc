// policy/sip_stateless.cc - requests that are forwarded and forgotten (RFC 3261 section 16.11), as --sip-forwarding
// stateless asks. See sip_service.h.
//
// The way back stands in our own Via: its branch ends with a sealed route token that holds the flow of the request. A
// retransmission gets the same branch, so that the next hop knows it for one.
#include "core/digest.h"
#include "policy/hop.h"
#include "policy/sip_service.h"
#include "sip/writer.h"

namespace parley::policy {

using core::Metric;
using sip::Method;

namespace {
constexpr std::string_view cookie = "z9hG4bKs";  // branches with state have a letter from a to p there
constexpr std::size_t hash_chars = 16;
}  // namespace

// Requests other than INVITE to a user of this shard with one device. False: not one of these; nothing was done.
bool SipService::forward_stateless(const Received& request, const Routing& routing, const Sender& sender) {
  const Method method = request.head.method;
  if (config_->forwarding != Forwarding::stateless || method == Method::invite || method == Method::subscribe) return false;
  if (!routing.local || !routing.next_route.empty() || routing.token) return false;
  const std::string_view aor = home_.aor_of(routing.parsed, aor_);
  if (!home_.has(aor) || (method == Method::message && config_->im.deferred.on)) return false;
  // Whether it has been accepted has to be known for a record of it.
  if (method == Method::message && config_->im.history.on &&
      parties_.is_recorded(request, routing, sender, HistoryMode::pager_large)) {
    return false;
  }
  const std::span<const sip::Binding> bindings = location_.bindings(aor);
  if (bindings.size() != 1 || !bindings[0].path.empty() || bindings[0].server || bindings[0].expires <= now_.mono)
    return false;
  const sip::Binding& binding = bindings[0];
  std::optional<Flow> out;
  Hop hop;
  if (binding.over_flow) {
    out = binding.flow;
  } else if (literal_hop(binding.contact, hop) && home_.may_reach(hop.address)) {
    out = transport_.flow_to({hop.transport, hop.address, hop.tls_name});
  }
  if (!out) return false;
  if (const std::optional<ImKind> kind = participating_.im_request(request)) {
    const Participating::Arrival arrival{.user = sender.user,
                                         .asserted = sender.kind == Sender::Kind::trusted,
                                         .deferred = sender.kind == Sender::Kind::trusted};
    if (const TerminatingCheck* const check =
            participating_.terminating_refusal(request, arrival, *kind, aor, settings_.of(aor))) {
      responder_.refuse(request, check->status, participating_.headers());
      return true;
    }
  }

  sip::RouteTokenText room;
  const std::string_view token =
      home_.write_token({.has_flow = true, .flow = sip::response_flow(request)}, request.essentials.call_id, room);
  const core::Hash128 hash = core::KeyedHash(tag_key_)
                                 .add(sip::branch_of(request.essentials.via))
                                 .add(request.essentials.via.host)
                                 .add(std::uint64_t{request.essentials.cseq.number})
                                 .finish();
  std::uint8_t raw[hash_chars / 2];
  for (std::size_t i = 0; i < sizeof raw; ++i) raw[i] = static_cast<std::uint8_t>(hash.low >> (8 * i));
  std::string branch(cookie);
  branch.resize(cookie.size() + hash_chars);
  core::hex_encode(raw, {branch.data() + cookie.size(), hash_chars});
  branch.append(token);

  const std::string_view text = forwarder_.request({.source = request.flow,
                                                    .method = method,
                                                    .from_trusted = sender.kind == Sender::Kind::trusted,
                                                    .in_dialog = !request.essentials.to_tag.empty(),
                                                    .user = sender.user,
                                                    .uri = binding.contact,
                                                    .route = {}},
                                                   request, routing, *out, branch, sip::breadth_default);
  if (!out->reliable() && text.size() > datagram_request_bytes_max) return false;  // has to go by TCP, perhaps twice
  if (!transport_.send(*out, text)) return false;
  traces_.forwarded(request, *out);
  count(Metric::sip_forwarded);
  return true;
}

// A response to a request that was forwarded so. False: it is none of these.
bool SipService::respond_stateless(const Received& response) {
  const std::string_view branch = sip::branch_of(response.essentials.via);
  if (branch.size() <= cookie.size() + hash_chars || !branch.starts_with(cookie)) return false;
  const auto token = home_.read_token(branch.substr(cookie.size() + hash_chars), response.essentials.call_id);
  if (!token || !token->has_flow) return false;
  if (!transport_.send(token->flow, forwarder_.response(home_.trusts(token->flow.remote), response))) {
    count(Metric::sip_responses_unsent);
  }
  return true;
}

}  // namespace parley::policy

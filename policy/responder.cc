// policy/responder.cc - see responder.h.
#include "policy/responder.h"

#include <cstring>

#include "core/text.h"
#include "core/text_out.h"
#include "sip/params.h"
#include "sip/response_route.h"
#include "sip/writer.h"

namespace parley::policy {

using core::Metric;
using sip::Method;

Responder::Responder(const Parts& parts)
    : home_(parts.home),
      transport_(parts.transport),
      transactions_(parts.transactions),
      metrics_(parts.metrics),
      key_(parts.key) {}

void Responder::refuse(const sip::Received& request, std::uint16_t status, std::span<const sip::HeaderText> headers,
                       std::string_view reason) {
  if (request.head.method == Method::ack) {
    metrics_.add(Metric::sip_dropped);
    return;
  }
  count(status);
  const bool stranger = !request.flow.reliable() && !home_.trusts(request.flow.remote);
  const std::string_view reply =
      stranger ? bounded_reply(request, status, headers, reason) : compose(request, status, headers, reason);
  if (reply.empty()) return;
  if (!transport_.send(sip::response_flow(request), reply)) metrics_.add(Metric::sip_responses_unsent);
}

// RFC 3261 section 8.2.7: who answers without a transaction must always come to the same answer. What is refused for
// how a dialog stands is answered by one, for a copy may find that dialog changed, or over (17.2.2: it gets the same
// response again). That there is none, and that there is no room, needs no memory.
void Responder::refuse_once(const sip::Received& request, const sip::RequestMatch& match, std::uint16_t status,
                            std::span<const sip::HeaderText> headers) {
  if (status == 481 || status == 503) {
    refuse(request, status, headers);
  } else {
    refuse_by_transaction(request, match, status, headers);
  }
}

void Responder::refuse_by_transaction(const sip::Received& request, const sip::RequestMatch& match,
                                      std::uint16_t status, std::span<const sip::HeaderText> headers,
                                      std::string_view body) {
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (server.valid()) {
    answer(request, server, status, headers, {}, body);
  } else {
    refuse(request, 503);
  }
}

void Responder::answer(const sip::Received& request, sip::TransactionId server, std::uint16_t status,
                       std::span<const sip::HeaderText> headers, std::string_view reason, std::string_view body) {
  count(status);
  const sip::Responded sent =
      transactions_.respond(server, status, compose(request, status, headers, reason, body), now_);
  if (sent == sip::Responded::not_sent) metrics_.add(Metric::sip_responses_unsent);
}

// --- what it says

std::string_view Responder::compose(const sip::Received& request, std::uint16_t status,
                                    std::span<const sip::HeaderText> headers, std::string_view reason,
                                    std::string_view body) {
  to_tag_for(request, tag_);
  sip::ReceivedText room;
  const sip::ResponseText text{.status = status,
                               .reason = reason,
                               .to_tag = status == 100 ? std::string_view{} : std::string_view(tag_),
                               .copy_timestamp = status == 100,
                               .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                               .headers = headers,
                               .body_bytes = static_cast<std::uint32_t>(body.size())};
  const std::string_view head = request.head.length == 0 ? request.bytes : request.bytes.substr(0, request.head.length);
  core::TextOut out(text_.room(sip::response_bytes_max(request.head, head, text) + body.size()));
  sip::put_response(out, request.head, head, text);
  out.put(body);
  return text_.view(out.size());
}

// The same for each retransmission, so that an ACK or a CANCEL fits whichever answer its sender saw.
void Responder::to_tag_for(const sip::Received& request, std::string& tag) const {
  const std::uint64_t hash = sip::request_hash(key_, request.essentials).low;
  std::uint8_t raw[sizeof hash];
  std::memcpy(raw, &hash, sizeof raw);
  tag.resize(2 * sizeof raw);
  core::hex_encode(raw, tag);
}

// whoever's address stands on a datagram gets no more than three times its bytes. A challenge is what may be
// longer; one of its algorithms is enough. Vias and the rest are no longer than in the request.
std::string_view Responder::bounded_reply(const sip::Received& request, std::uint16_t status,
                                          std::span<const sip::HeaderText> headers, std::string_view reason) {
  const std::size_t most = 3 * request.bytes.size();
  std::string_view reply = compose(request, status, headers, reason);
  if (reply.size() <= most) return reply;
  const bool challenges = status == 401 || status == 407;
  reply = compose(request, status, headers.first(challenges && !headers.empty() ? 1 : 0), reason);
  metrics_.add(reply.size() <= most ? Metric::sip_reply_shortened : Metric::sip_reply_withheld);
  return reply.size() <= most ? reply : std::string_view{};
}

void Responder::count(std::uint16_t status) {
  switch (status) {
    case 400: metrics_.add(Metric::sip_refused_400); return;
    case 401:
    case 407: metrics_.add(Metric::sip_challenged); return;
    case 403: metrics_.add(Metric::sip_refused_403); return;
    case 404: metrics_.add(Metric::sip_refused_404); return;
    case 420: metrics_.add(Metric::sip_refused_420); return;
    case 481: metrics_.add(Metric::sip_refused_481); return;
    case 482: metrics_.add(Metric::sip_refused_482); return;
    case 483: metrics_.add(Metric::sip_refused_483); return;
    case 503: metrics_.add(Metric::sip_refused_503); return;
    default:
      if (status >= 300) metrics_.add(Metric::sip_refused_other);
      return;
  }
}

}  // namespace parley::policy

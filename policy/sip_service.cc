// policy/sip_service.cc - a step: messages and facts to who handles them; responses of our own. See sip_service.h.
#include "policy/sip_service.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "sip/params.h"
#include "sip/writer.h"

namespace parley::policy {

using core::Metric;
using sip::Method;

namespace {

std::shared_ptr<const sip::TransportConfig> transport_config(const std::shared_ptr<const SipConfig>& config) {
  return {config, &config->transport};
}

core::HashKey key_from(const core::Seed& seed, std::size_t at) {
  core::HashKey key;
  std::memcpy(&key.low, seed.data() + at, 8);
  std::memcpy(&key.high, seed.data() + at + 8, 8);
  return key;
}

}  // namespace

SipService::SipService(const Parts& parts)
    : shard_(parts.shard),
      shard_count_(parts.shard_count),
      pool_(parts.pool),
      metrics_(parts.metrics),
      random_(parts.random),
      config_(parts.config),
      route_key_(key_from(parts.process_seed, 0)),
      owner_key_(key_from(parts.process_seed, 16)),
      tag_key_(core::HashKey::make(parts.random)),
      loop_seed_(route_key_.high ^ owner_key_.low),
      transport_({parts.shard, parts.pool, parts.metrics, transport_config(parts.config)}),
      transactions_({.pool = parts.pool,
                     .metrics = parts.metrics,
                     .random = parts.random,
                     .wire = transport_,
                     .shard = static_cast<std::uint16_t>(parts.shard),
                     .config = parts.config->transactions}),
      digest_(parts.config->digest, static_cast<std::uint16_t>(parts.shard), parts.random, parts.metrics),
      location_(parts.config->location, parts.random, parts.metrics, core::Instant{}),
      reg_events_({.shard = parts.shard,
                   .pool = parts.pool,
                   .metrics = parts.metrics,
                   .random = parts.random,
                   .transactions = transactions_,
                   .transport = transport_,
                   .location = location_,
                   .config = parts.config}),
      failed_(parts.metrics),
      proxied_(parts.config->proxied_max),
      replay_(std::make_unique<Replay>()) {
  name_ourselves();
}

SipService::~SipService() {
  proxied_.for_each([this](core::SlotId, Proxied& p) {
    for (const auto& branch : p.branches) wheel_.cancel(branch->timer);
  });
}

void SipService::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  out_ = &out;
  transport_.begin(now, out);
  reg_events_.begin(now.mono);
}

void SipService::take(const core::Input& input) {
  if (input.kind == core::Input::Kind::resolved) {
    on_resolved(*input.resolution);
    return;
  }
  transport_.take(input);
  while (const Received* const message = transport_.next()) handle(*message);
  if (const auto mail = transport_.service_mail()) on_service_mail(input.from_shard, *mail);
}

void SipService::end() {
  run_timers();
  transport_.end();
  Flow flow;
  while (transport_.next_gone(flow)) on_gone(flow);
  sip::TransactionFact fact;
  while (transactions_.next_fact(now_.mono, fact)) on_transaction_fact(fact);
  sip::LocationFact change;
  while (location_.next_fact(now_.mono, change)) reg_events_.on_binding(change);
  if (draining_) {
    transport_.drain();
    reg_events_.drain();
  }
  reg_events_.end();
}

core::Instant SipService::next_deadline() const {
  return std::min({transport_.next_deadline(), transactions_.next_deadline(), location_.next_deadline(),
                   reg_events_.next_deadline(), wheel_.next_deadline()});
}

void SipService::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  transport_.reload(transport_config(config_));
  digest_.set_config(config_->digest);
  reg_events_.reload(config_);
  name_ourselves();
}

void SipService::name_ourselves() {
  own_names_.clear();
  for (const sip::Listener& listener : config_->transport.listeners) own_names_.push_back({listener.host, listener.port});
}

void SipService::drain() { draining_ = true; }

// --- messages and facts

void SipService::handle(const Received& message) {
  if (message.verdict.kind == sip::Verdict::Kind::drop) {
    count(message.head.error == sip::HeadError::not_sip ? Metric::sip_not_sip : Metric::sip_dropped);
    return;
  }
  if (!message.head.request()) {
    on_response(message);
    return;
  }
  if (message.verdict.kind == sip::Verdict::Kind::respond) {
    refuse(message, message.verdict.status, {}, message.verdict.reason);
    return;
  }
  const sip::RequestMatch match = transactions_.match_request(message, now_.mono);
  switch (match.kind) {
    case sip::RequestMatch::Kind::absorbed: return;
    case sip::RequestMatch::Kind::ack: on_ack(message); return;
    case sip::RequestMatch::Kind::cancel: on_cancel(message, match); return;
    case sip::RequestMatch::Kind::fresh: on_request(message, match); return;
  }
}

void SipService::on_response(const Received& response) {
  const auto name = sip::read_branch(sip::branch_of(response.essentials.via));
  if (!name || name->shard >= shard_count_) {
    if (respond_stateless(response)) return;
    count(Metric::sip_foreign_responses);
    return;
  }
  if (name->shard != shard_) {
    transport_.pass_on(name->shard, response);
    return;
  }
  const sip::ResponseMatch match = transactions_.match_response(response, now_.mono);
  if (match.kind != sip::ResponseMatch::Kind::to_tu) return;
  if (owner_kind(match.owner) == Owner::subscriber) reg_events_.on_response(owner_id(match.owner), response, match.id);
  if (owner_kind(match.owner) != Owner::proxied) return;
  Proxied* const p = proxied_.get(owner_id(match.owner));
  if (p != nullptr) on_branch_response(*p, response, match.id);
}

void SipService::on_gone(const Flow& flow) {
  transactions_.flow_failed(flow);
  location_.flow_closed(flow);
  reg_events_.on_flow_gone(flow);
  if (flow.shard != shard_) return;
  for (std::uint32_t other = 0; other < shard_count_; ++other) {
    if (other != shard_) tell_flow_closed(other, flow);
  }
}

void SipService::on_transaction_fact(const sip::TransactionFact& fact) {
  using Kind = sip::TransactionFact::Kind;
  if (owner_kind(fact.owner) == Owner::subscriber) reg_events_.on_fact(owner_id(fact.owner), fact);
  if (owner_kind(fact.owner) != Owner::proxied) return;
  Proxied* const p = proxied_.get(owner_id(fact.owner));
  if (p == nullptr) return;
  const bool server = fact.machine == sip::tx::Machine::invite_server ||
                      fact.machine == sip::tx::Machine::other_server;
  if (server) {
    // Nobody waits upstream any more.
    if (fact.kind != Kind::transport_error && fact.id == p->server) drop(*p);
    return;
  }
  const auto branch = std::find_if(p->branches.begin(), p->branches.end(),
                                   [&](const auto& b) { return b->client == fact.id; });
  if (branch == p->branches.end() || fact.kind == Kind::ended) return;
  const auto index = static_cast<unsigned>(branch - p->branches.begin());
  if (fact.kind == Kind::transport_error) {
    hop_failed(**branch);
    try_next_hop(*p, index);
  } else if (!(*branch)->heard && !(*branch)->hops.empty() && !(*branch)->cancelled) {
    hop_failed(**branch);  // R3263-2: no answer at all
    if ((*branch)->next_hop < (*branch)->hops.size()) {
      try_next_hop(*p, index);
    } else {
      carry_out(*p, p->fork.timeout(index), nullptr, index);
    }
  } else {
    carry_out(*p, p->fork.timeout(index), nullptr, index);
  }
}

void SipService::run_timers() {
  while (core::Timer* const timer = wheel_.expire_one(now_.mono)) {
    Proxied* const p = proxied_.get(core::SlotId::unpack(timer->owner));
    CHECK(p != nullptr);
    on_timer_c(*p, timer->kind);
  }
}

// --- responses of our own

void SipService::count_refusal(std::uint16_t status) {
  switch (status) {
    case 400: count(Metric::sip_refused_400); return;
    case 401:
    case 407: count(Metric::sip_challenged); return;
    case 403: count(Metric::sip_refused_403); return;
    case 404: count(Metric::sip_refused_404); return;
    case 420: count(Metric::sip_refused_420); return;
    case 481: count(Metric::sip_refused_481); return;
    case 482: count(Metric::sip_refused_482); return;
    case 483: count(Metric::sip_refused_483); return;
    case 503: count(Metric::sip_refused_503); return;
    default:
      if (status >= 300) count(Metric::sip_refused_other);
      return;
  }
}

// The same for each retransmission, so that an ACK or a CANCEL fits whichever answer its sender saw.
void SipService::to_tag_for(const Received& request, std::string& tag) const {
  const sip::Essentials& e = request.essentials;
  const core::Hash128 hash = core::KeyedHash(tag_key_)
                                 .add(e.call_id)
                                 .add(e.from_tag)
                                 .add(sip::branch_of(e.via))
                                 .add(std::uint64_t{e.cseq.number})
                                 .finish();
  char hex[32];
  std::uint8_t raw[16];
  std::memcpy(raw, &hash.low, 8);
  std::memcpy(raw + 8, &hash.high, 8);
  core::hex_encode({raw, 8}, {hex, 16});
  tag.assign(hex, 16);
}

std::string_view SipService::compose(const Received& request, std::uint16_t status,
                                     std::span<const sip::HeaderText> headers, std::string_view reason) {
  to_tag_for(request, tag_);
  sip::ReceivedText room;
  const sip::ResponseText text{.status = status,
                               .reason = reason,
                               .to_tag = status == 100 ? std::string_view{} : std::string_view(tag_),
                               .copy_timestamp = status == 100,
                               .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                               .headers = headers};
  const std::string_view head = request.head.length == 0 ? request.bytes : request.bytes.substr(0, request.head.length);
  core::TextOut out(text_.room(sip::response_bytes_max(request.head, head, text)));
  sip::put_response(out, request.head, head, text);
  return text_.view(out.size());
}

// Without a transaction: one answer for one request (an unproven source gets no more).
void SipService::refuse(const Received& request, std::uint16_t status, std::span<const sip::HeaderText> headers,
                        std::string_view reason) {
  if (request.head.method == Method::ack) {
    count(Metric::sip_dropped);
    return;
  }
  count_refusal(status);
  if (!transport_.send(sip::response_flow(request), compose(request, status, headers, reason))) {
    count(Metric::sip_responses_unsent);
  }
}

void SipService::answer(const Received& request, sip::TransactionId server, std::uint16_t status,
                        std::span<const sip::HeaderText> headers, std::string_view reason) {
  count_refusal(status);
  const sip::Responded sent = transactions_.respond(server, status, compose(request, status, headers, reason), now_.mono);
  if (sent == sip::Responded::not_sent) count(Metric::sip_responses_unsent);
}

}  // namespace parley::policy

// sip/transactions_server.cc - requests that come in, and the responses to them.
#include <cstring>

#include "core/check.h"
#include "core/host_text.h"
#include "core/text_out.h"
#include "sip/address.h"
#include "sip/params.h"
#include "sip/transactions.h"

namespace parley::sip {

using core::Metric;
using tx::Machine;
using tx::State;

namespace {

constexpr std::string_view invite_name = "INVITE";

// Domains of the keyed hash.
enum : std::uint64_t { by_branch = 1, by_old_rules = 2, by_tag = 3, by_claim_fields = 4 };

// Of the table of all shards, which has no 0.
std::uint64_t index_key(const core::Hash128& hash) { return hash.low | 1; }

void add_host(core::KeyedHash& hash, std::string_view host) {
  core::HostText text;
  const std::string_view canonical = core::canonical_host(host, text);
  canonical.empty() ? hash.add_lower(host) : hash.add(canonical);
}

}  // namespace

// ---- Which transaction a request belongs to (R3261-1; RFC 3261 section 17.2.3).

// `method` stands for the request's own: an ACK and a CANCEL look for an INVITE.
RequestKey Transactions::key_of(const Received& request, std::string_view method) const {
  const Essentials& e = request.essentials;
  const std::string_view branch = branch_of(e.via);
  RequestKey key;
  key.old_rules = !has_magic_cookie(branch);
  core::KeyedHash hash(hash_key_);
  hash.add(std::uint64_t{key.old_rules ? by_old_rules : by_branch}).add(branch).add(method);
  add_host(hash, e.via.host);
  hash.add(std::uint64_t{sent_by_port(e.via)});
  if (key.old_rules) {
    hash.add(request.head.uri.of(request.bytes)).add(e.from_tag).add(e.call_id).add(std::uint64_t{e.cseq.number});
    hash.add_lower(e.via.transport);
  }
  key.hash = hash.finish();
  return key;
}

std::uint64_t Transactions::hash_tag(std::string_view tag) const {
  return core::KeyedHash(hash_key_).add(std::uint64_t{by_tag}).add(tag).finish().low;
}

Transactions::Record* Transactions::find_server(const RequestKey& key, const Received& request) {
  for (Record* t = by_key_[key.hash.low & (by_key_.size() - 1)]; t != nullptr; t = t->key_next) {
    if (t->key != key.hash) continue;
    if (!key.old_rules) return t;
    // An ACK has the To tag of our response, everything else that of the request.
    const std::uint64_t tag = hash_tag(request.essentials.to_tag);
    if (tag == (request.head.method == Method::ack ? t->response_to_tag : t->request_to_tag)) return t;
  }
  return nullptr;
}

RequestMatch Transactions::match_request(const Received& request, core::Instant now) {
  const Method method = request.head.method;
  RequestMatch match;
  match.key = key_of(request, method == Method::ack ? invite_name : request.head.method_name.of(request.bytes));
  Record* t = find_server(match.key, request);
  if (t == nullptr && method == Method::cancel) {
    const RequestKey invite = key_of(request, invite_name);
    t = find_server(invite, request);  // RFC 3261 section 9.2
    if (t != nullptr) match.kind = RequestMatch::Kind::cancel;
    if (t == nullptr) look_elsewhere(request, invite, match);
  } else if (t == nullptr && (method == Method::invite || method == Method::ack)) {
    look_elsewhere(request, match.key, match);
  }
  if (t == nullptr) return match;
  match.id = t->self;
  match.owner = t->owner;
  if (match.kind == RequestMatch::Kind::cancel) return match;

  const Effects effects = run(*t, method == Method::ack ? tx::Event::ack : tx::Event::request, {.now = now});
  match.kind = effects.pass ? RequestMatch::Kind::ack : RequestMatch::Kind::absorbed;
  match.transport_error = effects.failed;
  if (method != Method::ack) metrics_.add(Metric::sip_absorbed_requests);
  return match;
}

// A client of several connections, or a proxy before us, may send an INVITE and what belongs to it by different ones,
// which different shards may have.
void Transactions::look_elsewhere(const Received& request, const RequestKey& invite, RequestMatch& match) const {
  if (invites_ == nullptr || request.flow.shard != shard_) return;
  const auto place = invites_->lookup(index_key(invite.hash));
  if (!place || place->shard == shard_) return;
  match.kind = RequestMatch::Kind::elsewhere;
  match.shard = place->shard;
}

// Without room in the table, or when another shard was given the same INVITE at this moment, it is found here only.
void Transactions::index_invite(Record& t) {
  const auto done = invites_->insert(index_key(t.key), place_of(t));
  t.indexed = done == core::SessionTable::Insert::done;
  if (done == core::SessionTable::Insert::full) metrics_.add(Metric::sip_invites_unindexed);
}

TransactionId Transactions::open_server(const Received& request, const RequestMatch& match, std::uint64_t owner,
                                        core::Instant now) {
  CHECK(request.head.method != Method::ack);
  CHECK(match.kind == RequestMatch::Kind::fresh || match.kind == RequestMatch::Kind::cancel);
  const bool invite = request.head.method == Method::invite;
  Record* const t = create(invite ? Machine::invite_server : Machine::other_server, response_flow(request), owner);
  if (t == nullptr) return {};
  t->method = request.head.method;
  t->sent_by_port = sent_by_port(request.essentials.via);
  t->key = match.key.hash;
  t->old_rules = match.key.old_rules;
  if (t->old_rules) t->request_to_tag = hash_tag(request.essentials.to_tag);
  Record*& chain = by_key_[t->key.low & (by_key_.size() - 1)];
  t->key_next = chain;
  chain = t;
  if (invite && invites_ != nullptr) index_invite(*t);
  t->request = keep(request.bytes);
  if (t->request == core::no_buffer) {
    end(*t);
    return {};
  }
  (void)begin(*t, {.now = now});
  return t->self;
}

bool Transactions::claim(TransactionId id, const Received& request) {
  Record* const t = find(id);
  if (t == nullptr || request.essentials.to_tag.data() != nullptr || t->claimed) return true;
  const Essentials& e = request.essentials;
  t->claim_key = core::KeyedHash(hash_key_)
                     .add(std::uint64_t{by_claim_fields})
                     .add(e.from_tag)
                     .add(e.call_id)
                     .add(std::uint64_t{e.cseq.number})
                     .add(e.cseq.method_name)
                     .finish()
                     .low;
  Record*& chain = by_claim_[t->claim_key & (by_claim_.size() - 1)];
  for (const Record* other = chain; other != nullptr; other = other->claim_next) {
    if (other->claim_key != t->claim_key) continue;
    metrics_.add(Metric::sip_merged_requests);
    return false;
  }
  t->claimed = true;
  t->claim_next = chain;
  chain = t;
  return true;
}

void Transactions::forget_server(Record& t) {
  if (t.indexed) (void)invites_->erase(index_key(t.key), place_of(t));
  for (Record** at = &by_key_[t.key.low & (by_key_.size() - 1)]; *at != nullptr; at = &(*at)->key_next) {
    if (*at != &t) continue;
    *at = t.key_next;
    break;
  }
  if (!t.claimed) return;
  for (Record** at = &by_claim_[t.claim_key & (by_claim_.size() - 1)]; *at != nullptr; at = &(*at)->claim_next) {
    if (*at != &t) continue;
    *at = t.claim_next;
    break;
  }
}

std::string_view Transactions::request_of(TransactionId id) {
  const Record* const t = find(id);
  return t == nullptr || !tx::is_server(t->machine) ? std::string_view{} : view(t->request);
}

// ---- Responses.

Responded Transactions::respond(TransactionId id, std::uint16_t status, std::string_view bytes, core::Instant now) {
  CHECK(status >= 100);
  CHECK(status < 700);
  Record* const t = find(id);
  if (t == nullptr) {
    metrics_.add(Metric::sip_late_responses);
    return Responded::gone;
  }
  CHECK(tx::is_server(t->machine));
  if (t->machine == Machine::other_server) {
    // RFC 4320 sections 4.1 and 4.2 (R3261-3): the 100 is ours, at its time.
    if (status < 200 || status == 408) {
      metrics_.add(Metric::sip_refused_responses);
      return Responded::refused;
    }
  }
  const tx::Event event = status < 200 ? tx::Event::tu_1xx : status < 300 ? tx::Event::tu_2xx : tx::Event::tu_3xx_6xx;
  const Effects effects = run(*t, event, {.now = now, .bytes = bytes});
  if (effects.absorbed) {
    metrics_.add(Metric::sip_late_responses);
    return Responded::too_late;
  }
  return effects.failed ? Responded::not_sent : Responded::sent;
}

bool Transactions::send_response(Record& t, std::string_view bytes) {
  if (t.old_rules && t.machine == Machine::invite_server && t.state != State::proceeding) note_response_tag(t, bytes);
  // Of a 2xx to an INVITE the user sends repetitions, and over a reliable transport there are none.
  if (!t.flow.reliable() && t.state != State::accepted) {
    release(t.last);
    t.last = keep(bytes);
  }
  if (wire_.send(t.flow, bytes)) return true;
  // R3263-3, R3261-2
  const Flow to = second_response_flow(t.flow, t.sent_by_port);
  if (to.remote.port == 0) return false;
  const auto second = wire_.reopen(to, sent_by_host(bytes));
  if (!second || !wire_.send(*second, bytes)) return false;
  t.flow = *second;
  return true;
}

// Of the topmost Via, which a response has from its request.
std::string_view Transactions::sent_by_host(std::string_view response) {
  parser_.reset();
  if (parser_.parse(response, {}) != Progress::done) return {};
  std::string_view vias = parser_.head().value(HeaderId::via, response);
  Via via;
  return take_via(vias, via) ? via.host : std::string_view{};
}

// An ACK by the rules of RFC 2543 is known by the To tag that we gave.
void Transactions::note_response_tag(Record& t, std::string_view bytes) {
  parser_.reset();
  Address to;
  if (parser_.parse(bytes, {}) != Progress::done) return;
  if (!parse_address(parser_.head().value(HeaderId::to, bytes), to)) return;
  t.response_to_tag = hash_tag(param_value(to.params, "tag"));
}

bool Transactions::send_trying(Record& t) {
  if (!read_request(t)) return true;
  const std::string_view request = view(t.request);
  std::string_view vias = parser_.head().value(HeaderId::via, request);
  Via via;
  if (!take_via(vias, via)) return true;
  ReceivedText room;
  const ResponseText text{
      .status = 100, .reason = {}, .to_tag = {}, .copy_timestamp = true, .stamp = via_stamp(via, t.flow, room)};
  scratch_.resize(response_bytes(parser_.head(), request, text));
  core::TextOut out(scratch_.data());
  put_response(out, parser_.head(), request, text);
  metrics_.add(Metric::sip_trying_sent);
  return send_response(t, {scratch_.data(), scratch_.size()});
}

}  // namespace parley::sip

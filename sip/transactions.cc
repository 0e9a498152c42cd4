// sip/transactions.cc - records, timers, and the driver that carries out the rows of transaction_rules.h.
#include "sip/transactions.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/check.h"

namespace parley::sip {

using core::Metric;
using tx::Machine;
using tx::State;

namespace {

constexpr Metric gauges[tx::machines] = {Metric::sip_transactions_invite_server, Metric::sip_transactions_other_server,
                                         Metric::sip_transactions_invite_client, Metric::sip_transactions_other_client};
Metric gauge(Machine machine) { return gauges[static_cast<std::size_t>(machine)]; }

std::size_t cell(Machine machine, State state, tx::Event event) {
  return (static_cast<std::size_t>(machine) * tx::states + static_cast<std::size_t>(state)) * tx::events +
         static_cast<std::size_t>(event);
}

// From a request until its Timer E is set to T2 (RFC 4320 section 4.1): T1 + 2*T1 + ...
core::Duration until_e_is_t2(const TransactionConfig& config) {
  core::Duration sum{};
  for (core::Duration interval = config.t1; interval < config.t2; interval *= 2) sum += interval;
  return sum;
}

std::size_t buckets_for(std::uint32_t transactions) { return std::bit_ceil(std::size_t{transactions} / 2 + 1); }

}  // namespace

Transactions::Transactions(const Parts& parts)
    : pool_(parts.pool),
      metrics_(parts.metrics),
      random_(parts.random),
      wire_(parts.wire),
      shard_(parts.shard),
      config_(parts.config),
      trying_other_(until_e_is_t2(parts.config)),
      invites_(parts.shared.invites),
      hash_key_(invites_ != nullptr ? parts.shared.key : core::HashKey::make(parts.random)),
      records_(parts.config.transactions_max),
      by_key_(buckets_for(parts.config.transactions_max)),
      by_claim_(buckets_for(parts.config.transactions_max)),
      wheel_(parts.start) {
  CHECK(config_.t1 > core::Duration::zero());
}

Transactions::~Transactions() {
  records_.for_each([this](TransactionId id, Record& t) {
    wheel_.cancel(t.repeating);
    wheel_.cancel(t.ending);
    release(t.request);
    release(t.last);
    records_.erase(id);
  });
}

// ---- Records.

Transactions::Record* Transactions::find(TransactionId id) {
  Record* const t = records_.get(id);
  return t != nullptr && !t->over ? t : nullptr;
}

bool Transactions::contains(TransactionId id) const { return find(id) != nullptr; }

std::uint64_t Transactions::owner_of(TransactionId id) const {
  const Record* const t = find(id);
  return t == nullptr ? 0 : t->owner;
}

Flow Transactions::flow_of(TransactionId id) const {
  const Record* const t = find(id);
  return t == nullptr ? Flow{} : t->flow;
}

void Transactions::set_owner(TransactionId id, std::uint64_t owner) {
  if (Record* const t = find(id)) t->owner = owner;
}

std::optional<State> Transactions::state_of(TransactionId id) const {
  const Record* const t = find(id);
  return t == nullptr ? std::nullopt : std::optional(t->state);
}

bool Transactions::visited(Machine machine, State state, tx::Event event) const {
  return visited_[cell(machine, state, event)];
}

Transactions::Record* Transactions::create(Machine machine, const Flow& flow, std::uint64_t owner) {
  TransactionId id = records_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::sip_transactions_limit);
    if (!give_up_completed()) return nullptr;
    id = records_.emplace();
    if (!id.valid()) return nullptr;
  }
  Record& t = *records_.get(id);
  t.self = id;
  t.owner = owner;
  t.flow = flow;
  t.machine = machine;
  t.state = tx::table(machine).first;
  t.repeating.owner = t.ending.owner = id.packed();
  metrics_.add(gauge(machine));
  return &t;
}

void Transactions::end(Record& t) {
  wheel_.cancel(t.repeating);
  wheel_.cancel(t.ending);
  unlink(t);
  release(t.request);
  release(t.last);
  if (tx::is_server(t.machine)) forget_server(t);
  metrics_.sub(gauge(t.machine));
  t.over = true;
  if (records_.contains(t.cancel)) return;  // its CANCEL is found by this record
  const TransactionId parent_id = t.parent;
  records_.erase(t.self);
  Record* const parent = records_.get(parent_id);
  if (parent == nullptr) return;
  parent->cancel = {};
  if (parent->over) records_.erase(parent_id);
}

void Transactions::discard(TransactionId id) {
  if (Record* const t = find(id)) end(*t);
}

bool Transactions::give_up_completed() {
  if (completed_.first == nullptr) return false;
  metrics_.add(Metric::sip_transactions_given_up);
  end(*completed_.first);
  return true;
}

void Transactions::link(List& list, Record& t) {
  CHECK(t.in == nullptr);
  t.in = &list;
  t.prev = list.last;
  t.next = nullptr;
  (list.last == nullptr ? list.first : list.last->next) = &t;
  list.last = &t;
}

void Transactions::unlink(Record& t) {
  if (t.in == nullptr) return;
  (t.prev == nullptr ? t.in->first : t.prev->next) = t.next;
  (t.next == nullptr ? t.in->last : t.next->prev) = t.prev;
  t.in = nullptr;
}

// ---- Bytes.

core::BufferId Transactions::keep(std::string_view bytes) {
  core::BufferId block = pool_.take_heap(static_cast<std::uint32_t>(bytes.size()));
  while (block == core::no_buffer && give_up_completed()) {
    block = pool_.take_heap(static_cast<std::uint32_t>(bytes.size()));
  }
  if (block == core::no_buffer) {
    metrics_.add(Metric::sip_transactions_no_memory);
    return block;
  }
  std::memcpy(pool_.data(block), bytes.data(), bytes.size());
  return block;
}

void Transactions::release(core::BufferId& block) {
  if (block != core::no_buffer) pool_.release(block);
  block = core::no_buffer;
}

std::string_view Transactions::view(core::BufferId block) const {
  return block == core::no_buffer ? std::string_view{} : std::string_view{pool_.data(block), pool_.size(block)};
}

bool Transactions::read_request(const Record& t) {
  parser_.reset();
  return t.request != core::no_buffer && parser_.parse(view(t.request), {}) == Progress::done;
}

// ---- The driver.

Transactions::Effects Transactions::begin(Record& t, const Cause& cause) {
  t.started = true;
  Effects effects;
  carry_out(t, tx::table(t.machine).begin, cause, effects);
  return effects;
}

Transactions::Effects Transactions::run(Record& t, tx::Event event, const Cause& cause) {
  const tx::Rule& rule = tx::rule(t.machine, t.state, event);
  CHECK(rule.kind != tx::Kind::never);
  visited_[cell(t.machine, t.state, event)] = true;
  Effects effects;
  if (rule.kind != tx::Kind::go) {
    effects.absorbed = true;
    return effects;
  }
  t.state = rule.next;
  carry_out(t, rule.actions, cause, effects);
  return effects;
}

void Transactions::carry_out(Record& t, tx::Actions actions, const Cause& cause, Effects& effects) {
  // Before anything is sent, so that what a failure stops has been started.
  std::optional<tx::Event> zero;
  for (std::uint16_t set = actions.stops; set != 0; set &= static_cast<std::uint16_t>(set - 1)) {
    const auto timer = static_cast<tx::Timer>(std::countr_zero(set));
    wheel_.cancel(tx::info(timer).repeats ? t.repeating : t.ending);
  }
  for (std::uint16_t set = actions.starts; set != 0; set &= static_cast<std::uint16_t>(set - 1)) {
    const auto timer = static_cast<tx::Timer>(std::countr_zero(set));
    const tx::TimerInfo& info = tx::info(timer);
    if (t.flow.reliable() && info.length_on_reliable == tx::Length::zero) {
      zero = tx::event_of(timer);
    } else if (!t.flow.reliable() || info.length_on_reliable != tx::Length::none) {
      start_timer(t, timer, actions, cause.now);
    }
  }
  effects.pass = effects.pass || actions.has(tx::pass);
  if (actions.has(tx::tell_timeout | tx::tell_error | tx::tell_ended)) {
    effects.told = true;
    effects.told_kind = actions.has(tx::tell_timeout) ? TransactionFact::Kind::timeout
                        : actions.has(tx::tell_error) ? TransactionFact::Kind::transport_error
                                                      : TransactionFact::Kind::ended;
  }
  if (!send_all(t, actions, cause)) {
    metrics_.add(Metric::sip_transaction_transport_errors);
    const Effects more = run(t, tx::Event::transport_error, cause);
    effects.failed = true;
    effects.told = effects.told || more.told;
    if (more.told) effects.told_kind = more.told_kind;
    effects.ended = more.ended;
  }
  if (effects.ended) return;
  if (zero) {
    effects.ended = run(t, *zero, cause).ended;
  } else if (t.state == State::terminated) {
    end(t);
    effects.ended = true;
  } else if (t.state == State::completed || t.state == State::accepted) {
    release(t.request);
    if (t.state == State::accepted) release(t.last);
    if (t.machine == Machine::other_server && t.in == nullptr) link(completed_, t);
  }
}

void Transactions::start_timer(Record& t, tx::Timer timer, tx::Actions actions, core::Instant now) {
  if (!tx::info(timer).repeats) {
    t.ending.kind = static_cast<std::uint32_t>(timer);
    return wheel_.arm(t.ending, now + length_of(t, timer));
  }
  if (actions.has(tx::doubled)) {
    t.interval *= 2;
    if (actions.has(tx::up_to_t2)) t.interval = std::min(t.interval, config_.t2);
  } else {
    t.interval = actions.has(tx::at_t2) ? config_.t2 : length_of(t, timer);
  }
  t.repeating.kind = static_cast<std::uint32_t>(timer);
  wheel_.arm(t.repeating, now + t.interval);
}

core::Duration Transactions::length_of(const Record& t, tx::Timer timer) const {
  const tx::TimerInfo& info = tx::info(timer);
  switch (t.flow.reliable() ? info.length_on_reliable : info.length) {
    case tx::Length::none:
    case tx::Length::zero: break;
    case tx::Length::t1: return config_.t1;
    case tx::Length::t4: return config_.t4;
    case tx::Length::t1_64: return 64 * config_.t1;
    case tx::Length::timer_d: return config_.timer_d;
    case tx::Length::trying: return t.machine == Machine::invite_server ? config_.trying_after : trying_other_;
  }
  return {};
}

// False when the transport, or the memory for what has to be kept, said no.
bool Transactions::send_all(Record& t, tx::Actions actions, const Cause& cause) {
  const bool server = tx::is_server(t.machine);
  bool sent = true;
  if (actions.has(tx::send)) sent = server ? send_response(t, cause.bytes) : send_request(t, cause.bytes);
  if (actions.has(tx::send_100)) sent = send_trying(t);
  if (actions.has(tx::send_ack)) sent = send_ack(t, *cause.response);
  if (actions.has(tx::keep_cancel)) t.last = keep(cause.bytes);
  if (actions.has(tx::send_cancel)) send_cancel(t, cause);
  if (actions.has(tx::repeat)) {
    // A client's request, or the ACK in its place; a server's last response.
    const std::string_view bytes = view(!server && t.state != State::completed ? t.request : t.last);
    if (bytes.empty()) return true;
    metrics_.add(server                        ? Metric::sip_repeated_responses
                 : t.state == State::completed ? Metric::sip_repeated_acks
                                               : Metric::sip_repeated_requests);
    sent = wire_.send(t.flow, bytes);
  }
  return sent;
}

// ---- Time and lost connections.

bool Transactions::happen(Record& t, tx::Event event, core::Instant now, TransactionFact& fact) {
  fact = {TransactionFact::Kind::timeout, t.machine, t.self, t.owner};
  const bool of_cancel = t.parent.valid();
  const Effects effects = run(t, event, {.now = now});
  if (!effects.told) return false;
  fact.kind = effects.told_kind;
  if (fact.kind == TransactionFact::Kind::timeout) {
    metrics_.add(tx::is_server(fact.machine) ? Metric::sip_server_timeouts : Metric::sip_client_timeouts);
  }
  return !of_cancel;  // nobody waits for a CANCEL
}

bool Transactions::next_fact(core::Instant now, TransactionFact& fact) {
  while (Record* const t = failed_.first) {
    unlink(*t);
    metrics_.add(Metric::sip_transaction_transport_errors);
    if (happen(*t, tx::Event::transport_error, now, fact)) return true;
  }
  while (core::Timer* const timer = wheel_.expire_one(now)) {
    Record* const t = records_.get(TransactionId::unpack(timer->owner));
    CHECK(t != nullptr);
    if (happen(*t, static_cast<tx::Event>(timer->kind), now, fact)) return true;
  }
  return false;
}

core::Instant Transactions::next_deadline() const {
  return failed_.first != nullptr ? core::Instant{} : wheel_.next_deadline();
}

}  // namespace parley::sip

// policy/sip_service.cc - a step: messages and facts to who handles them. See sip_service.h.
#include "policy/sip_service.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "sip/binding_row.h"
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

// Another key, for another use.
core::HashKey named_key(const core::HashKey& from, std::string_view use) {
  const core::Hash128 hash = core::KeyedHash(from).add(use).finish();
  return {hash.low, hash.high};
}

}  // namespace

SipService::SipService(const Parts& parts)
    : shard_(parts.shard),
      shard_count_(parts.shard_count),
      pool_(parts.pool),
      metrics_(parts.metrics),
      random_(parts.random),
      pairs_(parts.pairs),
      stored_(parts.stored),
      config_(parts.config),
      owner_key_(key_from(parts.process_seed, 16)),
      tag_key_(core::HashKey::make(parts.random)),
      loop_seed_(key_from(parts.process_seed, 0).high ^ owner_key_.low),
      home_({.shard = parts.shard,
             .shard_count = parts.shard_count,
             .route_key = key_from(parts.process_seed, 0),
             .owner_key = owner_key_,
             .config = parts.config}),
      transport_({parts.shard, parts.pool, parts.metrics, transport_config(parts.config)}),
      forwarder_(home_, transport_, parts.config),
      transactions_({.pool = parts.pool,
                     .metrics = parts.metrics,
                     .random = parts.random,
                     .wire = transport_,
                     .shard = static_cast<std::uint16_t>(parts.shard),
                     .config = parts.config->transactions,
                     .shared = {parts.invites, named_key(owner_key_, "transactions")}}),
      responder_({.home = home_,
                  .transport = transport_,
                  .transactions = transactions_,
                  .metrics = parts.metrics,
                  .key = tag_key_}),
      digest_(parts.config->digest, static_cast<std::uint16_t>(parts.shard), parts.random, parts.metrics),
      location_(parts.config->location, parts.random, parts.metrics, core::Instant{}),
      wishes_(parts.shard, parts.invites, named_key(owner_key_, "users")),
      settings_({.metrics = parts.metrics, .random = parts.random, .config = parts.config, .wishes = &wishes_}),
      reg_events_({.shard = parts.shard,
                   .pool = parts.pool,
                   .metrics = parts.metrics,
                   .random = parts.random,
                   .transactions = transactions_,
                   .transport = transport_,
                   .location = location_,
                   .settings = parts.config->im.participating ? &settings_ : nullptr,
                   .config = parts.config}),
      user_sessions_(parts.shard, parts.shard_count, parts.invites, named_key(owner_key_, "users")),
      participating_({.home = home_,
                      .lists = lists_,
                      .transport = transport_,
                      .sessions = user_sessions_,
                      .random = parts.random,
                      .metrics = parts.metrics,
                      .config = parts.config}),
      parties_(home_, participating_, settings_, parts.config),
      carried_(tag_key_),
      calls_(agent(parts, &user_sessions_)),
      focus_({.agent = agent(parts, &user_sessions_),
              .media = parts.media,
              .rooms = parts.rooms,
              .conferences = &conferences_,
              .stored = parts.stored,
              .shards = parts.shard_count}),
      focus_targets_(home_, focus_, parts.config),
      conferences_({.shard = parts.shard,
                    .pool = parts.pool,
                    .metrics = parts.metrics,
                    .random = parts.random,
                    .transactions = transactions_,
                    .transport = transport_,
                    .config = parts.config}),
      ids_(parts.shard),
      history_({.shard = parts.shard, .metrics = parts.metrics, .ids = ids_, .config = parts.config}),
      trace_(tag_key_),
      traces_(trace_),
      exploder_(agent(parts), ids_, trace_, history_),
      deferred_(agent(parts), location_, settings_, trace_),
      watch_(agent(parts), location_, settings_, deferred_),
      retrieval_(agent(parts)),
      history_lists_(agent(parts)),
      system_(agent(parts), ids_),
      errand_clients_({.calls = calls_,
                       .focus = focus_,
                       .exploder = exploder_,
                       .deferred = deferred_,
                       .watch = watch_,
                       .retrieval = retrieval_,
                       .system = system_}),
      news_(home_, transport_, deferred_, watch_, history_lists_),
      search_({.home = home_,
               .trace = trace_,
               .carried = carried_,
               .exploder = exploder_,
               .deferred = deferred_,
               .focus = focus_,
               .metrics = parts.metrics,
               .config = parts.config}),
      failed_(parts.metrics),
      admission_({.home = home_,
                  .transport = transport_,
                  .pool = parts.pool,
                  .random = parts.random,
                  .metrics = parts.metrics,
                  .key = tag_key_,
                  .config = parts.config}),
      proxied_(parts.config->proxied_max),
      names_(parts.pool),
      reader_(std::make_unique<MessageReader>()) {
  calls_.use_media(pairs_);
  calls_.use_history(&history_);
  focus_.use_history(&history_);
  focus_.use_lists(&lists_);
  exploder_.use_lists(&lists_);
  gather_lists();
  if (pairs_ != nullptr) {
    pairs_->use_recorder(&history_);
    pairs_->use_trace(&carried_);
  }
  keep_traces();
}

UserAgent::Parts SipService::agent(const Parts& parts, UserSessions* users) {
  return {.shard = parts.shard,
          .pool = parts.pool,
          .metrics = parts.metrics,
          .random = parts.random,
          .name_key = owner_key_,
          .transactions = transactions_,
          .transport = transport_,
          .home = home_,
          .users = users,
          .config = parts.config};
}

SipService::~SipService() {
  proxied_.for_each([this](core::SlotId, Proxied& p) {
    wheel_.cancel(p.answer_timer);
    for (const auto& branch : p.branches) wheel_.cancel(branch->timer);
  });
}

void SipService::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  out_ = &out;
  participating_.begin(now);
  responder_.begin(now.mono);
  traces_.begin(now);
  search_.begin(now, out);
  transport_.begin(now, out);
  reg_events_.begin(now, out);
  admission_.begin(now, out);
  calls_.begin(now.mono);
  settings_.begin(now, out);
  history_.begin(now, out);
  focus_.begin(now, out);
  if (stored_ != nullptr) stored_->begin(out);
  exploder_.begin(now, out);
  deferred_.begin(now, out);
  watch_.begin(now, out);
  retrieval_.begin(now, out);
  history_lists_.begin(now, out);
  system_.begin(now, out);
  conferences_.begin(now, out);
}

void SipService::take(const core::Input& input) {
  if (input.kind == core::Input::Kind::resolved) {
    on_resolved(*input.resolution);
    run_errands();
    return;
  }
  if (input.kind == core::Input::Kind::stored) {
    on_stored(*input.stored);
    return;
  }
  if (input.kind == core::Input::Kind::datagram && !admission_.wants(input)) return;
  transport_.take(input);
  while (const Received* const message = transport_.next()) {
    handle(*message);
    run_errands();
  }
  if (const auto mail = transport_.service_mail()) on_service_mail(input.from_shard, *mail);
  run_errands();
}

void SipService::end() {
  run_timers();
  calls_.run_timers();
  focus_.run_timers();
  exploder_.end();
  history_.end();
  deferred_.end();
  retrieval_.end();
  system_.end();
  tell_kept();
  tell_lists();
  tell_system();
  run_errands();
  admission_.close_idle_strangers();
  transport_.end();
  // What is sent because of a fact may find a connection gone.
  for (bool any = true; any;) {
    any = false;
    Flow flow;
    for (; transport_.next_gone(flow); any = true) on_gone(flow);
    sip::TransactionFact fact;
    for (; transactions_.next_fact(now_.mono, fact); any = true) {
      on_transaction_fact(fact);
      run_errands();
    }
  }
  sip::LocationFact change;
  while (location_.next_fact(now_.mono, change)) {
    store_binding(change);
    reg_events_.on_binding(change);
    if (!sip::ends_binding(change.event)) {
      deferred_.available(change.aor, change.event == sip::BindingEvent::registered);
      watch_.available(change.aor);
    }
  }
  while (settings_.next_change(value_)) {
    reg_events_.on_settings(value_);
    deferred_.available(value_, true);
    watch_.available(value_);
  }
  run_errands();
  tell_lists();  // large messages come to their end among errands
  if (draining_) {
    transport_.drain();
    reg_events_.drain();
    calls_.drain();
    focus_.drain();
    exploder_.drain();
    deferred_.drain();
    watch_.drain();
    history_lists_.drain();
    system_.drain();
  }
  reg_events_.end();
  watch_.end();
  history_lists_.end();
  conferences_.end();
}

void SipService::store_binding(const sip::LocationFact& change) {
  if (!config_->stores_bindings) return;
  if (change.lost_row != 0) out_->store({0, core::RemoveBinding{change.aor, change.lost_row}});
  if (sip::ends_binding(change.event) || change.binding.row == 0) return;
  out_->store(
      {0, core::PutBinding{sip::to_row(change.aor, change.binding, now_, config_->transport.listeners)}});
}

std::size_t SipService::restore(const core::StoreContents& stored, const core::Now& now) {
  ids_.begin_after(stored.newest_id);
  for (const std::string& aor : stored.deferred_users) {
    if (home_.has(aor)) deferred_.restore(aor);
  }
  for (const core::SendingRow& row : stored.sendings) {
    if (MessageIds::shard_of(row.id) % shard_count_ == shard_) exploder_.restore(row);
  }
  for (const core::SystemMessageRow& row : stored.system_messages) {
    if (home_.has(row.aor)) system_.restore(row);
  }
  for (const core::PublicationRow& row : stored.publications) {
    if (home_.has(row.aor) && config_->im.participating) settings_.restore(row, now);
  }
  for (const core::SessionRow& row : stored.sessions) {
    if (config_->focus.on) focus_.restore(row);
  }
  for (const core::SubscriptionRow& row : stored.subscriptions) {
    if (!home_.has(row.resource)) continue;
    if (row.owner == kept_of_users) {
      reg_events_.restore(row, now);
    } else if (row.owner == kept_of_deferred) {
      watch_.restore(row, now);
    } else if (row.owner == kept_of_histories) {
      history_lists_.restore(row, now);
    } else {
      conferences_.restore(row, now);
    }
  }
  std::size_t count = 0;
  for (const core::BindingRow& row : stored.bindings) {
    if (!home_.has(row.aor)) continue;
    auto binding = sip::from_row(row, now, static_cast<std::uint16_t>(shard_), config_->transport.listeners);
    if (!binding) continue;
    if (location_.restore(row.aor, std::move(*binding)) == sip::Location::Applied::done) ++count;
  }
  return count;
}

core::Instant SipService::next_deadline() const {
  return std::min({other_deadline(), deferred_.next_deadline(), watch_.next_deadline(), history_.next_deadline()});
}

bool SipService::rests() const {
  return other_deadline() == core::never && deferred_.rests() && watch_.rests() && history_.rests();
}

core::Instant SipService::other_deadline() const {
  const core::Instant question = questions_.empty() ? core::never : questions_.front().until;
  return std::min({transport_.next_deadline(), transactions_.next_deadline(), location_.next_deadline(),
                   settings_.next_deadline(), reg_events_.next_deadline(), calls_.next_deadline(),
                   focus_.next_deadline(), conferences_.next_deadline(), exploder_.next_deadline(),
                   history_lists_.next_deadline(), retrieval_.next_deadline(), system_.next_deadline(),
                   admission_.next_deadline(), wheel_.next_deadline(), question});
}

void SipService::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  home_.reload(config_);
  forwarder_.reload(config_);
  participating_.reload(config_);
  parties_.reload(config_);
  admission_.reload(config_);
  search_.reload(config_);
  gather_lists();
  transport_.reload(transport_config(config_));
  digest_.set_config(config_->digest);
  settings_.reload(config_);
  reg_events_.reload(config_);
  calls_.reload(config_);
  focus_.reload(config_);
  focus_targets_.reload(config_);
  exploder_.reload(config_);
  history_.reload(config_);
  keep_traces();
  deferred_.reload(config_);
  watch_.reload(config_);
  retrieval_.reload(config_);
  history_lists_.reload(config_);
  system_.reload(config_);
  conferences_.reload(config_);
}

// Nothing is carried where no messages of calls go through here.
void SipService::keep_traces() {
  trace_.set_capacity(config_->focus.trace_messages);
  carried_.set_capacity(pairs_ == nullptr ? 0 : config_->focus.trace_messages);
}

void SipService::gather_lists() {
  lists_ = config_->documents == nullptr ? ExternalLists() : config_->documents->lists;
  lists_.use(written_);
}

void SipService::take(std::shared_ptr<const UserDocuments> documents) {
  written_ = std::move(documents);
  lists_.use(written_);
  participating_.take(written_);
  focus_targets_.take(written_);
  const std::string& owner = written_->changed_owner;
  settings_.take(written_, !owner.empty() && home_.has(owner));
  reg_events_.take(written_);
  focus_.renew_groups([this](std::string_view key) { return focus_targets_.group_named(key); });
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
    responder_.refuse(message, message.verdict.status, {}, message.verdict.reason);
    return;
  }
  const sip::RequestMatch match = transactions_.match_request(message, now_.mono);
  switch (match.kind) {
    case sip::RequestMatch::Kind::absorbed: return;
    case sip::RequestMatch::Kind::ack:
      if (!on_call_request(message, match)) on_ack(message);
      return;
    case sip::RequestMatch::Kind::cancel: on_cancel(message, match); return;
    case sip::RequestMatch::Kind::fresh: on_request(message, match); return;
    case sip::RequestMatch::Kind::elsewhere:
      count(Metric::sip_passed_on);
      transport_.pass_on(match.shard, message);
      return;
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
  if (owner_kind(match.owner) == Owner::deferred_subscriber) watch_.on_response(owner_id(match.owner), response, match.id);
  if (owner_kind(match.owner) == Owner::history_subscriber) history_lists_.on_response(owner_id(match.owner), response, match.id);
  if (owner_kind(match.owner) == Owner::conference_subscriber) {
    conferences_.on_response(owner_id(match.owner), response, match.id);
  }
  if (owner_kind(match.owner) != Owner::proxied) return;
  Proxied* const p = proxied_.get(owner_id(match.owner));
  if (p != nullptr) on_branch_response(*p, response, match.id);
}

// What there is of it here.
void SipService::lose(const Flow& flow) {
  transactions_.flow_failed(flow);
  location_.flow_closed(flow);
  reg_events_.on_flow_gone(flow);
  watch_.on_flow_gone(flow);
  history_lists_.on_flow_gone(flow);
  calls_.on_flow_gone(flow);
  focus_.on_flow_gone(flow);
  conferences_.on_flow_gone(flow);
}

void SipService::on_gone(const Flow& flow) {
  lose(flow);
  run_errands();
  if (flow.shard != shard_) return;
  for (std::uint32_t other = 0; other < shard_count_; ++other) {
    if (other != shard_) tell_flow_closed(other, flow);
  }
}

void SipService::on_transaction_fact(const sip::TransactionFact& fact) {
  using Kind = sip::TransactionFact::Kind;
  if (owner_kind(fact.owner) == Owner::subscriber) reg_events_.on_fact(owner_id(fact.owner), fact);
  if (owner_kind(fact.owner) == Owner::deferred_subscriber) watch_.on_fact(owner_id(fact.owner), fact);
  if (owner_kind(fact.owner) == Owner::history_subscriber) history_lists_.on_fact(owner_id(fact.owner), fact);
  if (owner_kind(fact.owner) == Owner::conference_subscriber) conferences_.on_fact(owner_id(fact.owner), fact);
  if (owner_kind(fact.owner) != Owner::proxied) return;
  Proxied* const p = proxied_.get(owner_id(fact.owner));
  if (p == nullptr) return;
  const bool server = fact.machine == sip::tx::Machine::invite_server || fact.machine == sip::tx::Machine::other_server;
  if (server) {
    // Nobody waits upstream any more.
    if (fact.kind != Kind::transport_error && fact.id == p->server) drop(*p);
    return;
  }
  const auto branch =
      std::find_if(p->branches.begin(), p->branches.end(), [&](const auto& b) { return b->client == fact.id; });
  if (branch == p->branches.end()) return;
  if (fact.kind == Kind::ended) {
    if (p->errand != nullptr) finish_if_over(p->self);
    return;
  }
  const auto index = static_cast<unsigned>(branch - p->branches.begin());
  on_branch_fact(*p, index, fact.kind);
}

void SipService::run_timers() {
  give_up_questions();
  while (core::Timer* const timer = wheel_.expire_one(now_.mono)) {
    Proxied* const p = proxied_.get(core::SlotId::unpack(timer->owner));
    CHECK(p != nullptr);
    if (timer == &p->answer_timer && p->tries_again) {
      try_again(*p);
    } else if (timer == &p->answer_timer) {
      on_no_answer(*p);
    } else {
      on_timer_c(*p, timer->kind);
    }
  }
}

}  // namespace parley::policy

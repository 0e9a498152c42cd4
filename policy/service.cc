// policy/service.cc - see service.h.
#include "policy/service.h"

#include <algorithm>

#include "core/json_text.h"

namespace parley::policy {

using InputKind = core::Input::Kind;

namespace {
constexpr std::uint32_t not_sip = 0xffffffffU;

bool is_relays(const core::AdminRequest& request) {
  return request.kind == core::AdminRequest::Kind::list_sessions ||
         request.kind == core::AdminRequest::Kind::kick_session;
}

bool has_listener(const msrp::RelayConfig& config, bool secure) {
  return std::any_of(config.listeners.begin(), config.listeners.end(), [secure](const msrp::RelayListener& listener) {
    return listener.secure == secure && !listener.websocket;
  });
}
}

Service::Service(const Parts& parts)
    : pool_(parts.pool),
      random_(parts.seed),
      relay_({parts.shard, parts.shard_count, parts.pool, parts.metrics, parts.sessions, random_, parts.config->relay}) {
  if (parts.config->sip == nullptr) return;
  if (!parts.config->relay->listeners.empty()) {
    pairs_ = std::make_unique<MediaPairs>(parts.config->sip->im.media, parts.pool, parts.metrics, relay_.ends());
  }
  const msrp::RelayConfig& relay = *parts.config->relay;
  legs_ = std::make_unique<RoomEnds>(relay_.ends());
  if (parts.shard_count > 1) {
    leg_post_ = std::make_unique<LegPost>(parts.shard, parts.shard_count, parts.pool);
    far_legs_ = std::make_unique<FarLegs>(*legs_, *leg_post_, parts.metrics);
  }
  media_ = std::make_unique<SessionEnds>(relay_.ends(), has_listener(relay, false), has_listener(relay, true),
                                         far_legs_.get());
  if (leg_post_ != nullptr) {
    guest_legs_ =
        std::make_unique<GuestLegs>(*legs_, *media_, *leg_post_, parts.config->rooms->hold_high_bytes);
  }
  stored_ = std::make_unique<StoredLegs>(
      StoredLegs::Parts{.pool = parts.pool,
                        .metrics = parts.metrics,
                        .others = far_legs_ != nullptr ? static_cast<RoomLegs&>(*far_legs_) : *legs_});
  rooms_ = std::make_unique<Rooms>(Rooms::Parts{.pool = parts.pool,
                                                .metrics = parts.metrics,
                                                .random = random_,
                                                .legs = *stored_,
                                                .config = parts.config->rooms});
  sip_ = std::make_unique<SipService>(SipService::Parts{.shard = parts.shard,
                                                        .shard_count = parts.shard_count,
                                                        .pool = parts.pool,
                                                        .metrics = parts.metrics,
                                                        .random = random_,
                                                        .process_seed = parts.process_seed,
                                                        .pairs = pairs_.get(),
                                                        .invites = parts.invites,
                                                        .media = media_.get(),
                                                        .rooms = rooms_.get(),
                                                        .stored = stored_.get(),
                                                        .config = parts.config->sip});
  if (parts.config->user_documents != nullptr) sip_->take(parts.config->user_documents);
}

void Service::step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) {
  for (const core::Input& input : batch) {
    if (input.kind == InputKind::reload) reload(input);
    if (input.kind == InputKind::drain) draining_ = true;
  }
  relay_.begin(now, out);
  if (facts_ != nullptr) facts_->on_step(relay_.ends());
  if (sip_ == nullptr) {
    relay_.take(batch);
    pull_facts();
    relay_.finish();
    out.deadline(relay_.next_deadline());
    if (draining_ && relay_.drained()) out.drained();
    return;
  }
  rooms_->begin(now);
  if (pairs_ != nullptr) pairs_->begin(now);
  sip_->begin(now, out);
  if (draining_) sip_->drain();
  if (leg_post_ != nullptr) take_leg_mail(batch, now);
  relay_batch_.clear();
  questions_.clear();
  for (const core::Input& input : batch) {
    if (leg_post_ != nullptr && is_leg_mail(input)) continue;
    if (is_sip(input)) {
      sip_->take(input);
    } else if (input.kind == InputKind::admin && !is_relays(*input.admin)) {
      questions_.push_back(input.admin);
    } else {
      relay_batch_.push_back(input);
    }
  }
  relay_.take(relay_batch_);
  pull_facts();
  for (const core::AdminRequest* const request : questions_) {
    std::string json = answer_admin(*request);
    if (!json.empty()) out.admin_reply(request->id, std::move(json));  // else later
  }
  sip_->end();
  tell_histories(out);
  relay_.finish();
  core::Instant due = std::min({relay_.next_deadline(), rooms_->next_deadline(), sip_->next_deadline()});
  if (leg_post_ != nullptr) {
    guest_legs_->expire();
    leg_post_->flush(out, now.mono);
    due = std::min({due, guest_legs_->next_deadline(), leg_post_->next_deadline()});
  }
  if (stored_->has_facts()) due = now.mono;
  out.deadline(due);
  if (draining_ && relay_.drained() && sip_->drained()) out.drained();
}

bool Service::is_leg_mail(const core::Input& input) const {
  return input.kind == InputKind::mail && input.slice.length != 0 && LegPost::is_ours(pool_.view(input.slice));
}

// Before all else: what it opens, others may come for in the same step.
void Service::take_leg_mail(std::span<const core::Input> batch, const core::Now& now) {
  far_legs_->begin(now);
  guest_legs_->begin(now);
  for (const core::Input& input : batch) {
    if (is_leg_mail(input)) leg_post_->take(input);
  }
  for (LegPost::Incoming record; leg_post_->next(record);) {
    if (GuestLegs::is_for_us(record.head->kind)) {
      guest_legs_->on_record(record);
    } else {
      far_legs_->on_record(record);
      pull_far_facts();
    }
  }
}

void Service::pull_far_facts() {
  while (far_legs_->next_fact(fact_)) {
    if (!rooms_->on_fact(fact_)) far_legs_->close(fact_.end);
  }
}

// What happened to MSRP sessions that end here, told to whoever opened them.
void Service::pull_facts() {
  while (relay_.ends().next_fact(fact_)) {
    if (stored_ != nullptr) stored_->on_other_fact(fact_);
    if (facts_ != nullptr) {
      facts_->on_fact(fact_);
    } else if ((guest_legs_ == nullptr || !guest_legs_->on_fact(fact_)) &&
               (pairs_ == nullptr || !pairs_->on_fact(fact_)) && (rooms_ == nullptr || !rooms_->on_fact(fact_))) {
      relay_.ends().close(fact_.end);  // nobody's
    }
  }
  if (pairs_ != nullptr) {
    for (PairFact fact; pairs_->next_fact(fact);) sip_->on_media_failed(fact);
  }
  if (rooms_ == nullptr) return;
  if (far_legs_ != nullptr) pull_far_facts();
  pull_stored_facts();
  rooms_->expire();
  for (RoomFact fact; rooms_->next_fact(fact);) sip_->on_room_fact(fact);
  pull_stored_facts();  // of legs that are new, or may go on
}

void Service::pull_stored_facts() {
  while (stored_->next_fact(fact_)) {
    if (!rooms_->on_fact(fact_)) stored_->close(fact_.end);
  }
}

// Where histories begin and end is told to operators.
void Service::tell_histories(core::Outbox& out) {
  for (HistoryFact fact; sip_->next_history(fact);) {
    std::string line = fact.kind == HistoryFact::Kind::started ? "history_begins user=" : "history_ends user=";
    line.append(fact.user).append(fact.mode == HistoryMode::session ? " mode=session" : " mode=pager-large");
    out.log(core::LogRecord::Level::info, line.append(" session=").append(fact.session));
  }
}

bool Service::is_sip(const core::Input& input) {
  switch (input.kind) {
    case InputKind::datagram:
    case InputKind::mail:
    case InputKind::stored: return true;
    case InputKind::connect_failed: return (input.token & sip::sip_token_bit) != 0;
    case InputKind::resolved: return (input.resolution->token & sip::sip_token_bit) != 0;
    case InputKind::opened:
    case InputKind::connected: {
      const bool sip = input.kind == InputKind::connected ? (input.token & sip::sip_token_bit) != 0
                                                     : input.peer->transport != core::Transport::pipe &&
                                                           input.peer->listener >= sip_->listener_base();
      if (sip_conns_.size() <= input.conn.index) sip_conns_.resize(input.conn.index + std::size_t{1}, not_sip);
      sip_conns_[input.conn.index] = sip ? input.conn.generation : not_sip;
      return sip;
    }
    case InputKind::bytes:
    case InputKind::half_closed:
    case InputKind::sent:
    case InputKind::closed:
      return input.conn.index < sip_conns_.size() && sip_conns_[input.conn.index] == input.conn.generation;
    case InputKind::admin:
    case InputKind::reload:
    case InputKind::drain: return false;
  }
  return false;
}

// Operators ask one shard, not its roles.
std::string Service::answer_admin(const core::AdminRequest& request) {
  if (request.kind != core::AdminRequest::Kind::summary) return sip_->answer_admin(request);
  std::string json = relay_.answer_admin(request);
  json.pop_back();
  core::put_json_field(json, "rooms", rooms_->rooms());
  core::put_json_field(json, "members", rooms_->members());
  json += '}';
  return json;
}

void Service::reload(const core::Input& input) {
  const auto config = std::static_pointer_cast<const Config>(input.snapshot);
  if (sip_ != nullptr && config->user_documents != nullptr) sip_->take(config->user_documents);
  if (config->relay == nullptr) return;
  relay_.reload(config->relay);
  if (sip_ != nullptr && config->sip != nullptr) sip_->reload(config->sip);
  if (rooms_ != nullptr) rooms_->reload(config->rooms);
  if (guest_legs_ != nullptr) guest_legs_->reload(config->rooms->hold_high_bytes);
}

}  // namespace parley::policy

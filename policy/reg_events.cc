// policy/reg_events.cc - SUBSCRIBEs, and what ends a subscription. See reg_events.h.
#include "policy/reg_events.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/hop.h"
#include "policy/own_names.h"
#include "sip/own_tag.h"
#include "sip/response_route.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

// While draining: so many subscriptions end at a time, for each is a NOTIFY and may be a new SUBSCRIBE elsewhere.
constexpr std::size_t end_at_once = 100;
constexpr core::Duration end_interval = std::chrono::milliseconds(20);

std::uint16_t status_of(sip::DialogFault fault) {
  switch (fault) {
    case sip::DialogFault::none: return 200;
    case sip::DialogFault::no_contact:
    case sip::DialogFault::bad_route:
    case sip::DialogFault::no_tag: return 400;
    case sip::DialogFault::too_long: return 513;
    case sip::DialogFault::no_memory: return 503;
  }
  return 500;
}

bool secure(const sip::Received& request) {
  return request.essentials.uri.scheme == sip::Scheme::sips &&
         (request.flow.transport == core::Transport::tls || request.flow.transport == core::Transport::wss);
}

}  // namespace

RegEvents::RegEvents(const Parts& parts)
    : shard_(parts.shard),
      pool_(parts.pool),
      metrics_(parts.metrics),
      random_(parts.random),
      transactions_(parts.transactions),
      transport_(parts.transport),
      location_(parts.location),
      config_(parts.config),
      packages_{parts.config->reg_events.package},
      notifier_(parts.config->reg_events.notifier, packages_, parts.metrics, core::Instant{}),
      subscribers_(parts.config->reg_events.notifier.subscriptions_max),
      watched_(parts.config->reg_events.notifier.subscriptions_max) {}

RegEvents::~RegEvents() = default;

void RegEvents::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  packages_[0] = config_->reg_events.package;
}

// --- SUBSCRIBE

// 200, and `answer`, when nothing speaks against it but its dialog.
std::uint16_t RegEvents::judge(const sip::Received& request, sip::SubscribeAnswer& answer) {
  lines_.clear();
  granted_s_ = 0;
  answer = sip::judge_subscribe(packages_, request.head, request.bytes);
  switch (answer.status) {
    case 406: lines_.add(HeaderId::accept, "application/reginfo+xml"); break;
    case 423: put_number(lines_.begin(HeaderId::min_expires), answer.min_expires_seconds); break;
    case 489: lines_.add(HeaderId::allow_events, allowed_events); break;
    default: break;
  }
  return answer.status;
}

std::uint16_t RegEvents::no_room(Metric metric, std::uint16_t status) {
  metrics_.add(metric);
  return status;
}

std::uint16_t RegEvents::subscribe(const sip::Received& request, const sip::RequestMatch& match, std::string_view aor,
                                   std::string_view user) {
  sip::SubscribeAnswer asked;
  if (const std::uint16_t status = judge(request, asked); status != 200) return status;
  const auto there = by_aor_.find(aor);
  if (there != by_aor_.end() &&
      watched_.get(there->second)->subscribers.size() >= config_->reg_events.subscriptions_per_user_max) {
    return no_room(Metric::sip_subscriptions_user_limit, 403);
  }
  Subscriber* const s = make(aor);
  if (s == nullptr) return no_room(Metric::sip_subscriptions_limit, 503);
  const sip::OwnTag tag = sip::make_tag(random_);
  const sip::DialogFault fault =
      s->dialog.accept(request.head, request.bytes, request.essentials, tag.view(), secure(request));
  if (fault != sip::DialogFault::none) {
    forget(*s);
    return status_of(fault);
  }
  s->tag = tag.key;
  by_tag_.emplace(tag.key, s->self);
  take_flow(*s, request);
  s->contact = "<";
  put_listener_uri(s->contact, request.flow.transport, transport_.listener(request.flow), user, s->dialog.secure());
  s->contact += '>';
  const sip::SubscriptionId id = notifier_.subscribe({.dialog = s->self.packed(),
                                                      .resource = s->watched.packed(),
                                                      .package = asked.package,
                                                      .event = asked.event,
                                                      .expires_seconds = asked.expires_seconds},
                                                     now_);
  if (!id.valid()) {
    forget(*s);
    return 503;
  }
  s->dialog.begin_usage();
  s->usages.push_back({id, {}});
  granted_s_ = asked.expires_seconds;
  if (!answer(request, match, *s, true)) {
    notifier_.dialog_gone(s->self.packed(), now_);
    return 503;
  }
  return 200;
}

std::uint16_t RegEvents::refresh(const sip::Received& request, const sip::RequestMatch& match) {
  lines_.clear();
  const auto found = by_tag_.find(sip::tag_key(request.essentials.to_tag));
  if (found == by_tag_.end()) return 481;
  Subscriber& s = *subscribers_.get(found->second);
  if (!s.dialog.is(request.essentials.call_id, request.essentials.to_tag, request.essentials.from_tag)) return 481;
  sip::SubscribeAnswer asked;
  if (const std::uint16_t status = judge(request, asked); status != 200) return status;
  // Each of them is a NOTIFY, which a peer that answers none would be sent again and again.
  if (s.pending.size() >= config_->reg_events.notifies_unanswered_max && asked.expires_seconds != 0) {
    return no_room(Metric::sip_notifies_unanswered_limit, 503);
  }
  sip::SubscriptionId id = notifier_.find(s.self.packed(), asked.event);
  // R6665-5: it may be another one in the same dialog; but not in one whose only subscription is ending.
  const auto lives = [this](const Usage& usage) { return notifier_.lives(usage.subscription); };
  const bool another = asked.expires_seconds != 0 && std::any_of(s.usages.begin(), s.usages.end(), lives);
  if (!id.valid() && !another) return 481;
  // Last, so that a repetition of what was refused without a transaction is refused alike.
  switch (s.dialog.receive(request.essentials)) {
    case sip::DialogCheck::ok: break;
    case sip::DialogCheck::out_of_order: return 500;
    case sip::DialogCheck::gone: return 481;
  }
  if (id.valid()) {
    CHECK(notifier_.refresh(id, asked.expires_seconds, now_));
  } else {
    id = notifier_.subscribe({.dialog = s.self.packed(),
                              .resource = s.watched.packed(),
                              .package = asked.package,
                              .event = asked.event,
                              .expires_seconds = asked.expires_seconds},
                             now_);
    if (!id.valid()) return 503;
    s.dialog.begin_usage();
    s.usages.push_back({id, {}});
  }
  (void)s.dialog.refresh(request.head, request.bytes);  // a Contact that can not be used leaves the old one
  take_flow(s, request);
  granted_s_ = asked.expires_seconds;
  // What it asked for has happened. When no answer goes out it asks again.
  return answer(request, match, s, false) ? 200 : 503;
}

// The 200, and its transaction.
bool RegEvents::answer(const sip::Received& request, const sip::RequestMatch& match, const Subscriber& s,
                       bool opens_dialog) {
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) return false;
  lines_.clear();
  put_number(lines_.begin(HeaderId::expires), granted_s_);
  lines_.add(HeaderId::contact, s.contact);
  sip::ReceivedText room;
  const sip::ResponseText text{.status = 200,
                               .to_tag = s.dialog.local_tag(),
                               .copy_record_route = opens_dialog,
                               .stamp = sip::via_stamp(request.essentials.via, request.flow, room),
                               .headers = lines_.headers()};
  const std::string_view head = request.bytes.substr(0, request.head.length);
  text_.resize(sip::response_bytes(request.head, head, text));
  core::TextOut out(text_.data());
  sip::put_response(out, request.head, head, text);
  if (transactions_.respond(server, 200, text_, now_) != sip::Responded::sent) {
    metrics_.add(Metric::sip_responses_unsent);
  }
  return true;
}

// --- subscribers

RegEvents::Subscriber* RegEvents::make(std::string_view aor) {
  const core::SlotId id = subscribers_.emplace(pool_);
  Subscriber* const s = subscribers_.get(id);
  if (s == nullptr) return nullptr;
  s->self = id;
  auto there = by_aor_.find(aor);
  if (there == by_aor_.end()) {
    const core::SlotId watched = watched_.emplace();
    CHECK(watched.valid());  // there are no more of them than subscribers
    watched_.get(watched)->aor = aor;
    there = by_aor_.emplace(aor, watched).first;
  }
  s->watched = there->second;
  watched_.get(s->watched)->subscribers.push_back(id);
  return s;
}

void RegEvents::forget(Subscriber& s) {
  for (const Pending& pending : s.pending) transactions_.discard(pending.client);
  forget_flow(s);
  by_tag_.erase(s.tag);
  Watched& watched = *watched_.get(s.watched);
  std::erase(watched.subscribers, s.self);
  if (watched.subscribers.empty()) {
    by_aor_.erase(watched.aor);
    watched_.erase(s.watched);
  }
  subscribers_.erase(s.self);
}

// Whether NOTIFYs go back the way this SUBSCRIBE came: always over a connection; of datagrams when its sender does not
// know the address he is seen under and no proxy stands between.
void RegEvents::take_flow(Subscriber& s, const sip::Received& request) {
  forget_flow(s);
  s.flow = request.flow;
  s.back = s.flow.reliable();
  if (s.back) {
    by_flow_.emplace(s.flow.shard, s.flow.connection.packed(), s.self.packed());
    return;
  }
  s.flow.shard = static_cast<std::uint16_t>(shard_);  // a socket of ours with the same address sends
  if (!s.dialog.route_set().empty()) return;
  const auto sent_by = core::parse_ip(request.essentials.via.host, s.flow.remote.port);
  s.back = sent_by && core::unmapped(*sent_by) != core::unmapped(s.flow.remote);
}

void RegEvents::forget_flow(const Subscriber& s) {
  if (s.back && s.flow.reliable()) by_flow_.erase({s.flow.shard, s.flow.connection.packed(), s.self.packed()});
}

// A subscriber that can be reached in another way will be; the others are gone with their connection.
void RegEvents::on_flow_gone(const sip::Flow& flow) {
  if (!flow.reliable()) return;
  const std::uint64_t connection = flow.connection.packed();
  for (;;) {
    const auto first = by_flow_.lower_bound({flow.shard, connection, 0});
    if (first == by_flow_.end() || std::get<0>(*first) != flow.shard || std::get<1>(*first) != connection) break;
    Subscriber& s = *subscribers_.get(core::SlotId::unpack(std::get<2>(*first)));
    forget_flow(s);
    s.back = false;
    Hop hop;
    const bool called = flow.transport != core::Transport::ws && flow.transport != core::Transport::wss &&
                        literal_hop(s.dialog.next_hop(), hop) && hop.address != core::unmapped(flow.remote);
    if (!called) notifier_.dialog_gone(s.self.packed(), now_);
  }
}

void RegEvents::on_ended(const sip::EndedFact& fact) {
  Subscriber* const s = subscribers_.get(core::SlotId::unpack(fact.dialog));
  CHECK(s != nullptr);  // it stays as long as one of its usages
  std::erase_if(s->usages, [&](const Usage& usage) { return usage.subscription == fact.subscription; });
  std::erase_if(s->pending, [&](const Pending& pending) {
    if (pending.fact.subscription != fact.subscription) return false;
    transactions_.discard(pending.client);
    return true;
  });
  if (s->dialog.end_usage()) forget(*s);
}

// --- time

void RegEvents::on_binding(const sip::LocationFact& fact) {
  const auto there = by_aor_.find(fact.aor);
  if (there == by_aor_.end()) return;
  const sip::Binding& binding = fact.binding;
  const std::string id = std::to_string(binding.number);
  const sip::ReginfoContact contact = contact_of(binding, fact.event, id, now_);
  for (const core::SlotId subscriber : watched_.get(there->second)->subscribers) {
    for (Usage& usage : subscribers_.get(subscriber)->usages) usage.changes.add(contact);
  }
  notifier_.changed(there->second.packed(), now_);
}

void RegEvents::drain() {
  if (std::exchange(draining_, true)) return;
  subscribers_.for_each([this](core::SlotId, const Subscriber& s) {
    for (const Usage& usage : s.usages) to_end_.push_back(usage.subscription);
  });
  end_next_ = now_;
}

void RegEvents::end_some() {
  if (to_end_.empty() || now_ < end_next_) return;
  for (std::size_t n = 0; n < end_at_once && !to_end_.empty(); ++n) {
    notifier_.end(to_end_.front(), sip::TerminationReason::deactivated, 0, now_);
    to_end_.pop_front();
  }
  end_next_ = now_ + end_interval;
}

void RegEvents::end() {
  end_some();
  for (sip::NotifierFact fact; notifier_.next_fact(now_, fact);) {
    if (fact.kind == sip::NotifierFact::Kind::notify) {
      notify(fact.notify);
    } else {
      on_ended(fact.ended);
    }
  }
}

core::Instant RegEvents::next_deadline() const {
  const core::Instant due = notifier_.next_deadline();
  if (!draining_ || subscribers_.empty()) return due;
  const core::Instant next = to_end_.empty() ? end_next_ + last_words : end_next_;
  return now_ < next ? std::min(due, next) : due;
}

}  // namespace parley::policy

// policy/event_dialogs.cc - SUBSCRIBEs, and what ends a subscription. See event_dialogs.h.
#include "policy/event_dialogs.h"

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

}  // namespace

EventDialogs::EventDialogs(const Parts& parts)
    : shard_(parts.shard),
      pool_(parts.pool),
      metrics_(parts.metrics),
      random_(parts.random),
      transactions_(parts.transactions),
      transport_(parts.transport),
      config_(parts.config),
      owner_(parts.owner),
      packages_(parts.packages),
      allowed_events_(parts.allowed_events),
      notifies_unanswered_max_(parts.notifies_unanswered_max),
      tells_delivered_(parts.tells_delivered),
      kept_as_(parts.kept_as),
      notifier_(parts.notifier, parts.packages, parts.metrics, core::Instant{}),
      subscribers_(parts.notifier.subscriptions_max) {}

EventDialogs::~EventDialogs() = default;

void EventDialogs::begin(const core::Now& now, core::Outbox& out) {
  now_ = now.mono;
  wall_ms_ = now.wall_ms;
  out_ = &out;
  for (const std::uint64_t row : std::exchange(rows_over_, {})) out_->store({0, core::RemoveSubscription{row}});
}

void EventDialogs::reload(std::shared_ptr<const SipConfig> config, std::uint32_t notifies_unanswered_max) {
  config_ = std::move(config);
  notifies_unanswered_max_ = notifies_unanswered_max;
}

// --- SUBSCRIBE

sip::SubscribeAnswer EventDialogs::judge(const sip::Received& request) {
  lines_.clear();
  granted_s_ = 0;
  const sip::SubscribeAnswer answer = sip::judge_subscribe(packages_, request.head, request.bytes);
  switch (answer.status) {
    case 406:
      lines_.begin(HeaderId::accept)
          .append(packages_[answer.package].type)
          .append("/")
          .append(packages_[answer.package].subtype);
      if (const std::string_view other = packages_[answer.package].other_subtype; !other.empty()) {
        lines_.add(HeaderId::accept, std::string(packages_[answer.package].type).append("/").append(other));
      }
      break;
    case 423: put_number(lines_.begin(HeaderId::min_expires), answer.min_expires_seconds); break;
    case 489: lines_.add(HeaderId::allow_events, allowed_events_); break;
    default: break;
  }
  return answer;
}

// T-86: what one session or peer has too much of says nothing about the node.
std::uint16_t EventDialogs::busy(Metric metric) {
  metrics_.add(metric);
  return busy();
}
std::uint16_t EventDialogs::busy() {
  lines_.add(HeaderId::retry_after, "10");
  return 500;
}

std::uint16_t EventDialogs::no_room(Metric metric, std::uint16_t status) {
  metrics_.add(metric);
  return status;
}

EventOutcome EventDialogs::subscribe(const EventAsk& ask, const sip::SubscribeAnswer& asked) {
  Subscriber* const s = make(ask, std::make_shared<sip::Dialog>(pool_));
  if (s == nullptr) return {.status = no_room(Metric::sip_subscriptions_limit, 503)};
  const sip::Received& request = ask.request;
  const sip::OwnTag tag = sip::make_tag(random_);
  const sip::DialogFault fault =
      s->dialog->accept(request.head, request.bytes, request.essentials, tag.view(), request.secure());
  if (fault != sip::DialogFault::none) {
    forget(*s);
    return {.status = sip::refusal(fault)};
  }
  s->tag = tag.key;
  by_tag_.emplace(tag.key, s->self);
  take_flow(*s, request);
  const sip::SubscriptionId id = add(*s, asked);
  if (!id.valid()) {
    forget(*s);
    return {.status = not_taken()};
  }
  granted_s_ = asked.expires_seconds;
  const std::uint64_t resource = s->resource;
  if (!answer(request, ask.match, *s, true)) {
    notifier_.dialog_gone(s->self.packed(), now_);
    return {.status = 503};
  }
  return {.status = 200, .subscription = id, .resource = resource, .created = true};
}

EventOutcome EventDialogs::refresh(const sip::Received& request, const sip::RequestMatch& match) {
  lines_.clear();
  Subscriber* const s = subscribers_.get(of_dialog(request));
  if (s == nullptr) return {.status = 481};
  const sip::SubscribeAnswer asked = judge(request);
  if (asked.status != 200) return {.status = asked.status};
  return take_in(*s, request, match, asked);
}

EventOutcome EventDialogs::join(const EventAsk& ask, const std::shared_ptr<sip::Dialog>& dialog) {
  const sip::SubscribeAnswer asked = judge(ask.request);
  if (asked.status != 200) return {.status = asked.status};
  const sip::Essentials& essentials = ask.request.essentials;
  if (!dialog->is(essentials.call_id, essentials.to_tag, essentials.from_tag)) return {.status = 481};
  Subscriber* s = subscribers_.get(of_dialog(ask.request));
  const bool fresh = s == nullptr;
  if (fresh) {
    s = make(ask, dialog);
    if (s == nullptr) return {.status = no_room(Metric::sip_subscriptions_limit, 503)};
    s->joined = true;
    by_joined_.emplace(joined_key(dialog->call_id(), dialog->local_tag()), s->self);
  }
  const EventOutcome outcome = take_in(*s, ask.request, ask.match, asked);
  if (fresh && !outcome.subscription.valid()) forget(*s);
  return outcome;
}

core::SlotId EventDialogs::of_dialog(const sip::Received& request) const {
  const sip::Essentials& essentials = request.essentials;
  core::SlotId id;
  if (const auto found = by_tag_.find(sip::tag_key(essentials.to_tag)); found != by_tag_.end()) id = found->second;
  if (!id.valid()) {
    const auto joined = by_joined_.find(joined_key(essentials.call_id, essentials.to_tag));
    if (joined != by_joined_.end()) id = joined->second;
  }
  const Subscriber* const s = subscribers_.get(id);
  if (s == nullptr || !s->dialog->is(essentials.call_id, essentials.to_tag, essentials.from_tag)) return {};
  return id;
}

EventDialogs::Known EventDialogs::known(const sip::Received& request) const {
  const Subscriber* const s = subscribers_.get(of_dialog(request));
  if (s == nullptr) return {};
  for (const Usage& usage : s->usages) {
    if (notifier_.lives(usage.id)) return {usage.id, s->resource};
  }
  return {};
}

sip::SubscriptionId EventDialogs::find(const sip::Received& request) const {
  const core::SlotId id = of_dialog(request);
  sip::Event event;
  if (!id.valid() || !sip::parse_event(request.head.value(HeaderId::event, request.bytes), event)) return {};
  return notifier_.find(id.packed(), event);
}

// In a dialog that there is: refreshed, or one more.
EventOutcome EventDialogs::take_in(Subscriber& s, const sip::Received& request, const sip::RequestMatch& match,
                                   const sip::SubscribeAnswer& asked) {
  // Each of them is a NOTIFY, which a peer that answers none would be sent again and again.
  if (s.pending.size() >= notifies_unanswered_max_ && asked.expires_seconds != 0) {
    return {.status = busy(Metric::sip_notifies_unanswered_limit)};
  }
  sip::SubscriptionId id = notifier_.find(s.self.packed(), asked.event);
  // R6665-5: it may be another one in the same dialog; but not in one whose only subscription is ending.
  const auto lives = [this](const Usage& usage) { return notifier_.lives(usage.id); };
  const bool has_reason = s.joined ? s.dialog->state() != sip::DialogState::terminated
                                   : std::any_of(s.usages.begin(), s.usages.end(), lives);
  if (!id.valid() && (!has_reason || (asked.expires_seconds == 0 && !s.joined))) return {.status = 481};
  // Last, so that a repetition of what was refused without a transaction is refused alike.
  switch (s.dialog->receive(request.essentials)) {
    case sip::DialogCheck::ok: break;
    case sip::DialogCheck::out_of_order: return {.status = 500};
    case sip::DialogCheck::gone: return {.status = 481};
  }
  const bool created = !id.valid();
  if (created) {
    id = add(s, asked);
    if (!id.valid()) return {.status = not_taken()};
  } else {
    CHECK(notifier_.refresh(id, asked.expires_seconds, now_));
  }
  (void)s.dialog->refresh(request.head, request.bytes);  // a Contact that can not be used leaves the old one
  take_flow(s, request);
  keep_soon(s);
  granted_s_ = asked.expires_seconds;
  // What it asked for has happened. When no answer goes out it asks again.
  const bool answered = answer(request, match, s, false);
  return {.status = answered ? std::uint16_t{200} : std::uint16_t{503},
          .subscription = id,
          .resource = s.resource,
          .created = created};
}

sip::SubscriptionId EventDialogs::add(Subscriber& s, const sip::SubscribeAnswer& asked) {
  const sip::SubscriptionId id = notifier_.subscribe({.dialog = s.self.packed(),
                                                      .resource = s.resource,
                                                      .package = asked.package,
                                                      .event = asked.event,
                                                      .expires_seconds = asked.expires_seconds},
                                                     now_);
  if (!id.valid()) return id;
  s.dialog->begin_usage();
  s.usages.push_back({.id = id});
  keep_soon(s);
  return id;
}

// The 200, and its transaction.
bool EventDialogs::answer(const sip::Received& request, const sip::RequestMatch& match, const Subscriber& s,
                          bool opens_dialog) {
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) return false;
  lines_.clear();
  put_number(lines_.begin(HeaderId::expires), granted_s_);
  lines_.add(HeaderId::contact, s.contact);
  sip::ReceivedText room;
  const sip::ResponseText text{.status = 200,
                               .to_tag = s.dialog->local_tag(),
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

EventDialogs::Subscriber* EventDialogs::make(const EventAsk& ask, std::shared_ptr<sip::Dialog> dialog) {
  const core::SlotId id = subscribers_.emplace();
  Subscriber* const s = subscribers_.get(id);
  if (s == nullptr) return nullptr;
  s->self = id;
  s->dialog = std::move(dialog);
  s->resource = ask.resource;
  s->contact = ask.contact;
  return s;
}

void EventDialogs::forget(Subscriber& s) {
  for (const Pending& pending : s.pending) transactions_.discard(pending.client);
  forget_flow(s);
  if (s.tag != 0) by_tag_.erase(s.tag);
  if (s.joined) by_joined_.erase(joined_key(s.dialog->call_id(), s.dialog->local_tag()));
  subscribers_.erase(s.self);
}

// Whether NOTIFYs go back the way this SUBSCRIBE came: always over a connection; of datagrams when its sender does not
// know the address he is seen under and no proxy stands between.
void EventDialogs::take_flow(Subscriber& s, const sip::Received& request) {
  forget_flow(s);
  s.lost = false;
  s.flow = request.flow;
  s.back = s.flow.reliable();
  if (s.back) {
    by_flow_.emplace(s.flow.shard, s.flow.connection.packed(), s.self.packed());
    return;
  }
  s.flow.shard = static_cast<std::uint16_t>(shard_);  // a socket of ours with the same address sends
  if (!s.dialog->route_set().empty()) return;
  const auto sent_by = core::parse_ip(request.essentials.via.host, s.flow.remote.port);
  s.back = sent_by && core::unmapped(*sent_by) != core::unmapped(s.flow.remote);
}

void EventDialogs::forget_flow(const Subscriber& s) {
  if (s.back && s.flow.reliable()) by_flow_.erase({s.flow.shard, s.flow.connection.packed(), s.self.packed()});
}

// A subscriber that can be reached in another way will be; the others are gone with their connection.
void EventDialogs::on_flow_gone(const sip::Flow& flow) {
  if (!flow.reliable()) return;
  const std::uint64_t connection = flow.connection.packed();
  for (;;) {
    const auto first = by_flow_.lower_bound({flow.shard, connection, 0});
    if (first == by_flow_.end() || std::get<0>(*first) != flow.shard || std::get<1>(*first) != connection) break;
    Subscriber& s = *subscribers_.get(core::SlotId::unpack(std::get<2>(*first)));
    forget_flow(s);
    s.back = false;
    if (!called(s)) notifier_.dialog_gone(s.self.packed(), now_);
  }
}

void EventDialogs::on_ended(const sip::EndedFact& fact) {
  Subscriber* const s = subscribers_.get(core::SlotId::unpack(fact.dialog));
  CHECK(s != nullptr);  // it stays as long as one of its usages
  unkeep(*s, fact.subscription);
  std::erase_if(s->usages, [&](const Usage& usage) { return usage.id == fact.subscription; });
  std::erase_if(s->pending, [&](const Pending& pending) {
    if (pending.fact.subscription != fact.subscription) return false;
    transactions_.discard(pending.client);
    return true;
  });
  (void)s->dialog->end_usage();  // OMA-CONF-9: what else is in the dialog goes on
  if (s->usages.empty()) forget(*s);
}

// --- time

void EventDialogs::drain() {
  if (std::exchange(draining_, true)) return;
  subscribers_.for_each(
      [this](core::SlotId, const Subscriber& s) { for (const Usage& usage : s.usages) to_end_.push_back(usage.id); });
  end_next_ = now_;
}

void EventDialogs::end_some() {
  if (to_end_.empty() || now_ < end_next_) return;
  for (std::size_t n = 0; n < end_at_once && !to_end_.empty(); ++n) {
    notifier_.end(to_end_.front(), sip::TerminationReason::deactivated, 0, now_);
    to_end_.pop_front();
  }
  end_next_ = now_ + end_interval;
}

core::Instant EventDialogs::next_deadline() const {
  const core::Instant due = again_.empty() && to_keep_.empty() ? notifier_.next_deadline() : core::Instant{};
  if (subscribers_.empty() || (!draining_ && to_end_.empty())) return due;
  const core::Instant next = to_end_.empty() ? end_next_ + last_words : end_next_;
  return now_ < next ? std::min(due, next) : due;
}

}  // namespace parley::policy

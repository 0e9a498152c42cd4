// policy/history_events.cc - subscriptions to the list of a user's records: as a whole, or that it has changed (RFC 5874). See
// history_lists.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/history_lists.h"
#include "policy/own_names.h"
#include "policy/xcap_diff_type.h"
#include "sip/event_headers.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr std::string_view list_subtype = "vnd.oma.im.history-list+xml";

sip::EventPackage of_histories(sip::EventPackage package) {
  package.subtype = list_subtype;
  return package;
}

// Not the list itself.
bool wants_change(const sip::EventPackage& package, const sip::Received& request) {
  return !sip::accepts_documents(package, package.subtype, request.head, request.bytes);
}

}  // namespace

HistoryLists::HistoryLists(const UserAgent::Parts& parts)
    : metrics_(parts.metrics),
      transport_(parts.transport),
      config_(parts.config),
      packages_{of_histories(sip::sip_profile_package), of_histories(sip::ua_profile_package)},
      allowed_events_(sip::allow_events(packages_)),
      dialogs_({.shard = parts.shard,
                .pool = parts.pool,
                .metrics = parts.metrics,
                .random = parts.random,
                .transactions = parts.transactions,
                .transport = parts.transport,
                .config = parts.config,
                .owner = Owner::history_subscriber,
                .packages = packages_,
                .allowed_events = allowed_events_,
                .notifier = parts.config->reg_events.notifier,
                .notifies_unanswered_max = parts.config->reg_events.notifies_unanswered_max,
                .kept_as = kept_of_histories}),
      watched_(parts.config->reg_events.notifier.subscriptions_max) {
  set_packages();
}

// As those of what waits for him.
void HistoryLists::set_packages() {
  for (sip::EventPackage& package : packages_) {
    package.expires_max_seconds = config_->im.deferred.event_expires_max_seconds;
    package.expires_default_seconds = std::min(package.expires_default_seconds, package.expires_max_seconds);
    package.expires_min_seconds = std::min(package.expires_min_seconds, package.expires_max_seconds);
    package.interval_min = config_->im.deferred.event_interval;
  }
}

void HistoryLists::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  cache_.clear();  // a domain is named in all of them
  set_packages();
  dialogs_.reload(config_, config_->reg_events.notifies_unanswered_max);
}

void HistoryLists::begin(const core::Now& now, core::Outbox& out) {
  wall_ms_ = now.wall_ms;
  out_ = &out;
  dialogs_.begin(now, out);
}

// --- what outlives the process

void HistoryLists::restore(const core::SubscriptionRow& row, const core::Now& now) {
  const core::SlotId id = config_->im.history_access.on ? watched_.add(row.resource) : core::SlotId{};
  if (!id.valid() || watched_.at(id).usages.size() >= config_->reg_events.subscriptions_per_user_max) {
    dialogs_.drop(row);
  } else if (const RestoredEvent there = dialogs_.restore(row, id.packed(), false, now); there.subscription.valid()) {
    watched_.at(id).usages.push_back({.subscription = there.subscription, .diff = row.changes_only});
  }
  if (id.valid()) watched_.release(id);
}

void HistoryLists::keep(const KeepFact& fact) {
  Watched* const watched = watched_.of(fact.resource);
  const Usage* const usage = watched == nullptr ? nullptr : watched_.usage(*watched, fact.subscription);
  if (usage != nullptr) dialogs_.keep(fact, {.resource = watched->aor, .changes_only = usage->diff});
}

void HistoryLists::end() {
  std::map<std::uint64_t, Question> due;  // by what is watched
  for (EventFact fact; dialogs_.next(fact);) {
    if (fact.kind == EventFact::Kind::keep) {
      keep(fact.keep);
      continue;
    }
    if (fact.kind == EventFact::Kind::ended) {
      const auto drop = [&fact](Question& question) {
        std::erase_if(question.notifies,
                      [&](const auto& notify) { return notify.subscription == fact.ended.subscription; });
      };
      for (auto& [number, question] : asked_) drop(question);
      for (auto& [resource, question] : due) drop(question);
      watched_.on_ended(fact.ended);
      continue;
    }
    Question& question = due[fact.notify.resource];
    if (const Watched* const watched = watched_.of(fact.notify.resource)) question.aor = watched->aor;
    question.notifies.push_back(std::move(fact.notify));
  }
  const HistoryAccess& access = config_->im.history_access;
  for (auto& [resource, question] : due) {
    question.bytes_max = std::min(access.list_bytes_max, config_->im.deferred.list_bytes_max);
    read(std::move(question));
  }
}

// --- SUBSCRIBE

bool HistoryLists::wants(const sip::Received& request) const {
  sip::Event event;
  if (!config_->im.history_access.on ||
      !sip::parse_event(request.head.value(HeaderId::event, request.bytes), event)) {
    return false;
  }
  const auto package = std::find_if(std::begin(packages_), std::end(packages_),
                                    [&](const auto& each) { return each.name == event.package; });
  return package != std::end(packages_) && request.head.first(HeaderId::accept) != nullptr &&
         sip::accepts_documents(*package, list_subtype, request.head, request.bytes) &&
         !sip::accepts_documents(*package, sip::ua_profile_package.subtype, request.head, request.bytes);
}

std::uint16_t HistoryLists::subscribe(const sip::Received& request, const sip::RequestMatch& match,
                                      std::string_view aor, std::string_view user) {
  const sip::SubscribeAnswer asked = dialogs_.judge(request);
  if (asked.status != 200) return asked.status;
  if (watched_.told(aor, dialogs_) >= config_->reg_events.subscriptions_per_user_max) {
    metrics_.add(Metric::sip_subscriptions_user_limit);
    return 403;
  }
  contact_ = "<";
  put_listener_uri(contact_, request.flow.transport, transport_.listener(request.flow), user, request.secure());
  contact_ += '>';
  const core::SlotId id = watched_.add(aor);
  if (!id.valid()) {
    metrics_.add(Metric::sip_subscriptions_limit);
    return 503;
  }
  const EventOutcome outcome =
      dialogs_.subscribe({.request = request, .match = match, .resource = id.packed(), .contact = contact_}, asked);
  if (outcome.created) add_usage(outcome, request);
  watched_.release(id);
  return outcome.status;
}

std::uint16_t HistoryLists::refresh(const sip::Received& request, const sip::RequestMatch& match) {
  const EventOutcome outcome = dialogs_.refresh(request, match);
  if (outcome.created) {
    add_usage(outcome, request);
  } else if (outcome.status == 200 && request.head.first(HeaderId::accept) != nullptr) {
    Usage* const usage = watched_.usage(*watched_.of(outcome.resource), outcome.subscription);
    usage->diff = wants_change(packages_[sip_profile], request);
  }
  return outcome.status;
}

void HistoryLists::add_usage(const EventOutcome& outcome, const sip::Received& request) {
  Usage usage{.subscription = outcome.subscription, .diff = wants_change(packages_[sip_profile], request)};
  watched_.of(outcome.resource)->usages.push_back(std::move(usage));
}

// --- NOTIFY

void HistoryLists::notify(const sip::NotifyFact& fact, const ListDocument* list) {
  Watched* const watched = watched_.of(fact.resource);
  CHECK(watched != nullptr);  // what has ended was taken out
  Usage* const usage = watched_.usage(*watched, fact.subscription);
  CHECK(usage != nullptr);
  if (list == nullptr) {
    (void)dialogs_.send(fact, {});
    dialogs_.remind(fact.subscription);
    return;
  }
  const std::string before = std::exchange(usage->etag, list->etag);
  if (!usage->diff) {
    (void)dialogs_.send(fact, {.type = history_list_type, .body = list->text});
    return;
  }
  const std::string text = put_list_change({.root = config_->im.deferred.xcap_root,
                                            .auid = history_auid,
                                            .document = history_document,
                                            .aor = watched->aor,
                                            .etag = list->etag,
                                            .before = fact.full ? std::string_view{} : std::string_view(before)});
  (void)dialogs_.send(fact, {.type = xcap_diff_type, .body = text});
}

}  // namespace parley::policy

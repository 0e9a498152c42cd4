// policy/history_events.cc - subscriptions to the list of a user's records: as a whole, or that it has changed (RFC 5874). See
// history_lists.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/history_lists.h"
#include "policy/list_events.h"
#include "policy/xcap_diff_type.h"
#include "sip/event_headers.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

constexpr std::string_view list_subtype = "vnd.oma.im.history-list+xml";

sip::EventPackage of_histories(sip::EventPackage package) {
  package.subtype = list_subtype;
  return package;
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
  limit_packages(packages_, config_->im.deferred);  // as those of what waits for him
}

void HistoryLists::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  cache_.clear();  // a domain is named in all of them
  limit_packages(packages_, config_->im.deferred);
  dialogs_.reload(config_, config_->reg_events.notifies_unanswered_max);
}

void HistoryLists::begin(const core::Now& now, core::Outbox& out) {
  wall_ms_ = now.wall_ms;
  out_ = &out;
  dialogs_.begin(now, out);
}

// --- what outlives the process

void HistoryLists::restore(const core::SubscriptionRow& row, const core::Now& now) {
  watched_.restore(
      row, config_->im.history_access.on, config_->reg_events.subscriptions_per_user_max, dialogs_, now,
      [&](const RestoredEvent& there) { return Usage{.subscription = there.subscription, .diff = row.changes_only}; });
}

void HistoryLists::end() {
  const HistoryAccess& access = config_->im.history_access;
  for (auto& [resource, question] : due_lists(dialogs_, watched_, asked_)) {
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
  const UserSubscribe ask{.request = request,
                          .match = match,
                          .aor = aor,
                          .user = user,
                          .usages_max = config_->reg_events.subscriptions_per_user_max};
  return watched_.subscribe(ask, dialogs_, transport_, metrics_, [&](const EventOutcome& outcome, const auto&) {
    return Usage{.subscription = outcome.subscription, .diff = wants_change(packages_[sip_profile], request)};
  });
}

std::uint16_t HistoryLists::refresh(const sip::Received& request, const sip::RequestMatch& match) {
  return refresh_list(request, match, packages_[sip_profile], dialogs_, watched_);
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

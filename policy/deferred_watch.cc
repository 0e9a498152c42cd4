// policy/deferred_watch.cc - subscriptions to what waits for a user, and reading it. See deferred_watch.h.
#include "policy/deferred_watch.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/json_text.h"
#include "policy/list_events.h"

namespace parley::policy {

using core::Metric;

namespace {

constexpr std::uint32_t page_count = 100;
constexpr std::uint64_t page_bytes = 256 * 1024;

sip::NotifierConfig notifier_config(const SipConfig& config) { return config.reg_events.notifier; }

}  // namespace

DeferredWatch::DeferredWatch(const Parts& parts, const sip::Location& location, const Settings& settings,
                             const Deferred& deferred)
    : UserAgent(parts),
      location_(location),
      settings_(settings),
      deferred_(deferred),
      packages_{sip::sip_profile_package, sip::ua_profile_package},
      allowed_events_(sip::allow_events(packages_)),
      dialogs_({.shard = parts.shard,
                .pool = parts.pool,
                .metrics = parts.metrics,
                .random = parts.random,
                .transactions = parts.transactions,
                .transport = parts.transport,
                .config = parts.config,
                .owner = Owner::deferred_subscriber,
                .packages = packages_,
                .allowed_events = allowed_events_,
                .notifier = notifier_config(*parts.config),
                .notifies_unanswered_max = parts.config->reg_events.notifies_unanswered_max,
                .tells_delivered = true,
                .kept_as = kept_of_deferred}),
      watched_(parts.config->reg_events.notifier.subscriptions_max) {
  limit_packages(packages_, config_->im.deferred);
}

DeferredWatch::~DeferredWatch() { wheel_.cancel(reminder_timer_); }

void DeferredWatch::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  limit_packages(packages_, config_->im.deferred);
  dialogs_.reload(config_, config_->reg_events.notifies_unanswered_max);
}

void DeferredWatch::drain() {
  if (std::exchange(draining_, true)) return;
  to_announce_.clear();  // the next process does
  in_line_.clear();
  dialogs_.drain();
}

void DeferredWatch::begin(const core::Now& now, core::Outbox& out) {
  UserAgent::begin(now.mono);
  wall_ms_ = now.wall_ms;
  out_ = &out;
  dialogs_.begin(now, out);
  if (config_->im.deferred.on && shard_ == 0 && !draining_ && !reminding_ && !reminder_timer_.armed()) {
    wheel_.arm(reminder_timer_, now_);
  }
}

void DeferredWatch::end() {
  while (wheel_.expire_one(now_) != nullptr) {
    if (draining_) continue;
    reminding_ = true;
    start({.reminds = true}, 0);
  }
  announce_more();
  for (auto& [resource, load] : due_lists(dialogs_, watched_, loads_)) start(std::move(load), 0);
}

core::Instant DeferredWatch::next_deadline() const {
  const core::Instant announces = to_announce_.empty() ? core::never : next_announcement_ - announcement_burst;
  return std::min({announces, wheel_.next_deadline(), dialogs_.next_deadline()});
}

// --- what outlives the process

void DeferredWatch::restore(const core::SubscriptionRow& row, const core::Now& now) {
  watched_.restore(
      row, config_->im.deferred.on, config_->reg_events.subscriptions_per_user_max, dialogs_, now,
      [&](const RestoredEvent& there) { return Usage{.subscription = there.subscription, .diff = row.changes_only}; });
}

// --- SUBSCRIBE

bool DeferredWatch::serves(std::string_view package) const {
  return config_->im.deferred.on && std::any_of(std::begin(packages_), std::end(packages_),
                                                [&](const auto& served) { return served.name == package; });
}

std::uint16_t DeferredWatch::subscribe(const Received& request, const sip::RequestMatch& match, std::string_view aor,
                                       std::string_view user) {
  const UserSubscribe ask{.request = request,
                          .match = match,
                          .aor = aor,
                          .user = user,
                          .usages_max = config_->reg_events.subscriptions_per_user_max};
  return watched_.subscribe(ask, dialogs_, transport_, metrics_, [&](const EventOutcome& outcome, const auto&) {
    return Usage{.subscription = outcome.subscription, .diff = wants_change(packages_[sip_profile], request)};
  });
}

std::uint16_t DeferredWatch::refresh(const Received& request, const sip::RequestMatch& match) {
  return refresh_list(request, match, packages_[sip_profile], dialogs_, watched_);
}

// --- reading a list

std::string_view DeferredWatch::domain() const {
  return config_->domains.empty() ? std::string_view(config_->realm) : std::string_view(config_->domains.front());
}

void DeferredWatch::start(Load load, std::uint64_t after) {
  const std::uint64_t number = ++numbers_;
  core::StoreOp op{.token = token(number), .what = {}};
  if (load.reminds) {
    const auto before = std::chrono::duration_cast<std::chrono::milliseconds>(config_->im.deferred.remind_before);
    op.what = core::LoadExpiring{.until_ms = wall_ms_ + before.count(), .count_max = page_count};
  } else if (load.removes != 0) {
    op.what = core::FindDeferred{.ids = {load.removes}};
  } else {
    op.what = core::LoadDeferred{
        .aor = load.aor, .after = after, .count_max = page_count, .bytes_max = page_bytes, .bodies = false};
  }
  loads_.emplace(number, std::move(load));
  out_->store(std::move(op));
}

void DeferredWatch::on_stored(const core::StoreResult& result) {
  const auto found = loads_.find(store_number(result.token));
  if (found == loads_.end()) return;
  Load load = std::move(found->second);
  loads_.erase(found);
  if (load.reminds) {
    on_reminding(load, result);
    return;
  }
  if (load.removes != 0) {
    on_removing(load, result);
    return;
  }
  const bool good = result.status == core::StoreResult::Status::done;
  for (const core::DeferredRow& row : result.rows) {
    if (row.expires_ms > wall_ms_) load.entries.push_back(deferred_entry(row));
  }
  if (good && result.more && !result.rows.empty()) {
    start(std::move(load), result.rows.back().id);
  } else {
    finish(load, good);
  }
}

DeferredList DeferredWatch::document_of(const Load& load, std::uint64_t bytes_max) {
  DeferredList list = put_deferred_list(
      load.entries, {.space = config_->im.deferred.list_space, .domain = domain(), .bytes_max = bytes_max}, digest_);
  if (list.left_out != 0) metrics_.add(Metric::im_deferred_list_limit);
  return list;
}

void DeferredWatch::finish(Load& load, bool good) {
  if (!load.notifies.empty()) {
    const DeferredList list = good ? document_of(load, config_->im.deferred.list_bytes_max) : DeferredList{};
    for (const sip::NotifyFact& fact : load.notifies) notify(fact, good ? &list : nullptr, load);
  }
  if (load.announces && good) announce(load);
  if (load.question == 0) return;
  if (!good) {
    reply(load.question, "{\"error\":\"the store does not answer\",\"status\":503}");
  } else if (load.form == Form::entries) {
    reply(load.question, deferred_list_json(load.entries));
  } else {
    const DeferredList list = document_of(load, 0);
    std::string json = "{\"etag\":";
    core::put_json_utf8(json, list.etag);
    json.append(",\"entries\":").append(std::to_string(load.entries.size())).append(",\"document\":");
    core::put_json_utf8(json, list.text);
    reply(load.question, json.append("}"));
  }
}

// `list`: none; it could not be read, and is tried again when the next NOTIFY may go.
void DeferredWatch::notify(const sip::NotifyFact& fact, const DeferredList* list, const Load& load) {
  Watched* const watched = watched_.of(fact.resource);
  CHECK(watched != nullptr);  // what has ended was taken out
  Usage* const usage = watched_.usage(*watched, fact.subscription);
  CHECK(usage != nullptr);
  if (list == nullptr) {
    (void)dialogs_.send(fact, {});
    dialogs_.remind(fact.subscription);
    return;
  }
  usage->told = told_by(load, load.entries.size() - list->left_out);
  usage->number = fact.number;
  const std::string before = std::exchange(usage->etag, list->etag);
  if (usage->diff) {
    const std::string text =
        put_deferred_list_change({.root = config_->im.deferred.xcap_root,
                                  .aor = watched->aor,
                                  .etag = list->etag,
                                  .before = fact.full ? std::string_view{} : std::string_view(before)});
    (void)dialogs_.send(fact, {.type = xcap_diff_type, .body = text});
  } else {
    (void)dialogs_.send(fact, {.type = deferred_list_type, .body = list->text});
  }
}

// --- what comes of a NOTIFY

void DeferredWatch::on_response(core::SlotId subscriber, const Received& response, sip::TransactionId client) {
  dialogs_.on_response(subscriber, response, client);
  for (sip::NotifyFact fact; dialogs_.next_delivered(fact);) {
    Watched* const watched = watched_.of(fact.resource);
    const Usage* const usage = watched == nullptr ? nullptr : watched_.usage(*watched, fact.subscription);
    if (usage != nullptr && usage->number == fact.number) mark(usage->told);
  }
}

DeferredWatch::Told DeferredWatch::told_by(const Load& load, std::size_t count) {
  Told told;
  for (std::size_t i = 0; i < count; ++i) {
    const DeferredEntry& entry = load.entries[i];
    if (entry.state == core::DeferredState::fresh) told.waiting.push_back(entry.id);
    if (entry.state == core::DeferredState::expiring) told.expiring.push_back(entry.id);
  }
  return told;
}

// No answer is waited for: what is lost is told once more.
void DeferredWatch::mark(const Told& told) {
  if (!told.waiting.empty()) out_->store({0, core::MarkDeferred{told.waiting, core::DeferredState::told}});
  if (!told.expiring.empty()) out_->store({0, core::MarkDeferred{told.expiring, core::DeferredState::told_expiring}});
}

}  // namespace parley::policy

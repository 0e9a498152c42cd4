// policy/deferred_announce.cc - users who are told by MESSAGE what waits for them, reminders, and what others ask. See
// deferred_watch.h.
#include <algorithm>
#include <utility>

#include "policy/deferred_watch.h"

namespace parley::policy {

using core::Metric;

namespace {

constexpr core::Duration reminders_every = std::chrono::seconds(10);
constexpr core::Duration reminders_pause = std::chrono::milliseconds(100);  // while there are more

}  // namespace

// --- who is not subscribed (OMA-DEF-12)

// He wants nothing sent, has something, and nobody else tells him.
bool DeferredWatch::is_announced_to(std::string_view aor) {
  return config_->im.deferred.on && !draining_ && deferred_.has(aor) && !settings_.of(aor).offline_delivery &&
         !location_.bindings(aor).empty() && watched_.told(aor, dialogs_) == 0;
}

void DeferredWatch::available(std::string_view aor) {
  if (!is_announced_to(aor) || in_line_.contains(aor)) return;
  in_line_.emplace(aor);
  to_announce_.emplace_back(aor);
}

void DeferredWatch::announce_more() {
  const core::Duration each = (core::Duration(std::chrono::seconds(1)) + announcement_burst) / config_->im.deferred.push_rate;
  while (!to_announce_.empty() && next_announcement_ <= now_ + announcement_burst) {
    const std::string aor = std::move(to_announce_.front());
    to_announce_.pop_front();
    in_line_.erase(aor);
    if (!is_announced_to(aor)) continue;
    start({.aor = aor, .announces = true}, 0);
    next_announcement_ = std::max(next_announcement_, now_) + each;
  }
}

// Only when it says something new, and not while he is being told.
void DeferredWatch::announce(const Load& load) {
  if (!is_announced_to(load.aor) || hearing_.contains(load.aor)) return;
  const DeferredList list = document_of(load, config_->im.deferred.list_bytes_max);
  Told told = told_by(load, load.entries.size() - list.left_out);
  if (told.waiting.empty() && told.expiring.empty()) return;
  begin_own_message(load.aor, own_uri(), deferred_list_type);
  Errand errand;
  errand.client = Errand::Client::announcement;
  errand.number = ++messages_;
  message_.put(list.text, errand);
  errand.aor = load.aor;
  errands_.push_back(std::move(errand));
  announced_.emplace(messages_, Announced{load.aor, std::move(told)});
  hearing_.insert(load.aor);
  metrics_.add(Metric::im_deferred_announced);
}

// Who did not get it is told when he registers the next time.
void DeferredWatch::on_outcome(std::uint32_t number, std::uint16_t status) {
  const auto found = announced_.find(number);
  if (found == announced_.end() || status < 200) return;
  if (status < 300) mark(found->second.told);
  on_over(number);
}

void DeferredWatch::on_over(std::uint32_t number) {
  const auto found = announced_.find(number);
  if (found == announced_.end()) return;
  hearing_.erase(found->second.aor);
  announced_.erase(found);
}

// --- what will be gone soon (OMA-DEF-6)

// Found, then marked, then told: his shard reads what is in the store, and its questions keep no order with ours.
void DeferredWatch::on_reminding(Load& load, const core::StoreResult& result) {
  if (!load.users.empty()) {
    if (result.status == core::StoreResult::Status::done) {
      reminded_.insert(reminded_.end(), load.users.begin(), load.users.end());
    }
    return;
  }
  reminding_ = false;
  std::vector<std::uint64_t> ids;
  for (const core::DeferredRow& row : result.rows) {
    if (row.expires_ms <= wall_ms_) continue;  // it is gone now
    ids.push_back(row.id);
    load.users.insert(row.aor);
    metrics_.add(Metric::im_deferred_reminded);
  }
  if (!ids.empty()) {
    const std::uint64_t number = ++numbers_;
    out_->store({token(number), core::MarkDeferred{std::move(ids), core::DeferredState::expiring}});
    loads_.emplace(number, std::move(load));
  }
  // Now: nothing else may ever wake a shard that has nothing to do.
  if (!draining_) wheel_.arm(reminder_timer_, now_ + (result.more ? reminders_pause : reminders_every));
}

bool DeferredWatch::next_reminded(std::string& aor) {
  if (reminded_.empty()) return false;
  aor = std::move(reminded_.front());
  reminded_.pop_front();
  return true;
}

void DeferredWatch::remind(std::string_view aor) {
  changed(aor);
  available(aor);
}

// --- questions (OMA-DEF-10)

void DeferredWatch::list(std::uint64_t question, std::string_view aor, Form form) {
  start({.aor = std::string(aor), .question = question, .form = form}, 0);
}

void DeferredWatch::remove(std::uint64_t question, std::string_view aor, std::uint64_t id) {
  if (id == 0) {
    reply(question, "{\"deleted\":false}");
    return;
  }
  start({.aor = std::string(aor), .question = question, .removes = id}, 0);
}

// Found, then taken out: it is answered when it can not come back. Nobody sends it any more from the moment it is
// found.
void DeferredWatch::on_removing(Load& load, const core::StoreResult& result) {
  if (result.status != core::StoreResult::Status::done) {
    reply(load.question, "{\"error\":\"the store does not answer\",\"status\":503}");
    return;
  }
  if (load.removing) {
    metrics_.add(Metric::im_deferred_deleted);
    changed(load.aor);
    reply(load.question, "{\"deleted\":true}");
    return;
  }
  if (result.rows.empty() || result.rows.front().aor != load.aor) {  // OMA-DEF-14: no word of others'
    reply(load.question, "{\"deleted\":false}");
    return;
  }
  removed_.push_back({load.aor, load.removes});
  const std::uint64_t number = ++numbers_;
  out_->store({token(number), core::RemoveDeferred{.id = load.removes}});
  load.removing = true;
  loads_.emplace(number, std::move(load));
}

bool DeferredWatch::next_removed(Removed& removed) {
  if (removed_.empty()) return false;
  removed = std::move(removed_.front());
  removed_.pop_front();
  return true;
}

}  // namespace parley::policy

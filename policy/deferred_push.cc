// policy/deferred_push.cc - what waits for a user is sent to him: in order, one at a time, and when he did not take it
// later again (OMA-DEF-7 to OMA-DEF-9). See deferred.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "policy/deferred.h"
#include "policy/terminating.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr std::uint32_t load_count = 16;
constexpr std::uint64_t load_bytes = 64 * 1024;
// How far the rate may be ahead of itself, so that a step sends more than one.
constexpr core::Duration push_burst = std::chrono::milliseconds(4);
// Until the store is asked again that gave nothing: it is trouble of ours, and over for all at one time.
constexpr core::Duration unread_pause = std::chrono::seconds(1);

}  // namespace

// --- who has something to get

Deferred::Box* Deferred::box_of(std::string_view aor) {
  const auto found = by_aor_.find(aor);
  return found == by_aor_.end() ? nullptr : boxes_.get(found->second);
}

// Its first round begins after `delay`.
void Deferred::open_box(std::string_view aor, core::Duration delay) {
  const core::SlotId id = boxes_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::im_deferred_users_limit);
    if (std::find(crowded_out_.begin(), crowded_out_.end(), aor) == crowded_out_.end()) crowded_out_.emplace_back(aor);
    return;
  }
  Box& box = *boxes_.get(id);
  box.self = id;
  box.aor = aor;
  box.rested = now_;
  box.timer.owner = id.packed();
  box.timer.kind = static_cast<std::uint32_t>(TimerKind::box);
  by_aor_.emplace(box.aor, id);
  if (delay > core::Duration{}) {
    wheel_.arm(box.timer, now_ + delay);
  } else {
    begin_round(box);
  }
}

void Deferred::close(Box& box) {
  wheel_.cancel(box.timer);
  by_aor_.erase(box.aor);
  boxes_.erase(core::SlotId(box.self));
  for (bool taken = false; !taken && !crowded_out_.empty();) {
    const std::string next = std::move(crowded_out_.front());
    crowded_out_.pop_front();
    available(next, true);
    taken = box_of(next) != nullptr;
  }
}

// OMA-DEF-7, OMA-SET-11. Who is not registered will be `available` when he is.
bool Deferred::wants_it(std::string_view aor) const {
  return config_->im.deferred.on && settings_.of(aor).offline_delivery && !location_.bindings(aor).empty();
}

Deferred::Tries Deferred::tries_of(std::string_view aor) const {
  const Box* const box = box_of(aor);
  if (box == nullptr) return {};
  Tries tries{.failures = box->failures, .last_status = box->last_failure};
  switch (box->state) {
    case Box::State::resting:
      tries.state = Tries::State::resting;
      if (box->timer.armed()) tries.next = std::max(core::Duration{}, box->timer.due() - now_);
      break;
    case Box::State::queued: tries.state = Tries::State::queued; break;
    case Box::State::loading:
    case Box::State::sending:
    case Box::State::paused: tries.state = Tries::State::sending; break;
  }
  return tries;
}

void Deferred::hold(Box& box, std::string_view sender) {
  if (std::find(box.held.begin(), box.held.end(), sender) == box.held.end()) box.held.emplace_back(sender);
}

void Deferred::added(std::string_view aor, std::string_view sender, bool tried) {
  users_.emplace(aor);
  Box* const box = box_of(aor);
  if (box != nullptr && box->state != Box::State::resting) {
    box->again = true;  // whoever is being sent his messages now has one more, registered or not
    return;
  }
  if (box != nullptr) hold(*box, sender);
  if (!wants_it(aor) || draining_) return;
  const core::Duration first = config_->im.deferred.retry_first;
  if (box == nullptr) {
    open_box(aor, tried ? first : core::Duration{});
  } else if (box->failures == 0 || box->rested + first <= now_) {
    // It need not wait as long as those before it have to by now; they go first.
    begin_round(*box);
  } else if (box->timer.due() > box->rested + first) {
    wheel_.arm(box->timer, box->rested + first);
  }
}

// While they are on their way nobody knows whose they are. Where a device has refused something of somebody, the others
// need not wait for him.
bool Deferred::comes_after_others(std::string_view aor, std::string_view sender) const {
  if (users_.empty() || !users_.contains(aor) || !wants_it(aor)) return false;
  const Box* const box = box_of(aor);
  if (box == nullptr || box->state != Box::State::resting || box->unreached || !box->refused) return true;
  return std::find(box->held.begin(), box->held.end(), sender) != box->held.end();
}

void Deferred::available(std::string_view aor, bool anew) {
  if (draining_ || users_.empty() || !users_.contains(aor) || !wants_it(aor)) return;
  Box* const box = box_of(aor);
  if (box == nullptr) {
    open_box(aor, core::Duration{});
  } else if (box->state != Box::State::resting) {
    box->again = box->again || anew;
  } else if (anew || box->unreached) {
    if (anew) box->failures = 0;
    begin_round(*box);
  }
}

// --- a round: all that waits for him, once

void Deferred::begin_round(Box& box) {
  CHECK(box.state == Box::State::resting);
  wheel_.cancel(box.timer);
  box.more = box.again = box.unreached = box.unread = box.refused = false;
  box.after = 0;
  box.rows.clear();
  box.removed.clear();
  box.held.clear();
  box.state = Box::State::queued;
  queue_.push_back(box.self);
  run_queue();
}

void Deferred::run_queue() {
  while (!queue_.empty() && running_ < config_->im.deferred.push_parallel && !draining_) {
    Box* const box = boxes_.get(queue_.front());
    queue_.pop_front();
    CHECK(box != nullptr);
    ++running_;
    load(*box);
  }
}

void Deferred::load(Box& box) {
  box.state = Box::State::loading;
  const std::uint64_t number = ++numbers_;
  loads_.emplace(number, box.self);
  out_->store({token(number), core::LoadDeferred{.aor = box.aor,
                                                 .after = box.after,
                                                 .count_max = load_count,
                                                 .bytes_max = load_bytes}});
}

void Deferred::on_loaded(core::SlotId id, const core::StoreResult& result) {
  Box* const box = boxes_.get(id);
  CHECK(box != nullptr);
  if (result.status != core::StoreResult::Status::done) {
    box->unreached = box->unread = true;  // not by him, but it is too early as well
    end_round(*box);
    return;
  }
  for (const core::DeferredRow& row : result.rows) {
    if (std::find(box->removed.begin(), box->removed.end(), row.id) == box->removed.end()) box->rows.push_back(row);
  }
  box->removed.clear();
  if (!result.rows.empty()) box->after = result.rows.back().id;
  box->more = result.more;
  next_message(*box);
}

void Deferred::removed(std::string_view aor, std::uint64_t id) {
  Box* const box = box_of(aor);
  if (box == nullptr) return;
  if (box->state == Box::State::loading) box->removed.push_back(id);
  const std::size_t under_way = box->state == Box::State::sending ? 1 : 0;
  if (under_way != 0 && box->rows.front().id == id) box->gone = true;
  for (std::size_t i = under_way; i < box->rows.size(); ++i) {
    if (box->rows[i].id != id) continue;
    box->rows.erase(box->rows.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

void Deferred::next_message(Box& box) {
  if (!settings_.of(box.aor).offline_delivery) {  // since this round began (SEED3-5.2.4-10)
    box.unreached = true;
    box.rows.clear();
    end_round(box);
    return;
  }
  while (!box.rows.empty() && !draining_) {
    const core::DeferredRow& row = box.rows.front();
    const bool held = std::find(box.held.begin(), box.held.end(), row.sender) != box.held.end();
    if (!held && row.expires_ms > wall_ms_) {
      if (may_push()) {
        push(box);
      } else {
        box.state = Box::State::paused;
        paused_.push_back(box.self);
      }
      return;
    }
    box.rows.pop_front();
  }
  if (box.more && !draining_) {
    load(box);
  } else {
    end_round(box);
  }
}

void Deferred::end_round(Box& box) {
  --running_;
  box.state = Box::State::resting;
  box.rested = now_;
  const bool left = box.unreached || box.refused;
  if (!box.unread) box.failures = left ? box.failures + 1 : 0;
  if (draining_) {
    // The next process goes on.
  } else if (box.again && wants_it(box.aor)) {
    begin_round(box);
  } else if (box.again || (left && !wants_it(box.aor))) {
    close(box);  // until he is available
  } else if (left) {
    const DeferredConfig& config = config_->im.deferred;
    core::Duration delay = config.retry_first;
    for (std::uint32_t i = 1; i < box.failures && delay < config.retry_max; ++i) delay *= 2;
    if (box.unread) delay = std::min(delay, unread_pause);
    wheel_.arm(box.timer, now_ + std::min(delay, config.retry_max));
    box.rows.clear();
  } else {
    users_.erase(box.aor);
    close(box);
  }
  run_queue();
}

// --- one message

bool Deferred::may_push() {
  // With what may go ahead no second has more than the rate.
  const core::Duration each = (core::Duration(std::chrono::seconds(1)) + push_burst) / config_->im.deferred.push_rate;
  if (next_push_ > now_ + push_burst) {
    if (!push_timer_.armed()) wheel_.arm(push_timer_, next_push_ - push_burst);
    return false;
  }
  next_push_ = std::max(next_push_, now_) + each;
  return true;
}

void Deferred::go_on_pushing() {
  for (std::size_t left = paused_.size(); left != 0 && !paused_.empty() && next_push_ <= now_ + push_burst; --left) {
    Box* const box = boxes_.get(paused_.front());
    paused_.pop_front();
    CHECK(box != nullptr);
    next_message(*box);
  }
  if (!paused_.empty() && !push_timer_.armed()) wheel_.arm(push_timer_, next_push_ - push_burst);
}

// OMA-DEF-8: from whom it came, by us. The same message has the same Call-ID each time.
void Deferred::push(Box& box) {
  const core::DeferredRow& row = box.rows.front();
  box.state = Box::State::sending;
  box.status = 0;
  box.gone = false;
  box.trace = 0;
  ++box.number;
  if (row.large_bytes != 0 || config_->im.deferred.push_sessions) {
    large_.push_back({.row = row, .box = box.self, .number = box.number});
    metrics_.add(Metric::im_deferred_pushed);
    box.trace = trace_.add({.message_id = row.message_id, .call_id = row.request_id},
                           {.way = TracedPager::Way::session,
                            .sender = row.sender,
                            .recipient = row.aor,
                            .bytes = row.size,
                            .wall_ms = wall_ms_});
    return;
  }
  char id[core::letters64_chars];
  core::letters_encode64(row.id, id);
  std::string call_id("deferred-");
  call_id.append(id, sizeof id).append("@").append(config_->domains.empty() ? config_->realm : config_->domains.front());
  const std::string us = "<" + std::string(own_uri()) + ">";
  message_.begin({.uri = box.aor,
                  .from_tag = random_.next(),
                  .call_id = call_id,
                  .cseq = box.failures + std::uint64_t{1},
                  .user_agent = config_->im.product,
                  .asserted = us});
  message_.add_stored(row.head);
  Errand errand;
  errand.client = Errand::Client::deferred;
  errand.call = box.self;
  errand.number = box.number;
  message_.put(row.body, errand);
  errand.aor = box.aor;
  errand.origin = row.request_id;
  errands_.push_back(std::move(errand));
  metrics_.add(Metric::im_deferred_pushed);
}

void Deferred::on_response(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Box* const box = boxes_.get(id);
  if (box == nullptr || box->state != Box::State::sending || box->number != number || status < 200) return;
  if (box->status == 0) box->status = status;
}

void Deferred::on_no_room(core::SlotId id, std::uint32_t number) {
  Box* const box = boxes_.get(id);
  if (box == nullptr || box->state != Box::State::sending || box->number != number) return;
  box->unreached = box->unread = true;  // as what the store does not give
  end_round(*box);
}

void Deferred::on_over(core::SlotId id, std::uint32_t number) {
  Box* const box = boxes_.get(id);
  if (box == nullptr || box->state != Box::State::sending || box->number != number) return;
  const std::uint16_t status = box->status == 0 ? std::uint16_t{408} : box->status;
  if (status >= 300) box->last_failure = status;
  trace_.answered(box->trace, status, false, wall_ms_);
  if (status < 300) {  // OMA-DEF-9
    metrics_.add(Metric::im_deferred_delivered);
    forget(box->rows.front().id);
    changed_.push_back(box->aor);
    box->rows.pop_front();
    box->failures = 0;
    box->last_failure = 0;
    next_message(*box);
  } else if (means_unreachable(status)) {
    box->unreached = true;
    end_round(*box);
  } else if (box->gone || box->rows.front().expires_ms <= wall_ms_) {  // with what was still to be read of it
    box->rows.pop_front();
    next_message(*box);
  } else {
    box->refused = true;
    hold(*box, box->rows.front().sender);
    box->rows.pop_front();
    next_message(*box);
  }
}

}  // namespace parley::policy

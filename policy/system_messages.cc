// policy/system_messages.cc - the life of system messages: orders, answers, time, the store. See system_messages.h.
#include "policy/system_messages.h"

#include <algorithm>
#include <charconv>

#include "core/check.h"
#include "core/json_text.h"

namespace parley::policy {

using core::Metric;
using core::put_json_field;

namespace {

constexpr core::Duration sweep_every = std::chrono::minutes(1);

std::string_view name_of(SystemMessageState state) {
  switch (state) {
    case SystemMessageState::sending: return "sending";
    case SystemMessageState::failed: return "failed";
    case SystemMessageState::taken: return "taken";
    case SystemMessageState::pending: return "pending";
    case SystemMessageState::overdue: return "overdue";
    case SystemMessageState::answered: return "answered";
  }
  return "";
}

std::uint64_t seconds(std::int64_t ms) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, ms) / 1000); }

void lower_count(std::map<std::string, std::uint32_t, std::less<>>& counts, const std::string& of) {
  const auto there = counts.find(of);
  CHECK(there != counts.end());
  if (--there->second == 0) counts.erase(there);
}

}  // namespace

SystemMessages::SystemMessages(const Parts& parts, MessageIds& ids)
    : UserAgent(parts), ids_(ids), messages_(parts.config->im.system.messages_max) {}

SystemMessages::~SystemMessages() {
  messages_.for_each([this](core::SlotId, Message& message) { wheel_.cancel(message.timer); });
  wheel_.cancel(sweep_timer_);
}

void SystemMessages::begin(const core::Now& now, core::Outbox& out) {
  UserAgent::begin(now.mono);
  wall_ms_ = now.wall_ms;
  out_ = &out;
  for (core::SystemMessageRow& row : std::exchange(restored_, {})) take(std::move(row));
}

void SystemMessages::end() {
  while (core::Timer* const timer = wheel_.expire_one(now_)) {
    if (timer == &sweep_timer_) {
      sweep();
      continue;
    }
    Message* const message = messages_.get(core::SlotId::unpack(timer->owner));
    CHECK(message != nullptr);
    if (message->row.deadline_ms > wall_ms_) {  // the clock has been set
      await_answer(*message);
    } else {
      happens(*message, Event::time_over);
    }
  }
}

// --- what there is

SystemMessages::Message* SystemMessages::find(std::uint64_t id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : messages_.get(found->second);
}

std::uint32_t SystemMessages::open_of(std::string_view aor) const {
  const auto found = open_.find(aor);
  return found == open_.end() ? 0 : found->second;
}

// Null: there is no room, even without those that are closed.
SystemMessages::Message* SystemMessages::keep(core::SystemMessageRow row) {
  core::SlotId id = messages_.emplace();
  if (!id.valid() && !closed_.empty()) {
    remove(*messages_.get(closed_.begin()->second));
    id = messages_.emplace();
  }
  if (!id.valid()) return nullptr;
  Message& message = *messages_.get(id);
  message.self = id;
  message.row = std::move(row);
  message.timer.owner = id.packed();
  message.timer.kind = static_cast<std::uint32_t>(TimerKind::answer);
  by_id_.emplace(message.row.id, id);
  return &message;
}

void SystemMessages::remove(Message& message) {
  leave(message);
  out_->store({0, core::RemoveSystemMessage{message.row.id}});
  by_id_.erase(message.row.id);
  messages_.erase(message.self);
}

core::SystemMessageRow SystemMessages::row_of(const Message& message) const {
  core::SystemMessageRow row = message.row;
  row.state = static_cast<std::uint32_t>(message.state);
  return row;
}

// OMA-SYS-6: of an earlier process. What it may not have brought is sent again, under the same Call-ID.
void SystemMessages::take(core::SystemMessageRow row) {
  const auto state = system_message_state(row.state);
  if (!state) return;
  Message* const message = keep(std::move(row));
  if (message == nullptr) return;  // more than may be at one time: the next start takes it
  message->state = *state;
  enter(*message);
  if (*state == State::sending) queue(*message);
}

// What its state means to its user, and to us.
void SystemMessages::enter(Message& message) {
  const std::string& aor = message.row.aor;
  if (is_closed(message.state)) {
    closed_.emplace(std::pair(message.row.changed_ms, message.row.id), message.self);
    if (!sweep_timer_.armed()) wheel_.arm(sweep_timer_, now_ + sweep_every);
    return;
  }
  ++open_[aor];
  if (message.state == State::pending) await_answer(message);
  if (message.state == State::overdue && ++overdue_[aor] == 1) held_.push_back({aor, true});
}

void SystemMessages::leave(Message& message) {
  const std::string& aor = message.row.aor;
  wheel_.cancel(message.timer);
  if (is_closed(message.state)) {
    closed_.erase({message.row.changed_ms, message.row.id});
    return;
  }
  lower_count(open_, aor);
  if (message.state != State::overdue) return;
  lower_count(overdue_, aor);
  if (!overdue_.contains(aor)) held_.push_back({aor, false});
}

void SystemMessages::happens(Message& message, Event event) {
  const State next = next_state(message.state, event);
  if (next == message.state) return;
  leave(message);
  message.state = next;
  message.row.changed_ms = wall_ms_;
  if (next == State::pending) {
    message.row.deadline_ms = wall_ms_ + std::int64_t{message.row.answer_within_s} * 1000;
  }
  enter(message);
  if (next == State::overdue) metrics_.add(Metric::im_system_overdue);
  out_->store({0, core::PutSystemMessage{row_of(message)}});
}

// A process that ends meanwhile leaves the deadline to the next one.
void SystemMessages::await_answer(Message& message) {
  const std::int64_t left = std::max<std::int64_t>(1, message.row.deadline_ms - wall_ms_);
  wheel_.arm(message.timer, now_ + std::chrono::milliseconds(left));
}

void SystemMessages::sweep() {
  const std::int64_t kept = std::chrono::duration_cast<std::chrono::milliseconds>(config_->im.system.kept).count();
  while (!closed_.empty() && closed_.begin()->first.first + kept <= wall_ms_) {
    remove(*messages_.get(closed_.begin()->second));
  }
  if (!closed_.empty()) wheel_.arm(sweep_timer_, now_ + sweep_every);
}

// --- operators

void SystemMessages::refuse_order(std::uint64_t question, std::string_view why) {
  std::string json = "{\"error\":";
  core::put_json_string(json, why);
  out_->admin_reply(question, json.append("}"));
}

void SystemMessages::give_id(std::uint64_t question, std::uint64_t id) {
  out_->admin_reply(question, "{\"id\":\"" + std::to_string(id) + "\"}");
}

void SystemMessages::order(std::uint64_t question, SystemMessageOrder order) {
  if (const std::string why = why_no_order(order); !why.empty()) {
    refuse_order(question, why);
    return;
  }
  if (draining_) {
    refuse_order(question, "this server is about to end");
    return;
  }
  if (open_of(order.user) >= config_->im.system.per_user_max) {
    metrics_.add(Metric::im_system_limit);
    refuse_order(question, "the user has --system-messages-per-user-max open ones");
    return;
  }
  core::SystemMessageRow row;
  row.id = ids_.next(wall_ms_);
  row.aor = std::move(order.user);
  row.text = std::move(order.text);
  row.language = std::move(order.language);
  row.options = put_options(order.options);
  row.answer_within_s = order.answer_within_s;
  row.ordered_ms = row.changed_ms = wall_ms_;
  Message* const message = keep(std::move(row));
  if (message == nullptr) {
    metrics_.add(Metric::im_system_limit);
    refuse_order(question, "there are --system-messages-max open ones");
    return;
  }
  enter(*message);
  Waiting waiting{.message = message->self, .question = question, .option = {}, .answered = {}};
  if (!config_->stores_messages) {
    apply(waiting, true);
    return;
  }
  const std::uint64_t number = ++numbers_;
  out_->store({store_token(StoreOwner::system, number), core::PutSystemMessage{row_of(*message)}});
  waiting_.emplace(number, std::move(waiting));
}

std::string SystemMessages::list(std::uint64_t limit) const {
  std::string json = "[";
  for (const auto& [id, slot] : by_id_) {
    if (limit-- == 0) break;
    const Message& message = *messages_.get(slot);
    const core::SystemMessageRow& row = message.row;
    json.append(json.size() > 1 ? ",{\"id\":\"" : "{\"id\":\"").append(std::to_string(id)).append("\"");
    put_json_field(json, "user", row.aor);
    put_json_field(json, "state", name_of(message.state));
    put_json_field(json, "status", std::uint64_t{row.status});
    put_json_field(json, "answer", row.answer.empty() ? std::string_view("-") : std::string_view(row.answer));
    put_json_field(json, "answer_within_seconds", std::uint64_t{row.answer_within_s});
    put_json_field(json, "seconds_left", message.state == State::pending ? seconds(row.deadline_ms - wall_ms_) : 0);
    put_json_field(json, "seconds_ago", seconds(wall_ms_ - row.ordered_ms));
    json += '}';
  }
  return json += ']';
}

bool SystemMessages::close(std::uint64_t id) {
  Message* const message = find(id);
  if (message == nullptr) return false;
  remove(*message);
  return true;
}

// --- users

std::uint16_t SystemMessages::answer(const Answer& answer) {
  std::uint64_t id = 0;
  const char* const end = answer.id.data() + answer.id.size();
  const auto read = std::from_chars(answer.id.data(), end, id);
  Message* const message = read.ec == std::errc{} && read.ptr == end ? find(id) : nullptr;
  // OMA-SYS-7. Whether somebody else has one of that id is not for him to know.
  if (message == nullptr || message->row.aor != answer.aor) {
    metrics_.add(Metric::im_system_bad_answers);
    return 403;
  }
  const auto options = read_options(message->row.options);
  const bool known = options && std::any_of(options->begin(), options->end(),
                                            [&](const SystemMessageOption& each) { return each.id == answer.option; });
  if (!known) {
    metrics_.add(Metric::im_system_bad_answers);
    return 400;
  }
  if (message->state == State::answered) return 200;
  Waiting waiting{.message = message->self,
                  .question = 0,
                  .option = std::string(answer.option),
                  .answered = {.shard = answer.shard, .server = answer.server}};
  if (!config_->stores_messages) {
    apply(waiting, true);
    return 0;
  }
  core::SystemMessageRow row = row_of(*message);
  row.state = static_cast<std::uint32_t>(State::answered);
  row.answer = waiting.option;
  row.changed_ms = wall_ms_;
  const std::uint64_t number = ++numbers_;
  out_->store({store_token(StoreOwner::system, number), core::PutSystemMessage{std::move(row)}});
  waiting_.emplace(number, std::move(waiting));
  return 0;
}

bool SystemMessages::next_answered(Answered& answered) {
  if (answered_.empty()) return false;
  answered = answered_.front();
  answered_.pop_front();
  return true;
}

bool SystemMessages::next_held(Held& held) {
  if (held_.empty()) return false;
  held = std::move(held_.front());
  held_.pop_front();
  return true;
}

// --- the store

void SystemMessages::on_stored(const core::StoreResult& result) {
  const auto found = waiting_.find(store_number(result.token));
  if (found == waiting_.end()) return;
  const Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  apply(waiting, result.status == core::StoreResult::Status::done);
}

void SystemMessages::apply(const Waiting& waiting, bool stored) {
  Message* const message = messages_.get(waiting.message);
  if (waiting.question != 0) {
    if (!stored || message == nullptr) {
      if (message != nullptr) remove(*message);
      refuse_order(waiting.question, stored ? "it has been closed" : "the store does not take it");
      return;
    }
    metrics_.add(Metric::im_system_messages);
      give_id(waiting.question, message->row.id);
    queue(*message);
    return;
  }
  Answered answered = waiting.answered;
  if (!stored) {
    answered.status = 503;
  } else if (message != nullptr && message->state != State::answered) {
    message->row.answer = waiting.option;
    happens(*message, Event::answer);  // to the store again: its time may have run out meanwhile
    metrics_.add(Metric::im_system_answers);
  }
  answered_.push_back(answered);
}

}  // namespace parley::policy

// policy/stored_legs.cc - see stored_legs.h.
#include "policy/stored_legs.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "core/text.h"
#include "policy/carried_lines.h"
#include "policy/deferred_key.h"
#include "policy/imdn.h"
#include "policy/store_owner.h"

namespace parley::policy {

using core::Metric;
using Sent = msrp::Ends::Sent;

namespace {

constexpr std::uint32_t stored_legs_most = 1U << 20;

}  // namespace

StoredLegs::StoredLegs(const Parts& parts)
    : pool_(parts.pool), metrics_(parts.metrics), others_(parts.others), legs_(stored_legs_most) {}

StoredLegs::~StoredLegs() {
  for (const Fact& fact : facts_) {
    if (fact.fact.body.buffer != core::no_buffer) pool_.release(fact.fact.body.buffer);
  }
  if (told_.fact.body.buffer != core::no_buffer) pool_.release(told_.fact.body.buffer);
}

core::Span StoredLegs::line_value(std::string_view lines, std::string_view name) {
  std::size_t at = 0;
  while (at < lines.size()) {
    const std::size_t end = std::min(lines.find("\r\n", at), lines.size());
    const std::string_view line = lines.substr(at, end - at);
    if (line.size() > name.size() + 2 && core::equal_ignore_case(line.substr(0, name.size()), name) &&
        line[name.size()] == ':') {
      std::size_t value = at + name.size() + 1;
      while (value < end && lines[value] == ' ') ++value;
      return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(end - value)};
    }
    at = end + 2;
  }
  return {};
}

std::string StoredLegs::own_id(const core::DeferredRow& row) {
  char id[core::letters64_chars];
  core::letters_encode64(row.id, id);
  return {id, sizeof id};
}

StoredLegs::Leg* StoredLegs::get(msrp::EndHandle end) {
  return is_stored(end) ? legs_.get({stored_slot(end), end.generation}) : nullptr;
}

msrp::EndHandle StoredLegs::add(Leg made, const Limits& limits) {
  const bool is_record = made.record != nullptr;
  made.share = is_record   ? "history " + made.record->row.aor
               : made.gives ? "to " + made.row.aor
                            : "of " + made.row.sender;
  const auto share = shares_.find(made.share);
  if (share != shares_.end() && share->second.size() >= limits.per_user && !share->second.contains(made.owner)) {
    metrics_.add(is_record ? Metric::history_fetches_limit : Metric::im_deferred_large_user_limit);
    return {};
  }
  const std::uint32_t like_it = is_record ? records_ : legs_.size() - records_;
  const core::SlotId id = like_it < limits.legs ? legs_.emplace() : core::SlotId{};
  Leg* const leg = legs_.get(id);
  if (leg == nullptr) {
    metrics_.add(is_record ? Metric::history_fetches_limit : Metric::im_deferred_large_limit);
    return {};
  }
  ++shares_[made.share][made.owner];
  if (is_record) ++records_;
  *leg = std::move(made);
  leg->self = id;
  Fact& fact = facts_.emplace_back();
  fact.fact.kind = msrp::EndFact::Kind::connected;
  fact.fact.end = handle(id);
  return handle(id);
}

void StoredLegs::leave_share(const Leg& leg) {
  const auto share = shares_.find(leg.share);
  CHECK(share != shares_.end());
  const auto owner = share->second.find(leg.owner);
  CHECK(owner != share->second.end());
  if (--owner->second == 0) share->second.erase(owner);
  if (share->second.empty()) shares_.erase(share);
}

void StoredLegs::ask(Leg& leg, Asked what, std::uint64_t bytes, core::StoreOp op) {
  const std::uint64_t number = ++numbers_;
  op.token = store_token(StoreOwner::bodies, number);
  waiting_.emplace(number, Waiting{.leg = leg.self, .what = what, .bytes = bytes});
  out_->store(std::move(op));
}

void StoredLegs::tell(Leg& leg, std::uint16_t status, bool duplicate) {
  if (std::exchange(leg.over, true)) return;
  overs_.push_back({.end = handle(leg.self),
                    .owner = leg.owner,
                    .status = status,
                    .kept = !leg.gives && status == 200,
                    .lost = !leg.gives && status != 200 && status != 0,
                    .duplicate = duplicate,
                    .row = leg.gives ? core::DeferredRow{} : std::move(leg.row)});
}

bool StoredLegs::next_over(Over& over) {
  if (overs_.empty()) return false;
  over = std::move(overs_.front());
  overs_.pop_front();
  return true;
}

// --- into the store

msrp::EndHandle StoredLegs::keep(Keep what, const Limits& limits) {
  Leg leg;
  leg.owner = what.owner;
  leg.row = std::move(what.row);
  leg.call_id = std::move(what.call_id);
  leg.from_tag = std::move(what.from_tag);
  leg.bytes_max = what.bytes_max;
  leg.count_max = what.count_max;
  leg.user_bytes_max = what.user_bytes_max;
  leg.refused = what.refused;
  return add(std::move(leg), limits);
}

void StoredLegs::take(Leg& leg, const msrp::EndSend& message) {
  const bool another = !leg.row.large_head.empty() && leg.row.large_head != message.headers;
  if (leg.over || leg.ended || another) {  // OMA-LRG-1: one message
    if (message.flag != msrp::Flag::abort) answered(leg, 413, message.mark);
    return;
  }
  if (message.flag == msrp::Flag::abort) {
    begin_anew(leg);
    return;
  }
  leg.mark = message.mark;
  if (leg.row.large_head.empty()) leg.row.large_head = message.headers;
  if (leg.refused) {
    look_into(leg, message);
    return;
  }
  const std::uint64_t end = message.start - 1 + message.prefix.size() + message.body.length;
  const bool known = message.total != msrp::ByteRange::unknown;
  if (end > leg.bytes_max || (known && message.total > leg.bytes_max)) {
    metrics_.add(Metric::im_deferred_large_too_large);
    fail(leg, 413);
    return;
  }
  if (message.start != leg.block_start + leg.block.size()) {
    write_block(leg);
    leg.block_start = message.start;
  }
  put_bytes(leg, message.prefix);
  if (message.body.length != 0) put_bytes(leg, pool_.view(message.body));
  leg.row.large_bytes = std::max(leg.row.large_bytes, end);
  if (message.flag == msrp::Flag::end) {
    leg.ended = true;
    if (leg.row.large_bytes == 0) {  // there is nothing that could be brought to anybody
      metrics_.add(Metric::im_deferred_large_empty);
      fail(leg, 403);
      return;
    }
    write_block(leg);
    settle(leg);
  } else {
    pace(leg, message.source);
  }
}

// The head of a message/cpim stands in its row, so what it asks for can be read there.
void StoredLegs::put_bytes(Leg& leg, std::string_view bytes) {
  std::string& beginning = leg.row.body;
  if (beginning.size() < beginning_bytes && leg.block_start + leg.block.size() == beginning.size() + 1) {
    beginning.append(bytes.substr(0, beginning_bytes - beginning.size()));
  }
  while (!bytes.empty()) {
    if (leg.block.empty()) leg.block.reserve(block_bytes);
    const std::string_view part = bytes.substr(0, block_bytes - leg.block.size());
    leg.block.append(part);
    bytes.remove_prefix(part.size());
    if (leg.block.size() == block_bytes) write_block(leg);
  }
}

void StoredLegs::write_block(Leg& leg) {
  const std::uint64_t bytes = leg.block.size();
  if (bytes == 0) return;
  ++leg.writes;
  leg.in_flight += bytes;
  ask(leg, Asked::write, bytes,
      {0, core::WriteBody{.id = leg.row.id, .offset = leg.block_start - 1, .bytes = std::exchange(leg.block, {})}});
  leg.block_start += bytes;
}

// Who sends faster than the disk writes is not read. What had come by then is taken; where his connection serves others
// and can not be held, there is an end to that.
void StoredLegs::pace(Leg& leg, msrp::EndHandle source) {
  if (leg.in_flight < window_bytes) return;
  if (leg.in_flight > std::uint64_t{4} * window_bytes) {
    metrics_.add(Metric::im_deferred_large_window);
    fail(leg, 413);
    return;
  }
  if (leg.held.valid() || !source.valid()) return;
  leg.held = source;
  others_.hold(source);
}

void StoredLegs::let_go_on(Leg& leg) {
  if (leg.held.valid()) others_.release(std::exchange(leg.held, {}));
}

// All of it is written: it is made to last, and then its row says that it is there.
void StoredLegs::settle(Leg& leg) {
  if (!leg.ended || leg.writes != 0 || std::exchange(leg.settling, true)) return;
  ask(leg, Asked::sync, 0, {0, core::SyncBody{.id = leg.row.id}});
}

// What its row has to say of it.
void StoredLegs::read_beginning(Leg& leg) {
  core::DeferredRow& row = leg.row;
  const std::string_view type = line_value(row.large_head, "Content-Type").of(row.large_head);
  row.head.append("Content-Type: ").append(type.empty() ? std::string_view("text/plain") : type).append("\r\n");
  const WantedNotices wanted = wanted_notices(type, row.body);
  row.notices = wanted.notices;
  row.message_id = wanted.message_id;
}

// Of what can not be kept: when its beginning is there, or no more comes.
void StoredLegs::look_into(Leg& leg, const msrp::EndSend& message) {
  std::string& beginning = leg.row.body;
  const auto put = [&](std::string_view bytes) { beginning.append(bytes.substr(0, beginning_bytes - beginning.size())); };
  if (message.start == beginning.size() + 1) {
    put(message.prefix);
    if (message.body.length != 0) put(pool_.view(message.body));
  }
  if (message.flag == msrp::Flag::end || beginning.size() == beginning_bytes) fail(leg, 413);
}

void StoredLegs::put_row(Leg& leg) {
  read_beginning(leg);
  core::DeferredRow& row = leg.row;
  if (row.message_id.empty()) {
    row.key = deferred_key(digest_, {row.aor, row.sender, leg.call_id, leg.from_tag});
  } else {
    row.key = deferred_key(digest_, {row.aor, row.sender, row.message_id});
  }
  if (line_value(row.large_head, "Message-ID").length == 0) {  // without one its pieces would not be of one message
    row.large_head.insert(0, "Message-ID: " + own_id(row) + "\r\n");
  }
  row.request_id = line_value(row.large_head, "Message-ID").of(row.large_head);
  ask(leg, Asked::put, 0,
      {0, core::PutDeferred{.row = row, .count_max = leg.count_max, .bytes_max = leg.user_bytes_max}});
}

void StoredLegs::on_put(Leg& leg, core::StoreResult::Status status) {
  using Status = core::StoreResult::Status;
  if (status != Status::done) out_->store({0, core::DropBody{.id = leg.row.id}});
  switch (status) {
    case Status::done:
    case Status::duplicate:  // it is there, so it is no lie
      answered(leg, 200, leg.mark);
      tell(leg, 200, status == Status::duplicate);
      break;
    case Status::full:
      answered(leg, 413, leg.mark);
      tell(leg, 413);
      break;
    case Status::refused:
      answered(leg, 408, leg.mark);
      tell(leg, 408);
      break;
  }
  if (leg.closed) forget(leg);
}

void StoredLegs::answered(Leg& leg, std::uint16_t status, std::uint64_t mark) {
  Fact& fact = facts_.emplace_back();
  fact.fact.kind = msrp::EndFact::Kind::answered;
  fact.fact.end = handle(leg.self);
  fact.fact.mark = mark;
  fact.fact.status = status;
}

// Nothing of it stays. `status` 0: its sender knows.
void StoredLegs::fail(Leg& leg, std::uint16_t status) {
  if (leg.over) return;
  leg.block.clear();
  let_go_on(leg);
  out_->store({0, core::DropBody{.id = leg.row.id}});
  if (status != 0) {
    answered(leg, status, leg.mark);
    read_beginning(leg);
  }
  tell(leg, status);
}

// Its sender has broken it off, or his connection has: he may send it again in the same session, from its first byte on.
void StoredLegs::begin_anew(Leg& leg) {
  leg.block.clear();
  leg.block_start = 1;
  let_go_on(leg);
  out_->store({0, core::DropBody{.id = leg.row.id}});  // before all that is written of it from now on
  leg.row.large_head.clear();
  leg.row.large_bytes = 0;
  leg.row.body.clear();
}

void StoredLegs::on_stored(const core::StoreResult& result) {
  const auto found = waiting_.find(store_number(result.token));
  if (found == waiting_.end()) return;
  const Waiting waiting = found->second;
  waiting_.erase(found);
  Leg* const leg = legs_.get(waiting.leg);
  if (leg == nullptr) return;
  const bool good = result.status == core::StoreResult::Status::done;
  switch (waiting.what) {
    case Asked::write:
      --leg->writes;
      leg->in_flight -= waiting.bytes;
      if (leg->over) break;
      if (!good) {
        fail(*leg, 408);
        break;
      }
      if (leg->in_flight <= window_bytes / 2) let_go_on(*leg);
      if (!leg->ended) answered(*leg, 200, 0);  // it takes something
      settle(*leg);
      break;
    case Asked::sync:
      if (good) {
        put_row(*leg);
      } else {
        on_put(*leg, core::StoreResult::Status::refused);
      }
      break;
    case Asked::put: on_put(*leg, result.status); break;
    case Asked::read: on_read(*leg, result, waiting.bytes); break;
    case Asked::page: on_page(*leg, result); break;
  }
}

// --- facts

bool StoredLegs::next_fact(msrp::EndFact& fact) {
  if (told_.fact.body.buffer != core::no_buffer) pool_.release(told_.fact.body.buffer);
  told_ = {};
  for (;;) {
    while (facts_.empty() && !ready_.empty()) {
      const core::SlotId id = ready_.back();
      ready_.pop_back();
      if (Leg* const leg = legs_.get(id)) pump(*leg);
    }
    if (facts_.empty()) return false;
    told_ = std::move(facts_.front());
    facts_.pop_front();
    Leg* const leg = get(told_.fact.end);
    if (leg == nullptr) {  // closed meanwhile
      if (told_.fact.body.buffer != core::no_buffer) pool_.release(told_.fact.body.buffer);
      told_ = {};
      continue;
    }
    if (told_.fact.kind == msrp::EndFact::Kind::connected) {
      leg->begun = true;
      ready_.push_back(leg->self);
    }
    told_.fact.head = &told_.head;
    told_.fact.head_bytes = told_.text;
    told_.fact.message_id = told_.head.message_id.of(told_.text);
    fact = told_.fact;
    return true;
  }
}

// --- RoomLegs

void StoredLegs::close(msrp::EndHandle end) {
  if (!is_stored(end)) return others_.close(end);
  Leg* const leg = get(end);
  if (leg == nullptr) return;
  let_go_on(*leg);
  leg->closed = true;
  if (leg->settling && !leg->over) return;  // what was sent whole is stored
  if (!leg->gives) fail(*leg, 0);
  forget(*leg);
}

void StoredLegs::forget(Leg& leg) {
  leave_share(leg);
  if (leg.gives) --giving_;
  if (leg.record != nullptr) --records_;
  legs_.erase(core::SlotId(leg.self));
}

void StoredLegs::answer(msrp::EndHandle end, msrp::EndToken& token, std::uint16_t status) {
  if (!is_stored(end)) return others_.answer(end, token, status);
  Leg* const leg = get(end);
  if (leg == nullptr || !leg->gives || status == 200) return;
  if (leg->record != nullptr) return on_end(*leg, told_.fact.message_id, status);  // of the piece that the room was given
  tell(*leg, status == 400 ? std::uint16_t{408} : status);
}

Sent StoredLegs::send(msrp::EndHandle end, const msrp::EndSend& message) {
  if (is_stored(end))
    return get(end) == nullptr ? Sent::gone : Sent::sent;  // a room that keeps nothing has nothing else
  return others_.send(end, message);
}

void StoredLegs::fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
                         std::vector<msrp::Ends::NotSent>& not_sent) {
  if (legs_.size() == 0) return others_.fan_out(ends, message, not_sent);
  other_ends_.clear();
  for (const msrp::EndHandle end : ends) {
    if (!is_stored(end)) {
      other_ends_.push_back(end);
    } else if (Leg* const leg = get(end); leg == nullptr) {
      not_sent.push_back({end, Sent::gone});
    } else {
      take(*leg, message);
    }
  }
  if (other_ends_.empty()) return;
  if (!is_stored(message.source)) return others_.fan_out(other_ends_, message, not_sent);
  if (Leg* const from = get(message.source)) {
    from->to = other_ends_;
    ++from->unanswered;
  }
  msrp::EndSend own = message;
  own.source = {};  // it is paced here
  others_.fan_out(other_ends_, own, not_sent);
}

void StoredLegs::report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange& range,
                        std::uint16_t status, std::string_view headers) {
  if (!is_stored(end)) return others_.report(end, message_id, range, status, headers);
  Leg* const leg = get(end);
  if (leg == nullptr || !leg->gives) return;
  if (leg->record != nullptr) return on_end(*leg, message_id, status);
  tell(*leg, status);
}

std::uint64_t StoredLegs::waiting_bytes(msrp::EndHandle end) const {
  if (!is_stored(end)) return others_.waiting_bytes(end);
  const Leg* const leg = get(end);
  return leg == nullptr || leg->gives ? 0 : leg->in_flight + (leg->settling && !leg->over ? 1U : 0U);
}

void StoredLegs::hold(msrp::EndHandle end) {
  if (!is_stored(end)) return others_.hold(end);
  if (Leg* const leg = get(end)) ++leg->holds;
}

void StoredLegs::release(msrp::EndHandle end) {
  if (!is_stored(end)) return others_.release(end);
  Leg* const leg = get(end);
  if (leg == nullptr || leg->holds == 0) return;
  if (--leg->holds == 0) ready_.push_back(leg->self);
}

}  // namespace parley::policy

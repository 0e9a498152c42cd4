// policy/message_search.cc - see message_search.h.
#include "policy/message_search.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/json_text.h"
#include "policy/cpim.h"
#include "policy/deferred_list.h"
#include "policy/store_owner.h"

namespace parley::policy {

using core::Metric;
using core::put_json_field;

namespace {

constexpr std::uint32_t rows_max = 512;        // of one id: a message to many waits for each
constexpr std::size_t traced_max = 256;        // likewise
constexpr std::size_t copies_shown_max = 200;  // of one message

std::string date_time(std::int64_t wall_ms) {
  std::string text;
  append_date_time(text, wall_ms);
  return text;
}

// Members of an object, the first of which has no comma before it.
void begin_object(std::string& json, std::string_view name, std::string_view text) {
  if (json.back() != '[') json += ',';
  json.append("{\"").append(name).append("\":");
  core::put_json_string(json, text);
}

std::string_view to_string(TracedPager::Way way) {
  using Way = TracedPager::Way;
  switch (way) {
    case Way::direct: return "direct";
    case Way::list: return "list";
    case Way::copy: return "copy";
    case Way::stored: return "stored";
    case Way::session: return "session";
    case Way::fetched: return "fetched";
    case Way::system: return "system";
    case Way::notice: return "notice";
    case Way::carried: return "carried";
  }
  return "";
}

std::string_view outcome_of(const TracedPager& message) {
  if (message.status == 0) {
    const bool forgotten = message.hops != 0 && message.hop[0].result == TracedHop::Result::unawaited;
    if (message.came == TracedPager::Came::broken_off) return "broken off";
    return forgotten ? "passed on" : "under way";
  }
  if (message.status >= 300) return "failed";
  if (message.kept) return "kept";
  return message.way == TracedPager::Way::list ? "taken" : "delivered";
}

void put_hop(const TracedHop& hop, std::string& json) {
  std::string to;
  if (hop.transport != core::Transport::pipe) {  // which says who is behind it, not how he came
    to.append(name_of(hop.transport)).append(":");
  }
  begin_object(json, "to", to.append(core::to_string(hop.remote)));
  put_json_field(json, "sent_after_ms", hop.sent_ms);
  switch (hop.result) {
    case TracedHop::Result::unawaited: put_json_field(json, "result", "not awaited"); break;
    case TracedHop::Result::open: put_json_field(json, "result", "open"); break;
    case TracedHop::Result::answered: put_json_field(json, "result", std::to_string(hop.status)); break;
    case TracedHop::Result::silent: put_json_field(json, "result", "no answer"); break;
    case TracedHop::Result::lost: put_json_field(json, "result", "connection lost"); break;
  }
  if (hop.result != TracedHop::Result::open) put_json_field(json, "result_after_ms", hop.answered_ms);
  json += '}';
}

void put_passed(const TracedPager& message, std::int64_t wall_ms, std::string& json) {
  begin_object(json, "way", to_string(message.way));
  put_json_field(json, "outcome", outcome_of(message));
  put_json_field(json, "status", message.status);
  put_json_field(json, "from", message.sender.view());
  put_json_field(json, "to", message.recipient.view());
  put_json_field(json, "at", date_time(message.wall_ms));
  put_json_field(json, "at_ms", static_cast<std::uint64_t>(message.wall_ms));
  put_json_field(json, "seconds_ago", static_cast<std::uint64_t>(std::max<std::int64_t>(0, wall_ms - message.wall_ms)) / 1000);
  put_json_field(json, "answered_after_ms", message.answered_ms);
  put_json_field(json, "bytes", message.bytes);
  put_json_field(json, "message_id", message.message_id.view());
  put_json_field(json, "call_id", message.call_id.view());
  if (message.way == TracedPager::Way::list) {
    put_json_field(json, "copies", message.copies);
    put_json_field(json, "copies_taken", message.taken);
    put_json_field(json, "copies_failed", message.failed);
  }
  json.append(",\"hops\":[");
  for (std::size_t i = 0; i < std::min<std::size_t>(message.hops, TracedPager::hops_max); ++i) put_hop(message.hop[i], json);
  json += ']';
  if (message.hops > TracedPager::hops_max) put_json_field(json, "hops_left_out", message.hops - TracedPager::hops_max);
  json += '}';
}

std::string_view to_string(Exploder::Open::State state) {
  using State = Exploder::Open::State;
  switch (state) {
    case State::storing: return "being stored";
    case State::waiting: return "waiting";
    case State::behind: return "behind others";
    case State::sending: return "under way";
  }
  return "";
}

void put_sending(const Exploder::Open& open, std::string& json) {
  const core::SendingRow& row = open.row;
  begin_object(json, "to", row.list);
  put_json_field(json, "from", row.sender);
  put_json_field(json, "since", date_time(row.arrived_ms));
  put_json_field(json, "bytes", row.body.size());
  put_json_field(json, "message_id", row.message_id);
  put_json_field(json, "call_id", row.call_id);
  put_json_field(json, "open", open.copies.size());
  json.append(",\"recipients\":[");
  for (std::size_t i = 0; i < std::min(open.copies.size(), copies_shown_max); ++i) {
    begin_object(json, "to", open.copies[i].uri);
    put_json_field(json, "state", to_string(open.copies[i].state));
    json += '}';
  }
  json.append("]}");
}

std::string_view to_string(Deferred::Tries::State state) {
  using State = Deferred::Tries::State;
  switch (state) {
    case State::none: return "not there";
    case State::resting: return "later";
    case State::queued: return "in line";
    case State::sending: return "under way";
  }
  return "";
}

void put_waiting(const core::DeferredRow& row, const Deferred::Tries& tries, std::string& json) {
  const DeferredEntry entry = deferred_entry(row);
  begin_object(json, "id", std::to_string(row.id));
  put_json_field(json, "for", row.aor);
  put_json_field(json, "from", row.sender);
  put_json_field(json, "since", date_time(row.arrived_ms));
  put_json_field(json, "until", date_time(row.expires_ms));
  put_json_field(json, "bytes", row.size);
  put_json_field(json, "mode", to_string(entry.mode));
  put_json_field(json, "user_knows", policy::to_string(row.state));
  put_json_field(json, "delivery", to_string(tries.state));
  put_json_field(json, "failed_rounds", tries.failures);
  if (tries.last_status != 0) put_json_field(json, "last_status", tries.last_status);
  if (tries.state == Deferred::Tries::State::resting)
    put_json_field(json, "next_in_seconds", static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(tries.next).count()));
  put_json_field(json, "message_id", row.message_id);
  put_json_field(json, "request_id", row.request_id);
  json += '}';
}

}  // namespace

std::string MessageSearch::answer(const core::AdminRequest& request) {
  if (!parts_.config->im.deferred.on) {
    std::string json;
    put(request.argument, {}, {}, json);
    return json;
  }
  if (asked_.size() >= parts_.config->where_questions_max) {
    parts_.metrics.add(Metric::where_limit);
    std::string json;
    put(request.argument, {}, "too many ask the store (--where-questions-max): what waits in it is not told", json);
    return json;
  }
  const std::uint64_t number = ++numbers_;
  asked_.emplace(number, request);
  out_->store({store_token(StoreOwner::where, number), core::FindMessage{request.argument, rows_max}});
  return {};
}

void MessageSearch::on_found(const core::StoreResult& result) {
  const auto asked = asked_.find(store_number(result.token));
  if (asked == asked_.end()) return;
  const core::AdminRequest request = std::move(asked->second);
  asked_.erase(asked);
  const bool read = result.status == core::StoreResult::Status::done;
  std::string json;
  put(request.argument, result.rows,
      !read         ? "the store does not answer: what waits in it is not told"
      : result.more ? "more wait in the store than are told"
                    : "",
      json);
  out_->admin_reply(request.id, std::move(json));
}

void MessageSearch::put(std::string_view id, std::span<const core::DeferredRow> rows, std::string_view note,
                        std::string& json) {
  json = "{\"waiting\":[";
  for (const core::DeferredRow& row : rows) {
    if (parts_.home.has(row.aor)) put_waiting(row, parts_.deferred.tries_of(row.aor), json);
  }
  json.append("],\"sending\":[");
  for (const Exploder::Open& open : parts_.exploder.open_of(id)) put_sending(open, json);
  json.append("],\"passed\":[");
  // What sums up the others is the oldest, and must not be what does not fit.
  std::size_t room = traced_max;
  const auto sums = [](const TracedPager& message) { return message.way == TracedPager::Way::list; };
  parts_.trace.for_each(id, [&](const TracedPager& message) {
    if (sums(message) && room != 0) --room;
  });
  std::size_t left_out = 0;
  const auto pass = [&](const TracedPager& message) {
    if (!sums(message) && room == 0) {
      ++left_out;
      return;
    }
    if (!sums(message)) --room;
    put_passed(message, wall_ms_, json);
  };
  parts_.trace.for_each(id, pass);
  parts_.carried.for_each(id, pass);
  json.append("],\"notes\":[");
  if (!note.empty()) core::put_json_string(json, note);
  if (left_out != 0) {
    if (!note.empty()) json += ',';
    core::put_json_string(json, std::to_string(left_out) + " more passed than are told");
  }
  json.append("],\"rooms\":");
  json.append(
      parts_.focus.answer_admin({.kind = core::AdminRequest::Kind::trace, .argument = std::string(id)}, wall_ms_));
  json += '}';
}

}  // namespace parley::policy

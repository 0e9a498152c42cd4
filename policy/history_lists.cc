// policy/history_lists.cc - see history_lists.h.
#include "policy/history_lists.h"

#include <algorithm>
#include <utility>

#include "core/json_text.h"

namespace parley::policy {

using core::Metric;

namespace {

constexpr std::uint32_t page_count = 100;

}  // namespace

void HistoryLists::ask(Question question, decltype(core::StoreOp::what) what) {
  const std::uint64_t number = ++numbers_;
  asked_.emplace(number, std::move(question));
  out_->store({store_token(StoreOwner::history_lists, number), std::move(what)});
}

void HistoryLists::list(std::uint64_t question, std::string_view aor, HistoryList::Form form) {
  read({.aor = std::string(aor), .form = form, .bytes_max = config_->im.history_access.list_bytes_max, .id = question});
}

void HistoryLists::read(Question question) {
  question.list = std::make_unique<HistoryList>(question.form, domain(), question.bytes_max);
  question.kept = cache_.find({question.aor, question.form, question.bytes_max, question.list->domain()}, wall_ms_);
  load(std::move(question), 0);
}

void HistoryLists::load(Question question, std::uint64_t after) {
  core::LoadHistories load{.aor = question.aor, .after = after, .count_max = page_count};
  if (after == 0 && question.kept != nullptr) load.unless = question.kept->version;
  ask(std::move(question), std::move(load));
}

void HistoryLists::remove(std::uint64_t question, std::string_view aor, std::vector<std::uint64_t> ids) {
  remove_more({.aor = std::string(aor), .ids = std::move(ids), .id = question}, 0);
}

void HistoryLists::remove_more(Question question, std::uint64_t through) {
  core::RemoveHistory remove{
      .aor = question.aor, .ids = question.ids, .all = question.ids.empty(), .through = through};
  ask(std::move(question), std::move(remove));
}

void HistoryLists::on_stored(const core::StoreResult& result) {
  const auto found = asked_.find(store_number(result.token));
  if (found == asked_.end()) return;
  Question question = std::move(found->second);
  asked_.erase(found);
  if (question.list == nullptr) {
    on_removed(question, result);
  } else if (result.status != core::StoreResult::Status::done) {
    metrics_.add(Metric::history_unreadable);
    for (const sip::NotifyFact& fact : question.notifies) notify(fact, nullptr);
    if (question.id != 0) reply(question, "{\"error\":\"the store does not answer\",\"status\":503}");
  } else {
    on_loaded(question, result);
  }
}

// Who asked has his answer when all is gone. What is left when the store refuses, or the process dies, he can remove again.
void HistoryLists::on_removed(Question& question, const core::StoreResult& result) {
  metrics_.add(Metric::history_deleted, result.removed);
  question.removed += result.removed;
  const bool done = result.status == core::StoreResult::Status::done;
  if (done && result.more) return remove_more(std::move(question), result.through);
  if (question.removed != 0) changed(question.aor);
  if (!done) {
    metrics_.add(Metric::history_unreadable);
    return reply(question, "{\"error\":\"the store does not answer\",\"status\":503}");
  }
  std::string json = question.removed != 0 ? "{\"deleted\":true,\"records\":" : "{\"deleted\":false,\"records\":";
  reply(question, json.append(std::to_string(question.removed)).append("}"));
}

void HistoryLists::on_loaded(Question& question, const core::StoreResult& result) {
  if (result.unchanged) {
    metrics_.add(Metric::history_lists_kept);
    return finish(question, *question.kept);
  }
  if (!question.version) question.version = result.version;
  for (const core::HistoryRecordRow& row : result.histories) {
    if (row.ended_ms != 0 && row.expires_ms <= wall_ms_) continue;
    if (row.ended_ms != 0) question.until_ms = std::min(question.until_ms, row.expires_ms);
    question.list->add(row, digest_);
  }
  if (result.more && !result.histories.empty()) {
    load(std::move(question), result.histories.back().id);
    return;
  }
  auto read = std::make_shared<ReadHistoryList>(ReadHistoryList{.list = question.list->finish(),
                                                                .records = question.list->records(),
                                                                .version = *question.version,
                                                                .until_ms = question.until_ms});
  metrics_.add(Metric::history_lists_read);
  finish(question, *read);
  // Of a list whose pages are of different times the version has been over since.
  cache_.put({question.aor, question.form, question.bytes_max, question.list->domain()}, std::move(read),
             config_->im.history_access.list_cache_bytes_max);
}

void HistoryLists::finish(const Question& question, const ReadHistoryList& read) {
  const ListDocument& list = read.list;
  if (list.left_out != 0) metrics_.add(Metric::history_list_limit);
  for (const sip::NotifyFact& fact : question.notifies) notify(fact, &list);
  if (question.id == 0) return;
  if (question.form == HistoryList::Form::entries) {
    reply(question, list.text);
    return;
  }
  std::string json = "{\"etag\":";
  core::put_json_utf8(json, list.etag);
  json.append(",\"records\":").append(std::to_string(read.records)).append(",\"document\":");
  core::put_json_utf8(json, list.text);
  reply(question, json.append("}"));
}

}  // namespace parley::policy

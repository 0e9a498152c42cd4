// policy/history_lists.h - what is asked of users' histories: the list of a user's records, and that some are deleted
// (OMA-HIS-1, OMA-HIS-5).
//
// One per shard, used by its thread alone; a user belongs to the shard that his address of record names. Rows lie in the
// store (core/store/store.h) and are read whenever a list is due: nothing of them is kept here.
//
//   list(), remove()   questions; answered by Outbox::admin_reply
//   next_deleted()     whose list has become shorter
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/metrics.h"
#include "core/seam.h"
#include "policy/history_list.h"
#include "policy/sip_config.h"
#include "policy/store_owner.h"

namespace parley::policy {

class HistoryLists {
 public:
  HistoryLists(core::Metrics& metrics, std::shared_ptr<const SipConfig> config)
      : metrics_(metrics), config_(std::move(config)) {}

  void begin(const core::Now& now, core::Outbox& out) {
    wall_ms_ = now.wall_ms;
    out_ = &out;
  }
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }

  // document: {"etag":"...","records":2,"document":"<?xml ..."}; entries: as HistoryList has them.
  void list(std::uint64_t question, std::string_view aor, HistoryList::Form form);
  // {"deleted":true,"records":1}, or false: he has no such record. `ids` empty: all that he has.
  void remove(std::uint64_t question, std::string_view aor, std::vector<std::uint64_t> ids);

  [[nodiscard]] bool next_deleted(std::string& aor);
  void on_stored(const core::StoreResult& result);

  // For tests at rest.
  [[nodiscard]] std::size_t open_work() const { return asked_.size(); }

 private:
  struct Question {
    std::uint64_t id = 0;
    std::string aor;
    HistoryList::Form form = HistoryList::Form::document;
    std::unique_ptr<HistoryList> list{};  // null: some are deleted
  };

  void ask(Question question, decltype(core::StoreOp::what) what);
  void load(Question question, std::uint64_t after);
  void on_loaded(Question& question, const core::StoreResult& result);
  void reply(const Question& question, std::string json) { out_->admin_reply(question.id, std::move(json)); }

  core::Metrics& metrics_;
  std::shared_ptr<const SipConfig> config_;
  core::Digest digest_;
  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;
  std::uint64_t numbers_ = 0;  // of tokens
  std::map<std::uint64_t, Question> asked_;
  std::deque<std::string> deleted_;
};

}  // namespace parley::policy

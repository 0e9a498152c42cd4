// policy/history_lists.h - what is asked of users' histories: the list of a user's records, that some are deleted, and
// subscriptions to it (OMA-HIS-1, OMA-HIS-5; as OMA-DEF-11 says of what waits for him).
//
// One per shard, used by its thread alone; a user belongs to the shard that his address of record names. Rows lie in the
// store (core/store/store.h) and are read when a list is due, unless it is kept from the last time and the store says that nothing
// has changed (history_list_cache.h). history_lists.cc has the questions, history_events.cc the subscriptions.
//
//   list(), remove()         questions; answered by Outbox::admin_reply
//   subscribe(), refresh()   a SUBSCRIBE without and with To tag, as those of RegEvents
//   changed()                a record of his has begun or ended, or is there no more
//   on_stored(), on_response(), on_fact(), on_flow_gone()
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/metrics.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "policy/event_dialogs.h"
#include "policy/history_list.h"
#include "policy/history_list_cache.h"
#include "policy/sip_config.h"
#include "policy/store_owner.h"
#include "policy/user_agent.h"
#include "policy/watched_users.h"

namespace parley::policy {

class HistoryLists {
 public:
  explicit HistoryLists(const UserAgent::Parts& parts);

  // A subscription of this shard and an earlier process, before the first step.
  void restore(const core::SubscriptionRow& row, const core::Now& now);
  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // --- questions

  // document: {"etag":"...","records":2,"document":"<?xml ..."}; entries: as HistoryList has them.
  void list(std::uint64_t question, std::string_view aor, HistoryList::Form form);
  // {"deleted":true,"records":1}, or false: he has no such record. `ids` empty: all that he has.
  void remove(std::uint64_t question, std::string_view aor, std::vector<std::uint64_t> ids);

  // --- SUBSCRIBE

  // That package, and documents of ours are wanted and none of others'.
  [[nodiscard]] bool wants(const sip::Received& request) const;
  // Whether a subscription has been in the dialog of this request.
  [[nodiscard]] bool knows(const sip::Received& request) const { return dialogs_.knows(request); }
  // As RegEvents::subscribe() and refresh(); `aor` is the key of its sender.
  [[nodiscard]] std::uint16_t subscribe(const sip::Received& request, const sip::RequestMatch& match, std::string_view aor,
                                        std::string_view user);
  [[nodiscard]] std::uint16_t refresh(const sip::Received& request, const sip::RequestMatch& match);
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return dialogs_.headers(); }
  void clear() { dialogs_.clear(); }
  [[nodiscard]] std::uint32_t granted_s() const { return dialogs_.granted_s(); }

  void changed(std::string_view aor) { watched_.remind(aor, dialogs_); }

  // --- what comes of it

  void on_stored(const core::StoreResult& result);
  // Of a transaction whose Owner is `history_subscriber`.
  void on_response(core::SlotId subscriber, const sip::Received& response, sip::TransactionId client) {
    dialogs_.on_response(subscriber, response, client);
  }
  void on_fact(core::SlotId subscriber, const sip::TransactionFact& fact) { dialogs_.on_fact(subscriber, fact); }
  void on_flow_gone(const sip::Flow& flow) { dialogs_.on_flow_gone(flow); }

  void reload(std::shared_ptr<const SipConfig> config);
  void drain() { dialogs_.drain(); }
  [[nodiscard]] bool drained() const { return dialogs_.drained(); }
  [[nodiscard]] core::Instant next_deadline() const { return dialogs_.next_deadline(); }
  [[nodiscard]] std::uint32_t subscribers() const { return dialogs_.dialogs(); }

  // For tests at rest.
  [[nodiscard]] std::size_t open_work() const { return asked_.size(); }

 private:
  enum Package : std::uint8_t { sip_profile, ua_profile, package_count };  // index into packages_
  struct Question {
    std::string aor{};
    HistoryList::Form form = HistoryList::Form::document;
    std::unique_ptr<HistoryList> list{};  // null: some are deleted
    std::uint64_t bytes_max = 0;          // of the list
    HistoryListCache::Pointer kept{};     // from the last time
    std::optional<std::uint64_t> version{};  // of the first page
    std::int64_t until_ms = std::numeric_limits<std::int64_t>::max();  // when the first of these records expires
    std::vector<std::uint64_t> ids{};     // these, or all
    std::uint64_t removed = 0;
    std::uint64_t id = 0;                 // of the question; 0: none
    std::deque<sip::NotifyFact> notifies{};
  };
  struct Usage {
    sip::SubscriptionId subscription;
    bool diff = false;   // it is only told that the list has changed
    std::string etag{};  // that it was told last
  };
  using Watched = WatchedUsers<Usage>::Watched;

  [[nodiscard]] std::string_view domain() const {
    return config_->domains.empty() ? std::string_view(config_->realm) : std::string_view(config_->domains.front());
  }
  void ask(Question question, decltype(core::StoreOp::what) what);
  void read(Question question);
  void load(Question question, std::uint64_t after);
  void on_loaded(Question& question, const core::StoreResult& result);
  void finish(const Question& question, const ReadHistoryList& read);
  void remove_more(Question question, std::uint64_t through);
  void on_removed(Question& question, const core::StoreResult& result);
  void reply(const Question& question, std::string json) { out_->admin_reply(question.id, std::move(json)); }

  // `list` null: it could not be read, and is tried again when the next NOTIFY may go.
  void notify(const sip::NotifyFact& fact, const ListDocument* list);

  core::Metrics& metrics_;
  sip::Transport& transport_;
  std::shared_ptr<const SipConfig> config_;
  core::Digest digest_;
  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;

  sip::EventPackage packages_[package_count];
  const std::string allowed_events_;
  EventDialogs dialogs_;
  WatchedUsers<Usage> watched_;
  HistoryListCache cache_;

  std::uint64_t numbers_ = 0;  // of tokens
  std::map<std::uint64_t, Question> asked_;
};

}  // namespace parley::policy

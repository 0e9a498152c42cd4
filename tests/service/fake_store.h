// tests/service/fake_store.h - a store in memory for SipWorld: what core/store/store.h promises, with a disk that does as the
// test says.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/store/store.h"

namespace parley::tests {

class FakeStore {
 public:
  struct Answer {
    std::uint32_t shard = 0;
    core::StoreResult result;
  };
  bool stopped = false;  // nothing reaches the disk and nothing is answered
  bool full = false;     // it refuses what would be stored
  bool unread = false;   // and gives nothing out
  std::uint32_t histories_removed_max = 20;  // records, by one RemoveHistory
  std::uint64_t history_pages = 0;           // that were asked for
  std::function<void(const core::StoreResult&)> on_answer{};  // before it is given

  std::map<std::uint64_t, core::DeferredRow> deferred;
  std::map<std::uint64_t, std::string> bodies;  // of large messages
  std::uint64_t bodies_written = 0;             // bytes, all together
  std::uint64_t body_bytes_max = ~std::uint64_t{0};  // the disk is full then
  std::map<std::uint64_t, core::SendingRow> sendings;
  std::map<std::uint64_t, core::SystemMessageRow> system_messages;
  std::map<std::pair<std::string, std::string>, core::PublicationRow> publications;
  std::map<std::string, core::SessionRow> sessions;
  std::map<std::uint64_t, core::SubscriptionRow> subscriptions;
  std::uint64_t subscriptions_written = 0;
  std::map<std::pair<std::string, std::uint64_t>, core::BindingRow> bindings;
  std::map<std::uint64_t, core::HistoryRecordRow> histories;
  std::map<std::pair<std::uint64_t, std::uint32_t>, core::HistoryMessageRow> history_messages;

  void submit(std::uint32_t shard, std::vector<core::StoreOp>& ops);
  // What is answered next. False: nothing.
  bool next(Answer& answer);
  // A process begins.
  void begin(std::int64_t now_ms);
  // A crash: what was not on the disk is gone, and the next process removes bodies that no message has.
  void lose_waiting();
  [[nodiscard]] core::StoreContents contents() const;

 private:
  using Status = core::StoreResult::Status;
  struct Submitted {
    std::uint32_t shard = 0;
    core::StoreOp op;
  };

  void carry_out(const core::PutBinding& put, core::StoreResult&);
  void carry_out(const core::PutPublication& put, core::StoreResult&);
  void carry_out(const core::RemovePublication& remove, core::StoreResult&);
  void carry_out(const core::PutSubscription& put, core::StoreResult&);
  void carry_out(const core::RemoveSubscription& remove, core::StoreResult&);
  void carry_out(const core::PutSession& put, core::StoreResult&);
  void carry_out(const core::RemoveSession& remove, core::StoreResult&);
  void carry_out(const core::RemoveBinding& remove, core::StoreResult&);
  void carry_out(const core::PutDeferred& put, core::StoreResult& result);
  void carry_out(const core::RemoveDeferred& remove, core::StoreResult&);
  static std::uint64_t size_of(const core::DeferredRow& row) {
    return row.head.size() + row.body.size() + row.large_bytes;
  }
  void carry_out(const core::LoadMessage& load, core::StoreResult& result);
  void carry_out(const core::AskDeferred& ask, core::StoreResult& result);
  void carry_out(const core::WriteBody& write, core::StoreResult& result);
  void carry_out(const core::SyncBody& sync, core::StoreResult& result);
  void carry_out(const core::ReadBody& read, core::StoreResult& result);
  void carry_out(const core::DropBody& drop, core::StoreResult&);
  void carry_out(const core::LoadDeferred& load, core::StoreResult& result);
  void carry_out(const core::LoadExpired& load, core::StoreResult& result);
  void carry_out(const core::LoadExpiring& load, core::StoreResult& result);
  void carry_out(const core::FindDeferred& find, core::StoreResult& result);
  void carry_out(const core::FindMessage& find, core::StoreResult& result);
  void carry_out(const core::MarkDeferred& mark, core::StoreResult&);
  static core::DeferredRow loaded(core::DeferredRow row, bool body);
  void carry_out(const core::PutSending& put, core::StoreResult& result);
  void carry_out(const core::RemoveCopy& remove, core::StoreResult&);
  void carry_out(const core::RemoveSending& remove, core::StoreResult&);
  void carry_out(const core::PutSystemMessage& put, core::StoreResult& result);
  void carry_out(const core::RemoveSystemMessage& remove, core::StoreResult&);
  // How much of histories a user has: records, messages, bytes.
  struct Held {
    std::uint64_t records = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] Held held_by(const std::string& aor) const;
  [[nodiscard]] core::HistoryRecordRow summed(core::HistoryRecordRow row) const;
  // 0: there is none.
  [[nodiscard]] std::uint64_t oldest_history(const std::string& aor, std::uint64_t but, bool ended, bool spoken) const;
  std::uint32_t remove_history(std::uint64_t id);
  void carry_out(const core::PutHistory& put, core::StoreResult& result);
  void carry_out(const core::EndHistory& end, core::StoreResult&);
  void carry_out(const core::AddHistoryMessage& add, core::StoreResult& result);
  void carry_out(const core::RemoveHistory& remove, core::StoreResult& result);
  void carry_out(const core::RemoveHistoryExpired& remove, core::StoreResult& result);
  // Tests write rows as they like: the version is what they are.
  [[nodiscard]] std::uint64_t version_of(const std::string& aor) const;
  void carry_out(const core::LoadHistories& load, core::StoreResult& result);
  void carry_out(const core::LoadHistoryMessages& load, core::StoreResult& result);
  void carry_out(const core::FindHistory& find, core::StoreResult& result);
  // No shard writes these.
  void carry_out(const core::PutXcap&, core::StoreResult&);
  void carry_out(const core::RemoveXcap&, core::StoreResult&);

  std::deque<Submitted> waiting_;
  std::map<std::uint64_t, std::uint64_t> claims_;
};

}  // namespace parley::tests

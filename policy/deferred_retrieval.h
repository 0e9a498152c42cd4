// policy/deferred_retrieval.h - REFER for deferred messages: their user has them sent to himself, or to somebody else
// (OMA-DEF-13, OMA-DEF-14; RFC 3515, RFC 4488, RFC 5368); likewise for records of his history that are one short message
// (OMA-HIS-5).
//
//   REFER sip:Deferred@DOMAIN      Refer-To: <its reference>       it is sent to him
//   REFER sip:himself@DOMAIN       the same
//   REFER sip:Deferred@DOMAIN      Refer-To: <cid:...>, a list of references: one after the other
//   REFER <its reference>          Refer-To: <sip:carol@...>       it is sent to her (to himself: as above)
//
// What he takes is deleted. What is sent on has the From of who wrote it, him as P-Asserted-Identity and Referred-By,
// and stays: he has not read it yet; nobody keeps it for her when she can not be reached. A record stays in any case; its function
// is that of --history-uri. One per shard, used by its
// thread alone; the user's shard has his REFERs. What is sent comes out as Errands.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/store_owner.h"
#include "policy/user_agent.h"
#include "sip/dialog.h"

namespace parley::policy {

class DeferredRetrieval : public UserAgent {
 public:
  explicit DeferredRetrieval(const Parts& parts);
  ~DeferredRetrieval();

  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // A message that waits, or a record.
  struct StoredName {
    std::uint64_t id = 0;
    bool record = false;
  };
  // By the user part of a URI of ours.
  [[nodiscard]] std::optional<StoredName> name_of(std::string_view user) const;
  struct Ask {
    const Received& request;
    const sip::RequestMatch& match;
    std::string_view aor;  // key of its sender
    StoredName named{};    // what its URI names; id 0: nothing
  };
  // 0: it is answered, now or later. Else what to answer, with headers().
  [[nodiscard]] std::uint16_t refer(const Ask& ask);
  // Whether Refer-To of a request names a message of ours.
  [[nodiscard]] bool names_message(const Received& request) const;

  struct Removed {
    std::string aor;
    std::uint64_t id = 0;
  };
  [[nodiscard]] bool next_removed(Removed& removed);

  void on_stored(const core::StoreResult& result);
  void on_response(core::SlotId id, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId id, std::uint32_t number);

  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  [[nodiscard]] bool drained() const { return retrievals_.empty(); }
  [[nodiscard]] core::Instant next_deadline() const { return wheel_.next_deadline(); }

  // For tests at rest.
  [[nodiscard]] std::uint32_t live() const { return retrievals_.size(); }

 private:
  // What a REFER says.
  struct Asked {
    std::vector<std::uint64_t> ids;
    bool records = false;    // they are records
    std::string target;      // URI; empty: himself
    bool subscribes = true;  // its sender is to hear of the outcome
    bool echoes = false;     // Refer-Sub: false
    std::string warning;     // of a refusal
  };
  struct Retrieval {
    enum class State : std::uint8_t { finding, loading, sending };
    core::SlotId self;
    State state = State::finding;
    std::string left_out;  // what of it is not sent, and why
    std::string aor;
    Asked asked;
    sip::TransactionId server;
    std::size_t at = 0;                   // in asked.ids
    std::vector<core::HistoryRecordRow> records;  // likewise
    std::unique_ptr<sip::Dialog> dialog;  // null: nobody is told
    Way way;
    core::Instant until{};     // of that subscription
    std::uint32_t number = 0;  // of the errand that runs
    std::uint16_t status = 0;  // what came of it, and at last of the REFER
    core::Timer timer;         // until the store has answered
  };

  [[nodiscard]] std::uint16_t read(const Ask& ask, Asked& asked) const;
  [[nodiscard]] std::optional<StoredName> message_of(std::string_view uri) const;
  // False: it is of the other kind than those before it.
  [[nodiscard]] static bool take_name(Asked& asked, const StoredName& name);
  [[nodiscard]] bool is_own(std::string_view uri, std::string_view aor) const;
  void find(Retrieval& r);
  void on_found(Retrieval& r, const core::StoreResult& result);
  [[nodiscard]] std::uint16_t judge(Retrieval& r, std::uint64_t id, const core::StoreResult& result,
                                    std::string_view& why) const;
  [[nodiscard]] std::uint16_t judge_record(Retrieval& r, std::uint64_t id, const core::StoreResult& result,
                                           std::string_view& why) const;
  void on_message(Retrieval& r, const core::StoreResult& result);
  void on_record(Retrieval& r, const core::StoreResult& result);
  void refuse(Retrieval& r, std::uint16_t status, std::string_view why);
  void accept(Retrieval& r);
  void load(Retrieval& r);
  void send(Retrieval& r, const core::DeferredRow& row);
  void next(Retrieval& r, std::uint16_t status);
  void notify(Retrieval& r, std::uint16_t status, std::string_view over);
  void close(Retrieval& r);
  // Of the function that has them.
  [[nodiscard]] std::string_view own_uri(const Retrieval& r) const {
    return r.asked.records ? std::string_view(config_->im.history_access.uri) : config_->im.deferred_uris.front();
  }
  [[nodiscard]] std::string own_user(const Retrieval& r) const;
  [[nodiscard]] std::uint64_t ask(const Retrieval& r);

  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;
  core::SlotMap<Retrieval> retrievals_;
  std::map<std::string, std::uint32_t, std::less<>> of_user_;  // how many of them
  std::uint64_t numbers_ = 0;                                  // of tokens
  std::map<std::uint64_t, core::SlotId> asked_;                // of the store, by number
  std::deque<Removed> removed_;
  core::TimerWheel wheel_;
};

}  // namespace parley::policy

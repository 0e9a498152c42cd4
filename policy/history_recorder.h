// policy/history_recorder.h - the recording of users' conversations: messages that pass become rows of the store, of each
// user who wants it one record with his view (OMA-HIS-3, -4, -6, -7; SEED4-6.1.1.2.2-9, SEED4-6.1.2.2.2-19,
// SEED4-6.1.2.2.5-5).
//
// One per shard, used by its thread alone. A Talk is what is said between parties, which whoever opens it has numbers for:
// both sides of a call, or the users of a session. A message is put together once, however many record it. What is no
// message of a user is left out: isComposing and IMDN; what comes to no end, too. The store is told and not waited for:
// what it does not take is counted, and the session goes on.
//
//   begin(now, out)             at the start of each step
//   open(), close()             a talk
//   start(), stop()             a user's record of it
//   take(), drop()              pieces of messages; a message that was refused after all
//   accept()                    where what is said counts only once its user has it
//   pager()                     a record of one message
//   on_stored()                 answers of the store
//   end()                       looks for records whose time is over, and tells again what the store has refused
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "msrp/head.h"
#include "policy/history.h"
#include "policy/message_ids.h"
#include "policy/sip_config.h"
#include "policy/store_owner.h"

namespace parley::policy {

using TalkId = core::SlotId;

class HistoryRecorder {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    core::Metrics& metrics;
    MessageIds& ids;
    std::shared_ptr<const SipConfig> config;
  };
  explicit HistoryRecorder(const Parts& parts);

  // What a record says of its conversation, as its user may see it.
  struct Beginning {
    HistoryMode mode = HistoryMode::session;
    std::string aor;
    std::string from{};
    std::string to{};
    std::string group{};
    std::string people{};  // each with a line end; what is longer than people_bytes_max is cut
    std::string subject{};
    bool begun_by_owner = false;  // of pager() its message says it
  };
  static constexpr std::size_t people_bytes_max = 16 * 1024;
  // Each other text of a record or of a message. A subject is cut; of an address its name goes first, and nothing that is
  // longer still is there at all.
  static constexpr std::size_t text_bytes_max = 512;

  void begin(const core::Now& now, core::Outbox& out);
  void end();

  [[nodiscard]] bool on() const { return config_->im.history.on; }
  // Not valid(): there are as many as may be. `waits`: nothing of it is recorded before accept().
  [[nodiscard]] TalkId open(bool waits = false);
  // His records that have not been stopped are.
  void close(TalkId talk);
  // The user who is `party`, which is not 0. Each start() of one needs its stop(): he may be in with several devices.
  void start(TalkId talk, std::uint64_t party, Beginning beginning);
  void stop(TalkId talk, std::uint64_t party);

  struct Piece {
    std::uint64_t from = 0;    // a party
    std::uint64_t to = 0;      // the party it is for alone; 0: all
    std::uint64_t number = 0;  // of its message, where message_id alone does not tell it from others
    std::string_view message_id{};
    std::string_view type{};  // value of Content-Type; of later pieces it may be empty
    std::string_view bytes{};
    std::uint64_t start = 1;  // number of the first byte; 0: it follows what came before
    std::uint64_t total = msrp::ByteRange::unknown;
    bool first = true;  // of its SEND,
    bool last = true;   // of which `flag` says what comes behind
    msrp::Flag flag = msrp::Flag::end;
  };
  void take(TalkId talk, const Piece& piece);
  // What came of that message counts for nothing.
  void drop(TalkId talk, std::uint64_t from, std::string_view message_id);
  // What was said in one that waits is there, and what will be.
  void accept(TalkId talk);

  // A record of one message, which has been accepted.
  struct Message {
    bool sent = false;  // by him
    std::string_view type{};
    std::string_view body{};
    std::int64_t at_ms = 0;
  };
  void pager(Beginning beginning, const Message& message);

  void on_stored(const core::StoreResult& result);
  // Of whom a record has begun or ended, or is there no more, and the store has that.
  [[nodiscard]] bool next_changed(std::string& aor);
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  [[nodiscard]] core::Instant next_deadline() const { return std::min(look_at_, again_at_); }

  // For tests at rest. Nothing is recorded, and the store has heard of all that was.
  [[nodiscard]] bool rests() const { return talks_.size() == 0 && puts_.empty() && ends_.empty() && again_.empty(); }
  [[nodiscard]] std::uint32_t talks() const { return talks_.size(); }
  [[nodiscard]] std::uint64_t assembling_bytes() const { return assembling_bytes_; }

 private:
  struct Track {
    std::uint64_t party = 0;
    std::uint32_t uses = 1;
    core::HistoryRecordRow row;
    std::uint32_t number = 0;  // of the last message
    bool put = false;          // the store was told of the record, and has not refused it since
  };
  // A message of which more is to come, or that is whole in a talk that waits.
  struct Open {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::uint64_t number = 0;
    std::string message_id;
    std::string type;
    std::string body;
    std::uint64_t size = 0;  // what has come
    bool kept = true;
    bool done = false;
    // Of one that is not kept: what its beginning has told.
    bool excluded = false;
    std::string imdn_id{};
  };
  struct Talk {
    TalkId self;
    std::vector<Track> tracks;
    std::vector<Open> open;  // in the order in which they began
    std::uint64_t bytes = 0;  // of their bodies
    bool waits = false;
  };
  // A message that has come to its end.
  struct Whole {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::string_view message_id;
    std::string_view type;
    std::string_view body;
    std::uint64_t size = 0;
    bool kept = true;
  };
  using Body = std::shared_ptr<const std::string>;

  void append(Talk& talk, Open& message, std::string_view bytes);
  void give_way(Talk& talk, core::Metric why);
  void leave_out(Talk& talk, Open& message, core::Metric why);
  void set_bytes(Talk& talk, std::uint64_t bytes);
  void forget(Talk& talk, std::size_t index);
  void record(TalkId talk, const Open& message);
  void record(TalkId talk, const Whole& whole);
  void put(Track& track, TalkId talk);
  void add(Track& track, const Whole& whole, const Body& body, bool sent, std::int64_t at_ms);
  void finish(Track& track);
  struct Ending {
    std::string aor;  // of whom
    core::EndHistory what;
  };
  void tell(Ending ending);
  void tell_again();
  [[nodiscard]] core::HistoryRecordRow row_of(Beginning beginning, std::int64_t began_ms);
  [[nodiscard]] std::int64_t end_of_time(std::int64_t ended_ms) const;

  const std::uint32_t shard_;
  core::Metrics& metrics_;
  MessageIds& ids_;
  std::shared_ptr<const SipConfig> config_;
  core::Now now_{};
  core::Outbox* out_ = nullptr;
  core::SlotMap<Talk> talks_;
  std::uint64_t assembling_bytes_ = 0;
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_bytes_;  // bytes of bodies, talk: those that have some
  std::uint64_t numbers_ = 0;  // of tokens
  struct Asked {
    TalkId talk;
    std::uint64_t record = 0;
    std::string aor{};
  };
  std::map<std::uint64_t, Asked> puts_;     // by number: records that the store has yet to take, those of talks with theirs
  std::map<std::uint64_t, Ending> ends_;    // by number: that the store has yet to say it has ended
  std::deque<Ending> again_;                // that it has refused; what is told again at
  core::Instant again_at_ = core::never;
  std::deque<std::string> changed_;
  core::Instant look_at_ = core::never;  // of the first shard: for what has expired
  bool looking_ = false;
};

}  // namespace parley::policy

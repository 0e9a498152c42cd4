// policy/deferred.h - the deferred messaging function: pager messages for users who can not be reached are kept until they
// can (OMA-DEF-4 to OMA-DEF-9, OMA-DEF-15, OMA-PAG-5, SEED4-6.1.2.1-5).
//
// One per shard, used by its thread alone. A message is kept by whichever shard had to bring it; its user belongs to the
// shard that his address of record names, which sends him what waits. Rows lie in the store (core/store/store.h): here is
// only who has some, and the few that are under way. What is sent comes out as Errands, as those of Calls do.
//
//   keep()          a message; next_kept() tells what became of it, when it can not be lost any more
//   added()         by the shard that kept it, to the shard of its user
//   available()     he has registered, or wants to be sent what waits again
//   on_stored()     answers of the store
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/imdn.h"
#include "policy/message_ids.h"
#include "policy/pager_trace.h"
#include "policy/settings.h"
#include "policy/store_owner.h"
#include "policy/user_agent.h"
#include "sip/location.h"

namespace parley::policy {

class Deferred : public UserAgent {
 public:
  Deferred(const Parts& parts, const sip::Location& location, const Settings& settings, PagerTrace& trace);
  ~Deferred();

  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // --- what is to be kept

  struct Message {
    const sip::Received& request;
    std::string_view aor;     // of whom it is for
    std::string_view sender;  // policy::user_key of whom it comes from
    core::SlotId asker;       // who is told by next_kept()
    std::uint64_t id = 0;     // of MessageIds, when it came
    std::int64_t wall_ms = 0;  // likewise
    bool tried = false;       // devices of his are there and did not answer: they are left alone for a while
    bool proven = false;      // `sender` is who it is, whatever he calls himself
    std::string_view origin{};  // of Errand
  };
  // False: it is none to keep. forget() takes its id.
  [[nodiscard]] bool keep(const Message& message);
  // It has been brought after all, or nobody wants it kept any more.
  void forget(std::uint64_t id);

  struct Kept {
    enum class Outcome : std::uint8_t { kept, full, failed };
    core::SlotId asker;
    Outcome outcome = Outcome::kept;
    std::string aor;
    std::string sender;
    bool tried = false;
  };
  [[nodiscard]] bool next_kept(Kept& kept);

  // --- whom it is for, on the shard that his address of record names

  // Who had messages when the process began; before the first step.
  void restore(std::string_view aor) { restored_.emplace_back(aor); }
  // A message of that sender was kept for him.
  void added(std::string_view aor, std::string_view sender, bool tried);
  // `anew`: he was not there before, or has changed what he wants.
  void available(std::string_view aor, bool anew);
  // What comes for him from that sender (policy::user_key) now has to wait behind what is there: each sender's messages
  // keep their order.
  [[nodiscard]] bool comes_after_others(std::string_view aor, std::string_view sender) const;
  // How he has been sent what waits, as far as this process knows.
  struct Tries {
    enum class State : std::uint8_t {
      none,     // he is not there, or does not want it sent
      resting,  // until his next turn
      queued,   // others are sent theirs
      sending,
    };
    State state = State::none;
    std::uint32_t failures = 0;     // rounds in a row in which something was not taken
    std::uint16_t last_status = 0;  // why; 0: nothing was refused
    core::Duration next{};          // resting: until then
  };
  [[nodiscard]] Tries tries_of(std::string_view aor) const;
  // Whether messages may wait for him.
  [[nodiscard]] bool has(std::string_view aor) const { return users_.contains(aor); }
  // That message was taken out of the store: it is not sent any more, but for a copy that is under way.
  void removed(std::string_view aor, std::uint64_t id);
  // Users of whatever shard for whom less waits than before.
  [[nodiscard]] bool next_changed(std::string& aor);

  // --- what comes of it

  void on_stored(const core::StoreResult& result);
  // A large message is stored now, or was already (OMA-LRG-4); next_kept() says so.
  void on_large_stored(const core::DeferredRow& row, bool duplicate, bool tried);
  // One of several could not be stored: its sender is told, where he wants to be.
  void on_large_lost(const core::DeferredRow& row) {
    if (wants(row.notices, Notice::negative)) notify(row, true);
  }
  // One that is to be sent: fetched until false. What comes of it on_response() and on_over() say.
  struct Large {
    core::DeferredRow row;
    core::SlotId box;
    std::uint32_t number = 0;
  };
  [[nodiscard]] bool next_large(Large& large);
  void on_response(core::SlotId id, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId id, std::uint32_t number);
  // That one could not be begun: there are as many as may be at one time. It is tried again soon.
  void on_no_room(core::SlotId id, std::uint32_t number);

  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  void drain() { draining_ = true; }
  [[nodiscard]] bool drained() const { return waiting_.empty() && running_ == 0; }
  [[nodiscard]] core::Instant next_deadline() const;

  // For tests at rest.
  [[nodiscard]] std::size_t users() const { return users_.size(); }
  // Without the look for what has come to its end, which never rests.
  [[nodiscard]] bool rests() const { return waiting_.empty() && boxes_.empty() && !push_timer_.armed(); }
  [[nodiscard]] std::uint32_t boxes() const { return boxes_.size(); }

 private:
  // A message on its way into the store.
  struct Waiting {
    std::uint64_t id = 0;
    core::Instant until{};
    Kept kept;
    core::DeferredRow told;  // of it what a notice has to say; nothing where none is wanted
  };
  // A user who is being sent what waits, or will be when his time comes.
  struct Box {
    enum class State : std::uint8_t {
      resting,  // until its timer
      queued,   // until others are done
      loading,
      sending,
      paused,  // until more may be sent
    };
    core::SlotId self;
    std::string aor;
    State state = State::resting;
    bool more = false;       // behind what is loaded
    bool again = false;      // another round, as something has changed since this one began
    bool unreached = false;  // in this round: no device answered
    bool unread = false;     // in this round: the store gave nothing, or there was no room to send it
    bool refused = false;    // in this round: a device did not take something
    std::deque<core::DeferredRow> rows;
    std::uint64_t after = 0;        // id of what has been loaded last in this round
    std::vector<std::uint64_t> removed;  // while loading: what may come with it and is no more
    // Senders of what was refused, and of what came when the round was over: what else they send goes behind it.
    std::vector<std::string> held;
    std::uint32_t number = 0;       // of the errand that runs
    std::uint16_t status = 0;       // what came of it
    std::uint16_t last_failure = 0; // the last one that was no 2xx
    std::uint64_t trace = 0;        // record of what it is sent as a session; a MESSAGE has its own
    bool gone = false;              // what it sends was taken out of the store meanwhile
    std::uint32_t failures = 0;     // rounds in a row
    core::Instant rested{};         // since when
    core::Timer timer;
  };
  enum class TimerKind : std::uint32_t { box, push, expiry };

  static void hold(Box& box, std::string_view sender);
  [[nodiscard]] Box* box_of(std::string_view aor);
  [[nodiscard]] const Box* box_of(std::string_view aor) const { return const_cast<Deferred*>(this)->box_of(aor); }
  void open_box(std::string_view aor, core::Duration delay);
  void close(Box& box);
  [[nodiscard]] bool wants_it(std::string_view aor) const;
  void begin_round(Box& box);
  void run_queue();
  void load(Box& box);
  void next_message(Box& box);
  [[nodiscard]] bool may_push();
  void push(Box& box);
  void go_on_pushing();
  void end_round(Box& box);
  void on_loaded(core::SlotId box, const core::StoreResult& result);
  void on_kept(Waiting waiting, core::StoreResult::Status status);
  void give_up_waiting();
  void on_expired(const core::StoreResult& result);
  void notify(const core::DeferredRow& row, bool failed);
  [[nodiscard]] std::string_view own_uri() const { return config_->im.deferred_uris.front(); }
  [[nodiscard]] std::int64_t end_of(const Message& message) const;
  static void put_from(const Message& message, std::string& out);
  [[nodiscard]] std::string key_of(const Received& request, const Message& message, std::string_view message_id);
  [[nodiscard]] static std::uint64_t token(std::uint64_t number) { return store_token(StoreOwner::deferred, number); }

  const sip::Location& location_;
  const Settings& settings_;
  PagerTrace& trace_;
  core::Digest digest_;
  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;
  bool draining_ = false;

  std::uint64_t numbers_ = 0;                 // of tokens
  std::map<std::uint64_t, Waiting> waiting_;  // by number, the oldest first
  std::deque<Kept> kept_;
  std::deque<Large> large_;
  std::deque<std::string> changed_;

  std::set<std::string, std::less<>> users_; // who has messages, as far as is known
  std::vector<std::string> restored_;      // them, until the first step
  core::SlotMap<Box> boxes_;
  std::map<std::string, core::SlotId, std::less<>> by_aor_;
  std::map<std::uint64_t, core::SlotId> loads_;  // by number
  std::deque<core::SlotId> queue_;               // State::queued
  std::deque<core::SlotId> paused_;              // State::paused
  std::deque<std::string> crowded_out_;          // who found no box
  std::uint32_t running_ = 0;                    // boxes in the states behind queued
  core::TimerWheel wheel_;
  core::Instant next_push_{};  // when the next message is due at --deferred-push-rate
  core::Timer push_timer_{0, static_cast<std::uint32_t>(TimerKind::push)};
  core::Timer expiry_timer_{0, static_cast<std::uint32_t>(TimerKind::expiry)};
  std::uint64_t expiry_load_ = 0;  // its number; 0: none is on its way
  std::string own_id_;             // scratch
};

}  // namespace parley::policy

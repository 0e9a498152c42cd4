// tools/parley-load/deferred_worker.h - a load of deferred messages: messages are sent to users who are away, then all of
// them come back at one time while two others go on talking. One thread, UDP.
//
//   deferred_worker.cc   the phases and the loop
//   deferred_talk.cc     requests, answers, and what is wrong with what arrives
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/parley-load/deferred_options.h"
#include "tools/parley-load/deferred_state.h"
#include "tools/parley-load/pattern.h"
#include "tools/parley-load/process.h"
#include "tools/parley-load/server_cpu.h"

namespace parley::load {

class DeferredWorker {
 public:
  DeferredWorker(const DeferredOptions& options, Shared& shared);
  // Everything; what was found.
  const DeferredOutcome& run();

 private:
  using Kind = Ask::Kind;

  // deferred_worker.cc
  bool open_links();
  bool register_few();
  bool store_all();
  void talk_alone();
  void bring_all_back();
  void sum_up();
  void turn();
  void wait(uint64_t until_ns);
  void sweep();
  void talk_when_due();
  [[nodiscard]] uint64_t progress() const { return received_; }
  [[nodiscard]] double server_seconds();

  // deferred_talk.cc
  Ask& begin(Kind kind, User& user, uint64_t due_ns);
  void end(Ask& ask);
  void begin_registration(User& user);
  void begin_store(uint32_t receiver, uint32_t number);
  void begin_talk(uint64_t due_ns);
  void start(Ask& ask);
  void write(Ask& ask);
  void put_body(const Ask& ask);
  void authorize(Ask& ask);
  [[nodiscard]] bool take_challenge(Ask& ask, const SipMessage& answer);
  [[nodiscard]] User& target_of(const Ask& ask);
  void read(Link& link);
  void on_response(const SipMessage& message);
  void on_request(Link& link, const SipMessage& message);
  void on_stored_one(const SipMessage& message, uint32_t receiver, uint32_t sender, uint32_t number);
  void on_talk(uint64_t serial, uint32_t slot);
  void count_delivery();
  void note(const std::string& text);

  static constexpr size_t kTimesPerSecond = 20;  // how finely deliveries are counted

  const DeferredOptions& options_;
  Shared& shared_;
  const Pattern pattern_;
  const std::string run_;
  const std::string registrar_uri_;
  SipOutput out_;
  SipInput in_;
  Link away_, sending_, talking_;  // sockets of the three kinds of users
  std::vector<User> users_;        // receivers, senders, the two who talk
  std::vector<std::unique_ptr<Ask>> asks_;
  std::vector<uint32_t> free_;
  uint32_t live_[3] = {0, 0, 0};  // by kind
  uint64_t serial_ = 0;
  std::string body_;

  std::vector<bool> kept_;              // by message: it was answered 202
  std::vector<uint64_t> came_;          // by message: hash of the Via it came with; 0: it has not
  std::vector<uint32_t> last_;          // by receiver and sender: number of the last one, from 1
  std::vector<uint32_t> per_time_;      // deliveries
  uint64_t push_begin_ns_ = 0;
  uint64_t last_delivery_ns_ = 0;

  Histogram* talk_into_ = nullptr;  // null: the two are silent
  uint64_t talk_begin_ns_ = 0;
  uint64_t talk_count_ = 0;
  uint64_t received_ = 0;
  uint64_t now_ = 0;
  uint64_t next_sweep_ns_ = 0;
  ServerWatch watch_;
  DeferredOutcome found_;
};

}  // namespace parley::load

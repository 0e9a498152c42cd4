// tools/parley-load/sip_worker.h - one thread of a SIP load: its users and pairs, its loop, its phases.
//
//   sip_worker.cc    the loop and the phases (set-up, warm-up, measurement, drain), retransmission
//   sip_setup.cc     sockets, connections, users
//   sip_flight.cc    what all requests share: ids, answers, challenges, the end
//   sip_register.cc  REGISTER and OPTIONS
//   sip_message.cc   MESSAGE, both ends
//   sip_call.cc      INVITE, ACK, BYE, both ends
//   sip_pager.cc     MESSAGE to one, to a list, to a group, and all that get it
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/parley-load/pattern.h"
#include "tools/parley-load/process.h"
#include "tools/parley-load/sip_state.h"

namespace parley::load {

class SipWorker {
 public:
  SipWorker(const SipOptions& options, const Pattern& pattern, Shared& shared, const TlsContext* tls, uint32_t thread);
  ~SipWorker();
  SipWorker(const SipWorker&) = delete;
  SipWorker& operator=(const SipWorker&) = delete;

  // Everything from connecting to the end of the drain; `monitor` only for thread 0.
  void run(Monitor* monitor);

  bool setup_failed() const { return !setup_error_.empty(); }
  const std::string& setup_error() const { return setup_error_; }
  const SipCounts& counts() const { return counts_; }
  const SipCounts& at_begin() const { return at_begin_; }
  const SipCounts& at_end() const { return at_end_; }
  const std::map<unsigned, uint64_t>& statuses() const { return statuses_; }
  const Histogram& delivery() const { return delivery_; }
  const Histogram& answered() const { return answered_; }
  const Histogram& teardown() const { return teardown_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::vector<uint64_t>& per_pair() const { return per_pair_; }
  uint64_t behind() const { return behind_; }
  uint64_t datagrams_dropped() const { return out_.datagrams_dropped; }
  uint64_t live_finished() const { return live_finished_.load(std::memory_order_relaxed); }
  uint64_t live_errors() const { return live_errors_.load(std::memory_order_relaxed); }

 private:
  // sip_setup.cc
  void make_users();
  void make_pairs();
  void setup_all();
  void start_user(User& user);
  void on_establish(Link& link);
  void start_upgrade(Link& link);
  bool take_upgrade(Link& link, std::string_view& rest);
  void link_ready(Link& link);
  void user_ready();
  void fail_setup(const std::string& why);

  // sip_worker.cc
  void load(Monitor* monitor);
  void hold_idle(Monitor* monitor);
  void drain(Monitor* monitor);
  void end_measurement(Monitor* monitor);
  void settle();
  void turn(uint64_t deadline_ns);
  void begin_what_may();
  void schedule();
  void begin_next(uint64_t due_ns);
  void begin_pairwise(SipPair& pair, uint64_t due_ns);
  uint64_t next_due_ns() const;
  void sweep();
  void on_event(Link& link, uint32_t events);
  void read_datagrams(Link& link);
  void read_stream(Link& link);
  bool take_messages(Link& link, std::string_view& rest);
  bool take_frames(Link& link, std::span<char> rest);
  void on_bad(Link& link, const char* why, std::string_view bytes);
  void update_interest(Link& link);
  void tend_links();
  void connection_lost(Link& link, const std::string& why);
  uint64_t progress() const;

  // sip_flight.cc
  Flight& begin_flight(SipMode kind, User& user, SipPair* pair, uint64_t due_ns);
  void end_flight(Flight& flight);
  SipId id_of(const Flight& flight) const;
  Flight* find(const SipId& id);
  void start_request(Flight& flight);  // a new transaction: a new branch
  void write_request(Flight& flight);  // the present request, perhaps again
  void on_message(Link& link, const SipMessage& message);
  void on_response(const SipMessage& message);
  void on_request(Link& link, const SipMessage& message);
  void on_stale_request(Link& link, const SipMessage& message, const SipId& id);
  bool take_challenge(Flight& flight, const SipMessage& answer);
  void refused(Flight& flight, unsigned status);
  void finished(Flight& flight);
  void give_up(Flight& flight);
  // Whether a request is here for the first time; counts it when not.
  bool first_time(const Flight& flight, const Link& link, const SipMessage& request, bool had, uint64_t& seen_via);
  void corrupt(Flight& flight, const std::string& what);
  void answer(Link& link, const SipMessage& request, std::string_view more, std::string_view body);
  RequestText request_text(const SipPair& pair, const std::string& method) const;
  void put_request(SipText& out, const RequestText& text, const Flight& flight) const;
  void authorize(Flight& flight, std::string_view method, const std::string& uri);
  void note(const std::string& text);

  // sip_register.cc
  void begin_registration(User& user, bool setup, uint64_t due_ns);
  void begin_options(User& user, uint64_t due_ns);
  void write_register(Flight& flight);
  void write_options(Flight& flight);
  void on_simple_answer(Flight& flight, const SipMessage& message);

  // sip_message.cc
  void prepare_message(SipPair& pair);
  void begin_message(SipPair& pair, uint64_t due_ns);
  void write_message(Flight& flight);
  void on_message_answer(Flight& flight, const SipMessage& message);
  void on_message_request(Link& link, Flight& flight, const SipMessage& message);

  // sip_call.cc
  void prepare_call(SipPair& pair);
  void begin_call(SipPair& pair, uint64_t due_ns);
  void write_call(Flight& flight);
  void write_ack(Flight& flight);
  void write_failure_ack(Flight& flight, const SipMessage& answer);
  void on_call_answer(Flight& flight, const SipMessage& message);
  void on_call_request(Link& link, Flight& flight, const SipMessage& message);
  void start_bye(Flight& flight);
  void sweep_call(Flight& flight);

  // sip_pager.cc
  void prepare_pager();
  PagerPart::To next_target(SipPair& pair) const;
  void begin_pager(SipPair& pair, uint64_t due_ns);
  void start_pager(Flight& flight);
  void write_pager(Flight& flight);
  const std::string& pager_uri(const Flight& flight) const;
  size_t list_shift(const Flight& flight) const;
  const User& recipient(const Flight& flight, size_t copy) const;
  size_t copy_of(const Flight& flight, const User& receiver) const;
  User* user_of(std::string_view uri) const;
  void on_pager_answer(Flight& flight, const SipMessage& message);
  void on_pager_request(Link& link, const SipMessage& message);
  void check_order(const Flight& flight, const User& receiver, uint32_t number);
  void remember_ended(const Flight& flight);
  void on_ended_pager(const Link& link, const SipMessage& message, const SipId& id, const User& receiver);

  static constexpr size_t kReadBytes = 192 * 1024;  // at least a whole message and the beginning of one
  static constexpr int kEventsMax = 512;
  static constexpr uint32_t kBeginsPerTurn = 64;  // as many as leave in one call; then answers are read

  const SipOptions& options_;
  const Pattern& pattern_;
  Shared& shared_;
  const TlsContext* tls_;
  uint32_t thread_;
  std::string run_;  // first part of all ids: 8 hex digits
  std::string registrar_uri_;
  int epoll_;
  SipOutput out_;
  SipInput in_;
  std::vector<char> read_;
  std::vector<epoll_event> events_;

  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::unique_ptr<User>> users_;
  std::vector<std::unique_ptr<SipPair>> pairs_;
  std::vector<SipPair*> dirty_;
  std::vector<std::unique_ptr<Flight>> flights_;  // by slot
  std::vector<uint32_t> free_;
  std::set<uint64_t> failed_;  // serials that were refused or given up; what still comes of them is no duplicate
  // pager
  std::unordered_map<std::string, User*> users_by_name_;
  std::unordered_map<uint64_t, uint32_t> last_copies_;  // by pair and place of the receiver: the last number he has
  struct Ended {
    uint64_t key = 0;  // of the message and who got it
    uint64_t via = 0;  // with which
  };
  std::vector<Ended> ended_;  // the last ones, each in its place
  std::string pager_front_;   // what stands before a text
  std::string date_time_;
  uint32_t live_ = 0;
  uint64_t serial_ = 0;
  size_t turn_ = 0;         // whose turn it is in register, options and the open loop
  uint64_t scheduled_ = 0;  // open loop: how many were due so far
  uint64_t next_sweep_ns_ = 0;

  size_t started_ = 0;
  size_t ready_ = 0;
  std::string setup_error_;

  SipCounts counts_;
  SipCounts at_begin_;
  SipCounts at_end_;
  std::map<unsigned, uint64_t> statuses_;  // final answers other than 2xx; errors are rare, so a map may allocate
  Histogram delivery_;
  Histogram answered_;
  Histogram teardown_;
  std::vector<std::string> notes_;
  std::vector<uint64_t> per_pair_;
  uint64_t behind_ = 0;
  uint64_t now_ = 0;
  uint64_t start_ns_ = 0;
  bool measuring_ = false;
  bool may_begin_ = false;
  bool more_ = false;  // there was more to begin than one turn may
  std::atomic<uint64_t> live_finished_{0};
  std::atomic<uint64_t> live_errors_{0};
};

}  // namespace parley::load

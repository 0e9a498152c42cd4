// tools/parley-load/chat_worker.h - the loop of a chat load and its phases.
//
//   chat_worker.cc  connections, the loop, the phases (joining, warm-up, measurement, drain, leaving)
//   chat_sip.cc     INVITE, ACK, BYE, SUBSCRIBE of all members over one TCP connection, and what the server asks
//   chat_msrp.cc    the members' MSRP connections: what is sent, and what arrives is checked
//   chat_check.cc   numbers, gaps and REPORTs: what each member has to get, and what senders have to be told
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tools/parley-load/chat_options.h"
#include "tools/parley-load/chat_state.h"
#include "tools/parley-load/chat_text.h"
#include "tools/parley-load/frame.h"
#include "tools/parley-load/histogram.h"
#include "tools/parley-load/pattern.h"
#include "tools/parley-load/process.h"
#include "tools/parley-load/sip_text.h"

namespace parley::load {

class ChatWorker {
 public:
  ChatWorker(const ChatOptions& options, Shared& shared, const TlsContext* tls);
  ~ChatWorker();
  ChatWorker(const ChatWorker&) = delete;
  ChatWorker& operator=(const ChatWorker&) = delete;

  // Everything from connecting to the last BYE.
  void run(Monitor& monitor);

  const std::string& setup_error() const { return setup_error_; }
  const ChatCounts& total() const { return counts_; }
  const ChatCounts& at_begin() const { return at_begin_; }
  const ChatCounts& at_end() const { return at_end_; }
  const std::map<unsigned, uint64_t>& statuses() const { return statuses_; }
  const Histogram& delivery() const { return delivery_; }
  const Histogram& joining() const { return joining_; }
  uint64_t worst_second_ns() const;  // the p99 of the worst second, also of the last one, which may be shorter
  const std::vector<std::string>& notes() const { return notes_; }
  uint64_t joined() const { return joined_; }

 private:
  // chat_worker.cc
  void watch(ChatLink& link, uint32_t mask);
  void unwatch(ChatLink& link);
  void send(ChatLink& link, std::string_view bytes);
  [[nodiscard]] ChatLink& sip_of(const ChatMember& member) { return *sips_[member.index % sips_.size()]; }
  void flush(ChatLink& link);
  void on_event(ChatLink& link, uint32_t events);
  void on_bytes(ChatLink& link, std::string_view bytes);
  void lost(ChatLink& link, const std::string& why);
  void accept_all();
  void turn(uint64_t deadline_ns);
  void join_all();
  void load(Monitor& monitor);
  void beat(ChatRoom& room, uint64_t due_ns);
  void begin_beats();
  void trouble();
  void stall();
  void drain();
  void leave_all();
  void note(const std::string& text);
  void fail_setup(const std::string& why);

  // chat_sip.cc
  void invite(ChatMember& member);
  void write_invite(ChatMember& member);
  void leave(ChatMember& member);
  void subscribe(ChatMember& member);
  void see(ChatMember& member, std::string_view top, bool full);
  void on_sip(ChatLink& link, const SipMessage& message);
  void on_sip_answer(const SipMessage& message);
  void on_invite_answer(ChatMember& member, const SipMessage& message, uint32_t attempt);
  void on_server_request(ChatLink& link, const SipMessage& message);
  void put_request(std::string& out, ChatMember& member, std::string_view method, const std::string& uri,
                   const std::string& to, std::string_view call_id, uint32_t cseq);
  [[nodiscard]] bool log_in(ChatMember& member, const SipMessage& answer);
  void authorize(std::string& out, ChatMember& member, std::string_view method, const std::string& uri);
  [[nodiscard]] std::string call_id(const ChatMember& member, char kind) const;
  [[nodiscard]] std::string description(const ChatMember& member) const;

  // chat_msrp.cc
  void connect(ChatMember& member);
  void bind(ChatMember& member);
  void write_message(ChatRoom& room, ChatMember& sender, uint64_t due_ns);
  size_t on_frame(ChatMember& member, std::string_view bytes);
  void on_send(ChatMember& member, const Head& head, std::string_view body, char flag);
  void on_answer(ChatMember& member, const Head& head);
  void deliver(ChatMember& member, std::string_view message, std::string_view message_id);
  void record_delivery(uint64_t due_ns);
  void is_in(ChatMember& member);
  void is_out(ChatMember& member);

  // chat_check.cc
  [[nodiscard]] bool check_number(ChatMember& member, const Stamp& stamp, std::string_view message_id);
  void on_report(ChatMember& member, const Head& head);
  [[nodiscard]] bool all_arrived() const;
  [[nodiscard]] bool all_see() const;
  void settle();
  void judge_reports();

  static constexpr size_t kReadBytes = 256 * 1024;
  static constexpr uint64_t kSignallingNs = 2'000'000;  // reading it in one go
  static constexpr uint64_t kLoose = uint64_t{1} << 63;

  const ChatOptions& options_;
  Shared& shared_;
  const TlsContext* tls_;
  const Pattern pattern_{Content::letters};
  const std::string run_;  // first part of all ids
  int epoll_;
  std::vector<epoll_event> events_;
  std::vector<char> read_;
  ChatLink listener_;
  std::vector<std::unique_ptr<ChatLink>> sips_;  // members take them in turn
  Address contact_;  // where the server's requests come
  std::string via_;
  std::vector<std::unique_ptr<ChatLink>> accepted_;
  std::vector<ChatLink*> dead_;

  std::vector<std::unique_ptr<ChatRoom>> rooms_;
  std::vector<std::unique_ptr<ChatMember>> members_;
  std::string text_;
  uint32_t joining_now_ = 0;
  uint64_t joined_ = 0;
  size_t late_ = 0;  // of those that join while measuring, the next
  uint32_t churn_at_ = 0;
  uint64_t churned_ = 0;
  std::string setup_error_;

  ChatCounts counts_;
  ChatCounts at_begin_;
  ChatCounts at_end_;
  std::map<unsigned, uint64_t> statuses_;  // of joins and SENDs that were refused
  Histogram delivery_;
  Histogram second_;   // of the last second
  uint64_t second_ns_ = 0;
  uint64_t worst_second_ns_ = 0;  // the p99 of the worst one before it
  Histogram joining_;  // INVITE to the answer on the MSRP connection
  std::vector<std::string> notes_;
  uint64_t now_ = 0;
  uint64_t begin_ns_ = 0;  // of the measurement
  bool measuring_ = false;
  bool sending_ = false;
  bool ending_ = false;
};

}  // namespace parley::load

// policy/user_agent.h - what calls and conferences have in common as ends of dialogs: the tables they answer with, the
// errands they send out, and how a message is put together (RFC 3261 sections 8.1, 8.2 and 12.2).
//
// A base without virtual functions: Calls and Focus are user agents, nobody holds one as such. It keeps the names of the
// headers short where messages are written. Scratch is kept and reused.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "policy/call_name.h"
#include "policy/errand.h"
#include "policy/home.h"
#include "policy/message_reader.h"
#include "policy/own_message.h"
#include "policy/sip_config.h"
#include "policy/user_sessions.h"
#include "policy/ways.h"
#include "sip/early_dialogs.h"
#include "sip/header_lines.h"
#include "sip/invite_usage.h"
#include "sip/session_changes.h"
#include "sip/session_timer.h"
#include "sip/transactions.h"
#include "sip/transport.h"

namespace parley::policy {

class UserAgent {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    core::HashKey name_key;  // the same for all shards of the process
    sip::Transactions& transactions;
    sip::Transport& transport;
    const Home& home;
    UserSessions* users = nullptr;  // who is in a session of ours
    std::shared_ptr<const SipConfig> config;
  };
  UserAgent(const UserAgent&) = delete;
  UserAgent& operator=(const UserAgent&) = delete;

  void begin(core::Instant now) { now_ = now; }
  // Which dialog of the process a request in one is for: its To tag says so, else the URI it is sent to.
  [[nodiscard]] std::optional<CallName> named(const sip::Received& request) const;
  [[nodiscard]] std::optional<CallName> named(std::string_view tag_or_user) const {
    return read_call_name(tag_or_user, name_key_);
  }
  // The dialog of the process that Replaces, Join or Target-Dialog of a request without To tag names.
  [[nodiscard]] std::optional<CallName> named_beside(const sip::Received& request) const;
  // Of a refusal.
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return lines_.headers(); }
  [[nodiscard]] bool next_errand(Errand& errand);

 protected:
  using Received = sip::Received;
  using Method = sip::Method;

  explicit UserAgent(const Parts& parts);
  ~UserAgent() = default;

  // --- what a message is put together from: texts_
  void add(sip::HeaderId id, std::string_view value) { texts_.push_back({.id = id, .value = value}); }
  // All headers of that name.
  void add_all(const Received& message, sip::HeaderId id);
  // "<sip:user@one of our listeners>" and what follows it.
  void add_contact(std::string_view user, const sip::Flow& flow, bool secure, std::string_view features);
  void add_timer(const sip::TimerAsk& ask);
  void add_grant(const sip::TimerGrant& grant);

  // A response to `request` with texts_, in text_. `tag` goes behind a To without one.
  void compose(const Received& request, std::uint16_t status, std::string_view reason, std::string_view tag,
               bool copy_record_route, std::string_view body);
  // To the stored request of a server transaction; false when that is gone.
  bool give_response(sip::TransactionId server, std::uint16_t status, std::string_view tag,
                     std::string_view reason = {}, std::string_view body = {});
  [[nodiscard]] const Received* stored(sip::TransactionId server);
  // A new Call-ID: 128 random bits.
  void put_call_id(std::string& out);

  // Begins a MESSAGE of `us` itself to `uri`, in message_. What its function adds is to follow, and put().
  void begin_own_message(std::string_view uri, std::string_view us, std::string_view content_type);

  // The errand says whose ACK it is and where it goes.
  void put_ack(Errand errand, std::string_view text);
  // R3261-9: a 2xx too many, in that dialog of an INVITE of ours, is acknowledged each time it comes, and the dialog ended
  // once: by a BYE that is the errand `number`, with the CSeq that comes back. 0: that has been done.
  [[nodiscard]] std::uint32_t end_surplus(const Errand& way, sip::EarlyDialog& other, std::uint32_t invite_cseq,
                                          std::uint32_t number);
  // A change that can not be taken now: 491, or 500 with Retry-After (R3261-6).
  void refuse_change(sip::TransactionId server, const sip::ChangeStep& step);
  // T-86: what one session has too much of says nothing about the node, and 503 would turn everybody away from it.
  [[nodiscard]] std::uint16_t busy() {
    lines_.add(sip::HeaderId::retry_after, "10");
    return 500;
  }
  // What a re-INVITE or UPDATE is granted; false: it was refused with 422.
  [[nodiscard]] bool grant_change(sip::SessionTimer& timer, sip::TimerGrant& grant, const Received& request,
                                  sip::TransactionId server);

  // A description, or something that may hold one.
  [[nodiscard]] static bool has_sdp(const Received& message);
  // Methods and text of all its Allow headers. False: it has none.
  static bool take_allow(const Received& message, std::string& text, sip::MethodSet& methods);
  // A connection that a session relies on is not closed for being idle: the session is refreshed more often than this.
  void keep_way(const Way& way, std::uint32_t interval_seconds);

  const std::uint32_t shard_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Random& random_;
  const core::HashKey name_key_;
  sip::Transactions& transactions_;
  sip::Transport& transport_;
  const Home& home_;
  UserSessions* const users_;
  std::shared_ptr<const SipConfig> config_;
  sip::InviteConfig invite_config_;
  core::Instant now_{};
  Ways ways_;
  std::deque<Errand> errands_;

  MessageReader stored_;    // a request that waits for its answer
  MessageReader response_;  // what came for an errand
  sip::HeaderLines lines_;
  OwnMessage message_;  // one that is being written
  std::string us_;      // of that: From
  std::string call_id_;
  std::vector<sip::HeaderText> texts_;
  std::string text_;
  std::string contact_;
  std::string expires_;
  std::string min_se_;
  std::string supported_;
};

}  // namespace parley::policy

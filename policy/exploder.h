// policy/exploder.h - pager messages to several: a MESSAGE to the conference factory with a list, or to a group, is
// taken with 202 and goes to each of them as a MESSAGE of its own (RFC 5365; OMA-PAG-1 to -3, OMA-ID-8, OMA-DR-5).
//
// One per shard, used by its thread alone. A request comes in as message(); what is sent comes out as Errands, as those
// of Focus and Calls do, `invite_parallel` of one message at a time. With a store the message stands there before it is
// answered, and each copy until it has come to its end: what one process does not bring, the next one does, under the
// same Call-ID. Without, copies wait in memory alone, at most list_copies_max of a shard in both cases. A copy that can
// not be brought is told to a sender who has asked for that (negative-delivery of RFC 5438), and counted. Where it does not take
// long to find out that a user of ours can not be reached (deferred.h), copies of one sender to one of them go one after the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/seam.h"
#include "core/slot_map.h"
#include "policy/group_document.h"
#include "policy/history_recorder.h"
#include "policy/list_message.h"
#include "policy/message_ids.h"
#include "policy/pager_trace.h"
#include "policy/store_owner.h"
#include "policy/user_agent.h"

namespace parley::policy {

class Exploder : public UserAgent {
 public:
  Exploder(const Parts& parts, MessageIds& ids, PagerTrace& trace, HistoryRecorder& history)
      : UserAgent(parts),
        ids_(ids),
        trace_(trace),
        history_(history),
        in_order_(parts.config->im.deferred.on),
        sendings_(parts.config->focus.list_copies_max) {}

  // What groups name by anchor.
  void use_lists(const ExternalLists* lists) { lists_ = lists; }
  void begin(const core::Now& now, core::Outbox& out);
  void end();

  struct To {
    const Group* group = nullptr;  // null: the list in its body
    std::string_view identity;     // AO-IMA of the sender
    std::string_view recorded_sender{};  // his address of record, where he wants it in his history
  };
  // 0: it has been answered. Else what it is to be answered without a transaction, with headers().
  [[nodiscard]] std::uint16_t message(const sip::Received& request, const sip::RequestMatch& match, const To& to);

  // What an earlier process has not brought; before the first step.
  void restore(core::SendingRow row) { restored_.push_back(std::move(row)); }

  void on_stored(const core::StoreResult& result);
  // It could not even be begun, for want of room of ours: it is sent later.
  void on_no_room(core::SlotId sending, std::uint32_t number);
  // What has become of an errand.
  void on_response(core::SlotId sending, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId sending, std::uint32_t number);

  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  void drain() { draining_ = true; }
  // What is stored need not be brought before.
  [[nodiscard]] bool drained() const;
  [[nodiscard]] core::Instant next_deadline() const {
    return std::min(later_.empty() ? core::never : later_at_, waits_.empty() ? core::never : waits_.begin()->second.until);
  }

  // A message of which some copies have not come to their end. Its row is without them.
  struct Open {
    enum class State : std::uint8_t { storing, waiting, behind, sending };
    struct Copy {
      std::string_view uri;
      State state = State::waiting;
    };
    const core::SendingRow& row;
    std::vector<Copy> copies;
  };
  // Those with that Message-ID or Call-ID. Looks at all of them: for operators.
  [[nodiscard]] std::vector<Open> open_of(std::string_view id);

  // For tests at rest.
  [[nodiscard]] std::uint32_t sendings() const { return sendings_.size(); }
  [[nodiscard]] std::uint64_t waiting() const { return waiting_; }

 private:
  // A copy on its way.
  struct Running {
    std::uint32_t number = 0;  // of its errand
    core::SendingRow::Copy copy;
    bool notice = false;  // it tells the sender that this copy failed
    bool told = false;    // no: it is the copy, and its end is known
  };
  // One message, until all its copies have come or failed.
  struct Sending {
    core::SlotId self;
    core::SendingRow row;  // but for `copies`
    sip::TransactionId server;  // that waits for the store
    std::string recorded_sender;
    bool promised = false;      // its sender has his 202
    std::deque<core::SendingRow::Copy> waiting;  // that may be sent
    std::uint32_t behind = 0;                    // that wait for others, in lanes_
    std::vector<Running> running;
    std::uint32_t numbers = 0;
    std::uint64_t trace = 0;  // its record
  };
  struct Waits {  // for the store
    core::SlotId sending;
    core::Instant until{};
  };

  [[nodiscard]] ListMessageFacts facts_of(const Received& request, const To& to, const ListMessage& message,
                                          Recipients& recipients) const;
  [[nodiscard]] bool take_lines(core::SendingRow& row, const Received& request) const;
  void take_row(Sending& s, core::SendingRow row);
  void store(const Sending& s, const core::SendingRow& row);
  void answer(Sending& s, std::uint16_t status);
  void give_up_waiting();
  void forget(Sending& s);
  [[nodiscard]] bool in_order(const core::SendingRow::Copy& copy) const;
  void let_next(std::string_view sender, const core::SendingRow::Copy& copy);
  void send_more(Sending& s);
  void send(Sending& s, Running running, std::string_view type, std::string_view body);
  void tell_failed(Sending& s, const core::SendingRow::Copy& copy);

  MessageIds& ids_;
  PagerTrace& trace_;
  HistoryRecorder& history_;
  const ExternalLists* lists_ = nullptr;
  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;
  const bool in_order_;
  bool draining_ = false;
  std::uint32_t running_ = 0;  // copies and notices of all of them that are on their way
  core::SlotMap<Sending> sendings_;
  std::uint64_t waiting_ = 0;             // copies of all of them that have not been sent
  struct Behind {
    core::SlotId sending;
    core::SendingRow::Copy copy;
  };
  // By sender and receiver: there is one whose turn it is, and these wait for it.
  std::map<std::string, std::deque<Behind>> lanes_;
  std::uint64_t numbers_ = 0;             // of tokens
  std::map<std::uint64_t, Waits> waits_;  // by number, the oldest first
  std::deque<core::SendingRow> restored_;
  std::vector<core::SlotId> later_;  // those that found no room
  core::Instant later_at_{};         // when they try again
};

}  // namespace parley::policy

// policy/system_messages.h - the system message function: what an operator has to say to a user, the answers that he
// demands, and who has not given one in time (OMA-SYS-1 to OMA-SYS-7, DEC-22).
//
// One per shard, used by its thread alone; a message is with the shard that its user's address of record names. All of
// them lie in the store, where there is one, and here. An order is answered when its message is stored, an answer when it
// is. What is sent comes out as Errands, as those of Deferred do. What may become of a message: system_message_rules.h.
//
//   order()        of an operator; the question is answered by Outbox::admin_reply
//   answer()       of a user; next_answered() tells what he is to be told
//   next_held()    who is held back from now on, or no more
//   on_stored()    answers of the store
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/message_ids.h"
#include "policy/store_owner.h"
#include "policy/system_message.h"
#include "policy/system_message_rules.h"
#include "policy/user_agent.h"

namespace parley::policy {

class SystemMessages : public UserAgent {
 public:
  SystemMessages(const Parts& parts, MessageIds& ids);
  ~SystemMessages();

  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // --- operators

  // Its order.user is the address of record of a user of this shard.
  void order(std::uint64_t question, SystemMessageOrder order);
  // In JSON, the oldest first.
  [[nodiscard]] std::string list(std::uint64_t limit) const;
  // Takes it back: it is forgotten, and holds nobody back any more.
  bool close(std::uint64_t id);

  // --- users

  struct Answer {
    std::string_view aor;  // who gives it
    std::string_view id;
    std::string_view option;
    std::uint32_t shard = 0;   // where he waits
    std::uint64_t server = 0;  // packed
  };
  // 0: next_answered() will tell.
  [[nodiscard]] std::uint16_t answer(const Answer& answer);
  struct Answered {
    std::uint32_t shard = 0;
    std::uint64_t server = 0;
    std::uint16_t status = 200;
  };
  [[nodiscard]] bool next_answered(Answered& answered);
  struct Held {
    std::string aor;
    bool back = false;
  };
  [[nodiscard]] bool next_held(Held& held);

  // --- what comes of it

  // What an earlier process has left, before the first step.
  void restore(core::SystemMessageRow row) { restored_.push_back(std::move(row)); }
  void on_stored(const core::StoreResult& result);
  void on_response(core::SlotId id, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId id, std::uint32_t number);

  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  void drain() { draining_ = true; }
  [[nodiscard]] bool drained() const { return waiting_.empty() && running_ == 0; }
  [[nodiscard]] core::Instant next_deadline() const { return wheel_.next_deadline(); }

  // For tests at rest.
  [[nodiscard]] std::uint32_t messages() const { return messages_.size(); }

 private:
  using State = SystemMessageState;
  using Event = SystemMessageEvent;
  struct Message {
    core::SlotId self;
    core::SystemMessageRow row;  // but for `state`
    State state = State::sending;
    std::uint32_t number = 0;    // of its errand
    std::uint16_t status = 0;    // what came of that
    core::Timer timer;           // until the answer is overdue
  };
  // For the store.
  struct Waiting {
    core::SlotId message;
    std::uint64_t question = 0;  // of the operator who ordered it; 0: a user has answered it, with
    std::string option;
    Answered answered;
  };
  enum class TimerKind : std::uint32_t { answer, sweep };

  [[nodiscard]] Message* find(std::uint64_t id);
  [[nodiscard]] std::uint32_t open_of(std::string_view aor) const;
  [[nodiscard]] Message* keep(core::SystemMessageRow row);
  void remove(Message& message);
  [[nodiscard]] core::SystemMessageRow row_of(const Message& message) const;
  void take(core::SystemMessageRow row);
  void happens(Message& message, Event event);
  void enter(Message& message);
  void leave(Message& message);
  void await_answer(Message& message);
  void sweep();
  void queue(Message& message);
  void send_more();
  void send(Message& message);
  void apply(const Waiting& waiting, bool stored);
  void refuse_order(std::uint64_t question, std::string_view why);
  void give_id(std::uint64_t question, std::uint64_t id);

  MessageIds& ids_;
  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;
  bool draining_ = false;
  core::SlotMap<Message> messages_;
  std::map<std::uint64_t, core::SlotId> by_id_;
  std::map<std::string, std::uint32_t, std::less<>> open_;     // how many of a user are not closed
  std::map<std::string, std::uint32_t, std::less<>> overdue_;  // and how many of them hold him back
  std::map<std::pair<std::int64_t, std::uint64_t>, core::SlotId> closed_;  // by when that was, and id
  std::deque<core::SlotId> to_send_;
  std::uint32_t running_ = 0;  // on their way
  std::uint64_t numbers_ = 0;  // of tokens
  std::map<std::uint64_t, Waiting> waiting_;
  std::deque<Answered> answered_;
  std::deque<Held> held_;
  std::vector<core::SystemMessageRow> restored_;
  core::TimerWheel wheel_;
  core::Timer sweep_timer_{0, static_cast<std::uint32_t>(TimerKind::sweep)};
};

}  // namespace parley::policy

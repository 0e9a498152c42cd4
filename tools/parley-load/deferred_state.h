// tools/parley-load/deferred_state.h - who takes part in a load of deferred messages, and what is under way.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/parley-load/histogram.h"
#include "tools/parley-load/sip_state.h"

namespace parley::load {

// A request of ours under way. `slot`, `serial` and `attempt` are in its Call-ID and branches.
struct Ask {
  enum class Kind : uint8_t { registration, store, talk };
  uint32_t slot = 0;
  bool live = false;
  bool delivered = false;  // talk: the other one has it
  bool answered = false;
  Kind kind = Kind::store;
  User* user = nullptr;
  uint32_t receiver = 0;  // store: for whom
  uint32_t number = 0;    // store: which of his messages
  uint64_t serial = 0;
  uint32_t attempts = 0;
  uint32_t logins = 0;
  uint32_t cseq = 1;
  uint64_t due_ns = 0;
  uint64_t resend_ns = 0;
  uint64_t interval_ns = 0;
  uint64_t give_up_ns = 0;
  std::string login_line;
};

struct DeferredOutcome {
  uint64_t stored = 0;        // answered 202
  uint64_t at_once = 0;       // answered 200: somebody took it
  uint64_t delivered = 0;     // of those that were stored
  uint64_t registered = 0;
  uint64_t talked = 0;        // delivered and answered
  uint64_t lost = 0;          // stored, and never came
  uint64_t twice = 0;         // came again in another transaction
  uint64_t out_of_order = 0;  // behind a later one of its sender
  uint64_t corrupted = 0;
  uint64_t repeated = 0;      // retransmissions that came here
  uint64_t retransmitted = 0; // and that went from here
  uint64_t unanswered = 0;
  uint64_t stray = 0;
  uint64_t bad_messages = 0;
  uint64_t datagrams_dropped = 0;  // by our own kernel
  std::map<unsigned, uint64_t> refusals;
  double store_s = 0;
  double register_s = 0;
  double push_s = 0;       // from the first registration to the last message
  uint64_t per_second_max = 0;  // deliveries in any second
  double server_store_us = 0, server_push_us = 0;  // CPU of the server for each
  bool server_known = false;
  Histogram calm, busy;    // of the two who talk: due to delivered
  std::vector<Histogram> busy_by_second;  // of those due in each second of the push
  Histogram storing;       // due to 202
  std::vector<std::string> notes;
  std::string setup_error;
};

}  // namespace parley::load

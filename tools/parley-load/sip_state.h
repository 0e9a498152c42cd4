// tools/parley-load/sip_state.h - users, pairs and what is under way between them; all of it belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/parley-load/clock.h"
#include "tools/parley-load/histogram.h"
#include "tools/parley-load/sip_link.h"
#include "tools/parley-load/sip_options.h"
#include "tools/parley-load/sip_text.h"

namespace parley::load {

// RFC 3261 table 4
inline constexpr uint64_t kT1Ns = kNsPerSecond / 2;
inline constexpr uint64_t kT2Ns = 4 * kNsPerSecond;

// A challenge and how often it was answered (RFC 7616 section 3.4: nc).
struct Login {
  Challenge challenge;
  std::string ha1;  // for the challenge's realm and algorithm
  bool known = false;
  const char* header = "";  // "Authorization: " or "Proxy-Authorization: "
  uint32_t count = 0;
};

struct User {
  uint32_t index = 0;  // among all users of the run
  uint32_t place = 0;  // among those of its thread (pager)
  Credentials account;
  std::string aor;          // sip:NAME@DOMAIN
  std::string contact_uri;  // sip:NAME@HOST:PORT;transport=...
  std::string instance;     // Contact parameters of --outbound
  std::string call_id;      // of its REGISTERs
  uint32_t cseq = 0;        // likewise
  Link* link = nullptr;
  Login registrar;
  Login proxy;
  bool busy = false;  // its registration or OPTIONS is under way
};

// The parts of a request that never change. Between them: branch, tag, Call-ID, CSeq number, credentials.
struct RequestText {
  std::string before_branch;
  std::string before_tag;
  std::string before_call_id;
  std::string method;
  std::string rest;
};

struct SipPair {
  uint32_t index = 0;  // among all pairs of the run
  User* receiver = nullptr;
  User* sender = nullptr;
  RequestText text;
  uint32_t in_flight = 0;
  uint64_t measured = 0;  // finished while measuring
  bool dirty = false;     // waits for its turn to begin something
  // pager
  uint32_t chosen = 0;  // messages begun
  uint32_t lists = 0;   // of them to a list
  uint32_t sent = 0;    // requests
  uint32_t last = 0;    // number of the last one that the receiver has
};

// What a caller and a callee know of their call.
struct Dialog {
  std::string target;  // request URI of ACK and BYE
  std::string to;      // value with tag
  std::string routes;  // Route lines
  std::string answer;  // the callee's 200, until its ACK has come
};

enum class Step : uint8_t { asking, inviting, holding, leaving };

// What a pager message has beside others.
struct PagerPart {
  enum class To : uint8_t { one, list, group };
  To to = To::one;
  uint32_t turn = 0;    // list: which one of its sender
  uint32_t number = 0;  // among the requests of its pair, in the order in which they left
  uint32_t missing = 0; // deliveries
  std::vector<uint64_t> came;  // by recipient: hash of the Via it came with; 0: it has not
};

// One registration, message, call or OPTIONS under way. `slot` and `serial` are in its Call-ID and branches.
struct Flight {
  uint32_t slot = 0;  // its place among all
  bool live = false;
  SipMode kind = SipMode::message;
  Step step = Step::asking;
  bool setup = false;      // a registration before the load
  bool delivered = false;  // the receiver has it
  bool answered = false;   // the sender has its 2xx
  bool acked = false;      // call: the callee has the ACK
  bool left = false;       // call: the callee has the BYE
  bool spoiled = false;    // something was wrong: not counted as finished
  bool quiet = false;      // a provisional answer has ended the retransmissions (INVITE)
  uint32_t attempts = 0;   // requests so far, in the branch
  uint32_t invite = 0;     // which of them was the INVITE
  uint32_t logins = 0;     // challenges answered for the present request
  uint32_t cseq = 1;
  uint32_t invite_cseq = 0;
  User* user = nullptr;  // who sends
  SipPair* pair = nullptr;
  uint64_t serial = 0;
  uint64_t due_ns = 0;       // when it was due or begun
  uint64_t leave_ns = 0;     // call: when the BYE is to be sent, then when it was
  uint64_t resend_ns = 0;    // UDP: when the present request goes again
  uint64_t interval_ns = 0;  // the wait before that
  uint64_t give_up_ns = 0;
  // Hashes of the Via the request (the BYE) came with, to tell repetitions from duplicates.
  uint64_t seen_via = 0;
  uint64_t seen_bye_via = 0;
  uint64_t answer_resend_ns = 0;  // UDP: when the callee's 200 goes again
  uint64_t answer_interval_ns = 0;
  std::string login_line;  // of the present request; empty without
  std::unique_ptr<Dialog> dialog;
  PagerPart pager;
};

// Counts of one thread over the whole run: nothing but uint64_t members (sip.cc adds them up as an array).
struct SipCounts {
  uint64_t begun = 0;
  uint64_t finished = 0;  // registered, delivered and answered, called and ended, answered
  uint64_t body_bytes = 0;
  uint64_t requests_sent = 0;
  uint64_t requests_received = 0;
  uint64_t responses_received = 0;
  uint64_t provisional = 0;
  uint64_t challenged = 0;
  uint64_t retransmitted = 0;  // requests we sent again
  uint64_t answers_again = 0;  // 200s to INVITE sent again because no ACK came
  uint64_t repeated = 0;       // requests that reached us again in the same transaction: UDP only
  uint64_t duplicated = 0;     // requests that reached us twice in different transactions, or on a connection
  uint64_t corrupted = 0;
  uint64_t refused = 0;  // final answers other than 2xx
  uint64_t stray = 0;    // messages nobody waited for
  uint64_t bad_messages = 0;
  uint64_t connections_lost = 0;
  uint64_t lost = 0;        // never reached the receiver (or no answer, where there is no receiver)
  uint64_t unanswered = 0;  // reached the receiver, but the answer never came
  // pager
  uint64_t to_lists = 0;
  uint64_t to_groups = 0;
  uint64_t deliveries = 0;
  uint64_t missing = 0;      // deliveries of messages that were given up
  uint64_t odd_answers = 0;  // 2xx other than what such a message gets
  uint64_t out_of_order = 0;         // from one to one, behind a later one
  uint64_t copies_out_of_order = 0;  // likewise of what goes to lists and groups
};

}  // namespace parley::load

// tests/sim/ledger.h - what was sent and what became of it: the checkers for bytes, order, uniqueness and totality.
//
// Each request a client writes carries a tag of its own in an unknown header (X-Tag), which relays must keep. So every
// frame that arrives somewhere names the frame it came from, whatever the sender claims in its paths.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/journal.h"
#include "tests/sim/strict.h"

namespace parley::sim {

class Client;
class Sessions;

// One end of a conversation: a URI of a client and, if it authenticated, the relay URIs in front of it.
struct Leg {
  Client* client = nullptr;
  std::uint32_t number = 0;
  std::string uri;
  std::string user;                   // who authenticates
  bool shares_user = false;           // with the other legs of its client
  std::vector<std::string> use_path;  // from the client outwards
  std::vector<std::string> former;    // URIs it had and lost
  std::string auth_uri;               // what the AUTH in progress names last in its To-Path
  bool authenticating = false;        // one AUTH at a time
  bool lapses = false;                // lets its session run out, and comes back perhaps
  std::string challenge[2];           // by relay: the last one that was met,
  std::uint32_t nonce_count[2] = {};  // and how often its nonce was used
  Leg* partner = nullptr;
  bool authenticates = false;
  bool ready = false;                 // its client may send
  bool reachable = false;             // its relay knows the way to it; a caller has to send first
  std::uint32_t hops = 1;             // relays it authenticates with
  [[nodiscard]] bool open() const { return ready && partner->ready && partner->reachable; }
};

struct Message {
  std::uint32_t number = 0;
  bool probe = false;             // of the liveness phase: has to arrive, and proves nothing about troubles
  std::string id;
  Leg* from = nullptr;
  Leg* to = nullptr;
  std::string body;
  bool has_body = true;
  bool success_wanted = false;
  std::string failure = "yes";  // yes, no, partial, absent
  bool total_known = true;
  // The sender's side
  std::uint64_t sent = 0;            // bytes in frames that were written in full
  bool finished = false;             // the '$' frame was written in full
  bool given_up = false;             // ended with '#', or stopped after an error
  std::uint32_t unanswered = 0;      // frames that must get a response
  int refused = 0;                   // a response other than 200
  int failure_report = 0;            // status of the first one
  std::uint64_t success_reported = 0;
  // The receiver's side
  std::uint64_t received = 0;        // without a gap from the start
  bool complete = false;
  bool gap = false;                  // a part is missing and will not come
  bool frame_seen = false;
  bool crossed_out = false;          // '#' arrived
  bool report_due = false;           // the receiver answered an error, or nothing
};

// One frame as its sender wrote it.
struct Tag {
  std::size_t number = 0;            // X-Tag
  Client* origin = nullptr;
  Leg* leg = nullptr;
  Message* message = nullptr;        // nothing: a REPORT, or a liar's
  std::string method;
  std::string message_id;
  std::vector<std::string> to_path;
  std::string tid;
  std::uint64_t start = 0;           // first byte, from 0
  std::uint64_t length = 0;          // grows while the body is written
  Instant started{};                 // its head was written then, or later
  char flag = 0;                     // known when the frame was written in full
  bool hostile = false;
  // The receiver's side
  std::uint64_t passed = 0;          // bytes that came through
  bool ended = false;
};

class Ledger {
 public:
  explicit Ledger(Journal& journal) : journal_(journal) {}
  void judge_by(const Sessions& sessions) { sessions_ = &sessions; }

  Message& add_message() {
    messages_.push_back(std::make_unique<Message>());
    messages_.back()->number = static_cast<std::uint32_t>(messages_.size());
    messages_.back()->id = "msg-" + std::to_string(messages_.size());
    by_id_[messages_.back()->id] = messages_.back().get();
    return *messages_.back();
  }
  Tag& add_tag() {
    tags_.push_back(std::make_unique<Tag>());
    tags_.back()->number = tags_.size();
    return *tags_.back();
  }
  Message* message(const std::string& id);

  // A request arrived at `at`. Nothing when the run failed or the frame is a relay's own report; otherwise its tag.
  Tag* arrived(const Frame& frame, Client& at);
  // A SEND of an honest sender arrived.
  void delivered(const Frame& frame, Tag& tag);
  // A REPORT a relay made arrived at `at`.
  void relay_report(const Frame& frame, Client& at);
  // A success REPORT came through.
  void success_report(const Frame& frame, Tag& tag, Client& at);

  // At rest: what was accepted has been delivered, or its sender knows better, or is gone.
  // `silent_loss`: a limit was hit that may drop messages whose sender wants no report.
  void settle(bool silent_loss, bool relay_link_unsure);
  [[nodiscard]] const std::vector<std::unique_ptr<Message>>& messages() const { return messages_; }

 private:
  Journal& journal_;
  const Sessions* sessions_ = nullptr;
  std::vector<std::unique_ptr<Message>> messages_;
  std::map<std::string, Message*> by_id_;
  std::vector<std::unique_ptr<Tag>> tags_;
  std::map<std::pair<const Leg*, std::vector<std::string>>, std::size_t> last_seen_;  // order: (sender, path) -> tag
};

// RFC 4976 sections 6.3 and 6.4, independent of the relay: may this request reach `at`?
bool may_reach(const Tag& tag, const Client& at);

}  // namespace parley::sim

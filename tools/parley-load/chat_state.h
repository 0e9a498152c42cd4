// tools/parley-load/chat_state.h - rooms, their members and what is counted; all of it belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/parley-load/digest.h"
#include "tools/parley-load/stream.h"

namespace parley::load {

struct ChatMember;

// A connection with what it could not send yet and the beginning of what it has not read to the end.
struct ChatLink {
  enum class Kind : uint8_t { listener, sip, member };
  Kind kind = Kind::sip;
  ChatMember* member = nullptr;
  Stream stream;
  bool ours = false;  // SIP to the server; without it nothing goes on
  bool established = false;
  bool dead = false;  // given up; taken away between turns
  bool reading = true;
  bool watched = false;  // in the epoll set
  uint32_t mask = 0;
  std::string waiting;
  std::string carry;
};

struct ChatRoom {
  uint32_t index = 0;
  std::string uri;
  uint32_t first_member = 0;
  uint32_t present = 0;        // members that are in
  std::vector<uint64_t> sent;  // by sender, messages so far
  std::vector<std::set<uint64_t>> told;  // by sender: of which it has had a failure REPORT
  uint32_t turn = 0;           // of the senders
  uint64_t outstanding = 0;    // closed loop: deliveries of this beat that have not arrived
  uint64_t next_beat_ns = 0;   // open loop
  uint64_t beats = 0;
};

struct ChatMember {
  enum class State : uint8_t { out, inviting, connecting, binding, in, leaving };
  uint32_t index = 0;
  ChatRoom* room = nullptr;
  uint32_t place = 0;  // in the room; the first --senders are its senders
  std::string name;
  std::string aor;
  std::string session_id;  // of our MSRP URI; a new one for each join

  State state = State::out;
  std::optional<Challenge> challenge;
  uint32_t nonce_count = 0;
  uint32_t attempts = 0;  // dialogs begun; part of the Call-ID
  uint32_t cseq = 0;
  uint32_t logins = 0;  // challenges answered in this transaction
  std::string to;       // with the focus's tag
  std::string target;   // its Contact: the session identity
  std::string routes;
  std::string subscription_to;
  uint32_t subscription_cseq = 0;
  uint64_t invited_ns = 0;

  ChatLink link;
  std::string own_uri;
  std::string peer_path;
  uint64_t tid = 0;
  std::vector<uint64_t> next;  // by sender: the next number that must come; top bit: older ones may come first
  std::map<std::string, std::string, std::less<>> partial;  // Message-ID -> what has come of it
  bool stalled = false;                                     // does not read
  bool once_stalled = false;
  bool closed = false;  // by the server, because it had stopped reading
  struct Gap {
    uint32_t sender = 0;
    uint64_t from = 0;
    uint64_t to = 0;  // one past the last
  };
  std::vector<Gap> gaps;  // what it did not get because it had stopped reading
  bool late = false;      // joins while measuring
  bool will_reconnect = false;
  bool rejoining = false;                 // lost its connection; must get what it missed
  std::set<std::string, std::less<>> had; // Message-IDs, of one that will lose its connection
  std::vector<uint64_t> again;            // by sender: the next number that may come twice; ~0: any
  uint64_t in_ns = 0;
  uint64_t documents_full = 0;
  std::string user_count;  // in the conference state that it was told last
  uint64_t reconnect_ns = 0;
  uint64_t delivered = 0;
};

struct ChatCounts {
  uint64_t messages = 0;   // sent
  uint64_t delivered = 0;  // to members that read
  uint64_t delivered_bytes = 0;
  uint64_t stalled_delivered = 0;
  uint64_t stalled_missed = 0;  // numbers left out for members that had stopped reading
  uint64_t stalled_closed = 0;  // of them, ended by the server
  uint64_t answers = 0;
  uint64_t success_reports = 0;
  uint64_t failure_reports = 0;
  uint64_t reports_repeated = 0;
  uint64_t reports_wrong = 0;    // of what everybody has got, or nobody has sent
  uint64_t reports_missing = 0;  // messages that a member missed, was not closed for, and their senders were not told of
  uint64_t doubled = 0;          // by members that came back: they had it, and its answer was lost with their connection
  uint64_t lost = 0;
  uint64_t repeated = 0;  // came twice, or after a later one
  uint64_t echoed = 0;    // came back to its sender
  uint64_t corrupted = 0;
  uint64_t aborted = 0;  // '#'
  uint64_t refused = 0;  // SENDs answered with an error
  uint64_t bad_frames = 0;
  uint64_t connections_lost = 0;
  uint64_t expelled = 0;  // BYE from the server
  uint64_t joins = 0;
  uint64_t rejoins = 0;  // after a lost connection
  uint64_t leaves = 0;
  uint64_t join_errors = 0;
  uint64_t notifies = 0;
  uint64_t notifies_full = 0;
  uint64_t notify_bytes = 0;    // of bodies
  uint64_t notify_users = 0;    // user elements in them
  uint64_t full_again = 0;      // full documents to who had one already
  uint64_t full_most = 0;       // to one member in one subscription
  uint64_t out_of_date = 0;     // members whose conference state was not the last one in the end
  uint64_t skipped = 0;       // open loop: beats that were due when their sender was not in the room
};

}  // namespace parley::load

// tools/parley-load/pair.h - a sender, a receiver and the messages between them; both ends belong to one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/parley-load/frame.h"
#include "tools/parley-load/histogram.h"
#include "tools/parley-load/options.h"
#include "tools/parley-load/output.h"
#include "tools/parley-load/pattern.h"
#include "tools/parley-load/stream.h"
#include "tools/parley-load/websocket.h"

namespace parley::load {

struct Pair;

enum class Role : uint8_t { sender, receiver, listener };
enum class ConnState : uint8_t { unused, connecting, upgrading, asking, answering, binding, ready, closed };

struct Conn {
  Role role = Role::sender;
  ConnState state = ConnState::unused;
  Pair* pair = nullptr;  // null: an accepted connection whose pair is not known yet (direct mode)
  Stream stream;
  std::unique_ptr<WebSocket> websocket;  // null: plain
  std::string session_id;
  std::string uri;                    // our own end of the path
  std::vector<std::string> use_path;  // as the relay gave it
  Challenge challenge;
  Backlog backlog;
  uint32_t epoll_mask = 0;
  bool reading = true;

  // A frame in progress: bytes whose meaning needs more bytes, and what is known about the body that is arriving.
  std::vector<char> carry;
  bool in_body = false;
  EndMark end_mark;
  Head body_head;            // only numbers and flags are valid, the views are gone
  std::string from_path;     // of the frame in progress
  uint64_t message = 0;      // number of the message the body belongs to
  uint64_t body_bytes = 0;   // of this chunk, so far
  bool body_wanted = false;  // false: a body we only skip
};

// One message under way. A slot is free again when everything that was to happen has happened.
struct Slot {
  uint64_t due_ns = 0;  // open loop: when it was due; closed loop: when its first byte was written
  uint64_t seed = 0;
  uint64_t size_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t reported_bytes = 0;
  uint32_t chunks_sent = 0;
  uint32_t chunks_answered = 0;
  bool delivered = false;
  bool failed = false;
  bool sent = false;  // completely
};

struct Pair {
  uint32_t index = 0;  // among all pairs of the run
  bool slow = false;   // its receiver stops reading; it counts in no figure but loss
  bool idle = false;   // only a receiver connection
  bool dead = false;   // a connection broke or the session is gone
  bool dirty = false;  // waits in Context::dirty for its turn to send
  Conn receiver;
  Conn sender;

  std::vector<Slot> slots;  // a power of two; message n lives in slots[n & mask]
  uint64_t next = 0;        // number of the next message to begin
  uint64_t oldest = 0;      // everything below is finished
  uint64_t due = 1;         // open loop: messages whose time has come, the set-up's included
  uint64_t highest_delivered = 0;
  bool any_delivered = false;
  uint64_t measured = 0;     // messages delivered while measuring
  bool mid_message = false;  // message next-1 has chunks left to send

  // The parts of a SEND that never change: "MSRP ", then tid, [after_tid], message-id number, [after_id], range,
  // [after_range].
  std::string after_tid;
  std::string after_id;
  std::string after_range;

  Slot& slot(uint64_t number) { return slots[number & (slots.size() - 1)]; }
  uint64_t under_way() const { return next - oldest; }
};

// Counts of one thread over the whole run.
struct Counts {
  uint64_t begun = 0;
  uint64_t delivered = 0;
  uint64_t delivered_bytes = 0;
  uint64_t chunks_sent = 0;
  uint64_t chunks_received = 0;
  uint64_t answers = 0;
  uint64_t success_reports = 0;
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t corrupted = 0;
  uint64_t failed = 0;      // messages refused by an answer or a failure REPORT
  uint64_t stray = 0;       // answers and reports nobody waited for
  uint64_t bad_frames = 0;  // frames no parser of RFC 4975 should accept
  uint64_t connections_lost = 0;
  uint64_t lost = 0;        // counted when the run has drained
  uint64_t unanswered = 0;  // delivered, but the answer or REPORT never came
  uint64_t slow_delivered = 0;
  uint64_t slow_bytes_sent = 0;
};

// What the code of one thread shares.
struct Context {
  Context(const Options& o, const Pattern& p) : options(o), pattern(p), batch(o.websocket) {}
  const Options& options;
  const Pattern& pattern;
  Batch batch;
  Counts counts;
  std::map<unsigned, uint64_t> answer_errors;  // by code; errors are rare, so a map may allocate
  std::map<unsigned, uint64_t> report_errors;
  Histogram delivery;  // due -> complete at the receiver
  Histogram answered;  // due -> all answers (and reports) at the sender
  std::vector<Pair*> dirty;
  std::vector<std::string> notes;  // the first few things that went wrong, in words
  uint64_t now = 0;
  uint64_t start_ns = 0;  // when the load begins: message 0 of pair 0 is due then
  bool measuring = false;
  bool may_begin = false;  // new messages may be started

  // Open loop: all pairs take turns. Message 0 belongs to the set-up, so message n of pair p is the ((n-1) * pairs +
  // p)-th.
  uint64_t due_ns(const Pair& pair, uint64_t number) const {
    const double place = static_cast<double>(number - 1) * options.pairs + pair.index;
    return start_ns + static_cast<uint64_t>(place * 1e9 / options.rate_per_s);
  }

  void note(const std::string& text) {
    if (notes.size() < 5) notes.push_back(text);
  }
};

inline void make_dirty(Context& context, Pair& pair) {
  if (!pair.dirty) {
    pair.dirty = true;
    context.dirty.push_back(&pair);
  }
}

// sender.cc
void prepare_sender(const Options& options, Pair& pair);
bool may_send(const Context& context, const Pair& pair);
void write_frames(Context& context, Pair& pair);  // fills context.batch
void on_answer(Context& context, Pair& pair, const Head& head);
void on_report(Context& context, Pair& pair, const Head& head);
void finish_slots(Context& context, Pair& pair, uint64_t number);
void write_binding(Context& context, Pair& pair);

// receiver.cc: a SEND's head, pieces of its body, its end. Answers are put into context.batch.
void on_send_head(Context& context, Conn& conn, const Head& head);
void on_send_body(Context& context, Conn& conn, std::string_view data);
void on_send_end(Context& context, Conn& conn, char flag);

}  // namespace parley::load

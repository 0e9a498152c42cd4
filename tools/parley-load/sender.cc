// tools/parley-load/sender.cc - cuts messages into SENDs and settles them when answers and reports come (RFC 4975 7.1).
#include <charconv>
#include <cstring>

#include "tools/parley-load/pair.h"
#include "tools/parley-load/words.h"

namespace parley::load {
namespace {

// Transaction ids carry what they are about, so an answer needs no table: 'L', message number (8 hex), chunk (6 hex).
constexpr size_t kTidBytes = 15;
// Message-IDs likewise: 'L', pair (8 hex), '.', message number (12 hex).
constexpr size_t kNumberDigits = 12;

void put_hex(char* to, uint64_t value, size_t digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (size_t i = digits; i-- > 0; value >>= 4) to[i] = kHex[value & 15];
}

char* put_number(char* to, uint64_t value) { return std::to_chars(to, to + 20, value).ptr; }

std::string pair_id(uint32_t index) {
  std::string id = "L00000000.";
  put_hex(id.data() + 1, index, 8);
  return id;
}

bool settled(const Options& options, const Slot& slot) {
  if (!slot.sent) return false;
  if (slot.failed) return true;
  if (!slot.delivered) return false;
  if (options.failure_report == FailureReport::yes && slot.chunks_answered < slot.chunks_sent) return false;
  return !options.success_reports || slot.reported_bytes >= slot.size_bytes;
}

void fail(Context& context, Pair& pair, uint64_t number) {
  Slot& slot = pair.slot(number);
  if (slot.failed) return;
  slot.failed = true;
  ++context.counts.failed;
  if (!slot.sent) {  // nothing more of it is worth sending; its chunks under way are dropped with it
    slot.sent = true;
    if (number + 1 == pair.next) pair.mid_message = false;
  }
  finish_slots(context, pair, number);
}

void begin_message(Context& context, Pair& pair) {
  const uint64_t number = pair.next++;
  Slot& slot = pair.slot(number);
  slot = Slot{};
  slot.seed = message_seed(pair.index, number);
  slot.size_bytes = context.options.message_bytes(pair.index, number);
  slot.due_ns = context.options.open_loop() && !pair.slow && number > 0 ? context.due_ns(pair, number) : context.now;
  pair.mid_message = true;
  ++context.counts.begun;
}

// One chunk of message `number`. Everything but the ids and the range is copied from prepared text.
void write_chunk(Context& context, Pair& pair, uint64_t number) {
  Slot& slot = pair.slot(number);
  const uint64_t left = slot.size_bytes - slot.sent_bytes;
  const uint64_t chunk_max = context.options.chunk_bytes == 0 ? left : context.options.chunk_bytes;
  const uint64_t bytes = left < chunk_max ? left : chunk_max;
  const bool last = bytes == left;

  context.batch.begin_message();
  char* const start = context.batch.room();
  char* at = start;
  std::memcpy(at, "MSRP L", 6);
  char* const tid = at + 5;
  put_hex(tid + 1, number & 0xffffffff, 8);
  put_hex(tid + 9, slot.chunks_sent & 0xffffff, 6);
  at = tid + kTidBytes;
  const auto put = [&at](std::string_view text) {
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  };
  put(pair.after_tid);
  put_hex(at, number, kNumberDigits);
  at += kNumberDigits;
  put(pair.after_id);
  at = put_number(at, slot.sent_bytes + 1);
  *at++ = '-';
  at = put_number(at, slot.sent_bytes + bytes);
  *at++ = '/';
  at = put_number(at, slot.size_bytes);
  put(pair.after_range);
  std::array<char, kTidBytes> tid_copy{};
  std::memcpy(tid_copy.data(), tid, kTidBytes);
  context.batch.wrote(static_cast<size_t>(at - start));

  for (uint64_t done = 0; done < bytes;) {
    const std::string_view piece =
        context.pattern.piece(slot.seed, slot.sent_bytes + done, static_cast<size_t>(bytes - done));
    context.batch.add_fixed(piece);
    done += piece.size();
  }
  char* const end = context.batch.room();
  std::memcpy(end, "\r\n-------", 9);
  std::memcpy(end + 9, tid_copy.data(), kTidBytes);
  end[9 + kTidBytes] = last ? '$' : '+';
  std::memcpy(end + 10 + kTidBytes, "\r\n", 2);
  context.batch.wrote(12 + kTidBytes);
  context.batch.end_message();

  ++slot.chunks_sent;
  ++context.counts.chunks_sent;
  slot.sent_bytes += bytes;
  if (pair.slow) context.counts.slow_bytes_sent += bytes;
  if (last) {
    slot.sent = true;
    pair.mid_message = false;
  }
}

}  // namespace

void prepare_sender(const Options& options, Pair& pair) {
  // RFC 4976 5.1: our own relays, then the peer's path: its Use-Path reversed, itself last.
  std::string to_path;
  for (const std::string& uri : pair.sender.use_path) to_path += uri + " ";
  const auto& theirs = pair.receiver.use_path;
  for (size_t i = theirs.size(); i-- > 0;) to_path += theirs[i] + " ";
  to_path += pair.receiver.uri;

  pair.after_tid =
      " SEND\r\nTo-Path: " + to_path + "\r\nFrom-Path: " + pair.sender.uri + "\r\nMessage-ID: " + pair_id(pair.index);
  pair.after_id = "\r\n";
  if (options.success_reports) pair.after_id += "Success-Report: yes\r\n";
  if (options.failure_report == FailureReport::no) pair.after_id += "Failure-Report: no\r\n";
  if (options.failure_report == FailureReport::partial) pair.after_id += "Failure-Report: partial\r\n";
  pair.after_id += "Byte-Range: ";
  pair.after_range = "\r\nContent-Type: " + options.content_type + "\r\n\r\n";
}

// A SEND without a body: in the direct mode it tells the receiver's end which pair a connection belongs to.
void write_binding(Context& context, Pair& pair) {
  context.batch.add("MSRP Lbind00000000 SEND\r\nTo-Path: " + pair.receiver.uri + "\r\nFrom-Path: " + pair.sender.uri +
                    "\r\nMessage-ID: Lbind" + std::to_string(pair.index) +
                    "\r\nByte-Range: 1-0/0\r\n-------Lbind00000000$\r\n");
}

bool may_send(const Context& context, const Pair& pair) {
  if (pair.dead || pair.idle || pair.sender.state != ConnState::ready || !pair.sender.backlog.empty()) return false;
  if (pair.mid_message) return true;
  if (!context.may_begin) return pair.next == 0;  // message 0 ends the set-up: see Worker::setup_all
  if (pair.slow) return pair.under_way() < context.options.slow_window;
  if (context.options.open_loop()) return pair.next < pair.due && pair.under_way() < pair.slots.size();
  return pair.under_way() < context.options.window;
}

void write_frames(Context& context, Pair& pair) {
  while (!context.batch.full() && may_send(context, pair)) {
    if (!pair.mid_message) begin_message(context, pair);
    write_chunk(context, pair, pair.next - 1);
  }
}

void on_answer(Context& context, Pair& pair, const Head& head) {
  uint64_t low = 0;
  uint64_t chunk = 0;
  const bool ours = head.tid.size() == kTidBytes && head.tid[0] == 'L' && take_hex(head.tid.substr(1, 8), low) &&
                    take_hex(head.tid.substr(9, 6), chunk);
  const uint64_t number = pair.oldest + ((low - pair.oldest) & 0xffffffff);  // the nearest at or above the oldest
  if (!ours || number >= pair.next || chunk >= pair.slot(number).chunks_sent) {
    ++context.counts.stray;
    return;
  }
  Slot& slot = pair.slot(number);
  if (head.code != 200) {
    ++context.answer_errors[head.code];
    fail(context, pair, number);
    if (head.code == 481 || head.code == 506) pair.dead = true;  // RFC 4975 10: the session is over
    return;
  }
  ++context.counts.answers;
  ++slot.chunks_answered;
  finish_slots(context, pair, number);
}

void on_report(Context& context, Pair& pair, const Head& head) {
  uint64_t number = 0;
  const std::string id = pair_id(pair.index);
  const bool ours = head.message_id.size() == id.size() + kNumberDigits && head.message_id.starts_with(id) &&
                    take_hex(head.message_id.substr(id.size()), number);
  if (!ours || number < pair.oldest || number >= pair.next) {
    ++context.counts.stray;
    return;
  }
  Slot& slot = pair.slot(number);
  const unsigned code = parse_status(head.status);
  if (code != 200) {
    ++context.report_errors[code];
    fail(context, pair, number);
    return;
  }
  const uint64_t end = head.range.end == kRangeUnknown ? slot.size_bytes : head.range.end;
  if (head.range.start == 0 || end > slot.size_bytes || head.range.start > end + 1) {
    ++context.counts.bad_frames;
    context.note("REPORT with an impossible Byte-Range");
    return;
  }
  ++context.counts.success_reports;
  slot.reported_bytes += end + 1 - head.range.start;
  finish_slots(context, pair, number);
}

// Gives back the slots at the old end of the window that are settled.
void finish_slots(Context& context, Pair& pair, uint64_t number) {
  if (context.measuring && !pair.slow && settled(context.options, pair.slot(number)) && !pair.slot(number).failed)
    context.answered.record(context.now - pair.slot(number).due_ns);
  while (pair.oldest < pair.next && settled(context.options, pair.slot(pair.oldest))) ++pair.oldest;
  make_dirty(context, pair);
}

}  // namespace parley::load

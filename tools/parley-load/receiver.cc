// tools/parley-load/receiver.cc - takes SENDs apart, checks every byte, answers and reports (RFC 4975 7.1.2, 7.3).
#include "tools/parley-load/pair.h"
#include "tools/parley-load/words.h"

namespace parley::load {
namespace {

constexpr size_t kMessageIdBytes = 22;  // 'L', pair (8 hex), '.', number (12 hex); see sender.cc

std::string name_of(const Pair& pair, uint64_t number) {
  return "pair " + std::to_string(pair.index) + " message " + std::to_string(number) + ": ";
}

void corrupt(Context& context, const Pair& pair, uint64_t number, const std::string& what) {
  ++context.counts.corrupted;
  context.note(name_of(pair, number) + what);
}

void answer(Context& context, const Conn& conn) {
  Batch& batch = context.batch;
  const std::string_view tid = conn.end_mark.tid();
  batch.begin_message();
  batch.add("MSRP ");
  batch.add(tid);
  batch.add(" 200 OK\r\nTo-Path: ");
  batch.add(first_uri(conn.from_path));  // RFC 4975 7.2: a response to SEND goes one hop
  batch.add("\r\nFrom-Path: ");
  batch.add(conn.uri);
  batch.add("\r\n-------");
  batch.add(tid);
  batch.add("$\r\n");
  batch.end_message();
}

void report_success(Context& context, const Conn& conn, uint64_t number, uint64_t size_bytes) {
  std::string id = "R";  // a transaction of our own; the message number makes it unique on this connection
  id += std::to_string(number + 1000);
  const std::string size = std::to_string(size_bytes);
  Batch& batch = context.batch;
  batch.begin_message();
  batch.add("MSRP ");
  batch.add(id);
  batch.add(" REPORT\r\nTo-Path: ");
  batch.add(conn.from_path);
  batch.add("\r\nFrom-Path: ");
  batch.add(conn.uri);
  batch.add("\r\nMessage-ID: L");
  static constexpr char kHex[] = "0123456789abcdef";
  char* at = batch.room();
  for (int shift = 28; shift >= 0; shift -= 4) *at++ = kHex[conn.pair->index >> shift & 15];
  *at++ = '.';
  for (int shift = 44; shift >= 0; shift -= 4) *at++ = kHex[number >> shift & 15];
  batch.wrote(kMessageIdBytes - 1);
  batch.add("\r\nByte-Range: 1-");
  batch.add(size);
  batch.add("/");
  batch.add(size);
  batch.add("\r\nStatus: 000 200 OK\r\n-------");
  batch.add(id);
  batch.add("$\r\n");
  batch.end_message();
}

void deliver(Context& context, Conn& conn, uint64_t number) {
  Pair& pair = *conn.pair;
  Slot& slot = pair.slot(number);
  slot.delivered = true;
  if (pair.any_delivered && number < pair.highest_delivered) {
    ++context.counts.reordered;
    context.note(name_of(pair, number) + "came after message " + std::to_string(pair.highest_delivered));
  } else {
    pair.highest_delivered = number;
    pair.any_delivered = true;
  }
  if (pair.slow) {
    ++context.counts.slow_delivered;
  } else {
    ++context.counts.delivered;
    context.counts.delivered_bytes += slot.size_bytes;
    if (context.measuring) {
      context.delivery.record(context.now - slot.due_ns);
      ++pair.measured;
    }
  }
  if (context.options.success_reports) report_success(context, conn, number, slot.size_bytes);
  finish_slots(context, pair, number);
}

}  // namespace

void on_send_head(Context& context, Conn& conn, const Head& head) {
  Pair& pair = *conn.pair;
  conn.body_head = head;
  conn.end_mark.set(head.tid);
  conn.from_path.assign(head.from_path);
  conn.body_bytes = 0;
  conn.body_wanted = false;
  if (!head.has_body && head.message_id.starts_with("Lbind")) return;

  uint64_t index = 0;
  uint64_t number = 0;
  const std::string_view id = head.message_id;
  if (id.size() != kMessageIdBytes || id[0] != 'L' || id[9] != '.' || !take_hex(id.substr(1, 8), index) ||
      !take_hex(id.substr(10), number) || index != pair.index) {
    return corrupt(context, pair, number, "a SEND that is not of this pair: Message-ID '" + std::string(id) + "'");
  }
  if (number >= pair.next) return corrupt(context, pair, number, "arrived before it was sent");
  if (number < pair.oldest || pair.slot(number).delivered) {
    ++context.counts.duplicated;
    return context.note(name_of(pair, number) + "a chunk of a finished message came again");
  }
  const Slot& slot = pair.slot(number);
  conn.message = number;
  if (slot.failed) return;  // a refused message may still be dribbling in
  if (head.range.total != kRangeUnknown && head.range.total != slot.size_bytes)
    return corrupt(context, pair, number, "Byte-Range names a wrong total");
  if (head.range.start != slot.received_bytes + 1) {
    if (head.range.start <= slot.received_bytes) {
      ++context.counts.duplicated;
      return context.note(name_of(pair, number) + "a chunk came twice");
    }
    return corrupt(context, pair, number, "a chunk is missing before byte " + std::to_string(head.range.start));
  }
  conn.body_wanted = true;
}

void on_send_body(Context& context, Conn& conn, std::string_view data) {
  conn.body_bytes += data.size();
  if (!conn.body_wanted || data.empty()) return;
  Pair& pair = *conn.pair;
  if (conn.message < pair.oldest) conn.body_wanted = false;  // refused meanwhile: the slot is another message's
  if (!conn.body_wanted) return;
  Slot& slot = pair.slot(conn.message);
  if (data.size() > slot.size_bytes - slot.received_bytes) {
    conn.body_wanted = false;
    return corrupt(context, pair, conn.message, "longer than it was sent");
  }
  const size_t same = context.pattern.first_difference(slot.seed, slot.received_bytes, data);
  if (same < data.size()) {
    conn.body_wanted = false;
    return corrupt(context, pair, conn.message, "differs at byte " + std::to_string(slot.received_bytes + same + 1));
  }
  slot.received_bytes += data.size();
}

void on_send_end(Context& context, Conn& conn, char flag) {
  ++context.counts.chunks_received;
  const Head& head = conn.body_head;
  if (head.failure_report == FailureReport::yes) answer(context, conn);
  Pair& pair = *conn.pair;
  if (!conn.body_wanted || conn.message < pair.oldest) return;
  Slot& slot = pair.slot(conn.message);
  // A chunk that ends with '+' may have been interrupted (RFC 4975 7.1.1), so its range end is only a promise.
  const bool explicit_end = head.has_range && head.range.end != kRangeUnknown;
  if (explicit_end && flag == '$' && conn.body_bytes != head.range.end + 1 - head.range.start)
    return corrupt(context, pair, conn.message, "a last chunk whose Byte-Range does not fit its body");
  if (flag == '#') {
    ++context.report_errors[0];
    if (!slot.failed) {
      slot.failed = true;
      ++context.counts.failed;
      context.note(name_of(pair, conn.message) + "was aborted by '#'");
      finish_slots(context, pair, conn.message);
    }
    return;
  }
  if (flag != '$') return;
  if (slot.received_bytes != slot.size_bytes)
    return corrupt(
        context, pair, conn.message,
        "ended after " + std::to_string(slot.received_bytes) + " of " + std::to_string(slot.size_bytes) + " bytes");
  deliver(context, conn, conn.message);
}

}  // namespace parley::load

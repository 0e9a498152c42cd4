// msrp/relay_send.cc - SEND: what becomes of it, and how one that is there in one piece is forwarded
// (RFC 4976 section 6.4.1, RFC 4975 section 7.1.1). Chunks are cut, never joined, and leave in the order they came
// (R4976-12); each is on its own, so messages may interleave and transaction ids repeat (T-67, T-68).
#include <algorithm>

#include "core/check.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;
using Lane = core::Outbox::Lane;

namespace {

void put_headers(TextOut& out, const Head& head, std::string_view bytes, bool with_range, std::uint64_t start,
                 std::uint64_t end, std::uint64_t total) {
  const std::string_view headers = head.headers.of(bytes);
  const bool says_it = head.has_range && head.range.start == start && head.range.end == end && head.range.total == total;
  if (!with_range || says_it) {
    out.put(headers);
  } else if (!head.has_range) {
    put_range_line(out, start, end, total);
    out.put(headers);
  } else {
    const std::size_t at = head.byte_range_line.offset - head.headers.offset;
    out.put(headers.substr(0, at));
    put_range_line(out, start, end, total);
    out.put(headers.substr(at + head.byte_range_line.length));
  }
}

}  // namespace

std::uint32_t Relay::on_send_head(Conn& conn, const Frame& frame, core::Slice rest) {
  const Head& head = frame.head;
  if (End* end = ends_.known(conn, head, frame.bytes)) return ends_.on_send(conn, *end, head, frame.bytes, rest);
  Refusal refusal = Refusal::none;
  Route* route = nullptr;
  std::uint16_t answer = 200;
  if ((head.has_range && range_contradicts_itself(head.range)) || head.message_id.length > Transaction::id_bytes_max) {
    count(Metric::msrp_range_bad);
    answer = 400;
  } else if (conn.aborted != nullptr && head.range.start > 1 && was_aborted(conn, frame(head.message_id))) {
    answer = 413;  // its receiver was told that the message ends
  } else {
    const Resolved resolved = resolve(conn, frame, frame(head.to_path));
    refusal = resolved.refusal;
    if (refusal == Refusal::none && resolved.end != nullptr) return ends_.on_send(conn, *resolved.end, head, frame.bytes, rest);
    if (refusal == Refusal::early) {
      std::string bytes(frame.bytes);
      if (rest.length != 0) bytes.append(pool_.view(rest));
      if (ends_.wait_for_peer(conn, *resolved.end, bytes)) return rest.length;
    }
    route = resolved.route;
    if (route != nullptr && !head_fits(frame, *route)) answer = 400;
    if (refusal == Refusal::elsewhere) {
      std::string unused(frame.bytes);
      if (rest.length != 0) unused.append(pool_.view(rest));
      out_->hand_over(conn.id, resolved.shard, std::move(unused));
      forget(conn);
      return 0;
    }
  }
  if (refusal == Refusal::foreign) {
    count(Metric::relay_foreign_uri);
    close(conn);
    return 0;
  }
  if (refusal != Refusal::none) {
    // A keep-alive addressed to the relay itself by the owner of the session is received and goes no further.
    if (refusal == Refusal::for_us && !head.has_body && conn.proven) {
      if (head.failure == FailureReport::yes) respond_plain(conn, frame, 200, {});
      return 0;
    }
    answer = refuse(conn, refusal);
    if (answer == 0) return 0;
  }
  if (answer != 200) {
    const std::string report_paths = std::string("To-Path: ").append(frame(head.from_path)).append("\r\nFrom-Path: ")
                                         .append(split_path(frame(head.to_path)).first).append("\r\n");
    // A bad request is the sender's own doing and answered; what the relay cannot do is reported as well, since an
    // answer with an error may end at a relay in between (R4976-7, R4976-10).
    const bool reported = refusal != Refusal::none && refusal != Refusal::bad_path && head.failure != FailureReport::no &&
                          head.message_id.present();
    if (head.has_body) {
      Inbound* in = start_inbound(conn, frame, nullptr, answer);
      in->report_at_end = reported;
      in->refusal_paths = report_paths;
      in->message_id.assign(frame(head.message_id));
      return 0;
    }
    if (head.failure == FailureReport::yes || (head.failure == FailureReport::partial && !reported)) {
      respond_plain(conn, frame, answer, {});
    }
    if (reported) report(&conn, report_paths, {frame(head.message_id), answer, false, 1, 0, ByteRange::unknown});
    return 0;
  }
  prove(conn);
  if (!head.has_body) {
    forward_bodiless(conn, frame, *route);
    return 0;
  }
  // The common case: the whole frame is here and needs no state of its own.
  BodyScan scan;
  scan.start(frame(head.tid));
  const BodyScan::Result result = scan.feed(pool_.view(rest));
  const std::uint32_t piece = piece_bytes(*live(route->dest));
  if (result.ended && (piece == 0 || result.body <= piece) && !long_for_ws(route->dest, result.body)) {
    forward_whole(conn, frame, *route, rest.part(0, result.body), result.flag);
    return result.consumed;
  }
  Inbound* in = start_inbound(conn, frame, route, answer);
  in->scan = scan;
  in->piece_bytes = piece;
  if (result.ended) {
    finish(*in, result.flag, {}, rest.part(0, result.body));
  } else {
    pass(*in, {}, rest.part(0, result.body));
  }
  return result.consumed;
}

bool Relay::open_transaction(Conn& dest, Route& route, FailureReport failure, std::string_view message_id,
                             std::array<char, tid_bytes>& tid, std::uint32_t& slot) {
  // Nobody answers a SEND with Failure-Report: no.
  if (failure == FailureReport::no) {
    transactions_.make_tid(tid);
    slot = Transaction::none;
    return true;
  }
  slot = transactions_.create(dest, config_->transactions_max, tid);
  if (slot == Transaction::none) {
    count(Metric::relay_transactions_limit);
    return false;
  }
  Transaction& t = transactions_.at(slot);
  t.route = &route;
  ++route.refs;
  t.failure = failure;
  t.id_length = static_cast<std::uint8_t>(message_id.size());
  std::copy(message_id.begin(), message_id.end(), t.id.begin());
  return true;
}

void Relay::forward_whole(Conn& conn, const Frame& frame, Route& route, core::Slice body, Flag flag) {
  const Head& head = frame.head;
  const std::uint64_t length = body.length;
  const std::uint64_t end = head.range.start - 1 + length;
  const std::uint64_t total = total_after(head.range, length, flag);
  Conn& dest = *live(route.dest);
  // A whole message may go without (R4975-5); what is said of no bytes at all goes as it came.
  const bool with_range = length != 0 && (head.has_range || flag != Flag::end || piece_bytes(dest) != 0);
  const ReportFacts facts{frame(head.message_id), 408, true, head.range.start, end, total};
  std::array<char, tid_bytes> tid;
  std::uint32_t slot = Transaction::none;
  if (overrun(conn, dest) || !open_transaction(dest, route, head.failure, frame(head.message_id), tid, slot)) {
    if (head.failure != FailureReport::no) {
      if (head.failure == FailureReport::yes) answer(conn, frame(head.tid), 200, route.response_paths);
      report(&conn, route.report_paths, facts);
    }
    return;
  }
  begin_frame(dest);
  const bool copied = body.length <= copy_bytes_max;
  const std::string_view tid_text(tid.data(), tid.size());
  char* at = reserve(dest, Lane::forward,
                     send_overhead_bytes + route.out_paths.size() + head.headers.length + (copied ? body.length : 0));
  TextOut out(at);
  put_request_line(out, tid_text, "SEND");
  out.put(route.out_paths);
  put_headers(out, head, frame.bytes, with_range, head.range.start, end, total);
  out.put("\r\n");
  if (copied) {
    out.put(pool_.view(body));
    put_end_line(out, tid_text, flag, true);
    commit(dest, Lane::forward, out.size());
  } else {
    commit(dest, Lane::forward, out.size(), around(dest, body));
    write_shared(dest, body, Piece::Kind::inside);
    char* tail = reserve(dest, Lane::forward, end_line_bytes_max);
    TextOut last(tail);
    put_end_line(last, tid_text, flag, true);
    commit(dest, Lane::forward, last.size(), {.kind = Piece::Kind::inside});
  }
  if (slot != Transaction::none && !dest.gone()) {
    Transaction& t = transactions_.at(slot);
    t.out_offset = dest.written;
    t.start = head.range.start;
    t.length = length;
    t.total = total;
    t.has_body = true;
  }
  count_chunk(dest, length);
  for (std::size_t i = 0; i < route.session_count; ++i) {
    Session* session = sessions_.get(route.sessions[i]);
    if (session == nullptr) continue;
    const bool inwards = session->owner == dest.self;
    ++(inwards ? session->messages_in : session->messages_out);
    (inwards ? session->bytes_in : session->bytes_out) += length;
  }
  if (head.failure == FailureReport::yes) answer(conn, frame(head.tid), 200, route.response_paths);  // R4976-10, T-62
  hold_if_slow(conn, dest);
}

// No body is not an empty body (R4975-4): it goes on as it came, with or without Message-ID and Byte-Range (T-58).
void Relay::forward_bodiless(Conn& conn, const Frame& frame, Route& route) {
  const Head& head = frame.head;
  Conn& dest = *live(route.dest);
  std::array<char, tid_bytes> tid;
  std::uint32_t slot = Transaction::none;
  if (overrun(conn, dest) || !open_transaction(dest, route, head.failure, frame(head.message_id), tid, slot)) {
    if (head.failure == FailureReport::no) return;
    answer(conn, frame(head.tid), 413, route.response_paths);
    if (conn.is_pipe()) report(&conn, route.report_paths, {frame(head.message_id), 413});
    return;
  }
  begin_frame(dest);
  const std::string_view tid_text(tid.data(), tid.size());
  TextOut out(reserve(dest, Lane::forward, send_overhead_bytes + route.out_paths.size() + head.headers.length));
  put_request_line(out, tid_text, "SEND");
  out.put(route.out_paths).put(frame(head.headers));
  put_end_line(out, tid_text, head.flag, false);
  commit(dest, Lane::forward, out.size());
  if (slot != Transaction::none && !dest.gone()) transactions_.at(slot).out_offset = dest.written;
  count_chunk(dest, 0);
  if (head.failure == FailureReport::yes) answer(conn, frame(head.tid), 200, route.response_paths);
  hold_if_slow(conn, dest);
}

// Our URIs and ranges make a head longer. One that the next hop would have to refuse is refused here, where only its
// sender is hurt, not everybody on the connection to the next hop.
bool Relay::head_fits(const Frame& frame, const Route& route) const {
  const Head& head = frame.head;
  return send_overhead_bytes + route.out_paths.size() + head.headers.length <= config_->head.head_bytes_max &&
         head.header_count + (head.has_range ? 0 : 1) <= config_->head.headers_max;
}

void Relay::count_chunk(const Conn& dest, std::uint64_t body_bytes) {
  if (dest.is_pipe()) return;  // the shard that writes it to a next hop counts
  count(Metric::relay_chunks);
  count(Metric::relay_body_bytes, body_bytes);
}

}  // namespace parley::msrp

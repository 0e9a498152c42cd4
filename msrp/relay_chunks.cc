// msrp/relay_chunks.cc - SEND cut through: a body that is still arriving leaves in chunks of our own (RFC 4976 section
// 6.4.1). A chunk is opened when there is enough to say, ended with '+' when others must pass or its source stalls, and
// with '#' when its source dies.
#include <algorithm>

#include "core/check.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;
using Lane = core::Outbox::Lane;

namespace {

constexpr std::size_t kept_headers_max = 4096;

}  // namespace

Inbound& Relay::take_inbound(Conn& conn, std::string_view tid) {
  Inbound* in;
  if (free_inbounds_.empty()) {
    inbounds_.push_back(std::make_unique<Inbound>());
    in = inbounds_.back().get();
    in->index = static_cast<std::uint32_t>(inbounds_.size() - 1);
    in->timer.kind = timer_inbound;
    in->timer.owner = in->index;
    in->pending.reserve(Inbound::chunk_bytes_min);
  } else {
    in = free_inbounds_.back();
    free_inbounds_.pop_back();
  }
  in->source = &conn;
  in->route = nullptr;
  in->dest = {};
  in->scan.start(tid);
  in->tid_length = static_cast<std::uint8_t>(tid.size());
  std::copy(tid.begin(), tid.end(), in->tid.begin());
  in->failure = FailureReport::no;
  in->has_range = false;
  in->discard = true;
  in->piece_bytes = 0;
  in->report_at_end = false;
  in->end = {};
  in->told = false;
  in->range = {};
  in->received = in->emitted = in->chunk_start = 0;
  in->received_max = ~std::uint64_t{0};
  in->open = false;
  in->transaction = Transaction::none;
  in->message_id.clear();
  in->pending.clear();
  in->last_bytes = in->window_start = now_.mono;
  in->window_received = 0;
  conn.inbound = in;
  wheel_.arm(in->timer, now_.mono + std::min(config_->stall, config_->body_window));
  return *in;
}

Inbound* Relay::start_inbound(Conn& conn, const Frame& frame, Route* route, std::uint16_t answer) {
  const Head& head = frame.head;
  Inbound* in = &take_inbound(conn, frame(head.tid));
  in->route = route;
  in->failure = head.failure;
  in->has_range = head.has_range;
  in->discard = route == nullptr;
  in->answer = answer;
  in->range = head.range;
  if (route != nullptr) {
    ++route->refs;
    in->dest = route->dest;
    const std::string_view headers = frame(head.headers);
    if (head.has_range) {
      const std::size_t at = head.byte_range_line.offset - head.headers.offset;
      in->headers.assign(headers.substr(0, at)).append(headers.substr(at + head.byte_range_line.length));
    } else {
      in->headers.assign(headers);
    }
    in->message_id.assign(frame(head.message_id));
  } else {
    in->headers.assign("To-Path: ").append(split_path(frame(head.from_path)).first);
    in->headers.append("\r\nFrom-Path: ").append(split_path(frame(head.to_path)).first).append("\r\n");
  }
  return in;
}

std::uint32_t Relay::feed(Conn& conn, core::Slice slice) {
  Inbound& in = *conn.inbound;
  const BodyScan::Result result = in.scan.feed(pool_.view(slice));
  in.last_bytes = now_.mono;
  in.window_received += slice.length;
  const std::string_view released = in.scan.released_bytes(result);
  const core::Slice body = slice.part(0, result.body);
  if (result.ended) {
    finish(in, result.flag, released, body);
  } else {
    pass(in, released, body);
    if (in.received > in.received_max) {
      count(Metric::msrp_skip_limit);
      close(conn);
      return 0;
    }
  }
  return result.consumed;
}

void Relay::pass(Inbound& in, std::string_view copied, core::Slice shared) {
  if (in.end.valid()) {
    ends_.on_piece(in, copied, shared, nullptr);
    return;
  }
  // What another shard sends comes in larger pieces than what the kernel does.
  if (!in.discard && long_for_ws(in.dest, shared.length)) {
    const std::uint32_t part = config_->ws_chunk_bytes;
    pass(in, copied, shared.part(0, part));
    pass(in, {}, shared.part(part, shared.length - part));
    return;
  }
  const std::uint64_t fresh = copied.size() + shared.length;
  in.received += fresh;
  if (in.discard || fresh == 0) return;
  Conn* dest = live(in.dest);
  if (dest == nullptr || !route_valid(*in.route)) {
    fail_inbound(in, dest == nullptr ? 408 : 481);
    return;
  }
  if (overrun(*in.source, *dest)) {
    fail_inbound(in, 408);
    return;
  }
  const std::string_view arrived = shared.length != 0 ? pool_.view(shared) : std::string_view();
  if (in.piece_bytes != 0) {
    gather(in, *dest, copied);
    gather(in, *dest, arrived);
    hold_if_slow(*in.source, *dest);
    return;
  }
  // To a WebSocket client a chunk is a message, which its page gets when it is whole (RFC 7977 section 5.1).
  if (in.open && dest->ws != nullptr && in.emitted - in.chunk_start >= config_->ws_chunk_bytes) {
    end_chunk(in, *dest, Flag::more);
  }
  if (!in.open) {
    if (in.pending.size() + fresh <= Inbound::chunk_bytes_min) {
      in.pending.insert(in.pending.end(), copied.begin(), copied.end());
      in.pending.insert(in.pending.end(), arrived.begin(), arrived.end());
      return;
    }
    if (!open_chunk(in, *dest)) {
      fail_inbound(in, 408);
      return;
    }
  }
  // One byte always stays back: whatever ends the message later has something to carry. A chunk without bytes could not
  // say where it stands (RFC 4975 section 7.1.1: zero-length content has a range-start of 1).
  const char last = arrived.empty() ? copied.back() : arrived.back();
  if (arrived.empty()) {
    copied.remove_suffix(1);
  } else {
    --shared.length;
  }
  in.emitted += in.pending.size() + fresh - 1;
  write_copy(*dest, Lane::forward, {in.pending.data(), in.pending.size()});
  if (!copied.empty()) write_copy(*dest, Lane::forward, copied);
  if (shared.length > copy_bytes_max) {
    write_shared(*dest, shared);
  } else if (shared.length != 0) {
    write_copy(*dest, Lane::forward, pool_.view(shared));
  }
  in.pending.assign(1, last);
  hold_if_slow(*in.source, *dest);
}

// T-60: some clients read as many bytes as Byte-Range says, so nothing is written before its length is known.
std::uint32_t Relay::piece_bytes(const Conn& dest) const {
  const auto inside = [&](const core::Cidr& block) { return core::contains(block, core::unmapped(dest.remote)); };
  const auto& blocks = config_->explicit_ranges_for;
  return !dest.is_pipe() && std::any_of(blocks.begin(), blocks.end(), inside) ? config_->explicit_range_bytes : 0;
}

// A full piece goes when there is more: whatever ends the message later has something to carry.
void Relay::gather(Inbound& in, Conn& dest, std::string_view bytes) {
  while (!bytes.empty() && !in.discard) {
    if (in.pending.size() >= in.piece_bytes) {
      write_complete_chunk(in, dest, Flag::more, {}, {});
      continue;
    }
    const std::string_view part = bytes.substr(0, in.piece_bytes - in.pending.size());
    in.pending.insert(in.pending.end(), part.begin(), part.end());
    bytes.remove_prefix(part.size());
  }
}

bool Relay::open_chunk(Inbound& in, Conn& dest) {
  std::array<char, tid_bytes> tid;
  std::uint32_t slot = Transaction::none;
  if (!open_transaction(dest, *in.route, in.failure, in.message_id, tid, slot)) return false;
  begin_frame(dest);
  const std::string_view tid_text(tid.data(), tid.size());
  TextOut out(reserve(dest, Lane::forward, send_overhead_bytes + in.route->out_paths.size() + in.headers.size()));
  put_request_line(out, tid_text, "SEND");
  out.put(in.route->out_paths);
  // '*' because it may be interrupted (R4975-6).
  const std::uint64_t start = in.range.start + in.emitted;
  put_range_line(out, start, ByteRange::unknown, in.range.total < start ? ByteRange::unknown : in.range.total);
  out.put(in.headers).put("\r\n");
  commit(dest, Lane::forward, out.size(), {.kind = Piece::Kind::begins});
  if (dest.gone()) return false;  // what it was owed is reported when it is ended
  in.open = true;
  in.chunk_start = in.emitted;
  in.out_tid = tid;
  in.transaction = slot;
  dest.open_chunk = &in;
  wheel_.arm(in.timer, now_.mono + std::min(config_->stall, config_->body_window));
  return true;
}

void Relay::end_chunk(Inbound& in, Conn& dest, Flag flag) {
  CHECK(in.open);
  CHECK(dest.open_chunk == &in);
  TextOut out(reserve(dest, Lane::forward, end_line_bytes_max));
  put_end_line(out, {in.out_tid.data(), in.out_tid.size()}, flag, true);
  commit(dest, Lane::forward, out.size(), {.kind = Piece::Kind::ends});
  if (dest.gone()) return;  // memory ran out: forget() sees to the chunk
  dest.open_chunk = nullptr;
  in.open = false;
  if (in.transaction != Transaction::none) {
    Transaction& t = transactions_.at(in.transaction);
    t.out_offset = dest.written;
    t.start = in.range.start + in.chunk_start;
    t.length = in.emitted - in.chunk_start;
    t.total = flag == Flag::end ? in.range.start - 1 + in.emitted : in.range.total;
    t.has_body = true;
    in.transaction = Transaction::none;
  }
  count_chunk(dest, in.emitted - in.chunk_start);
}

// What is left of the message as one chunk whose range is known: what was pending, and the last piece that came.
void Relay::write_complete_chunk(Inbound& in, Conn& dest, Flag flag, std::string_view copied, core::Slice shared) {
  std::array<char, tid_bytes> tid;
  std::uint32_t slot = Transaction::none;
  if (!open_transaction(dest, *in.route, in.failure, in.message_id, tid, slot)) {
    fail_inbound(in, 408);
    return;
  }
  begin_frame(dest);
  const std::uint64_t start = in.range.start + in.emitted;
  const bool by_reference = shared.length > copy_bytes_max;
  const std::uint64_t inlined = in.pending.size() + copied.size() + (by_reference ? 0 : shared.length);
  const std::uint64_t length = in.pending.size() + copied.size() + shared.length;
  const ByteRange left{start, ByteRange::unknown, in.range.total};
  const std::uint64_t total = total_after(left, length, flag);
  const bool with_range = in.has_range || in.emitted != 0 || flag != Flag::end || in.piece_bytes != 0;
  const std::string_view tid_text(tid.data(), tid.size());
  TextOut out(reserve(dest, Lane::forward,
                      send_overhead_bytes + in.route->out_paths.size() + in.headers.size() + inlined));
  put_request_line(out, tid_text, "SEND");
  out.put(in.route->out_paths);
  // Without bytes, too, it says where it stands: "1-0/0" is the empty message (R4975-5), and would be one of none behind
  // 5000 bytes that went before.
  if (with_range) put_range_line(out, start, start + length - 1, total);
  out.put(in.headers).put("\r\n").put({in.pending.data(), in.pending.size()}).put(copied);
  if (!by_reference) {
    if (shared.length != 0) out.put(pool_.view(shared));
    put_end_line(out, tid_text, flag, true);
    commit(dest, Lane::forward, out.size());
  } else {
    commit(dest, Lane::forward, out.size(), around(dest, shared));
    write_shared(dest, shared, Piece::Kind::inside);
    TextOut last(reserve(dest, Lane::forward, end_line_bytes_max));
    put_end_line(last, tid_text, flag, true);
    commit(dest, Lane::forward, last.size(), {.kind = Piece::Kind::inside});
  }
  if (slot != Transaction::none && !dest.gone()) {
    Transaction& t = transactions_.at(slot);
    t.out_offset = dest.written;
    t.start = start;
    t.length = length;
    t.total = total;
    t.has_body = true;
  }
  in.emitted += length;
  in.pending.clear();
  count_chunk(dest, length);
}

void Relay::finish(Inbound& in, Flag flag, std::string_view copied, core::Slice shared) {
  Conn& source = *in.source;
  source.inbound = nullptr;  // from here on the frame ends here, whatever happens to the connection
  if (in.end.valid()) {
    ends_.on_piece(in, copied, shared, &flag);
    free_inbound(in);
    return;
  }
  if (in.discard || in.open || in.piece_bytes != 0 || long_for_ws(in.dest, copied.size() + shared.length)) {
    pass(in, copied, shared);
    copied = {};
    shared = {};
  } else {
    in.received += copied.size() + shared.length;
  }
  if (!in.discard) {
    Conn* dest = live(in.dest);
    if (dest == nullptr || !route_valid(*in.route)) {
      fail_inbound(in, dest == nullptr ? 408 : 481);
    } else if (in.open) {
      write_copy(*dest, Lane::forward, {in.pending.data(), in.pending.size()});
      in.emitted += in.pending.size();
      in.pending.clear();
      end_chunk(in, *dest, flag);
    } else if (in.pending.size() + copied.size() + shared.length != 0 || in.emitted == 0 || flag != Flag::more) {
      write_complete_chunk(in, *dest, flag, copied, shared);
    }
    if (Conn* slow = live(in.dest)) hold_if_slow(source, *slow);
  }
  if (in.route != nullptr) {
    for (std::size_t i = 0; i < in.route->session_count; ++i) {
      Session* session = sessions_.get(in.route->sessions[i]);
      if (session == nullptr) continue;
      const bool inwards = session->owner == in.route->dest;
      ++(inwards ? session->messages_in : session->messages_out);
      (inwards ? session->bytes_in : session->bytes_out) += in.emitted;
    }
  }
  const bool answered = in.failure == FailureReport::yes ||
                        (in.failure == FailureReport::partial && in.answer != 200 && !in.report_at_end);
  if (answered) {
    const std::string_view paths = in.route != nullptr ? std::string_view(in.route->response_paths) : in.headers;
    answer(source, {in.tid.data(), in.tid_length}, in.answer, paths);
  }
  if (in.report_at_end) {
    const std::uint64_t end = in.range.start - 1 + in.received;
    report(&source, in.refusal_paths, {in.message_id, in.answer, true, in.range.start, end, total_after(in.range, in.received, flag)});
  }
  free_inbound(in);
}

// The rest of the message cannot be delivered: its receiver learns that it is aborted, its sender gets a report.
void Relay::fail_inbound(Inbound& in, std::uint16_t status) {
  if (in.discard) return;
  in.discard = true;
  if (in.emitted != 0 || in.range.start > 1) remember_aborted(*in.source, in.message_id);
  if (in.source->relay_peer) in.answer = 413;  // the relay before us stops sending the rest
  Conn* dest = live(in.dest);
  const bool was_open = in.open;
  if (in.open && dest != nullptr) {
    const std::uint32_t slot = in.transaction;
    end_chunk(in, *dest, Flag::abort);
    count(Metric::relay_aborts);
    if (slot != Transaction::none && !dest->gone()) settle(*dest, slot);
  }
  if (in.failure == FailureReport::no) return;
  const std::uint64_t end = in.range.start - 1 + in.received;
  report(in.source, in.route->report_paths,
         {in.message_id, status, true, in.range.start + (was_open ? in.chunk_start : in.emitted), end,
          in.range.total != ByteRange::unknown && in.range.total < end ? ByteRange::unknown : in.range.total});
}

void Relay::remember_aborted(Conn& source, std::string_view message_id) {
  if (message_id.empty()) return;
  if (source.aborted == nullptr) source.aborted = std::make_unique<AbortedMessages>();
  AbortedMessages& list = *source.aborted;
  if (list.ids.size() < config_->aborted_messages_max) {
    list.ids.emplace_back(message_id);
    return;
  }
  count(Metric::relay_aborted_limit);
  list.ids[list.oldest++ % list.ids.size()] = message_id;
}

bool Relay::was_aborted(const Conn& source, std::string_view message_id) const {
  const auto& ids = source.aborted->ids;
  return !message_id.empty() && std::find(ids.begin(), ids.end(), message_id) != ids.end();
}

void Relay::abort_inbound(Inbound& in) {
  if (in.end.valid()) {
    constexpr Flag aborted = Flag::abort;
    ends_.on_piece(in, {}, {}, &aborted);
    free_inbound(in);
    return;
  }
  Conn* dest = in.discard ? nullptr : live(in.dest);
  if (dest != nullptr) {
    if (in.open) {
      end_chunk(in, *dest, Flag::abort);
      count(Metric::relay_aborts);
    } else if (in.emitted != 0 || in.range.start > 1) {
      // The receiver holds a part of the message and must learn that no more will come.
      in.discard = true;
      write_complete_chunk(in, *dest, Flag::abort, {}, {});
      count(Metric::relay_aborts);
    }
  }
  free_inbound(in);
}

void Relay::free_inbound(Inbound& in) {
  wheel_.cancel(in.timer);
  if (in.open) {  // towards a connection that is being given up
    Conn* dest = conns_.get(in.dest);
    if (dest != nullptr && dest->open_chunk == &in) {
      dest->open_chunk = nullptr;
      if (in.transaction != Transaction::none) {
        Transaction& t = transactions_.at(in.transaction);
        t.start = in.range.start + in.chunk_start;
        t.length = in.emitted - in.chunk_start;
        t.total = in.range.total;
        t.has_body = true;
      }
    }
    in.open = false;
  }
  if (in.headers.capacity() > kept_headers_max) std::string().swap(in.headers);
  release(in.route);
  in.route = nullptr;
  in.source->inbound = nullptr;
  in.source = nullptr;
  free_inbounds_.push_back(&in);
}

void Relay::on_inbound_timer(Inbound& in) {
  if (in.source == nullptr) return;
  const bool held = in.source->pausers != 0;
  if (!held && now_.mono - in.window_start >= config_->body_window) {
    if (in.window_received < config_->body_window_bytes_min) {
      count(Metric::msrp_body_too_slow);
      close(*in.source);
      return;
    }
    in.window_start = now_.mono;
    in.window_received = 0;
  }
  if (in.open && now_.mono - in.last_bytes >= config_->stall) {
    if (Conn* dest = live(in.dest)) {
      count(Metric::relay_interrupts);
      end_chunk(in, *dest, Flag::more);
    }
  }
  core::Instant next = (held ? now_.mono : in.window_start) + config_->body_window;
  if (in.open) next = std::min(next, in.last_bytes + config_->stall);
  wheel_.arm(in.timer, std::max(next, now_.mono + std::chrono::milliseconds(1)));
}

}  // namespace parley::msrp

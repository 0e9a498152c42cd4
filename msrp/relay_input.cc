// msrp/relay_input.cc - bytes to frames: heads that come in pieces, bodies that are collected.
#include <algorithm>

#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;

namespace {

// RFC 4975 section 7.1: bodies of requests other than SEND.
constexpr std::uint32_t nonsend_body_bytes_max = 10'240;
constexpr std::size_t kept_input_max = 4096;
constexpr std::size_t partial_step_bytes = 512;

bool is_first(std::string_view uri, std::string_view path) {
  return path.starts_with(uri) && (path.size() == uri.size() || path[uri.size()] == ' ');
}

// "MSRP tid 200 ..." against "MSRP tid SEND": which paths to expect.
bool looks_like_response(std::string_view bytes) {
  const std::size_t space = bytes.find(' ', 5);
  return space != std::string_view::npos && space + 1 < bytes.size() && bytes[space + 1] >= '0' && bytes[space + 1] <= '9';
}

}  // namespace

void Relay::on_bytes(Conn& conn, core::Slice slice) {
  if (conn.ws != nullptr) {
    on_ws_bytes(conn, slice);
  } else {
    conn.last_used = now_.mono;
    consume_all(conn, slice);
  }
  hold_if_not_reading(conn);
}

void Relay::consume_all(Conn& conn, core::Slice slice) {
  while (slice.length != 0 && conn.writable()) {
    const std::uint32_t used = consume(conn, slice);
    if (used == 0) break;
    slice = slice.part(used, slice.length - used);
  }
}

std::uint32_t Relay::consume(Conn& conn, core::Slice slice) {
  if (conn.ends != nullptr && conn.ends->early_end.valid()) {
    ends_.keep_early(conn, pool_.view(slice));
    return slice.length;
  }
  if (conn.inbound != nullptr) return feed(conn, slice);
  if (conn.partial != nullptr) {
    return conn.partial->head_done ? consume_collected_body(conn, slice) : consume_partial(conn, slice);
  }
  const std::string_view bytes = pool_.view(slice);
  if (const std::uint32_t used = known_response(conn, bytes)) return used;
  const PathMemo memo = memo_for(conn, bytes);
  parser_.reset();
  switch (parser_.parse(bytes, config_->head, memo.bytes.empty() ? nullptr : &memo)) {
    case Progress::done: {
      const std::uint32_t length = parser_.head().length;
      return length + on_head(conn, parser_, bytes.substr(0, length), slice.part(length, slice.length - length));
    }
    case Progress::need_more: keep_partial(conn, parser_, bytes); return slice.length;
    case Progress::bad: break;
  }
  return on_bad_head(conn, parser_, bytes, 0);
}

// A receiver answers each chunk with the same bytes but for the transaction id, which is ours. When all of them are as
// expected the grammar has nothing to add (bench/relay_bench: a fifth of the time per message). 0: not such a response.
std::uint32_t Relay::known_response(Conn& conn, std::string_view bytes) {
  static constexpr std::string_view begin = "MSRP ";
  static constexpr std::string_view middle = " 200 OK\r\nTo-Path: ";
  static constexpr std::string_view dashes = "-------";
  const std::string_view memo = conn.response_memo;
  const std::size_t length = begin.size() + tid_bytes + middle.size() + memo.size() + dashes.size() + tid_bytes + 3;
  if (memo.empty() || bytes.size() < length || !bytes.starts_with(begin)) return 0;
  const std::string_view tid = bytes.substr(begin.size(), tid_bytes);
  const std::string_view rest = bytes.substr(begin.size() + tid_bytes, length - begin.size() - tid_bytes);
  if (!rest.starts_with(middle) || rest.substr(middle.size(), memo.size()) != memo) return 0;
  const std::string_view end = rest.substr(middle.size() + memo.size());
  if (!end.starts_with(dashes) || end.substr(dashes.size(), tid_bytes) != tid || !end.ends_with("$\r\n")) return 0;
  const std::uint32_t slot = transactions_.find(conn, tid);
  if (slot == Transaction::none) {
    // One URI is all there is in answers to SEND, but for sloppy peers (T-73).
    if (conn.ends == nullptr || !ends_.take_answer(conn, tid, memo.substr(0, conn.response_to_length), 200)) return 0;
    count(Metric::msrp_responses);
    return static_cast<std::uint32_t>(length);
  }
  const Transaction& t = transactions_.at(slot);
  if (!t.is_send || !is_first(own_uri(t), memo.substr(0, conn.response_to_length))) return 0;
  if (conn.open_chunk != nullptr && conn.open_chunk->transaction == slot) return 0;
  count(Metric::msrp_responses);
  if (t.end.valid()) {
    settle_end(conn, slot, 200);
  } else {
    settle(conn, slot);
  }
  return static_cast<std::uint32_t>(length);
}

PathMemo Relay::memo_for(const Conn& conn, std::string_view bytes) const {
  if (looks_like_response(bytes)) {
    return {conn.response_memo, conn.response_to_length, conn.response_from_length};
  }
  if (conn.ends != nullptr && conn.ends->recent != nullptr) {
    const End& end = *conn.ends->recent;
    return {end.in_paths, end.in_to_length, end.in_from_length};
  }
  const Route* route = conn.routes[0];
  if (route == nullptr) return {};
  return {route->in_paths, route->to_length, route->from_length};
}

void Relay::keep_partial(Conn& conn, const HeadParser& parser, std::string_view bytes) {
  Partial* p;
  if (free_partials_.empty()) {
    partials_.push_back(std::make_unique<Partial>());
    p = partials_.back().get();
  } else {
    p = free_partials_.back();
    free_partials_.pop_back();
  }
  p->parser = parser;
  p->bytes.assign(bytes.begin(), bytes.end());
  p->head_done = false;
  p->body_bytes = 0;
  conn.partial = p;
  conn.head_since = now_.mono;
  // Usually a timer that is armed already comes early enough and looks again then.
  if (!conn.is_pipe() && conn.timer_due > now_.mono + config_->head_timeout) arm_conn_timer(conn);
}

void Relay::drop_partial(Conn& conn) {
  if (conn.partial == nullptr) return;
  free_partial(*conn.partial);
  conn.partial = nullptr;
  conn.head_since = {};
}

void Relay::free_partial(Partial& p) {
  // Usual heads fit and keep their memory for the next one; what a long one took goes back.
  if (p.bytes.capacity() > kept_input_max) std::vector<char>().swap(p.bytes);
  free_partials_.push_back(&p);
}

std::uint32_t Relay::consume_partial(Conn& conn, core::Slice slice) {
  Partial& p = *conn.partial;
  const std::size_t before = p.bytes.size();
  // Never more than a head may hold and a little over, so that the parser sees that it is too long.
  const std::size_t room = config_->head.head_bytes_max + 1 > before ? config_->head.head_bytes_max + 1 - before : 1;
  // In small steps: most of what follows is body and would be copied for nothing.
  const std::string_view bytes = pool_.view(slice).substr(0, std::min(room, partial_step_bytes));
  p.bytes.insert(p.bytes.end(), bytes.begin(), bytes.end());
  const std::string_view all(p.bytes.data(), p.bytes.size());
  switch (p.parser.parse(all, config_->head, nullptr)) {
    case Progress::need_more: return static_cast<std::uint32_t>(bytes.size());
    case Progress::bad: return on_bad_head(conn, p.parser, all, static_cast<std::uint32_t>(before));
    case Progress::done: break;
  }
  const Head& head = p.parser.head();
  const auto used = static_cast<std::uint32_t>(head.length - before);
  // Off the connection while the frame is handled: its bytes stay until the end of this function.
  conn.partial = nullptr;
  conn.head_since = {};
  const std::uint32_t more = on_head(conn, p.parser, all.substr(0, head.length), slice.part(used, slice.length - used));
  free_partial(p);
  return used + more;
}

std::uint32_t Relay::on_head(Conn& conn, const HeadParser& parser, std::string_view bytes, core::Slice rest) {
  const Head& head = parser.head();
  const Frame frame{head, bytes};
  const std::uint64_t received = conn.is_pipe() ? 0 : 1;  // from another shard: counted there
  switch (head.method) {
    case Method::response:
      count(Metric::msrp_responses, received);
      on_response(conn, frame);
      return 0;
    case Method::send: count(Metric::msrp_requests_send, received); return on_send_head(conn, frame, rest);
    case Method::report: count(Metric::msrp_requests_report, received); break;
    case Method::auth: count(Metric::msrp_requests_auth, received); break;
    case Method::nickname:
    case Method::other: count(Metric::msrp_requests_other, received); break;
  }
  if (!head.has_body) {
    on_complete(conn, frame, {}, head.flag);
    return 0;
  }
  // Small by rule and not interruptible: collected whole before it is judged.
  keep_partial(conn, parser, bytes);
  conn.partial->head_done = true;
  conn.partial->scan.start(frame(head.tid));
  return 0;
}

std::uint32_t Relay::consume_collected_body(Conn& conn, core::Slice slice) {
  Partial& p = *conn.partial;
  const std::string_view bytes = pool_.view(slice);
  const BodyScan::Result result = p.scan.feed(bytes);
  p.body_bytes += result.released + result.body;
  if (p.body_bytes > nonsend_body_bytes_max) {
    count(Metric::msrp_nonsend_body);
    if (conn.is_pipe()) {
      close(conn);
      return 0;
    }
    const Frame frame{p.parser.head(), {p.bytes.data(), p.bytes.size()}};
    answer_bad(conn, frame);
    if (misses_again(conn)) return 0;
    if (!result.ended) skip_frame(conn, frame(frame.head.tid), p.scan, p.body_bytes);
    drop_partial(conn);
    return result.consumed;
  }
  const std::string_view released = p.scan.released_bytes(result);
  p.bytes.insert(p.bytes.end(), released.begin(), released.end());
  p.bytes.insert(p.bytes.end(), bytes.begin(), bytes.begin() + result.body);
  if (!result.ended) return result.consumed;
  conn.partial = nullptr;
  conn.head_since = {};
  const Head& head = p.parser.head();
  const std::string_view all(p.bytes.data(), p.bytes.size());
  on_complete(conn, Frame{head, all.substr(0, head.length)}, all.substr(head.length), result.flag);
  free_partial(p);
  return result.consumed;
}

void Relay::on_complete(Conn& conn, const Frame& frame, std::string_view body, Flag flag) {
  if (frame.head.method == Method::auth && wants_auth_here(conn, frame)) {
    on_auth(conn, frame);
  } else {
    forward_other(conn, frame, body, flag);
  }
}

}  // namespace parley::msrp

// msrp/ends_out.cc - SENDs and REPORTs of sessions that end here, and the answers to them (RFC 4975 section 7.1).
#include <algorithm>

#include "core/check.h"
#include "msrp/links.h"

namespace parley::msrp {

using core::Metric;
using Lane = core::Outbox::Lane;

namespace {

// A longer body might be interrupted as far as its receiver knows (RFC 4975 section 7.1.1).
constexpr std::uint64_t explicit_range_bytes_max = 2048;
constexpr core::Duration sweep_every = std::chrono::seconds(1);

}  // namespace

// R4976-4: a session of our relay that the peer comes through holds for as long as its user has proven himself.
bool Ends::has_way(End& end) {
  if (end.state != End::State::connected || end.conn->gone()) return false;
  if (!end.through_relay || links_->has_session(end.via_session)) return true;
  lose(end);
  return false;
}

Ends::Sent Ends::may_send(End& end, std::uint64_t bytes, bool answered, EndHandle source) {
  if (!has_way(end)) return Sent::gone;
  Conn* conn = end.conn;
  if (source.valid() && pace(source, *conn)) return Sent::sent;
  const RelayConfig& config = links_->config();
  const bool queue = conn->waiting_bytes() + bytes > config.end_queue_bytes_max && conn->waiting_bytes() != 0;
  if (!queue && (!answered || conn->tx_count + conn->ends->ring.size() < config.end_unanswered_max)) return Sent::sent;
  links_->count(queue ? Metric::msrp_ends_queue_limit : Metric::msrp_ends_unanswered_limit);
  end.told_full = true;
  conn->ends_full = true;
  return Sent::full;
}

Ends::Sent Ends::send(EndHandle handle, const EndSend& message) {
  End* end = ends_.get(handle);
  return end != nullptr ? send_to(*end, message) : Sent::gone;
}

Ends::Sent Ends::send_to(End& end, const EndSend& message) {
  const std::uint64_t length = message.prefix.size() + message.body.length;
  const bool answered = message.failure != FailureReport::no;
  const Sent may = may_send(end, send_overhead_bytes + end.out_paths.size() + message.headers.size() + length, answered,
                            message.source);
  if (may != Sent::sent) return may;
  const std::uint64_t parts = end.chunk_max == 0 || length == 0 ? 1 : (length + end.chunk_max - 1) / end.chunk_max;
  if (answered && links_->transactions().live() + parts > links_->config().transactions_max) {
    links_->count(Metric::relay_transactions_limit);
    end.told_full = end.conn->ends_full = true;
    return Sent::full;
  }
  EndSend part = message;
  for (std::uint64_t left = length, n = parts; n > 0; --n) {
    const std::uint64_t bytes = n == 1 ? left : end.chunk_max;
    part.prefix = message.prefix.substr(std::min<std::uint64_t>(length - left, message.prefix.size()));
    part.prefix = part.prefix.substr(0, bytes);
    const auto from = static_cast<std::uint32_t>(length - left + part.prefix.size() - message.prefix.size());
    part.body = part.prefix.size() == bytes ? core::Slice{}
                                            : message.body.part(from, static_cast<std::uint32_t>(bytes - part.prefix.size()));
    part.start = message.start + (length - left);
    part.flag = n == 1 ? message.flag : Flag::more;
    part.tell_200 = message.tell_200 && n == 1;
    part.with_range = message.with_range || parts > 1 || (end.chunk_max != 0 && end.conn->ws == nullptr);  // T-60
    write_send(end, part);
    if (end.conn == nullptr || end.conn->gone()) break;
    left -= bytes;
  }
  return Sent::sent;
}

void Ends::write_send(End& end, const EndSend& message) {
  Conn& conn = *end.conn;
  const std::uint64_t length = message.prefix.size() + message.body.length;
  std::array<char, tid_bytes> tid;
  std::uint32_t slot = Transaction::none;
  if (message.failure == FailureReport::no) {
    links_->transactions().make_tid(tid);
  } else {
    slot = links_->transactions().create(conn, links_->config().transactions_max, tid);
    CHECK(slot != Transaction::none);  // send_to has looked
    Transaction& t = links_->transactions().at(slot);
    t.end = end.self;
    t.mark = message.mark;
    t.tell_200 = message.tell_200;
    t.failure = message.failure;
  }
  const bool by_reference = message.body.length > copy_bytes_max;
  const std::string_view tid_text(tid.data(), tid.size());
  links_->begin_frame(conn);
  TextOut out(links_->reserve(conn, Lane::forward,
                              send_overhead_bytes + end.out_paths.size() + message.headers.size() + message.prefix.size() +
                                  (by_reference ? 0 : message.body.length)));
  put_request_line(out, tid_text, "SEND");
  out.put(end.out_paths);
  put_range(out, message, end.chunk_max != 0);
  out.put(message.headers);
  if (message.has_body) out.put("\r\n").put(message.prefix);
  if (!by_reference) {
    if (message.body.length != 0) out.put(links_->pool().view(message.body));
    put_end_line(out, tid_text, message.flag, message.has_body);
    links_->commit(conn, Lane::forward, out.size());
  } else {
    links_->commit(conn, Lane::forward, out.size(), links_->around(conn, message.body));
    links_->write_shared(conn, message.body, Piece::Kind::inside);
    TextOut last(links_->reserve(conn, Lane::forward, end_line_bytes_max));
    put_end_line(last, tid_text, message.flag, true);
    links_->commit(conn, Lane::forward, last.size(), {.kind = Piece::Kind::inside});
  }
  if (slot != Transaction::none && !conn.gone()) links_->transactions().at(slot).out_offset = conn.written;
  links_->count(Metric::msrp_ends_chunks_out);
  links_->count(Metric::msrp_ends_bytes_out, length);
}

void Ends::put_range(TextOut& out, const EndSend& message, bool explicit_end) {
  const std::uint64_t length = message.prefix.size() + message.body.length;
  if (!message.has_body || (!message.with_range && message.start == 1 && message.flag == Flag::end)) return;
  const ByteRange range{message.start, ByteRange::unknown, message.total};
  const std::uint64_t total = total_after(range, length, message.flag);
  // An empty chunk says where it stands, too: who got "1-0/0" behind 5000 bytes would have a message of none.
  const bool known = length <= explicit_range_bytes_max || explicit_end;
  put_range_line(out, message.start, known ? message.start + length - 1 : ByteRange::unknown, total);
}

void Ends::report(EndHandle handle, std::string_view message_id, const ByteRange& range, std::uint16_t status,
                  std::string_view headers) {
  End* end = ends_.get(handle);
  if (end == nullptr || !has_way(*end)) return;
  Conn& conn = *end->conn;
  std::array<char, tid_bytes> tid;
  links_->transactions().make_tid(tid);
  const std::string_view tid_text(tid.data(), tid.size());
  const std::string_view phrase = reason_phrase(status);
  links_->begin_frame(conn);
  TextOut out(links_->reserve(conn, Lane::back, 128 + end->out_paths.size() + message_id.size() + range_line_bytes_max +
                                                    phrase.size() + headers.size() + end_line_bytes_max));
  put_request_line(out, tid_text, "REPORT");
  out.put(end->out_paths).put("Message-ID: ").put(message_id).put("\r\n");
  put_range_line(out, range.start, range.end, range.total);
  out.put("Status: 000 ").number(status).put(' ').put(phrase).put("\r\n").put(headers);
  put_end_line(out, tid_text, Flag::end, false);
  links_->commit(conn, Lane::back, out.size());
  links_->count(Metric::msrp_ends_reports_out);
}

Ends::Sent Ends::nickname(EndHandle handle, std::string_view value, std::uint64_t mark) {
  End* const end = ends_.get(handle);
  if (end == nullptr) return Sent::gone;
  const std::uint64_t bytes = send_overhead_bytes + end->out_paths.size() + value.size();
  if (const Sent may = may_send(*end, bytes, true, {}); may != Sent::sent) return may;
  Conn& conn = *end->conn;
  std::array<char, tid_bytes> tid;
  const std::uint32_t slot = links_->transactions().create(conn, links_->config().transactions_max, tid);
  if (slot == Transaction::none) {
    links_->count(Metric::relay_transactions_limit);
    end->told_full = conn.ends_full = true;
    return Sent::full;
  }
  Transaction& t = links_->transactions().at(slot);
  t.end = end->self;
  t.mark = mark;
  t.tell_200 = true;
  t.failure = FailureReport::yes;
  const std::string_view tid_text(tid.data(), tid.size());
  links_->begin_frame(conn);
  TextOut out(links_->reserve(conn, Lane::forward, bytes));
  put_request_line(out, tid_text, "NICKNAME");
  out.put(end->out_paths);
  if (!value.empty()) out.put("Use-Nickname: ").put(value).put("\r\n");
  put_end_line(out, tid_text, Flag::end, false);
  links_->commit(conn, Lane::forward, out.size());
  if (!conn.gone()) links_->transactions().at(slot).out_offset = conn.written;
  return Sent::sent;
}

// --- answers ----------------------------------------------------------------------------------------------------------

void Ends::on_answer(Conn& conn, const Awaited& awaited, std::uint16_t status) {
  End* end = ends_.get(awaited.end);
  if (end == nullptr) return;
  if (awaited.binds) {
    // The peer may have bound it by another connection meanwhile (T-40).
    if (awaited.slot != end->bind_slot) return;
    if (status == 200) {
      become_connected(*end);
    } else {
      fail(*end, status);
    }
    return;
  }
  if (status != 200 || awaited.tell_200) {
    EndFact& fact = add_fact(EndFact::Kind::answered, end->self).fact;
    fact.mark = awaited.mark;
    fact.status = status;
  }
  if (conn.ends_full) tell_writable(conn);
}

bool Ends::take_answer(Conn& conn, std::string_view tid, std::string_view to, std::uint16_t status) {
  const std::uint32_t record = fan_outs_.find(tid);
  if (record == FanOut::none || conn.ends == nullptr) return false;
  AnswerRing& ring = conn.ends->ring;
  const std::uint32_t at = ring.find(record);
  if (at == ring.size()) return false;
  const End& end = *ends_.get(ring.at(at).end);
  if (end.answered_at() != to) {
    Uri given;
    Uri own;
    if (!parse_uri(to, given) || !parse_uri(end.answered_at(), own) || !same_uri(given, own)) return false;
  }
  ring.remove(at);
  const FanOut& sent = fan_outs_.at(record);
  if (status != 200 || sent.tell_200) {
    EndFact& fact = add_fact(EndFact::Kind::answered, end.self).fact;
    fact.mark = sent.mark;
    fact.status = status;
  }
  fan_outs_.settle(record);
  if (conn.ends_full) tell_writable(conn);
  links_->release_if_read(conn);
  return true;
}

void Ends::on_sent(Conn& conn) {
  // What it takes now has waited: the time to answer begins here.
  if (links_->now().mono - conn.waiting_since > blocked_after) conn.ends->blocked_at = links_->now().mono;
  if (conn.ends_full) tell_writable(conn);
}

void Ends::tell_writable(Conn& conn) {
  const RelayConfig& config = links_->config();
  if (conn.gone() || conn.waiting_bytes() > config.end_queue_bytes_max / 2 ||
      conn.tx_count + conn.ends->ring.size() > config.end_unanswered_max / 2) {
    return;
  }
  conn.ends_full = false;
  for (End* end = conn.ends->first; end != nullptr; end = end->next) {
    if (std::exchange(end->told_full, false)) add_fact(EndFact::Kind::writable, end->self);
  }
}

core::Instant Ends::next_due() const {
  const core::Instant due = fan_outs_.next_due();
  return due == core::never ? due : std::max(due, next_sweep_);
}

// One look over all connections for whatever is due; where everybody answers it never comes to that.
void Ends::expire_fan_outs() {
  const core::Instant now = links_->now().mono;
  if (next_due() > now) return;
  next_sweep_ = now + sweep_every;
  const core::Duration timeout = links_->config().response_timeout;
  const auto recent = [&](core::Instant at) { return at != core::Instant{} && at + timeout > now; };
  ends_.for_each([&](EndHandle, End& visited) {
    Conn* conn = visited.conn;
    if (conn == nullptr || conn->ends->first != &visited) return;
    // The clock runs from the last byte (R4975-8), and silence of one that is not read proves nothing.
    if (conn->pausers != 0 || conn->waiting_bytes() != 0 || recent(conn->released_at) || recent(conn->ends->blocked_at)) return;
    AnswerRing& ring = conn->ends->ring;
    while (ring.size() != 0) {
      const AnswerRing::Entry entry = ring.at(0);
      const FanOut& sent = fan_outs_.at(entry.record);
      if (sent.due > now) break;
      links_->count(Metric::relay_response_timeouts);
      if (sent.failure == FailureReport::yes) {
        EndFact& fact = add_fact(EndFact::Kind::answered, entry.end).fact;
        fact.mark = sent.mark;
        fact.status = 408;
      }
      ring.remove(0);
      fan_outs_.settle(entry.record);
    }
    if (conn->ends_full) tell_writable(*conn);
    links_->release_if_read(*conn);
  });
}

}  // namespace parley::msrp

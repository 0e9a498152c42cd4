// msrp/relay_other.cc - everything but SEND and AUTH to us: other requests, responses, and the reports the relay makes
// (RFC 4976 sections 6.4.1 to 6.4.3).
#include "core/check.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;
using Lane = core::Outbox::Lane;

// R4976-11: unknown methods go on like REPORT, and responses to them find their way back.
// --- requests --------------------------------------------------------------------------------------------------------

void Relay::forward_other(Conn& conn, const Frame& frame, std::string_view body, Flag flag) {
  const Head& head = frame.head;
  const bool is_report = head.method == Method::report;
  if (End* end = ends_.known(conn, head, frame.bytes)) {
    ends_.on_other(conn, *end, head, frame.bytes);
    return;
  }
  std::string_view to_path = frame(head.to_path);
  std::string with_session;
  if (head.method == Method::auth && conn.first_session != nullptr) {
    // RFC 4976 section 5.1 writes the way to a second relay as "msrps://first;tcp msrps://second;tcp": the first hop
    // stands for the session this client has with us.
    const PathSplit path = split_path(to_path);
    Uri first;
    if (!path.rest.empty() && parse_uri(path.first, first) && first.session_id.empty() && is_us(conn, first)) {
      with_session.assign(conn.first_session->uri).append(" ").append(path.rest);
      to_path = with_session;
    }
  }
  const Resolved resolved = resolve(conn, frame, to_path);
  if (resolved.refusal == Refusal::foreign) {
    count(Metric::relay_foreign_uri);
    close(conn);
    return;
  }
  if (resolved.refusal == Refusal::none && resolved.end != nullptr) {
    ends_.on_other(conn, *resolved.end, head, frame.bytes);
    return;
  }
  if (resolved.refusal != Refusal::none) {
    if (is_report) {  // never answered (R4975-10)
      count(Metric::relay_unknown_session);
      return;
    }
    const std::uint16_t status = resolved.refusal == Refusal::for_us ? 501 : refuse(conn, resolved.refusal);
    if (status != 0) respond_plain(conn, frame, status, {});
    return;
  }
  if (config_->unknown_methods == UnknownMethods::block && head.method == Method::other) {
    respond_plain(conn, frame, 501, {});
    return;
  }
  prove(conn);
  Route& route = *resolved.route;
  Conn& dest = *live(route.dest);
  if (is_report) {
    // Passed on whatever ranges it covers and whenever it comes (T-64). Small, never answered and not repeated by
    // anybody: only a receiver far behind costs one its way, or a head that the next hop would have to refuse.
    const bool far_behind = conn.relay_peer && dest.waiting_bytes() > std::uint64_t{config_->shared_queue_bytes_max} * 4;
    if (far_behind || !head_fits(frame, route)) {
      count(Metric::relay_reports_dropped);
      return;
    }
  } else if (!head_fits(frame, route) || overrun(conn, dest)) {
    respond_plain(conn, frame, head_fits(frame, route) ? 413 : 400, {});
    return;
  }
  std::array<char, tid_bytes> tid;
  std::uint32_t slot = Transaction::none;
  if (is_report) {
    transactions_.make_tid(tid);
    if (!dest.is_pipe()) count(Metric::relay_reports_forwarded);
  } else {
    slot = transactions_.create(dest, config_->transactions_max, tid);
    if (slot == Transaction::none) {
      count(Metric::relay_transactions_limit);
      respond_plain(conn, frame, 413, {});
      return;
    }
    Transaction& t = transactions_.at(slot);
    t.route = &route;
    ++route.refs;
    t.is_send = false;
    t.auth = head.method == Method::auth && head.authorization.present();
    const std::string_view original = frame(head.tid);
    t.id_length = static_cast<std::uint8_t>(original.size());
    std::copy(original.begin(), original.end(), t.id.begin());
  }
  begin_frame(dest);
  const std::string_view tid_text(tid.data(), tid.size());
  const std::string_view method = frame(head.method_name);
  TextOut out(reserve(dest, Lane::forward, start_line_bytes_max + method.size() + 2 + route.out_paths.size() +
                                               head.headers.length + 2 + body.size() + end_line_bytes_max));
  put_request_line(out, tid_text, method);
  out.put(route.out_paths).put(frame(head.headers));
  if (head.has_body) out.put("\r\n").put(body);
  put_end_line(out, tid_text, flag, head.has_body);
  commit(dest, Lane::forward, out.size());
  if (slot != Transaction::none && !dest.gone()) transactions_.at(slot).out_offset = dest.written;
  hold_if_slow(conn, dest);
}

// --- responses -------------------------------------------------------------------------------------------------------

void Relay::on_response(Conn& conn, const Frame& frame) {
  const Head& head = frame.head;
  if (!head.paths_from_memo) {
    conn.response_memo.assign(frame(head.to_path)).append("\r\nFrom-Path: ").append(frame(head.from_path)).append("\r\n");
    conn.response_to_length = head.to_path.length;
    conn.response_from_length = head.from_path.length;
  }
  // T-63: some clients answer a REPORT; nothing of ours waits for that.
  const std::uint32_t slot = transactions_.find(conn, frame(head.tid));
  if (slot == Transaction::none) {
    if (conn.ends != nullptr && ends_.take_answer(conn, frame(head.tid), split_path(frame(head.to_path)).first, head.status)) return;
    count(Metric::relay_unknown_response);
    return;
  }
  Transaction& t = transactions_.at(slot);
  // RFC 4976 section 6.4.3: a response whose first To-Path URI is not ours is dropped. Sloppy peers send the whole
  // path back (T-73); only the first counts.
  const PathSplit to = split_path(frame(head.to_path));
  if (const std::string_view ours = own_uri(t); to.first != ours) {
    Uri given;
    Uri own;
    if (!parse_uri(to.first, given) || !parse_uri(ours, own) || !same_uri(given, own)) {
      count(Metric::relay_unknown_response);
      return;
    }
  }
  conn.proven = true;
  if (t.end.valid()) {
    settle_end(conn, slot, head.status);
    return;
  }
  if (!t.is_send) {
    Conn* origin = live(t.route->source);
    const bool origin_may_stay = forward_response(t, frame);
    settle(conn, slot);
    if (!origin_may_stay && origin != nullptr) {
      count(Metric::auth_closed);
      close(*origin);
    }
    return;
  }
  // A chunk that is still being written may be answered early; the frame that feeds it must not name the record again.
  Inbound* writer = conn.open_chunk != nullptr && conn.open_chunk->transaction == slot ? conn.open_chunk : nullptr;
  if (writer != nullptr) {
    t.start = writer->range.start + writer->chunk_start;
    t.length = writer->emitted - writer->chunk_start;
    t.total = writer->range.total;
    t.has_body = true;
    writer->transaction = Transaction::none;
  }
  if (head.status != 200) {  // whatever the code, known or not, it is about this message (T-74)
    report_transaction(t, head.status);
    // Told to stop (R4975-11): what is still arriving of this message goes no further. The report has been sent.
    if (Conn* source = live(t.route->source)) {
      Inbound* in = source->inbound;
      if (in != nullptr && !in->discard && in->route == t.route && in->message_id == t.id_view()) {
        if (in->open) end_chunk(*in, conn, Flag::abort);
        in->discard = true;
        remember_aborted(*source, in->message_id);
        count(Metric::relay_aborts);
      }
    }
  }
  settle(conn, slot);
}

bool Relay::forward_response(const Transaction& t, const Frame& frame) {
  const Head& head = frame.head;
  const Route& route = *t.route;
  Conn* origin = live(route.source);
  if (t.auth && head.status == 401 && origin != nullptr && !origin->relay_peer) {
    // Failures at a relay further on count against the client that makes us ask (RFC 4976 section 6.3).
    bool stale = false;
    for (std::size_t i = 0; i < head.www_authenticate_count; ++i) {
      const std::string_view challenge = frame(head.www_authenticate[i]);
      stale |= challenge.find("stale=TRUE") != std::string_view::npos || challenge.find("stale=true") != std::string_view::npos;
    }
    if (!stale) {
      count(Metric::auth_failed);
      ++origin->auth_failures;
    }
  }
  if (origin == nullptr) return true;  // silently discarded (RFC 4976 section 6.4.3)
  if (path_length(frame(head.from_path)) + route.session_count > path_uris_max) {
    count(Metric::msrp_bad_frame);  // the next hop could not read it
    return true;
  }
  const std::string_view to_path = frame(head.to_path);
  const std::string_view from_path = frame(head.from_path);
  const std::string_view headers = frame(head.headers);
  // Each URI of ours leaves To-Path when it enters From-Path, so both together do not grow.
  const std::size_t bytes_max = 128 + t.id_length + head.comment.length + to_path.size() + from_path.size() +
                                headers.size() + end_line_bytes_max;
  if (bytes_max > config_->head.head_bytes_max) {
    count(Metric::msrp_head_too_long);
    return true;
  }
  begin_frame(*origin);
  TextOut out(reserve(*origin, Lane::back, bytes_max));
  out.put("MSRP ").put(t.id_view()).put(' ').number(head.status);
  if (head.comment.present()) out.put(' ').put(frame(head.comment));
  if (route.transit || route.session_count == 0) {
    out.put("\r\nTo-Path: ").put(to_path).put("\r\nFrom-Path: ").put(from_path).put("\r\n");
  } else {
    // Each of our URIs that the request passed moves from the front of To-Path to the front of From-Path.
    std::array<std::string_view, 4> own{};
    std::size_t moved = 0;
    std::string_view rest = to_path;
    while (moved < route.session_count) {
      const PathSplit path = split_path(rest);
      if (path.rest.empty()) break;
      own[moved++] = path.first;
      rest = path.rest;
    }
    out.put("\r\nTo-Path: ").put(rest).put("\r\nFrom-Path: ");
    while (moved-- > 0) out.put(own[moved]).put(' ');
    out.put(from_path).put("\r\n");
  }
  out.put(headers);
  put_end_line(out, t.id_view(), Flag::end, false);
  commit(*origin, Lane::back, out.size());
  return !t.auth || origin->relay_peer || origin->auth_failures < config_->auth_failures_max;
}

// --- what the relay says itself --------------------------------------------------------------------------------------

void Relay::respond(Conn& conn, std::string_view tid, std::uint16_t status, std::string_view paths) {
  if (conn.state != Conn::State::open || conn.failed) return;
  begin_frame(conn);
  const std::string_view phrase = reason_phrase(status);
  TextOut out(reserve(conn, Lane::back, 64 + phrase.size() + paths.size() + end_line_bytes_max));
  out.put("MSRP ").put(tid);
  if (status == 200) {
    out.put(" 200 OK\r\n");
  } else {
    out.put(' ').number(status).put(' ').put(phrase).put("\r\n");
  }
  out.put(paths);
  put_end_line(out, tid, Flag::end, false);
  commit(conn, Lane::back, out.size());
}

// A response whose paths are made from the request: To-Path = first From-Path URI for SEND, the whole path for other
// methods (R4975-9).
void Relay::respond_plain(Conn& conn, const Frame& frame, std::uint16_t status, std::string_view headers) {
  const Head& head = frame.head;
  if (conn.is_pipe() && head.method == Method::send) return;
  std::string paths = "To-Path: ";
  const std::string_view from_path = frame(head.from_path);
  paths += head.method == Method::send ? split_path(from_path).first : from_path;
  paths += "\r\nFrom-Path: ";
  paths += split_path(frame(head.to_path)).first;
  paths += "\r\n";
  paths += headers;
  respond(conn, frame(head.tid), status, paths);
}

std::uint16_t Relay::refuse(Conn& conn, Refusal refusal) {
  std::uint16_t status = 481;
  switch (refusal) {
    case Refusal::bad_path: status = 400; count(Metric::msrp_bad_frame); break;
    case Refusal::bound_elsewhere: status = 506; count(Metric::relay_bound_elsewhere); break;
    case Refusal::unreachable: status = 408; break;
    case Refusal::no_resources: status = 413; break;  // counted by the limit that was met
    case Refusal::not_authorised: count(Metric::relay_not_authorised); break;
    default: count(Metric::relay_unknown_session); break;
  }
  return status == 481 && misses_again(conn) ? 0 : status;
}

void Relay::report(Conn* source, std::string_view paths, const ReportFacts& facts) {
  if (source == nullptr || source->gone() || facts.message_id.empty()) {
    count(Metric::relay_reports_dropped);
    return;
  }
  switch (facts.status) {
    case 408: count(Metric::relay_reports_408); break;
    case 481: count(Metric::relay_reports_481); break;
    default: count(Metric::relay_reports_other); break;
  }
  begin_frame(*source);
  std::array<char, tid_bytes> tid;
  transactions_.make_tid(tid);
  const std::string_view tid_text(tid.data(), tid.size());
  const std::string_view phrase = reason_phrase(facts.status);
  TextOut out(reserve(*source, Lane::back, 128 + paths.size() + facts.message_id.size() + range_line_bytes_max +
                                               phrase.size() + end_line_bytes_max));
  put_request_line(out, tid_text, "REPORT");
  out.put(paths).put("Message-ID: ").put(facts.message_id).put("\r\n");
  if (facts.has_range) put_range_line(out, facts.start, facts.end, facts.total);
  out.put("Status: 000 ").number(facts.status).put(' ').put(phrase).put("\r\n");
  put_end_line(out, tid_text, Flag::end, false);
  commit(*source, Lane::back, out.size());
}

void Relay::report_transaction(Transaction& t, std::uint16_t status) {
  if (!t.is_send) {
    // Nobody will answer: whoever waits for a response gets one.
    if (Conn* origin = live(t.route->source)) respond(*origin, t.id_view(), status, t.route->report_paths);
    return;
  }
  if (t.failure == FailureReport::no) return;
  // Failure-Report: partial runs no timer and asks for errors only; a vanished next hop is one (R4976-10).
  report(way_back(*t.route), t.route->report_paths,
         {t.id_view(), status, t.has_body, t.start, t.start + t.length - 1, t.total});
}

void Relay::settle_end(Conn& conn, std::uint32_t slot, std::uint16_t status) {
  const Transaction& t = transactions_.at(slot);
  const Ends::Awaited awaited{t.end, t.mark, t.tell_200, t.binds, slot};
  settle(conn, slot);
  ends_.on_answer(conn, awaited, status);
}

void Relay::settle(Conn& conn, std::uint32_t slot) {
  Route* route = transactions_.at(slot).route;
  transactions_.erase(conn, slot);
  release(route);
  release_if_read(conn);
}

}  // namespace parley::msrp

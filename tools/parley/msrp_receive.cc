// tools/parley/msrp_receive.cc - what peers and relays send on MSRP connections. See msrp_client.h.
#include <algorithm>
#include <charconv>
#include <utility>

#include "core/text.h"
#include "msrp/frame_text.h"
#include "msrp/uri.h"
#include "tools/parley/msrp_client.h"

namespace parley::client {

namespace {

using msrp::ByteRange;

constexpr std::uint32_t other_body_bytes_max = 10'240;  // R4975-6: of requests other than SEND

// R4975-15: the type without its parameters, in a list with "*" and "type/*".
bool takes_type(const std::vector<std::string>& types, std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  for (const std::string& one : types) {
    if (one == "*" || core::equal_ignore_case(one, type)) return true;
    if (one.ends_with("/*") && type.size() > one.size() - 1 &&
        core::equal_ignore_case(type.substr(0, one.size() - 1), std::string_view(one).substr(0, one.size() - 1))) {
      return true;
    }
  }
  return false;
}

}  // namespace

void MsrpClient::read(std::uint64_t key, std::string_view bytes) {
  Link* at = link(key);
  at->stream.take(bytes);
  for (;;) {
    const msrp::FramePiece piece = at->stream.next();
    if (piece.kind == msrp::FramePiece::Kind::need_more) return;
    if (piece.kind == msrp::FramePiece::Kind::bad) {  // where its frames begin is unknown
      link_lost(key, 400);
      return;
    }
    if (piece.head->method == msrp::Method::response) {
      if (piece.last) on_response(key, *at, piece);
    } else {
      on_request(key, *at, piece);
    }
    at = link(key);
    if (at == nullptr) return;
  }
}

void MsrpClient::on_request(std::uint64_t key, Link& at, const msrp::FramePiece& piece) {
  if (piece.first) begin_request(key, at, piece);
  Session* const session = find(at.session);
  if (piece.head->method == msrp::Method::send && session != nullptr && at.answer == 0) {
    at.answer = take_body(*session, at, piece);
  }
  at.at += piece.body.size();
  if (piece.head->method != msrp::Method::send && at.at > other_body_bytes_max) at.answer = 413;
  if (!piece.last) return;
  if (piece.head->method == msrp::Method::report) {  // R4975-10: never answered
    if (session != nullptr && at.answer == 0) on_report(*session, piece);
    return;
  }
  if (piece.head->method == msrp::Method::send && session != nullptr && at.answer == 0) {
    if (!finish_body(key, *session, at, piece)) return;
  }
  answer(at, asked(piece), at.answer == 0 ? 200 : at.answer);
}

// Whose it is (R4975-12): the session-id of the first To-Path URI says so (T-43: it cannot be guessed).
void MsrpClient::begin_request(std::uint64_t key, Link& at, const msrp::FramePiece& piece) {
  at.session = 0;
  at.answer = 0;
  at.at = 0;
  if (piece.head->method == msrp::Method::auth || piece.head->method == msrp::Method::nickname ||
      piece.head->method == msrp::Method::other) {
    at.answer = 501;
    return;
  }
  msrp::Uri uri;
  if (!msrp::parse_uri(msrp::split_path(piece.head->to_path.of(piece.head_bytes)).first, uri)) {
    at.answer = 400;
    return;
  }
  for (auto& [number, session] : sessions_) {
    if (session.id != uri.session_id || session.state == State::dead) continue;
    if (session.link != key) {
      if (const Link* const bound = link(session.link); bound != nullptr && bound->open) {
        at.answer = 506;
        return;
      }
      if (session.behind_relay) break;  // strangers do not come past the relay
      session.link = key;
    }
    at.session = number;
    at.used = true;
    at.due = core::never;
    if (session.state == State::connecting) came_up(session);
    return;
  }
  at.answer = 481;
}

std::uint16_t MsrpClient::take_body(Session& session, Link& at, const msrp::FramePiece& piece) {
  if (!piece.head->has_body) return 0;  // R4975-4
  const std::string_view type = piece.head->content_type.of(piece.head_bytes);
  const std::string message_id(piece.head->message_id.present() ? piece.head->message_id.of(piece.head_bytes)
                                                                : piece.head->tid.of(piece.head_bytes));
  if (piece.first && !takes_type(session.intake.types, type)) return 415;
  auto found = session.incoming.find(message_id);
  if (found == session.incoming.end()) {
    if (session.incoming.size() >= config_.messages_open_max) return 413;
    found = session.incoming.emplace(message_id, Incoming{}).first;
    found->second.content_type = type;
    found->second.headers = piece.head->headers.of(piece.head_bytes);
  }
  Incoming& incoming = found->second;
  incoming.success = incoming.success || piece.head->success;
  if (piece.head->range.total != ByteRange::unknown) incoming.total = piece.head->range.total;
  const std::uint64_t start = piece.head->range.start + at.at;
  const std::uint64_t end = start - 1 + piece.body.size();
  const bool too_long = end > session.intake.bytes_max ||
                        (incoming.total != ByteRange::unknown && incoming.total > session.intake.bytes_max);
  if (too_long || !incoming.there.add(start, end)) {
    session.incoming.erase(found);
    tell(MsrpFact::Kind::broken, session, 413);
    facts_.back().message_id = message_id;
    return 413;
  }
  if (piece.body.empty()) return 0;
  if (session.intake.pieces) {
    tell(MsrpFact::Kind::piece, session);
    MsrpFact& fact = facts_.back();
    fact.message_id = message_id;
    fact.content_type = incoming.content_type;
    fact.body = piece.body;
    fact.start = start;
    fact.total = incoming.total;
    return 0;
  }
  if (incoming.body.size() < end) incoming.body.resize(end);
  incoming.body.replace(start - 1, piece.body.size(), piece.body);  // R4975-7: later bytes win
  return 0;
}

bool MsrpClient::finish_body(std::uint64_t key, Session& session, Link& at, const msrp::FramePiece& piece) {
  if (!piece.head->has_body) return true;
  const std::string message_id(piece.head->message_id.present() ? piece.head->message_id.of(piece.head_bytes)
                                                                : piece.head->tid.of(piece.head_bytes));
  const auto found = session.incoming.find(message_id);
  if (found == session.incoming.end()) return true;
  Incoming& incoming = found->second;
  if (piece.flag == msrp::Flag::abort) {
    session.incoming.erase(found);
    tell(MsrpFact::Kind::broken, session);
    facts_.back().message_id = message_id;
    return true;
  }
  // R4975-7: '$' fixes the total.
  if (piece.flag == msrp::Flag::end) incoming.total = piece.head->range.start - 1 + at.at;
  if (incoming.total == ByteRange::unknown || !incoming.there.has_all(incoming.total)) return true;
  complete(session, message_id, incoming);
  if (session.intake.judged) {
    facts_.back().number = next_unjudged_;
    session.unjudged[next_unjudged_++] = {.link = key,
                                          .last = asked(piece),
                                          .message_id = message_id,
                                          .total = incoming.total,
                                          .success = incoming.success};
  } else if (incoming.success) {
    send_report(session, message_id, incoming.total);
  }
  session.incoming.erase(found);
  return !session.intake.judged;
}

void MsrpClient::complete(Session& session, const std::string& message_id, Incoming& incoming) {
  tell(session.intake.pieces ? MsrpFact::Kind::piece : MsrpFact::Kind::message, session);
  MsrpFact& fact = facts_.back();
  fact.message_id = message_id;
  fact.content_type = incoming.content_type;
  fact.total = incoming.total;
  fact.last = true;
  if (!session.intake.pieces) {
    fact.headers = std::move(incoming.headers);
    incoming.body.resize(incoming.total);
    fact.body = std::move(incoming.body);
  } else {
    fact.start = incoming.total + 1;
  }
}

void MsrpClient::judge(std::uint32_t number, std::uint64_t message, std::uint16_t status) {
  Session* const session = find(number);
  if (session == nullptr) return;
  const auto found = session->unjudged.find(message);
  if (found == session->unjudged.end()) return;
  const Unjudged judged = std::move(found->second);
  session->unjudged.erase(found);
  Link* const at = link(judged.link);
  if (at == nullptr) return;
  if (status == 200 && judged.success) send_report(*session, judged.message_id, judged.total);
  answer(*at, judged.last, status);
}

MsrpClient::Asked MsrpClient::asked(const msrp::FramePiece& piece) {
  return {.method = piece.head->method,
          .failure = piece.head->failure,
          .tid = std::string(piece.head->tid.of(piece.head_bytes)),
          .to_path = std::string(piece.head->to_path.of(piece.head_bytes)),
          .from_path = std::string(piece.head->from_path.of(piece.head_bytes))};
}

void MsrpClient::answer(Link& at, const Asked& asked, std::uint16_t status) {
  if (asked.method == msrp::Method::send) {
    // R4975-8
    if (asked.failure == msrp::FailureReport::no) return;
    if (asked.failure == msrp::FailureReport::partial && status == 200) return;
  }
  const std::string_view from_path = asked.from_path;
  // R4975-9
  const std::string_view back = asked.method == msrp::Method::send ? msrp::split_path(from_path).first : from_path;
  std::string text = "MSRP ";
  text.append(asked.tid).append(" ").append(std::to_string(status)).append(" ").append(msrp::reason_phrase(status));
  text.append("\r\nTo-Path: ").append(back).append("\r\nFrom-Path: ").append(msrp::split_path(asked.to_path).first);
  text.append("\r\n-------").append(asked.tid).append("$\r\n");
  write(at, text);
}

// R4975-10: status "000 code", and which bytes it speaks of.
void MsrpClient::on_report(Session& session, const msrp::FramePiece& piece) {
  const std::string_view message_id = piece.head->message_id.of(piece.head_bytes);
  std::string_view status = piece.head->report_status.of(piece.head_bytes);
  std::uint16_t code = 0;
  if (!status.starts_with("000 ")) return;  // another namespace
  status.remove_prefix(4);
  if (std::from_chars(status.data(), status.data() + status.size(), code).ec != std::errc{}) return;
  for (auto message = session.outgoing.begin(); message != session.outgoing.end(); ++message) {
    if (message->message_id != message_id) continue;
    if (code != 200) {
      finish(session, message->number, code);
      return;
    }
    const ByteRange range = piece.head->has_range ? piece.head->range : ByteRange{1, message->total, message->total};
    const std::uint64_t last = range.end == ByteRange::unknown ? message->total : std::min(range.end, message->total);
    if (!message->reported.add(range.start, last) || !message->reported.has_all(message->total)) return;
    const std::uint64_t number = message->number;
    if (!message->told) finish(session, number, 200);  // T-64: a REPORT may overtake the 200
    tell(MsrpFact::Kind::report, session, 200, number);
    std::erase_if(session.outgoing, [number](const Outgoing& m) { return m.number == number; });
    return;
  }
}

void MsrpClient::on_response(std::uint64_t, Link& at, const msrp::FramePiece& piece) {
  const auto found = at.chunks.find(piece.head->tid.of(piece.head_bytes));
  if (found == at.chunks.end()) return;  // T-63, or too late
  const Chunk chunk = found->second;
  at.chunks.erase(found);
  if (chunk.kind == Chunk::Kind::auth) {
    if (Session* const session = find(chunk.session)) on_auth_response(*session, *piece.head, piece.head_bytes);
    return;
  }
  chunk_answered(chunk, piece.head->status);
}

}  // namespace parley::client

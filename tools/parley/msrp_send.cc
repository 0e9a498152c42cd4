// tools/parley/msrp_send.cc - SEND and REPORT requests of ours. See msrp_client.h.
#include <algorithm>
#include <array>
#include <utility>

#include "core/id_text.h"
#include "msrp/frame_text.h"
#include "tools/parley/msrp_client.h"

namespace parley::client {

namespace {

using msrp::ByteRange;
using msrp::Flag;

template <class Put>
void append(std::string& out, std::size_t room, Put put) {
  const std::size_t at = out.size();
  out.resize(at + room);
  core::TextOut text(out.data() + at);
  put(text);
  out.resize(at + text.size());
}

void append_range(std::string& out, std::uint64_t start, std::uint64_t last, std::uint64_t total) {
  append(out, msrp::range_line_bytes_max, [&](core::TextOut& text) { msrp::put_range_line(text, start, last, total); });
}

void append_end(std::string& out, std::string_view tid, Flag flag, bool after_body) {
  append(out, msrp::end_line_bytes_max, [&](core::TextOut& text) { msrp::put_end_line(text, tid, flag, after_body); });
}

void append_start(std::string& out, std::string_view tid, std::string_view method, std::string_view to_path,
                  std::string_view from_path) {
  append(out, msrp::start_line_bytes_max + method.size() + 2,
         [&](core::TextOut& text) { msrp::put_request_line(text, tid, method); });
  out.append("To-Path: ").append(to_path).append("\r\nFrom-Path: ").append(from_path).append("\r\n");
}

}  // namespace

std::string MsrpClient::make_tid() {
  std::array<char, core::letters64_chars> text{};
  core::letters_encode64(random_.next(), text.data());
  return {text.data(), text.size()};
}

void MsrpClient::note_chunk(Link& to, std::string tid, const Chunk& chunk) {
  while (!to.deadlines.empty() && !to.chunks.contains(to.deadlines.front().second)) to.deadlines.pop_front();
  to.deadlines.emplace_back(now_.mono + config_.response_timeout, tid);
  to.chunks.emplace(std::move(tid), chunk);
}

std::uint64_t MsrpClient::send(std::uint32_t number, OutMessage message) {
  Session* const session = find(number);
  if (session == nullptr || session->state == State::dead || message.body == nullptr) return 0;
  if (session->outgoing.size() >= config_.outgoing_max) {
    // Those that wait for nothing but a report make room.
    const auto told =
        std::find_if(session->outgoing.begin(), session->outgoing.end(), [](const Outgoing& m) { return m.told; });
    if (told == session->outgoing.end()) return 0;
    session->outgoing.erase(told);
  }
  Outgoing& fresh = session->outgoing.emplace_back();
  fresh.number = next_message_++;
  std::array<char, core::id128_chars> id{};
  core::id_encode128({random_.next(), random_.next()}, id.data());
  fresh.message_id.assign(id.data(), id.size());
  fresh.total = message.body->size();
  fresh.message = std::move(message);
  return fresh.number;
}

void MsrpClient::pump(Session& session) {
  if (session.state != State::up) return;
  Link* const to = link(session.link);
  if (to == nullptr || !to->open) return;
  bool failed = false;
  std::vector<std::uint64_t> done;  // nobody answers for it
  for (Outgoing& message : session.outgoing) {
    bool full = false;
    while (!message.all_out && !failed) {
      // One chunk without response holds back what follows it, in the end.
      if (to->queued >= config_.queue_bytes_max || to->chunks.size() >= config_.chunks_max ||
          to->deadlines.size() >= 8 * std::size_t{config_.chunks_max}) {
        full = true;
        break;
      }
      if (!send_chunk(session, *to, message)) {
        failed = true;
        done.push_back(message.number);
      }
    }
    if (failed || full) break;
    if (message.all_out && !message.told && message.message.failure == msrp::FailureReport::no) {
      done.push_back(message.number);
    }
  }
  for (const std::uint64_t number : done) finish(session, number, failed ? 400 : 200);
}

// R4975-6: explicit ends, which some peers need (T-60), as long as a chunk is too short to be interrupted.
bool MsrpClient::send_chunk(Session& session, Link& to, Outgoing& message) {
  const std::uint64_t left = message.total - (message.next - 1);
  const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left, config_.chunk_bytes));
  std::string body(bytes, '\0');
  if (!message.message.body->read(message.next - 1, body)) return false;
  std::string tid;
  do {
    tid = make_tid();  // R4975-3: nowhere in the body
  } while (body.find("-------" + tid) != std::string::npos);
  const std::uint64_t start = message.next;
  const std::uint64_t last = start - 1 + bytes;
  std::string text;
  append_start(text, tid, "SEND", session.to_path, session.uri);
  text += "Message-ID: " + message.message_id + "\r\n";
  if (message.message.success_report) text += "Success-Report: yes\r\n";
  if (message.message.failure == msrp::FailureReport::no) text += "Failure-Report: no\r\n";
  if (message.message.failure == msrp::FailureReport::partial) text += "Failure-Report: partial\r\n";
  append_range(text, start, bytes > 2048 ? ByteRange::unknown : last, message.total);
  text += message.message.headers;
  text += "Content-Type: " + message.message.content_type + "\r\n\r\n" + body;
  message.all_out = last >= message.total;
  append_end(text, tid, message.all_out ? Flag::end : Flag::more, true);
  message.next = last + 1;
  if (message.message.failure != msrp::FailureReport::no) {
    note_chunk(to, std::move(tid), {.session = session.number, .number = message.number, .start = start, .last = last});
  }
  write(to, text);
  return true;
}

// R4975-12, R6135-1: it binds the session to the connection. T-58, T-71: with Message-ID and Byte-Range, as some want.
void MsrpClient::send_bind(Session& session) {
  Link* const to = link(session.link);
  if (to == nullptr || !to->open) return;
  std::string tid = make_tid();
  std::string text;
  append_start(text, tid, "SEND", session.to_path, session.uri);
  text += "Message-ID: " + make_tid() + "\r\n";
  append_range(text, 1, 0, 0);
  append_end(text, tid, Flag::end, false);
  note_chunk(*to, std::move(tid), {.kind = Chunk::Kind::bind, .session = session.number});
  write(*to, text);
}

void MsrpClient::send_report(Session& session, std::string_view message_id, std::uint64_t total) {
  Link* const to = link(session.link);
  if (to == nullptr || session.to_path.empty()) return;
  const std::string tid = make_tid();
  std::string text;
  append_start(text, tid, "REPORT", session.to_path, session.uri);
  text.append("Message-ID: ").append(message_id).append("\r\n");
  append_range(text, 1, total, total);
  text += "Status: 000 200 OK\r\n";
  append_end(text, tid, Flag::end, false);
  write(*to, text);
}

void MsrpClient::chunk_answered(const Chunk& chunk, std::uint16_t status) {
  Session* const session = find(chunk.session);
  if (session == nullptr || session->state == State::dead) return;
  if (chunk.kind == Chunk::Kind::auth) {
    fail(*session, status);
    return;
  }
  // T-74: these two are about the session; so is a binding SEND that finds nobody.
  if (status == 481 || status == 506 || (chunk.kind == Chunk::Kind::bind && status == 408)) {
    fail(*session, status);
    return;
  }
  if (chunk.kind == Chunk::Kind::bind) return;
  for (Outgoing& message : session->outgoing) {
    if (message.number != chunk.number || message.told) continue;
    if (status != 200) {
      finish(*session, chunk.number, status);
      return;
    }
    const bool counted = message.taken.add(chunk.start, chunk.last);
    if (counted && message.all_out && message.taken.has_all(message.total)) finish(*session, chunk.number, 200);
    return;
  }
}

// It has been taken by the next hop, or will not be.
void MsrpClient::finish(Session& session, std::uint64_t number, std::uint16_t status) {
  const auto found = std::find_if(session.outgoing.begin(), session.outgoing.end(),
                                  [number](const Outgoing& m) { return m.number == number; });
  if (found == session.outgoing.end()) return;
  if (found->told) {  // only its report was missing
    if (status != 200) {
      tell(MsrpFact::Kind::report, session, status, number);
      session.outgoing.erase(found);
    }
    return;
  }
  found->told = true;
  tell(MsrpFact::Kind::sent, session, status, number);
  if (status == 200 && found->message.success_report) return;
  // R4975-11: the receiver learns that no more of it comes.
  if (status != 200 && !found->all_out && found->next > 1) {
    if (Link* const to = link(session.link); to != nullptr && to->open) {
      const std::string tid = make_tid();
      std::string text;
      append_start(text, tid, "SEND", session.to_path, session.uri);
      text += "Message-ID: " + found->message_id + "\r\nFailure-Report: no\r\n";
      append_range(text, found->next, ByteRange::unknown, found->total);
      text += "Content-Type: " + found->message.content_type + "\r\n\r\n";
      append_end(text, tid, Flag::abort, true);
      write(*to, text);
    }
  }
  session.outgoing.erase(found);
}

}  // namespace parley::client

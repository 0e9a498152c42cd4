// msrp/fan_out.cc - one SEND to many legs. What is the same for all is written once; a leg adds its path lines, which
// were made when it was bound. bench/fan_out_bench measures it.
#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "msrp/links.h"

namespace parley::msrp {

using core::Metric;
using Lane = core::Outbox::Lane;

void Ends::fan_out(std::span<const EndHandle> legs, const EndSend& message, std::vector<NotSent>& not_sent) {
  const bool answered = message.failure != FailureReport::no;
  const std::uint64_t length = message.prefix.size() + message.body.length;
  std::array<char, tid_bytes> tid;
  std::uint32_t record = FanOut::none;
  if (!answered) {
    links_->transactions().make_tid(tid);
  } else {
    const core::Instant due = links_->now().mono + links_->config().response_timeout;
    record = fan_outs_.create(links_->config().fan_outs_max, due, tid);
    if (record == FanOut::none) {
      links_->count(Metric::msrp_fan_outs_limit);
      for (const EndHandle leg : legs) not_sent.push_back({leg, ends_.contains(leg) ? Sent::full : Sent::gone});
      return;
    }
    FanOut& sent = fan_outs_.at(record);
    sent.mark = message.mark;
    sent.failure = message.failure;
    sent.tell_200 = message.tell_200;
    sent.unanswered = 1;  // so that it lives until all legs are written
  }
  // "MSRP tid SEND" | a leg's paths | range, headers, body, end-line
  const std::string_view tid_text(tid.data(), tid.size());
  common_.resize(send_overhead_bytes + message.headers.size() + length);
  TextOut text(common_.data());
  put_request_line(text, tid_text, "SEND");
  const std::string_view start_line(common_.data(), text.size());
  put_range(text, message, false);
  text.put(message.headers);
  if (message.has_body) text.put("\r\n").put(message.prefix);
  if (message.body.length != 0) text.put(links_->pool().view(message.body));
  put_end_line(text, tid_text, message.flag, message.has_body);
  const std::string_view rest = std::string_view(common_.data(), text.size()).substr(start_line.size());
  // A longer one goes by reference: one block for all legs, and for those that are slow.
  core::Slice shared;
  if (rest.size() > fan_out_copy_bytes_max) {
    const auto size = static_cast<std::uint32_t>(rest.size());
    const core::BufferId block = links_->pool().take_heap(size);
    if (block != core::no_buffer) {
      shared = {block, 0, size};
      std::memcpy(links_->pool().data(block), rest.data(), size);
    }
  }
  const bool by_reference = shared.length != 0;
  const std::string_view copied = by_reference ? std::string_view() : rest;

  core::Outbox& out = links_->out();
  const std::uint64_t number = ++fan_outs_made_;  // a record's place is used again
  std::uint32_t written = 0;
  for (std::size_t i = 0; i < legs.size(); ++i) {
    // What the next legs need is on its way while this one is written.
    if (i + 8 < legs.size()) ends_.prefetch(legs[i + 8]);
    if (i + 4 < legs.size()) {
      if (const End* soon = ends_.get(legs[i + 4]); soon != nullptr && soon->conn != nullptr) {
        __builtin_prefetch(soon->conn, 1);
        __builtin_prefetch(reinterpret_cast<const char*>(soon->conn) + 64, 1);
        __builtin_prefetch(soon->out_paths.data());
        __builtin_prefetch(soon->out_paths.data() + 64);
        __builtin_prefetch(soon->out_paths.data() + 128);
      }
    }
    End* const end = ends_.get(legs[i]);
    Sent result = Sent::gone;
    if (end != nullptr && end->state == End::State::connected) {
      Conn& conn = *end->conn;
      const bool plain = conn.direct() && !conn.is_pipe() &&
                         (end->chunk_max == 0 || (message.with_range && length <= end->chunk_max)) &&
                         (!answered || conn.ends->last_fan_out != number);
      if (!plain) {
        result = send_to(*end, message);
      } else if ((result = may_send(*end, start_line.size() + end->out_paths.size() + rest.size(), answered,
                                    message.source)) == Sent::sent) {
        links_->begin_frame(conn);
        const auto bytes = static_cast<std::uint32_t>(start_line.size() + end->out_paths.size() + copied.size());
        char* const at = out.reserve(Lane::forward, bytes);
        if (at == nullptr) {
          links_->out_of_memory(conn);
          not_sent.push_back({legs[i], Sent::gone});
          continue;
        }
        TextOut(at).put(start_line).put(end->out_paths).put(copied);
        out.commit(conn.id, Lane::forward, bytes);
        if (by_reference) out.send(conn.id, shared);
        links_->wrote(conn, bytes + shared.length);
        if (answered) {
          conn.ends->last_fan_out = number;
          conn.ends->ring.push({record, end->self});
          ++fan_outs_.at(record).unanswered;
        }
        ++written;
      }
    }
    if (result != Sent::sent) not_sent.push_back({legs[i], result});
  }
  if (by_reference) links_->pool().release(shared.buffer);
  if (answered) fan_outs_.settle(record);
  links_->count(Metric::msrp_ends_chunks_out, written);
  links_->count(Metric::msrp_ends_bytes_out, written * length);
}

}  // namespace parley::msrp

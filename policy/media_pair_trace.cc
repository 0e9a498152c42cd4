// policy/media_pair_trace.cc - what operators can find of the messages that pairs have passed. See media_pair.h.
//
// A message is remembered with its first byte, and what comes of it by its Message-ID among the last ones of its direction:
// later chunks, the answer to its last one, and reports. None of this is done where nothing is remembered.
#include "policy/imdn.h"
#include "policy/media_pair.h"

namespace parley::policy {

using msrp::ByteRange;
using msrp::EndFact;
using msrp::EndSend;
using msrp::Flag;

void MediaPairs::tell_parties(PairId id, const Parties& parties) {
  if (Pair* const pair = pairs_.get(id)) pair->parties = parties;
}

std::uint64_t MediaPairs::traced(const Direction& way, std::string_view message_id) const {
  for (std::size_t i = 1; i <= way.traced.size(); ++i) {
    const std::uint64_t number = way.traced[(way.next_traced + way.traced.size() - i) % way.traced.size()];
    if (trace_->is(number, message_id)) return number;
  }
  return 0;
}

void MediaPairs::trace_piece(Pair& pair, Side from, const EndFact& fact) {
  Direction& way = pair.leg(from).out;
  const std::uint64_t bytes = fact.total == ByteRange::unknown ? fact.start - 1 + fact.body.length : fact.total;
  if (!fact.first || fact.start != 1) {
    trace_->has_bytes(traced(way, fact.message_id), bytes);
    return;
  }
  const std::string_view body = fact.body.length == 0 ? std::string_view{} : pool_.view(fact.body);
  if (is_composing(fact(fact.head->content_type), body)) return;
  const bool from_a = from == Side::a;
  way.traced[way.next_traced] = trace_->add({.message_id = fact.message_id, .call_id = pair.parties.call_id},
                                            {.way = TracedPager::Way::carried,
                                             .sender = from_a ? pair.parties.a : pair.parties.b,
                                             .recipient = from_a ? pair.parties.b : pair.parties.a,
                                             .bytes = bytes,
                                             .wall_ms = wall_ms_});
  way.next_traced = static_cast<std::uint8_t>((way.next_traced + 1) % way.traced.size());
}

std::uint64_t MediaPairs::trace_sent(const Pair& pair, Side from, const EndSend& message, std::string_view message_id) {
  const std::uint64_t number = traced(pair.leg(from).out, message_id);
  if (number == 0) return 0;
  if (message.start == 1) {
    const msrp::Ends::Remote remote = ends_.remote(pair.leg(other(from)).end);
    trace_->sent(number, 0, remote.transport, remote.address, wall_ms_);
  }
  // Nothing has to come back of it.
  if (message.failure != msrp::FailureReport::yes && message.flag == Flag::end) {
    trace_->heard(number, 0, TracedHop::Result::unawaited, 0, wall_ms_);
  }
  return number;
}

void MediaPairs::trace_answered(const Sent& sent, std::uint16_t status) {
  if (status < 300 && !sent.last) return;
  trace_->heard(sent.trace, 0, TracedHop::Result::answered, status, wall_ms_);
  trace_->reported(sent.trace, status, wall_ms_);
}

// A report of success about a part says nothing of the rest.
void MediaPairs::trace_reported(const Direction& way, const EndFact& fact) {
  const bool whole = fact.range.start == 1 && fact.range.end == fact.range.total;
  if (fact.status >= 300 || whole) trace_->reported(traced(way, fact.message_id), fact.status, wall_ms_);
}

void MediaPairs::trace_refused(const Direction& way, std::string_view message_id, std::uint16_t status) {
  trace_->answered(traced(way, message_id), status, false, wall_ms_);
}

// What has not come to its end by now does not: its session is no more.
void MediaPairs::trace_closed(const Pair& pair) {
  for (const Leg& leg : pair.legs) {
    for (const Kept& kept : leg.out.kept) trace_refused(leg.out, kept.message_id, 481);
    for (const Sent& sent : leg.out.sent) {
      if (!sent.silence_is_good) trace_->answered(sent.trace, 481, false, wall_ms_);
    }
  }
}

}  // namespace parley::policy

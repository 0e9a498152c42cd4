// policy/media_pair_trace.cc - what operators can find of the messages that pairs have passed. See media_pair.h.
//
// A message is remembered with its first byte, and what comes of it by its Message-ID among all of its direction that
// are remembered: later chunks, the answer to its last one, and reports. None of this is done where nothing is remembered.
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

std::uint64_t MediaPairs::traced(const Pair& pair, Side from, std::string_view message_id) const {
  return trace_->number_of(owner_of(pair.self, from), message_id);
}

void MediaPairs::trace_piece(Pair& pair, Side from, const EndFact& fact) {
  using Came = TracedPager::Came;
  Direction& way = pair.leg(from).out;
  const std::uint64_t bytes = fact.total == ByteRange::unknown ? fact.start - 1 + fact.body.length : fact.total;
  const Came came = !fact.last || fact.flag == Flag::more ? Came::part
                    : fact.flag == Flag::abort            ? Came::broken_off
                                                          : Came::whole;
  const bool says_only_that = came == Came::broken_off && fact.body.length == 0;
  if (!fact.first || fact.start != 1 || says_only_that) {
    if (fact.first) way.at_hand = traced(pair, from, fact.message_id);
    trace_->has_bytes(way.at_hand, bytes);
    trace_->has_come(way.at_hand, came, wall_ms_);
    return;
  }
  way.at_hand = 0;
  const std::string_view body = fact.body.length == 0 ? std::string_view{} : pool_.view(fact.body);
  if (is_composing(fact(fact.head->content_type), body)) return;
  const bool from_a = from == Side::a;
  way.at_hand = way.traced = trace_->add(
      {.message_id = fact.message_id, .call_id = pair.parties.call_id, .whose = owner_of(pair.self, from)},
      {.way = TracedPager::Way::carried,
       .sender = from_a ? pair.parties.a : pair.parties.b,
       .recipient = from_a ? pair.parties.b : pair.parties.a,
       .bytes = bytes,
       .wall_ms = wall_ms_,
       .came = came,
       .previous = way.traced});
}

void MediaPairs::trace_sent(const Pair& pair, Side from, const EndSend& message, std::uint64_t number) {
  if (number == 0) return;
  if (message.start == 1) {
    const msrp::Ends::Remote remote = ends_.remote(pair.leg(other(from)).end);
    trace_->sent(number, 0, remote.transport, remote.address, wall_ms_);
  }
  // Nothing has to come back of it.
  if (message.failure != msrp::FailureReport::yes && message.flag == Flag::end) {
    trace_->heard(number, 0, TracedHop::Result::unawaited, 0, wall_ms_);
  }
}

void MediaPairs::trace_answered(const Sent& sent, std::uint16_t status) {
  if (status < 300 && !sent.last) return;
  trace_->heard(sent.trace, 0, TracedHop::Result::answered, status, wall_ms_);
  trace_->reported(sent.trace, status, wall_ms_);
}

// A report of success about a part says nothing of the rest.
void MediaPairs::trace_reported(const Pair& pair, Side from, const EndFact& fact) {
  const bool whole = fact.range.start == 1 && fact.range.end == fact.range.total;
  if (fact.status >= 300 || whole) trace_->reported(traced(pair, from, fact.message_id), fact.status, wall_ms_);
}

void MediaPairs::trace_refused(const Pair& pair, Side from, std::string_view message_id, std::uint16_t status) {
  trace_->answered(traced(pair, from, message_id), status, false, wall_ms_);
}

// Between two chunks; what was lost in one has come as aborted.
void MediaPairs::trace_lost(const Pair& pair, Side from) {
  constexpr std::uint32_t at_one_time = 32;  // messages that a client sends in turns; the end of its session knows all
  trace_->break_off(pair.leg(from).out.traced, at_one_time, wall_ms_);
}

// What has not come to its end by now does not: its session is no more.
void MediaPairs::trace_closed(const Pair& pair) {
  for (const Leg& leg : pair.legs) trace_->end(leg.out.traced, 481, wall_ms_);
}

}  // namespace parley::policy

// sip/offer_track.cc - see offer_track.h.
#include "sip/offer_track.h"

namespace parley::sip {
namespace {

struct Sides {
  OfferEvent offer;
  OfferEvent answer;
  OfferState owes_answer;  // the state in which this side has to answer
};
constexpr Sides us{OfferEvent::we_offer, OfferEvent::we_answer, OfferState::asked};
constexpr Sides them{OfferEvent::they_offer, OfferEvent::they_answer, OfferState::offered};

}  // namespace

OfferVerdict OfferTrack::step(OfferEvent event) {
  const OfferState before = state_;
  const OfferStep next = step_offer(before, event);
  if (next.verdict == OfferVerdict::ok) {
    state_ = next.state;
    complete_ = complete_ || (before != OfferState::idle && state_ == OfferState::idle);
  }
  return next.verdict;
}

OfferVerdict OfferTrack::take(SdpCarrier carrier, bool sdp, bool ours) {
  const Sides& side = ours ? us : them;
  const bool owes = state_ == side.owes_answer;
  switch (carrier) {
    case SdpCarrier::invite:
      // Without a description the other side offers later: not while something else is open.
      if (!sdp && state_ != OfferState::idle) return step_offer(state_, side.offer).verdict;
      if (sdp) {
        const OfferVerdict verdict = step(side.offer);
        if (verdict != OfferVerdict::ok) return verdict;
      }
      settled_ = false;
      return OfferVerdict::ok;
    case SdpCarrier::update: return sdp ? step(side.offer) : OfferVerdict::ok;
    case SdpCarrier::rel_1xx:
      if (!sdp || settled_) return OfferVerdict::ok;
      return step(owes ? side.answer : side.offer);
    case SdpCarrier::invite_ok:
      if (settled_) return OfferVerdict::ok;
      if (!sdp) return OfferVerdict::end;  // neither an offer nor an answer in the last message that can have it
      return step(owes ? side.answer : side.offer);
    case SdpCarrier::prack:
      if (owes) return sdp ? step(side.answer) : OfferVerdict::end;  // 3262 5: the 1xx offered
      return sdp ? step(side.offer) : OfferVerdict::ok;
    case SdpCarrier::ack:
      if (owes) return sdp ? step(side.answer) : OfferVerdict::end;
      return sdp ? OfferVerdict::stray : OfferVerdict::ok;
    case SdpCarrier::prack_ok:
    case SdpCarrier::update_ok:
      if (owes) return sdp ? step(side.answer) : OfferVerdict::end;
      return sdp ? OfferVerdict::stray : OfferVerdict::ok;
  }
  return OfferVerdict::ok;
}

OfferVerdict OfferTrack::tell(SdpCarrier carrier, bool sdp, bool ours) {
  const OfferState before = state_;
  const OfferVerdict verdict = take(carrier, sdp, ours);
  const bool of_invite = carrier == SdpCarrier::rel_1xx || carrier == SdpCarrier::invite_ok ||
                         carrier == SdpCarrier::ack || carrier == SdpCarrier::prack;
  if (of_invite && before != OfferState::idle && state_ == OfferState::idle) settled_ = true;
  return verdict;
}

OfferVerdict OfferTrack::sent(SdpCarrier carrier, bool sdp) { return tell(carrier, sdp, true); }

OfferVerdict OfferTrack::received(SdpCarrier carrier, bool sdp) { return tell(carrier, sdp, false); }

}  // namespace parley::sip

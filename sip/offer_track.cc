// sip/offer_track.cc - see offer_track.h.
#include "sip/offer_track.h"

namespace parley::sip {
namespace {

// Which message answers an offer made in which (RFC 6337 section 2.2, table 1).
constexpr bool answers(SdpCarrier carrier, SdpCarrier offer) {
  switch (offer) {
    case SdpCarrier::invite: return carrier == SdpCarrier::rel_1xx || carrier == SdpCarrier::invite_ok;
    case SdpCarrier::rel_1xx: return carrier == SdpCarrier::prack;
    case SdpCarrier::invite_ok: return carrier == SdpCarrier::ack;
    case SdpCarrier::prack: return carrier == SdpCarrier::prack_ok;
    case SdpCarrier::update: return carrier == SdpCarrier::update_ok;
    case SdpCarrier::ack:
    case SdpCarrier::prack_ok:
    case SdpCarrier::update_ok: return false;
  }
  return false;
}

// The request whose end takes an offer in `offer` with it.
constexpr SdpCarrier request_of(SdpCarrier offer) {
  return offer == SdpCarrier::rel_1xx || offer == SdpCarrier::invite_ok ? SdpCarrier::invite : offer;
}

}  // namespace

OfferVerdict OfferTrack::offer(SdpCarrier carrier, bool ours) {
  const OfferStep next = step_offer(state_, ours ? OfferEvent::we_offer : OfferEvent::they_offer);
  if (next.verdict != OfferVerdict::ok) return next.verdict;
  state_ = next.state;
  open_ = carrier;
  return OfferVerdict::ok;
}

OfferVerdict OfferTrack::answer(bool ours) {
  const OfferStep next = step_offer(state_, ours ? OfferEvent::we_answer : OfferEvent::they_answer);
  state_ = next.state;
  complete_ = true;
  settled_ = settled_ || request_of(open_) == SdpCarrier::invite;
  return next.verdict;
}

OfferVerdict OfferTrack::take(SdpCarrier carrier, bool sdp, bool ours) {
  const bool owes = state_ == (ours ? OfferState::asked : OfferState::offered) && answers(carrier, open_);
  if (owes && sdp) return answer(ours);
  switch (carrier) {
    case SdpCarrier::invite: {
      // Without a description the other side offers later: not while something else is open either.
      const OfferVerdict verdict =
          sdp ? offer(carrier, ours) : step_offer(state_, ours ? OfferEvent::we_offer : OfferEvent::they_offer).verdict;
      if (verdict == OfferVerdict::ok) settled_ = false;
      return verdict;
    }
    case SdpCarrier::update: return sdp ? offer(carrier, ours) : OfferVerdict::ok;
    case SdpCarrier::rel_1xx: return sdp && !settled_ ? offer(carrier, ours) : OfferVerdict::ok;
    case SdpCarrier::invite_ok:
      if (settled_) return OfferVerdict::ok;
      // Without one there is neither an offer nor an answer in the last message that can have it.
      return sdp ? offer(carrier, ours) : OfferVerdict::end;
    case SdpCarrier::prack:
      if (owes) return OfferVerdict::end;  // 3262 5: the 1xx offered
      return sdp ? offer(carrier, ours) : OfferVerdict::ok;
    case SdpCarrier::ack:
    case SdpCarrier::prack_ok:
    case SdpCarrier::update_ok:
      if (owes) return OfferVerdict::end;
      return sdp ? OfferVerdict::stray : OfferVerdict::ok;
  }
  return OfferVerdict::ok;
}

OfferVerdict OfferTrack::sent(SdpCarrier carrier, bool sdp) { return take(carrier, sdp, true); }

OfferVerdict OfferTrack::received(SdpCarrier carrier, bool sdp) { return take(carrier, sdp, false); }

void OfferTrack::refused(SdpCarrier request) {
  if (request_of(open_) == request) state_ = step_offer(state_, OfferEvent::over).state;
}

}  // namespace parley::sip

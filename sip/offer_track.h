// sip/offer_track.h - which message of a dialog carries an offer and which one the answer (RFC 3264 section 4, RFC 3262
// section 5, RFC 3311 section 5, RFC 6337 section 2). R3264-3.
//
// One per dialog, forks included: each early dialog answers the same offer for itself. What the descriptions say is
// offer_answer.h's matter.
#pragma once

#include <cstdint>

#include "sip/offer_answer.h"

namespace parley::sip {

// Messages that can carry a description that counts. One in an unreliable 1xx is a preview of the answer: not told
// here.
enum class SdpCarrier : std::uint8_t {
  invite,     // also a re-INVITE
  rel_1xx,    // a reliable provisional response
  invite_ok,  // 2xx to INVITE
  ack,
  prack,
  prack_ok,
  update,
  update_ok,
};

class OfferTrack {
 public:
  // Before a message goes out: whether it may with (or without) a description. wait: not now, or not that.
  // end, for a 2xx, ACK, PRACK or answer: it has to carry a description and does not.
  [[nodiscard]] OfferVerdict sent(SdpCarrier carrier, bool sdp);
  // glare: 491. again: 500 with Retry-After. end: the answer that had to come did not. stray: as if it had none.
  [[nodiscard]] OfferVerdict received(SdpCarrier carrier, bool sdp);
  // The INVITE, PRACK or UPDATE with what belongs to it came to nothing (refused, unanswered, without its ACK): an
  // offer in it, or in a response to it, is withdrawn. `request` is invite, prack or update.
  void refused(SdpCarrier request);

  [[nodiscard]] OfferState state() const { return state_; }
  // A first exchange is complete: UPDATE may offer (R3311-2).
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  [[nodiscard]] OfferVerdict offer(SdpCarrier carrier, bool ours);
  [[nodiscard]] OfferVerdict answer(bool ours);
  [[nodiscard]] OfferVerdict take(SdpCarrier carrier, bool sdp, bool ours);

  OfferState state_ = OfferState::idle;
  SdpCarrier open_ = SdpCarrier::invite;  // what carried the open offer
  bool complete_ = false;
  bool settled_ = false;  // the INVITE under way has had its exchange: descriptions in its 1xx and 2xx are repetitions
};

}  // namespace parley::sip

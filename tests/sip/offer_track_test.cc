// tests/sip/offer_track_test.cc - R3264-3, R3262-4, R3311-1: which messages offer and which answer, on both sides.
#include "sip/offer_track.h"

#include <gtest/gtest.h>

namespace parley::tests {
namespace {

using namespace parley::sip;
using M = SdpCarrier;
using V = OfferVerdict;

// The caller's view and the callee's, fed with the same messages.
struct Pair {
  OfferTrack caller, callee;
  void from_caller(M message, bool sdp) {
    EXPECT_EQ(caller.sent(message, sdp), V::ok);
    EXPECT_EQ(callee.received(message, sdp), V::ok);
  }
  void from_callee(M message, bool sdp) {
    EXPECT_EQ(callee.sent(message, sdp), V::ok);
    EXPECT_EQ(caller.received(message, sdp), V::ok);
  }
  void expect_settled() const {
    EXPECT_EQ(caller.state(), OfferState::idle);
    EXPECT_EQ(callee.state(), OfferState::idle);
    EXPECT_TRUE(caller.complete());
    EXPECT_TRUE(callee.complete());
  }
};

TEST(OfferTrack, R3264_3_OfferInInviteAnswerIn2xx) {
  Pair pair;
  pair.from_caller(M::invite, true);
  EXPECT_EQ(pair.caller.state(), OfferState::offered);
  EXPECT_EQ(pair.callee.state(), OfferState::asked);
  pair.from_callee(M::invite_ok, true);
  pair.expect_settled();
  pair.from_caller(M::ack, false);
  EXPECT_EQ(pair.callee.received(M::ack, true), V::stray);
}

TEST(OfferTrack, R3264_3_AnInviteWithoutSdpIsOfferedIn2xxAndAnsweredInAck) {
  Pair pair;
  pair.from_caller(M::invite, false);
  EXPECT_EQ(pair.callee.state(), OfferState::idle);
  pair.from_callee(M::invite_ok, true);
  EXPECT_EQ(pair.callee.state(), OfferState::offered);
  EXPECT_FALSE(pair.callee.complete());
  Pair other = pair;
  pair.from_caller(M::ack, true);
  pair.expect_settled();
  EXPECT_EQ(other.caller.sent(M::ack, false), V::end);
  EXPECT_EQ(other.callee.received(M::ack, false), V::end);  // BYE
}

TEST(OfferTrack, R3262_4_TheAnswerInAReliable1xxAndAnotherOfferInItsPrack) {
  Pair pair;
  pair.from_caller(M::invite, true);
  pair.from_callee(M::rel_1xx, true);
  pair.expect_settled();
  pair.from_caller(M::prack, true);
  EXPECT_EQ(pair.callee.state(), OfferState::asked);
  pair.from_callee(M::prack_ok, true);
  pair.expect_settled();
  pair.from_callee(M::rel_1xx, true);  // the same description again
  pair.from_callee(M::invite_ok, true);
  pair.expect_settled();
  pair.from_caller(M::ack, false);
}

TEST(OfferTrack, R3262_4_AReliable1xxOffersWhenTheInviteDidNotAndThePrackAnswers) {
  Pair pair;
  pair.from_caller(M::invite, false);
  pair.from_callee(M::rel_1xx, true);
  EXPECT_EQ(pair.caller.state(), OfferState::asked);
  EXPECT_EQ(pair.caller.sent(M::prack, false), V::end);
  EXPECT_EQ(pair.callee.received(M::prack, false), V::end);
  pair.from_caller(M::prack, true);
  pair.expect_settled();
  pair.from_callee(M::invite_ok, false);
  pair.from_caller(M::ack, false);
}

TEST(OfferTrack, R3262_4_A2xxNeedsNoSdpAfterAReliable1xxHadItButDoesOtherwise) {
  Pair with;
  with.from_caller(M::invite, true);
  with.from_callee(M::rel_1xx, true);
  with.from_callee(M::invite_ok, false);
  Pair without;
  without.from_caller(M::invite, true);
  without.from_callee(M::rel_1xx, false);
  EXPECT_EQ(without.caller.received(M::invite_ok, false), V::end);
}

TEST(OfferTrack, R3311_1_UpdateOffersWhenNothingIsOpen) {
  Pair pair;
  pair.from_caller(M::invite, true);
  EXPECT_EQ(pair.caller.sent(M::update, true), V::wait);
  EXPECT_EQ(pair.callee.received(M::update, true), V::again);  // 500: it has not been answered
  EXPECT_EQ(pair.callee.received(M::update, false), V::ok);
  pair.from_callee(M::rel_1xx, true);
  pair.from_caller(M::prack, false);
  pair.from_caller(M::update, true);
  EXPECT_EQ(pair.caller.received(M::update, true), V::glare);  // 491: ours is out
  pair.from_callee(M::update_ok, true);
  pair.expect_settled();
  pair.from_callee(M::update, true);
  pair.caller.refused(M::update);  // 488
  pair.callee.refused(M::update);
  pair.expect_settled();
}

TEST(OfferTrack, R3264_3_ReInvitesCountForThemselves) {
  Pair pair;
  pair.from_caller(M::invite, true);
  pair.from_callee(M::invite_ok, true);
  pair.from_callee(M::invite, false);
  EXPECT_EQ(pair.callee.received(M::invite_ok, false), V::end);
  pair.from_caller(M::invite_ok, true);
  pair.from_callee(M::ack, true);
  pair.expect_settled();
  pair.from_callee(M::invite, true);
  EXPECT_EQ(pair.callee.received(M::invite, true), V::glare);
  EXPECT_EQ(pair.callee.received(M::invite, false), V::glare);
  EXPECT_EQ(pair.caller.received(M::invite, true), V::again);
  EXPECT_EQ(pair.caller.sent(M::invite, true), V::wait);
}

TEST(OfferTrack, R3264_3_AnUpdatesExchangeDoesNotStandForThatOfAReInvite) {
  Pair pair;
  pair.from_caller(M::invite, true);
  pair.from_callee(M::invite_ok, true);
  pair.from_caller(M::invite, false);
  pair.from_caller(M::update, true);
  pair.from_callee(M::update_ok, true);
  EXPECT_EQ(pair.callee.sent(M::invite_ok, true), V::ok);
  EXPECT_EQ(pair.callee.state(), OfferState::offered);
}

TEST(OfferTrack, R3264_3_AnOpenOfferIsAnsweredOnlyByWhatBelongsToIt) {
  Pair pair;
  pair.from_caller(M::invite, true);
  pair.from_callee(M::invite_ok, true);
  pair.from_callee(M::update, true);  // crosses the ACK
  pair.from_caller(M::ack, false);
  EXPECT_EQ(pair.callee.state(), OfferState::offered);
  pair.callee.refused(M::invite);
  EXPECT_EQ(pair.callee.state(), OfferState::offered);
  pair.from_caller(M::update_ok, true);
  pair.expect_settled();
}

}  // namespace
}  // namespace parley::tests

// tests/sip/invite_rules_test.cc - cells of the INVITE tables that peers have tripped over, one by one (the general
// properties are checked when sip/invite_rules.cc is compiled).
#include "sip/invite_rules.h"

#include <gtest/gtest.h>

#include "sip/change_rules.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using S = InviteState;
using E = InviteEvent;
using C = ChangeState;
using V = ChangeEvent;

void expect(bool inviting, S state, E event, S next, std::uint32_t actions) {
  const InviteRow& row = invite_row(inviting, state, event);
  EXPECT_EQ(row.next, next);
  EXPECT_EQ(row.actions, actions);
}

void expect(C state, V event, C next, std::uint32_t actions) {
  const ChangeRow& row = change_row(state, event);
  EXPECT_EQ(row.next, next);
  EXPECT_EQ(row.actions, actions);
}

TEST(InviteRules, R3261_7_CancelMeetsAFinalResponse) {
  using namespace invite_do;
  expect(false, S::proceeding, E::cancel, S::ended, send_487 | tell_ended);
  expect(false, S::answered, E::cancel, S::answered, 0);
  expect(false, S::confirmed, E::cancel, S::confirmed, 0);
  expect(false, S::ended, E::answer, S::ended, 0);  // our 2xx was too late
}

TEST(InviteRules, R3261_7_T_24_CancelWaitsForA1xxAndIsDroppedByAFinal) {
  using namespace invite_do;
  expect(true, S::calling, E::hang_up, S::cancelling, send_cancel);  // the client transaction holds it back
  expect(true, S::cancelling, E::got_refusal, S::ended, tell_ended);
}

TEST(InviteRules, T_22_A2xxThatCrossesTheCancelIsAcknowledgedAndEnded) {
  using namespace invite_do;
  expect(true, S::cancelling, E::got_2xx, S::leaving, send_ack | send_bye | tell_ended);
  expect(true, S::ended, E::got_2xx, S::leaving, send_ack | send_bye);  // 64*T1 after the CANCEL, or another fork
}

TEST(InviteRules, T_23_ByeCrossesBye) {
  using namespace invite_do;
  for (const bool inviting : {false, true}) {
    expect(inviting, S::leaving, E::bye, S::leaving, answer_bye_200);
    expect(inviting, S::leaving, E::bye_done, S::ended, 0);
    expect(inviting, S::ended, E::bye, S::ended, answer_bye_481);
  }
}

TEST(InviteRules, T_23_AByeBeforeTheAnswerIsTheCallersRightOnly) {
  using namespace invite_do;
  expect(false, S::proceeding, E::bye, S::ended, answer_bye_200 | send_487 | tell_ended);
  expect(true, S::calling, E::bye, S::calling, answer_bye_481);
}

TEST(InviteRules, R3261_2_NoByeOfTheCalleeBeforeTheAckOrItsTime) {
  using namespace invite_do;
  expect(false, S::answered, E::hang_up, S::closing, 0);
  expect(false, S::closing, E::ack, S::leaving, send_bye | tell_ended);
  expect(false, S::closing, E::limit, S::leaving, send_bye | tell_ended);
  expect(false, S::answered, E::limit, S::leaving, send_bye | tell_ended);
}

TEST(InviteRules, R3261_9_ASurplus2xxIsAcknowledgedAndEndedInEveryState) {
  for (const S state : {S::accepted, S::confirmed, S::leaving, S::ended}) {
    expect(true, state, E::got_2xx_other, state, invite_do::ack_bye_other);
  }
}

TEST(InviteRules, R3262_2_R3262_4_AHeld2xxWaitsForItsPrackAndNotForEver) {
  using namespace invite_do;
  expect(false, S::proceeding, E::answer_held, S::held, 0);
  expect(false, S::held, E::pracked, S::answered, send_2xx);
  expect(false, S::held, E::prack_overdue, S::ended, send_504 | tell_ended);
  expect(false, S::proceeding, E::prack_overdue, S::ended, send_504 | tell_ended);
  expect(false, S::held, E::cancel, S::ended, send_487 | tell_ended);
}

TEST(ChangeRules, R3261_6_Glare) {
  using namespace change_do;
  expect(C::ours, V::got_invite, C::ours, answer_491);
  expect(C::ours_ok, V::got_invite, C::ours_ok, answer_491);
  expect(C::theirs, V::got_invite, C::theirs, answer_500);
  expect(C::ours, V::got_491, C::quiet, tell_failed | wait_491);
  expect(C::ours, V::got_refusal, C::quiet, tell_failed);
  expect(C::ours, V::got_lost, C::quiet, tell_failed | end_session);
}

TEST(ChangeRules, R3261_6_AReInviteBeforeTheAckStandsForItUnlessTheAckHasOurAnswer) {
  using namespace change_do;
  expect(C::theirs_ok, V::got_invite, C::theirs, take_invite);
  expect(C::theirs_ok, V::got_glare, C::theirs_ok, answer_491);
  expect(C::theirs_ok, V::limit, C::quiet, tell_failed | end_session);
}

}  // namespace
}  // namespace parley::tests

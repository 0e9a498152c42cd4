// tests/sip/fork_test.cc - the response context, step by step; all orders of everything stand in fork_orders_test.cc.
#include "sip/fork.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <type_traits>

namespace parley::tests {
namespace {

using namespace parley::sip;

static_assert(std::is_trivially_copyable_v<Fork>);
static_assert(sizeof(Fork) <= 128);

BranchSet set(std::initializer_list<unsigned> branches) {
  BranchSet out;
  for (const unsigned branch : branches) out.add(branch);
  return out;
}

Fork started(bool invite, std::initializer_list<int> qs) {
  Fork fork({.invite = invite});
  for (const int q : qs) EXPECT_TRUE(fork.add_target(static_cast<std::uint16_t>(q)));
  (void)fork.start();
  return fork;
}

// Each branch fails with its status; what goes upstream behind the last one.
ForkDecision last_of(bool invite, std::initializer_list<int> statuses) {
  Fork fork({.invite = invite});
  for (std::size_t n = 0; n < statuses.size(); ++n) EXPECT_TRUE(fork.add_target(1000));
  ForkDecision out = fork.start();
  unsigned branch = 0;
  for (const int status : statuses) {
    EXPECT_EQ(out.final, FinalResponse::none);
    out = fork.response(branch++, static_cast<std::uint16_t>(status));
  }
  EXPECT_TRUE(fork.over());
  return out;
}

int chosen(std::initializer_list<int> statuses) {
  const ForkDecision out = last_of(true, statuses);
  return out.final == FinalResponse::branch ? out.status : -out.status;
}

TEST(Fork, R3261_11_BestResponse) {
  EXPECT_EQ(chosen({404, 603, 302}), 603);
  EXPECT_EQ(chosen({500, 404, 302}), 302);
  EXPECT_EQ(chosen({500, 404}), 404);
  EXPECT_EQ(chosen({404, 401}), 401);
  EXPECT_EQ(chosen({486, 407}), 407);
  EXPECT_EQ(chosen({486, 415}), 415);
  EXPECT_EQ(chosen({486, 420}), 420);
  EXPECT_EQ(chosen({486, 484}), 484);
  EXPECT_EQ(chosen({482, 422}), 422);
  EXPECT_EQ(chosen({408, 487, 486}), 486);
  EXPECT_EQ(chosen({503, 407, 501, 404}), 407) << "the example of RFC 3261 section 16.7";
  EXPECT_EQ(chosen({503, 501}), 501);
  EXPECT_EQ(chosen({408}), 408);
}

TEST(Fork, R3261_11_A503IsNeverForwarded) {
  EXPECT_EQ(chosen({503}), -500);
  EXPECT_EQ(chosen({503, 503}), -500);
  Fork fork = started(true, {1000});
  const ForkDecision out = fork.transport_error(0);
  EXPECT_EQ(out.final, FinalResponse::generate);
  EXPECT_EQ(out.status, 500);
}

TEST(Fork, R3261_11_ChallengesOfAllBranchesGoIn) {
  const ForkDecision out = last_of(true, {407, 404, 401, 407});
  EXPECT_EQ(out.final, FinalResponse::branch);
  EXPECT_EQ(out.branch, 2);
  EXPECT_EQ(out.challenges, set({0, 3}));
  EXPECT_TRUE(last_of(true, {407, 302}).challenges.empty());
}

TEST(Fork, R3261_11_A2xxGoesUpAtOnceAndTheRestIsCancelled) {
  Fork fork = started(true, {1000, 1000, 1000});
  EXPECT_TRUE(fork.response(0, 180).forward);
  EXPECT_FALSE(fork.response(1, 100).forward);
  const ForkDecision ok = fork.response(0, 200);
  EXPECT_TRUE(ok.forward);
  EXPECT_EQ(ok.cancel, set({1, 2}));  // that of 2 waits for a 1xx in its client transaction
  EXPECT_TRUE(fork.answered());
  const ForkDecision late = fork.response(2, 180);
  EXPECT_FALSE(late.forward);
  EXPECT_TRUE(late.cancel.empty());
  // It was faster than its CANCEL, and its own proxy forked.
  EXPECT_TRUE(fork.response(1, 200).forward);
  EXPECT_TRUE(fork.response(1, 200).forward);
  EXPECT_FALSE(fork.over());
  EXPECT_EQ(fork.response(2, 487).final, FinalResponse::none);
  EXPECT_TRUE(fork.over());
}

TEST(Fork, R3261_11_A6xxEndsTheSearchAndWaitsForTheOthers) {
  Fork fork = started(true, {1000, 1000, 500});
  (void)fork.response(0, 180);
  const ForkDecision end = fork.response(1, 603);
  EXPECT_FALSE(end.forward);
  EXPECT_EQ(end.cancel, set({0}));
  EXPECT_EQ(end.final, FinalResponse::none);
  EXPECT_FALSE(fork.add_target(1000));
  const ForkDecision last = fork.response(0, 487);
  EXPECT_TRUE(last.start.empty());
  EXPECT_EQ(last.final, FinalResponse::branch);
  EXPECT_EQ(last.branch, 1);
}

TEST(Fork, R3261_11_A2xxBeatsA6xxThatCameBefore) {
  Fork fork = started(true, {1000, 1000});
  (void)fork.response(0, 603);
  EXPECT_TRUE(fork.response(1, 200).forward);
  EXPECT_TRUE(fork.over());
}

TEST(Fork, R3261_11_GroupsOfOneQRunInParallelAndLowerOnesBehind) {
  Fork fork({.invite = true});
  for (const int q : {300, 1000, 500, 1000}) EXPECT_TRUE(fork.add_target(static_cast<std::uint16_t>(q)));
  EXPECT_EQ(fork.start().start, set({1, 3}));
  EXPECT_EQ(fork.breadth(1), 30);
  EXPECT_TRUE(fork.response(1, 486).start.empty());
  EXPECT_EQ(fork.timeout(3).start, set({2}));
  EXPECT_EQ(fork.breadth(2), 60);
  EXPECT_EQ(fork.response(2, 404).start, set({0}));
  const ForkDecision out = fork.response(0, 480);
  EXPECT_EQ(out.final, FinalResponse::branch);
  EXPECT_EQ(out.status, 486);
}

TEST(Fork, R3261_11_TimeoutsOfAllBranches) {
  Fork invite = started(true, {1000, 1000});
  (void)invite.timeout(0);
  ForkDecision out = invite.timeout(1);
  EXPECT_EQ(out.final, FinalResponse::generate);
  EXPECT_EQ(out.status, 408);

  Fork other = started(false, {1000, 1000});
  (void)other.timeout(0);
  out = other.response(1, 408);
  EXPECT_EQ(out.final, FinalResponse::silence) << "RFC 4320, T-34: not even somebody else's 408";
  EXPECT_TRUE(other.over());

  Fork some = started(false, {1000, 1000});
  (void)some.timeout(0);
  EXPECT_EQ(some.response(1, 404).status, 404);
}

TEST(Fork, R3261_11_OtherRequestsThanInvite) {
  Fork fork = started(false, {1000, 1000});
  EXPECT_FALSE(fork.response(0, 183).forward) << "RFC 4320 section 4.1";
  EXPECT_FALSE(fork.response(0, 183).restart_timer_c);
  const ForkDecision ok = fork.response(1, 202);
  EXPECT_TRUE(ok.forward);
  EXPECT_TRUE(ok.cancel.empty()) << "RFC 3261 section 9.1";
  EXPECT_FALSE(fork.response(0, 200).forward);
  EXPECT_TRUE(fork.over());

  Fork cancelled = started(false, {1000});
  EXPECT_EQ(cancelled.cancel().final, FinalResponse::none);
  EXPECT_TRUE(cancelled.response(0, 200).forward);
}

TEST(Fork, R3261_11_TimerC) {
  Fork fork = started(true, {1000, 500});
  EXPECT_FALSE(fork.response(0, 100).restart_timer_c);
  EXPECT_TRUE(fork.response(0, 183).restart_timer_c);
  EXPECT_EQ(fork.timer_c(0).cancel, set({0}));
  EXPECT_FALSE(fork.response(0, 180).restart_timer_c);
  EXPECT_TRUE(fork.timer_c(0).cancel.empty());
  // The callee never answers its CANCEL.
  EXPECT_EQ(fork.timeout(0).start, set({1}));
  // Nothing came: as a 408.
  const ForkDecision out = fork.timer_c(1);
  EXPECT_TRUE(out.cancel.empty());
  EXPECT_EQ(out.final, FinalResponse::generate);
  EXPECT_EQ(out.status, 408);
}

TEST(Fork, R3261_11_CancelFromUpstream) {
  Fork fork = started(true, {1000, 1000, 500});
  (void)fork.response(0, 180);
  EXPECT_EQ(fork.cancel().cancel, set({0, 1}));
  EXPECT_TRUE(fork.cancel().cancel.empty());
  EXPECT_TRUE(fork.response(1, 100).cancel.empty());
  EXPECT_EQ(fork.response(0, 487).final, FinalResponse::none);
  const ForkDecision out = fork.response(1, 487);
  EXPECT_EQ(out.final, FinalResponse::branch);
  EXPECT_EQ(out.status, 487);
  EXPECT_TRUE(out.start.empty());
}

TEST(Fork, R3261_11_WithoutTargets) {
  Fork none({.invite = true});
  ForkDecision out = none.start();
  EXPECT_EQ(out.final, FinalResponse::generate);
  EXPECT_EQ(out.status, 480);
  Fork cancelled({.invite = true});
  ASSERT_TRUE(cancelled.add_target(1000));
  (void)cancelled.cancel();
  out = cancelled.start();
  EXPECT_TRUE(out.start.empty());
  EXPECT_EQ(out.status, 487);
}

TEST(Fork, R3261_11_BreadthIsSharedAndReused) {
  // The example of RFC 5393 section 5.5.
  Fork fork({.invite = true, .breadth = 4});
  for (int n = 0; n < 8; ++n) EXPECT_TRUE(fork.add_target(1000));
  EXPECT_EQ(fork.start().start, set({0, 1, 2, 3}));
  EXPECT_EQ(fork.breadth(0), 1);
  EXPECT_EQ(fork.response(2, 404).start, set({4}));
  EXPECT_EQ(fork.breadth(4), 1);

  Fork three({.invite = true, .breadth = 5});
  for (int n = 0; n < 3; ++n) EXPECT_TRUE(three.add_target(1000));
  (void)three.start();
  EXPECT_EQ(three.breadth(0), 2);
  EXPECT_EQ(three.breadth(1), 2);
  EXPECT_EQ(three.breadth(2), 1);

  Fork serial({.invite = true, .breadth = 1});
  for (int n = 0; n < 2; ++n) EXPECT_TRUE(serial.add_target(1000));
  EXPECT_EQ(serial.start().start, set({0}));
  EXPECT_EQ(serial.response(0, 404).start, set({1}));
}

TEST(Fork, R3261_11_440WhereThereIsTooLittleBreadth) {
  Fork unwilling({.invite = true, .breadth = 1, .may_wait = false});
  for (int n = 0; n < 2; ++n) EXPECT_TRUE(unwilling.add_target(1000));
  ForkDecision out = unwilling.start();
  EXPECT_TRUE(out.start.empty());
  EXPECT_EQ(out.final, FinalResponse::generate);
  EXPECT_EQ(out.status, 440);
  EXPECT_TRUE(unwilling.over());

  Fork nothing({.invite = false, .breadth = incoming_breadth(0)});
  ASSERT_TRUE(nothing.add_target(1000));
  out = nothing.start();
  EXPECT_TRUE(out.start.empty());
  EXPECT_EQ(out.status, 440);
}

TEST(Fork, R3261_11_ANextAddressOrContactsOfA3xxTakeABranchsPlace) {
  Fork fork = started(true, {1000, 500});
  ASSERT_TRUE(fork.add_target(1000));
  EXPECT_EQ(fork.replaced(0).start, set({2}));
  ASSERT_TRUE(fork.add_target(900));
  EXPECT_TRUE(fork.response(2, 180).start.empty()) << "a lower q waits";
  EXPECT_EQ(fork.response(2, 404).start, set({3}));
  ASSERT_TRUE(fork.add_target(900));
  EXPECT_TRUE(fork.response(3, 100).start.empty()) << "branch 3 was given all breadth there is";
  EXPECT_EQ(fork.response(3, 404).start, set({4}));
  EXPECT_EQ(fork.response(4, 404).start, set({1}));
}

TEST(Fork, R3261_11_OnlyUsefulResponsesNeedTheirBytesKept) {
  Fork fork = started(true, {1000, 1000, 1000, 1000, 1000, 1000});
  (void)fork.response(0, 503);
  EXPECT_EQ(fork.kept(), set({}));
  (void)fork.response(1, 404);
  EXPECT_EQ(fork.kept(), set({1}));
  (void)fork.response(2, 407);
  (void)fork.response(3, 401);
  EXPECT_EQ(fork.kept(), set({2, 3}));
  (void)fork.response(4, 302);
  EXPECT_EQ(fork.kept(), set({4}));
  (void)fork.response(5, 200);
  EXPECT_EQ(fork.kept(), set({}));
}

TEST(Fork, TheTargetsHaveALimit) {
  Fork fork({.invite = true});
  for (unsigned n = 0; n < fork_branches_max; ++n) EXPECT_TRUE(fork.add_target(1000));
  EXPECT_FALSE(fork.add_target(1000));
  EXPECT_EQ(fork.start().start.count(), fork_branches_max);
}

}  // namespace
}  // namespace parley::tests

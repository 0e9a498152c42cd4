// tests/sip/fork_orders_test.cc - forks of up to three branches in every order of every outcome, with a CANCEL from
// upstream at every point, judged by rules that do not look into fork.cc (RFC 3261 section 16.7).
//
// A branch is played as its client transaction can behave: at most one 1xx, then one of the outcomes; a cancelled one
// may also answer 487. The walk is depth first over copies of Fork.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "sip/fork.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

constexpr int timeout = -1;
constexpr int transport_error = -2;
constexpr int timer_c = -3;
constexpr int upstream_cancel = -4;

const std::vector<int> all_outcomes = {200, 302, 404, 401, 503, 603, timeout, transport_error, timer_c};

struct Player {
  bool started = false;
  bool provisional = false;
  bool ended = false;
  bool cancel_sent = false;
  int final = 0;  // 0, or what came: a status, 503 for a transport error
};

struct Play {
  Fork fork;
  bool invite;
  unsigned targets;
  std::array<Player, 3> players{};
  unsigned forwarded_2xx = 0;
  unsigned seen_2xx = 0;
  unsigned other_finals = 0;
  bool silent = false;
  bool no_more = false;  // a 2xx, a 6xx or a CANCEL: nothing may start
  bool to_cancel = false;
  std::size_t steps = 0;
  std::array<std::pair<unsigned, int>, 10> story{};  // a 1xx, Timer C and a final for each branch, and a CANCEL
};

class Orders {
 public:
  Orders(bool invite, const std::vector<int>& qs, unsigned breadth, const std::vector<int>& outcomes = all_outcomes)
      : invite_(invite), outcomes_(outcomes) {
    Play play{.fork = Fork({.invite = invite, .breadth = static_cast<std::uint16_t>(breadth)}),
              .invite = invite,
              .targets = static_cast<unsigned>(qs.size())};
    for (const int q : qs) EXPECT_TRUE(play.fork.add_target(static_cast<std::uint16_t>(q)));
    const ForkDecision first = play.fork.start();
    judge(play, first, -1, 0);
    walk(play);
  }
  [[nodiscard]] std::size_t ends() const { return ends_; }

 private:
  void walk(const Play& play) {
    if (::testing::Test::HasFailure()) return;
    bool alive = false;
    for (unsigned n = 0; n < play.targets; ++n) {
      const Player& player = play.players[n];
      if (!player.started || player.ended) continue;
      alive = true;
      if (!player.provisional) {
        step(play, n, 100);
        step(play, n, 180);
      }
      for (const int outcome : outcomes_) {
        if (outcome == timer_c && (!invite_ || player.cancel_sent)) continue;
        step(play, n, outcome);
      }
      if (player.cancel_sent) step(play, n, 487);
    }
    if (alive && !play.no_more && play.steps < 4) step(play, 0, upstream_cancel);
    if (!alive) end(play);
  }

  void step(const Play& before, unsigned branch, int what) {
    Play play = before;
    play.story[play.steps++] = {branch, what};
    Player& player = play.players[branch];
    ForkDecision out;
    switch (what) {
      case timeout:
        player.ended = true;
        out = play.fork.timeout(branch);
        break;
      case transport_error:
        player.ended = true;
        player.final = 503;
        out = play.fork.transport_error(branch);
        break;
      case timer_c:
        player.ended = !player.provisional;
        out = play.fork.timer_c(branch);
        break;
      case upstream_cancel:
        if (invite_) play.no_more = play.to_cancel = true;
        out = play.fork.cancel();
        break;
      default:
        if (what < 200) {
          player.provisional = true;
        } else {
          player.ended = true;
          player.final = what;
        }
        if (what / 100 == 2) play.no_more = play.to_cancel = true;
        if (what / 100 == 2) ++play.seen_2xx;
        if (what / 100 == 6) play.no_more = play.to_cancel = true;
        out = play.fork.response(branch, static_cast<std::uint16_t>(what));
    }
    judge(play, out, static_cast<int>(branch), what);
    walk(play);
  }

  void judge(Play& play, const ForkDecision& out, int branch, int what) {
    // What goes upstream at once.
    const bool answered_before = play.forwarded_2xx + play.other_finals != 0;
    bool forward = false;
    if (what > 100 && what < 200) forward = invite_ && !answered_before;
    if (what / 100 == 2) forward = invite_ || (!answered_before && !play.silent);
    ASSERT_EQ(out.forward, forward) << story(play);
    if (what / 100 == 2 && out.forward) ++play.forwarded_2xx;
    ASSERT_EQ(out.restart_timer_c,
              invite_ && what == 180 && !play.players[static_cast<unsigned>(branch)].cancel_sent && !play.to_cancel)
        << story(play);

    judge_cancels(play, out, branch, what);
    for (BranchSet starts = out.start; !starts.empty();) {
      Player& player = play.players[starts.take()];
      ASSERT_FALSE(player.started) << story(play);
      ASSERT_FALSE(play.no_more) << story(play);
      player.started = true;
    }

    if (out.final == FinalResponse::none) return;
    for (const Player& player : play.players) ASSERT_TRUE(!player.started || player.ended) << story(play);
    ASSERT_FALSE(answered_before) << story(play);
    ASSERT_FALSE(out.forward) << story(play);
    if (out.final == FinalResponse::silence) play.silent = true;
    if (out.final != FinalResponse::silence) ++play.other_finals;
    judge_choice(play, out);
  }

  void judge_cancels(Play& play, const ForkDecision& out, int branch, int what) {
    for (BranchSet cancels = out.cancel; !cancels.empty();) {
      Player& player = play.players[cancels.take()];
      ASSERT_TRUE(invite_) << story(play);
      ASSERT_TRUE(player.started && !player.ended) << story(play);
      ASSERT_FALSE(player.cancel_sent) << story(play);
      player.cancel_sent = true;
    }
    if (what == timer_c && play.players[static_cast<unsigned>(branch)].provisional) {
      ASSERT_TRUE(play.players[static_cast<unsigned>(branch)].cancel_sent) << story(play);
    }
    if (!play.to_cancel || !invite_) return;
    for (const Player& player : play.players) {
      const bool pending = player.started && !player.ended;
      ASSERT_TRUE(!pending || player.cancel_sent) << story(play);
    }
  }

  // 6xx, or the lowest class, 401 first; 503 alone becomes 500; nothing becomes 408, or silence.
  void judge_choice(const Play& play, const ForkDecision& out) {
    int best = 0;
    for (const Player& player : play.players) {
      const int status = player.final;
      if (status == 0) continue;
      if (best == 0 || better(status, best)) best = status;
    }
    if (best == 0) {
      ASSERT_EQ(out.final, invite_ ? FinalResponse::generate : FinalResponse::silence) << story(play);
      ASSERT_EQ(out.status, invite_ ? 408 : 0) << story(play);
      return;
    }
    ASSERT_EQ(out.final, best == 503 ? FinalResponse::generate : FinalResponse::branch) << story(play);
    ASSERT_EQ(out.status, best == 503 ? 500 : best) << story(play);
    if (best == 503) return;
    ASSERT_EQ(play.players[out.branch].final, best) << story(play);
    for (unsigned n = 0; n < 3; ++n) {
      const bool goes_in = best == 401 && n != out.branch && play.players[n].final == 401;
      ASSERT_EQ(out.challenges.has(n), goes_in) << story(play);
    }
  }
  static bool better(int a, int b) {
    if (a / 100 == 6 || b / 100 == 6) return a / 100 == 6 && b / 100 != 6;
    if (a / 100 != b / 100) return a < b;
    if (a / 100 == 5) return b == 503;
    return a == 401 || b == 487;
  }

  void end(const Play& play) {
    ++ends_;
    ASSERT_TRUE(play.fork.over()) << story(play);
    if (invite_) {
      ASSERT_EQ(play.forwarded_2xx, play.seen_2xx) << story(play);
      ASSERT_EQ(play.other_finals, play.seen_2xx == 0 ? 1U : 0U) << story(play);
    } else {
      ASSERT_EQ(play.forwarded_2xx + play.other_finals, play.silent ? 0U : 1U) << story(play);
      ASSERT_EQ(play.forwarded_2xx, play.seen_2xx == 0 ? 0U : 1U) << story(play);
    }
  }

  static std::string story(const Play& play) {
    std::string text;
    for (std::size_t n = 0; n < play.steps; ++n) {
      text += std::to_string(play.story[n].first) + ":" + std::to_string(play.story[n].second) + " ";
    }
    return text;
  }

  bool invite_;
  const std::vector<int>& outcomes_;
  std::size_t ends_ = 0;
};

TEST(ForkOrders, R3261_11_AnInviteToOneOrTwo) {
  EXPECT_GT(Orders(true, {1000}, 60).ends(), 20U);
  EXPECT_GT(Orders(true, {1000, 1000}, 60).ends(), 1000U);
  EXPECT_GT(Orders(true, {1000, 500}, 60).ends(), 100U);
  EXPECT_GT(Orders(true, {1000, 1000}, 1).ends(), 100U);
}

TEST(ForkOrders, R3261_11_AnInviteToThree) {
  for (const std::vector<int>& qs : std::vector<std::vector<int>>{{1000, 500, 500}, {1000, 1000, 500}, {3, 2, 1}}) {
    EXPECT_GT(Orders(true, qs, 60).ends(), 1000U);
  }
  // Side by side there are too many orders for a test of every outcome.
  const std::vector<int> some_outcomes = {200, 401, 503, 603, timeout};
  EXPECT_GT(Orders(true, {9, 9, 9}, 60, some_outcomes).ends(), 1000U);
}

TEST(ForkOrders, R3261_11_OtherRequestsToUpToThree) {
  for (const std::vector<int>& qs :
       std::vector<std::vector<int>>{{7}, {7, 7}, {7, 6}, {7, 7, 6}, {7, 6, 6}, {7, 6, 5}}) {
    EXPECT_GT(Orders(false, qs, 60).ends(), 10U);
  }
}

}  // namespace
}  // namespace parley::tests

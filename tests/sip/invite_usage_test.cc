// tests/sip/invite_usage_test.cc - R3261-2, R3261-7, R3261-9: INVITE sessions in virtual time, and both sides of one
// over a network that loses, delays and overtakes.
#include "sip/invite_usage.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using S = InviteState;
using E = InviteEvent;
using Side = InviteUsage::Side;
namespace act = invite_do;

const core::Instant start{1000s};
const InviteConfig config;

TEST(InviteUsage, R3261_2_The2xxIsRepeatedOnEveryTransportUntilItsAck) {
  InviteUsage usage(Side::invited, config, start);
  EXPECT_EQ(usage.on(E::answer, start), act::send_2xx);
  std::vector<core::Duration> at;
  while (true) {
    const core::Instant now = usage.next_deadline();
    const std::uint32_t actions = usage.due(now);
    if (actions != act::send_2xx_again) {
      EXPECT_EQ(actions, act::send_bye | act::tell_ended);
      EXPECT_EQ(now, start + 32s);
      break;
    }
    EXPECT_EQ(usage.due(now), 0U);
    at.push_back(now - start);
  }
  EXPECT_EQ(at, (std::vector<core::Duration>{500ms, 1500ms, 3500ms, 7500ms, 11500ms, 15500ms, 19500ms, 23500ms, 27500ms,
                                             31500ms}));
  EXPECT_EQ(usage.state(), S::leaving);
  EXPECT_EQ(usage.next_deadline(), core::never);
  EXPECT_EQ(usage.on(E::ack, start + 33s), 0U);
  EXPECT_EQ(usage.on(E::bye_done, start + 34s), 0U);
  EXPECT_TRUE(usage.over());
}

TEST(InviteUsage, R3261_2_TheAckStopsIt) {
  InviteUsage usage(Side::invited, config, start);
  (void)usage.on(E::answer, start + 5s);
  EXPECT_EQ(usage.due(start + 5500ms), act::send_2xx_again);
  EXPECT_EQ(usage.on(E::ack, start + 6s), act::tell_up);
  EXPECT_EQ(usage.next_deadline(), core::never);
  EXPECT_EQ(usage.on(E::ack, start + 7s), 0U);
}

TEST(InviteUsage, R3261_2_AHangUpBeforeTheAckGoesOnRepeatingAndThenSendsBye) {
  InviteUsage usage(Side::invited, config, start);
  (void)usage.on(E::answer, start);
  EXPECT_EQ(usage.on(E::hang_up, start + 100ms), 0U);
  EXPECT_EQ(usage.next_deadline(), start + 500ms);
  EXPECT_EQ(usage.due(start + 500ms), act::send_2xx_again);
  EXPECT_EQ(usage.on(E::ack, start + 600ms), act::send_bye | act::tell_ended);
}

TEST(InviteUsage, R3261_2_AByeInsteadOfTheAckLeavesThe2xxToBeRepeated) {
  for (const bool hung_up : {false, true}) {
    for (const bool acknowledged : {false, true}) {
      InviteUsage usage(Side::invited, config, start);
      (void)usage.on(E::answer, start);
      if (hung_up) (void)usage.on(E::hang_up, start + 50ms);
      EXPECT_EQ(usage.on(E::bye, start + 100ms), act::answer_bye_200 | act::tell_ended);
      EXPECT_EQ(usage.due(start + 500ms), act::send_2xx_again);
      EXPECT_FALSE(usage.over());
      EXPECT_EQ(acknowledged ? usage.on(E::ack, start + 600ms) : usage.due(start + 32s), 0U);
      EXPECT_TRUE(usage.over());
      EXPECT_EQ(usage.next_deadline(), core::never);
    }
  }
}

TEST(InviteUsage, R3261_2_AfterALongPauseThe2xxIsRepeatedOnce) {
  InviteUsage usage(Side::invited, config, start);
  (void)usage.on(E::answer, start);
  EXPECT_EQ(usage.due(start + 20s), act::send_2xx_again);
  EXPECT_EQ(usage.due(start + 20s), 0U);
  EXPECT_EQ(usage.next_deadline(), start + 21s);
}

TEST(InviteUsage, R3261_7_CancelIsNotAnsweredIn64T1) {
  InviteUsage usage(Side::inviting, config, start);
  EXPECT_EQ(usage.on(E::hang_up, start + 2s), act::send_cancel);
  EXPECT_EQ(usage.on(E::hang_up, start + 3s), 0U);
  EXPECT_EQ(usage.next_deadline(), start + 34s);
  EXPECT_EQ(usage.due(start + 34s), act::tell_ended);
  EXPECT_TRUE(usage.over());
  EXPECT_EQ(usage.on(E::got_refusal, start + 40s), 0U);
}

TEST(InviteUsage, R3261_7_RingingHasAnEnd) {
  InviteUsage usage(Side::inviting, config, start);
  EXPECT_EQ(usage.next_deadline(), start + 180s);
  EXPECT_EQ(usage.due(start + 180s), act::send_cancel);
  EXPECT_EQ(usage.on(E::got_refusal, start + 181s), act::tell_ended);

  InviteUsage invited(Side::invited, config, start);
  EXPECT_EQ(invited.due(start + 220s), act::send_480 | act::tell_ended);
}

TEST(InviteUsage, R3261_9_TheFirst2xxWinsAndOthersAreEnded) {
  InviteUsage usage(Side::inviting, config, start);
  EXPECT_EQ(usage.on_2xx(7, start + 1s), act::tell_answered);
  EXPECT_EQ(usage.winner(), 7U);
  EXPECT_EQ(usage.on_2xx(7, start + 2s), 0U);  // the ACK is not made yet
  EXPECT_EQ(usage.on_2xx(9, start + 2s), act::ack_bye_other);
  EXPECT_EQ(usage.on(E::acknowledge, start + 3s), act::send_ack | act::tell_up);
  EXPECT_EQ(usage.on_2xx(7, start + 4s), act::send_ack_again);
  EXPECT_EQ(usage.on_2xx(9, start + 4s), act::ack_bye_other);
  EXPECT_EQ(usage.on(E::got_refusal, start + 5s), 0U);
  EXPECT_EQ(usage.state(), S::confirmed);
}

TEST(InviteUsage, R3261_9_AForkThatAnswersAfterEverythingWasOverIsEndedToo) {
  InviteUsage usage(Side::inviting, config, start);
  EXPECT_EQ(usage.on(E::got_refusal, start), act::tell_ended);
  EXPECT_EQ(usage.on_2xx(3, start + 1s), act::send_ack | act::send_bye);
  EXPECT_EQ(usage.on_2xx(3, start + 2s), act::send_ack_again);
  EXPECT_EQ(usage.on(E::bye_done, start + 3s), 0U);
  EXPECT_EQ(usage.on_2xx(3, start + 4s), act::send_ack_again);
}

TEST(InviteUsage, R3261_8_A2xxNobodyAcknowledgesForUsIsAcknowledgedAndEnded) {
  InviteUsage usage(Side::inviting, config, start);
  (void)usage.on_2xx(1, start);
  EXPECT_EQ(usage.due(start + 32s), act::send_ack | act::send_bye | act::tell_ended);
}

TEST(InviteUsage, R4028_3_AnExpiredSessionIsEndedWithBye) {
  InviteUsage usage(Side::inviting, config, start);
  (void)usage.on_2xx(1, start);
  (void)usage.on(E::acknowledge, start);
  EXPECT_EQ(usage.on(E::expired, start + 1800s), act::send_bye | act::tell_ended);
}

// --- two of them over a bad network ---

// What a transaction would do for them is done here: CANCEL, BYE, refusals and their answers arrive, late and in any
// order; 1xx, 2xx and ACK may be lost. A CANCEL does not overtake its INVITE (it waits for a 1xx).
class Call {
 public:
  explicit Call(int seed) : random_({static_cast<std::uint8_t>(seed), static_cast<std::uint8_t>(seed >> 8), 1}) {}

  void run() {
    const core::Duration answer_at = some(3s);
    const bool answers = random_.uniform(4) != 0;
    at(start + answer_at, 'u', answers ? E::answer : E::refuse);
    if (random_.uniform(2) == 0) at(start + some(4s), 'u', E::hang_up);
    if (random_.uniform(2) == 0) at(start + some(4s), 'c', E::hang_up);
    at(start + some(1s), 'u', E::provisional);
    now_ = start;
    for (int steps = 0; steps < 2000 && step(); ++steps) {
    }
  }

  InviteUsage caller{Side::inviting, config, start};
  InviteUsage callee{Side::invited, config, start};
  int caller_told = 0, callee_told = 0, acks = 0, first_2xx = 0;
  std::string story;

 private:
  struct Event {
    core::Instant at;
    std::uint64_t order;
    char to;  // 'c'aller or 'u'as
    E event;
  };

  core::Duration some(core::Duration most) {
    return core::Duration(random_.uniform(static_cast<std::uint64_t>(most.count())));
  }
  bool lost() { return random_.uniform(3) == 0; }
  void at(core::Instant when, char to, E event) { events_.push_back({when, order_++, to, event}); }
  void deliver(char to, E event) { at(now_ + some(2s), to, event); }

  bool step() {
    std::size_t first = events_.size();
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (first == events_.size() || events_[i].at < events_[first].at) first = i;
    }
    const core::Instant timer = std::min(caller.next_deadline(), callee.next_deadline());
    const core::Instant event = first == events_.size() ? core::never : events_[first].at;
    if (event == core::never && timer == core::never) return false;
    if (timer <= event) {
      now_ = timer;
      if (caller.next_deadline() <= now_) {
        obey_caller(caller.due(now_));
      } else {
        obey_callee(callee.due(now_));
      }
      return true;
    }
    const Event next = events_[first];
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(first));
    now_ = next.at;
    story += next.to + std::to_string(static_cast<int>(next.event)) + " ";
    if (next.to == 'u') {
      obey_callee(callee.on(next.event, now_));
    } else if (next.event == E::got_2xx) {
      ++first_2xx;
      obey_caller(caller.on_2xx(1, now_));
    } else {
      obey_caller(caller.on(next.event, now_));
    }
    return true;
  }

  void obey_callee(std::uint32_t actions) {
    if ((actions & (act::send_2xx | act::send_2xx_again)) != 0 && !lost()) deliver('c', E::got_2xx);
    if ((actions & (act::send_final | act::send_487 | act::send_480 | act::send_504)) != 0)
      deliver('c', E::got_refusal);
    if ((actions & act::send_bye) != 0) deliver('c', E::bye);
    if ((actions & (act::answer_bye_200 | act::answer_bye_481)) != 0) deliver('c', E::bye_done);
    if ((actions & act::tell_ended) != 0) ++callee_told;
  }
  void obey_caller(std::uint32_t actions) {
    if ((actions & act::send_cancel) != 0) deliver('u', E::cancel);
    if ((actions & act::tell_answered) != 0) at(now_ + some(1s), 'c', E::acknowledge);
    if ((actions & (act::send_ack | act::send_ack_again)) != 0) {
      ++acks;
      if (!lost()) deliver('u', E::ack);
    }
    if ((actions & act::send_bye) != 0) deliver('u', E::bye);
    if ((actions & (act::answer_bye_200 | act::answer_bye_481)) != 0) deliver('u', E::bye_done);
    if ((actions & act::tell_ended) != 0) ++caller_told;
  }

  core::Random random_;
  std::vector<Event> events_;
  std::uint64_t order_ = 0;
  core::Instant now_{};
};

TEST(InviteUsage, R3261_7_T_22_T_23_T_24_BothSidesAgreeInTheEndWhateverTheNetworkDoes) {
  int up = 0;
  int over = 0;
  for (int seed = 0; seed < 5000; ++seed) {
    Call call(seed);
    call.run();
    EXPECT_EQ(call.caller.state(), call.callee.state()) << seed << ": " << call.story;
    EXPECT_TRUE(call.caller.over() || call.caller.state() == S::confirmed) << seed << ": " << call.story;
    EXPECT_EQ(call.caller_told, call.caller.over() ? 1 : 0) << seed << ": " << call.story;
    EXPECT_EQ(call.callee_told, call.callee.over() ? 1 : 0) << seed << ": " << call.story;
    EXPECT_GE(call.acks, call.first_2xx != 0 ? 1 : 0) << seed << ": " << call.story;
    ++(call.caller.over() ? over : up);
  }
  EXPECT_GT(up, 20);
  EXPECT_GT(over, 20);
}

}  // namespace
}  // namespace parley::tests

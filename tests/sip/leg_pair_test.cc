// tests/sip/leg_pair_test.cc - two legs as one session: what each fact of one means for the other, and whole calls
// through them over networks that lose and overtake. T-9, T-16, T-22, T-23.
#include "sip/leg_pair.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "sip/invite_usage.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using E = InviteEvent;
using P = PairEvent;
using R = RelayEvent;
namespace act = invite_do;
namespace pair = pair_do;
namespace relay = relay_do;

const core::Instant start{1000s};
const InviteConfig config;

TEST(LegPair, AnAnswerGoesToAAndItsAckToB) {
  LegPair legs;
  EXPECT_EQ(legs.on(P::b_progress), pair::ring_a);
  EXPECT_EQ(legs.on(P::b_answered), pair::ack_b | pair::answer_a);
  EXPECT_EQ(legs.on(P::a_up), pair::tell_open);
  EXPECT_EQ(legs.on(P::a_ended), pair::hang_up_b | pair::tell_closing);
  EXPECT_EQ(legs.on(P::a_gone), 0U);
  EXPECT_EQ(legs.on(P::b_ended), 0U);
  EXPECT_EQ(legs.on(P::b_gone), pair::tell_over);
}

TEST(LegPair, R3264_3_AnInviteWithoutSdpIsAnsweredFromAckToAck) {
  LegPair legs;
  EXPECT_EQ(legs.on(P::b_offered), pair::answer_a);
  EXPECT_EQ(legs.on(P::a_up_answer), pair::ack_b_answer | pair::tell_open);
  LegPair bare;
  (void)bare.on(P::b_offered);
  EXPECT_EQ(bare.on(P::a_up), pair::hang_up_a | pair::hang_up_b | pair::tell_closing);
}

TEST(LegPair, R3261_7_ARefusalAndACancelPassThrough) {
  LegPair refused;
  EXPECT_EQ(refused.on(P::b_refused), pair::refuse_a | pair::tell_closing);
  LegPair cancelled;
  EXPECT_EQ(cancelled.on(P::a_ended), pair::hang_up_b | pair::tell_closing);
  EXPECT_EQ(cancelled.on(P::b_answered), 0U);  // T-22: B's own table ends it
}

TEST(LegPair, R3261_6_AChangeIsCarriedOverAndItsAnswerBack) {
  LegPair legs;
  EXPECT_EQ(legs.ask(Leg::b), relay::ask_other);
  EXPECT_EQ(legs.asker(), Leg::b);
  EXPECT_EQ(legs.ask(Leg::a), relay::refuse_491);  // crossed before ours reached it
  EXPECT_EQ(legs.asker(), Leg::b);
  EXPECT_EQ(legs.on(R::other_answered), relay::ack_other | relay::answer_asker);
  EXPECT_EQ(legs.on(R::asker_ack), 0U);

  EXPECT_EQ(legs.ask(Leg::a), relay::ask_other);
  EXPECT_EQ(legs.asker(), Leg::a);
  EXPECT_EQ(legs.on(R::other_refused), relay::refuse_asker);
  EXPECT_EQ(legs.ask(Leg::a), relay::ask_other);
  EXPECT_EQ(legs.on(R::other_busy), relay::refuse_491);

  EXPECT_EQ(legs.ask(Leg::a), relay::ask_other);
  EXPECT_EQ(legs.on(R::other_offered), relay::answer_asker);
  EXPECT_EQ(legs.on(R::asker_answer), relay::ack_other_answer);
  EXPECT_EQ(legs.ask(Leg::a), relay::ask_other);
  EXPECT_EQ(legs.on(R::other_offered), relay::answer_asker);
  EXPECT_EQ(legs.on(R::asker_failed), relay::stop_both);  // no ACK, or one without the answer
}

// Both 2xx of the other leg are acknowledged; nothing was changed on the asker's, so the other one's is undone.
TEST(LegPair, R3261_7_ACancelledChangeIsCancelledOnTheOtherLeg) {
  LegPair legs;
  for (const auto& [answer, actions] : {std::pair(R::other_refused, 0U), {R::other_answered, relay::ack_other | relay::restore_other},
                                        {R::other_offered, relay::ack_other | relay::stop_both}, {R::over, 0U}}) {
    EXPECT_EQ(legs.ask(Leg::b), relay::ask_other);
    EXPECT_EQ(legs.on(R::asker_cancel), relay::cancel_other);
    EXPECT_EQ(legs.relay(), RelayState::calling_off);
    EXPECT_EQ(legs.ask(Leg::b), relay::refuse_491);
    EXPECT_EQ(legs.ask(Leg::a), relay::refuse_491);
    EXPECT_EQ(legs.on(answer), actions);
    EXPECT_EQ(legs.relay(), RelayState::quiet);
  }
}

TEST(LegHeaders, T_9_WhatPassesBetweenLegs) {
  const auto pass = [](std::string_view name, bool unknown = true) {
    return header_pass(header_id(name), name, unknown);
  };
  for (const std::string_view name :
       {"Contribution-ID", "Conversation-ID", "Session-Replaces", "InReplyTo-Contribution-ID", "P-Com.HuaweiSomething",
        "X-Anything", "Subject", "Priority"}) {
    EXPECT_EQ(pass(name), HeaderPass::pass) << name;
  }
  for (const std::string_view name : {"Warning", "Error-Info", "Reason"})
    EXPECT_EQ(pass(name), HeaderPass::pass) << name;  // T-16
  EXPECT_EQ(pass("X-Anything", false), HeaderPass::own);
  EXPECT_EQ(pass("Contribution-ID", false), HeaderPass::pass);
  for (const std::string_view name :
       {"Via", "v", "Route", "Contact", "m", "Session-Expires", "x", "RSeq", "RAck", "Require", "Supported",
        "Proxy-Authorization", "Content-Length", "Identity", "security-verify"}) {
    EXPECT_EQ(pass(name), HeaderPass::own) << name;
  }
  for (const std::string_view name : {"Replaces", "P-Asserted-Identity", "Privacy", "Refer-To", "Accept-Contact"}) {
    EXPECT_EQ(pass(name), HeaderPass::policy) << name;
  }
  for (const std::string_view name : {"c", "Content-Disposition", "Content-Encoding"})
    EXPECT_EQ(pass(name), HeaderPass::body);
}

TEST(LegHeaders, WhichRefusalTheOtherLegGets) {
  for (const int same : {404, 415, 480, 486, 488, 491, 500, 600, 603})
    EXPECT_EQ(refusal_passed(static_cast<std::uint16_t>(same)), same);
  EXPECT_EQ(refusal_passed(302), 480);
  EXPECT_EQ(refusal_passed(407), 403);
  EXPECT_EQ(refusal_passed(408), 480);
  EXPECT_EQ(refusal_passed(422), 500);
  EXPECT_EQ(refusal_passed(481), 480);
  EXPECT_EQ(refusal_passed(503), 500);
}

// --- whole calls: caller (0) - leg A (1) | leg B (2) - callee (3) ---

class Call {
 public:
  explicit Call(int seed) : random_({static_cast<std::uint8_t>(seed), static_cast<std::uint8_t>(seed >> 8), 5}) {
    late_ = random_.uniform(3) == 0;
    bare_ = random_.uniform(4) == 0;
    if (random_.uniform(2) == 0) at(start + some(1s), 3, E::provisional);
    at(start + some(3s), 3, random_.uniform(4) == 0 ? E::refuse : E::answer);
    if (random_.uniform(3) == 0) at(start + some(6s), 0, E::hang_up);
    if (random_.uniform(3) == 0) at(start + some(6s), 3, E::hang_up);
    if (random_.uniform(6) == 0) at(start + some(9s), 1, E::expired);
    if (random_.uniform(6) == 0) at(start + some(9s), 2, E::expired);
    stop_at_ = random_.uniform(6) == 0 ? start + some(6s) : core::never;
    now_ = start;
    for (int steps = 0; steps < 3000 && step(); ++steps) {
    }
  }

  [[nodiscard]] InviteState state(int node) const { return nodes_[node].state(); }
  [[nodiscard]] PairState pair_state() const { return legs_.state(); }
  int opened = 0, closing = 0, over = 0;

 private:
  struct Event {
    core::Instant at;
    int to;
    E event;
    bool sdp;
  };
  static bool inviting(int node) { return node == 0 || node == 2; }

  core::Duration some(core::Duration most) {
    return core::Duration(random_.uniform(static_cast<std::uint64_t>(most.count())));
  }
  void at(core::Instant when, int to, E event, bool sdp = false) { events_.push_back({when, to, event, sdp}); }
  void deliver(int from, E event, bool may_be_lost, bool sdp = false) {
    if (!may_be_lost || random_.uniform(8) != 0) at(now_ + some(1s), from ^ 1, event, sdp);
  }

  bool step() {
    std::size_t first = events_.size();
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (first == events_.size() || events_[i].at < events_[first].at) first = i;
    }
    const core::Instant event = first == events_.size() ? core::never : events_[first].at;
    core::Instant timer = stop_at_;
    for (const InviteUsage& node : nodes_) timer = std::min(timer, node.next_deadline());
    if (event == core::never && timer == core::never) return false;
    if (timer <= event) {
      now_ = timer;
      if (stop_at_ <= now_) {
        stop_at_ = core::never;
        obey_pair(legs_.on(P::stop));
        return true;
      }
      for (int node = 0; node < 4; ++node) {
        if (nodes_[node].next_deadline() > now_) continue;
        obey(node, nodes_[node].due(now_), E::limit, false);
        break;
      }
      return true;
    }
    const Event next = events_[first];
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(first));
    now_ = next.at;
    if (next.event == E::provisional && inviting(next.to)) {  // a 1xx has arrived
      if (next.to == 2) obey_pair(legs_.on(P::b_progress));
    } else if (next.event == E::got_2xx) {
      obey(next.to, nodes_[next.to].on_2xx(1, now_), E::got_2xx, next.sdp);
    } else {
      tell(next.to, next.event, next.sdp);
    }
    return true;
  }

  void tell(int node, E event, bool sdp = false) { obey(node, nodes_[node].on(event, now_), event, sdp); }

  void obey(int node, std::uint32_t actions, E cause, bool sdp) {
    if ((actions & act::send_1xx) != 0) deliver(node, E::provisional, true);
    if ((actions & (act::send_2xx | act::send_2xx_again)) != 0) deliver(node, E::got_2xx, true);
    if ((actions & (act::send_final | act::send_487 | act::send_480 | act::send_504)) != 0) {
      deliver(node, E::got_refusal, false);
    }
    if ((actions & act::send_cancel) != 0) deliver(node, E::cancel, false);
    if ((actions & (act::send_ack | act::send_ack_again)) != 0)
      deliver(node, E::ack, true, node == 0 && late_ && !bare_);
    if ((actions & act::send_bye) != 0) deliver(node, E::bye, false);
    if ((actions & (act::answer_bye_200 | act::answer_bye_481)) != 0) deliver(node, E::bye_done, false);
    if (node == 0 && (actions & act::tell_answered) != 0) at(now_ + some(500ms), 0, E::acknowledge);
    if (node == 1) facts_of_a(actions, sdp);
    if (node == 2) facts_of_b(actions, cause);
  }

  void facts_of_a(std::uint32_t actions, bool sdp) {
    if ((actions & act::tell_up) != 0) obey_pair(legs_.on(sdp ? P::a_up_answer : P::a_up));
    if ((actions & act::tell_ended) != 0) obey_pair(legs_.on(P::a_ended));
    if (nodes_[1].over() && !gone_[0]) {
      gone_[0] = true;
      obey_pair(legs_.on(P::a_gone));
    }
  }
  void facts_of_b(std::uint32_t actions, E cause) {
    if ((actions & act::tell_answered) != 0) obey_pair(legs_.on(late_ ? P::b_offered : P::b_answered));
    if ((actions & act::tell_ended) != 0) obey_pair(legs_.on(cause == E::got_refusal ? P::b_refused : P::b_ended));
    if (nodes_[2].over() && !gone_[1]) {
      gone_[1] = true;
      obey_pair(legs_.on(P::b_gone));
    }
  }

  void obey_pair(std::uint32_t actions) {
    if ((actions & pair::ring_a) != 0) tell(1, E::provisional);
    if ((actions & (pair::ack_b | pair::ack_b_answer)) != 0) tell(2, E::acknowledge);
    if ((actions & pair::answer_a) != 0) tell(1, E::answer);
    if ((actions & pair::refuse_a) != 0) tell(1, E::refuse);
    if ((actions & pair::hang_up_a) != 0) tell(1, E::hang_up);
    if ((actions & pair::hang_up_b) != 0) tell(2, E::hang_up);
    opened += (actions & pair::tell_open) != 0 ? 1 : 0;
    closing += (actions & pair::tell_closing) != 0 ? 1 : 0;
    over += (actions & pair::tell_over) != 0 ? 1 : 0;
  }

  core::Random random_;
  LegPair legs_;
  InviteUsage nodes_[4]{{InviteUsage::Side::inviting, config, start},
                        {InviteUsage::Side::invited, config, start},
                        {InviteUsage::Side::inviting, config, start},
                        {InviteUsage::Side::invited, config, start}};
  bool gone_[2] = {};
  bool late_ = false;  // the caller's INVITE has no SDP
  bool bare_ = false;  // and its ACK has none either
  std::vector<Event> events_;
  core::Instant now_{};
  core::Instant stop_at_ = core::never;
};

TEST(LegPair, T_22_T_23_WholeCallsEndOnAllFourSidesOrStandOnAllFour) {
  int open = 0;
  int over = 0;
  for (int seed = 0; seed < 4000; ++seed) {
    const Call call(seed);
    const bool up = call.pair_state() == PairState::open;
    for (int node = 0; node < 4; ++node) {
      EXPECT_EQ(call.state(node), up ? InviteState::confirmed : InviteState::ended)
          << "seed " << seed << " node " << node;
    }
    EXPECT_EQ(call.over, up ? 0 : 1) << seed;
    EXPECT_EQ(call.closing, up ? 0 : 1) << seed;
    EXPECT_LE(call.opened, 1) << seed;
    ++(up ? open : over);
  }
  EXPECT_GT(open, 300);
  EXPECT_GT(over, 300);
}

}  // namespace
}  // namespace parley::tests

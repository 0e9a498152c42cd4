// tests/sip/session_changes_test.cc - R3261-6, R3311-1, R3311-2, T-21: re-INVITE and UPDATE from both sides at any
// time.
#include "sip/session_changes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
namespace act = change_do;

const core::Instant start{1000s};
const InviteConfig config;

OfferTrack complete() {
  OfferTrack offers;
  (void)offers.sent(SdpCarrier::invite, true);
  (void)offers.received(SdpCarrier::invite_ok, true);
  return offers;
}

struct Changes : testing::Test {
  core::Random random{{42}};
  SessionChanges changes{config, random, complete(), true};
};

TEST_F(Changes, R3261_6_OneInviteAtATimeInEitherDirection) {
  EXPECT_EQ(changes.want(true, 5, start).actions, act::send_invite);
  EXPECT_EQ(changes.want(true, 6, start).actions, act::busy);
  EXPECT_EQ(changes.on_invite(true, start).actions, act::answer_491);
  EXPECT_EQ(changes.on_invite(true, start + 1ms).actions, act::answer_491);  // T-21
  EXPECT_EQ(changes.on_2xx(5, true, start).actions, act::tell_answered);
  EXPECT_EQ(changes.on_2xx(5, true, start).actions, 0U);
  EXPECT_EQ(changes.acknowledge(false, start).actions, act::send_ack | act::tell_done);
  EXPECT_EQ(changes.on_2xx(5, true, start).actions, act::send_ack_again);

  EXPECT_EQ(changes.on_invite(true, start).actions, act::take_invite);
  EXPECT_EQ(changes.want(true, 7, start).actions, act::busy);
  const ChangeStep second = changes.on_invite(true, start);
  EXPECT_EQ(second.actions, act::answer_500);
  EXPECT_LE(second.retry_after_seconds, 10);
  EXPECT_EQ(changes.answer(true, start).actions, act::send_2xx);
  EXPECT_EQ(changes.next_deadline(), start + 500ms);
  EXPECT_EQ(changes.due(start + 500ms).actions, act::send_2xx_again);
  EXPECT_EQ(changes.on_ack(false, start + 1s).actions, act::tell_done);
  EXPECT_EQ(changes.next_deadline(), core::never);
}

TEST(ChangesWait, R3261_6_After491TheOwnerOfTheCallIdWaitsLonger) {
  core::Random random({1});
  for (const bool owner : {true, false}) {
    core::Duration least = 100s;
    core::Duration most = 0s;
    for (int i = 0; i < 3000; ++i) {
      SessionChanges changes(config, random, complete(), owner);
      (void)changes.want(true, 5, start);
      EXPECT_EQ(changes.on_refusal(491, start).actions, act::tell_failed | act::wait_491);
      const core::Duration wait = changes.next_deadline() - start;
      EXPECT_EQ(wait % 10ms, 0ms);
      least = std::min(least, wait);
      most = std::max(most, wait);
      EXPECT_EQ(changes.due(changes.next_deadline()).actions, act::try_again);
      EXPECT_EQ(changes.next_deadline(), core::never);
    }
    EXPECT_EQ(least, owner ? core::Duration(2100ms) : core::Duration(0ms));
    EXPECT_EQ(most, owner ? core::Duration(4000ms) : core::Duration(2000ms));
  }
}

TEST_F(Changes, R3261_6_WhileItWaitsThePeerMayChangeThings) {
  (void)changes.want(true, 5, start);
  (void)changes.on_refusal(491, start);
  EXPECT_EQ(changes.on_invite(true, start + 1s).actions, act::take_invite);
  EXPECT_EQ(changes.due(start + 4s).actions, act::try_again);
  EXPECT_EQ(changes.want(true, 6, start + 4s).actions, act::busy);
}

TEST_F(Changes, R3261_6_WhatTheRefusalOfAReInviteEnds) {
  const struct {
    std::uint16_t status;
    std::uint32_t actions;
  } rows[] = {{488, act::tell_failed},
              {500, act::tell_failed},
              {603, act::tell_failed},
              {480, act::tell_failed},
              {408, act::tell_failed | act::end_session},
              {481, act::tell_failed | act::end_session},
              {404, act::tell_failed | act::end_session}};
  for (const auto& row : rows) {
    EXPECT_EQ(changes.want(true, 5, start).actions, act::send_invite);
    EXPECT_EQ(changes.on_refusal(row.status, start).actions, row.actions) << row.status;
    EXPECT_EQ(changes.offers().state(), OfferState::idle);
  }
}

TEST_F(Changes, R3261_2_AReInvitesLostAckEndsTheSession) {
  (void)changes.on_invite(true, start);
  (void)changes.answer(true, start);
  int again = 0;
  core::Instant now = start;
  std::uint32_t actions = 0;
  while (actions == 0 || actions == act::send_2xx_again) {
    now = changes.next_deadline();
    actions = changes.due(now).actions;
    again += actions == act::send_2xx_again ? 1 : 0;
  }
  EXPECT_EQ(actions, act::tell_failed | act::end_session);
  EXPECT_EQ(now, start + 32s);
  EXPECT_EQ(again, 10);
}

TEST_F(Changes, R3261_6_AReInviteBeforeTheAckIsTakenOnlyWhenTheAckOwesNothing) {
  (void)changes.on_invite(true, start);
  (void)changes.answer(true, start);
  EXPECT_EQ(changes.on_invite(true, start + 1s).actions, act::take_invite);
  EXPECT_EQ(changes.refuse(start + 1s).actions, act::send_final);

  EXPECT_EQ(changes.on_invite(false, start + 2s).actions, act::take_invite);
  EXPECT_EQ(changes.answer(true, start + 2s).actions, act::send_2xx);  // with our offer
  EXPECT_EQ(changes.on_invite(true, start + 3s).actions, act::answer_491);
  EXPECT_EQ(changes.on_ack(true, start + 3s).actions, act::tell_done);
}

TEST_F(Changes, R3264_3_AMissingAnswerEndsTheSession) {
  (void)changes.on_invite(false, start);
  EXPECT_EQ(changes.answer(true, start).actions, act::send_2xx);
  EXPECT_EQ(changes.on_ack(false, start).actions, act::tell_failed | act::end_session);
  EXPECT_EQ(changes.offers().state(), OfferState::idle);

  EXPECT_EQ(changes.want(true, 5, start).actions, act::send_invite);
  EXPECT_EQ(changes.on_2xx(5, false, start).actions, act::send_ack | act::tell_failed | act::end_session);
}

TEST_F(Changes, R3264_3_WeNeverAnswerAnOfferWithNothing) {
  (void)changes.on_invite(true, start);
  EXPECT_EQ(changes.answer(false, start).actions, act::send_final);
  EXPECT_EQ(changes.state(), ChangeState::quiet);
  EXPECT_EQ(changes.offers().state(), OfferState::idle);
}

TEST_F(Changes, R3261_7_AReInviteIsCancelledAndTheSessionStays) {
  (void)changes.on_invite(true, start);
  EXPECT_EQ(changes.on_cancel(start).actions, act::send_487 | act::tell_failed);
  EXPECT_EQ(changes.on_cancel(start).actions, 0U);
  EXPECT_EQ(changes.answer(true, start).actions, 0U);  // too late
  EXPECT_EQ(changes.on_invite(true, start).actions, act::take_invite);
}

TEST_F(Changes, R3311_1_OverlappingOffersOfUpdates) {
  EXPECT_TRUE(changes.may_update(true));
  changes.update_sent(true);
  EXPECT_FALSE(changes.may_update(false));
  EXPECT_EQ(changes.on_update(true).actions, act::answer_491);
  EXPECT_EQ(changes.on_invite(true, start).actions, act::answer_491);
  EXPECT_EQ(changes.want(true, 9, start).actions, act::busy);
  EXPECT_EQ(changes.on_update(false).actions, act::take_update);  // refreshes target and timer only
  changes.update_answer_sent(200, false);
  EXPECT_EQ(changes.update_answered(200, true, start).actions, act::tell_done);

  EXPECT_EQ(changes.on_update(true).actions, act::take_update);
  const ChangeStep second = changes.on_update(false);
  EXPECT_EQ(second.actions, act::answer_500);
  EXPECT_LE(second.retry_after_seconds, 10);
  EXPECT_EQ(changes.on_invite(true, start).actions, act::answer_500);
  EXPECT_FALSE(changes.may_update(true));
  EXPECT_TRUE(changes.may_update(false));
  changes.update_answer_sent(488, false);
  EXPECT_TRUE(changes.may_update(true));
}

TEST_F(Changes, R3311_2_UpdatesAnswers) {
  changes.update_sent(true);
  EXPECT_EQ(changes.update_answered(491, false, start).actions, act::tell_failed | act::wait_491);
  EXPECT_EQ(changes.due(start + 4s).actions, act::try_again);
  changes.update_sent(false);
  EXPECT_EQ(changes.update_answered(504, false, start).actions, act::tell_failed);
  for (const std::uint16_t status : {std::uint16_t{408}, std::uint16_t{481}}) {
    changes.update_sent(false);
    EXPECT_EQ(changes.update_answered(status, false, start).actions, act::tell_failed | act::end_session);
  }
  changes.update_sent(true);
  EXPECT_EQ(changes.update_answered(200, false, start).actions, act::tell_failed | act::end_session);
  EXPECT_EQ(changes.update_answered(200, false, start).actions, 0U);
}

TEST(ChangesEarly, R3311_2_AnEarlyDialogsUpdateOffersAfterTheFirstExchange) {
  core::Random random({3});
  OfferTrack offers;
  SessionChanges changes(config, random, offers, false);
  EXPECT_TRUE(changes.may_update(false));
  EXPECT_FALSE(changes.may_update(true));
  EXPECT_EQ(changes.on_update(true).actions, act::answer_500);
  (void)changes.offers().received(SdpCarrier::invite, true);
  EXPECT_EQ(changes.on_update(true).actions, act::answer_500);
  (void)changes.offers().sent(SdpCarrier::rel_1xx, true);
  EXPECT_EQ(changes.on_update(true).actions, act::take_update);
}

// Both ends of a session that change it whenever they like. Requests and their responses arrive, late and overtaking
// each other; 2xx to INVITE and ACK may be lost.
class Session {
 public:
  explicit Session(int seed) : random_({static_cast<std::uint8_t>(seed), static_cast<std::uint8_t>(seed >> 8), 9}) {
    for (int i = 0; i < 6; ++i)
      push(start + some(20s), static_cast<int>(random_.uniform(2)), random_.uniform(2) == 0 ? wish_invite : wish_update,
           {});
    for (now_ = start; !events_.empty() || timers() != core::never;) step();
  }

  SessionChanges ends[2]{{config, random_, complete(), true}, {config, random_, complete(), false}};
  int done = 0;
  int glares = 0;
  bool ended = false;

 private:
  enum What { wish_invite, wish_update, invite, invite_ok, invite_no, ack, update, update_final, decide, give_ack };
  struct Message {
    std::uint32_t cseq = 0;
    std::uint16_t status = 0;
    bool sdp = true;
  };
  struct Event {
    core::Instant at;
    int to;
    What what;
    Message message;
  };

  core::Duration some(core::Duration most) {
    return core::Duration(random_.uniform(static_cast<std::uint64_t>(most.count())));
  }
  void push(core::Instant at, int to, What what, Message message) { events_.push_back({at, to, what, message}); }
  void send(int from, What what, Message message) {
    const bool may_be_lost = what == invite_ok || what == ack;
    if (!may_be_lost || random_.uniform(8) != 0) push(now_ + some(1s), 1 - from, what, message);
  }
  core::Instant timers() const { return std::min(ends[0].next_deadline(), ends[1].next_deadline()); }

  void step() {
    std::size_t first = 0;
    for (std::size_t i = 1; i < events_.size(); ++i) first = events_[i].at < events_[first].at ? i : first;
    if (events_.empty() || timers() < events_[first].at) {
      now_ = timers();
      const int end = ends[0].next_deadline() <= now_ ? 0 : 1;
      return obey(end, ends[end].due(now_), {});
    }
    const Event event = events_[first];
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(first));
    now_ = event.at;
    handle(event.to, event.what, event.message);
  }

  void handle(int end, What what, const Message& message) {
    SessionChanges& self = ends[end];
    switch (what) {
      case wish_invite: {
        const std::uint32_t cseq = ++cseq_[end];
        const bool sdp = random_.uniform(3) != 0;
        const ChangeStep step = self.want(sdp, cseq, now_);
        if ((step.actions & act::send_invite) != 0) offers_in_invite_[end] = sdp;
        return obey(end, step, {.cseq = cseq, .sdp = sdp});
      }
      case wish_update: {
        const bool sdp = random_.uniform(2) == 0;
        if (!self.may_update(sdp)) return;
        self.update_sent(sdp);
        return send(end, update, {.sdp = sdp});
      }
      case invite: return obey(end, self.on_invite(message.sdp, now_), message);
      case invite_ok: return obey(end, self.on_2xx(message.cseq, true, now_), message);
      case invite_no: return obey(end, self.on_refusal(message.status, now_), message);
      case ack:
        // T-25: of which INVITE it is, is known by its CSeq.
        return message.cseq == answered_[end] ? obey(end, self.on_ack(message.sdp, now_), message) : void();
      case update: return obey(end, self.on_update(message.sdp), message);
      case update_final: return obey(end, self.update_answered(message.status, message.sdp, now_), {});
      case decide: {
        if (self.state() != ChangeState::theirs) return;
        return obey(end, random_.uniform(4) == 0 ? self.refuse(now_) : self.answer(true, now_), message);
      }
      case give_ack: {
        last_ack_[end] = {.cseq = message.cseq, .sdp = !message.sdp};
        return obey(end, self.acknowledge(!message.sdp, now_), message);
      }
    }
  }

  void obey(int end, const ChangeStep& step, const Message& message) {
    const std::uint32_t actions = step.actions;
    if ((actions & act::send_invite) != 0) send(end, invite, message);
    if ((actions & act::take_invite) != 0) push(now_ + some(1s), end, decide, message);
    if ((actions & act::take_update) != 0) {
      ends[end].update_answer_sent(200, message.sdp);
      send(end, update_final, {.status = 200, .sdp = message.sdp});
    }
    const bool of_update = message.cseq == 0;
    const What refusal = of_update ? update_final : invite_no;
    glares += (actions & act::answer_491) != 0 ? 1 : 0;
    if ((actions & act::answer_491) != 0) send(end, refusal, {.cseq = message.cseq, .status = 491, .sdp = false});
    if ((actions & act::answer_500) != 0) send(end, refusal, {.cseq = message.cseq, .status = 500, .sdp = false});
    if ((actions & act::send_final) != 0) send(end, invite_no, {.cseq = message.cseq, .status = 488, .sdp = false});
    if ((actions & act::send_2xx) != 0) answered_[end] = message.cseq;
    if ((actions & (act::send_2xx | act::send_2xx_again)) != 0) send(end, invite_ok, {.cseq = answered_[end]});
    if ((actions & act::tell_answered) != 0) {
      push(now_ + some(300ms), end, give_ack, {.cseq = message.cseq, .sdp = offers_in_invite_[end]});
    }
    if ((actions & act::send_ack) != 0) send(end, ack, last_ack_[end]);
    if ((actions & act::send_ack_again) != 0 && message.cseq == last_ack_[end].cseq) send(end, ack, last_ack_[end]);
    if ((actions & act::try_again) != 0) push(now_, end, wish_invite, {});
    if ((actions & act::tell_done) != 0) ++done;
    if ((actions & act::end_session) != 0) ended = true;
  }

  core::Random random_;
  std::vector<Event> events_;
  Message last_ack_[2];
  std::uint32_t cseq_[2] = {10, 10};
  std::uint32_t answered_[2] = {};
  bool offers_in_invite_[2] = {};
  core::Instant now_{};
};

TEST(ChangesOfBoth, R3261_6_R3311_1_ChangesFromBothSidesComeToRest) {
  int glares = 0;
  int done = 0;
  for (int seed = 0; seed < 2000; ++seed) {
    const Session session(seed);
    EXPECT_EQ(session.ends[0].state(), ChangeState::quiet) << seed;
    EXPECT_EQ(session.ends[1].state(), ChangeState::quiet) << seed;
    EXPECT_EQ(session.ends[0].offers().state(), OfferState::idle) << seed;
    EXPECT_EQ(session.ends[1].offers().state(), OfferState::idle) << seed;
    EXPECT_FALSE(session.ended) << seed;
    glares += session.glares;
    done += session.done;
  }
  EXPECT_GT(glares, 500);
  EXPECT_GT(done, 4000);
}

}  // namespace
}  // namespace parley::tests

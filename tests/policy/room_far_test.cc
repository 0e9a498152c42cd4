// tests/policy/room_far_test.cc - rooms with members on another shard (policy/far_legs.h): what passes between the two,
// and what it costs.
#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

struct Party {
  explicit Party(Spread spread, RoomConfig config = {}) : w(config, spread) {
    w.open();
    anna = w.join("anna");  // here
    bob = w.join("bob");    // there
    carl = w.join("carl");  // here
    dora = w.join("dora");  // there
    w.all_mail_arrives();
    EXPECT_FALSE(RoomWorld::is_elsewhere(*anna.phone));
    EXPECT_TRUE(RoomWorld::is_elsewhere(*bob.phone));
  }
  ~Party() { w.end_all(); }
  void says(const RoomWorld::Seat& from, const std::string& id, const std::string& text) {
    EXPECT_EQ(w.says(from, id, text), 200);
  }
  static bool has(const RoomWorld::Seat& seat, std::size_t count, const std::string& last) {
    const auto& messages = seat.phone->messages;
    return messages.size() == count && (count == 0 || messages.back().ends_with(last));
  }
  RoomWorld w;
  RoomWorld::Seat anna, bob, carl, dora;
};

TEST(RoomFar, WhatOneShardSendsTheOtherGetsInTheSameOrder) {
  Party p(Spread::at_once);
  p.says(p.anna, "m1", "from here");
  p.says(p.bob, "m2", "from there");
  p.says(p.carl, "m3", "from here again");
  EXPECT_TRUE(Party::has(p.anna, 2, "again"));
  EXPECT_TRUE(Party::has(p.bob, 2, "again"));
  EXPECT_TRUE(Party::has(p.carl, 2, "there"));
  EXPECT_TRUE(Party::has(p.dora, 3, "again"));
  EXPECT_EQ(p.dora.phone->ids.size(), 3U);
  EXPECT_EQ(p.dora.phone->ids[0], p.bob.phone->ids[0]);
  EXPECT_EQ(p.w.rooms.state_of(p.dora.handle).messages_out, 3U);
}

TEST(RoomFar, AFanOutIsOneRecordWhateverTheNumberOfItsLegs) {
  Party p(Spread::late);
  std::vector<RoomWorld::Seat> more;
  for (int i = 0; i < 200; ++i) more.push_back(p.w.join("m" + std::to_string(i)));
  p.w.all_mail_arrives();
  p.w.shards->flush();
  const int before = p.w.legs.fan_outs;
  const std::uint64_t mailed = p.w.shards->home_post.unread(1);
  p.says(p.anna, "m1", std::string(1000, 'x'));
  const std::uint64_t bytes = p.w.shards->home_post.unread(1) - mailed;
  EXPECT_GT(bytes, 102 * 8 + 1000U);
  EXPECT_LT(bytes, 102 * 8 + 1000U + 500);
  p.w.all_mail_arrives();
  EXPECT_EQ(p.w.legs.fan_outs, before + 2);
  p.w.deliver();
  for (const RoomWorld::Seat& seat : more) EXPECT_EQ(seat.phone->messages.size(), 1U);
}

TEST(RoomFar, R7701_2_APrivateMessageGoesToItsReceiverAlone) {
  Party p(Spread::at_once);
  EXPECT_EQ(p.w.sends(p.anna, {.body = cpim(p.anna.uri, p.bob.uri, "psst")}), 200);
  EXPECT_EQ(p.w.sends(p.dora, {.id = "m2", .body = cpim(p.dora.uri, p.anna.uri, "hm")}), 200);
  EXPECT_EQ(p.w.sends(p.dora, {.id = "m3", .body = cpim(p.dora.uri, "sip:nobody@example.org", "hm")}), 404);
  EXPECT_TRUE(Party::has(p.anna, 1, "hm"));
  EXPECT_TRUE(Party::has(p.bob, 1, "psst"));
  EXPECT_TRUE(Party::has(p.carl, 0, ""));
  EXPECT_TRUE(Party::has(p.dora, 0, ""));
}

TEST(RoomFar, NicknamesAndReportsComeHomeAndGoBack) {
  Party p(Spread::at_once);
  EXPECT_EQ(p.w.asks_nickname(p.bob, "bobby"), 200);
  EXPECT_EQ(p.w.asks_nickname(p.anna, "bobby"), 425);
  const auto named = p.w.of_kind(RoomFact::Kind::nickname);
  ASSERT_EQ(named.size(), 1U);
  EXPECT_EQ(named[0].nickname, "bobby");
  EXPECT_EQ(p.w.says(p.bob, "m1", "hear, hear", "Success-Report: yes\r\n"), 200);
  ASSERT_EQ(p.bob.phone->reports.size(), 1U);
  EXPECT_EQ(p.bob.phone->reports[0].message_id, "m1");
  EXPECT_EQ(p.bob.phone->reports[0].status, 200);
}

TEST(RoomFar, OMA_DR_3_ACountHasThoseOnBothShards) {
  RoomWorld w({}, Spread::at_once);
  w.open();
  Member about = RoomWorld::member("anna");
  about.may_ask_count = true;
  const auto anna = w.join(about);
  for (const std::string name : {"bob", "carl", "dora", "emil"}) (void)w.join(name);
  EXPECT_EQ(w.says(anna, "m1", "count", "Success-Report: yes;Include-Sent-Count\r\n"), 200);
  w.all_mail_arrives();
  const auto told = w.of_kind(RoomFact::Kind::delivered);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 4U);
  w.end_all();
}

// A member has what was committed between its join and its leave, whatever is on its way.
TEST(RoomFar, JoinAndLeaveHaveTheirPlaceInTheOrder) {
  Party p(Spread::late);
  p.says(p.anna, "m1", "before");
  auto emil = p.w.join("emil");
  auto fred = p.w.join("fred");
  ASSERT_TRUE(RoomWorld::is_elsewhere(*fred.phone));
  p.w.all_mail_arrives();  // it is connected
  p.says(p.anna, "m2", "first");
  p.says(p.carl, "m3", "last");
  p.w.rooms.leave(fred.handle, LeaveReason::departed);
  p.says(p.anna, "m4", "after");
  p.w.all_mail_arrives();
  EXPECT_TRUE(fred.phone->closed);
  p.w.deliver();
  EXPECT_TRUE(Party::has(fred, 2, "last"));
  EXPECT_TRUE(Party::has(p.bob, 4, "after"));
}

// What was on its way when its queue filled comes from the ring, in order and once.
TEST(RoomFar, OMA_MSRP_6_ASlowMemberGetsWhatWasOnItsWay) {
  Party p(Spread::late);
  p.bob.phone->keeps_up = false;
  p.bob.phone->queue_max = 1500;
  for (int i = 0; i < 10; ++i) p.says(p.anna, "m" + std::to_string(i), "n" + std::to_string(i));
  p.w.all_mail_arrives();
  p.w.deliver();
  EXPECT_TRUE(Party::has(p.dora, 10, "n9"));
  EXPECT_EQ(p.w.count(core::Metric::room_legs_stopped), 1U);
  EXPECT_EQ(p.w.count(core::Metric::room_behind), 1U);
  ASSERT_EQ(p.w.of_kind(RoomFact::Kind::lagging).size(), 1U);
  for (int i = 10; i < 13; ++i) p.says(p.carl, "m" + std::to_string(i), "n" + std::to_string(i));
  p.bob.phone->keeps_up = true;
  for (int turn = 0; turn < 20; ++turn) {
    p.w.deliver();
    p.w.all_mail_arrives();
  }
  ASSERT_TRUE(Party::has(p.bob, 13, "n12"));
  for (std::size_t i = 0; i < 13; ++i) EXPECT_TRUE(p.bob.phone->messages[i].ends_with("n" + std::to_string(i)));
  EXPECT_EQ(p.w.count(core::Metric::room_behind), 0U);
  EXPECT_GE(p.w.of_kind(RoomFact::Kind::recovered).size(), 1U);
}

// T-69. Its connection goes with messages on the way to it, and it is back before home knows.
TEST(RoomFar, WhatWasWrittenForTheOldConnectionDoesNotReachTheNewOneTwice) {
  Party p(Spread::late);
  p.says(p.anna, "m1", "n0");
  p.w.all_mail_arrives();
  p.w.deliver();
  p.w.all_mail_arrives();
  p.says(p.anna, "m2", "n1");  // on its way
  p.w.lose(*p.bob.phone);
  p.w.connected(*p.bob.phone);
  p.says(p.anna, "m3", "n2");
  for (int turn = 0; turn < 5; ++turn) {
    p.w.all_mail_arrives();
    p.w.deliver();
  }
  ASSERT_TRUE(Party::has(p.bob, 3, "n2"));
  EXPECT_TRUE(p.bob.phone->messages[1].ends_with("n1"));
}

// The same where copies are not answered, so that home cannot know from answers what has come.
TEST(RoomFar, WithoutAnswersTheFirstThatWasNotWrittenIsKnown) {
  Party p(Spread::late, {.answers_members_max = 0});
  p.says(p.anna, "m1", "n0");
  p.w.all_mail_arrives();
  p.w.deliver();
  p.says(p.anna, "m2", "n1");
  p.says(p.anna, "m3", "n2");
  p.w.lose(*p.bob.phone);
  p.w.connected(*p.bob.phone);
  p.says(p.anna, "m4", "n3");
  for (int turn = 0; turn < 5; ++turn) {
    p.w.all_mail_arrives();
    p.w.deliver();
  }
  ASSERT_TRUE(Party::has(p.bob, 4, "n3"));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(p.bob.phone->messages[i].ends_with("n" + std::to_string(i)));
}

// What the ring does not have is missed, counted and reported, though home learns of it when all is over.
TEST(RoomFar, AMessageThatIsNotKeptAndNotWrittenIsReported) {
  Party p(Spread::late, {.ring_bytes = 0});
  p.bob.phone->queue_max = 600;
  p.bob.phone->keeps_up = false;
  p.says(p.anna, "m1", "fits");
  p.says(p.anna, "m2", "does not");
  EXPECT_TRUE(p.anna.phone->reports.empty());
  p.w.all_mail_arrives();
  p.w.deliver();
  p.w.all_mail_arrives();
  ASSERT_EQ(p.anna.phone->reports.size(), 1U);
  EXPECT_EQ(p.anna.phone->reports[0].message_id, "m2");
  EXPECT_EQ(p.anna.phone->reports[0].status, 408);
  EXPECT_EQ(p.w.count(core::Metric::room_missed), 1U);
  p.bob.phone->keeps_up = true;
  p.w.deliver();
  p.w.all_mail_arrives();
  p.w.pull();
  const auto missed = p.w.of_kind(RoomFact::Kind::missed);
  ASSERT_EQ(missed.size(), 1U);
  EXPECT_EQ(missed[0].count, 1U);
}

// The other shard does not read: what waits for it is bounded, who sends is held, and then everything comes.
TEST(RoomFar, AShardThatDoesNotReadHoldsSendersAndLosesNothing) {
  Party p(Spread::late, {.ring_bytes = 64 * 1024 * 1024});
  const std::string text(100'000, 'x');
  int sent = 0;
  for (; sent < 60; ++sent) p.says(p.anna, "m" + std::to_string(sent), std::to_string(sent) + text);
  EXPECT_LT(p.w.shards->home_post.unread(1), LegPost::window_bytes + 200'000);
  EXPECT_EQ(p.anna.phone->holds, 1);
  EXPECT_GE(p.w.count(core::Metric::room_shard_full), 2U);
  EXPECT_EQ(p.w.count(core::Metric::room_behind), 2U);
  for (Phone* phone : {p.bob.phone, p.dora.phone}) phone->queue_max = 64 << 20;
  for (int turn = 0; turn < 200; ++turn) {
    p.w.all_mail_arrives();
    p.w.deliver();
    p.w.advance(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(p.anna.phone->holds, 0);
  ASSERT_EQ(p.bob.phone->messages.size(), 60U);
  ASSERT_EQ(p.dora.phone->messages.size(), 60U);
  for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(p.bob.phone->messages[i], p.carl.phone->messages[i]);
  EXPECT_EQ(p.w.count(core::Metric::room_behind), 0U);
}

// And home that does not read does not get more than it can bear from a member there.
TEST(RoomFar, AMemberThatSendsFasterThanHomeReadsIsNotRead) {
  Party p(Spread::late);
  const std::string body = cpim(p.bob.uri, room_uri, std::string(200'000, 'x'));
  for (int i = 0; i < 14; ++i) {
    const core::BufferId block = p.w.pool().take_heap(static_cast<std::uint32_t>(body.size()));
    std::memcpy(p.w.pool().data(block), body.data(), body.size());
    EndFact fact;
    fact.kind = EndFact::Kind::piece;
    fact.body = {block, 0, static_cast<std::uint32_t>(body.size())};
    fact.message_id = "m";
    EXPECT_EQ(p.bob.phone->holds, i > 10 ? 1 : 0) << i;
    (void)p.w.give(fact, *p.bob.phone);
    p.w.pool().release(block);
  }
  EXPECT_EQ(p.bob.phone->holds, 1);
  p.w.all_mail_arrives();
  p.w.says(p.anna, "m1", "go on");
  p.w.all_mail_arrives();
  p.w.all_mail_arrives();
  EXPECT_EQ(p.bob.phone->holds, 0);
}

TEST(RoomFar, OMA_X_1_WhereAMemberIsReachedGoesThereWithHisPath) {
  RoomWorld w({}, Spread::at_once);
  Phone& phone = w.legs.add();
  w.shards->open(phone);
  for (const bool change : {false, true}) {
    for (const std::string address : {"", "192.0.2.7:7394", "[2001:db8::7]:7394"}) {
      ASSERT_TRUE(w.shards->far.connect(
          phone.named, {.path = "msrp://host.invalid:9/s1;tcp", .we_connect = true, .loose = true, .address = address}, change));
      w.all_mail_arrives();
      ASSERT_NE(phone.peer, nullptr);
      EXPECT_EQ(phone.peer->path, "msrp://host.invalid:9/s1;tcp");
      EXPECT_EQ(phone.peer->address, address);
      EXPECT_TRUE(phone.peer->we_connect);
      EXPECT_TRUE(phone.peer->loose);
      phone.peer = {};
    }
  }
  w.shards->far.close(phone.named);
  w.all_mail_arrives();
}

TEST(RoomFar, ASessionThatCannotBeOpenedThereFails) {
  RoomWorld w({}, Spread::at_once);
  w.open();
  (void)w.join("anna");
  Phone& phone = w.legs.add();
  phone.refused = true;
  w.shards->open(phone);
  Member about = RoomWorld::member("bob");
  about.end = phone.named;
  const auto joined = w.rooms.join(w.room, about);
  ASSERT_TRUE(joined.member.valid());
  w.all_mail_arrives();
  const auto failed = w.of_kind(RoomFact::Kind::failed);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].status, 503);
  w.rooms.leave(joined.member, LeaveReason::departed);
  EXPECT_EQ(w.count(core::Metric::room_legs_elsewhere), 0U);
  w.end_all();
}

}  // namespace
}  // namespace parley::tests

// tests/policy/message_trace_test.cc - the memory of the last messages, by itself and behind rooms.
#include "policy/message_trace.h"

#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

TracedMessage record(std::uint32_t room, std::uint64_t number, const std::string& id) {
  TracedMessage made;
  made.room = {room, 1};
  made.number = number;
  made.id_length = static_cast<std::uint8_t>(id.size());
  std::copy(id.begin(), id.end(), made.id.begin());
  return made;
}

std::vector<std::uint64_t> numbers(const MessageTrace& trace, const std::string& id) {
  std::vector<std::uint64_t> found;
  trace.for_each(id, [&](const TracedMessage& each) { found.push_back(each.number); });
  return found;
}

TEST(MessageTrace, TheOldestMakesRoomAndIsNotFoundAnyMore) {
  MessageTrace trace;
  trace.set_capacity(3);
  for (std::uint64_t n = 0; n < 1000; ++n) {
    trace.add(record(static_cast<std::uint32_t>(n % 7), n, n % 2 == 0 ? "even" : "odd"));
    for (std::uint64_t m = 0; m <= n; ++m) {
      TracedMessage* const found = trace.find({static_cast<std::uint32_t>(m % 7), 1}, m);
      ASSERT_EQ(found != nullptr, m + 3 > n) << m << " of " << n;
      if (found != nullptr) {
        ASSERT_EQ(found->number, m);
      }
    }
  }
  EXPECT_EQ(numbers(trace, "odd"), (std::vector<std::uint64_t>{999, 997})) << "the newest first";
  EXPECT_EQ(numbers(trace, "even"), std::vector<std::uint64_t>{998});
  EXPECT_EQ(trace.find({0, 1}, 999), nullptr) << "of another room";
}

TEST(MessageTrace, OffItKeepsNothing) {
  MessageTrace trace;
  EXPECT_FALSE(trace.on());
  trace.add(record(1, 1, "m1"));
  trace.answered({1, 1}, 1, true);
  trace.caught_up({1, 1}, 1);
  EXPECT_TRUE(numbers(trace, "m1").empty());
  trace.set_capacity(2);
  trace.add(record(1, 1, "m1"));
  EXPECT_EQ(numbers(trace, "m1").size(), 1U);
  trace.set_capacity(2);
  EXPECT_EQ(numbers(trace, "m1").size(), 1U) << "a reload that changes nothing";
  trace.set_capacity(0);
  EXPECT_TRUE(numbers(trace, "m1").empty());
  EXPECT_EQ(trace.find({1, 1}, 1), nullptr);
}

struct TracedRoom : testing::Test {
  RoomWorld w;
  void SetUp() override { w.rooms.keep_trace(8); }
  void TearDown() override { w.end_all(); }
  TracedMessage only(const std::string& id) {
    std::vector<TracedMessage> found;
    w.rooms.trace(id, 10, found);
    EXPECT_EQ(found.size(), 1U) << id;
    return found.empty() ? TracedMessage{} : found.front();
  }
};

TEST_F(TracedRoom, AMessageToAllIsAnsweredByEach) {
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob"), carol = w.join("carol");
  carol.phone->answer = 415;
  EXPECT_EQ(w.says(alice, "m1", "hello"), 200);
  const TracedMessage seen = only("m1");
  EXPECT_EQ(seen.room, w.room);
  EXPECT_EQ(seen.sender, w.rooms.state_of(alice.handle).number);
  EXPECT_EQ(seen.bytes, cpim(alice.uri, "sip:room@example.org", "hello").size());
  EXPECT_FALSE(seen.to_one);
  EXPECT_EQ(seen.legs, 2U);
  EXPECT_EQ(seen.delivered, 2U);
  EXPECT_EQ(seen.answered, 1U);
  EXPECT_EQ(seen.failed, 1U);
  EXPECT_EQ(seen.behind, 0U);
  EXPECT_EQ(only(bob.phone->ids.at(0)).message_id(), "m1") << "by the id that receivers see";
  EXPECT_EQ(w.rooms.state_of(alice.handle).messages_in, 1U);
  EXPECT_EQ(w.rooms.state_of(alice.handle).messages_out, 0U);
  EXPECT_EQ(w.rooms.state_of(bob.handle).messages_out, 1U);
}

TEST_F(TracedRoom, WhoIsBehindIsCountedUntilHeHasIt) {
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob"), carol = w.join("carol");
  bob.phone->keeps_up = false;
  bob.phone->queue_max = 250;
  EXPECT_EQ(w.says(alice, "m1", std::string(100, 'x')), 200);
  TracedMessage seen = only("m1");
  EXPECT_EQ(seen.legs, 2U);
  EXPECT_EQ(seen.delivered, 1U);
  EXPECT_EQ(seen.behind, 1U);
  Rooms::MemberState state = w.rooms.state_of(bob.handle);
  EXPECT_TRUE(state.connected);
  EXPECT_FALSE(state.live);
  EXPECT_EQ(state.behind, 1U);
  EXPECT_EQ(state.messages_out, 0U);
  bob.phone->keeps_up = true;
  bob.phone->queue_max = 100'000;
  w.fact(EndFact::Kind::writable, *bob.phone);
  w.deliver();
  seen = only("m1");
  EXPECT_EQ(seen.legs, 2U);
  EXPECT_EQ(seen.delivered, 2U);
  EXPECT_EQ(seen.behind, 0U);
  EXPECT_EQ(seen.answered, 2U);
  state = w.rooms.state_of(bob.handle);
  EXPECT_TRUE(state.live);
  EXPECT_EQ(state.behind, 0U);
  EXPECT_EQ(state.messages_out, 1U);
}

TEST_F(TracedRoom, WhoComesLateInTheMiddleOfAMessageGetsItOnce) {
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob"), carol = w.join("carol");
  w.lose(*carol.phone);
  const std::string text = cpim(alice.uri, "sip:room@example.org", std::string(9000, 'x'));
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  w.connected(*carol.phone);
  w.deliver();
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(3000), .start = 3001}), 200);
  w.deliver();
  const TracedMessage seen = only("m1");
  EXPECT_EQ(seen.legs, 2U);
  EXPECT_EQ(seen.delivered, 2U);
  EXPECT_EQ(seen.behind, 0U);
  EXPECT_EQ(seen.answered, 2U);
  EXPECT_EQ(seen.bytes, text.size());
  EXPECT_EQ(w.rooms.state_of(carol.handle).messages_out, 1U);
}

TEST_F(TracedRoom, APrivateMessageGoesToOne) {
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob"), carol = w.join("carol");
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = cpim(alice.uri, bob.uri, "psst")}), 200);
  const TracedMessage seen = only("m1");
  EXPECT_TRUE(seen.to_one);
  EXPECT_EQ(seen.legs, 1U);
  EXPECT_EQ(seen.delivered, 1U);
  EXPECT_EQ(seen.answered, 1U);
}

TEST_F(TracedRoom, BetweenTwo) {
  RoomTraits traits = RoomWorld::group();
  traits.kind = RoomKind::one_to_one;
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  bob.phone->answer = 413;
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = "x", .type = "text/plain"}), 200);
  const TracedMessage seen = only("m1");
  EXPECT_EQ(seen.legs, 1U);
  EXPECT_EQ(seen.delivered, 1U);
  EXPECT_EQ(seen.failed, 1U);
  EXPECT_EQ(seen.answered, 0U);
}

TEST_F(TracedRoom, AnswersOfAMessageThatIsForgottenChangeNothing) {
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  bob.phone->answer = 0;
  for (int n = 0; n < 20; ++n) EXPECT_EQ(w.says(alice, "m" + std::to_string(n), "x"), 200);
  for (const Frame& frame : std::vector<Frame>(bob.phone->frames)) w.answers(*bob.phone, frame.mark, 200);
  std::vector<TracedMessage> found;
  for (int n = 0; n < 20; ++n) w.rooms.trace("m" + std::to_string(n), 10, found);
  ASSERT_EQ(found.size(), 8U);
  EXPECT_EQ(found.front().message_id(), "m12");
  for (const TracedMessage& each : found) EXPECT_EQ(each.answered, 1U);
  w.rooms.keep_trace(0);
  EXPECT_EQ(w.says(alice, "m20", "x"), 200);
  found.clear();
  w.rooms.trace("m20", 10, found);
  EXPECT_TRUE(found.empty());
}

}  // namespace
}  // namespace parley::tests

// tests/policy/room_post_test.cc - messages that come by SIP: one is taken when somebody can be given it (OMA-PAG-1).
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

std::uint16_t post(RoomWorld& w, const RoomWorld::Seat& from, const std::string& type = "text/plain",
                   const std::string& text = "hi") {
  const std::uint16_t status = w.rooms.post(from.handle, type, text);
  w.deliver();
  return status;
}

RoomConfig without_ring() {
  RoomConfig config;
  config.ring_bytes = config.one_to_one_ring_bytes = 0;
  return config;
}

TEST(RoomPost, OMA_PAG_1_WhoIsAloneIsToldSo) {
  RoomWorld w;
  w.open();
  w.rooms.set_recorded(w.room, true);  // a history is nobody who is there
  const auto alice = w.join("alice");
  EXPECT_EQ(post(w, alice), 480);
  auto other_device = w.member("alice");
  other_device.device = "alice's phone";
  const auto phone = w.join(other_device);
  EXPECT_EQ(post(w, alice), 480) << "his own devices are not the others";
  EXPECT_TRUE(phone.phone->messages.empty());
  const auto bob = w.join("bob");
  EXPECT_EQ(post(w, alice), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  w.end_all();
}

TEST(RoomPost, OMA_PAG_1_WhoeverComesBackGetsWhatIsKept) {
  for (const bool ring : {true, false}) {
    RoomWorld w(ring ? RoomConfig{} : without_ring());
    w.open();
    const auto alice = w.join("alice");
    const auto bob = w.join("bob");
    w.rooms.leave(bob.handle, LeaveReason::lost);
    EXPECT_EQ(post(w, alice), ring ? 200 : 480);
    const auto again = w.join("bob");
    w.deliver();
    EXPECT_EQ(again.phone->messages.size(), ring ? 1U : 0U);
    w.end_all();
  }
}

TEST(RoomPost, OMA_PAG_1_WhoIsNotConnectedYetGetsItWhenItIsKept) {
  for (const bool ring : {true, false}) {
    RoomWorld w(ring ? RoomConfig{} : without_ring());
    w.open();
    const auto alice = w.join("alice");
    const auto bob = w.join("bob", false);
    EXPECT_EQ(post(w, alice), ring ? 200 : 480);
    EXPECT_EQ(post(w, alice, "text/plain", std::string(200'000, 'x')), 480) << "longer than what is kept";
    w.end_all();
  }
}

TEST(RoomPost, OMA_PAG_1_TypesAndSizesOfTheOthersCount) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice");
  Member about = RoomWorld::member("bob");
  about.accept_wrapped_types = "text/plain image/*";
  about.message_bytes_max = 1000;
  const auto bob = w.join(about);
  EXPECT_EQ(post(w, alice, "video/mpeg"), 415);
  EXPECT_EQ(w.rooms.types_of_others(alice.handle), "text/plain, image/*");
  EXPECT_EQ(post(w, alice, "text/plain", std::string(1001, 'x')), 413);
  EXPECT_EQ(post(w, alice, "image/png"), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  Member deaf = RoomWorld::member("bob");
  deaf.may_receive = false;
  EXPECT_EQ(w.rooms.change(bob.handle, deaf), JoinResult::joined);
  EXPECT_EQ(post(w, alice), 480);
  const auto carol = w.join("carol");
  EXPECT_EQ(post(w, alice, "video/mpeg"), 200) << "one is enough";
  EXPECT_EQ(carol.phone->messages.size(), 1U);
  w.end_all();
}

TEST(RoomPost, OMA_PAG_1_BetweenTwoTheFirstOneWaitsForTheOther) {
  for (const bool ring : {true, false}) {
    RoomWorld w(ring ? RoomConfig{} : without_ring());
    RoomTraits traits = RoomWorld::group();
    traits.kind = RoomKind::one_to_one;
    w.open(traits);
    const auto alice = w.join("alice");
    EXPECT_EQ(post(w, alice), ring ? 200 : 480);
    const auto bob = w.join("bob");
    w.deliver();
    EXPECT_EQ(bob.phone->messages.size(), ring ? 1U : 0U);
    w.end_all();
  }
}

}  // namespace
}  // namespace parley::tests

// tests/policy/room_memory_test.cc - a large room: one fan_out for a message, no memory for it.
#include <string>

#include "tests/msrp/allocations.h"
#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

TEST(RoomMemory, TenThousandMembersOneFanOutAndNoAllocation) {
  RoomWorld w({.recent_ids = 64});
  w.open();
  const auto alice = w.join("alice");
  const std::ptrdiff_t before_members = allocated_bytes;
  constexpr int members = 9'999;
  for (int i = 0; i < members; ++i) ASSERT_EQ(w.join("m" + std::to_string(i)).result, JoinResult::joined);
  w.pull();
  w.facts.clear();
  w.facts.shrink_to_fit();
  EXPECT_EQ(w.join("late").result, JoinResult::room_full);
  EXPECT_LT((allocated_bytes - before_members) / members, 2500) << "bytes for each member, the fake phone's included";
  w.legs.record = false;
  for (auto& phone : w.legs.phones) phone->queue_max = ~std::uint64_t{0};

  const std::string text = cpim(alice.uri, room_uri, std::string(500, 'x'));
  core::BufferId block = w.pool().take_heap(static_cast<std::uint32_t>(text.size()));
  std::memcpy(w.pool().data(block), text.data(), text.size());
  std::string head_text;
  msrp::HeadParser parser;
  const auto send = [&](int n) {
    head_text =
        "MSRP a786hjs2 SEND\r\nTo-Path: msrp://s.example.org:2855/x;tcp\r\nFrom-Path: msrp://c.example.org:7/y;tcp\r\n"
        "Message-ID: m" +
        std::to_string(n) + "\r\nContent-Type: message/cpim\r\n\r\n";
    parser.reset();
    ASSERT_EQ(parser.parse(head_text, {}, nullptr), msrp::Progress::done);
    EndFact fact;
    fact.kind = EndFact::Kind::piece;
    fact.end = alice.phone->end;
    fact.first = fact.last = true;
    fact.head = &parser.head();
    fact.head_bytes = head_text;
    fact.total = text.size();
    fact.message_id = parser.head().message_id.of(head_text);
    fact.body = {block, 0, static_cast<std::uint32_t>(text.size())};
    alice.phone->answers.clear();
    const std::size_t before = allocations;
    const int fan_outs = w.legs.fan_outs;
    ASSERT_TRUE(w.rooms.on_fact(fact));
    EXPECT_EQ(w.legs.fan_outs, fan_outs + 1);
    if (n >= 500) {
      EXPECT_EQ(allocations, before) << n;
    }
  };
  for (int n = 0; n < 600; ++n) send(n);
  w.pool().release(block);
  EXPECT_EQ(w.rooms.counts(w.room).messages, 600U);
  EXPECT_EQ(w.count(core::Metric::room_copies), 600U * members);
  w.end_all();
}

}  // namespace
}  // namespace parley::tests

// tests/service/calls_walk_test.cc - phones that do anything at any time call each other. Whatever they do, nothing of
// their calls is left when they have fallen silent.
#include "tests/service/wild_phone.h"

namespace parley::tests {
namespace {

using namespace std::chrono_literals;

class CallsWalk : public testing::TestWithParam<int> {};

TEST_P(CallsWalk, R3261_5_NothingIsLeftWhateverThePhonesDo) {
  using core::Metric;
  constexpr Metric reasons[] = {Metric::sip_calls_answered, Metric::sip_calls_no_ack, Metric::sip_calls_surplus,
                                Metric::sip_calls_refreshed, Metric::sip_cancels_sent};
  std::uint64_t reached[std::size(reasons)] = {};
  for (int seed = GetParam() * 50; seed < GetParam() * 50 + 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    core::Random random(core::Seed{static_cast<std::uint8_t>(seed), static_cast<std::uint8_t>(seed >> 8)});
    const std::uint32_t shards = 1 + static_cast<std::uint32_t>(seed % 2);
    auto config = calls_config();
    config->calls.requests_max = 8;
    Line line(config, shards);
    Wild phones[] = {{line, random, "alice", "127.0.0.1:40001", 0},
                     {line, random, "bob", "127.0.0.1:40002", shards - 1},
                     {line, random, "bob", "127.0.0.1:40003", 0}};
    for (Wild& wild : phones) wild.phone.enrol();
    for (int step = 0; step < 120; ++step) {
      phones[random.uniform(3)].act();
      if (random.uniform(4) == 0) line.pass(std::chrono::milliseconds(random.uniform(3000)));
      if (random.uniform(40) == 0) line.pass(std::chrono::seconds(random.uniform(200)));
    }
    line.pass(3h);  // they are silent: sessions are not refreshed, requests not answered
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      EXPECT_EQ(line.world.service(shard).calls().live(), 0U);
      EXPECT_EQ(line.world.service(shard).live_proxied(), 0U);
      EXPECT_EQ(line.world.service(shard).live_transactions(), 0U);
    }
    EXPECT_EQ(line.world.metric(core::Metric::sip_calls), 0U);
    if (testing::Test::HasFailure()) return;
    for (std::size_t i = 0; i < std::size(reached); ++i) reached[i] += line.world.metric(reasons[i]);
  }
  for (std::size_t i = 0; i < std::size(reached); ++i) EXPECT_GT(reached[i], 0U) << "never seen: " << i;
}
INSTANTIATE_TEST_SUITE_P(Seeds, CallsWalk, testing::Range(0, 4));

}  // namespace
}  // namespace parley::tests

// tests/sim/loop_scenes_sim_test.cc - the scenes of tests/loops on the simulated loop: what the relay is simulated on
// behaves like what it runs on.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/scene_harness.h"

namespace parley::sim {
namespace {

constexpr std::uint64_t seeds = 12;  // the first one without any trouble

// The troubles that a kernel and a network may cause on loopback too: none of them changes what a scene may expect.
Faults harmless(std::uint64_t seed) {
  Faults faults;
  if (seed == 0) return faults;
  const Faults drawn = Faults::draw(seed);
  faults.delay_max = std::min<Duration>(drawn.delay_max, 2ms);
  faults.cut_permille = drawn.cut_permille;
  faults.short_send_permille = drawn.short_send_permille;
  faults.hold_max = std::min<Duration>(drawn.hold_max, 20ms);
  faults.credit_max = std::min<Duration>(drawn.credit_max, 20ms);
  faults.piece_bytes = std::max(drawn.piece_bytes, 256U);
  return faults;
}

class SimulatedLoopScene : public testing::TestWithParam<std::tuple<std::size_t, std::uint64_t>> {};

TEST_P(SimulatedLoopScene, holds) {
  const auto [at, seed] = GetParam();
  const loops::Scene& scene = loops::scenes()[at];
  SceneHarness harness(scene.setup(), harmless(seed), seed);
  scene.run(harness);
}

std::vector<std::size_t> scenes_that_apply() {
  std::vector<std::size_t> all;
  for (std::size_t at = 0; at < loops::scenes().size(); ++at) {
    if (loops::scenes()[at].only_real == nullptr) all.push_back(at);
  }
  return all;
}

// What does not run here has a reason, and there is little of it.
TEST(SimulatedLoop, runs_all_scenes_but_those_about_the_process_and_real_time) {
  for (const loops::Scene& scene : loops::scenes()) {
    if (scene.only_real != nullptr) std::printf("not here: %s: %s\n", scene.name, scene.only_real);
  }
  EXPECT_LE(loops::scenes().size() - scenes_that_apply().size(), 2U);
  EXPECT_GE(scenes_that_apply().size(), 32U);
}

INSTANTIATE_TEST_SUITE_P(VirtualTime, SimulatedLoopScene,
                         testing::Combine(testing::ValuesIn(scenes_that_apply()),
                                          testing::Range<std::uint64_t>(0, seeds)),
                         [](const auto& param_info) {
                           return std::string(loops::scenes()[std::get<0>(param_info.param)].name) + "_seed_" +
                                  std::to_string(std::get<1>(param_info.param));
                         });

}  // namespace
}  // namespace parley::sim

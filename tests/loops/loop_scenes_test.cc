// tests/loops/loop_scenes_test.cc - every scene on both kernels' loops over real loopback sockets.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "tests/loops/real_harness.h"

namespace parley::loops {
namespace {

class LoopScene : public testing::TestWithParam<std::tuple<core::LoopKind, std::size_t>> {};

TEST_P(LoopScene, holds) {
  const auto [kind, at] = GetParam();
  if (const std::string missing = core::loop_unavailable(kind); !missing.empty()) {
    GTEST_SKIP() << missing;  // a host that forbids io_uring has only the epoll loop
  }
  const Scene& scene = scenes()[at];
  RealHarness harness(kind, scene.setup());
  scene.run(harness);
}

std::vector<std::size_t> every_scene() {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < scenes().size(); ++i) all.push_back(i);
  return all;
}

INSTANTIATE_TEST_SUITE_P(RealSockets, LoopScene,
                         testing::Combine(testing::Values(core::LoopKind::uring, core::LoopKind::epoll),
                                          testing::ValuesIn(every_scene())),
                         [](const auto& param_info) {
                           const bool uring = std::get<0>(param_info.param) == core::LoopKind::uring;
                           return std::string(uring ? "uring_" : "epoll_") +
                                  scenes()[std::get<1>(param_info.param)].name;
                         });

}  // namespace
}  // namespace parley::loops

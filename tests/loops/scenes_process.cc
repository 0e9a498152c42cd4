// tests/loops/scenes_process.cc - scenes about limits of the process; they need real descriptors.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/loops/scene_lists.h"

namespace parley::loops {
namespace {

using core::Input;
using core::Metric;
using core::Outbox;

SceneSetup echoing_bytes() {
  SceneSetup setup;
  setup.reaction = [](ScriptWorker& worker, const Input& input, Outbox& out) {
    if (input.kind == Input::Kind::bytes) worker.send(out, input.conn, input.slice);
  };
  return setup;
}

// io_uring remembers the limit of the time when the accept was armed, so it is lowered before the loop starts.
SceneSetup few_descriptors() {
  ::rlimit limit{};
  (void)::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 256;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
  return echoing_bytes();
}

// The kernel has accepted for us when accept finds no descriptor: the peer must learn of it (U-16).
void no_descriptors_left(Harness& h) {
  const auto early = h.connect();
  early->send("x");
  ASSERT_EQ(early->receive(1), "x");
  std::vector<int> fillers;
  for (int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC); fd >= 0; fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
    fillers.push_back(fd);
  }
  ASSERT_FALSE(fillers.empty());
  ::close(fillers.back());  // the far end takes the last descriptor there is
  fillers.pop_back();
  const auto late = h.connect();
  EXPECT_TRUE(h.wait([&] { return h.metric(Metric::accept_no_descriptors) > 0; }));
  EXPECT_NE(late->receive_end(), End::none);
  for (const int fd : fillers) ::close(fd);
  const auto after = h.connect();
  after->send("y");
  EXPECT_EQ(after->receive(1), "y");
  early->send("z");
  EXPECT_EQ(early->receive(1), "z");
  ::rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
}

}  // namespace

std::vector<Scene> process_scenes() {
  return {{"no_descriptors_left", few_descriptors, no_descriptors_left, "it is about the descriptors of a process"}};
}

const std::vector<Scene>& scenes() {
  static const std::vector<Scene> all = [] {
    std::vector<Scene> list = tcp_scenes();
    for (const Scene& scene : pipe_scenes()) list.push_back(scene);
    for (const Scene& scene : datagram_scenes()) list.push_back(scene);
    for (const Scene& scene : mail_scenes()) list.push_back(scene);
    for (const Scene& scene : process_scenes()) list.push_back(scene);
    return list;
  }();
  return all;
}

}  // namespace parley::loops

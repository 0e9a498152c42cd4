// tests/service/restarted.h - who watches what users have here when a process is killed and another one begins.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "tests/service/watcher.h"

namespace parley::tests {

using namespace std::chrono_literals;

inline unsigned long number_of(const std::string& notify) { return std::stoul("0" + header(notify, "CSeq")); }
inline unsigned long version_of(const std::string& notify) { return std::stoul("0" + version(notify)); }

struct RestartEvents : testing::Test {
  void SetUp() override { make(); }
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    config = sip_config();
    config->stores_bindings = true;
    config->im.participating = true;
    if (change) change(*config);
    world = std::make_unique<SipWorld>(config, shards);
    alice = std::make_unique<Watcher>(*world, "alice", "127.0.0.1:40001");
  }
  void pass(core::Duration time) {
    world->now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    world->advance(time);
  }
  void crash() {
    pass(1s);
    world->crash(config);
    (void)world->take();
  }
  // To whom NOTIFYs went.
  std::string told() {
    std::string all;
    for (const SipWorld::Sent& sent : world->take()) {
      if (sent.text.starts_with("NOTIFY")) all += core::to_string(sent.to).substr(10) + " ";
    }
    return all;
  }
  // What the next process says first.
  std::string first(Watcher& who) {
    EXPECT_TRUE(who.notifies().empty()) << "nothing in the first moment";
    pass(600ms);
    return who.notify();
  }
  std::shared_ptr<policy::SipConfig> config;
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Watcher> alice;
};

}  // namespace parley::tests

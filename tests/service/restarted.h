// tests/service/restarted.h - who watches what users have here when a process is killed and another one begins.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tests/service/watcher.h"

namespace parley::tests {

using namespace std::chrono_literals;

unsigned long number_of(const std::string& notify);
unsigned long version_of(const std::string& notify);

struct RestartEvents : testing::Test {
  void SetUp() override;
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1);
  void pass(core::Duration time);
  void crash();
  // To whom NOTIFYs went.
  std::string told();
  // What the next process says first.
  std::string first(Watcher& who);
  std::shared_ptr<policy::SipConfig> config;
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Watcher> alice;
};

}  // namespace parley::tests

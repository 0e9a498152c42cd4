// tests/policy/shared_map_test.cc - copies of a map that share what has not changed.
#include "policy/shared_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace parley::policy {
namespace {

TEST(SharedMap, EverySnapshotStaysAsItWas) {
  std::mt19937 random(4711);
  std::vector<std::pair<SharedMap<int>, std::map<std::string, int>>> snapshots(1);
  for (int step = 0; step < 3000; ++step) {
    SharedMap<int> next = snapshots.back().first;
    std::map<std::string, int> wanted = snapshots.back().second;
    for (std::uint64_t left = 1 + random() % 3; left != 0; --left) {
      const std::string key = "sip:" + std::to_string(random() % 400) + "@example.org";
      if (random() % 3 == 0) {
        next.erase(key);
        wanted.erase(key);
      } else {
        next.put(key, std::make_shared<const int>(step));
        wanted[key] = step;
      }
    }
    snapshots.emplace_back(std::move(next), std::move(wanted));
    if (snapshots.size() > 50) snapshots.erase(snapshots.begin());
  }
  for (const auto& [map, wanted] : snapshots) {
    EXPECT_EQ(map.size(), wanted.size());
    for (int n = 0; n < 400; ++n) {
      const std::string key = "sip:" + std::to_string(n) + "@example.org";
      const auto there = map.find(key);
      const auto expected = wanted.find(key);
      ASSERT_EQ(there != nullptr, expected != wanted.end()) << key;
      if (there != nullptr) {
        EXPECT_EQ(*there, expected->second);
      }
    }
  }
}

TEST(SharedMap, AValueOutlivesItsMap) {
  std::shared_ptr<const std::string> held;
  {
    SharedMap<std::string> map;
    EXPECT_TRUE(map.empty());
    map.put("a", std::make_shared<const std::string>("x"));
    held = map.find("a");
    map.erase("a");
    map.erase("b");
    EXPECT_TRUE(map.empty());
  }
  EXPECT_EQ(*held, "x");
}

}  // namespace
}  // namespace parley::policy

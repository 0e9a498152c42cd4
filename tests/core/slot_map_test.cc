// tests/core/slot_map_test.cc - stale ids find nothing, addresses stay, and the map agrees with a plain model.
#include "core/slot_map.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "core/random.h"

namespace parley::core {
namespace {

TEST(SlotMap, an_erased_id_finds_nothing_even_when_its_slot_is_used_again) {
  SlotMap<int, 4> map(8);
  const SlotId first = map.emplace(1);
  EXPECT_TRUE(first.valid());
  EXPECT_EQ(*map.get(first), 1);
  EXPECT_TRUE(map.erase(first));
  EXPECT_FALSE(map.erase(first));
  const SlotId second = map.emplace(2);
  EXPECT_EQ(second.index, first.index);
  EXPECT_NE(second.generation, first.generation);
  EXPECT_EQ(map.get(first), nullptr);
  EXPECT_EQ(*map.get(second), 2);
}

TEST(SlotMap, invented_ids_find_nothing) {
  SlotMap<int, 4> map(8);
  EXPECT_EQ(map.get(SlotId{}), nullptr);
  EXPECT_EQ(map.get({0, 1}), nullptr);
  EXPECT_EQ(map.get({0xffffffffU, 1}), nullptr);
  const SlotId id = map.emplace(1);
  EXPECT_EQ(map.get({id.index, id.generation + 1}), nullptr);
  EXPECT_EQ(map.get({id.index, id.generation + 2}), nullptr);
  EXPECT_EQ(map.get({id.index + 1, id.generation}), nullptr);
  EXPECT_TRUE(map.erase(id));
  EXPECT_EQ(map.get({id.index, id.generation + 1}), nullptr);  // the dead slot's own, even generation
}

TEST(SlotMap, a_full_map_refuses_and_recovers) {
  SlotMap<int, 4> map(6);
  std::vector<SlotId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(map.emplace(i));
  EXPECT_FALSE(map.emplace(6).valid());
  EXPECT_EQ(map.size(), 6U);
  EXPECT_TRUE(map.erase(ids[3]));
  EXPECT_TRUE(map.emplace(7).valid());
  EXPECT_FALSE(map.emplace(8).valid());
  SlotMap<int> none(0);
  EXPECT_FALSE(none.emplace(1).valid());
}

TEST(SlotMap, addresses_stay_while_the_map_grows) {
  SlotMap<int, 4> map(1000);
  std::vector<std::pair<SlotId, int*>> seen;
  for (int i = 0; i < 1000; ++i) {
    const SlotId id = map.emplace(i);
    seen.emplace_back(id, map.get(id));
  }
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(map.get(seen[static_cast<std::size_t>(i)].first), seen[static_cast<std::size_t>(i)].second);
    EXPECT_EQ(*seen[static_cast<std::size_t>(i)].second, i);
  }
}

TEST(SlotMap, objects_are_destroyed_on_erase_and_with_the_map) {
  const auto token = std::make_shared<int>(0);
  {
    SlotMap<std::shared_ptr<int>, 4> map(16);
    std::vector<SlotId> ids;
    for (int i = 0; i < 10; ++i) ids.push_back(map.emplace(token));
    EXPECT_EQ(token.use_count(), 11);
    EXPECT_TRUE(map.erase(ids[0]));
    EXPECT_EQ(token.use_count(), 10);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(SlotMap, visiting_may_erase_what_it_visits_and_others) {
  SlotMap<int, 4> map(64);
  std::vector<SlotId> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(map.emplace(i));
  int visits = 0;
  map.for_each([&](SlotId id, int& value) {
    ++visits;
    EXPECT_EQ(id, ids[static_cast<std::size_t>(value)]);
    // Each visit takes itself and its right-hand neighbour away.
    const auto next = static_cast<std::size_t>(value) + 1;
    map.erase(id);
    if (next < ids.size()) map.erase(ids[next]);
  });
  EXPECT_EQ(visits, 20);
  EXPECT_TRUE(map.empty());
  map.for_each([](SlotId, int&) { FAIL(); });
}

TEST(SlotMap, ids_survive_packing) {
  const SlotId id{0x12345678U, 0x9abcdef1U};
  EXPECT_EQ(SlotId::unpack(id.packed()), id);
}

TEST(SlotMap, agrees_with_a_model_over_random_operations) {
  for (std::uint8_t run = 0; run < 4; ++run) {
    Seed seed{};
    seed[0] = run;
    Random random(seed);
    SlotMap<std::uint64_t, 8> map(200);
    std::map<std::uint64_t, std::uint64_t> live;  // packed id -> value
    std::vector<SlotId> every;
    for (int i = 0; i < 20000; ++i) {
      const std::uint64_t value = random.next();
      if (every.empty() || random.uniform(5) < 3) {
        const SlotId id = map.emplace(value);
        ASSERT_EQ(id.valid(), live.size() < 200);
        if (id.valid()) {
          ASSERT_TRUE(live.emplace(id.packed(), value).second);
          every.push_back(id);
        }
      } else {
        const SlotId id = every[random.uniform(every.size())];
        const auto known = live.find(id.packed());
        const std::uint64_t* found = map.get(id);
        ASSERT_EQ(found != nullptr, known != live.end());
        if (found != nullptr) {
          ASSERT_EQ(*found, known->second);
        }
        ASSERT_EQ(map.erase(id), known != live.end());
        if (known != live.end()) live.erase(known);
      }
      ASSERT_EQ(map.size(), live.size());
      if (i % 1000 == 0) {
        std::size_t visited = 0;
        map.for_each([&](SlotId id, std::uint64_t& v) {
          ++visited;
          EXPECT_EQ(live.at(id.packed()), v);
        });
        ASSERT_EQ(visited, live.size());
      }
    }
  }
}

}  // namespace
}  // namespace parley::core

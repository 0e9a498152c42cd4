// tests/core/linearizability.h - decides whether a recorded history of one key is that of an atomic register.
//
// Just-in-time linearization: events are walked in time order with the set of all (state, which pending operations have
// already taken effect) that explain what was seen so far. Exact, and fast because few operations are pending at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

namespace parley::core::test {

inline constexpr std::uint64_t absent = 0;

struct Operation {
  enum class Kind : std::uint8_t { lookup, insert, insert_exists, insert_full, erase, erase_nothing };
  Kind kind = Kind::lookup;
  std::uint32_t thread = 0;      // a thread has one operation at a time; below 32
  std::uint64_t value = absent;  // lookup: what it saw; insert: what it wrote
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

// The state after `op` takes effect in `state`; false when its answer does not fit the state.
inline bool takes_effect(const Operation& op, std::uint64_t& state) {
  switch (op.kind) {
    case Operation::Kind::lookup: return state == op.value;
    case Operation::Kind::insert: return state == absent && ((state = op.value), true);
    case Operation::Kind::insert_exists: return state != absent;
    case Operation::Kind::insert_full: return state == absent;
    case Operation::Kind::erase: return state != absent && ((state = absent), true);
    case Operation::Kind::erase_nothing: return state == absent;
  }
  return false;
}

inline bool is_linearizable(const std::vector<Operation>& history) {
  struct Event {
    std::int64_t at_ns;
    bool is_return;  // calls sort before returns of the same instant: those operations may overlap
    const Operation* op;
    bool operator<(const Event& other) const {
      return at_ns != other.at_ns ? at_ns < other.at_ns : is_return < other.is_return;
    }
  };
  std::vector<Event> events;
  for (const Operation& op : history) {
    events.push_back({op.start_ns, false, &op});
    events.push_back({op.end_ns, true, &op});
  }
  std::stable_sort(events.begin(), events.end());

  using Configuration = std::pair<std::uint64_t, std::uint32_t>;  // state, threads whose operation took effect
  std::set<Configuration> possible = {{absent, 0}};
  std::vector<const Operation*> pending;
  for (const Event& event : events) {
    if (!event.is_return) {
      pending.push_back(event.op);
      continue;
    }
    std::vector<Configuration> work(possible.begin(), possible.end());
    while (!work.empty()) {
      const auto [state, done] = work.back();
      work.pop_back();
      for (const Operation* op : pending) {
        const std::uint32_t bit = 1U << op->thread;
        std::uint64_t next = state;
        if ((done & bit) != 0 || !takes_effect(*op, next)) continue;
        if (possible.emplace(next, done | bit).second) work.emplace_back(next, done | bit);
      }
    }
    const std::uint32_t returning = 1U << event.op->thread;
    std::set<Configuration> left;
    for (const auto& [state, done] : possible) {
      if ((done & returning) != 0) left.emplace(state, done & ~returning);
    }
    if (left.empty()) return false;
    possible = std::move(left);
    pending.erase(std::find(pending.begin(), pending.end(), event.op));
  }
  return true;
}

}  // namespace parley::core::test

// tests/sim/agenda.h - virtual time: what happens next, ordered by (time, order of being asked for).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "core/time.h"

namespace parley::sim {

using core::Duration;
using core::Instant;
using namespace std::chrono_literals;

inline std::uint64_t micros(Duration d) { return static_cast<std::uint64_t>(d.count()) / 1000; }

class Agenda {
 public:
  using Action = std::function<void()>;

  [[nodiscard]] Instant now() const { return now_; }

  void at(Instant when, Action action) {
    heap_.push_back({std::max(when, now_), next_++, std::move(action)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] Instant next_at() const { return heap_.front().when; }

  // Jumps to the next entry and carries it out.
  void run_one() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.when;
    ++done_;
    entry.action();
  }
  void jump_to(Instant when) { now_ = std::max(now_, when); }
  [[nodiscard]] std::uint64_t done() const { return done_; }

 private:
  struct Entry {
    Instant when;
    std::uint64_t order;
    Action action;
  };
  static bool later(const Entry& a, const Entry& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
  }

  std::vector<Entry> heap_;
  Instant now_{1000s};  // not zero: a forgotten initialisation must not look like "now"
  std::uint64_t next_ = 0;
  std::uint64_t done_ = 0;
};

}  // namespace parley::sim

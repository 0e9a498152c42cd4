// core/metrics.h - counters and gauges: one plain array per shard, written by its thread, read by the admin thread.
//
// A cell is an atomic that is only ever loaded and stored relaxed by its one writer, so counting costs an addition.
// Names, types and help texts stand in metrics.def, once.
#pragma once

#include <atomic>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parley::core {

enum class Metric : std::uint16_t {
#define PARLEY_METRIC(id, type, name, help) id,
#include "core/metrics.def"
#undef PARLEY_METRIC
  count_,
};
inline constexpr std::size_t metric_count = static_cast<std::size_t>(Metric::count_);

enum class MetricType : std::uint8_t { counter, gauge };

struct MetricInfo {
  std::string_view name;  // without labels; labels follow in braces: msrp_requests_total{method="SEND"}
  MetricType type;
  std::string_view help;
};
const MetricInfo& metric_info(Metric metric);

class alignas(64) Metrics {
 public:
  void add(Metric metric, std::uint64_t n = 1) {
    auto& cell = cells_[static_cast<std::size_t>(metric)];
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void sub(Metric metric, std::uint64_t n = 1) {
    auto& cell = cells_[static_cast<std::size_t>(metric)];
    cell.store(cell.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void set(Metric metric, std::uint64_t value) {
    cells_[static_cast<std::size_t>(metric)].store(value, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get(Metric metric) const {
    return cells_[static_cast<std::size_t>(metric)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, metric_count> cells_{};
};

}  // namespace parley::core

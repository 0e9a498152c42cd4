// tools/parley-load/measurement.h - what every load measures around its own figures: time, the server's CPU and memory,
// the generator's CPU; and counters that are added and subtracted.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include "tools/parley-load/process.h"
#include "tools/parley-load/server_cpu.h"

namespace parley::load {

struct Measurement {
  double measured_s = 0;
  uint64_t own_cpu_ns = 0;
  uint64_t own_user_ns = 0;   // the part of it that is not the kernel's
  ServerSample server_setup;       // before anything was set up, of loads that measure that
  ServerSample server_setup_done;
  ServerSample server_begin;
  ServerSample server_end;
  bool server_tree_grew = false;
  uint64_t pss_before_kib = 0;  // before the first connection
  uint64_t pss_after_kib = 0;

  bool server_known() const { return server_begin.ok && server_end.ok && !server_tree_grew; }
  double server_us_per(uint64_t things) const;
  double server_cores() const;
  double own_us_per(uint64_t things) const;
  double own_cores() const;
};

// Reads the clocks at both ends of the measurement, and has a line printed each second.
class MeasuringMonitor : public Monitor {
 public:
  // `idle`: nothing is done while measuring; "ready" is printed when it begins.
  MeasuringMonitor(Measurement& measurement, ServerWatch& watch, bool progress, bool idle = false)
      : measurement_(measurement), watch_(watch), progress_(progress), idle_(idle) {}

  void on_setup_done() override { watch_.refresh(); }
  void on_measure_begin(uint64_t now) override;
  void on_measure_end(uint64_t now) override;
  void on_turn(uint64_t now) override;

 protected:
  // What has been done in the last `step_s` seconds.
  virtual std::string progress(double step_s) = 0;
  [[nodiscard]] Measurement& measurement() { return measurement_; }
  [[nodiscard]] ServerWatch& watch() { return watch_; }

 private:
  Measurement& measurement_;
  ServerWatch& watch_;
  const bool progress_;
  const bool idle_;
  uint64_t begin_ns_ = 0;
  uint64_t first_ns_ = 0;
  uint64_t last_ns_ = 0;
};

// `Counts` is nothing but uint64_t members; adding and subtracting them one by one would only invite a forgotten one.
template <typename Counts, typename Operation>
void combine(Counts& into, const Counts& other, Operation operation) {
  using Fields = std::array<uint64_t, sizeof(Counts) / sizeof(uint64_t)>;
  auto left = std::bit_cast<Fields>(into);
  const auto right = std::bit_cast<Fields>(other);
  for (size_t i = 0; i < left.size(); ++i) left[i] = operation(left[i], right[i]);
  into = std::bit_cast<Counts>(left);
}
template <typename Counts>
void add(Counts& into, const Counts& other) {
  combine(into, other, [](uint64_t a, uint64_t b) { return a + b; });
}
template <typename Counts>
void subtract(Counts& from, const Counts& other) {
  combine(from, other, [](uint64_t a, uint64_t b) { return a - b; });
}

}  // namespace parley::load

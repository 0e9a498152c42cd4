// tools/parley-load/measurement.cc - see measurement.h.
#include "tools/parley-load/measurement.h"

#include <cstdio>

#include "tools/parley-load/clock.h"
#include "tools/parley-load/report_parts.h"

namespace parley::load {

double Measurement::server_us_per(uint64_t things) const {
  return per(static_cast<double>(server_end.cpu_ns - server_begin.cpu_ns) / 1000.0, static_cast<double>(things));
}
double Measurement::server_cores() const {
  return per(static_cast<double>(server_end.cpu_ns - server_begin.cpu_ns) / 1e9, measured_s);
}
double Measurement::own_us_per(uint64_t things) const {
  return per(static_cast<double>(own_cpu_ns) / 1000.0, static_cast<double>(things));
}
double Measurement::own_cores() const { return per(static_cast<double>(own_cpu_ns) / 1e9, measured_s); }

void MeasuringMonitor::on_measure_begin(uint64_t now) {
  begin_ns_ = now;
  measurement_.server_begin = watch_.sample();
  measurement_.own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  measurement_.own_user_ns = own_user_ns();
  if (!idle_) return;
  watch_.refresh();
  measurement_.pss_after_kib = watch_.pss_kib();
  std::printf("ready\n");
  std::fflush(stdout);
}

void MeasuringMonitor::on_measure_end(uint64_t now) {
  measurement_.own_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - measurement_.own_cpu_ns;
  measurement_.own_user_ns = own_user_ns() - measurement_.own_user_ns;
  measurement_.server_end = watch_.sample();
  if (begin_ns_ == 0) begin_ns_ = now;  // stopped before the measurement began
  measurement_.measured_s = static_cast<double>(now - begin_ns_) / 1e9;
  if (idle_) return;
  measurement_.server_tree_grew = watch_.refresh();
  measurement_.pss_after_kib = watch_.pss_kib();
}

void MeasuringMonitor::on_turn(uint64_t now) {
  if (!progress_) return;
  if (last_ns_ == 0) last_ns_ = first_ns_ = now;
  if (now - last_ns_ < kNsPerSecond) return;
  const char* const phase = begin_ns_ == 0 ? "warm-up" : measurement_.measured_s > 0 ? "drain" : "measure";
  std::fprintf(stderr, "%4.0f s  %-8s %s\n", static_cast<double>(now - first_ns_) / 1e9, phase,
               progress(static_cast<double>(now - last_ns_) / 1e9).c_str());
  last_ns_ = now;
}

}  // namespace parley::load

// tools/parley-load/report_parts.cc - latency, codes and the JSON file.
#include "tools/parley-load/report_parts.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

namespace parley::load {

nlohmann::json latency_json(const Histogram& h) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  return {{"count", h.count()},
          {"mean", h.mean_ns() / 1000.0},
          {"p50", us(h.percentile_ns(0.5))},
          {"p90", us(h.percentile_ns(0.9))},
          {"p99", us(h.percentile_ns(0.99))},
          {"p99.9", us(h.percentile_ns(0.999))},
          {"max", us(h.max_ns())}};
}

nlohmann::json codes_json(const std::map<unsigned, uint64_t>& codes) {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [code, count] : codes) out[std::to_string(code)] = count;
  return out;
}

void print_latency(const char* name, const Histogram& h) {
  const auto us = [&h](double fraction) { return static_cast<double>(h.percentile_ns(fraction)) / 1000.0; };
  std::printf("  %-22s p50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n", name, us(0.5), us(0.9), us(0.99),
              us(0.999), static_cast<double>(h.max_ns()) / 1000.0);
}

bool write_json_text(const nlohmann::json& out, const std::string& file) {
  const std::string text = out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (file == "-") {
    std::cout << text << std::flush;
    return static_cast<bool>(std::cout);
  }
  std::ofstream target(file);
  target << text << std::flush;
  return static_cast<bool>(target);
}

}  // namespace parley::load

// tools/parley-load/report_parts.h - what the reports of all loads have in common.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/parley-load/histogram.h"

namespace parley::load {

inline double per(double amount, double count) { return count > 0 ? amount / count : 0; }

nlohmann::json latency_json(const Histogram& h);
nlohmann::json codes_json(const std::map<unsigned, uint64_t>& codes);
void print_latency(const char* name, const Histogram& h);
// To `file`, or to standard output for "-". False: cannot be written.
bool write_json_text(const nlohmann::json& out, const std::string& file);

}  // namespace parley::load

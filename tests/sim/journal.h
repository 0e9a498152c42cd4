// tests/sim/journal.h - the trace (one line per state change), its hash, and the first thing that went wrong.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <string>

#include "tests/sim/agenda.h"

namespace parley::sim {

class Journal {
 public:
  Journal(const Agenda& agenda, bool print) : agenda_(agenda), print_(print) {}

  [[gnu::format(printf, 2, 3)]] void line(const char* format, ...) {
    char text[512];
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(agenda_.now().time_since_epoch()).count();
    int size = std::snprintf(text, sizeof text, "%12.6f ", static_cast<double>(us) / 1e6);
    va_list args;
    va_start(args, format);
    size += std::vsnprintf(text + size, sizeof text - static_cast<std::size_t>(size), format, args);
    va_end(args);
    if (size > static_cast<int>(sizeof text) - 1) size = sizeof text - 1;
    for (int n = 0; n < size; ++n) hash_ = (hash_ ^ static_cast<unsigned char>(text[n])) * 0x100000001b3ULL;
    if (print_) std::printf("%.*s\n", size, text);
  }

  // The first violation ends the run; what follows from it is of no interest.
  [[gnu::format(printf, 2, 3)]] void fail(const char* format, ...) {
    if (failed()) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    std::vsnprintf(text, sizeof text, format, args);
    va_end(args);
    failure_ = text;
    line("VIOLATION %s", text);
  }

  [[nodiscard]] bool failed() const { return !failure_.empty(); }
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

  // What makes a seed worth its time.
  std::uint64_t faults = 0;
  std::uint64_t deliveries = 0;

 private:
  const Agenda& agenda_;
  bool print_;
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::string failure_;
};

}  // namespace parley::sim

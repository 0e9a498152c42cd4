// tests/fuzz/cost.h - what reading an input may cost: memory and time in proportion to its bytes. Include in one file
// of a binary only.
//
//   const Cost cost(text.size());
//   ... what is measured: the library alone, none of the test's own copies ...
//   // the end of the scope judges
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "core/check.h"
#include "tests/msrp/allocations.h"

namespace parley::tests {

class Cost {
 public:
  static constexpr std::int64_t bytes_for_each_byte = 4;
  static constexpr std::int64_t bytes_for_any_input = 16 * 1024;
  // Of the thread's own time. A reader takes 5 to 50 ns a byte in a sanitizer build; one that takes time with the
  // square of 64 KiB is far above this, a pause of the machine below it.
  static constexpr std::int64_t ns_for_each_byte = 4'000;
  static constexpr std::int64_t ns_for_any_input = 500'000'000;

  explicit Cost(std::size_t input_bytes)
      : input_bytes_(input_bytes), bytes_before_(allocated_bytes), ns_before_(thread_ns()) {
    allocated_bytes_peak = allocated_bytes;
  }
  ~Cost() {
    const std::ptrdiff_t bytes = allocated_bytes_peak - bytes_before_;
    const std::int64_t ns = thread_ns() - ns_before_;
    const auto input = static_cast<std::int64_t>(input_bytes_);
    const bool cheap = bytes <= bytes_for_each_byte * input + bytes_for_any_input;
    const bool quick = ns <= ns_for_each_byte * input + ns_for_any_input;
    if (!cheap || !quick) {
      std::fprintf(stderr, "an input of %td bytes cost %td bytes and %td ns\n", static_cast<std::ptrdiff_t>(input),
                   bytes, static_cast<std::ptrdiff_t>(ns));
    }
    CHECK(cheap);
    CHECK(quick);
  }
  Cost(const Cost&) = delete;
  Cost& operator=(const Cost&) = delete;

 private:
  static std::int64_t thread_ns() {
    std::timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }

  std::size_t input_bytes_;
  std::ptrdiff_t bytes_before_;
  std::int64_t ns_before_;
};

// For what takes no memory at all.
class NoMemory {
 public:
  explicit NoMemory(std::size_t input_bytes) : cost_(input_bytes), before_(allocations) {}
  ~NoMemory() { CHECK(allocations == before_); }
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;

 private:
  Cost cost_;
  std::size_t before_;
};

// What `read` returns; `read` takes no memory.
template <class Read>
decltype(auto) without_memory(std::size_t input_bytes, const Read& read) {
  const NoMemory measured(input_bytes);
  return read();
}

}  // namespace parley::tests

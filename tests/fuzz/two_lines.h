// tests/fuzz/two_lines.h - inputs of two texts, one per line.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/msrp/blocks.h"

namespace parley::tests {

// Each text in a block that ends where it ends; the second one holds all lines behind the first.
class TwoLines {
 public:
  TwoLines(const std::uint8_t* data, std::size_t size)
      : TwoLines(std::string_view(reinterpret_cast<const char*>(data), size)) {}
  [[nodiscard]] std::string_view first() const { return first_.view(); }
  [[nodiscard]] std::string_view second() const { return second_.view(); }

 private:
  explicit TwoLines(std::string_view input) : TwoLines(input, std::min(input.find('\n'), input.size())) {}
  TwoLines(std::string_view input, std::size_t end)
      : first_(input.substr(0, end)), second_(input.substr(std::min(end + 1, input.size()))) {}
  ExactBlock first_;
  ExactBlock second_;
};

}  // namespace parley::tests

// policy/scratch.h - memory that is written to and kept; it grows to the largest message and is not cleared in between.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace parley::policy {

class Scratch {
 public:
  [[nodiscard]] char* room(std::size_t bytes) {
    if (bytes_.size() < bytes) bytes_.resize(bytes * 2);
    return bytes_.data();
  }
  [[nodiscard]] std::string_view view(std::size_t bytes) const { return {bytes_.data(), bytes}; }

 private:
  std::vector<char> bytes_;
};

}  // namespace parley::policy

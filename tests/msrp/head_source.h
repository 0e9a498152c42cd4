// tests/msrp/head_source.h - makes heads: well-formed ones, odd ones, and ones that were damaged. Same seed, same
// heads.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace parley::tests {

class HeadSource {
 public:
  explicit HeadSource(std::uint64_t seed) : random_(seed) {}

  // A frame's bytes up to its body, perhaps damaged, perhaps with bytes behind it.
  std::string head();
  std::string uri();
  std::string damaged(std::string bytes);
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::string path();
  std::string run_of(const std::string& set, std::size_t from, std::size_t to);
  std::string header();
  template <std::size_t n>
  std::string any_of(const char* const (&choices)[n]) {
    return choices[below(n)];
  }

  std::mt19937_64 random_;
};

}  // namespace parley::tests

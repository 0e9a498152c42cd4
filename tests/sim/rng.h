// tests/sim/rng.h - the only source of chance in a simulation: one 64-bit seed, split into independent streams.
#pragma once

#include <array>
#include <cstdint>

namespace parley::sim {

// SplitMix64: short, passes what matters here, and two streams of one seed never meet in practice.
class Rng {
 public:
  Rng(std::uint64_t seed, std::uint64_t stream) : state_(seed * 0x9e3779b97f4a7c15ULL + stream * 0xd1342543de82ef95ULL) {
    (void)next();
    (void)next();
  }

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // low..high, both included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + next() % (high - low + 1); }
  std::uint32_t between32(std::uint32_t low, std::uint32_t high) { return static_cast<std::uint32_t>(between(low, high)); }
  // Small values often, large ones sometimes: every power of two is as likely as the next.
  std::uint64_t scaled(std::uint64_t low, std::uint64_t high) {
    std::uint64_t top = high;
    while (top / 2 > low && coin(1, 2)) top /= 2;
    return between(low, top < low ? low : top);
  }
  bool coin(std::uint64_t chances, std::uint64_t of) { return next() % of < chances; }
  bool permille(std::uint32_t p) { return p != 0 && next() % 1000 < p; }

  std::array<std::uint8_t, 32> bytes32() {
    std::array<std::uint8_t, 32> out{};
    for (auto& b : out) b = static_cast<std::uint8_t>(next());
    return out;
  }

 private:
  std::uint64_t state_;
};

}  // namespace parley::sim

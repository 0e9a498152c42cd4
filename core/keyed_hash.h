// core/keyed_hash.h - 128 bits that stand for what a peer wrote: SipHash-2-4 with a key the peer does not know.
//
// Two texts with one hash can be neither searched for nor expected, so records that are found by their hash need not
// keep the text. Of several fields: each is preceded by its length and padded to eight bytes, so "ab" "c" and "a" "bc"
// differ.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/random.h"
#include "core/text.h"

namespace parley::core {

struct Hash128 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
};

struct HashKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  static HashKey make(Random& random) { return {random.next(), random.next()}; }
};

class KeyedHash {
 public:
  explicit KeyedHash(const HashKey& key)
      : v0_(key.low ^ 0x736f6d6570736575ULL),
        v1_(key.high ^ 0x646f72616e646f6dULL ^ 0xee),
        v2_(key.low ^ 0x6c7967656e657261ULL),
        v3_(key.high ^ 0x7465646279746573ULL) {}

  KeyedHash& add(std::uint64_t word) {
    v3_ ^= word;
    round();
    round();
    v0_ ^= word;
    ++words_;
    return *this;
  }
  KeyedHash& add(std::string_view field) {
    add(std::uint64_t{field.size()});
    std::size_t at = 0;
    for (; at + 8 <= field.size(); at += 8) add(word_at(field, at, 8));
    if (at < field.size()) add(word_at(field, at, field.size() - at));
    return *this;
  }
  // The same for all spellings that differ in case only (US-ASCII).
  KeyedHash& add_lower(std::string_view field) {
    add(std::uint64_t{field.size()});
    for (std::size_t at = 0; at < field.size(); at += 8) {
      add(lower_word(word_at(field, at, field.size() - at < 8 ? field.size() - at : 8)));
    }
    return *this;
  }

  [[nodiscard]] Hash128 finish() {
    add(std::uint64_t{words_ * 8 & 0xff} << 56);
    v2_ ^= 0xee;
    for (int n = 0; n < 4; ++n) round();
    Hash128 hash;
    hash.low = v0_ ^ v1_ ^ v2_ ^ v3_;
    v1_ ^= 0xdd;
    for (int n = 0; n < 4; ++n) round();
    hash.high = v0_ ^ v1_ ^ v2_ ^ v3_;
    return hash;
  }

 private:
  static std::uint64_t word_at(std::string_view text, std::size_t at, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, size);
    return word;
  }
  // Eight characters at once: 0x20 is set in each byte that is A to Z.
  static constexpr std::uint64_t lower_word(std::uint64_t word) {
    constexpr std::uint64_t ones = 0x0101010101010101ULL;
    const std::uint64_t low = word & (ones * 0x7f);
    const std::uint64_t from_a = low + ones * (0x80 - 'A');      // high bit where the character is 'A' or more
    const std::uint64_t past_z = low + ones * (0x80 - 'Z' - 1);  // and where it is more than 'Z'
    const std::uint64_t upper = from_a & ~past_z & ~word & (ones * 0x80);
    return word | (upper >> 2);
  }
  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  std::uint64_t v0_;
  std::uint64_t v1_;
  std::uint64_t v2_;
  std::uint64_t v3_;
  std::uint64_t words_ = 0;
};

}  // namespace parley::core

// tools/parley-load/pattern.cc - the text behind every body.
#include "tools/parley-load/pattern.h"

#include <algorithm>
#include <cstring>

namespace parley::load {
namespace {

uint64_t mix(uint64_t x) {  // splitmix64's finisher
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t message_seed(uint32_t pair, uint64_t number) { return mix((static_cast<uint64_t>(pair) << 40) ^ number); }

Pattern::Pattern(Content content) : text_(kPeriodBytes + kPieceBytesMax) {
  static constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kPeriodBytes; ++i) text_[i] = kLetters[mix(i) & 63];
  if (content == Content::lines) {
    // Our own transaction ids start with 'L' and hold only hex digits, so this one can never end a frame of ours.
    static constexpr std::string_view kForeignEnd = "\r\n-------foreign-end$\r\n";
    for (size_t i = 22; i < kPeriodBytes; i += 23) text_[i] = '-';
    for (size_t i = 59; i + 1 < kPeriodBytes; i += 61) {
      text_[i] = '\r';
      text_[i + 1] = '\n';
    }
    for (size_t i = 500; i + kForeignEnd.size() < kPeriodBytes; i += 1000) {
      std::copy(kForeignEnd.begin(), kForeignEnd.end(), text_.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  for (size_t i = kPeriodBytes; i < text_.size(); ++i) text_[i] = text_[i - kPeriodBytes];
}

std::string_view Pattern::piece(uint64_t seed, uint64_t offset, size_t bytes) const {
  const size_t start = static_cast<size_t>((seed % kPeriodBytes + offset) % kPeriodBytes);
  return {text_.data() + start, std::min(bytes, kPieceBytesMax)};
}

size_t Pattern::first_difference(uint64_t seed, uint64_t offset, std::string_view data) const {
  size_t done = 0;
  while (done < data.size()) {
    const std::string_view want = piece(seed, offset + done, data.size() - done);
    if (std::memcmp(want.data(), data.data() + done, want.size()) != 0) {
      for (size_t i = 0; i < want.size(); ++i) {
        if (want[i] != data[done + i]) return done + i;
      }
    }
    done += want.size();
  }
  return done;
}

}  // namespace parley::load

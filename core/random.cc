// core/random.cc - see random.h.
#include "core/random.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace parley::core {

Random::Random(const Seed& seed)
    : cipher_(EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr)), context_(EVP_CIPHER_CTX_new()), key_(seed) {
  CHECK(cipher_ != nullptr);
  CHECK(context_ != nullptr);
  CHECK(EVP_EncryptInit_ex2(context_, cipher_, nullptr, nullptr, nullptr) == 1);
}

Random::~Random() {
  EVP_CIPHER_CTX_free(context_);
  EVP_CIPHER_free(cipher_);
  OPENSSL_cleanse(key_.data(), key_.size());
  OPENSSL_cleanse(buffer_.data(), buffer_.size());
}

void Random::refill() {
  // The key is used for one refill only, so counter and nonce may stay zero.
  static constexpr std::uint8_t counter_and_nonce[16] = {};
  int written = 0;
  buffer_.fill(0);
  // Without naming the cipher again: that would make libcrypto allocate a new state each time.
  CHECK(EVP_EncryptInit_ex2(context_, nullptr, key_.data(), counter_and_nonce, nullptr) == 1);
  CHECK(EVP_EncryptUpdate(context_, buffer_.data(), &written, buffer_.data(), static_cast<int>(refill_bytes)) == 1);
  CHECK(written == static_cast<int>(refill_bytes));
  std::memcpy(key_.data(), buffer_.data(), key_bytes);
  OPENSSL_cleanse(buffer_.data(), key_bytes);
  at_ = key_bytes;
}

std::uint64_t Random::next() {
  if (at_ + sizeof(std::uint64_t) > refill_bytes) refill();
  std::uint64_t value;
  std::memcpy(&value, buffer_.data() + at_, sizeof(value));
  std::memset(buffer_.data() + at_, 0, sizeof(value));
  at_ += sizeof(value);
  return value;
}

void Random::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    if (at_ == refill_bytes) refill();
    const std::size_t count = std::min(out.size(), refill_bytes - at_);
    std::memcpy(out.data(), buffer_.data() + at_, count);
    std::memset(buffer_.data() + at_, 0, count);
    at_ += count;
    out = out.subspan(count);
  }
}

std::uint64_t Random::uniform(std::uint64_t n) {
  CHECK(n != 0);
  // Values below 2^64 mod n would make the small results likelier: they are drawn again (at most every second time).
  const std::uint64_t reject_below = (0 - n) % n;
  for (;;) {
    const std::uint64_t value = next();
    if (value >= reject_below) return value % n;
  }
}

Seed Random::fork() {
  Seed seed;
  fill(seed);
  return seed;
}

}  // namespace parley::core

// core/random.h - unguessable numbers that replay: a ChaCha20 keystream grown from 32 bytes given from outside.
//
// One per shard, used by its thread alone. The same seed gives the same numbers, which is how the simulator replays a
// run; parleyd seeds it from the system (core/entropy.h). Fast key erasure: every refill replaces the key with its own
// first bytes and every number is wiped when it is handed out, so memory read later does not tell earlier numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

using EVP_CIPHER = struct evp_cipher_st;
using EVP_CIPHER_CTX = struct evp_cipher_ctx_st;

namespace parley::core {

using Seed = std::array<std::uint8_t, 32>;

class Random {
 public:
  explicit Random(const Seed& seed);
  ~Random();
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;

  [[nodiscard]] std::uint64_t next();
  void fill(std::span<std::uint8_t> out);
  // 0 .. n-1, every value equally likely; n must not be 0.
  [[nodiscard]] std::uint64_t uniform(std::uint64_t n);
  // A seed for a generator of its own (another shard, a nonce key).
  [[nodiscard]] Seed fork();

 private:
  // 4 KiB: one libcrypto call per about 500 numbers; the first 32 bytes of each refill are the next key.
  static constexpr std::size_t refill_bytes = 4096;
  static constexpr std::size_t key_bytes = 32;

  void refill();

  EVP_CIPHER* cipher_;
  EVP_CIPHER_CTX* context_;
  Seed key_;
  std::array<std::uint8_t, refill_bytes> buffer_{};
  std::size_t at_ = refill_bytes;
};

}  // namespace parley::core

// sip/kept_bytes.h - bytes that must outlive the message they came with or went out in: a heap block of the shard's
// pool, counted against its limit and given back with the object.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/pool.h"

namespace parley::sip {

// Moved, never copied. The pool must outlive it.
class KeptBytes {
 public:
  KeptBytes() = default;
  ~KeptBytes() { drop(); }
  KeptBytes(const KeptBytes&) = delete;
  KeptBytes& operator=(const KeptBytes&) = delete;
  KeptBytes(KeptBytes&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)), block_(std::exchange(other.block_, core::no_buffer)) {}
  KeptBytes& operator=(KeptBytes&& other) noexcept {
    if (this == &other) return *this;
    drop();
    pool_ = std::exchange(other.pool_, nullptr);
    block_ = std::exchange(other.block_, core::no_buffer);
    return *this;
  }

  // A new block to write `bytes` bytes into, in place of the old one; null, and nothing changed, when the pool's limit
  // is reached. `bytes` is not 0.
  [[nodiscard]] char* take(core::Pool& pool, std::uint32_t bytes) {
    const core::BufferId block = pool.take_heap(bytes);
    if (block == core::no_buffer) return nullptr;
    drop();
    pool_ = &pool;
    block_ = block;
    return pool.data(block);
  }

  // False, and the old bytes stay, when the pool's limit is reached. `bytes` may be a part of what is kept.
  [[nodiscard]] bool keep(core::Pool& pool, std::string_view bytes) {
    if (bytes.empty()) {
      drop();
      return true;
    }
    KeptBytes fresh;
    char* const to = fresh.take(pool, static_cast<std::uint32_t>(bytes.size()));
    if (to == nullptr) return false;
    std::memcpy(to, bytes.data(), bytes.size());
    *this = std::move(fresh);
    return true;
  }

  void drop() {
    if (block_ != core::no_buffer) pool_->release(block_);
    block_ = core::no_buffer;
  }

  [[nodiscard]] bool empty() const { return block_ == core::no_buffer; }
  // Until the next change.
  [[nodiscard]] std::string_view view() const LIFETIME_BOUND {
    if (empty()) return {};
    return {pool_->data(block_), pool_->size(block_)};
  }

 private:
  core::Pool* pool_ = nullptr;
  core::BufferId block_ = core::no_buffer;
};

}  // namespace parley::sip

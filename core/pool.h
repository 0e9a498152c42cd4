// core/pool.h - the memory that bytes live in while they move: counted blocks named by id, and slices of them.
//
// One Pool per shard, used by that shard's thread alone (the counts are not atomic). Three fixed classes are mapped at
// start and reused last-in first-out so that they stay in cache; exact-size heap blocks, counted against a limit, hold
// bytes that must wait. A block goes back to its class when its last reference is released.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace parley::core {

using BufferId = std::uint32_t;
inline constexpr BufferId no_buffer = 0xffffffffU;

// `length` bytes from `offset` of one block. A Slice is a name, not an owner: whoever keeps one calls Pool::retain.
struct Slice {
  BufferId buffer = no_buffer;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;

  [[nodiscard]] Slice part(std::uint32_t from, std::uint32_t size) const { return {buffer, offset + from, size}; }
};

enum class BlockClass : std::uint8_t {
  small,  // 4 KiB receive buffers: most connections
  large,  // 64 KiB receive buffers: connections that stream; few, so that they stay hot
  arena,  // 32 KiB blocks that generated heads and copied small bodies are written to
  heap,   // exact size, for bytes that wait
};
inline constexpr std::size_t fixed_classes = 3;

class Pool {
 public:
  struct Config {
    std::uint32_t small_count = 2048;  // 8 MiB
    // 8 MiB, touched only as far as streams fill them. bench/loop_echo, 50 connections, 10 KiB: 32 blocks 7.9 us per
    // message, 128 blocks 5.4 us.
    std::uint32_t large_count = 128;
    std::uint32_t arena_count = 64;    // 2 MiB; when they are all out, reserve() falls back to heap blocks
    std::uint64_t heap_bytes_max = 256ULL << 20;
  };
  static constexpr std::uint32_t small_bytes = 4096;
  static constexpr std::uint32_t large_bytes = 65536;
  static constexpr std::uint32_t arena_bytes = 32768;

  explicit Pool(const Config& config);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // A free block of a fixed class with one reference, or no_buffer when the class is empty.
  [[nodiscard]] BufferId take(BlockClass cls);
  // A heap block of exactly `bytes` with one reference, or no_buffer when heap_bytes_max would be passed.
  [[nodiscard]] BufferId take_heap(std::uint32_t bytes);

  // Takes over malloc'd memory (bytes that another shard wrote); no_buffer, and nothing taken, at the limit,
  // unless it is to be taken all the same.
  [[nodiscard]] BufferId adopt_heap(char* base, std::uint32_t bytes, bool past_limit = false);

  void retain(BufferId id) { ++blocks_[id].refs; }
  void release(BufferId id) {
    if (--blocks_[id].refs == 0) recycle(id);
  }

  [[nodiscard]] char* data(BufferId id) { return blocks_[id].base; }
  [[nodiscard]] std::uint32_t size(BufferId id) const { return blocks_[id].bytes; }
  [[nodiscard]] std::uint32_t refs(BufferId id) const { return blocks_[id].refs; }
  [[nodiscard]] BlockClass block_class(BufferId id) const { return blocks_[id].cls; }
  // Valid while the block holds a reference.
  [[nodiscard]] std::string_view view(const Slice& s) { return {blocks_[s.buffer].base + s.offset, s.length}; }
  [[nodiscard]] char* at(const Slice& s) { return blocks_[s.buffer].base + s.offset; }

  [[nodiscard]] std::uint32_t free_count(BlockClass cls) const {
    return static_cast<std::uint32_t>(free_[static_cast<std::size_t>(cls)].size());
  }
  [[nodiscard]] std::uint32_t total(BlockClass cls) const { return totals_[static_cast<std::size_t>(cls)]; }
  [[nodiscard]] std::uint64_t heap_bytes() const { return heap_bytes_; }
  [[nodiscard]] std::uint64_t heap_bytes_max() const { return heap_bytes_max_; }
  // Blocks somebody holds a reference to, receive buffers lent to the kernel included: zero leaks are checked with it.
  [[nodiscard]] std::uint64_t live_blocks() const { return live_; }
  // Bytes mapped for the fixed classes at start.
  [[nodiscard]] std::uint64_t fixed_bytes() const { return mapped_bytes_; }

 private:
  struct Block {
    char* base = nullptr;
    std::uint32_t bytes = 0;
    std::uint32_t refs = 0;
    BlockClass cls = BlockClass::heap;
  };
  void recycle(BufferId id);

  std::vector<Block> blocks_;
  std::vector<BufferId> free_[fixed_classes];
  std::vector<BufferId> free_heap_ids_;
  std::uint32_t totals_[fixed_classes] = {};
  char* mapped_ = nullptr;
  std::uint64_t mapped_bytes_ = 0;
  std::uint64_t heap_bytes_ = 0;
  std::uint64_t heap_bytes_max_;
  std::uint64_t live_ = 0;
};

}  // namespace parley::core

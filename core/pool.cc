// core/pool.cc - see pool.h.
#include "core/pool.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "core/check.h"

namespace parley::core {

Pool::Pool(const Config& config) : heap_bytes_max_(config.heap_bytes_max) {
  const std::uint32_t counts[fixed_classes] = {config.small_count, config.large_count, config.arena_count};
  constexpr std::uint32_t sizes[fixed_classes] = {small_bytes, large_bytes, arena_bytes};
  std::size_t block_count = 0;
  for (std::size_t c = 0; c < fixed_classes; ++c) {
    mapped_bytes_ += std::uint64_t{counts[c]} * sizes[c];
    block_count += counts[c];
  }
  // Untouched pages cost nothing: the kernel backs a block when it is first written.
  void* memory = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  mapped_ = static_cast<char*>(memory);
  blocks_.resize(block_count);
  char* at = mapped_;
  BufferId id = 0;
  for (std::size_t c = 0; c < fixed_classes; ++c) {
    totals_[c] = counts[c];
    free_[c].reserve(counts[c]);
    for (std::uint32_t n = 0; n < counts[c]; ++n, ++id, at += sizes[c]) {
      blocks_[id] = {at, sizes[c], 0, static_cast<BlockClass>(c)};
    }
    // The first ids end up on top of the stack: a quiet shard touches few pages.
    for (BufferId back = id; back > id - counts[c]; --back) free_[c].push_back(back - 1);
  }
}

Pool::~Pool() {
  for (Block& block : blocks_) {
    if (block.cls == BlockClass::heap && block.base != nullptr) std::free(block.base);
  }
  ::munmap(mapped_, mapped_bytes_);
}

BufferId Pool::take(BlockClass cls) {
  auto& stack = free_[static_cast<std::size_t>(cls)];
  if (stack.empty()) return no_buffer;
  const BufferId id = stack.back();
  stack.pop_back();
  blocks_[id].refs = 1;
  ++live_;
  return id;
}

BufferId Pool::take_heap(std::uint32_t bytes) {
  if (heap_bytes_ + bytes > heap_bytes_max_) return no_buffer;
  char* base = static_cast<char*>(std::malloc(bytes == 0 ? 1 : bytes));
  if (base == nullptr) return no_buffer;
  const BufferId id = adopt_heap(base, bytes);
  if (id == no_buffer) std::free(base);
  return id;
}

BufferId Pool::adopt_heap(char* base, std::uint32_t bytes, bool past_limit) {
  if (!past_limit && heap_bytes_ + bytes > heap_bytes_max_) return no_buffer;
  BufferId id;
  if (free_heap_ids_.empty()) {
    id = static_cast<BufferId>(blocks_.size());
    blocks_.emplace_back();
  } else {
    id = free_heap_ids_.back();
    free_heap_ids_.pop_back();
  }
  blocks_[id] = {base, bytes, 1, BlockClass::heap};
  heap_bytes_ += bytes;
  ++live_;
  return id;
}

void Pool::recycle(BufferId id) {
  Block& block = blocks_[id];
  --live_;
  if (block.cls == BlockClass::heap) {
    heap_bytes_ -= block.bytes;
    std::free(block.base);
    block.base = nullptr;
    free_heap_ids_.push_back(id);
    return;
  }
#ifdef PARLEY_SANITIZED
  // A slice used after its last reference shows up as these bytes on the wire and fails a test.
  std::memset(block.base, 0xdb, block.bytes);
#endif
  free_[static_cast<std::size_t>(block.cls)].push_back(id);
}

}  // namespace parley::core

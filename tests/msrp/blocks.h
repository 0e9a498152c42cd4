// tests/msrp/blocks.h - input memory whose end is the end: a parser that reads one byte too far is caught.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#if defined(__SANITIZE_ADDRESS__)
#define PARLEY_ADDRESS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PARLEY_ADDRESS_SANITIZED 1
#endif
#endif
#if defined(PARLEY_ADDRESS_SANITIZED)
// From sanitizer/asan_interface.h, which comes with clang only; both runtimes have them.
extern "C" void __asan_poison_memory_region(const volatile void* at, std::size_t size);
extern "C" void __asan_unpoison_memory_region(const volatile void* at, std::size_t size);
#endif

namespace parley::tests {

// A fresh heap block of exactly the text's size: ASan sees every over-read, and that bytes have moved.
class ExactBlock {
 public:
  explicit ExactBlock(std::string_view text) : size_(text.size()) {
    if (size_ > bytes_max) std::abort();  // says to g++ 12 that the size cannot be absurd
    bytes_ = static_cast<char*>(std::malloc(size_));
    if (size_ != 0) std::memcpy(bytes_, text.data(), size_);
  }
  ~ExactBlock() { std::free(bytes_); }
  ExactBlock(const ExactBlock&) = delete;
  ExactBlock& operator=(const ExactBlock&) = delete;

  [[nodiscard]] std::string_view view() const { return {bytes_, size_}; }

 private:
  static constexpr std::size_t bytes_max = std::size_t{1} << 30;
  std::size_t size_;
  char* bytes_ = nullptr;
};

// A text of which more and more can be seen, at another address each time: what stands behind may not be read, which
// ASan sees. For texts that come byte by byte, where a fresh block each time would cost the square of their size.
class GrowingBlock {
 public:
  explicit GrowingBlock(std::string_view text) : blocks_{Hidden(text), Hidden(text)} {}
  // Not less than the last time.
  std::string_view first(std::size_t bytes) {
    turn_ = !turn_;
    return blocks_[turn_ ? 1 : 0].first(bytes);
  }

 private:
  class Hidden {
   public:
    explicit Hidden(std::string_view text) : block_(text) {
#if defined(PARLEY_ADDRESS_SANITIZED)
      __asan_poison_memory_region(block_.view().data(), text.size());
#endif
    }
    ~Hidden() { first(block_.view().size()); }
    Hidden(const Hidden&) = delete;
    Hidden& operator=(const Hidden&) = delete;
    std::string_view first(std::size_t bytes) {
#if defined(PARLEY_ADDRESS_SANITIZED)
      __asan_unpoison_memory_region(block_.view().data() + seen_, bytes - seen_);
#endif
      seen_ = bytes;
      return block_.view().substr(0, bytes);
    }

   private:
    ExactBlock block_;
    std::size_t seen_ = 0;
  };
  Hidden blocks_[2];
  bool turn_ = false;
};

// Pages followed by one that may not be touched: an over-read ends the process in any build.
class GuardedPages {
 public:
  explicit GuardedPages(std::size_t bytes_max) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes_max + page - 1) / page * page;
    void* const memory = mmap(nullptr, size_ + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    bytes_ = static_cast<char*>(memory);
    mapped_ = size_ + page;
    if (mprotect(bytes_ + size_, page, PROT_NONE) != 0) std::abort();
  }
  ~GuardedPages() { munmap(bytes_, mapped_); }
  GuardedPages(const GuardedPages&) = delete;
  GuardedPages& operator=(const GuardedPages&) = delete;

  // The text, ending where the pages end. Valid until the next put.
  std::string_view put(std::string_view text) {
    if (text.size() > size_) std::abort();
    char* const at = bytes_ + size_ - text.size();
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return {at, text.size()};
  }

 private:
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
  char* bytes_ = nullptr;
};

}  // namespace parley::tests

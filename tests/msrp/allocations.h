// tests/msrp/allocations.h - counts allocations and their bytes. Include in one file of a binary only.
//
// With sanitizers by their malloc hooks; otherwise by replacing operator new, which they would take for a mismatch:
// what is taken from malloc itself (blocks of a Pool) is not seen then.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace parley::tests {

inline std::size_t allocations = 0;

// Bytes that live. Signed: what was taken before anybody counted is given back, too.
inline std::ptrdiff_t allocated_bytes = 0;
inline std::ptrdiff_t allocated_bytes_peak = 0;  // the most since somebody set it

inline void count_allocation(std::size_t bytes) {
  ++allocations;
  allocated_bytes += static_cast<std::ptrdiff_t>(bytes);
  if (allocated_bytes > allocated_bytes_peak) allocated_bytes_peak = allocated_bytes;
}
inline void count_release(std::size_t bytes) { allocated_bytes -= static_cast<std::ptrdiff_t>(bytes); }

}  // namespace parley::tests

#if defined(PARLEY_SANITIZED)

// From sanitizer/allocator_interface.h, which comes with clang only; both runtimes have them.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*, std::size_t),
                                                         void (*free_hook)(const volatile void*));
extern "C" std::size_t __sanitizer_get_allocated_size(const volatile void* memory);

namespace parley::tests {
inline void count_malloc(const volatile void*, std::size_t bytes) { count_allocation(bytes); }
inline void count_free(const volatile void* memory) {
  if (memory != nullptr) count_release(__sanitizer_get_allocated_size(memory));
}
inline const int allocations_hooked = __sanitizer_install_malloc_and_free_hooks(count_malloc, count_free);
}  // namespace parley::tests

#else

#include <malloc.h>

// Not inline: g++ 12 takes one of them in without the other and warns of a mismatch.
__attribute__((noinline)) void* operator new(std::size_t size) {
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  parley::tests::count_allocation(::malloc_usable_size(memory));
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  if (memory != nullptr) parley::tests::count_release(::malloc_usable_size(memory));
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

#endif

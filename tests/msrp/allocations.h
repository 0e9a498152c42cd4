// tests/msrp/allocations.h - counts allocations. Include in one file of a binary only.
//
// With sanitizers by their malloc hook; otherwise by replacing operator new, which they would take for a mismatch.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace parley::tests {
inline std::size_t allocations = 0;
}  // namespace parley::tests

#if defined(PARLEY_SANITIZED)

// From sanitizer/allocator_interface.h, which comes with clang only; both runtimes have it.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*, std::size_t),
                                                         void (*free_hook)(const volatile void*));

namespace parley::tests {
inline void count_malloc(const volatile void*, std::size_t) { ++allocations; }
inline void count_free(const volatile void*) {}
inline const int allocations_hooked = __sanitizer_install_malloc_and_free_hooks(count_malloc, count_free);
}  // namespace parley::tests

#else

// Not inline: g++ 12 takes one of them in without the other and warns of a mismatch.
__attribute__((noinline)) void* operator new(std::size_t size) {
  ++parley::tests::allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#endif

// core/check.h - CHECK ends the process when parley itself is wrong. A peer must never be able to reach one.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace parley::core {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "parley: CHECK(%s) failed at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace parley::core

#define CHECK(condition)                                                         \
  do {                                                                           \
    if (!(condition)) ::parley::core::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

// Views that must not outlive what they show; clang 14 enforces it, g++ 12 does not know the attribute.
#if defined(__clang__)
#define LIFETIME_BOUND [[clang::lifetimebound]]
#else
#define LIFETIME_BOUND
#endif

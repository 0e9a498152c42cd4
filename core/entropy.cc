// core/entropy.cc - see entropy.h.
#include "core/entropy.h"

#include <sys/random.h>

#include <cerrno>

#include "core/check.h"

namespace parley::core {

Seed system_seed() {
  Seed seed{};
  std::size_t filled = 0;
  while (filled < seed.size()) {
    const ssize_t got = ::getrandom(seed.data() + filled, seed.size() - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    CHECK(got > 0);
    filled += static_cast<std::size_t>(got);
  }
  return seed;
}

}  // namespace parley::core

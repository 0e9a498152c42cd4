// core/entropy.h - 32 bytes from the kernel's generator. Below the seam only: main seeds the shards with it.
#pragma once

#include "core/random.h"

namespace parley::core {

// Waits until the kernel's generator is ready (early boot). Ends the process when the kernel has none.
[[nodiscard]] Seed system_seed();

}  // namespace parley::core

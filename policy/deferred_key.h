// policy/deferred_key.h - what makes two messages that are to be stored one and the same (P-07).
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/digest.h"

namespace parley::policy {

// Of whom it is for, who sends it, and what tells his messages apart.
[[nodiscard]] inline std::string deferred_key(core::Digest& digest, std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text.append(std::to_string(part.size())).append(":").append(part);
  constexpr std::size_t letters = 32;
  return std::string(digest.hash(core::DigestAlgorithm::sha256, text).view().substr(0, letters));
}

}  // namespace parley::policy

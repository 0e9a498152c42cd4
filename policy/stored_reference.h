// policy/stored_reference.h - the URI by which something in the store is fetched: sip:PREFIX-ID@DOMAIN, with 16 letters for its
// id.
//
// It says which one, and proves nothing: who fetches it has to be whose it is (OMA-DEF-14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/id_text.h"

namespace parley::policy {

[[nodiscard]] inline std::string stored_user(std::string_view prefix, std::uint64_t id) {
  char letters[core::letters64_chars];
  core::letters_encode64(id, letters);
  return std::string(prefix).append(letters, sizeof letters);
}

[[nodiscard]] inline std::string stored_reference(std::string_view prefix, std::uint64_t id, std::string_view domain) {
  return std::string("sip:").append(stored_user(prefix, id)).append("@").append(domain);
}

// Of the user part of such a URI.
[[nodiscard]] inline std::optional<std::uint64_t> stored_id(std::string_view prefix, std::string_view user) {
  if (!user.starts_with(prefix)) return std::nullopt;
  const std::string_view letters = user.substr(prefix.size());
  if (letters.size() != core::letters64_chars) return std::nullopt;
  std::uint64_t id = 0;
  for (unsigned i = 0; i < core::letters64_chars; ++i) {  // as letters_encode64 has them
    if (letters[i] < 'a' || letters[i] > 'p') return std::nullopt;
    const unsigned half = i < core::letters64_chars / 2 ? 4 : 0;
    id |= static_cast<std::uint64_t>(letters[i] - 'a') << (i % (core::letters64_chars / 2) * 8 + half);
  }
  return id;
}

}  // namespace parley::policy

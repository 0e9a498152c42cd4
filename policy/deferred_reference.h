// policy/deferred_reference.h - the URI by which a stored message is fetched (OMA-DEF-13): sip:deferred-ID@DOMAIN, with the
// 16 letters that stand for its id in the Call-ID of its delivery, too.
//
// It says which message, and proves nothing: who fetches it has to be whom it is for (OMA-DEF-14).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/id_text.h"

namespace parley::policy {

inline constexpr std::string_view deferred_user_prefix = "deferred-";

[[nodiscard]] inline std::string deferred_reference(std::uint64_t id, std::string_view domain) {
  char letters[core::letters64_chars];
  core::letters_encode64(id, letters);
  std::string uri("sip:");
  return uri.append(deferred_user_prefix).append(letters, sizeof letters).append("@").append(domain);
}

// Of the user part of such a URI.
[[nodiscard]] inline std::optional<std::uint64_t> deferred_id(std::string_view user) {
  if (!user.starts_with(deferred_user_prefix)) return std::nullopt;
  const std::string_view letters = user.substr(deferred_user_prefix.size());
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

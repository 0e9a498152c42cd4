// policy/deferred_reference.h - the URI under which a deferred message can be fetched (OMA-DEF-3, OMA-DEF-13):
// sip:deferred-1234@example.org. It is no secret: whose message it is decides who gets it.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/text.h"

namespace parley::policy {

inline constexpr std::string_view deferred_reference_start = "deferred-";

// `id` of its row.
[[nodiscard]] inline std::string deferred_reference(std::uint64_t id, std::string_view domain) {
  return std::string("sip:").append(deferred_reference_start).append(std::to_string(id)).append("@").append(domain);
}

// Of the user part of a URI of ours; nothing: it is no reference.
[[nodiscard]] inline std::optional<std::uint64_t> deferred_id(std::string_view user) {
  constexpr std::size_t start = deferred_reference_start.size();
  if (user.size() <= start || !core::equal_ignore_case(user.substr(0, start), deferred_reference_start))
    return std::nullopt;
  std::uint64_t id = 0;
  const char* const end = user.data() + user.size();
  const auto [stop, error] = std::from_chars(user.data() + start, end, id);
  if (error != std::errc{} || stop != end || id >> 63 != 0) return std::nullopt;
  return id;
}

}  // namespace parley::policy

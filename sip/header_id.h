// sip/header_id.h - the headers parley knows, by full name or compact form, case ignored (RFC 3261 section 7.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parley::sip {

enum class HeaderId : std::uint8_t {
#define HEADER(id, name, compact) id,
#include "sip/header_names.def"
#undef HEADER
  other,
};
inline constexpr std::size_t header_ids = static_cast<std::size_t>(HeaderId::other);

// One table look-up, whatever the name.
[[nodiscard]] HeaderId header_id(std::string_view name);

// The full name as the RFCs write it; empty for `other`.
[[nodiscard]] std::string_view header_name(HeaderId id);

}  // namespace parley::sip

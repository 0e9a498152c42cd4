// core/nonce_count.cc - see nonce_count.h.
#include "core/nonce_count.h"

#include <charconv>

namespace parley::core {

bool parse_nonce_count(std::string_view text, std::uint32_t& value) {
  if (text.size() != 8) return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && value != 0;
}

}  // namespace parley::core

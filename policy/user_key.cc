// policy/user_key.cc - see user_key.h.
#include "policy/user_key.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "sip/uri.h"

namespace parley::policy {

std::string user_key(std::string_view text) {
  sip::Uri uri;
  if (!sip::parse_uri(text, uri) || uri.scheme == sip::Scheme::other) return {};
  if (uri.scheme == sip::Scheme::tel && !uri.user.starts_with('+')) {
    // It means something in its context only.
    std::string key(text);
    std::transform(key.begin(), key.end(), key.begin(), core::lower);
    return key;
  }
  std::array<char, 1024> room{};  // no address of record that anybody uses is longer
  const std::string_view key = sip::aor_key(uri, room.data(), room.size());
  const bool number = uri.scheme != sip::Scheme::tel && uri.user.starts_with('+') &&
                      core::equal_ignore_case(sip::uri_parameter(uri, "user"), "phone");
  if (!number || key.empty()) return std::string(key);
  return "tel:" + std::string(key.substr(4, key.find('@') - 4));
}

std::string_view number_in(std::string_view key) {
  if (key.size() < 4) return {};
  const std::string_view name = key.substr(4, key.find('@') - 4);
  const bool is_number = name.size() > 1 && name.front() == '+' &&
                         std::all_of(name.begin() + 1, name.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number ? name : std::string_view{};
}

bool has_key(std::span<const std::string> keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace parley::policy

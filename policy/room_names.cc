// policy/room_names.cc - see room_names.h.
#include "policy/room_names.h"

#include <cstring>

#include "core/text.h"
#include "sip/uri.h"

namespace parley::policy {
namespace {

std::string_view trimmed_word(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view room_key(std::string_view text, char (&out)[room_key_bytes_max]) {
  if (text.size() >= room_key_bytes_max) return {};
  char as_sip[room_key_bytes_max + 1];
  if (text.size() > 3 && core::equal_ignore_case(text.substr(0, 3), "im:")) {
    std::memcpy(as_sip, "sip", 3);
    std::memcpy(as_sip + 3, text.data() + 2, text.size() - 2);
    text = {as_sip, text.size() + 1};
  }
  sip::Uri uri;
  return sip::parse_uri(text, uri) ? sip::aor_key(uri, out, sizeof out) : std::string_view{};
}

std::string anonymous_uri(std::uint32_t number) {
  return "sip:anonymous" + std::to_string(number) + "@anonymous.invalid";
}

bool is_anybody(std::string_view key) { return key == "sip:anonymous@anonymous.invalid"; }

std::string_view bare_type(std::string_view content_type) {
  return trimmed_word(content_type.substr(0, content_type.find(';')));
}

bool is_composing(std::string_view content_type) {
  return core::equal_ignore_case(bare_type(content_type), "application/im-iscomposing+xml");
}

bool accepts_type(std::string_view list, std::string_view content_type) {
  const std::string_view type = bare_type(content_type);
  const std::string_view main = type.substr(0, type.find('/'));
  while (!list.empty()) {
    const std::size_t end = list.find(' ');
    const std::string_view each = bare_type(list.substr(0, end));
    list = end == std::string_view::npos ? std::string_view{} : list.substr(end + 1);
    if (each.empty()) continue;
    if (each == "*" || core::equal_ignore_case(each, type)) return true;
    if (each.size() > 2 && each.ends_with("/*") && core::equal_ignore_case(each.substr(0, each.size() - 2), main)) {
      return true;
    }
  }
  return false;
}

}  // namespace parley::policy

// tools/parley-load/chat_text.cc - see chat_text.h.
#include "tools/parley-load/chat_text.h"

namespace parley::load {
namespace {

char* put_stamp_hex(char* at, uint64_t value, int digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) *at++ = kHex[value >> shift & 15];
  return at;
}

bool take_hex(std::string_view& text, size_t digits, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = text[i];
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) return false;
    value = value << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  text.remove_prefix(digits);
  return true;
}

}  // namespace

void put_stamp(char* at, const Stamp& stamp) {
  *at++ = 'P';
  *at++ = 'L';
  at = put_stamp_hex(at, stamp.room, 6);
  at = put_stamp_hex(at, stamp.sender, 6);
  at = put_stamp_hex(at, stamp.number, 10);
  put_stamp_hex(at, stamp.due_ns, 16);
}

bool take_stamp(std::string_view content, Stamp& stamp) {
  if (content.size() < kStampBytes || !content.starts_with("PL")) return false;
  content.remove_prefix(2);
  uint64_t room = 0;
  uint64_t sender = 0;
  if (!take_hex(content, 6, room) || !take_hex(content, 6, sender) || !take_hex(content, 10, stamp.number) ||
      !take_hex(content, 16, stamp.due_ns))
    return false;
  stamp.room = static_cast<uint32_t>(room);
  stamp.sender = static_cast<uint32_t>(sender);
  return true;
}

std::string_view content_of(std::string_view cpim) {
  size_t at = 0;
  for (int blank = 0; blank < 2; ++blank) {
    at = cpim.find("\r\n\r\n", at);
    if (at == std::string_view::npos) return {};
    at += 4;
  }
  return cpim.substr(at);
}

bool content_right(const Pattern& pattern, const Stamp& stamp, std::string_view content) {
  const std::string_view text = content.substr(kStampBytes);
  return pattern.first_difference(message_seed(stamp.room * 1000 + stamp.sender, stamp.number), 0, text) == text.size();
}

}  // namespace parley::load

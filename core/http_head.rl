// core/http_head.rl - the lines of an HTTP/1 head (RFC 9112 section 2.1, RFC 9110 section 5). What they mean for a
// WebSocket is in websocket_upgrade.cc.
#include "core/http_head.h"

namespace parley::core {
namespace {

using Byte = unsigned char;

%%{
  machine http_head;
  alphtype unsigned char;
  variable cs state_;

  action mark { mark_ = at(p); }
  action method_end { head_.method = {mark_, at(p) - mark_}; }
  action target_end { head_.target = {mark_, at(p) - mark_}; }
  action major { head_.version = static_cast<std::uint8_t>(10 * (*p - '0')); }
  action minor { head_.version = static_cast<std::uint8_t>(head_.version + (*p - '0')); }
  action status_digit { head_.status = static_cast<std::uint16_t>(head_.status * 10 + (*p - '0')); }
  action name_end { name_end_ = at(p); }
  action value { value_ = at(p); }
  action value_end { if (!keep_header(bytes.data(), at(p))) { progress_ = HttpProgress::too_long; fbreak; } }
  action done { head_.length = at(p) + 1; progress_ = HttpProgress::done; fbreak; }
  action bad { progress_ = HttpProgress::bad; fbreak; }

  crlf = "\r\n";
  token_char = 0x21 | 0x23..0x27 | 0x2a | 0x2b | 0x2d | 0x2e | 0x30..0x39 | 0x41..0x5a | 0x5e..0x7a | 0x7c | 0x7e;
  text_byte = "\t" | 0x20..0x7e | 0x80..0xff;
  version = "HTTP/" digit @major "." digit @minor;

  request_line = token_char+ >mark %method_end " " (0x21..0x7e)+ >mark %target_end " " version crlf;
  # The space behind the status is left out by some.
  status_line = version " " (digit{3} $status_digit) (" " text_byte*)? crlf;
  header = token_char+ >mark %name_end ":" text_byte* >value %value_end crlf;
  headers = header* crlf @done;

  main := (request_line headers) $!bad;
  answer := (status_line headers) $!bad;
  write data nofinal noerror;
}%%

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

HttpHeadReader::HttpHeadReader(Kind kind) : state_(kind == Kind::request ? http_head_start : http_head_en_answer) {}

HttpProgress HttpHeadReader::read(std::string_view bytes) {
  if (progress_ != HttpProgress::need_more || bytes.empty()) return progress_;
  const auto size = bytes.size() < http_head_bytes_max ? bytes.size() : http_head_bytes_max;
  const Byte* const base = reinterpret_cast<const Byte*>(bytes.data());
  const Byte* p = base + at_;
  const Byte* const pe = base + size;
  const Byte* const eof = nullptr;  // the end of the bytes is not the end of the head
  const auto at = [base](const Byte* byte) { return static_cast<std::uint32_t>(byte - base); };
  %% write exec;
  at_ = at(p);
  if (progress_ == HttpProgress::need_more && at_ == http_head_bytes_max) progress_ = HttpProgress::too_long;
  return progress_;
}

bool HttpHeadReader::keep_header(const char* bytes, std::uint32_t value_end) {
  if (head_.header_count == http_headers_max) return false;
  const std::string_view value = trimmed({bytes + value_, value_end - value_});
  head_.headers[head_.header_count++] = {
      .name = {mark_, name_end_ - mark_},
      .value = {static_cast<std::uint32_t>(value.data() - bytes), static_cast<std::uint32_t>(value.size())}};
  return true;
}

HttpHead::Found HttpHead::find(std::string_view name, std::string_view bytes) const {
  Found found;
  for (std::size_t i = 0; i < header_count; ++i) {
    if (!equal_ignore_case(headers[i].name.of(bytes), name)) continue;
    if (found.count++ == 0) found.value = headers[i].value.of(bytes);
  }
  return found;
}

std::string_view HttpHead::list_element(std::string_view name, std::string_view element, Case compare,
                                        std::string_view bytes) const {
  for (std::size_t i = 0; i < header_count; ++i) {
    if (!equal_ignore_case(headers[i].name.of(bytes), name)) continue;
    std::string_view rest = headers[i].value.of(bytes);
    for (;;) {
      const std::size_t comma = rest.find(',');
      const std::string_view each = trimmed(rest.substr(0, comma));
      if (compare == Case::exact ? each == element : equal_ignore_case(each, element)) return each;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return {};
}

}  // namespace parley::core

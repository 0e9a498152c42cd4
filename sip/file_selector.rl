// sip/file_selector.rl - the selectors of a file (RFC 5547 section 6, figure 1).
#include "sip/file_selector.h"

#include <charconv>
#include <cstddef>

#include "core/digest.h"
#include "core/text.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;

%%{
  machine file_selector;
  alphtype unsigned char;

  action mark { mark = p; }
  action quote { quote = p; }
  action name { if (!out.has_name) { out.name = between(mark + 1, quote); out.has_name = true; } }
  action type { if (out.type.empty()) out.type = between(mark, p); }
  action size { if (!out.has_size) out.has_size = number(between(mark, p), out.size); }
  action hash { out.has_hash = true; }
  action sha1 { if (out.hash.empty()) out.hash = between(mark, p); }

  sp = [ \t];
  word_byte = 0x21..0x7e | 0x80..0xff;
  text_byte = sp | word_byte;
  # A quote that no blank follows belongs to the name: RFC 5547 would have it percent-encoded.
  name = '"' @mark ((text_byte - '"') | '"' @quote (word_byte))* '"' @quote;
  quoted = '"' (text_byte - '"')* '"';
  selector = "name:"i name %name
           | "size:"i digit+ >mark %size
           | "type:"i ((word_byte - '"') (quoted | (word_byte - '"'))*) >mark %type
           | "hash:"i ("sha-1:"i (xdigit | ":")+ >mark %sha1 | (word_byte+ - ("sha-1:"i any*))) %hash
           | (word_byte+ - ("name:"i any* | "size:"i any* | "type:"i any* | "hash:"i any*));
  main := sp* (selector (sp+ selector)* sp*)?;
  write data noerror noentry;
}%%

std::string_view between(const Byte* from, const Byte* to) {
  return {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
}

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

bool parse_file_selector(std::string_view value, FileSelector& out) {
  out = {};
  const Byte* p = reinterpret_cast<const Byte*>(value.data());
  const Byte* const pe = p + value.size();
  const Byte* const eof = pe;
  const Byte* mark = nullptr;
  const Byte* quote = nullptr;
  int cs = 0;
  %% write init;
  %% write exec;
  return cs >= file_selector_first_final;
}

std::string_view decode_file_name(std::string_view name, char* out) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    std::uint8_t byte = 0;
    if (name[i] == '%' && core::hex_decode(name.substr(i + 1, 2), {&byte, 1})) {
      out[size++] = static_cast<char>(byte);
      i += 2;
    } else {
      out[size++] = name[i];
    }
  }
  return {out, size};
}

bool decode_file_hash(std::string_view hash, Sha1& out) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < hash.size();) {
    if (hash[i] == ':') {
      ++i;
      continue;
    }
    if (size == out.size() || !core::hex_decode(hash.substr(i, 2), {&out[size], 1})) return false;
    ++size;
    i += 2;
  }
  return size == out.size();
}

bool parse_file_range(std::string_view value, FileRange& out) {
  out = {};
  value = trim(value);
  const std::size_t dash = value.find('-');
  if (dash == std::string_view::npos || !number(value.substr(0, dash), out.start)) return false;
  const std::string_view stop = value.substr(dash + 1);
  if (stop != "*" && !number(stop, out.stop)) return false;
  return out.start != 0 && out.start <= out.stop;
}

std::string_view file_date(std::string_view value, std::string_view which) {
  while (!value.empty()) {
    const std::size_t open = value.find('"');
    if (open == std::string_view::npos) return {};
    const std::size_t close = value.find('"', open + 1);
    if (close == std::string_view::npos) return {};
    std::string_view name = trim(value.substr(0, open));
    if (!name.empty() && name.back() == ':') name.remove_suffix(1);
    if (core::equal_ignore_case(name, which)) return value.substr(open + 1, close - open - 1);
    value.remove_prefix(close + 1);
  }
  return {};
}

}  // namespace parley::sip

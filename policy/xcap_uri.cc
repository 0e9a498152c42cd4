// policy/xcap_uri.cc - see xcap_uri.h.
#include "policy/xcap_uri.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "core/utf8.h"

namespace parley::policy {
namespace {

using Bindings = std::map<std::string, std::string, std::less<>>;
constexpr std::string_view separator = "~~";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = core::lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Takes the text up to the next '/' off.
std::string_view take_segment(std::string_view& rest) {
  const std::string_view segment = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
  return segment;
}

void put_utf8(std::uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const auto byte = [&](std::uint32_t bits) { out += static_cast<char>(bits); };
  if (c < 0x800) {
    byte(0xc0 | (c >> 6));
  } else if (c < 0x10000) {
    byte(0xe0 | (c >> 12));
    byte(0x80 | ((c >> 6) & 0x3f));
  } else {
    byte(0xf0 | (c >> 18));
    byte(0x80 | ((c >> 12) & 0x3f));
    byte(0x80 | ((c >> 6) & 0x3f));
  }
  byte(0x80 | (c & 0x3f));
}

// A character that XML may hold (XML 1.0 section 2.2).
bool is_xml_char(std::uint32_t c) {
  return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd) ||
         (c >= 0x10000 && c <= 0x10ffff);
}

// What stands between '&' and ';'.
bool put_reference(std::string_view name, std::string& out) {
  static constexpr std::array<std::pair<std::string_view, char>, 5> known = {
      {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}};
  for (const auto& [text, c] : known) {
    if (name != text) continue;
    out += c;
    return true;
  }
  if (name.size() < 2 || name[0] != '#') return false;
  name.remove_prefix(1);
  const bool is_hex = name[0] == 'x';
  if (is_hex) name.remove_prefix(1);
  if (name.empty() || name.size() > 8) return false;
  std::uint32_t code = 0;
  for (const char c : name) {
    const int digit = hex_digit(c);
    if (digit < 0 || (!is_hex && digit > 9)) return false;
    code = code * (is_hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
  }
  if (!is_xml_char(code)) return false;
  put_utf8(code, out);
  return true;
}

// The grammar of section 6.3 over the decoded selector. What it does not know is an extension.
class SelectorReader {
 public:
  SelectorReader(std::string_view text, const Bindings& bindings, std::string_view default_space)
      : rest_(text), bindings_(bindings), default_space_(default_space) {}

  XcapUriFault read(XcapSelector& out) {
    while (true) {
      if (rest_.starts_with('@') || rest_.starts_with("namespace::")) return read_terminal(out);
      if (!read_step(out)) return fault_;
      if (rest_.empty()) return XcapUriFault::none;
      rest_.remove_prefix(1);  // the slash
    }
  }

 private:
  bool fail(XcapUriFault fault) {
    fault_ = fault;
    return false;
  }
  bool unknown() { return fail(XcapUriFault::unknown); }

  XcapUriFault read_terminal(XcapSelector& out) {
    if (out.steps.empty()) return XcapUriFault::unknown;
    if (rest_ == "namespace::*") {
      out.terminal = XcapTerminal::namespaces;
      return XcapUriFault::none;
    }
    if (!rest_.starts_with('@')) return XcapUriFault::unknown;
    rest_.remove_prefix(1);
    out.terminal = XcapTerminal::attribute;
    if (!read_name(out.attribute, {}, &out.attribute_prefix)) return fault_;
    return rest_.empty() ? XcapUriFault::none : XcapUriFault::unknown;
  }

  // Up to '/' or the end.
  bool read_step(XcapSelector& out) {
    const std::string_view from = rest_;
    XcapStep step;
    if (rest_.starts_with('*')) {
      rest_.remove_prefix(1);
    } else {
      XcapName name;
      if (!read_name(name, default_space_, nullptr)) return false;
      step.name = std::move(name);
    }
    if (rest_.size() > 1 && rest_[0] == '[' && rest_[1] != '@') {
      if (!read_position(step)) return false;
    }
    if (rest_.starts_with('[') && !read_test(step)) return false;
    if (!rest_.empty() && rest_[0] != '/') return unknown();
    if (rest_ == "/") return unknown();
    step.text = from.substr(0, from.size() - rest_.size());
    out.steps.push_back(std::move(step));
    return true;
  }

  bool read_position(XcapStep& step) {
    const std::size_t end = rest_.find(']');
    if (end == std::string_view::npos) return unknown();
    const std::string_view digits = rest_.substr(1, end - 1);
    if (digits.empty()) return unknown();
    for (const char c : digits) {
      if (c < '0' || c > '9') return unknown();
      // No document has so many elements: then none is at that place.
      step.position = std::min<std::uint32_t>(step.position * 10 + static_cast<std::uint32_t>(c - '0'), 100'000'000);
    }
    if (step.position == 0) step.position = 200'000'000;
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool read_test(XcapStep& step) {
    if (!rest_.starts_with("[@")) return unknown();
    rest_.remove_prefix(2);
    XcapStep::Test test;
    if (!read_name(test.attribute, {}, nullptr)) return false;
    if (rest_.size() < 2 || rest_[0] != '=' || (rest_[1] != '"' && rest_[1] != '\'')) return unknown();
    const std::size_t end = rest_.find(rest_[1], 2);
    if (end == std::string_view::npos || !decode_attribute_value(rest_.substr(2, end - 2), test.value))
      return unknown();
    rest_.remove_prefix(end + 1);
    if (!rest_.starts_with(']')) return unknown();
    rest_.remove_prefix(1);
    step.test = std::move(test);
    return true;
  }

  // A QName.
  bool read_name(XcapName& name, std::string_view without_prefix, std::string* prefix_out) {
    const std::size_t end = std::min(rest_.find_first_of("/[]@=*\"' \t\r\n"), rest_.size());
    const std::string_view qname = rest_.substr(0, end);
    rest_.remove_prefix(end);
    const std::size_t colon = qname.find(':');
    const bool prefixed = colon != std::string_view::npos;
    const std::string_view prefix = prefixed ? qname.substr(0, colon) : std::string_view{};
    const std::string_view local = prefixed ? qname.substr(colon + 1) : qname;
    if (!is_ncname(local) || (prefixed && !is_ncname(prefix))) return unknown();
    name.local = local;
    name.space = without_prefix;
    if (prefix_out != nullptr) *prefix_out = prefix;
    if (!prefixed) return true;
    if (prefix == "xml") {
      name.space = "http://www.w3.org/XML/1998/namespace";
      return true;
    }
    const auto bound = bindings_.find(prefix);
    if (bound == bindings_.end()) return fail(XcapUriFault::malformed);
    name.space = bound->second;
    return true;
  }

  std::string_view rest_;
  const Bindings& bindings_;
  const std::string_view default_space_;
  XcapUriFault fault_ = XcapUriFault::none;
};

}  // namespace

bool is_utf8_text(std::string_view text) {
  core::Utf8Check utf8;
  return utf8.take(text) && utf8.whole();
}

bool percent_decode(std::string_view text, std::string& out) {
  out.clear();
  out.reserve(text.size());
  for (std::size_t n = 0; n < text.size(); ++n) {
    if (text[n] != '%') {
      out += text[n];
      continue;
    }
    const int high = n + 2 < text.size() ? hex_digit(text[n + 1]) : -1;
    const int low = n + 2 < text.size() ? hex_digit(text[n + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
    out += static_cast<char>(high * 16 + low);
    n += 2;
  }
  return is_utf8_text(out) && out.find('\0') == std::string::npos;
}

void put_percent_encoded(std::string_view text, std::string& out, bool slashes) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  static constexpr std::string_view plain = "-._~!$&()*+,;=:@";  // of pchar; "'" is left to be encoded
  for (const char c : text) {
    const char small = core::lower(c);
    const bool kept = (small >= 'a' && small <= 'z') || (c >= '0' && c <= '9') ||
                      plain.find(c) != std::string_view::npos || (slashes && c == '/');
    if (kept) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
}

bool is_ncname(std::string_view text) {
  if (text.empty()) return false;
  const auto starts = [](char c) {
    const char small = core::lower(c);
    return (small >= 'a' && small <= 'z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  };
  if (!starts(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return starts(c) || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
}

bool decode_attribute_value(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t n = 0; n < text.size(); ++n) {
    if (text[n] == '<') return false;
    if (text[n] != '&') {
      if (text[n] == '\r' && n + 1 < text.size() && text[n + 1] == '\n') continue;  // one line's end
      out += is_xml_blank(text[n]) ? ' ' : text[n];
      continue;
    }
    const std::size_t end = text.find(';', n);
    if (end == std::string_view::npos || !put_reference(text.substr(n + 1, end - n - 1), out)) return false;
    n = end;
  }
  return true;
}

XcapUriFault parse_xcap_target(std::string_view target, std::string_view root, XcapTarget& out) {
  out = {};
  const std::size_t scheme = target.find("://");
  if (!target.starts_with('/') && scheme != std::string_view::npos) {
    const std::size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? std::string_view{} : target.substr(path);
  }
  const std::size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  if (question != std::string_view::npos) out.query = target.substr(question + 1);
  if (!path.starts_with(root) || path.substr(root.size()).substr(0, 1) != "/") return XcapUriFault::unknown;
  path.remove_prefix(root.size() + 1);

  std::string decoded;
  if (!percent_decode(take_segment(path), out.auid)) return XcapUriFault::malformed;
  if (!percent_decode(take_segment(path), decoded)) return XcapUriFault::malformed;
  if (decoded == "global") {
    out.global = true;
  } else if (decoded != "users") {
    return XcapUriFault::unknown;
  } else if (!percent_decode(take_segment(path), out.xui)) {
    return XcapUriFault::malformed;
  }
  while (!path.empty()) {
    const std::string_view segment = take_segment(path);
    if (!percent_decode(segment, decoded)) return XcapUriFault::malformed;
    if (decoded == separator) {
      out.has_node = true;
      out.node = path;
      break;
    }
    if (!out.document.empty()) out.document += '/';
    out.document += decoded;
    if (decoded.empty() || decoded == "." || decoded == "..") return XcapUriFault::unknown;
  }
  // A collection can not be read (section 6.2).
  if (out.auid.empty() || out.document.empty() || (!out.global && out.xui.empty())) return XcapUriFault::unknown;
  return XcapUriFault::none;
}

// Parts scheme(data), with circumflexes before parentheses that are not balanced (XPointer Framework section 3.1).
bool parse_bindings(std::string_view query, Bindings& out) {
  std::string text;
  if (!percent_decode(query, text)) return false;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_xml_blank(text[at])) ++at;
    if (at == text.size()) return true;
    const std::size_t open = text.find('(', at);
    if (open == std::string::npos) return false;
    const std::string scheme = text.substr(at, open - at);
    std::string data;
    std::size_t depth = 1;
    for (at = open + 1; at < text.size() && depth != 0; ++at) {
      char c = text[at];
      if (c == '^') {
        if (++at == text.size() || (text[at] != '^' && text[at] != '(' && text[at] != ')')) return false;
        data += text[at];
        continue;
      }
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) continue;
      data += c;
    }
    if (depth != 0) return false;
    if (scheme != "xmlns") continue;
    const std::size_t equals = data.find('=');
    if (equals == std::string::npos) return false;
    std::string_view prefix = std::string_view(data).substr(0, equals);
    std::string_view space = std::string_view(data).substr(equals + 1);
    const auto trim = [](std::string_view& value) {
      while (!value.empty() && is_xml_blank(value.front())) value.remove_prefix(1);
      while (!value.empty() && is_xml_blank(value.back())) value.remove_suffix(1);
    };
    trim(prefix);
    trim(space);
    if (!is_ncname(prefix)) return false;
    out.insert_or_assign(std::string(prefix), std::string(space));
  }
}

XcapUriFault parse_node_selector(std::string_view node, std::string_view query, std::string_view default_space,
                                 XcapSelector& out) {
  out = {};
  Bindings bindings;
  std::string text;
  if (!parse_bindings(query, bindings) || !percent_decode(node, text)) return XcapUriFault::malformed;
  return SelectorReader(text, bindings, default_space).read(out);
}

}  // namespace parley::policy

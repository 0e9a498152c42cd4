// sip/uri.cc - comparing URIs and the keys of addresses of record (RFC 3261 sections 19.1.4 and 10.3).
#include "sip/uri.h"

#include <array>

#include "core/host_text.h"
#include "core/text.h"

namespace parley::sip {
namespace {

using core::equal_ignore_case;
using core::lower;

constexpr std::string_view hex_digits = "0123456789ABCDEF";

unsigned hex_value(char c) {
  return c <= '9' ? static_cast<unsigned>(c - '0') : static_cast<unsigned>(lower(c) - 'a' + 10);
}

bool letter_or_digit(char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z'); }

bool unreserved(char c) {
  return letter_or_digit(c) || (c != 0 && std::string_view("-_.!~*'()").find(c) != std::string_view::npos);
}

bool legal_in_user(char c) {
  return unreserved(c) || (c != 0 && std::string_view("&=+$,;?/").find(c) != std::string_view::npos);
}

bool separator(char c) { return c == '-' || c == '.' || c == '(' || c == ')'; }

// One character of a text with escapes; `escape` when it stays one.
struct Unit {
  char value = 0;
  bool escape = false;
};

// `text` is not empty and its escapes are whole.
template <typename Legal>
Unit next_unit(std::string_view& text, Legal legal) {
  Unit unit{.value = text.front()};
  if (unit.value == '%' && text.size() >= 3) {
    unit.value = static_cast<char>(hex_value(text[1]) << 4 | hex_value(text[2]));
    unit.escape = !legal(unit.value);
    text.remove_prefix(2);
  }
  text.remove_prefix(1);
  return unit;
}

bool same_units(std::string_view a, std::string_view b, bool ignore_case) {
  if (a.find('%') == std::string_view::npos && b.find('%') == std::string_view::npos) {
    return ignore_case ? equal_ignore_case(a, b) : a == b;
  }
  while (!a.empty() && !b.empty()) {
    const Unit x = next_unit(a, unreserved);
    const Unit y = next_unit(b, unreserved);
    if (x.escape != y.escape) return false;
    if (x.value == y.value) continue;
    if (!ignore_case || x.escape || lower(x.value) != lower(y.value)) return false;
  }
  return a.empty() && b.empty();
}

struct Part {
  std::string_view name;
  std::string_view value;
};

// Takes the first of the parts that `separator` parts.
Part take_part(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  const std::size_t equals = part.find('=');
  if (equals == std::string_view::npos) return {part, part.substr(part.size())};
  return {part.substr(0, equals), part.substr(equals + 1)};
}

struct Parts {
  std::array<Part, uri_compare_parts_max> at;
  std::size_t count = 0;
  [[nodiscard]] const Part* find(std::string_view name) const {
    for (std::size_t i = 0; i < count; ++i) {
      if (same_units(at[i].name, name, true)) return &at[i];
    }
    return nullptr;
  }
};

bool split(std::string_view text, char separator, Parts& parts) {
  while (!text.empty()) {
    if (parts.count == parts.at.size()) return false;
    parts.at[parts.count++] = take_part(text, separator);
  }
  return true;
}

// Parameters that never match their absence. RFC 3261 says so of transport, too.
bool binding(std::string_view name) {
  for (const std::string_view known : {"transport", "user", "ttl", "method", "maddr"}) {
    if (same_units(name, known, true)) return true;
  }
  return false;
}

template <typename Needed>
bool parts_within(const Parts& a, const Parts& b, bool values_ignore_case, Needed needed) {
  for (std::size_t i = 0; i < a.count; ++i) {
    const Part* const other = b.find(a.at[i].name);
    if (other == nullptr ? needed(a.at[i].name) : !same_units(a.at[i].value, other->value, values_ignore_case))
      return false;
  }
  return true;
}

bool same_parameters(std::string_view a, std::string_view b, bool all) {
  if (a.empty() && b.empty()) return true;
  Parts parts_a;
  Parts parts_b;
  if (!split(a, ';', parts_a) || !split(b, ';', parts_b)) return a == b;
  const auto needed = [all](std::string_view name) { return all || binding(name); };
  return parts_within(parts_a, parts_b, true, needed) && parts_within(parts_b, parts_a, true, needed);
}

bool same_headers(std::string_view a, std::string_view b) {
  if (a.empty() && b.empty()) return true;
  Parts parts_a;
  Parts parts_b;
  if (!split(a, '&', parts_a) || !split(b, '&', parts_b)) return a == b;
  const auto needed = [](std::string_view) { return true; };
  return parts_a.count == parts_b.count && parts_within(parts_a, parts_b, false, needed) &&
         parts_within(parts_b, parts_a, false, needed);
}

std::string_view without_separators(std::string_view number) {
  while (!number.empty() && separator(number.front())) number.remove_prefix(1);
  return number;
}

bool same_number(std::string_view a, std::string_view b) {
  for (a = without_separators(a), b = without_separators(b); !a.empty() && !b.empty();
       a = without_separators(a.substr(1)), b = without_separators(b.substr(1))) {
    if (lower(a.front()) != lower(b.front())) return false;
  }
  return a.empty() && b.empty();
}

// Writes into a buffer and remembers when it did not fit.
class KeyText {
 public:
  KeyText(char* out, std::size_t size) : out_(out), size_(size) {}
  void put(char c) {
    if (length_ < size_) out_[length_] = c;
    ++length_;
  }
  void put(std::string_view text) {
    for (const char c : text) put(c);
  }
  [[nodiscard]] std::string_view text() const {
    return length_ <= size_ ? std::string_view(out_, length_) : std::string_view{};
  }

 private:
  char* out_;
  std::size_t size_;
  std::size_t length_ = 0;
};

void put_user(KeyText& key, std::string_view user, bool number) {
  while (!user.empty()) {
    const Unit unit = next_unit(user, legal_in_user);
    if (number && separator(unit.value)) continue;
    if (unit.escape) {
      const auto value = static_cast<unsigned char>(unit.value);
      key.put('%');
      key.put(hex_digits[value >> 4]);
      key.put(hex_digits[value & 15]);
    } else {
      key.put(number ? lower(unit.value) : unit.value);
    }
  }
}

}  // namespace

bool same_uri(const Uri& a, const Uri& b) {
  if (a.scheme != b.scheme) return false;
  if (a.text == b.text) return true;
  switch (a.scheme) {
    case Scheme::other: {
      const std::size_t scheme_bytes = a.text.size() - a.user.size();
      return a.user == b.user &&
             equal_ignore_case(a.text.substr(0, scheme_bytes), b.text.substr(0, b.text.size() - b.user.size()));
    }
    case Scheme::tel: return same_number(a.user, b.user) && same_parameters(a.parameters, b.parameters, true);
    case Scheme::sip:
    case Scheme::sips: break;
  }
  return a.has_port == b.has_port && a.port == b.port && same_escaped(a.user, b.user) &&
         same_escaped(a.password, b.password) && core::same_host(a.host, b.host) &&
         same_parameters(a.parameters, b.parameters, false) && same_headers(a.headers, b.headers);
}

std::string_view uri_parameter(const Uri& uri, std::string_view name) {
  for (std::string_view rest = uri.parameters; !rest.empty();) {
    const Part part = take_part(rest, ';');
    if (same_units(part.name, name, true)) return part.value;
  }
  return {};
}

bool has_uri_parameter(const Uri& uri, std::string_view name) { return uri_parameter(uri, name).data() != nullptr; }

bool same_escaped(std::string_view a, std::string_view b) { return same_units(a, b, false); }

std::string_view aor_key(const Uri& uri, char* out, std::size_t size) {
  KeyText key(out, size);
  if (uri.scheme == Scheme::other) return {};
  if (uri.scheme == Scheme::tel) {
    key.put("tel:");
    put_user(key, uri.user, true);
    return key.text();
  }
  key.put("sip:");
  if (!uri.user.empty()) {
    const bool number = uri.user.front() == '+' && equal_ignore_case(uri_parameter(uri, "user"), "phone");
    put_user(key, uri.user, number);
    key.put('@');
  }
  core::HostText text;
  const std::string_view host = core::canonical_host(uri.host, text);
  if (host.empty()) return {};
  key.put(host);
  return key.text();
}

}  // namespace parley::sip

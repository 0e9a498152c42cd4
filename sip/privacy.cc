// sip/privacy.cc - see privacy.h.
#include "sip/privacy.h"

#include <algorithm>
#include <array>

#include "sip/value.h"

namespace parley::sip {
namespace {

struct Named {
  std::string_view name;
  bool Privacy::*flag;
};
constexpr std::array priv_values = {
    Named{"none", &Privacy::none},        Named{"header", &Privacy::header}, Named{"session", &Privacy::session},
    Named{"user", &Privacy::user},        Named{"id", &Privacy::id},         Named{"history", &Privacy::history},
    Named{"critical", &Privacy::critical}};

consteval std::size_t bytes_of_all() {
  std::size_t bytes = 0;
  for (const Named& named : priv_values) bytes += named.name.size() + 1;
  return bytes;
}
static_assert(bytes_of_all() <= privacy_bytes_max);

void keep(std::string_view token, Privacy& out) {
  for (const Named& named : priv_values) {
    if (core::equal_ignore_case(token, named.name)) {
      out.*named.flag = true;
      return;
    }
  }
  out.other = true;
}

}  // namespace

bool parse_privacy(std::string_view value, Privacy& out) {
  out = {};
  std::size_t tokens = 0;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find_first_of(";,"), value.size());
    const std::string_view token = trim(value.substr(0, end));
    value.remove_prefix(std::min(end + 1, value.size()));
    if (token.empty()) continue;
    if (!is_token(token)) return false;
    keep(token, out);
    ++tokens;
  }
  return tokens != 0 && !(out.none && (out.wanted() || out.critical));
}

void put_privacy(core::TextOut& out, const Privacy& privacy) {
  if (!privacy.none && !privacy.wanted()) return;  // "critical" alone asks for nothing
  bool first = true;
  for (const Named& named : priv_values) {
    if (!(privacy.*named.flag)) continue;
    if (!first) out.put(';');
    first = false;
    out.put(named.name);
  }
}

}  // namespace parley::sip

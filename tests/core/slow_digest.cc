// tests/core/slow_digest.cc - see the header.
#include "tests/core/slow_digest.h"

#include <cctype>
#include <cstddef>
#include <set>

namespace parley::tests {
namespace {

using Byte = unsigned char;

const std::set<std::string> known = {"username", "realm", "nonce", "uri",    "response", "algorithm", "cnonce",
                                     "opaque",   "qop",   "nc",    "domain", "stale",    "nextnonce", "rspauth"};

bool among(char c, const std::string& set) { return set.find(c) != std::string::npos; }
bool printed(char c) { return static_cast<Byte>(c) > 0x20 && static_cast<Byte>(c) < 0x7f; }
// '{', '|' and '}' too, as in the tokens of some clients.
bool name_char(char c) { return printed(c) && !among(c, "\"(),/:;<=>?@[\\]"); }
bool text_char(char c) { return (printed(c) || among(c, " \t") || static_cast<Byte>(c) >= 0x80) && !among(c, "\"\\"); }

class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char next() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool space() {
    const std::size_t before = at_;
    for (;;) {
      std::size_t p = at_;
      if (text_.compare(p, 2, "\r\n") == 0) {
        p += 2;
      } else if (text_.compare(p, 1, "\n") == 0) {
        p += 1;
      }
      if (p >= text_.size() || !among(text_[p], " \t")) return at_ != before;
      at_ = p + 1;
    }
  }
  std::string name() {
    std::string out;
    while (!at_end() && name_char(next())) out += static_cast<char>(std::tolower(static_cast<Byte>(text_[at_++])));
    return out;
  }
  // Without its quotes, escapes as they stand.
  std::optional<std::string> value() {
    std::string out;
    if (!take('"')) {
      while (!at_end() && printed(next()) && !among(next(), "\",")) out += text_[at_++];
      return out.empty() ? std::nullopt : std::optional<std::string>(out);
    }
    while (!take('"')) {
      if (at_end()) return {};
      if (take('\\')) {
        out += '\\';
        if (at_end() || (!text_char(next()) && !among(next(), "\"\\"))) return {};
      } else if (!text_char(next())) {
        return {};
      }
      out += text_[at_++];
    }
    return out;
  }

 private:
  const std::string& text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<SlowDigest> slow_digest(const std::string& value, bool scheme) {
  Reader reader(value);
  reader.space();
  if (scheme && (reader.name() != "digest" || !reader.space())) return {};
  SlowDigest params;
  bool any = false;
  // Elements between commas; an element may be empty, but not all of them.
  for (bool more = true; more; more = reader.take(',')) {
    reader.space();
    if (reader.at_end() || reader.next() == ',') continue;
    const std::string name = reader.name();
    reader.space();
    if (name.empty() || !reader.take('=')) return {};
    reader.space();
    const std::optional<std::string> text = reader.value();
    if (!text) return {};
    any = true;
    if (known.count(name) != 0 && !params.emplace(name, *text).second) return {};
    reader.space();
    if (!reader.at_end() && reader.next() != ',') return {};
  }
  return any && reader.at_end() ? std::optional<SlowDigest>(params) : std::nullopt;
}

}  // namespace parley::tests

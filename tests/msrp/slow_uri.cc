// tests/msrp/slow_uri.cc - RFC 4975 section 9 and RFC 3986 appendix A, piece by piece with std::string.
#include "tests/msrp/slow_uri.h"

#include <arpa/inet.h>

#include <cctype>
#include <cstdlib>

namespace parley::tests {
namespace {

bool alphanum(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 && static_cast<unsigned char>(c) < 128;
}
bool among(char c, const std::string& set) { return c != '\0' && set.find(c) != std::string::npos; }

// *(unreserved / pct-encoded / extra)
bool made_of(const std::string& text, const std::string& extra) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (alphanum(text[i]) || among(text[i], "-._~" + extra)) continue;
    if (text[i] != '%' || i + 2 >= text.size() || std::isxdigit(static_cast<unsigned char>(text[i + 1])) == 0 ||
        std::isxdigit(static_cast<unsigned char>(text[i + 2])) == 0) {
      return false;
    }
    i += 2;
  }
  return true;
}

bool is_token(const std::string& text) {
  for (const char c : text) {
    if (!alphanum(c) && !among(c, "!#$%&'*+-.^_`{|}~")) return false;
  }
  return !text.empty();
}

// Takes the text up to the first of `ends` off the front of `rest`.
std::string take(std::string& rest, const std::string& ends) {
  const std::size_t end = std::min(rest.find_first_of(ends), rest.size());
  const std::string taken = rest.substr(0, end);
  rest.erase(0, end);
  return taken;
}

}  // namespace

SlowUri slow_uri(const std::string& text) {
  SlowUri uri;
  std::string rest = text;
  if (rest.find('\0') != std::string::npos) return uri;
  std::string scheme = take(rest, ":");
  for (char& c : scheme) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (scheme != "msrp" && scheme != "msrps") return uri;
  uri.secure = scheme == "msrps";
  if (rest.substr(0, 3) != "://") return uri;
  rest.erase(0, 3);

  if (const std::size_t at = rest.find('@'); at != std::string::npos) {
    uri.userinfo = rest.substr(0, at);
    if (!made_of(uri.userinfo, "!$&'()*+,;=:")) return uri;
    rest.erase(0, at + 1);
  }
  if (!rest.empty() && rest[0] == '[') {
    uri.host = take(rest, "]");
    if (rest.empty()) return uri;
    rest.erase(0, 1);
    in6_addr address{};
    if (inet_pton(AF_INET6, uri.host.substr(1).c_str(), &address) != 1) return uri;
    uri.host += ']';
  } else {
    uri.host = take(rest, ":/;");
    if (uri.host.empty() || !made_of(uri.host, "!$&'()*+,=")) return uri;
  }
  if (!rest.empty() && rest[0] == ':') {
    rest.erase(0, 1);
    uri.port = take(rest, "/;");
    if (uri.port.empty() || uri.port.size() > 5 || uri.port.find_first_not_of("0123456789") != std::string::npos)
      return uri;
    if (std::atoi(uri.port.c_str()) > 65535) return uri;
  }
  if (!rest.empty() && rest[0] == '/') {
    rest.erase(0, 1);
    uri.session_id = take(rest, ";");
    if (uri.session_id.empty() || uri.session_id.find('%') != std::string::npos || !made_of(uri.session_id, "+=/"))
      return uri;
  }
  if (rest.empty() || rest[0] != ';') return uri;
  rest.erase(0, 1);
  uri.transport = take(rest, ";");
  if (uri.transport.empty()) return uri;
  for (const char c : uri.transport) {
    if (!alphanum(c)) return uri;
  }
  while (!rest.empty()) {
    rest.erase(0, 1);
    std::string parameter = take(rest, ";");
    if (const std::size_t equal = parameter.find('='); equal != std::string::npos) {
      if (!is_token(parameter.substr(equal + 1))) return uri;
      parameter.erase(equal);
    }
    if (!is_token(parameter)) return uri;
  }
  uri.ok = true;
  return uri;
}

}  // namespace parley::tests

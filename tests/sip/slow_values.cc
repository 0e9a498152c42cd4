// tests/sip/slow_values.cc - see the header.
#include "tests/sip/slow_values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace parley::tests {
namespace {

constexpr std::size_t npos = std::string::npos;

bool among(char c, const std::string& set) { return set.find(c) != npos; }
bool alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex(char c) { return digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool token_char(char c) { return alpha(c) || digit(c) || among(c, "-.!%*_+`'~"); }
bool unreserved(char c) { return alpha(c) || digit(c) || among(c, "-_.!~*'()"); }

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Only unreserved characters, those of `more`, and escapes.
bool made_of(const std::string& text, const std::string& more) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !hex(text[i + 1]) || !hex(text[i + 2])) return false;
      i += 2;
    } else if (!unreserved(text[i]) && !among(text[i], more)) {
      return false;
    }
  }
  return true;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> pieces(1);
  for (const char c : text) {
    if (c == at) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

bool is_address(int family, const std::string& text) {
  unsigned char room[sizeof(in6_addr)];
  return text.find('\0') == npos && ::inet_pton(family, text.c_str(), room) == 1;
}

// Without brackets. The third colon before an IPv4 part is what RFC 5118 section 4.10 tells of.
bool is_ipv6(const std::string& text) {
  const std::size_t colons = text.find(":::");
  if (colons == npos) return is_address(AF_INET6, text);
  const std::string front = text.substr(0, colons);
  if (!is_address(AF_INET, text.substr(colons + 3))) return false;
  if (front.empty()) return true;
  const std::vector<std::string> groups = split(front, ':');
  return groups.size() <= 6 && std::all_of(groups.begin(), groups.end(), [](const std::string& group) {
           return !group.empty() && group.size() <= 4 && std::all_of(group.begin(), group.end(), hex);
         });
}

bool is_host(const std::string& text) {
  if (!text.empty() && text.front() == '[') {
    return text.size() > 2 && text.back() == ']' && is_ipv6(text.substr(1, text.size() - 2));
  }
  std::vector<std::string> labels = split(text, '.');
  if (labels.size() > 1 && labels.back().empty()) labels.pop_back();
  return std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return !label.empty() && label.front() != '-' && label.back() != '-' &&
           std::all_of(label.begin(), label.end(), [](char c) { return alpha(c) || digit(c) || c == '_' || c == '-'; });
  });
}

std::optional<int> port_of(const std::string& text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), digit)) return {};
  const int port = std::stoi(text);
  return port <= 65535 ? std::optional<int>(port) : std::nullopt;
}

// "name=value;flag"
bool are_uri_parameters(const std::string& text) {
  const std::string more = "[]/:&+$";
  for (const std::string& parameter : split(text, ';')) {
    const std::size_t equals = parameter.find('=');
    const std::string name = parameter.substr(0, equals);
    if (name.empty() || !made_of(name, more)) return false;
    if (equals == npos) continue;
    const std::string value = parameter.substr(equals + 1);
    if (value.empty() || !made_of(value, more)) return false;
  }
  return true;
}

bool are_uri_headers(const std::string& text) {
  const std::string more = "[]/?:+$";
  for (const std::string& header : split(text, '&')) {
    const std::size_t equals = header.find('=');
    if (equals == npos || equals == 0) return false;
    if (!made_of(header.substr(0, equals), more) || !made_of(header.substr(equals + 1), more)) return false;
  }
  return true;
}

bool is_telephone_number(std::string text) {
  if (!text.empty() && text.front() == '+') text.erase(0, 1);
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return hex(c) || among(c, "*#-.()"); });
}

// "host:port;parameters?headers"
bool read_host_part(std::string text, SlowSipUri& uri) {
  const std::size_t question = text.find('?');
  if (question != npos) {
    uri.headers = text.substr(question + 1);
    if (!are_uri_headers(*uri.headers)) return false;
    text.resize(question);
  }
  const std::size_t semicolon = text.find(';');
  if (semicolon != npos) {
    uri.parameters = text.substr(semicolon + 1);
    if (!are_uri_parameters(*uri.parameters)) return false;
    text.resize(semicolon);
  }
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.find(':', bracket == npos ? 0 : bracket);
  if (colon != npos) {
    uri.port = port_of(text.substr(colon + 1));
    if (!uri.port) return false;
    text.resize(colon);
  }
  uri.host = text;
  return is_host(text);
}

// Walks along one header value.
class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] bool next_is(char c) const { return !at_end() && text_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }
  // Blanks and folds. Whether there were any.
  bool space() {
    const std::size_t before = at_;
    for (;;) {
      std::size_t p = at_;
      if (p < text_.size() && text_[p] == '\r') ++p;
      if (p < text_.size() && text_[p] == '\n') {
        ++p;
      } else {
        p = at_;
      }
      if (p == text_.size() || !among(text_[p], " \t")) break;
      at_ = p + 1;
    }
    return at_ != before;
  }
  // `c` with space around it; moves only when it is there.
  bool separator(char c) {
    const std::size_t before = at_;
    space();
    if (!take(c)) {
      at_ = before;
      return false;
    }
    space();
    return true;
  }
  template <class Is>
  std::string run(const Is& is) {
    const std::size_t before = at_;
    while (!at_end() && is(text_[at_])) ++at_;
    return text_.substr(before, at_ - before);
  }
  std::string token() { return run(token_char); }
  // With its quotes.
  std::optional<std::string> quoted() {
    const std::size_t before = at_;
    if (!take('"')) return {};
    while (!at_end() && !next_is('"')) {
      if (take('\\')) {
        if (at_end() || among(text_[at_], "\r\n") || static_cast<unsigned char>(text_[at_]) >= 0x80) return {};
        ++at_;
      } else if (!space()) {
        const auto c = static_cast<unsigned char>(text_[at_]);
        if (c < 0x21 || c == 0x7f) return {};
        ++at_;
      }
    }
    if (!take('"')) return {};
    return text_.substr(before, at_ - before);
  }
  // All parameters up to the element's end, which is the value's or a comma. False when something else comes.
  bool params_to_end(std::vector<SlowParam>& out, std::string& rest) {
    while (separator(';')) {
      SlowParam param{.name = token(), .value = {}};
      if (param.name.empty()) return false;
      if (separator('=')) {
        param.value = next_is('"') ? quoted() : run([](char c) { return token_char(c) || among(c, ":[]"); });
        if (!param.value || param.value->empty()) return false;
      }
      out.push_back(param);
    }
    space();
    return end(rest);
  }
  bool end(std::string& rest) {
    if (at_end()) return true;
    if (!take(',') || at_end()) return false;
    rest = text_.substr(at_);
    return true;
  }
  [[nodiscard]] std::size_t find(char c) const { return text_.find(c, at_); }
  std::string up_to(std::size_t end) {
    const std::string piece = text_.substr(at_, end - at_);
    at_ = end;
    return piece;
  }
  void back_to(std::size_t at) { at_ = at; }

 private:
  const std::string& text_;
  std::size_t at_ = 0;
};

// Up to "<", which is taken. Nothing when the value does not begin like that.
std::optional<std::string> display_before_bracket(Reader& reader) {
  std::string display;
  if (reader.next_is('"')) {
    const std::optional<std::string> text = reader.quoted();
    if (!text) return {};
    display = *text;
    reader.space();
  } else {
    const std::size_t start = reader.at();
    std::size_t end = start;
    while (!reader.token().empty()) {
      end = reader.at();
      if (!reader.space()) break;
    }
    const std::size_t stop = reader.at();
    reader.back_to(start);
    display = reader.up_to(end);
    reader.back_to(stop);
  }
  if (!reader.take('<')) return {};
  return display;
}

}  // namespace

std::optional<SlowSipUri> slow_sip_uri(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == npos || colon == 0) return {};
  SlowSipUri uri;
  uri.scheme = lower(text.substr(0, colon));
  const std::string rest = text.substr(colon + 1);
  if (uri.scheme == "sip" || uri.scheme == "sips") {
    const std::size_t at_sign = rest.find('@');
    if (at_sign == npos) return read_host_part(rest, uri) ? std::optional<SlowSipUri>(uri) : std::nullopt;
    const std::string userinfo = rest.substr(0, at_sign);
    const std::size_t before_password = userinfo.find(':');
    uri.user = userinfo.substr(0, before_password);
    if (before_password != npos) uri.password = userinfo.substr(before_password + 1);
    if (uri.user.empty() || !made_of(uri.user, "&=+$,;?/")) return {};
    if (uri.password && !made_of(*uri.password, "&=+$,")) return {};
    return read_host_part(rest.substr(at_sign + 1), uri) ? std::optional<SlowSipUri>(uri) : std::nullopt;
  }
  if (uri.scheme == "tel") {
    const std::size_t semicolon = rest.find(';');
    uri.user = rest.substr(0, semicolon);
    if (semicolon != npos) uri.parameters = rest.substr(semicolon + 1);
    if (!is_telephone_number(uri.user) || (uri.parameters && !are_uri_parameters(*uri.parameters))) return {};
    return uri;
  }
  if (!alpha(uri.scheme.front())) return {};
  for (const char c : uri.scheme) {
    if (!alpha(c) && !digit(c) && !among(c, "+-.")) return {};
  }
  uri.user = rest;
  if (rest.empty() || !made_of(rest, ";/?:@&=+$,[]#")) return {};
  return uri;
}

std::optional<SlowVia> slow_via(const std::string& value) {
  Reader reader(value);
  SlowVia via;
  reader.space();
  via.protocol = reader.token();
  if (via.protocol.empty() || !reader.separator('/')) return {};
  via.version = reader.token();
  if (via.version.empty() || !reader.separator('/')) return {};
  via.transport = reader.token();
  if (via.transport.empty() || !reader.space()) return {};
  via.host = reader.next_is('[') ? reader.up_to(std::min(reader.find(']'), value.size() - 1) + 1)
                                 : reader.run([](char c) { return alpha(c) || digit(c) || among(c, "_-."); });
  if (!is_host(via.host)) return {};
  if (reader.separator(':')) {
    via.port = port_of(reader.run(digit));
    if (!via.port) return {};
  }
  if (!reader.params_to_end(via.params, via.rest)) return {};
  return via;
}

std::optional<SlowAddress> slow_address(const std::string& value) {
  Reader reader(value);
  SlowAddress address;
  reader.space();
  const std::size_t start = reader.at();
  if (const std::optional<std::string> display = display_before_bracket(reader)) {
    address.display = *display;
    const std::size_t end = reader.find('>');
    if (end == npos) return {};
    address.uri = reader.up_to(end);
    reader.take('>');
    if (!slow_sip_uri(address.uri)) return {};
    return reader.params_to_end(address.params, address.rest) ? std::optional<SlowAddress>(address) : std::nullopt;
  }
  reader.back_to(start);
  if (reader.take('*')) {
    reader.space();
    address.star = true;
    return reader.end(address.rest) ? std::optional<SlowAddress>(address) : std::nullopt;
  }
  address.uri = reader.run([](char c) { return !among(c, " \t\r\n,;?<>\""); });
  if (!slow_sip_uri(address.uri)) return {};
  return reader.params_to_end(address.params, address.rest) ? std::optional<SlowAddress>(address) : std::nullopt;
}

}  // namespace parley::tests

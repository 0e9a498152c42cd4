// tests/policy/slow_cpim.cc - see slow_cpim.h.
#include "tests/policy/slow_cpim.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

namespace parley::tests {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(c < 128 ? std::tolower(c) : c); });
  return text;
}

std::string stripped(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

struct Line {
  std::string text;  // without its end
  std::size_t next;  // behind its end
};

// The line that begins at `at`; nothing when it has no end.
std::optional<Line> line_at(std::string_view bytes, std::size_t at) {
  const std::size_t end = bytes.find('\n', at);
  if (end == std::string_view::npos) return std::nullopt;
  std::string text(bytes.substr(at, end - at));
  if (!text.empty() && text.back() == '\r') text.pop_back();
  return Line{text, end + 1};
}

bool is_text(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool is_name(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c < 128 && std::isalnum(c) != 0) ||
           (c != 0 && std::string("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string::npos);
  });
}

struct Header {
  std::string name, value;
};

std::optional<Header> header_of(const std::string& line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || !is_text(line)) return std::nullopt;
  std::string name = line.substr(0, colon);
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.pop_back();
  if (!is_name(name)) return std::nullopt;
  return Header{name, line.substr(colon + 1)};
}

// Parameters stand directly behind the colon.
std::string without_parameters(const std::string& value) {
  if (value.empty() || value[0] != ';') return stripped(value);
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (quoted && value[i] == '\\') {
      ++i;
    } else if (value[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && (value[i] == ' ' || value[i] == '\t' || value[i] == '\r')) {
      return stripped(value.substr(i));
    }
  }
  return "";
}

void first_of(std::string& out, const std::string& value) {
  if (out.empty()) out = value;
}

}  // namespace

std::optional<SlowCpim> slow_cpim(std::string_view message) {
  SlowCpim out;
  std::string default_space = "urn:ietf:params:cpim-headers:";
  std::map<std::string, std::string> spaces;
  std::size_t declared = 0;
  bool mime_seen = false;
  std::size_t at = 0;
  for (;;) {
    const std::optional<Line> line = line_at(message, at);
    if (!line) return std::nullopt;
    const std::size_t start = at;
    at = line->next;
    if (line->text.empty()) break;
    const std::optional<Header> header = header_of(line->text);
    if (!header) return std::nullopt;
    ++out.headers;
    const std::string value = without_parameters(header->value);
    std::string name = lower(header->name);
    if (name.rfind("content-", 0) == 0 && name.size() > 8) {
      mime_seen = true;
      if (name == "content-type") first_of(out.content_type, value);
      continue;
    }
    std::string space = default_space;
    if (const std::size_t dot = header->name.find('.'); dot != std::string::npos) {
      const std::string prefix = header->name.substr(0, dot);
      name = name.substr(dot + 1);
      space = spaces.count(prefix) != 0 ? spaces[prefix] : lower(prefix) == "imdn" ? "urn:ietf:params:imdn" : "";
    }
    if (space == "urn:ietf:params:cpim-headers" || space == "urn:ietf:params:cpim-headers:") {
      if (name == "from" && ++out.from_count == 1) {
        out.from = value;
        out.from_line = std::string(message.substr(start, at - start));
      }
      if (name == "to" && ++out.to_count == 1) out.to = value;
      if (name == "cc") ++out.cc_count;
      if (name == "datetime") first_of(out.date_time, value);
      if (name == "ns") {
        const std::size_t open = value.find('<');
        const std::size_t close = value.rfind('>');
        if (open != std::string::npos && close == value.size() - 1 && close > open) {
          std::string prefix = stripped(value.substr(0, open));
          const std::string uri = stripped(value.substr(open + 1, close - open - 1));
          const bool odd = prefix.find_first_of("\"<>") != std::string::npos || uri.empty() ||
                           uri.find_first_of("<> \t") != std::string::npos;
          if (!odd && prefix.empty()) default_space = uri;
          if (!odd && !prefix.empty() && declared < 8) {
            spaces[prefix] = uri;
            ++declared;
          }
        }
      }
    }
    if (space == "urn:ietf:params:imdn") {
      if (name == "message-id") first_of(out.imdn_message_id, value);
      if (name == "disposition-notification") first_of(out.disposition_notification, value);
    }
  }
  out.headers_length = at;
  out.length = at;
  if (mime_seen) return out;
  for (;;) {
    const std::optional<Line> line = line_at(message, at);
    if (!line) break;
    if (line->text.empty()) {
      at = line->next;
      break;
    }
    const std::optional<Header> header = header_of(line->text);
    if (!header) break;
    const std::size_t colon = message.find(':', at) + 1;
    at = line->next;
    for (std::optional<Line> more = line_at(message, at); more; more = line_at(message, at)) {
      if (more->text.empty() || (more->text[0] != ' ' && more->text[0] != '\t') || !is_text(more->text)) break;
      at = more->next;
    }
    if (lower(header->name) == "content-type")
      first_of(out.content_type, stripped(std::string(message.substr(colon, at - colon))));
  }
  out.length = at;
  return out;
}

}  // namespace parley::tests

// tests/sip/slow_multipart.cc - see the header.
#include "tests/sip/slow_multipart.h"

#include <cctype>
#include <cstddef>

namespace parley::tests {
namespace {

using Lines = std::vector<std::string>;  // with their ends; the last one may have none

Lines lines_of(const std::string& text) {
  Lines lines(1);
  for (const char c : text) {
    lines.back() += c;
    if (c == '\n') lines.emplace_back();
  }
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}
bool ends_crlf(const std::string& line) { return ends_with(line, "\r\n"); }
bool blank(char c) { return c == ' ' || c == '\t'; }

std::string trimmed(std::string text) {
  const auto space = [](char c) { return blank(c) || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.back())) text.pop_back();
  while (!text.empty() && space(text.front())) text.erase(0, 1);
  return text;
}

enum class Border { none, next, last };

// `any_end`: LF alone ends lines, too.
Border border_of(const std::string& line, const std::string& boundary, bool any_end) {
  const std::string start = "--" + boundary;
  if (line.compare(0, start.size(), start) != 0) return Border::none;
  std::string rest = line.substr(start.size());
  if (rest.compare(0, 2, "--") == 0) return Border::last;
  while (!rest.empty() && blank(rest.front())) rest.erase(0, 1);
  return rest == "\r\n" || (any_end && rest == "\n") ? Border::next : Border::none;
}

bool name_is(const std::string& name, const std::string& lower_case) {
  std::string lower;
  for (const char c : name) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower == lower_case;
}

bool keep(const std::string& header, SlowPart& part) {
  const std::size_t colon = header.find(':');
  if (colon == std::string::npos) return false;
  const std::string name = trimmed(header.substr(0, colon));
  if (name.empty()) return false;
  for (const char c : name) {
    const bool token = (c & 0x80) == 0 && (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                                           std::string("-.!%*_+`'~").find(c) != std::string::npos);
    if (!token) return false;
  }
  const auto first = [&](std::optional<std::string>& slot) {
    const std::string value = trimmed(header.substr(colon + 1));
    if (!slot && !value.empty()) slot = value;
  };
  if (name_is(name, "content-type") || name_is(name, "c")) first(part.content_type);
  if (name_is(name, "content-disposition")) first(part.content_disposition);
  if (name_is(name, "content-id")) first(part.content_id);
  if (name_is(name, "content-transfer-encoding")) first(part.content_transfer_encoding);
  return true;
}

bool read_part(const std::string& text, SlowPart& part) {
  const Lines lines = lines_of(text);
  std::string header;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (!ends_with(lines[i], "\n")) return false;
    if (lines[i] == "\n" || lines[i] == "\r\n") {
      for (std::size_t j = i + 1; j < lines.size(); ++j) part.body += lines[j];
      return header.empty() || keep(header, part);
    }
    const bool fold = i != 0 && blank(lines[i].front());
    if (!fold && !header.empty() && !keep(header, part)) return false;
    header = fold ? header + lines[i] : lines[i];
    part.headers += lines[i];
  }
  return header.empty() || keep(header, part);
}

}  // namespace

SlowMultipart slow_multipart(const std::string& body, const std::string& boundary) {
  SlowMultipart out;
  const Lines lines = lines_of(body);
  std::size_t at = 0;
  Border border = Border::none;
  for (; at < lines.size() && border == Border::none; ++at) border = border_of(lines[at], boundary, true);
  if (border != Border::next) {
    out.error = "no_part";
    return out;
  }
  const bool line_feeds = !ends_crlf(lines[at - 1]);
  while (border == Border::next) {
    std::string text;
    border = Border::none;
    bool border_may_come = true;  // at a line's start
    for (; at < lines.size(); ++at) {
      if (border_may_come) border = border_of(lines[at], boundary, line_feeds);
      if (border != Border::none) break;
      text += lines[at];
      border_may_come = line_feeds || ends_crlf(lines[at]);
    }
    ++at;
    if (border != Border::none && !text.empty()) text.resize(text.size() - (ends_crlf(text) ? 2 : 1));
    if (out.parts.size() == 16) {
      out.error = "too_many_parts";
      return out;
    }
    SlowPart part;
    if (!read_part(text, part)) {
      out.error = "headers";
      return out;
    }
    out.parts.push_back(part);
  }
  out.closed = border == Border::last;
  return out;
}

}  // namespace parley::tests

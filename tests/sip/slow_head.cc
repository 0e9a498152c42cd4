// tests/sip/slow_head.cc - see the header.
#include "tests/sip/slow_head.h"

#include <cctype>
#include <cstring>

namespace parley::tests {
namespace {

bool token_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c != 0 && std::strchr("-.!%*_+`'~", c) != nullptr);
}
bool digit(char c) { return c >= '0' && c <= '9'; }
bool blank(char c) { return c == ' ' || c == '\t'; }
bool control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

std::string trimmed(std::string text, bool front = true) {
  const auto space = [](char c) { return blank(c) || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.back())) text.pop_back();
  while (front && !text.empty() && space(text.front())) text.erase(0, 1);
  return text;
}

bool starts_as(const std::string& text, const std::string& prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(text[i])) != prefix[i]) return false;
  }
  return true;
}

// "SIP/" 1*DIGIT "." 1*DIGIT
bool is_version(const std::string& text) {
  if (!starts_as(text, "SIP/")) return false;
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 4 || dot + 1 == text.size()) return false;
  for (std::size_t i = 4; i < text.size(); ++i) {
    if (i != dot && !digit(text[i])) return false;
  }
  return true;
}

bool good_request(const std::string& line, SlowSipHead& head) {
  const std::size_t first = line.find(' ');
  if (first == std::string::npos || first == 0) return false;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string::npos || second == first + 1) return false;
  for (std::size_t i = 0; i < first; ++i) {
    if (!token_char(line[i])) return false;
  }
  for (std::size_t i = first + 1; i < second; ++i) {
    if (control(line[i]) || blank(line[i])) return false;
  }
  const std::string version = line.substr(second + 1);
  if (!is_version(version)) return false;
  head.method = line.substr(0, first);
  head.uri = line.substr(first + 1, second - first - 1);
  if (!starts_as(version, "SIP/2.0") || version.size() != 7) head.error = "version";
  return true;
}

bool good_status(const std::string& line, SlowSipHead& head) {
  if (!starts_as(line, "SIP/2.0 ") || line.size() < 11) return false;
  if (line[8] < '1' || line[8] > '6' || !digit(line[9]) || !digit(line[10])) return false;
  if (line.size() > 11 && line[11] != ' ') return false;
  for (const char c : line) {
    if (control(c)) return false;
  }
  head.status = std::stoi(line.substr(8, 3));
  return true;
}

void read_start(const std::string& line, SlowSipHead& head) {
  if (good_request(line, head) || good_status(line, head)) return;
  const std::string text = trimmed(line, false);
  std::size_t token = 0;
  while (token < text.size() && token_char(text[token])) ++token;
  const std::size_t last = text.find_last_of(" \t");
  if (starts_as(text, "SIP/")) {
    head.error = "status_line";
  } else if (token > 0 && token < text.size() && text[token] == ' ' && starts_as(text.substr(last + 1), "SIP/")) {
    head.error = "request_line";
  } else {
    head.error = "not_sip";
    head.outcome = SlowSipHead::Outcome::not_sip;
  }
}

// Lines of one header, without their ends; joined in `whole` as they came.
bool good_header(const std::vector<std::string>& lines, const std::string& whole, SlowSipHead& head) {
  for (const std::string& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!control(line[i])) continue;
      std::size_t backslashes = 0;
      while (backslashes < i && line[i - backslashes - 1] == '\\') ++backslashes;
      if (backslashes % 2 == 0 || line[i] == '\r') return false;
    }
  }
  const std::size_t colon = whole.find(':');
  if (colon == std::string::npos || colon > lines.front().size()) return false;
  std::size_t name = 0;
  while (token_char(whole[name])) ++name;
  if (name == 0) return false;
  for (std::size_t i = name; i < colon; ++i) {
    if (!blank(whole[i])) return false;
  }
  head.headers.emplace_back(whole.substr(0, name), trimmed(whole.substr(colon + 1)));
  return true;
}

}  // namespace

SlowSipHead slow_sip_head(const std::string& bytes) {
  SlowSipHead head;
  std::vector<std::string> group;
  std::string whole;
  const auto end_group = [&] {
    if (!group.empty() && !good_header(group, whole, head) && head.error == "none") head.error = "header_line";
    group.clear();
    whole.clear();
  };
  bool started = false;
  for (std::size_t at = 0;;) {
    const std::size_t lf = bytes.find('\n', at);
    if (lf == std::string::npos) return head;
    std::string line = bytes.substr(at, lf - at);
    const std::string raw = bytes.substr(at, lf + 1 - at);
    at = lf + 1;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!started) {
      started = true;
      read_start(line, head);
      if (head.outcome == SlowSipHead::Outcome::not_sip) return head;
      continue;
    }
    if (!line.empty() && blank(line.front()) && !group.empty()) {
      group.push_back(line);
      whole += raw;
      continue;
    }
    end_group();
    if (line.empty()) {
      head.outcome = SlowSipHead::Outcome::done;
      head.length = at;
      return head;
    }
    group.push_back(line);
    whole = raw;
  }
}

}  // namespace parley::tests

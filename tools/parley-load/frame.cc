// tools/parley-load/frame.cc - head lines by memchr, body end by search for the end-line.
#include "tools/parley-load/frame.h"

#include <algorithm>
#include <cstring>

#include "tools/parley-load/words.h"

namespace parley::load {
namespace {

constexpr std::string_view kDashes = "-------";

bool is_flag(char c) { return c == '$' || c == '+' || c == '#'; }

bool is_ident(std::string_view text) {
  if (text.size() < 4 || text.size() > kTidBytesMax) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' ||
           c == '+' || c == '%' || c == '=';
  });
}

bool parse_start_line(std::string_view line, Head& head) {
  if (!line.starts_with("MSRP ")) return false;
  line.remove_prefix(5);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return false;
  head.tid = line.substr(0, space);
  if (!is_ident(head.tid)) return false;
  line.remove_prefix(space + 1);
  if (line.size() >= 3 && line[0] >= '0' && line[0] <= '9') {
    head.method = Method::response;
    head.code = 0;
    for (size_t i = 0; i < 3; ++i) {
      if (line[i] < '0' || line[i] > '9') return false;
      head.code = head.code * 10 + static_cast<unsigned>(line[i] - '0');
    }
    return line.size() == 3 || line[3] == ' ';
  }
  if (line == "SEND")
    head.method = Method::send;
  else if (line == "REPORT")
    head.method = Method::report;
  else if (line == "AUTH")
    head.method = Method::auth;
  else
    head.method = Method::other;
  return !line.empty() && std::all_of(line.begin(), line.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// The names differ in their first letter or length nearly always, so one switch decides.
bool take_header(std::string_view name, std::string_view value, Head& head) {
  switch (name.size()) {
    case 6:
      if (same_word(name, "Status")) head.status = value;
      break;
    case 7:
      if (same_word(name, "To-Path"))
        head.to_path = value;
      else if (same_word(name, "Expires"))
        head.expires = value;
      break;
    case 8:
      if (same_word(name, "Use-Path")) head.use_path = value;
      break;
    case 9:
      if (same_word(name, "From-Path")) head.from_path = value;
      break;
    case 10:
      if (same_word(name, "Message-ID")) {
        head.message_id = value;
      } else if (same_word(name, "Byte-Range")) {
        head.has_range = true;
        return parse_range(value, head.range);
      }
      break;
    case 14:
      if (same_word(name, "Success-Report"))
        head.success_report = same_word(value, "yes");
      else if (same_word(name, "Failure-Report"))
        head.failure_report = same_word(value, "no")        ? FailureReport::no
                              : same_word(value, "partial") ? FailureReport::partial
                                                            : FailureReport::yes;
      break;
    case 16:
      if (same_word(name, "WWW-Authenticate") && head.challenge_count < head.challenges.size())
        head.challenges[head.challenge_count++] = value;
      break;
    default: break;
  }
  return true;
}

}  // namespace

bool parse_number(std::string_view text, uint64_t& number) {
  if (text.empty() || text.size() > 19) return false;  // 19 digits never overflow 64 bits
  number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

bool parse_range(std::string_view text, ByteRange& range) {
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return false;
  if (!parse_number(text.substr(0, dash), range.start)) return false;
  const auto number_or_star = [](std::string_view part, uint64_t& number) {
    if (part == "*") {
      number = kRangeUnknown;
      return true;
    }
    return parse_number(part, number);
  };
  return number_or_star(text.substr(dash + 1, slash - dash - 1), range.end) &&
         number_or_star(text.substr(slash + 1), range.total);
}

unsigned parse_status(std::string_view text) {
  if (text.size() < 7 || text[3] != ' ') return 0;
  uint64_t code = 0;
  return parse_number(text.substr(4, 3), code) ? static_cast<unsigned>(code) : 0;
}

HeadResult parse_head(std::string_view data, Head& head, const char** why) {
  head = Head{};
  size_t at = 0;
  for (size_t line_number = 0;; ++line_number) {
    const char* lf =
        at < data.size() ? static_cast<const char*>(std::memchr(data.data() + at, '\n', data.size() - at)) : nullptr;
    if (lf == nullptr) {
      *why = "head is too long";
      return data.size() > kHeadBytesMax ? HeadResult::bad : HeadResult::more;
    }
    const auto line_end = static_cast<size_t>(lf - data.data());
    if (line_end == at || data[line_end - 1] != '\r') {
      *why = "LF without CR";
      return HeadResult::bad;
    }
    const std::string_view line = data.substr(at, line_end - 1 - at);
    at = line_end + 1;
    if (line_number == 0) {
      if (!parse_start_line(line, head)) {
        *why = "malformed start line";
        return HeadResult::bad;
      }
      continue;
    }
    if (line.empty() || line.starts_with(kDashes)) {
      head.size_bytes = at;
      if (head.to_path.empty() || head.from_path.empty()) {
        *why = "no To-Path or From-Path";
        return HeadResult::bad;
      }
      if (line.empty()) {
        head.has_body = true;
        *why = "a response with a body";
        return head.method == Method::response ? HeadResult::bad : HeadResult::done;
      }
      head.flag = line.back();
      *why = "end-line does not fit the start line";
      const bool fits = line.size() == kDashes.size() + head.tid.size() + 1 && is_flag(head.flag) &&
                        line.substr(kDashes.size(), head.tid.size()) == head.tid;
      return fits ? HeadResult::done : HeadResult::bad;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
      *why = "header line without a colon";
      return HeadResult::bad;
    }
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (!take_header(line.substr(0, colon), value, head)) {
      *why = "malformed Byte-Range";
      return HeadResult::bad;
    }
  }
}

void EndMark::set(std::string_view tid) {
  std::memcpy(text_.data(), "\r\n-------", kLead);
  size_ = kLead + std::min(tid.size(), kTidBytesMax);
  std::memcpy(text_.data() + kLead, tid.data(), size_ - kLead);
}

BodyScan EndMark::scan(std::string_view data) const {
  size_t at = 0;
  while (at < data.size()) {
    const auto* cr = static_cast<const char*>(std::memchr(data.data() + at, '\r', data.size() - at));
    if (cr == nullptr) break;
    at = static_cast<size_t>(cr - data.data());
    const size_t left = data.size() - at;
    if (std::memcmp(cr, text_.data(), std::min(left, size_)) == 0) {
      // The mark, one flag, CRLF; whatever of it is missing may still come, so the bytes before it are all we know.
      const bool flag_fits = left <= size_ || is_flag(cr[size_]);
      const bool cr_fits = left <= size_ + 1 || cr[size_ + 1] == '\r';
      const bool lf_fits = left <= size_ + 2 || cr[size_ + 2] == '\n';
      if (flag_fits && cr_fits && lf_fits) {
        if (left < size_ + 3) return {.body_bytes = at};
        return {.body_bytes = at, .used_bytes = at + size_ + 3, .flag = cr[size_]};
      }
    }
    ++at;
  }
  return {.body_bytes = data.size()};
}

}  // namespace parley::load

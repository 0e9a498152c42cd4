// sip/head.cc - what the elements of a SIP head mean: the work behind the actions of head.rl.
#include "sip/head.h"

#include <cstring>

namespace parley::sip {
namespace {

using core::equal_ignore_case;

constexpr std::string_view version_known = "SIP/2.0";
constexpr std::string_view version_prefix = "SIP/";

bool blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool starts_as_version(std::string_view text) {
  return text.size() >= version_prefix.size() &&
         equal_ignore_case(text.substr(0, version_prefix.size()), version_prefix);
}

}  // namespace

Method method_of(std::string_view name) {
  switch (name.size()) {
    case 3:
      if (name == "ACK") return Method::ack;
      return name == "BYE" ? Method::bye : Method::other;
    case 4: return name == "INFO" ? Method::info : Method::other;
    case 5:
      if (name == "PRACK") return Method::prack;
      return name == "REFER" ? Method::refer : Method::other;
    case 6:
      if (name == "INVITE") return Method::invite;
      if (name == "NOTIFY") return Method::notify;
      if (name == "CANCEL") return Method::cancel;
      return name == "UPDATE" ? Method::update : Method::other;
    case 7:
      if (name == "MESSAGE") return Method::message;
      if (name == "OPTIONS") return Method::options;
      return name == "PUBLISH" ? Method::publish : Method::other;
    case 8: return name == "REGISTER" ? Method::register_ : Method::other;
    case 9: return name == "SUBSCRIBE" ? Method::subscribe : Method::other;
    default: return Method::other;
  }
}

std::string_view to_string(HeadError error) {
  switch (error) {
    case HeadError::none: return "none";
    case HeadError::header_line: return "header_line";
    case HeadError::request_line: return "request_line";
    case HeadError::version: return "version";
    case HeadError::status_line: return "status_line";
    case HeadError::cut_short: return "cut_short";
    case HeadError::not_sip: return "not_sip";
    case HeadError::too_long: return "too_long";
    case HeadError::too_many_headers: return "too_many_headers";
  }
  return "unknown";
}

// The first error of a head is the one that counts, except that a bad start line says more than a bad header.
void HeadParser::note(HeadError error, std::uint32_t at) {
  if (head_.error != HeadError::none) return;
  head_.error = error;
  error_at_ = at;
}

bool HeadParser::fail(HeadError error, std::uint32_t at) {
  head_.error = error;
  error_at_ = at;
  stopped_ = true;
  return false;
}

void HeadParser::keep_method(const char* bytes, std::uint32_t end) {
  head_.method_name = {mark_, end - mark_};
  head_.method = method_of({bytes + mark_, end - mark_});
}

void HeadParser::keep_version(const char* bytes, std::uint32_t end) {
  if (!equal_ignore_case({bytes + mark_, end - mark_}, version_known)) note(HeadError::version, mark_);
}

// A start line that the grammar does not know, `lf` its last byte. False when it shows that this is not SIP at all.
bool HeadParser::bad_start(const char* bytes, std::uint32_t lf) {
  std::string_view line{bytes, lf};
  while (!line.empty() && blank(line.back())) line.remove_suffix(1);
  if (starts_as_version(line)) {
    head_.method = Method::none;
    note(HeadError::status_line, 0);
  } else if (const std::size_t last = line.find_last_of(" \t");
             head_.request() && last != std::string_view::npos && starts_as_version(line.substr(last + 1))) {
    head_.error = HeadError::none;
    note(HeadError::request_line, 0);
  } else {
    return fail(HeadError::not_sip, 0);
  }
  end_line(bytes, lf);
  return true;
}

// Whether the byte at `at` is the second of a quoted-pair: an odd number of backslashes stands before it.
bool HeadParser::escaped(const char* bytes, std::uint32_t at) {
  std::uint32_t first = at;
  while (first > 0 && bytes[first - 1] == '\\') --first;
  return (at - first) % 2 == 1;
}

void HeadParser::end_line(const char* bytes, std::uint32_t lf) {
  if (lf == 0 || bytes[lf - 1] != '\r') head_.line_feeds_alone = true;
}

// The line whose name starts at mark_.
bool HeadParser::keep_header(const char* bytes, const HeadLimits& limits) {
  if (head_.header_count >= headers_limit || head_.header_count >= limits.headers_max) {
    return fail(HeadError::too_many_headers, mark_);
  }
  std::uint32_t start = value_;
  std::uint32_t end = value_end_;
  while (start < end && blank(bytes[start])) ++start;
  while (end > start && blank(bytes[end - 1])) --end;

  const std::uint8_t index = head_.header_count++;
  Header& header = head_.headers[index];
  header.name = {mark_, name_end_ - mark_};
  header.value = {start, end - start};
  header.id = header_id({bytes + mark_, name_end_ - mark_});
  header.next = 0;
  const auto id = static_cast<std::size_t>(header.id);
  if (lasts_[id] == 0) {
    head_.firsts[id] = static_cast<std::uint8_t>(index + 1);
  } else {
    head_.headers[lasts_[id] - std::size_t{1}].next = index;
  }
  lasts_[id] = static_cast<std::uint8_t>(index + 1);
  if (header.id == HeaderId::content_length) keep_content_length({bytes + start, end - start});
  return true;
}

void HeadParser::keep_content_length(std::string_view value) {
  std::uint64_t number = 0;
  bool good = !value.empty();
  for (const char c : value) {
    if (c < '0' || c > '9') {
      good = false;
      break;
    }
    number = number * 10 + static_cast<unsigned>(c - '0');
    if (number > content_length_max) number = content_length_max + std::uint64_t{1};
  }
  if (!good || number > content_length_max || (head_.has_content_length && head_.content_length != number)) {
    head_.bad_content_length = true;
    return;
  }
  head_.has_content_length = true;
  head_.content_length = static_cast<std::uint32_t>(number);
}

Progress HeadParser::end_of_datagram(std::string_view bytes, const HeadLimits& limits) {
  if (done_) return Progress::done;
  if (stopped_) return Progress::bad;
  // Until its line end was seen, a start line is nothing.
  if (bytes.substr(0, at_).find('\n') == std::string_view::npos) {
    (void)fail(HeadError::not_sip, at_);
    return Progress::bad;
  }
  if (line_whole_ && !line_bad_ && !keep_header(bytes.data(), limits)) return Progress::bad;
  note(HeadError::cut_short, at_);
  head_.length = at_;
  done_ = true;
  return Progress::done;
}

LeadingLines leading_lines(std::string_view bytes) {
  LeadingLines found;
  for (std::size_t at = 0; at < bytes.size(); found.bytes = at, ++found.lines) {
    if (bytes[at] == '\r') ++at;
    if (at == bytes.size() || bytes[at] != '\n') break;
    ++at;
  }
  return found;
}

}  // namespace parley::sip

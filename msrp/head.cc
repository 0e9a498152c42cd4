// msrp/head.cc - what the elements of an MSRP head mean: the work behind the actions of head.rl.
#include "msrp/head.h"

#include <cstring>

#include "msrp/uri.h"

namespace parley::msrp {
namespace {

constexpr std::uint64_t number_max = (std::uint64_t{1} << 63) - 1;  // R4975-5

// RFC 4975 section 9 and RFC 4976 section 7; Use-Nickname: RFC 7701. Names are compared without regard to case.
using Field = HeadParser::Field;

// `name` has the length of `known`. The usual spelling is compared by words; bench/parse: 20 ns of a head.
template <std::size_t size>
bool is(std::string_view name, const char (&known)[size]) {
  if (std::memcmp(name.data(), known, size - 1) == 0) return true;
  return ((name[0] ^ known[0]) & ~0x20) == 0 && equal_ignore_case(name, {known, size - 1});
}

Field field_of(std::string_view name) {
  switch (name.size()) {
    case 6: return is(name, "Status") ? Field::report_status : Field::unknown;
    case 7:
      if (is(name, "Expires")) return Field::expires;
      return is(name, "To-Path") ? Field::path : Field::unknown;
    case 8: return is(name, "Use-Path") ? Field::use_path : Field::unknown;
    case 9: return is(name, "From-Path") ? Field::path : Field::unknown;
    case 10:
      if (is(name, "Message-ID")) return Field::message_id;
      return is(name, "Byte-Range") ? Field::byte_range : Field::unknown;
    case 11:
      if (is(name, "Min-Expires")) return Field::min_expires;
      return is(name, "Max-Expires") ? Field::max_expires : Field::unknown;
    case 12:
      if (is(name, "Content-Type")) return Field::content_type;
      return is(name, "Use-Nickname") ? Field::use_nickname : Field::unknown;
    case 13: return is(name, "Authorization") ? Field::authorization : Field::unknown;
    case 14:
      if (is(name, "Success-Report")) return Field::success_report;
      return is(name, "Failure-Report") ? Field::failure_report : Field::unknown;
    case 16: return is(name, "WWW-Authenticate") ? Field::www_authenticate : Field::unknown;
    case 19: return is(name, "Authentication-Info") ? Field::authentication_info : Field::unknown;
    default: return Field::unknown;
  }
}

constexpr std::string_view mime_prefix = "Content-";

bool visible(std::string_view text) {
  for (const char c : text) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return true;
}

}  // namespace

std::string_view to_string(HeadError error) {
  switch (error) {
    case HeadError::none: return "none";
    case HeadError::start_line: return "start_line";
    case HeadError::tid_length: return "tid_length";
    case HeadError::path: return "path";
    case HeadError::header_syntax: return "header_syntax";
    case HeadError::duplicate: return "duplicate";
    case HeadError::byte_range: return "byte_range";
    case HeadError::content_type: return "content_type";
    case HeadError::end_line: return "end_line";
    case HeadError::too_long: return "too_long";
    case HeadError::too_many_headers: return "too_many_headers";
  }
  return "unknown";
}

bool HeadParser::fail(HeadError error) {
  error_ = error;
  return false;
}

bool HeadParser::keep_tid(std::uint32_t end) {
  if (end - mark_ < tid_bytes_min) return fail(HeadError::tid_length);
  head_.tid = {mark_, end - mark_};
  return true;
}

bool HeadParser::keep_uri(std::uint32_t end) {
  if (end - mark_ > uri_bytes_max || ++number_ > path_uris_max) return fail(HeadError::path);
  return true;
}

void HeadParser::keep_usual_send(std::uint32_t method, std::uint32_t to_path) {
  head_.method = Method::send;
  head_.method_name = {method, 4};
  expect_ = HeadError::path;
  line_ = to_path;
  number_ = 0;
}

void HeadParser::keep_memo(const PathMemo& memo, std::uint32_t value) {
  constexpr std::uint32_t between = sizeof("\r\nFrom-Path: ") - 1;
  head_.to_path = {value, memo.to_path_length};
  head_.from_path = {value + memo.to_path_length + between, memo.from_path_length};
  head_.paths_from_memo = true;
  keep_paths(value + static_cast<std::uint32_t>(memo.bytes.size()));
}

// Reads on to the first byte that is no digit, or to the digit that makes the number too large.
const unsigned char* HeadParser::add_digits(const unsigned char* p, const unsigned char* end) {
  std::uint64_t number = number_;
  for (; p != end && *p >= '0' && *p <= '9'; ++p) {
    const unsigned value = *p - unsigned{'0'};
    // Below a tenth of the maximum no digit can be too much.
    if (number >= number_max / 10 && number > (number_max - value) / 10) {
      (void)fail(HeadError::byte_range);
      break;
    }
    number = number * 10 + value;
  }
  number_ = number;
  return p;
}

void HeadParser::keep_paths(std::uint32_t next) {
  head_.headers.offset = next;
  expect_ = HeadError::header_syntax;
}

void HeadParser::keep_name(const char* bytes, std::uint32_t colon) {
  const std::string_view name{bytes + line_, colon - line_};
  field_ = field_of(name);
  if (field_ == Field::byte_range) expect_ = HeadError::byte_range;
  if (field_ == Field::unknown && name.size() >= mime_prefix.size() &&
      equal_ignore_case(name.substr(0, mime_prefix.size()), mime_prefix)) {
    field_ = Field::mime;
  }
}

// The names that nearly all heads hold, as they are usually written: how far their value is from `p`, or 0.
std::uint32_t HeadParser::usual_name(const unsigned char* p, const unsigned char* end) {
  const auto is = [this, p, end](std::string_view name, Field field) -> std::uint32_t {
    if (static_cast<std::size_t>(end - p) < name.size() || std::memcmp(p, name.data(), name.size()) != 0) return 0;
    field_ = field;
    return static_cast<std::uint32_t>(name.size());
  };
  switch (*p) {
    case 'M': return is("Message-ID: ", Field::message_id);
    case 'B':
      if (const std::uint32_t value = is("Byte-Range: ", Field::byte_range)) {
        expect_ = HeadError::byte_range;
        return value;
      }
      return 0;
    case 'C': return is("Content-Type: ", Field::content_type);
    case 'S': return is("Success-Report: ", Field::success_report);
    case 'F': return is("Failure-Report: ", Field::failure_report);
    default: return 0;
  }
}

bool HeadParser::keep_once(Span& span, Span value) {
  // Not present(): an empty value came, too. No value starts at offset 0.
  if (span.offset != 0) return fail(HeadError::duplicate);
  span = value;
  return true;
}

// `lf` is where the header line's last byte stands; mark_ is where its value starts.
bool HeadParser::keep_header(const char* bytes, std::uint32_t lf, const HeadLimits& limits) {
  if (head_.header_count >= limits.headers_max) return fail(HeadError::too_many_headers);
  ++head_.header_count;
  head_.headers.length = lf + 1 - head_.headers.offset;
  expect_ = HeadError::header_syntax;

  std::uint32_t end = lf - 1;
  while (end > mark_ && (bytes[end - 1] == ' ' || bytes[end - 1] == '\t')) --end;
  const Span value{mark_, end - mark_};
  const std::string_view text{bytes + value.offset, value.length};

  switch (field_) {
    case Field::unknown: return true;
    case Field::path: return fail(HeadError::duplicate);
    case Field::mime: mime_ = true; return true;
    case Field::message_id:
      if (text.empty() || text.size() > message_id_bytes_max || !visible(text)) return fail(HeadError::header_syntax);
      return keep_once(head_.message_id, value);
    case Field::byte_range:
      head_.byte_range_line = {line_, lf + 1 - line_};
      head_.has_range = true;
      return keep_once(head_.byte_range, value);
    case Field::success_report:
      head_.success = equal_ignore_case(text, "yes");
      return keep_once(head_.success_report, value);
    case Field::failure_report:
      if (equal_ignore_case(text, "no")) head_.failure = FailureReport::no;
      if (equal_ignore_case(text, "partial")) head_.failure = FailureReport::partial;
      return keep_once(head_.failure_report, value);
    case Field::report_status: return keep_once(head_.report_status, value);
    case Field::content_type: mime_ = true; return keep_once(head_.content_type, value);
    case Field::expires: return keep_once(head_.expires, value);
    case Field::min_expires: return keep_once(head_.min_expires, value);
    case Field::max_expires: return keep_once(head_.max_expires, value);
    case Field::use_path: return keep_once(head_.use_path, value);
    case Field::authorization: return keep_once(head_.authorization, value);
    case Field::authentication_info: return keep_once(head_.authentication_info, value);
    case Field::use_nickname: return keep_once(head_.use_nickname, value);
    case Field::www_authenticate:
      if (head_.www_authenticate_count < Head::www_authenticate_max) {
        head_.www_authenticate[head_.www_authenticate_count++] = value;
      }
      return true;
  }
  return true;
}

// `position` counts from the first byte behind the hyphens: the transaction id's bytes, then the flag.
bool HeadParser::end_line_byte(const char* bytes, std::uint32_t position) {
  const std::uint32_t index = position - mark_;
  const char byte = bytes[position];
  if (index < head_.tid.length) return byte == bytes[head_.tid.offset + index] || fail(HeadError::end_line);
  if (index > head_.tid.length || (byte != '+' && byte != '$' && byte != '#')) return fail(HeadError::end_line);
  head_.flag = static_cast<Flag>(byte);
  return true;
}

bool HeadParser::end_line_whole(std::uint32_t position) {
  return position - mark_ == head_.tid.length + 1 || fail(HeadError::end_line);
}

// R4975-2: responses never have one.
bool HeadParser::keep_body(std::uint32_t lf) {
  if (head_.method == Method::response) return fail(HeadError::content_type);
  head_.has_body = true;
  finish(lf + 1);
  return true;
}

void HeadParser::finish(std::uint32_t next) {
  head_.length = next;
  done_ = true;
}

}  // namespace parley::msrp

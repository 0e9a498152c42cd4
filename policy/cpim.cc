// policy/cpim.cc - what the headers of a message/cpim mean, and how ours are written. See cpim.h.
#include "policy/cpim.h"

#include <chrono>
#include <cstddef>

namespace parley::policy {
namespace {

using core::equal_ignore_case;

constexpr std::string_view cpim_namespace = "urn:ietf:params:cpim-headers:";
constexpr std::string_view imdn_namespace = "urn:ietf:params:imdn";

constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// R3862-4. Of a Subject: ";lang=fr text". The first blank outside quotes ends the parameters.
std::string_view without_parameters(std::string_view value) {
  if (value.empty() || value.front() != ';') return value;
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (quoted && value[i] == '\\') {
      ++i;
    } else if (value[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && is_blank(value[i])) {
      return value.substr(i);
    }
  }
  return {};
}

// Takes the next item off a comma list; items are trimmed and may be empty.
std::string_view take_item(std::string_view& list) {
  const std::size_t comma = list.find(',');
  const std::string_view item = trim(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return item;
}

bool is_mime(std::string_view name) { return name.size() > 8 && equal_ignore_case(name.substr(0, 8), "Content-"); }

void keep_first(Span& span, Span value) {
  if (!span.present()) span = value;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = core::lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// The four digits of "\uXXXX", or -1.
int four_digits(std::string_view text) {
  if (text.size() < 4) return -1;
  int code = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_value(text[i]);
    if (digit < 0) return -1;
    code = code * 16 + digit;
  }
  return code;
}

void append_utf8(std::string& out, int code) {
  if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | code >> 6));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xe0 | code >> 12));
    out.push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

void append_two_digits(std::string& out, unsigned number) {
  out.push_back(static_cast<char>('0' + number / 10 % 10));
  out.push_back(static_cast<char>('0' + number % 10));
}

}  // namespace

std::string_view to_string(CpimError error) {
  switch (error) {
    case CpimError::none: return "none";
    case CpimError::header_syntax: return "header syntax";
    case CpimError::too_many_headers: return "too many headers";
    case CpimError::too_long: return "head too long";
    case CpimError::cut: return "no blank line";
  }
  return "none";
}

// Always false.
bool CpimParser::fail(CpimError error) {
  error_ = error;
  return false;
}

// What stands between the colon and the line's end.
Span CpimParser::value_of(std::string_view bytes, std::uint32_t end) const {
  const std::string_view all = bytes.substr(value_, end - value_);
  const std::string_view value = trim(without_parameters(all));
  return value.empty()
             ? Span{}
             : Span{static_cast<std::uint32_t>(value.data() - bytes.data()), static_cast<std::uint32_t>(value.size())};
}

bool CpimParser::keep_header(std::string_view bytes, std::uint32_t line_feed) {
  if (++head_.header_count > cpim_headers_max) return fail(CpimError::too_many_headers);
  const Span value = value_of(bytes, line_feed);
  std::string_view name = bytes.substr(line_, name_end_ - line_);
  if (is_mime(name)) {  // the blank line between the blocks is missing
    content_seen_ = true;
    keep_mime(name, value);
    return true;
  }
  switch (space_of(bytes, name)) {
    case Space::cpim: keep_cpim(bytes, name, value, line_feed); break;
    case Space::imdn: keep_imdn(name, value); break;
    case Space::other: break;
  }
  return true;
}

void CpimParser::keep_content_header(std::string_view bytes) {
  // There may be any number of them; a name that is not known is passed over.
  const std::string_view name = bytes.substr(0, name_end_);
  const std::size_t start = name.find_last_of('\n') + 1;  // npos + 1: the first line
  const std::string_view all = trim(bytes.substr(value_, value_end_ - value_));
  if (head_.header_count < cpim_headers_max) {
    ++head_.header_count;
    if (!all.empty()) {
      keep_mime(name.substr(start),
                {static_cast<std::uint32_t>(all.data() - bytes.data()), static_cast<std::uint32_t>(all.size())});
    }
  }
  value_end_ = 0;
}

void CpimParser::keep_mime(std::string_view name, Span value) {
  if (equal_ignore_case(name, "Content-Type")) {
    keep_first(head_.content_type, value);
  } else if (equal_ignore_case(name, "Content-Disposition")) {
    keep_first(head_.content_disposition, value);
  } else if (equal_ignore_case(name, "Content-Transfer-Encoding")) {
    keep_first(head_.content_transfer_encoding, value);
  }
}

// R3862-5. Takes the prefix off the name.
CpimParser::Space CpimParser::space_of(std::string_view bytes, std::string_view& name) const {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return default_space_;
  const std::string_view prefix = name.substr(0, dot);
  name.remove_prefix(dot + 1);
  for (std::size_t i = prefix_count_; i-- > 0;) {  // the last declaration counts
    if (prefixes_[i].name.of(bytes) == prefix) return prefixes_[i].space;
  }
  return equal_ignore_case(prefix, "imdn") ? Space::imdn : Space::other;  // T-79
}

void CpimParser::keep_namespace(std::string_view bytes, Span value) {
  std::string_view prefix;
  std::string_view uri;
  if (!value.present() || !parse_cpim_namespace(value.of(bytes), prefix, uri)) return;
  Space space = Space::other;
  // The registered name ends with a colon, which some leave out.
  if (uri == cpim_namespace || uri == cpim_namespace.substr(0, cpim_namespace.size() - 1)) space = Space::cpim;
  if (uri == imdn_namespace) space = Space::imdn;
  if (prefix.empty()) {
    default_space_ = space;
  } else if (prefix_count_ < cpim_namespaces_max) {
    prefixes_[prefix_count_++] = {
        {static_cast<std::uint32_t>(prefix.data() - bytes.data()), static_cast<std::uint32_t>(prefix.size())}, space};
  }
}

void CpimParser::keep_cpim(std::string_view bytes, std::string_view name, Span value, std::uint32_t line_feed) {
  const auto uri_in = [&bytes](Span address) {
    CpimAddress parsed;
    if (!address.present() || !parse_cpim_address(address.of(bytes), parsed)) return Span{};
    return Span{static_cast<std::uint32_t>(parsed.uri.data() - bytes.data()),
                static_cast<std::uint32_t>(parsed.uri.size())};
  };
  if (equal_ignore_case(name, "From")) {
    if (++head_.from_count > 1) return;
    head_.from = value;
    head_.from_line = {line_, line_feed + 1 - line_};
    head_.from_uri = uri_in(value);
  } else if (equal_ignore_case(name, "To")) {
    if (++head_.to_count > 1) return;
    head_.to = value;
    head_.to_uri = uri_in(value);
  } else if (equal_ignore_case(name, "cc")) {
    ++head_.cc_count;
  } else if (equal_ignore_case(name, "DateTime")) {
    keep_first(head_.date_time, value);
  } else if (equal_ignore_case(name, "Subject")) {
    keep_first(head_.subject, value);
  } else if (equal_ignore_case(name, "NS")) {
    keep_namespace(bytes, value);
  } else if (equal_ignore_case(name, "Require")) {
    for (std::string_view list = value.of(bytes); !list.empty();) {
      const std::string_view item = take_item(list);
      if (!item.empty() && !knows(bytes, item)) head_.requires_unknown = true;
    }
  }
}

void CpimParser::keep_imdn(std::string_view name, Span value) {
  if (equal_ignore_case(name, "Message-ID")) {
    keep_first(head_.imdn_message_id, value);
  } else if (equal_ignore_case(name, "Disposition-Notification")) {
    keep_first(head_.disposition_notification, value);
  } else if (equal_ignore_case(name, "Original-To")) {
    keep_first(head_.original_to, value);
  } else if (equal_ignore_case(name, "IMDN-Record-Route")) {
    keep_first(head_.imdn_record_route, value);
  }
}

// Whether a name in Require is a header that is understood here. A prefix that is declared below its use is not known.
bool CpimParser::knows(std::string_view bytes, std::string_view name) const {
  constexpr std::string_view cpim_names[] = {"From", "To", "cc", "DateTime", "Subject", "NS", "Require"};
  constexpr std::string_view imdn_names[] = {"Message-ID", "Disposition-Notification", "Original-To",
                                             "IMDN-Record-Route", "IMDN-Route"};
  const Space space = space_of(bytes, name);
  if (space == Space::cpim) {
    for (const std::string_view known : cpim_names) {
      if (equal_ignore_case(name, known)) return true;
    }
  } else if (space == Space::imdn) {
    for (const std::string_view known : imdn_names) {
      if (equal_ignore_case(name, known)) return true;
    }
  }
  return false;
}

bool parse_cpim_namespace(std::string_view value, std::string_view& prefix, std::string_view& uri) {
  CpimAddress address;
  if (value.find('<') == std::string_view::npos || !parse_cpim_address(value, address)) return false;
  prefix = address.name;
  uri = address.uri;
  return true;
}

void append_unescaped(std::string& out, std::string_view value) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\') {
      out.push_back(value[i]);
      continue;
    }
    if (++i == value.size()) return;  // a lone one at the end is ignored
    switch (value[i]) {
      case 'b': out.push_back('\b'); break;
      case 't': out.push_back('\t'); break;
      case 'n': out.push_back('\n'); break;
      case 'r': out.push_back('\r'); break;
      case 'u':
        if (const int code = four_digits(value.substr(i + 1)); code >= 0) {
          append_utf8(out, code);
          i += 4;
          break;
        }
        [[fallthrough]];
      default: out.push_back(value[i]); break;
    }
  }
}

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  for (const char c : text) {
    switch (c) {
      case '\\': out.append("\\\\"); break;
      case '"': out.append("\\\""); break;
      case '\b': out.append("\\b"); break;
      case '\t': out.append("\\t"); break;
      case '\n': out.append("\\n"); break;
      case '\r': out.append("\\r"); break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
          out.push_back(c);
        } else {
          out.append("\\u00");
          out.push_back(digits[byte >> 4]);
          out.push_back(digits[byte & 0xf]);
        }
      }
    }
  }
}

void append_cpim_address(std::string& out, std::string_view header, std::string_view name, std::string_view uri) {
  out.append(header).append(": ");
  if (!name.empty()) {
    out.push_back('"');
    append_escaped(out, name);
    out.append("\" ");
  }
  out.append("<").append(uri).append(">\r\n");
}

void append_cpim_head(std::string& out, const CpimText& text) {
  append_cpim_address(out, "From", text.from_name, text.from_uri);  // RFC 3862 4.1
  append_cpim_address(out, "To", {}, text.to_uri);                  // RFC 3862 4.2
  out.append("DateTime: ");                                         // RFC 3862 4.4
  append_date_time(out, text.wall_ms);
  out.append("\r\n\r\nContent-Type: ").append(text.content_type).append("\r\n\r\n");  // RFC 3862 2.4
}

void append_date_time(std::string& out, std::int64_t wall_ms) {
  using namespace std::chrono;
  const sys_seconds at = floor<seconds>(sys_time<milliseconds>(milliseconds(wall_ms)));
  const sys_days day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<seconds> time(at - day);
  const auto year_number = static_cast<unsigned>(static_cast<int>(date.year()));
  append_two_digits(out, year_number / 100);
  append_two_digits(out, year_number % 100);
  out.push_back('-');
  append_two_digits(out, static_cast<unsigned>(date.month()));
  out.push_back('-');
  append_two_digits(out, static_cast<unsigned>(date.day()));
  out.push_back('T');
  append_two_digits(out, static_cast<unsigned>(time.hours().count()));
  out.push_back(':');
  append_two_digits(out, static_cast<unsigned>(time.minutes().count()));
  out.push_back(':');
  append_two_digits(out, static_cast<unsigned>(time.seconds().count()));
  out.push_back('Z');
}

}  // namespace parley::policy

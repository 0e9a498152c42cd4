// msrp/head.rl - the grammar of an MSRP head (RFC 4975 section 9, RFC 4976 section 7). What an element means is in head.cc.
//
// Long runs of like bytes (values, names, hosts, session-ids) are passed 16 at a time by the functions of text_skip.h;
// the machine sees their first byte and what ends them. Paths that came before are jumped over (PathMemo), and so is
// what nearly all requests have in front of them.
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "core/text_skip.h"
#include "msrp/head.h"

namespace parley::msrp {
namespace {

using Byte = unsigned char;
using core::skip_ident;
using core::skip_text;
using core::skip_unreserved;

%%{
  machine msrp_head;
  include uri_grammar "msrp/uri_grammar.rli";
  alphtype unsigned char;
  variable cs state_;

  # An action that finds an error stops the machine on the byte that showed it.
  action mark { mark_ = at(p); }
  action mark_next { mark_ = at(p) + 1; }
  action skip_text { fexec skip_text(p + 1, pe); }

  action tid_start { mark_ = at(p); fexec skip_ident(p + 1, tid_limit(p, pe)); }
  action tid_byte { if (at(p) - mark_ == tid_bytes_max && !fail(HeadError::tid_length)) { fhold; fbreak; } }
  action tid_end { if (!keep_tid(at(p))) { fhold; fbreak; } }
  action method_end { head_.method_name = {mark_, at(p) - mark_}; }
  action status_digit { head_.status = static_cast<std::uint16_t>(head_.status * 10 + (*p - '0')); }
  action comment_end { head_.comment = {mark_, at(p) - mark_}; }
  action send { head_.method = Method::send; }
  action report { head_.method = Method::report; }
  action auth { head_.method = Method::auth; }
  action nickname { head_.method = Method::nickname; }
  action other_method { head_.method = Method::other; }

  # From the space behind the transaction id.
  action usual_send {
    if (starts_with(p + 1, pe, usual_start)) {
      const Byte* const value = p + 1 + usual_start.size();
      keep_usual_send(at(p) + 1, at(value));
      if (memo != nullptr && memo_matches(*memo, value, pe)) { keep_memo(*memo, at(value)); fexec value + memo->bytes.size(); fgoto headers; }
      fexec value;
      fgoto path;
    }
  }
  action expect_path { expect_ = HeadError::path; }
  action path_start { line_ = at(p) + 1; number_ = 0; }
  action memo { if (memo != nullptr && memo_matches(*memo, p + 1, pe)) { keep_memo(*memo, at(p) + 1); fexec p + 1 + memo->bytes.size(); fgoto headers; } }
  action path { fgoto path; }
  action uri_end { if (!keep_uri(at(p))) { fhold; fbreak; } }
  action path_end { (head_.to_path.present() ? head_.from_path : head_.to_path) = {line_, at(p) - line_}; }
  action path_line_end { if (!head_.from_path.present()) fgoto from_path; keep_paths(at(p) + 1); fgoto headers; }

  action line {
    line_ = at(p);
    if (const std::uint32_t value = usual_name(p, pe)) {
      mark_ = at(p) + value;
      fexec p + value;
      if (field_ == Field::byte_range) fgoto range_value;
      if (field_ == Field::content_type) fgoto content_type_value;
      fgoto value;
    }
  }
  action header_name { keep_name(bytes.data(), at(p)); }
  action special_value { if (field_ == Field::byte_range) fgoto byte_range; if (field_ == Field::content_type) fgoto content_type; }
  action header_end { if (!keep_header(bytes.data(), at(p), limits)) { fhold; fbreak; } }
  action headers { fgoto headers; }

  action zero { number_ = 0; }
  action digits { fexec add_digits(p, pe); if (error_ != HeadError::none) fbreak; }
  action range_start_end { head_.range.start = number_; }
  action range_end_end { head_.range.end = number_; }
  action total_end { head_.range.total = number_; }

  action expect_blank { expect_ = HeadError::content_type; }
  action no_content_type { if (!fail(HeadError::content_type)) { fhold; fbreak; } }
  action body { if (!keep_body(at(p))) { fhold; } fbreak; }
  action end_line { expect_ = HeadError::end_line; if (mime_ && !fail(HeadError::content_type)) { fhold; fbreak; } }
  action end_line_byte { if (!end_line_byte(bytes.data(), at(p))) { fhold; fbreak; } }
  action end_line_whole { if (!end_line_whole(at(p))) { fhold; fbreak; } }
  action done { finish(at(p) + 1); fbreak; }

  SP = " ";
  CRLF = "\r\n";
  ws = [ \t];
  utf8text_char = "\t" | 0x20..0x7e | 0x80..0xff;

  # T-57: a response may end right after From-Path, although the ABNF asks for one more header.
  # tid_length rather than start_line is said for ids of the wrong size: no response can be built for those.
  ident_char = alnum | [.\-+%=];
  transact_id = alnum >tid_start ident_char* $tid_byte %tid_end;
  other_method = upper+;
  method = (other_method - ("SEND" | "REPORT" | "AUTH" | "NICKNAME")) %other_method
         | "SEND" %send | "REPORT" %report | "AUTH" %auth | "NICKNAME" %nickname;
  status_code = digit{3} $status_digit;
  comment = utf8text_char+ >mark $skip_text %comment_end;
  req_start = method >mark %method_end CRLF;
  resp_start = status_code (SP comment?)? CRLF;
  start_line = "MSRP" SP transact_id SP @usual_send (req_start | resp_start) @expect_path;

  # The value of both path lines.
  MSRP_URI = msrp_scheme "://" authority ("/" session_id)? ";" transport (";" URI_parameter)*;
  path := MSRP_URI >mark %uri_end (SP MSRP_URI >mark %uri_end)* "\r" @path_end "\n" @path_line_end;
  To_Path = "To-Path:"i SP @path_start @memo @path;
  from_path := "From-Path:"i SP @path_start @path;

  # Which header a name means is looked up at its colon; two have a grammar of their own from there.
  hname = alpha token_char* $skip_unreserved;
  hcolon = SP @mark_next ws* $mark_next;
  hval = ((utf8text_char - ws) utf8text_char* $skip_text)?;
  more_ws = ws* $mark_next;
  header = hname >line ":" @header_name @special_value hcolon hval CRLF @header_end;
  value := more_ws hval CRLF @header_end @headers;

  range_start = digit+ >zero $digits %range_start_end;
  range_end = digit+ >zero $digits %range_end_end | "*";
  total = digit+ >zero $digits %total_end | "*";
  range_line = range_start "-" range_end "/" total ws* CRLF @header_end @headers;
  byte_range := hcolon range_line;
  range_value := more_ws range_line;
  content_type_line = hval CRLF @header_end @expect_blank CRLF @body;
  content_type := hcolon content_type_line;
  content_type_value := more_ws content_type_line;

  end_line = "-" @end_line "------" @mark_next (ident_char | [$#])+ $end_line_byte "\r" @end_line_whole "\n" @done;
  headers := header* ("\r" @no_content_type | end_line);

  main := start_line To_Path;
  write data nofinal noentry;
}%%

constexpr std::string_view usual_start = "SEND\r\nTo-Path: ";

bool starts_with(const Byte* p, const Byte* pe, std::string_view text) {
  return static_cast<std::size_t>(pe - p) >= text.size() && std::memcmp(p, text.data(), text.size()) == 0;
}

// How far a transaction id that begins at `p` may be passed over: a byte more shows that it is too long.
const Byte* tid_limit(const Byte* p, const Byte* pe) { return pe - p > std::ptrdiff_t{tid_bytes_max} ? p + tid_bytes_max : pe; }

bool memo_matches(const PathMemo& memo, const Byte* p, const Byte* pe) {
  return !memo.bytes.empty() && starts_with(p, pe, memo.bytes);
}

}  // namespace

HeadParser::HeadParser() { reset(); }

// Of trivial members: g++ 12 makes `rep stos` and `rep movs` of an assignment; those cost 25 ns, this 4 (bench/parse).
void HeadParser::reset() {
  static_assert(std::is_trivially_copyable_v<HeadParser>);
  static constinit const HeadParser blank(msrp_head_start);
  constexpr std::size_t step = 64;
  const auto* from = reinterpret_cast<const Byte*>(&blank);
  auto* to = reinterpret_cast<Byte*>(this);
  std::size_t at = 0;
  for (; at + step <= sizeof(HeadParser); at += step) std::memcpy(to + at, from + at, step);
  std::memcpy(to + at, from + at, sizeof(HeadParser) % step);
}

Progress HeadParser::parse(std::string_view bytes, const HeadLimits& limits, const PathMemo* memo) {
  if (done_) return Progress::done;
  if (error_ != HeadError::none) return Progress::bad;
  const std::size_t size = bytes.size() < limits.head_bytes_max ? bytes.size() : limits.head_bytes_max;
  if (at_ > size) {  // the limit was lowered since the last call
    (void)fail(HeadError::too_long);
    return Progress::bad;
  }
  const Byte* const base = reinterpret_cast<const Byte*>(bytes.data());
  const Byte* p = base + at_;
  const Byte* const pe = base + size;
  const auto at = [base](const Byte* byte) { return static_cast<std::uint32_t>(byte - base); };
  %% write exec;
  at_ = at(p);
  if (done_) return Progress::done;
  if (error_ == HeadError::none && state_ == msrp_head_error) (void)fail(expect_);
  if (error_ == HeadError::none && at_ == limits.head_bytes_max) (void)fail(HeadError::too_long);
  return error_ == HeadError::none ? Progress::need_more : Progress::bad;
}

}  // namespace parley::msrp

// sip/head.rl - the lines of a SIP head (RFC 3261 section 25.1, R3261-16). What an element means is in head.cc.
//
// Long runs of like bytes (names, URIs, values) are passed 16 at a time by the functions of text_skip.h. Values are only
// looked at for their line ends here. T-12: LF alone ends a line as well; a CR anywhere else is a bad line. Control
// characters may only stand behind a backslash, as quoted-pairs have them.
#include <cstddef>
#include <cstring>

#include "core/text_skip.h"
#include "sip/head.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;
using core::skip_text;
using core::skip_unreserved;

%%{
  machine sip_head;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;
  variable cs state_;

  # An action that stops the machine for good leaves it on the byte that showed why.
  action mark { mark_ = at(p); }
  action skip_token { fexec skip_unreserved(p + 1, pe); }
  action skip_text { fexec skip_text(p + 1, pe); }

  action method_end { keep_method(bytes.data(), at(p)); }
  action uri_end { head_.uri = {mark_, at(p) - mark_}; }
  action version_end { keep_version(bytes.data(), at(p)); }
  action status_digit { head_.status = static_cast<std::uint16_t>(head_.status * 10 + (*p - '0')); }
  action reason_end { head_.reason = {mark_, at(p) - mark_}; }
  action start_done { end_line(bytes.data(), at(p)); fgoto line; }
  action bad_start { fhold; fgoto rest_of_start; }
  action bad_start_done { if (!bad_start(bytes.data(), at(p))) { fhold; fbreak; } fgoto line; }

  action name_end { name_end_ = at(p); }
  action value_start { value_ = at(p) + 1; line_bad_ = false; fgoto value; }
  action control { if (!escaped(bytes.data(), at(p))) { note(HeadError::header_line, at(p)); line_bad_ = true; fgoto rest_of_line; } }
  action line_end { value_end_ = at(p); line_whole_ = true; end_line(bytes.data(), at(p)); fgoto next_line; }
  action fold { line_whole_ = false; fgoto value; }
  action header_done { fhold; line_whole_ = false; if (!line_bad_ && !keep_header(bytes.data(), limits)) { fbreak; } fgoto line; }
  action bad_line { note(HeadError::header_line, at(p)); line_bad_ = true; fhold; fgoto rest_of_line; }
  action head_done { end_line(bytes.data(), at(p)); head_.length = at(p) + 1; done_ = true; fnext line; fbreak; }

  text_byte = "\t" | 0x20..0x7e | utf8_byte;

  control_byte = 0x00..0x08 | 0x0b | 0x0c | 0x0e..0x1f | 0x7f;

  method = token_char+ >mark %method_end;
  request_uri = (0x21..0x7e | utf8_byte)+ >mark %uri_end;
  version = "SIP/"i >mark digit+ "." digit+ %version_end;
  request_line = method " " request_uri " " version eol;
  status_code = [1-6] digit{2};
  # Some leave the space behind the status out.
  status_line = "SIP/2.0"i " " status_code $status_digit (" " (text_byte* >mark $skip_text %reason_end))? eol;

  main := (request_line | status_line) @start_done $!bad_start;
  rest_of_start := [^\n]* "\n" @bad_start_done;

  line := (eol @head_done | token_char >mark (token_char* $skip_token) %name_end WSP* ":" @value_start) $!bad_line;
  value := ((text_byte $skip_text | control_byte $control)* eol @line_end) $!bad_line;
  next_line := WSP @fold | ^WSP @header_done;
  rest_of_line := [^\n]* "\n" @line_end;
  write data nofinal noentry noerror;
}%%

}  // namespace

void HeadParser::reset() {
  state_ = sip_head_start;
  at_ = mark_ = name_end_ = value_ = value_end_ = error_at_ = 0;
  line_bad_ = line_whole_ = done_ = stopped_ = false;
  lasts_.fill(0);
  head_.length = 0;
  head_.error = HeadError::none;
  head_.method = Method::none;
  head_.status = 0;
  head_.method_name = head_.uri = head_.reason = Span{};
  head_.has_content_length = head_.bad_content_length = head_.line_feeds_alone = false;
  head_.content_length = 0;
  head_.header_count = 0;
  head_.firsts.fill(0);
}

Progress HeadParser::parse(std::string_view bytes, const HeadLimits& limits) {
  if (done_) return Progress::done;
  if (stopped_) return Progress::bad;
  const std::size_t size = bytes.size() < limits.head_bytes_max ? bytes.size() : limits.head_bytes_max;
  if (at_ > size) {  // the limit was lowered since the last call
    (void)fail(HeadError::too_long, at_);
    return Progress::bad;
  }
  if (bytes.empty()) return Progress::need_more;  // may point nowhere, which would look like `eof` below
  const Byte* const base = reinterpret_cast<const Byte*>(bytes.data());
  const Byte* p = base + at_;
  const Byte* const pe = base + size;
  const Byte* const eof = nullptr;  // the end of the bytes is not the end of the head
  const auto at = [base](const Byte* byte) { return static_cast<std::uint32_t>(byte - base); };
  %% write exec;
  at_ = at(p);
  if (done_) return Progress::done;
  if (!stopped_ && at_ == limits.head_bytes_max) (void)fail(HeadError::too_long, at_);
  return stopped_ ? Progress::bad : Progress::need_more;
}

}  // namespace parley::sip

// policy/cpim.rl - the lines of a message/cpim head and the values with a form of their own (RFC 3862 sections 2 to 4).
// What a header means is in cpim.cc.
//
// Long runs are passed 16 bytes at a time by core/text_skip.h. Values are only looked at for their line ends. A header of
// the content may be folded, as MIME has it; a message header may not.
#include <cstddef>

#include "core/text_skip.h"
#include "policy/cpim.h"

namespace parley::policy {
namespace {

using Byte = unsigned char;
using core::between;
using core::skip_text;

%%{
  machine cpim_rules;
  eol = "\r"? "\n";
  WSP = [ \t];
  utf8_byte = 0x80..0xff;
  text_byte = "\t" | 0x20..0x7e | utf8_byte;
  # NAMECHAR, and the "." behind a prefix.
  name_char = alnum | [!#$%&'*+\-.\^_`|~];
}%%

%%{
  machine cpim_head;
  include cpim_rules;
  alphtype unsigned char;
  variable cs state_;

  # An action that stops the machine for good leaves it on the byte that showed why.
  action skip_text { fexec skip_text(p + 1, pe); }
  action name_end { name_end_ = at(p); }
  action value { value_ = at(p) + 1; }

  action bad_header { (void)fail(CpimError::header_syntax); fhold; fbreak; }
  action header { if (!keep_header(bytes, at(p))) { fbreak; } line_ = at(p) + 1; fgoto main; }
  action headers_done {
    head_.headers_length = line_ = at(p) + 1;
    if (content_seen_) { head_.length = line_; done_ = true; fbreak; }
    fgoto content_headers;
  }

  action content_line_end { value_end_ = at(p); line_ = at(p) + 1; fgoto content_next; }
  action content_header { fhold; keep_content_header(bytes); fgoto content_headers; }
  action content_done { head_.length = at(p) + 1; done_ = true; fbreak; }
  # What is no header of the content is the content.
  action content_here { head_.length = line_; done_ = true; fhold; fbreak; }
  action content_behind { keep_content_header(bytes); head_.length = line_; done_ = true; fhold; fbreak; }

  header_line = name_char+ %name_end WSP* ":" @value (text_byte $skip_text)* eol;

  main := (eol @headers_done | header_line @header) $!bad_header;
  content_headers := (eol @content_done | header_line @content_line_end) $!content_here;
  content_next := (WSP (text_byte $skip_text)* eol @content_line_end) $!content_behind | ^WSP @content_header;
  write data nofinal noentry noerror;
}%%

%%{
  machine cpim_address;
  include cpim_rules;
  alphtype unsigned char;

  action name { name = p; }
  action name_end { name_end = p; }
  action uri { uri = p; }
  action uri_end { uri_end = p; }

  # absoluteURI is not looked at more closely here: who compares it parses it.
  uri_char = (0x21..0x7e - [<>]) | utf8_byte;
  quoted = '"' ((text_byte - ["\\]) | "\\" text_byte)* >name %name_end '"';
  bare = (text_byte - [<">] - WSP) >name ((text_byte - [<>])* (text_byte - [<>] - WSP))? %name_end;
  main := WSP* ((quoted | bare)? WSP* "<" WSP* uri_char+ >uri %uri_end WSP* ">" | uri_char+ >uri %uri_end) WSP*;
  write data noerror noentry;
}%%

}  // namespace

void CpimParser::reset() {
  at_ = line_ = name_end_ = value_ = value_end_ = 0;
  content_seen_ = done_ = false;
  error_ = CpimError::none;
  default_space_ = Space::cpim;
  prefix_count_ = 0;
  head_ = CpimHead{};
  state_ = cpim_head_start;
}

CpimParser::Progress CpimParser::parse(std::string_view bytes, bool whole, std::uint32_t head_bytes_max) {
  if (done_) return Progress::done;
  if (error_ != CpimError::none) return Progress::bad;
  const std::size_t size = bytes.size() < head_bytes_max ? bytes.size() : head_bytes_max;
  if (at_ < size) {
    const Byte* const base = reinterpret_cast<const Byte*>(bytes.data());
    const Byte* p = base + at_;
    const Byte* const pe = base + size;
    const Byte* const eof = nullptr;  // the end of the bytes is not the end of the head
    const auto at = [base](const Byte* byte) { return static_cast<std::uint32_t>(byte - base); };
    %% machine cpim_head;
    %% write exec;
    at_ = at(p);
  }
  if (!done_ && error_ == CpimError::none) {
    if (size < bytes.size() || at_ >= head_bytes_max) return fail(CpimError::too_long) ? Progress::done : Progress::bad;
    if (!whole) return Progress::need_more;
    if (head_.headers_length == 0) return fail(CpimError::cut) ? Progress::done : Progress::bad;
    if (value_end_ != 0) keep_content_header(bytes);
    head_.length = line_;  // a line that has no end is content
    done_ = true;
  }
  return done_ ? Progress::done : Progress::bad;
}

bool parse_cpim_address(std::string_view value, CpimAddress& out) {
  const Byte* p = reinterpret_cast<const Byte*>(value.data());
  const Byte* const pe = p + value.size();
  const Byte* const eof = pe;
  const Byte *name = nullptr, *name_end = nullptr, *uri = nullptr, *uri_end = nullptr;
  int cs = 0;
  %% machine cpim_address;
  %% write init;
  %% write exec;
  if (cs < cpim_address_first_final) return false;
  out.name = name == uri ? std::string_view{} : between(name, name_end);
  out.uri = between(uri, uri_end);
  return true;
}

}  // namespace parley::policy

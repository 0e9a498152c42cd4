// sip/sdp.rl - the lines of a session description (RFC 4566 section 9, RFC 8866 section 9). What they mean is in
// sdp_reader.cc.
#include "sip/sdp.h"
#include "sip/sdp_reader.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;

%%{
  machine sdp;
  alphtype unsigned char;

  # An action that finds an error stops the machine on the byte that showed it; `expect` says what it is.
  action line { if (!reader.begin_line(static_cast<char>(*p), at(p))) { expect = SdpError::too_many_media; fhold; fbreak; } }
  action mark { mark = at(p); }
  action word_end { reader.add_word({mark, at(p) - mark}); }
  action blank { out.quirks.blanks = true; }
  action line_feed { out.quirks.line_feed_only = true; }
  action unknown { out.quirks.unknown_line = true; }
  action port_digit { if (!reader.add_port_digit(static_cast<char>(*p))) { fhold; fbreak; } }
  action attribute_name { name = {mark, at(p) - mark}; value = {}; }
  action attribute_value { value = {mark, at(p) - mark}; }
  action no_formats { formats = {}; }
  action formats { formats = {mark, at(p) - mark}; }

  action expect_syntax { expect = SdpError::syntax; }
  action expect_origin { expect = SdpError::origin; reader.begin_words(); }
  action expect_connection { expect = SdpError::connection; reader.begin_words(); }
  action expect_media { expect = SdpError::media; reader.begin_words(); }

  action origin { if (!reader.origin(at(p))) { fhold; fbreak; } }
  action session_name { reader.session_name({mark, at(p) - mark}); }
  action time { reader.time({mark, at(p) - mark}); }
  action connection { reader.connection(at(p)); }
  action media { reader.media(at(p), formats); }
  action attribute { reader.attribute(name, value); }

  text_byte = "\t" | 0x20..0x7e | 0x80..0xff;
  word_byte = 0x21..0x7e | 0x80..0xff;
  byte_string = text_byte* >mark;
  sp = " " (" " @blank)*;
  tail = (" " @blank)*;
  eol = "\r\n" | "\n" @line_feed;

  word = word_byte+ >mark %word_end;
  port = digit+ >mark $port_digit %word_end;

  version_line = "v" @line "=0" tail;
  origin_line = "o" @line @expect_origin "=" word sp word sp word sp word sp word sp word tail %origin;
  name_line = "s" @line "=" byte_string %session_name;
  time_line = "t" @line "=" byte_string %time;
  connection_line = "c" @line @expect_connection "=" word sp word sp word tail %connection;
  # A line that ends after the protocol is taken; RFC 4566 wants a format behind it.
  media_line = "m" @line @expect_media @no_formats "=" word sp port ("/" digit+)? sp word
               (" " byte_string %formats)? %media;
  attribute_line = "a" @line "=" (text_byte - ":")+ >mark %attribute_name (":" byte_string %attribute_value)? %attribute;
  known_line = [iuepbrzk] @line "=" text_byte*;
  unknown_line = (alpha - [vosctmaiuepbrzk]) @line @unknown "=" text_byte*;

  line = origin_line | name_line | time_line | connection_line | media_line | attribute_line | known_line | unknown_line;
  main := version_line ((eol @expect_syntax) (eol @blank)* line)* (eol @expect_syntax (eol @blank)*)?;
  write data noerror noentry;
}%%

}  // namespace

SdpVerdict parse_sdp(std::string_view text, const SdpLimits& limits, Sdp& out) {
  out = {};
  if (text.size() > limits.bytes_max) return {SdpError::too_long, limits.bytes_max};
  const Byte* const begin = reinterpret_cast<const Byte*>(text.data());
  const Byte* p = begin;
  const Byte* const pe = p + text.size();
  const Byte* const eof = pe;
  const auto at = [begin](const Byte* byte) { return static_cast<std::uint32_t>(byte - begin); };
  SdpReader reader(text, out);
  SdpError expect = SdpError::version;
  std::uint32_t mark = 0;
  Span name;
  Span value;
  Span formats;
  int cs = 0;
  %% write init;
  %% write exec;
  if (p != pe || cs < sdp_first_final) return {expect, at(p)};
  if (!reader.finish()) return {SdpError::origin, at(p)};
  if (limits.strict && out.quirks.any()) return {SdpError::strict, at(p)};
  return {};
}

}  // namespace parley::sip

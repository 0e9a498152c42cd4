// sip/cseq.rl - CSeq and Call-ID (RFC 3261 section 25.1).
#include <cstddef>

#include "sip/cseq.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;

%%{
  machine sip_cseq;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  action digits_end { digits_end = p; }
  action method { if (method == nullptr) method = p; }

  main := digit+ %digits_end LWS token >method;
  write data noerror noentry;
}%%

%%{
  machine sip_call_id;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  main := word ("@" word)?;
  write data noerror noentry;
}%%

}  // namespace

bool parse_cseq(std::string_view value, CSeq& cseq) {
  %% machine sip_cseq;
  const Byte* const start = reinterpret_cast<const Byte*>(value.data());
  const Byte* p = start;
  const Byte* const pe = p + value.size();
  const Byte *digits_end = nullptr, *method = nullptr;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < sip_cseq_first_final) return false;
  std::uint64_t number = 0;
  if (!parse_number(value.substr(0, static_cast<std::size_t>(digits_end - start)), cseq_max, number)) return false;
  cseq.number = static_cast<std::uint32_t>(number);
  cseq.method_name = value.substr(static_cast<std::size_t>(method - start));
  cseq.method = method_of(cseq.method_name);
  return true;
}

bool valid_call_id(std::string_view value) {
  %% machine sip_call_id;
  const Byte* p = reinterpret_cast<const Byte*>(value.data());
  const Byte* const pe = p + value.size();
  int cs = 0;
  %% write init;
  %% write exec;
  return cs >= sip_call_id_first_final;
}

bool parse_number(std::string_view value, std::uint64_t max, std::uint64_t& number) {
  if (value.empty()) return false;
  number = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<unsigned>(c - '0');
    if (number > (max - digit) / 10 || digit > max) return false;
    number = number * 10 + digit;
  }
  return true;
}

}  // namespace parley::sip

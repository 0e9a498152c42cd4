// sip/params.rl - one generic-param (RFC 3261 section 25.1).
#include <cstddef>

#include "core/text.h"
#include "sip/params.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;
using core::between;

%%{
  machine sip_param;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  action name { name = p; }
  action name_end { name_end = p; }
  action value { value = p; }
  action value_end { value_end = p; }
  # What follows the parameter is left for the next call.
  action next { fbreak; }

  gen_value_marked = gen_value >value %value_end;
  main := SWS ";" SWS token >name %name_end (EQUAL gen_value_marked)? SWS (";" @next)?;
  write data noerror noentry;
}%%

}  // namespace

bool take_param(std::string_view& params, Param& param) {
  const Byte* const start = reinterpret_cast<const Byte*>(params.data());
  const Byte* p = start;
  const Byte* const pe = p + params.size();
  const Byte* const eof = pe;
  const Byte *name = nullptr, *name_end = nullptr, *value = nullptr, *value_end = nullptr;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < sip_param_first_final) return false;
  param.name = between(name, name_end);
  param.has_value = value != nullptr;
  param.value = param.has_value ? between(value, value_end) : param.name.substr(param.name.size());
  // p is behind the ';' of the next one, or at the end.
  params.remove_prefix(static_cast<std::size_t>(p - start) - (p != start && p[-1] == ';' ? 1 : 0));
  return true;
}

std::string_view param_value(std::string_view params, std::string_view name) {
  Param param;
  while (take_param(params, param)) {
    if (core::equal_ignore_case(param.name, name)) return param.value;
  }
  return {};
}

std::string_view without_quotes(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

}  // namespace parley::sip

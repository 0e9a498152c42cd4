// sip/params.h - the parameters behind a header value, ";name=value;flag" (RFC 3261 section 25.1, generic-param).
#pragma once

#include <string_view>

namespace parley::sip {

struct Param {
  std::string_view name;
  std::string_view value;  // as it stands, quotes included
  bool has_value = false;
};

// Takes the first parameter off `params`, which begins with a ';' or white space, as Address and Via hold it. False at
// the end, and at what is no parameter.
[[nodiscard]] bool take_param(std::string_view& params, Param& param);

// The value of the first parameter of that name, case ignored: null data when absent, not null and empty without a
// value.
[[nodiscard]] std::string_view param_value(std::string_view params, std::string_view name);

// What stands between the quotes, escapes not undone; `text` itself when it is not quoted.
[[nodiscard]] std::string_view without_quotes(std::string_view text);

}  // namespace parley::sip

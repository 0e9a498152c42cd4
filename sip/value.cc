// sip/value.cc - the parts of value.h that need no grammar.
#include "sip/value.h"

#include <limits>

#include "sip/params.h"

namespace parley::sip {
namespace {

bool is_lws(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

constexpr std::string_view token_marks = "-.!%*_+`'~";

bool is_token_char(char c) {
  return (c >= '0' && c <= '9') || (core::lower(c) >= 'a' && core::lower(c) <= 'z') ||
         token_marks.find(c) != std::string_view::npos;
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_lws(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_lws(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view find_param(std::string_view parameters, std::string_view name) {
  return without_quotes(param_value(parameters, name));
}

bool has_param(std::string_view parameters, std::string_view name) {
  return param_value(parameters, name).data() != nullptr;
}

bool are_params(std::string_view parameters) {
  Param param;
  while (take_param(parameters, param)) {
  }
  return trim(parameters).empty();
}

bool is_token(std::string_view text) {
  for (const char c : text) {
    if (!is_token_char(c)) return false;
  }
  return !text.empty();
}

bool clamped_number(std::string_view value, std::uint32_t& out) {
  constexpr std::uint64_t number_max = std::numeric_limits<std::uint32_t>::max();
  value = trim(value);
  std::uint64_t number = 0;
  for (const char c : value) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
    if (number > number_max) number = number_max;
  }
  if (value.empty()) return false;
  out = static_cast<std::uint32_t>(number);
  return true;
}

}  // namespace parley::sip

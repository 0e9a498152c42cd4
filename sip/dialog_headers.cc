// sip/dialog_headers.cc - see dialog_headers.h.
#include "sip/dialog_headers.h"

#include "sip/cseq.h"
#include "sip/params.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

// The value of the one parameter of that name that must be there.
bool one_param(std::string_view parameters, std::string_view name, std::string_view& out) {
  bool found = false;
  for (Param param; take_param(parameters, param);) {
    if (!core::equal_ignore_case(param.name, name)) continue;
    if (found || param.value.empty()) return false;
    found = true;
    out = param.value;
  }
  return found;
}

bool parse_dialog(std::string_view value, std::string_view first_tag, std::string_view second_tag,
                  std::string_view& call_id, std::string_view& first, std::string_view& second,
                  std::string_view& parameters) {
  // Not split_item: a Call-ID may hold quotes and angle brackets, but no ';'.
  const std::size_t end = value.find(';');
  call_id = trim(value.substr(0, end));
  parameters = end == std::string_view::npos ? std::string_view{} : value.substr(end);
  return valid_call_id(call_id) && are_params(parameters) && one_param(parameters, first_tag, first) &&
         one_param(parameters, second_tag, second);
}

// The next word of `text`, which loses it.
std::string_view take_word(std::string_view& text) {
  text = trim(text);
  std::size_t size = 0;
  while (size < text.size() && text[size] > ' ') ++size;
  const std::string_view word = text.substr(0, size);
  text.remove_prefix(size);
  return word;
}

}  // namespace

bool parse_target_dialog(std::string_view value, TargetDialog& out) {
  out = {};
  std::string_view parameters;
  return parse_dialog(value, "local-tag", "remote-tag", out.call_id, out.local_tag, out.remote_tag, parameters);
}

bool parse_replaces(std::string_view value, Replaces& out) {
  out = {};
  std::string_view parameters;
  if (!parse_dialog(value, "to-tag", "from-tag", out.call_id, out.to_tag, out.from_tag, parameters)) return false;
  out.early_only = has_param(parameters, "early-only");
  return true;
}

bool parse_join(std::string_view value, Replaces& out) {
  if (!parse_replaces(value, out)) return false;
  out.early_only = false;
  return true;
}

bool parse_rseq(std::string_view value, std::uint32_t& out) { return clamped_number(value, out); }

bool parse_rack(std::string_view value, RAck& out) {
  out = {};
  std::string_view rest = value;
  if (!clamped_number(take_word(rest), out.rseq) || !clamped_number(take_word(rest), out.cseq)) return false;
  out.method = trim(rest);
  return is_token(out.method);
}

}  // namespace parley::sip

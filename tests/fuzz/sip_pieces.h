// tests/fuzz/sip_pieces.h - what the slow readers of SIP values said against what ours said.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/params.h"
#include "sip/uri.h"
#include "tests/sip/slow_values.h"

namespace parley::tests {

inline void check_inside(std::string_view piece, std::string_view text) {
  if (piece.data() == nullptr) return;
  CHECK(piece.data() >= text.data() && piece.data() + piece.size() <= text.data() + text.size());
}

inline bool same_piece(std::string_view piece, const std::optional<std::string>& slow) {
  return slow ? piece.data() != nullptr && piece == *slow : piece.empty();
}

inline std::vector<SlowParam> params_of(std::string_view params) {
  std::vector<SlowParam> out;
  std::string_view rest = params;
  for (sip::Param param; take_param(rest, param);) {
    check_inside(param.name, params);
    check_inside(param.value, params);
    out.push_back({.name = std::string(param.name), .value = {}});
    if (param.has_value) out.back().value = std::string(param.value);
  }
  CHECK(rest.empty());
  return out;
}

inline bool same_params(const std::vector<SlowParam>& a, const std::vector<SlowParam>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].value != b[i].value) return false;
  }
  return true;
}

// The parameters of an element, and each of the first ones found by its name.
inline void check_params(std::string_view params, const std::vector<SlowParam>& slow) {
  const std::vector<SlowParam> ours = params_of(params);
  CHECK(same_params(ours, slow));
  constexpr std::size_t looked_up_max = 32;  // each look-up walks along all of them
  for (std::size_t i = 0; i < slow.size() && i < looked_up_max; ++i) {
    const std::string_view found = sip::param_value(params, slow[i].name);
    CHECK(found.data() != nullptr);
    check_inside(sip::without_quotes(found), found);
  }
}

inline void check_uri_pieces(const sip::Uri& uri, const SlowSipUri& slow) {
  CHECK((uri.scheme == sip::Scheme::sip) == (slow.scheme == "sip"));
  CHECK((uri.scheme == sip::Scheme::sips) == (slow.scheme == "sips"));
  CHECK((uri.scheme == sip::Scheme::tel) == (slow.scheme == "tel"));
  CHECK(uri.user == slow.user);
  CHECK(same_piece(uri.password, slow.password));
  CHECK(uri.host == slow.host);
  CHECK(uri.has_port == slow.port.has_value());
  CHECK(uri.port == slow.port.value_or(0));
  CHECK(same_piece(uri.parameters, slow.parameters));
  CHECK(same_piece(uri.headers, slow.headers));
}

}  // namespace parley::tests

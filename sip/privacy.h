// sip/privacy.h - the Privacy header (RFC 3323 section 4.2, RFC 3325 section 9.3).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/text_out.h"

namespace parley::sip {

struct Privacy {
  bool none = false;
  bool header = false;
  bool session = false;
  bool user = false;
  bool id = false;
  bool history = false;  // RFC 7044
  bool critical = false;
  bool other = false;  // a token that is not known: with `critical` it cannot be served (R3323-1)

  // Whether a service is asked for at all.
  [[nodiscard]] bool wanted() const { return header || session || user || id || history || other; }
};

// R3323-1: ';' between the tokens, ',' taken, too. False for what is no list of tokens, and for `none` beside others.
[[nodiscard]] bool parse_privacy(std::string_view value, Privacy& out);

// The tokens that are still to be served, as a value; nothing when none is left (R3323-1: the header goes then).
// `other` tokens are not known here: a header with one is passed on as it stands.
void put_privacy(core::TextOut& out, const Privacy& privacy);
inline constexpr std::size_t privacy_bytes_max = 48;

}  // namespace parley::sip

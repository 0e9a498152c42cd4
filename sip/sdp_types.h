// sip/sdp_types.h - which content an MSRP section takes (RFC 4975 section 8.6, R4566-2, T-37).
#pragma once

#include <string_view>

namespace parley::sip {

// Whether a list attribute of the section (all lines of that name together) has the type, "*" or "type/*". Case and
// parameters do not count, in the list or in `type`.
[[nodiscard]] bool accepts_type(std::string_view section, std::string_view attribute, std::string_view type);

// As the content of a SEND, and inside a container (R4975-15). A section without accept-types takes nothing.
[[nodiscard]] bool accepts_root(std::string_view section, std::string_view type);
[[nodiscard]] bool accepts_wrapped(std::string_view section, std::string_view container, std::string_view type);

}  // namespace parley::sip

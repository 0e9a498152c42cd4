// sip/status.h - the phrases that go with status codes (RFC 3261 section 21 and the registry of response codes).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

// That of x00 for a code without one of its own (RFC 3261 section 8.1.3.2 treats them alike).
[[nodiscard]] std::string_view reason_phrase(std::uint16_t status);

}  // namespace parley::sip

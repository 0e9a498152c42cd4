// policy/xcap_diff_type.h - the type of what watchers are told of documents that have changed (RFC 5874).
#pragma once

#include <string_view>

namespace parley::policy {

inline constexpr std::string_view xcap_diff_type = "application/xcap-diff+xml";

}  // namespace parley::policy

// policy/deferred_reference.h - the URI by which a stored message is fetched (OMA-DEF-13): sip:deferred-ID@DOMAIN, with the
// 16 letters that stand for its id in the Call-ID of its delivery, too. See stored_reference.h.
#pragma once

#include "policy/stored_reference.h"

namespace parley::policy {

inline constexpr std::string_view deferred_user_prefix = "deferred-";

[[nodiscard]] inline std::string deferred_reference(std::uint64_t id, std::string_view domain) {
  return stored_reference(deferred_user_prefix, id, domain);
}
[[nodiscard]] inline std::optional<std::uint64_t> deferred_id(std::string_view user) {
  return stored_id(deferred_user_prefix, user);
}

}  // namespace parley::policy

// policy/history_reference.h - the URI by which a record of a user's history is fetched (OMA-HIS-5): sip:history-ID@DOMAIN. See
// stored_reference.h.
#pragma once

#include "policy/stored_reference.h"

namespace parley::policy {

inline constexpr std::string_view history_user_prefix = "history-";

[[nodiscard]] inline std::string history_reference(std::uint64_t id, std::string_view domain) {
  return stored_reference(history_user_prefix, id, domain);
}
[[nodiscard]] inline std::optional<std::uint64_t> history_id(std::string_view user) {
  return stored_id(history_user_prefix, user);
}

}  // namespace parley::policy

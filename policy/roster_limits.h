// policy/roster_limits.h - how big the roster of one session and its documents may get (conference_info.h).
#pragma once

#include <cstdint>

namespace parley::policy {

struct RosterLimits {
  std::uint32_t users_max = 10'000;               // that are in; one more is refused
  std::uint32_t endpoints_max = 8;                // of one user, those that have just left included
  std::uint32_t history_max = 1024;               // departures that somebody may still have to be told of
  std::uint32_t anonymous_max = 20'000;           // numbers of anonymous users that have left and may come back
  std::uint32_t documents_max = 8;                // kept until the next change
  std::uint32_t document_bytes_max = 768 * 1024;  // longer ones leave users out (RFC 4575 section 5.5.1)
  std::uint32_t text_bytes_max = 256;             // of display texts, aliases and reasons; longer ones are cut
  std::uint32_t uri_bytes_max = 512;              // of users and endpoints; longer ones are refused
};

}  // namespace parley::policy

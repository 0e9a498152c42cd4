// policy/media_config.h - what an operator decides about IM sessions whose messages go through this server
// (media_pair.h).
#pragma once

#include <cstdint>

namespace parley::policy {

// Whether the participating functions stay on the path of an IM session's messages (SEED4-6.1.1-1).
enum class MediaPath : std::uint8_t {
  automatic,  // where something needs it: the history of a user
  always,
  never,
};

// DEC-11: whether reports of the far side are asked for with the number of recipients.
enum class SentCount : std::uint8_t {
  off,
  trusted,  // of peers that are trusted and name themselves IM servers
  always,
};

struct MediaConfig {
  MediaPath path = MediaPath::automatic;
  std::uint32_t pairs_max = 50'000;          // per shard: a session has one for each of its m=message sections
  std::uint32_t kept_bytes_max = 512 * 1024;  // for one direction of a pair, while the other side does not take it
  std::uint32_t reports_max = 256;           // messages of a pair whose reports are awaited; with more, the oldest is forgotten
  SentCount sent_count = SentCount::trusted;
};

}  // namespace parley::policy

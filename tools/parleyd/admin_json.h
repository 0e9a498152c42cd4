// tools/parleyd/admin_json.h - the shards' JSON answers put together for one reader.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/parleyd/gather.h"

namespace parley::parleyd {

// "3-17": session 17 of shard 3.
struct SessionHandle {
  std::uint32_t shard = 0;
  std::uint64_t number = 0;
};
std::optional<SessionHandle> parse_session_handle(std::string_view text);

// {"sessions":[{"id":"0-17","shard":0,...}],"silent_shards":[]}
std::string sessions_json(const Gather::Answers& answers);
// {"shards":[{...}],"total":{...},"silent_shards":[]}: numbers of the same name are added up.
std::string summary_json(const Gather::Answers& answers);
// Whether a shard's answer to a kick says that a session has ended.
bool was_kicked(const std::string& answer);
std::string error_json(std::string_view message);

}  // namespace parley::parleyd

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
// "3-17.5": room 17.5 of shard 3.
struct RoomPlace {
  std::uint32_t shard = 0;
  std::string room;
};
std::optional<RoomPlace> parse_room_place(const std::string& text);

// {"sessions":[{"id":"0-17","shard":0,...}],"silent_shards":[]}
std::string sessions_json(const Gather::Answers& answers);
// The same with another name for the list. `add_ids`: each line gets its place in front.
std::string list_json(const Gather::Answers& answers, const std::string& name, bool add_ids = true);
// A shard's answer about one room, its id completed; nothing: there is no such room.
std::optional<std::string> room_json(std::uint32_t shard, const std::string& answer);
// {"shards":[{...}],"total":{...},"silent_shards":[]}: numbers of the same name are added up.
std::string summary_json(const Gather::Answers& answers);
// Whether a shard's answer to a kick says that a session has ended.
bool was_kicked(const std::string& answer);
// The same for an answer with that name.
bool was_done(const std::string& answer, const std::string& name);
std::string error_json(std::string_view message);

}  // namespace parley::parleyd

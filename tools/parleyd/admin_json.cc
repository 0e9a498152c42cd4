// tools/parleyd/admin_json.cc - the shards' JSON answers put together for one reader.
#include "tools/parleyd/admin_json.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace parley::parleyd {
namespace {

using Json = nlohmann::ordered_json;

Json parsed(const std::optional<std::string>& answer) {
  return answer ? Json::parse(*answer, nullptr, false) : Json(Json::value_t::discarded);
}

// Peers choose some of the text; bytes that are not UTF-8 must not end a request.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

template <typename T>
bool whole(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::optional<SessionHandle> parse_session_handle(std::string_view text) {
  const auto dash = text.find('-');
  SessionHandle handle;
  if (dash == std::string_view::npos || !whole(text.substr(0, dash), handle.shard) ||
      !whole(text.substr(dash + 1), handle.number)) {
    return std::nullopt;
  }
  return handle;
}

std::optional<RoomPlace> parse_room_place(const std::string& text) {
  const auto dash = text.find('-');
  RoomPlace place;
  if (dash == std::string::npos || !whole(std::string_view(text).substr(0, dash), place.shard)) return std::nullopt;
  place.room = text.substr(dash + 1);
  if (place.room.empty() || place.room.find_first_not_of("0123456789.") != std::string::npos) return std::nullopt;
  return place;
}

std::string sessions_json(const Gather::Answers& answers) { return list_json(answers, "sessions"); }

std::string list_json(const Gather::Answers& answers, const std::string& name, bool add_ids) {
  Json all = {{name, Json::array()}, {"silent_shards", Json::array()}};
  for (std::size_t shard = 0; shard < answers.size(); ++shard) {
    Json answer = parsed(answers[shard]);
    if (answer.is_object() && answer.contains(name)) answer = Json(answer[name]);
    if (!answer.is_array()) {
      all["silent_shards"].push_back(shard);
      continue;
    }
    for (const Json& session : answer) {
      if (!add_ids) {
        all[name].push_back(session);
        continue;
      }
      Json line;
      const Json number = session.value("id", Json(""));
      line["id"] = std::to_string(shard) + "-" + (number.is_string() ? number.get<std::string>() : number.dump());
      line["shard"] = shard;
      for (const auto& [key, value] : session.items()) {
        if (key != "id" && key != "shard") line[key] = value;
      }
      all[name].push_back(std::move(line));
    }
  }
  return dumped(all);
}

std::string summary_json(const Gather::Answers& answers) {
  Json all = {{"shards", Json::array()}, {"total", Json::object()}, {"silent_shards", Json::array()}};
  for (std::size_t shard = 0; shard < answers.size(); ++shard) {
    Json answer = parsed(answers[shard]);
    if (!answer.is_object()) {
      all["silent_shards"].push_back(shard);
      continue;
    }
    for (const auto& [key, value] : answer.items()) {
      if (key == "shard" || !value.is_number_unsigned()) continue;
      auto& total = all["total"][key];
      total = (total.is_null() ? std::uint64_t{0} : total.get<std::uint64_t>()) + value.get<std::uint64_t>();
    }
    answer["shard"] = shard;
    all["shards"].push_back(std::move(answer));
  }
  return dumped(all);
}

std::optional<std::string> room_json(std::uint32_t shard, const std::string& answer) {
  Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object() || !json.contains("room") || !json["room"].is_object()) return std::nullopt;
  json["room"]["id"] = std::to_string(shard) + "-" + json["room"].value("id", std::string());
  return dumped(json);
}

bool was_kicked(const std::string& answer) { return was_done(answer, "kicked"); }

bool was_done(const std::string& answer, const std::string& name) {
  const Json json = Json::parse(answer, nullptr, false);
  if (!json.is_object() || !json.contains(name)) return false;
  const Json& kicked = json[name];
  return kicked.is_boolean() ? kicked.get<bool>() : kicked.is_number() && kicked.get<std::int64_t>() > 0;
}

std::string error_json(std::string_view message) { return dumped(Json{{"error", message}}); }

}  // namespace parley::parleyd

// tools/parleyd/admin_user.cc - see admin_user.h.
#include "tools/parleyd/admin_user.h"

#include <httplib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/parleyd/admin_json.h"

namespace parley::parleyd {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t user_bytes_max = 512;
constexpr std::size_t id_digits_max = 19;

}  // namespace

void reply_json(httplib::Response& response, const std::string& body, int status) {
  response.status = status;
  response.set_content(body, "application/json");
}

std::optional<std::string> named_user(const httplib::Request& request, httplib::Response& response) {
  std::string user = request.get_param_value("user");
  const bool good =
      !user.empty() && user.size() <= user_bytes_max && user.find_first_of(" \t\r\n") == std::string::npos;
  if (good) return user;
  reply_json(response, error_json("needs ?user="), 400);
  return std::nullopt;
}

UserAnswer user_answer(const Gather::Answers& answers) {
  bool silent = false;
  UserAnswer refused;
  for (const auto& each : answers) {
    const Json json = each ? Json::parse(*each, nullptr, false) : Json(Json::value_t::discarded);
    if (!json.is_object()) {
      silent = true;
    } else if (json.contains("error")) {
      refused = {json.value("status", 409), json.dump() + "\n"};
    } else if (!json.empty()) {
      return {200, *each + "\n"};
    }
  }
  if (!refused.json.empty() && !silent) return refused;
  return {503, error_json(silent ? "the user's shard does not answer" : "no shard serves users here")};
}

bool is_id(const std::string& text) {
  return !text.empty() && text.size() <= id_digits_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace parley::parleyd

// tools/parleyd/admin_deferred.cc - see admin_deferred.h.
#include "tools/parleyd/admin_deferred.h"

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "tools/parleyd/admin_json.h"

namespace parley::parleyd {
namespace {

using Json = nlohmann::ordered_json;
using Kind = core::AdminRequest::Kind;

constexpr std::size_t user_bytes_max = 512;

void answer(httplib::Response& response, const std::string& body, int status = 200) {
  response.status = status;
  response.set_content(body, "application/json");
}

// Nothing: it has been answered with 400.
std::optional<std::string> user_of(const httplib::Request& request, httplib::Response& response) {
  std::string user = request.get_param_value("user");
  const bool good =
      !user.empty() && user.size() <= user_bytes_max && user.find_first_of(" \t\r\n") == std::string::npos;
  if (good) return user;
  answer(response, error_json("needs ?user="), 400);
  return std::nullopt;
}

}  // namespace

DeferredAnswer deferred_answer(const Gather::Answers& answers) {
  bool silent = false;
  DeferredAnswer refused;
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

void add_deferred_routes(httplib::Server& server, AdminBackend& backend) {
  using httplib::Request;
  using httplib::Response;
  server.Get("/api/v1/deferred", [&backend](const Request& request, Response& response) {
    const auto user = user_of(request, response);
    if (!user) return;
    const DeferredAnswer done = deferred_answer(backend.ask_all(Kind::deferred_entries, *user));
    answer(response, done.json, done.status);
  });
  // The document as its user gets it.
  server.Get("/api/v1/deferred/document", [&backend](const Request& request, Response& response) {
    const auto user = user_of(request, response);
    if (!user) return;
    const DeferredAnswer done = deferred_answer(backend.ask_all(Kind::deferred_list, *user));
    answer(response, done.json, done.status);
  });
  server.Post(R"(/api/v1/deferred/([0-9]{1,19})/delete)", [&backend](const Request& request, Response& response) {
    const auto user = user_of(request, response);
    if (!user) return;
    const std::string id = request.matches[1];
    const DeferredAnswer done = deferred_answer(backend.ask_all(Kind::deferred_delete, *user + " " + id));
    if (done.status != 200) return answer(response, done.json, done.status);
    if (was_done(done.json, "deleted")) return answer(response, "{\"deleted\":\"" + id + "\"}\n");
    answer(response, error_json("no such message waits for this user"), 404);
  });
}

}  // namespace parley::parleyd

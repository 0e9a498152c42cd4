// tools/parleyd/admin_system.cc - see admin_system.h.
#include "tools/parleyd/admin_system.h"

#include <httplib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/units.h"
#include "policy/system_message.h"
#include "tools/parleyd/admin_json.h"

namespace parley::parleyd {
namespace {

using Json = nlohmann::ordered_json;
using Kind = core::AdminRequest::Kind;

void reply(httplib::Response& response, const std::string& body, int status = 200) {
  response.status = status;
  response.set_content(body, "application/json");
}

// A member that is a string, or is not there.
bool take(const Json& from, const char* name, std::string& value) {
  if (!from.contains(name)) return true;
  if (!from[name].is_string()) return false;
  value = from[name].get<std::string>();
  return true;
}

}  // namespace

std::optional<std::string> order_from_json(const std::string& body, std::string& why) {
  const Json json = Json::parse(body, nullptr, false);
  policy::SystemMessageOrder order;
  std::string within;
  if (!json.is_object() || !take(json, "user", order.user) || !take(json, "text", order.text) ||
      !take(json, "language", order.language) || !take(json, "answer_within", within)) {
    why = "send an object with the strings user and text, and maybe language and answer_within";
    return std::nullopt;
  }
  if (!within.empty()) {
    const auto time = core::parse_duration(within);
    const auto seconds = time ? std::chrono::duration_cast<std::chrono::seconds>(*time).count() : 0;
    if (seconds <= 0 || seconds > policy::system_answer_within_max_s) {
      why = "answer_within is a time of 1s to 365d, like 1h";
      return std::nullopt;
    }
    order.answer_within_s = static_cast<std::uint32_t>(seconds);
  }
  const Json options = json.value("options", Json::array());
  bool good = options.is_array();
  for (const Json& each : options) {
    policy::SystemMessageOption option;
    good = good && each.is_object() && take(each, "id", option.id) && take(each, "text", option.text);
    order.options.push_back(std::move(option));
  }
  if (!good) {
    why = "options is an array of objects with the strings id and text";
    return std::nullopt;
  }
  why = policy::why_no_order(order);
  if (!why.empty()) return std::nullopt;
  return policy::put_order(order);
}

OrderAnswer order_answer(const Gather::Answers& answers) {
  bool silent = false;
  for (const auto& each : answers) {
    const Json json = each ? Json::parse(*each, nullptr, false) : Json(Json::value_t::discarded);
    if (!json.is_object()) {
      silent = true;
    } else if (json.contains("id")) {
      return {201, json.dump() + "\n"};
    } else if (json.contains("error")) {
      return {409, json.dump() + "\n"};
    }
  }
  return {503, error_json(silent ? "the user's shard does not answer; `system-messages` shows whether it was taken"
                                 : "no shard serves users here")};
}

void add_system_routes(httplib::Server& server, AdminBackend& backend) {
  using httplib::Request;
  using httplib::Response;
  server.Post("/api/v1/system-messages", [&backend](const Request& request, Response& response) {
    std::string why;
    const auto order = order_from_json(request.body, why);
    if (!order) return reply(response, error_json(why), 400);
    const OrderAnswer done = order_answer(backend.ask_all(Kind::system_message, *order));
    reply(response, done.json, done.status);
  });
  server.Get("/api/v1/system-messages", [&backend](const Request& request, Response& response) {
    const std::string limit = request.has_param("limit") ? request.get_param_value("limit") : "1000";
    if (limit.empty() || limit.size() > 9 || limit.find_first_not_of("0123456789") != std::string::npos) {
      return reply(response, error_json("limit is not a number"), 400);
    }
    reply(response, list_json(backend.ask_all(Kind::list_system_messages, limit), "messages", false));
  });
  server.Post(R"(/api/v1/system-messages/([0-9]{1,19})/close)", [&backend](const Request& request, Response& response) {
    const std::string id = request.matches[1];
    const auto answers = backend.ask_all(Kind::close_system_message, id);
    const bool closed =
        std::any_of(answers.begin(), answers.end(), [](const auto& each) { return each && was_done(*each, "closed"); });
    if (closed) return reply(response, "{\"closed\":\"" + id + "\"}\n");
    reply(response, error_json("no such system message, or its shard does not answer"), 404);
  });
}

}  // namespace parley::parleyd

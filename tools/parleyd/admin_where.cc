// tools/parleyd/admin_where.cc - see admin_where.h.
#include "tools/parleyd/admin_where.h"

#include <httplib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/parleyd/admin_json.h"

namespace parley::parleyd {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t id_bytes_max = 512;
constexpr const char* lists[] = {"waiting", "sending", "passed", "rooms"};
constexpr const char* unknown =
    "no such message: it does not wait in the store, is not on its way to a list or group, and is not among the last that went "
    "through here (--trace-messages; what a relay passes on is not remembered)";

// Bytes that are not UTF-8 must not end a request.
std::string as_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

bool is_whole(const Json& answer) {
  return answer.is_object() && std::all_of(std::begin(lists), std::end(lists), [&answer](const char* name) {
           return answer.contains(name) && answer[name].is_array();
         });
}

}  // namespace

WhereAnswer where_answer(const std::string& id, const Gather::Answers& answers) {
  Json all = {{"message_id", id}};
  for (const char* const name : lists) all[name] = Json::array();
  all["notes"] = Json::array();
  all["silent_shards"] = Json::array();
  bool found = false;
  for (std::size_t shard = 0; shard < answers.size(); ++shard) {
    const Json answer = answers[shard] ? Json::parse(*answers[shard], nullptr, false) : Json(Json::value_t::discarded);
    if (!is_whole(answer)) {
      all["silent_shards"].push_back(shard);
      continue;
    }
    if (const auto notes = answer.find("notes"); notes != answer.end() && notes->is_array()) {
      for (const Json& note : *notes) all["notes"].push_back({{"shard", shard}, {"text", note}});
    }
    for (const char* const name : lists) {
      for (auto each = answer[name].rbegin(); each != answer[name].rend(); ++each) {  // the newest came first
        Json line = {{"shard", shard}};
        line.update(*each);
        all[name].push_back(std::move(line));
        found = true;
      }
    }
  }
  std::stable_sort(all["passed"].begin(), all["passed"].end(),
                   [](const Json& a, const Json& b) { return a.value("at_ms", std::int64_t{0}) < b.value("at_ms", std::int64_t{0}); });
  if (found) return {200, as_text(all)};
  const bool silent = !all["silent_shards"].empty() || !all["notes"].empty();
  return {silent ? 503 : 404, error_json(silent ? "not all shards and the store have answered, and the others know of no such message" : unknown)};
}

void add_where_route(httplib::Server& server, AdminBackend& backend) {
  server.Get("/api/v1/where", [&backend](const httplib::Request& request, httplib::Response& response) {
    const std::string id = request.get_param_value("message-id");
    const bool good = !id.empty() && id.size() <= id_bytes_max;
    const WhereAnswer answer = good ? where_answer(id, backend.ask_all(core::AdminRequest::Kind::where, id))
                                    : WhereAnswer{400, error_json("needs ?message-id=")};
    response.status = answer.status;
    response.set_content(answer.json, "application/json");
  });
}

}  // namespace parley::parleyd

// tools/parleyd/admin_system.h - the part of the admin interface that is about system messages; see admin.h.
#pragma once

#include <optional>
#include <string>

#include "tools/parleyd/admin.h"

namespace httplib {
class Server;
}

namespace parley::parleyd {

void add_system_routes(httplib::Server& server, AdminBackend& backend);

// What a shard is asked (policy::put_order), from the JSON of a request. Nothing: `why` says what is wrong.
std::optional<std::string> order_from_json(const std::string& body, std::string& why);

// Of the shards' answers to it, the status and the JSON of the one that has the user.
struct OrderAnswer {
  int status = 503;
  std::string json;
};
OrderAnswer order_answer(const Gather::Answers& answers);

}  // namespace parley::parleyd

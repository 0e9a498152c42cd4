// tools/parleyd/admin_where.h - the part of the admin interface that says where one message is; see admin.h.
#pragma once

#include <string>

#include "tools/parleyd/admin.h"

namespace httplib {
class Server;
}

namespace parley::parleyd {

void add_where_route(httplib::Server& server, AdminBackend& backend);

// What the shards know of a message, put together:
//
//   {"message_id":ID,
//    "waiting":[...],   for users who were not there: rows of the store
//    "sending":[...],   to lists and groups that it has not reached whole
//    "passed":[...],    where it went, the oldest first
//    "rooms":[...],     as `trace` has it
//    "silent_shards":[]}
//
// 404 when nobody knows it; 503 when nobody does and not all have answered.
struct WhereAnswer {
  int status = 404;
  std::string json;
};
WhereAnswer where_answer(const std::string& id, const Gather::Answers& answers);

}  // namespace parley::parleyd

// tools/parleyd/admin_deferred.h - the part of the admin interface that is about messages that wait for users; see
// admin.h.
#pragma once

#include "tools/parleyd/admin.h"

namespace httplib {
class Server;
}

namespace parley::parleyd {

void add_deferred_routes(httplib::Server& server, AdminBackend& backend);

// Of the shards' answers the status and JSON of the one that has the user.
struct DeferredAnswer {
  int status = 503;
  std::string json;
};
DeferredAnswer deferred_answer(const Gather::Answers& answers);

}  // namespace parley::parleyd

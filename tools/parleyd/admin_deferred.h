// tools/parleyd/admin_deferred.h - the part of the admin interface that is about messages that wait for users; see
// admin.h.
#pragma once

#include "tools/parleyd/admin.h"

namespace httplib {
class Server;
}

namespace parley::parleyd {

void add_deferred_routes(httplib::Server& server, AdminBackend& backend);

}  // namespace parley::parleyd

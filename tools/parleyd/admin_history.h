// tools/parleyd/admin_history.h - the part of the admin interface that is about users' histories; see admin.h.
#pragma once

#include "tools/parleyd/admin.h"

namespace httplib {
class Server;
}

namespace parley::parleyd {

void add_history_routes(httplib::Server& server, AdminBackend& backend);

}  // namespace parley::parleyd

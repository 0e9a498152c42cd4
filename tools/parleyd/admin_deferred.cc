// tools/parleyd/admin_deferred.cc - see admin_deferred.h.
#include "tools/parleyd/admin_deferred.h"

#include <httplib.h>

#include "tools/parleyd/admin_json.h"
#include "tools/parleyd/admin_user.h"

namespace parley::parleyd {
using Kind = core::AdminRequest::Kind;

void add_deferred_routes(httplib::Server& server, AdminBackend& backend) {
  using httplib::Request;
  using httplib::Response;
  server.Get("/api/v1/deferred", [&backend](const Request& request, Response& response) {
    const auto user = named_user(request, response);
    if (!user) return;
    const UserAnswer done = user_answer(backend.ask_all(Kind::deferred_entries, *user));
    reply_json(response, done.json, done.status);
  });
  // The document as its user gets it.
  server.Get("/api/v1/deferred/document", [&backend](const Request& request, Response& response) {
    const auto user = named_user(request, response);
    if (!user) return;
    const UserAnswer done = user_answer(backend.ask_all(Kind::deferred_list, *user));
    reply_json(response, done.json, done.status);
  });
  server.Post(R"(/api/v1/deferred/([0-9]{1,19})/delete)", [&backend](const Request& request, Response& response) {
    const auto user = named_user(request, response);
    if (!user) return;
    const std::string id = request.matches[1];
    const UserAnswer done = user_answer(backend.ask_all(Kind::deferred_delete, *user + " " + id));
    if (done.status != 200) return reply_json(response, done.json, done.status);
    if (was_done(done.json, "deleted")) return reply_json(response, "{\"deleted\":\"" + id + "\"}\n");
    reply_json(response, error_json("no such message waits for this user"), 404);
  });
}

}  // namespace parley::parleyd

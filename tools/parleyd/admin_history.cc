// tools/parleyd/admin_history.cc - see admin_history.h.
#include "tools/parleyd/admin_history.h"

#include <httplib.h>

#include "tools/parleyd/admin_json.h"
#include "tools/parleyd/admin_user.h"

namespace parley::parleyd {

using Kind = core::AdminRequest::Kind;

void add_history_routes(httplib::Server& server, AdminBackend& backend) {
  using httplib::Request;
  using httplib::Response;
  server.Get("/api/v1/history", [&backend](const Request& request, Response& response) {
    const auto user = named_user(request, response);
    if (!user) return;
    const UserAnswer done = user_answer(backend.ask_all(Kind::history_entries, *user));
    reply_json(response, done.json, done.status);
  });
  // The document as its user gets it.
  server.Get("/api/v1/history/document", [&backend](const Request& request, Response& response) {
    const auto user = named_user(request, response);
    if (!user) return;
    const UserAnswer done = user_answer(backend.ask_all(Kind::history_list, *user));
    reply_json(response, done.json, done.status);
  });
  server.Post("/api/v1/history/([0-9]{1,19}|all)/delete", [&backend](const Request& request, Response& response) {
    const auto user = named_user(request, response);
    if (!user) return;
    const std::string which = request.matches[1];
    const UserAnswer done = user_answer(backend.ask_all(Kind::history_delete, *user + " " + which));
    if (done.status == 200 && !was_done(done.json, "deleted") && which != "all") {
      return reply_json(response, error_json("this user has no such record"), 404);
    }
    reply_json(response, done.json, done.status);
  });
}

}  // namespace parley::parleyd

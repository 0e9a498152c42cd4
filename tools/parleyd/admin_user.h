// tools/parleyd/admin_user.h - what requests about what is stored for one user have in common: of the admin interface
// (admin_deferred.h, admin_history.h), and of his XCAP documents (xcap_deferred.h, xcap_history.h).
#pragma once

#include <optional>
#include <string>

#include "tools/parleyd/gather.h"

namespace httplib {
struct Request;
struct Response;
}  // namespace httplib

namespace parley::parleyd {

void reply_json(httplib::Response& response, const std::string& body, int status = 200);
// Whom a request names by ?user=. Nothing: it has been answered with 400.
std::optional<std::string> named_user(const httplib::Request& request, httplib::Response& response);

// Of the shards' answers the status and JSON of the one that has the user.
struct UserAnswer {
  int status = 503;
  std::string json;
};
UserAnswer user_answer(const Gather::Answers& answers);

// Digits: what ids are in text.
bool is_id(const std::string& text);

}  // namespace parley::parleyd

// tools/parleyd/xcap_deferred.cc - see xcap_deferred.h.
#include "tools/parleyd/xcap_deferred.h"

#include <nlohmann/json.hpp>

#include "tools/parleyd/admin_json.h"
#include "tools/parleyd/admin_user.h"

namespace parley::parleyd {

using Kind = core::AdminRequest::Kind;

// Where nothing is deferred, or for somebody who is no user, there is no such document.
policy::XcapComputed XcapDeferredList::compute(const policy::XcapPlace& place) const {
  const UserAnswer answer = user_answer(ask_(Kind::deferred_list, place.owner));
  if (answer.status == 409) return {.status = 404};
  const nlohmann::json json = nlohmann::json::parse(answer.json, nullptr, false);
  const bool good = answer.status == 200 && json.is_object() && json.contains("document") && json.contains("etag") &&
                    json["document"].is_string() && json["etag"].is_string();
  if (!good) return {.status = 503};
  return {.status = 200, .body = json["document"].get<std::string>(), .etag = json["etag"].get<std::string>()};
}

// An entry is a message. The list itself can not be deleted, nor what an entry says.
std::uint16_t XcapDeferredList::erase(const policy::XcapPlace& place, policy::XmlElement element) const {
  if (!element || !element.is(space_, "entry")) return 409;
  const std::string id(element.attribute("id").value_or(""));
  if (!is_id(id)) return 409;
  const UserAnswer answer = user_answer(ask_(Kind::deferred_delete, place.owner + " " + id));
  if (answer.status != 200) return answer.status == 409 ? 404 : 503;
  return was_done(answer.json, "deleted") ? 200 : 404;
}

}  // namespace parley::parleyd

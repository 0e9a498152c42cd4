// tools/parleyd/xcap_history.cc - see xcap_history.h.
#include "tools/parleyd/xcap_history.h"

#include <nlohmann/json.hpp>

#include "tools/parleyd/admin_json.h"
#include "tools/parleyd/admin_user.h"

namespace parley::parleyd {

using Kind = core::AdminRequest::Kind;

policy::XcapComputed XcapHistory::compute(const policy::XcapPlace& place) const {
  const UserAnswer answer = user_answer(ask_(Kind::history_list, place.owner));
  if (answer.status == 409) return {.status = 404};
  const nlohmann::json json = nlohmann::json::parse(answer.json, nullptr, false);
  const bool good = answer.status == 200 && json.is_object() && json.contains("document") && json.contains("etag") &&
                    json["document"].is_string() && json["etag"].is_string();
  if (!good) return {.status = 503};
  if (json.value("records", 0) == 0) return {.status = 404};
  return {.status = 200, .body = json["document"].get<std::string>(), .etag = json["etag"].get<std::string>()};
}

// With no element: all of it.
std::uint16_t XcapHistory::erase(const policy::XcapPlace& place, policy::XmlElement element) const {
  std::string which = "all";
  if (element && !element.is(space(), "history-list")) {
    which = element.is(space(), "history") ? std::string(element.attribute("id").value_or("")) : std::string();
    if (!is_id(which)) return 409;
  }
  const UserAnswer answer = user_answer(ask_(Kind::history_delete, place.owner + " " + which));
  if (answer.status != 200) return answer.status == 409 ? 404 : 503;
  return was_done(answer.json, "deleted") ? 200 : 404;
}

}  // namespace parley::parleyd

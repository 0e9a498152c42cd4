// tools/parley/event.cc - see event.h.
#include "tools/parley/event.h"

#include <nlohmann/json.hpp>

namespace parley::client {

std::string to_json(const Event& event) {
  nlohmann::ordered_json line;
  line["event"] = event.name;
  for (const Event::Field& field : event.fields) {
    const std::string key(field.key);
    switch (field.kind) {
      case Event::Field::Kind::text: line[key] = field.text; break;
      case Event::Field::Kind::number: line[key] = std::stoull(field.text); break;
      case Event::Field::Kind::flag: line[key] = field.text == "true"; break;
      case Event::Field::Kind::list: line[key] = field.items; break;
    }
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace parley::client

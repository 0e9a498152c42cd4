// tools/parleyctl/table.h - an array of JSON objects as aligned columns for a terminal.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace parley::parleyctl {

// Columns are the keys in the order they first appear; numbers stand to the right. Control characters, which peers may
// have put into names, are shown as '?'.
std::string table(const nlohmann::ordered_json& rows);

}  // namespace parley::parleyctl

// tests/sim/json_value.h - what operators read of the server's answers.
#pragma once

#include <string>

namespace parley::sim {

// The value behind "name": in JSON text, from `at` on; moves `at` behind it. Strings come without their quotes.
inline bool json_value(const std::string& json, const std::string& name, std::size_t& at, std::string& value) {
  const std::string key = "\"" + name + "\":";
  const std::size_t found = json.find(key, at);
  if (found == std::string::npos) return false;
  std::size_t begin = found + key.size();
  const bool text = begin < json.size() && json[begin] == '"';
  begin += text ? 1U : 0U;
  at = json.find_first_of(text ? "\"" : ",}]", begin);
  if (at == std::string::npos) return false;
  value = json.substr(begin, at - begin);
  return true;
}

}  // namespace parley::sim

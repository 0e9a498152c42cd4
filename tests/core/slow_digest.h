// tests/core/slow_digest.h - reads the parameters of Digest header values a second time, character by character: slow,
// and with nothing in common with the machine it is compared with.
#pragma once

#include <map>
#include <optional>
#include <string>

namespace parley::tests {

// By name in lower case; unknown ones are left out. Nothing when the value is not a list of parameters, or one that is
// known stands there twice. `scheme`: the word "Digest" has to come first.
using SlowDigest = std::map<std::string, std::string>;
std::optional<SlowDigest> slow_digest(const std::string& value, bool scheme);

}  // namespace parley::tests

// core/credentials.h - who may authenticate, and the hashes that passwords are judged by.
//
// Filled once per configuration, then shared read-only by all shards.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/digest.h"

namespace parley::core {

struct Credential {
  // HA1 per algorithm, lower-case hex; empty when the users file does not hold that algorithm.
  std::map<DigestAlgorithm, std::string> ha1;
};

// By user name, all of one realm.
using Credentials = std::map<std::string, Credential, std::less<>>;

}  // namespace parley::core

// tools/parleyd/users.h - who may AUTH: digests from a file, or computed from --user at start, never secrets.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/credentials.h"

namespace parley::parleyd {

using Users = core::Credentials;

struct UsersResult {
  Users users;
  std::string error;                  // empty: good
  std::vector<std::string> warnings;  // lines that were understood and not used
};

// Lines NAME:REALM:ALGORITHM:HA1; '#' starts a comment line, blank lines are skipped. Lines of other realms are not
// used.
UsersResult parse_users(std::string_view text, std::string_view realm);
// The same from a file of at most 64 MiB. Warns when others than its owner and group may read it.
UsersResult read_users_file(const std::string& path, std::string_view realm);

// HA1 by every algorithm for each "name:secret"; the secrets are wiped. Call once.
Users digest_and_wipe(std::vector<std::string>& specs, const std::string& realm);

// Both together. A name that stands in both is an error: nobody could say which one counts.
std::string merge_users(Users& into, const Users& from);

// How many users lack a digest for an algorithm that is offered: they can only answer the other challenges.
std::size_t lacking(const Users& users, core::DigestAlgorithm algorithm);

}  // namespace parley::parleyd

// policy/user_sessions.h - which users are in an IM session of this server now, whichever shard has it (OMA-SES-11).
//
// One per shard, used by its thread alone; the shards know of each other by a table of the process, where each has an
// entry of its own for a user. Sessions that are only proxied are nobody's and do not count.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/keyed_hash.h"
#include "core/session_table.h"

namespace parley::policy {

class UserSessions {
 public:
  // `table`: of the process, null where there is one shard. `key`: the same for all shards.
  UserSessions(std::uint32_t shard, std::uint32_t shards, core::SessionTable* table, const core::HashKey& key)
      : shard_(shard), shards_(shards), table_(table), key_(key) {}

  // By user_key. Each entered() has its left().
  void entered(std::string_view user) {
    if (user.empty()) return;
    if (++counts_[std::string(user)] != 1 || table_ == nullptr) return;
    // A full table lets him into another session, no more.
    (void)table_->insert(name_of(user, shard_), {.shard = static_cast<std::uint16_t>(shard_)});
  }
  void left(std::string_view user) {
    const auto found = counts_.find(user);
    if (found == counts_.end() || --found->second != 0) return;
    if (table_ != nullptr) (void)table_->erase(name_of(user, shard_));
    counts_.erase(found);
  }
  [[nodiscard]] bool in_session(std::string_view user) const {
    if (counts_.find(user) != counts_.end()) return true;
    for (std::uint32_t shard = 0; table_ != nullptr && shard < shards_; ++shard) {
      if (shard != shard_ && table_->lookup(name_of(user, shard))) return true;
    }
    return false;
  }
  [[nodiscard]] std::size_t users() const { return counts_.size(); }

 private:
  [[nodiscard]] std::uint64_t name_of(std::string_view user, std::uint32_t shard) const {
    return core::KeyedHash(key_).add("in a session").add(user).add(std::uint64_t{shard}).finish().low | 1;  // 0 is none
  }
  const std::uint32_t shard_;
  const std::uint32_t shards_;
  core::SessionTable* const table_;
  const core::HashKey key_;
  std::map<std::string, std::uint32_t, std::less<>> counts_;
};

}  // namespace parley::policy

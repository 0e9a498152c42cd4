// policy/history_wishes.h - which users have settled whether their conversations are recorded (OMA-SET-3), for shards that do
// not have their settings: by a table of the process, where each user's shard has an entry for him.
//
// One per shard, used by its thread alone. Only who wants something else than the operator has for all is in the table. Where
// it is full, what the operator has holds for him on other shards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/keyed_hash.h"
#include "core/session_table.h"
#include "policy/history.h"

namespace parley::policy {

class HistoryWishes {
 public:
  // `table`: null where there is one shard. `key`: the same for all shards.
  HistoryWishes(std::uint32_t shard, core::SessionTable* table, const core::HashKey& key)
      : shard_(shard), table_(table), key_(key) {}
  ~HistoryWishes() {
    for (const auto& [aor, bits] : told_) (void)table_->erase(name_of(aor));
  }
  HistoryWishes(const HistoryWishes&) = delete;
  HistoryWishes& operator=(const HistoryWishes&) = delete;

  // A user of this shard: what holds for him, and for who has said nothing.
  void put(std::string_view aor, const ImSettings& settings, const ImSettings& otherwise) {
    if (table_ == nullptr) return;
    const std::uint32_t bits = bits_of(settings);
    const auto there = told_.find(aor);
    const bool differs = bits != bits_of(otherwise);
    if (there != told_.end() && differs && there->second == bits) return;
    if (there != told_.end()) {
      (void)table_->erase(name_of(aor));
      told_.erase(there);
    }
    if (!differs) return;
    const core::Place place{.shard = static_cast<std::uint16_t>(shard_), .slot = bits, .generation = 1};
    if (table_->insert(name_of(aor), place) == core::SessionTable::Insert::done) told_.emplace(aor, bits);
  }
  // Of whichever shard; nothing: as it is for all.
  [[nodiscard]] std::optional<bool> of(std::string_view aor, HistoryMode mode) const {
    if (table_ == nullptr) return std::nullopt;
    const std::optional<core::Place> place = table_->lookup(name_of(aor));
    if (!place) return std::nullopt;
    return (place->slot & bit_of(mode)) != 0;
  }

 private:
  static constexpr std::uint32_t bit_of(HistoryMode mode) { return mode == HistoryMode::session ? 1 : 2; }
  static std::uint32_t bits_of(const ImSettings& settings) {
    return (settings.history_session ? bit_of(HistoryMode::session) : 0) |
           (settings.history_pager_large ? bit_of(HistoryMode::pager_large) : 0);
  }
  [[nodiscard]] std::uint64_t name_of(std::string_view aor) const {
    return core::KeyedHash(key_).add("history").add(aor).finish().low | 1;  // 0 is none
  }
  const std::uint32_t shard_;
  core::SessionTable* const table_;
  const core::HashKey key_;
  std::map<std::string, std::uint32_t, std::less<>> told_;
};

}  // namespace parley::policy

// policy/store_owner.h - tokens of store operations say whose they are (core/store/store.h).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::policy {

enum class StoreOwner : std::uint8_t {
  deferred = 1,
  exploder = 2,
  system = 3,
  bodies = 4,
  large = 5,
  deferred_watch = 6,
  deferred_retrieval = 7,
  history = 8,
  where = 9,
  history_lists = 10,
};

// Whose subscriptions those of a row are (core::SubscriptionRow::owner).
inline constexpr std::string_view kept_of_users = "users";
inline constexpr std::string_view kept_of_deferred = "deferred";
inline constexpr std::string_view kept_of_histories = "histories";
inline constexpr std::string_view kept_of_sessions = "sessions";

inline constexpr unsigned store_owner_shift = 60;

[[nodiscard]] constexpr std::uint64_t store_token(StoreOwner owner, std::uint64_t number) {
  return static_cast<std::uint64_t>(owner) << store_owner_shift | number;
}
[[nodiscard]] constexpr StoreOwner store_owner(std::uint64_t token) {
  return static_cast<StoreOwner>(token >> store_owner_shift);
}
[[nodiscard]] constexpr std::uint64_t store_number(std::uint64_t token) {
  return token & ((std::uint64_t{1} << store_owner_shift) - 1);
}

}  // namespace parley::policy

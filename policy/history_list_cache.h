// policy/history_list_cache.h - lists of users' records as they were read last, for who asks again before something has changed.
//
// One per shard, used by its thread alone. Whether a list still holds, the store says: it has a version of each user's records
// (core/store/store.h). What was not asked for longest goes when all are longer than bytes_max.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "policy/history_list.h"
#include "policy/list_document.h"

namespace parley::policy {

struct ReadHistoryList {
  ListDocument list{};
  std::size_t records = 0;  // also those that are left out
  std::uint64_t version = 0;
  std::int64_t until_ms = std::numeric_limits<std::int64_t>::max();  // a record expires then
};

class HistoryListCache {
 public:
  struct Key {
    std::string aor{};
    HistoryList::Form form = HistoryList::Form::document;
    std::uint64_t bytes_max = 0;  // of the list
    std::string domain{};         // of its references
    auto operator<=>(const Key&) const = default;
  };
  using Pointer = std::shared_ptr<const ReadHistoryList>;

  // Null: there is none.
  [[nodiscard]] Pointer find(const Key& key, std::int64_t wall_ms) {
    const auto found = lists_.find(key);
    if (found == lists_.end()) return nullptr;
    if (found->second->second->until_ms <= wall_ms) {
      erase(found);
      return nullptr;
    }
    order_.splice(order_.end(), order_, found->second);
    return found->second->second;
  }
  void put(const Key& key, Pointer list, std::uint64_t bytes_max) {
    if (const auto found = lists_.find(key); found != lists_.end()) erase(found);
    const std::uint64_t size = size_of(key, *list);
    if (size > bytes_max) return;
    while (bytes_ + size > bytes_max) erase(lists_.find(order_.front().first));
    order_.emplace_back(key, std::move(list));
    lists_.emplace(key, std::prev(order_.end()));
    bytes_ += size;
  }
  void clear() {
    lists_.clear();
    order_.clear();
    bytes_ = 0;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  using Order = std::list<std::pair<Key, Pointer>>;  // what was asked for longest ago first
  using Lists = std::map<Key, Order::iterator>;

  static std::uint64_t size_of(const Key& key, const ReadHistoryList& list) {
    constexpr std::uint64_t entry_bytes = 512;  // the rest of it
    return entry_bytes + 2 * key.aor.size() + list.list.text.size();
  }
  void erase(Lists::iterator found) {
    bytes_ -= size_of(found->first, *found->second->second);
    order_.erase(found->second);
    lists_.erase(found);
  }

  Order order_;
  Lists lists_;
  std::uint64_t bytes_ = 0;
};

}  // namespace parley::policy

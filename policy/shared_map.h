// policy/shared_map.h - a map by text that is copied at the cost of one of its parts: for snapshots that many read and
// that differ from the one before by an entry.
//
// A copy shares all parts with its origin until one of them is changed; a part that no other map has is changed where
// it is. Values never change; whoever holds one keeps it alive. Reading a map that nobody changes is safe on any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace parley::policy {

template <class Value>
class SharedMap {
 public:
  using Pointer = std::shared_ptr<const Value>;

  // Null: there is none.
  [[nodiscard]] Pointer find(std::string_view key) const {
    const Part* const part = parts_[part_of(key)].get();
    if (part == nullptr) return nullptr;
    const auto found = part->find(key);
    return found == part->end() ? nullptr : found->second;
  }
  // In place of the one that was there.
  void put(std::string_view key, Pointer value) {
    if (own_part(key).insert_or_assign(std::string(key), std::move(value)).second) ++size_;
  }
  void erase(std::string_view key) {
    if (find(key) == nullptr) return;
    Part& part = own_part(key);
    part.erase(part.find(key));
    --size_;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  using Part = std::map<std::string, Pointer, std::less<>>;
  static constexpr std::size_t parts = 1024;  // a change among a million entries copies a thousand
  [[nodiscard]] Part& own_part(std::string_view key) {
    std::shared_ptr<Part>& part = parts_[part_of(key)];
    if (part == nullptr) {
      part = std::make_shared<Part>();
    } else if (part.use_count() != 1) {  // others read it
      part = std::make_shared<Part>(*part);
    }
    return *part;
  }
  // FNV-1a: who aims at one part makes his own changes slower.
  [[nodiscard]] static std::size_t part_of(std::string_view key) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return static_cast<std::size_t>((hash ^ (hash >> 32)) % parts);
  }
  std::array<std::shared_ptr<Part>, parts> parts_;
  std::size_t size_ = 0;
};

}  // namespace parley::policy

// policy/list_anchor.h - lists that rules and groups name by an anchor, found in the resource-lists documents that are
// at hand. The anchor is an XCAP URI (RFC 4825, RFC 4826 section 3.1):
//
//   http://xcap.example.org/resource-lists/users/sip:bill@example.org/index/~~/resource-lists/list%5b@name=%22friends%22%5d
//                                                |USER|                                     |one or more steps of this
//                                                kind|
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/xml_reader.h"

namespace parley::policy {

// Read once, with the document it stands in.
struct ListAnchor {
  std::string text{};                // as it stands there
  std::string user{};                // user_key
  std::vector<std::string> names{};  // of the list, from the outermost on; empty: it names no list of a user that way
  bool operator==(const ListAnchor&) const = default;
};
[[nodiscard]] ListAnchor parse_list_anchor(std::string_view text);

// The lists of one user, by their names, from the outermost on. A list has the users of those inside it, too; who is no
// SIP, SIPS or TEL URI is nobody here.
//
// Lists are numbered in the order in which they begin, so that those inside one are the numbers up to its end: each user
// is kept at the list he stands in and nowhere else, and is found among all of them in one search.
class UserLists {
 public:
  // His document, in place of what was there.
  [[nodiscard]] XmlError read(std::string_view bytes, const XmlLimits& limits);
  [[nodiscard]] bool contains(std::span<const std::string> names, std::string_view key) const;
  [[nodiscard]] bool has(std::span<const std::string> names) const { return find(names).has_value(); }
  // Users, each as often as there are lists that he himself stands in.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct List {
    std::map<std::string, std::uint32_t, std::less<>> inside;  // numbers, by name
    std::uint32_t end = 0;                                     // the first number that is not inside
  };
  struct Entry {
    std::string key;
    std::uint32_t list = 0;
    auto operator<=>(const Entry&) const = default;
  };
  void read_inside(XmlElement element, std::uint32_t list, bool nameable);
  [[nodiscard]] std::optional<std::uint32_t> find(std::span<const std::string> names) const;
  std::vector<List> lists_;     // the first one is the document
  std::vector<Entry> entries_;  // sorted, each once
};

}  // namespace parley::policy

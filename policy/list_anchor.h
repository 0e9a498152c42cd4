// policy/list_anchor.h - lists that rules and groups name by an anchor, found in the resource-lists documents that are
// at hand. The anchor is an XCAP URI (RFC 4825, RFC 4826 section 3.1):
//
//   http://xcap.example.org/resource-lists/users/sip:bill@example.org/index/~~/resource-lists/list%5b@name=%22friends%22%5d
//                                                |USER|                                     |one or more steps of this
//                                                kind|
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/xml_reader.h"

namespace parley::policy {

struct ListAnchor {
  std::string user;                // user_key
  std::vector<std::string> names;  // of the list, from the outermost on
};
// nullopt: it names no list in a user's documents that way.
[[nodiscard]] std::optional<ListAnchor> parse_list_anchor(std::string_view anchor);

// The lists of all users, by their names. A list has the users of those inside it, too; who is no SIP, SIPS or TEL URI
// is nobody here.
class UserLists {
 public:
  using Keys = std::set<std::string, std::less<>>;
  // `user` is a user_key; his document, once.
  [[nodiscard]] XmlError add(const std::string& user, std::string_view bytes, const XmlLimits& limits);
  [[nodiscard]] const Keys* find(const ListAnchor& anchor) const;

 private:
  void add_list(const std::string& path, XmlElement list, Keys& outer);
  std::map<std::string, Keys, std::less<>> lists_;  // by user and names, separated by a line's end
};

}  // namespace parley::policy

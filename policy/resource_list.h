// policy/resource_list.h - lists of recipients in INVITE, MESSAGE and REFER: application/resource-lists+xml (RFC 4826)
// with copy control (RFC 5364). OMA-GRP-5 to OMA-GRP-8, R5363-1, R5364-1, R5366-1, R5368-1.
//
//   parse_resource_list   bytes of one list part        -> ResourceList, as it stands there
//   recipients_of         all list parts of a request   -> Recipients, each once
//   recipient_history     Recipients, for one of them   -> what he is told of the others
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/user_key.h"
#include "policy/xml_reader.h"

namespace parley::policy {

inline constexpr std::string_view lists_space = "urn:ietf:params:xml:ns:resource-lists";
inline constexpr std::string_view resource_lists_type = "application/resource-lists+xml";
inline constexpr std::string_view recipient_list_disposition = "recipient-list";
// Content-Disposition of a list that tells the other recipients (RFC 5366 section 5).
inline constexpr std::string_view recipient_history_disposition = "recipient-list-history; handling=optional";

// The order is that of precedence: to before cc before bcc (OMA-GRP-6).
enum class CopyControl : std::uint8_t { to, cc, bcc };

struct ListEntry {
  std::string uri;
  std::string display_name;
  std::optional<CopyControl> copy;  // nullopt: no copyControl, or one that is none
  bool anonymize = false;
  std::uint32_t count = 1;  // of equal URIs; in histories only
  bool operator==(const ListEntry&) const = default;
};

struct ResourceList {
  std::vector<ListEntry> entries;       // of all lists, also nested ones, in their order
  std::vector<std::string> references;  // anchors of <external> and refs of <entry-ref>: never resolved (OMA-GRP-8)
  std::size_t left_out = 0;             // entries and references beyond list_entries_max
};

// 500: above any limit on ad-hoc groups that makes sense; recipients_of compares entries of one user with each other.
inline constexpr std::size_t list_entries_max = 500;
// Of one recipient's URI, which stands several times in the head of what is sent to him: longer ones can not be invited.
inline constexpr std::size_t recipient_uri_bytes_max = 1024;

// Error: 400 to the request. Entries of any scheme are taken; an entry without uri is an error. What is beyond
// list_entries_max is counted and no error here: who refuses it can say how many are allowed (OMA-GRP-5).
[[nodiscard]] XmlError parse_resource_list(std::string_view bytes, ResourceList& out, const XmlLimits& limits = {});

// Knob list.missing-copycontrol (OMA-GRP-6): RFC 5364 says bcc, clients mean to.
struct ListRules {
  CopyControl missing = CopyControl::to;
};

struct Recipient {
  std::string uri;  // as the list has it, with the headers behind '?' (R5365-1)
  std::string key;  // user_key(uri)
  std::string display_name;
  CopyControl copy = CopyControl::to;
  bool copy_said = false;  // false: others are not told of him, whatever `copy` is (OMA-GRP-6)
  bool anonymize = false;
  // He stands there again: what is said goes before what is not, of what is said the higher. Anonymity that is asked for
  // once is kept.
  void also(const Recipient& again);
};

struct Recipients {
  std::vector<Recipient> list;  // each URI once (RFC 3261 section 19.1.4), where it stood first
  std::vector<std::string>
      failed;                  // URIs of other schemes, too long ones, or none at all, and references: 404 if nothing else (OMA-GRP-8)
  std::size_t duplicates = 0;  // entries that were there already
  std::size_t left_out = 0;    // beyond list_entries_max, of one list or of all together: then the request is refused
  [[nodiscard]] bool all_failed() const { return list.empty() && !failed.empty(); }
  // How many there are besides the user of these keys (OMA-GRP-5: the inviter does not count).
  [[nodiscard]] std::size_t count_without(std::span<const std::string> keys) const;
  // Takes a user out, however often the list has him; true when it had.
  bool remove(std::string_view key);
  // Takes out who is in it by one of these numbers and by its address as well; the address has what was said of either.
  void join(const NumberKeys& numbers);
  // Brings one in, as the target of a REFER that is no list; false when he was there.
  bool add(std::string_view uri, CopyControl copy);
};
[[nodiscard]] Recipients recipients_of(std::span<const ResourceList> lists, const ListRules& rules);

// OMA-GRP-7, RFC 5364 section 4: to and cc with their URIs, those to be anonymised as one entry with their number, bcc
// and unsaid ones left out; but `for_key`'s own entry stays, marked bcc, when it is that and `tell_bcc`.
[[nodiscard]] std::vector<ListEntry> recipient_history(const Recipients& recipients, std::string_view for_key = {},
                                                       bool tell_bcc = false);

// Appends the document of one list. Without entries nothing is to be sent; an empty list is written all the same.
void put_resource_list(std::span<const ListEntry> entries, std::string& out);

}  // namespace parley::policy

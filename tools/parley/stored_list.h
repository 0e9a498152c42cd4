// tools/parley/stored_list.h - what the server keeps for the user: messages that wait for him (OMA-DEF-10, -11) and
// records of his conversations (OMA-HIS-1, -2); the lists that say what there is, and how XCAP names an entry.
//
// Values in, values out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::client {

enum class Stored : std::uint8_t { deferred, history };
[[nodiscard]] std::string_view to_string(Stored what);
[[nodiscard]] std::string_view list_type(Stored what);  // of its documents

struct StoredEntry {
  std::string id{};
  std::string reference{};          // the URI by which it is fetched (OMA-DEF-13, OMA-HIS-5)
  std::string mode{};               // deferred: pager or large; history: pager-large or session
  std::string from{};               // of a session: who began it
  std::vector<std::string> users{};  // to whom; of a session: who else was in
  std::string group{};
  std::string subject{};
  std::string date{};
  std::string expiry{};
  std::uint64_t size = 0;
};
struct StoredList {
  std::vector<StoredEntry> entries{};
  std::uint64_t left_out = 0;  // older ones, where the list was too long
};
// Nothing: it is no such document. Without entries whose id is none.
[[nodiscard]] std::optional<StoredList> read_stored_list(Stored what, std::string_view document);

// An id as lists have it: letters and digits.
[[nodiscard]] bool is_stored_id(std::string_view id);
// Below the XCAP root, percent-encoded: the entry of that id.
[[nodiscard]] std::string stored_path(Stored what, std::string_view aor, std::string_view id);

}  // namespace parley::client

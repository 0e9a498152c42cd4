// policy/list_document.h - what the documents about what is stored for a user have in common: deferred_list.h,
// history_list.h.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace parley::policy {

struct ListDocument {
  std::string text;
  std::string etag;          // of the whole list, also where `text` has not all of it
  std::size_t left_out = 0;  // entries that it has not
};

inline constexpr std::size_t list_etag_letters = 32;

// Of a display name as it stands in a header: without quotes and escapes. A long one is cut between characters.
[[nodiscard]] std::string plain_name(std::string_view display);

// That a document of a user is `etag` now, empty: it is there no more; and was `before`, empty: not said (RFC 5874).
struct ListChange {
  std::string_view root;  // xcap-root
  std::string_view auid;
  std::string_view document;
  std::string_view aor;
  std::string_view etag;
  std::string_view before;
};
[[nodiscard]] std::string put_list_change(const ListChange& change);

}  // namespace parley::policy

// policy/entry_headers.h - the header fields that the URI of a list's entry asks for (R5365-1, RFC 3261 sections 19.1.1 and
// 19.1.5): what stands behind its '?'.
//
// Whose list it is may say with them what a request is about, and nothing about who sends it, where it goes, how it is
// answered, or what its body is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sip/header_id.h"
#include "sip/header_lines.h"

namespace parley::policy {

// Whom the URI of an entry names: without its method parameter and what is behind '?' (RFC 3261 section 19.1.1).
[[nodiscard]] std::string entry_target(std::string_view uri);

inline constexpr std::size_t entry_headers_max = 8;  // of one entry; what comes behind them is passed over

struct EntryHeader {
  sip::HeaderId id;
  std::string value;  // without escapes; one line
};
// Those that are honoured, each once. `uri` need not have any.
[[nodiscard]] std::vector<EntryHeader> entry_headers(std::string_view uri);
// Puts them in place of those of the same name that are in `texts`, which views them.
void put_entry_headers(const std::vector<EntryHeader>& headers, std::vector<sip::HeaderText>& texts);

}  // namespace parley::policy

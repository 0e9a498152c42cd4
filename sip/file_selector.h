// sip/file_selector.h - which file an SDP section offers (RFC 5547 section 6): file-selector, file-range, file-date.
//
// Attributes go on as they stand (OMA-FT-5); what is read here is for decisions. T-46: what peers get wrong in names
// and hashes is taken.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace parley::sip {

struct FileSelector {
  std::string_view name;  // between the quotes, percent-encoded
  std::string_view type;  // with its parameters
  std::string_view hash;  // of sha-1 only: hex digits, with colons or not
  bool has_name = false;
  bool has_size = false;
  bool has_hash = false;  // of whatever algorithm
  std::uint64_t size = 0;
};

// An empty value has no selector: its writer only says that it knows of files. Unknown selectors are passed over.
[[nodiscard]] bool parse_file_selector(std::string_view value, FileSelector& out);

// The name as bytes, into `out`, which has room for name.size() of them. An escape that is none stays as it stands.
[[nodiscard]] std::string_view decode_file_name(std::string_view name, char* out);

using Sha1 = std::array<std::uint8_t, 20>;
// Either case, colons or none. False unless it is 20 bytes.
[[nodiscard]] bool decode_file_hash(std::string_view hash, Sha1& out);

// "start-stop", counted from 1; an open end is "*".
struct FileRange {
  static constexpr std::uint64_t open = ~std::uint64_t{0};
  std::uint64_t start = 1;
  std::uint64_t stop = open;
};
[[nodiscard]] bool parse_file_range(std::string_view value, FileRange& out);

// "creation", "modification" or "read": what stands between the quotes behind that name in a file-date; empty when
// absent.
[[nodiscard]] std::string_view file_date(std::string_view value, std::string_view which);

}  // namespace parley::sip

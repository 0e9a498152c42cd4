// msrp/uri.h - MSRP URIs and paths of them (RFC 4975 sections 6, 6.1 and 9), as views into the text they were read from.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace parley::msrp {

struct Uri {
  bool secure = false;         // msrps
  bool has_port = false;
  std::uint16_t port = 0;      // explicit port; 0 when absent
  std::string_view userinfo;   // without '@'
  std::string_view host;       // reg-name, IPv4 literal, or IPv6 literal with its brackets
  std::string_view session_id; // without '/'
  std::string_view transport;  // "tcp", "ws", ...
  std::string_view text;       // the whole URI
};

// False when `text` is not exactly one MSRP-URI.
[[nodiscard]] bool parse_uri(std::string_view text, Uri& uri);

// R4975-13, T-72: scheme and host case-insensitive (IP literals by value), userinfo ignored, port exact with explicit and absent
// different, session-id case-sensitive, transport case-insensitive, other parameters ignored.
[[nodiscard]] bool same_uri(const Uri& a, const Uri& b);

// The first URI of a To-Path or From-Path value, and what stands after the space that follows it (empty at the end).
struct PathSplit {
  std::string_view first;
  std::string_view rest;
};
[[nodiscard]] PathSplit split_path(std::string_view path);
// The last URI of the path.
[[nodiscard]] std::string_view last_of_path(std::string_view path);
[[nodiscard]] std::size_t path_length(std::string_view path);

using core::equal_ignore_case;

}  // namespace parley::msrp

// policy/user_key.h - the one spelling under which documents and rules keep a user.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace parley::policy {

// Two URIs have the same key when they name one user (R3261-15, T-8): the address of record of sip::aor_key, and of a
// global number "tel:+..." whether it stood in a tel URI or in a sip URI with user=phone. A number without '+' is its
// own whole text. Empty: no SIP, SIPS or TEL URI.
[[nodiscard]] std::string user_key(std::string_view uri);

// The number that a user is called by, of his key: "+15550100" of "tel:+15550100" and of "sip:+15550100@example.org";
// empty: his name is none. Into `key`.
[[nodiscard]] std::string_view number_in(std::string_view key);

// Keys of numbers, each with the key of the address here that its user has.
using NumberKeys = std::map<std::string, std::string, std::less<>>;

[[nodiscard]] bool has_key(std::span<const std::string> keys, std::string_view key);

}  // namespace parley::policy

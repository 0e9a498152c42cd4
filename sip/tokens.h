// sip/tokens.h - lists of tokens as bit sets: option tags (Supported, Require, Proxy-Require, Unsupported), methods
// (Allow) and event packages (Allow-Events). An empty list is no error (T-13).
#pragma once

#include <cstdint>
#include <string_view>

#include "sip/head.h"

namespace parley::sip {

// RFC 3261 section 27.1 and what came after it; those that parley, its peers or T-15 name.
enum class OptionTag : std::uint8_t {
  rel100,  // "100rel"
  timer,
  replaces,
  join,
  tdialog,
  norefersub,
  path,
  outbound,
  gruu,
  pref,
  privacy,
  eventlist,
  multiple_refer,
  recipient_list_invite,
  recipient_list_message,
  recipient_list_subscribe,
  histinfo,
  precondition,
  early_session,
  answermode,
  sec_agree,
  resource_priority,
  unknown,
};
inline constexpr std::size_t option_tags = static_cast<std::size_t>(OptionTag::unknown);

// Case ignored (RFC 3261 section 7.3.1).
[[nodiscard]] OptionTag option_tag(std::string_view name);
[[nodiscard]] std::string_view to_string(OptionTag tag);

class OptionSet {
 public:
  constexpr OptionSet() = default;
  constexpr void add(OptionTag tag) { bits_ |= bit(tag); }
  constexpr void add(OptionSet others) { bits_ |= others.bits_; }
  [[nodiscard]] constexpr bool has(OptionTag tag) const { return (bits_ & bit(tag)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  // What is here and not in `other`.
  [[nodiscard]] constexpr OptionSet without(OptionSet other) const {
    OptionSet set;
    set.bits_ = bits_ & ~other.bits_;
    return set;
  }
  constexpr bool operator==(const OptionSet&) const = default;

 private:
  static constexpr std::uint32_t bit(OptionTag tag) { return std::uint32_t{1} << static_cast<unsigned>(tag); }
  static_assert(option_tags < 32);
  std::uint32_t bits_ = 0;
};

// Adds the tags of one header's value; `unknown` is among them when some tag is not known.
void add_options(std::string_view value, OptionSet& set);
// The next tag of a Require header that is not in `supported`: what goes into Unsupported (T-15). `rest` begins as the
// header's value. Empty when there is none.
[[nodiscard]] std::string_view next_unsupported(std::string_view& rest, OptionSet supported);

class MethodSet {
 public:
  constexpr void add(Method method) { bits_ |= bit(method); }
  [[nodiscard]] constexpr bool has(Method method) const { return (bits_ & bit(method)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  constexpr bool operator==(const MethodSet&) const = default;

 private:
  static constexpr std::uint32_t bit(Method method) { return std::uint32_t{1} << static_cast<unsigned>(method); }
  static_assert(static_cast<unsigned>(Method::other) < 32);
  std::uint32_t bits_ = 0;
};

// Adds the methods of one Allow value, with case.
void add_methods(std::string_view value, MethodSet& set);

// Whether a list of tokens has one: Allow-Events with its packages, case as it stands.
[[nodiscard]] bool has_token(std::string_view value, std::string_view token);

// Whether an Accept value takes a content type, its parameters ignored; an absent Accept is the caller's matter, an
// empty one takes nothing (RFC 3261 section 20.1). A range with q=0 takes nothing.
[[nodiscard]] bool accepts(std::string_view accept_value, std::string_view type, std::string_view subtype);

}  // namespace parley::sip

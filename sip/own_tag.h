// sip/own_tag.h - the From and To tags that we make.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/random.h"

namespace parley::sip {

// 64 random bits as letters: the tag is the key under which its owner is found, so nothing has to be hashed and no peer
// can choose where a dialog stands. Several dialogs may share it: the forks of one INVITE of ours.
inline constexpr std::size_t own_tag_chars = 16;
struct OwnTag {
  std::array<char, own_tag_chars> text{};
  std::uint64_t key = 0;  // not 0
  [[nodiscard]] std::string_view view() const LIFETIME_BOUND { return {text.data(), text.size()}; }
};
[[nodiscard]] OwnTag make_tag(core::Random& random);
// 0: this tag is not of our making.
[[nodiscard]] std::uint64_t tag_key(std::string_view tag);

}  // namespace parley::sip

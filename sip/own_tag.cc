// sip/own_tag.cc - see own_tag.h.
#include "sip/own_tag.h"

#include "core/id_text.h"

namespace parley::sip {

OwnTag make_tag(core::Random& random) {
  OwnTag tag;
  while (tag.key == 0) tag.key = random.next();
  core::letters_encode32(static_cast<std::uint32_t>(tag.key >> 32), tag.text.data());
  core::letters_encode32(static_cast<std::uint32_t>(tag.key), tag.text.data() + core::letters32_chars);
  return tag;
}

std::uint64_t tag_key(std::string_view tag) {
  if (tag.size() != own_tag_chars) return 0;
  const auto high = core::letters_decode32(tag.data());
  const auto low = core::letters_decode32(tag.data() + core::letters32_chars);
  return high && low ? std::uint64_t{*high} << 32 | *low : 0;
}

}  // namespace parley::sip

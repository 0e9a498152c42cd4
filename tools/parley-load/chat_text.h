// tools/parley-load/chat_text.h - the message that a chat load sends, and how a member recognises it.
//
// A CPIM wrapper (RFC 3862), then content of --size bytes: a stamp of kStampBytes that says whose it is, which one and
// when it was due, then a text that follows from the first two, so each byte of it is checked where it arrives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/parley-load/pattern.h"

namespace parley::load {

// "PL", room (6 hex), sender (6), number (10), time in ns (16)
inline constexpr size_t kStampBytes = 40;
inline constexpr size_t kContentBytesMax = 32 * 1024;

struct Stamp {
  uint32_t room = 0;
  uint32_t sender = 0;  // within the room
  uint64_t number = 0;  // of that sender, from 0
  uint64_t due_ns = 0;
};

void put_stamp(char* at, const Stamp& stamp);
bool take_stamp(std::string_view content, Stamp& stamp);
// The content behind the CPIM headers and the headers of what they wrap; null data when it is no such message.
std::string_view content_of(std::string_view cpim);
// Whether the text behind the stamp is the right one, to the last byte.
bool content_right(const Pattern& pattern, const Stamp& stamp, std::string_view content);

}  // namespace parley::load

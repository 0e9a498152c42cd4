// tools/parley/plain_text.h - events as lines for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tools/parley/event.h"

namespace parley::client {

// Without a line end; control characters of peers, and what is no UTF-8, are shown as '?', so that nobody drives the
// terminal.
[[nodiscard]] std::string plain_text(const Event& event);
// "486 Busy Here"
[[nodiscard]] std::string status_text(std::uint64_t status);
// As it may be shown. `keep_lines`: a text of several lines that stands by itself. Without, it stands in a sentence of
// ours, and characters that change how that is read, of direction and of no width, are '?' too.
[[nodiscard]] std::string harmless(std::string_view text, bool keep_lines);

}  // namespace parley::client

// tools/parley/options.h - the command line of parley.
#pragma once

#include <string>

#include "tools/parley/settings.h"

namespace parley::client {

struct ParsedOptions {
  enum class Outcome : std::uint8_t { run, print, bad };
  Outcome outcome = Outcome::run;
  std::string text{};  // print: to standard output; bad: why
  Settings settings;
};
[[nodiscard]] ParsedOptions parse_options(int argc, const char* const* argv);

}  // namespace parley::client

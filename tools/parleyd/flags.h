// tools/parleyd/flags.h - the command line and the configuration file become Settings, or a sentence that names the bad
// flag.
#pragma once

#include <string>
#include <vector>

#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct Parsed {
  enum class Outcome {
    run,    // settings are complete and consistent
    check,  // the same, and --check-config was given
    print,  // --help or --version: print `text`
    bad,    // `text` names the flag
  };
  Outcome outcome = Outcome::bad;
  Settings settings;
  std::string text;
  std::vector<std::string> warnings;
};

// `arguments` without the program's name. Files named in flags are not opened, except --config.
Parsed parse_flags(const std::vector<std::string>& arguments);

// Moves the secrets of --user out of argv, which every process on the host may read: returns the arguments as they were
// written and leaves asterisks.
std::vector<std::string> take_arguments(int argc, char** argv);

// Removes --user and its values, which are wiped; true when there were any.
bool drop_user_flags(std::vector<std::string>& arguments);

}  // namespace parley::parleyd

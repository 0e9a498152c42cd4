// tools/parleyd/help_page.h - what --help prints: unit and default of each flag, and its text below.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace parley::parleyd {

// The whole page for --help.
std::string help_page(const CLI::App& app);

// "  --flag TYPE        default X" and the text below it, wrapped.
class HelpPage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace parley::parleyd

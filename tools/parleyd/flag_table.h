// tools/parleyd/flag_table.h - typed flags on top of CLI11: durations, sizes, counts and choices with bounds, and a
// help page that shows unit and default of each.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"

namespace parley::parleyd {

// Adds flags to one help group after another. A flag given twice counts as given last, unless it is a list.
class FlagTable {
 public:
  explicit FlagTable(CLI::App& app);

  void group(std::string name) { group_ = std::move(name); }

  void text(const std::string& flag, std::string& target, const char* type, const std::string& help);
  void list(const std::string& flag, std::vector<std::string>& target, const char* type, const std::string& help);
  void duration(const std::string& flag, core::Duration& target, core::Duration min, core::Duration max,
                const std::string& help);
  // Whole seconds; a plain number is seconds too, as in the header it bounds.
  void seconds(const std::string& flag, std::uint32_t& target, std::uint32_t min, std::uint32_t max,
               const std::string& help);
  void size(const std::string& flag, std::uint32_t& target, std::uint64_t min, std::uint64_t max,
            const std::string& help);
  void size(const std::string& flag, std::uint64_t& target, std::uint64_t min, std::uint64_t max,
            const std::string& help);
  void count(const std::string& flag, std::uint32_t& target, std::uint32_t min, std::uint32_t max,
             const std::string& help, const std::string& shown_default = "");
  void count(const std::string& flag, std::uint16_t& target, std::uint16_t min, std::uint16_t max,
             const std::string& help);
  void number(const std::string& flag, int& target, int min, int max, const std::string& help);
  void present(const std::string& flag, bool& target, const std::string& help);

  template <typename T>
  void choice(const std::string& flag, T& target, std::vector<std::pair<std::string, T>> choices,
              const std::string& help) {
    std::string type;
    std::string initial;
    for (const auto& [name, value] : choices) {
      type += (type.empty() ? "" : "|") + name;
      if (value == target) initial = name;
    }
    take(flag, type, initial, help, [flag, &target, choices, type](const std::string& text) {
      for (const auto& [name, value] : choices) {
        if (name == text) {
          target = value;
          return;
        }
      }
      refuse(flag, "'" + text + "' is not one of " + type);
    });
  }

  [[noreturn]] static void refuse(const std::string& flag, const std::string& why);

 private:
  void take(const std::string& flag, const std::string& type, const std::string& initial, const std::string& help,
            std::function<void(const std::string&)> set);

  CLI::App& app_;
  std::string group_;
};

// The whole page for --help.
std::string help_page(const CLI::App& app);

// "  --flag TYPE        default X" and the text below it, wrapped.
class HelpPage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace parley::parleyd

// tools/parleyd/flag_table.h - typed flags on top of CLI11: durations, sizes, counts and choices with bounds. The library
// itself is included only where flags are parsed and the help page is made (help_page.h).
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"

namespace CLI {
class App;
}

namespace parley::parleyd {

inline constexpr std::uint64_t kib = 1024;
inline constexpr std::uint64_t mib = 1024 * kib;
inline constexpr std::uint64_t gib = 1024 * mib;

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

// Ends the parsing: `why` follows the flag's name.
[[noreturn]] inline void bad(const char* flag, const std::string& why) { FlagTable::refuse(flag, why); }

}  // namespace parley::parleyd

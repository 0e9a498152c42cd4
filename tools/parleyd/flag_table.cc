// tools/parleyd/flag_table.cc - typed flags on top of CLI11.
#include "tools/parleyd/flag_table.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <type_traits>

#include "core/units.h"

namespace parley::parleyd {
namespace {

template <typename T>
std::optional<T> whole_number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <typename T>
T bounded(const std::string& flag, const std::string& text, std::optional<T> value, T min, T max,
          const std::string& kind, std::string (*print)(T)) {
  if (!value) FlagTable::refuse(flag, "'" + text + "' is not " + kind);
  if (*value < min) FlagTable::refuse(flag, text + " is below the least, " + print(min));
  if (*value > max) FlagTable::refuse(flag, text + " is above the most, " + print(max));
  return *value;
}

std::string print_duration(core::Duration value) { return core::duration_to_string(value); }
std::string print_size(std::uint64_t value) { return core::size_to_string(value); }
template <typename T>
std::string print_count(T value) {
  return std::to_string(value);
}

constexpr const char* a_duration = "a duration such as 500ms, 30s, 5m or 1h";
constexpr const char* a_size = "a size such as 4096, 64KiB or 1MiB";

}  // namespace

FlagTable::FlagTable(CLI::App& app) : app_(app) {
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void FlagTable::refuse(const std::string& flag, const std::string& why) { throw CLI::ValidationError(flag, why); }

void FlagTable::take(const std::string& flag, const std::string& type, const std::string& initial,
                     const std::string& help, std::function<void(const std::string&)> set) {
  app_.add_option_function<std::string>(flag, set, help)->type_name(type)->default_str(initial)->group(group_);
}

void FlagTable::text(const std::string& flag, std::string& target, const char* type, const std::string& help) {
  take(flag, type, target, help, [flag, &target](const std::string& value) {
    if (value.empty()) refuse(flag, "is empty");
    target = value;
  });
}

void FlagTable::list(const std::string& flag, std::vector<std::string>& target, const char* type,
                     const std::string& help) {
  app_.add_option(flag, target, help)
      ->type_name(type)
      ->group(group_)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
}

void FlagTable::duration(const std::string& flag, core::Duration& target, core::Duration min, core::Duration max,
                         const std::string& help) {
  take(flag, "TIME", print_duration(target), help, [=, &target](const std::string& value) {
    target = bounded<core::Duration>(flag, value, core::parse_duration(value), min, max, a_duration, print_duration);
  });
}

void FlagTable::seconds(const std::string& flag, std::uint32_t& target, std::uint32_t min, std::uint32_t max,
                        const std::string& help) {
  using std::chrono::seconds;
  take(flag, "TIME", print_duration(seconds(target)), help, [=, &target](const std::string& value) {
    std::optional<core::Duration> time;
    if (const auto plain = whole_number<std::uint32_t>(value)) {
      time = seconds(*plain);
    } else {
      time = core::parse_duration(value);
    }
    const auto good =
        bounded<core::Duration>(flag, value, time, seconds(min), seconds(max), a_duration, print_duration);
    if (good % seconds(1) != core::Duration::zero()) refuse(flag, value + " is not a whole number of seconds");
    target = static_cast<std::uint32_t>(good / seconds(1));
  });
}

void FlagTable::size(const std::string& flag, std::uint32_t& target, std::uint64_t min, std::uint64_t max,
                     const std::string& help) {
  take(flag, "BYTES", print_size(target), help, [=, &target](const std::string& value) {
    target = static_cast<std::uint32_t>(
        bounded<std::uint64_t>(flag, value, core::parse_size(value), min, max, a_size, print_size));
  });
}

void FlagTable::size(const std::string& flag, std::uint64_t& target, std::uint64_t min, std::uint64_t max,
                     const std::string& help) {
  take(flag, "BYTES", print_size(target), help, [=, &target](const std::string& value) {
    target = bounded<std::uint64_t>(flag, value, core::parse_size(value), min, max, a_size, print_size);
  });
}

void FlagTable::count(const std::string& flag, std::uint32_t& target, std::uint32_t min, std::uint32_t max,
                      const std::string& help, const std::string& shown_default) {
  take(flag, "N", shown_default.empty() ? std::to_string(target) : shown_default, help,
       [=, &target](const std::string& value) {
         target = bounded<std::uint32_t>(flag, value, whole_number<std::uint32_t>(value), min, max, "a whole number",
                                         print_count<std::uint32_t>);
       });
}

void FlagTable::count(const std::string& flag, std::uint16_t& target, std::uint16_t min, std::uint16_t max,
                      const std::string& help) {
  take(flag, "N", std::to_string(target), help, [=, &target](const std::string& value) {
    target = bounded<std::uint16_t>(flag, value, whole_number<std::uint16_t>(value), min, max, "a whole number",
                                    print_count<std::uint16_t>);
  });
}

void FlagTable::number(const std::string& flag, int& target, int min, int max, const std::string& help) {
  take(flag, "N", "", help, [=, &target](const std::string& value) {
    target = bounded<int>(flag, value, whole_number<int>(value), min, max, "a whole number", print_count<int>);
  });
}

void FlagTable::present(const std::string& flag, bool& target, const std::string& help) {
  app_.add_flag(flag, target, help)->group(group_);
}

}  // namespace parley::parleyd

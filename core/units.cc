// core/units.cc - see units.h.
#include "core/units.h"

#include <charconv>
#include <limits>
#include <span>

namespace parley::core {

namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: printing takes the first that divides. Binary before decimal, because defaults are powers of two.
constexpr Unit duration_units[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
constexpr Unit size_units[] = {{"TiB", 1ULL << 40},
                               {"GiB", 1ULL << 30},
                               {"MiB", 1ULL << 20},
                               {"KiB", 1ULL << 10},
                               {"TB", 1'000'000'000'000},
                               {"GB", 1'000'000'000},
                               {"MB", 1'000'000},
                               {"KB", 1'000},
                               {"B", 1}};

struct Quantity {
  std::uint64_t number;
  std::string_view unit;
};

std::optional<Quantity> split(std::string_view text) {
  Quantity quantity{};
  const char* end = text.data() + text.size();
  // from_chars takes no sign for an unsigned number, no space and no prefix.
  const auto [rest, error] = std::from_chars(text.data(), end, quantity.number);
  if (error != std::errc{}) return std::nullopt;
  quantity.unit = {rest, static_cast<std::size_t>(end - rest)};
  return quantity;
}

std::optional<std::uint64_t> scaled(const Quantity& quantity, std::span<const Unit> units, std::uint64_t max) {
  for (const Unit& unit : units) {
    if (unit.name != quantity.unit) continue;
    if (quantity.number > max / unit.factor) return std::nullopt;
    return quantity.number * unit.factor;
  }
  return std::nullopt;
}

std::string print(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
  }
  return std::to_string(value);
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const std::optional<Quantity> quantity = split(text);
  if (!quantity) return std::nullopt;
  if (quantity->unit.empty()) return quantity->number == 0 ? std::optional(Duration::zero()) : std::nullopt;
  constexpr std::uint64_t ms_max = static_cast<std::uint64_t>(Duration::max().count()) / 1'000'000;
  const std::optional<std::uint64_t> ms = scaled(*quantity, duration_units, ms_max);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(*ms);
}

std::string duration_to_string(Duration duration) {
  const auto ms = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  return ms == 0 ? "0" : print(ms, duration_units);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const std::optional<Quantity> quantity = split(text);
  if (!quantity) return std::nullopt;
  if (quantity->unit.empty()) return quantity->number;
  return scaled(*quantity, size_units, std::numeric_limits<std::uint64_t>::max());
}

std::string size_to_string(std::uint64_t bytes) { return bytes == 0 ? "0" : print(bytes, size_units); }

}  // namespace parley::core

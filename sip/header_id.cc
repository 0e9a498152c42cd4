// sip/header_id.cc - a perfect hash over the known header names, made and checked when this file is compiled.
#include "sip/header_id.h"

#include <array>

#include "core/text.h"

namespace parley::sip {
namespace {

struct Known {
  std::string_view name;
  std::string_view compact;
};

constexpr std::array<Known, header_ids> known = {{
#define HEADER(id, name, compact) {name, compact},
#include "sip/header_names.def"
#undef HEADER
}};

constexpr std::size_t slots = 512;
constexpr std::uint8_t free_slot = 0xff;
static_assert(header_ids < free_slot);

// The factors were found by trying; when a new name makes two fall together, filled() no longer compiles and others
// have to be tried.
constexpr std::size_t slot_of(std::string_view name) {
  const auto letter = [name](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(name[at]) | 0x20);
  };
  return (name.size() * 49 + letter(0) * 175 + letter(name.size() - 1) * 388 + letter(name.size() / 2) * 363) % slots;
}

constexpr void take_slot(std::array<std::uint8_t, slots>& table, std::string_view name, std::size_t id) {
  std::uint8_t& slot = table[slot_of(name)];
  if (slot != free_slot) __builtin_abort();  // no constant expression: two names in one slot
  slot = static_cast<std::uint8_t>(id);
}

constexpr std::array<std::uint8_t, slots> filled() {
  std::array<std::uint8_t, slots> table{};
  table.fill(free_slot);
  for (std::size_t id = 0; id < known.size(); ++id) {
    take_slot(table, known[id].name, id);
    if (!known[id].compact.empty()) take_slot(table, known[id].compact, id);
  }
  return table;
}
constexpr std::array<std::uint8_t, slots> name_table = filled();

}  // namespace

HeaderId header_id(std::string_view name) {
  if (name.empty()) return HeaderId::other;
  const std::uint8_t id = name_table[slot_of(name)];
  if (id == free_slot) return HeaderId::other;
  const std::string_view expected = name.size() == 1 ? known[id].compact : known[id].name;
  return core::equal_ignore_case(name, expected) ? static_cast<HeaderId>(id) : HeaderId::other;
}

std::string_view header_name(HeaderId id) {
  return id == HeaderId::other ? std::string_view{} : known[static_cast<std::size_t>(id)].name;
}

}  // namespace parley::sip

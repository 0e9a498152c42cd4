// tools/parley/event.h - what the client tells its user: one value per event, one line of JSON for programs.
//
// Names and fields are documented in docs/operations.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::client {

struct Event {
  struct Field {
    std::string_view key{};
    std::string text{};
    enum class Kind : std::uint8_t { text, number, flag, list } kind = Kind::text;
    std::vector<std::string> items{};  // list
  };

  explicit Event(std::string_view event_name) : name(event_name) {}
  Event& text(std::string_view key, std::string_view value) {
    fields.push_back({key, std::string(value)});
    return *this;
  }
  // Not written when empty.
  Event& if_any(std::string_view key, std::string_view value) { return value.empty() ? *this : text(key, value); }
  Event& number(std::string_view key, std::uint64_t value) {
    fields.push_back({key, std::to_string(value), Field::Kind::number});
    return *this;
  }
  Event& flag(std::string_view key, bool value) {
    fields.push_back({key, value ? "true" : "false", Field::Kind::flag});
    return *this;
  }
  Event& list(std::string_view key, std::vector<std::string> items) {
    fields.push_back({key, {}, Field::Kind::list, std::move(items)});
    return *this;
  }
  // Empty when there is no such field.
  [[nodiscard]] std::string_view get(std::string_view key) const {
    for (const Field& field : fields) {
      if (field.key == key) return field.text;
    }
    return {};
  }
  [[nodiscard]] std::uint64_t number_of(std::string_view key) const {
    std::uint64_t value = 0;
    for (const char c : get(key)) {
      if (c < '0' || c > '9') return 0;
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return value;
  }

  std::string_view name{};
  std::vector<Field> fields{};
};

// One line without its end; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string to_json(const Event& event);

}  // namespace parley::client

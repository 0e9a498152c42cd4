// tools/parleyctl/table.cc - an array of JSON objects as aligned columns for a terminal.
#include "tools/parleyctl/table.h"

#include <algorithm>
#include <vector>

namespace parley::parleyctl {
namespace {

using Json = nlohmann::ordered_json;

struct Column {
  std::string key;
  std::size_t width = 0;
  bool right = true;  // until something that is no number stands in it
};

std::string cell(const Json& row, const std::string& key) {
  if (!row.contains(key)) return "-";
  const Json& value = row[key];
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string title(const std::string& key) {
  std::string text = key;
  for (char& c : text) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string padded(const std::string& text, const Column& column, bool last) {
  const std::string room(column.width - std::min(column.width, text.size()), ' ');
  if (column.right) return room + text;
  return last ? text : text + room;
}

}  // namespace

std::string table(const Json& rows) {
  std::vector<Column> columns;
  for (const Json& row : rows) {
    for (const auto& [key, value] : row.items()) {
      auto column =
          std::find_if(columns.begin(), columns.end(), [&key = key](const Column& c) { return c.key == key; });
      if (column == columns.end()) column = columns.insert(columns.end(), {key, title(key).size(), true});
      column->width = std::max(column->width, cell(row, key).size());
      if (!value.is_number()) column->right = false;
    }
  }
  std::string page;
  const auto line = [&](auto text_of) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      page += (i == 0 ? "" : "  ") + padded(text_of(columns[i]), columns[i], i + 1 == columns.size());
    }
    page += "\n";
  };
  line([](const Column& column) { return title(column.key); });
  for (const Json& row : rows) {
    line([&row](const Column& column) { return cell(row, column.key); });
  }
  return page;
}

}  // namespace parley::parleyctl

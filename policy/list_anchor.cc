// policy/list_anchor.cc - see list_anchor.h.
#include "policy/list_anchor.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "policy/resource_list.h"
#include "policy/user_key.h"

namespace parley::policy {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = core::lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t n = 0; n < text.size(); ++n) {
    const int high = text[n] == '%' && n + 2 < text.size() ? hex_digit(text[n + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[n + 2]) : -1;
    if (low < 0) {
      out += text[n];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    n += 2;
  }
  return out;
}

// Takes a prefix off; false when it is not there.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The names of all steps "/list[@name="..."]", which are all there may be.
bool take_names(std::string_view steps, std::vector<std::string>& names) {
  while (!steps.empty()) {
    if (!take(steps, "/list[@name=") || steps.empty()) return false;
    const char quote = steps.front();
    if (quote != '"' && quote != '\'') return false;
    const std::size_t end = steps.find(quote, 1);
    if (end == std::string_view::npos) return false;
    names.emplace_back(steps.substr(1, end - 1));
    steps.remove_prefix(end + 1);
    if (!take(steps, "]")) return false;
  }
  return !names.empty();
}

}  // namespace

ListAnchor parse_list_anchor(std::string_view text) {
  constexpr std::string_view tree = "/resource-lists/users/";
  ListAnchor out{.text = std::string(text)};
  const std::size_t begin = text.find(tree);
  if (begin == std::string_view::npos) return out;
  std::string_view rest = text.substr(begin + tree.size());
  const std::size_t user_end = rest.find('/');
  if (user_end == std::string_view::npos) return out;
  std::string user = user_key(decoded(rest.substr(0, user_end)));
  rest.remove_prefix(user_end);
  if (user.empty() || !take(rest, "/index/~~")) return out;
  const std::string steps = decoded(rest);
  std::string_view view = steps;
  std::vector<std::string> names;
  if (!take(view, "/resource-lists") || !take_names(view, names)) return out;
  out.user = std::move(user);
  out.names = std::move(names);
  return out;
}

XmlError UserLists::read(std::string_view bytes, const XmlLimits& limits) {
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (!root.is(lists_space, "resource-lists")) return {root.line(), "is no resource-lists document"};
  lists_.assign(1, {});
  entries_.clear();
  read_inside(root, 0, true);
  std::sort(entries_.begin(), entries_.end());
  entries_.erase(std::unique(entries_.begin(), entries_.end()), entries_.end());
  entries_.shrink_to_fit();
  return {};
}

// What stands in `element`: the list of that number, or one inside it that no names lead to.
void UserLists::read_inside(XmlElement element, std::uint32_t list, bool nameable) {
  for (const XmlElement child : element.children()) {
    if (child.is(lists_space, "entry") && list != 0) {  // nothing names the document as a list
      if (std::string key = user_key(child.attribute("uri").value_or("")); !key.empty()) {
        entries_.push_back({std::move(key), list});
      }
    }
    if (!child.is(lists_space, "list")) continue;
    const std::optional<std::string_view> name = child.attribute("name");
    const auto number = static_cast<std::uint32_t>(lists_.size());
    // Of two with one name the first is meant.
    if (!nameable || !name || !lists_[list].inside.try_emplace(std::string(*name), number).second) {
      read_inside(child, list, false);
      continue;
    }
    lists_.emplace_back();
    read_inside(child, number, true);
    lists_[number].end = static_cast<std::uint32_t>(lists_.size());
  }
}

std::optional<std::uint32_t> UserLists::find(std::span<const std::string> names) const {
  if (lists_.empty() || names.empty()) return std::nullopt;
  std::uint32_t list = 0;
  for (const std::string& name : names) {
    const auto inside = lists_[list].inside.find(name);
    if (inside == lists_[list].inside.end()) return std::nullopt;
    list = inside->second;
  }
  return list;
}

bool UserLists::contains(std::span<const std::string> names, std::string_view key) const {
  const std::optional<std::uint32_t> list = find(names);
  if (!list) return false;
  const auto at = std::partition_point(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    const int order = std::string_view(entry.key).compare(key);
    return order < 0 || (order == 0 && entry.list < *list);
  });
  return at != entries_.end() && at->key == key && at->list < lists_[*list].end;
}

}  // namespace parley::policy

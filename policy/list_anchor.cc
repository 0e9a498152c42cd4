// policy/list_anchor.cc - see list_anchor.h.
#include "policy/list_anchor.h"

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

std::optional<ListAnchor> parse_list_anchor(std::string_view anchor) {
  constexpr std::string_view tree = "/resource-lists/users/";
  const std::size_t begin = anchor.find(tree);
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view rest = anchor.substr(begin + tree.size());
  const std::size_t user_end = rest.find('/');
  if (user_end == std::string_view::npos) return std::nullopt;
  ListAnchor out{.user = user_key(decoded(rest.substr(0, user_end))), .names = {}};
  rest.remove_prefix(user_end);
  if (out.user.empty() || !take(rest, "/index/~~")) return std::nullopt;
  const std::string steps = decoded(rest);
  std::string_view view = steps;
  if (!take(view, "/resource-lists") || !take_names(view, out.names)) return std::nullopt;
  return out;
}

XmlError UserLists::add(const std::string& user, std::string_view bytes, const XmlLimits& limits) {
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (!root.is(lists_space, "resource-lists")) return {root.line(), "is no resource-lists document"};
  Keys all;
  for (const XmlElement list : root.children()) {
    if (list.is(lists_space, "list")) add_list(user, list, all);
  }
  return {};
}

void UserLists::add_list(const std::string& path, XmlElement list, Keys& outer) {
  const std::string here = path + "\n" + std::string(list.attribute("name").value_or(""));
  Keys keys;
  for (const XmlElement element : list.children()) {
    if (element.is(lists_space, "list")) add_list(here, element, keys);
    if (!element.is(lists_space, "entry")) continue;
    if (std::string key = user_key(element.attribute("uri").value_or("")); !key.empty()) keys.insert(std::move(key));
  }
  outer.insert(keys.begin(), keys.end());
  if (list.attribute("name")) lists_.try_emplace(here, std::move(keys));
}

const UserLists::Keys* UserLists::find(const ListAnchor& anchor) const {
  std::string path = anchor.user;
  for (const std::string& name : anchor.names) path += "\n" + name;
  const auto list = lists_.find(path);
  return list == lists_.end() ? nullptr : &list->second;
}

}  // namespace parley::policy

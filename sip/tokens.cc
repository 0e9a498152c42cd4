// sip/tokens.cc - see tokens.h.
#include "sip/tokens.h"

#include <array>

#include "sip/content_type.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

constexpr std::array<std::string_view, option_tags> tag_names = {"100rel",
                                                             "timer",
                                                             "replaces",
                                                             "join",
                                                             "tdialog",
                                                             "norefersub",
                                                             "path",
                                                             "outbound",
                                                             "gruu",
                                                             "pref",
                                                             "privacy",
                                                             "eventlist",
                                                             "multiple-refer",
                                                             "recipient-list-invite",
                                                             "recipient-list-message",
                                                             "recipient-list-subscribe",
                                                             "histinfo",
                                                             "precondition",
                                                             "early-session",
                                                             "answermode",
                                                             "sec-agree",
                                                             "resource-priority"};
static_assert(!tag_names.back().empty());

// "0", "0.0" to "0.000"
bool is_zero(std::string_view q) { return !q.empty() && q.find_first_not_of("0.") == std::string_view::npos; }

// How closely a range fits: 0 not at all, 1 for "*/*", 2 for "type/*", 3 for the type itself.
int fit(const ContentType& range, std::string_view type, std::string_view subtype) {
  if (is_type(range, type, subtype)) return 3;
  if (is_type(range, type, "*")) return 2;
  return is_type(range, "*", "*") ? 1 : 0;
}

}  // namespace

OptionTag option_tag(std::string_view name) {
  for (std::size_t i = 0; i < tag_names.size(); ++i) {
    if (core::equal_ignore_case(name, tag_names[i])) return static_cast<OptionTag>(i);
  }
  return OptionTag::unknown;
}

std::string_view to_string(OptionTag tag) {
  return tag == OptionTag::unknown ? std::string_view{} : tag_names[static_cast<std::size_t>(tag)];
}

void add_options(std::string_view value, OptionSet& set) {
  Items items(value);
  for (std::string_view item; items.next(item);) set.add(option_tag(item));
}

std::string_view next_unsupported(std::string_view& rest, OptionSet supported) {
  Items items(rest);
  for (std::string_view item; items.next(item);) {
    const OptionTag tag = option_tag(item);
    if (tag != OptionTag::unknown && supported.has(tag)) continue;
    rest.remove_prefix(static_cast<std::size_t>(item.data() + item.size() - rest.data()));
    return item;
  }
  rest = {};
  return {};
}

void add_methods(std::string_view value, MethodSet& set) {
  Items items(value);
  for (std::string_view item; items.next(item);) set.add(method_of(item));
}

bool has_token(std::string_view value, std::string_view token) {
  Items items(value);
  for (std::string_view item; items.next(item);) {
    if (item == token) return true;
  }
  return false;
}

bool accepts(std::string_view accept_value, std::string_view type, std::string_view subtype) {
  int best = 0;
  bool taken = false;
  Items items(accept_value);
  for (std::string_view item; items.next(item);) {
    ContentType range;
    if (!parse_content_type(item, range)) continue;
    const int here = fit(range, type, subtype);
    if (here < best || here == 0) continue;
    best = here;
    taken = !is_zero(find_param(range.parameters, "q"));
  }
  return taken;
}

}  // namespace parley::sip

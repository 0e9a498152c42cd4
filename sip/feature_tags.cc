// sip/feature_tags.cc - see feature_tags.h.
#include "sip/feature_tags.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "sip/params.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

// RFC 3261 section 25.1 contact-params, RFC 5626, RFC 5627, RFC 3841 section 9.
constexpr std::array<std::string_view, 9> not_tags = {
    "q", "expires", "reg-id", "+sip.instance", "pub-gruu", "temp-gruu", "temp-gruu-cookie", "require", "explicit"};
// RFC 3840 section 9: the tags of the base set, which stand without '+'.
constexpr std::array<std::string_view, 20> base_tags = {"audio",   "automata", "class",       "duplex", "data",
                                                        "control", "mobility", "description", "events", "priority",
                                                        "methods", "schemes",  "application", "video",  "language",
                                                        "type",    "isfocus",  "actor",       "text",   "extensions"};

template <class Names>
bool is_one_of(std::string_view name, const Names& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](std::string_view other) { return core::equal_ignore_case(name, other); });
}

// A tag without value says TRUE.
std::string_view value_of(const Param& param) { return param.has_value ? without_quotes(param.value) : "TRUE"; }

// A numeric value (RFC 3840 section 9): "#=5", "#>=5", "#<=5", "#1:5", as an interval in millionths, both ends
// included.
struct Interval {
  std::int64_t from = std::numeric_limits<std::int64_t>::min();
  std::int64_t to = std::numeric_limits<std::int64_t>::max();
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [+-] digits [. digits]; at most nine before the point, further ones than six behind it are not looked at.
bool take_number(std::string_view& text, std::int64_t& millionths) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::size_t digits = 0;
  std::int64_t value = 0;
  for (; !text.empty() && is_digit(text.front()); ++digits, text.remove_prefix(1)) {
    if (digits == 9) return false;
    value = value * 10 + (text.front() - '0');
  }
  if (digits == 0) return false;
  value *= 1'000'000;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    for (std::int64_t place = 100'000; !text.empty() && is_digit(text.front()); place /= 10, text.remove_prefix(1)) {
      value += place * (text.front() - '0');
    }
  }
  millionths = negative ? -value : value;
  return true;
}

bool parse_interval(std::string_view item, Interval& out) {
  if (!item.starts_with('#')) return false;
  item.remove_prefix(1);
  if (item.starts_with(">=") || item.starts_with("<=")) {
    std::int64_t& end = item.front() == '>' ? out.from : out.to;
    item.remove_prefix(2);
    return take_number(item, end) && item.empty();
  }
  if (item.starts_with('=')) {
    item.remove_prefix(1);
    if (!take_number(item, out.from)) return false;
    out.to = out.from;
    return item.empty();
  }
  if (!take_number(item, out.from) || !item.starts_with(':')) return false;
  item.remove_prefix(1);
  return take_number(item, out.to) && item.empty();
}

// Strings, in angle brackets, have case; tokens have none; of numbers, what they have in common counts.
bool same_value(std::string_view a, std::string_view b) {
  if (a.starts_with('<') || b.starts_with('<')) return a == b;
  Interval here, there;
  if (parse_interval(a, here) && parse_interval(b, there)) return here.from <= there.to && there.from <= here.to;
  return core::equal_ignore_case(a, b);
}

// Takes one value off a list. A comma inside a string, which begins with '<', divides nothing; "#<=5" is no string.
bool take_value(std::string_view& list, std::string_view& value) {
  list = trim(list);
  if (list.empty()) return false;
  const std::size_t from = list.front() == '<' ? std::min(list.find('>'), list.size()) : 0;
  const std::size_t comma = std::min(list.find(',', from), list.size());
  value = trim(list.substr(0, comma));
  list.remove_prefix(std::min(comma + 1, list.size()));
  return true;
}

bool has_value(std::string_view list, std::string_view wanted) {
  for (std::string_view item; take_value(list, item);) {
    if (same_value(item, wanted)) return true;
  }
  return false;
}

// Whether two value lists can both hold: some value of one is a value of the other (RFC 3840 section 4.1). "!x"
// excludes x.
bool values_meet(std::string_view a, std::string_view b) {
  std::string_view rest = a;
  for (std::string_view item; take_value(rest, item);) {
    if (item.starts_with('!')) {
      if (!has_value(b, item.substr(1))) return true;
    } else if (has_value(b, item)) {
      return true;
    }
  }
  rest = b;
  for (std::string_view item; take_value(rest, item);) {
    if (item.starts_with('!') && !has_value(a, item.substr(1))) return true;
  }
  return false;
}

bool find_tag(std::string_view parameters, std::string_view name, Param& out) {
  while (take_param(parameters, out)) {
    if (core::equal_ignore_case(out.name, name)) return true;
  }
  return false;
}

bool any_feature_tag(std::string_view parameters) {
  Param param;
  while (take_param(parameters, param)) {
    if (is_feature_tag(param.name)) return true;
  }
  return false;
}

constexpr std::uint32_t whole = 1000;

}  // namespace

bool has_feature_tag(std::string_view parameters, std::string_view tag) {
  Param param;
  return find_tag(parameters, tag, param) && !core::equal_ignore_case(value_of(param), "FALSE");
}

bool is_feature_tag(std::string_view name) {
  return (name.starts_with('+') && !is_one_of(name, not_tags)) || is_one_of(name, base_tags);
}

bool ContactPredicate::any_tag() const { return any_feature_tag(parameters); }

bool parse_contact_predicate(std::string_view item, ContactPredicate& out) {
  out = {};
  const Item split = split_item(trim(item));
  if (split.head != "*" || !are_params(split.parameters)) return false;
  out = {.parameters = split.parameters,
         .require = has_param(split.parameters, "require"),
         .is_explicit = has_param(split.parameters, "explicit")};
  return true;
}

TagMatch match_tags(std::string_view contact_parameters, const ContactPredicate& predicate) {
  TagMatch match;
  std::string_view rest = predicate.parameters;
  for (Param wanted; take_param(rest, wanted);) {
    if (!is_feature_tag(wanted.name)) continue;
    ++match.tags;
    Param given;
    if (!find_tag(contact_parameters, wanted.name, given)) continue;
    ++match.mentioned;
    match.conflict |= !values_meet(value_of(wanted), value_of(given));
  }
  return match;
}

// RFC 3841 section 7.2.4, as R3841-1 has it.
ContactScore score_contact(std::string_view contact_parameters, std::string_view accept_contact_value) {
  if (!any_feature_tag(contact_parameters)) return {.dropped = false, .score = whole};
  std::uint64_t sum = 0;
  std::uint32_t predicates = 0;
  Items items(accept_contact_value);
  for (std::string_view item; items.next(item);) {
    ContactPredicate predicate;
    if (!parse_contact_predicate(item, predicate)) continue;
    const TagMatch match = match_tags(contact_parameters, predicate);
    if (match.conflict && predicate.require) return {.dropped = true, .score = 0};
    std::uint32_t score = 0;
    if (!match.conflict) score = match.tags == 0 ? whole : whole * match.mentioned / match.tags;
    if (predicate.is_explicit && score < whole) {
      if (predicate.require) return {.dropped = true, .score = 0};
      score = 0;
    }
    sum += score;
    ++predicates;
  }
  return {.dropped = false, .score = predicates == 0 ? whole : static_cast<std::uint32_t>(sum / predicates)};
}

bool rejects_contact(std::string_view contact_parameters, std::string_view reject_contact_value) {
  Items items(reject_contact_value);
  for (std::string_view item; items.next(item);) {
    ContactPredicate predicate;
    if (!parse_contact_predicate(item, predicate)) continue;
    const TagMatch match = match_tags(contact_parameters, predicate);
    if (match.tags != 0 && match.mentioned == match.tags && !match.conflict) return true;
  }
  return false;
}

}  // namespace parley::sip

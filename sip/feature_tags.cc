// sip/feature_tags.cc - see feature_tags.h.
#include "sip/feature_tags.h"

#include <algorithm>
#include <array>

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

bool has_value(std::string_view list, std::string_view wanted) {
  Items items(list);
  for (std::string_view item; items.next(item);) {
    if (core::equal_ignore_case(item, wanted)) return true;
  }
  return false;
}

// Whether two value lists can both hold: some value of one is a value of the other (RFC 3840 section 4.1). "!x"
// excludes x. Numbers with '#' ranges hold with anything: they are not compared.
bool values_meet(std::string_view a, std::string_view b) {
  Items items(a);
  for (std::string_view item; items.next(item);) {
    if (item.starts_with('#')) return true;
    if (item.starts_with('!')) {
      if (!has_value(b, item.substr(1))) return true;
    } else if (has_value(b, item)) {
      return true;
    }
  }
  Items others(b);
  for (std::string_view item; others.next(item);) {
    if (item.starts_with('#') || (item.starts_with('!') && !has_value(a, item.substr(1)))) return true;
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

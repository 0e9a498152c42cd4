// sip/feature_tags.h - Accept-Contact and Reject-Contact against the feature tags of a contact (RFC 3840, RFC 3841;
// R3840-1, R3841-1).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

// T-20: a whole token, case ignored. In a contact's parameters or in those of a predicate; quoted or not (T-3).
[[nodiscard]] bool has_feature_tag(std::string_view parameters, std::string_view tag);

// A tag parameter, not one that RFC 3261 gives to Contact or RFC 3841 to the predicate (q, expires, require, explicit,
// ...).
[[nodiscard]] bool is_feature_tag(std::string_view name);

// One item of either header: "*;+g.oma.sip-im;require;explicit".
struct ContactPredicate {
  std::string_view parameters;
  bool require = false;  // of Accept-Contact only
  bool is_explicit = false;
  [[nodiscard]] bool any_tag() const;
};
[[nodiscard]] bool parse_contact_predicate(std::string_view item, ContactPredicate& out);

// How the tags of a predicate stand to those of a contact.
struct TagMatch {
  std::uint16_t tags = 0;       // in the predicate
  std::uint16_t mentioned = 0;  // of these, by the contact, whatever the value
  bool conflict = false;        // one that both mention has values that cannot both hold
};
[[nodiscard]] TagMatch match_tags(std::string_view contact_parameters, const ContactPredicate& predicate);

// R3841-1. Contacts without any feature tag are immune to all of it.
struct ContactScore {
  bool dropped = false;
  std::uint32_t score = 0;  // mean share of mentioned tags over the predicates, in 1/1000: Qa
};
[[nodiscard]] ContactScore score_contact(std::string_view contact_parameters, std::string_view accept_contact_value);
[[nodiscard]] bool rejects_contact(std::string_view contact_parameters, std::string_view reject_contact_value);

}  // namespace parley::sip

// sip/sdp_types.cc - see sdp_types.h.
#include "sip/sdp_types.h"

#include "sip/sdp.h"

namespace parley::sip {
namespace {

constexpr std::string_view accept_types = "accept-types";
constexpr std::string_view accept_wrapped_types = "accept-wrapped-types";

std::string_view without_parameters(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return type;
}

bool covers(std::string_view entry, std::string_view type) {
  if (entry == "*" || core::equal_ignore_case(entry, type)) return true;
  if (!entry.ends_with("/*")) return false;
  const std::string_view family = entry.substr(0, entry.size() - 1);
  return core::equal_ignore_case(family, type.substr(0, family.size()));
}

}  // namespace

bool accepts_type(std::string_view section, std::string_view attribute, std::string_view type) {
  type = without_parameters(type);
  if (type.find('/') == std::string_view::npos || type.ends_with('*')) return false;
  SdpAttributes attributes(section);
  for (SdpAttribute found; attributes.next(found);) {
    if (found.name != attribute) continue;
    SdpWords words(found.value);
    for (std::string_view entry; words.next(entry);) {
      if (covers(without_parameters(entry), type)) return true;
    }
  }
  return false;
}

bool accepts_root(std::string_view section, std::string_view type) { return accepts_type(section, accept_types, type); }

bool accepts_wrapped(std::string_view section, std::string_view container, std::string_view type) {
  return accepts_root(section, container) &&
         (accepts_root(section, type) || accepts_type(section, accept_wrapped_types, type));
}

}  // namespace parley::sip

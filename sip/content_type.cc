// sip/content_type.cc - see content_type.h.
#include "sip/content_type.h"

#include "sip/value.h"

namespace parley::sip {

bool parse_content_type(std::string_view value, ContentType& out) {
  out = {};
  const Item item = split_item(trim(value));
  const std::size_t slash = item.head.find('/');
  if (slash == std::string_view::npos || !are_params(item.parameters)) return false;
  const std::string_view type = trim(item.head.substr(0, slash));
  const std::string_view subtype = trim(item.head.substr(slash + 1));
  if (!is_token(type) || !is_token(subtype)) return false;
  out = {.type = type, .subtype = subtype, .parameters = item.parameters};
  return true;
}

bool parse_content_disposition(std::string_view value, ContentDisposition& out) {
  out = {};
  const Item item = split_item(trim(value));
  if (!is_token(item.head) || !are_params(item.parameters)) return false;
  out = {.type = item.head,
         .parameters = item.parameters,
         .optional = core::equal_ignore_case(find_param(item.parameters, "handling"), "optional")};
  return true;
}

bool is_type(const ContentType& content, std::string_view type, std::string_view subtype) {
  return core::equal_ignore_case(content.type, type) && core::equal_ignore_case(content.subtype, subtype);
}

}  // namespace parley::sip

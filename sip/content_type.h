// sip/content_type.h - Content-Type and Content-Disposition values as views (RFC 3261 section 25.1, RFC 2045, RFC
// 2183).
#pragma once

#include <string_view>

namespace parley::sip {

struct ContentType {
  std::string_view type;        // "multipart"
  std::string_view subtype;     // "mixed"
  std::string_view parameters;  // what follows the subtype, from its first ';'; params.h and find_param read them
};

struct ContentDisposition {
  std::string_view type;        // "session", "render", "recipient-list", ...
  std::string_view parameters;  // from its first ';'
  bool optional = false;        // handling=optional; required is what absent means
};

// False when `value` is not of that form. Line folds and blanks around '/', ';' and '=' are taken.
[[nodiscard]] bool parse_content_type(std::string_view value, ContentType& out);
[[nodiscard]] bool parse_content_disposition(std::string_view value, ContentDisposition& out);

[[nodiscard]] bool is_type(const ContentType& content, std::string_view type, std::string_view subtype);

}  // namespace parley::sip

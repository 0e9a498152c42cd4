// sip/xml_text.h - text of peers inside XML: escaped, and what XML does not allow at all (control characters, bytes
// that are no UTF-8) becomes U+FFFD, so that nobody can make a document that is not well-formed or says something else.
#pragma once

#include <string>
#include <string_view>

namespace parley::sip {

// Appends `text`, good inside elements and inside double quotes.
void put_xml_text(std::string& out, std::string_view text);

}  // namespace parley::sip

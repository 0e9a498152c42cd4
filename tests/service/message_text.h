// tests/service/message_text.h - what a SIP message of a test says, and what is read out of one.
#pragma once

#include <string>
#include <string_view>

namespace parley::tests {

// What a request of the IM service says of itself.
inline const std::string im = "Accept-Contact: *;+g.oma.sip-im\r\n";
inline const std::string large = "Accept-Contact: *;+g.oma.sip-im.large-message\r\n";

// The value of the first header of that name; "" when there is none.
std::string header(std::string_view message, const std::string& name);
std::string code(std::string_view response);
std::string between(std::string_view text, std::string_view from, std::string_view to);
std::string body_of(std::string_view message);
// The document in an answer of the admin side, which is JSON.
std::string document_in(std::string_view json);

// The Authorization or Proxy-Authorization line that answers a challenge of the server.
std::string credentials(std::string_view challenge_message, const std::string& method, const std::string& uri,
                        const std::string& user, std::string_view count = "00000001");

}  // namespace parley::tests

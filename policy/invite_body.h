// policy/invite_body.h - the parts of an INVITE's or REFER's body that the controlling function knows: a session
// description, lists of whom to invite, and what goes on as it is (RFC 5366 section 4, RFC 5368 section 6, RFC 5621;
// R5366-1, T-50, T-90).
//
// Views into the message.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "sip/flow.h"
#include "sip/multipart.h"

namespace parley::policy {

struct BodyPart {
  std::string_view headers;  // with their line ends; empty where the part is the whole body
  std::string_view body;
  std::string_view type;     // value of Content-Type
  std::string_view content_id;
};

// Without a Content-Type of its own it is text.
[[nodiscard]] BodyPart body_part(const sip::Part& part, std::string_view body);

struct InviteBody {
  std::uint16_t refusal = 0;  // 400: it can not be read. 415: a part that has to be understood and is not
  bool has_sdp = false;
  std::string_view sdp;
  std::vector<BodyPart> lists;   // application/resource-lists+xml that are not a history
  std::vector<BodyPart> others;  // a first message, for instance
};
[[nodiscard]] InviteBody read_invite_body(const sip::Received& request);

// What the 415 says.
inline constexpr std::string_view invite_body_types = "application/sdp, application/resource-lists+xml, multipart/mixed";

}  // namespace parley::policy

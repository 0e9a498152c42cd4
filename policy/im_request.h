// policy/im_request.h - what an IM request is: its kind, and what of its content and description the operator's policy
// asks about. OMA-ID-1, OMA-ID-2, T-3, T-20, OMA-POL-2, OMA-FT-1, OMA-GRP-10, OMA-X-4.
//
// Values read from one message; texts are views into it or owned.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/access_rules.h"
#include "policy/operator_policy.h"
#include "sip/flow.h"
#include "sip/sdp.h"

namespace parley::policy {

inline constexpr std::string_view im_tag = "+g.oma.sip-im";
inline constexpr std::string_view large_message_tag = "+g.oma.sip-im.large-message";
inline constexpr std::string_view system_message_tag = "+g.oma.sip-im.system-message";

enum class ImKind : std::uint8_t {
  session,
  pager,
  large_message,
  file_transfer,
  other,  // it carries the tag and is none of these: SUBSCRIBE, REFER, ...
};
[[nodiscard]] std::string_view to_string(ImKind kind);

// Whether a tag stands in Accept-Contact or Contact, whole and in whatever spelling (T-3, T-4, T-20).
[[nodiscard]] bool has_tag(const sip::Head& head, std::string_view bytes, std::string_view tag);
// The same of one Contact header alone.
[[nodiscard]] bool contact_has_tag(const sip::Head& head, std::string_view bytes, std::string_view tag);

// Nothing: no IM request, and none of our business.
[[nodiscard]] std::optional<ImKind> im_kind(const sip::Received& request);

[[nodiscard]] ImMode mode_of(ImKind kind);
// What the rules of its recipient are asked about. An advertisement of a group is a pager message with rules of its own
// (OMA-GRP-10).
[[nodiscard]] Wanted wanted_of(ImKind kind, const sip::Received& request);

// The session description of a request: its body, or the part that is one. Empty: none.
[[nodiscard]] std::string_view description_of(const sip::Received& request);

// A content type and where it stands (OMA-POL-2).
struct ContentSeen {
  std::string type;  // "text/plain", as it stands, without parameters
  MimePlace place = MimePlace::plain;
};
inline constexpr std::size_t content_types_max = 32;  // of one message; more of them count as not allowed
// Of a pager message: the outermost one, and what it wraps: each part of a multipart, what message/cpim holds, and what
// message/external-body points to. Lists of recipients are no content. False: it could not be looked through.
[[nodiscard]] bool read_content(const sip::Received& request, std::vector<ContentSeen>& out);

}  // namespace parley::policy

// policy/invite_body.cc - see invite_body.h.
#include "policy/invite_body.h"

#include "core/text.h"
#include "sip/content_type.h"
#include "sip/params.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

// Types that go on to who is invited; whoever sends them means him, not us.
bool goes_on(const sip::ContentType& type) {
  return sip::is_type(type, "message", "cpim") || sip::is_type(type, "text", "plain") ||
         core::equal_ignore_case(type.type, "image");
}

void take_part(const BodyPart& part, std::string_view disposition, InviteBody& out) {
  sip::ContentType type;
  sip::ContentDisposition how;
  if (!disposition.empty() && !sip::parse_content_disposition(disposition, how)) how = {};
  if (!sip::parse_content_type(part.type, type)) {
    if (!how.optional) out.refusal = 415;
  } else if (sip::is_type(type, "application", "sdp")) {
    if (out.has_sdp) return;
    out.has_sdp = true;
    out.sdp = part.body;
  } else if (sip::is_type(type, "application", "resource-lists+xml")) {
    if (!core::equal_ignore_case(how.type, "recipient-list-history")) out.lists.push_back(part);
  } else if (goes_on(type)) {
    out.others.push_back(part);
  } else if (!how.optional) {
    out.refusal = 415;
  }
}

}  // namespace

BodyPart body_part(const sip::Part& part, std::string_view body) {
  const std::string_view type = part.content_type.of(body);
  return {.headers = part.headers.of(body),
          .body = part.body.of(body),
          .type = type.empty() ? std::string_view("text/plain") : type,
          .content_id = part.content_id.of(body)};
}

InviteBody read_invite_body(const sip::Received& request) {
  InviteBody out;
  if (request.body.empty()) return out;
  const std::string_view bytes = request.bytes;
  const std::string_view encoding = request.head.value(HeaderId::content_encoding, bytes);
  if (!encoding.empty() && !core::equal_ignore_case(encoding, "identity")) {
    out.refusal = 415;
    return out;
  }
  const BodyPart whole{.headers = {},
                       .body = request.body,
                       .type = request.head.value(HeaderId::content_type, bytes),
                       .content_id = request.head.value(HeaderId::content_id, bytes)};
  sip::ContentType type;
  if (!sip::parse_content_type(whole.type, type)) {
    out.refusal = whole.type.empty() ? 400 : 415;
    return out;
  }
  if (!core::equal_ignore_case(type.type, "multipart")) {
    take_part(whole, request.head.value(HeaderId::content_disposition, bytes), out);
    return out;
  }
  sip::Multipart parts;
  const std::string_view boundary = sip::without_quotes(sip::param_value(type.parameters, "boundary"));
  if (sip::parse_multipart(request.body, boundary, parts) != sip::MultipartError::none) {
    out.refusal = 400;
    return out;
  }
  for (std::size_t i = 0; i < parts.count; ++i) {
    const sip::Part& part = parts.parts[i];
    take_part(body_part(part, request.body), part.content_disposition.of(request.body), out);
  }
  return out;
}

}  // namespace parley::policy

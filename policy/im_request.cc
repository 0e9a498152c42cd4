// policy/im_request.cc - see im_request.h.
#include "policy/im_request.h"

#include <algorithm>

#include "core/text.h"
#include "sip/address.h"
#include "sip/content_type.h"
#include "sip/feature_tags.h"
#include "sip/multipart.h"
#include "sip/value.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;

namespace {

constexpr unsigned nesting_max = 4;  // multiparts and wrappers inside each other

// The head of what a body wraps: header lines up to an empty one, with CRLF or LF (T-78). `body` goes behind it.
std::string_view take_head(std::string_view& body) {
  std::size_t at = 0;
  while (at < body.size()) {
    const std::size_t end = body.find('\n', at);
    if (end == std::string_view::npos) break;
    const std::string_view line = body.substr(at, end - at);
    if (line.empty() || line == "\r") {
      const std::string_view head = body.substr(0, at);
      body.remove_prefix(end + 1);
      return head;
    }
    at = end + 1;
  }
  const std::string_view head = body;
  body = {};
  return head;
}

std::string_view line_value(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find('\n'), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 1, head.size()));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && core::equal_ignore_case(sip::trim(line.substr(0, colon)), name)) {
      return sip::trim(line.substr(colon + 1));
    }
  }
  return {};
}

bool is_list(std::string_view disposition) {
  sip::ContentDisposition read;
  return sip::parse_content_disposition(disposition, read) &&
         (core::equal_ignore_case(read.type, "recipient-list") ||
          core::equal_ignore_case(read.type, "recipient-list-history"));
}

struct Parts {
  std::vector<ContentSeen>& out;

  bool add(std::string_view content_type, std::string_view body, MimePlace place, unsigned depth) {
    sip::ContentType type;
    if (content_type.empty()) content_type = "text/plain";
    if (!sip::parse_content_type(content_type, type) || out.size() == content_types_max || depth > nesting_max)
      return false;
    out.push_back({std::string(type.type) + "/" + std::string(type.subtype), place});
    if (core::equal_ignore_case(type.type, "multipart")) return add_parts(type, body, depth);
    if (sip::is_type(type, "message", "cpim")) {
      (void)take_head(body);
      const std::string_view head = take_head(body);
      return add(line_value(head, "Content-Type"), body, MimePlace::wrapped, depth + 1);
    }
    if (sip::is_type(type, "message", "external-body")) {
      return add(line_value(take_head(body), "Content-Type"), body, MimePlace::wrapped, depth + 1);
    }
    return true;
  }

  bool add_parts(const sip::ContentType& type, std::string_view body, unsigned depth) {
    sip::Multipart parts;
    if (sip::parse_multipart(body, sip::find_param(type.parameters, "boundary"), parts) != sip::MultipartError::none) {
      return false;
    }
    for (std::size_t i = 0; i < parts.count; ++i) {
      const sip::Part& part = parts.parts[i];
      if (is_list(part.content_disposition.of(body))) continue;
      if (!add(part.content_type.of(body), part.body.of(body), MimePlace::wrapped, depth + 1)) return false;
    }
    return true;
  }
};

}  // namespace

std::string_view to_string(ImKind kind) {
  switch (kind) {
    case ImKind::session: return "session";
    case ImKind::pager: return "pager";
    case ImKind::large_message: return "large_message";
    case ImKind::file_transfer: return "file_transfer";
    case ImKind::other: return "other";
  }
  return "";
}

bool contact_has_tag(const sip::Head& head, std::string_view bytes, std::string_view tag) {
  for (const sip::Header* h = head.first(HeaderId::contact); h != nullptr; h = head.next(*h)) {
    std::string_view rest = h->value.of(bytes);
    for (sip::Address contact; sip::take_address(rest, contact);) {
      if (sip::has_feature_tag(contact.params, tag)) return true;
    }
  }
  return false;
}

bool has_tag(const sip::Head& head, std::string_view bytes, std::string_view tag) {
  for (const sip::Header* h = head.first(HeaderId::accept_contact); h != nullptr; h = head.next(*h)) {
    sip::Items items(h->value.of(bytes));
    for (std::string_view item; items.next(item);) {
      if (sip::has_feature_tag(sip::split_item(item).parameters, tag)) return true;
    }
  }
  return contact_has_tag(head, bytes, tag);
}

std::optional<ImKind> im_kind(const sip::Received& request) {
  const Method method = request.head.method;
  if (method == Method::message) return ImKind::pager;
  if (method == Method::register_ || method == Method::ack || method == Method::cancel) return std::nullopt;
  const bool large = has_tag(request.head, request.bytes, large_message_tag);
  const bool tagged = large || has_tag(request.head, request.bytes, im_tag);
  if (method != Method::invite) return tagged ? std::optional(ImKind::other) : std::nullopt;
  bool message = false;
  bool file = false;
  sip::Sdp sdp;
  const std::string_view text = description_of(request);
  if (!text.empty() && sip::parse_sdp(text, {}, sdp).ok()) {
    for (std::size_t i = 0; i < sdp.media_count; ++i) {
      if (!core::equal_ignore_case(sdp.media[i].media.of(text), "message")) continue;
      message = true;
      file = file || sdp.media[i].has_file_selector;
    }
  }
  if (!tagged && !message) return std::nullopt;
  // SEED4-6.1.1.2.1-1, -1a, -1b, SEED4-6.1.2.2.1-1, -1a, -1b
  if (large) return ImKind::large_message;
  return file ? ImKind::file_transfer : ImKind::session;
}

ImMode mode_of(ImKind kind) {
  switch (kind) {
    case ImKind::pager: return ImMode::pager;
    case ImKind::large_message: return ImMode::large_message;
    case ImKind::file_transfer: return ImMode::file_transfer;
    case ImKind::session:
    case ImKind::other: break;
  }
  return ImMode::session;
}

Wanted wanted_of(ImKind kind, const sip::Received& request) {
  switch (kind) {
    case ImKind::pager: {
      sip::ContentType type;
      const bool advertises =
          sip::parse_content_type(request.head.value(HeaderId::content_type, request.bytes), type) &&
          sip::is_type(type, "application", "vnd.poc.group-advertisement+xml");
      return advertises ? Wanted::group_advertisement : Wanted::pager_message;
    }
    case ImKind::large_message: return Wanted::large_message;
    case ImKind::file_transfer: return Wanted::file_transfer;
    case ImKind::session:
    case ImKind::other: break;
  }
  return Wanted::session;
}

std::string_view description_of(const sip::Received& request) {
  return sip::sdp_in(request.head.value(HeaderId::content_type, request.bytes), request.body);
}

bool read_content(const sip::Received& request, std::vector<ContentSeen>& out) {
  out.clear();
  if (request.body.empty()) return true;
  return Parts{out}.add(request.head.value(HeaderId::content_type, request.bytes), request.body, MimePlace::plain, 0);
}

}  // namespace parley::policy

// policy/list_message.cc - see list_message.h.
#include "policy/list_message.h"

#include <algorithm>

#include "core/text.h"
#include "policy/cpim.h"
#include "policy/imdn.h"
#include "sip/content_type.h"
#include "sip/multipart.h"
#include "sip/params.h"
#include "sip/value.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

constexpr std::uint32_t cpim_head_bytes_max = 64 * 1024;

using Facts = ListMessageFacts;
// clang-format off
constexpr ListMessageRefusal message_checks[] = {
    // requirement    what speaks against it                                          answer
    {"R3261-4",     [](const Facts& f) { return f.body_status == 415; },                   415, ""},
    {"R3261-4",     [](const Facts& f) { return f.body_status != 0; },                     400, ""},
    {"R5365-1",     [](const Facts& f) { return f.list_required && !f.list_there; },       400, "no recipient list"},
    {"OMA-PAG-2",   [](const Facts& f) { return !f.of_group && !f.list_there; },           400, "no recipient list"},
    {"OMA-GRP-8",   [](const Facts& f) { return f.list_wrong; },                           400, "recipient list can not be read"},
    {"OMA-GRP-8",   [](const Facts& f) { return f.list_useless; },                         404, "nobody in the list can be reached"},
    {"OMA-GRP-5",   [](const Facts& f) { return f.list_too_long; },                        403, "too many recipients, at most "},
    {"R3428-1",     [](const Facts& f) { return !f.content; },                             400, "nothing to send"},
    {"OMA-GRP-3",   [](const Facts& f) { return !f.understood; },                          403, "the group asks for what this server does not know"},
    {"OMA-GRP-9",   [](const Facts& f) { return f.anonymity_disallowed; },                 433, ""},
    {"OMA-PAG-3",   [](const Facts& f) { return !f.member; },                              403, "not a member of the group"},
    {"OMA-PAG-3",   [](const Facts& f) { return !f.anybody; },                             404, "nobody to send it to"},
};
// clang-format on
constexpr const ListMessageRefusal* first_that_holds(const Facts& facts) {
  for (const ListMessageRefusal& check : message_checks) {
    if (check.holds(facts)) return &check;
  }
  return nullptr;
}
static_assert(first_that_holds({}) == nullptr);
static_assert(first_that_holds({.list_there = false})->status == 400);
static_assert(first_that_holds({.of_group = true, .list_there = false}) == nullptr);
static_assert(first_that_holds({.list_too_long = true, .anybody = false})->status == 403);
static_assert(first_that_holds({.of_group = true, .member = false, .anonymity_disallowed = true})->status == 433);

bool is_list(std::string_view type, std::string_view disposition) {
  sip::ContentType read;
  if (!sip::parse_content_type(type, read) || !sip::is_type(read, "application", "resource-lists+xml")) return false;
  sip::ContentDisposition how;
  return disposition.empty() || !sip::parse_content_disposition(disposition, how) ||
         !core::equal_ignore_case(how.type, "recipient-list-history");
}

void append_part(std::string& out, std::string_view boundary, std::string_view headers, std::string_view body) {
  out.append("--").append(boundary).append("\r\n").append(headers).append("\r\n").append(body).append("\r\n");
}

bool is_cpim_type(std::string_view type) {
  sip::ContentType read;
  return sip::parse_content_type(type, read) && sip::is_type(read, "message", "cpim");
}

// RFC 5438 section 8: with a request for notifications goes whom the message was for. The line takes the prefix that
// the request has.
std::string with_original_to(std::string_view body, std::string_view to, ListCopy& copy) {
  CpimParser parser;
  std::string out(body);
  if (parser.parse(body, true, cpim_head_bytes_max) != CpimParser::Progress::done) return out;
  const CpimHead& head = parser.head();
  const WantedNotices wanted = wanted_notices("message/cpim", body);
  copy.notices = wanted.notices;
  copy.message_id = wanted.message_id;
  if (!head.disposition_notification.present()) return out;
  if (head.original_to.present()) return out;
  const auto value = static_cast<std::size_t>(head.disposition_notification.of(body).data() - body.data());
  const std::size_t before = body.rfind('\n', value);
  const std::size_t line = before == std::string_view::npos ? 0 : before + 1;
  const std::string_view name = body.substr(line, body.find(':', line) - line);
  const std::size_t dot = name.rfind('.');
  std::string added(dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot + 1));
  added.append("Original-To: <").append(to).append(">\r\n");
  out.insert(line, added);
  return out;
}

// Nothing but what is said on the outside, too.
bool only_type(std::string_view headers) {
  const std::size_t end = headers.find("\r\n");
  return end != std::string_view::npos && end + 2 == headers.size() &&
         core::equal_ignore_case(headers.substr(0, 13), "Content-Type:");
}

}  // namespace

const ListMessageRefusal* first_refusal(const ListMessageFacts& facts) { return first_that_holds(facts); }

ListMessage read_list_message(const sip::Received& request, bool with_lists) {
  ListMessage out;
  const std::string_view bytes = request.bytes;
  const std::string_view type = request.head.value(HeaderId::content_type, bytes);
  if (request.body.empty()) return out;
  const BodyPart whole{.headers = {}, .body = request.body, .type = type, .content_id = {}};
  sip::ContentType read;
  if (!sip::parse_content_type(type, read)) {
    out.refusal = 400;
    return out;
  }
  const std::string_view encoding = request.head.value(HeaderId::content_encoding, bytes);
  const bool packed = !encoding.empty() && !core::equal_ignore_case(encoding, "identity");
  if (!with_lists) {
    out.parts.push_back(whole);
    return out;
  }
  if (packed) {
    out.refusal = 415;
    return out;
  }
  if (!core::equal_ignore_case(read.type, "multipart")) {
    if (is_list(type, request.head.value(HeaderId::content_disposition, bytes))) {
      out.lists.push_back(request.body);
    } else {
      out.parts.push_back(whole);
    }
    return out;
  }
  out.several = true;
  sip::Multipart parts;
  const std::string_view boundary = sip::without_quotes(sip::param_value(read.parameters, "boundary"));
  if (sip::parse_multipart(request.body, boundary, parts) != sip::MultipartError::none) {
    out.refusal = 400;
    return out;
  }
  for (std::size_t i = 0; i < parts.count; ++i) {
    const sip::Part& part = parts.parts[i];
    if (is_list(part.content_type.of(request.body), part.content_disposition.of(request.body))) {
      out.lists.push_back(part.body.of(request.body));
    } else {
      out.parts.push_back(body_part(part, request.body));
    }
  }
  return out;
}

ListCopy copy_of(const ListMessage& message, std::string_view to, std::span<const ListEntry> history,
                 std::string_view boundary) {
  ListCopy out;
  std::vector<std::string> bodies;
  for (const BodyPart& part : message.parts) {
    bodies.push_back(is_cpim_type(part.type) ? with_original_to(part.body, to, out) : std::string(part.body));
  }
  const bool one = bodies.size() == 1 && history.empty();
  if (one && (!message.several || only_type(message.parts.front().headers))) {
    out.type = message.parts.front().type;
    out.body = std::move(bodies.front());
    return out;
  }
  out.type.assign("multipart/mixed;boundary=").append(boundary);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const BodyPart& part = message.parts[i];
    std::string headers(part.headers);
    if (headers.empty()) headers.append("Content-Type: ").append(part.type).append("\r\n");
    append_part(out.body, boundary, headers, bodies[i]);
  }
  if (!history.empty()) {
    std::string list;
    put_resource_list(history, list);
    std::string headers("Content-Type: ");
    headers.append(resource_lists_type).append("\r\nContent-Disposition: ");
    headers.append(recipient_history_disposition).append("\r\n");
    append_part(out.body, boundary, headers, list);
  }
  out.body.append("--").append(boundary).append("--\r\n");
  return out;
}

}  // namespace parley::policy

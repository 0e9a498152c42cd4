// policy/history_text.cc - see history_text.h.
#include "policy/history_text.h"

#include <utility>

#include "core/text.h"
#include "policy/resource_list.h"
#include "sip/address.h"
#include "sip/content_type.h"
#include "sip/multipart.h"
#include "sip/params.h"

namespace parley::policy {

using sip::HeaderId;

namespace {

constexpr std::string_view history_disposition = "recipient-list-history";

void take_list(std::string_view type_value, std::string_view disposition, std::string_view body, bool history, std::string& out) {
  sip::ContentType type;
  sip::ContentDisposition how;
  if (!sip::parse_content_type(type_value, type) || !sip::is_type(type, "application", "resource-lists+xml")) return;
  if (!disposition.empty() && !sip::parse_content_disposition(disposition, how)) how = {};
  if (core::equal_ignore_case(how.type, history_disposition) != history) return;
  ResourceList list;
  if (parse_resource_list(body, list)) return;
  for (const ListEntry& entry : list.entries) {
    if (entry.uri.find_first_of("\r\n") == std::string::npos) out.append(entry.uri).append("\n");
  }
}

std::string text_of(const sip::Address& address) {
  std::string text;
  sip::put_address(text, address);
  return text;
}

}  // namespace

std::string without_tag(std::string_view value) {
  sip::Address address;
  return sip::parse_address(value, address) ? text_of(address) : std::string(value);
}

std::string people_of(const sip::Received& request, bool history) {
  std::string out;
  const std::string_view bytes = request.bytes;
  const std::string_view whole = request.head.value(HeaderId::content_type, bytes);
  sip::ContentType type;
  if (request.body.empty() || !sip::parse_content_type(whole, type)) return out;
  if (!core::equal_ignore_case(type.type, "multipart")) {
    take_list(whole, request.head.value(HeaderId::content_disposition, bytes), request.body, history, out);
    return out;
  }
  sip::Multipart parts;
  const std::string_view boundary = sip::without_quotes(sip::param_value(type.parameters, "boundary"));
  if (sip::parse_multipart(request.body, boundary, parts) != sip::MultipartError::none) return out;
  for (std::size_t i = 0; i < parts.count; ++i) {
    const sip::Part& part = parts.parts[i];
    take_list(part.content_type.of(request.body), part.content_disposition.of(request.body), part.body.of(request.body),
              history, out);
  }
  return out;
}

namespace {

HistoryRecorder::Beginning beginning_of(const sip::Received& request, std::string_view aor, bool sent) {
  return {.mode = HistoryMode::pager_large,
          .aor = std::string(aor),
          .from = text_of(request.essentials.from),
          .to = text_of(request.essentials.to),
          .people = policy::people_of(request, !sent),
          .subject = std::string(request.head.value(HeaderId::subject, request.bytes))};
}

std::string_view type_of(const sip::Received& request) {
  const std::string_view type = request.head.value(HeaderId::content_type, request.bytes);
  return type.empty() ? std::string_view("text/plain") : type;
}

}  // namespace

void record_message(HistoryRecorder& recorder, const sip::Received& request, std::string_view aor, bool sent,
                    std::int64_t at_ms) {
  recorder.pager(beginning_of(request, aor, sent),
                 {.sent = sent, .type = type_of(request), .body = request.body, .at_ms = at_ms});
}

LateMessage late_message(const sip::Received& request, std::string_view aor) {
  return {.beginning = beginning_of(request, aor, false),
          .type = std::string(type_of(request)),
          .body = std::string(request.body)};
}

void record_message(HistoryRecorder& recorder, LateMessage&& message, std::int64_t at_ms) {
  recorder.pager(std::move(message.beginning),
                 {.sent = false, .type = message.type, .body = message.body, .at_ms = at_ms});
}

}  // namespace parley::policy

// policy/imdn.cc - see imdn.h.
#include "policy/imdn.h"

#include "policy/cpim.h"
#include "policy/xml_writer.h"
#include "sip/content_type.h"

namespace parley::policy {
namespace {

constexpr std::uint32_t imdn_head_bytes_max = 64 * 1024;

bool is_type(std::string_view text, std::string_view type, std::string_view subtype) {
  sip::ContentType read;
  return sip::parse_content_type(text, read) && sip::is_type(read, type, subtype);
}

// False: it is none, or its head can not be read.
bool read_cpim(std::string_view content_type, std::string_view body, CpimParser& parser) {
  return is_type(content_type, "message", "cpim") &&
         parser.parse(body, true, imdn_head_bytes_max) == CpimParser::Progress::done;
}

}  // namespace

WantedNotices wanted_notices(std::string_view content_type, std::string_view body) {
  WantedNotices out;
  CpimParser parser;
  if (!read_cpim(content_type, body, parser)) return out;
  const CpimHead& head = parser.head();
  if (head.imdn_message_id.present()) out.message_id = head.imdn_message_id.of(body);
  CpimAddress original;
  if (head.original_to.present() && parse_cpim_address(head.original_to.of(body), original)) out.original_to = original.uri;
  if (!head.disposition_notification.present() || out.message_id.empty()) return out;
  const std::string_view wanted = head.disposition_notification.of(body);
  const auto bit = [&](std::string_view word, Notice notice) {
    if (wanted.find(word) != std::string_view::npos) out.notices |= static_cast<std::uint32_t>(notice);
  };
  bit("negative-delivery", Notice::negative);
  bit("processing", Notice::processing);
  return out;
}

bool is_composing(std::string_view content_type, std::string_view body) {
  if (is_type(content_type, "application", "im-iscomposing+xml")) return true;
  CpimParser parser;
  return read_cpim(content_type, body, parser) && parser.head().content_type.present() &&
         is_type(parser.head().content_type.of(body), "application", "im-iscomposing+xml");
}

void put_notice(const NoticeText& notice, std::string& out) {
  const bool failed = notice.status == NoticeText::Status::failed;
  std::string when;
  append_date_time(when, notice.wall_ms);
  out.append("From: <").append(notice.from).append(">\r\nTo: <").append(notice.to);
  out.append(">\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ").append(notice.own_id);
  out.append("\r\nDateTime: ").append(when);
  out.append("\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n");
  XmlWriter xml(out);
  xml.open("imdn").attribute("xmlns", "urn:ietf:params:xml:ns:imdn");
  xml.leaf("message-id", notice.message_id).leaf("datetime", when);
  if (!notice.recipient.empty()) xml.leaf("recipient-uri", notice.recipient);
  xml.leaf("original-recipient-uri", notice.original_recipient);
  xml.open(failed ? "delivery-notification" : "processing-notification").open("status");
  xml.open(failed ? "failed" : "stored").close().close().close();
  xml.close();
}

}  // namespace parley::policy

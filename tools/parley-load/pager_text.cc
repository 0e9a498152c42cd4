// tools/parley-load/pager_text.cc - see pager_text.h.
#include "tools/parley-load/pager_text.h"

#include <array>

#include "tools/parley-load/words.h"

namespace parley::load {
namespace {

bool is_type(std::string_view content_type, std::string_view type) {
  const std::string_view said = content_type.substr(0, content_type.find_first_of("; \t"));
  return same_word(said, type);
}

std::string_view behind_blank_line(std::string_view text) {
  const size_t end = text.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string_view{} : text.substr(end + 4);
}

// RFC 2046 section 5.1.1: the first part that is a text.
std::string_view first_text_of(std::string_view content_type, std::string_view body) {
  const size_t at = content_type.find("boundary=");
  if (at == std::string_view::npos) return {};
  std::string_view boundary = content_type.substr(at + 9);
  boundary = boundary.starts_with('"') ? boundary.substr(1, boundary.find('"', 1) - 1)
                                       : boundary.substr(0, boundary.find_first_of("; \t"));
  const std::string delimiter = "--" + std::string(boundary);
  for (size_t begin = body.find(delimiter); begin != std::string_view::npos;) {
    begin += delimiter.size();
    const size_t end = body.find("\r\n" + delimiter, begin);
    if (end == std::string_view::npos) return {};
    const std::string_view part = body.substr(begin, end - begin);
    constexpr std::string_view name = "\r\nContent-Type: ";
    const size_t type_at = part.substr(0, part.find("\r\n\r\n")).find(name);
    const std::string_view type = type_at == std::string_view::npos
                                      ? std::string_view("text/plain")
                                      : part.substr(type_at + name.size(), part.find("\r\n", type_at + 2) - type_at - name.size());
    if (is_type(type, "text/plain") || is_type(type, "message/cpim")) return pager_text_of(type, behind_blank_line(part));
    begin = end + 2;
  }
  return {};
}

}  // namespace

void put_stamp(std::string& out, std::string_view run, const PagerStamp& stamp) {
  std::array<char, kPagerStampBytes> bytes{};
  SipText(bytes.data()).put("p").call_id(run, stamp.id).hex(stamp.number, 8).put(".");
  out.append(bytes.data(), bytes.size());
}

bool take_stamp(std::string_view& text, std::string_view run, PagerStamp& stamp) {
  if (text.size() < kPagerStampBytes || text[0] != 'p' || text[kPagerStampBytes - 1] != '.') return false;
  uint64_t number = 0;
  if (!take_sip_id(text.substr(1), run, false, stamp.id) || !take_hex(text.substr(1 + kCallIdDigits, 8), number)) return false;
  stamp.number = static_cast<uint32_t>(number);
  text.remove_prefix(kPagerStampBytes);
  return true;
}

void put_cpim_head(std::string& out, std::string_view from, std::string_view to, std::string_view date_time,
                   std::string_view message_id) {
  out.append("From: <").append(from).append(">\r\nTo: <").append(to).append(">\r\nDateTime: ").append(date_time);
  out.append("\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: ").append(message_id);
  out.append("\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
}

void begin_list(std::string& out) {
  out.append("--parley-load\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n"
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?><resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>");
}

void put_list_entry(std::string& out, std::string_view uri) { out.append("<entry uri=\"").append(uri).append("\"/>"); }

void end_list(std::string& out, std::string_view content_type) {
  out.append("</list></resource-lists>\r\n--parley-load\r\nContent-Type: ").append(content_type).append("\r\n\r\n");
}

std::string_view pager_text_of(std::string_view content_type, std::string_view body) {
  if (is_type(content_type, "message/cpim")) return behind_blank_line(behind_blank_line(body));
  return content_type.starts_with("multipart/") ? first_text_of(content_type, body) : body;
}

}  // namespace parley::load

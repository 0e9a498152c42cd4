// tools/parley/content.cc - see content.h.
#include "tools/parley/content.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "policy/cpim.h"
#include "policy/xml_reader.h"
#include "policy/xml_writer.h"
#include "sip/content_type.h"
#include "sip/multipart.h"
#include "sip/value.h"

namespace parley::client {

namespace {

constexpr std::string_view imdn_space = "urn:ietf:params:xml:ns:imdn";
constexpr std::uint32_t cpim_head_bytes_max = 8 * 1024;
constexpr int nesting_max = 3;  // multipart in CPIM in multipart; deeper ones are shown as they are
constexpr std::size_t parts_max = 16;  // of one message, nested ones too; what has more is one part

constexpr std::array<std::pair<std::string_view, Disposition>, 7> dispositions{{{"delivered", Disposition::delivered},
                                                                                {"displayed", Disposition::displayed},
                                                                                {"processed", Disposition::processed},
                                                                                {"stored", Disposition::stored},
                                                                                {"failed", Disposition::failed},
                                                                                {"forbidden", Disposition::forbidden},
                                                                                {"error", Disposition::error}}};

std::string bare_type(std::string_view content_type) {
  sip::ContentType type;
  if (!sip::parse_content_type(content_type, type)) return "text/plain";
  std::string text = std::string(type.type) + "/" + std::string(type.subtype);
  for (char& c : text) c = core::lower(c);
  return text;
}

bool has_word(std::string_view list, std::string_view word) {
  sip::Items items(list);
  for (std::string_view item; items.next(item);) {
    if (core::equal_ignore_case(sip::split_item(item).head, word)) return true;
  }
  return false;
}

std::optional<Imdn> read_imdn(std::string_view body) {
  policy::XmlDocument document;
  if (document.parse(body)) return std::nullopt;
  const policy::XmlElement root = document.root();
  if (root.name() != "imdn") return std::nullopt;
  Imdn imdn;
  imdn.message_id = root.child("message-id").text();
  imdn.recipient = root.child("recipient-uri").text();
  if (imdn.message_id.empty()) return std::nullopt;
  for (const std::string_view kind : {"delivery-notification", "display-notification", "processing-notification"}) {
    for (const policy::XmlElement status : root.child(kind).child("status").children()) {
      for (const auto& [name, disposition] : dispositions) {
        if (status.name() != name) continue;
        imdn.disposition = disposition;
        return imdn;
      }
    }
  }
  return std::nullopt;
}

// Who else got it is not (RFC 5364).
bool is_for_the_user(const sip::Part& part, std::string_view body) {
  return !part.content_type.present() || bare_type(part.content_type.of(body)) != "application/resource-lists+xml";
}

std::string_view type_of(const sip::Part& part, std::string_view body) {
  return part.content_type.present() ? part.content_type.of(body) : std::string_view("text/plain");
}

bool is_readable(std::string_view type) {
  return type == "text/plain" || type == "message/cpim" || type.starts_with("multipart/");
}

void unwrap(Content& content, std::vector<ContentPart>& parts, std::string_view content_type, std::string_view body,
            int depth);

// False: it is to be taken as it is.
bool unwrap_parts(Content& content, std::vector<ContentPart>& parts, std::string_view content_type,
                  std::string_view body, int depth) {
  sip::ContentType type;
  sip::Multipart found;
  if (!sip::parse_content_type(content_type, type) ||
      sip::parse_multipart(body, sip::find_param(type.parameters, "boundary"), found) != sip::MultipartError::none) {
    return false;
  }
  std::vector<const sip::Part*> chosen;
  for (std::size_t i = 0; i < found.count; ++i) {
    if (is_for_the_user(found.parts[i], body)) chosen.push_back(&found.parts[i]);
  }
  if (chosen.empty() || parts.size() + chosen.size() > parts_max) return false;
  if (core::equal_ignore_case(type.subtype, "alternative")) {
    // Of alternatives the last is the best (RFC 2046 section 5.1.4), but text is what a terminal has.
    const auto text = std::find_if(chosen.begin(), chosen.end(),
                                   [&](const sip::Part* part) { return is_readable(bare_type(type_of(*part, body))); });
    chosen = {text != chosen.end() ? *text : chosen.back()};
  }
  for (const sip::Part* part : chosen) unwrap(content, parts, type_of(*part, body), part->body.of(body), depth + 1);
  return true;
}

void unwrap(Content& content, std::vector<ContentPart>& parts, std::string_view content_type, std::string_view body,
            int depth) {
  const std::string type = bare_type(content_type);
  if (type == "message/cpim" && !content.wrapped) {
    policy::CpimParser parser;
    if (parser.parse(body, true, cpim_head_bytes_max) == policy::CpimParser::Progress::done) {
      const policy::CpimHead& head = parser.head();
      content.wrapped = true;
      policy::CpimAddress from;
      if (policy::parse_cpim_address(head.from.of(body), from)) {
        policy::append_unescaped(content.from_name, from.name);
        content.from_uri = from.uri;
      }
      content.to_uri = head.to_uri.of(body);
      content.date = head.date_time.of(body);
      content.imdn_id = head.imdn_message_id.of(body);
      // R5438-1: a request for dispositions is none without a name for the message.
      if (!content.imdn_id.empty()) {
        const std::string_view wishes = head.disposition_notification.of(body);
        content.wants_delivery = has_word(wishes, "positive-delivery");
        content.wants_display = has_word(wishes, "display");
      }
      if (head.imdn_record_route.present()) content.imdn_route.emplace_back(head.imdn_record_route.of(body));
      const std::string_view inner = head.content_type.present() ? head.content_type.of(body) : "text/plain";  // T-78
      return unwrap(content, parts, inner, body.substr(head.length), depth + 1);
    }
  }
  if (type.starts_with("multipart/") && depth < nesting_max && unwrap_parts(content, parts, content_type, body, depth))
    return;
  parts.push_back({.type = type, .body = std::string(body)});
}

}  // namespace

std::string_view to_string(Disposition disposition) {
  for (const auto& [name, value] : dispositions) {
    if (value == disposition) return name;
  }
  return "error";
}

Content read_content(std::string_view content_type, std::string_view body) {
  Content content;
  std::vector<ContentPart> parts;
  unwrap(content, parts, content_type.empty() ? std::string_view("text/plain") : content_type, body, 0);
  auto main =
      std::find_if(parts.begin(), parts.end(), [](const ContentPart& part) { return part.type == "text/plain"; });
  if (main == parts.end()) main = parts.begin();
  static_cast<ContentPart&>(content) = std::move(*main);
  parts.erase(main);
  content.more = std::move(parts);
  if (content.type == "message/imdn+xml") content.imdn = read_imdn(content.body);
  // R5438-2: none for a notification, and none that has nobody to go to.
  if (content.imdn || content.from_uri.find("@anonymous.invalid") != std::string::npos) {
    content.wants_delivery = content.wants_display = false;
  }
  return content;
}

std::string wrap_cpim(const CpimWish& wish) {
  std::string out;
  policy::append_cpim_address(out, "From", wish.from_name, wish.from_uri);  // R3862-7
  policy::append_cpim_address(out, "To", "", wish.to_uri);
  out += "DateTime: ";  // R5438-1
  policy::append_date_time(out, wish.wall_ms);
  out += "\r\n";
  if (!wish.imdn_id.empty()) {
    out += "NS: imdn <urn:ietf:params:imdn>\r\n";        // R3862-5
    out += "imdn.Message-ID: " + wish.imdn_id + "\r\n";  // SEED3-8.1.1-10
    std::string wishes = wish.want_delivery ? "positive-delivery, negative-delivery" : "";
    if (wish.want_display) wishes += wishes.empty() ? "display" : ", display";
    if (!wishes.empty() && !wish.is_notification) {                // R5438-2
      out += "imdn.Disposition-Notification: " + wishes + "\r\n";  // SEED3-8.1.1-10
    }
    for (const std::string& route : wish.imdn_route) out += "imdn.IMDN-Route: " + route + "\r\n";  // R5438-3
  }
  out += "\r\nContent-Type: " + wish.content_type + "\r\n";
  if (wish.is_notification) out += "Content-Disposition: notification\r\n";  // R5438-2
  return out + "\r\n" + wish.body;
}

std::string imdn_document(std::string_view message_id, Disposition disposition, std::string_view recipient,
                          std::int64_t wall_ms) {
  std::string date;
  policy::append_date_time(date, wall_ms);
  const bool display = disposition == Disposition::displayed;
  std::string out;
  {
    policy::XmlWriter xml(out);
    xml.open("imdn").attribute("xmlns", imdn_space);
    xml.leaf("message-id", message_id);
    xml.leaf("datetime", date);
    if (!recipient.empty()) xml.leaf("recipient-uri", recipient);
    xml.open(display ? "display-notification" : "delivery-notification").open("status");
    xml.open(to_string(disposition)).close();
    xml.close().close().close();
  }
  return out;
}

std::string in_file_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-') out += c;
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) word = (word << 8) | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= have ? letters[(word >> (18 - 6 * k)) & 63] : '=';
  }
  return out;
}

}  // namespace parley::client

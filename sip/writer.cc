// sip/writer.cc - requests and responses; see writer.h.
#include "sip/writer.h"

#include "sip/address.h"
#include "sip/status.h"
#include "sip/writer_lines.h"

namespace parley::sip {
namespace {

template <class Out>
void put(Out& out, const RequestText& text) {
  out.put(text.method).put(' ').put(text.uri).put(" SIP/2.0\r\n");
  for (const HeaderText& header : text.headers) put_header(out, header);
  put_end(out, text.body_bytes);
}

template <class Out>
void copy_all(Out& out, const Head& request, std::string_view bytes, HeaderId id) {
  for (const Header* header = request.first(id); header != nullptr; header = request.next(*header)) {
    put_line(out, header_name(id), header->value.of(bytes));
  }
}

template <class Out>
void copy_first(Out& out, const Head& request, std::string_view bytes, HeaderId id) {
  if (const Header* const header = request.first(id)) put_line(out, header_name(id), header->value.of(bytes));
}

template <class Out>
void copy_vias(Out& out, const Head& request, std::string_view bytes, const ViaStamp& stamp) {
  const Header* header = request.first(HeaderId::via);
  if (header == nullptr) return;
  put_stamped_via(out, "Via", header->value.of(bytes), stamp);
  while ((header = request.next(*header)) != nullptr) put_line(out, "Via", header->value.of(bytes));
}

// A To that cannot be read gets no tag: what a peer wrote comes back to it as it was.
bool needs_tag(std::string_view to) {
  Address address;
  return parse_address(to, address) && param_value(address.params, "tag").data() == nullptr;
}

template <class Out>
void copy_to(Out& out, const Head& request, std::string_view bytes, std::string_view tag) {
  const Header* const header = request.first(HeaderId::to);
  if (header == nullptr) return;
  const std::string_view value = header->value.of(bytes);
  out.put("To: ");
  put_unfolded(out, value);
  if (!tag.empty() && needs_tag(value)) out.put(";tag=").put(tag);
  out.put("\r\n");
}

template <class Out>
void put(Out& out, const Head& request, std::string_view bytes, const ResponseText& text) {
  out.put("SIP/2.0 ").number(text.status).put(' ');
  put_unfolded(out, text.reason.empty() ? reason_phrase(text.status) : text.reason);
  out.put("\r\n");
  copy_vias(out, request, bytes, text.stamp);
  if (text.copy_record_route) copy_all(out, request, bytes, HeaderId::record_route);
  copy_first(out, request, bytes, HeaderId::from);
  copy_to(out, request, bytes, text.to_tag);
  copy_first(out, request, bytes, HeaderId::call_id);
  copy_first(out, request, bytes, HeaderId::cseq);
  if (text.copy_timestamp) copy_first(out, request, bytes, HeaderId::timestamp);
  for (const HeaderText& header : text.headers) put_header(out, header);
  put_end(out, text.body_bytes);
}

}  // namespace

std::uint32_t request_bytes(const RequestText& text) {
  core::TextSize size;
  put(size, text);
  return size.size();
}

void put_request(core::TextOut& out, const RequestText& text) { put(out, text); }

void put_request(RequestText text, std::string_view body, std::string& out) {
  text.body_bytes = static_cast<std::uint32_t>(body.size());
  out.resize(request_bytes(text));
  core::TextOut head(out.data());
  put(head, text);
  out += body;
}

std::uint32_t response_bytes(const Head& request, std::string_view bytes, const ResponseText& text) {
  core::TextSize size;
  put(size, request, bytes, text);
  return size.size();
}

std::uint32_t response_bytes_max(const Head& request, std::string_view bytes, const ResponseText& text) {
  std::size_t size = bytes.size() + request.header_count * line_growth_max + rest_bytes_max;
  size += text.reason.size() + text.to_tag.size() + text.stamp.received.size();
  for (const HeaderText& header : text.headers) size += header_bytes_max(header);
  return static_cast<std::uint32_t>(size);
}

void put_response(core::TextOut& out, const Head& request, std::string_view bytes, const ResponseText& text) {
  put(out, request, bytes, text);
}

}  // namespace parley::sip

// sip/sdp_writer.cc - see sdp_writer.h.
#include "sip/sdp_writer.h"

namespace parley::sip {
namespace {

template <class Out>
void line(Out& out, std::string_view start, std::string_view value) {
  out.put(start).put(value).put("\r\n");
}

template <class Out>
void line_if(Out& out, std::string_view start, std::string_view value) {
  if (!value.empty()) line(out, start, value);
}

template <class Out>
void put_address(Out& out, std::string_view address) {
  out.put(address.find(':') == std::string_view::npos ? "IN IP4 " : "IN IP6 ").put(address).put("\r\n");
}

template <class Out>
void put_limits(Out& out, const SdpMediaText& media) {
  line_if(out, "a=accept-types:", media.accept_types);                  // RFC 4975 8.6
  line_if(out, "a=accept-wrapped-types:", media.accept_wrapped_types);  // RFC 4975 8.6
  if (media.has_max_size) out.put("a=max-size:").number(media.max_size).put("\r\n");
}

template <class Out>
void put_file_title(Out& out, std::string_view section) {
  for (std::string_view rest = section; !rest.empty();) {
    std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(text.size() == rest.size() ? text.size() : text.size() + 1);
    if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
    if (text.starts_with("i=")) line(out, "", text);
  }
}

template <class Out>
void put_file_attributes(Out& out, std::string_view section, bool which_only = false) {
  SdpAttributes attributes(section);
  for (SdpAttribute found; attributes.next(found);) {
    if (!found.name.starts_with("file-")) continue;
    if (which_only && found.name != "file-selector" && found.name != "file-transfer-id") continue;
    out.put("a=").put(found.name);
    if (found.has_value) out.put(':').put(found.value);
    out.put("\r\n");
  }
}

template <class Out>
void put_media(Out& out, const SdpMediaText& media) {
  out.put("m=").put(media.media).put(' ').number(media.refused ? 0 : media.port).put(' ').put(media.protocol);
  out.put(' ').put(media.formats).put("\r\n");
  if (media.refused) {
    put_limits(out, media);
    put_file_attributes(out, media.file_section, true);
    return;
  }
  put_file_title(out, media.file_section);
  if (!media.address.empty()) {
    out.put("c=");
    put_address(out, media.address);
  }
  put_limits(out, media);
  if (media.setup != SdpSetup::absent) line_if(out, "a=setup:", to_string(media.setup));
  if (media.direction != SdpDirection::sendrecv) line_if(out, "a=", to_string(media.direction));
  if (media.msrp_cema) line(out, "a=msrp-cema", "");
  if (media.has_chatroom) line(out, media.chatroom.empty() ? "a=chatroom" : "a=chatroom:", media.chatroom);
  put_file_attributes(out, media.file_section);
  line_if(out, "a=path:", media.path);
}

template <class Out>
void put(Out& out, const SdpText& text) {
  line(out, "v=0", "");
  out.put("o=").put(text.username).put(' ').number(text.session_id).put(' ').number(text.version).put(' ');
  put_address(out, text.address);
  line(out, "s=-", "");
  out.put("c=");
  put_address(out, text.address);
  line(out, "t=", text.time);
  for (const SdpMediaText& media : text.media) put_media(out, media);
}

}  // namespace

std::uint32_t sdp_bytes(const SdpText& text) {
  core::TextSize size;
  put(size, text);
  return size.size();
}

void put_sdp(core::TextOut& out, const SdpText& text) { put(out, text); }

}  // namespace parley::sip

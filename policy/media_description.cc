// policy/media_description.cc - see media_description.h.
#include "policy/media_description.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "msrp/uri.h"
#include "policy/own_names.h"
#include "sip/offer_answer.h"

namespace parley::policy {

namespace {

bool is_message(const sip::SdpMedia& media, std::string_view text) {
  return core::equal_ignore_case(media.media.of(text), "message") && media.protocol != sip::SdpProtocol::other;
}

// Takes the next line with its end off.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size() - 1) + 1;
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end);
  return line;
}

bool is_attribute(std::string_view line, std::string_view name) {
  if (!line.starts_with("a=")) return false;
  line.remove_prefix(2);
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  const std::string_view found = line.substr(0, line.find_first_of(": \r\n"));
  return core::equal_ignore_case(found, name);
}

// Where media goes, and what only holds for the peer's own connection.
bool is_replaced(std::string_view line) {
  if (line.starts_with("c=")) return true;
  for (const std::string_view name : {"path", "setup", "connection", "fingerprint", "msrp-cema", "msrp-acm"}) {
    if (is_attribute(line, name)) return true;
  }
  return false;
}

void put_section(std::string_view section, const sip::SdpMedia& media, std::string_view text, const OwnMedia& own,
                 std::string& out) {
  msrp::Uri uri;
  if (!msrp::parse_uri(own.uri, uri)) return;
  std::string_view host = uri.host;
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  out.append("m=").append(media.media.of(text)).append(" ");
  put_number(out, uri.has_port ? uri.port : 2855);
  out.append(" ").append(media.protocol_name.of(text)).append(" ").append(media.formats.of(text)).append("\r\n");
  (void)take_line(section);
  bool said = false;
  const auto say_address = [&] {
    if (std::exchange(said, true)) return;
    out.append(host.find(':') == std::string_view::npos ? "c=IN IP4 " : "c=IN IP6 ").append(host).append("\r\n");
  };
  while (!section.empty()) {
    std::string_view line = take_line(section);
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    if (line.empty() || is_replaced(line)) continue;
    if (!line.starts_with("i=")) say_address();  // R4566-1: the title stands before it
    out.append(line).append("\r\n");
  }
  say_address();
  if (own.setup != sip::SdpSetup::absent) out.append("a=setup:").append(sip::to_string(own.setup)).append("\r\n");
  out.append("a=path:").append(own.uri).append("\r\n");
}

}  // namespace

std::string connect_elsewhere(std::string_view description, const sip::Sdp& sdp, const sip::SdpMedia& media) {
  const sip::SdpTarget target = sip::connect_target(description, sdp, media);
  const std::string_view path = media.path.of(description);
  // Behind a relay they name the peer itself, unless it says otherwise (R4976-9).
  if (path.find(' ') != std::string_view::npos && !media.msrp_cema && !media.msrp_acm) return {};
  msrp::Uri uri;
  if (target.address.empty() || !msrp::parse_uri(path.substr(0, path.find(' ')), uri)) return {};
  const bool six = target.address.find(':') != std::string_view::npos;
  std::string host = six ? "[" + std::string(target.address) + "]" : std::string(target.address);
  if (core::equal_ignore_case(host, uri.host) && target.port == (uri.has_port ? uri.port : 2855)) return {};
  return host.append(":").append(std::to_string(target.port));
}

bool read_media(std::string_view description, std::vector<PeerMedia>& out) {
  out.clear();
  sip::Sdp sdp;
  if (description.empty() || !sip::parse_sdp(description, {}, sdp).ok()) return false;
  std::uint8_t index = 0;
  for (std::size_t i = 0; i < sdp.media_count; ++i) {
    const sip::SdpMedia& media = sdp.media[i];
    if (!is_message(media, description)) continue;
    const std::uint8_t own = index++;
    if (media.port == 0) continue;
    if (out.size() == media_sections_max) return false;
    out.push_back({.index = own,
                   .path = media.path.of(description),
                   .setup = media.setup != sip::SdpSetup::absent ? media.setup : sdp.setup,
                   .secure = media.protocol == sip::SdpProtocol::tcp_tls_msrp,
                   .loose = media.msrp_cema || media.msrp_acm,
                   .address = connect_elsewhere(description, sdp, media)});
  }
  return index != 0;
}

void put_with_own_media(std::string_view description, std::span<const OwnMedia> own, std::string& out) {
  sip::Sdp sdp;
  if (!sip::parse_sdp(description, {}, sdp).ok()) {
    out.append(description);
    return;
  }
  out.append(sdp.session.of(description));
  std::uint8_t index = 0;
  for (std::size_t i = 0; i < sdp.media_count; ++i) {
    const sip::SdpMedia& media = sdp.media[i];
    const std::string_view section = media.section.of(description);
    const bool message = is_message(media, description);
    const auto ours = std::find_if(own.begin(), own.end(), [&](const OwnMedia& o) { return o.index == index; });
    if (message) ++index;
    if (!message || media.port == 0 || ours == own.end()) {
      out.append(section);
    } else {
      put_section(section, media, description, *ours, out);
    }
  }
}

}  // namespace parley::policy

// tools/parley/session_sdp.cc - see session_sdp.h.
#include "tools/parley/session_sdp.h"

#include <array>

#include "core/text.h"
#include "core/text_out.h"
#include "sip/sdp_types.h"
#include "sip/sdp_writer.h"

namespace parley::client {

namespace {

using sip::SdpDirection;
using sip::SdpMediaText;
using sip::SdpSetup;

// R4975-15: what an endpoint has to take, and what this one shows.
constexpr std::string_view chat_types =
    "message/cpim text/plain application/im-iscomposing+xml multipart/mixed multipart/alternative";
constexpr std::string_view group_types = "message/cpim application/im-iscomposing+xml";  // OMA-MSRP-4
constexpr std::string_view wrapped_types = "text/plain message/imdn+xml application/im-iscomposing+xml *";

std::string_view types_of(SessionKind kind, bool group) {
  switch (kind) {
    case SessionKind::chat: return group ? group_types : chat_types;
    case SessionKind::large:
    case SessionKind::file:
    case SessionKind::stored: return "*";
  }
  return "*";
}

bool is_secure(std::string_view path) {
  constexpr std::string_view scheme = "msrps:";
  return core::equal_ignore_case(path.substr(0, scheme.size()), scheme);
}

std::string file_lines(const FileOffer& file) {
  return "a=file-selector:" + file_selector_text(file) + "\r\na=file-transfer-id:" + file.transfer_id +
         "\r\na=file-disposition:attachment\r\n";
}

std::string text_of(const SdpWish& wish, std::string_view time, const std::vector<SdpMediaText>& media) {
  const sip::SdpText text{
      .session_id = wish.session_id, .version = wish.version, .address = wish.host, .time = time, .media = media};
  std::string out(sip::sdp_bytes(text), '\0');
  core::TextOut writer(out.data());
  sip::put_sdp(writer, text);
  return out;
}

SdpMediaText own_media(const SdpWish& wish) {
  SdpMediaText media;
  media.protocol = is_secure(wish.path) ? "TCP/TLS/MSRP" : "TCP/MSRP";
  media.port = wish.port == 0 ? 9 : wish.port;
  media.accept_types = types_of(wish.kind, wish.group);
  if (wish.kind == SessionKind::chat) media.accept_wrapped_types = wrapped_types;
  media.has_max_size = wish.max_size != 0;
  media.max_size = wish.max_size;
  media.path = wish.path;
  if (wish.kind == SessionKind::chat && wish.group) {
    media.has_chatroom = true;
    media.chatroom = "nickname private-messages";  // R7701-4
  }
  return media;
}

// What one section says, whoever wrote it.
OfferView view_of(std::string_view text, const sip::Sdp& sdp, std::size_t index) {
  const sip::SdpMedia& media = sdp.media[index];
  const std::string_view section = media.section.of(text);
  OfferView view;
  view.section = index;
  view.path = media.path.of(text);
  // T-42: the path's protocol is the hop's.
  view.tls = is_secure(view.path);
  view.direction = sip::direction_of(sdp, media);
  view.takes_plain = sip::accepts_root(section, "text/plain");
  view.takes_cpim = sip::accepts_root(section, "message/cpim");
  view.max_size = media.has_max_size ? media.max_size : 0;
  view.chatroom = media.has_chatroom;
  const sip::SdpTarget target = sip::connect_target(text, sdp, media);
  view.address = target.address;
  view.port = target.port;
  sip::FileSelector selector;
  if (!media.has_file_selector || !sip::parse_file_selector(media.file_selector.of(text), selector)) return view;
  view.kind = SessionKind::file;
  FileOffer& file = view.file.emplace();
  std::string name(selector.name.size(), '\0');
  file.name = sip::decode_file_name(selector.name, name.data());
  file.type = selector.type;
  file.size = selector.size;
  file.sha1 = selector.hash;
  file.transfer_id = media.file_transfer_id.of(text);
  return view;
}

}  // namespace

std::vector<std::string> own_types(SessionKind kind, bool group) {
  std::vector<std::string> types;
  sip::SdpWords words(types_of(kind, group));
  for (std::string_view word; words.next(word);) types.emplace_back(word);
  return types;
}

std::string file_selector_text(const FileOffer& file) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string out = "name:\"";
  for (const char c : file.name) {  // RFC 5547 section 6: these four alone are escaped
    if (c == '"' || c == '%' || c == '\r' || c == '\n') {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += hex[byte >> 4];
      out += hex[byte & 15];
    } else if (c != '\0') {
      out += c;
    }
  }
  out += "\" type:" + file.type + " size:" + std::to_string(file.size);
  if (!file.sha1.empty()) out += " hash:sha-1:" + file.sha1;
  return out;
}

std::string session_offer(const SdpWish& wish) {
  SdpMediaText media = own_media(wish);
  media.setup = wish.can_accept ? SdpSetup::actpass : SdpSetup::active;  // R6135-1
  // OMA-LRG-1, OMA-FT-2: one message, one way. OMA-DEF-13, OMA-HIS-5: the other one.
  if (wish.kind != SessionKind::chat) media.direction = SdpDirection::sendonly;
  if (wish.kind == SessionKind::stored) media.direction = SdpDirection::recvonly;
  std::string file;
  if (wish.file) {
    file = file_lines(*wish.file);
    media.file_section = file;
  }
  return text_of(wish, "0 0", {media});
}

std::optional<OfferView> read_offer(std::string_view text, const sip::Sdp& offer) {
  const sip::TakePlan plan = sip::take_sections(text, offer, {.sessions_max = 1});
  for (std::size_t i = 0; i < offer.media_count; ++i) {
    if (plan.take[i] == sip::Take::refuse) continue;
    OfferView view = view_of(text, offer, i);
    // OMA-MSRP-1: we connect where we may; who offered nothing connects itself (RFC 4975).
    const SdpSetup offered = sip::setup_of(offer, offer.media[i]);
    view.we_connect = sip::answer_setup(offered, SdpSetup::active) == SdpSetup::active;
    return view;
  }
  return std::nullopt;
}

std::optional<OfferView> read_answer(std::string_view text, const sip::Sdp& answer, std::string_view file_type) {
  if (answer.media_count == 0 || sip::refused_section(answer, 0) || !answer.media[0].path.present()) {
    return std::nullopt;
  }
  OfferView view = view_of(text, answer, 0);
  view.takes_file = file_type.empty() || sip::accepts_root(answer.media[0].section.of(text), file_type);
  const SdpSetup theirs = sip::setup_of(answer, answer.media[0]);
  view.we_connect = theirs != SdpSetup::active;
  return view;
}

std::string session_answer(std::string_view text, const sip::Sdp& offer, const OfferView& taken, const SdpWish& wish) {
  std::vector<SdpMediaText> media;
  std::string file;
  for (std::size_t i = 0; i < offer.media_count; ++i) {
    const sip::SdpMedia& theirs = offer.media[i];
    if (i != taken.section) {
      SdpMediaText refused;
      refused.refused = true;
      refused.media = theirs.media.of(text);
      refused.protocol = theirs.protocol_name.of(text);
      refused.formats = theirs.formats.of(text);
      media.push_back(refused);
      continue;
    }
    SdpMediaText own = own_media(wish);
    own.protocol = theirs.protocol_name.of(text);  // R3264-1
    own.setup = taken.we_connect ? SdpSetup::active : SdpSetup::passive;
    own.direction = sip::answer_direction(sip::direction_of(offer, theirs), SdpDirection::sendrecv);
    own.has_chatroom = own.has_chatroom && theirs.has_chatroom;
    if (taken.file) {  // OMA-FT-2: the answer repeats selector and id
      file = theirs.section.of(text);
      own.file_section = file;
    }
    media.push_back(own);
  }
  return text_of(wish, offer.time.present() ? offer.time.of(text) : std::string_view("0 0"), media);
}

}  // namespace parley::client

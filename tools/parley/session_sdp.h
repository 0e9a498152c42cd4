// tools/parley/session_sdp.h - session descriptions of the client: offers and answers with one MSRP section of ours
// (RFC 4975 section 8, RFC 5547, RFC 6135). R4975-14, R4975-15, R5547-1, OMA-FT-2, OMA-MSRP-1, OMA-MSRP-4.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/file_selector.h"
#include "sip/offer_answer.h"
#include "sip/sdp.h"
#include "tools/parley/requests.h"

namespace parley::client {

struct FileOffer {
  std::string name{};
  std::string type{};
  std::uint64_t size = 0;
  std::string sha1{};         // upper-case hex with colons, or empty
  std::string transfer_id{};  // RFC 5547 section 6: new for each transfer
};

struct SdpWish {
  std::string host{};  // ours, IPv6 without brackets
  std::uint16_t port = 0;
  std::string path{};
  std::uint64_t session_id = 0;
  std::uint64_t version = 1;
  SessionKind kind = SessionKind::chat;
  bool group = false;      // OMA-MSRP-4: all in message/cpim
  bool can_accept = true;  // somebody can connect to us
  std::uint64_t max_size = 0;
  std::optional<FileOffer> file{};
};
// TCP/TLS/MSRP where the first hop of `path` is an msrps one.
[[nodiscard]] std::string session_offer(const SdpWish& wish);

// What of an offer we take.
struct OfferView {
  std::size_t section = 0;
  SessionKind kind = SessionKind::chat;
  bool tls = false;
  bool we_connect = false;
  std::string path{};
  std::string address{};  // c= and m= where they lead elsewhere than the path (OMA-MSRP-2)
  std::uint16_t port = 0;
  sip::SdpDirection direction = sip::SdpDirection::sendrecv;  // as its writer has it
  std::optional<FileOffer> file{};
  bool takes_plain = false;  // text/plain as the root of a message
  bool takes_cpim = false;
  bool takes_file = false;     // the type that we were about to send
  std::uint64_t max_size = 0;  // 0: not said
  bool chatroom = false;
};
// Of an offer: the first section that can be taken, a chat before a file. Nothing: 488.
[[nodiscard]] std::optional<OfferView> read_offer(std::string_view text, const sip::Sdp& offer);
// Of an answer to our offer of one section.
[[nodiscard]] std::optional<OfferView> read_answer(std::string_view text, const sip::Sdp& answer,
                                                   std::string_view file_type);

// The answer: the section taken with our path, all others refused with port 0 (T-44).
[[nodiscard]] std::string session_answer(std::string_view text, const sip::Sdp& offer, const OfferView& taken,
                                         const SdpWish& wish);

// accept-types of a session of that kind, for what we take in.
[[nodiscard]] std::vector<std::string> own_types(SessionKind kind, bool group);

// "name:\"...\" type:... size:... hash:sha-1:..."
[[nodiscard]] std::string file_selector_text(const FileOffer& file);

}  // namespace parley::client

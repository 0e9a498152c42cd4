// policy/media_description.h - session descriptions of an IM session whose messages go through this server: what a
// peer's MSRP sections say, and the same description with our end of the other leg in it (SEED4-6.1.1.2.2-1g,
// SEED4-6.1.1.2.2-6, RFC 4975 section 8, RFC 6135; R4975-14, R6135-1, OMA-FT-3 to -5).
//
// Pure text. What is not about where media goes stays as it was and where it was: types, sizes, directions, file
// attributes, sections that are no messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sip/sdp.h"

namespace parley::policy {

inline constexpr std::size_t media_sections_max = 4;  // MSRP sections of one session: a chat and a few files (T-44)

// One m=message section that is not refused.
struct PeerMedia {
  std::uint8_t index = 0;  // which of the description's sections that are about messages, refused ones counted
  std::string_view path;
  sip::SdpSetup setup = sip::SdpSetup::absent;
  bool secure = false;
  bool loose = false;  // msrp-cema or msrp-acm (T-43)
  std::string address{};  // connect_elsewhere()
};
// OMA-MSRP-2, T-39: "host:port" of c= and m= where they lead elsewhere than the first URI of a=path; empty: they do not.
[[nodiscard]] std::string connect_elsewhere(std::string_view description, const sip::Sdp& sdp,
                                            const sip::SdpMedia& media);
// False: no description, none of its sections is about messages, or there are too many of them.
[[nodiscard]] bool read_media(std::string_view description, std::vector<PeerMedia>& out);

// Our end on the leg that a description goes to.
struct OwnMedia {
  std::uint8_t index = 0;
  std::string_view uri;                         // for a=path
  sip::SdpSetup setup = sip::SdpSetup::absent;  // what we say; absent: nothing
};
// Appends `description` with our ends in its sections.
void put_with_own_media(std::string_view description, std::span<const OwnMedia> own, std::string& out);

// R6135-1. What we answer to what was offered; whom of the two it makes the one who connects.
[[nodiscard]] constexpr sip::SdpSetup answer_to(sip::SdpSetup offered) {
  switch (offered) {
    case sip::SdpSetup::absent: return sip::SdpSetup::absent;
    case sip::SdpSetup::passive: return sip::SdpSetup::active;
    default: return sip::SdpSetup::passive;
  }
}
// We connect to a peer whose offer we answered only when it waits; to one who answered our offer, unless it says that
// it comes.
[[nodiscard]] constexpr bool we_connect(sip::SdpSetup peer, bool peer_offered) {
  return peer_offered ? peer == sip::SdpSetup::passive : peer != sip::SdpSetup::active;
}

}  // namespace parley::policy

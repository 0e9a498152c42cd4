// sip/sdp_writer.h - session descriptions with MSRP sections into memory the caller reserved (RFC 4566, RFC 4975
// section 8).
//
// The lines come in the order of R4566-1. Values are written as they are given: who takes one from a peer takes it from
// a description that was read, where no line end can be in it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/text_out.h"
#include "sip/sdp.h"

namespace parley::sip {

// One section. Empty values and absent numbers write no line.
struct SdpMediaText {
  // A section that is refused or over: the media, protocol and formats of the peer's line with port 0, and nothing else
  // but the lists of what would be taken (OMA-POL-4) and of which file it was (RFC 5547 section 8.3).
  bool refused = false;
  std::string_view media = "message";
  std::string_view protocol = "TCP/MSRP";
  std::string_view formats = "*";
  std::uint16_t port = 0;
  std::string_view address{};  // c= of the section, where it is not the session's
  std::string_view accept_types{};
  std::string_view accept_wrapped_types{};
  bool has_max_size = false;
  std::uint64_t max_size = 0;
  SdpSetup setup = SdpSetup::absent;
  SdpDirection direction = SdpDirection::absent;  // sendrecv is what absent means, so it is not written
  std::string_view path{};
  bool msrp_cema = false;
  bool has_chatroom = false;
  std::string_view chatroom{};
  // A peer's section whose file attributes (a=file-*, i=) go on unchanged (OMA-FT-5); empty: none.
  std::string_view file_section{};
};

struct SdpText {
  std::string_view username = "-";
  std::uint64_t session_id = 0;
  std::uint64_t version = 0;
  std::string_view address{};     // ours, without brackets
  std::string_view time = "0 0";  // an answer repeats the offer's (R3264-1)
  std::span<const SdpMediaText> media{};
};

// How many bytes put_sdp will write.
[[nodiscard]] std::uint32_t sdp_bytes(const SdpText& text);
void put_sdp(core::TextOut& out, const SdpText& text);

}  // namespace parley::sip

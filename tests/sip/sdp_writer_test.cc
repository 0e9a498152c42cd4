// tests/sip/sdp_writer_test.cc - descriptions we write: byte for byte, and read back by ourselves.
#include "sip/sdp_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sip/offer_answer.h"
#include "tests/msrp/blocks.h"
#include "tests/sip/sdp_pair.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

// The memory ends where sdp_bytes said: a byte too many ends the process.
std::string write(const SdpText& text) {
  const std::uint32_t size = sdp_bytes(text);
  GuardedPages pages(size);
  const std::string_view room = pages.put(std::string(size, '?'));
  core::TextOut out(const_cast<char*>(room.data()));
  put_sdp(out, text);
  EXPECT_EQ(out.size(), size);
  Sdp sdp;
  EXPECT_TRUE(parse_sdp(room, {.strict = true}, sdp).ok()) << room;
  return std::string(room);
}

TEST(SdpWriter, R4566_1_AChatAndAFile) {
  const std::string offered =
      "m=message 7654 TCP/MSRP *\r\ni=a picture\r\na=sendonly\r\na=path:msrp://h:7654/x;tcp\r\n"
      "a=file-selector:name:\"a b.jpg\" size:10\r\na=file-transfer-id:xyz\r\na=other:1\r\n";
  const std::vector<SdpMediaText> media = {
      {.protocol = "TCP/TLS/MSRP",
       .port = 2856,
       .accept_types = "message/cpim text/plain",
       .accept_wrapped_types = "*",
       .has_max_size = true,
       .max_size = 65536,
       .setup = SdpSetup::passive,
       .path = "msrps://chat.example.org:2856/s1;tcp",
       .msrp_cema = true,
       .has_chatroom = true,
       .chatroom = "nickname private-messages"},
      {.port = 2855,
       .address = "192.0.2.7",
       .accept_types = "*",
       .direction = SdpDirection::recvonly,
       .path = "msrp://chat.example.org:2855/s2;tcp",
       .has_chatroom = true,
       .file_section = offered},
  };
  EXPECT_EQ(write({.session_id = 18446744073709551615U, .version = 3, .address = "2001:db8::1", .media = media}),
            "v=0\r\n"
            "o=- 18446744073709551615 3 IN IP6 2001:db8::1\r\n"
            "s=-\r\n"
            "c=IN IP6 2001:db8::1\r\n"
            "t=0 0\r\n"
            "m=message 2856 TCP/TLS/MSRP *\r\n"
            "a=accept-types:message/cpim text/plain\r\n"
            "a=accept-wrapped-types:*\r\n"
            "a=max-size:65536\r\n"
            "a=setup:passive\r\n"
            "a=msrp-cema\r\n"
            "a=chatroom:nickname private-messages\r\n"
            "a=path:msrps://chat.example.org:2856/s1;tcp\r\n"
            "m=message 2855 TCP/MSRP *\r\n"
            "i=a picture\r\n"
            "c=IN IP4 192.0.2.7\r\n"
            "a=accept-types:*\r\n"
            "a=recvonly\r\n"
            "a=chatroom\r\n"
            "a=file-selector:name:\"a b.jpg\" size:10\r\n"
            "a=file-transfer-id:xyz\r\n"
            "a=path:msrp://chat.example.org:2855/s2;tcp\r\n");
}

TEST(SdpWriter, R3264_1_ARefusedSectionRepeatsTheOffersLineWithPortZero) {
  const ReadSdp offer = sdp_with("m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\nm=message 5 TCP/MSRP *\r\n");
  std::vector<SdpMediaText> media;
  for (std::size_t i = 0; i < offer.sdp.media_count; ++i) {
    media.push_back({.refused = true,
                     .media = offer.sdp.media[i].media.of(offer.text),
                     .protocol = offer.sdp.media[i].protocol_name.of(offer.text),
                     .formats = offer.sdp.media[i].formats.of(offer.text),
                     .port = 5});
  }
  media[1].accept_types = "message/cpim";
  media[1].path = "not written";
  const ReadSdp answer(write({.address = "192.0.2.1", .time = offer.sdp.time.of(offer.text), .media = media}));
  EXPECT_NE(answer.text.find("m=audio 0 RTP/AVP 0 8\r\nm=message 0 TCP/MSRP *\r\na=accept-types:message/cpim\r\n"),
            std::string::npos);
  EXPECT_EQ(answer.text.find("not written"), std::string::npos);
  EXPECT_EQ(check_answer(offer.text, offer.sdp, answer.text, answer.sdp), AnswerFault::none);
}

}  // namespace
}  // namespace parley::tests

// tests/policy/media_description_test.cc - descriptions with our ends in them (SEED4-6.1.1.2.2-1g, SEED4-6.1.1.2.2-6,
// R4975-14, R6135-1).
#include "policy/media_description.h"

#include <gtest/gtest.h>

namespace parley::policy {
namespace {

constexpr std::string_view head = "v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

std::string ours(const std::string& sections, std::vector<OwnMedia> own) {
  std::string out;
  put_with_own_media(std::string(head) + sections, own, out);
  EXPECT_TRUE(out.starts_with(head)) << out;
  return out.substr(std::min(head.size(), out.size()));
}

TEST(MediaDescription, SEED4_6_1_1_2_2_1g_OnlyWhereMediaGoesChanges) {
  EXPECT_EQ(ours("m=message 9 TCP/MSRP *\r\ni=a chat\r\nc=IN IP4 10.0.0.1\r\na=accept-types:message/cpim *\r\n"
                 "a=accept-wrapped-types:text/plain\r\na=max-size:1000\r\na=setup:actpass\r\na=connection:new\r\n"
                 "a=msrp-cema\r\na=path:msrp://10.0.0.1:9/"
                 "s1;tcp\r\na=sendrecv\r\na=file-selector:name:\"a\"\r\na=x-more:1\r\n",
                 {{0, "msrp://203.0.113.9:2855/own;tcp", sip::SdpSetup::actpass}}),
            "m=message 2855 TCP/MSRP *\r\ni=a chat\r\nc=IN IP4 203.0.113.9\r\na=accept-types:message/cpim *\r\n"
            "a=accept-wrapped-types:text/plain\r\na=max-size:1000\r\na=sendrecv\r\na=file-selector:name:\"a\"\r\n"
            "a=x-more:1\r\na=setup:actpass\r\na=path:msrp://203.0.113.9:2855/own;tcp\r\n");
}

TEST(MediaDescription, SEED4_6_1_1_2_2_6_WithoutSetupNothingIsSaidOfIt) {
  EXPECT_EQ(ours("m=message 2855 TCP/TLS/MSRP *\r\na=path:msrps://h:1/s;tcp\r\n",
                 {{0, "msrps://[2001:db8::1]:2856/own;tcp", sip::SdpSetup::absent}}),
            "m=message 2856 TCP/TLS/MSRP *\r\nc=IN IP6 2001:db8::1\r\na=path:msrps://[2001:db8::1]:2856/own;tcp\r\n");
}

TEST(MediaDescription, T_44_OtherAndRefusedSectionsStayAsTheyAre) {
  const std::string audio = "m=audio 4000 RTP/AVP 0\r\na=setup:active\r\n";
  const std::string refused = "m=message 0 TCP/MSRP *\r\na=path:msrp://x:1/y;tcp\r\n";
  const std::string out = ours(audio + refused + "m=message 7 TCP/MSRP *\r\na=path:msrp://a:7/1;tcp\r\n",
                               {{1, "msrp://b:8/2;tcp", sip::SdpSetup::passive}});
  EXPECT_TRUE(out.starts_with(audio + refused)) << out;
  EXPECT_TRUE(out.ends_with("m=message 8 TCP/MSRP *\r\nc=IN IP4 b\r\na=setup:passive\r\na=path:msrp://b:8/2;tcp\r\n"))
      << out;
}

TEST(MediaDescription, R4975_14_WhatAPeerSays) {
  std::vector<PeerMedia> media;
  ASSERT_TRUE(
      read_media(std::string(head) +
                     "a=setup:passive\r\nm=message 0 TCP/MSRP *\r\nm=message 7 TCP/MSRP *\r\na=path:msrp://r:1/r;tcp "
                     "msrp://a:7/1;tcp\r\na=msrp-cema\r\nm=message 8 TCP/TLS/MSRP *\r\na=path:msrps://a:8/2;tcp\r\n"
                     "a=setup:active\r\n",
                 media));
  ASSERT_EQ(media.size(), 2U);
  EXPECT_EQ(media[0].index, 1);
  EXPECT_EQ(media[0].path, "msrp://r:1/r;tcp msrp://a:7/1;tcp");
  EXPECT_EQ(media[0].setup, sip::SdpSetup::passive) << "of the session";
  EXPECT_TRUE(media[0].loose);
  EXPECT_EQ(media[1].index, 2);
  EXPECT_EQ(media[1].setup, sip::SdpSetup::active);
  EXPECT_TRUE(media[1].secure);
  EXPECT_FALSE(read_media(std::string(head) + "m=audio 7 RTP/AVP 0\r\n", media));
  EXPECT_FALSE(read_media("nonsense", media));
  std::string many(head);
  for (int i = 0; i < 5; ++i) many += "m=message 7 TCP/MSRP *\r\na=path:msrp://a:7/1;tcp\r\n";
  EXPECT_FALSE(read_media(many, media)) << "more than a session may have here";
}

TEST(MediaDescription, OMA_MSRP_2_T_39_WhereToConnectWhenThePathSaysOtherwise) {
  const auto place = [](const std::string& section) {
    std::vector<PeerMedia> media;
    EXPECT_TRUE(read_media(std::string(head) + section, media)) << section;
    return media.empty() ? std::string("none") : media.front().address;
  };
  EXPECT_EQ(place("m=message 7 TCP/MSRP *\r\na=path:msrp://192.0.2.1:7/1;tcp\r\n"), "") << "they agree";
  EXPECT_EQ(place("m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.1/1;tcp\r\n"), "") << "by default";
  EXPECT_EQ(place("m=message 7 TCP/MSRP *\r\na=path:msrp://10.0.0.1:7/1;tcp\r\n"), "192.0.2.1:7") << "private";
  EXPECT_EQ(place("m=message 8 TCP/MSRP *\r\na=path:msrp://nowhere.invalid:7/1;tcp\r\n"), "192.0.2.1:8");
  EXPECT_EQ(place("m=message 7 TCP/MSRP *\r\nc=IN IP6 2001:db8::1\r\na=path:msrp://h:7/1;tcp\r\n"), "[2001:db8::1]:7");
  EXPECT_EQ(place("m=message 9 TCP/MSRP *\r\na=path:msrp://10.0.0.1:7/1;tcp\r\n"), "") << "port 9 is no place";
  const std::string relayed = "a=path:msrp://relay:1/r;tcp msrp://192.0.2.1:7/1;tcp\r\n";
  EXPECT_EQ(place("m=message 7 TCP/MSRP *\r\n" + relayed), "") << "R4976-9: that is the peer itself";
  EXPECT_EQ(place("m=message 7 TCP/MSRP *\r\na=msrp-cema\r\n" + relayed), "192.0.2.1:7") << "R6714-1";
}

TEST(MediaDescription, R6135_1_WhoConnects) {
  using S = sip::SdpSetup;
  // What they offered, what we answer, and whether we connect.
  EXPECT_EQ(answer_to(S::actpass), S::passive);
  EXPECT_EQ(answer_to(S::active), S::passive);
  EXPECT_EQ(answer_to(S::passive), S::active);
  EXPECT_EQ(answer_to(S::absent), S::absent);
  EXPECT_FALSE(we_connect(S::actpass, true));
  EXPECT_FALSE(we_connect(S::active, true));
  EXPECT_FALSE(we_connect(S::absent, true)) << "RFC 4975: the offerer comes";
  EXPECT_TRUE(we_connect(S::passive, true));
  // We offered actpass; what they answered.
  EXPECT_FALSE(we_connect(S::active, false));
  EXPECT_TRUE(we_connect(S::passive, false));
  EXPECT_TRUE(we_connect(S::absent, false)) << "it does not know RFC 6135: we are the offerer";
}

}  // namespace
}  // namespace parley::policy

// Session descriptions of the client.
#include "tools/parley/session_sdp.h"

#include <gtest/gtest.h>

namespace parley::tests {
namespace {

using namespace client;

SdpWish own() {
  SdpWish wish;
  wish.host = "192.0.2.1";
  wish.port = 2855;
  wish.path = "msrp://192.0.2.1:2855/abc;tcp";
  wish.session_id = 7;
  return wish;
}
sip::Sdp read(const std::string& text) {
  sip::Sdp sdp;
  EXPECT_TRUE(sip::parse_sdp(text, {.strict = true}, sdp).ok()) << text;
  return sdp;
}
const std::string their_chat =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=3 4\r\n"
    "m=message 2855 TCP/MSRP *\r\na=accept-types:text/plain message/cpim\r\na=setup:actpass\r\n"
    "a=path:msrp://192.0.2.9:2855/xyz;tcp\r\n";

TEST(Offer, R4975_14_the_section_repeats_our_uri) {
  const std::string text = session_offer(own());
  const sip::Sdp sdp = read(text);
  ASSERT_EQ(sdp.media_count, 1);
  EXPECT_EQ(sdp.media[0].port, 2855);
  EXPECT_EQ(sdp.media[0].protocol, sip::SdpProtocol::tcp_msrp);
  EXPECT_EQ(sdp.media[0].path.of(text), "msrp://192.0.2.1:2855/abc;tcp");
}

TEST(Offer, R6135_1_actpass_or_active_when_nobody_can_come) {
  EXPECT_EQ(read(session_offer(own())).media[0].setup, sip::SdpSetup::actpass);
  SdpWish alone = own();
  alone.can_accept = false;
  EXPECT_EQ(read(session_offer(alone)).media[0].setup, sip::SdpSetup::active);
}

TEST(Offer, R4976_9_a_relay_with_tls_in_front_makes_it_tls) {
  SdpWish wish = own();
  wish.path = "msrps://relay.example.org:2855/r;tcp msrps://192.0.2.1:2855/abc;tcp";
  EXPECT_EQ(read(session_offer(wish)).media[0].protocol, sip::SdpProtocol::tcp_tls_msrp);
}

TEST(Offer, R4975_15_multipart_is_taken_in) {
  const std::string text = session_offer(own());
  const std::string_view types = read(text).media[0].accept_types.of(text);
  for (const char* type : {"message/cpim", "text/plain", "multipart/mixed", "multipart/alternative"}) {
    EXPECT_NE(types.find(type), std::string_view::npos) << type;
  }
}

TEST(Offer, OMA_MSRP_4_in_groups_all_is_cpim) {
  SdpWish wish = own();
  wish.group = true;
  const std::string text = session_offer(wish);
  EXPECT_EQ(read(text).media[0].accept_types.of(text), "message/cpim application/im-iscomposing+xml");
  EXPECT_TRUE(read(text).media[0].has_chatroom);
}

TEST(Offer, OMA_LRG_1_OMA_FT_2_one_message_goes_one_way) {
  SdpWish wish = own();
  wish.kind = SessionKind::large;
  EXPECT_EQ(read(session_offer(wish)).media[0].direction, sip::SdpDirection::sendonly);
}

TEST(Offer, R5547_1_a_file_is_named) {
  SdpWish wish = own();
  wish.kind = SessionKind::file;
  wish.file =
      FileOffer{.name = "a \"b\" 100%.txt", .type = "text/plain", .size = 5, .sha1 = "AA:BB", .transfer_id = "t1"};
  const std::string text = session_offer(wish);
  const sip::Sdp sdp = read(text);
  EXPECT_EQ(sdp.media[0].file_selector.of(text),
            "name:\"a %22b%22 100%25.txt\" type:text/plain size:5 hash:sha-1:AA:BB");
  EXPECT_EQ(sdp.media[0].file_transfer_id.of(text), "t1");
  EXPECT_EQ(sdp.media[0].direction, sip::SdpDirection::sendonly);
}

TEST(Answer, OMA_MSRP_1_to_actpass_we_connect) {
  const sip::Sdp offer = read(their_chat);
  const auto view = read_offer(their_chat, offer);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->we_connect);
  EXPECT_TRUE(view->takes_plain);
  EXPECT_EQ(view->path, "msrp://192.0.2.9:2855/xyz;tcp");
  const std::string text = session_answer(their_chat, offer, *view, own());
  const sip::Sdp answer = read(text);
  EXPECT_EQ(answer.media[0].setup, sip::SdpSetup::active);
  EXPECT_EQ(answer.time.of(text), "3 4");  // R3264-1
  EXPECT_EQ(sip::check_answer(their_chat, offer, text, answer), sip::AnswerFault::none);
}

TEST(Answer, R6135_1_who_says_nothing_connects_himself) {
  std::string text = their_chat;
  text.erase(text.find("a=setup:actpass\r\n"), 17);
  const sip::Sdp offer = read(text);
  const auto view = read_offer(text, offer);
  ASSERT_TRUE(view);
  EXPECT_FALSE(view->we_connect);
  EXPECT_EQ(read(session_answer(text, offer, *view, own())).media[0].setup, sip::SdpSetup::passive);
}

TEST(Answer, T_44_one_session_is_taken_and_the_other_has_port_0) {
  const std::string text = their_chat + "m=audio 4000 RTP/AVP 0\r\n";
  const sip::Sdp offer = read(text);
  const auto view = read_offer(text, offer);
  ASSERT_TRUE(view);
  const std::string answer_text = session_answer(text, offer, *view, own());
  const sip::Sdp answer = read(answer_text);
  ASSERT_EQ(answer.media_count, 2);
  EXPECT_EQ(answer.media[1].port, 0);
  EXPECT_EQ(sip::check_answer(text, offer, answer_text, answer), sip::AnswerFault::none);
}

TEST(Answer, SEED0_8_2_2_1_1_nothing_to_take_is_488) {
  const std::string text =
      "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
  EXPECT_FALSE(read_offer(text, read(text)));
}

TEST(Answer, OMA_FT_2_selector_and_id_are_repeated) {
  std::string text = their_chat;
  text +=
      "a=sendonly\r\na=file-selector:name:\"x%22.bin\" type:image/png size:9 hash:sha-1:aa\r\na=file-transfer-id:q\r\n";
  const sip::Sdp offer = read(text);
  const auto view = read_offer(text, offer);
  ASSERT_TRUE(view);
  ASSERT_TRUE(view->file);
  EXPECT_EQ(view->kind, SessionKind::file);
  EXPECT_EQ(view->file->name, "x\".bin");
  EXPECT_EQ(view->file->size, 9U);
  SdpWish wish = own();
  wish.kind = SessionKind::file;
  const std::string answer_text = session_answer(text, offer, *view, wish);
  const sip::Sdp answer = read(answer_text);
  EXPECT_EQ(answer.media[0].file_selector.of(answer_text), offer.media[0].file_selector.of(text));
  EXPECT_EQ(answer.media[0].file_transfer_id.of(answer_text), "q");
  EXPECT_EQ(answer.media[0].direction, sip::SdpDirection::recvonly);
}

TEST(ReadAnswer, a_refused_section_is_no_answer) {
  std::string text = their_chat;
  text.replace(text.find("m=message 2855"), 14, "m=message 0");
  EXPECT_FALSE(read_answer(text, read(text), {}));
}

TEST(ReadAnswer, R6135_1_their_active_means_that_they_connect) {
  std::string text = their_chat;
  text.replace(text.find("actpass"), 7, "active");
  EXPECT_FALSE(read_answer(text, read(text), {})->we_connect);
  text.replace(text.find("setup:active"), 12, "setup:passive");
  EXPECT_TRUE(read_answer(text, read(text), {})->we_connect);
}

TEST(ReadOffer, OMA_MSRP_2_T_39_c_and_m_are_a_place_unless_it_is_none) {
  EXPECT_EQ(read_offer(their_chat, read(their_chat))->port, 2855);
  std::string text = their_chat;
  text.replace(text.find("m=message 2855"), 14, "m=message 9");
  EXPECT_EQ(read_offer(text, read(text))->port, 0);
}

}  // namespace
}  // namespace parley::tests

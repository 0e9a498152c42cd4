// tests/sip/offer_answer_test.cc - R3264-1 to R3264-3 and which sections become sessions.
#include "sip/offer_answer.h"

#include <gtest/gtest.h>

#include "tests/sip/sdp_pair.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

const std::string chat = "m=message 2855 TCP/MSRP *\r\na=accept-types:*\r\na=path:msrp://192.0.2.1:2855/a;tcp\r\n";
const std::string audio = "m=audio 4000 RTP/AVP 0\r\n";
const std::string no_audio = "m=audio 0 RTP/AVP 0\r\n";

AnswerFault judge(const std::string& offer, const std::string& answer) {
  const ReadSdp o = sdp_with(offer);
  const ReadSdp a = sdp_with(answer);
  return check_answer(o.text, o.sdp, a.text, a.sdp);
}

TEST(OfferAnswer, R3264_1_SectionsKeepNumberOrderMediaAndTransport) {
  EXPECT_EQ(judge(audio + chat, no_audio + chat), AnswerFault::none);
  EXPECT_EQ(judge(audio + chat, chat + no_audio), AnswerFault::media);
  EXPECT_EQ(judge(chat, chat + audio), AnswerFault::more_sections);
  EXPECT_EQ(judge(chat, "m=message 2855 TCP/TLS/MSRP *\r\n"), AnswerFault::protocol);
  EXPECT_EQ(judge(chat, "m=message 0 TCP/TLS/MSRP *\r\n"), AnswerFault::none);
  EXPECT_EQ(judge(no_audio + chat, audio + chat), AnswerFault::revived);
  EXPECT_EQ(judge(no_audio + chat, no_audio + chat), AnswerFault::none);
}

TEST(OfferAnswer, T_45_FewerSectionsAreRefusedOnes) {
  EXPECT_EQ(judge(chat + audio, chat), AnswerFault::fewer_sections);
  const ReadSdp answer = sdp_with(chat + no_audio);
  EXPECT_FALSE(refused_section(answer.sdp, 0));
  EXPECT_TRUE(refused_section(answer.sdp, 1));
  EXPECT_TRUE(refused_section(answer.sdp, 2));
}

TEST(OfferAnswer, R3264_1_ALaterOfferDropsNoSection) {
  const auto keeps = [](const std::string& before, const std::string& after) {
    const ReadSdp b = sdp_with(before);
    const ReadSdp a = sdp_with(after, "2");
    return keeps_sections(b.text, b.sdp, a.text, a.sdp);
  };
  EXPECT_TRUE(keeps(chat, chat + audio));
  EXPECT_TRUE(keeps(chat + audio, chat + no_audio));
  EXPECT_TRUE(keeps(no_audio + chat, chat + chat));
  EXPECT_FALSE(keeps(chat + audio, chat));
  EXPECT_FALSE(keeps(audio + chat, chat + audio));
}

TEST(OfferAnswer, R3264_1_DirectionsAnswerEachOther) {
  using D = SdpDirection;
  const struct {
    D offered, wanted, answer;
  } rows[] = {
      {D::sendrecv, D::sendrecv, D::sendrecv}, {D::absent, D::sendrecv, D::sendrecv},
      {D::sendonly, D::sendrecv, D::recvonly}, {D::recvonly, D::sendrecv, D::sendonly},
      {D::inactive, D::sendrecv, D::inactive}, {D::sendrecv, D::recvonly, D::recvonly},
      {D::sendonly, D::sendonly, D::inactive}, {D::recvonly, D::recvonly, D::inactive},
      {D::sendrecv, D::inactive, D::inactive},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(answer_direction(row.offered, row.wanted), row.answer) << to_string(row.offered) << to_string(row.wanted);
    if (row.offered == D::absent) continue;
    // What we would answer passes what we check answers with.
    EXPECT_EQ(judge(chat + "a=" + std::string(to_string(row.offered)) + "\r\n",
                    chat + "a=" + std::string(to_string(row.answer)) + "\r\n"),
              AnswerFault::none);
  }
  EXPECT_EQ(judge(chat + "a=sendonly\r\n", chat + "a=sendonly\r\n"), AnswerFault::direction);
  EXPECT_EQ(judge(chat + "a=recvonly\r\n", chat), AnswerFault::direction);
  EXPECT_EQ(judge(chat + "a=inactive\r\n", chat + "a=recvonly\r\n"), AnswerFault::direction);
}

TEST(OfferAnswer, R3264_2_TheOriginSaysWhatChanged) {
  const auto change = [](const ReadSdp& before, const ReadSdp& after) {
    return compare_sdp(before.text, before.sdp, after.text, after.sdp);
  };
  const ReadSdp first = sdp_with(chat);
  EXPECT_EQ(change(first, sdp_with(chat)), SdpChange::none);
  EXPECT_EQ(change(first, sdp_with(chat, "2")), SdpChange::origin_only);
  EXPECT_EQ(change(first, sdp_with(chat, "9")), SdpChange::origin_only);
  EXPECT_EQ(change(first, sdp_with(chat + audio, "2")), SdpChange::content);
  EXPECT_EQ(change(first, sdp_with(chat + audio, "1")), SdpChange::irregular);
  EXPECT_EQ(change(first, sdp_with(chat + audio, "3")), SdpChange::irregular);
  ReadSdp other("v=0\r\no=- 8 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + chat);
  EXPECT_EQ(change(first, other), SdpChange::irregular);
}

TEST(OfferAnswer, R3264_2_OurVersionRisesByOneExactlyWhenTheContentDiffers) {
  const ReadSdp before = sdp_with(chat, "41");
  const ReadSdp same = sdp_with(chat, "0");
  const ReadSdp more = sdp_with(chat + audio, "0");
  EXPECT_EQ(next_version(before.text, before.sdp, same.text, same.sdp), 41U);
  EXPECT_EQ(next_version(before.text, before.sdp, more.text, more.sdp), 42U);
}

TEST(OfferAnswer, R3264_3_OneOfferAtATime) {
  using S = OfferState;
  using E = OfferEvent;
  using V = OfferVerdict;
  const auto expect = [](S state, E event, S next, V verdict) {
    const OfferStep step = step_offer(state, event);
    EXPECT_EQ(step.state, next) << static_cast<int>(state) << " " << static_cast<int>(event);
    EXPECT_EQ(step.verdict, verdict) << static_cast<int>(state) << " " << static_cast<int>(event);
  };
  expect(S::idle, E::we_offer, S::offered, V::ok);
  expect(S::offered, E::they_answer, S::idle, V::ok);
  expect(S::idle, E::they_offer, S::asked, V::ok);
  expect(S::asked, E::we_answer, S::idle, V::ok);
  expect(S::offered, E::we_offer, S::offered, V::wait);
  expect(S::asked, E::we_offer, S::asked, V::wait);
  expect(S::offered, E::they_offer, S::offered, V::glare);
  expect(S::asked, E::they_offer, S::asked, V::again);
  // An offer in a 2xx whose ACK brings no answer.
  expect(S::offered, E::no_answer, S::idle, V::end);
  expect(S::asked, E::no_answer, S::asked, V::ok);
  expect(S::idle, E::they_answer, S::idle, V::stray);
  expect(S::asked, E::they_answer, S::asked, V::stray);
  for (const S state : {S::idle, S::offered, S::asked}) expect(state, E::over, S::idle, V::ok);
}

TEST(OfferAnswer, T_44_EachMessageSectionIsItsOwnSession) {
  const std::string file = chat + "a=file-selector:name:\"x\"\r\n";
  const ReadSdp offer = sdp_with(audio + chat + file + chat + "m=message 1 TCP/MSRP *\r\n");
  const TakePlan plan = take_sections(offer.text, offer.sdp, {.sessions_max = 2});
  EXPECT_EQ(plan.sessions, 2);
  EXPECT_EQ(plan.take[0], Take::refuse);
  EXPECT_EQ(plan.take[1], Take::chat);
  EXPECT_EQ(plan.take[2], Take::file);
  EXPECT_EQ(plan.take[3], Take::refuse);
  EXPECT_EQ(take_sections(offer.text, offer.sdp, {.sessions_max = 9}).sessions, 3);  // the last has no path
}

TEST(OfferAnswer, R4975_14_NothingUsableIsNoSession) {
  const auto sessions = [](const std::string& sections, const TakeRules& rules) {
    const ReadSdp offer = sdp_with(sections);
    return take_sections(offer.text, offer.sdp, rules).sessions;
  };
  EXPECT_EQ(sessions(audio, {}), 0);
  EXPECT_EQ(sessions("m=message 0 TCP/MSRP *\r\na=path:msrp://h:1/a;tcp\r\n", {}), 0);
  EXPECT_EQ(sessions("m=message 1 TCP/MSRP *\r\n", {}), 0);
  EXPECT_EQ(sessions("m=message 1 UDP/MSRP *\r\na=path:msrp://h:1/a;tcp\r\n", {}), 0);
  EXPECT_EQ(sessions(chat, {}), 1);
  EXPECT_EQ(sessions(chat, {.plain = false}), 0);
  const std::string tls = "m=message 1 TCP/TLS/MSRP *\r\na=path:msrps://h:1/a;tcp\r\n";
  EXPECT_EQ(sessions(tls, {}), 1);
  EXPECT_EQ(sessions(tls, {.tls = false}), 0);
}

TEST(OfferAnswer, T_42_APathThatContradictsTheTransportIsRefusedWhenStrict) {
  for (const std::string sections : {"m=message 1 TCP/TLS/MSRP *\r\na=path:msrp://h:1/a;tcp\r\n",
                                     "m=message 1 TCP/MSRP *\r\na=path:MSRPS://h:1/a;tcp\r\n"}) {
    const ReadSdp offer = sdp_with(sections);
    EXPECT_EQ(take_sections(offer.text, offer.sdp, {}).sessions, 1);
    EXPECT_EQ(take_sections(offer.text, offer.sdp, {.strict_path = true}).sessions, 0);
  }
}

TEST(OfferAnswer, R6135_1_SetupAnswers) {
  using S = SdpSetup;
  EXPECT_EQ(answer_setup(S::actpass, S::passive), S::passive);
  EXPECT_EQ(answer_setup(S::actpass, S::active), S::active);
  EXPECT_EQ(answer_setup(S::active, S::active), S::passive);
  EXPECT_EQ(answer_setup(S::passive, S::passive), S::active);  // T-40: never legal in an offer, taken all the same
  EXPECT_EQ(answer_setup(S::holdconn, S::active), S::holdconn);
  EXPECT_EQ(answer_setup(S::absent, S::active), S::passive);
  EXPECT_EQ(answer_setup(S::unknown, S::active), S::passive);
}

TEST(OfferAnswer, R6135_1_ExactlyOneSideConnects) {
  using S = SdpSetup;
  for (const S offered : {S::absent, S::active, S::passive, S::actpass}) {
    for (const S wish : {S::active, S::passive}) {
      const S answered = answer_setup(offered, wish);
      EXPECT_NE(connects(offered, true, answered), connects(answered, false, offered)) << to_string(offered);
    }
    // Peers of RFC 4975 alone say nothing in either.
    EXPECT_NE(connects(offered, true, S::absent), connects(S::absent, false, offered)) << to_string(offered);
  }
  EXPECT_TRUE(connects(S::absent, true, S::absent));
}

TEST(OfferAnswer, T_39_NoPlaceToConnectTo) {
  const auto target = [](const std::string& section) {
    const ReadSdp sdp = sdp_with(section);
    return std::string(connect_target(sdp.text, sdp.sdp, sdp.sdp.media[0]).address);
  };
  EXPECT_EQ(target("m=message 2855 TCP/MSRP *\r\n"), "192.0.2.1");
  EXPECT_EQ(target("m=message 2855 TCP/MSRP *\r\nc=IN IP6 2001:db8::7\r\n"), "2001:db8::7");
  EXPECT_EQ(target("m=message 9 TCP/MSRP *\r\n"), "");
  EXPECT_EQ(target("m=message 0 TCP/MSRP *\r\n"), "");
  EXPECT_EQ(target("m=message 2855 TCP/MSRP *\r\nc=IN IP4 0.0.0.0\r\n"), "");
  EXPECT_EQ(target("m=message 2855 TCP/MSRP *\r\nc=IN IP6 ::\r\n"), "");
}

}  // namespace
}  // namespace parley::tests

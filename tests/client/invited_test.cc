// Sessions that others invite us to: OMA IM TS 7.1.2.1 as SEED0 has it, and what RFC 3261 and RFC 4028 ask for.
#include "tests/client/client_world.h"

namespace parley::tests {
namespace {

using namespace client;

// Invited, accepted, acknowledged.
struct Invited : ClientWorld {
  explicit Invited(const InviteText& text = {}, const std::function<void(Config&)>& change = {}) : ClientWorld(change) {
    receive(invite_text(text));
    ok = next("SIP/2.0 200");
    EXPECT_NE(ok, "");
    receive(in_dialog(ok, "ACK", 1));
  }
  std::string ok;
};

TEST(Invited, SEED0_8_2_2_1_5_a_200_with_tag_and_what_has_to_come_back) {
  ClientWorld world;
  world.receive(invite_text());
  const std::string ok = world.next("SIP/2.0 200");
  EXPECT_NE(tag(field(ok, "To")), "");
  EXPECT_TRUE(field(ok, "Via").find("branch=z9hG4bKcall1") != std::string::npos);
  EXPECT_EQ(field(ok, "Call-ID"), "call1");
  EXPECT_EQ(field(ok, "CSeq"), "1 INVITE");
  sip::Sdp answer;
  EXPECT_TRUE(sip::parse_sdp(body(ok), {.strict = true}, answer).ok()) << body(ok);
}

TEST(Invited, SEED0_8_2_2_1_1_more_sessions_than_one_may_have_are_486) {
  ClientWorld world([](ClientConfig& config) { config.sessions_max = 1; });
  world.receive(invite_text());
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  world.receive(invite_text({.call = "call2"}));
  const std::string busy = world.next("SIP/2.0 486");
  EXPECT_NE(field(busy, "Server"), "");  // SEED0-8.2.2.1-6
}

constexpr const char* deferred = "P-Asserted-Identity: <sip:deferre@EXAMPLE.org>\r\nAllow: INVITE, ACK, BYE\r\n";

TEST(Invited, SEED0_8_2_2_1_2_DEC_2_the_deferred_messaging_function_is_let_in_all_the_same) {
  ClientWorld world([](ClientConfig& config) {
    config.sessions_max = 1;
    config.auto_accept = false;
  });
  world.receive(invite_text());
  EXPECT_NE(world.next("SIP/2.0 180"), "");
  world.receive(invite_text({.lines = deferred, .call = "call2"}));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
}

TEST(Invited, DEC_1_only_of_the_home_domain_and_only_where_assertions_are_believed) {
  ClientWorld stranger([](ClientConfig& config) { config.auto_accept = false; });
  stranger.receive(invite_text({.lines = "P-Asserted-Identity: <sip:Deferred@elsewhere.org>\r\n"}));
  EXPECT_EQ(stranger.next("SIP/2.0 200"), "");
  ClientWorld doubting([](ClientConfig& config) {
    config.auto_accept = false;
    config.trust_asserted = false;
  });
  doubting.receive(invite_text({.lines = deferred}));
  EXPECT_EQ(doubting.next("SIP/2.0 200"), "");
}

TEST(Invited, DEC_2_when_all_is_used_up_the_deferred_function_is_told_when_to_come_back) {
  ClientWorld world([](ClientConfig& config) { config.sessions_max = 1; });
  world.receive(invite_text());
  world.receive(invite_text({.lines = deferred, .call = "call2"}));
  world.forget();
  world.receive(invite_text({.lines = deferred, .call = "call3"}));
  EXPECT_NE(field(world.next("SIP/2.0 480"), "Retry-After"), "");
}

TEST(Invited, SEED0_8_2_2_1_3_R4028_3_we_refresh_by_what_the_peer_allows) {
  for (const bool update : {true, false}) {
    Invited world({.lines = std::string("Allow: INVITE, ACK, BYE") + (update ? ", UPDATE" : "") +
                            "\r\nSupported: timer\r\nSession-Expires: 1800;refresher=uas\r\n"});
    EXPECT_NE(field(world.ok, "Session-Expires").find("refresher=uas"), std::string::npos);
    world.media_up();
    world.forget();
    world.pass(899s);
    EXPECT_TRUE(world.quiet());
    world.pass(2s);
    const std::string refresh = world.next();
    EXPECT_TRUE(refresh.starts_with(update ? "UPDATE sip:bob@127.0.0.1:7000 " : "INVITE sip:bob@127.0.0.1:7000 "))
        << refresh;
    EXPECT_NE(field(refresh, "Session-Expires"), "");
    if (!update) {
      EXPECT_EQ(body(refresh), body(world.ok));  // R4028-3: nothing has changed
    }
  }
}

TEST(Invited, SEED0_8_2_2_1_4_DEC_3_the_contact_of_a_focus_is_the_session) {
  Invited world({.contact = "<sip:conf7@127.0.0.1:7000>;isfocus;+g.oma.sip-im"});
  const std::string subscribe = world.next("SUBSCRIBE");
  EXPECT_TRUE(subscribe.starts_with("SUBSCRIBE sip:conf7@127.0.0.1:7000 SIP/2.0")) << subscribe;
  EXPECT_EQ(field(subscribe, "Event"), "conference");
}

TEST(Invited, DEC_3_without_isfocus_there_is_nothing_to_subscribe_to) {
  Invited world;
  EXPECT_EQ(world.next("SUBSCRIBE"), "");
}

TEST(Invited, SEED0_8_2_2_1_6_SEED0_8_2_2_1_7_SEED0_8_2_2_1_8_every_response_but_100) {
  ClientWorld world([](ClientConfig& config) { config.auto_accept = false; });
  world.receive(invite_text());
  const std::string ringing = world.next("SIP/2.0 180");
  world.step([&] { world.client().decline(1, 603); });
  const std::string refused = world.next("SIP/2.0 603");
  for (const std::string& response : {ringing, refused}) {
    EXPECT_EQ(field(response, "Server"), "IM-client/OMA1.0 parley/0.1.0") << response;
    EXPECT_NE(field(response, "Allow"), "") << response;
    EXPECT_NE(field(response, "P-Preferred-Identity"), "") << response;
  }
}

TEST(Invited, the_user_may_take_it) {
  ClientWorld world([](ClientConfig& config) { config.auto_accept = false; });
  world.receive(invite_text());
  EXPECT_EQ(world.event("invited").get("from"), "sip:bob@example.org");
  world.step([&] { world.client().accept(1); });
  EXPECT_NE(world.next("SIP/2.0 200"), "");
}

TEST(Invited, R3261_7_a_cancelled_invitation_is_487) {
  ClientWorld world([](ClientConfig& config) { config.auto_accept = false; });
  world.receive(invite_text());
  std::string cancel = invite_text({.sdp = {}});
  cancel.replace(0, 6, "CANCEL");
  cancel.replace(cancel.find("1 INVITE"), 8, "1 CANCEL");
  world.receive(cancel);
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_NE(world.next("SIP/2.0 487"), "");
  EXPECT_EQ(world.event("session").get("state"), "ended");
}

TEST(Invited, R3261_2_the_200_comes_again_until_the_ack) {
  ClientWorld world;
  world.receive(invite_text());
  const std::string ok = world.next("SIP/2.0 200");
  world.pass(600ms);
  EXPECT_EQ(world.next(), ok);
  world.receive(in_dialog(ok, "ACK", 1));
  world.forget();
  world.pass(10s);
  EXPECT_EQ(world.next("SIP/2.0 200"), "");
}

TEST(Invited, R3261_2_without_an_ack_the_session_ends_with_bye) {
  ClientWorld world;
  world.receive(invite_text());
  world.pass(33s);
  EXPECT_NE(world.next("BYE"), "");
}

TEST(Invited, R3261_a_bye_is_answered_and_ends_it) {
  Invited world;
  world.receive(in_dialog(world.ok, "BYE", 2));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.client().session(1), nullptr);
  world.receive(in_dialog(world.ok, "OPTIONS", 3));
  EXPECT_NE(world.next("SIP/2.0 481"), "");
}

TEST(Invited, R3261_5_requests_count) {
  Invited world;
  world.receive(in_dialog(world.ok, "OPTIONS", 7));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  world.receive(in_dialog(world.ok, "OPTIONS", 5));
  EXPECT_NE(world.next("SIP/2.0 500"), "");
}

TEST(Invited, R4028_1_a_timer_that_is_too_short_is_422) {
  ClientWorld world;
  world.receive(invite_text({.lines = "Supported: timer\r\nSession-Expires: 30\r\n"}));
  EXPECT_EQ(field(world.next("SIP/2.0 422"), "Min-SE"), "90");
}

TEST(Invited, R4028_3_a_session_that_nobody_refreshes_ends) {
  Invited world({.lines = "Allow: INVITE, ACK, BYE\r\nSupported: timer\r\nSession-Expires: 90;refresher=uac\r\n"});
  EXPECT_EQ(field(world.ok, "Session-Expires"), "90;refresher=uac");
  world.media_up();
  world.forget();
  world.pass(59s);
  EXPECT_EQ(world.next("BYE"), "");
  world.pass(2s);
  EXPECT_NE(world.next("BYE"), "");
}

TEST(Invited, R4028_3_an_update_of_theirs_refreshes_it) {
  Invited world({.lines = "Allow: INVITE, ACK, BYE\r\nSupported: timer\r\nSession-Expires: 90;refresher=uac\r\n"});
  world.media_up();
  world.pass(50s);
  world.receive(in_dialog(world.ok, "UPDATE", 2, "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"));
  EXPECT_EQ(field(world.next("SIP/2.0 200"), "Session-Expires"), "90;refresher=uac");
  world.pass(50s);
  EXPECT_EQ(world.next("BYE"), "");
}

TEST(Invited, T_28_T_29_a_re_invite_without_change_has_the_same_answer) {
  Invited world;
  const std::string lines = "Content-Type: application/sdp\r\n";
  world.receive(in_dialog(world.ok, "INVITE", 2, lines, chat_sdp("a=setup:actpass\r\n")));
  EXPECT_EQ(body(world.next("SIP/2.0 200")), body(world.ok));
  world.receive(in_dialog(world.ok, "ACK", 2));
  world.receive(in_dialog(world.ok, "INVITE", 3));
  EXPECT_EQ(body(world.next("SIP/2.0 200")), body(world.ok));
}

TEST(Invited, R3261_6_T_21_their_re_invite_during_ours_is_491) {
  Invited world({.lines = "Allow: INVITE, ACK, BYE\r\nSupported: timer\r\nSession-Expires: 1800;refresher=uas\r\n"});
  world.media_up();
  world.pass(901s);
  EXPECT_NE(world.next("INVITE"), "");
  world.receive(in_dialog(world.ok, "INVITE", 2, "Content-Type: application/sdp\r\n", chat_sdp("a=setup:actpass\r\n")));
  EXPECT_NE(world.next("SIP/2.0 491"), "");
}

TEST(Invited, an_extension_that_is_not_here_is_420) {
  ClientWorld world;
  world.receive(invite_text({.lines = "Require: timer, teleport\r\n"}));  // T-14
  EXPECT_EQ(field(world.next("SIP/2.0 420"), "Unsupported"), "teleport");
}

TEST(Invited, nothing_to_take_is_488_and_no_description_415) {
  ClientWorld world;
  world.receive(invite_text(
      {.sdp = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"}));
  EXPECT_NE(world.next("SIP/2.0 488"), "");
  std::string other = invite_text({.call = "call2"});
  other.replace(other.find("application/sdp"), 15, "application/foo");
  world.receive(other);
  EXPECT_NE(field(world.next("SIP/2.0 415"), "Accept"), "");
  world.receive(invite_text({.call = "call3", .sdp = "v=1\r\n"}));
  EXPECT_NE(world.next("SIP/2.0 400"), "");
}

TEST(Invited, R3264_1_without_an_offer_we_make_one_and_read_the_answer_in_the_ack) {
  ClientWorld world;
  world.receive(invite_text({.sdp = {}}));
  const std::string ok = world.next("SIP/2.0 200");
  EXPECT_NE(body(ok).find("a=setup:actpass"), std::string::npos);
  world.receive(in_dialog(ok, "ACK", 1, "Content-Type: application/sdp\r\n", chat_sdp()));
  ASSERT_EQ(world.dials.size(), 1U);
  EXPECT_EQ(core::to_string(world.dials[0].address), "127.0.0.1:3000");
}

TEST(Invited, SEED0_8_2_2_1_1_a_file_that_nobody_takes_is_refused) {
  ClientWorld world;
  world.files.answer = 603;
  world.receive(invite_text({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" "
                                             "type:text/plain size:3\r\na=file-transfer-id:1\r\n")}));
  EXPECT_NE(world.next("SIP/2.0 603"), "");
  EXPECT_EQ(world.event("session").get("why"), "603 a file for which --files names no place");
}

TEST(Invited, OMA_FT_5_a_file_that_is_too_long_is_488) {
  ClientWorld world([](ClientConfig& config) { config.file_bytes_max = 10; });
  world.receive(invite_text({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" "
                                             "type:text/plain size:11\r\na=file-transfer-id:1\r\n")}));
  EXPECT_NE(world.next("SIP/2.0 488"), "");
  EXPECT_TRUE(world.files.files.empty());
}

TEST(Invited, R5547_1_a_file_arrives_as_it_was_sent) {
  Invited world({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" type:text/plain "
                                 "size:6\r\na=file-transfer-id:1\r\n")});
  const core::ConnId conn = world.media_connected();
  const std::string bind = world.written(conn);
  EXPECT_NE(bind.find(" SEND\r\n"), std::string::npos);
  const std::string own = field(bind, "From-Path");
  const auto send = [&](const std::string& tid, const std::string& range, const std::string& bytes, char flag) {
    world.bytes(conn, "MSRP " + tid + " SEND\r\nTo-Path: " + own +
                          "\r\nFrom-Path: msrp://127.0.0.1:3000/bob;tcp\r\nMessage-ID: f\r\n"
                          "Success-Report: yes\r\nByte-Range: " +
                          range + "\r\nContent-Type: text/plain\r\n\r\n" + bytes + "\r\n-------" + tid + flag + "\r\n");
  };
  send("tttt1111", "1-3/6", "abc", '+');
  send("tttt1112", "4-6/6", "def", '$');
  EXPECT_EQ(world.files.files.begin()->second.bytes, "abcdef");
  EXPECT_EQ(world.event("file").get("good"), "true");
  EXPECT_NE(world.written(conn).find("REPORT"), std::string::npos);
}

TEST(Invited, R5547_1_a_message_beside_a_file_takes_nothing_of_it) {
  Invited world({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" type:text/plain "
                                 "size:6\r\na=file-transfer-id:1\r\n")});
  const core::ConnId conn = world.media_connected();
  const std::string own = field(world.written(conn), "From-Path");
  const auto send = [&](const std::string& tid, const std::string& range, const std::string& bytes, char flag) {
    world.bytes(conn, "MSRP " + tid + " SEND\r\nTo-Path: " + own +
                          "\r\nFrom-Path: msrp://127.0.0.1:3000/bob;tcp\r\nMessage-ID: f\r\nByte-Range: " + range +
                          "\r\nContent-Type: text/plain\r\n\r\n" + bytes + "\r\n-------" + tid + flag + "\r\n");
  };
  send("tttt1111", "1-3/6", "abc", '+');
  world.receive(in_dialog(world.ok, "MESSAGE", 2, "Content-Type: image/png\r\n", "\x89PNG"));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("message").number_of("session"), 1U);
  send("tttt1112", "4-6/6", "def", '$');
  EXPECT_EQ(world.event("file").get("good"), "true");
  EXPECT_EQ(world.files.files[1].bytes, "abcdef");
  EXPECT_EQ(world.files.files[0].bytes, "\x89PNG");
}

TEST(Invited, R5547_1_a_file_that_is_not_what_was_announced_is_not_reported_as_delivered) {
  Invited world({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" type:text/plain "
                                 "size:3\r\na=file-transfer-id:1\r\n")});
  world.files.sound = false;
  const core::ConnId conn = world.media_connected();
  const std::string own = field(world.written(conn), "From-Path");
  world.bytes(conn, "MSRP tttt1111 SEND\r\nTo-Path: " + own +
                        "\r\nFrom-Path: msrp://127.0.0.1:3000/bob;tcp\r\nMessage-ID: f\r\nSuccess-Report: yes\r\n"
                        "Byte-Range: 1-3/3\r\nContent-Type: text/plain\r\n\r\nabc\r\n-------tttt1111$\r\n");
  EXPECT_EQ(world.event("file").get("good"), "false");
  const std::string said = world.written(conn);
  EXPECT_NE(said.find("MSRP tttt1111 413 "), std::string::npos) << said;
  EXPECT_EQ(said.find("REPORT"), std::string::npos) << said;
}

TEST(Invited, R4975_10_what_is_no_text_is_reported_only_where_it_is_kept) {
  const std::string wrapped = "From: <sip:bob@example.org>\r\n\r\nContent-Type: image/png\r\n\r\nabc";
  const std::string size = std::to_string(wrapped.size());
  for (const bool kept : {true, false}) {
    Invited world({}, [](ClientConfig& config) { config.tells_bytes = false; });
    if (!kept) world.files.answer = FileStore::no_place;
    const core::ConnId conn = world.media_connected();
    const std::string own = field(world.written(conn), "From-Path");
    world.bytes(conn, "MSRP tttt1111 SEND\r\nTo-Path: " + own +
                          "\r\nFrom-Path: msrp://127.0.0.1:3000/bob;tcp\r\nMessage-ID: f\r\nSuccess-Report: yes\r\n"
                          "Byte-Range: 1-" +
                          size + "/" + size + "\r\nContent-Type: message/cpim\r\n\r\n" + wrapped +
                          "\r\n-------tttt1111$\r\n");
    EXPECT_EQ(world.event("message").get("good"), kept ? "true" : "false");
    const std::string said = world.written(conn);
    EXPECT_NE(said.find(kept ? "MSRP tttt1111 200 " : "MSRP tttt1111 415 "), std::string::npos) << said;
    EXPECT_EQ(said.find("REPORT") != std::string::npos, kept) << said;
  }
}

TEST(Invited, a_file_whose_sender_goes_is_cut_off) {
  Invited world({.sdp = chat_sdp("a=setup:actpass\r\na=sendonly\r\na=file-selector:name:\"x\" type:text/plain "
                                 "size:6\r\na=file-transfer-id:1\r\n")});
  world.receive(in_dialog(world.ok, "BYE", 2));
  EXPECT_EQ(world.event("file").get("good"), "false");
  EXPECT_FALSE(world.files.ended.begin()->second);
}

TEST(Invited, a_message_in_the_dialog_is_shown_with_its_session) {
  Invited world;
  world.receive(in_dialog(world.ok, "MESSAGE", 2, "Content-Type: text/plain\r\n", "psst"));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  const Event event = world.event("message");
  EXPECT_EQ(event.get("text"), "psst");
  EXPECT_EQ(event.number_of("session"), 1U);
}

TEST(Invited, methods_that_are_not_here_are_405_and_501) {
  Invited world;
  world.receive(in_dialog(world.ok, "INFO", 2));
  EXPECT_NE(field(world.next("SIP/2.0 405"), "Allow"), "");
  world.receive(in_dialog(world.ok, "DANCE", 3));
  EXPECT_NE(world.next("SIP/2.0 501"), "");
}

}  // namespace
}  // namespace parley::tests

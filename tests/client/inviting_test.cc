// Sessions of ours: OMA IM TS 7.1.1.1 as SEED1 and SEED3 have it, and what RFC 3261 and RFC 4028 ask for.
#include "tests/client/client_world.h"

namespace parley::tests {
namespace {

using namespace client;

constexpr const char* ok_lines =
    "Contact: <sip:bob@127.0.0.1:7000>;+g.oma.sip-im\r\nAllow: INVITE, ACK, BYE, UPDATE\r\nSupported: "
    "timer\r\nRequire: timer\r\n"
    "Session-Expires: 1800;refresher=uac\r\nContent-Type: application/sdp\r\n";

struct Inviting : ClientWorld {
  explicit Inviting(bool group = false, const std::function<void(Config&)>& change = {}) : ClientWorld(change) {
    step([&] { number = client().open_session("sip:bob@example.org", {}, {}, group); });
    invite = next("INVITE");
  }
  // A 200 that is acknowledged.
  void up(const std::string& lines = ok_lines) {
    respond(invite, "200 OK", lines, chat_sdp());
    ack = next("ACK");
  }
  std::uint32_t number = 0;
  std::string invite;
  std::string ack;
};

TEST(Inviting, R3261_8_the_ack_goes_to_the_contact_with_the_number_of_the_invite) {
  Inviting world;
  world.up();
  EXPECT_TRUE(world.ack.starts_with("ACK sip:bob@127.0.0.1:7000 SIP/2.0")) << world.ack;
  EXPECT_EQ(field(world.ack, "CSeq"), "1 ACK");
  EXPECT_EQ(field(world.ack, "Call-ID"), field(world.invite, "Call-ID"));
  EXPECT_EQ(tag(field(world.ack, "To")), "srv");
  EXPECT_NE(field(world.ack, "Via"), field(world.invite, "Via"));
  const std::string again = ClientWorld::response(world.invite, "200 OK", ok_lines, chat_sdp());
  world.receive(again);
  EXPECT_EQ(field(world.next("ACK"), "CSeq"), "1 ACK");
}

TEST(Inviting, R6135_1_they_are_passive_and_we_connect) {
  Inviting world;
  world.up();
  ASSERT_EQ(world.dials.size(), 1U);
  EXPECT_EQ(core::to_string(world.dials[0].address), "127.0.0.1:3000");
  const core::ConnId conn = world.media_connected();
  EXPECT_EQ(field(world.written(conn), "To-Path"), "msrp://127.0.0.1:3000/bob;tcp");
  EXPECT_EQ(world.event("session").get("state"), "inviting");
  EXPECT_EQ(world.event("session").get("state"), "open");
}

TEST(Inviting, SEED1_7_1_1_1_8_SEED3_7_1_1_1_10_allow_decides_how_we_refresh) {
  for (const bool update : {true, false}) {
    Inviting world;
    std::string lines = ok_lines;
    if (!update) lines.erase(lines.find(", UPDATE"), 8);
    world.up(lines);
    world.media_up();
    world.forget();
    world.pass(901s);
    EXPECT_NE(world.next(update ? "UPDATE" : "INVITE"), "") << update;
  }
}

TEST(Inviting, SEED1_7_1_1_1_9_SEED3_7_1_1_1_11_the_contact_is_the_session_identity) {
  Inviting world(true);
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:conf9@127.0.0.1:7001>;isfocus");
  world.up(lines);
  EXPECT_TRUE(world.ack.starts_with("ACK sip:conf9@127.0.0.1:7001 "));
  const std::string subscribe = world.next("SUBSCRIBE");
  EXPECT_TRUE(subscribe.starts_with("SUBSCRIBE sip:conf9@127.0.0.1:7001 ")) << subscribe;
}

TEST(Inviting, SEED1_7_1_1_1_10_SEED3_7_1_1_1_12_the_timer_runs_from_the_200) {
  Inviting world;
  world.up();
  world.media_up();
  world.forget();
  world.pass(899s);
  EXPECT_TRUE(world.quiet());
  world.pass(2s);
  const std::string update = world.next("UPDATE");
  EXPECT_EQ(field(update, "CSeq"), "2 UPDATE");
  EXPECT_EQ(field(update, "Session-Expires"), "1800;refresher=uac");
  world.respond(update, "200 OK", "Session-Expires: 1800;refresher=uac\r\n");
  world.pass(800s);
  EXPECT_EQ(world.next("BYE"), "");
}

TEST(Inviting, R4028_3_a_refresh_that_nobody_answers_ends_the_session) {
  Inviting world;
  world.up();
  world.media_up();
  world.pass(901s);
  const std::string update = world.next("UPDATE");
  world.respond(update, "481 Gone");
  EXPECT_NE(world.next("BYE"), "");
}

TEST(Inviting, T_28_a_200_without_session_expires_turns_the_timer_off) {
  Inviting world;
  world.up("Contact: <sip:bob@127.0.0.1:7000>\r\nContent-Type: application/sdp\r\n");
  world.media_up();
  world.forget();
  world.pass(3600s);
  EXPECT_EQ(world.next("UPDATE"), "");
  EXPECT_EQ(world.next("BYE"), "");
}

TEST(Inviting, SEED1_7_1_1_1_11_SEED3_7_1_1_1_13_subscribes_after_the_ack_and_not_before) {
  Inviting world(true);
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:conf9@127.0.0.1:7001>;isfocus");
  world.respond(world.invite, "183 Progress", "Contact: <sip:conf9@127.0.0.1:7001>;isfocus\r\n");
  EXPECT_EQ(world.next("SUBSCRIBE"), "");
  world.respond(world.invite, "200 OK", lines, chat_sdp());
  EXPECT_TRUE(world.next().starts_with("ACK "));
  EXPECT_TRUE(world.next().starts_with("SUBSCRIBE "));
}

TEST(Inviting, T_31_a_one_to_one_session_with_isfocus_is_no_group) {
  Inviting world;
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:bob@127.0.0.1:7000>;isfocus");
  world.up(lines);
  EXPECT_EQ(world.next("SUBSCRIBE"), "");
}

TEST(Inviting, R4028_2_a_422_is_followed_once_with_what_it_asks) {
  Inviting world;
  world.respond(world.invite, "422 Too Small", "Min-SE: 3600\r\n");
  EXPECT_NE(world.next("ACK"), "");
  const std::string again = world.next("INVITE");
  EXPECT_EQ(field(again, "Min-SE"), "3600");
  EXPECT_EQ(field(again, "Session-Expires"), "3600;refresher=uac");
  EXPECT_EQ(field(again, "Call-ID"), field(world.invite, "Call-ID"));
  EXPECT_NE(field(again, "CSeq"), field(world.invite, "CSeq"));
  world.respond(again, "422 Too Small", "Min-SE: 7200\r\n");
  EXPECT_NE(world.next("ACK"), "");
  EXPECT_EQ(world.next("INVITE"), "");
}

TEST(Inviting, R4579_1_the_factory_may_send_us_to_the_conference) {
  Inviting world(true);
  world.respond(world.invite, "302 Moved", "Contact: <sip:conf@127.0.0.1:7002>;isfocus\r\n");
  EXPECT_NE(world.next("ACK"), "");
  EXPECT_TRUE(world.next("INVITE").starts_with("INVITE sip:conf@127.0.0.1:7002 SIP/2.0"));
}

TEST(Inviting, R3261_9_a_second_200_is_acknowledged_and_ended_in_its_own_dialog) {
  Inviting world;
  world.up();
  world.forget();
  world.respond(world.invite, "200 OK", "Contact: <sip:bob@127.0.0.1:7009>\r\nContent-Type: application/sdp\r\n",
                chat_sdp(), "other");
  const std::string ack = world.next("ACK");
  EXPECT_TRUE(ack.starts_with("ACK sip:bob@127.0.0.1:7009 "));
  const std::string bye = world.next("BYE");
  EXPECT_EQ(tag(field(bye, "To")), "other");
  EXPECT_EQ(world.event("session").get("state"), "inviting");
  EXPECT_NE(world.client().session(world.number), nullptr);
}

TEST(Inviting, R3261_7_T_24_leaving_while_it_rings_cancels) {
  Inviting world;
  world.step([&] { world.client().leave(world.number); });
  EXPECT_EQ(world.next("CANCEL"), "");  // not before a provisional response
  world.respond(world.invite, "180 Ringing");
  const std::string cancel = world.next("CANCEL");
  EXPECT_EQ(field(cancel, "Via"), field(world.invite, "Via"));
  world.respond(cancel, "200 OK");
  world.respond(world.invite, "487 Terminated");
  EXPECT_NE(world.next("ACK"), "");
  EXPECT_EQ(world.client().session(world.number), nullptr);
}

TEST(Inviting, T_22_a_200_that_crosses_the_cancel_is_ended_at_once) {
  Inviting world;
  world.respond(world.invite, "180 Ringing");
  world.step([&] { world.client().leave(world.number); });
  EXPECT_NE(world.next("CANCEL"), "");
  world.respond(world.invite, "200 OK", ok_lines, chat_sdp());
  EXPECT_NE(world.next("ACK"), "");
  EXPECT_NE(world.next("BYE"), "");
}

TEST(Inviting, a_refusal_is_told) {
  Inviting world;
  world.respond(world.invite, "603 Decline", "Warning: 399 x \"no\"\r\n");
  EXPECT_NE(world.next("ACK"), "");
  (void)world.event("session");
  const Event ended = world.event("session");
  EXPECT_EQ(ended.get("state"), "ended");
  EXPECT_EQ(ended.get("why"), "603 399 x \"no\"");
  EXPECT_EQ(world.client().session(world.number), nullptr);
}

TEST(Inviting, an_answer_that_is_of_no_use_ends_it) {
  for (const std::string& answer : {std::string(), std::string("v=0\r\nnonsense"), [] {
                                      std::string text = chat_sdp();
                                      return text.replace(text.find("m=message 3000"), 14, "m=message 0");
                                    }()}) {
    Inviting world;
    world.respond(world.invite, "200 OK", ok_lines, answer);
    EXPECT_NE(world.next("ACK"), "") << answer;
    EXPECT_NE(world.next("BYE"), "") << answer;
  }
}

TEST(Inviting, digest_is_answered_and_the_ack_repeats_it) {
  Inviting world;
  world.respond(world.invite, "407 Who",
                "Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\n"
                "Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"n\", qop=\"auth\", algorithm=MD5\r\n");
  EXPECT_NE(world.next("ACK"), "");
  const std::string again = world.next("INVITE");
  const std::string credentials = field(again, "Proxy-Authorization");
  EXPECT_NE(credentials.find("algorithm=SHA-256"), std::string::npos)
      << credentials;  // R3261-17: the first that we know
  EXPECT_NE(credentials.find("uri=\"sip:bob@example.org\""), std::string::npos);
  EXPECT_EQ(field(again, "CSeq"), "2 INVITE");
  world.respond(again, "200 OK", ok_lines, chat_sdp());
  const std::string ack = world.next("ACK");
  EXPECT_EQ(field(ack, "CSeq"), "2 ACK");
  EXPECT_EQ(field(ack, "Proxy-Authorization"), credentials);
}

TEST(Inviting, digest_that_is_refused_is_not_tried_for_ever) {
  Inviting world;
  std::string invite = world.invite;
  int tries = 0;
  for (; !invite.empty() && tries < 10; ++tries) {
    world.respond(
        invite, "407 Who",
        "Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"n" + std::to_string(tries) + "\", qop=\"auth\"\r\n");
    invite = world.next("INVITE");
  }
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(world.client().session(world.number), nullptr);
}

TEST(Inviting, in_a_dialog_a_challenge_takes_the_next_number) {
  Inviting world;
  world.up();
  world.step([&] { world.client().leave(world.number); });
  const std::string bye = world.next("BYE");
  EXPECT_EQ(field(bye, "CSeq"), "2 BYE");
  world.respond(bye, "407 Who", "Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"n\", qop=\"auth\"\r\n");
  const std::string again = world.next("BYE");
  EXPECT_EQ(field(again, "CSeq"), "3 BYE");
  EXPECT_NE(field(again, "Proxy-Authorization"), "");
  world.respond(again, "200 OK");
  EXPECT_EQ(world.client().session(world.number), nullptr);
}

TEST(Inviting, an_invite_that_nobody_answers_is_given_up) {
  Inviting world;
  world.pass(33s);
  EXPECT_EQ(world.client().session(world.number), nullptr);
}

TEST(Inviting, a_lost_media_connection_ends_the_session) {
  Inviting world;
  world.up();
  const core::ConnId conn = world.media_connected();
  world.media_closed(conn);
  EXPECT_EQ(world.next("BYE"), "") << "the other side's may be on its way";
  world.pass(2s);
  EXPECT_NE(world.next("BYE"), "");
}

TEST(Inviting, OMA_MSRP_4_OMA_SES_13_in_a_group_messages_are_cpim_to_the_session) {
  Inviting world(true);
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:conf9@127.0.0.1:7001>;isfocus");
  world.up(lines);
  const core::ConnId conn = world.media_connected();
  (void)world.written(conn);
  world.step([&] { EXPECT_NE(world.client().say(world.number, "hello all", false), 0U); });
  const std::string sent = world.written(conn);
  EXPECT_EQ(field(sent, "Content-Type"), "message/cpim");
  EXPECT_NE(sent.find("To: <sip:conf9@127.0.0.1:7001>\r\n"), std::string::npos) << sent;
  EXPECT_NE(sent.find("<sip:alice@example.org>\r\n"), std::string::npos);
}

TEST(Inviting, OMA_ALIAS_4_an_anonymous_member_shows_himself_nowhere) {
  Inviting world(true, [](ClientConfig& config) { config.self = anonymous(); });
  EXPECT_EQ(field(world.invite, "Privacy"), "id");
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:conf9@127.0.0.1:7001>;isfocus");
  world.up(lines);
  const core::ConnId conn = world.media_connected();
  world.step([&] { (void)world.client().say(world.number, "hello", true); });
  EXPECT_EQ(world.written(conn).find("alice"), std::string::npos);
}

// A NOTIFY of the session's state, for the subscription that `subscribe` asked for.
std::string notify_text(const std::string& subscribe, int cseq, int version, const std::string& state,
                        const std::string& users) {
  const std::string ours = ClientWorld::response(subscribe, "200 OK", {}, {}, "conf");
  return "NOTIFY sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn" +
         std::to_string(cseq) + "\r\nMax-Forwards: 70\r\nFrom: " + field(ours, "To") +
         "\r\nTo: " + field(ours, "From") + "\r\nCall-ID: " + field(ours, "Call-ID") +
         "\r\nCSeq: " + std::to_string(cseq) +
         " NOTIFY\r\nContact: <sip:conf9@127.0.0.1:7001>\r\nEvent: conference\r\nSubscription-State: "
         "active;expires=3600\r\nContent-Type: application/conference-info+xml\r\n" +
         ClientWorld::with_body(
             "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"x\" version=\"" +
             std::to_string(version) + "\" state=\"" + state + "\"><users state=\"" + state + "\">" + users +
             "</users></conference-info>");
}
std::string shown_user(const std::string& uri) {
  return "<user entity=\"" + uri + "\"><endpoint entity=\"e\"><status>connected</status></endpoint></user>";
}

TEST(Inviting, T_32_a_notify_that_is_faster_than_the_200_makes_the_subscription) {
  Inviting world(true);
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:conf9@127.0.0.1:7001>;isfocus");
  world.up(lines);
  const std::string subscribe = world.next("SUBSCRIBE");
  world.receive(notify_text(subscribe, 1, 1, "full", shown_user("sip:a@x")));
  EXPECT_NE(world.next("SIP/2.0 200"), "") << "its first request is in order";
  EXPECT_EQ(world.event("roster").fields[1].items, std::vector<std::string>{"sip:a@x"});
  world.respond(subscribe, "200 OK", "Contact: <sip:conf9@127.0.0.1:7001>\r\nExpires: 3600\r\n", {}, "conf");
  world.receive(notify_text(subscribe, 2, 2, "partial", shown_user("sip:b@x")));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("roster").fields[1].items, (std::vector<std::string>{"sip:a@x", "sip:b@x"}));
  std::string late = notify_text(subscribe, 1, 3, "partial", shown_user("sip:c@x"));
  late.replace(late.find("z9hG4bKn1"), 9, "z9hG4bKx1");
  world.receive(late);
  EXPECT_NE(world.next("SIP/2.0 500"), "") << "of the dialog that it made, the order counts";
  world.receive(notify_text(subscribe, 3, 9, "partial", shown_user("sip:c@x")));
  const std::string refresh = world.next("SUBSCRIBE");  // since something is missing
  EXPECT_EQ(tag(field(refresh, "To")), "conf") << "there is one subscription, not two";
  EXPECT_EQ(field(refresh, "Call-ID"), field(subscribe, "Call-ID"));
}

TEST(Inviting, R4575_1_the_roster_follows_the_notifies_and_a_gap_asks_again) {
  Inviting world(true);
  std::string lines = ok_lines;
  lines.replace(lines.find("<sip:bob@127.0.0.1:7000>"), 24, "<sip:conf9@127.0.0.1:7001>;isfocus");
  world.up(lines);
  const std::string subscribe = world.next("SUBSCRIBE");
  world.respond(subscribe, "200 OK", "Contact: <sip:conf9@127.0.0.1:7001>\r\nExpires: 3600\r\n", {}, "conf");
  const auto notify = [&](int cseq, int version, const std::string& state, const std::string& users) {
    world.receive(notify_text(subscribe, cseq, version, state, users));
    EXPECT_NE(world.next("SIP/2.0 200"), "");
  };
  notify(1, 1, "full", shown_user("sip:a@x"));
  EXPECT_EQ(world.event("roster").fields[1].items, std::vector<std::string>{"sip:a@x"});
  notify(2, 2, "partial", shown_user("sip:b@x"));
  EXPECT_EQ(world.event("roster").fields[1].items, (std::vector<std::string>{"sip:a@x", "sip:b@x"}));
  notify(3, 7, "partial", shown_user("sip:c@x"));
  EXPECT_EQ(world.event("roster").name, "");
  const std::string again = world.next("SUBSCRIBE");
  EXPECT_NE(again, "");
  EXPECT_NE(tag(field(again, "To")), "");
  // T-32: nobody else's.
  world.receive(
      "NOTIFY sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKq\r\nMax-Forwards: "
      "70\r\n"
      "From: <sip:x@x>;tag=1\r\nTo: <sip:alice@example.org>;tag=2\r\nCall-ID: other\r\nCSeq: 1 NOTIFY\r\nEvent: "
      "conference\r\n"
      "Subscription-State: active\r\nContent-Length: 0\r\n\r\n");
  EXPECT_NE(world.next("SIP/2.0 481"), "");
}

TEST(Inviting, OMA_SES_6_OMA_SES_7_others_are_invited_and_expelled_in_the_dialog) {
  Inviting world(true);
  world.up();
  world.step([&] { world.client().add_users(world.number, {"sip:dave@example.org"}); });
  const std::string add = world.next("REFER");
  EXPECT_TRUE(add.starts_with("REFER sip:bob@127.0.0.1:7000 "));
  EXPECT_EQ(field(add, "Refer-To"), "<sip:dave@example.org>");
  world.respond(add, "202 Accepted");
  EXPECT_EQ(world.event("referred").number_of("status"), 202U);
  world.step([&] { world.client().expel(world.number, "sip:dave@example.org"); });
  EXPECT_EQ(field(world.next("REFER"), "Refer-To"), "<sip:dave@example.org;method=BYE>");
}

TEST(Inviting, R5366_1_an_ad_hoc_session_goes_to_the_factory) {
  ClientWorld world;
  world.step([&] {
    (void)world.client().open_session({}, {"sip:bob@example.org", "sip:carol@example.org"}, "lunch", true);
  });
  const std::string invite = world.next("INVITE");
  EXPECT_TRUE(invite.starts_with("INVITE sip:factory@example.org SIP/2.0")) << start_line(invite);
  EXPECT_EQ(field(invite, "Require"), "recipient-list-invite");
  EXPECT_EQ(field(invite, "Subject"), "lunch");
  EXPECT_NE(body(invite).find("sip:carol@example.org"), std::string::npos);
}

TEST(Inviting, sessions_and_messages_that_wait_are_bounded) {
  ClientWorld world([](ClientConfig& config) {
    config.sessions_max = 2;
    config.waiting_max = 3;
  });
  std::uint32_t last = 0;
  world.step([&] {
    EXPECT_NE(world.client().open_session("sip:a@x", {}, {}, false), 0U);
    last = world.client().open_session("sip:b@x", {}, {}, false);
    EXPECT_EQ(world.client().open_session("sip:c@x", {}, {}, false), 0U);
    for (int i = 0; i < 3; ++i) EXPECT_NE(world.client().say(last, "x", false), 0U);
    EXPECT_EQ(world.client().say(last, "x", false), 0U);
  });
}

}  // namespace
}  // namespace parley::tests

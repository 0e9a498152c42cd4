// Pager mode, the choice of mode, receipts, settings, registration.
#include "tests/client/client_world.h"

namespace parley::tests {
namespace {

using namespace client;

std::uint32_t send(ClientWorld& world, const std::string& text, bool report = false,
                   std::vector<std::string> to = {"sip:bob@example.org"}) {
  std::uint32_t ticket = 0;
  world.step([&] {
    ticket = world.client().send(
        {.to = to, .content_type = "text/plain", .body = std::make_shared<TextSource>(text), .want_delivery = report});
  });
  return ticket;
}
std::string message(const std::string& lines, const std::string& content, const std::string& call = "m1") {
  return "MESSAGE sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK" + call +
         "\r\nMax-Forwards: 70\r\nFrom: \"Bob\" <sip:bob@example.org>;tag=1\r\nTo: "
         "<sip:alice@example.org>\r\nCall-ID: " +
         call + "\r\nCSeq: 1 MESSAGE\r\n" + lines + ClientWorld::with_body(content);
}

TEST(Mode, SEED3_8_1_1_SEED3_8_1_2_DEC_12_below_1300_bytes_of_the_whole_request_it_is_a_message) {
  bool large = false;
  std::size_t longest = 0;
  for (std::size_t size = 100; size < 1400; ++size) {
    ClientWorld world;
    send(world, std::string(size, 'x'));
    const std::string first = world.next();
    ASSERT_NE(first, "");
    if (first.starts_with("MESSAGE")) {
      ASSERT_FALSE(large) << size;
      longest = std::max(longest, first.size());
      // With credentials, as it will be when it has been asked for them.
      world.respond(
          first, "407 Who",
          "Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"AAAABAXvEAAQAAAAAAAAAOB76cc0u8YHvQGcfXwsyc8e\", "
          "opaque=\"B76cc0u8\", qop=\"auth\", algorithm=SHA-256\r\n");
      ASSERT_LT(world.next("MESSAGE").size(), 1300U) << size;
    } else {
      ASSERT_TRUE(first.starts_with("INVITE"));
      EXPECT_EQ(field(first, "Accept-Contact"), "*;+g.oma.sip-im;+g.oma.sip-im.large-message");
      large = true;
    }
  }
  EXPECT_TRUE(large);
  EXPECT_GT(longest, 700U);
}

TEST(Mode, OMA_LRG_1_a_large_message_and_then_bye) {
  ClientWorld world;
  const std::uint32_t ticket = send(world, std::string(3000, 'x'));
  const std::string invite = world.next("INVITE");
  world.respond(invite, "200 OK", "Contact: <sip:bob@127.0.0.1:7000>\r\nContent-Type: application/sdp\r\n", chat_sdp());
  const core::ConnId conn = world.media_connected();
  std::string out = world.written(conn);
  const auto answer = [&](const std::string& text, const std::string& status) {
    const std::string tid = text.substr(5, text.find(' ', 5) - 5);
    world.bytes(conn, "MSRP " + tid + " " + status + "\r\nTo-Path: " + field(text, "From-Path") +
                          "\r\nFrom-Path: " + field(text, "To-Path") + "\r\n-------" + tid + "$\r\n");
  };
  std::string message_id;
  while (!out.empty()) {
    const std::string tid = out.substr(5, out.find(' ', 5) - 5);
    const std::size_t end = out.find("\r\n", out.find("-------" + tid)) + 2;
    const std::string frame = out.substr(0, end);
    out.erase(0, end);
    message_id = field(frame, "Message-ID");
    answer(frame, "200 OK");
  }
  const Event sent = world.event("sent");
  EXPECT_EQ(sent.number_of("ticket"), ticket);
  EXPECT_EQ(sent.get("mode"), "large");
  EXPECT_EQ(world.next("BYE"), "");  // the REPORT is waited for
  world.bytes(conn,
              "MSRP rrrr1111 REPORT\r\nTo-Path: " + std::string("msrp://127.0.0.1:2855/") + "\r\nFrom-Path: x\r\n");
  world.pass(31s);
  EXPECT_NE(world.next("BYE"), "");
}

TEST(Mode, a_refused_large_message_is_told_as_not_sent) {
  ClientWorld world;
  const std::uint32_t ticket = send(world, std::string(3000, 'x'));
  world.respond(world.next("INVITE"), "403 No");
  const Event sent = world.event("sent");
  EXPECT_EQ(sent.number_of("ticket"), ticket);
  EXPECT_EQ(sent.number_of("status"), 403U);
}

TEST(Pager, SEED3_8_1_1_11_it_goes_to_the_server_and_its_answer_is_told) {
  ClientWorld world;
  const std::uint32_t ticket = send(world, "hello");
  const std::string request = world.next("MESSAGE");
  EXPECT_TRUE(request.starts_with("MESSAGE sip:bob@example.org SIP/2.0"));
  world.respond(request, "202 Accepted");
  const Event sent = world.event("sent");
  EXPECT_EQ(sent.number_of("ticket"), ticket);
  EXPECT_EQ(sent.number_of("status"), 202U);
}

TEST(Pager, OMA_POL_4_what_a_server_says_of_sizes_and_types_is_told) {
  ClientWorld world;
  send(world, "hello");
  world.respond(world.next("MESSAGE"), "415 No", "Accept: text/html\r\nWarning: 399 x \"too long\"\r\n");
  const Event sent = world.event("sent");
  EXPECT_EQ(sent.get("accept"), "text/html");
  EXPECT_EQ(sent.get("warning"), "399 x \"too long\"");
}

TEST(Pager, SEED3_8_1_1_6_a_list_goes_to_the_factory) {
  ClientWorld world([](ClientConfig& config) { config.agent.password.clear(); });  // it has to be short enough
  send(world, "hello", false, {"sip:bob@example.org", "sip:carol@example.org"});
  EXPECT_TRUE(world.next("MESSAGE").starts_with("MESSAGE sip:factory@example.org;sessiontype=adhoc SIP/2.0"));
}

TEST(Pager, R3428_1_no_answer_in_32_s_is_408) {
  ClientWorld world;
  send(world, "hello");
  world.pass(33s);
  EXPECT_EQ(world.event("sent").number_of("status"), 408U);
}

TEST(Receipt, SEED3_8_1_1_10_SEED3_8_1_1_N3_is_known_again_for_a_while) {
  ClientWorld world;
  const std::uint32_t ticket = send(world, "hello", true);
  const std::string request = world.next("MESSAGE");
  const Content asked = read_content(field(request, "Content-Type"), body(request));
  ASSERT_TRUE(asked.wants_delivery);
  world.respond(request, "202 Accepted");
  const auto receipt = [&](const std::string& id, const std::string& call) {
    world.receive(message("Content-Type: message/cpim\r\n",
                          wrap_cpim({.from_name = {},
                                     .from_uri = "sip:bob@example.org",
                                     .to_uri = "sip:alice@example.org",
                                     .wall_ms = 0,
                                     .imdn_id = "n",
                                     .is_notification = true,
                                     .imdn_route = {},
                                     .content_type = "message/imdn+xml",
                                     .body = imdn_document(id, Disposition::delivered, "sip:bob@example.org", 0)}),
                          call));
    EXPECT_NE(world.next("SIP/2.0 200"), "");
  };
  receipt("somebody else's", "r1");
  EXPECT_EQ(world.event("delivery").name, "");
  receipt(asked.imdn_id, "r2");
  const Event delivery = world.event("delivery");
  EXPECT_EQ(delivery.number_of("ticket"), ticket);
  EXPECT_EQ(delivery.get("status"), "delivered");
  world.pass(301s);
  EXPECT_EQ(world.event("delivery").name, "");  // it was answered
  receipt(asked.imdn_id, "r3");
  EXPECT_EQ(world.event("delivery").name, "");
}

TEST(Receipt, that_does_not_come_is_told_and_forgotten) {
  ClientWorld world;
  send(world, "hello", true);
  world.respond(world.next("MESSAGE"), "202 Accepted");
  world.pass(301s);
  EXPECT_EQ(world.event("delivery").get("status"), "timeout");
}

TEST(Received, R3428_1_a_message_is_answered_200_without_body_and_contact) {
  ClientWorld world;
  world.receive(message("Content-Type: text/plain\r\nP-Asserted-Identity: <sip:bob@example.org>\r\n", "hi"));
  const std::string ok = world.next("SIP/2.0 200");
  EXPECT_EQ(field(ok, "Contact"), "");
  EXPECT_EQ(field(ok, "Content-Length"), "0");
  const Event event = world.event("message");
  EXPECT_EQ(event.get("from"), "sip:bob@example.org");
  EXPECT_EQ(event.get("text"), "hi");
  EXPECT_EQ(event.get("mode"), "pager");
}

TEST(Received, R3261_1_a_retransmission_is_answered_and_not_shown_twice) {
  ClientWorld world;
  world.receive(message("Content-Type: text/plain\r\n", "hi"));
  world.receive(message("Content-Type: text/plain\r\n", "hi"));
  EXPECT_EQ(world.next(), world.next());
  EXPECT_EQ(world.event("message").name, "message");
  EXPECT_EQ(world.event("message").name, "");
}

TEST(Received, OMA_DEF_8_what_the_deferred_function_brings_is_from_its_writer) {
  ClientWorld world;
  world.receive(message("Content-Type: text/plain\r\nP-Asserted-Identity: <sip:Deferred@example.org>\r\n", "late"));
  EXPECT_EQ(world.event("message").get("from"), "sip:bob@example.org");
}

// A picture of bob's, who asks for both receipts.
std::string a_picture(const std::string& from = "sip:bob@example.org") {
  return wrap_cpim({.from_name = {},
                    .from_uri = from,
                    .to_uri = "sip:alice@example.org",
                    .wall_ms = 0,
                    .imdn_id = "m9",
                    .want_delivery = true,
                    .want_display = true,
                    .imdn_route = {},
                    .content_type = "image/png",
                    .body = "\x89PNG"});
}
constexpr const char* in_cpim = "Content-Type: message/cpim\r\n";

TEST(Received, what_can_neither_be_shown_nor_kept_is_415_and_not_delivered) {
  ClientWorld world([](ClientConfig& config) { config.tells_bytes = false; });
  world.files.answer = FileStore::no_place;
  world.receive(message("Content-Type: application/octet-stream\r\n", "\x01"));
  EXPECT_NE(field(world.next("SIP/2.0 415"), "Accept"), "");
  const Event event = world.event("message");
  EXPECT_EQ(event.get("good"), "false");
  EXPECT_EQ(event.number_of("size"), 1U);
  world.receive(message(in_cpim, a_picture(), "m2"));
  EXPECT_NE(world.next("SIP/2.0 415"), "");
  EXPECT_EQ(world.next("MESSAGE"), "") << "a receipt of what nobody has";
}

TEST(Received, what_is_no_text_is_a_file_and_delivered_but_not_displayed) {
  ClientWorld world([](ClientConfig& config) { config.answer_displayed = true; });
  world.receive(message(in_cpim, a_picture()));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("message").get("path"), "/x");
  ASSERT_EQ(world.files.files.size(), 1U);
  EXPECT_EQ(world.files.files.begin()->second.bytes, "\x89PNG");
  EXPECT_EQ(world.files.files.begin()->second.offer.name, "bob-20231114T221320Z.png");
  EXPECT_NE(world.next("MESSAGE").find("<delivered/>"), std::string::npos);
  EXPECT_EQ(world.next("MESSAGE"), "");
}

TEST(Received, what_is_no_text_is_told_as_it_is_to_programs) {
  ClientWorld world([](ClientConfig& config) { config.answer_displayed = true; });
  world.files.answer = FileStore::no_place;
  world.receive(message(in_cpim, a_picture()));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("message").get("base64"), "iVBORw==");
  EXPECT_NE(world.next("MESSAGE").find("<delivered/>"), std::string::npos);
  EXPECT_NE(world.next("MESSAGE").find("<displayed/>"), std::string::npos);
  world.receive(message("Content-Type: text/plain;charset=iso-8859-1\r\n", "gr\xfc\xdf", "m2"));
  EXPECT_EQ(world.event("message").get("base64"), "Z3L83w==") << "what JSON can not have";
}

TEST(Received, what_the_disk_does_not_take_is_not_delivered) {
  ClientWorld world;
  world.files.full = true;
  world.receive(message(in_cpim, a_picture()));
  EXPECT_NE(world.next("SIP/2.0 500"), "") << "what means that he is not there would hold what others send";
  EXPECT_EQ(world.event("message").get("good"), "false");
  EXPECT_EQ(world.next("MESSAGE"), "");
}

TEST(Received, T_90_what_stands_beside_the_text_is_told_too) {
  ClientWorld world;
  const std::string parts = "--b\r\n\r\nlook\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--b--\r\n";
  world.receive(message("Content-Type: multipart/mixed;boundary=b\r\n", parts));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("message").get("text"), "look");
  const Event part = world.event("part");
  EXPECT_EQ(part.get("from"), "sip:bob@example.org");
  EXPECT_EQ(part.get("path"), "/x");
}

TEST(Received, T_90_a_message_of_several_parts_is_taken_whole_or_not_at_all) {
  const std::string parts =
      "--b\r\n\r\nlook\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n"
      "--b\r\nContent-Type: image/gif\r\n\r\ngif\r\n--b--\r\n";
  const std::string type = "Content-Type: multipart/mixed;boundary=b\r\n";
  ClientWorld world([](ClientConfig& config) { config.tells_bytes = false; });
  const auto nothing_but = [&](const std::string& refused, const std::string& why) {
    const Event message = world.event("message");
    EXPECT_EQ(message.get("from"), "sip:bob@example.org");
    EXPECT_EQ(message.get("type"), refused);
    EXPECT_EQ(message.get("why"), why);
    EXPECT_TRUE(world.events.empty()) << why;
  };
  world.files.answer = FileStore::no_place;
  world.receive(message(type, parts, "m1"));
  EXPECT_NE(world.next("SIP/2.0 415"), "");
  nothing_but("image/png", "--files names no place for it");
  EXPECT_TRUE(world.files.removed.empty());
  world.files.answer = 0;
  world.files.takes = 1;
  world.receive(message(type, parts, "m2"));
  EXPECT_NE(world.next("SIP/2.0 500"), "");
  nothing_but("image/gif", "its file can not be written");
  EXPECT_EQ(world.files.removed, std::vector<std::string>{"/x"}) << "the part before it";
  world.files.takes = 100;
  world.receive(message(type, parts, "m3"));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("message").get("text"), "look");
  EXPECT_EQ(world.event("part").get("type"), "image/png");
  EXPECT_EQ(world.event("part").get("type"), "image/gif");
  EXPECT_EQ(world.files.removed.size(), 1U);
}

TEST(Received, so_much_is_saved_and_no_more) {
  ClientWorld world([](ClientConfig& config) { config.saved_bytes_max = 3 * 4096; });
  const auto status = [&](const std::string& call, const std::string& content) {
    world.receive(message("Content-Type: image/png\r\n", content, call));
    return world.next("SIP/2.0 ").substr(8, 3);
  };
  EXPECT_EQ(status("m1", "x"), "200");
  EXPECT_EQ(status("m2", std::string(5000, 'x')), "200");
  world.events.clear();
  EXPECT_EQ(status("m3", "x"), "500");
  EXPECT_FALSE(world.files.ended[FileStore::of_message]) << "nothing of it is left";
  EXPECT_EQ(world.event("message").get("why"), "--saved-bytes-max is reached");
  world.receive(message("Content-Type: text/plain\r\n", "hi", "m4"));
  EXPECT_NE(world.next("SIP/2.0 200"), "") << "a text takes no disk";
}

TEST(Received, OMA_DEF_12_what_waits_is_told_as_a_list) {
  ClientWorld world;
  const std::string list =
      "<deferred-list xmlns=\"urn:oma:xml:im:deferred-list\"><entry id=\"7\"><from>sip:bob@example.org</from>"
      "<to>sip:alice@example.org</to><size>5</size><mode>pager</mode></entry></deferred-list>";
  const std::string type = "Content-Type: application/vnd.oma.im.deferred-list+xml\r\n";
  world.receive(message(type + "P-Asserted-Identity: <sip:Deferred@example.org>\r\n", list));
  EXPECT_NE(world.next("SIP/2.0 200"), "");
  EXPECT_EQ(world.event("entry").get("id"), "7");
  EXPECT_EQ(world.event("list").number_of("entries"), 1U);
  EXPECT_EQ(world.event("message").name, "");
  world.receive(message(type + "P-Asserted-Identity: <sip:mallory@example.org>\r\n", list, "m2"));
  EXPECT_EQ(world.event("entry").name, "") << "anybody can write one";
}

TEST(Received, R5438_3_a_receipt_goes_to_what_can_be_called) {
  for (const char* from : {"sip:bob@", "bob", "sip:", "http://example.org/", "mailto:bob@example.org",
                           "sip:bob@example.org?Route=%3Csip:x%3E",
                           "sip:b\xc3\xb6"
                           "b@example.org"}) {
    ClientWorld world;
    world.receive(message(in_cpim, a_picture(from)));
    EXPECT_NE(world.next("SIP/2.0 200"), "") << from;
    EXPECT_EQ(world.next("MESSAGE"), "") << from;
    EXPECT_EQ(world.event("no_receipt").get("to"), from);
  }
  // What is no address at all says nothing of who sent it; the server does.
  for (const char* from :
       {"sip:mallory@example.org SIP/2.0", "sip:mallory@example.org\tX", "sip:mallory@example.org;a=\"<\""}) {
    ClientWorld world;
    world.receive(message(in_cpim, a_picture(from)));
    EXPECT_TRUE(world.next("MESSAGE").starts_with("MESSAGE sip:bob@example.org SIP/2.0\r\n")) << from;
  }
  for (const char* from :
       {"sip:bob@example.org", "sips:bob@[2001:db8::1];x=%0d%0a", "tel:+49-30-123;phone-context=example.org"}) {
    ClientWorld world;
    world.receive(message(in_cpim, a_picture(from)));
    EXPECT_TRUE(world.next("MESSAGE").starts_with("MESSAGE " + std::string(from) + " SIP/2.0\r\n")) << from;
  }
}

TEST(Received, OMA_ALIAS_1_a_receipt_names_nobody_who_is_anonymous) {
  ClientWorld world([](ClientConfig& config) { config.self = anonymous(); });
  world.receive(message(in_cpim, a_picture()));
  const std::string notification = world.next("MESSAGE");
  EXPECT_NE(notification.find("<delivered/>"), std::string::npos);
  EXPECT_EQ(body(notification).find("alice"), std::string::npos) << notification;
}

TEST(Mode, OMA_ALIAS_1_a_large_message_that_asks_for_receipts_does_not_name_its_sender) {
  ClientWorld world([](ClientConfig& config) { config.self = anonymous(); });
  send(world, std::string(3000, 'x'), true);
  world.respond(world.next("INVITE"), "200 OK",
                "Contact: <sip:bob@127.0.0.1:7000>\r\nContent-Type: application/sdp\r\n", chat_sdp());
  const std::string said = world.written(world.media_connected());
  EXPECT_NE(said.find("imdn.Message-ID"), std::string::npos) << said;
  EXPECT_EQ(said.find("sip:alice@"), std::string::npos) << said;
}

TEST(Received, R5438_2_a_receipt_is_given_once_for_each_wish_and_none_for_receipts) {
  ClientWorld world([](ClientConfig& config) { config.answer_displayed = true; });
  const std::string wrapped = wrap_cpim({.from_name = "Bob",
                                         .from_uri = "sip:bob@example.org",
                                         .to_uri = "sip:alice@example.org",
                                         .wall_ms = 0,
                                         .imdn_id = "m9",
                                         .want_delivery = true,
                                         .want_display = true,
                                         .imdn_route = {},
                                         .content_type = "text/plain",
                                         .body = "hi"});
  world.receive(message("Content-Type: message/cpim\r\n", wrapped));
  (void)world.next("SIP/2.0 200");
  for (const Disposition disposition : {Disposition::delivered, Disposition::displayed}) {
    const std::string notification = world.next("MESSAGE");
    EXPECT_TRUE(notification.starts_with("MESSAGE sip:bob@example.org ")) << notification;
    const Content content = read_content(field(notification, "Content-Type"), body(notification));
    ASSERT_TRUE(content.imdn);
    EXPECT_EQ(content.imdn->message_id, "m9");
    EXPECT_EQ(content.imdn->disposition, disposition);
  }
  EXPECT_TRUE(world.quiet());
}

TEST(Received, R3994_1_composing_is_an_event_and_no_message) {
  ClientWorld world;
  world.receive(
      message("Content-Type: application/im-iscomposing+xml\r\n",
              "<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>active</state></isComposing>"));
  EXPECT_EQ(world.event("composing").get("active"), "true");
  EXPECT_EQ(world.event("message").name, "");
}

TEST(Settings, SEED3_5_2_4_9_SEED3_5_2_4_11_published_refreshed_and_told) {
  ClientWorld world;
  world.step([&] { world.client().publish("<poc-settings/>"); });
  const std::string first = world.next("PUBLISH");
  EXPECT_EQ(body(first), "<poc-settings/>");
  world.respond(first, "200 OK", "SIP-ETag: e1\r\nExpires: 1000\r\n");
  EXPECT_EQ(world.event("published").number_of("status"), 200U);
  world.pass(801s);
  const std::string refresh = world.next("PUBLISH");
  EXPECT_EQ(field(refresh, "SIP-If-Match"), "e1");
  EXPECT_EQ(body(refresh), "");
  world.forget();
  world.respond(refresh, "412 Forgotten");  // R3903-1
  const std::string anew = world.next("PUBLISH");
  EXPECT_EQ(field(anew, "SIP-If-Match"), "");
  EXPECT_EQ(body(anew), "<poc-settings/>");
}

TEST(Settings, SEED3_5_2_4_7_a_time_that_is_too_short_is_raised) {
  ClientWorld world([](ClientConfig& config) { config.publish_seconds = 60; });
  world.step([&] { world.client().publish("<x/>"); });
  world.respond(world.next("PUBLISH"), "423 Too Brief", "Min-Expires: 500\r\n");
  EXPECT_EQ(field(world.next("PUBLISH"), "Expires"), "500");
}

TEST(Settings, SEED3_5_2_4_10_OMA_DEF_11_without_offline_delivery_what_waits_is_asked_for) {
  ClientWorld world;
  world.step([&] { world.client().publish("<x/>", false); });
  world.respond(world.next("PUBLISH"), "200 OK", "SIP-ETag: e1\r\nExpires: 1000\r\n");
  const std::string fetch = world.next("SUBSCRIBE");
  EXPECT_TRUE(fetch.starts_with("SUBSCRIBE sip:alice@example.org "));
  EXPECT_EQ(field(fetch, "Event"), "ua-profile");
  EXPECT_EQ(field(fetch, "Accept"), "application/vnd.oma.im.deferred-list+xml");
  EXPECT_EQ(field(fetch, "Expires"), "0");
  world.step([&] { world.client().publish("<x/>", true); });
  world.respond(world.next("PUBLISH"), "200 OK", "SIP-ETag: e2\r\nExpires: 1000\r\n");
  EXPECT_EQ(world.next("SUBSCRIBE"), "");
}

TEST(Register, is_refreshed_and_given_up_at_the_end) {
  ClientWorld world;
  world.step([&] { world.client().enrol(); });
  const std::string first = world.next("REGISTER");
  world.respond(first, "401 Who", "WWW-Authenticate: Digest realm=\"example.org\", nonce=\"n\", qop=\"auth\"\r\n");
  const std::string second = world.next("REGISTER");
  EXPECT_NE(field(second, "Authorization"), "");
  EXPECT_EQ(field(second, "Call-ID"), field(first, "Call-ID"));
  world.respond(second, "200 OK", "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
  EXPECT_EQ(world.event("registered").number_of("expires"), 100U);
  world.pass(81s);
  const std::string refresh = world.next("REGISTER");
  EXPECT_EQ(field(refresh, "Call-ID"), field(first, "Call-ID"));
  world.forget();
  EXPECT_NE(field(refresh, "Authorization"), "");  // the nonce is known
  world.respond(refresh, "200 OK", "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
  EXPECT_EQ(world.event("registered").name, "");
  world.step([&] { world.client().stop(); });
  const std::string last = world.next("REGISTER");
  EXPECT_EQ(field(last, "Expires"), "0");
  EXPECT_FALSE(world.client().over());
  world.respond(last, "200 OK");
  EXPECT_TRUE(world.client().over());
}

// The same for all: SEED0-8.2.2.1-IMS, SEED3-5.2.4-IMS, SEED3-7.1.1.1-IMS, SEED3-9.1.1.1-IMS.
TEST(Register, SEED1_7_1_1_1_IMS_SEED3_8_1_1_IMS_the_service_route_is_gone) {
  ClientWorld world;
  world.step([&] { world.client().enrol(); });
  world.respond(world.next("REGISTER"), "200 OK",
                "Service-Route: <sip:orig@s1;lr>\r\nService-Route: <sip:s2;lr>\r\nP-Associated-URI: <tel:+491>\r\n"
                "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
  send(world, "hello");
  EXPECT_EQ(field(world.next("MESSAGE"), "Route"), "<sip:orig@s1;lr>, <sip:s2;lr>");
  world.step([&] { (void)world.client().open_session("sip:bob@example.org", {}, {}, false); });
  EXPECT_EQ(field(world.next("INVITE"), "Route"), "<sip:orig@s1;lr>, <sip:s2;lr>");
  world.pass(81s);
  EXPECT_EQ(field(world.next("REGISTER"), "Route"), "");
}

TEST(Register, T_11_423_raises_the_time) {
  ClientWorld world;
  world.step([&] { world.client().enrol(); });
  world.respond(world.next("REGISTER"), "423 Too Brief", "Min-Expires: 7200\r\n");
  EXPECT_EQ(field(world.next("REGISTER"), "Expires"), "7200");
}

TEST(Register, a_server_that_is_away_is_asked_again_and_one_that_refuses_is_not) {
  ClientWorld away;
  away.step([&] { away.client().enrol(); });
  away.forget();
  away.pass(33s);
  EXPECT_EQ(away.event("register_failed").number_of("status"), 408U);
  away.forget();
  away.pass(3s);
  EXPECT_NE(away.next("REGISTER"), "");
  ClientWorld refused;
  refused.step([&] { refused.client().enrol(); });
  refused.respond(refused.next("REGISTER"), "403 No");
  EXPECT_EQ(refused.event("register_failed").number_of("status"), 403U);
  refused.pass(600s);
  EXPECT_EQ(refused.next("REGISTER"), "");
}

TEST(End, a_server_that_does_not_answer_is_not_waited_for_for_ever) {
  ClientWorld world;
  world.step([&] { world.client().enrol(); });
  world.respond(world.next("REGISTER"), "200 OK", "Contact: <sip:alice@192.0.2.1:40000>;expires=100\r\n");
  world.step([&] { world.client().stop(); });
  world.pass(3s);
  EXPECT_FALSE(world.client().over());
  world.pass(1s);
  EXPECT_TRUE(world.client().over());
}

TEST(Options, R4579_3_what_we_are) {
  ClientWorld world;
  std::string options = message({}, {});
  options.replace(0, 7, "OPTIONS");
  options.replace(options.find("1 MESSAGE"), 9, "1 OPTIONS");
  world.receive(options);
  const std::string ok = world.next("SIP/2.0 200");
  EXPECT_NE(field(ok, "Allow"), "");
  EXPECT_NE(field(ok, "Accept"), "");
}

}  // namespace
}  // namespace parley::tests

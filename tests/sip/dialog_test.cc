// tests/sip/dialog_test.cc - R3261-5, R3261-8: what a dialog remembers, what it refuses, where its requests go.
#include "sip/dialog.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sip/own_tag.h"
#include "tests/sip/sip_message.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

core::Pool::Config small_pool(std::uint64_t heap = 1 << 20) {
  return {.small_count = 1, .large_count = 1, .arena_count = 1, .heap_bytes_max = heap};
}

const std::string invite_in =
    "INVITE sip:room@parley.example SIP/2.0\n"
    "Via: SIP/2.0/TCP p2.example;branch=z9hG4bK2\n"
    "Record-Route: <sip:p2.example;lr>, <sip:p1.example;transport=tcp;lr>\n"
    "Record-Route: \"a, b\" <sip:p0.example;lr>;x=1\n"
    "Max-Forwards: 68\n"
    "To: \"Room\"\n <sip:room@parley.example>\n"
    "From: \"Alice, A\" <sip:alice@example.com>;tag=a1\n"
    "Call-ID: c1@example.com\n"
    "CSeq: 10 INVITE\n"
    "Contact: <sip:alice@192.0.2.7:5070;transport=tcp>;+g.oma.sip-im\n"
    "Content-Length: 0\n\n";

const OpeningRequest ours{.call_id = "c2",
                          .from = "<sip:room@parley.example>;tag=l2",
                          .to = "<sip:bob@example.org>",
                          .uri = "sip:bob@example.org",
                          .cseq = 7};

std::string response(const std::string& status, const std::string& tag, const std::string& more) {
  return "SIP/2.0 " + status + " x\nVia: SIP/2.0/UDP me;branch=z9hG4bK1\nFrom: <sip:room@parley.example>;tag=l2\n" +
         "To: <sip:bob@example.org>" + (tag.empty() ? "" : ";tag=" + tag) + "\nCall-ID: c2\nCSeq: 7 INVITE\n" + more +
         "Content-Length: 0\n\n";
}

std::string in_dialog(const std::string& method, unsigned cseq, const std::string& more = "") {
  return method + " sip:x@y SIP/2.0\nVia: SIP/2.0/UDP b;branch=z9hG4bK" + std::to_string(cseq) +
         "\nMax-Forwards: 70\nTo: <sip:room@parley.example>;tag=mine\nFrom: <sip:alice@example.com>;tag=a1\n" +
         "Call-ID: c1@example.com\nCSeq: " + std::to_string(cseq) + " " + method + "\n" + more +
         "Content-Length: 0\n\n";
}

struct Dialogs : testing::Test {
  core::Pool pool{small_pool()};
  Dialog dialog{pool};

  void accept() {
    const SipMessage invite(invite_in);
    ASSERT_EQ(dialog.accept(invite.head(), invite.bytes, invite.essentials, "mine", false), DialogFault::none);
  }
  DialogFault open(const std::string& text) {
    const SipMessage message(text);
    return dialog.open(ours, message.head(), message.bytes, message.essentials);
  }
  std::string written(std::string_view method) {
    std::string out;
    dialog.write({.method = method, .cseq = dialog.next_cseq(), .via = "SIP/2.0/UDP me;branch=z9hG4bK9"}, out);
    const SipMessage reads(out);
    return out;
  }
};

TEST_F(Dialogs, R3261_5_WithoutAViaItIsLeftToWhoeverSendsIt) {
  accept();
  std::string out;
  dialog.write({.method = "BYE", .cseq = dialog.next_cseq()}, out);
  EXPECT_EQ(out.find("Via:"), std::string::npos) << out;
  EXPECT_NE(out.find("\r\nMax-Forwards: 70\r\n"), std::string::npos) << out;
}

TEST_F(Dialogs, R3261_5_AsUasItKeepsTheRequestsSidesAndItsRouteInOrder) {
  accept();
  EXPECT_TRUE(dialog.is("c1@example.com", "mine", "a1"));
  EXPECT_FALSE(dialog.is("c1@example.com", "a1", "mine"));
  EXPECT_EQ(dialog.local(), "\"Room\" <sip:room@parley.example>;tag=mine");
  EXPECT_EQ(dialog.remote(), "\"Alice, A\" <sip:alice@example.com>;tag=a1");
  EXPECT_EQ(dialog.local_uri(), "sip:room@parley.example");
  EXPECT_EQ(dialog.remote_uri(), "sip:alice@example.com");
  EXPECT_EQ(dialog.remote_target(), "sip:alice@192.0.2.7:5070;transport=tcp");
  EXPECT_EQ(dialog.route_set(),
            "<sip:p2.example;lr>, <sip:p1.example;transport=tcp;lr>, \"a, b\" <sip:p0.example;lr>;x=1");
  EXPECT_EQ(dialog.next_hop(), "sip:p2.example;lr");
  EXPECT_EQ(dialog.state(), DialogState::early);
  EXPECT_FALSE(dialog.owns_call_id());
  dialog.confirm();
  EXPECT_EQ(dialog.state(), DialogState::confirmed);
  EXPECT_EQ(written("BYE"),
            "BYE sip:alice@192.0.2.7:5070;transport=tcp SIP/2.0\r\n"
            "Via: SIP/2.0/UDP me;branch=z9hG4bK9\r\n"
            "Route: <sip:p2.example;lr>, <sip:p1.example;transport=tcp;lr>, \"a, b\" <sip:p0.example;lr>;x=1\r\n"
            "Max-Forwards: 70\r\n"
            "From: \"Room\" <sip:room@parley.example>;tag=mine\r\n"
            "To: \"Alice, A\" <sip:alice@example.com>;tag=a1\r\n"
            "Call-ID: c1@example.com\r\n"
            "CSeq: 1 BYE\r\n"
            "Content-Length: 0\r\n\r\n");
}

TEST_F(Dialogs, R3261_5_AsUacTheRouteIsReversedAndThe2xxReplacesThatOfTheEarlyDialog) {
  EXPECT_EQ(open(response("180", "", "")), DialogFault::no_tag);
  ASSERT_EQ(open(response("180", "b1", "Record-Route: <sip:a;lr>, <sip:b;lr>\nContact: <sip:bob@early>\n")),
            DialogFault::none);
  EXPECT_EQ(dialog.state(), DialogState::early);
  EXPECT_EQ(dialog.route_set(), "<sip:b;lr>, <sip:a;lr>");
  EXPECT_EQ(dialog.remote(), "<sip:bob@example.org>;tag=b1");
  EXPECT_TRUE(dialog.owns_call_id());

  const SipMessage ok(response("200", "b1", "Record-Route: <sip:c;lr>\nContact: <sip:bob@late>\n"));
  EXPECT_EQ(dialog.confirm(ok.head(), ok.bytes), DialogFault::none);
  EXPECT_EQ(dialog.state(), DialogState::confirmed);
  EXPECT_EQ(dialog.route_set(), "<sip:c;lr>");
  EXPECT_EQ(dialog.remote_target(), "sip:bob@late");

  // Confirmed: the route stays, whatever a later 2xx says.
  const SipMessage later(response("200", "b1", "Record-Route: <sip:d;lr>\nContact: <sip:bob@moved>\n"));
  EXPECT_EQ(dialog.confirm(later.head(), later.bytes), DialogFault::none);
  EXPECT_EQ(dialog.route_set(), "<sip:c;lr>");
  EXPECT_EQ(dialog.remote_target(), "sip:bob@moved");
  EXPECT_EQ(dialog.next_cseq(), 8U);
}

TEST_F(Dialogs, R3261_5_AResponseWithoutContactIsAnsweredAtTheRequestsUri) {
  ASSERT_EQ(open(response("200", "b1", "")), DialogFault::none);
  EXPECT_EQ(dialog.state(), DialogState::confirmed);
  EXPECT_EQ(dialog.remote_target(), "sip:bob@example.org");
  EXPECT_EQ(dialog.next_hop(), "sip:bob@example.org");
}

TEST_F(Dialogs, R3261_5_LowerAndEqualCSeqIsOutOfOrderAndGapsAreFine) {
  accept();
  const auto receive = [&](unsigned cseq) {
    const SipMessage message(in_dialog("INFO", cseq));
    return dialog.receive(message.essentials);
  };
  EXPECT_EQ(receive(9), DialogCheck::out_of_order);
  EXPECT_EQ(receive(10), DialogCheck::out_of_order);
  EXPECT_EQ(receive(11), DialogCheck::ok);
  EXPECT_EQ(receive(4711), DialogCheck::ok);
  EXPECT_EQ(receive(12), DialogCheck::out_of_order);
  EXPECT_EQ(dialog.remote_cseq(), 4711U);
  EXPECT_EQ(receive(2147483647), DialogCheck::ok);
  EXPECT_EQ(receive(1), DialogCheck::out_of_order);
  dialog.terminate();
  EXPECT_EQ(receive(5000), DialogCheck::gone);
}

TEST_F(Dialogs, R3261_5_AUacTakesAnyFirstCSeq) {
  ASSERT_EQ(open(response("200", "b1", "")), DialogFault::none);
  const SipMessage first(in_dialog("INFO", 1));
  EXPECT_EQ(dialog.receive(first.essentials), DialogCheck::ok);
  EXPECT_EQ(dialog.receive(first.essentials), DialogCheck::out_of_order);
}

TEST_F(Dialogs, R3261_5_OnlyTargetRefreshesMoveTheTarget) {
  for (const Method method : {Method::invite, Method::update, Method::subscribe, Method::notify, Method::refer}) {
    EXPECT_TRUE(refreshes_target(method));
  }
  for (const Method method : {Method::info, Method::prack, Method::bye, Method::message, Method::options, Method::ack,
                              Method::cancel, Method::publish, Method::other}) {
    EXPECT_FALSE(refreshes_target(method));
  }
  accept();
  const std::string route(dialog.route_set());
  const SipMessage update(
      in_dialog("UPDATE", 11, "Contact: <sip:alice@[2001:db8::1]:5080>\nRecord-Route: <sip:evil;lr>\n"));
  EXPECT_EQ(dialog.refresh(update.head(), update.bytes), DialogFault::none);
  EXPECT_EQ(dialog.remote_target(), "sip:alice@[2001:db8::1]:5080");
  EXPECT_EQ(dialog.route_set(), route);
  EXPECT_TRUE(dialog.is("c1@example.com", "mine", "a1"));
  for (const std::string none : {"", "Contact: *\n", "Contact: <mailto:a@b>\n"}) {
    const SipMessage odd(in_dialog("UPDATE", 12, none));
    EXPECT_EQ(dialog.refresh(odd.head(), odd.bytes), DialogFault::none);
    EXPECT_EQ(dialog.remote_target(), "sip:alice@[2001:db8::1]:5080") << none;
  }
}

TEST_F(Dialogs, R3261_5_AStrictRouterGetsItsUriInTheRequestLineAndTheTargetLast) {
  std::string text = invite_in;
  text.replace(text.find("<sip:p2.example;lr>"), 19, "<sip:p2.example;method=INVITE;x=1?a=b>");
  const SipMessage invite(text);
  ASSERT_EQ(dialog.accept(invite.head(), invite.bytes, invite.essentials, "mine", false), DialogFault::none);
  const std::string bye = written("BYE");
  EXPECT_NE(bye.find("BYE sip:p2.example;x=1 SIP/2.0\r\n"), std::string::npos) << bye;
  EXPECT_NE(bye.find("\r\nRoute: <sip:p1.example;transport=tcp;lr>, \"a, b\" <sip:p0.example;lr>;x=1\r\n"
                     "Route: <sip:alice@192.0.2.7:5070;transport=tcp>\r\n"),
            std::string::npos)
      << bye;
}

TEST_F(Dialogs, R3261_5_AStrictRouterAloneLeavesOnlyTheTargetInRoute) {
  ASSERT_EQ(open(response("200", "b1", "Record-Route: <sip:old.example>\nContact: <sip:bob@here>\n")),
            DialogFault::none);
  const std::string bye = written("BYE");
  EXPECT_EQ(bye.find("BYE sip:old.example SIP/2.0\r\n"), 0U);
  EXPECT_NE(bye.find("\r\nRoute: <sip:bob@here>\r\nMax-Forwards"), std::string::npos) << bye;
}

TEST_F(Dialogs, R3261_5_ALooseRouteWithoutBracketsKeepsItsLr) {
  ASSERT_EQ(open(response("200", "b1", "Record-Route: sips:p1.example;lr\nContact: <sip:bob@here>\n")),
            DialogFault::none);
  EXPECT_EQ(dialog.route_set(), "<sips:p1.example;lr>");
  EXPECT_EQ(written("BYE").find("BYE sip:bob@here SIP/2.0\r\n"), 0U);
}

TEST_F(Dialogs, R3261_5_TheRequestLineHasNoMethodAndNoHeaders) {
  ASSERT_EQ(open(response("200", "b1", "Contact: <sip:b;u@here;method=BYE;transport=tcp?Subject=x>\n")),
            DialogFault::none);
  EXPECT_EQ(written("BYE").find("BYE sip:b;u@here;transport=tcp SIP/2.0\r\n"), 0U);
}

TEST_F(Dialogs, R3261_8_TheAckOfA2xxGoesThroughTheRouteSetWithTheInvitesNumberAndCredentials) {
  ASSERT_EQ(open(response("200", "b1", "Record-Route: <sip:a;lr>, <sip:b;lr>\nContact: <sip:bob@here>\n")),
            DialogFault::none);
  const SipMessage invite(
      "INVITE sip:bob@example.org SIP/2.0\nVia: SIP/2.0/UDP me;branch=z9hG4bK1\nMax-Forwards: 70\n"
      "From: <sip:room@parley.example>;tag=l2\nTo: <sip:bob@example.org>\nCall-ID: c2\nCSeq: 7 INVITE\n"
      "Proxy-Authorization: Digest username=\"p\"\nAuthorization: Digest username=\"u\"\nContent-Length: 0\n\n");
  std::array<HeaderText, 4> credentials;
  const std::size_t count = copy_credentials(invite.head(), invite.bytes, credentials);
  ASSERT_EQ(count, 2U);
  (void)dialog.next_cseq();  // other requests may have gone out meanwhile
  std::string ack;
  dialog.write({.method = "ACK",
                .cseq = 7,
                .via = "SIP/2.0/UDP me;branch=z9hG4bKnew",
                .headers = std::span(credentials).first(count),
                .content_type = "application/sdp",
                .body = "v=0\r\n"},
               ack);
  EXPECT_EQ(ack,
            "ACK sip:bob@here SIP/2.0\r\nVia: SIP/2.0/UDP me;branch=z9hG4bKnew\r\nRoute: <sip:b;lr>, <sip:a;lr>\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:room@parley.example>;tag=l2\r\nTo: <sip:bob@example.org>;tag=b1\r\n"
            "Call-ID: c2\r\nCSeq: 7 ACK\r\nAuthorization: Digest username=\"u\"\r\n"
            "Proxy-Authorization: Digest username=\"p\"\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\n"
            "v=0\r\n");
}

TEST_F(Dialogs, T_25_AnAckIsKnownByDialogAndCSeqAlone) {
  accept();
  const SipMessage ack(in_dialog("ACK", 10));  // another branch, another URI, no Route
  EXPECT_TRUE(dialog.acknowledges(ack.essentials, 10));
  EXPECT_FALSE(dialog.acknowledges(ack.essentials, 11));
  const SipMessage bye(in_dialog("BYE", 10));
  EXPECT_FALSE(dialog.acknowledges(bye.essentials, 10));
}

TEST_F(Dialogs, R6665_5_TheNotifyMayComeFirst) {
  const SipMessage notify(
      "NOTIFY sip:me@parley.example SIP/2.0\nVia: SIP/2.0/UDP b;branch=z9hG4bKn\nMax-Forwards: 70\n"
      "Record-Route: <sip:a;lr>, <sip:b;lr>\nFrom: <sip:bob@example.org>;tag=n1\nTo: <sip:room@parley.example>;tag=l2\n"
      "Call-ID: c2\nCSeq: 4 NOTIFY\nContact: <sip:bob@here>\nContent-Length: 0\n\n");
  ASSERT_EQ(dialog.open_by_notify(ours, notify.head(), notify.bytes, notify.essentials), DialogFault::none);
  EXPECT_TRUE(dialog.is("c2", "l2", "n1"));
  EXPECT_EQ(dialog.route_set(), "<sip:a;lr>, <sip:b;lr>");
  EXPECT_EQ(dialog.state(), DialogState::confirmed);
  EXPECT_EQ(dialog.receive(notify.essentials), DialogCheck::out_of_order);
}

TEST_F(Dialogs, R6665_5_T_33_TheLastUsageEndsTheDialog) {
  accept();
  dialog.begin_usage();  // the INVITE
  dialog.begin_usage();  // a subscription
  EXPECT_FALSE(dialog.end_usage());
  EXPECT_EQ(dialog.state(), DialogState::early);
  EXPECT_TRUE(dialog.end_usage());
  EXPECT_EQ(dialog.state(), DialogState::terminated);
}

TEST_F(Dialogs, R3261_5_AnInviteThatCannotMakeADialogIsRefusedAndNothingIsKept) {
  const auto fault = [&](const std::string& from, const std::string& to) {
    std::string text = invite_in;
    text.replace(text.find(from), from.size(), to);
    const SipMessage invite(text);
    return dialog.accept(invite.head(), invite.bytes, invite.essentials, "mine", false);
  };
  const std::string contact = "Contact: <sip:alice@192.0.2.7:5070;transport=tcp>;+g.oma.sip-im\n";
  EXPECT_EQ(fault(contact, ""), DialogFault::no_contact);
  EXPECT_EQ(fault(contact, "Contact: *\n"), DialogFault::no_contact);
  EXPECT_EQ(fault(contact, "Contact: <http://example.com>\n"), DialogFault::no_contact);
  EXPECT_EQ(fault("<sip:p2.example;lr>", "<sip:p2.example;lr"), DialogFault::bad_route);
  EXPECT_EQ(fault("<sip:p2.example;lr>", "p2"), DialogFault::bad_route);
  std::string many = "<sip:p;lr>";
  for (std::size_t i = 0; i < dialog_routes_max; ++i) many += ", <sip:p;lr>";
  EXPECT_EQ(fault("<sip:p2.example;lr>", many), DialogFault::too_long);
  EXPECT_EQ(fault("p2.example;lr>", "p2.example;lr;x=" + std::string(dialog_bytes_max, 'x') + ">"),
            DialogFault::too_long);
  EXPECT_FALSE(dialog.made());
  EXPECT_EQ(pool.live_blocks(), 0U);
}

TEST_F(Dialogs, WithoutMemoryItStaysWhatItWas) {
  core::Pool tight(small_pool(400));
  Dialog small(tight);
  const SipMessage invite(invite_in);
  ASSERT_EQ(small.accept(invite.head(), invite.bytes, invite.essentials, "mine", false), DialogFault::none);
  const SipMessage update(in_dialog("UPDATE", 11, "Contact: <sip:alice@moved>\n"));
  EXPECT_EQ(small.refresh(update.head(), update.bytes), DialogFault::no_memory);
  EXPECT_EQ(small.remote_target(), "sip:alice@192.0.2.7:5070;transport=tcp");
  Dialog second(tight);
  EXPECT_EQ(second.accept(invite.head(), invite.bytes, invite.essentials, "mine", false), DialogFault::no_memory);
}

// Whatever a peer writes, requests in the dialog are whole, and their lines are ours.
TEST_F(Dialogs, R3261_16_WhatAPeerWroteNeverMakesALineOfItsOwn) {
  std::string crlf;
  for (const char c : invite_in) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  core::Random random({9, 9});
  const std::string_view odd = "<>\";,@:=\r\n\t \\%?&[]*\0x\xff";
  int made = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string text = crlf;
    for (std::uint64_t changes = 1 + random.uniform(3); changes != 0; --changes) {
      const std::size_t at = random.uniform(text.size());
      const char with = odd[random.uniform(odd.size())];
      switch (random.uniform(3)) {
        case 0: text[at] = with; break;
        case 1: text.insert(at, 1, with); break;
        default: text.erase(at, 1); break;
      }
    }
    HeadParser parser;
    if (parser.parse(text, {}) != Progress::done) continue;
    const Head& head = parser.head();
    Essentials essentials;
    const std::string_view bytes = std::string_view(text).substr(0, head.length);
    if (judge(head, bytes, {.stream = true}, essentials).kind != Verdict::Kind::accept) continue;
    Dialog odd_dialog(pool);
    if (odd_dialog.accept(head, bytes, essentials, "mine", false) != DialogFault::none) continue;
    ++made;
    std::string out;
    odd_dialog.write({.method = "BYE", .cseq = 1, .via = "SIP/2.0/UDP me;branch=z9hG4bK9"}, out);
    HeadParser again;
    ASSERT_EQ(again.parse(out, {}), Progress::done) << text << '\n' << out;
    ASSERT_EQ(again.head().length, out.size()) << text << '\n' << out;
    ASSERT_EQ(again.head().error, HeadError::none) << text << '\n' << out;
    Essentials read;
    ASSERT_EQ(judge(again.head(), out, {.stream = true}, read).kind, Verdict::Kind::accept) << text << '\n' << out;
    ASSERT_LE(again.head().header_count, 9U) << text << '\n' << out;
    ASSERT_EQ(read.call_id, essentials.call_id);
    ASSERT_EQ(read.from_tag, "mine");
    ASSERT_EQ(read.to_tag, essentials.from_tag);
    ASSERT_TRUE(odd_dialog.is(essentials.call_id, "mine", essentials.from_tag));
  }
  EXPECT_GT(made, 10000);
}

TEST_F(Dialogs, AMovedDialogTakesItsBlockAlong) {
  {
    accept();
    Dialog other(std::move(dialog));
    EXPECT_EQ(other.local_tag(), "mine");
    EXPECT_EQ(pool.live_blocks(), 1U);
  }
  EXPECT_EQ(pool.live_blocks(), 0U);
}

TEST(DialogTags, R3261_5_AnOwnTagNamesItsOwnerAndAForeignOneNobody) {
  core::Random random({1, 2, 3});
  for (int i = 0; i < 100; ++i) {
    const OwnTag tag = make_tag(random);
    EXPECT_NE(tag.key, 0U);
    EXPECT_EQ(tag_key(tag.view()), tag.key);
  }
  for (const std::string_view tag : {"", "a", "aaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaz", "AAAAAAAAAAAAAAAA"}) {
    EXPECT_EQ(tag_key(tag), 0U) << tag;
  }
}

TEST(DialogLosses, R3261_5_WhatAFinalResponseEnds) {
  EXPECT_EQ(dialog_loss(200), DialogLoss::nothing);
  EXPECT_EQ(dialog_loss(404), DialogLoss::dialog);
  EXPECT_EQ(dialog_loss(408), DialogLoss::usage);
  EXPECT_EQ(dialog_loss(481), DialogLoss::usage);
  EXPECT_EQ(dialog_loss(491), DialogLoss::nothing);
  EXPECT_EQ(dialog_loss(500), DialogLoss::nothing);
  EXPECT_EQ(dialog_loss(604), DialogLoss::dialog);
}

// --- another process

DialogRecord record_of(const Dialog& of) {
  return {.call_id = of.call_id(),
          .local = of.local(),
          .remote = of.remote(),
          .target = of.remote_target(),
          .routes = of.route_set(),
          .local_cseq = of.local_cseq(),
          .remote_cseq = of.remote_cseq(),
          .secure = of.secure()};
}

TEST_F(Dialogs, R3261_5_AnotherProcessWritesTheSameRequests) {
  accept();
  Dialog again(pool);
  ASSERT_EQ(again.restore(record_of(dialog)), DialogFault::none);
  EXPECT_EQ(again.state(), DialogState::confirmed);
  EXPECT_TRUE(again.is("c1@example.com", "mine", "a1"));
  std::string one;
  std::string two;
  dialog.write({.method = "NOTIFY", .cseq = dialog.next_cseq(), .via = "SIP/2.0/UDP me;branch=z9hG4bK9"}, one);
  again.write({.method = "NOTIFY", .cseq = again.next_cseq(), .via = "SIP/2.0/UDP me;branch=z9hG4bK9"}, two);
  EXPECT_EQ(one, two);
  EXPECT_EQ(again.next_hop(), dialog.next_hop());
  const SipMessage late(in_dialog("SUBSCRIBE", 10));
  EXPECT_EQ(again.receive(late.essentials), DialogCheck::out_of_order);
  const SipMessage next(in_dialog("SUBSCRIBE", 11));
  EXPECT_EQ(again.receive(next.essentials), DialogCheck::ok);
}

TEST_F(Dialogs, R3261_5_NumbersGoOnBehindEveryRecord) {
  accept();
  Dialog again(pool);
  DialogRecord record = record_of(dialog);
  record.local_cseq = 50;
  ASSERT_EQ(again.restore(record), DialogFault::none);
  record.local_cseq = 40;
  record.remote_cseq = 20;
  again.go_on_behind(record);
  EXPECT_EQ(again.next_cseq(), 51U);
  EXPECT_EQ(again.remote_cseq(), 20U);
  record.local_cseq = 0xffff'ffff;
  again.go_on_behind(record);
  EXPECT_EQ(again.next_cseq(), 0U) << "they are used up";
}

TEST_F(Dialogs, R3261_5_ARecordThatIsNoneMakesNone) {
  accept();
  const DialogRecord good = record_of(dialog);
  const auto fault = [&](auto&& change) {
    DialogRecord bad = good;
    change(bad);
    return Dialog(pool).restore(bad);
  };
  EXPECT_EQ(fault([](auto&) {}), DialogFault::none);
  EXPECT_EQ(fault([](auto& r) { r.target = "mailto:a@b"; }), DialogFault::no_contact);
  EXPECT_EQ(fault([](auto& r) { r.target = ""; }), DialogFault::no_contact);
  EXPECT_EQ(fault([](auto& r) { r.local = "<sip:a@b>"; }), DialogFault::no_tag);
  EXPECT_EQ(fault([](auto& r) { r.call_id = ""; }), DialogFault::no_tag);
  EXPECT_EQ(fault([](auto& r) { r.routes = "<sip:a"; }), DialogFault::bad_route);
  const std::string far(dialog_bytes_max, 'x');
  EXPECT_EQ(fault([&](auto& r) { r.call_id = far; }), DialogFault::too_long);
}

}  // namespace
}  // namespace parley::tests

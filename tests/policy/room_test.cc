// tests/policy/room_test.cc - the switch of a group: who gets what, and what the sender is told (RFC 7701).
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

using Kind = RoomFact::Kind;

TEST(Room, OMA_SES_13_WhatOneSendsTheOthersGetAsItIs) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob"), carol = w.join("carol");
  const int before = w.legs.fan_outs;
  EXPECT_EQ(w.says(alice, "m1", "Hello"), 200);
  EXPECT_EQ(w.legs.fan_outs, before + 1);
  const std::string sent = cpim(alice.uri, room_uri, "Hello");
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{sent});
  EXPECT_EQ(carol.phone->messages, std::vector<std::string>{sent});
  EXPECT_TRUE(alice.phone->messages.empty());
  EXPECT_EQ(bob.phone->frames[0].headers.find("m1"), std::string::npos) << "a Message-ID of ours";
  EXPECT_EQ(bob.phone->ids, carol.phone->ids);
  EXPECT_TRUE(bob.phone->frames[0].headers.ends_with("Content-Type: message/cpim\r\n"));
  EXPECT_EQ(w.rooms.counts(w.room).messages, 1U);
  w.end_all();
}

TEST(Room, R7701_2_TheSamePersonOnTwoDevices) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  Member second = RoomWorld::member("alice");
  second.device = "tablet";
  const auto tablet = w.join(second);
  EXPECT_EQ(w.says(alice, "m1", "x"), 200);
  EXPECT_EQ(tablet.phone->messages.size(), 1U);
  EXPECT_EQ(w.says(bob, "m2", "y"), 200);
  EXPECT_EQ(tablet.phone->messages.size(), 2U);
  EXPECT_EQ(alice.phone->messages.size(), 1U);
  w.end_all();
}

// OMA-MSRP-4
TEST(Room, R7701_1_OnlyCpimOfTypesThatTheRoomLetsThrough) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.wrapped_types = "text/plain image/*";
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.body = "Hello", .type = "text/plain"}), 415);
  EXPECT_EQ(w.sends(alice, {.body = cpim(alice.uri, room_uri, "x", "text/html")}), 415);
  EXPECT_EQ(w.sends(alice, {.body = cpim(alice.uri, room_uri, "x", "IMAGE/png;x=y")}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = cpim(alice.uri, room_uri, "x"), .type = "Message/CPIM;charset=utf-8"}),
            200);
  EXPECT_EQ(bob.phone->messages.size(), 2U);
  EXPECT_EQ(w.count(core::Metric::room_no_cpim), 2U);
  EXPECT_EQ(w.rooms.counts(w.room).refused, 2U);
  // And whoever can not read the wrapper does not come in.
  Member plain = RoomWorld::member("dave");
  plain.accept_types = "text/plain";
  EXPECT_EQ(w.join(plain).result, JoinResult::no_cpim);
  w.end_all();
}

TEST(Room, R7701_1_FromIsTheSenders) {
  RoomWorld w;
  w.open();
  Member with_number = RoomWorld::member("alice");
  with_number.other_uris = {"tel:+4930123456"};
  const auto alice = w.join(with_number), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.body = cpim(bob.uri, room_uri, "x")}), 403);
  EXPECT_EQ(w.sends(alice, {.body = cpim("sip:nobody@example.org", room_uri, "x")}), 403);
  EXPECT_EQ(w.sends(alice, {.body = cpim("no uri", room_uri, "x")}), 403);
  EXPECT_EQ(w.sends(alice, {.body = "To: <" + room_uri + ">\r\n\r\n\r\nx"}), 403);
  EXPECT_EQ(w.count(core::Metric::room_bad_from), 4U);
  EXPECT_TRUE(bob.phone->messages.empty());
  for (const std::string uri :
       {"tel:+49-30-123456", "im:alice@example.org", "sip:ALICE%40@example.org", "sips:alice@EXAMPLE.org;x=y"}) {
    const bool good = uri.find("ALICE") == std::string::npos;
    EXPECT_EQ(w.sends(alice, {.id = uri.substr(0, 5), .body = cpim(uri, room_uri, uri)}), good ? 200 : 403) << uri;
  }
  w.end_all();
}

TEST(Room, R7701_1_ToIsTheRoomOrOneMember) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.other_identities = {"sip:team@example.org"};
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob"), carol = w.join("carol");
  // T-81: parameters do not count.
  EXPECT_EQ(w.sends(alice, {.id = "a", .body = cpim(alice.uri, room_uri + ";transport=tcp", "1")}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "b", .body = cpim(alice.uri, "sip:team@example.org", "2")}), 200);
  EXPECT_EQ(carol.phone->messages.size(), 2U);
  EXPECT_EQ(w.sends(alice, {.id = "c", .body = cpim(alice.uri, bob.uri, "private")}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 3U);
  EXPECT_EQ(bob.phone->messages.back(), cpim(alice.uri, bob.uri, "private"));
  EXPECT_EQ(carol.phone->messages.size(), 2U);
  EXPECT_EQ(w.sends(alice, {.id = "d", .body = cpim(alice.uri, "sip:zoe@example.org", "x")}), 404);
  EXPECT_EQ(w.sends(alice, {.id = "e", .body = cpim(alice.uri, "im", "x")}), 404);
  const std::string two = "From: <" + alice.uri + ">\r\nTo: <" + bob.uri + ">\r\nTo: <" + carol.uri + ">\r\n\r\n\r\nx";
  EXPECT_EQ(w.sends(alice, {.id = "f", .body = two}), 403);
  EXPECT_EQ(w.count(core::Metric::room_bad_to), 3U);
  w.end_all();
}

TEST(Room, R7701_1_PrivateMessagesGoToAllDevicesOfThePersonThatTakesThem) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  Member second = RoomWorld::member("bob");
  second.device = "tablet";
  second.private_messages = false;
  const auto tablet = w.join(second);
  second.device = "watch";
  second.private_messages = true;
  const auto watch = w.join(second);
  Member deaf = RoomWorld::member("dave");
  deaf.private_messages = false;
  const auto dave = w.join(deaf);
  EXPECT_EQ(w.sends(alice, {.id = "a", .body = cpim(alice.uri, bob.uri, "x")}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(watch.phone->messages.size(), 1U);
  EXPECT_TRUE(tablet.phone->messages.empty());
  EXPECT_EQ(w.sends(alice, {.id = "b", .body = cpim(alice.uri, dave.uri, "x")}), 428);
  w.rooms.leave(watch.handle, LeaveReason::departed);
  w.rooms.leave(bob.handle, LeaveReason::departed);
  EXPECT_EQ(w.sends(alice, {.id = "c", .body = cpim(alice.uri, bob.uri, "x")}), 428);
  w.rooms.leave(tablet.handle, LeaveReason::departed);
  EXPECT_EQ(w.sends(alice, {.id = "d", .body = cpim(alice.uri, bob.uri, "x")}), 404);
  w.end_all();
}

TEST(Room, R7701_1_PrivateMessagesMayBeForbidden) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.private_messages = false;
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.body = cpim(alice.uri, bob.uri, "x")}), 403);
  EXPECT_EQ(w.rooms.chatroom_tokens(w.room), "nickname");
  w.end_all();
}

TEST(Room, R7701_1_ReportsAboutPrivateMessagesCarryFromAndTo) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.id = "p1", .body = cpim(alice.uri, bob.uri, "x"), .headers = "Success-Report: yes\r\n"}),
            200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].headers,
            "Content-Type: message/cpim\r\n\r\nFrom: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\n\r\n\r\n\r\n");
  w.end_all();
}

TEST(Room, OMA_ALIAS_3_AnonymousMembersAreShownByTheirAliasAlone) {
  RoomWorld w;
  w.open();
  Member ghost = RoomWorld::member("alice");
  ghost.anonymous_number = 7;
  ghost.display_name = "Zorro";
  const auto alice = w.join(ghost), bob = w.join("bob");
  const std::string shown = "From: \"Zorro\" <sip:anonymous7@anonymous.invalid>\r\n";
  int n = 0;
  for (const std::string from :
       {"sip:alice@example.org", "sip:anonymous@anonymous.invalid", "sip:anonymous7@anonymous.invalid"}) {
    EXPECT_EQ(w.sends(alice, {.id = "m" + std::to_string(n), .body = cpim(from, room_uri, "boo" + std::to_string(n))}),
              200);
    EXPECT_EQ(bob.phone->messages.back(),
              shown + cpim(from, room_uri, "boo" + std::to_string(n)).substr(("From: <" + from + ">\r\n").size()));
    ++n;
  }
  EXPECT_EQ(w.sends(alice, {.body = cpim("sip:anonymous8@anonymous.invalid", room_uri, "x")}), 403);
  // OMA_ALIAS_4: nothing that bob got names her.
  for (const Frame& frame : bob.phone->frames) {
    EXPECT_EQ((frame.headers + frame.body).find("alice"), std::string::npos);
    EXPECT_EQ(frame.total, frame.body.size());
  }
  // OMA_ALIAS_5: she is reached by what he sees, not by what he may guess.
  EXPECT_EQ(w.sends(bob, {.id = "p", .body = cpim(bob.uri, "sip:anonymous7@anonymous.invalid", "psst")}), 200);
  EXPECT_EQ(alice.phone->messages.size(), 1U);
  EXPECT_EQ(w.sends(bob, {.id = "q", .body = cpim(bob.uri, "sip:alice@example.org", "psst")}), 404);
  w.end_all();
}

TEST(Room, OMA_ALIAS_3_WhereAClientWritesNoNameItsOwnStandsThere) {
  RoomWorld w;
  w.open();
  Member named = RoomWorld::member("alice");
  named.display_name = "Alice A.";
  const auto alice = w.join(named), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.body = cpim("sip:anonymous@anonymous.invalid", room_uri, "x")}), 200);
  EXPECT_TRUE(bob.phone->messages.at(0).starts_with("From: \"Alice A.\" <sip:alice@example.org>\r\nTo: "));
  w.end_all();
}

TEST(Room, OMA_ALIAS_2_AnAliasIsGivenOnce) {
  RoomWorld w;
  w.open();
  Member ghost = RoomWorld::member("alice");
  ghost.anonymous_number = 1;
  ghost.display_name = "Zorro";
  const auto alice = w.join(ghost);
  Member other = RoomWorld::member("bob");
  other.anonymous_number = 2;
  other.display_name = "  ZORRO ";
  EXPECT_EQ(w.join(other).result, JoinResult::alias_in_use);
  const auto carol = w.join("carol");
  EXPECT_EQ(w.asks_nickname(carol, "zorro"), 425);
  ghost.device = "tablet";
  EXPECT_EQ(w.join(ghost).result, JoinResult::joined);  // the same person
  EXPECT_EQ(w.rooms.members(), 3U);
  w.end_all();
}

TEST(Room, R7701_3_NicknamesInTheOrderOfTheChecks) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.reserved_nicknames = {"Admin"};
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  Member second = RoomWorld::member("alice");
  second.device = "tablet";
  const auto tablet = w.join(second);
  EXPECT_EQ(w.asks_nickname(alice, "Alice the great"), 200);
  EndFact unreadable;
  unreadable.kind = EndFact::Kind::nickname;
  unreadable.end = alice.phone->end;
  unreadable.status = 424;
  EXPECT_TRUE(w.rooms.on_fact(unreadable));
  EXPECT_EQ(alice.phone->answers.back(), 424) << "one without its second quote takes away nothing";
  EXPECT_EQ(w.of_kind(Kind::nickname).back().nickname, "Alice the great");
  EXPECT_EQ(w.asks_nickname(bob, "alice  THE great"), 425);
  EXPECT_EQ(w.asks_nickname(bob, "admin"), 425);
  EXPECT_EQ(w.asks_nickname(bob, "a\xe2\x80\x8b"), 424);
  EXPECT_EQ(w.asks_nickname(tablet, "Alice The Great"), 200);
  // What she has stays until another one is granted (section 7.2).
  EXPECT_EQ(w.asks_nickname(alice, "admin"), 425);
  EXPECT_EQ(w.asks_nickname(bob, "Alice the great"), 425);
  EXPECT_EQ(w.asks_nickname(alice, "Alice in Wonderland"), 200);
  EXPECT_EQ(w.asks_nickname(bob, "Alice the great"), 425);  // the tablet still has it
  EXPECT_EQ(w.asks_nickname(tablet, ""), 200);              // section 7.3
  EXPECT_EQ(w.of_kind(Kind::nickname).back().nickname, "");
  EXPECT_EQ(w.asks_nickname(bob, "Alice the great"), 200);
  // It is free when its holder leaves, and later when he was lost.
  w.rooms.leave(alice.handle, LeaveReason::departed);
  EXPECT_EQ(w.asks_nickname(tablet, "Alice in Wonderland"), 200);
  w.rooms.leave(bob.handle, LeaveReason::lost);
  EXPECT_EQ(w.asks_nickname(tablet, "Alice the great"), 425);
  w.advance(std::chrono::seconds(31));
  EXPECT_EQ(w.asks_nickname(tablet, "Alice the great"), 200);
  w.end_all();
}

TEST(Room, R7701_3_RoomsWithoutNicknames) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.nicknames = false;
  w.open(traits);
  const auto alice = w.join("alice");
  EXPECT_EQ(w.asks_nickname(alice, "x"), 403);
  EXPECT_EQ(w.rooms.chatroom_tokens(w.room), "private-messages");
  w.end_all();
  traits.kind = RoomKind::one_to_one;
  w.open(traits);
  const auto bob = w.join("bob");
  EXPECT_EQ(w.asks_nickname(bob, "x"), 501);
  EXPECT_EQ(w.rooms.chatroom_tokens(w.room), "");
  w.end_all();
}

TEST(Room, R7701_2_WhoDoesNotTakeATypeIsPassedOver) {
  RoomWorld w;
  w.open();
  Member picky = RoomWorld::member("bob");
  picky.accept_wrapped_types = "text/plain";
  const auto alice = w.join("alice"), bob = w.join(picky), carol = w.join("carol");
  EXPECT_EQ(
      w.sends(alice,
              {.id = "a", .body = cpim(alice.uri, room_uri, "x", "text/html"), .headers = "Success-Report: yes\r\n"}),
      200);
  EXPECT_TRUE(bob.phone->messages.empty());
  EXPECT_EQ(carol.phone->messages.size(), 1U);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  EXPECT_EQ(w.says(alice, "b", "x"), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  // Who only sends gets nothing.
  picky.accept_wrapped_types = "*";
  picky.may_receive = false;
  EXPECT_EQ(w.rooms.change(bob.handle, picky), JoinResult::joined);
  EXPECT_EQ(w.says(alice, "c", "x"), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  picky.may_send = false;
  EXPECT_EQ(w.rooms.change(bob.handle, picky), JoinResult::joined);
  EXPECT_EQ(w.says(bob, "d", "x"), 403);
  w.end_all();
}

TEST(Room, OMA_DR_4_TheRoomItselfReportsAndMembersReportsEndHere) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.says(alice, "m1", "x"), 200);
  EXPECT_TRUE(alice.phone->reports.empty());
  EXPECT_EQ(w.says(alice, "m2", "y", "Success-Report: yes\r\n"), 200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].message_id, "m2");
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  EXPECT_EQ(alice.phone->reports[0].range.end, cpim(alice.uri, room_uri, "y").size());
  EXPECT_EQ(alice.phone->reports[0].headers, "");
  w.reports(*bob.phone, bob.phone->ids[0], 200);
  w.reports(*bob.phone, bob.phone->ids[0], 413);
  EXPECT_EQ(alice.phone->reports.size(), 1U);
  // Who asks for a count and may not gets a REPORT without one.
  EXPECT_EQ(w.says(alice, "m3", "z", "Success-Report: yes;Include-Sent-Count\r\n"), 200);
  ASSERT_EQ(alice.phone->reports.size(), 2U);
  EXPECT_EQ(alice.phone->reports[1].headers, "");
  w.end_all();
}

Member server_of(const std::string& name) {
  Member about = RoomWorld::member(name);
  about.may_ask_count = true;
  return about;
}

// DEC-11, OMA-DR-2: the wish in both its forms.
TEST(Room, OMA_DR_3_OneReportWithTheNumberOfPeopleReached) {
  RoomWorld w;
  w.open();
  const auto alice = w.join(server_of("alice")), bob = w.join("bob"), carol = w.join("carol");
  Member second = RoomWorld::member("bob");
  second.device = "tablet";
  const auto tablet = w.join(second);
  for (const auto* seat : {&bob, &carol, &tablet}) seat->phone->answer = 0;
  for (const std::string wish :
       {"Success-Report: yes;Include-Sent-Count\r\n", "Success-Report: yes ; include-sent-count\r\n",
        "Success-Report: yes\r\nInclude-Sent-Count: yes\r\n"}) {
    alice.phone->reports.clear();
    EXPECT_EQ(w.says(alice, "m" + std::to_string(wish.size()), wish, wish), 200);
    EXPECT_TRUE(alice.phone->reports.empty());
    w.answers(*bob.phone, bob.phone->frames.back().mark, 200);
    w.answers(*tablet.phone, tablet.phone->frames.back().mark, 200);
    EXPECT_TRUE(alice.phone->reports.empty());
    w.answers(*carol.phone, carol.phone->frames.back().mark, 200);
    ASSERT_EQ(alice.phone->reports.size(), 1U);
    EXPECT_EQ(alice.phone->reports[0].headers, "Distribution-Count: 2\r\n");
    EXPECT_EQ(alice.phone->reports[0].status, 200);
    EXPECT_EQ(w.of_kind(Kind::delivered).back().count, 2U);
  }
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 0U);
  w.end_all();
}

TEST(Room, OMA_DR_3_TimeIsLimitedAndErrorsDoNotCount) {
  RoomWorld w;
  w.open();
  const auto alice = w.join(server_of("alice")), bob = w.join("bob"), carol = w.join("carol"), dave = w.join("dave");
  bob.phone->answer = 0;
  carol.phone->answer = 415;
  dave.phone->answer = 0;
  const std::string wish = "Success-Report: yes;Include-Sent-Count\r\n";
  EXPECT_EQ(w.says(alice, "m1", "x", wish), 200);
  w.answers(*dave.phone, dave.phone->frames.back().mark, 200);
  // A relay on dave's way takes it back.
  w.reports(*dave.phone, dave.phone->ids.back(), 408);
  w.advance(std::chrono::seconds(29));
  EXPECT_TRUE(alice.phone->reports.empty());
  w.advance(std::chrono::seconds(2));
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].headers, "Distribution-Count: 0\r\n");
  w.answers(*bob.phone, bob.phone->frames.back().mark, 200);  // too late
  EXPECT_EQ(alice.phone->reports.size(), 1U);
  // Who leaves is not waited for.
  EXPECT_EQ(w.says(alice, "m2", "x", wish), 200);
  w.answers(*dave.phone, dave.phone->frames.back().mark, 200);
  w.rooms.leave(bob.handle, LeaveReason::departed);
  ASSERT_EQ(alice.phone->reports.size(), 2U);
  EXPECT_EQ(alice.phone->reports[1].headers, "Distribution-Count: 1\r\n");
  // Nobody there: at once, and zero.
  w.rooms.leave(carol.handle, LeaveReason::departed);
  w.rooms.leave(dave.handle, LeaveReason::departed);
  EXPECT_EQ(w.says(alice, "m3", "x", wish), 200);
  ASSERT_EQ(alice.phone->reports.size(), 3U);
  EXPECT_EQ(alice.phone->reports[2].headers, "Distribution-Count: 0\r\n");
  w.end_all();
}

TEST(Room, R3994_1_ComposingIsPassedAndNotCounted) {
  RoomWorld w;
  w.open();
  const auto alice = w.join(server_of("alice")), bob = w.join("bob"), carol = w.join("carol", false);
  const std::string composing = cpim(alice.uri, room_uri, "<isComposing/>", "application/im-iscomposing+xml");
  EXPECT_EQ(w.sends(alice, {.body = composing, .headers = "Success-Report: yes;Include-Sent-Count\r\n"}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(w.rooms.counts(w.room).messages, 0U);
  w.connected(*carol.phone);
  w.deliver();
  EXPECT_TRUE(carol.phone->messages.empty());  // nor is it kept
  w.end_all();
}

TEST(Room, T_82_ComposingWithoutAWrapperGetsOne) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.body = "<isComposing/>", .type = "application/im-iscomposing+xml"}), 200);
  ASSERT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_TRUE(bob.phone->messages[0].starts_with("From: <sip:alice@example.org>\r\n"));
  EXPECT_TRUE(bob.phone->messages[0].ends_with("Content-Type: application/im-iscomposing+xml\r\n\r\n<isComposing/>"));
  EXPECT_EQ(w.rooms.counts(w.room).messages, 0U);
  w.end_all();
}

TEST(Room, SizesAreLimited) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.message_bytes_max = 5000;
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  const std::string large = cpim(alice.uri, room_uri, std::string(6000, 'x'));
  EXPECT_EQ(w.sends(alice, {.id = "a", .body = large.substr(0, 3000), .total = large.size(), .flag = Flag::more}), 413);
  EXPECT_TRUE(bob.phone->frames.empty());
  // Where its size is not told, it is stopped when it has become too large, and those that had begun to get it are
  // told.
  EXPECT_EQ(w.sends(alice, {.id = "b", .body = large.substr(0, 3000), .flag = Flag::more}), 200);
  EXPECT_EQ(bob.phone->frames.size(), 1U);
  EXPECT_EQ(w.sends(alice, {.id = "b", .body = large.substr(3000), .start = 3001, .flag = Flag::more}), 413);
  EXPECT_EQ(bob.phone->aborted.size(), 1U);
  EXPECT_EQ(w.count(core::Metric::room_too_large), 2U);
  // One that takes less is passed over.
  Member small = RoomWorld::member("carol");
  small.message_bytes_max = 300;
  const auto carol = w.join(small);
  const std::string medium = cpim(alice.uri, room_uri, std::string(3000, 'y'));
  EXPECT_EQ(w.sends(alice, {.id = "c", .body = medium.substr(0, 2500), .total = medium.size(), .flag = Flag::more}),
            200);
  EXPECT_EQ(w.sends(alice, {.id = "c", .body = medium.substr(2500), .start = 2501, .total = medium.size()}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_TRUE(carol.phone->frames.empty());
  w.end_all();
}

TEST(Room, R7701_2_WhatWasDeliveredOnceIsNotDeliveredAgain) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.says(alice, "m1", "x"), 200);
  // Its 200 was lost with the connection: it comes again, from another leg of hers.
  w.rooms.leave(alice.handle, LeaveReason::lost);
  const auto again = w.join("alice");
  EXPECT_EQ(w.says(again, "m1", "x", "Success-Report: yes\r\n"), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(again.phone->reports.size(), 1U);
  EXPECT_EQ(w.count(core::Metric::room_repeated), 1U);
  // The same id for something else is another message.
  EXPECT_EQ(w.sends(again, {.id = "m1", .body = "X: y\r\n" + cpim(again.uri, room_uri, "x")}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 2U);
  w.end_all();
}

TEST(Room, R3862_7_CpimThatRequiresWhatIsNotKnownOrCannotBeRead) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.body = "Require: x.y\r\n" + cpim(alice.uri, room_uri, "x")}), 400);
  EXPECT_EQ(w.sends(alice, {.body = "no header\r\n\r\n"}), 400);
  EXPECT_EQ(w.sends(alice, {.body = "From: <sip:alice@example.org>"}), 400);
  EXPECT_EQ(w.count(core::Metric::room_bad_cpim), 3U);
  const std::string endless = "Subject: " + std::string(20'000, 'x');
  EXPECT_EQ(w.sends(alice, {.body = endless}), 400);
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = endless, .flag = Flag::more, .cuts = {100, 7000, 9000}}), 400);
  EXPECT_EQ(w.count(core::Metric::room_cpim_head_limit), 2U);
  EXPECT_TRUE(bob.phone->frames.empty());
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 0U);
  w.end_all();
}

TEST(Room, LimitsOfRoomsAndMembers) {
  RoomWorld w({.rooms_max = 1, .members_max = 3, .members_per_room_max = 2});
  w.open();
  EXPECT_FALSE(w.rooms.open(RoomWorld::group()).valid());
  EXPECT_EQ(w.count(core::Metric::room_rooms_limit), 1U);
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.join("carol").result, JoinResult::room_full);
  w.rooms.leave(bob.handle, LeaveReason::departed);
  EXPECT_TRUE(bob.phone->closed);
  EXPECT_EQ(w.join("carol").result, JoinResult::joined);
  EXPECT_EQ(w.count(core::Metric::room_members_limit), 1U);
  w.end_all();
  EXPECT_EQ(w.rooms.members(), 0U);
  EXPECT_EQ(w.rooms.rooms(), 0U);
  EXPECT_TRUE(alice.phone->closed);
  EXPECT_EQ(w.rooms.join(w.room, RoomWorld::member("dave")).result, JoinResult::no_room);
}

TEST(Room, OMA_SES_10_WhatComesAsMessageGoesToTheOthers) {
  RoomWorld w;
  w.open();
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.rooms.post(alice.handle, "text/plain", "by SIP"), 200);
  w.deliver();
  ASSERT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_TRUE(
      bob.phone->messages[0].starts_with("From: <sip:alice@example.org>\r\nTo: <sip:room@example.org>\r\nDateTime: "));
  EXPECT_TRUE(bob.phone->messages[0].ends_with("\r\n\r\nContent-Type: text/plain\r\n\r\nby SIP"));
  w.rooms.say(w.room, {}, "text/plain", "welcome");
  w.rooms.say(w.room, bob.handle, "text/plain", "bob");
  w.deliver();
  EXPECT_EQ(alice.phone->messages.size(), 1U);
  EXPECT_EQ(bob.phone->messages.size(), 3U);
  EXPECT_NE(bob.phone->messages[2].find("To: <sip:bob@example.org>\r\n"), std::string::npos);
  w.end_all();
}

TEST(Room, OMA_HIS_RecordedPiecesAreTheMessage) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.recorded = true;
  traits.owner = 42;
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.says(alice, "m1", "x"), 200);
  const std::string large = cpim(alice.uri, room_uri, std::string(5000, 'y'));
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = large.substr(0, 3000), .flag = Flag::more, .cuts = {10, 2500}}), 200);
  w.rooms.set_recorded(w.room, false);
  w.rooms.set_recorded(w.room, true);
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = large.substr(3000), .start = 3001}), 200);
  std::map<std::uint64_t, std::string> texts;
  std::map<std::uint64_t, int> firsts, lasts;
  for (const RoomFact& fact : w.of_kind(Kind::recorded)) {
    EXPECT_EQ(fact.room_owner, 42U);
    EXPECT_EQ(fact.member, alice.handle);
    if (const std::size_t bar = fact.message_id.find('|'); bar != std::string::npos)
      texts[fact.message] += fact.message_id.substr(bar + 1);
    firsts[fact.message] += fact.first ? 1 : 0;
    lasts[fact.message] += fact.last ? 1 : 0;
    if (fact.first) {
      EXPECT_EQ(fact.content_type, "text/plain");
    }
  }
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts.begin()->second, bob.phone->messages[0]);
  EXPECT_EQ(texts.rbegin()->second, bob.phone->messages[1]);
  for (const auto& [message, n] : firsts) EXPECT_EQ(n, 1);
  for (const auto& [message, n] : lasts) EXPECT_EQ(n, 1);
  w.end_all();
}

TEST(Room, OMA_SES_8_ARoomThatIsIdleSaysSo) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.idle = std::chrono::minutes(10);
  w.open(traits);
  const auto alice = w.join("alice");
  w.advance(std::chrono::minutes(9));
  EXPECT_EQ(w.says(alice, "m1", "x"), 200);
  w.advance(std::chrono::minutes(9));
  EXPECT_TRUE(w.of_kind(Kind::idle).empty());
  w.advance(std::chrono::minutes(2));
  EXPECT_EQ(w.of_kind(Kind::idle).size(), 1U);
  w.end_all();
}

}  // namespace
}  // namespace parley::tests

// tests/service/focus_admin_test.cc - what operators ask of sessions, and what they tell them.
#include "core/json_text.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using Kind = core::AdminRequest::Kind;
using namespace std::chrono_literals;

// The value of the first `"name":` in it, quotes included; "" when there is none.
std::string value(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos) return {};
  const std::size_t start = at + name.size() + 3;
  if (json[start] == '"') return json.substr(start, json.find('"', start + 1) + 1 - start);
  return json.substr(start, json.find_first_of(",}]", start) - start);
}
std::string unquoted(const std::string& text) { return text.size() < 2 ? text : text.substr(1, text.size() - 2); }
std::size_t count(const std::string& json, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = json.find(what, at)) != std::string::npos; at += what.size()) ++n;
  return n;
}

struct FocusAdmin : Party {
  std::string ask(Kind kind, const std::string& argument = {}) {
    std::string json = line->world.admin(kind, argument);
    line->collect();
    return json;
  }
  std::string only_room() { return unquoted(value(ask(Kind::list_rooms), "id")); }
  // The id of that user in a room.
  std::string member(const std::string& room, const Phone& who) {
    const std::string json = ask(Kind::show_room, room);
    const std::size_t at = json.find("\"user\":\"sip:" + who.user() + "@example.org\"");
    if (at == std::string::npos) return {};
    return unquoted(value(json.substr(json.rfind("{", at)), "id"));
  }
};

TEST_F(FocusAdmin, ListsSaySessionsAndWhoTakesPart) {
  EXPECT_EQ(ask(Kind::list_rooms), "[]");
  gather({bob.get(), carol.get()});
  line->pass(7s);
  const std::string list = ask(Kind::list_rooms);
  EXPECT_EQ(value(list, "kind"), "\"ad-hoc\"");
  EXPECT_EQ(value(list, "group"), "\"-\"");
  EXPECT_EQ(value(list, "originator"), "\"sip:alice@example.org\"");
  EXPECT_EQ(value(list, "participants"), "3");
  EXPECT_EQ(value(list, "invited"), "0");
  EXPECT_EQ(value(list, "messages"), "0");
  EXPECT_EQ(value(list, "age_seconds"), "7");

  const std::string room = ask(Kind::show_room, only_room());
  EXPECT_EQ(value(room, "participants"), "3");
  EXPECT_EQ(count(room, "\"state\":\"connected\""), 3U);
  EXPECT_EQ(count(room, "\"joining_method\":\"dialed-in\""), 1U);
  EXPECT_EQ(count(room, "\"joining_method\":\"dialed-out\""), 2U);
  EXPECT_EQ(count(room, "\"sip\":\"udp\",\"msrp\":\"tcp\""), 3U);
  EXPECT_EQ(count(room, "\"media\":\"gone\""), 3U) << "nobody has connected here";
}

TEST_F(FocusAdmin, NothingThatLetsSomebodyInIsShown) {
  const std::string ok = gather({bob.get(), carol.get()});
  const std::string everything = ask(Kind::list_rooms) + ask(Kind::show_room, only_room());
  const std::string identity = between(contact_uri(ok), "sip:", "@");
  ASSERT_GT(identity.size(), 24U);
  EXPECT_EQ(value(everything, "name"), "\"" + identity.substr(0, 12) + "\"");
  EXPECT_EQ(everything.find(identity.substr(0, 13)), std::string::npos);
  EXPECT_EQ(everything.find("msrp://"), std::string::npos);
  EXPECT_EQ(everything.find(tag_of(header(ok, "To")).substr(16)), std::string::npos);
}

TEST_F(FocusAdmin, ListsAreNoLongerThanAskedFor) {
  for (Phone* phone : {alice.get(), bob.get(), carol.get()}) {
    begin(*phone, {"dave"});
    dave->want("INVITE");
  }
  EXPECT_EQ(count(ask(Kind::list_rooms), "\"id\""), 3U);
  EXPECT_EQ(count(ask(Kind::list_rooms, "2"), "\"id\""), 2U);
  EXPECT_EQ(ask(Kind::list_rooms, "0"), "[]");
  const std::string room = ask(Kind::show_room, only_room() + " 1");
  EXPECT_EQ(count(room, "\"user\""), 1U);
  EXPECT_EQ(value(room, "state"), "\"dialing-in\"");
  EXPECT_EQ(value(ask(Kind::list_rooms), "invited"), "1");
}

TEST(JsonText, TextsOfPeersBreakNoDocument) {
  std::string json;
  core::put_json_string(json, std::string_view("a\"b\\c\n\0\x7f\xff/", 10));
  EXPECT_EQ(json, "\"a\\\"b\\\\c\\u000a\\u0000\\u007f\\u00ff/\"");
  json = "{\"a\":1";
  core::put_json_field(json, "b", std::uint64_t{18446744073709551615U});
  core::put_json_field(json, "c", "\"");
  core::put_json_flag(json, "d", true);
  EXPECT_EQ(json, "{\"a\":1,\"b\":18446744073709551615,\"c\":\"\\\"\",\"d\":true");
}

TEST_F(FocusAdmin, OMA_SES_7_AMemberThatIsKickedIsBootedInTheRoster) {
  gather({bob.get(), carol.get()});
  bob->send("SUBSCRIBE " + bob->target + " SIP/2.0\r\nVia: SIP/2.0/UDP " + bob->address() +
            ";branch=z9hG4bKsub1\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=w1\r\nTo: <" + bob->target +
            ">\r\nCall-ID: watch1\r\nCSeq: 1 SUBSCRIBE\r\n" + bob->contact() +
            "Event: conference\r\nAccept: application/conference-info+xml\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n");
  bob->want("200 SUBSCRIBE");
  bob->respond(bob->want("NOTIFY"), 200);
  const std::string room = only_room();
  const std::string id = member(room, *carol);
  ASSERT_NE(id, "");
  EXPECT_EQ(ask(Kind::kick_member, room + " " + id), "{\"kicked\":true}");
  EXPECT_EQ(header(ended(*carol), "Reason"), "SIP;cause=200;text=\"Booted by focus\"");
  line->pass(10s);
  const std::string notify = bob->want("NOTIFY");
  EXPECT_NE(notify.find("<disconnection-method>booted</disconnection-method>"), std::string::npos) << notify;
  bob->respond(notify, 200);
  EXPECT_EQ(ask(Kind::kick_member, room + " " + id), "{\"kicked\":false}") << "he has gone";
  EXPECT_EQ(value(ask(Kind::list_rooms), "participants"), "2");
}

TEST_F(FocusAdmin, WhoIsRungIsCancelled) {
  begin(*alice, {"bob", "carol"});
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  join(*carol);
  const std::string room = only_room();
  EXPECT_EQ(ask(Kind::kick_member, room + " " + member(room, *bob)), "{\"kicked\":true}");
  const std::string cancel = bob->want("CANCEL");
  bob->respond(cancel, 200);
  bob->respond(invite, 487);
}

TEST_F(FocusAdmin, ARoomIsClosedForEverybody) {
  gather({bob.get(), carol.get()});
  const std::string room = only_room();
  EXPECT_EQ(ask(Kind::close_room, room), "{\"closed\":true}");
  for (Phone* phone : {alice.get(), bob.get(), carol.get()}) {
    EXPECT_EQ(header(ended(*phone), "Reason"), "SIP;cause=480;text=\"Closed By Operator\"");
  }
  EXPECT_EQ(ask(Kind::close_room, room), "{\"closed\":false}");
  EXPECT_EQ(ask(Kind::show_room, room), "{}");
  EXPECT_EQ(ask(Kind::list_rooms), "[]");
  at_rest();
}

TEST_F(FocusAdmin, WhatIsNoIdChangesNothing) {
  gather({bob.get(), carol.get()});
  const std::string room = only_room();
  const std::string stale = std::to_string(std::stoul(room) + 9) + room.substr(room.find('.'));
  for (const std::string& id : {std::string(), std::string("x"), std::string("0"), std::string("0."), std::string(".1"),
                                std::string("99999999999.1"), std::string("0.0"), std::string("-1.1"), room + "x", " " + room, stale}) {
    EXPECT_EQ(ask(Kind::show_room, id), "{}") << id;
    EXPECT_EQ(ask(Kind::close_room, id), "{\"closed\":false}") << id;
    EXPECT_EQ(ask(Kind::kick_member, id + " " + member(room, *bob)), "{\"kicked\":false}") << id;
    EXPECT_EQ(ask(Kind::kick_member, room + " " + id), "{\"kicked\":false}") << id;
  }
  EXPECT_EQ(value(ask(Kind::list_rooms), "participants"), "3");
  for (Phone* phone : {alice.get(), bob.get(), carol.get()}) phone->quiet();
}

TEST_F(FocusAdmin, AMemberIsKickedFromHisOwnRoomOnly) {
  begin(*alice, {"dave"});
  const std::string first = only_room();
  const std::string id = member(first, *alice);
  begin(*bob, {"carol"});
  const std::string list = ask(Kind::list_rooms);
  const std::string second = unquoted(value(list.substr(list.find("},{")), "id"));
  ASSERT_NE(second, first);
  EXPECT_EQ(ask(Kind::kick_member, second + " " + id), "{\"kicked\":false}");
  EXPECT_EQ(ask(Kind::kick_member, first + " " + id), "{\"kicked\":true}");
}

TEST_F(FocusAdmin, AMessageIsTracedToItsRoom) {
  gather({bob.get(), carol.get()});
  EXPECT_EQ(ask(Kind::trace, "m1"), "[]");
  EXPECT_EQ(ask(Kind::trace, ""), "[]");
}

}  // namespace
}  // namespace parley::tests

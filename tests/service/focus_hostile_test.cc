// tests/service/focus_hostile_test.cc - what participants of a session may send that no honest client does, and who must
// not hear, see or come in.
#include <set>

#include "policy/group_document.h"
#include "policy/user_key.h"
#include "tests/policy/one_list.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

std::string named_list(const std::string& user, const std::string& name) {
  std::string list = resource_list({user, "dave"});
  const std::string end = "cp:copyControl=\"to\"/>";
  return list.replace(list.find(end), end.size(),
                      "cp:copyControl=\"to\"><display-name>" + name + "</display-name></entry>");
}

policy::Rule rule(const std::string& user, const std::vector<std::string>& actions) {
  policy::Rule made;
  made.id = user;
  made.conditions.has_identity = true;
  made.conditions.one = {policy::user_key("sip:" + user + "@example.org")};
  for (const std::string& name : actions) made.actions.push_back({.space = {}, .name = name, .value = "true"});
  return made;
}

struct Hostile : Party {
  // A room of alice, bob and carol that is joined; `rules`: what each of them may.
  void make_room(std::vector<policy::Rule> rules) {
    policy::GroupSpec spec;
    spec.uri = "sip:team@example.org";
    for (const char* name : {"alice", "bob", "carol"}) {
      spec.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
    }
    spec.invite_members = false;
    spec.rules = std::move(rules);
    auto config = focus_config();
    const policy::DocumentsResult read = policy::read_documents({}, {&spec, 1}, "example.org");
    EXPECT_EQ(read.error, "");
    config->documents = read.documents;
    make(config);
  }
  void enter(Phone& who) {
    who.invite_uri("sip:team@example.org", msrp_sdp(who.user()), im_lines);
    who.take(who.want("200 INVITE"));
    who.ack();
  }
  // In his dialog; the document of the NOTIFY.
  std::string watches(Phone& who, const std::string& event = "conference") {
    who.request("SUBSCRIBE", {}, "Event: " + event + "\r\nExpires: 600\r\n");
    EXPECT_EQ(who.kind(who.next()), "200 SUBSCRIBE");
    const std::string notify = who.want("NOTIFY");
    who.respond(notify, 200);
    return body_of(notify);
  }
};

TEST_F(Hostile, OMA_GRP_8_ANameInAListStaysAName) {
  const std::string names[] = {"a&#13;&#10;X-Evil: 1&#13;&#10;&#13;&#10;b", "a\n b", "\"\\ &#127;&#9;", std::string(20'000, 'x')};
  for (const std::string& name : names) {
    alice->invite_uri("sip:factory@example.org;sessiontype=adhoc", mixed(msrp_sdp("alice"), named_list("bob", name)),
                      im_lines + "Require: recipient-list-invite\r\n", mixed_type);
    for (Phone* phone : {bob.get(), dave.get()}) {
      const std::string invite = phone->want("INVITE");
      EXPECT_EQ(header(invite, "X-Evil"), "");
      EXPECT_TRUE(header(invite, "To").ends_with("<sip:" + phone->user() + "@example.org>")) << invite;
      EXPECT_LE(header(invite, "To").size(), 600U);
      EXPECT_NE(body_of(invite), "");
      phone->call_id.clear();
      phone->respond(invite, 486);
      phone->want("ACK");
    }
    alice->want("486 INVITE");
    alice->ack();
  }
}

TEST_F(Hostile, OMA_GRP_8_AUriThatFillsAHeadIsNoRecipient) {
  const std::string uri = "sip:bob@example.org;x=" + std::string(1500, 'y');
  begin(*alice, {uri});
  EXPECT_EQ(code(alice->want("404 INVITE")), "404");
  bob->quiet();
}

TEST_F(Hostile, OMA_SES_7_AReferThatNamesNobodyIs404) {
  gather({bob.get()});
  const std::string nobody = "<sip:" + std::string(1100, 'x') + "@example.org";
  for (const char* how : {";method=BYE>", ">"}) {
    bob->request("REFER", {}, "Refer-To: " + nobody + how + "\r\n");
    EXPECT_EQ(code(bob->want("404 REFER")), "404");
  }
}

TEST_F(Hostile, T_51_AUserIsInvitedOnceHoweverHisUriIsDressed) {
  begin(*alice, {"sip:bob@example.org;x=1", "sip:bob@example.org;x=2", "sip:bob@EXAMPLE.ORG;x=3"});
  bob->want("INVITE");
  bob->quiet();
}

TEST_F(Hostile, OMA_CONF_1_WhoIsExpelledDoesNotBeginToWatch) {
  gather({bob.get(), carol.get()});
  alice->request("REFER", {}, "Refer-To: <sip:bob@example.org;method=BYE>\r\nRefer-Sub: false\r\n");
  alice->want("200 REFER");
  bob->want("BYE");  // and he does not answer it
  bob->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  EXPECT_EQ(code(bob->want("403 SUBSCRIBE")), "403");
  bob->quiet();
}

TEST_F(Hostile, T_33_WhoHasLeftWatchesHisSessionAndNoOther) {
  make_room({rule("alice", {"join-handling", "allow-initiate-conference"}), rule("bob", {"join-handling", "allow-conference-state"})});
  enter(*alice);
  enter(*bob);
  EXPECT_NE(watches(*bob).find("sip:alice@example.org"), std::string::npos);
  leaves(*bob);
  while (const std::size_t left = bob->boxed()) {
    EXPECT_LT(left, 5U);
    if (const std::string text = bob->next(); method(text) == "NOTIFY") bob->respond(text, 200);
  }
  dave->invite_uri("sip:carol@example.org", msrp_sdp("dave"), im_lines);  // another session
  carol->want("INVITE");
  bob->request("SUBSCRIBE", {}, "Event: conference;id=2\r\nExpires: 600\r\n");
  bob->want("200 SUBSCRIBE");
  line->pass(6s);
  bool told = false;
  while (bob->boxed() != 0) {
    const std::string text = bob->next();
    if (method(text) != "NOTIFY") continue;
    bob->respond(text, 200);
    told = told || body_of(text).find("sip:alice@example.org") != std::string::npos;
    EXPECT_EQ(body_of(text).find("sip:carol@example.org"), std::string::npos) << text;
  }
  EXPECT_TRUE(told);
}

TEST_F(Hostile, OMA_CONF_1_TheDialogOfOneWhoMayNotWatchAnyMoreIsGone) {
  make_room({rule("alice", {"join-handling", "allow-initiate-conference"}), rule("bob", {"join-handling"})});
  enter(*alice);
  enter(*bob);
  watches(*bob);
  leaves(*bob);
  bob->want("NOTIFY");  // `rejected`, and he does not answer it
  bob->request("SUBSCRIBE", {}, "Event: conference;id=2\r\nExpires: 600\r\n");
  EXPECT_EQ(code(bob->want("481 SUBSCRIBE")), "481");
}

TEST_F(Hostile, OMA_CONF_1_AnotherNameInTheDialogIsTheSameWatcher) {
  gather({bob.get(), carol.get()});
  Phone desk(*line, "bob", "127.0.0.1:40009");
  desk.call_id = "watch1";
  desk.local = "<sip:bob@example.org>;tag=w";
  desk.remote = "<" + alice->target + ">";
  desk.target = alice->target;
  desk.request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  desk.take(desk.want("200 SUBSCRIBE"));
  desk.respond(desk.want("NOTIFY"), 200);
  desk.local = "<sip:nobody@example.com>;tag=w";
  desk.request("SUBSCRIBE", {}, "Event: conference;id=2\r\nExpires: 600\r\n");
  desk.want("200 SUBSCRIBE");
  desk.respond(desk.want("NOTIFY"), 200);
  leaves(*bob);
  std::set<std::string> rejected;  // by CSeq: they are repeated until the answer is there
  for (int i = 0; i < 2; ++i) {
    line->pass(6s);
    while (desk.boxed() != 0) {
      const std::string text = desk.next();
      if (method(text) != "NOTIFY") continue;
      desk.respond(text, 200);
      if (header(text, "Subscription-State") == "terminated;reason=rejected") rejected.insert(cseq_number(text));
    }
  }
  EXPECT_EQ(rejected.size(), 2U);
}

TEST_F(Hostile, R3261_4_AMethodThatIsNotForAFocusIs405WithAllow) {
  begin(*alice, {"sip:bob@example.org;x=" + std::string(2000, 'y')}, "Privacy: id\r\n");
  alice->next();
  dave->invite_uri(alice->target + "x", msrp_sdp("dave"), im_lines);
  dave->next();
  carol->call_id = "odd1";
  carol->local = "<sip:carol@example.org>;tag=c";
  carol->remote = "<sip:factory@example.org>";
  carol->target = "sip:factory@example.org";
  carol->request("UPDATE");
  const std::string refused = carol->want("405 UPDATE");
  EXPECT_NE(header(refused, "Allow").find("REFER"), std::string::npos);
  EXPECT_EQ(header(refused, "Warning"), "");
  EXPECT_EQ(header(refused, "Content-Type"), "");
}

TEST_F(Hostile, OMA_SES_7_WhoWasExpelledDoesNotComeBackByHimself) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  alice->request("REFER", {}, "Refer-To: <sip:bob@example.org;method=BYE>\r\nRefer-Sub: false\r\n");
  alice->want("200 REFER");
  ended(*bob);
  bob->invite_uri(identity, msrp_sdp("bob2"), im_lines);
  EXPECT_EQ(code(bob->want("403 INVITE")), "403");
  bob->ack();
  alice->request("REFER", {}, "Refer-To: <sip:bob@example.org>\r\nRefer-Sub: false\r\n");
  alice->want("200 REFER");
  join(*bob);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
}

TEST_F(Hostile, OMA_SES_6_NamesThatNeverComeAreForgotten) {
  auto config = focus_config();
  config->focus.participants_per_session_max = 5;
  make(config);
  gather({bob.get()});
  for (int i = 0; i < 30; ++i) {
    alice->request("REFER", {}, "Refer-To: <sip:nobody" + std::to_string(i) + "@example.org>\r\nRefer-Sub: false\r\n");
    alice->want("200 REFER");
  }
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\nRefer-Sub: false\r\n");
  alice->want("200 REFER");
  const std::string body = body_of(carol->want("INVITE"));
  std::size_t entries = 0;
  for (std::size_t at = body.find("<entry "); at != std::string::npos; at = body.find("<entry ", at + 1)) ++entries;
  EXPECT_LE(entries, 5U) << body;
  EXPECT_NE(body.find("sip:bob@example.org"), std::string::npos) << "who is there is told of";
}

TEST_F(Hostile, T_86_TooMuchOfOneSessionIsNot503) {
  auto config = focus_config();
  config->focus.refers_max = 1;
  make(config);
  gather({bob.get()});
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  alice->want("202 REFER");
  alice->want("NOTIFY");
  alice->request("REFER", {}, "Refer-To: <sip:dave@example.org>\r\n");
  EXPECT_EQ(header(alice->want("500 REFER"), "Retry-After"), "10");
  EXPECT_EQ(line->world.metric(Metric::sip_session_refers_limit), 1U);
}

TEST_F(Hostile, OMA_CONF_5_ALongContactHidesNobody) {
  make_room({rule("alice", {"join-handling", "allow-initiate-conference", "allow-conference-state"}), rule("bob", {"join-handling"})});
  enter(*alice);
  bob->features = ";+g.oma.sip-im";
  bob->call_id = "long1";
  bob->local = "<sip:bob@example.org>;tag=l";
  bob->remote = "<sip:team@example.org>";
  bob->target = "sip:team@example.org";
  const std::string sdp = msrp_sdp("bob");
  bob->send("INVITE sip:team@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40002;branch=z9hG4bKlong1\r\nMax-Forwards: 70\r\n"
            "From: <sip:bob@example.org>;tag=l\r\nTo: <sip:team@example.org>\r\nCall-ID: long1\r\nCSeq: 1 INVITE\r\nContact: "
            "<sip:bob@127.0.0.1:40002;x=" + std::string(600, 'y') + ">;+g.oma.sip-im\r\n" + im_lines +
            "Content-Type: application/sdp\r\nContent-Length: " + std::to_string(sdp.size()) + "\r\n\r\n" + sdp);
  bob->want("200 INVITE");
  EXPECT_NE(watches(*alice).find("sip:bob@example.org"), std::string::npos);
}

// A rule that holds for the members of a list, which stands in a document of its own.
TEST_F(Hostile, OMA_ACC_6_WhoIsInAListThatARuleNamesMayInviteAndWatch) {
  policy::GroupSpec spec;
  spec.uri = "sip:team@example.org";
  spec.members.push_back({.uri = "sip:alice@example.org", .key = {}, .display_name = {}});
  spec.invite_members = false;
  policy::Rule friends = rule("friends", {"join-handling", "allow-initiate-conference", "allow-conference-state",
                                          "allow-invite-users-dynamically"});
  friends.conditions.has_identity = false;
  friends.conditions.one.clear();
  friends.conditions.has_external_list = true;
  friends.conditions.external_list = {policy::parse_list_anchor("/resource-lists/users/sip:o@x/index/~~/resource-lists/list%5B@name=%22friends%22%5D")};
  spec.rules = std::vector<policy::Rule>{friends};
  auto config = focus_config();
  const policy::DocumentsResult read = policy::read_documents({}, {&spec, 1}, "example.org");
  ASSERT_EQ(read.error, "");
  auto documents = std::make_shared<policy::Documents>(*read.documents);
  documents->lists = policy::lists_with("friends", {"sip:alice@example.org", "sip:bob@example.org"});
  config->documents = documents;
  make(config);
  enter(*alice);
  alice->request("REFER", {}, "Refer-To: <sip:bob@example.org>\r\nRefer-Sub: false\r\n");
  alice->want("200 REFER");
  join(*bob);
  leaves(*bob);
  bob->call_id = "watch1";
  bob->local = "<sip:bob@example.org>;tag=w";
  bob->remote = "<" + alice->target + ">";
  bob->target = alice->target;
  bob->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  bob->want("200 SUBSCRIBE");
}

// RFC 4745 section 7.3: a rule holds while one of its times is on, whatever asks.
TEST_F(Hostile, R4745_1_ARuleThatHoldsForATimeHoldsThenForRefersAndWatchers) {
  constexpr std::int64_t hour = 3'600'000;
  constexpr std::int64_t begins = 1'800'000'000'000;
  policy::Rule timed = rule("bob", {"join-handling", "allow-conference-state", "allow-invite-users-dynamically"});
  timed.conditions.has_validity = true;
  timed.conditions.validity = {{begins, begins + hour}};
  make_room({rule("alice", {"join-handling", "allow-initiate-conference"}), timed, rule("carol", {"join-handling"})});
  line->world.now.wall_ms = begins + 1000;
  enter(*alice);
  enter(*bob);
  const std::string refer = "Refer-To: <sip:dave@example.org>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n";
  bob->request("REFER", {}, refer);
  EXPECT_EQ(code(bob->want("200 REFER")), "200");
  dave->respond(dave->want("INVITE"), 486);
  dave->want("ACK");
  // Who has left watches by the rule alone.
  Phone desk(*line, "bob", "127.0.0.1:40009");
  desk.call_id = "watch1";
  desk.local = "<sip:bob@example.org>;tag=w";
  desk.remote = "<" + alice->target + ">";
  desk.target = alice->target;
  const std::string subscribe = "Event: conference\r\nExpires: 600\r\n";
  const std::string identity = desk.remote;
  desk.request("SUBSCRIBE", {}, subscribe);
  desk.take(desk.want("200 SUBSCRIBE"));
  desk.respond(desk.want("NOTIFY"), 200);
  line->world.now.wall_ms = begins + hour;
  bob->request("REFER", {}, refer);
  EXPECT_EQ(header(bob->want("403 REFER"), "Warning"), "399 example.org \"not allowed to invite\"");
  line->world.now.wall_ms = begins + 1000;
  leaves(*bob);
  line->pass(6s);
  while (desk.boxed() != 0) desk.respond(desk.want("NOTIFY"), 200);
  desk.request("SUBSCRIBE", {}, subscribe);
  desk.want("200 SUBSCRIBE");
  desk.respond(desk.want("NOTIFY"), 200);
  line->world.now.wall_ms = begins + hour;
  line->pass(6s);
  desk.request("SUBSCRIBE", {}, subscribe);
  EXPECT_EQ(code(desk.want("403 SUBSCRIBE")), "403") << "his time is over";
  const std::string last = desk.want("NOTIFY");
  EXPECT_EQ(header(last, "Subscription-State"), "terminated;reason=rejected");
  desk.respond(last, 200);
  desk.call_id = "watch2";
  desk.remote = identity;
  desk.request("SUBSCRIBE", {}, subscribe);
  desk.want("403 SUBSCRIBE");
}

}  // namespace
}  // namespace parley::tests

// tests/service/focus_group_test.cc - sessions of pre-defined groups: invited members, rooms that are joined, rules.
#include "policy/group_document.h"
#include "policy/user_key.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

policy::Rule member_rule(const std::string& user, const std::vector<std::string>& actions) {
  policy::Rule made;
  made.id = user;
  made.conditions.has_identity = true;
  made.conditions.one = {policy::user_key("sip:" + user + "@example.org")};
  for (const std::string& name : actions) {
    made.actions.push_back({.space = {}, .name = name, .value = "true"});
  }
  return made;
}

policy::GroupSpec team(bool invite_members = true) {
  policy::GroupSpec spec;
  spec.uri = "sip:team@example.org";
  spec.display_name = "The Team";
  for (const char* name : {"alice", "bob", "carol"}) {
    spec.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
  }
  spec.invite_members = invite_members;
  return spec;
}

std::shared_ptr<policy::SipConfig> group_config(const policy::GroupSpec& spec) {
  auto config = focus_config();
  const policy::DocumentsResult read = policy::read_documents({}, {&spec, 1}, "example.org");
  EXPECT_EQ(read.error, "");
  config->documents = read.documents;
  return config;
}

struct Groups : Party {
  void SetUp() override { make(group_config(team())); }
  void call_team(Phone& by, const std::string& lines = {}) {
    by.invite_uri("sip:team@example.org", msrp_sdp(by.user()), im_lines + lines);
  }
};

TEST_F(Groups, OMA_GRP_2_WhoBeginsAPrearrangedSessionBringsAllMembers) {
  call_team(*alice);
  const std::string to_bob = join(*bob);
  EXPECT_EQ(header(to_bob, "P-Asserted-Identity"), "<sip:alice@example.org>");
  EXPECT_EQ(to_bob.find("recipient-list-history"), std::string::npos) << "nobody is told who is in it, as with messages";
  EXPECT_EQ(to_bob.find("carol"), std::string::npos) << to_bob;
  join(*carol);
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:team@example.org>") << "SEED2-7.2.1.1-10b";
  EXPECT_TRUE(header(ok, "Contact").ends_with(";isfocus;+g.oma.sip-im")) << "SEED2-7.2.1.1-11";
  alice->take(ok);
  alice->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
  leaves(*alice);
  leaves(*bob);
  ended(*carol);
  at_rest();
}

// Of a group that a user has written by XCAP: its next document holds at once, and without one its session ends.
TEST_F(Groups, OMA_GRP_4_WhatAUserWritesOfHisGroupHoldsForTheSessionThatIsOn) {
  make(focus_config());
  const auto write = [this](const std::vector<std::string>& members) {
    auto written = std::make_shared<policy::UserDocuments>();
    policy::GroupSpec spec = team(false);
    spec.uri = "sip:crew@example.org";
    spec.members.clear();
    for (const std::string& name : members) {
      spec.members.push_back({.uri = "sip:" + name + "@example.org", .key = {}, .display_name = {}});
    }
    auto group = std::make_shared<const policy::Group>(spec);
    if (!members.empty()) written->groups.put(group->key(), group);
    written->changed_owner = "sip:alice@example.org";
    line->world.service().take(written);
  };
  write({"alice", "bob"});
  for (Phone* one : {alice.get(), bob.get()}) {
    one->invite_uri("sip:crew@example.org", msrp_sdp(one->user()), im_lines);
    one->take(one->want("200 INVITE"));
    one->ack();
  }
  const std::string identity = alice->target;
  carol->invite_uri(identity, msrp_sdp("carol"), im_lines);
  EXPECT_EQ(code(carol->next()), "403");
  write({"alice", "carol"});
  dave->invite_uri("sip:crew@example.org", msrp_sdp("dave"), im_lines);
  EXPECT_EQ(code(dave->next()), "403");
  carol->invite_uri(identity, msrp_sdp("carol2"), im_lines);
  const std::string in = carol->want("200 INVITE");
  carol->take(in);
  carol->ack();
  leaves(*bob);
  bob->invite_uri(identity, msrp_sdp("bob2"), im_lines);
  EXPECT_EQ(code(bob->next()), "403") << "he is no member any more";
  write({});
  line->pass(std::chrono::milliseconds(1));
  EXPECT_EQ(header(ended(*alice), "Reason"), "SIP;cause=480;text=\"Group Deleted\"");
  ended(*carol);
  at_rest();
}

// --- whose name is a number

struct NumberedGroups : Groups {
  void SetUp() override {}
  void make_numbered(const std::string& member, bool invite_members = false, bool by_rule = false) {
    policy::GroupSpec spec = team(invite_members);
    if (by_rule) {
      policy::Rule rule = member_rule("x", {"join-handling", "allow-initiate-conference"});
      rule.conditions.one = {policy::user_key(member)};
      spec.rules = std::vector<policy::Rule>{rule};
    } else {
      spec.members.push_back({.uri = member, .key = {}, .display_name = {}});
      if (!also.empty()) spec.members.push_back({.uri = also, .key = {}, .display_name = {}});
    }
    make_with(spec);
  }
  void make_with(const policy::GroupSpec& spec) {
    auto config = group_config(spec);
    config->users.emplace("+15550100", config->users.at("bob"));
    make(config);
    number = phone("+15550100", 5, 0);
    other = phone("+15550199", 6, 0);
  }
  bool joins(Phone& who, const std::string& asserted = {}) {
    call_team(who, asserted.empty() ? std::string() : "P-Asserted-Identity: <" + asserted + ">\r\n");
    const std::string response = who.next();
    if (code(response) != "200") {
      EXPECT_EQ(code(response), "403");
      who.ack_refused(response);
      return false;
    }
    who.take(response);
    who.ack();
    leaves(who);
    return true;
  }
  std::unique_ptr<Phone> number;
  std::unique_ptr<Phone> other;
  std::string also;  // another member
};

TEST_F(NumberedGroups, OMA_GRP_4_AMemberByHisNumberIsTheUserOfThatName) {
  for (const bool by_rule : {false, true}) {
    make_numbered("tel:+1-555-0100", false, by_rule);
    EXPECT_TRUE(joins(*number));
    EXPECT_TRUE(joins(*number, "sip:+15550100@example.org;user=phone"));
    EXPECT_TRUE(joins(*number, "tel:+15550100"));
    EXPECT_FALSE(joins(*other));
    EXPECT_FALSE(joins(*other, "sip:+15550100@elsewhere.example")) << "a name there is anything";
    at_rest();
  }
}

TEST_F(NumberedGroups, OMA_GRP_4_AMemberByHisAddressIsTheNumberOfThatName) {
  for (const bool by_rule : {false, true}) {
    make_numbered("sip:+15550100@example.org", false, by_rule);
    EXPECT_TRUE(joins(*number));
    EXPECT_TRUE(joins(*other, "tel:+15550100"));
    EXPECT_TRUE(joins(*other, "sip:+15550100@example.org;user=phone"));
    EXPECT_FALSE(joins(*other, "tel:+15550199"));
    at_rest();
  }
  make_numbered("sip:+15550199@example.org");
  EXPECT_FALSE(joins(*other, "tel:+15550199")) << "a number without account is nobody of this domain";
}

TEST_F(NumberedGroups, OMA_GRP_2_WhoBeginsASessionIsNotInvitedToItByHisNumber) {
  make_numbered("tel:+15550100", true);
  call_team(*number);
  EXPECT_EQ(line->world.metric(Metric::sip_session_invites), 3U) << "to the others";
  join(*bob);
  const std::string ok = number->want("200 INVITE");
  number->take(ok);
  number->ack();
}

TEST_F(NumberedGroups, OMA_GRP_2_AMemberByBothOfHisNamesIsCalledOnce) {
  const std::string by_address = "sip:+15550100@example.org";
  const std::string by_number = "tel:+15550100";
  for (const auto& [first, second] : {std::pair(by_number, by_address), std::pair(by_address, by_number)}) {
    also = second;
    make_numbered(first, true);
    call_team(*alice);
    EXPECT_EQ(line->world.metric(Metric::sip_session_invites), 3U);
    join(*number);
    number->quiet();
  }
  also = by_address;
  make_numbered("tel:+15550100", true);
  line->world.media().binds = true;
  alice->invite_uri("sip:team@example.org", msrp_sdp("alice", "a=sendonly\r\na=setup:actpass\r\n", "*"),
                    "Accept-Contact: *;+g.oma.sip-im.large-message\r\nUser-Agent: IM-client/OMA1.0 test\r\n"
                    "Allow: INVITE, ACK, CANCEL, BYE\r\n");
  EXPECT_EQ(line->world.metric(Metric::sip_session_invites), 3U) << "OMA-LRG-3";
}

// Who he is does not depend on whether he says it for the first time.
TEST_F(NumberedGroups, OMA_CONF_1_WhoMayWatchMayGoOnWatching) {
  const auto watches = [this](const std::string& member, const std::string& asserted) {
    policy::GroupSpec spec = team(false);
    policy::Rule rule = member_rule("x", {"allow-conference-state"});
    rule.conditions.one = {policy::user_key(member)};
    spec.rules = std::vector<policy::Rule>{member_rule("alice", {"join-handling", "allow-initiate-conference"}), rule};
    make_with(spec);
    call_team(*alice);
    alice->take(alice->want("200 INVITE"));
    alice->ack();
    other->call_id = "watch";
    other->local = "<sip:+15550199@example.org>;tag=w";
    other->remote = "<" + alice->target + ">";
    other->target = alice->target;
    const std::string lines = "Event: conference\r\nExpires: 600\r\nAccept: application/conference-info+xml\r\n"
                              "P-Asserted-Identity: <" + asserted + ">\r\n";
    std::string codes;
    for (int times = 0; times < 2; ++times) {
      other->request("SUBSCRIBE", {}, lines);
      const std::string answer = other->next();
      codes += code(answer) + " ";
      if (code(answer) != "200") break;
      if (times == 0) other->take(answer);
      other->respond(other->want("NOTIFY"), 200);
    }
    return codes;
  };
  EXPECT_EQ(watches("tel:+15550177", "tel:+15550177"), "200 200 ");
  EXPECT_EQ(watches("tel:+15550177", "sip:+15550177@example.org;user=phone"), "200 200 ");
  EXPECT_EQ(watches("tel:+15550177", "sip:+15550177@example.org"), "200 200 ");
  EXPECT_EQ(watches("sip:+15550177@example.org", "sip:+15550177@example.org;user=phone"), "403 ")
      << "a number without account is nobody of this domain";
  EXPECT_EQ(watches("sip:+15550100@example.org", "sip:+15550100@example.org;user=phone"), "200 200 ");
  EXPECT_EQ(watches("sip:+15550100@example.org", "tel:+15550100"), "200 200 ");
}

TEST_F(NumberedGroups, OMA_PAG_3_WhoWritesToItGetsNoCopyByHisNumber) {
  make_numbered("tel:+15550100");
  number->call_id = "m1";
  number->local = "<sip:+15550100@example.org>;tag=m1";
  number->remote = "<sip:team@example.org>";
  number->target = "sip:team@example.org";
  number->send_typed("MESSAGE", "text/plain", "hello", "Accept-Contact: *;+g.oma.sip-im\r\n");
  number->want("202 MESSAGE");
  for (Phone* who : {alice.get(), bob.get(), carol.get()}) who->respond(who->want("MESSAGE"), 200);
  line->pass(40s);
  EXPECT_EQ(line->world.metric(Metric::im_list_copies), 3U);
  EXPECT_EQ(line->world.metric(Metric::im_list_copies_failed), 0U);
}

TEST_F(Groups, SEED2_7_2_1_1_5b_ProvisionalResponsesNameTheGroup) {
  call_team(*alice);
  bob->respond(bob->want("INVITE"), 180);
  EXPECT_EQ(header(alice->want("180 INVITE"), "P-Asserted-Identity"), "<sip:team@example.org>");
}

TEST_F(Groups, OMA_GRP_4_WhoIsNoMemberIs403AndAnUnknownGroup404) {
  call_team(*dave);
  EXPECT_EQ(header(dave->want("403 INVITE"), "Warning"), "399 example.org \"not allowed to join\"");
  dave->invite_uri("sip:nothing@example.org", msrp_sdp("dave"), im_lines);
  EXPECT_EQ(code(dave->next()), "404");
  EXPECT_EQ(line->world.service().focus().sessions(), 0U) << "of two, and the other one is nobody";
}

TEST_F(Groups, OMA_GRP_4_ASecondMemberJoinsTheSessionThatIsOn) {
  call_team(*alice);
  join(*bob);
  join(*carol, 486);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  call_team(*carol);
  const std::string ok = carol->want("200 INVITE");
  EXPECT_EQ(contact_uri(ok), alice->target) << "the same session identity";
  carol->take(ok);
  carol->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 1U);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
}

TEST_F(Groups, OMA_GRP_4_AFullRoomIs486) {
  policy::GroupSpec spec = team(false);
  spec.max_participants = 2;
  make(group_config(spec));
  for (Phone* phone : {alice.get(), bob.get()}) {
    call_team(*phone);
    phone->take(phone->want("200 INVITE"));
    phone->ack();
  }
  call_team(*carol);
  EXPECT_EQ(header(carol->want("486 INVITE"), "Warning"), "399 example.org \"session is full\"");
}

TEST_F(Groups, OMA_GRP_2_ARoomIsJoinedAndNobodyIsInvited) {
  make(group_config(team(false)));
  call_team(*alice);
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:team@example.org>");
  alice->take(ok);
  alice->ack();
  bob->quiet();
  call_team(*bob);
  bob->take(bob->want("200 INVITE"));
  bob->ack();
  leaves(*alice);
  bob->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 1U) << "a room goes on with one";
  leaves(*bob);
  at_rest();
}

TEST_F(Groups, OMA_GRP_4_WhoMayNotBeginIs480InARoomAnd403InAGroup) {
  policy::GroupSpec spec = team(false);
  spec.rules = std::vector<policy::Rule>{member_rule("alice", {"join-handling"})};
  make(group_config(spec));
  call_team(*alice);
  EXPECT_EQ(code(alice->want("480 INVITE")), "480");
  spec.invite_members = true;
  make(group_config(spec));
  call_team(*alice);
  EXPECT_EQ(header(alice->want("403 INVITE"), "Warning"), "399 example.org \"not allowed to begin the session\"");
}

TEST_F(Groups, OMA_GRP_9_WhereAnonymityIsNotAllowedItIs433) {
  alice->local = "";
  call_team(*alice, "Privacy: id\r\n");
  EXPECT_EQ(code(alice->want("433 INVITE")), "433");
}

TEST_F(Groups, OMA_GRP_3_WhatAGroupDemandsAndWeDoNotKnowIs403) {
  policy::GroupSpec spec = team();
  spec.not_understood = "quantum";
  make(group_config(spec));
  call_team(*alice);
  EXPECT_EQ(code(alice->want("403 INVITE")), "403");
}

TEST_F(Groups, OMA_GRP_3_ASessionEndsWithItsMaximumDuration) {
  policy::GroupSpec spec = team(false);
  spec.session.max_duration_seconds = 60;
  make(group_config(spec));
  call_team(*alice);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  line->pass(61s);
  EXPECT_EQ(header(ended(*alice), "Reason"), "SIP;cause=480;text=\"Session Duration\"");
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_duration), 1U);
  at_rest();
}

TEST_F(Groups, OMA_ALIAS_1_AnAnonymousOriginatorIsNamedByHisAliasAlone) {
  policy::GroupSpec spec = team();
  spec.rules = std::vector<policy::Rule>{
      member_rule("alice", {"join-handling", "allow-initiate-conference", "allow-anonymity"}), member_rule("bob", {"join-handling"})};
  make(group_config(spec));
  alice->anonymous = "\"Night Owl\" <sip:anonymous@anonymous.invalid>";
  call_team(*alice, "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_TRUE(header(invite, "From").starts_with("\"Night Owl\" <sip:anonymous@anonymous.invalid>;tag=")) << invite;
  EXPECT_EQ(header(invite, "Privacy"), "id") << "SEED4-6.1.2.2.2-1";
  EXPECT_EQ(header(invite, "Referred-By"), "") << "OMA-ALIAS-4";
}

TEST_F(Groups, OneShardOwnsTheSessionOfAGroup) {
  make(group_config(team(false)), 2);
  call_team(*alice);  // arrives at shard 0
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  call_team(*bob);  // arrives at shard 1
  const std::string ok = bob->want("200 INVITE");
  EXPECT_EQ(contact_uri(ok).substr(0, 30), alice->target.substr(0, 30));
  bob->take(ok);
  bob->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 1U);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  leaves(*alice);
  leaves(*bob);
  at_rest();
}

}  // namespace
}  // namespace parley::tests

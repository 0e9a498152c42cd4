// tests/policy/group_document_test.cc - groups: who is on the list, who may do what, what a document must not hold.
#include "policy/group_document.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/policy/one_list.h"

namespace parley::policy {
namespace {

std::string document(const std::string& inside, const std::string& uri = "sip:team@example.org") {
  return "<?xml version='1.0' encoding='UTF-8'?>\n<group xmlns='urn:oma:xml:poc:list-service' "
         "xmlns:rl='urn:ietf:params:xml:ns:resource-lists' "
         "xmlns:cr='urn:ietf:params:xml:ns:common-policy' xmlns:ocr='urn:oma:xml:xdm:common-policy' "
         "xmlns:oxe='urn:oma:xml:xdm:extensions'>"
         "<list-service uri='" +
         uri + "'>" + inside + "</list-service></group>";
}
const std::string three =
    "<list><entry uri='sip:alice@example.org'><rl:display-name>Alice</rl:display-name></entry>"
    "<entry uri='sip:bob@example.org'/><entry uri='tel:+15551234'/></list>";

std::string rule(const std::string& conditions, const std::string& actions) {
  return "<cr:rule id='r'><cr:conditions>" + conditions + "</cr:conditions><cr:actions>" + actions +
         "</cr:actions></cr:rule>";
}
std::string rules(const std::string& inside) { return three + "<cr:ruleset>" + inside + "</cr:ruleset>"; }

Group group_of(const std::string& inside) {
  std::vector<Group> groups;
  const XmlError error = parse_groups(document(inside), groups);
  EXPECT_FALSE(error) << to_string(error);
  return groups.empty() ? Group(GroupSpec{}) : groups.front();
}

std::string group_complaint(const std::string& bytes) {
  std::vector<Group> groups;
  const XmlError error = parse_groups(bytes, groups);
  EXPECT_TRUE(!error || groups.empty());
  return error ? to_string(error) : "no complaint";
}

TEST(GroupDocument, OMA_GRP_1_a_list_service_with_its_members) {
  const Group group =
      group_of("<display-name>The team</display-name>" + three +
               "<invite-members>true</invite-members><max-participant-count>10</max-participant-count>");
  EXPECT_EQ(group.uri(), "sip:team@example.org");
  EXPECT_EQ(group.display_name(), "The team");
  ASSERT_EQ(group.members().size(), 3U);
  EXPECT_EQ(group.members()[0].uri, "sip:alice@example.org");
  EXPECT_EQ(group.members()[0].display_name, "Alice");
  EXPECT_EQ(group.max_participants(), 10U);
  EXPECT_TRUE(group.is_member("sips:alice@EXAMPLE.org:5061"));
  EXPECT_TRUE(group.is_member("sip:+15551234@gw;user=phone"));
  EXPECT_FALSE(group.is_member("sip:carol@example.org"));
  EXPECT_FALSE(group.is_member(""));
  EXPECT_EQ(group.member("sip:bob@example.org"), &group.members()[1]);
  EXPECT_EQ(group.not_understood(), "");
}

TEST(GroupDocument, OMA_GRP_1_a_member_stands_once_where_he_stood_first) {
  const Group group = group_of(
      "<list><entry uri='sip:z@x'/><entry uri='sip:a@x'/><entry "
      "uri='sip:z@X'><rl:display-name>no</rl:display-name></entry></list>");
  ASSERT_EQ(group.members().size(), 2U);
  EXPECT_EQ(group.members()[0].uri, "sip:z@x");
  EXPECT_EQ(group.members()[0].display_name, "");
  EXPECT_EQ(group.members()[1].uri, "sip:a@x");
  EXPECT_TRUE(group.is_member("sip:a@x") && group.is_member("sip:z@x"));
}

TEST(GroupDocument, OMA_GRP_1_lists_named_by_anchor) {
  const Group group = group_of("<list><entry uri='sip:a@x'/><external anchor='http://xcap/resource-lists/users/sip:o@x/index/~~/resource-lists/list%5B@name=%22friends%22%5D'/></list>");
  const ExternalLists lists = lists_with("friends", {"sip:b@x"});
  EXPECT_FALSE(group.is_member("sip:b@x"));
  EXPECT_TRUE(group.is_member("sip:b@x", &lists));
  EXPECT_TRUE(group.is_member("sip:a@x", &lists));
  const std::vector<std::string> b = {"sip:b@x"};
  EXPECT_EQ(group.judge({.keys = b, .lists = &lists}, GroupAction::join), GroupVerdict::allowed);
}

TEST(GroupDocument, OMA_GRP_2_invite_members_makes_a_pre_arranged_group) {
  EXPECT_TRUE(group_of("<invite-members>1</invite-members>").invites_members());
  EXPECT_FALSE(group_of("<invite-members>false</invite-members>").invites_members());
  EXPECT_FALSE(group_of("").invites_members());
}

TEST(GroupDocument, OMA_GRP_3_extension_elements_are_honoured) {
  const Group group =
      group_of(three +
               "<oxe:subject>Weekly &amp; more</oxe:subject>"
               "<oxe:session-active-policy><oxe:session-originator/><oxe:required-participants-list><oxe:entry "
               "uri='sip:alice@EXAMPLE.org'/></oxe:required-participants-list>"
               "<oxe:min-participant-count>2</oxe:min-participant-count></oxe:session-active-policy>"
               "<oxe:max-duration>PT2H</oxe:max-duration>"
               "<oxe:schedule><oxe:time-range><oxe:start-time>1970-01-01T00:00:10Z</"
               "oxe:start-time><oxe:end-time>1970-01-01T00:00:20Z</oxe:end-time></oxe:time-range></oxe:schedule>"
               "<oxe:supported-services><oxe:service enabler='im'/></oxe:supported-services>"
               "<oxe:age-restrictions><oxe:age from='18' until='99'/></oxe:age-restrictions>");
  EXPECT_EQ(group.subject(), "Weekly & more");
  const SessionActivePolicy& session = group.session_policy();
  EXPECT_TRUE(session.originator_required);
  EXPECT_EQ(session.required_participants, std::vector<std::string>{"sip:alice@example.org"});
  EXPECT_EQ(session.min_participants, 2U);
  EXPECT_EQ(session.max_duration_seconds, 7200U);
  EXPECT_FALSE(session.scheduled_at(9'999));
  EXPECT_TRUE(session.scheduled_at(10'000) && session.scheduled_at(19'999));
  EXPECT_FALSE(session.scheduled_at(20'000));
  EXPECT_TRUE(group.supports("im"));
  EXPECT_FALSE(group.supports("poc"));
  EXPECT_EQ(group.spec().age_from, 18U);
  EXPECT_EQ(group.not_understood(), "");
}

TEST(GroupDocument, OMA_GRP_3_services_by_exception_and_none_at_all) {
  const Group except = group_of(
      "<oxe:supported-services><oxe:all-services-except><oxe:service "
      "enabler='im'/></oxe:all-services-except></oxe:supported-services>");
  EXPECT_FALSE(except.supports("im"));
  EXPECT_TRUE(except.supports("poc"));
  EXPECT_TRUE(group_of("").supports("anything"));
  EXPECT_TRUE(SessionActivePolicy{}.scheduled_at(0));
}

TEST(GroupDocument, OMA_GRP_3_what_must_be_understood_and_is_not_refuses_the_group) {
  EXPECT_EQ(group_of("<oxe:new-thing must-understand='true'/>").not_understood(), "new-thing");
  EXPECT_EQ(group_of("<x:thing xmlns:x='urn:x' oxe:must-understand='1'/>").not_understood(), "thing");
  EXPECT_EQ(group_of("<oxe:new-thing must-understand='false'/><oxe:newer/>").not_understood(), "");
  EXPECT_EQ(group_of("<oxe:subject must-understand='true'>known</oxe:subject>").not_understood(), "");
  EXPECT_EQ(group_of("<oxe:session-active-policy><oxe:moon-phase must-understand='true'/></oxe:session-active-policy>")
                .not_understood(),
            "moon-phase");
  EXPECT_EQ(
      group_of(rules(rule("", "<oxe:allow-flying must-understand='true'>true</oxe:allow-flying>"))).not_understood(),
      "allow-flying");
  // Nobody knows ages here, so a restriction that has to be kept cannot be.
  EXPECT_EQ(group_of("<oxe:age-restrictions must-understand='true'><oxe:age from='18'/></oxe:age-restrictions>")
                .not_understood(),
            "age-restrictions");
}

TEST(GroupDocument, OMA_ACC_6_without_rules_members_may_the_usual_things_and_others_nothing) {
  const Group group = group_of(three);
  for (std::size_t n = 0; n < group_actions; ++n) {
    const auto action = static_cast<GroupAction>(n);
    EXPECT_EQ(group.may("sip:alice@example.org", action), member_may_by_default(action)) << to_string(action);
    EXPECT_FALSE(group.may("sip:carol@example.org", action)) << to_string(action);
  }
}

TEST(GroupDocument, OMA_ACC_6_each_action_is_asked_by_its_own_name) {
  for (std::size_t n = 0; n < group_actions; ++n) {
    const auto action = static_cast<GroupAction>(n);
    const std::string name = std::string(to_string(action));
    const Group group = group_of(rules(rule("<is-list-member/>", "<oxe:" + name + ">true</oxe:" + name + ">")));
    for (std::size_t m = 0; m < group_actions; ++m) {
      EXPECT_EQ(group.may("sip:bob@example.org", static_cast<GroupAction>(m)), m == n) << name << " " << m;
    }
    EXPECT_FALSE(group.may("sip:carol@example.org", action));
  }
}

TEST(GroupDocument, OMA_ACC_6_join_handling_has_older_values) {
  for (const char* yes : {"true", "1", "allow"}) {
    EXPECT_TRUE(group_of(rules(rule("", std::string("<join-handling>") + yes + "</join-handling>")))
                    .may("sip:x@y", GroupAction::join))
        << yes;
  }
  for (const char* no : {"false", "0", "block"}) {
    EXPECT_FALSE(group_of(rules(rule("", std::string("<join-handling>") + no + "</join-handling>")))
                     .may("sip:x@y", GroupAction::join))
        << no;
  }
  EXPECT_EQ(group_complaint(document(rules(rule("", "<join-handling>perhaps</join-handling>")))),
            "line 2: <join-handling> is neither true nor false");
}

TEST(GroupDocument, OMA_ACC_6_one_rule_that_allows_is_enough) {
  const Group group = group_of(rules(
      rule("<is-list-member/>", "<join-handling>false</join-handling>") +
      rule("<cr:identity><cr:one id='sip:alice@example.org'/></cr:identity>", "<join-handling>true</join-handling>")));
  EXPECT_TRUE(group.may("sip:alice@example.org", GroupAction::join));
  EXPECT_FALSE(group.may("sip:bob@example.org", GroupAction::join));
}

TEST(GroupDocument, OMA_ACC_6_a_room_open_to_a_domain) {
  const Group group = group_of(
      rules(rule("<cr:identity><cr:many domain='example.net'/></cr:identity>", "<join-handling>true</join-handling>") +
            rule("<ocr:other-identity/>", "<allow-conference-state>true</allow-conference-state>")));
  EXPECT_TRUE(group.may("sip:x@example.net", GroupAction::join));
  EXPECT_FALSE(group.may("sip:alice@example.org", GroupAction::join));
  EXPECT_TRUE(group.may("sip:alice@example.org", GroupAction::conference_state));
  EXPECT_FALSE(group.may("sip:x@example.net", GroupAction::conference_state));
}

TEST(GroupDocument, OMA_GRP_4_who_has_an_address_and_a_number_is_judged_by_both) {
  const std::vector<std::string> both = {"sip:+15551234@example.org", "tel:+15551234"};
  const std::vector<std::string> address = {both[0]};
  const std::string join = "<join-handling>true</join-handling>";
  const auto lets = [](const Group& group, const std::vector<std::string>& keys) {
    return group.judge({.keys = keys}, GroupAction::join) == GroupVerdict::allowed;
  };
  for (const std::string& inside :
       {three, rules(rule("<is-list-member/>", join)), rules(rule("<cr:identity><cr:one id='tel:+15551234'/></cr:identity>", join))}) {
    EXPECT_TRUE(lets(group_of(inside), both)) << inside;
    EXPECT_FALSE(lets(group_of(inside), address)) << inside;
  }
  const Group excepted = group_of(
      rules(rule("<cr:identity><cr:many domain='example.org'><cr:except id='tel:+15551234'/></cr:many></cr:identity>", join)));
  EXPECT_TRUE(lets(excepted, address));
  EXPECT_FALSE(lets(excepted, both));
  EXPECT_FALSE(lets(group_of(three), {}));
  EXPECT_FALSE(lets(group_of(three), {""}));
}

TEST(GroupDocument, OMA_GRP_9_who_is_refused_only_for_his_anonymity_is_told_so) {
  const std::string join = "<join-handling>true</join-handling>";
  const std::vector<std::string> bob = {"sip:bob@example.org"};
  const std::vector<std::string> carol = {"sip:carol@example.org"};
  const Group named = group_of(rules(rule("<is-list-member/>", join + "<allow-anonymity>false</allow-anonymity>")));
  EXPECT_EQ(named.judge({.keys = bob}, GroupAction::join), GroupVerdict::allowed);
  EXPECT_EQ(named.judge({.keys = bob, .anonymous = true}, GroupAction::join),
            GroupVerdict::anonymity_disallowed);
  EXPECT_EQ(named.judge({.keys = carol, .anonymous = true}, GroupAction::join),
            GroupVerdict::forbidden);
  EXPECT_EQ(named.judge({.keys = bob, .anonymous = true}, GroupAction::expelling),
            GroupVerdict::forbidden);
  // Membership counts in spite of Privacy: the server knows him.
  const Group open = group_of(rules(rule("<is-list-member/>", join + "<allow-anonymity>true</allow-anonymity>")));
  EXPECT_TRUE(open.may("sip:bob@example.org", GroupAction::join, true));
  EXPECT_FALSE(open.may("sip:carol@example.org", GroupAction::join, true));
  EXPECT_EQ(group_of(three).judge({.keys = bob, .anonymous = true}, GroupAction::join),
            GroupVerdict::anonymity_disallowed);
  const Group by_rule =
      group_of(rules(rule("<ocr:anonymous-request/>", join + "<allow-anonymity>true</allow-anonymity>")));
  EXPECT_TRUE(by_rule.may("sip:x@y", GroupAction::join, true));
  EXPECT_FALSE(by_rule.may("sip:x@y", GroupAction::join, false));
}

TEST(GroupDocument, OMA_GRP_1_mistakes_are_named) {
  EXPECT_EQ(group_complaint("<group/>"), "line 1: is no group document");
  EXPECT_EQ(group_complaint("<group xmlns='urn:oma:xml:poc:list-service'/>"), "line 1: has no <list-service>");
  EXPECT_EQ(group_complaint(document("", "")), "line 2: <list-service> has no uri that is a SIP, SIPS or TEL URI");
  EXPECT_EQ(group_complaint(document("", "mailto:a@b")), "line 2: <list-service> has no uri that is a SIP, SIPS or TEL URI");
  EXPECT_EQ(group_complaint(document("<list>\n<entry uri='http://x'/></list>")),
            "line 3: <entry> has no uri that is a SIP, SIPS or TEL URI");
  EXPECT_EQ(group_complaint(document("<invite-members>yes</invite-members>")),
            "line 2: <invite-members> is neither true nor false");
  EXPECT_EQ(group_complaint(document("<max-participant-count>-1</max-participant-count>")),
            "line 2: <max-participant-count> is no number");
  EXPECT_EQ(group_complaint(document("<oxe:max-duration>long</oxe:max-duration>")),
            "line 2: <max-duration> is neither a duration nor a number of seconds");
  EXPECT_EQ(group_complaint(document("<oxe:schedule/>")), "line 2: <schedule> has no <time-range>");
  EXPECT_EQ(group_complaint(document("<oxe:schedule><oxe:time-range/></oxe:schedule>")),
            "line 2: <time-range> has no <start-time> and <end-time> that are a date and time");
  EXPECT_EQ(group_complaint(document("<cr:ruleset><cr:rule><cr:conditions><cr:identity><cr:one/></cr:identity></"
                               "cr:conditions></cr:rule></cr:ruleset>")),
            "line 2: <one> has no id");
  const std::string twice = "<list-service uri='sip:a@x'/><list-service uri='sip:a@X'/>";
  EXPECT_EQ(group_complaint("<group xmlns='urn:oma:xml:poc:list-service'>" + twice + "</group>"),
            "line 1: <list-service> has the uri of another one");
  EXPECT_EQ(group_complaint("<!DOCTYPE g>" + document("")),
            "line 1: has a DOCTYPE or other declaration, which is not allowed");
}

TEST(GroupDocument, OMA_GRP_1_members_have_a_limit) {
  std::string list = "<list>";
  for (std::size_t n = 0; n < group_members_max; ++n) list += "<entry uri='sip:u" + std::to_string(n) + "@x'/>";
  EXPECT_EQ(group_of(list + "</list>").members().size(), group_members_max);
  EXPECT_EQ(group_complaint(document(list + "<entry uri='sip:one@more'/></list>")),
            "line 2: <entry> is one more than the 10000 members a group may have");
}

TEST(GroupDocument, several_groups_in_one_document) {
  std::vector<Group> groups;
  ASSERT_FALSE(parse_groups(
      "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:a@x'/><list-service uri='sip:b@x'/></group>",
      groups));
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[1].key(), "sip:b@x");
}

TEST(GroupDocument, a_group_made_by_hand_is_the_same_value) {
  const Group group({.uri = "sip:team@example.org",
                     .display_name = {},
                     .members = {{"sip:alice@example.org", "", ""}, {"nobody", "", ""}}});
  EXPECT_EQ(group.members().size(), 1U);
  EXPECT_TRUE(group.may("sip:alice@example.org", GroupAction::join));
  EXPECT_TRUE(group.invites_members());
}

TEST(GroupDocument, what_is_written_is_read_as_the_same_group) {
  const Group group = group_of(
      "<display-name>T&lt;</display-name><list><entry "
      "uri='sip:alice@example.org'><rl:display-name>A</rl:display-name></entry>"
      "<external "
      "anchor='http://xcap/l'/></list><invite-members>true</invite-members><max-participant-count>5</"
      "max-participant-count>"
      "<cr:ruleset>" +
      rule("<is-list-member/>", "<join-handling>true</join-handling><oxe:allow-expelling>true</oxe:allow-expelling>") +
      "</cr:ruleset><oxe:subject>S</oxe:subject><oxe:max-duration>60</oxe:max-duration>"
      "<oxe:required-participants-list><oxe:entry "
      "uri='sip:a@x'/></oxe:required-participants-list><oxe:session-originator>true</oxe:session-originator>"
      "<oxe:schedule><oxe:time-range><oxe:start-time>2026-01-01T00:00:00Z</"
      "oxe:start-time><oxe:end-time>2026-01-02T00:00:00Z</oxe:end-time></oxe:time-range></oxe:schedule>"
      "<oxe:supported-services><oxe:all-services-except><oxe:service "
      "enabler='poc'/></oxe:all-services-except></oxe:supported-services>"
      "<oxe:age-restrictions><oxe:age from='18'/></oxe:age-restrictions><oxe:new must-understand='true'/>");
  std::string out;
  put_group(group, out);
  std::vector<Group> again;
  const XmlError error = parse_groups(out, again);
  ASSERT_FALSE(error) << to_string(error) << out;
  std::string twice;
  put_group(again[0], twice);
  EXPECT_EQ(twice, out);
  EXPECT_EQ(again[0].session_policy(), group.session_policy());
  EXPECT_EQ(again[0].not_understood(), "new");
  EXPECT_EQ(again[0].spec().services, group.spec().services);
  EXPECT_TRUE(again[0].spec().services_except);
  EXPECT_TRUE(again[0].may("sip:alice@example.org", GroupAction::expelling));
  EXPECT_FALSE(again[0].may("sip:alice@example.org", GroupAction::subconf));
  EXPECT_EQ(again[0].max_participants(), 5U);
  EXPECT_EQ(again[0].spec().external_lists, group.spec().external_lists);
}

}  // namespace
}  // namespace parley::policy

// tests/policy/access_rules_test.cc - whom a ruleset lets through, by which rule.
#include "policy/access_rules.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "policy/user_key.h"
#include "tests/policy/one_list.h"

namespace parley::policy {
namespace {

const std::string spaces =
    "xmlns='urn:ietf:params:xml:ns:common-policy' xmlns:ocr='urn:oma:xml:xdm:common-policy' "
    "xmlns:oxe='urn:oma:xml:xdm:extensions' "
    "xmlns:pr='urn:oma:xml:poc:poc-rules'";

std::string ruleset(const std::string& rules) {
  return "<?xml version='1.0'?>\n<ruleset " + spaces + ">" + rules + "</ruleset>";
}

std::string rule(const std::string& id, const std::string& conditions, const std::string& handling) {
  return "<rule id='" + id + "'><conditions>" + conditions + "</conditions><actions><pr:allow-invite>" + handling +
         "</pr:allow-invite></actions><transformations/></rule>";
}
std::string one(const std::string& uri) { return "<identity><one id='" + uri + "'/></identity>"; }

AccessRules rules_of(const std::string& rules) {
  AccessRules out;
  const XmlError error = parse_access_rules(ruleset(rules), out);
  EXPECT_FALSE(error) << to_string(error);
  return out;
}

std::string rules_complaint(const std::string& document) {
  AccessRules out;
  const XmlError error = parse_access_rules(document, out);
  return error ? to_string(error) : "no complaint";
}

struct Asking {
  std::string uri = "sip:alice@example.com";
  Wanted wanted = Wanted::session;
  bool anonymous = false;
  std::string second{};
  std::int64_t wall_ms = 0;
  const ExternalLists* lists = nullptr;
};

// "reject by r1", "pass by default"
std::string judged(const AccessRules& rules, const Asking& asking, InviteHandling otherwise = InviteHandling::pass) {
  const std::array<std::string, 2> keys = {user_key(asking.uri), user_key(asking.second)};
  const std::array<std::string_view, 2> views = {keys[0], keys[1]};
  const std::size_t count = keys[0].empty() ? 0 : keys[1].empty() ? 1 : 2;
  const AccessVerdict verdict = rules.judge({.keys = std::span(views).first(count),
                                             .anonymous = asking.anonymous,
                                             .wanted = asking.wanted,
                                             .wall_ms = asking.wall_ms,
                                             .lists = asking.lists},
                                            otherwise);
  return std::string(to_string(verdict.handling)) + " by " +
         (verdict.by_default ? "default" : std::string(verdict.rule));
}

TEST(AccessRules, OMA_ACC_1_a_ruleset_says_reject_pass_accept) {
  for (const char* handling : {"reject", "pass", "accept"}) {
    EXPECT_EQ(judged(rules_of(rule("r1", one("sip:alice@example.com"), handling)), {}),
              std::string(handling) + " by r1");
  }
  EXPECT_EQ(rules_complaint(ruleset(rule("r1", "", "maybe"))), "line 2: <allow-invite> is none of reject, pass and accept");
  EXPECT_EQ(rules_complaint("<ruleset/>"), "line 1: is no ruleset document");
  EXPECT_EQ(rules_complaint("<rule xmlns='urn:ietf:params:xml:ns:common-policy'/>"), "line 1: is no ruleset document");
}

TEST(AccessRules, OMA_ACC_2_media_conditions_all_have_to_hold) {
  const AccessRules rules =
      rules_of(rule("s", "<oxe:message-session/>", "reject") + rule("p", "<oxe:pager-mode-message/>", "accept") +
               rule("both", "<oxe:message-session/><oxe:pager-mode-message/>", "accept") +
               rule("calls", "<oxe:audio/>", "accept"));
  EXPECT_EQ(judged(rules, {.wanted = Wanted::session}), "reject by s");
  EXPECT_EQ(judged(rules, {.wanted = Wanted::pager_message}), "accept by p");
  EXPECT_EQ(judged(rules, {.wanted = Wanted::group_advertisement}), "pass by default");
  const AccessRules lists = rules_of(
      rule("m", "<oxe:media-list><oxe:message-session/><oxe:pager-mode-message/></oxe:media-list>", "reject") +
      rule("x", "<oxe:media-list><oxe:all-media-except><oxe:message-session/></oxe:all-media-except></oxe:media-list>",
           "accept"));
  EXPECT_EQ(judged(lists, {.wanted = Wanted::session}), "reject by m");
  EXPECT_EQ(judged(lists, {.wanted = Wanted::pager_message}), "accept by x");
}

TEST(AccessRules, DEC_16_large_messages_go_with_sessions) {
  const AccessRules rules = rules_of(rule("s", "<oxe:message-session/>", "reject"));
  EXPECT_EQ(judged(rules, {.wanted = Wanted::large_message}), "reject by s");
  EXPECT_EQ(judged(rules, {.wanted = Wanted::pager_message}), "pass by default");
}

TEST(AccessRules, DEC_16_files_go_with_sessions_where_no_rule_speaks_of_them) {
  EXPECT_EQ(judged(rules_of(rule("s", "<oxe:message-session/>", "reject")), {.wanted = Wanted::file_transfer}),
            "reject by s");
  const AccessRules both = rules_of(rule("s", "<oxe:message-session/>", "reject") +
                                    rule("f", one("sip:bob@example.com") + "<oxe:file-transfer/>", "accept"));
  EXPECT_EQ(judged(both, {.wanted = Wanted::file_transfer}), "pass by default");
  EXPECT_EQ(judged(both, {.uri = "sip:bob@example.com", .wanted = Wanted::file_transfer}), "accept by f");
  EXPECT_EQ(judged(both, {.wanted = Wanted::session}), "reject by s");
}

TEST(AccessRules, OMA_ACC_3_one_identity_is_compared_as_an_address_of_record) {
  const AccessRules rules = rules_of(rule(
      "r",
      "<identity><one id='sip:%61lice@EXAMPLE.com'/><one id='tel:+1-212-555-1234'/><one id='mailto:x@y'/></identity>",
      "reject"));
  EXPECT_EQ(judged(rules, {}), "reject by r");
  EXPECT_EQ(judged(rules, {.uri = "sips:alice@example.com:5061"}), "reject by r");
  EXPECT_EQ(judged(rules, {.uri = "sip:Alice@example.com"}), "pass by default");
  EXPECT_EQ(judged(rules, {.uri = "sip:+12125551234@gw.example.net;user=phone"}), "reject by r");
  EXPECT_EQ(judged(rules, {.uri = "sip:bob@example.com", .second = "tel:+12125551234"}), "reject by r");  // OMA-ID-7
  EXPECT_EQ(judged(rules, {.uri = ""}), "pass by default");
}

TEST(AccessRules, OMA_ACC_3_many_with_and_without_domain_and_exceptions) {
  // RFC 4745 section 7.1.3.2
  const AccessRules except =
      rules_of(rule("r",
                    "<identity><many><except domain='example.com'/><except domain='Example.org.'/>"
                    "<except id='sip:alice@bad.example.net'/><except id='tel:+1-212-555-1234'/></many></identity>",
                    "reject"));
  EXPECT_EQ(judged(except, {.uri = "sip:x@example.com"}), "pass by default");
  EXPECT_EQ(judged(except, {.uri = "sip:x@example.org"}), "pass by default");
  EXPECT_EQ(judged(except, {.uri = "sip:alice@bad.example.net"}), "pass by default");
  EXPECT_EQ(judged(except, {.uri = "sip:bob@bad.example.net"}), "reject by r");
  EXPECT_EQ(judged(except, {.uri = "tel:+12125551234"}), "pass by default");
  EXPECT_EQ(judged(except, {.uri = "tel:+12125551235"}), "reject by r");
  EXPECT_EQ(judged(except, {.uri = "sip:x@example.net", .second = "tel:+12125551234"}),
            "pass by default");                               // excepted by either
  EXPECT_EQ(judged(except, {.uri = ""}), "pass by default");  // nobody has been authenticated
  // RFC 4745 section 7.1.3.3
  const AccessRules domain = rules_of(rule(
      "r", "<identity><many domain='EXAMPLE.com'><except id='sip:alice@example.com'/></many></identity>", "reject"));
  EXPECT_EQ(judged(domain, {.uri = "sip:carol@example.com"}), "reject by r");
  EXPECT_EQ(judged(domain, {.uri = "sip:alice@example.com"}), "pass by default");
  EXPECT_EQ(judged(domain, {.uri = "sip:carol@sub.example.com"}), "pass by default");
  EXPECT_EQ(judged(domain, {.uri = "tel:+12125551234"}), "pass by default");
  EXPECT_EQ(judged(rules_of(rule("r", "<identity><many/></identity>", "reject")), {}), "reject by r");
  EXPECT_EQ(judged(rules_of(rule("r", "<identity/>", "reject")), {}), "pass by default");
}

TEST(AccessRules, OMA_ACC_3_external_lists) {
  const AccessRules rules = rules_of(rule("r",
                                          "<ocr:external-list><ocr:entry anc='http://xcap/list-a'/><ocr:entry "
                                          "anc='http://xcap/resource-lists/users/sip:o@x/index/~~/resource-lists/list%5B@name=%22b%22%5D'/></ocr:external-list>",
                                          "reject"));
  EXPECT_EQ(judged(rules, {}), "pass by default");  // not resolved: nobody is on it
  const ExternalLists lists = lists_with("b", {"sip:alice@example.com"});
  EXPECT_EQ(judged(rules, {.lists = &lists}), "reject by r");
  EXPECT_EQ(judged(rules, {.uri = "sip:bob@example.com", .lists = &lists}), "pass by default");
  EXPECT_EQ(judged(rules, {.anonymous = true, .lists = &lists}), "pass by default");
}

TEST(AccessRules, OMA_ACC_3_who_is_anonymous_is_nobody_but_anonymous) {
  const AccessRules rules = rules_of(
      rule("alice", one("sip:alice@example.com"), "accept") + rule("many", "<identity><many/></identity>", "accept") +
      rule("other", "<ocr:other-identity/>", "accept") + rule("anonymous", "<ocr:anonymous-request/>", "reject"));
  EXPECT_EQ(judged(rules, {.anonymous = true}), "reject by anonymous");
  EXPECT_EQ(judged(rules, {}), "accept by alice");
  // A rule that asks for no identity is for all (RFC 4745 section 7.1.1).
  EXPECT_EQ(judged(rules_of(rule("all", "<oxe:message-session/>", "accept")), {.anonymous = true}), "accept by all");
}

TEST(AccessRules, OMA_ACC_3_other_identity_is_for_whom_no_rule_about_identities_matched) {
  const AccessRules rules = rules_of(rule("others", "<ocr:other-identity/>", "accept") +
                                     rule("alice", one("sip:alice@example.com"), "reject") +
                                     rule("bob", one("sip:bob@example.com") + "<oxe:pager-mode-message/>", "reject"));
  EXPECT_EQ(judged(rules, {}), "reject by alice");
  EXPECT_EQ(judged(rules, {.uri = "sip:carol@example.com"}), "accept by others");
  EXPECT_EQ(judged(rules, {.uri = "sip:bob@example.com", .wanted = Wanted::pager_message}), "reject by bob");
  EXPECT_EQ(judged(rules, {.uri = "sip:bob@example.com", .wanted = Wanted::session}), "accept by others");
}

TEST(AccessRules, OMA_ACC_4_the_most_permissive_rule_counts_and_reject_only_when_all_say_so) {
  const std::string all = "<oxe:message-session/>";
  EXPECT_EQ(judged(rules_of(rule("a", all, "reject") + rule("b", all, "reject")), {}), "reject by a");
  EXPECT_EQ(judged(rules_of(rule("a", all, "reject") + rule("b", all, "pass")), {}), "pass by b");
  EXPECT_EQ(judged(rules_of(rule("a", all, "pass") + rule("b", all, "accept") + rule("c", all, "reject")), {}),
            "accept by b");
  // A rule about something else is no reject.
  EXPECT_EQ(judged(rules_of("<rule id='a'><conditions/><actions/></rule>"), {}), "pass by default");
  EXPECT_EQ(judged(rules_of("<rule id='a'/>" + rule("b", all, "reject")), {}), "reject by b");
}

TEST(AccessRules, OMA_ACC_4_no_rule_means_what_the_operator_says) {
  EXPECT_EQ(judged(AccessRules(), {}), "pass by default");
  EXPECT_EQ(judged(AccessRules(), {}, InviteHandling::reject), "reject by default");
  EXPECT_EQ(judged(rules_of(rule("a", one("sip:bob@example.com"), "accept")), {}, InviteHandling::reject),
            "reject by default");
  EXPECT_EQ(judged(rules_of(rule("a", one("sip:alice@example.com"), "pass")), {}, InviteHandling::accept), "pass by a");
}

TEST(AccessRules, R4745_7_4_validity) {
  const AccessRules rules =
      rules_of(rule("r",
                    "<validity><from>2003-12-24T17:00:00+01:00</from><until>2003-12-24T19:00:00+01:00</until>"
                    "<from>2004-01-01T00:00:00Z</from><until>2004-01-02T00:00:00Z</until></validity>",
                    "reject"));
  const std::int64_t from = 1'072'281'600'000;
  EXPECT_EQ(judged(rules, {.wall_ms = from - 1}), "pass by default");
  EXPECT_EQ(judged(rules, {.wall_ms = from}), "reject by r");
  EXPECT_EQ(judged(rules, {.wall_ms = from + 7'200'000 - 1}), "reject by r");
  EXPECT_EQ(judged(rules, {.wall_ms = from + 7'200'000}), "pass by default");
  EXPECT_EQ(judged(rules, {.wall_ms = 1'072'915'200'000}), "reject by r");
  EXPECT_EQ(rules_complaint(ruleset(rule("r", "<validity><from>2003-12-24T17:00:00Z</from></validity>", "pass"))),
            "line 2: <from> and <until> do not stand in pairs");
  EXPECT_EQ(rules_complaint(ruleset(rule("r", "<validity><until>2003-12-24T17:00:00Z</until></validity>", "pass"))),
            "line 2: <from> and <until> do not stand in pairs");
  EXPECT_EQ(rules_complaint(ruleset(rule("r", "<validity><from>yesterday</from></validity>", "pass"))),
            "line 2: <from> is no date and time");
}

TEST(AccessRules, R4745_7_a_condition_that_is_not_known_never_holds) {
  for (const char* condition : {"<sphere value='work'/>", "<x xmlns='urn:foreign'/>", "<x/>", "<oxe:weather/>",
                                "<message-session xmlns='urn:foreign'/>"}) {
    EXPECT_EQ(judged(rules_of(rule("r", condition, "reject")), {}), "pass by default") << condition;
  }
  // Of an identity, the known parts still count (section 7.1.1).
  EXPECT_EQ(judged(rules_of(rule("r", "<identity><x xmlns='urn:foreign'/><one id='sip:alice@example.com'/></identity>",
                                 "reject")),
                   {}),
            "reject by r");
}

TEST(AccessRules, OMA_ACC_1_mistakes_are_named) {
  EXPECT_EQ(rules_complaint(ruleset(rule("r", "<identity>\n<one/></identity>", "pass"))), "line 3: <one> has no id");
  EXPECT_EQ(rules_complaint(ruleset(rule("r", "<identity><many><except/></many></identity>", "pass"))),
            "line 2: <except> needs either id or domain");
  EXPECT_EQ(
      rules_complaint(ruleset(rule("r", "<identity><many><except id='sip:a@x' domain='x'/></many></identity>", "pass"))),
      "line 2: <except> needs either id or domain");
  std::string many;
  for (std::size_t n = 0; n <= rule_identities_max; ++n) many += "<one id='sip:u" + std::to_string(n) + "@x'/>";
  EXPECT_EQ(rules_complaint(ruleset(rule("r", "<identity>" + many + "</identity>", "pass"))),
            "line 2: names more than 1024 identities in one rule");
  std::string rules;
  for (std::size_t n = 0; n <= rules_max; ++n) rules += "<rule/>";
  EXPECT_EQ(rules_complaint(ruleset(rules)), "line 2: has more than 256 rules");
}

TEST(AccessRules, what_is_written_judges_alike) {
  const AccessRules rules = rules_of(
      rule("a", one("sip:alice@example.com") + "<oxe:message-session/>", "accept") +
      rule("b",
           "<identity><many domain='example.net'><except "
           "id='sip:x@example.net'/></many></identity><validity><from>1970-01-01T00:00:00Z</"
           "from><until>1971-01-01T00:00:00.5Z</until></validity>",
           "accept") +
      rule("c", "<ocr:anonymous-request/>", "reject") + rule("d", "<ocr:other-identity/>", "reject") +
      rule("e", "<sphere value='x'/>", "accept") +
      rule("f", "<ocr:external-list><ocr:entry anc='http://xcap/resource-lists/users/sip:o@x/index/~~/resource-lists/list%5B@name=%22a&amp;b%22%5D'/></ocr:external-list>", "pass") +
      rule("g", "<oxe:media-list><oxe:all-media-except><oxe:message-session/></oxe:all-media-except></oxe:media-list>",
           "pass"));
  std::string out;
  put_access_rules(rules, out);
  AccessRules again;
  const XmlError error = parse_access_rules(out, again);
  ASSERT_FALSE(error) << to_string(error) << out;
  std::string twice;
  put_access_rules(again, twice);
  EXPECT_EQ(twice, out);
  const ExternalLists lists = lists_with("a&amp;b", {"sip:listed@example.com"});
  for (const char* uri : {"sip:alice@example.com", "sip:x@example.net", "sip:y@example.net", "sip:listed@example.com",
                          "sip:z@example.com"}) {
    for (const Wanted wanted : {Wanted::session, Wanted::pager_message, Wanted::file_transfer}) {
      for (const bool anonymous : {false, true}) {
        const Asking asking{.uri = uri, .wanted = wanted, .anonymous = anonymous, .lists = &lists};
        EXPECT_EQ(judged(again, asking), judged(rules, asking)) << uri;
      }
    }
  }
}

}  // namespace
}  // namespace parley::policy

// tests/policy/documents_test.cc - all documents of a directory become one snapshot, or a sentence that names the bad
// one.
#include "policy/documents.h"

#include <gtest/gtest.h>

#include <string>

#include "policy/list_anchor.h"
#include "policy/user_documents.h"
#include "policy/user_key.h"

namespace parley::policy {
namespace {

std::string group(const std::string& uri, const std::string& inside = "") {
  return "<group xmlns='urn:oma:xml:poc:list-service' xmlns:oxe='urn:oma:xml:xdm:extensions'><list-service uri='" +
         uri + "'>" + inside + "</list-service></group>";
}
const std::string friends =
    "http://xcap.example.org/resource-lists/users/sip:alice@example.org/index/~~/resource-lists/"
    "list%5b@name=%22friends%22%5d";
const std::string rules =
    "<ruleset xmlns='urn:ietf:params:xml:ns:common-policy' xmlns:ocr='urn:oma:xml:xdm:common-policy' "
    "xmlns:pr='urn:oma:xml:poc:poc-rules'>"
    "<rule id='r'><conditions><ocr:external-list><ocr:entry anc='" +
    friends +
    "'/></ocr:external-list></conditions>"
    "<actions><pr:allow-invite>reject</pr:allow-invite></actions></rule></ruleset>";
const std::string lists =
    "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='friends'><entry "
    "uri='sip:bob@example.org'/>"
    "<list name='close'><entry uri='sip:carol@EXAMPLE.org'/><entry uri='mailto:x@y'/></list></list><list "
    "name='others'/></resource-lists>";
const std::string policy =
    "<operator-policy xmlns='urn:parley:operator-policy'><service><file-max>5</file-max></service></operator-policy>";
const std::string defaults =
    "<poc-settings xmlns='urn:oma:params:xml:ns:poc:poc-settings'><entity id='d'><im:hist-settings "
    "xmlns:im='urn:oma:xml:im:service-settings'>"
    "<im:hist-activation type='session-mode' active='true'/></im:hist-settings></entity></poc-settings>";

std::string complaint(const std::string& name, const std::string& bytes) {
  const std::vector<DocumentFile> files = {{"groups/first.xml", group("sip:first@example.org")}, {name, bytes}};
  const DocumentsResult result = read_documents(files, {}, "example.org");
  EXPECT_EQ(result.documents == nullptr, !result.error.empty());
  return result.error.empty() ? "no complaint" : result.error;
}

TEST(Documents, all_kinds_become_one_snapshot) {
  const std::vector<DocumentFile> files = {
      {"access-rules/alice.xml", rules},
      {"groups/team.xml", group("sip:team@example.org", "<list><entry uri='sip:alice@example.org'/></list>")},
      {"operator-policy.xml", policy},
      {"resource-lists/alice@example.org.xml", lists},
      {"user-defaults.xml", defaults}};
  std::string why;
  const std::vector<GroupSpec> groups = {*parse_group_spec("sip:flag@example.org=alice,bob", "example.org", why)};
  const DocumentsResult result = read_documents(files, groups, "example.org");
  ASSERT_EQ(result.error, "");
  EXPECT_TRUE(result.warnings.empty());
  const Documents& documents = *result.documents;
  EXPECT_EQ(documents.groups.size(), 2U);
  ASSERT_NE(documents.group("sip:team@EXAMPLE.org"), nullptr);
  EXPECT_TRUE(documents.group("sip:flag@example.org")->is_member("sip:bob@example.org"));
  EXPECT_EQ(documents.group("sip:none@example.org"), nullptr);
  EXPECT_EQ(documents.policy.for_user("").file_bytes_max(), 5U);
  EXPECT_TRUE(documents.user_defaults.history_session);
  ASSERT_NE(documents.rules_of("sip:alice@example.org"), nullptr);
  EXPECT_EQ(documents.rules_of("sip:bob@example.org"), nullptr);
  // The rule's list was found in the user's own document, with the lists inside it.
  for (const std::string_view key : {"sip:bob@example.org", "sip:carol@example.org"}) {
    const std::array<std::string_view, 1> keys = {key};
    EXPECT_EQ(documents.rules_of("sip:alice@example.org")->judge({.keys = keys, .lists = &documents.lists}).handling,
              InviteHandling::reject)
        << key;
  }
  const std::array<std::string_view, 1> dave = {"sip:dave@example.org"};
  EXPECT_EQ(documents.rules_of("sip:alice@example.org")->judge({.keys = dave, .lists = &documents.lists}).handling,
            InviteHandling::pass);
}

TEST(Documents, none_at_all_is_a_snapshot_too) {
  const DocumentsResult result = read_documents({}, {}, "example.org");
  ASSERT_NE(result.documents, nullptr);
  EXPECT_EQ(result.documents->user_defaults, ImSettings());
}

TEST(Documents, a_mistake_names_file_line_and_reason) {
  EXPECT_EQ(complaint("groups/x.xml", group("nobody")),
            "groups/x.xml: line 1: <list-service> has no uri that is a SIP, SIPS or TEL URI");
  EXPECT_EQ(complaint("groups/x.xml", "<!DOCTYPE x>" + group("sip:x@y")),
            "groups/x.xml: line 1: has a DOCTYPE or other declaration, which is not allowed");
  EXPECT_EQ(complaint("groups/x.xml", group("sip:first@EXAMPLE.org")),
            "groups/x.xml: sip:first@EXAMPLE.org is in groups/first.xml, too");
  EXPECT_EQ(complaint("operator-policy.xml", "<operator-policy\n/>"),
            "operator-policy.xml: line 2: is no operator-policy document");
  EXPECT_EQ(complaint("access-rules/alice.xml", "<ruleset/>"),
            "access-rules/alice.xml: line 1: is no ruleset document");
  EXPECT_EQ(complaint("access-rules/a b.xml", rules), "access-rules/a b.xml: is not named after a user");
  EXPECT_EQ(complaint("resource-lists/alice.xml", "<lists/>"),
            "resource-lists/alice.xml: line 1: is no resource-lists document");
  EXPECT_EQ(complaint("user-defaults.xml", "<poc-settings/>"), "user-defaults.xml: needs one <entity>");
  EXPECT_EQ(complaint("user-defaults.xml", "<poc-settings><entity id='x'><isb-setting/></entity></poc-settings>"),
            "user-defaults.xml: has an element that is no setting");
  EXPECT_EQ(complaint("other.xml", policy), "other.xml: is no document that is known here");
  EXPECT_EQ(complaint("group/x.xml", policy), "group/x.xml: is no document that is known here");
  EXPECT_EQ(complaint("groups/.xml", policy), "groups/.xml: is no document that is known here");
}

TEST(Documents, two_documents_of_one_user_are_a_mistake) {
  const std::vector<DocumentFile> files = {{"access-rules/alice.xml", rules},
                                           {"access-rules/sip:alice@example.org.xml", rules}};
  EXPECT_EQ(read_documents(files, {}, "example.org").error,
            "access-rules/sip:alice@example.org.xml: is another document of sip:alice@example.org");
}

TEST(Documents, what_will_not_work_is_warned_of) {
  const std::vector<DocumentFile> files = {{"access-rules/alice.xml", rules},
                                           {"groups/x.xml", group("sip:x@y", "<oxe:new must-understand='true'/>")}};
  const DocumentsResult result = read_documents(files, {}, "example.org");
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(result.warnings.size(), 2U);
  EXPECT_EQ(result.warnings[0], "groups/x.xml: sip:x@y refuses all sessions: <new> must be understood and is not");
  EXPECT_EQ(result.warnings[1], "access-rules/alice.xml: the list " + friends + " is in no file: who is on it, its user alone can write");
}

TEST(Documents, a_group_in_short) {
  std::string why;
  const auto spec =
      parse_group_spec("sip:team@example.org=alice,bob@example.net,tel:+1555,sips:carol@x", "example.org", why);
  ASSERT_TRUE(spec.has_value()) << why;
  const Group team(*spec);
  ASSERT_EQ(team.members().size(), 4U);
  EXPECT_EQ(team.members()[0].uri, "sip:alice@example.org");
  EXPECT_EQ(team.members()[1].uri, "sip:bob@example.net");
  EXPECT_EQ(team.members()[3].uri, "sips:carol@x");
  EXPECT_TRUE(team.invites_members());
  EXPECT_TRUE(team.may("sip:alice@example.org", GroupAction::join));
  EXPECT_EQ(parse_group_spec("team=", "example.org", why)->uri, "sip:team@example.org");
  const auto complain = [](std::string_view text) {
    std::string reason;
    EXPECT_FALSE(parse_group_spec(text, "example.org", reason).has_value());
    return reason;
  };
  EXPECT_EQ(complain("sip:team@example.org"), "is not URI=MEMBER,MEMBER,...");
  EXPECT_EQ(complain("http://x=a"), "does not begin with a SIP URI or the name of one");
  EXPECT_EQ(complain("team=a,,b"), "has a member that is no name and no SIP or TEL URI: ''");
  EXPECT_EQ(complain("team=a b"), "has a member that is no name and no SIP or TEL URI: 'a b'");
  const std::vector<DocumentFile> files = {{"groups/x.xml", group("sip:team@example.org")}};
  const std::vector<GroupSpec> groups = {*spec};
  EXPECT_EQ(read_documents(files, groups, "example.org").error,
            "--group: sip:team@example.org is in groups/x.xml, too");
}

TEST(ListAnchor, R4826_3_1_an_anchor_names_a_user_s_list) {
  const auto anchor = parse_list_anchor(friends);
  EXPECT_EQ(anchor.text, friends);
  EXPECT_EQ(anchor.user, "sip:alice@example.org");
  EXPECT_EQ(anchor.names, std::vector<std::string>{"friends"});
  const std::string base = "/resource-lists/users/sip%3Aalice%40example.org/index/~~/resource-lists";
  EXPECT_EQ(parse_list_anchor(base + "/list[@name='a']/list%5B@name=%22b%20c%22%5D").names,
            (std::vector<std::string>{"a", "b c"}));
  for (const std::string& bad :
       {std::string(), std::string("http://x"), base, base + "/list", base + "/list[1]", base + "/list[@name='a]",
        base + "/list[@name='a'", base + "/list[@name=a]", base + "/list[@name='a']/entry",
        std::string("/resource-lists/users/x/index/~~/resource-lists/list[@name='a']"),
        std::string("/resource-lists/global/index/~~/resource-lists/list[@name='a']")}) {
    EXPECT_EQ(parse_list_anchor(bad), (ListAnchor{.text = bad})) << bad;
  }
}

using Names = std::vector<std::string>;

// Also where no document of the operator's names it.
TEST(Documents, R4826_3_1_the_operators_list_goes_before_the_users_own) {
  const std::vector<DocumentFile> files = {{"resource-lists/alice@example.org.xml", lists}};
  const DocumentsResult result = read_documents(files, {}, "example.org");
  ASSERT_EQ(result.error, "");
  ExternalLists both = result.documents->lists;
  auto users = std::make_shared<UserDocuments>();
  auto his = std::make_shared<UserLists>();
  ASSERT_FALSE(his->read("<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='friends'><entry "
                         "uri='sip:mallory@example.org'/></list><list name='own'><entry uri='sip:mallory@example.org'/></list>"
                         "</resource-lists>",
                         {}));
  users->lists.put("sip:alice@example.org", his);
  both.use(std::shared_ptr<const UserDocuments>(users));
  const auto contains = [&](const std::string& name, std::string_view key) {
    return both.contains({.text = "", .user = "sip:alice@example.org", .names = {name}}, key);
  };
  EXPECT_TRUE(contains("friends", "sip:bob@example.org"));
  EXPECT_FALSE(contains("friends", "sip:mallory@example.org"));
  EXPECT_TRUE(contains("own", "sip:mallory@example.org"));
}

TEST(UserLists, R4826_3_1_a_list_has_the_users_of_those_inside_it) {
  UserLists his;
  EXPECT_FALSE(his.contains(Names{"friends"}, "sip:bob@example.org")) << "nothing is there";
  ASSERT_FALSE(his.read(lists, {}));
  EXPECT_TRUE(his.has(Names{"friends"}));
  EXPECT_TRUE(his.has(Names{"friends", "close"}));
  EXPECT_FALSE(his.has(Names{"close"}));
  EXPECT_FALSE(his.has(Names{}));
  const auto list = [](const std::string& name, const std::string& inside) {
    return "<list name='" + name + "'>" + inside + "</list>";
  };
  const auto entry = [](const std::string& user) { return "<entry uri='sip:" + user + "@example.org'/>"; };
  ASSERT_FALSE(his.read("<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>" +
                            list("a", entry("1") + list("b", entry("2") + list("c", entry("3"))) + entry("4") + list("d", entry("3")) +
                                          "<list>" + entry("5") + list("e", entry("6")) + "</list>") +
                            list("f", entry("7")) + list("f", entry("8")) + "<list>" + entry("9") + "</list></resource-lists>",
                        {}));
  const auto users = [&](const Names& names) {
    std::string found;
    for (char user = '1'; user <= '9'; ++user) {
      if (his.contains(names, std::string("sip:") + user + "@example.org")) found += user;
    }
    return found;
  };
  EXPECT_EQ(users({"a"}), "123456");
  EXPECT_EQ(users({"a", "b"}), "23");
  EXPECT_EQ(users({"a", "b", "c"}), "3");
  EXPECT_EQ(users({"a", "d"}), "3");
  EXPECT_EQ(users({"a", "e"}), "") << "no name leads to what stands in a list without one";
  EXPECT_EQ(users({"f"}), "7") << "of two the first";
  EXPECT_EQ(users({"b"}), "");
}

// What it keeps is in proportion to the document, however deep its lists and long their names.
TEST(UserLists, R4826_3_1_a_user_is_kept_once_whatever_is_around_him) {
  std::string text = "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>";
  Names names;
  for (int depth = 0; depth < 13; ++depth) {
    names.push_back(std::string(4000, static_cast<char>('a' + depth)));
    text += "<list name='" + names.back() + "'>";
  }
  for (int n = 0; n < 5'000; ++n) {
    text += "<list name='" + std::to_string(n) + "'><entry uri='sip:" + std::to_string(n) + "@x'/></list>";
  }
  for (int depth = 0; depth < 13; ++depth) text += "</list>";
  UserLists his;
  const XmlError error = his.read(text + "</resource-lists>", {.bytes_max = 512 * 1024, .elements_max = 20'000});
  ASSERT_FALSE(error) << to_string(error);
  EXPECT_EQ(his.size(), 5'000U);
  for (std::size_t depth = 1; depth <= names.size(); ++depth) {
    EXPECT_TRUE(his.contains(std::span(names).first(depth), "sip:4999@x"));
  }
  names.push_back("17");
  EXPECT_TRUE(his.contains(names, "sip:17@x"));
  EXPECT_FALSE(his.contains(names, "sip:18@x"));
}

}  // namespace
}  // namespace parley::policy

// tests/policy/xcap_service_test.cc - an XCAP server without sockets: documents, who may do what, conditions, conflict
// reports (RFC 4825 sections 8 and 11), and what holds afterwards.
#include "policy/xcap_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policy/user_key.h"
#include "policy/xcap_diff.h"
#include "policy/xcap_usages.h"

namespace parley::policy {
namespace {

const std::string alice = "sip:alice@example.org";
const std::string bob = "sip:bob@example.org";
const std::string carol = "sip:carol@example.org";

// Anything well-formed.
class Anything final : public XcapUsage {
 public:
  [[nodiscard]] std::string_view auid() const override { return "anything"; }
  [[nodiscard]] std::string_view type() const override { return "application/anything+xml"; }
  [[nodiscard]] std::string_view space() const override { return "urn:anything"; }
  [[nodiscard]] bool has(const XcapPlace& place) const override { return !place.global; }
  [[nodiscard]] XcapRefusal read(const XcapPlace&, std::string_view, const XcapWorld&, XcapValue&) const override {
    return {};
  }
};

// Of which the service has what stands in it.
class Computed final : public XcapUsage {
 public:
  explicit Computed(std::vector<std::string>& erased) : erased_(erased) {}
  [[nodiscard]] std::string_view auid() const override { return "computed"; }
  [[nodiscard]] std::string_view type() const override { return "application/computed+xml"; }
  [[nodiscard]] std::string_view space() const override { return "urn:computed"; }
  [[nodiscard]] bool has(const XcapPlace& place) const override { return !place.global && place.document == "list"; }
  [[nodiscard]] bool computed() const override { return true; }
  [[nodiscard]] bool erases() const override { return true; }
  [[nodiscard]] XcapComputed compute(const XcapPlace& place) const override {
    return {.status = 200,
            .body = "<list xmlns='urn:computed' of='" + place.owner + "'><entry id='1'/><entry id='2'/></list>",
            .etag = "e1"};
  }
  [[nodiscard]] std::uint16_t erase(const XcapPlace& place, XmlElement entry) const override {
    if (!entry) {
      erased_.push_back(place.owner + " all");
      return 200;
    }
    erased_.push_back(place.owner + " " + std::string(entry.attribute("id").value_or("?")));
    return erased_.size() > 3 ? std::uint16_t{404} : std::uint16_t{200};
  }

 private:
  std::vector<std::string>& erased_;
};

struct Said {
  int status = 0;
  std::string body{};
  std::string etag{};
  std::string type{};
  std::string allow{};
  std::string limit{};
};

struct Extra {
  std::string type = "";
  std::optional<std::string> if_match = std::nullopt;
  std::optional<std::string> if_none_match = std::nullopt;
};

class XcapServiceTest : public testing::Test {
 protected:
  XcapServiceTest() { begin({}); }

  void begin(XcapConfig config, const std::string& operator_group = "") {
    config.domain = "example.org";
    config.reserved = {"sip:factory@example.org"};
    std::vector<std::unique_ptr<const XcapUsage>> usages;
    usages.push_back(std::make_unique<const XcapGroups>());
    usages.push_back(std::make_unique<const XcapAccessRules>());
    usages.push_back(std::make_unique<const XcapSettings>());
    usages.push_back(std::make_unique<const XcapResourceLists>());
    usages.push_back(std::make_unique<const Anything>());
    usages.push_back(std::make_unique<const Computed>(erased_));
    service_ = std::make_unique<XcapService>(config, std::move(usages));
    auto accounts = std::make_shared<core::Credentials>();
    for (const char* const name : {"alice", "bob", "carol"}) (*accounts)[name] = {};
    service_->set_accounts(accounts);
    set_operators(operator_group);
  }

  void set_operators(const std::string& operator_group) {
    std::vector<DocumentFile> files;
    if (!operator_group.empty()) files.push_back({"groups/o.xml", group(operator_group)});
    files.push_back({"access-rules/carol.xml", rules("reject")});
    const DocumentsResult read = read_documents(files, {}, "example.org");
    ASSERT_TRUE(read.error.empty()) << read.error;
    warnings_.clear();
    snapshot_ = service_->set_operators(read.documents, warnings_);
  }

  static std::string group(const std::string& uri, const std::string& inside = "") {
    return "<?xml version='1.0' encoding='UTF-8'?>\n<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='" +
           uri + "'><list><entry uri='" + alice + "'/><entry uri='" + bob + "'/></list>" + inside +
           "</list-service></group>";
  }
  static std::string group_of(const std::string& uri, const std::string& entries) {
    return "<?xml version='1.0' encoding='UTF-8'?>\n<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='" + uri +
           "'><list><entry uri='" + alice + "'/>" + entries + "</list></list-service></group>";
  }
  static std::string rules(const std::string& what) {
    return "<ruleset xmlns='urn:ietf:params:xml:ns:common-policy' xmlns:p='urn:oma:xml:poc:poc-rules'><rule id='r'>"
           "<conditions/><actions><p:allow-invite>" +
           what + "</p:allow-invite></actions></rule></ruleset>";
  }
  static std::string settings(const std::string& barred) {
    return "<poc-settings xmlns='urn:oma:params:xml:ns:poc:poc-settings'><entity id='d'><isb-settings>"
           "<incoming-session-barring active='" +
           barred + "'/></isb-settings></entity></poc-settings>";
  }

  Said ask(const std::string& who, const std::string& method, const std::string& path, const std::string& body = "",
           Extra extra = {}) {
    const XcapAsk asked = service_->ask("/xcap-root/" + path);
    const std::vector<std::string> users = {who};
    if (extra.type.empty() && asked.usage != nullptr) {
      extra.type = !asked.target.has_node                 ? std::string(asked.usage->type())
                   : path.find("/@") != std::string::npos ? std::string(xcap_attribute_type)
                                                          : std::string(xcap_element_type);
    }
    XcapRequest request{
        .method = method, .users = users, .content_type = extra.type, .body = body, .now_ms = 1, .random = ++random_};
    if (extra.if_match) request.if_match = *extra.if_match;
    if (extra.if_none_match) request.if_none_match = *extra.if_none_match;
    XcapComputed computed;
    if (asked.status == 200 && XcapService::may_compute(asked, request)) computed = asked.usage->compute(asked.place);
    XcapOutcome outcome = service_->judge(asked, request, &computed);
    if (outcome.change) snapshot_ = service_->apply(*std::move(outcome.change));
    if (outcome.erases) outcome.answer.status = service_->erase(asked, computed);
    return {outcome.answer.status, outcome.answer.body, outcome.answer.etag, outcome.answer.type,
            std::string(outcome.answer.allow), std::string(to_string(outcome.limit))};
  }
  // The element of a conflict report; "" when it is none.
  static std::string fault(const Said& said) {
    if (said.status != 409 || said.type != xcap_error_type) return "";
    XmlDocument document;
    EXPECT_FALSE(document.parse(said.body));
    EXPECT_TRUE(document.root().is("urn:ietf:params:xml:ns:xcap-error", "xcap-error"));
    return std::string(document.root().first_child().name());
  }

  static constexpr const char* team = "org.openmobilealliance.groups/users/sip:alice@example.org/team";
  std::vector<std::string> erased_;
  std::unique_ptr<XcapService> service_;
  std::shared_ptr<const UserDocuments> snapshot_;
  std::vector<std::string> warnings_;
  std::uint64_t random_ = 0;
};

TEST_F(XcapServiceTest, RFC4825_13_TheExampleSession) {
  const std::string index = "resource-lists/users/sip:bill@example.org/index";
  const std::string bill = "sip:bill@example.org";
  Said said = ask(bill, "PUT", index,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">\n"
                  "  <list name=\"friends\">\n  </list>\n</resource-lists>");
  EXPECT_EQ(said.status, 201);
  EXPECT_FALSE(said.etag.empty());
  const std::string friends = index + "/~~/resource-lists/list%5b@name=%22friends%22%5d";
  said = ask(bill, "PUT", friends + "/entry",
             "<entry uri=\"sip:bob@example.com\">\n    <display-name>Bob Jones</display-name>\n  </entry>");
  EXPECT_EQ(said.status, 201);
  const std::string after_put = said.etag;
  said = ask(bill, "GET", index);
  EXPECT_EQ(said.etag, after_put);
  EXPECT_EQ(said.type, "application/resource-lists+xml");
  EXPECT_EQ(said.body,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">\n"
            "  <list name=\"friends\">\n"
            "  <entry uri=\"sip:bob@example.com\">\n    <display-name>Bob Jones</display-name>\n  </entry></list>\n"
            "</resource-lists>");
  EXPECT_EQ(
      ask(bill, "PUT", friends + "/list%5b@name=%22close-friends%22%5d",
          "<list name=\"close-friends\"><entry uri=\"sip:joe@example.com\"/><entry uri=\"sip:nancy@example.com\"/>"
          "<entry uri=\"sip:petri@example.com\"/></list>")
          .status,
      201);
  EXPECT_EQ(
      ask(bill, "DELETE", index + "/~~/resource-lists/list/list/entry%5b@uri=%22sip:petri@example.com%22%5d").status,
      200);
  said = ask(bill, "GET", index + "/~~/resource-lists/list/list/entry%5b2%5d/@uri");
  EXPECT_EQ(said.body, "\"sip:nancy@example.com\"");
  EXPECT_EQ(said.type, "application/xcap-att+xml");
  // Idempotent: the same once more is a replacement, and gone is gone.
  EXPECT_EQ(
      ask(bill, "PUT", index + "/~~/resource-lists/list/list/entry%5b2%5d/@uri", "\"sip:nancy@example.com\"").status,
      200);
  EXPECT_EQ(ask(bill, "DELETE", index).status, 200);
  EXPECT_EQ(ask(bill, "DELETE", index).status, 404);
  EXPECT_EQ(ask(bill, "GET", index).status, 404);
}

TEST_F(XcapServiceTest, RFC4826_3_WhatAListMayHold) {
  const std::string index = "resource-lists/users/sip:alice@example.org/index";
  const auto lists = [](const std::string& inside) {
    return "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists' xmlns:o='urn:other'>" + inside + "</resource-lists>";
  };
  const std::string full = lists(
      "<list name='a' o:x='y'><display-name>A</display-name><entry uri='sip:bob@example.org'><display-name>Bob</display-name></entry>"
      "<entry-ref ref='resource-lists/users/sip:x@y/index/~~/resource-lists/list%5b1%5d/entry%5b1%5d'/><external anchor='http://x/l'/>"
      "<list name='a'/><o:more/></list><list/><list/>");
  EXPECT_EQ(ask(alice, "PUT", index, full).status, 201);
  EXPECT_EQ(ask(alice, "PUT", "resource-lists/users/sip:alice@example.org/another", full).status, 201);
  for (const std::string& bad : {std::string("<resource-lists/>"), lists("<entry uri='sip:a@b'/>"), lists("<lists/>"), lists("<list><entry/></list>"),
                                 lists("<list><external/></list>"), lists("<list><entry-ref/></list>"),
                                 lists("<list><display-name/><display-name/></list>"), lists("<display-name/>")}) {
    EXPECT_EQ(fault(ask(alice, "PUT", index, bad)), "schema-validation-error") << bad;
  }
  const auto twice = [&](const std::string& inside, const std::string& field) {
    const Said said = ask(alice, "PUT", index, lists(inside));
    EXPECT_EQ(fault(said), "uniqueness-failure") << inside;
    EXPECT_NE(said.body.find("<exists field=\"" + field + "\"/>"), said.body.npos) << said.body;
  };
  twice("<list name='a'/><list name='a'/>", "resource-lists/list%5B2%5D/@name");
  twice("<list/><list><entry uri='sip:a@b'/><entry uri='sip:a@b'/></list>", "resource-lists/list%5B2%5D/entry%5B2%5D/@uri");
  twice("<list><external anchor='x'/><external anchor='x'/></list>", "resource-lists/list%5B1%5D/external%5B2%5D/@anchor");
  twice("<list><entry-ref ref='x'/><entry-ref ref='x'/></list>", "resource-lists/list%5B1%5D/entry-ref%5B2%5D/@ref");
  EXPECT_EQ(ask(bob, "GET", index).status, 403) << "his alone";
}

TEST_F(XcapServiceTest, RFC4826_3_1_HisGroupsAndRulesNameHisLists) {
  const std::string index = "resource-lists/users/sip:alice@example.org/index";
  const std::string anchor = "http://xcap.example.org/xcap-root/" + index + "/~~/resource-lists/list%5b@name=%22friends%22%5d";
  const std::string rules_index = "org.openmobilealliance.access-rules/users/sip:alice@example.org/index";
  const auto naming = [](const std::string& what) {
    return "<ruleset xmlns='urn:ietf:params:xml:ns:common-policy' xmlns:o='urn:oma:xml:xdm:common-policy' xmlns:p='urn:oma:xml:poc:poc-rules'>"
           "<rule id='r'><conditions><o:external-list><o:entry anc='" + what + "'/></o:external-list></conditions><actions>"
           "<p:allow-invite>reject</p:allow-invite></actions></rule></ruleset>";
  };
  ASSERT_EQ(ask(alice, "PUT", rules_index, naming(anchor)).status, 201) << "also before the list is there";
  const auto handling = [&] {
    ExternalLists lists;
    lists.use(snapshot_);
    const std::vector<std::string_view> keys = {bob};
    return snapshot_->access_rules.find(alice)->judge({.keys = keys, .lists = &lists}).handling;
  };
  EXPECT_EQ(handling(), InviteHandling::pass);
  ASSERT_EQ(ask(alice, "PUT", index, "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='friends'/></resource-lists>").status, 201);
  EXPECT_EQ(handling(), InviteHandling::pass);
  const std::string entry = index + "/~~/resource-lists/list%5b@name=%22friends%22%5d/entry%5b@uri=%22sip:bob@example.org%22%5d";
  ASSERT_EQ(ask(alice, "PUT", entry, "<entry uri='sip:bob@example.org'/>").status, 201);
  EXPECT_EQ(handling(), InviteHandling::reject);
  ASSERT_EQ(ask(alice, "DELETE", entry).status, 200);
  EXPECT_EQ(handling(), InviteHandling::pass);
  ASSERT_EQ(ask(alice, "PUT", entry, "<entry uri='sip:bob@example.org'/>").status, 201);
  // A group of hers has them as members.
  ASSERT_EQ(ask(alice, "PUT", team, group_of("sip:team@example.org", "<external anchor='" + anchor + "'/>")).status, 201);
  ExternalLists lists;
  lists.use(snapshot_);
  EXPECT_TRUE(snapshot_->groups.find("sip:team@example.org")->is_member(bob, &lists));
  EXPECT_FALSE(snapshot_->groups.find("sip:team@example.org")->is_member(carol, &lists));
  ASSERT_EQ(ask(alice, "DELETE", index).status, 200);
  EXPECT_EQ(handling(), InviteHandling::pass) << "with the document goes the list";
  // Lists of others, and what is no list, are nobody's to name.
  std::string others = anchor;
  others.replace(others.find("alice"), 5, "carol");
  for (const std::string& what : {others, std::string("http://elsewhere/list")}) {
    EXPECT_EQ(fault(ask(alice, "PUT", rules_index, naming(what))), "constraint-failure") << what;
    EXPECT_EQ(fault(ask(alice, "PUT", team, group_of("sip:team@example.org", "<external anchor='" + what + "'/>"))), "constraint-failure") << what;
  }
}

// Each anchor is looked for at every request to her.
TEST_F(XcapServiceTest, RFC4826_3_1_HowManyListsOneDocumentMayName) {
  const auto anchors = [](int count, const std::string& element, const std::string& attribute) {
    std::string all;
    for (int n = 0; n < count; ++n) {
      all += "<" + element + " " + attribute + "='/resource-lists/users/sip:alice@example.org/index/~~/resource-lists/list[@name=&quot;" +
             std::to_string(n) + "&quot;]'/>";
    }
    return all;
  };
  const auto rule = [&](const std::string& id, int count) {
    return "<c:rule id='" + id + "'><c:conditions><o:external-list>" + anchors(count, "o:entry", "anc") +
           "</o:external-list></c:conditions></c:rule>";
  };
  const auto rules = [&](int first, int second) {
    return "<c:ruleset xmlns:c='urn:ietf:params:xml:ns:common-policy' xmlns:o='urn:oma:xml:xdm:common-policy'>" +
           rule("1", first) + rule("2", second) + "</c:ruleset>";
  };
  const std::string index = "org.openmobilealliance.access-rules/users/sip:alice@example.org/index";
  EXPECT_EQ(ask(alice, "PUT", index, rules(32, 32)).status, 201);
  const Said said = ask(alice, "PUT", index, rules(32, 33));
  EXPECT_EQ(fault(said), "constraint-failure");
  EXPECT_NE(said.body.find("names more than 64 lists"), said.body.npos) << said.body;
  EXPECT_EQ(said.limit, "anchors");
  const auto group_naming = [&](int listed, int ruled) {
    std::string text = group_of("sip:team@example.org", anchors(listed, "external", "anchor"));
    return text.insert(text.find("</list>") + 7, rules(ruled, 0));
  };
  EXPECT_EQ(ask(alice, "PUT", team, group_naming(32, 32)).status, 201);
  EXPECT_EQ(fault(ask(alice, "PUT", team, group_naming(32, 33))), "constraint-failure");
}

TEST_F(XcapServiceTest, RFC4826_3_2_HowMuchADocumentMayHold) {
  const std::string index = "resource-lists/users/sip:alice@example.org/index";
  const auto lists = [](const std::string& inside) {
    return "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'>" + inside + "</resource-lists>";
  };
  const auto nested = [&](int depth, std::size_t name_bytes, int inside) {
    std::string text;
    for (int n = 0; n < depth; ++n) text += "<list name='" + std::string(name_bytes, static_cast<char>('a' + n)) + "'>";
    for (int n = 0; n < inside; ++n) text += "<list name='" + std::to_string(n) + "'/>";
    for (int n = 0; n < depth; ++n) text += "</list>";
    return lists(text);
  };
  EXPECT_EQ(ask(alice, "PUT", index, nested(13, 256, 10'000 - 13)).status, 201);
  Said said = ask(alice, "PUT", index, nested(13, 256, 10'000 - 12));
  EXPECT_EQ(fault(said), "constraint-failure");
  EXPECT_NE(said.body.find("more than 10000 lists and entries"), said.body.npos) << said.body;
  EXPECT_EQ(said.limit, "list_entries");
  said = ask(alice, "PUT", index, nested(1, 257, 0));
  EXPECT_EQ(fault(said), "constraint-failure");
  EXPECT_NE(said.body.find("at most 256 bytes"), said.body.npos) << said.body;
  EXPECT_EQ(said.limit, "list_name");
  EXPECT_EQ(fault(ask(alice, "PUT", "resource-lists/users/sip:alice@example.org/another", nested(1, 257, 0))), "constraint-failure");
  // What an earlier process took is told of and means nothing.
  begin({});
  snapshot_ = service_->restore({{"resource-lists", alice, "index", "e1", nested(13, 4000, 11'000), 1}}, warnings_);
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("does not hold"), std::string::npos) << warnings_[0];
  EXPECT_EQ(snapshot_->lists.size(), 0U);
  EXPECT_EQ(ask(alice, "DELETE", index).status, 200);
}

TEST_F(XcapServiceTest, OMA_GRP_1_WhoIsAMemberByAListReadsTheGroup) {
  const std::string index = "resource-lists/users/sip:alice@example.org/index";
  ASSERT_EQ(ask(alice, "PUT", index,
                "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='friends'><entry uri='sip:carol@example.org'/>"
                "</list></resource-lists>")
                .status,
            201);
  const std::string external = "<external anchor='http://x/xcap-root/" + index + "/~~/resource-lists/list[@name=&quot;friends&quot;]'/>";
  ASSERT_EQ(ask(alice, "PUT", team, group_of("sip:team@example.org", external)).status, 201);
  EXPECT_EQ(ask(carol, "GET", team).status, 200);
  EXPECT_EQ(ask(bob, "GET", team).status, 403);
  ASSERT_EQ(ask(alice, "DELETE", index).status, 200);
  EXPECT_EQ(ask(carol, "GET", team).status, 403);
}

TEST_F(XcapServiceTest, RFC4825_6_2_HisListsAreHisByHisNumberToo) {
  begin({});
  auto accounts = std::make_shared<core::Credentials>();
  for (const char* const name : {"+15550100", "+15550199"}) (*accounts)[name] = {};
  service_->set_accounts(accounts);
  const std::string his = "sip:+15550100@example.org";
  ASSERT_EQ(ask(his, "PUT", "resource-lists/users/tel:+15550100/index",
                "<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list name='a'><entry uri='sip:bob@example.org'/></list>"
                "</resource-lists>")
                .status,
            201);
  const auto naming = [](const std::string& user) {
    return group_of("sip:team@example.org", "<external anchor='/resource-lists/users/" + user +
                                                "/index/~~/resource-lists/list[@name=&quot;a&quot;]'/>");
  };
  const std::string path = "org.openmobilealliance.groups/users/tel:+15550100/team";
  EXPECT_EQ(fault(ask(his, "PUT", path, naming("tel:+15550199"))), "constraint-failure");
  for (const char* const user : {"tel:+15550100", "tel:+1-555-0100", "sip:+15550100@example.org"}) {
    EXPECT_LT(ask(his, "PUT", path, naming(user)).status, 300) << user;
    ExternalLists lists;
    lists.use(snapshot_);
    EXPECT_TRUE(snapshot_->groups.find("sip:team@example.org")->is_member(bob, &lists)) << user;
  }
}

// Whom a proxy says to be a number may have an account of that name some day.
TEST_F(XcapServiceTest, RFC4825_6_2_WhatWasWrittenForANumberIsTheUsersOfThatName) {
  const std::string number = "tel:+15550100";
  const std::string his = "sip:+15550100@example.org";
  const std::string auid = "org.openmobilealliance.access-rules/users/";
  const std::string by_number = auid + number + "/index";
  const std::string by_address = auid + his + "/index";
  const auto enrol = [&](bool has_account) {
    auto accounts = std::make_shared<core::Credentials>();
    (*accounts)["alice"] = {};
    if (has_account) (*accounts)["+15550100"] = {};
    service_->set_accounts(accounts);
    set_operators("");
  };
  ASSERT_EQ(ask(number, "PUT", by_number, rules("reject")).status, 201);
  ASSERT_EQ(ask(number, "PUT", "org.openmobilealliance.groups/users/" + number + "/team", group("sip:team@example.org")).status, 201);
  enrol(true);
  EXPECT_EQ(warnings_.size(), 0U);
  for (const std::string& path : {by_number, by_address}) EXPECT_EQ(ask(his, "GET", path).body, rules("reject")) << path;
  EXPECT_NE(snapshot_->access_rules.find(his), nullptr);
  EXPECT_NE(snapshot_->access_rules.find(number), nullptr) << "it has held for the number, and does";
  EXPECT_EQ(snapshot_->owned.find(number), nullptr);
  ASSERT_EQ(snapshot_->owned.find(his)->size(), 2U);
  EXPECT_EQ(snapshot_->owned.find(his)->front().selector, by_address);
  EXPECT_NE(snapshot_->groups.find("sip:team@example.org"), nullptr);
  // It stays where the store has it.
  const XcapAsk asked = service_->ask("/xcap-root/" + by_address);
  const std::vector<std::string> users = {his};
  const std::string text = rules("accept");
  XcapOutcome outcome = service_->judge(
      asked, {.method = "PUT", .users = users, .content_type = asked.usage->type(), .body = text, .random = 77});
  ASSERT_TRUE(outcome.change);
  EXPECT_EQ(outcome.change->row.owner, number);
  snapshot_ = service_->apply(*std::move(outcome.change));
  EXPECT_EQ(snapshot_->changed_owner, his);
  EXPECT_EQ(snapshot_->changed_selector, by_address);
  EXPECT_EQ(service_->documents(), 2U);
  EXPECT_EQ(ask(his, "GET", by_number).body, text);
  EXPECT_EQ(ask(alice, "GET", by_number).status, 403);
  enrol(false);
  EXPECT_EQ(ask(number, "GET", by_number).body, text);
  EXPECT_EQ(snapshot_->access_rules.find(his), nullptr);
  enrol(true);
  ASSERT_EQ(ask(his, "DELETE", by_address).status, 200);
  EXPECT_EQ(ask(his, "GET", by_number).status, 404);
  EXPECT_EQ(snapshot_->access_rules.find(his), nullptr);
  EXPECT_EQ(snapshot_->access_rules.find(number), nullptr);
  EXPECT_EQ(ask(his, "DELETE", "org.openmobilealliance.groups/users/" + his + "/team").status, 200);
  EXPECT_EQ(service_->documents(), 0U);
  EXPECT_EQ(service_->bytes(), 0U);
}

TEST_F(XcapServiceTest, RFC4825_6_2_WhatHeHasWrittenHimselfGoesBeforeWhatWasWrittenForHisNumber) {
  const std::string number = "tel:+15550100";
  const std::string his = "sip:+15550100@example.org";
  const std::string path = "org.openmobilealliance.access-rules/users/" + his + "/index";
  const auto accounts = std::make_shared<core::Credentials>();
  (*accounts)["+15550100"] = {};
  service_->set_accounts(accounts);
  snapshot_ = service_->restore({{std::string(xcap_access_rules_auid), number, "index", "e1", rules("reject"), 1},
                                 {std::string(xcap_access_rules_auid), his, "index", "e2", rules("accept"), 1},
                                 {"anything", number, "a", "e3", "<a/>", 1}},
                                warnings_);
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(warnings_[0],
            "org.openmobilealliance.access-rules/users/tel:+15550100/index: does not hold: its user has one of that name himself");
  EXPECT_EQ(ask(his, "GET", path).body, rules("accept"));
  EXPECT_EQ(snapshot_->access_rules.find(number), nullptr);
  EXPECT_EQ(ask(his, "GET", "anything/users/" + his + "/a").body, "<a/>");
  EXPECT_EQ(service_->documents(), 3U);
  set_operators("");
  EXPECT_EQ(warnings_.size(), 1U) << "each time";
  EXPECT_EQ(ask(his, "GET", path).body, rules("accept"));
}

// Nor does it come back when his own is gone.
TEST_F(XcapServiceTest, RFC4825_6_2_WhatHeReplacesOrDeletesIsGoneForHisNumberToo) {
  const std::string number = "tel:+15550100";
  const std::string his = "sip:+15550100@example.org";
  const std::string auid(xcap_access_rules_auid);
  const std::string path = auid + "/users/" + his + "/index";
  for (const bool replaces : {false, true}) {
    begin({});
    const auto accounts = std::make_shared<core::Credentials>();
    (*accounts)["+15550100"] = {};
    service_->set_accounts(accounts);
    snapshot_ = service_->restore(
        {{auid, number, "index", "e1", rules("reject"), 1}, {auid, his, "index", "e2", rules("accept"), 1}}, warnings_);
    ASSERT_EQ(service_->documents(), 2U);
    const XcapAsk asked = service_->ask("/xcap-root/" + path);
    const std::vector<std::string> users = {his};
    const std::string text = rules("accept") + "\n";
    XcapRequest request{.method = "DELETE", .users = users, .random = 77};
    if (replaces) request = {.method = "PUT", .users = users, .content_type = asked.usage->type(), .body = text, .random = 77};
    XcapOutcome outcome = service_->judge(asked, request);
    ASSERT_TRUE(outcome.change);
    EXPECT_EQ(outcome.change->row.owner, his);
    EXPECT_EQ(outcome.change->also_removes, number) << "out of the store";
    snapshot_ = service_->apply(*std::move(outcome.change));
    EXPECT_EQ(service_->documents(), replaces ? 1U : 0U);
    EXPECT_EQ(service_->bytes(), replaces ? text.size() : 0U);
    EXPECT_EQ(snapshot_->owned.find(number), nullptr);
    set_operators("");
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(ask(his, "GET", path).status, replaces ? 200 : 404);
    if (replaces) {
      EXPECT_EQ(ask(his, "GET", path).body, text);
      EXPECT_EQ(service_->judge(asked, {.method = "DELETE", .users = users, .random = 78}).change->also_removes, "");
    }
  }
}

// A member by his number reads his group's document.
TEST_F(XcapServiceTest, OMA_GRP_1_AMemberByHisNumberReadsTheDocument) {
  auto accounts = std::make_shared<core::Credentials>();
  for (const char* const name : {"alice", "+15550100", "+15550199"}) (*accounts)[name] = {};
  service_->set_accounts(accounts);
  ASSERT_EQ(ask(alice, "PUT", team, group_of("sip:team@example.org", "<entry uri='tel:+1-555-0100'/>")).status, 201);
  EXPECT_EQ(ask("sip:+15550100@example.org", "GET", team).status, 200);
  EXPECT_EQ(ask("sip:+15550199@example.org", "GET", team).status, 403);
  EXPECT_EQ(ask("sip:+15550100@elsewhere.example", "GET", team).status, 403);
}

TEST_F(XcapServiceTest, RFC4825_6_2_AUserIsKnownByHisNumberToo) {
  const std::string number = "tel:+15550100";
  const std::string path = "org.openmobilealliance.access-rules/users/tel:+15550100/index";
  ASSERT_EQ(ask(number, "PUT", path, rules("reject")).status, 201) << "whom a proxy says to be that";
  EXPECT_NE(snapshot_->access_rules.find(number), nullptr);
  EXPECT_EQ(snapshot_->changed_selector, path);
  EXPECT_EQ(ask(number, "GET", "org.openmobilealliance.access-rules/users/sip:%2B15550100@example.org%3Buser=phone/index").status, 200);
  EXPECT_EQ(ask(alice, "GET", path).status, 403);
  // A user of ours of that name is the same by either.
  begin({});
  auto accounts = std::make_shared<core::Credentials>();
  (*accounts)["+15550100"] = {};
  service_->set_accounts(accounts);
  const std::string his = "sip:+15550100@example.org";
  EXPECT_EQ(service_->user_of("tel:+1-555-0100"), his);
  EXPECT_EQ(service_->user_of("+15550100"), his);
  EXPECT_EQ(service_->user_of("tel:+15550199"), "tel:+15550199");
  ASSERT_EQ(ask(his, "PUT", path, rules("reject")).status, 201);
  EXPECT_NE(snapshot_->access_rules.find(his), nullptr);
  EXPECT_EQ(ask(his, "GET", "org.openmobilealliance.access-rules/users/sip:+15550100@example.org/index").status, 200);
}

TEST_F(XcapServiceTest, RFC4825_8_WhatIsNotThere) {
  EXPECT_EQ(ask(alice, "GET", "unknown/users/sip:alice@example.org/index").status, 404);
  EXPECT_EQ(ask(alice, "GET", team).status, 404);
  EXPECT_EQ(ask(alice, "DELETE", team).status, 404);
  EXPECT_EQ(ask(alice, "PUT", "org.openmobilealliance.groups/users/%20/x", group("sip:g@example.org")).status, 404);
  EXPECT_EQ(ask(alice, "GET", "org.openmobilealliance.groups/global/x").status, 404);
  EXPECT_EQ(ask(alice, "PUT", "org.openmobilealliance.groups/global/x", group("sip:g@example.org")).status, 403);
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org")).status, 201);
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/group/nobody").status, 404);
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/group/list-service/list/entry").status, 404);  // several
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/group/list-service(1)").status, 404);          // an extension
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/a:group").status, 400);                        // no binding
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/group?xmlns(").status, 400);
}

TEST_F(XcapServiceTest, RFC4825_8_Methods) {
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org")).status, 201);
  EXPECT_EQ(ask(alice, "HEAD", team).status, 200);
  for (const char* const method : {"POST", "PATCH", "OPTIONS", "get"}) {
    const Said said = ask(alice, method, team);
    EXPECT_EQ(said.status, 405);
    EXPECT_EQ(said.allow, "GET, HEAD, PUT, DELETE");
  }
  for (const char* const method : {"PUT", "DELETE"}) {
    const Said said = ask(alice, method, std::string(team) + "/~~/group/namespace::*");
    EXPECT_EQ(said.status, 405);
    EXPECT_EQ(said.allow, "GET, HEAD");
  }
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/group/namespace::*").body,
            "<group xmlns='urn:oma:xml:poc:list-service'/>");
}

TEST_F(XcapServiceTest, OMA_GRP_1_OnlyTheOwnerWritesAndMembersRead) {
  EXPECT_EQ(ask(bob, "PUT", team, group("sip:team@example.org")).status, 403);
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org")).status, 201);
  EXPECT_EQ(ask(bob, "GET", team).status, 200);
  EXPECT_EQ(ask(bob, "GET", std::string(team) + "/~~/group/list-service/@uri").status, 200);
  EXPECT_EQ(ask(carol, "GET", team).status, 403);
  EXPECT_EQ(ask(bob, "DELETE", team).status, 403);
  EXPECT_EQ(ask(bob, "PUT", std::string(team) + "/~~/group/list-service/@uri", "'sip:x@example.org'").status, 403);
  EXPECT_EQ(ask(bob, "POST", team).status, 403);
  // Who is not to know who is in its session does not read who belongs to it.
  const std::string closed =
      "<cp:ruleset xmlns:cp='urn:ietf:params:xml:ns:common-policy'><cp:rule id='a'><cp:conditions><is-list-member/>"
      "</cp:conditions><cp:actions><join-handling>true</join-handling></cp:actions></cp:rule></cp:ruleset>";
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org", closed)).status, 200);
  EXPECT_EQ(ask(bob, "GET", team).status, 403);
  EXPECT_EQ(ask(alice, "GET", team).status, 200);
  EXPECT_EQ(ask(carol, "GET", "org.openmobilealliance.access-rules/users/sip:alice@example.org/index").status, 403);
}

TEST_F(XcapServiceTest, RFC4825_8_5_OneEtagForAllOfADocument) {
  const Said put = ask(alice, "PUT", team, group("sip:team@example.org"));
  const std::string name = std::string(team) + "/~~/group/list-service/display-name";
  EXPECT_EQ(ask(alice, "GET", team).etag, put.etag);
  EXPECT_EQ(ask(alice, "GET", std::string(team) + "/~~/group/list-service").etag, put.etag);
  const Said second = ask(alice, "PUT", name, "<display-name>Team</display-name>");
  EXPECT_EQ(second.status, 201);
  EXPECT_NE(second.etag, put.etag);
  EXPECT_EQ(ask(alice, "GET", team).etag, second.etag);
  const Said third = ask(alice, "DELETE", name);
  EXPECT_EQ(third.status, 200);
  EXPECT_NE(third.etag, second.etag);
  EXPECT_EQ(ask(alice, "GET", team).etag, third.etag);
  EXPECT_TRUE(ask(alice, "DELETE", team).etag.empty());
}

TEST_F(XcapServiceTest, RFC4825_8_2_6_Conditions) {
  const std::string body = group("sip:team@example.org");
  EXPECT_EQ(ask(alice, "PUT", team, body, {.if_match = "*"}).status, 412);
  EXPECT_EQ(ask(alice, "PUT", team, body, {.if_match = "\"x\""}).status, 412);
  const Said put = ask(alice, "PUT", team, body, {.if_none_match = "*"});
  EXPECT_EQ(put.status, 201);
  const std::string tag = "\"" + put.etag + "\"";
  EXPECT_EQ(ask(alice, "PUT", team, body, {.if_none_match = "*"}).status, 412);
  EXPECT_EQ(ask(alice, "GET", team, "", {.if_none_match = tag}).status, 304);
  EXPECT_EQ(ask(alice, "GET", team, "", {.if_none_match = "\"a\", W/" + tag}).status, 304);
  EXPECT_EQ(ask(alice, "GET", team, "", {.if_none_match = "\"a\""}).status, 200);
  EXPECT_EQ(ask(alice, "GET", team, "", {.if_match = "\"a\""}).status, 412);
  EXPECT_EQ(ask(alice, "GET", team, "", {.if_match = "W/" + tag}).status, 412);  // weak ones are not compared strongly
  const std::string element = std::string(team) + "/~~/group/list-service/display-name";
  // A new element in a document that is there: If-None-Match: * always fails.
  EXPECT_EQ(ask(alice, "PUT", element, "<display-name/>", {.if_none_match = "*"}).status, 412);
  EXPECT_EQ(ask(alice, "PUT", element, "<display-name/>", {.if_match = "\"old\""}).status, 412);
  EXPECT_EQ(ask(alice, "PUT", element, "<display-name/>", {.if_match = "\"old\", " + tag}).status, 201);
  EXPECT_EQ(ask(alice, "DELETE", team, "", {.if_match = tag}).status, 412);  // it has another one now
  EXPECT_EQ(ask(alice, "DELETE", team, "", {.if_match = "*"}).status, 200);
}

TEST_F(XcapServiceTest, RFC4825_8_2_2_Bodies) {
  EXPECT_EQ(ask(alice, "PUT", team, group("sip:team@example.org"), {.type = "application/xml"}).status, 415);
  EXPECT_EQ(ask(alice, "PUT", team, group("sip:team@example.org"),
                {.type = "Application/vnd.oma.poc.GROUPS+xml ; charset=UTF-8"})
                .status,
            201);
  EXPECT_EQ(ask(alice, "PUT", std::string(team) + "/~~/group/list-service/display-name", "<display-name/>",
                {.type = "text/plain"})
                .status,
            415);
  EXPECT_EQ(ask(alice, "PUT", std::string(team) + "/~~/group/list-service/@x", "'1'",
                {.type = std::string(xcap_element_type)})
                .status,
            415);
  const std::string other = "org.openmobilealliance.groups/users/sip:alice@example.org/other";
  EXPECT_EQ(fault(ask(alice, "PUT", other, "<group>")), "not-well-formed");
  EXPECT_EQ(fault(ask(alice, "PUT", other, "")), "not-well-formed");
  EXPECT_EQ(fault(ask(alice, "PUT", other, "<!DOCTYPE a><a/>")), "not-well-formed");
  EXPECT_EQ(fault(ask(alice, "PUT", other, "<a>\xff</a>")), "not-utf-8");
  EXPECT_EQ(fault(ask(alice, "PUT", other, "<?xml version='1.0' encoding='ISO-8859-1'?><a/>")), "not-utf-8");
  EXPECT_EQ(fault(ask(alice, "PUT", other, "<a/>")), "schema-validation-error");
  EXPECT_EQ(fault(ask(alice, "PUT", other + "/~~/group/list-service", "<list-service/>")), "no-parent");
  EXPECT_EQ(fault(ask(alice, "PUT", "org.openmobilealliance.groups/users/sip:alice@example.org/dir/x",
                      group("sip:x@example.org"))),
            "no-parent");
  EXPECT_EQ(fault(ask(alice, "PUT", std::string(team) + "/~~/group/list-service/display-name", "<display-name>")),
            "not-xml-frag");
  EXPECT_EQ(fault(ask(alice, "PUT", std::string(team) + "/~~/group/list-service/display-name", "<subject/>")),
            "cannot-insert");
  EXPECT_EQ(fault(ask(alice, "PUT", std::string(team) + "/~~/group/list-service/@uri", "sip:x@example.org")),
            "not-xml-att-value");
  EXPECT_EQ(fault(ask(alice, "DELETE", std::string(team) + "/~~/group/list-service/list/entry%5b1%5d")),
            "cannot-delete");
  EXPECT_EQ(fault(ask(alice, "DELETE", std::string(team) + "/~~/group/list-service/@uri")), "schema-validation-error");
  const Said said = ask(alice, "PUT", std::string(team) + "/~~/group/list-service/a/b", "<b/>");
  EXPECT_EQ(fault(said), "no-parent");
  EXPECT_NE(said.body.find("<ancestor>/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.org/team/~~/"
                           "group/list-service</ancestor>"),
            said.body.npos)
      << said.body;
  begin({.document_bytes_max = 1024});
  EXPECT_EQ(ask(alice, "PUT", team, group("sip:team@example.org", std::string(2000, ' '))).status, 413);
}

TEST_F(XcapServiceTest, OMA_GRP_1_GroupsHoldAtOnceAndAlone) {
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org")).status, 201);
  ASSERT_NE(snapshot_->groups.find("sip:team@example.org"), nullptr);
  EXPECT_TRUE(snapshot_->groups.find("sip:team@example.org")->is_member(bob));
  // Nobody else has that URI.
  const std::string bobs = "org.openmobilealliance.groups/users/sip:bob@example.org/team";
  const Said said = ask(bob, "PUT", bobs, group("sip:team@example.org"));
  EXPECT_EQ(fault(said), "uniqueness-failure");
  EXPECT_NE(said.body.find("<exists field=\"group/list-service/@uri\"/>"), said.body.npos) << said.body;
  EXPECT_EQ(fault(ask(bob, "PUT", bobs, group("sip:carol@example.org"))), "uniqueness-failure");    // a user
  EXPECT_EQ(fault(ask(bob, "PUT", bobs, group("sip:factory@example.org"))), "uniqueness-failure");  // the service
  EXPECT_EQ(fault(ask(bob, "PUT", bobs, group("sip:g@elsewhere.org"))), "constraint-failure");
  EXPECT_EQ(fault(ask(bob, "PUT", bobs, group("tel:+1555"))), "constraint-failure");
  EXPECT_EQ(fault(ask(bob, "PUT", bobs, group("sip:g@example.org", "<list><external anchor='http://x/l'/></list>"))),
            "constraint-failure");
  // One MESSAGE to a group is as many messages as it has members.
  std::string many;
  for (int i = 0; i < 500; ++i) many += "<entry uri='sip:u" + std::to_string(i) + "@elsewhere.org'/>";
  EXPECT_EQ(fault(ask(bob, "PUT", bobs, group_of("sip:g@example.org", many))), "constraint-failure");
  const Said more = ask(bob, "PUT", bobs, group("sip:g@example.org", "<max-participant-count>501</max-participant-count>"));
  EXPECT_EQ(fault(more), "constraint-failure");
  EXPECT_EQ(more.limit, "group_members");
  EXPECT_EQ(said.limit, "") << "what is refused for another reason";
  // With the new URI goes the old one.
  ASSERT_EQ(ask(alice, "PUT", std::string(team) + "/~~/group/list-service/@uri", "'sip:crew@example.org'").status, 200);
  EXPECT_EQ(snapshot_->groups.find("sip:team@example.org"), nullptr);
  EXPECT_NE(snapshot_->groups.find("sip:crew@example.org"), nullptr);
  EXPECT_EQ(ask(bob, "PUT", bobs, group("sip:team@example.org")).status, 201);
  ASSERT_EQ(ask(alice, "DELETE", team).status, 200);
  EXPECT_EQ(snapshot_->groups.find("sip:crew@example.org"), nullptr);
  EXPECT_EQ(snapshot_->groups.size(), 1U);
  begin({.groups_prefix = "g."});
  EXPECT_EQ(fault(ask(alice, "PUT", team, group("sip:team@example.org"))), "constraint-failure");
  EXPECT_EQ(ask(alice, "PUT", team, group("sip:g.team@example.org")).status, 201);
}

TEST_F(XcapServiceTest, OMA_GRP_1_TheOperatorsGroupGoesBefore) {
  begin({}, "sip:team@example.org");
  EXPECT_EQ(fault(ask(alice, "PUT", team, group("sip:team@example.org"))), "uniqueness-failure");
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:crew@example.org")).status, 201);
  set_operators("sip:crew@example.org");
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_[0].find("sip:crew@example.org"), std::string::npos);
  EXPECT_EQ(ask(alice, "GET", team).status, 200);
  EXPECT_EQ(snapshot_->groups.find("sip:crew@example.org"), nullptr);
  set_operators("");
  EXPECT_TRUE(warnings_.empty());
  EXPECT_NE(snapshot_->groups.find("sip:crew@example.org"), nullptr);
  // Somebody comes who has the address of a group.
  auto accounts = std::make_shared<core::Credentials>();
  (*accounts)["crew"] = {};
  service_->set_accounts(accounts);
  set_operators("");
  EXPECT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(snapshot_->groups.find("sip:crew@example.org"), nullptr);
}

TEST_F(XcapServiceTest, OMA_ACC_1_RulesMayBeAsLongAsAnyDocument) {
  const std::string index = "org.openmobilealliance.access-rules/users/sip:alice@example.org/index";
  std::string names;
  for (int i = 0; i < 1000; ++i) names += "<one id='sip:" + std::string(180, 'x') + std::to_string(i) + "@example.org'/>";
  std::string text = rules("reject");
  text.replace(text.find("<conditions/>"), 13, "<conditions><identity>" + names + "</identity></conditions>");
  EXPECT_EQ(ask(alice, "PUT", index, text).status, 201);
  ASSERT_NE(snapshot_->access_rules.find(alice), nullptr);
  text.insert(text.find("<one "), std::string(60 * 1024, ' '));
  EXPECT_EQ(ask(alice, "PUT", index, text).status, 413);
}

TEST_F(XcapServiceTest, OMA_ACC_1_AccessRulesOfAUser) {
  const std::string index = "org.openmobilealliance.access-rules/users/sip:alice@example.org/index";
  const std::string other = "org.openmobilealliance.access-rules/users/sip:alice@example.org/access-rules";
  ASSERT_EQ(ask(alice, "PUT", index, rules("reject")).status, 201);
  const auto held = snapshot_->access_rules.find(alice);
  ASSERT_NE(held, nullptr);
  EXPECT_EQ(held->judge({}).handling, InviteHandling::reject);
  EXPECT_EQ(fault(ask(alice, "PUT", other, rules("accept"))), "constraint-failure");  // there is one
  EXPECT_EQ(
      fault(ask(alice, "PUT", "org.openmobilealliance.access-rules/users/sip:alice@example.org/x", rules("accept"))),
      "constraint-failure");
  ASSERT_EQ(ask(alice, "PUT", index + "/~~/ruleset/rule/actions/p:allow-invite?xmlns(p=urn:oma:xml:poc:poc-rules)",
                "<p:allow-invite>accept</p:allow-invite>")
                .status,
            200);
  EXPECT_EQ(snapshot_->access_rules.find(alice)->judge({}).handling, InviteHandling::accept);
  EXPECT_EQ(held->judge({}).handling, InviteHandling::reject);  // who had it still has it
  ASSERT_EQ(ask(alice, "DELETE", index).status, 200);
  EXPECT_EQ(snapshot_->access_rules.find(alice), nullptr);
  EXPECT_EQ(ask(alice, "PUT", other, rules("accept")).status, 201);
  EXPECT_EQ(
      fault(ask(carol, "PUT", "org.openmobilealliance.access-rules/users/sip:carol@example.org/index", rules("pass"))),
      "constraint-failure");
}

TEST_F(XcapServiceTest, OMA_SET_7_SettingsOfWhoHasPublishedNothing) {
  const std::string index = "org.parley.settings-defaults/users/sip:alice@example.org/index";
  ASSERT_EQ(ask(alice, "PUT", index, settings("true")).status, 201);
  ASSERT_NE(snapshot_->settings.find(alice), nullptr);
  EXPECT_TRUE(snapshot_->settings.find(alice)->session_barred);
  EXPECT_EQ(fault(ask(alice, "PUT", index, "<poc-settings xmlns='urn:oma:params:xml:ns:poc:poc-settings'/>")),
            "constraint-failure");
  EXPECT_TRUE(snapshot_->settings.find(alice)->session_barred);
  ASSERT_EQ(ask(alice, "DELETE", index).status, 200);
  EXPECT_EQ(snapshot_->settings.find(alice), nullptr);
}

TEST_F(XcapServiceTest, RFC4825_12_Capabilities) {
  const Said said = ask(carol, "GET", "xcap-caps/global/index");
  EXPECT_EQ(said.status, 200);
  EXPECT_EQ(said.type, "application/xcap-caps+xml");
  for (const char* const name : {"<auid>xcap-caps</auid>", "<auid>org.openmobilealliance.groups</auid>",
                                 "<auid>org.openmobilealliance.access-rules</auid>", "<extensions/>",
                                 "<namespace>urn:ietf:params:xml:ns:xcap-caps</namespace>",
                                 "<namespace>urn:oma:xml:poc:list-service</namespace>"}) {
    EXPECT_NE(said.body.find(name), std::string::npos) << name << said.body;
  }
  EXPECT_EQ(ask(carol, "GET", "xcap-caps/global/index", "", {.if_none_match = "\"" + said.etag + "\""}).status, 304);
  EXPECT_EQ(ask(carol, "GET", "xcap-caps/global/index/~~/xcap-caps/extensions").body, "<extensions/>");
  EXPECT_EQ(ask(carol, "GET", "xcap-caps/global/other").status, 404);
  EXPECT_EQ(ask(carol, "GET", "xcap-caps/users/sip:carol@example.org/index").status, 404);
  for (const char* const method : {"PUT", "DELETE", "POST"}) {
    EXPECT_EQ(ask(carol, method, "xcap-caps/global/index", "<x/>").status, 405);
    EXPECT_EQ(ask(carol, method, "xcap-caps/global/index", "<x/>").allow, "GET, HEAD");
  }
}

TEST_F(XcapServiceTest, ComputedDocumentsAreReadAndLoseEntries) {
  const std::string list = "computed/users/sip:alice@example.org/list";
  EXPECT_EQ(ask(alice, "GET", list).status, 200);
  EXPECT_EQ(ask(alice, "GET", list + "/~~/list/entry%5b2%5d").body, "<entry id='2'/>");
  EXPECT_EQ(ask(bob, "GET", list).status, 403);
  EXPECT_EQ(ask(bob, "DELETE", list).status, 403);
  EXPECT_EQ(ask(alice, "GET", "computed/users/sip:alice@example.org/other").status, 404);
  EXPECT_EQ(ask(alice, "PUT", list, "<x/>").status, 405);
  EXPECT_EQ(ask(alice, "PUT", list, "<x/>").allow, "GET, HEAD, DELETE");
  EXPECT_EQ(ask(alice, "DELETE", list + "/~~/list/entry%5b@id='2'%5d", "", {.if_match = "\"old\""}).status, 412);
  EXPECT_EQ(ask(alice, "DELETE", list + "/~~/list/entry%5b@id='9'%5d").status, 404);
  EXPECT_EQ(fault(ask(alice, "DELETE", list + "/~~/list/entry%5b2%5d/@id")), "constraint-failure");
  EXPECT_TRUE(erased_.empty());
  EXPECT_EQ(ask(alice, "DELETE", list + "/~~/list/entry%5b@id='2'%5d").status, 200);
  EXPECT_EQ(ask(alice, "DELETE", list).status, 200);
  EXPECT_EQ(ask(alice, "DELETE", list + "/~~/list").status, 200);
  EXPECT_EQ(ask(alice, "DELETE", list + "/~~/list/entry%5b@id='1'%5d").status, 404);  // gone meanwhile
  // RFC 4825 section 8.2.4: once more it would be another one.
  EXPECT_EQ(fault(ask(alice, "DELETE", list + "/~~/list/entry%5b1%5d")), "cannot-delete");
  EXPECT_EQ(erased_, (std::vector<std::string>{alice + " 2", alice + " all", alice + " all", alice + " 1"}));
}

TEST_F(XcapServiceTest, LimitsAreKept) {
  begin({.documents_per_user_max = 2});
  const auto place = [](const std::string& user, int n) {
    return "anything/users/" + user + "/" + std::to_string(n);
  };
  EXPECT_EQ(ask(alice, "PUT", place(alice, 1), "<a/>").status, 201);
  EXPECT_EQ(ask(alice, "PUT", place(alice, 2), "<a/>").status, 201);
  const Said third = ask(alice, "PUT", place(alice, 3), "<a/>");
  EXPECT_EQ(fault(third), "constraint-failure");
  EXPECT_EQ(third.limit, "documents_per_user");
  EXPECT_EQ(ask(alice, "PUT", place(alice, 2), "<b/>").status, 200);
  EXPECT_EQ(ask(bob, "PUT", place(bob, 3), "<a/>").status, 201);
  begin({.documents_max = 1});
  EXPECT_EQ(ask(alice, "PUT", place(alice, 1), "<a/>").status, 201);
  const Said one_more = ask(bob, "PUT", place(bob, 1), "<a/>");
  EXPECT_EQ(one_more.status, 507);
  EXPECT_EQ(one_more.limit, "documents");
  EXPECT_EQ(ask(alice, "PUT", place(alice, 1), "<abc/>").status, 200);
  begin({.bytes_max = 10});
  EXPECT_EQ(ask(alice, "PUT", place(alice, 1), "<a>123</a>").status, 201);
  EXPECT_EQ(service_->bytes(), 10U);
  const Said longer = ask(alice, "PUT", place(alice, 1), "<a>1234</a>");
  EXPECT_EQ(longer.status, 507);
  EXPECT_EQ(longer.limit, "documents_bytes");
  EXPECT_EQ(ask(bob, "PUT", place(bob, 1), "<a/>").status, 507);
  EXPECT_EQ(ask(alice, "PUT", place(alice, 1), "<a/>").status, 200);
  EXPECT_EQ(ask(bob, "PUT", place(bob, 1), "<a/>").status, 201);
  EXPECT_EQ(ask(alice, "DELETE", place(alice, 1)).status, 200);
  EXPECT_EQ(service_->bytes(), 4U);
  EXPECT_EQ(service_->documents(), 1U);
}

TEST_F(XcapServiceTest, OMA_GRP_1_WhatWasStoredHoldsAgain) {
  std::vector<core::XcapRow> rows;
  rows.push_back({"org.openmobilealliance.groups", alice, "team", "e1", group("sip:team@example.org"), 1});
  rows.push_back({"org.openmobilealliance.access-rules", bob, "index", "e2", rules("reject"), 2});
  rows.push_back({"org.openmobilealliance.groups", bob, "stolen", "e3", group("sip:alice@example.org"), 3});
  rows.push_back({"no.such.usage", bob, "x", "e4", "<a/>", 4});
  snapshot_ = service_->restore(std::move(rows), warnings_);
  EXPECT_EQ(warnings_.size(), 2U);
  EXPECT_NE(snapshot_->groups.find("sip:team@example.org"), nullptr);
  EXPECT_EQ(snapshot_->groups.size(), 1U);
  EXPECT_NE(snapshot_->access_rules.find(bob), nullptr);
  EXPECT_EQ(ask(alice, "GET", team).etag, "e1");
  // What does not hold any more is still its owner's.
  EXPECT_EQ(ask(bob, "GET", "org.openmobilealliance.groups/users/sip:bob@example.org/stolen").status, 200);
  EXPECT_EQ(ask(bob, "DELETE", "org.openmobilealliance.groups/users/sip:bob@example.org/stolen").status, 200);
}

TEST_F(XcapServiceTest, OMA_GRP_1_WhatDidNotHoldHoldsWhenTheOperatorLetsIt) {
  begin({}, "sip:team@example.org");
  snapshot_ = service_->restore({{"org.openmobilealliance.groups", alice, "team", "e1", group("sip:team@example.org"), 1}}, warnings_);
  EXPECT_EQ(warnings_.size(), 1U);
  EXPECT_EQ(snapshot_->groups.size(), 0U);
  set_operators("");
  EXPECT_TRUE(warnings_.empty());
  EXPECT_NE(snapshot_->groups.find("sip:team@example.org"), nullptr);
  EXPECT_EQ(ask(alice, "GET", team).etag, "e1");
  EXPECT_EQ(fault(ask(bob, "PUT", "org.openmobilealliance.groups/users/sip:bob@example.org/x", group("sip:team@example.org"))),
            "uniqueness-failure");
}

TEST_F(XcapServiceTest, RFC5874_DocumentsAsWatchersAreTold) {
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org")).status, 201);
  XcapChanges changes;
  changes.add(*snapshot_);
  const std::string first = snapshot_->new_etag;
  std::string out;
  put_xcap_diff("http://x/xcap-root/", *snapshot_->owned.find(alice), out);
  const std::string sel = "org.openmobilealliance.groups/users/sip:alice@example.org/team";
  EXPECT_NE(out.find("xcap-root=\"http://x/xcap-root/\"><document new-etag=\"" + first + "\" sel=\"" + sel + "\"/>"),
            out.npos)
      << out;
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:crew@example.org")).status, 200);
  EXPECT_EQ(snapshot_->previous_etag, first);
  changes.add(*snapshot_);
  ASSERT_EQ(changes.changes().size(), 1U);
  EXPECT_EQ(changes.changes()[0].previous_etag, "");
  EXPECT_EQ(changes.changes()[0].new_etag, snapshot_->new_etag);
  changes.clear();
  // What changes in it changes the whole.
  std::string was = snapshot_->new_etag;
  const std::string node = std::string(team) + "/~~/group/list-service/list/entry%5b@uri=%22sip:carol@example.org%22%5d";
  for (const bool puts : {true, false}) {
    const Said said = ask(alice, puts ? "PUT" : "DELETE", node, puts ? "<entry uri='sip:carol@example.org'/>" : "");
    ASSERT_EQ(said.status, puts ? 201 : 200) << said.body;
    changes.add(*snapshot_);
    ASSERT_EQ(changes.changes().size(), 1U);
    EXPECT_EQ(changes.changes()[0].selector, sel);
    EXPECT_EQ(changes.changes()[0].previous_etag, was);
    EXPECT_EQ(changes.changes()[0].new_etag, said.etag);
    EXPECT_NE(said.etag, was);
    was = said.etag;
    changes.clear();
  }
  const std::string second = snapshot_->new_etag;
  ASSERT_EQ(ask(alice, "DELETE", team).status, 200);
  changes.add(*snapshot_);
  out.clear();
  put_xcap_diff("http://x/xcap-root/", changes.changes(), out);
  EXPECT_NE(out.find("<document previous-etag=\"" + second + "\" sel=\"" + sel + "\"/>"), out.npos) << out;
  EXPECT_EQ(snapshot_->owned.find(alice), nullptr);
  // What came and went between two NOTIFYs is not told of.
  changes.clear();
  ASSERT_EQ(ask(alice, "PUT", team, group("sip:team@example.org")).status, 201);
  changes.add(*snapshot_);
  ASSERT_EQ(ask(alice, "DELETE", team).status, 200);
  changes.add(*snapshot_);
  EXPECT_TRUE(changes.changes().empty());
}

}  // namespace
}  // namespace parley::policy

// tests/daemon/xcap_front_test.cc - an answer to a change is a promise: what the store refuses, or keeps us waiting
// for.
#include "tools/parleyd/xcap_front.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policy/xcap_usages.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;
using Status = core::StoreResult::Status;

constexpr const char* path = "/xcap-root/org.openmobilealliance.groups/users/sip:alice@example.org/team";

// Answers as it is told, or later.
class Store final : public core::StoreSink {
 public:
  void submit(std::uint32_t shard, std::vector<core::StoreOp>& ops) override {
    EXPECT_EQ(shard, 7U);
    ASSERT_EQ(ops.size(), 1U);
    last = std::move(ops[0]);
    ops.clear();
    ++count;
    if (now) answer(*now);
  }
  void answer(Status status) { front->on_stored({{.token = last.token, .status = status}}); }
  XcapFront* front = nullptr;
  std::optional<Status> now = Status::done;
  core::StoreOp last;
  int count = 0;
};

class XcapFrontTest : public testing::Test {
 protected:
  XcapFrontTest() { begin(&store_); }

  void begin(core::StoreSink* store) {
    XcapFrontConfig config;
    config.service.domain = "example.org";
    config.realm = "example.org";
    config.trusted = {*core::parse_cidr("127.0.0.0/8")};
    config.store_answer = 30ms;
    std::vector<std::unique_ptr<const policy::XcapUsage>> usages;
    usages.push_back(std::make_unique<const policy::XcapGroups>());
    front_ = std::make_unique<XcapFront>(
        XcapFront::Parts{.config = std::move(config),
                         .usages = std::move(usages),
                         .store = store,
                         .store_shard = 7,
                         .publish = [this](std::shared_ptr<const policy::UserDocuments> documents,
                                           bool) { shown_ = std::move(documents); },
                         .draining = [this] { return draining_; }});
    store_.front = front_.get();
    std::vector<std::string> warnings;
    shown_ = front_->begin(std::make_shared<policy::Documents>(), std::make_shared<core::Credentials>(), {}, warnings);
  }

  HttpAnswer ask(const std::string& method, const std::string& body = "",
                 const std::string& who = "sip:alice@example.org") {
    HttpAsked asked{.method = method, .target = path, .body = body, .remote = *core::parse_address("127.0.0.1:9")};
    asked.headers = {{"X-3GPP-Asserted-Identity", "\"" + who + "\""},
                     {"Content-Type", std::string(policy::groups_type)}};
    return front_->answer(asked);
  }
  int put(const std::string& name) {
    return ask("PUT", "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:" + name +
                          "@example.org'><list><entry uri='sip:bob@example.org'/></list></list-service></group>")
        .status;
  }
  bool holds(const std::string& name) { return shown_->groups.find("sip:" + name + "@example.org") != nullptr; }

  Store store_;
  std::unique_ptr<XcapFront> front_;
  std::shared_ptr<const policy::UserDocuments> shown_;
  bool draining_ = false;
};

TEST_F(XcapFrontTest, WhatIsStoredHolds) {
  EXPECT_EQ(put("team"), 201);
  EXPECT_TRUE(holds("team"));
  const auto* const stored = std::get_if<core::PutXcap>(&store_.last.what);
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->row.owner, "sip:alice@example.org");
  EXPECT_EQ(stored->row.name, "team");
  EXPECT_EQ(ask("DELETE").status, 200);
  EXPECT_TRUE(std::holds_alternative<core::RemoveXcap>(store_.last.what));
  EXPECT_FALSE(holds("team"));
  EXPECT_EQ(front_->counts().changes, 2U);
}

TEST_F(XcapFrontTest, WhatALimitRefusesIsCountedUnderIt) {
  const std::string group =
      "<group xmlns='urn:oma:xml:poc:list-service'><list-service uri='sip:team@example.org'>"
      "<max-participant-count>501</max-participant-count></list-service></group>";
  EXPECT_EQ(ask("PUT", group).status, 409);
  EXPECT_EQ(ask("PUT", "<group/>").status, 409) << "for another reason";
  EXPECT_EQ(put("team"), 201);
  const XcapCounts counts = front_->counts();
  for (std::size_t n = 0; n < counts.limits.size(); ++n) {
    const bool hit = n == static_cast<std::size_t>(policy::XcapLimit::group_members);
    EXPECT_EQ(counts.limits[n], hit ? 1U : 0U) << n;
  }
}

TEST_F(XcapFrontTest, WhatTheStoreRefusesHasNotHappened) {
  store_.now = Status::refused;
  EXPECT_EQ(put("team"), 503);
  EXPECT_FALSE(holds("team"));
  EXPECT_EQ(ask("GET").status, 404);
  EXPECT_EQ(front_->counts().unstored, 1U);
  store_.now = Status::done;
  EXPECT_EQ(put("team"), 201);
}

TEST_F(XcapFrontTest, WhatTheStoreIsLateWithIsNotPromisedAndStopsOthersUntilItIsKnown) {
  ASSERT_EQ(put("first"), 201);
  store_.now.reset();
  EXPECT_EQ(put("second"), 503);
  EXPECT_TRUE(holds("first"));
  EXPECT_EQ(put("third"), 503);
  EXPECT_EQ(store_.count, 2) << "nothing overtakes it";
  EXPECT_EQ(ask("GET").status, 200) << "readers do not wait";
  // It has come to the disk after all.
  store_.answer(Status::done);
  store_.now = Status::refused;
  EXPECT_EQ(put("third"), 503);
  EXPECT_TRUE(holds("second"));
  EXPECT_FALSE(holds("first"));
  // And another one has not.
  store_.now.reset();
  EXPECT_EQ(put("fourth"), 503);
  store_.answer(Status::refused);
  store_.now = Status::done;
  EXPECT_EQ(put("fifth"), 200);
  EXPECT_TRUE(holds("fifth"));
  EXPECT_EQ(store_.count, 5);
}

TEST_F(XcapFrontTest, WithoutAStoreMemoryIsEnough) {
  begin(nullptr);
  EXPECT_EQ(put("team"), 201);
  EXPECT_TRUE(holds("team"));
}

TEST_F(XcapFrontTest, WhileDrainingNothingChanges) {
  ASSERT_EQ(put("team"), 201);
  draining_ = true;
  const HttpAnswer answer = ask("DELETE");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(
      std::find(answer.headers.begin(), answer.headers.end(), std::pair<std::string, std::string>("Retry-After", "5")),
      answer.headers.end());
  EXPECT_EQ(ask("GET").status, 200);
}

TEST_F(XcapFrontTest, T_89_AssertedIdentitiesAreQuotedUris) {
  EXPECT_EQ(asserted_uris("\"sip:a@x\", \"tel:+1\""), (std::vector<std::string>{"sip:a@x", "tel:+1"}));
  EXPECT_TRUE(asserted_uris("sip:a@x").empty());
  EXPECT_TRUE(asserted_uris("\"sip:a@x").empty());
  EXPECT_EQ(ask("GET", "", "sip:alice@EXAMPLE.org").status, 404) << "it is her own, and is not there";
  EXPECT_EQ(ask("GET", "", "sip:bob@example.org").status, 403);
}

}  // namespace
}  // namespace parley::parleyd

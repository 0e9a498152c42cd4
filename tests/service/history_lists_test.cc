// tests/service/history_lists_test.cc - a user's records are listed and deleted (OMA-HIS-1, -2, -5, -7), as OMA-DEF-14 says for whom.
#include <algorithm>
#include <functional>
#include <memory>

#include "tests/service/recorded.h"

namespace parley::tests {
namespace {

TEST_F(Recorded, OMA_HIS_1_TheListHasAllRecordsOfItsUserAndNoOthers) {
  for (std::uint64_t id = 1; id <= 250; ++id) record(id, id % 2 == 0 ? "carol" : "bob");
  record(300).expires_ms = world->now.wall_ms;
  const std::string xml = listed();
  policy::XmlDocument document;
  ASSERT_FALSE(document.parse(xml, {.bytes_max = 1 << 20, .elements_max = 10'000})) << xml.substr(0, 500);
  EXPECT_EQ(document.root().name(), "history-list");
  EXPECT_EQ(document.root().space(), "urn:oma:xml:im:history-list");
  std::size_t count = 0;
  std::uint64_t before = 0;
  for (const policy::XmlElement history : document.root().children()) {
    const std::uint64_t id = std::stoull(std::string(history.attribute("id").value_or("0")));
    EXPECT_EQ(id % 2, 1U) << "OMA-DEF-14";
    EXPECT_GT(id, before);
    before = id;
    ++count;
  }
  EXPECT_EQ(count, 125U);
  EXPECT_NE(asks(Kind::history_list, "bob").find("\"records\":125,"), std::string::npos);
  EXPECT_NE(asks(Kind::history_list, "dave").find("\"records\":0,"), std::string::npos);
  EXPECT_NE(asks(Kind::history_list, "sip:bob@elsewhere.net").find("error"), std::string::npos) << "none of ours";
  at_rest();
}

TEST_F(Recorded, OMA_HIS_1_TheEntityTagChangesWithTheListAndOnlyWithIt) {
  EXPECT_EQ(tag(), "");
  record(7);
  const std::string one = tag();
  EXPECT_NE(one, "");
  EXPECT_EQ(tag(), one);
  record(9);
  const std::string two = tag();
  EXPECT_NE(two, one);
  message(9, 1, "x");
  EXPECT_NE(tag(), two) << "its size";
  asks(Kind::history_delete, "bob 9");
  EXPECT_EQ(tag(), one);
}

// --- that nobody reads anew while nothing has changed

TEST_F(Recorded, OMA_HIS_1_AListIsReadOnceUntilOneOfItsUsersRecordsHasChanged) {
  for (std::uint64_t id = 1; id <= 250; ++id) record(id);
  const auto pages = [&] { return std::exchange(world->store.history_pages, 0); };
  const std::string first = listed();
  EXPECT_EQ(pages(), 3U);
  EXPECT_EQ(listed(), first);
  EXPECT_EQ(pages(), 1U) << "whether it is as it was";
  record(300, "carol");
  EXPECT_EQ(listed(), first);
  EXPECT_EQ(pages(), 1U) << "another user";
  (void)asks(Kind::history_entries, "bob");
  EXPECT_EQ(pages(), 3U) << "another document";
  message(7, 1, "hello");
  const std::string changed = listed();
  EXPECT_EQ(pages(), 3U);
  EXPECT_NE(changed, first);
  asks(Kind::history_delete, "bob 7");
  EXPECT_EQ(listed().find("<history id=\"7\">"), std::string::npos);
  EXPECT_EQ(pages(), 3U);
  EXPECT_EQ(world->metric(Metric::history_lists_kept), 2U);
  EXPECT_EQ(world->metric(Metric::history_lists_read), 4U);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_1_AListIsReadAnewWhenARecordOfItExpires) {
  record(7).expires_ms = world->now.wall_ms + 5'000;
  record(8);
  EXPECT_NE(listed().find("<history id=\"7\">"), std::string::npos);
  world->now.wall_ms += 4'999;
  line->pass(1ms);
  EXPECT_NE(listed().find("<history id=\"7\">"), std::string::npos);
  EXPECT_EQ(world->metric(Metric::history_lists_kept), 1U);
  world->now.wall_ms += 1;
  line->pass(1ms);
  EXPECT_EQ(listed().find("<history id=\"7\">"), std::string::npos);
  EXPECT_NE(listed().find("<history id=\"8\">"), std::string::npos);
}

TEST_F(Recorded, OMA_HIS_1_AListOfTwoTimesIsForWhoHasAskedAlone) {
  for (std::uint64_t id = 1; id <= 250; ++id) record(id);
  world->store.on_answer = [&, answers = 0](const core::StoreResult&) mutable {
    if (++answers == 1) record(1).subject = "changed";
  };
  const std::string torn = listed();
  EXPECT_EQ(torn.find("changed"), std::string::npos) << "that page was read before";
  world->store.on_answer = nullptr;
  EXPECT_NE(listed().find("changed"), std::string::npos);
}

// References of one list have one domain, whatever the configuration has become while it was read.
TEST_F(Recorded, OMA_HIS_1_AListThatIsBeingReadKeepsItsDomainOverAReload) {
  for (std::uint64_t id = 1; id <= 250; ++id) record(id);
  const auto references = [](const std::string& xml, const std::string& domain) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = xml.find("@" + domain + "</history-reference>", at)) != std::string::npos; ++at) ++count;
    return count;
  };
  auto next = std::make_shared<policy::SipConfig>(*config);
  next->domains = {"second.example", "example.org"};
  world->store.on_answer = [&, answers = 0](const core::StoreResult&) mutable {
    if (++answers != 1) return;
    world->service().reload(next);
    std::string& before = config->domains.front();
    std::fill(before.begin(), before.end(), 'x');  // as good as gone
  };
  EXPECT_EQ(references(listed(), "example.org"), 250U);
  world->store.on_answer = nullptr;
  // Of the same records under his new name.
  for (auto& [id, row] : world->store.histories) row.aor = "sip:bob@second.example";
  EXPECT_EQ(references(listed(), "second.example"), 250U);
}

// Lists that are kept go with a reload; one that is being read meanwhile comes behind it.
TEST_F(Recorded, OMA_HIS_1_AListThatIsKeptIsOfTheDomainThatItWasReadFor) {
  record(7).aor = "sip:bob@127.0.0.1";  // by where we listen: the same user whatever we are called
  const auto call = [this](const std::string& name) {
    auto next = std::make_shared<policy::SipConfig>(*config);
    next->domains.clear();
    next->realm = name;
    world->service().reload(next);
  };
  const auto names = [this](const std::string& domain) {
    return listed("sip:bob@127.0.0.1").find("@" + domain + "</history-reference>") != std::string::npos;
  };
  call("one.example");
  world->store.on_answer = [&](const core::StoreResult&) { call("two.example"); };
  EXPECT_TRUE(names("one.example"));
  world->store.on_answer = nullptr;
  EXPECT_TRUE(names("two.example"));
  EXPECT_EQ(world->metric(Metric::history_lists_kept), 0U);
  EXPECT_TRUE(names("two.example"));
  EXPECT_EQ(world->metric(Metric::history_lists_kept), 1U);
}

TEST_F(Recorded, OMA_HIS_1_TheListsThatAreKeptAreBounded) {
  for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{3000}}) {
    start_recorded([&](policy::SipConfig& c) { c.im.history_access.list_cache_bytes_max = most; });
    record(1, "alice");
    record(2, "bob");
    record(3, "carol");
    for (const char* user : {"alice", "bob", "carol", "carol", "bob", "alice"}) (void)listed(user);
    EXPECT_EQ(world->metric(Metric::history_lists_kept), most == 0 ? 0U : 2U) << "what was not asked for longest has gone";
  }
}

TEST_F(Recorded, OMA_HIS_1_ALongListHasTheNewest) {
  start_recorded([](policy::SipConfig& c) { c.im.history_access.list_bytes_max = 3000; });
  for (std::uint64_t id = 1; id <= 50; ++id) record(id);
  const std::string xml = listed();
  EXPECT_LT(xml.size(), 3200U);
  EXPECT_NE(xml.find("<history id=\"50\">"), std::string::npos) << xml;
  EXPECT_EQ(xml.find("<history id=\"1\">"), std::string::npos) << xml;
  EXPECT_NE(xml.find(" left-out=\""), std::string::npos) << xml;
  EXPECT_EQ(world->metric(Metric::history_list_limit), 1U);
  const std::string before = tag();
  asks(Kind::history_delete, "bob 1");
  EXPECT_NE(tag(), before) << "of all of it";
}

TEST_F(Recorded, OMA_HIS_5_RecordsAreDeletedByTheirUserOrAnOperator) {
  record(7);
  message(7, 1, "x");
  record(8);
  record(9, "carol");
  EXPECT_EQ(asks(Kind::history_delete, "bob 9"), "{\"deleted\":false,\"records\":0}") << "carol's";
  EXPECT_EQ(asks(Kind::history_delete, "bob 99"), "{\"deleted\":false,\"records\":0}");
  for (const char* bad : {"bob", "bob x", "bob 7x", "bob 0", "bob 18446744073709551615", "bob 99999999999999999999", "bob "}) {
    EXPECT_EQ(asks(Kind::history_delete, bad), "{\"deleted\":false,\"records\":0}") << bad;
  }
  EXPECT_EQ(world->store.histories.size(), 3U);
  EXPECT_EQ(asks(Kind::history_delete, "sip:bob@example.org 7"), "{\"deleted\":true,\"records\":1}");
  EXPECT_TRUE(world->store.history_messages.empty());
  record(10);
  EXPECT_EQ(asks(Kind::history_delete, "bob all"), "{\"deleted\":true,\"records\":2}");
  ASSERT_EQ(world->store.histories.size(), 1U);
  EXPECT_EQ(world->store.histories.begin()->second.aor, "sip:carol@example.org");
  EXPECT_EQ(asks(Kind::history_delete, "bob all"), "{\"deleted\":false,\"records\":0}");
  EXPECT_EQ(world->metric(Metric::history_deleted), 3U);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_AllGoInPartsAndTheAnswerComesWhenTheyAreGone) {
  for (std::uint64_t id = 1; id <= 50; ++id) record(id);
  record(51, "carol");
  const std::string first = subscribes(*bob, history_function, "ua-profile", history_type);
  line->pass(6s);
  bob->quiet();
  // One begins meanwhile: it is none of those that were to go.
  world->store.on_answer = [&, parts = 0](const core::StoreResult&) mutable {
    if (++parts == 1) record(100);
  };
  EXPECT_EQ(asks(Kind::history_delete, "bob all"), "{\"deleted\":true,\"records\":50}");
  world->store.on_answer = nullptr;
  EXPECT_EQ(world->store.histories.size(), 2U);
  EXPECT_TRUE(world->store.histories.contains(100));
  EXPECT_EQ(world->metric(Metric::history_deleted), 50U);
  line->pass(1ms);
  const std::string told_once = told(*bob);
  EXPECT_NE(told_once.find("<history id=\"100\">"), std::string::npos) << told_once;
  line->pass(6s);
  bob->quiet();
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_WhatIsLeftWhenTheStoreRefusesIsRemovedWithTheNextAttempt) {
  for (std::uint64_t id = 1; id <= 50; ++id) record(id);
  world->store.on_answer = [&](const core::StoreResult&) { world->store.full = true; };
  EXPECT_NE(asks(Kind::history_delete, "bob all").find("\"status\":503"), std::string::npos);
  EXPECT_EQ(world->store.histories.size(), 30U);
  world->store.on_answer = nullptr;
  world->store.full = false;
  EXPECT_EQ(asks(Kind::history_delete, "bob all"), "{\"deleted\":true,\"records\":30}");
  EXPECT_EQ(world->metric(Metric::history_deleted), 50U);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_OperatorsSeeWhatThereIs) {
  record(7);
  message(7, 1, "hello");
  core::HistoryRecordRow& pager = record(8);
  pager.kind = core::HistoryKind::pager_large;
  pager.subject = "say \"hi\"";
  pager.ended_ms = 0;
  const std::string json = asks(Kind::history_entries, "bob");
  EXPECT_EQ(json,
            "{\"records\":[{\"id\":\"7\",\"mode\":\"session\",\"from\":\"sip:alice@example.org\",\"to\":\"sip:bob@example.org\","
            "\"group\":\"\",\"subject\":\"\",\"began\":\"2023-11-14T22:12:20.000Z\",\"ended\":\"2023-11-14T22:12:50.000Z\","
            "\"expiry\":\"2023-11-15T22:13:20.000Z\",\"messages\":1,\"bytes\":5},"
            "{\"id\":\"8\",\"mode\":\"pager-large\",\"from\":\"sip:alice@example.org\",\"to\":\"sip:bob@example.org\","
            "\"group\":\"\",\"subject\":\"say \\\"hi\\\"\",\"began\":\"2023-11-14T22:12:20.000Z\",\"ended\":\"\","
            "\"expiry\":\"2023-11-15T22:13:20.000Z\",\"messages\":0,\"bytes\":0}],\"left_out\":0}");
  EXPECT_EQ(asks(Kind::history_entries, "carol"), "{\"records\":[],\"left_out\":0}");
}

TEST_F(Recorded, OMA_HIS_1_AnsweredByTheShardThatHasTheUser) {
  start_recorded({}, 3);
  record(7);
  std::size_t answers = 0;
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    if (world->admin(Kind::history_list, "bob", shard) != "{}") ++answers;
  }
  EXPECT_EQ(answers, 1U);
}

TEST_F(Recorded, OMA_HIS_1_AStoreThatRefusesIsSaid) {
  record(7);
  world->store.stopped = true;
  EXPECT_EQ(world->admin(Kind::history_list, "bob"), "");
  EXPECT_EQ(world->service().history_lists().open_work(), 1U);
  world->store.stopped = false;
  line->pass(1ms);
  EXPECT_EQ(world->service().history_lists().open_work(), 0U);
}

}  // namespace
}  // namespace parley::tests

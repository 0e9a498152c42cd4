// tests/store/history_store_test.cc - histories in the file: they come back as they were, equal bodies are there once, and a
// user who has as much as he may have loses what is oldest. OMA-HIS-4, OMA-HIS-6.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/store/sqlite_store.h"

namespace parley::tests {
namespace {

using core::HistoryMessageRow;
using core::HistoryRecordRow;
using core::SqliteStore;
using core::StoreOp;
using Status = core::StoreResult::Status;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

const std::string alice = "sip:alice@example.org";
const std::string bob = "sip:bob@example.org";

class HistoryStore : public testing::Test {
 protected:
  HistoryStore() {
    std::string made = fs::temp_directory_path() / "parley-history-XXXXXX";
    directory_ = ::mkdtemp(made.data());
    open();
  }
  ~HistoryStore() override {
    store_.reset();
    fs::remove_all(directory_);
  }

  // A process begins.
  core::StoreContents open() {
    store_.reset();
    std::string error;
    store_ = SqliteStore::open({.directory = directory_,
                                .answer =
                                    [this](std::uint32_t, std::vector<core::StoreResult>&& results) {
                                      const std::lock_guard lock(mutex_);
                                      for (core::StoreResult& each : results) answers_[each.token] = std::move(each);
                                    }},
                               error);
    EXPECT_NE(store_, nullptr) << error;
    core::StoreContents found;
    EXPECT_EQ(store_->read(0, found), "");
    store_->start();
    return found;
  }
  template <typename What>
  core::StoreResult did(What what) {
    const std::uint64_t token = ++tokens_;
    std::vector<StoreOp> ops;
    ops.push_back({token, std::move(what)});
    store_->submit(0, ops);
    for (int i = 0; i < 4000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (const auto found = answers_.find(token); found != answers_.end()) return found->second;
      }
      std::this_thread::sleep_for(1ms);
    }
    ADD_FAILURE() << "no answer";
    return {};
  }
  static HistoryRecordRow record(std::uint64_t id, const std::string& aor = alice, std::int64_t ended_ms = 2000) {
    return {.id = id,
            .aor = aor,
            .from = "\"A\" <sip:alice@example.org>",
            .to = "<sip:bob@example.org>",
            .group = "sip:club@example.org",
            .people = "sip:x@example.org\nsip:y@example.org\n",
            .subject = std::string("\xc3\xa4 '", 4),
            .begun_by_owner = id % 2 == 1,
            .began_ms = 1000,
            .ended_ms = ended_ms,
            .expires_ms = 50'000};
  }
  core::StoreResult put(const HistoryRecordRow& row, std::uint32_t count_max = 100, bool keep_old = false) {
    return did(core::PutHistory{row, count_max, keep_old});
  }
  static HistoryMessageRow message(std::uint64_t id, std::uint32_t number, std::string body) {
    const std::uint64_t size = body.size();
    return {.record = id,
            .number = number,
            .at_ms = 1000 + number,
            .sent = number % 2 == 1,
            .message_id = "m" + std::to_string(number),
            .type = "text/plain",
            .body = std::move(body),
            .size = size};
  }
  core::StoreResult add(const HistoryMessageRow& row, std::uint32_t count_max = 100, std::uint64_t bytes_max = 10'000,
                        const std::string& aor = alice, bool keep_old = false) {
    core::AddHistoryMessage op{row, nullptr, aor, count_max, bytes_max, keep_old};
    if (row.kept) op.body = std::make_shared<const std::string>(std::exchange(op.row.body, {}));
    return did(std::move(op));
  }
  std::vector<HistoryRecordRow> records(const std::string& aor = alice) {
    return did(core::LoadHistories{aor, 0, 100}).histories;
  }
  std::vector<HistoryMessageRow> messages(std::uint64_t id) {
    return did(core::LoadHistoryMessages{id, 0, 1000, 1 << 20}).history_messages;
  }
  std::string bodies(std::uint64_t id) {
    std::string all;
    for (const HistoryMessageRow& each : messages(id)) all += each.body + " ";
    return all;
  }
  std::string ids(const std::string& aor = alice) {
    std::string all;
    for (const HistoryRecordRow& each : records(aor)) all += std::to_string(each.id) + " ";
    return all;
  }
  std::string sql(const std::string& text) {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open((directory_ + "/parley.db").c_str(), &db), SQLITE_OK);
    std::string first;
    const auto keep = [](void* out, int, char** values, char**) {
      *static_cast<std::string*>(out) = values[0];
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, text.c_str(), keep, &first, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    return first;
  }

  std::string directory_;
  std::unique_ptr<SqliteStore> store_;
  std::mutex mutex_;
  std::map<std::uint64_t, core::StoreResult> answers_;
  std::uint64_t tokens_ = 0;
};

TEST_F(HistoryStore, OMA_HIS_4_EveryFieldComesBackInItsOrderAlsoForTheNextProcess) {
  HistoryRecordRow first = record(7);
  HistoryMessageRow odd = message(7, 2, std::string("\0\r\n\xff\xfe", 5));
  odd.type = "message/cpim";
  HistoryMessageRow large = message(7, 3, "");
  large.size = 1'000'000;
  large.kept = false;
  put(first);
  put(record(9, bob));
  for (const HistoryMessageRow& each : {large, message(7, 1, "hello"), odd}) EXPECT_EQ(add(each).status, Status::done);
  for (int process = 0; process < 2; ++process) {
    first.messages = 3;
    first.bytes = 10;
    EXPECT_EQ(records(), std::vector<HistoryRecordRow>{first});
    EXPECT_EQ(messages(7), (std::vector<HistoryMessageRow>{message(7, 1, "hello"), odd, large}));
    EXPECT_EQ(did(core::FindHistory{{9, 8, 7}}).histories, (std::vector<HistoryRecordRow>{record(9, bob), first}));
    EXPECT_EQ(open().newest_id, 9U);
  }
}

TEST_F(HistoryStore, OMA_HIS_4_BothAreReadInParts) {
  for (std::uint64_t id = 1; id <= 5; ++id) put(record(id));
  for (std::uint32_t number = 1; number <= 5; ++number) add(message(3, number, std::string(100, 'x')));
  const core::StoreResult part = did(core::LoadHistories{alice, 2, 2});
  ASSERT_EQ(part.histories.size(), 2U);
  EXPECT_EQ(part.histories[0].id, 3U);
  EXPECT_TRUE(part.more);
  EXPECT_FALSE(did(core::LoadHistories{alice, 3, 2}).more);
  const core::StoreResult some = did(core::LoadHistoryMessages{3, 1, 2, 1 << 20});
  ASSERT_EQ(some.history_messages.size(), 2U);
  EXPECT_EQ(some.history_messages[0].number, 2U);
  EXPECT_TRUE(some.more);
  EXPECT_EQ(did(core::LoadHistoryMessages{3, 0, 100, 150}).history_messages.size(), 2U) << "the one that passes it is the last";
}

TEST_F(HistoryStore, OMA_HIS_4_EqualBodiesAreThereOnceUntilTheLastOneWhoHasThemIsGone) {
  put(record(1));
  put(record(2, bob));
  add(message(1, 1, "the same"));
  add(message(1, 2, "the same"));
  add(message(2, 1, "the same"), 100, 1000, bob);
  add(message(2, 2, "another"), 100, 1000, bob);
  EXPECT_EQ(sql("SELECT count(*) FROM history_body"), "2");
  EXPECT_EQ(records()[0].bytes, 16U) << "of each as if it were his alone";
  EXPECT_EQ(did(core::RemoveHistory{alice, {2, 1}, false}).removed, 1U) << "not those of others";
  EXPECT_EQ(sql("SELECT count(*) FROM history_body"), "2");
  EXPECT_EQ(bodies(2), "the same another ");
  EXPECT_EQ(did(core::RemoveHistory{bob, {}, true}).removed, 1U);
  EXPECT_EQ(sql("SELECT count(*) FROM history_body"), "0");
  EXPECT_EQ(sql("SELECT count(*) FROM history_message"), "0");
}

TEST_F(HistoryStore, OMA_HIS_6_TheOldestRecordsThatHaveEndedGoFirst) {
  put(record(1, alice, 0));  // goes on
  put(record(2));
  put(record(3));
  put(record(4));
  put(record(5, bob));
  for (const std::uint64_t id : {1U, 2U, 3U, 4U}) add(message(id, 1, "old" + std::to_string(id)), 4);
  add(message(5, 1, "his"), 4, 1000, bob);
  EXPECT_EQ(add(message(4, 2, "new"), 4).removed, 1U);
  EXPECT_EQ(ids(), "1 3 4 ");
  EXPECT_EQ(bodies(4), "old4 new ");
  EXPECT_EQ(add(message(1, 2, "new1"), 4).removed, 1U);
  EXPECT_EQ(ids(), "1 4 ");
  EXPECT_EQ(ids(bob), "5 ") << "of nobody else";
}

TEST_F(HistoryStore, OMA_HIS_6_OfTheOnlyRecordItsOldestMessagesGo) {
  put(record(1, alice, 0));
  for (std::uint32_t number = 1; number <= 5; ++number) add(message(1, number, "m" + std::to_string(number)), 3);
  EXPECT_EQ(bodies(1), "m3 m4 m5 ");
  const core::StoreResult large = add(message(1, 6, "12345678"), 3, 10);
  EXPECT_EQ(large.status, Status::done);
  EXPECT_EQ(large.removed, 2U);
  EXPECT_EQ(bodies(1), "m5 12345678 ");
  EXPECT_EQ(records()[0].messages, 2U);
  EXPECT_EQ(records()[0].bytes, 10U);
  EXPECT_EQ(add(message(1, 7, "12345678901"), 3, 10).status, Status::full) << "for it nothing goes: it does not fit";
  EXPECT_EQ(bodies(1), "m5 12345678 ");
}

TEST_F(HistoryStore, OMA_HIS_6_OrWhatIsOldStaysAndWhatIsNewIsNotKept) {
  put(record(1));
  add(message(1, 1, "old"), 1, 100, alice, true);
  EXPECT_EQ(add(message(1, 2, "new"), 1, 100, alice, true).status, Status::full);
  EXPECT_EQ(bodies(1), "old ");
  EXPECT_EQ(put(record(2), 1, true).status, Status::full);
  EXPECT_EQ(ids(), "1 ");
}

TEST_F(HistoryStore, OMA_HIS_6_RecordsAreCountedToo) {
  put(record(1, alice, 0), 3);
  put(record(2), 3);
  put(record(3), 3);
  add(message(2, 1, "x"));
  EXPECT_EQ(put(record(4), 3).removed, 1U);
  EXPECT_EQ(ids(), "1 3 4 ");
  EXPECT_EQ(put(record(4), 3).status, Status::done) << "the same once more is no more";
  EXPECT_EQ(ids(), "1 3 4 ");
}

TEST_F(HistoryStore, OMA_HIS_6_WhatHasExpiredGoesAndWhatGoesOnDoesNot) {
  for (const std::uint64_t id : {1U, 2U, 3U}) put(record(id));
  put(record(4, alice, 0));
  put(record(5, bob, 0));
  did(core::EndHistory{5, 3000, 60'000});
  add(message(1, 1, "x"));
  const core::StoreResult first = did(core::RemoveHistoryExpired{50'000, 2});
  EXPECT_EQ(first.removed, 2U);
  EXPECT_TRUE(first.more);
  const core::StoreResult rest = did(core::RemoveHistoryExpired{50'000, 2});
  EXPECT_EQ(rest.removed, 1U);
  EXPECT_FALSE(rest.more);
  EXPECT_EQ(ids(), "4 ");
  EXPECT_EQ(sql("SELECT count(*) FROM history_body"), "0");
  EXPECT_EQ(records(bob)[0].ended_ms, 3000);
  EXPECT_EQ(did(core::RemoveHistoryExpired{60'000, 2}).removed, 1U);
}

TEST_F(HistoryStore, OMA_HIS_6_ALongRecordThatHasExpiredGoesByAndBy) {
  put(record(1));
  put(record(2));
  for (std::uint32_t number = 1; number <= 1100; ++number) {
    std::vector<StoreOp> ops;
    ops.push_back({0, core::AddHistoryMessage{message(1, number, ""), std::make_shared<const std::string>("same"), alice, 5000, 100'000,
                                              false}});
    store_->submit(0, ops);
  }
  std::vector<std::string> left;
  for (bool more = true; more && left.size() < 10;) {
    more = did(core::RemoveHistoryExpired{50'000, 10}).more;
    left.push_back(sql("SELECT count(*) FROM history_message") + " of " + sql("SELECT count(*) FROM history_record"));
  }
  EXPECT_EQ(left, (std::vector<std::string>{"600 of 2", "100 of 2", "0 of 0"}));
  EXPECT_EQ(sql("SELECT count(*) FROM history_body"), "0");
  put(record(3));
  EXPECT_EQ(add(message(3, 1, "z"), 1).removed, 0U) << "nothing of it counts any more";
}

TEST_F(HistoryStore, OMA_HIS_5_AllOfAUsersGoInPartsAndNoneThatBeganMeanwhile) {
  for (std::uint64_t id = 1; id <= 1200; ++id) {
    std::vector<StoreOp> ops;
    ops.push_back({0, core::PutHistory{record(id), 5000, false}});
    store_->submit(0, ops);
  }
  put(record(5000, bob));
  core::StoreResult part = did(core::RemoveHistory{alice, {}, true, 0});
  EXPECT_EQ(part.removed, 500U);
  EXPECT_TRUE(part.more);
  EXPECT_EQ(part.through, 1200U);
  put(record(1300), 5000);
  open();  // a crash: what is left can be removed again
  EXPECT_EQ(records().front().id, 501U) << "the oldest go first";
  std::uint32_t removed = 0;
  while (part.more && removed < 5000) {
    part = did(core::RemoveHistory{alice, {}, true, 1200});
    removed += part.removed;
  }
  EXPECT_EQ(removed, 700U);
  EXPECT_EQ(ids(), "1300 ");
  EXPECT_EQ(ids(bob), "5000 ");
  part = did(core::RemoveHistory{"sip:nobody@example.org", {}, true, 0});
  EXPECT_EQ(part.removed, 0U);
  EXPECT_FALSE(part.more);
}

TEST_F(HistoryStore, OMA_HIS_5_ALongRecordGoesInPartsByItsMessagesAndTheirBytes) {
  put(record(1), 100);
  put(record(2), 100);
  for (std::uint32_t number = 1; number <= 700; ++number) add(message(1, number, "m" + std::to_string(number)), 5000, 100 << 20);
  for (std::uint32_t number = 1; number <= 5; ++number) {
    add(message(2, number, std::string(3 << 20, static_cast<char>('a' + number))), 5000, 100 << 20);
  }
  std::vector<std::string> left;
  for (core::StoreResult part{.more = true}; part.more && left.size() < 10;) {
    part = did(core::RemoveHistory{alice, {1, 2}});
    left.push_back(sql("SELECT count(*) FROM history_message") + " of " + sql("SELECT count(*) FROM history_record"));
  }
  EXPECT_EQ(left, (std::vector<std::string>{"205 of 2", "2 of 1", "0 of 0"}));
  EXPECT_EQ(sql("SELECT count(*) FROM history_body"), "0");
  put(record(3));
  EXPECT_EQ(add(message(3, 1, "z"), 1).removed, 0U) << "nothing of it counts any more";
}

TEST_F(HistoryStore, OMA_HIS_1_AVersionHoldsUntilSomethingOfItsUserChanges) {
  put(record(1, alice, 0));
  put(record(2, bob));
  const auto version = [&](const std::string& aor = alice) { return did(core::LoadHistories{aor, 0, 100}).version; };
  std::uint64_t before = version();
  const std::uint64_t of_bob = version(bob);
  EXPECT_NE(before, 0U);
  EXPECT_EQ(version(), before);
  const auto changes = [&](const char* what) {
    const std::uint64_t now = version();
    EXPECT_NE(now, before) << what;
    EXPECT_FALSE(did(core::LoadHistories{alice, 0, 100, before}).unchanged) << what;
    const core::StoreResult same = did(core::LoadHistories{alice, 0, 100, now});
    EXPECT_TRUE(same.unchanged) << what;
    EXPECT_TRUE(same.histories.empty()) << what;
    before = now;
  };
  add(message(1, 1, "x"));
  changes("a message");
  did(core::EndHistory{1, 2000, 50'000});
  changes("it ends");
  put(record(3));
  changes("another begins");
  put(record(3));
  changes("it is written once more");
  add(message(3, 1, "y"), 1);
  changes("one makes room");
  add(message(3, 2, "z"), 1);
  changes("a message makes room");
  put(record(4));
  before = version();
  did(core::RemoveHistory{alice, {4}});
  changes("one is removed");
  did(core::RemoveHistory{bob, {3}});
  EXPECT_EQ(version(), before) << "it was none of his";
  did(core::RemoveHistoryExpired{50'000, 10});
  changes("its time is over");
  EXPECT_NE(version(bob), of_bob);
}

TEST_F(HistoryStore, OMA_HIS_6_WhoseRecordsHaveGoneIsSaid) {
  using Users = std::vector<std::string>;
  put(record(1));
  put(record(2, alice, 0));
  add(message(1, 1, "x"), 2);
  add(message(2, 1, "y"), 2);
  EXPECT_EQ(add(message(2, 2, "z"), 2).users, Users{alice});
  EXPECT_EQ(add(message(2, 3, "z"), 2).users, Users{}) << "a message has gone, no record";
  put(record(3));
  put(record(4, bob));
  put(record(5));
  EXPECT_EQ(did(core::RemoveHistoryExpired{50'000, 10}).users, (Users{alice, bob}));
}

// What is kept for nobody's sake but his own must not crowd out what somebody was promised.
TEST_F(HistoryStore, P_06_HistoriesWaitOnceForAllAndLeaveHalfOfTheRoom) {
  store_.reset();
  std::string error;
  std::map<std::uint64_t, Status> told;
  store_ = SqliteStore::open({.directory = directory_,
                              .waiting_bytes_max = 100'000,
                              .answer = [&told](std::uint32_t, std::vector<core::StoreResult>&& results) {
                                for (const core::StoreResult& each : results) told[each.token] = each.status;
                              }},
                             error);
  ASSERT_NE(store_, nullptr) << error;
  std::vector<StoreOp> ops;  // nobody carries them out yet
  const auto large = std::make_shared<const std::string>(std::string(30'000, 'x'));
  for (std::uint32_t number = 1; number <= 100; ++number) {
    ops.push_back({number, core::AddHistoryMessage{message(1, number, ""), large, alice, 5000, 10'000'000, false}});
  }
  ops.push_back({101, core::AddHistoryMessage{message(1, 101, ""), std::make_shared<const std::string>(std::string(30'000, 'y')), alice,
                                              5000, 10'000'000, false}});
  core::DeferredRow promised;
  promised.id = 7;
  promised.aor = bob;
  promised.sender = alice;
  promised.key = "k";
  promised.body = std::string(60'000, 'z');
  ops.push_back({102, core::PutDeferred{std::move(promised), 10, 1'000'000}});
  store_->submit(0, ops);
  EXPECT_EQ(told, (std::map<std::uint64_t, Status>{{101, Status::refused}}));
}

TEST_F(HistoryStore, OMA_HIS_6_WhatIsRemovedMakesRoomAndTakesNothingMore) {
  put(record(1, alice, 0));
  add(message(1, 1, "x"), 1);
  EXPECT_EQ(did(core::RemoveHistory{alice, {1}, false}).removed, 1U);
  EXPECT_EQ(add(message(1, 2, "y"), 1).status, Status::done) << "the session goes on";
  did(core::EndHistory{1, 2000, 3000});
  EXPECT_EQ(ids(), "");
  EXPECT_EQ(sql("SELECT count(*) FROM history_message"), "0");
  put(record(2, alice, 0));
  EXPECT_EQ(add(message(2, 1, "z"), 1).removed, 0U);
}

TEST_F(HistoryStore, SEED4_6_1_2_2_5_5_WhatWasUnderWayWhenTheProcessDiedEndsWithItsLastMessage) {
  put(record(1, alice, 0));
  put(record(2, bob, 0));
  HistoryMessageRow last = message(1, 1, "x");
  last.at_ms = 7000;
  add(last);
  open();
  EXPECT_EQ(records()[0].ended_ms, 7000);
  EXPECT_EQ(records()[0].expires_ms, 56'000) << "its time begins when it ends";
  EXPECT_EQ(records(bob)[0].ended_ms, 1000);
  EXPECT_EQ(records(bob)[0].expires_ms, 50'000);
}

}  // namespace
}  // namespace parley::tests

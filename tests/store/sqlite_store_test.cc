// tests/store/sqlite_store_test.cc - what was submitted is in the file, in its order, whatever the disk does meanwhile.
#include "core/store/sqlite_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace parley::tests {
namespace {

using core::BindingRow;
using core::DeferredRow;
using core::SqliteStore;
using Status = core::StoreResult::Status;
using core::StoreOp;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

BindingRow row(const std::string& aor, std::uint64_t id, const std::string& contact = "sip:a@192.0.2.1") {
  return {.aor = aor,
          .id = id,
          .contact = contact,
          .display = "\"A\"",
          .params = ";+sip.instance=\"<urn:x>\"",
          .instance = "<urn:x>",
          .reg_id = 1,
          .q = 700,
          .call_id = "c1",
          .cseq = 4'000'000'000,
          .path = "<sip:p;lr>",
          .user_agent = "",
          .listener = "udp 192.0.2.9:5060",
          .remote = "192.0.2.1:5060",
          .over_flow = true,
          .server = false,
          .granted_s = 3600,
          .registered_ms = 1'700'000'000'000,
          .refreshed_ms = 1'700'000'001'000,
          .expires_ms = 1'700'003'600'000};
}

StoreOp put(BindingRow binding) { return {0, core::PutBinding{std::move(binding)}}; }
StoreOp removal(const std::string& aor, std::uint64_t id) { return {0, core::RemoveBinding{aor, id}}; }

DeferredRow message(std::uint64_t id, const std::string& aor = "sip:bob@example.org", const std::string& body = "hello") {
  return {.id = id,
          .aor = aor,
          .sender = "sip:alice@example.org",
          .key = "key" + std::to_string(id),
          .message_id = "m" + std::to_string(id),
          .notices = 3,
          .arrived_ms = 1'700'000'000'000,
          .expires_ms = 1'700'000'600'000,
          .head = "From: <sip:alice@example.org>\r\n",
          .body = body,
          .size = body.size(),
          .request_id = "r" + std::to_string(id)};
}
StoreOp keep(std::uint64_t token, DeferredRow row, std::uint32_t count_max = 100, std::uint64_t bytes_max = 1 << 20) {
  return {token, core::PutDeferred{std::move(row), count_max, bytes_max}};
}
StoreOp load(std::uint64_t token, std::uint64_t after = 0, std::uint32_t count_max = 100, std::uint64_t bytes_max = 1 << 20) {
  return {token, core::LoadDeferred{"sip:bob@example.org", after, count_max, bytes_max}};
}

class SqliteStoreTest : public testing::Test {
 protected:
  SqliteStoreTest() {
    std::string made = fs::temp_directory_path() / "parley-store-XXXXXX";
    directory_ = ::mkdtemp(made.data());
  }
  ~SqliteStoreTest() override {
    store_.reset();
    fs::remove_all(directory_);
  }

  void open(std::uint32_t waiting_max = 1000) {
    store_.reset();
    std::string error;
    store_ = SqliteStore::open({.directory = directory_,
                                .waiting_max = waiting_max,
                                .retry = 5ms,
                                .tell =
                                    [this](bool good, const std::string&) {
                                      const std::lock_guard lock(mutex_);
                                      told_.push_back(good);
                                    },
                                .answer =
                                    [this](std::uint32_t shard, std::vector<core::StoreResult>&& results) {
                                      const std::lock_guard lock(mutex_);
                                      for (core::StoreResult& result : results) {
                                        order_.push_back(result.token);
                                        answers_[{shard, result.token}] = std::move(result);
                                      }
                                    }},
                               error);
    ASSERT_NE(store_, nullptr) << error;
  }
  void submit(std::vector<StoreOp> ops) {
    store_->submit(0, ops);
    EXPECT_TRUE(ops.empty());
  }
  // What the next start would find.
  std::vector<BindingRow> rows(std::int64_t now_ms = 0) {
    open();
    core::StoreContents found;
    EXPECT_EQ(store_->read(now_ms, found), "");
    return found.bindings;
  }
  core::StoreContents contents(std::int64_t now_ms = 0) {
    open();
    core::StoreContents found;
    EXPECT_EQ(store_->read(now_ms, found), "");
    return found;
  }
  // What became of that operation; waited for.
  core::StoreResult answer(std::uint64_t token, std::uint32_t shard = 0) {
    for (int i = 0; i < 4000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (const auto found = answers_.find({shard, token}); found != answers_.end()) return found->second;
      }
      std::this_thread::sleep_for(5ms);
    }
    ADD_FAILURE() << "no answer to " << token;
    return {};
  }
  std::string refusal() {
    std::string error;
    EXPECT_EQ(SqliteStore::open({.directory = directory_}, error), nullptr);
    return error;
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
  std::vector<bool> told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }

  std::string directory_;
  std::unique_ptr<SqliteStore> store_;
  std::mutex mutex_;
  std::vector<bool> told_;
  std::map<std::pair<std::uint32_t, std::uint64_t>, core::StoreResult> answers_;
  std::vector<std::uint64_t> order_;  // of tokens, as they were answered
};

TEST_F(SqliteStoreTest, EveryFieldComesBackAsItWas) {
  open();
  store_->start();
  BindingRow odd = row("sip:b@example.org", (std::uint64_t{1} << 63) - 1);
  odd.display = std::string("\"\xc3\xa4 \0 '; DROP TABLE registration\"", 33);
  submit({put(row("sip:a@example.org", 1)), put(odd)});
  const auto found = rows();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0], row("sip:a@example.org", 1));
  EXPECT_EQ(found[1], odd);
}

TEST_F(SqliteStoreTest, OperationsOnARowKeepTheirOrder) {
  open(1'000'000);
  store_->start();
  std::map<std::uint64_t, std::string> model;
  std::uint64_t random = 1;
  for (int i = 0; i < 5000; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t id = (random >> 33) % 20;
    if ((random >> 60) < 5) {
      submit({removal("sip:a@example.org", id)});
      model.erase(id);
    } else {
      const std::string contact = "sip:" + std::to_string(i) + "@192.0.2.1";
      submit({put(row("sip:a@example.org", id, contact))});
      model[id] = contact;
    }
  }
  ASSERT_TRUE(store_->flush(20s));
  const core::StoreCounts counts = store_->counts();
  EXPECT_EQ(counts.committed, 5000U);
  EXPECT_LT(counts.commits, 5000U);  // many in one transaction
  EXPECT_EQ(counts.dropped, 0U);
  std::map<std::uint64_t, std::string> found;
  for (const BindingRow& b : rows()) found[b.id] = b.contact;
  EXPECT_EQ(found, model);
}

TEST_F(SqliteStoreTest, WhatIsOverIsNotThereAtTheNextStart) {
  open();
  store_->start();
  submit({put(row("sip:a@example.org", 1))});
  EXPECT_EQ(rows(1'700'003'599'999).size(), 1U);
  EXPECT_EQ(rows(1'700'003'600'000).size(), 0U);
  store_.reset();
  EXPECT_EQ(sql("SELECT count(*) FROM registration"), "0");
}

TEST_F(SqliteStoreTest, ADiskThatIsFullForATimeCostsNothing) {
  std::signal(SIGXFSZ, SIG_IGN);
  open(100'000);
  store_->start();
  submit({put(row("sip:first@example.org", 1))});
  ASSERT_TRUE(store_->flush(10s));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit full{.rlim_cur = 64 * 1024, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  std::vector<StoreOp> ops;
  for (std::uint64_t id = 1; id <= 2000; ++id) ops.push_back(put(row("sip:a@example.org", id)));
  submit(std::move(ops));
  for (int i = 0; i < 2000 && store_->counts().failures < 3; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_GE(store_->counts().failures, 3U);
  EXPECT_GT(store_->counts().waiting, 0U);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(store_->flush(20s));
  EXPECT_EQ(store_->counts().dropped, 0U);
  EXPECT_EQ(told(), (std::vector<bool>{false, true}));  // once when it begins, once when it is over
  EXPECT_EQ(rows().size(), 2001U);
  store_.reset();
  EXPECT_EQ(sql("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteStoreTest, AFullQueueDropsAndCounts) {
  open(10);
  std::vector<StoreOp> ops;  // nobody takes them yet
  for (std::uint64_t id = 0; id < 8; ++id) ops.push_back(put(row("sip:a@example.org", id)));
  submit(std::move(ops));
  submit({put(row("sip:a@example.org", 100)), put(row("sip:a@example.org", 101)), put(row("sip:a@example.org", 102))});
  submit({keep(7, message(1)), removal("sip:a@example.org", 0)});
  EXPECT_EQ(store_->counts().waiting, 11U);  // what takes something out always finds room
  EXPECT_EQ(store_->counts().dropped, 2U);
  EXPECT_EQ(answer(7).status, Status::refused);
  store_->start();
  EXPECT_TRUE(store_->flush(10s));
  EXPECT_EQ(rows().size(), 9U);
}

TEST_F(SqliteStoreTest, AMessageIsAnsweredWhenItIsOnTheDiskAndComesBackAsItWas) {
  open();
  store_->start();
  DeferredRow odd = message(2);
  odd.body = std::string("\0\r\n\xff\xfe", 5);
  odd.size = odd.body.size();
  odd.head = std::string("Subject: \xc3\xa4\r\nX: \0\r\n", 20);
  submit({keep(1, message(1)), keep(2, odd), load(3)});
  EXPECT_EQ(answer(1).status, Status::done);
  EXPECT_EQ(answer(2).status, Status::done);
  EXPECT_EQ(sql("SELECT count(*) FROM deferred"), "2");
  const core::StoreResult all = answer(3);
  ASSERT_EQ(all.rows.size(), 2U);
  EXPECT_EQ(all.rows[0], message(1));
  EXPECT_EQ(all.rows[1], odd);
  EXPECT_FALSE(all.more);
  EXPECT_EQ(order_, (std::vector<std::uint64_t>{1, 2, 3}));
  submit({{0, core::RemoveDeferred{1}}, load(4)});
  EXPECT_EQ(answer(4).rows, std::vector<DeferredRow>{odd});
  const core::StoreContents left = contents();
  EXPECT_EQ(left.deferred_users, std::vector<std::string>{"sip:bob@example.org"});
  EXPECT_EQ(left.newest_id, 2U);
}

TEST_F(SqliteStoreTest, MessagesAreLoadedInPartsInTheirOrder) {
  open();
  store_->start();
  for (std::uint64_t id = 1; id <= 9; ++id) submit({keep(0, message(10 - id, "sip:bob@example.org", std::string(1000, 'x')))});
  submit({keep(0, message(20, "sip:carol@example.org")), load(1, 0, 4), load(2, 4, 100), load(3, 7, 100, 500)});
  const core::StoreResult first = answer(1);
  ASSERT_EQ(first.rows.size(), 4U);
  EXPECT_EQ(first.rows.front().id, 1U);
  EXPECT_EQ(first.rows.back().id, 4U);
  EXPECT_TRUE(first.more);
  EXPECT_EQ(answer(2).rows.size(), 5U);
  EXPECT_FALSE(answer(2).more);
  EXPECT_EQ(answer(3).rows.size(), 1U) << "the one that passes the bytes is the last one";
  EXPECT_TRUE(answer(3).more);
}

TEST_F(SqliteStoreTest, OMA_DEF_9_APartIsAsLongAsWhatComesAlongAndNotAsWhatLiesInFiles) {
  open();
  store_->start();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    DeferredRow row = message(id);
    row.large_bytes = 100'000;
    row.large_head = "Message-ID: m\r\nContent-Type: text/plain\r\n";
    submit({keep(0, row)});
  }
  submit({load(1, 0, 16, 1000)});
  EXPECT_EQ(answer(1).rows.size(), 3U);
  EXPECT_FALSE(answer(1).more);
}

TEST_F(SqliteStoreTest, OMA_DEF_3_ListsAreLoadedWithoutBodies) {
  open();
  store_->start();
  for (std::uint64_t id = 1; id <= 5; ++id) submit({keep(0, message(id, "sip:bob@example.org", std::string(1000, 'x')))});
  submit({{1, core::LoadDeferred{"sip:bob@example.org", 1, 3, 1000, false}},
          {2, core::FindDeferred{{4, 99, 2}}},
          {3, core::LoadDeferred{"sip:nobody@example.org", 0, 3, 1000, false}}});
  const core::StoreResult part = answer(1);
  ASSERT_EQ(part.rows.size(), 3U) << "bodies that do not come do not count";
  EXPECT_TRUE(part.more);
  DeferredRow second = message(2, "sip:bob@example.org", "");
  second.size = 1000;
  EXPECT_EQ(part.rows.front(), second);
  const core::StoreResult found = answer(2);
  ASSERT_EQ(found.rows.size(), 2U);
  EXPECT_EQ(found.rows[0].id, 4U) << "in the order in which they were asked for";
  EXPECT_EQ(found.rows[1], second);
  EXPECT_TRUE(answer(3).rows.empty());
}

TEST_F(SqliteStoreTest, AMessageIsFoundByWhatItsSenderCallsIt) {
  open();
  store_->start();
  DeferredRow nameless = message(4);
  nameless.message_id = nameless.request_id = "";
  DeferredRow other = message(3, "sip:carol@example.org");
  other.message_id = "m1";
  DeferredRow both = message(5);
  both.message_id = both.request_id = "x";
  submit({keep(0, message(1)), keep(0, message(2)), keep(0, other), keep(0, nameless), keep(0, both)});
  const auto find = [](std::uint64_t token, const std::string& id, std::uint32_t count = 10) {
    return StoreOp{token, core::FindMessage{id, count}};
  };
  submit({find(1, "m1"), find(2, "r2"), find(3, ""), find(4, "m1", 1), find(5, "M1"), find(6, "x")});
  const core::StoreResult two = answer(1);
  ASSERT_EQ(two.rows.size(), 2U) << "of whatever user";
  DeferredRow first = message(1, "sip:bob@example.org", "");
  first.size = 5;
  EXPECT_EQ(two.rows[0], first) << "without its body";
  EXPECT_EQ(two.rows[1].id, 3U);
  EXPECT_FALSE(two.more);
  ASSERT_EQ(answer(2).rows.size(), 1U);
  EXPECT_EQ(answer(2).rows[0].id, 2U);
  EXPECT_TRUE(answer(3).rows.empty()) << "what has no name is not found by that";
  EXPECT_EQ(answer(4).rows.size(), 1U);
  EXPECT_TRUE(answer(4).more);
  EXPECT_TRUE(answer(5).rows.empty());
  EXPECT_EQ(answer(6).rows.size(), 1U) << "once, though both name it";
}

TEST_F(SqliteStoreTest, OMA_DEF_6_WhatAUserKnowsOfAMessageOnlyGrowsAndOutlivesTheProcess) {
  using core::DeferredState;
  open();
  store_->start();
  DeferredRow soon = message(1);
  soon.expires_ms -= 1000;
  submit({keep(0, soon), keep(0, message(2)), keep(0, message(3, "sip:carol@example.org"))});
  const auto until = [](std::uint64_t token, std::int64_t ms, std::uint32_t count) {
    return StoreOp{token, core::LoadExpiring{ms, count}};
  };
  submit({until(1, message(2).expires_ms - 1, 9), until(2, message(2).expires_ms, 2), until(3, 0, 9)});
  ASSERT_EQ(answer(1).rows.size(), 1U);
  EXPECT_EQ(answer(1).rows[0].id, 1U);
  EXPECT_TRUE(answer(1).rows[0].body.empty());
  EXPECT_EQ(answer(2).rows.size(), 2U) << "of whatever user";
  EXPECT_TRUE(answer(2).more);
  EXPECT_TRUE(answer(3).rows.empty());
  submit({{0, core::MarkDeferred{{1, 2, 77}, DeferredState::told}},
          {0, core::MarkDeferred{{1}, DeferredState::expiring}},
          {0, core::MarkDeferred{{1}, DeferredState::told}},
          until(4, message(2).expires_ms, 9)});
  EXPECT_EQ(answer(4).rows.size(), 2U) << "one has been found before";
  open();
  store_->start();
  submit({load(5)});
  ASSERT_EQ(answer(5).rows.size(), 2U);
  EXPECT_EQ(answer(5).rows[0].state, DeferredState::expiring);
  EXPECT_EQ(answer(5).rows[1].state, DeferredState::told);
}

TEST_F(SqliteStoreTest, OMA_DEF_5_ShareOfAUserIsCountedAlsoOfWhatWasThereBefore) {
  open();
  store_->start();
  submit({keep(1, message(1), 2), keep(2, message(2), 2), keep(3, message(3), 2)});
  EXPECT_EQ(answer(2).status, Status::done);
  EXPECT_EQ(answer(3).status, Status::full);
  open();
  store_->start();
  submit({keep(4, message(4), 2), keep(5, message(5, "sip:carol@example.org"), 2), {0, core::RemoveDeferred{1}},
          keep(6, message(6), 2), keep(7, message(7), 2)});
  EXPECT_EQ(answer(4).status, Status::full);
  EXPECT_EQ(answer(5).status, Status::done);
  EXPECT_EQ(answer(6).status, Status::done) << "one has gone";
  EXPECT_EQ(answer(7).status, Status::full);
  const std::uint64_t each = message(1).head.size() + 100;
  const auto sized = [](std::uint64_t id) { return message(id, "sip:dave@example.org", std::string(100, 'x')); };
  submit({keep(8, sized(8), 100, 2 * each), keep(9, sized(9), 100, 2 * each), keep(10, sized(10), 100, 2 * each)});
  EXPECT_EQ(answer(9).status, Status::done);
  EXPECT_EQ(answer(10).status, Status::full);
}

TEST_F(SqliteStoreTest, P_07_TheSameMessageIsStoredOnce) {
  open();
  store_->start();
  DeferredRow again = message(2);
  again.key = message(1).key;
  submit({keep(1, message(1)), keep(2, again), load(3)});
  EXPECT_EQ(answer(2).status, Status::duplicate);
  EXPECT_EQ(answer(3).rows.size(), 1U);
  // Whose id is taken is a mistake of ours; it does not stop the others.
  DeferredRow clash = message(1);
  clash.key = "other";
  submit({keep(4, clash), keep(5, message(5))});
  EXPECT_EQ(answer(4).status, Status::refused);
  EXPECT_EQ(answer(5).status, Status::done);
}

TEST_F(SqliteStoreTest, OMA_DEF_6_WhoseTimeIsOver) {
  open();
  store_->start();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    DeferredRow row = message(id);
    row.expires_ms = 1000 + static_cast<std::int64_t>(6 - id);
    submit({keep(0, row)});
  }
  submit({{1, core::LoadExpired{1003, 2}}, {2, core::LoadExpired{1003, 10}}});
  EXPECT_EQ(answer(1).rows.size(), 2U);
  EXPECT_TRUE(answer(1).more);
  EXPECT_EQ(answer(1).rows[0].id, 5U) << "the one that ends first";
  EXPECT_EQ(answer(2).rows.size(), 3U);
  EXPECT_FALSE(answer(2).more);
}

TEST_F(SqliteStoreTest, AMessageToSeveralStaysUntilItsLastCopy) {
  open();
  store_->start();
  core::SendingRow sending{.id = 5,
                           .from = "\"A\" <sip:alice@example.org>",
                           .sender = "sip:alice@example.org",
                           .list = "sip:team@example.org",
                           .hidden = true,
                           .arrived_ms = 1'700'000'000'000,
                           .message_id = "m",
                           .notices = 1,
                           .head = "Subject: x\r\n",
                           .type = "text/plain",
                           .body = std::string("a\0b", 3),
                           .copies = {{0, "sip:bob@example.org"}, {1, "sip:carol@example.org"}},
                           .call_id = "c1"};
  core::SendingRow other = sending;
  other.id = 6;
  submit({{1, core::PutSending{sending}}, {2, core::PutSending{other}}});
  EXPECT_EQ(answer(1).status, Status::done);
  EXPECT_EQ(answer(2).status, Status::done);
  ASSERT_EQ(contents().sendings.size(), 2U);
  EXPECT_EQ(contents().sendings[0], sending);
  store_->start();
  submit({{0, core::RemoveCopy{5, 0}}, {0, core::RemoveSending{6}}});
  ASSERT_TRUE(store_->flush(10s));
  sending.copies.erase(sending.copies.begin());
  EXPECT_EQ(contents().sendings, std::vector<core::SendingRow>{sending});
  store_->start();
  submit({{0, core::RemoveCopy{5, 1}}});
  ASSERT_TRUE(store_->flush(10s));
  EXPECT_EQ(contents().sendings.size(), 0U);
  store_.reset();
  EXPECT_EQ(sql("SELECT count(*) FROM sending_copy"), "0");
}

TEST_F(SqliteStoreTest, AFullDiskIsToldToWhoWaitsAndCostsNothingThatWasPromised) {
  std::signal(SIGXFSZ, SIG_IGN);
  open(100'000);
  store_->start();
  submit({keep(1, message(1))});
  EXPECT_EQ(answer(1).status, Status::done);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit full{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
  const DeferredRow large = message(2, "sip:carol@example.org", std::string(100'000, 'x'));
  submit({keep(2, large), put(row("sip:a@example.org", 1))});
  EXPECT_EQ(answer(2).status, Status::refused);
  for (std::uint64_t behind = 10'000; behind < 11'000; ++behind) submit({keep(behind, message(behind)), load(behind + 10'000)});
  for (std::uint64_t behind = 10'000; behind < 11'000; ++behind) {
    EXPECT_EQ(answer(behind).status, Status::refused) << "also who comes then";
    EXPECT_EQ(answer(behind + 10'000).status, Status::refused);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::uint64_t token = 3;
  do {
    std::this_thread::sleep_for(5ms);
    submit({keep(++token, large)});
  } while (answer(token).status == Status::refused && token < 1000);
  EXPECT_EQ(answer(token).status, Status::done);
  ASSERT_TRUE(store_->flush(20s));
  EXPECT_EQ(rows().size(), 1U) << "what nobody waits for was tried again";
  store_->start();
  submit({load(2000)});
  EXPECT_EQ(answer(2000).rows.size(), 1U);
  store_.reset();
  EXPECT_EQ(sql("PRAGMA integrity_check"), "ok");
}

TEST_F(SqliteStoreTest, ABackupHasWhatIsCommittedAndStopsNobody) {
  open(100'000);
  store_->start();
  submit({keep(1, message(1)), put(row("sip:a@example.org", 1))});
  EXPECT_EQ(answer(1).status, Status::done);
  std::string file;
  std::string error;
  std::thread copies([&] { error = store_->backup(file); });
  for (std::uint64_t id = 2; id < 200; ++id) submit({keep(id, message(id), 1000)});
  copies.join();
  EXPECT_EQ(error, "");
  EXPECT_NE(file.find("/backup-20"), std::string::npos) << file;
  std::string other;
  EXPECT_TRUE(!store_->backup(other).empty() || other != file) << "not over another";
  EXPECT_EQ(answer(199).status, Status::done);
  store_.reset();
  fs::rename(file + "/parley.db", directory_ + "/parley.db");
  EXPECT_EQ(sql("PRAGMA integrity_check"), "ok");
  const core::StoreContents there = contents();
  EXPECT_EQ(there.deferred_users.size(), 1U);
  EXPECT_EQ(there.bindings.size(), 1U);
}

TEST_F(SqliteStoreTest, OMA_SYS_6_SystemMessagesAreThereAgainAsTheyWereLast) {
  open();
  store_->start();
  core::SystemMessageRow first{.id = 7,
                               .aor = "sip:bob@example.org",
                               .text = "New \"terms\" \xc3\xa4",
                               .language = "en",
                               .options = "3:yes1:Y",
                               .answer_within_s = 3600,
                               .ordered_ms = 1'700'000'000'000,
                               .state = 0,
                               .status = 0,
                               .deadline_ms = 0,
                               .answer = "",
                               .changed_ms = 1'700'000'000'000};
  core::SystemMessageRow second = first;
  second.id = 9;
  submit({{1, core::PutSystemMessage{first}}, {2, core::PutSystemMessage{second}}});
  EXPECT_EQ(answer(2).status, Status::done);
  EXPECT_EQ(contents().system_messages, (std::vector<core::SystemMessageRow>{first, second}));
  EXPECT_EQ(contents().newest_id, 9U);
  store_->start();
  first.state = 3;
  first.status = 200;
  first.deadline_ms = 1'700'003'600'000;
  first.answer = "yes";
  submit({{0, core::PutSystemMessage{first}}, {3, core::RemoveSystemMessage{9}}});
  EXPECT_EQ(answer(3).status, Status::done);
  EXPECT_EQ(contents().system_messages, std::vector<core::SystemMessageRow>{first});
}

constexpr std::int64_t later = 2'000'000'000'000;

TEST_F(SqliteStoreTest, R3903_1_PublicationsAreThereAgainInTheirOrderUntilTheirTime) {
  open();
  store_->start();
  core::PublicationRow first{.aor = "sip:bob@example.org",
                             .name = "abc",
                             .entity_tag = "abc",
                             .body = "<poc-settings>\xc3\xa4</poc-settings>",
                             .changed = 7,
                             .expires_ms = 9'000'000'000'000};
  core::PublicationRow second = first;
  second.name = second.entity_tag = "def";
  second.changed = 9;
  core::PublicationRow over = first;
  over.name = "ghi";
  over.expires_ms = 1;
  submit({{0, core::PutPublication{second}}, {0, core::PutPublication{over}}, {0, core::PutPublication{first}}});
  ASSERT_TRUE(store_->flush(10s));
  EXPECT_EQ(contents(later).publications, (std::vector<core::PublicationRow>{first, second}));
  store_->start();
  first.entity_tag = "new";
  first.changed = 10;
  submit({{0, core::PutPublication{first}}, {0, core::RemovePublication{second.aor, second.name}}});
  ASSERT_TRUE(store_->flush(10s));
  EXPECT_EQ(contents(later).publications, std::vector<core::PublicationRow>{first});
}

TEST_F(SqliteStoreTest, OMA_SES_9_SessionsThatNobodyEndedAreThereAgain) {
  open();
  store_->start();
  core::SessionRow one{.name = "sabc",
                       .identity = "sip:sabc@127.0.0.1:5060",
                       .group = "",
                       .originator = "sip:alice@example.org",
                       .members = "sip:bob@example.org\nsip:carol@example.org\n",
                       .subject = "lunch"};
  core::SessionRow long_left = one;
  long_left.name = "old";
  long_left.left_ms = 1;
  core::SessionRow ended = one;
  ended.name = "ended";
  submit({{0, core::PutSession{one}}, {0, core::PutSession{long_left}}, {0, core::PutSession{ended}}, {0, core::RemoveSession{"ended"}}});
  ASSERT_TRUE(store_->flush(10s));
  const std::vector<core::SessionRow> there = contents(later).sessions;
  ASSERT_EQ(there.size(), 1U);
  EXPECT_GT(there[0].left_ms, 0);
  one.left_ms = there[0].left_ms;
  EXPECT_EQ(there[0], one);
  EXPECT_EQ(contents(later).sessions, there) << "left is left, however often a process begins";
}

TEST_F(SqliteStoreTest, R6665_1_SubscriptionsAreThereAgainWithHigherNumbersUntilTheirTime) {
  open();
  store_->start();
  core::SubscriptionRow first{.id = (std::uint64_t{1} << 63) - 1,
                              .owner = "users",
                              .event = "reg;id=\xc3\xa4",
                              .resource = "sip:bob@example.org",
                              .watcher = "sip:alice@example.org",
                              .version = 7,
                              .changes_only = true,
                              .call_id = "c1",
                              .local = "<sip:bob@example.org>;tag=aaaaaaaaaaaaaaaa",
                              .remote = "\"A\" <sip:alice@example.org>;tag=b",
                              .target = "sip:alice@192.0.2.1",
                              .routes = "<sip:p;lr>, <sip:q;lr>",
                              .local_cseq = 5,
                              .remote_cseq = 4'000'000'000,
                              .secure = true,
                              .joined = true,
                              .contact = "<sip:bob@192.0.2.9:5060>",
                              .listener = "udp 192.0.2.9:5060",
                              .source = "192.0.2.1:5060",
                              .back = true,
                              .expires_ms = 9'000'000'000'000};
  core::SubscriptionRow longer = first;
  longer.id = 2;
  longer.local_cseq = core::subscription_cseq_max - 1;
  longer.version = 0xffff'fff0;
  longer.changes_only = longer.secure = longer.joined = longer.back = false;
  longer.expires_ms += 1;
  core::SubscriptionRow over = first;
  over.id = 3;
  over.expires_ms = 1;
  core::SubscriptionRow ended = first;
  ended.id = 4;
  submit({{0, core::PutSubscription{over}}, {0, core::PutSubscription{first}}, {0, core::PutSubscription{longer}},
          {0, core::PutSubscription{ended}}, {0, core::RemoveSubscription{4}}, {0, core::RemoveSubscription{5}}});
  ASSERT_TRUE(store_->flush(10s));
  first.local_cseq += core::subscription_numbers_step;
  first.version += core::subscription_numbers_step;
  longer.local_cseq = core::subscription_cseq_max;
  longer.version = 0xffff'ffff;
  EXPECT_EQ(contents(later).subscriptions, (std::vector<core::SubscriptionRow>{longer, first}));
  // Also when the process ends before it has written anything.
  first.local_cseq += core::subscription_numbers_step;
  first.version += core::subscription_numbers_step;
  EXPECT_EQ(contents(later).subscriptions, (std::vector<core::SubscriptionRow>{longer, first}));
}

TEST_F(SqliteStoreTest, OMA_GRP_1_DocumentsOfUsersAreThereAgainAsTheyWereLast) {
  open();
  store_->start();
  core::XcapRow first{.auid = "org.openmobilealliance.groups",
                      .owner = "sip:alice@example.org",
                      .name = "team.xml",
                      .etag = "1f",
                      .body = "<group>\xc3\xa4</group>",
                      .changed_ms = 1'700'000'000'000};
  core::XcapRow second = first;
  second.owner = "sip:bob@example.org";
  submit({{1, core::PutXcap{first}}, {2, core::PutXcap{second}}});
  EXPECT_EQ(answer(2).status, Status::done);
  EXPECT_EQ(contents().xcap_documents, (std::vector<core::XcapRow>{first, second}));
  store_->start();
  first.etag = "20";
  first.body = "<group/>";
  first.changed_ms = 1'700'003'600'000;
  submit({{0, core::PutXcap{first}}, {3, core::RemoveXcap{second.auid, second.owner, second.name}}});
  EXPECT_EQ(answer(3).status, Status::done);
  EXPECT_EQ(contents().xcap_documents, std::vector<core::XcapRow>{first});
}

TEST_F(SqliteStoreTest, OMA_GRP_1_WhatADocumentHidesGoesWithItOrStaysWithIt) {
  open();
  store_->start();
  core::XcapRow own{.auid = "org.openmobilealliance.access-rules",
                    .owner = "sip:+15550100@example.org",
                    .name = "access-rules",
                    .etag = "1",
                    .body = "<ruleset/>",
                    .changed_ms = 1'700'000'000'000};
  core::XcapRow of_number = own;
  of_number.owner = "tel:+15550100";
  core::XcapRow other = of_number;
  other.name = "another";
  const auto put_all = [&](std::uint64_t token) {
    submit({{0, core::PutXcap{of_number}}, {token, core::PutXcap{other}}});
    EXPECT_EQ(answer(token).status, Status::done);
  };
  put_all(1);
  submit({{2, core::PutXcap{own, of_number.owner}}});
  EXPECT_EQ(answer(2).status, Status::done);
  EXPECT_EQ(contents().xcap_documents, (std::vector<core::XcapRow>{own, other}));
  store_->start();
  put_all(3);
  submit({{4, core::RemoveXcap{own.auid, own.owner, own.name, of_number.owner}}});
  EXPECT_EQ(answer(4).status, Status::done);
  EXPECT_EQ(contents().xcap_documents, std::vector<core::XcapRow>{other});
}

// --- bodies of large messages

struct BodiesTest : SqliteStoreTest {
  void SetUp() override {
    open();
    store_->start();
  }
  static DeferredRow large(std::uint64_t id, std::uint64_t bytes) {
    DeferredRow row = message(id);
    row.large_bytes = row.size = bytes;
    row.large_head = "Message-ID: m\r\nContent-Type: text/plain\r\n";
    return row;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& each : fs::directory_iterator(directory_ + "/bodies")) names.push_back(each.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  void again() {
    open();
    core::StoreContents left;
    EXPECT_EQ(store_->read(0, left), "");
    store_->start();
  }
};

TEST_F(BodiesTest, OMA_LRG_4_WhatWasWrittenInAnyOrderIsReadAgain) {
  submit({{1, core::WriteBody{7, 5, "world"}}, {2, core::WriteBody{7, 0, "hello"}}, {3, core::SyncBody{7}}});
  EXPECT_EQ(answer(3).status, Status::done);
  submit({keep(4, large(7, 10))});
  EXPECT_EQ(answer(4).status, Status::done);
  again();
  submit({{5, core::ReadBody{7, 3, 4}}, {6, core::ReadBody{7, 8, 100}}, {7, core::LoadMessage{7}}, {8, core::LoadMessage{8}}});
  EXPECT_EQ(answer(5).bytes, "lowo");
  EXPECT_EQ(answer(6).bytes, "ld") << "no more is there";
  ASSERT_EQ(answer(7).rows.size(), 1U);
  DeferredRow wanted = large(7, 10);
  wanted.size = 10;
  EXPECT_EQ(answer(7).rows.front(), wanted);
  EXPECT_EQ(answer(8).rows.size(), 0U);
}

TEST_F(BodiesTest, OMA_LRG_4_WithItsRowABodyGoesAndNotBefore) {
  submit({{1, core::WriteBody{7, 0, "hello"}}, {2, core::SyncBody{7}}});
  EXPECT_EQ(answer(2).status, Status::done);
  submit({keep(3, large(7, 5))});
  EXPECT_EQ(answer(3).status, Status::done);
  submit({{4, core::RemoveDeferred{.id = 7, .unless_claimed = false}}});
  EXPECT_EQ(answer(4).status, Status::done);
  ASSERT_TRUE(store_->flush(10s));
  EXPECT_EQ(files().size(), 0U);
  EXPECT_EQ(sql("SELECT count(*) FROM deferred"), "0");
}

TEST_F(BodiesTest, P_06_WhatHasNoRowIsRemovedAtTheStart) {
  submit({{0, core::WriteBody{7, 0, "whole"}}, {1, core::SyncBody{7}}, {0, core::WriteBody{8, 0, "broken"}}, {2, core::SyncBody{8}}});
  EXPECT_EQ(answer(2).status, Status::done);
  submit({keep(3, large(7, 5))});
  EXPECT_EQ(answer(3).status, Status::done);
  std::ofstream(directory_ + "/bodies/README") << "not ours";
  EXPECT_EQ(files().size(), 3U);
  again();
  EXPECT_EQ(files(), (std::vector<std::string>{"0000000000000007", "README"}));
}

TEST_F(BodiesTest, OMA_DEF_5_ALargeMessageCountsWithItsBytes) {
  const DeferredRow row = large(7, 1000);
  submit({keep(1, row, 2, 2000)});
  EXPECT_EQ(answer(1).status, Status::done);
  const std::string aor = row.aor;
  submit({{2, core::AskDeferred{aor, 0, 2, 2000}}, {3, core::AskDeferred{aor, 1000, 2, 2000}}, {4, core::AskDeferred{aor, 0, 1, 2000}}});
  const std::uint64_t room = 1000 - row.head.size() - row.body.size();
  EXPECT_EQ(answer(2).status, Status::done);
  EXPECT_EQ(answer(2).room, room);
  EXPECT_EQ(answer(3).status, Status::full);
  EXPECT_EQ(answer(4).status, Status::full);
  submit({keep(5, large(8, 950), 2, 2000)});
  EXPECT_EQ(answer(5).status, Status::full);
}

TEST_F(BodiesTest, ABackupIsAStoreWithItsLargeMessages) {
  submit({{0, core::WriteBody{7, 0, "hello"}}, {1, core::SyncBody{7}}, {0, core::WriteBody{8, 0, "gone"}}, {2, core::SyncBody{8}}});
  EXPECT_EQ(answer(2).status, Status::done);
  submit({keep(3, large(7, 5)), keep(4, large(8, 4)), keep(5, message(9))});
  EXPECT_EQ(answer(5).status, Status::done);
  fs::remove(directory_ + "/bodies/0000000000000008");  // delivered while the copy was made
  std::string made;
  ASSERT_EQ(store_->backup(made), "");
  EXPECT_FALSE(fs::exists(made + ".part"));
  fs::create_directories(made + ".part/bodies");  // of a process that was killed
  submit({{6, core::RemoveDeferred{.id = 7, .unless_claimed = false}}});
  EXPECT_EQ(answer(6).status, Status::done);
  ASSERT_TRUE(store_->flush(10s));
  EXPECT_EQ(files().size(), 0U);
  open();
  EXPECT_FALSE(fs::exists(made + ".part"));
  EXPECT_TRUE(fs::exists(made + "/parley.db"));
  directory_.swap(made);
  again();
  submit({{10, core::ReadBody{7, 0, 100}}, load(11)});
  EXPECT_EQ(answer(10).bytes, "hello");
  ASSERT_EQ(answer(11).rows.size(), 2U) << "what was delivered, or what was not large";
  EXPECT_EQ(answer(11).rows[0].id, 7U);
  EXPECT_EQ(answer(11).rows[1].id, 9U);
  store_.reset();
  directory_.swap(made);
}

TEST_F(BodiesTest, WhatCanNotBeReadOrSyncedIsRefused) {
  submit({{1, core::ReadBody{9, 0, 10}}, {2, core::SyncBody{9}}, {3, core::DropBody{9}}});
  EXPECT_EQ(answer(1).status, Status::refused);
  EXPECT_EQ(answer(2).status, Status::refused);
  EXPECT_EQ(answer(3).status, Status::done);
}

TEST_F(BodiesTest, ManyAtOneTimeAreKeptApart) {
  constexpr std::uint64_t many = 200;  // more than are open at one time
  std::uint64_t token = 0;
  for (std::uint64_t round = 0; round < 3; ++round) {
    for (std::uint64_t id = 1; id <= many; ++id) {
      submit({{++token, core::WriteBody{id, round * 4, std::to_string(1000 + id)}}});
    }
  }
  for (std::uint64_t id = 1; id <= many; ++id) submit({{++token, core::ReadBody{id, 0, 100}}});
  for (std::uint64_t id = 1; id <= many; ++id) {
    const std::string text = std::to_string(1000 + id);
    EXPECT_EQ(answer(3 * many + id).bytes, text + text + text);
  }
}

TEST_F(SqliteStoreTest, OneProcessAtATime) {
  open();
  EXPECT_NE(refusal().find("another process has it"), std::string::npos);
}

TEST_F(SqliteStoreTest, AFileOfTheFirstSchemaGoesOn) {
  open();
  store_->start();
  submit({put(row("sip:a@example.org", 1))});
  ASSERT_TRUE(store_->flush(10s));
  store_.reset();
  const std::string drops = sql(
      "SELECT group_concat('DROP TABLE ' || name, ';') FROM sqlite_schema WHERE type='table' AND name<>'registration'");
  sql(drops + "; PRAGMA user_version=1");
  EXPECT_EQ(rows().size(), 1U);
  store_->start();
  submit({keep(1, message(1))});
  EXPECT_EQ(answer(1).status, Status::done);
}

TEST_F(SqliteStoreTest, OMA_DEF_3_MessagesOfAFileWithoutStatesAreNewToTheirUsers) {
  open();
  store_->start();
  submit({keep(0, message(1)), {0, core::MarkDeferred{{1}, core::DeferredState::told}}});
  ASSERT_TRUE(store_->flush(10s));
  store_.reset();
  sql("DROP TABLE subscription");
  sql("DROP TABLE history_message; DROP TABLE history_record; DROP TABLE history_body");  // that came later
  sql("DROP INDEX deferred_by_message; DROP INDEX deferred_by_request; ALTER TABLE deferred DROP COLUMN request_id;"
      "ALTER TABLE sending DROP COLUMN call_id");
  sql("DROP INDEX deferred_by_reminder; ALTER TABLE deferred DROP COLUMN state; PRAGMA user_version=6");
  open();
  store_->start();
  submit({load(1)});
  DeferredRow nameless = message(1);
  nameless.request_id = "";
  EXPECT_EQ(answer(1).rows, std::vector<DeferredRow>{nameless});
}

TEST_F(SqliteStoreTest, AnotherReaderDoesNotStopCommits) {
  open();
  store_->start();
  submit({put(row("sip:a@example.org", 1))});
  ASSERT_TRUE(store_->flush(10s));
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/parley.db").c_str(), &reader), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT * FROM registration", nullptr, nullptr, nullptr), SQLITE_OK);
  submit({put(row("sip:a@example.org", 2))});
  EXPECT_TRUE(store_->flush(10s));
  sqlite3_close(reader);
  EXPECT_EQ(rows().size(), 2U);
}

TEST_F(SqliteStoreTest, WhatIsNotOursIsRefusedAndLeftAlone) {
  {
    std::ofstream file(directory_ + "/parley.db");
    for (int i = 0; i < 1000; ++i) file << "no database at all ";
  }
  EXPECT_NE(refusal().find("not a database"), std::string::npos);
  fs::remove(directory_ + "/parley.db");
  sql("CREATE TABLE somebody(x)");
  EXPECT_NE(refusal().find("no store of parley"), std::string::npos);
  EXPECT_EQ(sql("SELECT count(*) FROM sqlite_schema"), "1");
  fs::remove_all(directory_ + "/parley.db");
  open();
  store_.reset();
  sql("PRAGMA user_version=999");
  EXPECT_NE(refusal().find("later version"), std::string::npos);
  directory_ += "/no/such/place";
  EXPECT_NE(refusal().find("No such file"), std::string::npos);
  directory_ = fs::path(directory_).parent_path().parent_path().parent_path();
}

}  // namespace
}  // namespace parley::tests

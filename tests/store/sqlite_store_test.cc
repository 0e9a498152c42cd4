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
#include <vector>

namespace parley::tests {
namespace {

using core::BindingRow;
using core::SqliteStore;
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

StoreOp put(BindingRow binding) { return {StoreOp::Kind::put_binding, std::move(binding)}; }
StoreOp removal(const std::string& aor, std::uint64_t id) { return {StoreOp::Kind::remove_binding, row(aor, id)}; }

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
    std::vector<BindingRow> found;
    EXPECT_EQ(store_->for_each_binding(now_ms, [&](BindingRow&& b) { found.push_back(std::move(b)); }), "");
    return found;
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
  EXPECT_EQ(store_->counts().waiting, 8U);
  EXPECT_EQ(store_->counts().dropped, 3U);
  store_->start();
  EXPECT_TRUE(store_->flush(10s));
  EXPECT_EQ(rows().size(), 8U);
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

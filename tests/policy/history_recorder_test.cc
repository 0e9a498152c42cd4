// tests/policy/history_recorder_test.cc - what becomes of pieces of messages on their way into histories, and what the store is
// told of them (OMA-HIS-3, OMA-HIS-4, OMA-HIS-6); what users want, known on shards that are not theirs (OMA-SET-3).
#include "policy/history_recorder.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/pool.h"
#include "policy/history_wishes.h"
#include "tests/service/fake_store.h"

namespace parley::tests {
namespace {

using core::Metric;
using policy::HistoryMode;
using policy::HistoryRecorder;
using policy::TalkId;

struct Recorder : testing::Test {
  Recorder() {
    config->im.history.on = true;
    recorder = std::make_unique<HistoryRecorder>(HistoryRecorder::Parts{.metrics = metrics, .ids = ids, .config = config});
    recorder->begin(now, out);
    talk = recorder->open();
  }
  ~Recorder() override { out.clear(); }
  void start(std::uint64_t party, const std::string& aor, HistoryMode mode = HistoryMode::session) {
    recorder->start(talk, party, {.mode = mode, .aor = aor});
  }
  void piece(const std::string& id, std::uint64_t start, const std::string& bytes, char flag, std::uint64_t total = 9,
             std::uint64_t from = 1) {
    recorder->take(talk, {.from = from,
                          .message_id = id,
                          .type = "text/plain",
                          .bytes = bytes,
                          .start = start,
                          .total = total,
                          .flag = flag == '$' ? msrp::Flag::end : flag == '+' ? msrp::Flag::more : msrp::Flag::abort});
  }
  // What the store has been told to keep since the last time.
  std::vector<std::string> kept() {
    std::vector<std::string> all;
    for (const core::StoreOp& op : out.stores()) {
      if (const auto* add = std::get_if<core::AddHistoryMessage>(&op.what)) {
        all.push_back(add->aor + (add->row.sent ? " > " : " < ") + (add->body == nullptr ? "-" : *add->body));
      } else if (std::holds_alternative<core::PutHistory>(op.what)) {
        all.emplace_back("put");
      } else if (std::holds_alternative<core::EndHistory>(op.what)) {
        all.emplace_back("end");
      }
    }
    store.submit(0, out.stores());
    return all;
  }
  void store_answers() {
    for (FakeStore::Answer answer; store.next(answer);) recorder->on_stored(answer.result);
  }
  using Kept = std::vector<std::string>;

  core::Pool pool{{.small_count = 16, .large_count = 4, .arena_count = 4, .heap_bytes_max = 1 << 20}};
  core::Metrics metrics;
  core::Outbox out{pool};
  core::Now now{core::Instant{} + std::chrono::hours(1), 1'700'000'000'000};
  policy::MessageIds ids{0};
  std::shared_ptr<policy::SipConfig> config = std::make_shared<policy::SipConfig>();
  std::unique_ptr<HistoryRecorder> recorder;
  FakeStore store;
  TalkId talk;
};

TEST_F(Recorder, OMA_HIS_4_PiecesAreAMessageWhenNothingIsMissing) {
  start(1, "a");
  EXPECT_EQ(kept(), Kept{"put"});
  piece("whole", 1, "abcdefghi", '$');
  piece("parts", 1, "abc", '+');
  piece("parts", 4, "def", '+');
  piece("parts", 4, "def", '+');  // once more
  piece("parts", 2, "bcdefgh", '+');
  piece("parts", 9, "i", '$');
  EXPECT_EQ(kept(), (Kept{"a > abcdefghi", "a > abcdefghi"}));
  piece("gap", 1, "abc", '+');
  piece("gap", 5, "efghi", '$');
  piece("tail", 4, "defghi", '$');
  piece("short", 1, "abc", '+');
  piece("short", 4, "def", '$');
  piece("alone and short", 1, "abc", '$');
  piece("aborted", 1, "abcdefghi", '#');
  piece("aborted later", 1, "abc", '+');
  piece("aborted later", 4, "defghi", '#');
  piece("aborted later", 4, "defghi", '$');
  EXPECT_EQ(kept(), Kept{});
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
}

TEST_F(Recorder, OMA_HIS_4_TheSameIdFromBothSidesIsTwoMessages) {
  start(1, "a");
  start(2, "b");
  (void)kept();
  piece("m", 1, "abc", '+');
  piece("m", 1, "123", '+', 6, 2);
  piece("m", 4, "456", '$', 6, 2);
  piece("m", 4, "defghi", '$');
  EXPECT_EQ(kept(), (Kept{"a < 123456", "b > 123456", "a > abcdefghi", "b < abcdefghi"}));
}

TEST_F(Recorder, OMA_HIS_4_AllWhoRecordAMessageShareItsBody) {
  start(1, "a");
  start(2, "b");
  (void)kept();
  piece("m", 1, "abcdefghi", '$');
  ASSERT_EQ(out.stores().size(), 2U);
  EXPECT_EQ(std::get<core::AddHistoryMessage>(out.stores()[0].what).body,
            std::get<core::AddHistoryMessage>(out.stores()[1].what).body);
}

TEST_F(Recorder, OMA_HIS_4_WhatWasRefusedIsDropped) {
  start(1, "a");
  (void)kept();
  piece("m", 1, "abc", '+');
  recorder->drop(talk, 2, "m");  // of the other side
  EXPECT_EQ(recorder->assembling_bytes(), 3U);
  recorder->drop(talk, 1, "m");
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
  piece("m", 4, "defghi", '$');
  EXPECT_EQ(kept(), Kept{});
}

TEST_F(Recorder, OMA_HIS_4_TooManyThatDoNotEndGiveUpTheOldest) {
  start(1, "a");
  (void)kept();
  for (int i = 0; i < 65; ++i) piece("m" + std::to_string(i), 1, "abc", '+');
  EXPECT_EQ(metrics.get(Metric::history_given_up), 1U);
  EXPECT_EQ(recorder->assembling_bytes(), 64U * 3);
  piece("m0", 4, "defghi", '$');
  piece("m1", 4, "defghi", '$');
  EXPECT_EQ(kept(), Kept{"a > abcdefghi"});
  recorder->close(talk);
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
}

TEST_F(Recorder, OMA_HIS_4_ANumberSaysWhichMessageItIsWhenItsSenderIsNotKnownAnyMore) {
  start(1, "a");
  start(2, "b");
  (void)kept();
  const auto says = [&](std::uint64_t from, std::uint64_t number, const std::string& bytes, bool last, bool abort = false) {
    recorder->take(talk, {.from = from,
                          .number = number,
                          .message_id = "m",
                          .type = "text/plain",
                          .bytes = bytes,
                          .start = 0,
                          .first = !last,
                          .last = last,
                          .flag = abort ? msrp::Flag::abort : msrp::Flag::end});
  };
  says(1, 7, "abc", false);
  says(1, 8, "123", false);
  says(0, 7, "", true, true);
  EXPECT_EQ(recorder->assembling_bytes(), 3U);
  says(0, 8, "456", true);
  EXPECT_EQ(kept(), (Kept{"a > 123456", "b < 123456"}));
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
  says(1, 9, "abc", false);
  recorder->stop(talk, 1);
  EXPECT_EQ(recorder->assembling_bytes(), 3U);
  recorder->stop(talk, 2);
  EXPECT_EQ(recorder->assembling_bytes(), 0U) << "nobody records it";
}

TEST_F(Recorder, OMA_HIS_4_ATalkHasItsShareOfWhatAllHave) {
  config->im.history.message_bytes_max = 10;
  config->im.history.assembling_bytes_max = 16 * 30;
  start(1, "a");
  const TalkId other = recorder->open();
  recorder->start(other, 1, {.aor = "b"});
  (void)kept();
  for (int i = 0; i < 5; ++i) piece("m" + std::to_string(i), 1, "abcdefgh", '+');
  EXPECT_EQ(metrics.get(Metric::history_left_out_share), 2U) << "the oldest ones";
  EXPECT_EQ(metrics.get(Metric::history_left_out_memory), 0U);
  EXPECT_EQ(recorder->assembling_bytes(), 24U);
  recorder->take(other, {.from = 1, .message_id = "x", .type = "text/plain", .bytes = "abc", .start = 1, .flag = msrp::Flag::more});
  recorder->take(other, {.from = 1, .message_id = "x", .bytes = "def", .start = 4});
  piece("m4", 9, "i", '$');
  piece("m1", 9, "i", '$');
  piece("m2", 9, "i", '$');
  EXPECT_EQ(kept(), (Kept{"b > abcdef", "a > abcdefghi", "a > -", "a > abcdefghi"}));
  recorder->close(talk);
  recorder->close(other);
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
}

TEST_F(Recorder, OMA_HIS_6_WhereAllIsTakenTheTalkThatHasMostGivesWayAndNotWhoeverComes) {
  config->im.history.message_bytes_max = 100;
  config->im.history.assembling_bytes_max = 100;
  start(1, "a");
  const TalkId second = recorder->open();
  const TalkId late = recorder->open();
  recorder->start(second, 1, {.aor = "b"});
  recorder->start(late, 1, {.aor = "c"});
  (void)kept();
  const auto says = [&](TalkId in, const std::string& id, std::uint64_t at, std::size_t count, char flag) {
    recorder->take(in, {.from = 1,
                        .message_id = id,
                        .type = "text/plain",
                        .bytes = std::string(count, 'x'),
                        .start = at,
                        .flag = flag == '$' ? msrp::Flag::end : msrp::Flag::more});
  };
  says(talk, "old", 1, 20, '+');
  says(talk, "new", 1, 40, '+');
  says(second, "m", 1, 40, '+');
  EXPECT_EQ(recorder->assembling_bytes(), 100U);
  says(late, "m", 1, 10, '+');
  EXPECT_EQ(metrics.get(Metric::history_left_out_memory), 1U) << "the oldest one of the talk with 60";
  EXPECT_EQ(recorder->assembling_bytes(), 90U);
  says(late, "m", 11, 1, '$');
  says(talk, "old", 21, 1, '$');
  says(second, "m", 41, 1, '$');
  says(talk, "new", 41, 1, '$');
  EXPECT_EQ(kept(), (Kept{"c > " + std::string(11, 'x'), "a > -", "b > " + std::string(41, 'x'), "a > " + std::string(41, 'x')}));
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
}

TEST_F(Recorder, OMA_HIS_6_WhoeverHasLessThanOthersIsRecordedHoweverManyHaveTakenAll) {
  config->im.history.message_bytes_max = 1000;
  config->im.history.assembling_bytes_max = 16 * 1000;
  const auto says = [&](TalkId in, std::uint64_t at, std::size_t count, char flag) {
    recorder->take(in, {.from = 1,
                        .message_id = "m",
                        .type = "text/plain",
                        .bytes = std::string(count, 'x'),
                        .start = at,
                        .flag = flag == '$' ? msrp::Flag::end : msrp::Flag::more});
  };
  for (int i = 0; i < 16; ++i) {
    const TalkId large = recorder->open();
    recorder->start(large, 1, {.aor = "large"});
    says(large, 1, 1000, '+');
  }
  EXPECT_EQ(recorder->assembling_bytes(), 16'000U);
  (void)kept();
  for (int i = 0; i < 100; ++i) {
    const TalkId small = recorder->open();
    recorder->start(small, 1, {.aor = "small"});
    (void)kept();
    says(small, 1, 50, '+');
    says(small, 51, 50, '$');
    EXPECT_EQ(kept(), Kept{"small > " + std::string(100, 'x')}) << i;
  }
  EXPECT_EQ(metrics.get(Metric::history_left_out_memory), 1U) << "one large one made room for all of them";
}

// What is whole and only waits for its user gives way last.
TEST_F(Recorder, OMA_HIS_6_WhatIsWholeGivesWayLast) {
  config->im.history.message_bytes_max = 10;
  config->im.history.assembling_bytes_max = 12;
  talk = recorder->open(true);
  start(1, "a", HistoryMode::pager_large);
  piece("whole", 1, "abcdefghi", '$', 9, 2);
  piece("parts", 1, "abc", '+', 9, 2);
  piece("parts", 4, "def", '+', 9, 2);
  EXPECT_EQ(metrics.get(Metric::history_left_out_memory), 0U);
  EXPECT_EQ(metrics.get(Metric::history_left_out_share), 1U);
  recorder->accept(talk);
  EXPECT_EQ(kept(), (Kept{"put", "a < abcdefghi"}));
  piece("parts", 7, "ghi", '$', 9, 2);
  EXPECT_EQ(kept(), Kept{"a < -"});
  const TalkId other = recorder->open(true);
  recorder->start(other, 1, {.mode = HistoryMode::pager_large, .aor = "b"});
  recorder->take(other, {.from = 2, .message_id = "m", .type = "text/plain", .bytes = "abcdefghi"});
  start(3, "c", HistoryMode::pager_large);
  piece("late", 1, "abcd", '+', 9, 2);
  recorder->accept(other);
  EXPECT_EQ(kept(), (Kept{"put", "b < -"}));
}

// What gives way while its session waits may turn out to be nothing that is recorded.
TEST_F(Recorder, OMA_HIS_4_ANoticeThatHasGivenWayIsNotRecorded) {
  config->im.history.message_bytes_max = 10;
  config->im.history.assembling_bytes_max = 12;
  const TalkId other = recorder->open(true);
  recorder->start(other, 1, {.mode = HistoryMode::pager_large, .aor = "b"});
  recorder->take(other, {.from = 2, .message_id = "notice", .type = "message/imdn+xml", .bytes = "<imdn/>.."});
  start(3, "c", HistoryMode::pager_large);
  piece("late", 1, "abcd", '+', 9, 2);
  recorder->accept(other);
  EXPECT_EQ(kept(), Kept{});
}

// --- whom changes are told

TEST_F(Recorder, OMA_HIS_6_WhoseRecordsGoToMakeRoomOrByAgeIsTold) {
  const auto changed = [&] {
    std::vector<std::string> all;
    for (std::string aor; recorder->next_changed(aor);) all.push_back(aor);
    return all;
  };
  config->im.history.count_max = 1;
  start(1, "a");
  (void)kept();
  store_answers();
  EXPECT_EQ(changed(), Kept{"a"}) << "it has begun";
  core::HistoryRecordRow old;
  old.aor = "a";
  old.id = 1;
  old.ended_ms = old.began_ms = 1;
  store.histories[1] = old;
  store.history_messages[{1, 1}] = {.record = 1, .number = 1};
  piece("m", 1, "abcdefghi", '$');
  (void)kept();
  store_answers();
  EXPECT_EQ(changed(), Kept{"a"}) << "the old one has made room";
  piece("n", 1, "abcdefghi", '$');
  (void)kept();
  store_answers();
  EXPECT_EQ(changed(), Kept{}) << "a message has, the record is there";
  for (std::uint64_t id = 2; id < 6; ++id) {
    old.id = id;
    old.aor = id % 2 == 0 ? "x" : "y";
    store.histories[id] = old;
  }
  recorder->end();
  now.mono += std::chrono::seconds(61);
  recorder->begin(now, out);
  recorder->end();
  (void)kept();
  store_answers();
  EXPECT_EQ(changed(), (Kept{"x", "y"})) << "their time was over";
}

TEST_F(Recorder, OMA_HIS_3_WhereItWaitsNothingIsRecordedBeforeItsUserHasIt) {
  talk = recorder->open(true);
  start(1, "a", HistoryMode::pager_large);
  piece("whole", 1, "abcdefghi", '$', 9, 2);
  piece("parts", 1, "abc", '+', 9, 2);
  EXPECT_EQ(kept(), Kept{});
  recorder->accept(talk);
  EXPECT_EQ(kept(), (Kept{"put", "a < abcdefghi"}));
  piece("parts", 4, "defghi", '$', 9, 2);
  EXPECT_EQ(kept(), Kept{"a < abcdefghi"});
  talk = recorder->open(true);
  start(1, "a", HistoryMode::pager_large);
  piece("refused", 1, "abcdefghi", '$', 9, 2);
  recorder->close(talk);
  EXPECT_EQ(kept(), Kept{});
  EXPECT_EQ(recorder->assembling_bytes(), 0U);
}

TEST_F(Recorder, OMA_HIS_4_APrivateMessageIsOfTheTwoAlone) {
  for (const std::uint64_t party : {1U, 2U, 3U}) start(party, std::string(1, static_cast<char>('a' + party - 1)));
  (void)kept();
  recorder->take(talk, {.from = 1, .to = 3, .number = 7, .type = "text/plain", .bytes = "psst", .start = 0});
  EXPECT_EQ(kept(), (Kept{"a > psst", "c < psst"}));
}

TEST_F(Recorder, OMA_HIS_3_WhoIsInWithSeveralDevicesHasOneRecordUntilTheLastOneLeaves) {
  start(1, "a");
  start(1, "a");
  EXPECT_EQ(kept(), Kept{"put"});
  recorder->stop(talk, 1);
  piece("m", 1, "abcdefghi", '$');
  EXPECT_EQ(kept(), Kept{"a > abcdefghi"});
  recorder->stop(talk, 1);
  EXPECT_EQ(kept(), Kept{"end"});
  piece("m", 1, "abcdefghi", '$');
  EXPECT_EQ(kept(), Kept{});
}

TEST_F(Recorder, OMA_HIS_6_ARecordThatWasRefusedIsPutAgainWithTheNextMessage) {
  store.full = true;
  start(1, "a");
  (void)kept();
  store_answers();
  piece("m", 1, "abcdefghi", '$');
  EXPECT_EQ(kept(), (Kept{"put", "a > abcdefghi"}));
  store_answers();
  store.full = false;
  recorder->close(talk);
  EXPECT_EQ(kept(), Kept{"put"}) << "a last time, when it ends";
  store_answers();
  ASSERT_EQ(store.histories.size(), 1U);
  EXPECT_NE(store.histories.begin()->second.ended_ms, 0);
  EXPECT_EQ(metrics.get(Metric::history_records_refused), 2U);
  EXPECT_EQ(metrics.get(Metric::history_refused), 1U);
  EXPECT_TRUE(recorder->rests());
}

TEST_F(Recorder, OMA_HIS_6_AnEndThatWasRefusedIsToldAgain) {
  start(1, "a");
  (void)kept();
  store_answers();
  recorder->close(talk);
  ASSERT_EQ(out.stores().size(), 1U);
  core::StoreResult refused;
  refused.token = out.stores().front().token;
  refused.status = core::StoreResult::Status::refused;
  out.stores().clear();  // its queue is full
  std::string aor;
  while (recorder->next_changed(aor)) {
  }
  recorder->on_stored(refused);
  EXPECT_FALSE(recorder->next_changed(aor)) << "it has not ended";
  EXPECT_FALSE(recorder->rests());
  recorder->end();
  EXPECT_EQ(kept(), Kept{}) << "not at once";
  EXPECT_LE(recorder->next_deadline(), now.mono + std::chrono::seconds(1));
  const std::int64_t ended_ms = now.wall_ms;
  now.mono += std::chrono::seconds(1);
  now.wall_ms += 1000;
  recorder->begin(now, out);
  recorder->end();
  EXPECT_EQ(kept(), Kept{"end"});
  store_answers();
  EXPECT_EQ(store.histories.begin()->second.ended_ms, ended_ms);
  EXPECT_TRUE(recorder->next_changed(aor));
  EXPECT_TRUE(recorder->rests());
  EXPECT_EQ(metrics.get(Metric::history_records_refused), 1U);
}

TEST_F(Recorder, OMA_HIS_6_WhatIsNoBodyIsBoundedToo) {
  constexpr std::size_t most = HistoryRecorder::text_bytes_max;
  std::string subject = "x";
  while (subject.size() < 2 * most) subject += "\xc3\xa4";
  const std::string uri = "sip:" + std::string(most, 'u') + "@example.org";
  recorder->start(talk, 1, {.aor = "a",
                            .from = "\"" + std::string(most, 'n') + "\" <sip:alice@example.org>",
                            .to = "<" + uri + ">",
                            .group = uri,
                            .subject = subject});
  const core::HistoryRecordRow& row = std::get<core::PutHistory>(out.stores().front().what).row;
  EXPECT_EQ(row.from, "<sip:alice@example.org>");
  EXPECT_EQ(row.to, "");
  EXPECT_EQ(row.group, "");
  EXPECT_EQ(row.subject, subject.substr(0, most - 1)) << "between two characters";
  out.stores().clear();
  recorder->take(talk, {.from = 1, .message_id = std::string(most + 1, 'i'), .type = "text/plain;x=" + std::string(most, 't'), .bytes = "a"});
  recorder->take(talk, {.from = 1, .message_id = std::string(most, 'i'), .type = std::string(most + 1, 't'), .bytes = "b"});
  ASSERT_EQ(out.stores().size(), 2U);
  const auto& first = std::get<core::AddHistoryMessage>(out.stores()[0].what).row;
  EXPECT_EQ(first.message_id, "");
  EXPECT_EQ(first.type, "text/plain");
  const auto& second = std::get<core::AddHistoryMessage>(out.stores()[1].what).row;
  EXPECT_EQ(second.message_id, std::string(most, 'i'));
  EXPECT_EQ(second.type, "application/octet-stream");
}

TEST_F(Recorder, OMA_HIS_3_WhoIsInItIsCutAtALineEnd) {
  std::string people;
  while (people.size() < 2 * HistoryRecorder::people_bytes_max) people += "sip:somebody@example.org\n";
  recorder->start(talk, 1, {.aor = "a", .people = people});
  const std::string& kept = std::get<core::PutHistory>(out.stores().front().what).row.people;
  EXPECT_LE(kept.size(), HistoryRecorder::people_bytes_max);
  EXPECT_GT(kept.size(), HistoryRecorder::people_bytes_max - 30);
  EXPECT_TRUE(kept.ends_with("example.org\n"));
}

TEST(HistoryWishes, OMA_SET_3_AreKnownOnOtherShardsWhereTheyDifferFromWhatHoldsForAll) {
  core::SessionTable table(1024, 1);
  const core::HashKey key{1, 2};
  policy::HistoryWishes other(1, &table, key);
  const policy::ImSettings none;
  policy::ImSettings session;
  session.history_session = true;
  {
    policy::HistoryWishes own(0, &table, key);
    EXPECT_EQ(other.of("a", HistoryMode::session), std::nullopt);
    own.put("a", session, none);
    EXPECT_EQ(other.of("a", HistoryMode::session), true);
    EXPECT_EQ(other.of("a", HistoryMode::pager_large), false);
    EXPECT_EQ(other.of("b", HistoryMode::session), std::nullopt);
    own.put("a", none, none);
    EXPECT_EQ(other.of("a", HistoryMode::session), std::nullopt) << "as it is for all";
    own.put("a", none, session);
    EXPECT_EQ(other.of("a", HistoryMode::session), false) << "he does not want what the operator has for all";
    EXPECT_EQ(table.count(), 1U);
  }
  EXPECT_EQ(table.count(), 0U);
}

}  // namespace
}  // namespace parley::tests

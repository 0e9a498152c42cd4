// tests/loops/scenes_mail.cc - scenes about mail between Workers.
#include <gtest/gtest.h>

#include "tests/loops/scene_lists.h"

namespace parley::loops {
namespace {

using core::Input;
using core::Metric;
using core::Outbox;

SceneSetup two_shards() {
  SceneSetup setup;
  setup.shards = 2;
  return setup;
}

bool arrived(Harness& h, std::uint32_t shard, std::size_t count) {
  return h.wait([&h, shard, count] { return h.worker(shard).mails().size() >= count; });
}

std::string numbered(std::uint32_t from, std::size_t n) { return std::to_string(from) + "/" + std::to_string(n); }

void mail_goes_both_ways_in_order(Harness& h) {
  constexpr std::size_t count = 100;
  for (std::size_t n = 0; n < count; n += 10) {
    for (std::uint32_t from = 0; from < 2; ++from) {
      h.command(
          [&](Outbox& out) {
            for (std::size_t i = n; i < n + 10; ++i) out.mail(1 - from, numbered(from, i));
          },
          from);
    }
  }
  for (std::uint32_t to = 0; to < 2; ++to) {
    ASSERT_TRUE(arrived(h, to, count));
    h.command(
        [&](Outbox&) {
          ASSERT_EQ(h.worker(to).mails().size(), count);
          for (std::size_t n = 0; n < count; ++n) {
            EXPECT_EQ(h.worker(to).mails()[n].bytes, numbered(1 - to, n));
            EXPECT_EQ(h.worker(to).mails()[n].from_shard, 1 - to);
          }
        },
        to);
    EXPECT_EQ(h.metric(Metric::mail_sent, to), count);
  }
}

// Far more than a ring holds, at once: it waits at the sender, in order, and so does what comes behind it.
void mail_waits_for_a_full_ring(Harness& h) {
  constexpr std::size_t count = 5000;
  h.while_stalled(
      [&] {
        h.command([&](Outbox& out) {
          for (std::size_t n = 0; n < count; ++n) out.mail(1, numbered(0, n));
        });
        h.command([&](Outbox& out) { out.open_pipe(5, 1); });
        h.command([&](Outbox& out) { out.mail(1, "behind"); });
      },
      1);
  ASSERT_TRUE(arrived(h, 1, count + 1));
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == 1; }));
  h.command(
      [&](Outbox&) {
        for (std::size_t n = 0; n < count; ++n) ASSERT_EQ(h.worker(1).mails()[n].bytes, numbered(0, n));
        EXPECT_EQ(h.worker(1).mails()[count].bytes, "behind");
      },
      1);
  EXPECT_EQ(h.metric(Metric::mail_waiting_limit), 0U);
}

SceneSetup little_may_wait() {
  SceneSetup setup = two_shards();
  setup.config.mail_waiting_max_bytes = 100'000;
  return setup;
}
// What is too much is dropped and counted; what came before it arrives, and so does what comes when there is room
// again.
void too_much_mail_is_dropped(Harness& h) {
  constexpr std::size_t count = 1000;
  h.while_stalled(
      [&] {
        h.command([&](Outbox& out) {
          for (std::size_t n = 0; n < count; ++n) out.mail(1, numbered(0, n) + pattern(1000));
        });
        EXPECT_TRUE(h.wait([&] {  // carried out
          return h.metric(Metric::mail_sent) + h.metric(Metric::mail_waiting_limit) == count;
        }));
      },
      1);
  const std::uint64_t dropped = h.metric(Metric::mail_waiting_limit);
  EXPECT_GT(dropped, 600U);
  EXPECT_LT(dropped, 700U);
  ASSERT_TRUE(arrived(h, 1, count - dropped));
  h.command([&](Outbox& out) { out.mail(1, "room again"); });
  ASSERT_TRUE(arrived(h, 1, count - dropped + 1));
  h.command(
      [&](Outbox&) {
        const auto& mails = h.worker(1).mails();
        for (std::size_t n = 0; n < mails.size() - 1; ++n) ASSERT_EQ(mails[n].bytes, numbered(0, n) + pattern(1000));
        EXPECT_EQ(mails.back().bytes, "room again");
      },
      1);
}

void mail_to_the_own_shard(Harness& h) {
  h.command(
      [&](Outbox& out) {
        out.mail(1, "to myself");
        out.mail(1, "");
        EXPECT_TRUE(h.worker(1).mails().empty());
      },
      1);
  ASSERT_TRUE(arrived(h, 1, 2));
  h.command(
      [&](Outbox&) {
        EXPECT_EQ(h.worker(1).mails()[0].bytes, "to myself");
        EXPECT_EQ(h.worker(1).mails()[0].from_shard, 1U);
        EXPECT_EQ(h.worker(1).mails()[1].bytes, "");
      },
      1);
}

void mail_to_nowhere_is_counted(Harness& h) {
  h.command([&](Outbox& out) { out.mail(99, "hello?"); });
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::mail_no_shard) == 1; }));
  EXPECT_EQ(h.metric(Metric::mail_sent), 0U);
}

SceneSetup little_heap_of_two() {
  SceneSetup setup = two_shards();
  setup.pool.heap_bytes_max = 10'000;
  return setup;
}
void mail_without_memory_is_counted(Harness& h) {
  h.command([&](Outbox& out) {
    out.mail(1, pattern(20'000));
    out.mail(1, "small");
  });
  ASSERT_TRUE(arrived(h, 1, 1));
  h.command([&](Outbox&) { EXPECT_EQ(h.worker(1).mails()[0].bytes, "small"); }, 1);
  EXPECT_EQ(h.metric(Metric::mail_no_memory, 1), 1U);
}

// Each answers what it gets: the shards stop in the middle of it.
SceneSetup answering() {
  SceneSetup setup = two_shards();
  setup.reaction = [](ScriptWorker&, const Input& input, Outbox& out) {
    if (input.kind != Input::Kind::mail) return;
    out.mail(input.from_shard, "again");
  };
  return setup;
}
void shards_end_in_mid_conversation(Harness& h) {
  h.command([&](Outbox& out) {
    for (int n = 0; n < 100; ++n) out.mail(1, "ping");
    out.mail(0, "to myself, for ever");
  });
  ASSERT_TRUE(arrived(h, 0, 1000));
  h.stop(0);
  EXPECT_TRUE(h.ended(0));
  h.stop(1);
  EXPECT_TRUE(h.ended(1));
}

}  // namespace

std::vector<Scene> mail_scenes() {
  return {
      {"mail_goes_both_ways_in_order", two_shards, mail_goes_both_ways_in_order},
      {"mail_waits_for_a_full_ring", two_shards, mail_waits_for_a_full_ring},
      {"too_much_mail_is_dropped", little_may_wait, too_much_mail_is_dropped},
      {"mail_to_the_own_shard", two_shards, mail_to_the_own_shard},
      {"mail_to_nowhere_is_counted", two_shards, mail_to_nowhere_is_counted},
      {"mail_without_memory_is_counted", little_heap_of_two, mail_without_memory_is_counted},
      {"shards_end_in_mid_conversation", answering, shards_end_in_mid_conversation},
  };
}

}  // namespace parley::loops

// tests/policy/pager_trace_test.cc - the memory of the last pager messages.
#include "policy/pager_trace.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace parley::tests {
namespace {

using policy::PagerTrace;
using policy::TracedHop;
using policy::TracedPager;
using Result = TracedHop::Result;

constexpr std::int64_t begin_ms = 1'700'000'000'000;

struct Tracing : testing::Test {
  Tracing() { trace.set_capacity(3); }
  std::uint64_t add(const std::string& message_id, const std::string& call_id, const std::string& leg = {}) {
    return trace.add({.message_id = message_id, .call_id = call_id, .leg_call_id = leg},
                     {.sender = "sip:a@b", .recipient = "sip:c@d", .bytes = 5, .wall_ms = begin_ms});
  }
  std::vector<std::uint64_t> numbers(const std::string& id) {
    std::vector<std::uint64_t> found;
    trace.for_each(id, [&](const TracedPager& each) { found.push_back(each.number); });
    return found;
  }
  TracedPager only(const std::string& id) {
    TracedPager found;
    trace.for_each(id, [&](const TracedPager& each) { found = each; });
    return found;
  }
  PagerTrace trace{core::HashKey{1, 2}};
};

TEST_F(Tracing, AnyOfItsNamesFindsItTheNewestFirst) {
  EXPECT_EQ(add("m1", "c1"), 1U);
  add("", "c2", "m1");
  add("m3", "c1");
  EXPECT_EQ(numbers("m1"), (std::vector<std::uint64_t>{2, 1}));
  EXPECT_EQ(numbers("c1"), (std::vector<std::uint64_t>{3, 1}));
  EXPECT_EQ(numbers("c"), (std::vector<std::uint64_t>{}));
  EXPECT_EQ(numbers(""), (std::vector<std::uint64_t>{})) << "what has no name is not found by that";
}

TEST_F(Tracing, TheOldestMakesRoomAndHearsNothingAnyMore) {
  for (std::uint64_t n = 1; n <= 100; ++n) {
    ASSERT_EQ(add("m", "c" + std::to_string(n)), n);
    for (std::uint64_t m = 1; m <= n; ++m) ASSERT_EQ(numbers("c" + std::to_string(m)).size(), m + 3 > n ? 1U : 0U) << m << " of " << n;
  }
  trace.answered(97, 486, false, begin_ms);
  trace.answered(98, 200, false, begin_ms + 7);
  EXPECT_EQ(only("c98").status, 200) << "97 had its place before";
  EXPECT_EQ(only("c98").answered_ms, 7U);
  EXPECT_EQ(only("c100").status, 0);
}

TEST_F(Tracing, AHopIsAnsweredByItsBranchAndTheLastOneTried) {
  const core::Address one = *core::parse_address("192.0.2.1:5060");
  const core::Address two = *core::parse_address("192.0.2.2:5060");
  const std::uint64_t number = add("m1", "c1");
  trace.sent(number, 0, core::Transport::udp, one, begin_ms + 1);
  trace.heard(number, 0, Result::lost, 0, begin_ms + 2);
  trace.sent(number, 1, core::Transport::tcp, one, begin_ms + 3);
  trace.sent(number, 0, core::Transport::udp, two, begin_ms + 4);
  trace.heard(number, 0, Result::answered, 200, begin_ms + 9);
  const TracedPager found = only("m1");
  ASSERT_EQ(found.hops, 3U);
  EXPECT_EQ(found.hop[0].result, Result::lost);
  EXPECT_EQ(found.hop[1].result, Result::open);
  EXPECT_EQ(found.hop[2].result, Result::answered);
  EXPECT_EQ(found.hop[2].remote, two);
  EXPECT_EQ(found.hop[2].status, 200);
  EXPECT_EQ(found.hop[2].sent_ms, 4U);
  EXPECT_EQ(found.hop[2].answered_ms, 9U);
}

TEST_F(Tracing, MoreHopsThanThereIsRoomForAreCountedAndSpoilNone) {
  const core::Address one = *core::parse_address("192.0.2.1:5060");
  const std::uint64_t number = add("m1", "c1");
  for (unsigned i = 0; i < 9; ++i) {
    trace.sent(number, 0, core::Transport::udp, one, begin_ms);
    trace.heard(number, 0, Result::answered, static_cast<std::uint16_t>(480 + i), begin_ms);
  }
  const TracedPager found = only("m1");
  EXPECT_EQ(found.hops, 9U);
  EXPECT_EQ(found.hop[TracedPager::hops_max - 1].status, 480 + TracedPager::hops_max - 1);
}

TEST_F(Tracing, TheFirstAnswerIsTheOneItsSenderHad) {
  const std::uint64_t number = add("m1", "c1");
  trace.answered(number, 202, true, begin_ms);
  trace.answered(number, 200, false, begin_ms + 5);
  EXPECT_EQ(only("m1").status, 202);
  EXPECT_TRUE(only("m1").kept);
}

TEST_F(Tracing, LongTextsAreCutAndFoundWhole) {
  const std::string id(300, 'x');
  add(id, "c1");
  EXPECT_EQ(numbers(id).size(), 1U);
  EXPECT_EQ(numbers(id.substr(0, 64)).size(), 0U);
  EXPECT_EQ(only(id).message_id.view(), id.substr(0, 64));
}

TEST_F(Tracing, WhoseItIsAndItsMessageIdFindTheNewestOfThoseThatAreKept) {
  trace.set_capacity(7);
  std::vector<std::pair<std::uint64_t, std::string>> added;  // whose, which
  std::uint64_t state = 1;
  const auto draw = [&state](std::uint64_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % below;
  };
  for (int n = 0; n < 2000; ++n) {
    const std::uint64_t whose = draw(4);  // 0: nobody looks for it so
    const std::string id = "m" + std::to_string(draw(5));
    ASSERT_EQ(trace.add({.message_id = id, .whose = whose}, {.sender = {}, .recipient = {}, .wall_ms = begin_ms}), added.size() + 1);
    added.emplace_back(whose, id);
    for (std::uint64_t w = 1; w < 4; ++w) {
      for (int m = 0; m < 5; ++m) {
        const std::pair<std::uint64_t, std::string> wanted(w, "m" + std::to_string(m));
        std::uint64_t newest = 0;
        for (std::size_t at = added.size(); newest == 0 && at > 0 && at + 7 > added.size(); --at) {
          if (added[at - 1] == wanted) newest = at;
        }
        ASSERT_EQ(trace.number_of(wanted.first, wanted.second), newest) << n;
      }
    }
  }
}

TEST_F(Tracing, HowOftenAMessageIdComesAgainCostsNothing) {
  constexpr std::uint32_t many = 20'000;
  trace.set_capacity(many);
  for (std::uint64_t n = 1; n <= 2 * many; ++n) {
    const PagerTrace::About about{.sender = {}, .recipient = {}, .wall_ms = begin_ms};
    ASSERT_EQ(trace.add({.message_id = "same", .whose = 1}, about), n);
    ASSERT_EQ(trace.number_of(1, "same"), n);
  }
  EXPECT_EQ(trace.longest_chain(), 1U);
  EXPECT_EQ(numbers("same").size(), many) << "operators find all of them";
  for (std::uint64_t n = 0; n < many; ++n) {
    trace.add({.message_id = "m" + std::to_string(n), .whose = 1}, {.sender = {}, .recipient = {}, .wall_ms = begin_ms});
  }
  EXPECT_EQ(trace.number_of(1, "same"), 0U);
  EXPECT_LT(trace.longest_chain(), 16U);
}

TEST_F(Tracing, WhatOneSenderHasSentInPartEndsWithHim) {
  using Came = TracedPager::Came;
  trace.set_capacity(10);
  std::uint64_t last = 0;
  std::uint64_t first = 0;
  for (const char* id : {"m1", "m2", "m3"}) {
    last = trace.add({.message_id = id, .whose = 1}, {.sender = {}, .recipient = {}, .wall_ms = begin_ms, .came = Came::part, .previous = last});
    if (first == 0) first = last;
    add("other", id);
  }
  trace.has_come(first, Came::whole, begin_ms);
  trace.has_come(first, Came::part, begin_ms);
  trace.break_off(last, 1, begin_ms + 3);
  EXPECT_EQ(only("m3").came, Came::broken_off);
  trace.end(last, 481, begin_ms + 4);
  EXPECT_EQ(only("m1").status, 481) << "it was whole, and nobody has said anything of it";
  EXPECT_EQ(only("m2").status, 481);
  EXPECT_EQ(only("m3").status, 0);
  trace.for_each("other", [](const TracedPager& each) { EXPECT_EQ(each.status, 0); });
  trace.set_capacity(0);
  trace.end(last, 481, begin_ms);
  trace.break_off(last, 9, begin_ms);
  EXPECT_EQ(trace.number_of(1, "m1"), 0U);
}

TEST_F(Tracing, OffItKeepsNothing) {
  trace.set_capacity(3);
  add("m1", "c1");
  trace.set_capacity(3);
  EXPECT_EQ(numbers("m1").size(), 1U) << "a reload that changes nothing";
  trace.set_capacity(0);
  EXPECT_FALSE(trace.on());
  EXPECT_EQ(add("m2", "c2"), 0U);
  trace.answered(1, 200, false, begin_ms);
  trace.copy_over(1, true);
  EXPECT_TRUE(numbers("m1").empty());
  trace.set_capacity(2);
  EXPECT_TRUE(numbers("m1").empty());
  EXPECT_EQ(add("m2", "c2"), 2U) << "no number comes twice";
}

}  // namespace
}  // namespace parley::tests

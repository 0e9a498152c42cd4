// tests/service/streams_test.cc - what comes by streams is the same wherever it is cut. R3261-12.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/service/sip_world.h"

namespace parley::tests {
namespace {

using core::Metric;

struct Arrived {
  std::uint64_t others = 0;
  std::uint64_t dropped = 0;
  std::uint64_t keep_alives = 0;
  std::uint64_t closed = 0;
  bool operator==(const Arrived&) const = default;
};

Arrived after(const std::vector<std::string_view>& pieces) {
  SipWorld world;
  const core::ConnId conn = world.open();
  for (const std::string_view piece : pieces) world.bytes(conn, piece);
  EXPECT_EQ(world.metric(Metric::sip_partial_bytes), 0U);
  return {world.metric(Metric::sip_others), world.metric(Metric::sip_not_sip), world.metric(Metric::sip_keep_alives),
          world.metric(Metric::sip_framing_lost)};
}

TEST(Streams, R3261_12_ACrThatBeginsNoLineEndIsNoMessageWhereverItIsCut) {
  const Arrived expected{.others = 1, .dropped = 1, .keep_alives = 1, .closed = 1};
  EXPECT_EQ(after({"\r\n\r\n\rno SIP\r\n"}), expected);
  EXPECT_EQ(after({"\r\n\r\n\r", "no SIP\r\n"}), expected);
  EXPECT_EQ(after({"\r\n\r\n", "\r", "n", "o SIP\r\n"}), expected);
}

TEST(Streams, R3261_12_ALineEndMayBeCutInTwo) {
  const Arrived expected{.keep_alives = 1};
  EXPECT_EQ(after({"\r\n\r", "\n"}), expected);
  EXPECT_EQ(after({"\r", "\n\r", "\n"}), expected);
}

}  // namespace
}  // namespace parley::tests

// tests/service/datagrams_test.cc - what comes in datagrams is counted once, whatever it is. R5626-3, R3261-12.
#include <gtest/gtest.h>

#include <string>

#include "tests/service/sip_world.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::string_literals;

std::uint64_t arrived(const SipWorld& world) {
  std::uint64_t sum = 0;
  for (const Metric kind : {Metric::sip_requests, Metric::sip_responses, Metric::sip_others, Metric::sip_keep_alives})
    sum += world.metric(kind);
  return sum;
}

TEST(Datagrams, R5626_3_KeepAlivesAreCountedAsSuch) {
  SipWorld world;
  const std::string binding_request = "\0\1\0\0\x21\x12\xa4\x42"s + "twelve bytes";
  for (const std::string& text : {"\r\n\r\n"s, "\r\n"s, "\r"s, binding_request}) {
    const std::uint64_t before = world.metric(Metric::sip_keep_alives);
    world.datagram(text);
    EXPECT_EQ(world.metric(Metric::sip_keep_alives), before + 1) << text;
  }
  EXPECT_EQ(arrived(world), 4U);
}

TEST(Datagrams, R3261_12_WhatIsNoMessageIsCountedOnceAndDropped) {
  SipWorld world;
  for (const std::string& text : {""s, "\0"s, "\0\1\0\0no binding request"s, "no SIP"s, "no SIP\r\n\r\n"s}) {
    const std::uint64_t others = world.metric(Metric::sip_others);
    const std::uint64_t dropped = world.metric(Metric::sip_not_sip);
    const std::uint64_t all = arrived(world);
    world.datagram(text);
    EXPECT_EQ(world.metric(Metric::sip_others), others + 1) << text;
    EXPECT_EQ(world.metric(Metric::sip_not_sip), dropped + 1) << text;
    EXPECT_EQ(arrived(world), all + 1) << text;
  }
  EXPECT_TRUE(world.take().empty());
}

}  // namespace
}  // namespace parley::tests

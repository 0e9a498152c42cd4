// tests/service/overload_test.cc - the overload ladder (section 5.6, X-31; RFC 7339 section 5.10): when a level is
// entered and left, and what a service refuses at which.
#include "policy/overload.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

using core::Metric;
using policy::Overload;
using sip::Method;

// --- the value

struct Ladder : testing::Test {
  // Steps one after the other, each so late that it touches the one before.
  unsigned late_for(core::Duration lag, core::Duration time) {
    const core::Instant end = now.mono + time;
    now.lag = lag;
    while (now.mono < end) {
      now.mono += std::max<core::Duration>(lag, 1ms);
      (void)overload.look(config, now, bytes, 1000);
    }
    return overload.level();
  }
  policy::OverloadConfig config;
  Overload overload;
  core::Now now{core::Instant{} + 1h, 0};
  std::uint64_t bytes = 0;
};

TEST_F(Ladder, X31_each_level_is_entered_at_its_value) {
  const std::pair<core::Duration, unsigned> expected[] = {{0ms, 0},   {9999us, 0},  {10ms, 1}, {19999us, 1},
                                                          {20ms, 2},  {49999us, 2}, {50ms, 3}, {99999us, 3},
                                                          {100ms, 4}, {150ms, 4}};
  for (const auto& [lag, level] : expected) {
    overload = {};
    EXPECT_EQ(late_for(lag, 400ms), level) << lag.count();
  }
}

TEST_F(Ladder, X31_one_late_turn_is_no_overload) {
  for (int i = 0; i < 100; ++i) {
    now.mono += 200ms;
    now.lag = 150ms;
    EXPECT_EQ(overload.look(config, now, 0, 1000), 0U);
    now.mono += 1ms;
    now.lag = 0ms;
    EXPECT_EQ(overload.look(config, now, 0, 1000), 0U);
  }
}

TEST_F(Ladder, X31_late_turns_with_rest_between_them_are_none_either) {
  now.lag = 30ms;
  for (int i = 0; i < 100; ++i) {
    now.mono += 1s;
    EXPECT_EQ(overload.look(config, now, 0, 1000), 0U);
  }
}

TEST_F(Ladder, X31_it_is_left_below_four_fifths_for_a_second) {
  EXPECT_EQ(late_for(25ms, 200ms), 2U);
  EXPECT_EQ(late_for(16ms, 10s), 2U) << "80 % of 20 ms";
  EXPECT_EQ(late_for(15ms, 900ms), 2U);
  EXPECT_EQ(late_for(16ms, 16ms), 2U) << "not a whole second";
  EXPECT_EQ(late_for(15ms, 900ms), 2U);
  EXPECT_EQ(late_for(15ms, 200ms), 1U);
  EXPECT_EQ(late_for(0ms, 900ms), 1U);
  EXPECT_EQ(late_for(0ms, 200ms), 0U);
  EXPECT_EQ(overload.next_deadline(), core::never);
}

TEST_F(Ladder, X31_leaving_a_level_lets_in_more_and_more_and_half_of_it_when_it_was_too_much) {
  EXPECT_EQ(late_for(25ms, 500ms), 2U);
  EXPECT_EQ(overload.let_in_per_mille(), 0U);
  (void)late_for(15ms, 600ms);
  EXPECT_NEAR(overload.let_in_per_mille(), 600, 20);
  (void)late_for(17ms, 17ms);
  EXPECT_NEAR(overload.let_in_per_mille(), 300, 20);
  (void)late_for(17ms, 50ms);
  EXPECT_NEAR(overload.let_in_per_mille(), 300, 20) << "what was changed has to show first";
  (void)late_for(17ms, 68ms);
  EXPECT_NEAR(overload.let_in_per_mille(), 150, 20);
  (void)late_for(15ms, 500ms);
  EXPECT_NEAR(overload.let_in_per_mille(), 650, 40);
  EXPECT_EQ(late_for(15ms, 700ms), 1U);
  EXPECT_EQ(overload.let_in_per_mille(), 0U) << "another level begins with none";
}

TEST_F(Ladder, X31_an_idle_shard_comes_down_by_its_deadline) {
  EXPECT_EQ(late_for(200ms, 500ms), 4U);
  const core::Instant due = overload.next_deadline();
  EXPECT_EQ(due, now.mono + 1s);
  now.mono = due;
  now.lag = 0ms;
  EXPECT_EQ(overload.look(config, now, 0, 1000), 0U) << "all levels together";
}

TEST_F(Ladder, X31_memory_counts_at_once_and_the_worse_of_the_two) {
  const std::pair<std::uint64_t, unsigned> expected[] = {{849, 0}, {850, 1}, {919, 1}, {920, 2},
                                                         {950, 3}, {980, 4}, {1000, 4}};
  for (const auto& [used, level] : expected) {
    overload = {};
    EXPECT_EQ(overload.look(config, now, used, 1000), level) << used;
  }
  overload = {};
  bytes = 950;
  EXPECT_EQ(late_for(20ms, 200ms), 3U);
  bytes = 0;
  EXPECT_EQ(late_for(20ms, 1100ms), 2U);
}

TEST_F(Ladder, X31_a_measure_that_is_off_is_not_looked_at) {
  config.lag.fill({});
  EXPECT_EQ(late_for(5s, 20s), 0U);
  config.memory_percent.fill(0);
  bytes = 1000;
  EXPECT_EQ(late_for(0ms, 1s), 0U);
}

// The table of section 5.6: the least level at which a request is refused; 5: none.
TEST(OverloadTable, X31_what_is_refused_from_which_level_on) {
  struct Row {
    policy::OverloadQuestion question;
    unsigned from;
  };
  const Row rows[] = {
      {{.method = Method::invite}, 2},
      {{.method = Method::invite, .in_dialog = true}, 4},
      {{.method = Method::options}, 2},
      {{.method = Method::options, .in_dialog = true}, 2},
      {{.method = Method::subscribe}, 2},
      {{.method = Method::subscribe, .in_dialog = true}, 2},
      {{.method = Method::subscribe, .in_dialog = true, .ends_something = true}, 4},
      {{.method = Method::subscribe, .ends_something = true}, 2},
      {{.method = Method::message}, 3},
      {{.method = Method::message, .in_dialog = true}, 4},
      {{.method = Method::register_}, 4},
      {{.method = Method::register_, .early_refresh = true}, 3},
      {{.method = Method::publish}, 4},
      {{.method = Method::notify, .in_dialog = true}, 4},
      {{.method = Method::update, .in_dialog = true}, 4},
      {{.method = Method::prack, .in_dialog = true}, 4},
      {{.method = Method::refer, .in_dialog = true}, 4},
      {{.method = Method::info, .in_dialog = true}, 4},
      {{.method = Method::other}, 4},
      {{.method = Method::ack}, 5},
      {{.method = Method::bye, .in_dialog = true}, 5},
      {{.method = Method::cancel}, 5},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(policy::overload_refused_from(row.question), row.from) << static_cast<int>(row.question.method);
  }
}

// --- a service

struct OverloadedService : testing::Test {
  // Late for long enough; from then on lateness stays as it is, until something else is said.
  void late(core::Duration lag) {
    for (world.now.lag = lag; world.service().overload_level() != wanted_level(lag);) {
      world.now.mono += lag;
      world.wake();
    }
    calm_since = world.now.mono;
    (void)world.take();
  }
  static unsigned wanted_level(core::Duration lag) {
    return lag >= 100ms ? 4 : lag >= 50ms ? 3 : lag >= 20ms ? 2 : lag >= 10ms ? 1 : 0;
  }
  std::string request(const std::string& method, const std::string& to_tag = {}, const std::string& lines = {},
                      const std::string& uri = "sip:bob@example.org") {
    const std::string n = std::to_string(++number_);
    return method + " " + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKo" + n +
           "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=f\r\nTo: <sip:bob@example.org>" +
           (to_tag.empty() ? "" : ";tag=" + to_tag) + "\r\nCall-ID: over" + n + "\r\nCSeq: 1 " + method + "\r\n" +
           lines + "Content-Length: 0\r\n\r\n";
  }
  // Status of the only answer; "": none.
  std::string over_stream(const std::string& text) {
    if (!conn.valid()) conn = world.open("192.0.2.7:50001");
    (void)world.take();
    world.bytes(conn, text);
    return only_code();
  }
  std::string over_udp(const std::string& text, std::string_view from = "192.0.2.7:5060") {
    (void)world.take();
    world.datagram(text, from);
    return only_code();
  }
  std::string only_code() {
    const auto sent = world.take();
    EXPECT_LE(sent.size(), 1U);
    if (sent.empty()) return {};
    EXPECT_EQ(header(sent.front().text, "Retry-After"), "") << sent.front().text;
    return code(sent.front().text);
  }
  SipWorld world;
  core::Instant calm_since{};
  core::ConnId conn = core::no_conn;
  int number_ = 0;
};

TEST_F(OverloadedService, X31_refused_by_method_and_level_without_retry_after_and_without_state) {
  const std::string reg = "Event: reg\r\n";
  const std::map<std::string, std::vector<std::string>> expected = {
      //             level 0      1      2      3      4
      {"INVITE", {"407", "407", "503", "503", "503"}},    {"OPTIONS", {"407", "407", "503", "503", "503"}},
      {"SUBSCRIBE", {"407", "407", "503", "503", "503"}}, {"MESSAGE", {"407", "407", "407", "503", "503"}},
      {"PUBLISH", {"407", "407", "407", "407", "503"}},   {"BYE", {"407", "407", "407", "407", "407"}},
  };
  const core::Duration lags[] = {0ms, 10ms, 20ms, 50ms, 100ms};
  for (unsigned level = 0; level <= 4; ++level) {
    if (level > 0) late(lags[level]);
    EXPECT_EQ(world.metric(Metric::overload_level), level);
    for (const auto& [method, codes] : expected) {
      EXPECT_EQ(over_stream(request(method, "", method == "SUBSCRIBE" ? reg : "")), codes[level]) << method << level;
    }
    EXPECT_EQ(over_stream(request("CANCEL")), "481") << level;
    EXPECT_EQ(world.service().live_transactions(), 0U);
    EXPECT_EQ(world.service().live_proxied(), 0U);
  }
  EXPECT_EQ(world.metric(Metric::overload_refused_2), 3U);
  EXPECT_EQ(world.metric(Metric::overload_refused_3), 4U);
  EXPECT_EQ(world.metric(Metric::overload_refused_4), 5U);
}

TEST_F(OverloadedService, X31_what_belongs_to_a_dialog_passes_up_to_level_three) {
  late(60ms);
  for (const char* method : {"INVITE", "MESSAGE", "INFO", "BYE"}) {
    EXPECT_EQ(over_stream(request(method, "theirs")), "407") << method;
  }
  EXPECT_EQ(over_stream(request("SUBSCRIBE", "theirs")), "503");
  EXPECT_EQ(over_stream(request("SUBSCRIBE", "theirs", "Event: presence\r\nExpires: 0\r\n")), "407");
  late(100ms);
  EXPECT_EQ(over_stream(request("MESSAGE", "theirs")), "503");
  EXPECT_EQ(over_stream(request("BYE", "theirs")), "407");
}

TEST_F(OverloadedService, X31_a_stateless_503_to_each_repetition_and_its_ack_is_absorbed) {
  late(20ms);
  const std::string invite = request("INVITE");
  EXPECT_EQ(over_udp(invite), "503");
  EXPECT_EQ(over_udp(invite), "503");
  std::string ack = invite;
  for (std::size_t at; (at = ack.find("INVITE")) != std::string::npos;) ack.replace(at, 6, "ACK");
  EXPECT_EQ(over_udp(ack), "");
  EXPECT_EQ(world.service().live_transactions(), 0U);
}

TEST_F(OverloadedService, X31_while_a_level_is_left_some_of_what_it_refuses_is_served_and_nothing_below_it) {
  late(50ms);
  for (world.now.lag = 10ms; world.service().overload_level() == 3;) {
    const auto some = [&](const char* method) {
      unsigned served = 0;
      for (int i = 0; i < 100; ++i) served += over_stream(request(method)) == "407" ? 1U : 0U;
      return served;
    };
    const core::Duration calm = world.now.mono - calm_since;
    if (calm == 500ms) {
      EXPECT_NEAR(some("MESSAGE"), 50, 25);
      EXPECT_EQ(some("INVITE"), 0U);
    }
    world.now.mono += 10ms;
    world.wake();
  }
}

TEST_F(OverloadedService, X31_an_emergency_passes_at_all_levels) {
  for (const core::Duration lag : {20ms, 50ms, 100ms}) {
    late(lag);
    for (const char* uri : {"urn:service:sos", "urn:service:sos.fire", "URN:Service:SOS"}) {
      EXPECT_EQ(over_stream(request("INVITE", "", "", uri)), "416") << "heard; nobody here serves it";
      EXPECT_EQ(over_udp(request("INVITE", "", "", uri)), "416");
    }
  }
}

TEST_F(OverloadedService, X31_priority_is_for_those_who_are_known) {
  const std::string priority = "Resource-Priority: ets.0\r\n";
  Watcher alice(world, "alice", "192.0.2.8:40001");
  ASSERT_EQ(code(alice.enrol()), "200");
  late(100ms);
  EXPECT_EQ(over_stream(request("INVITE", "", priority)), "503") << "a stranger's claim";
  EXPECT_EQ(over_udp(request("INVITE", "", priority)), "") << "unread";
  EXPECT_EQ(over_udp(request("INVITE"), "127.0.0.9:5060"), "") << "a trusted peer without it";
  EXPECT_EQ(over_udp(request("INVITE", "", priority), "192.0.2.8:40001"), "407") << "of a proven address";
  (void)world.take();
  world.datagram(request("INVITE", "", priority), "127.0.0.9:5060");
  for (const auto& sent : world.take()) EXPECT_NE(code(sent.text), "503") << sent.text;
}

TEST_F(OverloadedService, X31_at_level_four_datagrams_are_dropped_unread_but_for_what_ends_things) {
  late(100ms);
  for (const char* method : {"INVITE", "MESSAGE", "OPTIONS", "REGISTER"})
    EXPECT_EQ(over_udp(request(method)), "") << method;
  EXPECT_EQ(over_udp("\x01\x01 garbage"), "");
  EXPECT_EQ(world.metric(Metric::overload_datagrams), 5U);
  EXPECT_EQ(over_udp(request("BYE", "theirs")), "407");
  EXPECT_EQ(over_udp("\r\n" + request("CANCEL")), "481");
  EXPECT_EQ(over_udp("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\n\r\n"), "");
  EXPECT_EQ(world.metric(Metric::overload_datagrams), 5U);
  world.now.lag = 0ms;
  world.advance(1100ms);
  EXPECT_EQ(world.metric(Metric::overload_level), 0U) << "by itself";
  EXPECT_EQ(over_udp(request("MESSAGE")), "407");
}

TEST_F(OverloadedService, X31_who_is_registered_for_long_enough_comes_again_later) {
  Watcher alice(world, "alice", "192.0.2.8:40001");
  Watcher bob(world, "bob", "192.0.2.9:40001");
  ASSERT_EQ(code(alice.enrol("600")), "200");
  ASSERT_EQ(code(bob.enrol("600")), "200");
  world.advance(100s);
  late(50ms);
  EXPECT_EQ(code(alice.enrol("600")), "503");
  Watcher other(world, "alice", "192.0.2.8:40002");
  EXPECT_EQ(code(other.enrol("600")), "200") << "by another way";
  EXPECT_EQ(code(bob.enrol("0")), "200") << "who leaves may leave";
  world.now.lag = 0ms;
  world.advance(200s);
  late(50ms);
  EXPECT_EQ(code(alice.enrol("600")), "200") << "half of the time is over";
}

TEST_F(OverloadedService, X23_idle_connections_of_strangers_end_from_level_three_on) {
  const core::ConnId stranger = world.open("192.0.2.7:50001");
  const core::ConnId peer = world.open("127.0.0.9:50001");
  Watcher alice(world, "alice", "192.0.2.8:40001", 0, true);
  ASSERT_EQ(code(alice.enrol()), "200");
  world.advance(1s);
  const core::ConnId fresh = world.open("192.0.2.7:50002");
  world.advance(1s);
  late(20ms);
  EXPECT_EQ(world.metric(Metric::overload_idle_closed), 0U);
  late(50ms);
  EXPECT_EQ(world.metric(Metric::overload_idle_closed), 1U);
  world.now.lag = 50ms;
  world.advance(2s);
  EXPECT_EQ(world.metric(Metric::overload_idle_closed), 2U);
  EXPECT_EQ(world.metric(Metric::sip_connections), 2U) << "a trusted peer's and a user's";
  (void)stranger, (void)peer, (void)fresh;
}

TEST_F(OverloadedService, X23_before_that_they_may_be_idle_for_less_time) {
  EXPECT_EQ(over_stream(request("OPTIONS")), "407");
  world.advance(50s);
  late(10ms);
  EXPECT_EQ(world.metric(Metric::sip_connections), 1U);
  world.advance(11s);
  EXPECT_EQ(world.metric(Metric::sip_connections), 0U) << "half of --sip-idle-timeout";
  EXPECT_EQ(world.metric(Metric::overload_idle_closed), 1U);
}

TEST_F(OverloadedService, X31_full_memory_counts_too) {
  std::vector<core::BufferId> held;
  const auto fill = [&](unsigned percent) {
    const std::uint64_t most = world.pool().heap_bytes_max();
    while (world.pool().heap_bytes() * 100 < most * percent) held.push_back(world.pool().take_heap(1 << 16));
    world.wake();
  };
  fill(92);
  EXPECT_EQ(world.metric(Metric::overload_level), 2U);
  EXPECT_EQ(over_stream(request("INVITE")), "503");
  EXPECT_EQ(over_stream(request("MESSAGE")), "407");
  for (const core::BufferId block : held) world.pool().release(block);
  held.clear();
  world.advance(1100ms);
  EXPECT_EQ(over_stream(request("INVITE")), "407");
}

}  // namespace
}  // namespace parley::tests

// tests/loops/scenes_datagram.cc - scenes about UDP sockets.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "tests/loops/scene_lists.h"

namespace parley::loops {
namespace {

using core::BufferId;
using core::Input;
using core::Metric;
using core::Outbox;
using core::Slice;
using Lane = core::Outbox::Lane;
using namespace std::chrono_literals;

void echo_datagram(ScriptWorker&, const Input& input, Outbox& out) {
  if (input.kind == Input::Kind::datagram) out.send_datagram(input.socket, *input.source, input.slice);
}

SceneSetup echoing_datagrams() {
  SceneSetup setup;
  setup.sockets = 1;
  setup.reaction = echo_datagram;
  return setup;
}

SceneSetup silent_socket() {
  SceneSetup setup;
  setup.sockets = 1;
  return setup;
}

void say(Outbox& out, const core::Address& to, std::string_view bytes, std::uint16_t socket = 0) {
  char* at = out.reserve(Lane::back, static_cast<std::uint32_t>(bytes.size()));
  ASSERT_NE(at, nullptr);
  bytes.copy(at, bytes.size());
  out.commit_datagram(socket, to, Lane::back, static_cast<std::uint32_t>(bytes.size()));
}

void datagrams_of_any_size_come_back(Harness& h) {
  const auto far = h.far_socket();
  for (const std::size_t bytes : {1U, 0U, 100U, 4095U, 4096U, 4097U, 9000U, 65000U, 65507U, 0U, 1U}) {
    const std::string text = pattern(bytes);
    far->send(text);
    const auto back = far->receive();
    ASSERT_TRUE(back.has_value()) << bytes;
    ASSERT_TRUE(*back == text) << bytes;
  }
  EXPECT_EQ(h.metric(Metric::datagrams_oversize), 4U);
  EXPECT_EQ(h.metric(Metric::datagrams_received), 11U);
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::datagrams_sent) == 11; }));
}

void a_burst_is_answered_in_order_for_each_source(Harness& h) {
  constexpr std::size_t sources = 5;
  constexpr std::size_t each = 100;
  std::vector<std::unique_ptr<FarSocket>> fars;
  for (std::size_t i = 0; i < sources; ++i) fars.push_back(h.far_socket());
  h.while_stalled([&] {
    for (std::size_t n = 0; n < each; ++n) {
      for (auto& far : fars) far->send(std::to_string(n) + pattern(400));
    }
  });
  for (auto& far : fars) {
    for (std::size_t n = 0; n < each; ++n) {
      const auto back = far->receive();
      ASSERT_TRUE(back.has_value()) << n;
      ASSERT_EQ(*back, std::to_string(n) + pattern(400));
    }
  }
}

// Two sockets of one shard, an answer from the one that was asked.
SceneSetup two_sockets() {
  SceneSetup setup = echoing_datagrams();
  setup.sockets = 2;
  return setup;
}
void each_socket_answers_for_itself(Harness& h) {
  const auto far = h.far_socket();
  h.while_stalled([&] {
    for (int n = 0; n < 40; ++n) {
      far->send("zero", 0);
      far->send("one", 1);
    }
  });
  int zeros = 0;
  for (int n = 0; n < 80; ++n) zeros += far->receive() == "zero" ? 1 : 0;
  EXPECT_EQ(zeros, 40);
  h.command([&](Outbox&) {
    for (const DatagramSeen& seen : h.worker().datagrams()) {
      EXPECT_EQ(seen.bytes, seen.socket == 0 ? "zero" : "one");
      EXPECT_EQ(seen.source, far->address());
    }
  });
}

// What finds no buffer waits in the kernel's.
SceneSetup few_buffers() {
  SceneSetup setup = echoing_datagrams();
  setup.pool.small_count = 16;
  return setup;
}
void more_datagrams_than_buffers(Harness& h) {
  const auto far = h.far_socket();
  h.while_stalled([&] {
    for (int n = 0; n < 200; ++n) far->send(std::to_string(n));
  });
  for (int n = 0; n < 200; ++n) ASSERT_EQ(far->receive(), std::to_string(n));
  EXPECT_GT(h.metric(Metric::datagrams_no_buffers), 0U);
}

// The Worker keeps every block: reading stops, and goes on when it lets go of them.
SceneSetup keeping() {
  SceneSetup setup;
  setup.sockets = 1;
  setup.pool.small_count = 16;
  setup.reaction = [](ScriptWorker& worker, const Input& input, Outbox&) {
    if (input.kind == Input::Kind::datagram) worker.keep(input.slice);
  };
  return setup;
}
void blocks_that_are_kept_stop_the_reading(Harness& h) {
  const auto far = h.far_socket();
  h.while_stalled([&] {
    for (int n = 0; n < 100; ++n) far->send("x" + std::to_string(n));
  });
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::datagrams_no_buffers) > 0; }));
  h.command([&](Outbox&) { EXPECT_LE(h.worker().datagrams().size(), 16U); });
  h.command([&](Outbox&) { h.worker().let_go(); });
  ASSERT_TRUE(h.wait([&] { return h.worker().datagrams().size() == 100; }));
  h.command([&](Outbox&) {
    for (std::size_t n = 0; n < 100; ++n) EXPECT_EQ(h.worker().datagrams()[n].bytes, "x" + std::to_string(n));
  });
}

void a_closed_port_does_not_cost_the_next_datagram(Harness& h) {
  const auto far = h.far_socket();
  const core::Address closed = h.closed_udp_address();
  for (int n = 0; n < 50; ++n) {
    h.command([&](Outbox& out) {
      say(out, closed, "to nobody");
      say(out, far->address(), "first " + std::to_string(n));
      say(out, closed, "to nobody");
      say(out, far->address(), "second " + std::to_string(n));
    });
    ASSERT_EQ(far->receive(), "first " + std::to_string(n));
    ASSERT_EQ(far->receive(), "second " + std::to_string(n));
    far->send("also to us");
  }
  ASSERT_TRUE(h.wait([&] { return h.worker().datagrams().size() == 50; }));
  EXPECT_EQ(h.metric(Metric::datagrams_unreachable) + h.metric(Metric::datagrams_refused), 0U);
}

// One that can not leave is dropped and counted; those around it arrive.
void a_datagram_too_long_is_dropped_alone(Harness& h) {
  const auto far = h.far_socket();
  h.command([&](Outbox& out) {
    for (int n = 0; n < 150; ++n) {
      say(out, far->address(), std::to_string(n));
      if (n % 10 == 0) say(out, far->address(), pattern(65508));
    }
  });
  for (int n = 0; n < 150; ++n) ASSERT_EQ(far->receive(), std::to_string(n));
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::datagrams_refused) == 15; }));
  EXPECT_EQ(h.metric(Metric::datagrams_sent), 150U);
}

// Bytes of a connection that lie around those of a datagram in one block stay apart from it.
void datagrams_and_bytes_share_a_block(Harness& h) {
  const auto stream = h.connect();
  const auto far = h.far_socket();
  ASSERT_TRUE(h.wait([&] { return h.worker().conns().size() == 1; }));
  h.command([&](Outbox& out) {
    const auto write = [&](std::string_view bytes) {
      h.worker().conns()[0].given += bytes.size();
      EXPECT_TRUE(out.write(h.worker().conns()[0].id, Lane::back, bytes));
    };
    write("one");
    say(out, far->address(), "datagram");
    write("two");
    write("three");
    say(out, far->address(), "");
    write("four");
  });
  EXPECT_EQ(stream->receive(15), "onetwothreefour");
  EXPECT_EQ(far->receive(), "datagram");
  EXPECT_EQ(far->receive(), "");
}

// Datagrams do not starve a connection, nor it them.
void a_flood_leaves_room_for_a_connection(Harness& h) {
  const auto stream = h.connect();
  const auto far = h.far_socket();
  h.while_stalled([&] {
    for (int n = 0; n < 2000; ++n) far->send("flood");
    stream->send("hello");
  });
  ASSERT_TRUE(h.wait([&] { return h.worker().conns().size() == 1 && h.worker().conn(0).received == "hello"; }));
  ASSERT_TRUE(h.wait([&] { return h.worker().datagrams().size() == 2000; }));
}

// While it drains a shard answers; what comes later finds nobody, and the loop ends.
void a_draining_loop_answers_until_it_is_drained(Harness& h) {
  const auto far = h.far_socket();
  h.drain();
  ASSERT_TRUE(h.wait([&] { return h.worker().drain_seen(); }));
  far->send("still there?");
  ASSERT_EQ(far->receive(), "still there?");
  h.start_command([&](Outbox& out) {
    say(out, far->address(), "the last word");
    h.worker().drained(out);
  });
  ASSERT_EQ(far->receive(), "the last word");
  EXPECT_TRUE(h.ended());
}

void a_loop_stops_with_datagrams_unread(Harness& h) {
  const auto far = h.far_socket();
  h.while_stalled([&] {
    for (int n = 0; n < 300; ++n) far->send(pattern(5000));
    h.stop();
  });
  EXPECT_TRUE(h.ended());
}

// Each shard has its own socket at one address: a source stays with one of them.
SceneSetup four_shards() {
  SceneSetup setup = echoing_datagrams();
  setup.shards = 4;
  return setup;
}
void shards_share_an_address(Harness& h) {
  constexpr std::size_t sources = 40;
  std::vector<std::unique_ptr<FarSocket>> fars;
  for (std::size_t i = 0; i < sources; ++i) fars.push_back(h.far_socket());
  for (int n = 0; n < 3; ++n) {
    for (auto& far : fars) far->send("x");
    for (auto& far : fars) ASSERT_EQ(far->receive(), "x");
  }
  std::size_t busy = 0;
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    h.command(
        [&](Outbox&) {
          const std::size_t seen = h.worker(shard).datagrams().size();
          EXPECT_EQ(seen % 3, 0U);
          busy += seen == 0 ? 0 : 1;
        },
        shard);
  }
  EXPECT_GT(busy, 1U);
}

// the next step knows how long what came during this one has waited.
std::atomic<bool> working;
std::atomic<bool> more_has_come;
constexpr core::Duration long_step = 30ms;

SceneSetup slow() {
  SceneSetup setup;
  setup.sockets = 1;
  working = more_has_come = false;
  setup.reaction = [](ScriptWorker& worker, const Input&, Outbox&) {
    if (worker.datagrams().size() != 1) return;
    working = true;
    while (!more_has_come) {
    }
    const auto end = std::chrono::steady_clock::now() + long_step;
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  return setup;
}

void what_comes_during_a_long_step_is_late(Harness& h) {
  const auto far = h.far_socket();
  far->send("first");
  while (!working) {
  }
  far->send("second");
  more_has_come = true;
  ASSERT_TRUE(h.wait([&] { return h.worker().datagrams().size() == 2; }));
  EXPECT_GE(h.worker().lag_max(), long_step);
  EXPECT_LT(h.worker().lag_max(), 100 * long_step);
}

}  // namespace

std::vector<Scene> datagram_scenes() {
  return {
      {"datagrams_of_any_size_come_back", echoing_datagrams, datagrams_of_any_size_come_back},
      {"a_burst_is_answered_in_order_for_each_source", echoing_datagrams, a_burst_is_answered_in_order_for_each_source},
      {"each_socket_answers_for_itself", two_sockets, each_socket_answers_for_itself},
      {"more_datagrams_than_buffers", few_buffers, more_datagrams_than_buffers},
      {"blocks_that_are_kept_stop_the_reading", keeping, blocks_that_are_kept_stop_the_reading},
      {"a_closed_port_does_not_cost_the_next_datagram", silent_socket, a_closed_port_does_not_cost_the_next_datagram},
      {"a_datagram_too_long_is_dropped_alone", silent_socket, a_datagram_too_long_is_dropped_alone},
      {"datagrams_and_bytes_share_a_block", silent_socket, datagrams_and_bytes_share_a_block},
      {"a_flood_leaves_room_for_a_connection", silent_socket, a_flood_leaves_room_for_a_connection},
      {"a_draining_loop_answers_until_it_is_drained", echoing_datagrams, a_draining_loop_answers_until_it_is_drained},
      {"a_loop_stops_with_datagrams_unread", echoing_datagrams, a_loop_stops_with_datagrams_unread},
      {"shards_share_an_address", four_shards, shards_share_an_address},
      {"what_comes_during_a_long_step_is_late", slow, what_comes_during_a_long_step_is_late,
       "no time passes there while a step runs"},
  };
}

}  // namespace parley::loops

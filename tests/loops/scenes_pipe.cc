// tests/loops/scenes_pipe.cc - scenes about pipes between two shards.
#include <gtest/gtest.h>

#include "tests/loops/scene_lists.h"

namespace parley::loops {
namespace {

using core::CloseReason;
using core::ConnectError;
using core::Input;
using core::Outbox;
using core::Transport;

// Accepted pipes echo; an echo that ends ends its pipe.
SceneSetup two_shards_echoing() {
  SceneSetup setup;
  setup.shards = 2;
  setup.reaction = [](ScriptWorker& worker, const Input& input, Outbox& out) {
    if (input.kind != Input::Kind::bytes) return;
    const ConnSeen* seen = worker.find(input.conn);
    if (seen != nullptr && seen->accepted) worker.send(out, input.conn, input.slice);
  };
  return setup;
}

SceneSetup two_shards_silent() {
  SceneSetup setup;
  setup.shards = 2;
  return setup;
}

SceneSetup two_shards_closing_at_once() {
  SceneSetup setup;
  setup.shards = 2;
  setup.reaction = [](ScriptWorker& worker, const Input& input, Outbox& out) {
    if (input.kind != Input::Kind::bytes) return;
    const ConnSeen* seen = worker.find(input.conn);
    if (seen != nullptr && seen->accepted) worker.close(out, input.conn);
  };
  return setup;
}

bool opened(Harness& h) {
  h.command([&](Outbox& out) { out.open_pipe(77, 1); });
  return h.wait([&] { return h.worker(0).conns().size() == 1 && h.worker(1).conns().size() == 1; });
}

void pipe_carries_bytes_both_ways(Harness& h) {
  ASSERT_TRUE(opened(h));
  EXPECT_EQ(h.worker(0).conn(0).token, 77U);
  EXPECT_EQ(h.worker(0).conn(0).transport, Transport::pipe);
  EXPECT_EQ(h.worker(1).conn(0).transport, Transport::pipe);
  EXPECT_TRUE(h.worker(1).conn(0).accepted);
  std::string expected;
  for (unsigned i = 0; i < 50; ++i) {
    const std::string text = pattern(1 + i * 977, i);
    expected += text;
    h.command([&, text](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, text); });
  }
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).received.size() == expected.size(); }));
  EXPECT_TRUE(h.worker(0).conn(0).received == expected);
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).sent == expected.size(); }));
  ASSERT_TRUE(h.wait([&] { return h.worker(1).conn(0).sent == expected.size(); }));
}

void pipe_close_comes_after_the_bytes(Harness& h) {
  ASSERT_TRUE(opened(h));
  const std::string text = pattern(3 << 20);  // far more than the window
  h.command([&](Outbox& out) {
    const auto id = h.worker(0).conn(0).id;
    h.worker(0).send(out, id, text);
    h.worker(0).close(out, id);
  });
  ASSERT_TRUE(h.wait([&] { return h.worker(1).conn(0).closed.has_value(); }));
  EXPECT_EQ(h.worker(1).conn(0).closed, CloseReason::peer_closed);
  EXPECT_TRUE(h.worker(1).conn(0).received == text);
}

void pipe_abort_is_a_reset(Harness& h) {
  ASSERT_TRUE(opened(h));
  h.command([&](Outbox& out) { h.worker(1).abort(out, h.worker(1).conn(0).id); }, 1);
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).closed.has_value(); }));
  EXPECT_EQ(h.worker(0).conn(0).closed, CloseReason::reset);
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, "to nobody"); });
}

// A paused receiver costs its sender, within the window, and nothing is lost.
void pipe_pause_holds_the_sender(Harness& h) {
  ASSERT_TRUE(opened(h));
  h.command([&](Outbox& out) { out.pause(h.worker(1).conn(0).id); }, 1);
  const std::string text = pattern(2 << 20);
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, text); });
  // Another pipe of the same two shards goes on.
  h.command([&](Outbox& out) { out.open_pipe(78, 1); });
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == 2 && h.worker(1).conns().size() == 2; }));
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(1).id, "passes"); });
  ASSERT_TRUE(h.wait([&] { return h.worker(1).conn(1).received == "passes"; }));
  h.command([&](Outbox&) { EXPECT_LE(h.worker(1).conn(0).received.size(), 256U * 1024); }, 1);
  h.command([&](Outbox&) { EXPECT_EQ(h.worker(0).conn(0).sent, 0U); });
  h.command([&](Outbox& out) { out.resume(h.worker(1).conn(0).id); }, 1);
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).sent == text.size(); }));
  EXPECT_TRUE(h.worker(1).conn(0).received == text);
}

// When the other end closes, `sent` has said exactly what its Worker was given (seam.h rule 9).
void pipe_sent_is_what_the_other_worker_had(Harness& h) {
  ASSERT_TRUE(opened(h));
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, pattern(1000)); });
  ASSERT_TRUE(h.wait([&] { return h.worker(1).conn(0).received.size() == 1000; }));
  h.command([&](Outbox& out) { out.pause(h.worker(1).conn(0).id); }, 1);
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, pattern(70'000)); });
  h.command([&](Outbox& out) { h.worker(1).close(out, h.worker(1).conn(0).id); }, 1);
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).closed.has_value(); }));
  EXPECT_EQ(h.worker(0).conn(0).sent, h.worker(1).conn(0).received.size());
}

// The same when it closes in the step that the bytes came with.
void pipe_closed_over_its_bytes_has_had_them(Harness& h) {
  ASSERT_TRUE(opened(h));
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, pattern(1000)); });
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).closed.has_value(); }));
  EXPECT_GT(h.worker(0).conn(0).sent, 0U);  // a loop may cut them
  EXPECT_EQ(h.worker(0).conn(0).sent, h.worker(1).conn(0).received.size());
}

void pipe_to_nowhere_fails(Harness& h) {
  h.command([&](Outbox& out) { out.open_pipe(3, 99); });
  ASSERT_TRUE(h.wait([&] { return h.worker(0).connects_failed().size() == 1; }));
  EXPECT_EQ(h.worker(0).connects_failed()[0], std::pair(std::uint64_t{3}, ConnectError::no_resources));
}

void pipe_to_the_own_shard_works(Harness& h) {
  h.command([&](Outbox& out) { out.open_pipe(4, 0); });
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == 2; }));
  h.command([&](Outbox& out) {
    for (ConnSeen& conn : h.worker(0).conns()) {
      if (!conn.accepted) h.worker(0).send(out, conn.id, "round");
    }
  });
  ASSERT_TRUE(h.wait([&] {
    for (ConnSeen& conn : h.worker(0).conns()) {
      if (!conn.accepted && conn.received == "round") return true;
    }
    return false;
  }));
}

// More mail at once than a ring holds: it waits at the sender, in order.
void many_pipes_at_once(Harness& h) {
  constexpr std::size_t count = 1000;
  h.command([&](Outbox& out) {
    for (std::uint64_t i = 0; i < count; ++i) out.open_pipe(i, 1);
  });
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == count; }));
  h.command([&](Outbox& out) {
    for (ConnSeen& conn : h.worker(0).conns()) h.worker(0).send(out, conn.id, std::to_string(conn.token) + "!");
  });
  ASSERT_TRUE(h.wait([&] {
    for (ConnSeen& conn : h.worker(0).conns()) {
      if (conn.received != std::to_string(conn.token) + "!") return false;
    }
    return true;
  }));
}

void one_shard_stops_the_other_sees_its_pipes_end(Harness& h) {
  ASSERT_TRUE(opened(h));
  h.stop(1);
  EXPECT_TRUE(h.ended(1));
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conn(0).closed.has_value(); }));
  h.command([&](Outbox& out) { h.worker(0).send(out, h.worker(0).conn(0).id, "late"); });
}

// The far end goes on speaking while its connection moves; every byte arrives, in order, at the new owner.
void a_connection_moves_to_another_shard(Harness& h) {
  const auto far = h.connect();
  far->send("first ");
  ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == 1 && h.worker(0).conn(0).received == "first "; }));
  h.command([&](Outbox& out) {
    const ConnSeen& conn = h.worker(0).conn(0);
    h.worker(0).hand_over(out, conn.id, 1, conn.received);
  });
  const std::string text = pattern(300000);
  far->send(text);
  ASSERT_TRUE(h.wait(
      [&] { return h.worker(1).conns().size() == 1 && h.worker(1).conn(0).received.size() == 6 + text.size(); }));
  EXPECT_TRUE(h.worker(1).conn(0).received == "first " + text);
  EXPECT_TRUE(h.worker(1).conn(0).accepted);
  h.command([&](Outbox& out) { h.worker(1).send(out, h.worker(1).conn(0).id, "answer"); }, 1);
  EXPECT_EQ(far->receive(6), "answer");
  far->half_close();
  ASSERT_TRUE(h.wait([&] { return h.worker(1).conn(0).half_closed; }));
  h.command([&](Outbox& out) { h.worker(1).close(out, h.worker(1).conn(0).id); }, 1);
  EXPECT_EQ(far->receive_end(), End::fin);
}

// The far end is gone before the move is over.
void a_connection_ends_while_it_moves(Harness& h) {
  for (int i = 0; i < 20; ++i) {
    const auto far = h.connect();
    far->send("x");
    const auto at = static_cast<std::size_t>(i);
    ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == at + 1 && h.worker(0).conn(at).received == "x"; }));
    h.start_command([&h, at](Outbox& out) { h.worker(0).hand_over(out, h.worker(0).conn(at).id, 1, "x"); });
    far->reset();
  }
  ASSERT_TRUE(h.wait([&] {
    for (ConnSeen& conn : h.worker(1).conns()) {
      if (!conn.closed.has_value()) return false;
    }
    return h.metric(core::Metric::connections, 0) == 0 && h.metric(core::Metric::connections, 1) == 0;
  }));
}

// Those that move were let in by another shard: a full one has room for some.
SceneSetup two_shards_of_four() {
  SceneSetup setup = two_shards_silent();
  setup.config.connections_max = 4;
  return setup;
}
void connections_move_to_a_full_shard(Harness& h) {
  const std::size_t room = two_shards_of_four().config.moved_connections_max();
  std::vector<std::unique_ptr<FarEnd>> fars;
  for (std::size_t at = 0; at <= room; ++at) {
    fars.push_back(h.connect());
    fars.back()->send("x");
    ASSERT_TRUE(h.wait([&] { return h.worker(0).conns().size() == at + 1 && h.worker(0).conn(at).received == "x"; }));
    h.command([&](Outbox& out) { h.worker(0).hand_over(out, h.worker(0).conn(at).id, 1, "x"); });
    if (at == room) break;
    ASSERT_TRUE(h.wait([&] { return h.worker(1).conns().size() == at + 1; })) << at;
  }
  EXPECT_NE(fars.back()->receive_end(), End::none);
  EXPECT_EQ(h.metric(core::Metric::accept_refused_limit, 1), 1U);
  EXPECT_EQ(h.metric(core::Metric::connections, 1), room);
}

}  // namespace

std::vector<Scene> pipe_scenes() {
  return {
      {"pipe_carries_bytes_both_ways", two_shards_echoing, pipe_carries_bytes_both_ways},
      {"pipe_close_comes_after_the_bytes", two_shards_silent, pipe_close_comes_after_the_bytes},
      {"pipe_abort_is_a_reset", two_shards_silent, pipe_abort_is_a_reset},
      {"pipe_pause_holds_the_sender", two_shards_silent, pipe_pause_holds_the_sender},
      {"pipe_sent_is_what_the_other_worker_had", two_shards_silent, pipe_sent_is_what_the_other_worker_had},
      {"pipe_closed_over_its_bytes_has_had_them", two_shards_closing_at_once, pipe_closed_over_its_bytes_has_had_them},
      {"pipe_to_nowhere_fails", two_shards_silent, pipe_to_nowhere_fails},
      {"pipe_to_the_own_shard_works", two_shards_echoing, pipe_to_the_own_shard_works},
      {"many_pipes_at_once", two_shards_echoing, many_pipes_at_once},
      {"a_connection_moves_to_another_shard", two_shards_silent, a_connection_moves_to_another_shard},
      {"connections_move_to_a_full_shard", two_shards_of_four, connections_move_to_a_full_shard},
      {"a_connection_ends_while_it_moves", two_shards_silent, a_connection_ends_while_it_moves},
      {"one_shard_stops_the_other_sees_its_pipes_end", two_shards_silent, one_shard_stops_the_other_sees_its_pipes_end},
  };
}

}  // namespace parley::loops

// tests/loops/scenes_tcp.cc - scenes about one connection: reading, writing, pausing, ending.
#include <gtest/gtest.h>

#include "tests/loops/scene_lists.h"

namespace parley::loops {
namespace {

using core::CloseReason;
using core::ConnectError;
using core::Input;
using core::Metric;
using core::Outbox;
using namespace std::chrono_literals;

void echo(ScriptWorker& worker, const Input& input, Outbox& out) {
  if (input.kind == Input::Kind::bytes) worker.send(out, input.conn, input.slice);
  if (input.kind == Input::Kind::half_closed) worker.close(out, input.conn);
}

SceneSetup echoing() {
  SceneSetup setup;
  setup.reaction = echo;
  return setup;
}

SceneSetup silent() { return {}; }

bool all_conns(ScriptWorker& worker, std::size_t count) { return worker.conns().size() >= count; }

void bytes_come_back(Harness& h) {
  const auto far = h.connect();
  for (const std::size_t bytes : {1U, 100U, 4095U, 4096U, 4097U, 65536U, 70000U, 300000U}) {
    const std::string text = pattern(bytes);
    far->send(text);
    ASSERT_EQ(far->receive(bytes), text) << bytes;
  }
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).sent == h.worker().conn(0).given; }));
  far->half_close();
  EXPECT_EQ(far->receive_end(), End::fin);
}

void one_byte_at_a_time(Harness& h) {
  const auto far = h.connect();
  const std::string text = pattern(600);
  for (std::size_t i = 0; i < text.size(); ++i) far->send(std::string_view(text).substr(i, 1));
  EXPECT_EQ(far->receive(text.size()), text);
}

// Fills small buffers, then large ones, then falls back to small ones; the bytes stay in order through each change.
void a_stream_of_any_size_of_pieces(Harness& h) {
  const auto far = h.connect();
  const std::string large = pattern(3 << 20);
  std::size_t at = 0;
  for (int round = 0; round < 6; ++round) {
    const std::string_view part = std::string_view(large).substr(at, 500000);
    at += part.size();
    // The echo would stop reading us if we did not read: alternate in windows that buffers hold.
    for (std::size_t i = 0; i < part.size(); i += 50000) {
      const std::string_view window = part.substr(i, 50000);
      far->send(window);
      ASSERT_EQ(far->receive(window.size()), window);
    }
    for (int small = 0; small < 40; ++small) {
      far->send("small");
      ASSERT_EQ(far->receive(5), "small");
    }
  }
}

void half_close_still_gets_its_answer(Harness& h) {
  const auto far = h.connect();
  far->send("question");
  far->half_close();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1) && h.worker().conn(0).half_closed; }));
  const auto id = h.worker().conn(0).id;
  EXPECT_EQ(h.worker().conn(0).received, "question");
  h.command([&](Outbox& out) { h.worker().send(out, id, "answer"); });
  EXPECT_EQ(far->receive(6), "answer");
  h.command([&](Outbox& out) { h.worker().close(out, id); });
  EXPECT_EQ(far->receive_end(), End::fin);
}

void close_sends_what_was_said_before(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  const std::string text = pattern(2 << 20);
  h.command([&](Outbox& out) {
    const auto id = h.worker().conn(0).id;
    h.worker().send(out, id, text);
    h.worker().close(out, id);
    out.abort(id);  // the id is dead: ignored
  });
  std::string got;
  EXPECT_EQ(far->receive_end(&got), End::fin);
  EXPECT_EQ(got, text);
}

void abort_drops_what_waits(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  h.command([&](Outbox& out) { h.worker().send(out, h.worker().conn(0).id, pattern(16 << 20)); });
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::short_sends) > 0; }));
  h.command([&](Outbox& out) { h.worker().abort(out, h.worker().conn(0).id); });
  std::string got;
  EXPECT_EQ(far->receive_end(&got), End::reset);
  EXPECT_LT(got.size(), 16U << 20);
}

// A reset that comes together with bytes.
void reset_behind_bytes(Harness& h) {
  for (std::size_t n = 0; n < 200; ++n) {
    const auto far = h.connect();
    ASSERT_TRUE(h.wait([&] { return h.metric(Metric::connections_accepted) == n + 1; }));
    far->send("x");
    far->reset();
  }
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::connections) == 0; }));
}

void reset_while_sending(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  h.command([&](Outbox& out) { h.worker().send(out, h.worker().conn(0).id, pattern(16 << 20)); });
  EXPECT_EQ(far->receive(1000).size(), 1000U);
  far->reset();
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).closed.has_value(); }));
  EXPECT_EQ(h.worker().conn(0).closed, CloseReason::reset);
}

void three_thousand_sends_in_order(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  std::string expected;
  for (int i = 0; i < 3000; ++i) expected += pattern(700, static_cast<unsigned>(i)) + std::to_string(i) + ';';
  // Alternating lanes: nothing is adjacent, so that each is an iovec of its own.
  h.command([&](Outbox& out) {
    ConnSeen& conn = h.worker().conn(0);
    for (int i = 0; i < 3000; ++i) {
      const std::string text = pattern(700, static_cast<unsigned>(i)) + std::to_string(i) + ';';
      conn.given += text.size();
      const auto lane = i % 2 == 0 ? Outbox::Lane::forward : Outbox::Lane::back;
      if (!out.write(conn.id, lane, text)) conn.given = 0;
    }
  });
  EXPECT_EQ(far->receive(expected.size()), expected);
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).sent == expected.size(); }));
}

void slow_reader_resumes(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  std::string expected;
  for (unsigned part = 0; part < 20; ++part) {
    const std::string text = pattern(1 << 20, part);
    expected += text;
    h.command([&, text](Outbox& out) { h.worker().send(out, h.worker().conn(0).id, text); });
  }
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).given == expected.size() && h.metric(Metric::short_sends) > 0; }));
  h.command([&](Outbox&) { EXPECT_LT(h.worker().conn(0).sent, expected.size()); });
  EXPECT_EQ(far->receive(expected.size()), expected);
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).sent == expected.size(); }));
}

void pause_stops_the_sender(Harness& h) {
  const auto far = h.connect();
  far->send("first");
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1) && h.worker().conn(0).received == "first"; }));
  const auto id = h.worker().conn(0).id;
  h.command([&](Outbox& out) { out.pause(id); });
  const std::size_t taken = far->send_until_full(64 << 20);
  EXPECT_LT(taken, 64U << 20);
  std::size_t before = 0;
  ASSERT_TRUE(h.wait([&] {
    before = h.worker().conn(0).received.size();
    return true;
  }));
  EXPECT_LT(before, 128U * 1024) << "read on although paused";
  h.command([&](Outbox& out) { out.resume(id); });
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).received.size() == 5 + taken; }));
}

SceneSetup short_writer_timeout() {
  SceneSetup setup;
  setup.config.writer_timeout = 150ms;
  return setup;
}
void a_peer_that_never_reads_is_closed(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  h.command([&](Outbox& out) { h.worker().send(out, h.worker().conn(0).id, pattern(16 << 20)); });
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).closed.has_value(); }));
  EXPECT_EQ(h.worker().conn(0).closed, CloseReason::timeout);
  EXPECT_EQ(h.metric(Metric::writer_timeouts), 1U);
}

SceneSetup little_heap() {
  SceneSetup setup;
  setup.pool.heap_bytes_max = 1 << 20;
  return setup;
}
void no_room_for_waiting_bytes_closes(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  // In steps that each fit the arenas; what waits adds up to more than the heap.
  bool gone = false;
  for (std::size_t step = 1; step <= 40 && !gone; ++step) {
    h.command([&](Outbox& out) { h.worker().send(out, h.worker().conn(0).id, pattern(512 << 10)); });
    ASSERT_TRUE(h.wait([&] {
      gone = h.worker().conn(0).closed.has_value();
      return gone || h.worker().conn(0).given == step * (512U << 10);
    }));
  }
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).closed.has_value(); }));
  EXPECT_EQ(h.worker().conn(0).closed, CloseReason::no_memory);
  EXPECT_GE(h.metric(Metric::heap_exhausted), 1U);
}

// A turn that says more than the arenas hold goes on in blocks of the heap, which many connections share: of these a slow
// one keeps its own bytes, not the others'.
SceneSetup few_arenas() {
  SceneSetup setup;
  setup.pool.arena_count = 4;
  return setup;
}
void a_slow_reader_keeps_only_what_is_its_own(Harness& h) {
  const auto quick = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  const auto slow = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 2); }));
  constexpr std::size_t much = 16 << 20;
  h.command([&](Outbox& out) { h.worker().send(out, h.worker().conn(1).id, pattern(much)); });
  std::uint64_t before = 0;
  ASSERT_TRUE(h.wait([&] {
    before = h.worker().heap_bytes();
    return h.metric(Metric::short_sends) > 0 && before > 0;
  }));
  h.command([&](Outbox& out) {
    for (int i = 0; i < 100; ++i) {
      h.worker().send(out, h.worker().conn(0).id, pattern(30'000));
      h.worker().send(out, h.worker().conn(1).id, pattern(500));
    }
  });
  EXPECT_EQ(quick->receive(100 * 30'000).size(), 100U * 30'000);
  EXPECT_TRUE(h.wait([&] { return h.worker().conn(0).sent == 100 * 30'000 && h.worker().heap_bytes() < before + 200'000; }));
  EXPECT_EQ(slow->receive(much + 50'000).size(), much + 50'000);
}

SceneSetup four_buffers() {
  SceneSetup setup = echoing();
  setup.pool.small_count = 4;
  setup.pool.large_count = 1;
  return setup;
}
void famine_of_receive_buffers(Harness& h) {
  constexpr std::size_t count = 24;
  std::vector<std::unique_ptr<FarEnd>> far;
  for (std::size_t i = 0; i < count; ++i) far.push_back(h.connect());
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), count); }));
  h.while_stalled([&] {
    for (unsigned i = 0; i < count; ++i) far[i]->send(pattern(20000, i));
  });
  for (unsigned i = 0; i < count; ++i) ASSERT_EQ(far[i]->receive(20000), pattern(20000, i)) << i;
  EXPECT_GT(h.metric(Metric::recv_no_buffers), 0U);
}

void stale_ids_are_ignored(Harness& h) {
  auto first = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  const auto dead = h.worker().conn(0).id;
  first->reset();
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).closed.has_value(); }));
  const auto second = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 2); }));
  EXPECT_NE(h.worker().conn(1).id, dead);
  h.command([&](Outbox& out) {
    for (const core::ConnId id : {dead, core::no_conn, core::ConnId{100000, 1}, core::ConnId{dead.index, 77}}) {
      (void)out.write(id, Outbox::Lane::forward, "to nobody");
      out.pause(id);
      out.resume(id);
      out.abort(id);
      out.close(id);
    }
    h.worker().send(out, h.worker().conn(1).id, "to somebody");
  });
  EXPECT_EQ(second->receive(11), "to somebody");
}

SceneSetup two_connections() {
  SceneSetup setup = echoing();
  setup.config.connections_max = 2;
  return setup;
}
void too_many_connections_are_closed(Harness& h) {
  const auto first = h.connect();
  const auto second = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 2); }));
  const auto third = h.connect();
  EXPECT_NE(third->receive_end(), End::none);
  EXPECT_EQ(h.metric(Metric::accept_refused_limit), 1U);
  first->half_close();
  EXPECT_EQ(first->receive_end(), End::fin);
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::connections) == 1; }));
  const auto fourth = h.connect();
  fourth->send("x");
  EXPECT_EQ(fourth->receive(1), "x");
}

void dial_and_talk(Harness& h) {
  const auto listener = h.listen();
  h.command(
      [&](Outbox& out) { out.connect({.token = 42, .address = listener->address(), .tls = false, .tls_name = {}}); });
  const auto far = listener->accept();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  EXPECT_EQ(h.worker().conn(0).token, 42U);
  EXPECT_FALSE(h.worker().conn(0).accepted);
  far->send(pattern(50000));
  EXPECT_EQ(far->receive(50000), pattern(50000));
  far->half_close();
  EXPECT_EQ(far->receive_end(), End::fin);
}

void dial_refused(Harness& h) {
  h.command(
      [&](Outbox& out) { out.connect({.token = 9, .address = h.refusing_address(), .tls = false, .tls_name = {}}); });
  ASSERT_TRUE(h.wait([&] { return h.worker().connects_failed().size() == 1; }));
  EXPECT_EQ(h.worker().connects_failed()[0], std::pair(std::uint64_t{9}, ConnectError::refused));
  EXPECT_EQ(h.metric(Metric::connect_failures), 1U);
}

SceneSetup short_connect_timeout() {
  SceneSetup setup;
  setup.config.connect_timeout = 100ms;
  return setup;
}
void dial_times_out(Harness& h) {
  h.command(
      [&](Outbox& out) { out.connect({.token = 5, .address = h.silent_address(), .tls = false, .tls_name = {}}); });
  ASSERT_TRUE(h.wait([&] { return h.worker().connects_failed().size() == 1; }));
  EXPECT_EQ(h.worker().connects_failed()[0], std::pair(std::uint64_t{5}, ConnectError::timeout));
}

void stop_during_a_dial(Harness& h) {
  h.command(
      [&](Outbox& out) { out.connect({.token = 5, .address = h.silent_address(), .tls = false, .tls_name = {}}); });
  h.stop();
  EXPECT_TRUE(h.ended());
  EXPECT_EQ(h.worker().connects_failed().size(), 1U);
}

void stop_closes_everything(Harness& h) {
  const auto far = h.connect();
  far->send("x");
  EXPECT_EQ(far->receive(1), "x");
  h.stop();
  EXPECT_NE(far->receive_end(), End::none);
  EXPECT_TRUE(h.ended());
  EXPECT_EQ(h.worker().conn(0).closed, CloseReason::shutting_down);
}

void drain_lets_the_last_bytes_out(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  const std::string text = pattern(4 << 20);
  h.drain();
  ASSERT_TRUE(h.wait([&] { return h.worker().drain_seen(); }));
  h.command([&](Outbox& out) {
    const auto id = h.worker().conn(0).id;
    h.worker().send(out, id, text);
    h.worker().drained(out);
  });
  std::string got;
  EXPECT_EQ(far->receive_end(&got), End::fin);
  EXPECT_TRUE(got == text);
  far->half_close();
  EXPECT_TRUE(h.ended());
}

SceneSetup short_flush() {
  SceneSetup setup;
  setup.config.drain_flush = 100ms;
  return setup;
}
void a_receiver_that_takes_nothing_does_not_stop_the_end(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  h.drain();
  ASSERT_TRUE(h.wait([&] { return h.worker().drain_seen(); }));
  h.command([&](Outbox& out) {
    h.worker().send(out, h.worker().conn(0).id, pattern(16 << 20));
    h.worker().drained(out);
  });
  EXPECT_TRUE(h.ended());
  EXPECT_EQ(h.metric(Metric::flush_timeouts), 1U);
}

SceneSetup short_linger() {
  SceneSetup setup;
  setup.config.linger = 100ms;
  return setup;
}
void a_peer_that_keeps_its_side_open_is_left(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  h.command([&](Outbox& out) { h.worker().close(out, h.worker().conn(0).id); });
  EXPECT_EQ(far->receive_end(), End::fin);
  ASSERT_TRUE(h.wait([&] { return h.metric(Metric::linger_timeouts) == 1; }));
}

SceneSetup slow_lazy_sent() {
  SceneSetup setup = echoing();
  setup.config.sent_lazy = 10s;
  return setup;
}
// The credit of small sends rides along with later Inputs, but a paused connection gets its turn at once.
void sent_does_not_wait_while_somebody_is_paused(Harness& h) {
  const auto far = h.connect();
  ASSERT_TRUE(h.wait([&] { return all_conns(h.worker(), 1); }));
  const auto id = h.worker().conn(0).id;
  h.command([&](Outbox& out) {
    out.pause(id);
    h.worker().send(out, id, "hold");
  });
  ASSERT_TRUE(h.wait([&] { return h.worker().conn(0).sent == 4; }));
  EXPECT_EQ(far->receive(4), "hold");
  h.command([&](Outbox& out) { out.resume(id); });
}

}  // namespace

std::vector<Scene> tcp_scenes() {
  return {
      {"bytes_come_back", echoing, bytes_come_back},
      {"one_byte_at_a_time", echoing, one_byte_at_a_time},
      {"a_stream_of_any_size_of_pieces", echoing, a_stream_of_any_size_of_pieces},
      {"half_close_still_gets_its_answer", silent, half_close_still_gets_its_answer},
      {"close_sends_what_was_said_before", silent, close_sends_what_was_said_before},
      {"abort_drops_what_waits", silent, abort_drops_what_waits},
      {"reset_behind_bytes", silent, reset_behind_bytes},
      {"reset_while_sending", silent, reset_while_sending},
      {"three_thousand_sends_in_order", silent, three_thousand_sends_in_order},
      {"a_slow_reader_keeps_only_what_is_its_own", few_arenas, a_slow_reader_keeps_only_what_is_its_own},
      {"slow_reader_resumes", silent, slow_reader_resumes},
      {"pause_stops_the_sender", silent, pause_stops_the_sender},
      {"a_peer_that_never_reads_is_closed", short_writer_timeout, a_peer_that_never_reads_is_closed},
      {"no_room_for_waiting_bytes_closes", little_heap, no_room_for_waiting_bytes_closes},
      {"famine_of_receive_buffers", four_buffers, famine_of_receive_buffers},
      {"stale_ids_are_ignored", silent, stale_ids_are_ignored},
      {"too_many_connections_are_closed", two_connections, too_many_connections_are_closed},
      {"dial_and_talk", echoing, dial_and_talk},
      {"dial_refused", silent, dial_refused},
      {"dial_times_out", short_connect_timeout, dial_times_out},
      {"stop_during_a_dial", silent, stop_during_a_dial},
      {"stop_closes_everything", echoing, stop_closes_everything},
      {"drain_lets_the_last_bytes_out", silent, drain_lets_the_last_bytes_out},
      {"a_receiver_that_takes_nothing_does_not_stop_the_end", short_flush, a_receiver_that_takes_nothing_does_not_stop_the_end},
      {"a_peer_that_keeps_its_side_open_is_left", short_linger, a_peer_that_keeps_its_side_open_is_left},
      {"sent_does_not_wait_while_somebody_is_paused", slow_lazy_sent, sent_does_not_wait_while_somebody_is_paused},
  };
}

}  // namespace parley::loops

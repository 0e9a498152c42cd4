// tests/relay/shards_test.cc - one shard of two: what it owes to sessions that the other one has.
#include "core/id_text.h"
#include "tests/relay/fixture.h"

namespace parley::testing {
namespace {

class OneShardOfTwo : public RelayTest {
 protected:
  OneShardOfTwo() : RelayTest(default_config(), 2) {
    char id[core::id128_chars];
    core::id_encode128({away_key, 88}, id);
    away_uri = "msrp://127.0.0.1:2855/" + std::string(id, sizeof id) + ";tcp";
    EXPECT_EQ(relay.table.insert(away_key, {1, 5, 1}), core::SessionTable::Insert::done);
  }

  void drain() { relay.event(core::Input::Kind::drain, core::no_conn); }

  static constexpr std::uint64_t away_key = 77;
  std::string away_uri;
};

// The loop of a drained shard ends its connections, and with them peers of a session that lives on the other shard.
TEST_F(OneShardOfTwo, drains_until_the_last_session_of_the_process_has_gone) {
  drain();
  EXPECT_FALSE(relay.drained);
  relay.wait(std::chrono::minutes(1));
  EXPECT_FALSE(relay.drained);
  relay.table.erase(away_key);
  relay.wait(std::chrono::seconds(1));
  EXPECT_TRUE(relay.drained);
}

// R4976-7: its end is seen here too, although the way to it was found before.
TEST_F(OneShardOfTwo, a_send_to_a_session_that_has_ended_on_the_other_shard_is_answered_481) {
  const auto a = relay.open();
  const std::string use_a = authenticate(a, "alice", a_uri);
  const auto send = [&](const std::string& tid) {
    relay.send(a, send_frame(tid, use_a + " " + away_uri + " " + b_uri, a_uri, "Message-ID: " + tid + "\r\n", "hi"));
    return relay.take(a);
  };
  EXPECT_TRUE(send("t001").starts_with("MSRP t001 200 "));
  EXPECT_TRUE(send("t002").starts_with("MSRP t002 200 "));
  relay.table.erase(away_key);
  EXPECT_TRUE(send("t003").starts_with("MSRP t003 481 "));
}

// Would both ends of a pipe stop reading until the other has read, neither would read again.
TEST_F(OneShardOfTwo, only_one_end_of_a_pipe_is_held_back_for_what_it_does_not_read) {
  const auto a = relay.open();
  const std::string use_a = authenticate(a, "alice", a_uri);
  relay.send(a, send_frame("t001", use_a + " " + away_uri + " " + b_uri, a_uri, "Message-ID: m1\r\n", "hi"));
  const auto ours = relay.connected(1);  // the first thing it dialled
  const auto theirs = relay.open(core::Transport::pipe);
  const std::string nowhere = "msrp://127.0.0.1:2855/" + std::string(core::id128_chars, 'A') + ";tcp " + b_uri;
  for (const auto pipe : {ours, theirs}) {
    relay.stop_kernel(pipe, true);
    for (int n = 0; n < 10'000; ++n) relay.send(pipe, send_frame("t002", nowhere, a_uri, "Message-ID: m2\r\n", "hi"));
    EXPECT_GT(relay.take(pipe).size(), 1'200'000U);  // what it is told about them
  }
  EXPECT_FALSE(relay.paused(ours));
  EXPECT_TRUE(relay.paused(theirs));
}

}  // namespace
}  // namespace parley::testing

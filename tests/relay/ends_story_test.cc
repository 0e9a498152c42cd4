// Stories of sessions that end here: rooms of a few legs whose peers dribble, stall, answer, refuse, go and come back.
// Whatever happens, each SEND that was written is answered once, each message that arrives is told in order and to its
// end, and at rest nothing is left.
#include <algorithm>
#include <deque>
#include <map>
#include <random>

#include "tests/relay/ends_fixture.h"

namespace parley::testing {
namespace {

class EndsStory : public EndsTest, public ::testing::WithParamInterface<int> {
 protected:
  struct Peer {
    msrp::EndHandle end;
    std::string path;
    std::string uri;
    core::ConnId conn;
    bool there = false;     // its connection is open
    bool slow = false;
    bool closed = false;    // by policy
    bool arriving = false;  // a message of its own is not complete
    std::string unsent;     // of what it says
    std::string unread;     // of what it was sent
    std::map<std::uint64_t, bool> waiting;  // mark -> an answer must come, or may
    std::string told;       // of the message that arrives
    std::string said;
    bool in_message = false;
    int holds = 0;
  };

  EndsStory() : random(static_cast<unsigned>(GetParam())) {}

  std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(random() % below); }

  void join() {
    Peer& peer = peers.emplace_back();
    peer.path = "msrp://p" + std::to_string(peers.size()) + ".example.net:7777/ppp;tcp";
    peer.end = open(peers.size() - 1);
    peer.uri = uri(peer.end);
    const bool early = draw(4) == 0;
    if (!early) connect(peer.end, peer.path);
    come(peer);
    if (early) connect(peer.end, peer.path);
  }

  void come(Peer& peer) {
    peer.conn = relay.open();
    peer.there = true;
    peer.slow = false;
    peer.unsent = bodiless("bind", peer.uri, peer.path);
    peer.unread.clear();
    peer.arriving = false;
    say(peer, peer.unsent.size());
  }

  void say(Peer& peer, std::size_t bytes) {
    bytes = std::min(bytes, peer.unsent.size());
    const std::string part = peer.unsent.substr(0, bytes);
    peer.unsent.erase(0, bytes);
    if (peer.unsent.empty()) peer.arriving = false;
    if (!relay.paused(peer.conn)) {
      relay.send(peer.conn, part);
      settle();
    } else {
      peer.unsent.insert(0, part);
    }
  }

  void go(Peer& peer) {
    peer.there = false;
    relay.close(peer.conn);
    settle();
  }

  void new_message(Peer& peer) {
    if (!peer.unsent.empty()) return;
    peer.said.assign(1 + draw(9000), static_cast<char>('a' + draw(26)));
    static constexpr const char* failures[] = {"yes", "no", "partial"};
    peer.unsent = send_frame("tid" + std::to_string(draw(1000)), peer.uri, peer.path,
                             "Message-ID: m" + std::to_string(++messages) + "\r\nFailure-Report: " + failures[draw(3)] + "\r\n", peer.said);
    peer.arriving = true;
  }

  // What a peer does with what it got.
  void read(Peer& peer) {
    peer.unread += relay.take(peer.conn);
    for (;;) {
      ASSERT_TRUE(peer.unread.empty() || std::string("MSRP ").starts_with(peer.unread.substr(0, 5)) || peer.unread.starts_with("MSRP "));
      const std::string tid = text_between(peer.unread, "MSRP ", " ");
      const std::size_t end = tid.empty() ? std::string::npos : peer.unread.find("-------" + tid);
      if (end == std::string::npos) return;
      const std::string frame = peer.unread.substr(0, end + 7 + tid.size() + 3);
      peer.unread.erase(0, frame.size());
      if (frame.find(tid + " SEND\r\n") == std::string::npos || header(frame, "Failure-Report") == "no") continue;
      ASSERT_EQ(header(frame, "To-Path"), peer.path);
      ASSERT_EQ(header(frame, "From-Path"), peer.uri);
      const std::uint32_t what = draw(20);
      if (what == 0) continue;  // silent
      std::string answer = ok(tid, peer.uri, peer.path);
      if (what == 1) answer.replace(5 + tid.size() + 1, 6, "413 No");
      if (what == 2) answer += answer;
      // Behind what it is saying.
      if (peer.arriving) continue;
      peer.unsent += answer;
    }
  }

  void settle() {
    for (Owner::Seen& seen : std::exchange(owner.facts, {})) {
      Peer& peer = peers[seen.fact.owner];
      ASSERT_EQ(seen.fact.end, peer.end);
      ASSERT_FALSE(peer.closed);
      switch (seen.fact.kind) {
        case Kind::answered:
          ASSERT_EQ(peer.waiting.count(seen.fact.mark), 1U) << "mark " << seen.fact.mark << " status " << seen.fact.status;
          peer.waiting.erase(seen.fact.mark);
          ++answers;
          break;
        case Kind::piece:
          ASSERT_EQ(seen.fact.first, !peer.in_message);
          if (seen.fact.first) peer.told.clear();
          ASSERT_EQ(seen.fact.start, peer.told.size() + 1);
          peer.told += seen.body;
          peer.in_message = !seen.fact.last;
          if (seen.fact.last) {
            ++told;
            ASSERT_TRUE(seen.fact.flag == msrp::Flag::end ? peer.told == peer.said : !peer.there || relay.closed(peer.conn));  // we close those that are too slow
          }
          break;
        case Kind::closed:
          ASSERT_FALSE(peer.in_message);
          ASSERT_FALSE(waits(peer));
          peer.waiting.clear();
          peer.there = false;
          break;
        case Kind::failed: ADD_FAILURE() << "failed " << seen.fact.status; break;
        default: break;
      }
    }
  }

  void send_out() {
    std::vector<msrp::EndHandle> legs;
    for (const Peer& peer : peers) {
      if (draw(8) != 0) legs.push_back(peer.end);
    }
    static constexpr msrp::FailureReport failures[] = {msrp::FailureReport::yes, msrp::FailureReport::no, msrp::FailureReport::partial};
    static constexpr const char* names[] = {"yes", "no", "partial"};
    const std::uint32_t failure = draw(3);
    const std::string headers = std::string("Message-ID: o1\r\nFailure-Report: ") + names[failure] + "\r\nContent-Type: text/plain\r\n";
    const std::string body(draw(4000), 'z');
    const std::uint64_t mark = ++marks;
    const msrp::EndSend message{.headers = headers, .failure = failures[failure], .mark = mark, .tell_200 = failure == 0, .prefix = body};
    std::vector<msrp::Ends::NotSent> not_sent;
    if (draw(3) == 0 && !legs.empty()) {
      legs.resize(1);
      const Sent sent = send(legs[0], message);
      if (sent != Sent::sent) not_sent.push_back({legs[0], sent});
    } else {
      owner.act([&](msrp::Ends& ends) { ends.fan_out(legs, message, not_sent); });
    }
    for (Peer& peer : peers) {
      const auto is = [&](const auto& one) { return one == peer.end; };
      if (std::none_of(legs.begin(), legs.end(), is)) continue;
      const bool sent = std::none_of(not_sent.begin(), not_sent.end(), [&](const auto& one) { return one.end == peer.end; });
      ASSERT_TRUE(!sent || (peer.there && !peer.closed));
      if (sent && failure != 1) peer.waiting.emplace(mark, failure == 0);
    }
    settle();
  }

  static bool waits(const Peer& peer) {
    return std::any_of(peer.waiting.begin(), peer.waiting.end(), [](const auto& mark) { return mark.second; });
  }

  void step() {
    Peer& peer = peers[draw(static_cast<std::uint32_t>(peers.size()))];
    switch (draw(16)) {
      case 0:
      case 1: if (peer.there) new_message(peer); break;
      case 2:
      case 3:
      case 4: if (peer.there) say(peer, 1 + draw(3000)); break;
      case 5:
      case 6: if (peer.there && !peer.slow) read(peer); break;
      case 7:
      case 8:
      case 9: send_out(); break;
      case 10:
        if (peer.there) {
          peer.slow = !peer.slow;
          relay.stop_kernel(peer.conn, peer.slow);
        }
        break;
      case 11:
        if (draw(4) == 0 && peer.there) go(peer);
        else if (!peer.there && !peer.closed) come(peer);
        break;
      case 12:
        owner.act([&](msrp::Ends& ends) { peer.holds != 0 ? ends.release(peer.end) : ends.hold(peer.end); });
        if (!peer.closed) peer.holds = peer.holds != 0 ? 0 : 1;
        break;
      case 13: relay.wait(std::chrono::milliseconds(draw(3000))); break;
      case 14:
        if (draw(8) == 0 && !peer.closed) {
          settle();
          close(peer.end);
          peer.closed = true;
          peer.there = false;
          peer.waiting.clear();
        }
        break;
      case 15:
        if (peers.size() < 8) join();
        break;
    }
    settle();
  }

  std::minstd_rand random;
  std::deque<Peer> peers;
  std::uint64_t messages = 0;
  std::uint64_t marks = 0;
  std::uint64_t answers = 0;
  std::uint64_t told = 0;
};

TEST_P(EndsStory, R4975_8_every_send_is_answered_once_and_nothing_is_left) {
  for (int i = 0; i < 3; ++i) join();
  settle();
  for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) step();
  for (Peer& peer : peers) {
    if (peer.there) relay.stop_kernel(peer.conn, false);
    if (peer.holds != 0) owner.act([&](msrp::Ends& ends) { ends.release(peer.end); });
  }
  settle();
  relay.wait(std::chrono::seconds(70));
  settle();
  for (const Peer& peer : peers) EXPECT_FALSE(waits(peer)) << peer.path;
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
  EXPECT_EQ(relay.service.relay().ends().live_fan_outs(), 0U);
  for (Peer& peer : peers) {
    if (!peer.closed) close(peer.end);
  }
  relay.wait(std::chrono::seconds(1));
  EXPECT_EQ(relay.service.relay().live_connections(), 0U);
  EXPECT_EQ(relay.service.relay().armed_timers(), 0U);
  EXPECT_EQ(relay.service.relay().ends().live(), 0U);
  EXPECT_EQ(relay.table.count(), 0U);
  EXPECT_GT(told, 1U);      // a story in which something happened
  EXPECT_GT(answers, 10U);
  EXPECT_LE(relay.pool.live_blocks(), 2U);  // the Outbox keeps one for each of its lanes
}

INSTANTIATE_TEST_SUITE_P(Seeds, EndsStory, ::testing::Range(1, 101));

}  // namespace
}  // namespace parley::testing

// tests/sim/datagrams_test.cc - the virtual UDP network does what its troubles say, and nothing else.
#include "tests/sim/datagrams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace parley::sim {
namespace {

core::Address at(std::uint16_t port) { return *core::parse_ip("10.0.0.1", port); }

struct Listening final : DatagramEnd {
  void on_datagram(const core::Address& from, const core::Address&, std::string_view bytes) override {
    got.emplace_back(bytes);
    sources.insert(from.port);
  }
  std::vector<std::string> got;
  std::set<std::uint16_t> sources;
};

struct Fixture {
  explicit Fixture(const Faults& wanted, std::uint64_t seed = 1) : faults(wanted), net(agenda, journal, faults, seed) {}
  void run() {
    while (!agenda.empty()) agenda.run_one();
  }
  std::vector<std::string> hundreds_of(std::size_t hundreds) {
    Listening end;
    net.attach(at(1), &end);
    for (std::size_t n = 0; n < hundreds * 100; ++n) {
      net.send(at(2), at(1), std::to_string(1'000'000 + n));
      agenda.jump_to(agenda.now() + 10us);
    }
    run();
    net.detach(at(1), &end);
    return end.got;
  }

  Agenda agenda;
  Journal journal{agenda, false};
  Faults faults;
  Datagrams net;
};

TEST(SimDatagrams, without_troubles_all_arrive_in_order) {
  Faults faults;
  faults.delay_max = 100ms;
  const auto got = Fixture(faults).hundreds_of(3);
  EXPECT_EQ(got.size(), 300U);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST(SimDatagrams, as_many_are_lost_as_the_trouble_says) {
  Faults faults;
  faults.datagram_loss_permille = 300;
  const auto got = Fixture(faults).hundreds_of(20);
  EXPECT_GT(got.size(), 1300U);
  EXPECT_LT(got.size(), 1500U);
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST(SimDatagrams, copies_arrive_twice) {
  Faults faults;
  faults.datagram_copies_permille = 200;
  const auto got = Fixture(faults).hundreds_of(20);
  EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), 2000U);
  EXPECT_GT(got.size(), 2300U);
  EXPECT_LT(got.size(), 2500U);
}

TEST(SimDatagrams, late_ones_are_passed_by_others) {
  Faults faults;
  faults.datagram_late_permille = 100;
  faults.datagram_late_max = 50ms;
  auto got = Fixture(faults).hundreds_of(10);
  EXPECT_FALSE(std::is_sorted(got.begin(), got.end()));
  std::sort(got.begin(), got.end());
  EXPECT_EQ(std::unique(got.begin(), got.end()), got.end());
  EXPECT_EQ(got.size(), 1000U);
}

TEST(SimDatagrams, a_seed_tells_the_same_story_twice) {
  Faults faults;
  faults.delay_max = 5ms;
  faults.datagram_loss_permille = 100;
  faults.datagram_copies_permille = 100;
  faults.datagram_late_permille = 100;
  faults.datagram_late_max = 50ms;
  EXPECT_EQ(Fixture(faults, 7).hundreds_of(5), Fixture(faults, 7).hundreds_of(5));
  EXPECT_NE(Fixture(faults, 7).hundreds_of(5), Fixture(faults, 8).hundreds_of(5));
}

TEST(SimDatagrams, a_source_stays_with_one_of_those_who_share_an_address) {
  Fixture f{Faults()};
  Listening a;
  Listening b;
  f.net.attach(at(1), &a);
  f.net.attach(at(1), &b);
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t port = 100; port < 140; ++port) f.net.send(at(port), at(1), "x");
  }
  f.run();
  EXPECT_EQ(a.got.size() + b.got.size(), 120U);
  EXPECT_EQ(a.sources.size() + b.sources.size(), 40U);
  EXPECT_GT(a.sources.size(), 5U);
  EXPECT_GT(b.sources.size(), 5U);
  f.net.detach(at(1), &a);
  f.net.send(at(100), at(1), "y");
  f.run();
  EXPECT_EQ(b.got.back(), "y");
  f.net.detach(at(1), &b);
  f.net.send(at(100), at(1), "to nobody");
  f.run();
}

}  // namespace
}  // namespace parley::sim

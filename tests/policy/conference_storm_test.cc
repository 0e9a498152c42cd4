// tests/policy/conference_storm_test.cc - many members who all watch: what NOTIFYs cost, and what everyone has built of
// them when peers failed on the way. OMA-CONF-2, OMA-CONF-4, OMA-CONF-9.
#include <gtest/gtest.h>

#include <random>

#include "tests/policy/conference_party.h"

namespace parley::tests {
namespace {

using core::Metric;
using policy::DisconnectionMethod;
using policy::EndpointStatus;
using policy::RosterPlace;

// Four million elements are written and read: some minutes with sanitizers in between.
#if defined(PARLEY_SANITIZED)
constexpr std::uint64_t members = 500;
#else
constexpr std::uint64_t members = 2000;
#endif

// Each of the members joins and subscribes, 4 ms apart. Every subscriber has to hear of each member once, in its
// first document or later: members x subscribers elements is the least there can be, and nearly what is sent.
TEST(ConferenceStorm, OMA_CONF_4_JoinsOfAllCostWhatIsSaidOnce) {
  constexpr std::uint64_t element_bytes = 330;  // a user with one endpoint, names as here
  constexpr std::uint64_t notify_bytes = 1200;  // head of a NOTIFY and of a document
  auto config = conference_config();
  config->transport.queue_bytes_max = 4 << 20;
  ConferenceParty party(config);
  ConferenceWorld& world = party.world;
  for (std::uint64_t n = 0; n < members; ++n) {
    const std::string name = "member" + std::to_string(n);
    (void)world.join(name);
    ConferenceWatcher& watcher = party.add(name, true);
    watcher.deaf = n % (members / 5) != 0;
    watcher.subscribe();
    ASSERT_EQ(world.status, 200);
    world.advance(4ms);
  }
  world.advance(11s);
  std::uint64_t bytes = 0, elements = 0, notifies = 0, full = 0;
  for (const auto& watcher : party.watchers) {
    bytes += watcher->notify_bytes;
    elements += watcher->user_elements;
    notifies += static_cast<std::uint64_t>(watcher->notifies);
    full += watcher->full_documents;
    if (!watcher->deaf) {
      EXPECT_EQ(watcher->reader.count(), std::to_string(members));
      EXPECT_EQ(watcher->reader.users(), party.watchers[0]->reader.users());
    }
  }
  EXPECT_EQ(elements, members * members) << "everybody hears of everybody once";
  EXPECT_EQ(full, members) << "one full document for each, never one for a change";
  EXPECT_LE(notifies, members * 4) << "8 s of joins, 5 s between NOTIFYs";
  EXPECT_LE(bytes, members * members * element_bytes + notifies * notify_bytes);
  EXPECT_EQ(bytes, world.metrics.get(Metric::sip_conference_notify_bytes));
  RecordProperty("bytes", std::to_string(bytes));

  // One more change: one document for all who have been told the same.
  world.advance(6s);
  const std::uint64_t written = world.metrics.get(Metric::sip_conference_documents);
  (void)world.join("late");
  EXPECT_LE(world.most_at_once, 501U) << "others get their turn, too";
  world.advance(20ms);
  EXPECT_EQ(world.metrics.get(Metric::sip_conference_documents), written + 1);
  std::uint64_t now = 0;
  for (const auto& watcher : party.watchers) now += watcher->notify_bytes;
  EXPECT_LE(now - bytes, members * (element_bytes + notify_bytes));

  // A quarter of them leave at once: each is told twice, disconnected and deleted.
  constexpr std::uint64_t leaving = members / 4;
  world.advance(6s);
  elements = 0;
  for (const auto& watcher : party.watchers) elements += watcher->user_elements;
  for (std::uint32_t user = 1; user <= leaving; ++user) {
    world.change([&] { ASSERT_TRUE(world.roster().leave({user, 1}, DisconnectionMethod::departed)); });
  }
  world.advance(12s);
  std::uint64_t after = 0;
  for (const auto& watcher : party.watchers) after += watcher->user_elements;
  EXPECT_EQ(after - elements, leaving * members * 2);
  EXPECT_LE(world.most_bytes_at_once, std::size_t{1} << 20) << "a document and 256 KiB: messages get their turn, too";
  EXPECT_EQ(world.roster().departures(), 0U);
  for (const auto& watcher : party.watchers) {
    if (!watcher->deaf) {
      EXPECT_EQ(watcher->reader.count(), std::to_string(members + 1 - leaving));
      EXPECT_EQ(watcher->reader.users(), party.watchers[0]->reader.users());
    }
  }
  world.end_session();
  EXPECT_EQ(world.events.subscribers() + world.events.watched(), 0U);
}

// Watchers who answer late, with errors, or not at all, refresh, leave and come back, while members do the same.
class StormWalk {
 public:
  explicit StormWalk(std::uint64_t seed) : random_(seed) {
    for (int n = 0; n < 5; ++n) {
      ConferenceWatcher& watcher = party_.add("w" + std::to_string(n), pick(2) == 0);
      watcher.subscribe();
      subscribed_.push_back(true);
    }
  }
  void run(int steps) {
    for (int n = 0; n < steps && !testing::Test::HasFailure(); ++n) step();
    // The faults stop. Who still has a subscription hears of the next change.
    for (const auto& watcher : party_.watchers) recover(*watcher);
    party_.world.advance(40s);
    for (const auto& watcher : party_.watchers) recover(*watcher);
    party_.world.change([&] {
      (void)party_.world.roster().lock(pick(2) == 0 || !locked_);
      locked_ = true;
    });
    party_.world.change([&] { party_.world.roster().describe({.subject = "last"}); });
    party_.world.advance(20s);
    ConferenceWatcher& judge = party_.add("judge", true);
    judge.subscribe({.expires = "0"});
    ASSERT_EQ(judge.full_documents, 1U);
    for (std::size_t n = 0; n < subscribed_.size(); ++n) {
      ConferenceWatcher& watcher = *party_.watchers[n];
      if (!watcher.reader.has_state() || line_of(watcher.last_notify, "Subscription-State").starts_with("terminated"))
        continue;
      if (watcher.reader.root().child("conference-description")->text_of("subject") != "last")
        continue;  // it was ended
      EXPECT_EQ(watcher.reader.users(), judge.reader.users());
      EXPECT_EQ(watcher.reader.count(), judge.reader.count());
      ++compared;
    }
    party_.world.end_session();
    party_.world.advance(40s);
    EXPECT_EQ(party_.world.events.subscribers(), 0U);
    EXPECT_EQ(party_.world.events.watched(), 0U);
    EXPECT_EQ(party_.world.transactions.live(), 0U);
  }
  int compared = 0;

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  ConferenceWatcher& anyone() {
    return *party_.watchers[static_cast<std::size_t>(pick(static_cast<int>(subscribed_.size())))];
  }

  void step() {
    switch (pick(9)) {
      case 0:
      case 1: places_.push_back(party_.world.join("m" + std::to_string(pick(10)))); break;
      case 2:
      case 3:
        if (places_.empty()) break;
        party_.world.change([&] {
          const auto place = places_.begin() + pick(static_cast<int>(places_.size()));
          (void)party_.world.roster().leave(*place, DisconnectionMethod::departed);
          places_.erase(place);
        });
        break;
      case 4: party_.world.advance(std::chrono::milliseconds(pick(7000))); break;
      case 5: fail(anyone()); break;
      case 6: recover(anyone()); break;
      case 7: anyone().refresh({.expires = pick(4) == 0 ? "0" : "600"}); break;
      default: {
        ConferenceWatcher& watcher = anyone();
        recover(watcher);
        watcher.reader = {};
        watcher.refresh({.expires = "0"});
        watcher.reader = {};
        watcher.subscribe();
        break;
      }
    }
  }
  void fail(ConferenceWatcher& watcher) {
    watcher.mute = pick(2) == 0;
    constexpr std::uint16_t answers[] = {200, 500, 503, 481};
    watcher.answer = answers[pick(4)];
  }
  static void recover(ConferenceWatcher& watcher) {
    watcher.mute = false;
    watcher.answer = 200;
    for (const std::string& notify : std::exchange(watcher.unanswered, {})) watcher.answer_now(notify, 200);
  }

  std::mt19937_64 random_;
  ConferenceParty party_;
  std::vector<bool> subscribed_;
  std::vector<RosterPlace> places_;
  bool locked_ = false;
};

TEST(ConferenceStorm, OMA_CONF_9_AfterFaultsEveryoneHasWhatIsTrue) {
  int compared = 0;
  for (std::uint64_t seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    StormWalk walk(seed);
    walk.run(60);
    compared += walk.compared;
  }
  EXPECT_GT(compared, 300);
}

}  // namespace
}  // namespace parley::tests

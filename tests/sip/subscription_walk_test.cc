// tests/sip/subscription_walk_test.cc - long random lives of many subscriptions, on both sides: what is promised of
// each holds whatever the order of things, and nothing a peer does reaches a CHECK.
#include <gtest/gtest.h>

#include <array>
#include <map>

#include "core/random.h"
#include "sip/notifier.h"
#include "sip/subscriber.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using core::Instant;

constexpr std::array walk_packages = {reg_package, EventPackage{.name = "conference",
                                                           .type = "application",
                                                           .subtype = "conference-info+xml",
                                                           .interval_min = core::Duration(0s)}};
constexpr std::array reasons = {
    TerminationReason::none,       TerminationReason::deactivated, TerminationReason::probation,
    TerminationReason::rejected,   TerminationReason::timeout,     TerminationReason::giveup,
    TerminationReason::noresource, TerminationReason::invariant,   TerminationReason::other};

core::Seed seed_of(unsigned number) {
  core::Seed seed{};
  seed[0] = static_cast<std::uint8_t>(number);
  seed[1] = static_cast<std::uint8_t>(number >> 8);
  return seed;
}

class NotifierWalk {
 public:
  explicit NotifierWalk(unsigned number) : random_(seed_of(number)) {}

  void run() {
    for (int step = 0; step < 3000; ++step) {
      act();
      drain();
      if (::testing::Test::HasFailure()) return;
    }
    // Peace: every NOTIFY is answered; then everything ends by itself.
    for (int n = 0; n < 5; ++n) {
      while (!sent_.empty()) answer(0, 200);
      drain();
      now_ += 2h;
      drain();
    }
    EXPECT_EQ(notifier_.size(), 0U);
    EXPECT_TRUE(live_.empty());
    EXPECT_EQ(notifier_.next_deadline(), core::never);
    EXPECT_EQ(metrics_.get(core::Metric::sip_subscriptions), 0U);
  }

 private:
  struct Life {
    std::uint64_t dialog = 0;
    std::uint8_t package = 0;
    bool owed = false;  // a SUBSCRIBE was accepted: a NOTIFY has to follow now
    bool last = false;  // `terminated` was sent
    Instant sent_at{};
  };

  [[nodiscard]] std::uint64_t pick(std::uint64_t n) { return random_.uniform(n); }

  void act() {
    const std::uint64_t dialog = pick(6);
    const auto package = static_cast<std::uint8_t>(pick(2));
    const Event event{.package = walk_packages[package].name, .id = "", .has_id = false, .parameters = {}};
    const SubscriptionId found = notifier_.find(dialog, event);
    const auto expires = static_cast<std::uint32_t>(pick(4) == 0 ? 0 : pick(1000));
    switch (pick(11)) {
      case 0:
      case 1:
        if (found.valid()) {
          ASSERT_TRUE(notifier_.refresh(found, expires, now_));
          live_[found.packed()].owed = true;
        } else {
          const SubscriptionId id = notifier_.subscribe({.dialog = dialog,
                                                         .resource = pick(3),
                                                         .package = package,
                                                         .event = event,
                                                         .expires_seconds = expires,
                                                         .pending = pick(3) == 0},
                                                        now_);
          if (id.valid()) live_[id.packed()] = {.dialog = dialog, .package = package, .owed = true};
        }
        break;
      case 2: notifier_.changed(pick(3), now_); break;
      case 3: notifier_.grant(found, now_); break;
      case 4: notifier_.end(found, reasons[pick(reasons.size())], static_cast<std::uint32_t>(pick(2)), now_); break;
      case 5:
        if (pick(10) == 0) notifier_.dialog_gone(dialog, now_);
        break;
      case 6:
        if (pick(10) == 0) notifier_.end_all(pick(3), TerminationReason::noresource, now_);
        break;
      case 7:
        for (int n = 0; n < 3 && !sent_.empty(); ++n) {
          answer(pick(sent_.size()), static_cast<std::uint16_t>(pick(2) == 0 ? 200 : 400 + pick(200)));
        }
        break;
      case 8:
        if (!sent_.empty()) {
          const auto [id, number] = sent_.begin()->second;
          notifier_.notify_unheard(SubscriptionId::unpack(id), number, now_);
          sent_.erase(sent_.begin());
        }
        break;
      case 9:
        if (!found.valid()) {
          const SubscriptionId id = notifier_.restore({.dialog = dialog,
                                                       .resource = pick(3),
                                                       .package = package,
                                                       .event = event,
                                                       .expires = now_ + std::chrono::seconds(expires),
                                                       .notify_at = now_ + std::chrono::seconds(pick(3)),
                                                       .held = pick(3) == 0},
                                                      now_);
          if (id.valid()) live_[id.packed()] = {.dialog = dialog, .package = package};
        }
        break;
      default: now_ += std::chrono::milliseconds(pick(20'000));
    }
  }

  void answer(std::uint64_t which, std::uint16_t status) {
    auto at = sent_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(which));
    notifier_.notify_answered(SubscriptionId::unpack(at->second.first), at->second.second, status, now_);
    sent_.erase(at);
  }

  void drain() {
    for (NotifierFact fact; notifier_.next_fact(now_, fact);) {
      if (fact.kind == NotifierFact::Kind::ended) {
        ASSERT_EQ(live_.erase(fact.ended.subscription.packed()), 1U) << "ended twice, or never begun";
        continue;
      }
      const NotifyFact& notify = fact.notify;
      const auto found = live_.find(notify.subscription.packed());
      ASSERT_NE(found, live_.end());
      Life& life = found->second;
      ASSERT_FALSE(life.last) << "nothing follows `terminated`";
      ASSERT_EQ(notify.dialog, life.dialog);
      life.last = notify.status == SubscriptionStatus::terminated;
      ASSERT_TRUE(notify.full || now_ - life.sent_at >= walk_packages[life.package].interval_min);
      life.owed = false;
      life.sent_at = now_;
      sent_.emplace(++order_, std::pair(notify.subscription.packed(), notify.number));
    }
    for (const auto& [id, life] : live_) ASSERT_FALSE(life.owed) << "a SUBSCRIBE without its NOTIFY";
  }

  core::Random random_;
  core::Metrics metrics_;
  Instant now_ = Instant{} + 1000s;
  Notifier notifier_{NotifierConfig{.subscriptions_max = 8}, walk_packages, metrics_, now_};
  std::map<std::uint64_t, Life> live_;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint32_t>> sent_;
  std::uint64_t order_ = 0;
};

TEST(SubscriptionWalk, R6665_1_ManyNotifierLives) {
  for (unsigned number = 0; number < 30 && !HasFailure(); ++number) {
    SCOPED_TRACE(number);
    NotifierWalk(number).run();
  }
}

// A peer that does anything at all, and time that goes on.
void subscriber_walk(unsigned number) {
  core::Random random(seed_of(number));
  Instant now = Instant{} + 1000s;
  SubscriberConfig config;
  config.expires_seconds = static_cast<std::uint32_t>(random.uniform(5) == 0 ? 0 : random.uniform(4000));
  Subscriber subscriber(config);
  SubscriberStep step = subscriber.start(now);
  int usages = 0;
  int firsts = 1;
  const Instant begun = now;
  for (int n = 0; n < 2000; ++n) {
    using subscription_rules::SubscriberState;
    const auto subscribed = [&subscriber] {
      return subscriber.state() == SubscriberState::pending || subscriber.state() == SubscriberState::active ||
             subscriber.state() == SubscriberState::leaving;
    };
    const bool before = subscribed();
    switch (random.uniform(5)) {
      case 0:
        step = subscriber.response({.status = static_cast<std::uint16_t>(200 + random.uniform(500)),
                                    .has_expires = random.uniform(2) == 0,
                                    .expires_seconds = static_cast<std::uint32_t>(random.uniform(5000)),
                                    .min_expires_seconds = static_cast<std::uint32_t>(random.uniform(5000)),
                                    .retry_after_seconds = static_cast<std::uint32_t>(random.uniform(1'000'000))},
                                   now);
        break;
      case 1:
      case 2:
        step = subscriber.notify({.status = static_cast<SubscriptionStatus>(random.uniform(4)),
                                  .reason = reasons[random.uniform(reasons.size())],
                                  .has_expires = random.uniform(2) == 0,
                                  .has_retry_after = random.uniform(2) == 0,
                                  .expires_seconds = static_cast<std::uint32_t>(random.next()),
                                  .retry_after_seconds = static_cast<std::uint32_t>(random.uniform(100))},
                                 now);
        ASSERT_TRUE(step.answer == 200 || step.answer == 481);
        break;
      case 3: step = subscriber.refresh_now(now); break;
      default:
        if (subscriber.deadline() == core::never) {
          now += 1s;
          continue;
        }
        now = std::max(now, subscriber.deadline());
        step = subscriber.due(now);
    }
    if (!before && subscribed()) ++usages;
    if (step.usage_ended) --usages;
    ASSERT_TRUE(usages == 0 || usages == 1) << n;
    ASSERT_EQ(usages == 1, subscribed()) << n;
    if (step.send == SubscribeKind::first) ++firsts;
    if (subscriber.over()) {
      ASSERT_EQ(subscriber.deadline(), core::never);
      return;
    }
    // Something is always to come, or the peer has the last word in a state that time ends.
    ASSERT_NE(subscriber.deadline(), core::never) << n;
    // 423 may ask for many at once, each with a longer time; nothing else may make us run.
    ASSERT_LE(firsts, 3600 + (now - begun) / 1s) << n;
  }
}

TEST(SubscriptionWalk, R6665_1_ManySubscriberLives) {
  for (unsigned number = 0; number < 500 && !testing::Test::HasFailure(); ++number) {
    SCOPED_TRACE(number);
    subscriber_walk(number);
  }
}

}  // namespace
}  // namespace parley::tests

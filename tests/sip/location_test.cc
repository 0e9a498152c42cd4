// tests/sip/location_test.cc - bindings: changed whole or not at all, ended by time and by connections, ordered,
// limited.
#include "sip/location.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using core::Instant;
using Applied = Location::Applied;

Flow stream(std::uint32_t index, std::uint16_t shard = 0) {
  return {.transport = core::Transport::wss,
          .shard = shard,
          .listener = 0,
          .connection = {index, 1},
          .remote = *core::parse_ip("192.0.2.9", static_cast<std::uint16_t>(index))};
}

class LocationTest : public testing::Test {
 protected:
  LocationTest() { make(); }
  ~LocationTest() override { check(); }

  void make() { location_ = std::make_unique<Location>(config_, random_, metrics_, now_); }

  Binding binding(const std::string& contact, core::Duration life = 1h) {
    Binding b;
    b.contact = contact;
    b.expires = now_ + life;
    b.expires_seconds = static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(life).count());
    return b;
  }
  Applied put(std::string_view aor, Binding b, std::uint64_t number = 0) {
    BindingChange change{.kind = BindingChange::Kind::put, .number = number, .binding = std::move(b)};
    return location_->apply(aor, {&change, 1}, now_);
  }
  Applied remove(std::string_view aor, std::uint64_t number) {
    BindingChange change{.kind = BindingChange::Kind::remove, .number = number, .binding = {}};
    return location_->apply(aor, {&change, 1}, now_);
  }
  // "aor contact event", with "." behind it when nothing is left.
  std::vector<std::string> facts() {
    std::vector<std::string> lines;
    for (LocationFact fact; location_->next_fact(now_, fact);) {
      lines.push_back(fact.aor + " " + fact.binding.contact + " " + std::string(to_string(fact.event)) +
                      (fact.aor_ended ? "." : ""));
      EXPECT_EQ(fact.binding.last_event, fact.event);
    }
    return lines;
  }
  std::vector<std::string> order(std::string_view aor) {
    std::vector<Target> targets;
    order_targets(location_->bindings(aor), now_, targets);
    std::vector<std::string> lines;
    for (const Target& target : targets) lines.push_back((target.fallback ? "or " : "") + target.binding->contact);
    return lines;
  }
  // The counts are those of what is there.
  void check() {
    std::uint64_t bindings = 0;
    std::uint32_t aors = 0;
    location_->for_each([&](std::string_view aor, std::span<const Binding> list) {
      EXPECT_FALSE(list.empty());
      EXPECT_EQ(location_->bindings(aor).data(), list.data());
      bindings += list.size();
      ++aors;
    });
    EXPECT_EQ(location_->binding_count(), bindings);
    EXPECT_EQ(location_->aors(), aors);
    EXPECT_EQ(metrics_.get(core::Metric::sip_location_bindings), bindings);
    EXPECT_EQ(metrics_.get(core::Metric::sip_location_aors), aors);
    if (aors == 0) {
      EXPECT_EQ(location_->bytes(), 0U);
    }
  }

  LocationConfig config_;
  core::Random random_{core::Seed{3}};
  core::Metrics metrics_;
  Instant now_{10s};
  std::unique_ptr<Location> location_;
};

using Lines = std::vector<std::string>;

TEST_F(LocationTest, PutRefreshRemove) {
  EXPECT_EQ(put("sip:a@x", binding("sip:a@1")), Applied::done);
  EXPECT_EQ(facts(), Lines{"sip:a@x sip:a@1 registered"});
  const std::uint64_t number = location_->bindings("sip:a@x")[0].number;
  const Instant first = now_;
  now_ += 30s;
  EXPECT_EQ(put("sip:a@x", binding("sip:a@2"), number), Applied::done);
  EXPECT_EQ(facts(), Lines{"sip:a@x sip:a@2 refreshed"});
  const Binding& b = location_->bindings("sip:a@x")[0];
  EXPECT_EQ(b.number, number);
  EXPECT_EQ(b.registered, first);
  EXPECT_EQ(b.refreshed, now_);
  EXPECT_EQ(put("sip:a@x", binding("sip:a@2", 60s), number), Applied::done);
  EXPECT_EQ(facts(), Lines{"sip:a@x sip:a@2 shortened"});
  EXPECT_EQ(remove("sip:a@x", number), Applied::done);
  EXPECT_EQ(facts(), Lines{"sip:a@x sip:a@2 unregistered."});
  EXPECT_TRUE(location_->bindings("sip:a@x").empty());
  EXPECT_EQ(location_->next_deadline(), core::never);
}

TEST_F(LocationTest, ManyChangesAreOneStep) {
  ASSERT_EQ(put("a", binding("1")), Applied::done);
  const std::uint64_t old = location_->bindings("a")[0].number;
  std::vector<BindingChange> changes(3);
  changes[0] = {.kind = BindingChange::Kind::remove, .number = old, .binding = {}};
  changes[1].binding = binding("2");
  changes[2].binding = binding("3");
  (void)facts();
  EXPECT_EQ(location_->apply("a", changes, now_), Applied::done);
  // The user was reachable all the time: no fact says otherwise.
  EXPECT_EQ(facts(), (Lines{"a 2 registered", "a 3 registered", "a 1 unregistered"}));
}

TEST_F(LocationTest, LimitsRefuseTheWholeStep) {
  config_.bindings_per_aor_max = 2;
  config_.binding_bytes_max = 100;
  config_.aors_max = 3;
  make();
  std::vector<BindingChange> changes(3);
  for (BindingChange& change : changes) change.binding = binding("sip:x");
  EXPECT_EQ(location_->apply("a", changes, now_), Applied::too_many);
  changes.resize(2);
  changes[1].binding.params.assign(101, 'x');
  EXPECT_EQ(location_->apply("a", changes, now_), Applied::too_large);
  EXPECT_EQ(location_->aors(), 0U);
  changes.resize(1);
  EXPECT_EQ(location_->apply("a", changes, now_), Applied::done);
  EXPECT_EQ(put("b", binding("1")), Applied::done);
  EXPECT_EQ(put("c", binding("1")), Applied::done);
  EXPECT_EQ(put("d", binding("1")), Applied::no_room);
  EXPECT_EQ(put("c", binding("2")), Applied::done);
  EXPECT_EQ(put("c", binding("3")), Applied::too_many);
  // One that goes makes room for one that comes.
  changes.resize(2);
  changes[0] = {.kind = BindingChange::Kind::remove, .number = location_->bindings("c")[0].number, .binding = {}};
  changes[1] = {.kind = BindingChange::Kind::put, .number = 0, .binding = binding("3")};
  EXPECT_EQ(location_->apply("c", changes, now_), Applied::done);
  EXPECT_EQ(location_->bindings("c").size(), 2U);
  EXPECT_EQ(location_->remove_all("b"), 1U);
  EXPECT_EQ(put("d", binding("1")), Applied::done);
}

TEST_F(LocationTest, BytesAreLimitedButShrinkingIsAlwaysAllowed) {
  config_.bytes_max = 8 * 1024;
  make();
  std::size_t users = 0;
  while (put("user" + std::to_string(users), binding(std::string(300, 'c'))) == Applied::done) ++users;
  EXPECT_GT(users, 3U);
  EXPECT_LT(users, 20U);
  EXPECT_LE(location_->bytes(), config_.bytes_max);
  EXPECT_EQ(put("user0", binding("short"), location_->bindings("user0")[0].number), Applied::done);
  EXPECT_EQ(remove("user1", location_->bindings("user1")[0].number), Applied::done);
}

TEST_F(LocationTest, BindingsExpireAtTheirTime) {
  ASSERT_EQ(put("a", binding("1", 60s)), Applied::done);
  ASSERT_EQ(put("a", binding("2", 90s)), Applied::done);
  (void)facts();
  now_ += 59'999ms;
  EXPECT_EQ(facts(), Lines{});
  EXPECT_EQ(order("a").size(), 2U);
  now_ += 1ms;
  EXPECT_EQ(order("a"), Lines{"2"});  // also when nobody has asked for facts yet
  EXPECT_EQ(facts(), Lines{"a 1 expired"});
  now_ += 1h;
  EXPECT_LE(location_->next_deadline(), now_);
  EXPECT_EQ(facts(), Lines{"a 2 expired."});
}

TEST_F(LocationTest, ExpiredOnesDoNotCountAgainstALimit) {
  config_.bindings_per_aor_max = 1;
  make();
  ASSERT_EQ(put("a", binding("1", 60s)), Applied::done);
  now_ += 60s;
  EXPECT_EQ(put("a", binding("2", 60s)), Applied::done);
  EXPECT_EQ(facts(), (Lines{"a 1 registered", "a 1 expired.", "a 2 registered"}));
}

TEST_F(LocationTest, TenThousandUsersExpireEachAtItsTimeAndOnce) {
  constexpr std::size_t users = 10'000;
  std::map<std::string, Instant> due;
  for (std::size_t i = 0; i < users; ++i) {
    const std::string aor = "sip:user" + std::to_string(i) + "@example.com";
    const auto life = std::chrono::seconds(60 + random_.uniform(3600));
    ASSERT_EQ(put(aor, binding("sip:x", life)), Applied::done);
    due[aor] = now_ + life;
  }
  EXPECT_EQ(facts().size(), users);
  check();
  Instant before = now_;
  std::size_t ended = 0;
  while (location_->aors() != 0) {
    const Instant next = location_->next_deadline();
    ASSERT_GT(next, now_);
    ASSERT_NE(next, core::never);
    now_ = next;
    for (LocationFact fact; location_->next_fact(now_, fact); ++ended) {
      ASSERT_EQ(fact.event, BindingEvent::expired);
      ASSERT_TRUE(fact.aor_ended);
      ASSERT_LE(due.at(fact.aor), now_);
      ASSERT_GT(due.at(fact.aor), before - 2ms);
    }
    before = now_;
  }
  EXPECT_EQ(ended, users);
  EXPECT_EQ(location_->next_deadline(), core::never);
}

TEST_F(LocationTest, T_35_ABindingEndsWithTheConnectionItIsReachedOver) {
  Binding b = binding("sip:a@x.invalid;transport=ws");
  b.flow = stream(4);
  b.over_flow = true;
  Binding dialled = binding("sip:a@192.0.2.1;transport=tcp");
  dialled.flow = stream(4);
  ASSERT_EQ(put("a", b), Applied::done);
  ASSERT_EQ(put("a", dialled), Applied::done);
  ASSERT_EQ(put("b", b), Applied::done);
  (void)facts();
  EXPECT_TRUE(location_->flow_in_use(stream(4)));
  EXPECT_FALSE(location_->flow_in_use(stream(5)));
  EXPECT_FALSE(location_->flow_in_use(stream(4, 1)));  // another shard's connection of the same number
  EXPECT_EQ(location_->flow_closed(stream(5)), 0U);
  EXPECT_EQ(location_->flow_closed(stream(4, 1)), 0U);
  EXPECT_EQ(location_->flow_closed(stream(4)), 2U);
  EXPECT_EQ(facts(),
            (Lines{"a sip:a@x.invalid;transport=ws deactivated", "b sip:a@x.invalid;transport=ws deactivated."}));
  EXPECT_EQ(location_->bindings("a").size(), 1U);
  EXPECT_EQ(location_->flow_closed(stream(4)), 0U);
}

TEST_F(LocationTest, T_35_ABindingThatHasMovedOnSurvivesItsOldConnection) {
  Binding b = binding("sip:a@x.invalid");
  b.flow = stream(4);
  b.over_flow = true;
  ASSERT_EQ(put("a", b), Applied::done);
  b.flow = stream(5);
  ASSERT_EQ(put("a", b, location_->bindings("a")[0].number), Applied::done);
  EXPECT_EQ(location_->flow_closed(stream(4)), 0U);
  EXPECT_EQ(location_->flow_closed(stream(5)), 1U);
  // And when the binding is over, the connection is nobody's.
  b.expires = now_ + 60s;
  ASSERT_EQ(put("a", b), Applied::done);
  now_ += 60s;
  (void)facts();
  EXPECT_FALSE(location_->flow_in_use(stream(5)));
}

TEST_F(LocationTest, R5626_2_OneFlowOfAnInstanceIsClosedTheOtherStays) {
  for (std::uint32_t id = 1; id <= 2; ++id) {
    Binding b = binding("sip:a@192.0.2.1");
    b.instance = "<urn:uuid:1>";
    b.reg_id = id;
    b.flow = stream(id);
    b.over_flow = true;
    ASSERT_EQ(put("a", b), Applied::done);
  }
  EXPECT_EQ(location_->flow_closed(stream(2)), 1U);
  ASSERT_EQ(location_->bindings("a").size(), 1U);
  EXPECT_EQ(location_->bindings("a")[0].reg_id, 1U);
}

TEST_F(LocationTest, OrderIsByQThenTheNewest) {
  const auto with_q = [this](const char* contact, std::uint16_t q) {
    Binding b = binding(contact);
    b.q = q;
    ASSERT_EQ(put("a", b), Applied::done);
    now_ += 1s;
  };
  with_q("old-half", 500);
  with_q("one", 1000);
  with_q("new-half", 500);
  with_q("none", 0);
  EXPECT_EQ(order("a"), (Lines{"one", "new-half", "old-half", "none"}));
}

TEST_F(LocationTest, R5626_2_OfOneInstanceOnlyTheNewestFlowIsATarget) {
  const auto flow = [this](const char* contact, const char* instance, std::uint32_t reg_id, std::uint16_t q) {
    Binding b = binding(contact);
    b.instance = instance;
    b.reg_id = reg_id;
    b.q = q;
    ASSERT_EQ(put("a", b), Applied::done);
    now_ += 1s;
  };
  flow("phone1", "<urn:uuid:1>", 1, 1000);
  flow("desk", "<urn:uuid:2>", 1, 700);
  flow("plain", "", 0, 600);
  flow("phone2", "<urn:uuid:1>", 2, 500);
  flow("plain2", "", 0, 400);
  // The newest flow of the phone speaks for it, with its q; the older one follows it.
  EXPECT_EQ(order("a"), (Lines{"desk", "plain", "phone2", "or phone1", "plain2"}));
  // T-35: the same instance again from another port, without reg-id, is one device, too.
  flow("desk-again", "<urn:uuid:2>", 0, 700);
  EXPECT_EQ(order("a"), (Lines{"desk-again", "or desk", "plain", "phone2", "or phone1", "plain2"}));
}

TEST_F(LocationTest, BytesForAnotherShardKeepEverythingAndNothingElseIsRead) {
  Binding b = binding("sip:a@1;transport=tcp");
  b.display = "\"A, B\"";
  b.params = ";q=0.5;+g.oma.sip-im";
  b.instance = "<urn:uuid:1>";
  b.reg_id = 2;
  b.q = 500;
  b.call_id = "call";
  b.cseq = 77;
  b.path = "<sip:edge;lr>";
  b.flow = stream(3, 2);
  b.over_flow = true;
  b.user_agent = "IM-client/OMA1.0";
  ASSERT_EQ(put("a", b), Applied::done);
  ASSERT_EQ(put("a", binding("")), Applied::done);
  const auto there = location_->bindings("a");
  std::string bytes;
  encode_bindings(bytes, there);
  std::vector<Binding> read;
  ASSERT_TRUE(decode_bindings(bytes, read));
  ASSERT_EQ(read.size(), 2U);
  std::string again;
  encode_bindings(again, read);
  EXPECT_EQ(again, bytes);
  EXPECT_EQ(read[0].flow, there[0].flow);
  EXPECT_EQ(read[0].expires, there[0].expires);
  EXPECT_EQ(read[0].params, there[0].params);
  EXPECT_TRUE(read[0].over_flow);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(decode_bindings(std::string_view(bytes).substr(0, cut), read)) << cut;
    EXPECT_TRUE(read.empty());
  }
  EXPECT_FALSE(decode_bindings(bytes + "x", read));
  // Whatever is damaged, nothing is read beyond the end.
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    for (int n = 0; n < 3; ++n) damaged[random_.uniform(damaged.size())] = static_cast<char>(random_.next());
    (void)decode_bindings(damaged, read);
  }
}

}  // namespace
}  // namespace parley::tests

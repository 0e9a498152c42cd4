// tests/policy/conference_walk_test.cc - rosters that change at random and subscribers who are told seldom, often, late
// or in full: what each has built of his documents is what is true, and nobody leaves without being seen to.
// OMA-CONF-2, OMA-CONF-3, OMA-CONF-4.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "policy/conference_info.h"
#include "tests/policy/conference_reader.h"

namespace parley::tests {
namespace {

using policy::ConferenceInfoState;
using policy::DisconnectionMethod;
using policy::EndpointStatus;
using policy::Roster;
using policy::RosterDocument;
using policy::RosterPlace;
using policy::RosterPosition;

// What is true, kept apart from the roster.
struct Truth {
  struct Device {
    RosterPlace place;
    std::string status;
    bool takes_part = false;
  };
  struct Person {
    std::string display;
    std::string nick;
    std::map<std::string, Device> devices;  // by endpoint entity
  };
  std::map<std::string, Person> people;  // by entity

  [[nodiscard]] std::string users() const {
    std::string all;
    for (const auto& [entity, person] : people) {
      all += entity + " \"" + (person.nick.empty() ? person.display : person.nick) + "\" nick=" + person.nick;
      for (const auto& [contact, device] : person.devices) all += " | " + contact + " " + device.status;
      all += "\n";
    }
    return all;
  }
  [[nodiscard]] std::string count() const {
    std::size_t count = 0;
    for (const auto& [entity, person] : people) {
      bool any = false;
      for (const auto& [contact, device] : person.devices) any = any || device.takes_part;
      count += any ? 1 : 0;
    }
    return std::to_string(count);
  }
};

struct Follower {
  ConferenceReader reader;
  RosterPosition at;
  std::uint32_t number = 0;
  bool more = false;
  std::set<std::string> leaving;     // endpoints that have left and were not shown as such
  std::map<std::string, int> shown;  // shown as disconnected in the last document
};

class Walk {
 public:
  explicit Walk(std::uint64_t seed, const policy::RosterLimits& limits)
      : random_(seed), roster_("sip:conf@example.org", {.subject = "walk"}, limits), followers_(6) {}

  void run(int steps) {
    for (int step = 0; step < steps && !testing::Test::HasFatalFailure(); ++step) {
      const int what = pick(100);
      if (what < 60) {
        change();
      } else {
        Follower& follower = followers_[static_cast<std::size_t>(pick(static_cast<int>(followers_.size())))];
        tell(follower, pick(25) == 0);
      }
      if (pick(10) == 0) forget();
    }
    for (Follower& follower : followers_) {
      tell(follower, false);
      for (int n = 0; follower.more && n < 3; ++n) tell(follower, false);
      ASSERT_FALSE(follower.more);
      EXPECT_EQ(follower.reader.users(), truth_.users());
      EXPECT_EQ(follower.reader.count(), truth_.count());
    }
    forget();
    EXPECT_EQ(roster_.departures(), 0U);
    EXPECT_EQ(roster_.users(), truth_.people.size());
  }
  int partial = 0;
  int full = 0;
  int departed = 0;

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void change() {
    const std::string name = "u" + std::to_string(pick(8));
    const int device = pick(3);
    const bool anonymous = pick(5) == 0 && name == "u1";
    const std::string entity = anonymous ? "" : "sip:" + name + "@example.org";
    switch (pick(5)) {
      case 0:
      case 1: join(name, device, anonymous); break;
      case 2: with_device([&](const std::string& at, const std::string& contact) { leave(at, contact); }); break;
      case 3: with_device([&](const std::string& at, const std::string& contact) { status(at, contact); }); break;
      default: alias(); break;
    }
  }
  void join(const std::string& name, int device, bool anonymous) {
    const std::string contact = "sip:" + name + "@192.0.2." + std::to_string(device);
    const RosterPlace place = roster_.join({.aor = name,
                                            .entity = "sip:" + name + "@example.org",
                                            .display = "<" + name + ">",
                                            .anonymous = anonymous,
                                            .endpoint = contact,
                                            .status = EndpointStatus::dialing_out,
                                            .method = policy::JoiningMethod::dialed_out});
    if (!place.valid()) return;
    const std::string entity(roster_.entity_of(place.user));
    Truth::Person& person = truth_.people[entity];
    person.display = anonymous ? "Anonymous" + entity.substr(13, entity.find('@') - 13) : "<" + name + ">";
    const bool twice = person.devices.contains(contact);
    const std::string base = anonymous ? entity : contact;
    const std::string shown = anonymous || twice ? base + ";endpoint=" + std::to_string(place.endpoint) : contact;
    person.devices[shown] = {place, "dialing-out dialed-out", false};
    for (Follower& follower : followers_) follower.leaving.erase(entity + " " + shown);
  }
  template <class Then>
  void with_device(Then then) {
    if (truth_.people.empty()) return;
    auto person = std::next(truth_.people.begin(), pick(static_cast<int>(truth_.people.size())));
    const auto device =
        std::next(person->second.devices.begin(), pick(static_cast<int>(person->second.devices.size())));
    then(std::string(person->first), std::string(device->first));
  }
  void leave(const std::string& entity, const std::string& contact) {
    Truth::Person& person = truth_.people[entity];
    ASSERT_TRUE(roster_.leave(person.devices[contact].place, DisconnectionMethod::departed, "Reason: SIP;cause=200"));
    person.devices.erase(contact);
    if (person.devices.empty()) truth_.people.erase(entity);
    ++departed;
    for (Follower& follower : followers_) {
      if (follower.number > 0) follower.leaving.insert(entity + " " + contact);
    }
  }
  void status(const std::string& entity, const std::string& contact) {
    constexpr std::pair<EndpointStatus, const char*> all[] = {
        {EndpointStatus::connected, "connected dialed-out sendrecv"},
        {EndpointStatus::on_hold, "on-hold dialed-out inactive"},
        {EndpointStatus::alerting, "alerting dialed-out"}};
    const int which = pick(3);
    Truth::Device& device = truth_.people[entity].devices[contact];
    const bool changes = device.status != all[which].second;
    ASSERT_EQ(roster_.status(device.place, all[which].first), changes);
    device.status = all[which].second;
    device.takes_part = which != 2;
  }
  void alias() {
    if (truth_.people.empty()) return;
    auto& [entity, person] = *std::next(truth_.people.begin(), pick(static_cast<int>(truth_.people.size())));
    const std::string nick = pick(3) == 0 ? "" : "n&" + std::to_string(pick(4));
    ASSERT_EQ(roster_.alias(person.devices.begin()->second.place.user, nick), person.nick != nick);
    person.nick = nick;
  }

  void tell(Follower& follower, bool ask_full) {
    const RosterDocument document = roster_.document(follower.at, ask_full);
    std::string text;
    roster_.put_head(document.full ? ConferenceInfoState::full : ConferenceInfoState::partial, ++follower.number, text);
    text += document.tail;
    ASSERT_EQ(follower.reader.take(text), ConferenceReader::Step::applied) << follower.reader.fault() << "\n" << text;
    ASSERT_EQ(follower.reader.count(), truth_.count());
    follower.more = document.more;
    ++(document.full ? full : partial);
    if (document.full) {
      ASSERT_EQ(follower.reader.users(), truth_.users());
      follower.leaving.clear();
      return;
    }
    // Who has left since the last document is there as disconnected, and nobody else is.
    std::set<std::string> disconnected;
    std::string living;
    for (const ConferenceElement& user : follower.reader.root().child("users")->children) {
      for (const ConferenceElement& endpoint : user.children) {
        if (endpoint.name == "endpoint" && endpoint.text_of("status") == "disconnected") {
          disconnected.insert(user.attribute("entity") + " " + endpoint.attribute("entity"));
        }
      }
    }
    ASSERT_EQ(disconnected, follower.leaving) << text;
    ASSERT_EQ(document.more, !disconnected.empty());
    if (disconnected.empty()) {
      ASSERT_EQ(follower.reader.users(), truth_.users()) << text;
    }
    follower.leaving.clear();
  }
  void forget() {
    std::uint64_t before = roster_.version();
    for (const Follower& follower : followers_) {
      if (follower.number > 0) before = std::min(before, follower.at.before);
    }
    roster_.forget(before);
  }

  std::mt19937_64 random_;
  Roster roster_;
  Truth truth_;
  std::vector<Follower> followers_;
};

TEST(ConferenceWalk, OMA_CONF_4_WhatIsBuiltOfTheDocumentsIsTheRoster) {
  int partial = 0, full = 0, departed = 0;
  for (std::uint64_t seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed, {.endpoints_max = 1000});
    walk.run(250);
    partial += walk.partial;
    full += walk.full;
    departed += walk.departed;
  }
  EXPECT_GT(partial, 10'000);
  EXPECT_GT(full, 500);
  EXPECT_GT(departed, 3'000);
}

TEST(ConferenceWalk, OMA_CONF_3_AShortHistoryCostsFullDocumentsAlone) {
  int full = 0;
  for (std::uint64_t seed = 1; seed <= 100 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed, {.endpoints_max = 1000, .history_max = 2, .documents_max = 1});
    walk.run(200);
    full += walk.full;
  }
  EXPECT_GT(full, 1'500);
}

}  // namespace
}  // namespace parley::tests

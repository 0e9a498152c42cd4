// tests/policy/room_walk_test.cc - a room under everything that can happen to it, drawn from a seed: who is slow, lost,
// comes back, leaves, dies in the middle of a message. At the end everybody reads what is there, and each device must
// have what was committed while it was in the room: all of it, once, in the same order as everybody else.
//
//   ROOM_WALK_SEED=n    runs that one alone
//   ROOM_WALK_SEEDS=n   runs that many
#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

struct Committed {
  std::string text;
  std::string sender;   // device
  std::string to_user;  // private
};

struct Begun {
  std::string id, text, to_user;
  std::size_t sent = 0;
};

struct Device {
  std::string user, name;
  RoomWorld::Seat seat;
  bool in_room = false;
  bool away = false;
  core::Duration lost_at{};
  std::size_t since = 0;  // messages committed before it came
  std::vector<MemberHandle> older;  // it joined again, and they may still be in
  std::vector<Phone*> phones;
  std::vector<Begun> begun;
  std::vector<std::pair<std::size_t, std::size_t>> holds;  // messages that were committed while it took nothing
  bool held = false;
  // Of stays in the room that are over.
  std::vector<std::pair<std::size_t, std::vector<Phone*>>> past;
};

class Walk {
 public:
  Walk(std::uint64_t seed, RoomConfig config, bool complete, Spread spread)
      : random_(seed), seed_(seed), config_(config), complete_(complete), w_(config, spread) {
    w_.open();
    for (const std::string user : {"a", "b", "c", "d", "e"}) {
      for (int i = 0; i < (user == "a" || user == "b" ? 2 : 1); ++i) {
        devices_.push_back(
            {.user = user, .name = user + std::to_string(i), .seat = {}, .older = {}, .phones = {}, .begun = {}, .holds = {}, .past = {}});
      }
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      step();
      // One that has joined again and is not connected yet stands behind its older self.
      ASSERT_LE(w_.count(core::Metric::room_members), 2 * devices_.size());
      if (testing::Test::HasFailure()) break;
    }
    settle();
    check();
    w_.end_all();
    EXPECT_EQ(w_.count(core::Metric::room_messages_open), 0U);
    EXPECT_EQ(w_.count(core::Metric::room_away), 0U);
    EXPECT_EQ(w_.count(core::Metric::room_behind), 0U);
    EXPECT_EQ(w_.pool().live_blocks(), 0U);
  }
  [[nodiscard]] std::size_t messages() const { return committed_.size(); }
  [[nodiscard]] std::uint64_t count(core::Metric metric) const { return w_.count(metric); }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }

  void step() {
    if (one_in(2)) (void)w_.mail_arrives_there();
    if (one_in(2)) (void)w_.mail_arrives_home();
    Device& d = devices_[below(devices_.size())];
    if (!d.in_room) {
      if (one_in(3)) come(d);
      return;
    }
    if (one_in(40)) return come_again(d);
    Phone& phone = *d.seat.phone;
    switch (below(25)) {
      case 0: w_.lose(phone), d.begun.clear(); break;
      case 1: go(d, LeaveReason::lost); break;
      case 2:
        if (one_in(4)) go(d, LeaveReason::departed);
        break;
      case 3: phone.keeps_up = !phone.keeps_up; break;
      case 4: phone.queue_max = one_in(2) ? 4000 + below(6000) : 256 * 1024; break;
      case 5: phone.answer = one_in(2) ? 0 : 200; break;
      case 6: advance(std::chrono::milliseconds(below(3000))); break;
      case 7:
      case 8:
      case 9:
        if (!phone.queue.empty()) w_.read_one(phone);
        break;
      case 10: connect(d); break;
      case 11:
      case 12:
      case 13: begin(d); break;
      case 14: hold(d, !d.held); break;
      default: speak(d); break;
    }
    w_.pull();
  }

  void advance(core::Duration time) {
    w_.advance(time);
    time_ += time;
  }

  // e is anonymous: others see another From, and write to another To.
  static std::string uri_of(const std::string& user) {
    return user == "e" ? "sip:anonymous5@anonymous.invalid" : "sip:" + user + "@example.org";
  }
  static std::string as_others_see(const Device& d, const std::string& text) {
    if (d.user != "e") return text;
    return "From: \"Ghost\" <sip:anonymous5@anonymous.invalid>" + text.substr(text.find("\r\n"));
  }

  static Member about(const Device& d) {
    Member about = RoomWorld::member(d.user);
    about.device = d.name;
    about.may_ask_count = d.user == "d";
    about.may_receive = !d.held;
    if (d.user == "e") {
      about.anonymous_number = 5;
      about.display_name = "Ghost";
    }
    return about;
  }

  void come(Device& d) {
    d.seat = w_.join(about(d), !one_in(4));
    ASSERT_TRUE(d.seat.handle.valid());
    const bool in_time = d.away && time_ - d.lost_at < config_.rejoin_window;
    ASSERT_EQ(d.seat.result == JoinResult::rejoined, in_time) << d.name;
    if (!in_time) {
      if (d.away) d.past.emplace_back(d.since, d.phones);
      d.since = committed_.size();
      d.phones.clear();
    }
    d.phones.push_back(d.seat.phone);
    d.away = false;
    d.in_room = true;
  }

  // Without having left: its old connection may be dead or alive, and ends when the new one is there.
  void come_again(Device& d) {
    Phone& old = *d.seat.phone;
    d.older.push_back(d.seat.handle);
    if (one_in(2)) old.keeps_up = false;
    d.begun.clear();
    d.seat = w_.join(about(d), !one_in(3));
    ASSERT_EQ(d.seat.result, JoinResult::rejoined) << d.name;
    d.phones.push_back(d.seat.phone);
    if (one_in(3)) w_.lose(old);
    if (one_in(3)) w_.rooms.leave(d.older.back(), LeaveReason::departed);
  }

  void hold(Device& d, bool on) {
    if (d.held == on) return;
    d.held = on;
    if (on) d.holds.emplace_back(committed_.size(), ~std::size_t{0});
    if (!on) d.holds.back().second = committed_.size();
    ASSERT_EQ(w_.rooms.change(d.seat.handle, about(d)), JoinResult::joined);
  }

  void connect(Device& d) {
    if (!d.seat.phone->connected) w_.connected(*d.seat.phone);
  }

  void go(Device& d, LeaveReason reason) {
    if (d.held) d.holds.back().second = committed_.size();  // what comes while it is away it is owed
    d.held = false;
    const bool is_first = one_in(2);
    if (is_first) w_.rooms.leave(d.seat.handle, reason);
    for (const MemberHandle old : d.older) w_.rooms.leave(old, reason);
    d.older.clear();
    if (!is_first) w_.rooms.leave(d.seat.handle, reason);
    for (Phone* const each : d.phones) {
      each->connected = false;  // what is on its way to another shard finds nobody
      each->queue.clear();
      each->open.clear();
      each->waiting = 0;
    }
    Phone& phone = *d.seat.phone;
    if (RoomWorld::is_elsewhere(phone)) w_.all_mail_arrives();
    EXPECT_TRUE(phone.closed);
    phone.queue.clear();
    phone.open.clear();
    phone.waiting = 0;
    d.begun.clear();
    d.in_room = false;
    d.away = reason == LeaveReason::lost;
    d.lost_at = time_;
    if (!d.away) {
      d.past.emplace_back(d.since, d.phones);
      d.phones.clear();
    }
  }

  std::string some_text(const Device& d, const std::string& to_user, std::size_t bytes) {
    return cpim("sip:" + d.user + "@example.org", to_user.empty() ? room_uri : uri_of(to_user),
                std::to_string(next_text_++) + std::string(bytes, '.'));
  }

  // A private message's recipient, as a rule nobody.
  std::string some_user(const Device& d) {
    if (!one_in(5)) return "";
    const Device& other = devices_[below(devices_.size())];
    return other.user == d.user ? "" : other.user;
  }
  bool is_here(const std::string& user) {
    return std::any_of(devices_.begin(), devices_.end(), [&](const Device& d) { return d.in_room && d.user == user; });
  }

  void speak(Device& d) {
    if (!d.seat.phone->connected) return;
    if (!d.begun.empty() && one_in(2)) return go_on(d);
    const std::string to = some_user(d);
    const std::string text = some_text(d, to, below(one_in(5) ? 5000 : 100));
    const std::uint16_t answer =
        w_.sends(d.seat, {.id = "w" + std::to_string(next_text_), .body = text, .headers = counted(d)});
    ASSERT_EQ(answer, to.empty() || is_here(to) ? 200 : 404);
    if (answer == 200) committed_.push_back({as_others_see(d, text), d.name, to});
  }

  std::string counted(const Device& d) { return d.user == "d" ? "Success-Report: yes;Include-Sent-Count\r\n" : ""; }

  void begin(Device& d) {
    if (!d.seat.phone->connected || d.begun.size() >= 4) return;
    const std::string to = some_user(d);
    Begun message{.id = "c" + std::to_string(next_text_), .text = some_text(d, to, below(9000)), .to_user = to};
    d.begun.push_back(message);
    go_on(d);
  }

  void go_on(Device& d) {
    const std::size_t which = below(d.begun.size());
    Begun& message = d.begun[which];
    const std::size_t left = message.text.size() - message.sent;
    const bool last = one_in(4);
    const std::size_t size = last ? left : below(left + 1);
    const bool aborts = one_in(12);
    std::vector<std::size_t> cuts;
    if (size > 2 && one_in(2)) cuts.push_back(1 + below(size - 1));
    const bool is_repeated = message.sent > 10 && one_in(6);
    const std::size_t from = is_repeated ? message.sent - below(10) : message.sent;
    const std::uint16_t answer =
        w_.sends(d.seat, {.id = message.id,
                          .body = message.text.substr(from, size + (message.sent - from)),
                          .headers = counted(d),
                          .start = from + 1,
                          .total = one_in(2) || last ? message.text.size() : msrp::ByteRange::unknown,
                          .flag = aborts ? Flag::abort
                                  : last ? Flag::end
                                         : Flag::more,
                          .cuts = cuts});
    if (answer != 200) {
      ASSERT_EQ(answer, 404);
      ASSERT_FALSE(message.to_user.empty());
      d.begun.erase(d.begun.begin() + static_cast<std::ptrdiff_t>(which));
      return;
    }
    message.sent += size;
    if (last && !aborts) committed_.push_back({as_others_see(d, message.text), d.name, message.to_user});
    if (last || aborts) d.begun.erase(d.begun.begin() + static_cast<std::ptrdiff_t>(which));
  }

  // Nothing bad happens any more, and everybody reads.
  void settle() {
    for (Device& d : devices_) {
      if (!d.in_room) continue;
      hold(d, false);
      d.seat.phone->keeps_up = true;
      d.seat.phone->answer = 200;
      d.seat.phone->queue_max = 256 * 1024;
      connect(d);
    }
    for (int i = 0; i < 20; ++i) {
      advance(std::chrono::seconds(2));
      for (int turns = 0; turns < 10; ++turns) {
        w_.all_mail_arrives();
        w_.deliver();
      }
    }
  }

  void check() {
    for (const Device& d : devices_) {
      for (const auto& [since, phones] : d.past) check_device(d, since, phones, false);
      if (!d.phones.empty()) check_device(d, d.since, d.phones, d.in_room && complete_);
    }
  }

  void check_device(const Device& d, std::size_t since, const std::vector<Phone*>& phones, bool all) {
    std::vector<std::string> got;
    std::set<std::string> seen, aborted;
    for (const Phone* phone : phones) {
      for (std::size_t i = 0; i < phone->messages.size(); ++i) {
        if (seen.insert(phone->ids[i]).second) got.push_back(phone->messages[i]);
      }
      aborted.insert(phone->aborted.begin(), phone->aborted.end());
    }
    for (const std::string& id : aborted) ASSERT_EQ(seen.count(id), 0U) << "aborted and yet delivered";
    std::vector<std::string> due;
    for (std::size_t i = since; i < committed_.size(); ++i) {
      const Committed& each = committed_[i];
      const bool mine = each.to_user.empty() ? each.sender != d.name : each.to_user == d.user;
      const bool held = std::any_of(d.holds.begin(), d.holds.end(), [i](const auto& h) { return i >= h.first && i < h.second; });
      if (mine && !held) due.push_back(each.text);
    }
    if (all) {
      std::size_t same = 0;
      while (same < got.size() && same < due.size() && got[same] == due[same]) ++same;
      const auto shown = [same](const std::vector<std::string>& texts) {
        return same < texts.size() ? texts[same].substr(0, 140) : std::string("nothing");
      };
      ASSERT_TRUE(got == due) << d.name << " seed " << seed_ << ": " << got.size() << " of " << due.size() << ", at "
                              << same << " has " << shown(got) << " and should have " << shown(due);
      return;
    }
    // In order, none twice; some may be missing.
    std::size_t at = 0;
    for (const std::string& text : got) {
      while (at < due.size() && due[at] != text) ++at;
      ASSERT_LT(at, due.size()) << d.name << " seed " << seed_
                                << ": out of order, twice or not his: " << text.substr(0, 200);
      ++at;
    }
  }

  std::mt19937_64 random_;
  std::uint64_t seed_;
  RoomConfig config_;
  bool complete_;
  RoomWorld w_;
  std::vector<Device> devices_;
  std::vector<Committed> committed_;
  int next_text_ = 1;
  core::Duration time_{};
};

void walk(std::uint64_t first, std::uint64_t count, const RoomConfig& config, bool complete,
          Spread spread = Spread::one_shard) {
  std::size_t messages = 0;
  std::uint64_t rejoined = 0, lagging = 0, aborted = 0, missed = 0;
  if (const char* const one = std::getenv("ROOM_WALK_SEED"); one != nullptr) {
    first = std::strtoull(one, nullptr, 10);
    count = 1;
  } else if (const char* const more = std::getenv("ROOM_WALK_SEEDS"); more != nullptr) {
    count = std::strtoull(more, nullptr, 10);
  }
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Walk one(seed, config, complete, spread);
    one.run(600);
    messages += one.messages();
    rejoined += one.count(core::Metric::room_rejoined);
    lagging += one.count(core::Metric::room_lagging);
    aborted += one.count(core::Metric::room_aborted);
    missed += one.count(core::Metric::room_missed);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "ROOM_WALK_SEED=" << seed;
      return;
    }
  }
  if (count == 1) return;
  EXPECT_GT(messages, 50 * count);
  EXPECT_GT(rejoined, count);
  EXPECT_GT(lagging, count);
  EXPECT_GT(aborted, count);
  if (complete) {
    EXPECT_EQ(missed, 0U);
  } else {
    EXPECT_GT(missed, count);
  }
}

TEST(RoomWalk, OMA_SES_13_EverybodyHasEverythingOnceInTheSameOrder) {
  walk(1, 150,
       {.ring_bytes = 64 * 1024 * 1024, .rejoin_window = std::chrono::minutes(10), .lag_time = std::chrono::hours(1)},
       true);
}

TEST(RoomWalk, OMA_MSRP_6_WithLittleMemoryWhatComesIsInOrder) {
  walk(1000, 100,
       {.ring_bytes = 12 * 1024, .rejoin_window = std::chrono::seconds(20), .lag_time = std::chrono::hours(1)}, false);
}

// Every other member on another shard, with mail between that takes its time.
TEST(RoomWalk, OMA_SES_13_OverTwoShardsEverybodyHasEverythingOnceInTheSameOrder) {
  walk(2000, 200,
       {.ring_bytes = 64 * 1024 * 1024, .rejoin_window = std::chrono::minutes(10), .lag_time = std::chrono::hours(1)},
       true, Spread::late);
}

TEST(RoomWalk, OMA_MSRP_6_OverTwoShardsWithLittleMemoryWhatComesIsInOrder) {
  walk(3000, 150,
       {.ring_bytes = 12 * 1024, .rejoin_window = std::chrono::seconds(20), .lag_time = std::chrono::hours(1)}, false,
       Spread::late);
}

}  // namespace
}  // namespace parley::tests

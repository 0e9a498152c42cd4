// tests/sim/mail/scenario.cc - see scenario.h.
#include "tests/sim/mail/scenario.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "policy/documents.h"
#include "tests/sim/mail/courier.h"
#include "tests/sim/mail/disk.h"
#include "tests/sim/mail/phone.h"
#include "tests/sim/sip/server.h"

namespace parley::sim::mail {
namespace {

Faults faults_of(const Options& options) {
  Faults faults = Faults::draw(options.seed);
  faults.plant = options.plant;
  if (options.plant == Plant::early_release && faults.hold_max < 1ms) faults.hold_max = 50ms;
  return faults;
}

class Scenario {
 public:
  explicit Scenario(const Options& options)
      : options_(options),
        rng_(options.seed, 40),
        world_(options.seed, faults_of(options), options.trace),
        large_rng_(options.seed, 43),
        sip_book_(world_.journal, world_.agenda),
        users_(rng_.between32(2, 5)),
        couriers_max_(large_rng_.coin(1, 4) ? 0 : large_rng_.between32(2, 4)),
        server_(world_, sip_book_.server, draw_others(), draw_sip(), rng_.coin(1, 2) ? 1 : rng_.between32(2, 3), users_ + couriers_max_),
        disk_(world_, options.seed) {
    world_.on_store = [this](Shard& from, std::vector<core::StoreOp>& ops) { disk_.take(server_.place(), from, ops); };
    server_.stored = [this] { return disk_.read(world_.wall_ms()); };
  }

  Outcome run();

 private:
  policy::Config draw_others();
  std::shared_ptr<policy::SipConfig> draw_sip();
  void draw_large(policy::SipConfig& config);
  void add_phones();
  void add_couriers();
  void plan(Instant calm_at);
  void act();
  void act_large();
  void write_large(Courier& courier);
  void settle();
  void check();
  void check_large();
  void check_order();
  [[nodiscard]] bool undisturbed() const;
  std::string user(std::uint64_t n) const { return "user" + std::to_string(n); }

  const Options& options_;
  Rng rng_;
  World world_;
  Rng large_rng_;  // large messages have a stream of their own
  rooms::Book sip_book_;
  Book book_;
  std::uint32_t users_;
  std::uint32_t couriers_max_;
  sip::ServerPlace server_;
  Disk disk_;
  std::vector<std::unique_ptr<Phone>> phones_;
  std::vector<std::unique_ptr<Courier>> couriers_;
  std::uint32_t crashes_ = 0;
  bool rude_ = false;
  std::string shape_;
};

policy::Config Scenario::draw_others() {
  policy::Config config;
  auto relay = std::make_shared<msrp::RelayConfig>();
  if (couriers_max_ != 0) {
    relay->listeners = {{"127.0.0.1", 2855, 2855, address_v4(1, 2855), false},
                        {"127.0.0.1", 2856, 2856, address_v4(1, 2856), true}};
    relay->dial_allow = {*core::parse_cidr("127.0.0.0/8")};
    relay->ends_max = 1024;
    config.rooms = std::make_shared<policy::RoomConfig>();
  }
  config.relay = relay;
  return config;
}

// Messages that go over MSRP, and what they need.
void Scenario::draw_large(policy::SipConfig& config) {
  if (couriers_max_ == 0) return;
  Rng& rng = large_rng_;
  config.calls.carrying = policy::Carrying::b2bua;
  config.calls.timer.min_se_seconds = 90;
  config.calls.timer.interval_seconds = rng.between32(90, 200);
  config.calls.timer.alone = true;  // else a call of two that vanished might never end
  config.im.media.path = policy::MediaPath::always;
  config.focus.one_to_one = policy::OneToOne::direct;
  config.focus.lost_max = std::chrono::seconds(rng.between(5, 40));
  config.focus.distribution_wait = std::chrono::seconds(rng.between(12, 40));  // longer than a device is waited for
  auto& deferred = config.im.deferred;
  if (rng.coin(1, 6)) deferred.large_parallel = rng.between32(1, 6), book_.limited = true;
  if (rng.coin(1, 6)) deferred.large_bytes_max = rng.between(2000, 50'000), book_.limited = true;
  if (rng.coin(1, 6)) deferred.bytes_max = rng.between(2000, 300'000), book_.limited = true;
  if (deferred.count_max < 500) book_.limited = true;
}

std::shared_ptr<policy::SipConfig> Scenario::draw_sip() {
  auto config = std::make_shared<policy::SipConfig>();
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  config->location.aors_max = 64;
  config->registrar.expires_min_s = 1;
  config->sources.requests = 0;
  config->focus.on = true;
  config->focus.factory = "sip:factory@" + sip_book_.server.domain;
  config->focus.invite_parallel = rng_.between32(1, 8);
  config->im.participating = true;
  config->im.deferred_uris = {"sip:Deferred@" + sip_book_.server.domain};
  config->stores_bindings = config->stores_messages = true;
  auto& deferred = config->im.deferred;
  deferred.on = true;
  deferred.answer_max = std::chrono::milliseconds(rng_.coin(1, 3) ? rng_.between(500, 10'000) : 10'000);
  deferred.retry_max = std::chrono::seconds(60);
  deferred.push_parallel = rng_.coin(1, 3) ? 1 : 64;
  deferred.push_rate = rng_.coin(1, 4) ? rng_.between32(2, 20) : 1000;
  if (rng_.coin(1, 4)) deferred.count_max = rng_.between32(1, 6);
  policy::GroupSpec team;
  team.uri = "sip:" + book_.group + "@" + sip_book_.server.domain;
  for (std::uint32_t n = 0; n < users_; ++n) {
    team.members.push_back({.uri = "sip:" + user(n) + "@" + sip_book_.server.domain, .key = {}, .display_name = {}});
  }
  std::vector<policy::GroupSpec> groups = {team};
  if (couriers_max_ != 0) {
    policy::GroupSpec& crew = groups.emplace_back();
    crew.uri = "sip:" + book_.crew + "@" + sip_book_.server.domain;
    for (std::uint32_t n = 0; n < couriers_max_; ++n) {
      crew.members.push_back({.uri = "sip:" + user(users_ + n) + "@" + sip_book_.server.domain, .key = {}, .display_name = {}});
    }
  }
  config->documents = policy::read_documents({}, groups, sip_book_.server.domain).documents;
  draw_large(*config);
  return config;
}

void Scenario::add_phones() {
  for (std::uint32_t n = 0; n < users_; ++n) {
    PhoneTraits traits;
    if (rng_.coin(1, 4)) traits.silent_permille = rng_.between32(20, 500);
    if (rng_.coin(1, 4)) traits.unable_permille = rng_.between32(20, 500);
    if (rng_.coin(1, 4)) traits.refuse_permille = rng_.between32(20, 300);
    if (rng_.coin(1, 3)) traits.answer_max = std::chrono::milliseconds(rng_.scaled(1, 12'000));
    rude_ = rude_ || traits.silent_permille != 0 || traits.answer_max != Duration{};
    phones_.push_back(std::make_unique<Phone>(world_, book_, user(n), n, server_.udp(), traits));
  }
  crashes_ = rng_.coin(1, 2) ? rng_.between32(1, 4) : 0;
  shape_ = "mail, " + std::to_string(server_.place().shards.size()) + " shards, " + std::to_string(users_) + " users, " +
           std::to_string(crashes_) + " crashes";
  world_.journal.line("seed %llu: %s", static_cast<unsigned long long>(options_.seed), shape_.c_str());
}

void Scenario::add_couriers() {
  Rng& rng = large_rng_;
  const Faults& f = world_.faults;
  // So that what a run sends can arrive in its time.
  const bool slow = f.bytes_per_second != 0 && f.bytes_per_second < 1'000'000;
  const bool pieces = f.segment_bytes < 500 || f.piece_bytes < 500 || f.cut_permille > 200 || f.socket_bytes < 4096;
  // More than waits for the disk at one time goes only where a run is not long for it.
  const bool wide = f.bytes_per_second == 0 && f.segment_bytes >= 1000 && f.piece_bytes >= 4096 && f.cut_permille == 0 &&
                    f.socket_bytes >= 32'768;
  for (std::uint32_t n = 0; n < couriers_max_; ++n) {
    CourierTraits traits;
    if (rng.coin(1, 5)) traits.silent_permille = rng.between32(20, 500);
    if (rng.coin(1, 5)) traits.decline_permille = rng.between32(20, 300);
    if (rng.coin(1, 5)) traits.refuse_permille = rng.between32(5, 200);
    if (rng.coin(1, 3)) traits.break_permille = rng.between32(5, 200);
    if (rng.coin(1, 3)) traits.cut_permille = rng.between32(5, 200);
    if (rng.coin(1, 3)) traits.answer_max = std::chrono::milliseconds(rng.scaled(1, 12'000));
    if (rng.coin(1, 5)) traits.media.read_per_tick = rng.scaled(500, 20'000);
    if (rng.coin(1, 5)) traits.media.write_per_tick = rng.scaled(500, 20'000);
    const bool very_large = rng.coin(1, 6) && wide;
    traits.bytes_max = slow || pieces ? 10'000 : very_large ? 1'500'000 : 100'000;
    rude_ = rude_ || traits.silent_permille != 0 || traits.answer_max != Duration{} || traits.break_permille != 0 ||
            traits.cut_permille != 0 || traits.refuse_permille != 0;
    const std::uint32_t number = users_ + n;
    couriers_.push_back(std::make_unique<Courier>(world_, server_.place(), sip_book_, book_, number, user(number),
                                                  address_v4(0x200 + number, static_cast<std::uint16_t>(6000 + number)),
                                                  server_.udp(), traits));
  }
  shape_ += ", " + std::to_string(couriers_max_) + " of large ones";
}

void Scenario::write_large(Courier& courier) {
  const std::uint64_t what = large_rng_.next() % 10;
  std::vector<std::string> users;
  if (what < 6) {
    const Courier& other = *couriers_[large_rng_.next() % couriers_.size()];
    return courier.write_to(other.user(), {other.user()});
  }
  for (const auto& one : couriers_) users.push_back(one->user());
  if (what < 8) return courier.write_to(book_.crew, users);
  if (users.size() > 3) users.erase(users.begin() + static_cast<std::ptrdiff_t>(large_rng_.next() % users.size()));
  courier.write_to("list" + std::to_string(users.size()), users);
}

void Scenario::act_large() {
  Rng& rng = large_rng_;
  Courier& courier = *couriers_[rng.next() % couriers_.size()];
  const std::uint64_t what = rng.next() % 100;
  if (what < 50) {
    write_large(courier);
  } else if (what < 75) {
    courier.switch_on();
    courier.enrol(rng.between32(5, 120));
  } else if (what < 88) {
    courier.enrol(0);
  } else if (what < 94) {
    courier.break_line(rng.next());
  } else {
    ++world_.journal.faults;
    courier.switch_off();
  }
}

void Scenario::act() {
  Phone& phone = *phones_[rng_.next() % phones_.size()];
  const std::uint64_t what = rng_.next() % 100;
  if (what < 60) {
    const Phone& other = *phones_[rng_.next() % phones_.size()];
    phone.write_to(&other == &phone ? book_.group : other.user());
  } else if (what < 65) {
    for (int n = 0; n < 5; ++n) phone.write_to(book_.group);
  } else if (what < 80) {
    phone.switch_on();
    phone.enrol(rng_.between32(5, 120));
  } else if (what < 92) {
    phone.enrol(0);
  } else {
    ++world_.journal.faults;
    phone.switch_off();
  }
}

void Scenario::plan(Instant calm_at) {
  const Instant start = world_.agenda.now();
  const auto span = micros(calm_at - start);
  auto sometime = [&] { return start + std::chrono::microseconds(rng_.between(0, span)); };
  for (std::uint64_t n = rng_.scaled(20, 200); n > 0; --n) world_.agenda.at(sometime(), [this] { act(); });
  if (!couriers_.empty()) {
    for (std::uint64_t n = large_rng_.scaled(10, 80); n > 0; --n) {
      const Instant at = start + std::chrono::microseconds(large_rng_.between(0, span));
      world_.agenda.at(at, [this] { act_large(); });
    }
  }
  for (std::uint32_t n = 0; n < crashes_; ++n) {
    const Instant at = sometime();
    world_.agenda.at(at, [this] {
      server_.crash();
      disk_.crash();
    });
    world_.agenda.at(std::min(calm_at, at + std::chrono::milliseconds(rng_.scaled(1, 8000))), [this] { server_.restart(); });
  }
  if (rng_.coin(1, 4)) {
    const Instant at = sometime();
    world_.agenda.at(at, [this] {
      ++world_.journal.faults;
      disk_.refuse(true);
    });
    world_.agenda.at(at + std::chrono::milliseconds(rng_.scaled(10, 20'000)), [this] { disk_.refuse(false); });
  }
}

// Nothing that was said can have been lost, and nobody died.
bool Scenario::undisturbed() const {
  const Faults& f = world_.faults;
  return crashes_ == 0 && !rude_ && f.stalls == 0 && world_.journal.faults == 0 && f.datagram_loss_permille == 0 &&
         f.delay_max < 50ms && f.datagram_late_max < 50ms;
}

void Scenario::check() {
  const bool never_twice = undisturbed();
  for (const auto& [id, mail] : book_.mails) {
    for (const auto& [who, count] : mail.taken) {
      if (never_twice && count > 1) {
        world_.journal.fail("%s comes to %s %u times", id.c_str(), who.c_str(), count);
      }
    }
    if (mail.status != 202 && mail.status != 200) continue;
    for (std::uint32_t n = 0; n < users_; ++n) {
      const bool for_him = mail.to == book_.group ? user(n) != mail.from : user(n) == mail.to;
      if (!for_him || mail.taken.contains(user(n))) continue;
      if (mail.to == book_.group && mail.refused.contains(user(n))) continue;
      // A copy may be more than its receiver's share; who asked for it is told, and nobody does here.
      if (mail.to == book_.group && server_.config().im.deferred.count_max < 500) continue;
      if (mail.to == book_.group && disk_.refused_some()) continue;
      world_.journal.fail("%s was answered %d and never came to %s", id.c_str(), mail.status, user(n).c_str());
    }
  }
  check_large();
  check_order();
}

// What was reported came to whom it was for, or waits for him; each of several may have been told to have failed.
void Scenario::check_large() {
  const bool never_twice = undisturbed();
  for (const auto& [id, one] : book_.larges) {
    for (const auto& [who, count] : one.taken) {
      if (never_twice && count > 1) world_.journal.fail("%s comes to %s %u times", id.c_str(), who.c_str(), count);
    }
    if (!one.reported) continue;
    for (const std::string& who : one.to) {
      if (one.taken.contains(who)) continue;
      if (one.several) {
        const auto courier = std::find_if(couriers_.begin(), couriers_.end(), [&](const auto& c) { return c->user() == who; });
        if (book_.limited || disk_.refused_some() || (*courier)->troubled(one.began, one.reported_at)) continue;
      }
      world_.journal.fail("%s was reported and never came to %s", id.c_str(), who.c_str());
    }
  }
}

void Scenario::check_order() {
  // A copy that could not be kept has failed, and is followed by the next one although a slow device takes it yet; and what is
  // left of a process may go on on another shard than what is written to the group now.
  const bool copies_in_order = server_.config().im.deferred.count_max >= 500 && !disk_.refused_some() &&
                               (crashes_ == 0 || server_.place().shards.size() == 1);
  for (const auto& [way, ids] : book_.order) {
    if (std::get<1>(way) == book_.group && !copies_in_order) continue;
    std::uint64_t last = 0;
    for (const std::string& id : ids) {
      if (const auto large = book_.larges.find(id); large != book_.larges.end()) {
        const Book::Large& one = large->second;
        if (!one.reported || one.several) continue;
        if (one.number < last) world_.journal.fail("%s comes behind number %llu", id.c_str(), static_cast<unsigned long long>(last));
        last = one.number;
        continue;
      }
      const Book::Mail& mail = book_.mails.at(id);
      if (mail.status / 100 != 2) continue;  // its sender does not know that it has gone
      if (mail.number < last) world_.journal.fail("%s comes behind number %llu", id.c_str(), static_cast<unsigned long long>(last));
      last = mail.number;
    }
  }
}

void Scenario::settle() {
  world_.calm();
  disk_.calm();
  server_.calm();
  server_.restart();
  for (auto& phone : phones_) {
    phone->behave();
    phone->switch_on();
    phone->enrol(600);
  }
  for (auto& courier : couriers_) {
    courier->behave();
    courier->switch_on();
    courier->enrol(2000);
  }
  book_.calm = true;
  // Back-offs end; then what is written now is answered and arrives.
  world_.run_until(world_.agenda.now() + (couriers_.empty() ? 200s : 500s));
  for (auto& courier : couriers_) write_large(*courier);
  for (auto& phone : phones_) {
    for (auto& other : phones_) phone->write_to(other == phone ? book_.group : other->user());
  }
  world_.run_until(world_.agenda.now() + 100s);
  if (world_.journal.failed()) return;
  for (auto& phone : phones_) {
    if (const std::string waits = phone->waiting(); !waits.empty())
      world_.journal.fail("liveness: %s waits %s", phone->user().c_str(), waits.c_str());
  }
  for (auto& courier : couriers_) {
    if (const std::string id = courier->unsettled(); !id.empty()) world_.journal.fail("liveness: %s has come to no end", id.c_str());
  }
  check();
  if (disk_.bodies().size() != 0) world_.journal.fail("%zu bodies are still in the store", disk_.bodies().size());
  const std::size_t kept = disk_.store().deferred.size();
  if (kept != 0) world_.journal.fail("%zu messages are still in the store", kept);
  if (!disk_.store().sendings.empty()) world_.journal.fail("%zu messages to several are", disk_.store().sendings.size());
  for (auto& phone : phones_) phone->enrol(0);
  for (auto& courier : couriers_) {
    courier->enrol(0);
    courier->close_all();
  }
  world_.run_until(world_.agenda.now() + 900s);
  if (world_.journal.failed()) return;
  server_.check_rest();
  if (!disk_.store().bindings.empty()) world_.journal.fail("%zu bindings are still in the store", disk_.store().bindings.size());
}

Outcome Scenario::run() {
  add_phones();
  add_couriers();
  const Instant start = world_.agenda.now();
  const Instant calm_at = start + std::chrono::seconds(rng_.between(20, 180));
  world_.schedule_troubles(calm_at);
  plan(calm_at);
  world_.run_until(calm_at);
  if (!world_.journal.failed()) settle();
  Outcome out;
  out.failure = world_.journal.failure();
  out.shape = shape_;
  out.hash = world_.journal.hash();
  out.events = world_.agenda.done();
  out.faults = world_.journal.faults + crashes_;
  out.deliveries = book_.taken;
  out.messages = book_.written;
  out.virtual_seconds = static_cast<double>((world_.agenda.now() - start).count()) / 1e9;
  return out;
}

}  // namespace

Outcome run_mail_seed(const Options& options) {
  Scenario scenario(options);
  return scenario.run();
}

}  // namespace parley::sim::mail

// tests/sim/mail/scenario.cc - see scenario.h.
#include "tests/sim/mail/scenario.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "policy/documents.h"
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
        users_(rng_.between32(2, 5)),
        server_(world_, server_book_, others(), draw_sip(), rng_.coin(1, 2) ? 1 : rng_.between32(2, 3), users_),
        disk_(world_, options.seed) {
    world_.on_store = [this](Shard& from, std::vector<core::StoreOp>& ops) { disk_.take(server_.place(), from, ops); };
    server_.stored = [this] { return disk_.read(world_.wall_ms()); };
  }

  Outcome run();

 private:
  static policy::Config others() {
    policy::Config config;
    config.relay = std::make_shared<msrp::RelayConfig>();
    return config;
  }
  std::shared_ptr<policy::SipConfig> draw_sip();
  void add_phones();
  void plan(Instant calm_at);
  void act();
  void settle();
  void check();
  [[nodiscard]] bool undisturbed() const;
  std::string user(std::uint64_t n) const { return "user" + std::to_string(n); }

  const Options& options_;
  Rng rng_;
  World world_;
  sip::Book server_book_;
  Book book_;
  std::uint32_t users_;
  sip::ServerPlace server_;
  Disk disk_;
  std::vector<std::unique_ptr<Phone>> phones_;
  std::uint32_t crashes_ = 0;
  bool rude_ = false;
  std::string shape_;
};

std::shared_ptr<policy::SipConfig> Scenario::draw_sip() {
  auto config = std::make_shared<policy::SipConfig>();
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  config->location.aors_max = 64;
  config->registrar.expires_min_s = 1;
  config->sources.requests = 0;
  config->focus.on = true;
  config->focus.factory = "sip:factory@" + server_book_.domain;
  config->focus.invite_parallel = rng_.between32(1, 8);
  config->im.participating = true;
  config->im.deferred_uris = {"sip:Deferred@" + server_book_.domain};
  config->stores_bindings = config->stores_messages = true;
  auto& deferred = config->im.deferred;
  deferred.on = true;
  deferred.answer_max = std::chrono::milliseconds(rng_.coin(1, 3) ? rng_.between(500, 10'000) : 10'000);
  deferred.retry_max = std::chrono::seconds(60);
  deferred.push_parallel = rng_.coin(1, 3) ? 1 : 64;
  deferred.push_rate = rng_.coin(1, 4) ? rng_.between32(2, 20) : 1000;
  if (rng_.coin(1, 4)) deferred.count_max = rng_.between32(1, 6);
  policy::GroupSpec team;
  team.uri = "sip:" + book_.group + "@" + server_book_.domain;
  for (std::uint32_t n = 0; n < users_; ++n) {
    team.members.push_back({.uri = "sip:" + user(n) + "@" + server_book_.domain, .key = {}, .display_name = {}});
  }
  config->documents = policy::read_documents({}, {&team, 1}, server_book_.domain).documents;
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
  // A copy that could not be kept has failed, and is followed by the next one although a slow device takes it yet; and what is
  // left of a process may go on on another shard than what is written to the group now.
  const bool copies_in_order = server_.config().im.deferred.count_max >= 500 && !disk_.refused_some() &&
                               (crashes_ == 0 || server_.place().shards.size() == 1);
  for (const auto& [way, ids] : book_.order) {
    if (std::get<1>(way) == book_.group && !copies_in_order) continue;
    std::uint64_t last = 0;
    for (const std::string& id : ids) {
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
  book_.calm = true;
  // Back-offs end; then what is written now is answered and arrives.
  world_.run_until(world_.agenda.now() + 200s);
  for (auto& phone : phones_) {
    for (auto& other : phones_) phone->write_to(other == phone ? book_.group : other->user());
  }
  world_.run_until(world_.agenda.now() + 100s);
  if (world_.journal.failed()) return;
  for (auto& phone : phones_) {
    if (const std::string waits = phone->waiting(); !waits.empty())
      world_.journal.fail("liveness: %s waits %s", phone->user().c_str(), waits.c_str());
  }
  check();
  const std::size_t kept = disk_.store().deferred.size();
  if (kept != 0) world_.journal.fail("%zu messages are still in the store", kept);
  if (!disk_.store().sendings.empty()) world_.journal.fail("%zu messages to several are", disk_.store().sendings.size());
  for (auto& phone : phones_) phone->enrol(0);
  world_.run_until(world_.agenda.now() + 900s);
  if (world_.journal.failed()) return;
  server_.check_rest();
  if (!disk_.store().bindings.empty()) world_.journal.fail("%zu bindings are still in the store", disk_.store().bindings.size());
}

Outcome Scenario::run() {
  add_phones();
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

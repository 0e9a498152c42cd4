// tests/sim/scenario.cc - see scenario.h.
#include "tests/sim/scenario.h"

#include <algorithm>
#include <cmath>

#include "tests/sim/client.h"
#include "tests/sim/digest.h"
#include "tests/sim/operators.h"
#include "tests/sim/rest.h"
#include "tests/sim/world.h"

namespace parley::sim {
namespace {

enum class Topology { both_authenticated, caller, dialled, chain };

// Polite ones: three come while the troubles last, one when they are over.
constexpr std::uint32_t guest_pairs = 3;
constexpr std::uint32_t late_pairs = guest_pairs + 1;

std::shared_ptr<msrp::RelayConfig> base_config(Rng& rng, const Faults& faults, std::uint32_t users) {
  auto config = std::make_shared<msrp::RelayConfig>();
  config->realm = "sim.example";
  for (std::uint32_t n = 0; n < users; ++n) {
    // One name for all sessions of a client, or one for each.
    for (std::uint32_t leg = 1; leg <= users / 2; ++leg) {
      const std::string user = "user" + std::to_string(n) + (leg == 1 ? "" : "x" + std::to_string(leg));
      auto& entry = config->users[user];
      for (core::DigestAlgorithm a : config->algorithms) {
        const char* algorithm = a == core::DigestAlgorithm::md5 ? "MD5" : "SHA-256";
        entry.ha1[a] = user_ha1(algorithm, user, config->realm, user + "-secret");
      }
    }
  }
  if (faults.lifetime_s != 0) config->expires_min_s = 2, config->expires_default_s = faults.lifetime_s;
  if (rng.coin(1, 2)) {
    config->watermark_high_bytes = static_cast<std::uint32_t>(rng.scaled(4096, 262'144));
    config->watermark_low_bytes = config->watermark_high_bytes / 2;
  }
  return config;
}

// Bodies that look like what surrounds them.
std::string make_body(Rng& rng, std::uint64_t size) {
  std::string body;
  body.reserve(size + 64);
  const std::uint64_t kind = rng.next() % 3;
  while (body.size() < size) {
    if (kind == 0) {
      const std::uint64_t word = rng.next();
      body.append(reinterpret_cast<const char*>(&word), sizeof word);
    } else if (kind == 1 && rng.coin(1, 10)) {
      body += "\r\n-------abcd1234$\r\nMSRP abcd1234 SEND\r\n--";
    } else {
      body += "0123456789 the quick brown fox\r\n-";
    }
  }
  body.resize(size);
  return body;
}

class Scenario {
 public:
  Scenario(const Options& options, const Faults& faults)
      : options_(options), rng_(options.seed, 1), traits_rng_(options.seed, 7), late_rng_(options.seed, 11), web_rng_(options.seed, 13),
        world_(options.seed, faults, options.trace), operators_(world_) {
    world_.operators = &operators_;
    world_.ledger.judge_by(world_.sessions);
  }

  Outcome run() {
    build();
    const Instant start = world_.agenda.now();
    const Instant calm_at = start + std::chrono::seconds(rng_.between(5, 40));
    world_.schedule_troubles(calm_at);
    operators_.schedule(calm_at);
    start_clients(calm_at);
    plan_messages(calm_at);
    const Duration span = calm_at - start;
    for (std::uint32_t n = 0; n < guest_pairs; ++n) late_pair(start + span * (1 + 3 * n) / 10, span / 3, false);
    world_.run_until(calm_at);
    settle_down();
    Outcome out;
    out.failure = world_.journal.failure();
    out.shape = shape_;
    out.hash = world_.journal.hash();
    out.events = world_.agenda.done();
    out.faults = world_.journal.faults;
    out.deliveries = world_.journal.deliveries;
    out.messages = world_.ledger.messages().size();
    out.virtual_seconds = static_cast<double>((world_.agenda.now() - start).count()) / 1e9;
    return out;
  }

 private:
  void build();
  Traits draw_traits();
  Client& add_client(Place& place, bool tls, bool maybe_web);
  Client& keep(std::unique_ptr<Client> client, bool maybe_web);
  void start_clients(Instant calm_at);
  void plan_messages(Instant calm_at);
  void late_pair(Instant when, Duration span, bool probe);
  void settle_down();

  const Options& options_;
  Rng rng_;
  Rng traits_rng_;
  Rng late_rng_;
  Rng web_rng_;
  World world_;
  Operators operators_;
  Topology topology_ = Topology::both_authenticated;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Leg*> legs_;
  std::vector<Client*> dialled_;
  std::string shape_;
};

Traits Scenario::draw_traits() {
  const Faults& f = world_.faults;
  Rng& rng = traits_rng_;
  Traits t;
  if (rng.permille(f.slow_permille)) t.read_per_tick = rng.scaled(1, 65536);
  if (rng.permille(f.dribble_permille)) t.write_per_tick = rng.coin(1, 2) ? rng.between(1, 8) : rng.scaled(8, 4096);
  if (rng.permille(f.vanish_permille)) t.vanish_after = rng.scaled(100, 200'000), t.vanish_hard = rng.coin(1, 2);
  if (rng.permille(f.mute_permille)) t.mute = true;
  t.liar = rng.permille(f.liar_permille);
  t.window = rng.permille(f.flood_permille) ? 2000 : rng.between32(1, 32);
  // The first pair stays, or a seed of few pairs would often deliver nothing.
  if (clients_.size() < 2) t.liar = false, t.vanish_after = 0;
  if (rng.coin(1, 5)) t.answer_delay = std::chrono::milliseconds(rng.scaled(1, 3000));
  return t;
}

Client& Scenario::add_client(Place& place, bool tls, bool maybe_web) {
  const auto number = static_cast<std::uint32_t>(clients_.size());
  return keep(std::make_unique<Client>(world_, place, number, tls, "user" + std::to_string(number), draw_traits()), maybe_web);
}

Client& Scenario::keep(std::unique_ptr<Client> client, bool maybe_web) {
  if (maybe_web && web_rng_.coin(1, 4)) client->speak_websocket();
  clients_.push_back(std::move(client));
  world_.clients.push_back(clients_.back().get());
  return *clients_.back();
}

void Scenario::build() {
  topology_ = static_cast<Topology>(rng_.next() % 4);
  const std::uint32_t shards = rng_.between32(1, 3);
  const std::uint32_t pairs = rng_.between32(2, 5);
  const std::uint32_t users = pairs * 2 + 2 * late_pairs;
  auto config = base_config(rng_, world_.faults, users);
  auto second = base_config(rng_, world_.faults, users);
  if (topology_ == Topology::chain) {
    config->relay_peers = {{"r2.sim.example", 2856}};
    second->relay_peers = {{"r1.sim.example", 2856}};
  }
  std::vector<core::Address> dial_targets;
  if (topology_ == Topology::dialled) {
    for (std::uint32_t n = 0; n < pairs * 2; ++n) {
      config->dial_allow.push_back({address_v4(0x100 + n, 0), 32});
      dial_targets.push_back(address_v4(0x100 + n, static_cast<std::uint16_t>(7000 + n)));
    }
  }
  for (const core::Address& target : dial_targets) world_.allow_dial(target);
  for (const auto& each : {config, second}) {
    each->ws_ping = web_rng_.coin(1, 4) ? Duration::zero() : std::chrono::milliseconds(web_rng_.scaled(500, 50'000));
    each->ws_chunk_bytes = static_cast<std::uint32_t>(web_rng_.scaled(4096, 262'144));
  }
  Place& one = world_.add_place("r1.sim.example", 1, shards, config);
  Place* two = nullptr;
  if (topology_ == Topology::chain) {
    two = &world_.add_place("r2.sim.example", 2, rng_.between32(1, 2), second);
    world_.allow_dial(one.tls);
    world_.allow_dial(two->tls);
    world_.auth_may_fail = true;
  }
  const bool tls = topology_ == Topology::chain || rng_.coin(1, 3);
  const bool shared = rng_.coin(1, 3);  // several sessions on a connection
  for (std::uint32_t p = 0; p < pairs; ++p) {
    const bool reuse = shared && p > 0;
    Client& a = reuse ? *clients_[0] : add_client(one, tls, true);
    Client& b = reuse && rng_.coin(1, 2) ? *clients_[1]
                                         : add_client(two != nullptr && rng_.coin(1, 2) ? *two : one, tls, topology_ != Topology::dialled);
    const std::uint32_t hops = topology_ == Topology::chain && &a.place() == &one && rng_.coin(1, 2) ? 2 : 1;
    Leg& la = a.add_leg(true, hops);
    Leg& lb = b.add_leg(topology_ == Topology::both_authenticated || topology_ == Topology::chain, 1);
    la.partner = &lb;
    lb.partner = &la;
    legs_.push_back(&la);
    legs_.push_back(&lb);
    if (topology_ == Topology::dialled) {
      world_.listen(b.address(), &b);
      dialled_.push_back(&b);
    }
  }
  for (std::size_t n = 2 * guest_pairs; n < 2 * late_pairs; ++n) world_.spared_users.insert("user" + std::to_string(clients_.size() + n));
  static constexpr const char* names[] = {"both authenticated", "unauthenticated caller", "dialled peer", "two relays"};
  shape_ = std::string(names[static_cast<int>(topology_)]) + ", " + std::to_string(shards) + " shards, " +
           std::to_string(pairs) + " pairs, " + std::to_string(clients_.size()) + " clients" + (tls ? ", tls" : "");
  world_.journal.line("seed %llu: %s", static_cast<unsigned long long>(options_.seed), shape_.c_str());
}

void Scenario::start_clients(Instant calm_at) {
  const auto span = static_cast<std::uint64_t>((calm_at - world_.agenda.now()).count()) / 1000;
  for (auto& client : clients_) {
    Client* c = client.get();
    if (std::find(dialled_.begin(), dialled_.end(), c) != dialled_.end()) {
      c->wait_for_dial();
    } else {
      world_.agenda.after(std::chrono::microseconds(rng_.scaled(1, span / 4 + 1)), [c] { c->connect(); });
    }
    if (!c->traits().liar) continue;
    for (std::uint64_t n = traits_rng_.between(1, 12); n > 0; --n) {
      world_.agenda.after(std::chrono::microseconds(traits_rng_.between(1, span)), [c] { c->lie(); });
    }
  }
}

void Scenario::plan_messages(Instant calm_at) {
  const auto span = static_cast<std::uint64_t>((calm_at - world_.agenda.now()).count()) / 1000;
  std::uint64_t budget = rng_.scaled(100'000, 4'000'000);  // body bytes of this seed
  const std::uint64_t count = rng_.scaled(50, 1200);
  const std::uint64_t biggest = rng_.coin(1, 8) ? budget / 2 : rng_.scaled(100, budget / 16);
  if (topology_ == Topology::caller) {
    for (Leg* leg : legs_) {
      if (leg->authenticates) continue;
      Message& m = world_.ledger.add_message();
      m.from = leg;
      m.to = leg->partner;
      m.has_body = false;
      leg->client->post(m);  // binds the caller's URI
    }
  }
  static constexpr const char* failures[] = {"yes", "absent", "yes", "no", "partial"};
  for (std::uint64_t n = 0; n < count && budget > 0; ++n) {
    Leg& from = *legs_[rng_.next() % legs_.size()];
    Message& m = world_.ledger.add_message();
    m.from = &from;
    m.to = from.partner;
    m.failure = failures[rng_.next() % 5];
    m.success_wanted = rng_.coin(1, 4);
    const std::uint64_t size = std::min(budget, rng_.coin(1, 30) ? 0 : rng_.scaled(1, biggest));
    budget -= size;
    m.has_body = size > 0 || rng_.coin(1, 2);
    m.body = make_body(rng_, size);
    world_.agenda.after(std::chrono::microseconds(rng_.between(1, span)), [&m] { m.from->client->post(m); });
  }
}

// Two more clients, who have something to say to each other from `when` on, for `span`.
void Scenario::late_pair(Instant when, Duration span, bool probe) {
  Place& place = *world_.places()[0];
  std::vector<Leg*> legs;
  for (int n = 0; n < 2; ++n) {
    const auto number = static_cast<std::uint32_t>(clients_.size());
    const bool tls = late_rng_.coin(1, 2);
    Client& client = keep(std::make_unique<Client>(world_, place, number, tls, "user" + std::to_string(number), Traits{}), true);
    legs.push_back(&client.add_leg(true, 1));
    world_.agenda.at(when, [c = clients_.back().get()] { c->connect(); });
  }
  legs[0]->partner = legs[1];
  legs[1]->partner = legs[0];
  for (std::uint64_t n = 0; n < 4; ++n) {
    Message& m = world_.ledger.add_message();
    m.probe = probe;
    m.from = legs[n % 2];
    m.to = m.from->partner;
    m.success_wanted = late_rng_.coin(1, 2);
    m.body = make_body(late_rng_, late_rng_.scaled(1, n < 2 ? 200 : 3000));
    const auto at = n < 2 ? when : when + span * late_rng_.between32(0, 100) / 100;
    world_.agenda.at(at, [&m] { m.from->client->post(m); });
  }
}

void Scenario::settle_down() {
  if (world_.journal.failed()) return;
  world_.calm();
  // What cannot begin any more is not waited for.
  const Instant calm_at = world_.agenda.now();
  auto wake_all = [this] {
    for (auto& c : clients_) {
      if (c->alive()) c->wake();
    }
  };
  wake_all();
  late_pair(calm_at + 1s, 2s, true);
  const Duration answers = 30s;  // a response timeout
  world_.run_until(calm_at + 10s);
  for (auto& c : clients_) c->forget_unready();
  world_.run_until(calm_at + answers + 30s);
  if (world_.journal.failed()) return;
  for (auto& c : clients_) {
    if (c->alive() && c->blameless() && !c->idle()) {
      world_.journal.fail("liveness: %s", c->state().c_str());
      return;
    }
  }
  check_settled(world_);
  if (world_.journal.failed()) return;
  if (rng_.coin(1, 3)) {
    for (auto& place : world_.places()) world_.drain(*place);
  }
  for (auto& c : clients_) world_.agenda.after(std::chrono::milliseconds(rng_.between(1, 2000)), [p = c.get()] { p->leave(); });
  // Connections between relays outlive their clients until they have idled away.
  world_.run_until(world_.agenda.now() + (topology_ == Topology::chain ? 3800s : 100s));
  if (world_.journal.failed()) return;
  check_rest(world_);
}

}  // namespace

Outcome run_seed(const Options& options) {
  Faults faults = Faults::draw(options.seed);
  faults.plant = options.plant;
  if (options.plant == Plant::early_release && faults.hold_max < 1ms) faults.hold_max = 50ms;
  Scenario scenario(options, faults);
  return scenario.run();
}

}  // namespace parley::sim

// tests/sim/sip/server.cc - see server.h.
#include "tests/sim/sip/server.h"

#include <algorithm>

#include "tests/sim/digest.h"
#include "tests/sim/rest.h"

namespace parley::sim::sip {
namespace {

constexpr std::uint16_t udp_socket = 2;  // among the listeners of SIP

std::uint16_t listeners_of(const msrp::RelayConfig& relay) { return static_cast<std::uint16_t>(relay.listeners.size()); }

}  // namespace

ServerPlace::ServerPlace(World& world, Book& book, Rng& rng, std::uint32_t users, Cells* cells)
    : world_(world),
      book_(book),
      cells_(cells),
      rng_(world.seed, 21),
      calls_rng_(world.seed, 24),
      config_(std::make_shared<policy::SipConfig>()),
      sessions_slots_(64) {
  others_.relay = std::make_shared<msrp::RelayConfig>();
  draw_config(rng, users);
  pool_.small_count = std::min(world.faults.small_blocks, 256U);
  pool_.large_count = std::min(world.faults.large_blocks, 8U);
  pool_.arena_count = std::min(world.faults.arena_blocks, 16U);
  shards_ = rng.between32(1, 3);
  begin();
}

ServerPlace::ServerPlace(World& world, Book& book, const policy::Config& config, std::shared_ptr<policy::SipConfig> sip,
                         std::uint32_t shards, std::uint32_t users)
    : world_(world),
      book_(book),
      cells_(nullptr),
      rng_(world.seed, 21),
      calls_rng_(world.seed, 24),
      config_(std::move(sip)),
      others_(config),
      sessions_slots_(4096),
      shards_(shards) {
  add_addresses_and_users(users);
  config_->transport.listener_base = listeners_of(*others_.relay);
  pool_.small_count = std::min(world.faults.small_blocks, 512U);
  pool_.large_count = std::min(world.faults.large_blocks, 16U);
  pool_.arena_count = std::min(world.faults.arena_blocks, 32U);
  begin();
}

void ServerPlace::begin() {
  pool_.heap_bytes_max = 64ULL << 20;
  world_.relay_rules = false;
  const std::uint16_t listeners = listeners_of(*others_.relay);
  place_ = &world_.add_place("sip", 1, shards_, pool_, {}, maker());
  place_->sip_listener = listeners;
  place_->sip = address_v4(1, 5060);
  if (listeners == 0) {
    place_->plain.port = 5060;
    place_->tls.port = 5061;
  }
  world_.bind(*place_, udp_socket, udp_);
}

void ServerPlace::add_addresses_and_users(std::uint32_t users) {
  const core::Address tcp = address_v4(1, 5060), tls = address_v4(1, 5061);
  udp_ = tcp;
  config_->transport.listeners = {{core::Transport::tcp, "127.0.0.1", 5060, tcp},
                                  {core::Transport::tls, "127.0.0.1", 5061, tls},
                                  {core::Transport::udp, "127.0.0.1", 5060, udp_},
                                  {core::Transport::wss, "127.0.0.1", 5060, tcp}};
  config_->domains = {book_.domain};
  config_->realm = book_.domain;
  config_->plain_digest = policy::PlainDigest::always;
  for (std::uint32_t n = 0; n < users; ++n) {
    const std::string user = "user" + std::to_string(n);
    auto& entry = config_->users[user];
    entry.ha1[core::DigestAlgorithm::md5] = user_ha1("MD5", user, book_.domain, user + "-secret");
    entry.ha1[core::DigestAlgorithm::sha256] = user_ha1("SHA-256", user, book_.domain, user + "-secret");
  }
}

void ServerPlace::draw_config(Rng& rng, std::uint32_t users) {
  add_addresses_and_users(users);
  config_->location.aors_max = 64;
  config_->registrar.expires_min_s = 1;
  config_->reg_events.package.expires_min_seconds = 1;
  config_->digest.nonces_max = rng.coin(1, 3) ? 4 : 1024;
  config_->timer_c = std::chrono::seconds(rng.coin(1, 3) ? rng.between(2, 30) : 181);
  if (rng.coin(1, 6)) {  // so little room that some requests find none
    config_->transactions.transactions_max = rng.between32(4, 40);
    book_.pressure = true;
  } else {
    config_->transactions.transactions_max = 20'000;
  }
  if (rng.coin(1, 3)) config_->transport.dials_max = 0;  // among them second ones, for responses whose first was lost
  config_->sources.requests = 0;                         // user agents of one network are many here
  config_->proxied_max = book_.pressure && rng.coin(1, 2) ? rng.between32(2, 20) : 20'000;
  draw_calls(config_->calls);
}

// Session timers are short, so that many of them run out in one run.
void ServerPlace::draw_calls(policy::CallsConfig& calls) {
  Rng& rng = calls_rng_;
  if (book_.role == Role::proxy && !book_.timers) return;
  calls.carrying = book_.role == Role::b2bua ? policy::Carrying::b2bua : policy::Carrying::proxy;
  calls.proxied_timer = book_.role == Role::proxy;
  calls.timer.min_se_seconds = rng.coin(1, 2) ? 90 : rng.between32(90, 200);
  calls.timer.interval_seconds = rng.between32(calls.timer.min_se_seconds, 300);
  calls.timer.want = rng.coin(3, 4);
  calls.timer.alone = true;  // else a call of two that vanished might never end
  calls.timer.prefer = static_cast<parley::sip::Refresher>(rng.between(0, 2));
  calls.timer.ask = static_cast<parley::sip::Refresher>(rng.between(0, 2));
  calls.pass_unknown = rng.coin(2, 3);
  calls.drain = std::chrono::seconds(rng.between(5, 40));
  if (book_.pressure) {
    if (rng.coin(1, 2)) calls.calls_max = rng.between32(1, 8);
    if (rng.coin(1, 2)) calls.requests_max = rng.between32(1, 4);
  }
  book_.passes_unknown = calls.pass_unknown;
}

World::MakeWorker ServerPlace::maker() {
  core::Seed process{};
  const auto process_bytes = Rng(rng_.next(), 1).bytes32();
  std::copy(process_bytes.begin(), process_bytes.end(), process.begin());
  // Workers refer to them until the last one has gone.
  const auto invites = std::make_shared<core::SessionTable>(1024, rng_.next());
  const auto sessions = std::make_shared<core::SessionTable>(sessions_slots_, world_.seed + book_.life);
  world_.keep(invites);
  world_.keep(sessions);
  return [this, process, invites, sessions](std::uint32_t n, Shard& shard) {
    core::Seed seed{};
    const auto bytes = Rng(rng_.next(), 2).bytes32();
    std::copy(bytes.begin(), bytes.end(), seed.begin());
    auto config = std::make_shared<policy::Config>(others_);
    config->sip = config_;
    auto brain =
        std::make_unique<policy::Service>(policy::Service::Parts{.shard = n,
                                                                 .shard_count = shards_,
                                                                 .pool = shard.pool(),
                                                                 .metrics = shard.metrics(),
                                                                 .sessions = *sessions,
                                                                 .seed = seed,
                                                                 .process_seed = process,
                                                                 .invites = shards_ > 1 ? invites.get() : nullptr,
                                                                 .config = config});
    if (stored) (void)brain->restore(stored(), {world_.agenda.now(), world_.wall_ms()});
    brains_.push_back(brain.get());
    return brain;
  };
}

void ServerPlace::count_cells() {
  for (const policy::Service* brain : brains_) {
    for (const std::string& row : {idle_row(brain->sip()->transactions()), idle_row(brain->sip()->calls().rows())}) {
      if (!row.empty()) world_.journal.fail("the server asks its tables for what it should not: %s", row.c_str());
    }
    if (cells_ == nullptr) continue;
    cells_->add(brain->sip()->transactions());
    cells_->add(brain->sip()->calls().rows());
  }
}

void ServerPlace::crash() {
  if (down_) return;
  down_ = true;
  book_.draining = false;
  ++book_.life;
  ++world_.journal.faults;
  count_cells();
  brains_.clear();
  world_.crash(*place_);
}

void ServerPlace::calm() { config_->transport.dials_max = parley::sip::TransportConfig{}.dials_max; }

void ServerPlace::reload() {
  if (down_) return;
  ++world_.journal.faults;
  world_.journal.line("the server gets another configuration");
  auto fresh = std::make_shared<policy::SipConfig>(*config_);
  const auto limits = fresh->calls;
  draw_calls(fresh->calls);
  fresh->calls.calls_max = limits.calls_max;
  book_.unknown_either = true;
  config_ = fresh;
  auto config = std::make_shared<policy::Config>(others_);
  config->sip = config_;
  for (auto& shard : place_->shards) shard->reload(config);
}

void ServerPlace::drain() {
  if (down_) return;
  ++world_.journal.faults;
  world_.journal.line("the server drains");
  drained_ = 0;
  book_.draining = true;
  world_.on_drained = [this, life = book_.life](Shard&) {
    if (book_.life == life && ++drained_ == shards_) end_drained(life);
  };
  for (auto& shard : place_->shards) shard->drain();
  world_.agenda.after(config_->calls.drain, [this, life = book_.life] { end_drained(life); });
}

void ServerPlace::end_drained(unsigned life) {
  if (down_ || book_.life != life) return;
  world_.journal.line("the server has drained: %u of %u shards", drained_, shards_);
  // From within a step of a shard it can not go.
  world_.agenda.after(1ms, [this, life] {
    if (down_ || book_.life != life) return;
    if (before_end) before_end();
    crash();
    restart();
  });
}

void ServerPlace::restart() {
  if (!down_) return;
  down_ = false;
  world_.journal.line("the server begins anew");
  world_.restart(*place_, pool_, {}, maker());
  world_.bind(*place_, udp_socket, udp_);
  if (!stored) return;
  // Whoever starts a process asks each shard whether it is there; what was left for them goes on with that.
  for (auto& shard : place_->shards) shard->admin({.id = 0, .kind = core::AdminRequest::Kind::summary, .argument = {}});
}

std::uint64_t ServerPlace::counted(core::Metric metric) const {
  std::uint64_t sum = 0;
  for (const auto& shard : place_->shards) sum += shard->metrics().get(metric);
  return sum;
}

void ServerPlace::check_rest() {
  print_counters(world_);
  for (std::size_t n = 0; n < place_->shards.size() && !world_.journal.failed(); ++n) {
    Shard& shard = *place_->shards[n];
    const policy::Service& brain = *brains_[n];
    const policy::SipService& sip = *brain.sip();
    check_left(world_, shard,
               {{"transactions", sip.live_transactions()},
                {"requests being proxied", sip.live_proxied()},
                {"calls", sip.calls().live()},
                {"subscribers", sip.live_subscribers()},
                {"bindings", sip.live_bindings()},
                {"messages to several", sip.exploder().sendings()},
                {"users with deferred messages", sip.deferred().users()},
                {"users who are sent them", sip.deferred().boxes()},
                {"sessions of the focus", sip.focus().sessions()},
                {"participants", sip.focus().participants()},
                {"rooms", brain.rooms()->rooms()},
                {"members", brain.rooms()->members()},
                {"MSRP sessions", brain.relay().ends().live()},
                {"connections of SIP", sip.live_connections()},
                {"connections of MSRP", brain.relay().live_connections()},
                {"timers of SIP", sip.rests() ? 0U : 1U},
                {"timers of rooms", brain.rooms()->next_deadline() == core::never ? 0U : 1U},
                {"timers of MSRP", brain.relay().armed_timers()}});
  }
}

}  // namespace parley::sim::sip

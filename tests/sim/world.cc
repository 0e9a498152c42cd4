// tests/sim/world.cc - see world.h.
#include "tests/sim/world.h"

#include <algorithm>

#include "core/resolve_plan.h"
#include "core/session_table.h"
#include "policy/service.h"
#include "tests/sim/operators.h"

namespace parley::sim {

core::Address address_v4(std::uint32_t number, std::uint16_t port) {
  core::Address a;
  a.family = core::Address::Family::v4;
  a.ip[0] = 127;
  a.ip[1] = 0;
  a.ip[2] = static_cast<std::uint8_t>(number >> 8);
  a.ip[3] = static_cast<std::uint8_t>(number);
  a.port = port;
  return a;
}

Place::Place() = default;
Place::~Place() = default;

World::World(std::uint64_t seed_in, const Faults& faults_in, bool print)
    : seed(seed_in), faults(faults_in), journal(agenda, print), net(agenda, journal, faults, seed_in), ledger(journal),
      sessions(journal, agenda), rng_(seed_in, 4), mail_rng_(seed_in, 25) {}

World::~World() = default;

Place& World::add_place(const std::string& host, std::uint32_t number, std::uint32_t shards,
                        std::shared_ptr<msrp::RelayConfig> config) {
  core::Pool::Config pool;
  pool.small_count = faults.small_blocks;
  pool.large_count = faults.large_blocks;
  pool.arena_count = faults.arena_blocks;
  pool.heap_bytes_max = 64ULL << 20;
  config->listeners = {{host, 2855, 2855, {}, false}, {host, 2856, 2856, {}, true},
                       {host, 80, 80, {}, false, true}, {host, 443, 443, {}, true, true}};
  auto table = std::make_unique<core::SessionTable>(1024, seed);
  std::vector<const policy::Service*> brains;
  Place& place = add_place(host, number, shards, pool, {}, [&](std::uint32_t n, Shard& shard) {
    core::Seed brain_seed{};
    const auto bytes = Rng(shard_seed(number, n), 5).bytes32();
    std::copy(bytes.begin(), bytes.end(), brain_seed.begin());
    auto brain = std::make_unique<policy::Service>(policy::Service::Parts{
        .shard = n,
        .shard_count = shards,
        .pool = shard.pool(),
        .metrics = shard.metrics(),
        .sessions = *table,
        .seed = brain_seed,
        .config = policy::relay_only(config)});
    brains.push_back(brain.get());
    return brain;
  });
  place.certificate = {host};
  place.versions = {{std::move(config), agenda.now()}};
  place.sessions = std::move(table);
  place.brains = std::move(brains);
  names_[host] = place.tls;
  return place;
}

Place& World::add_place(const std::string& host, std::uint32_t number, std::uint32_t shards,
                        const core::Pool::Config& pool, const core::LoopConfig& loop, const MakeWorker& make) {
  places_.push_back(std::make_unique<Place>());
  Place& place = *places_.back();
  place.host = host;
  place.plain = address_v4(number, 2855);
  place.tls = address_v4(number, 2856);
  place.listening = shards;
  start_shards(place, number, shards, pool, loop, make);
  return place;
}

void World::start_shards(Place& place, std::uint32_t number, std::uint32_t shards, const core::Pool::Config& pool,
                         const core::LoopConfig& loop, const MakeWorker& make) {
  for (std::uint32_t n = 0; n < shards; ++n) {
    place.shards.push_back(std::make_unique<Shard>(place.host.substr(0, 2) + "." + std::to_string(n), net, *this,
                                                   shard_seed(number, n), pool, loop));
    place.shards.back()->start(make(n, *place.shards.back()));
  }
}

void World::crash(Place& place) {
  for (auto& shard : place.shards) shard->crash();
  place.brains.clear();
}

void World::restart(Place& place, const core::Pool::Config& pool, const core::LoopConfig& loop, const MakeWorker& make) {
  const auto shards = static_cast<std::uint32_t>(place.shards.size());
  for (auto& shard : place.shards) dead_shards_.push_back(std::move(shard));
  place.shards.clear();
  start_shards(place, 500 + static_cast<std::uint32_t>(dead_shards_.size()), shards, pool, loop, make);
}

std::uint64_t World::shard_seed(std::uint32_t place, std::uint32_t shard) const {
  return seed * 1000 + place * 10 + shard;
}

Place* World::place_of(const Shard& shard) {
  for (auto& place : places_) {
    for (auto& s : place->shards) {
      if (s.get() == &shard) return place.get();
    }
  }
  return nullptr;
}

void World::accept_at(Place& place, std::uint16_t listener, Stream* stream, const core::Address& from,
                      std::vector<std::string> names) {
  core::PeerInfo peer;
  const bool tls = listener % 2 == 1;
  peer.transport = tls ? core::Transport::tls : core::Transport::tcp;
  peer.remote = from;
  peer.local = tls ? place.tls : place.plain;
  if (place.sip_listener != 0 && listener >= place.sip_listener) peer.local = place.sip;
  peer.listener = listener;
  peer.verified_names = std::move(names);
  place.shards[rng_.next() % place.listening]->accept(stream, std::move(peer));
}

Stream* World::connect(Place& place, std::uint16_t listener, const core::Address& from) {
  Stream* stream = net.open();
  agenda.after(net.delay(false), [this, &place, listener, stream, from] {
    if (!stream->dead()) accept_at(place, listener, stream, from, {});
  });
  return stream;
}

void World::dial(Shard& from, const core::ConnectRequest& request) {
  const std::string where = core::to_string(request.address);
  journal.line("%s dials %s", from.name().c_str(), where.c_str());
  if (!dial_allowed_.contains(where)) {
    journal.fail("%s dials %s, which no policy allows", from.name().c_str(), where.c_str());
    return;
  }
  if (silent_.contains(where)) return;
  const auto most = static_cast<std::uint64_t>(faults.connect_max.count()) / 1000;
  const Duration delay = std::chrono::microseconds(most == 0 || faults.quiet ? 100 : rng_.scaled(100, most + 100));
  if (!faults.quiet && rng_.permille(faults.connect_fail_permille)) {
    ++journal.faults;
    dial_failed = true;
    constexpr core::ConnectError errors[] = {core::ConnectError::refused, core::ConnectError::unreachable,
                                             core::ConnectError::timeout};
    agenda.after(delay, [&from, token = request.token, e = errors[rng_.next() % 3]] { from.connect_failed(token, e); });
    return;
  }
  Place* me = place_of(from);
  core::Address local = me->plain;
  local.port = next_port_++;
  agenda.after(delay, [this, &from, request, me, local, where] {
    if (!from.dials(request.token)) return;
    Stream* stream = nullptr;
    for (auto& place : places_) {
      const bool tls = place->tls == request.address;
      if (!tls && place->plain != request.address) continue;
      if (tls != request.tls || (tls && request.tls_name != place->host)) {
        from.connect_failed(request.token, tls ? core::ConnectError::tls_name : core::ConnectError::tls_error);
        return;
      }
      stream = net.open();
      relay_links_.push_back(stream);
      accept_at(*place, tls ? 1 : 0, stream, local, tls ? me->certificate : std::vector<std::string>{});
    }
    if (stream == nullptr) {
      const auto found = acceptors_.find(where);
      if (found == acceptors_.end() || found->second == nullptr) {
        dial_failed = true;
        from.connect_failed(request.token, core::ConnectError::refused);
        return;
      }
      stream = net.open();
      found->second->accepted(stream, local);
    }
    core::PeerInfo peer;
    peer.transport = request.tls ? core::Transport::tls : core::Transport::tcp;
    peer.remote = request.address;
    peer.local = local;
    if (request.tls) peer.verified_names = {request.tls_name};
    from.metrics().add(core::Metric::connections_dialled);
    (void)from.adopt(stream, 0, std::move(peer), true, request.token);
  });
}

bool World::relay_link_unsure() const {
  if (places_.size() < 2) return false;
  return dial_failed || std::any_of(relay_links_.begin(), relay_links_.end(), [](const Stream* s) { return s->dead(); });
}

void World::resolve(Shard& from, const core::ResolveRequest& request) {
  core::Resolution answer;
  answer.token = request.token;
  const auto found = names_.find(request.host);
  // Without NAPTR and SRV; a name's own port stands for what SRV would say.
  const core::ResolveTarget plain = core::resolve_plan(request, 2855).fallback;
  if (!faults.quiet && rng_.permille(faults.resolve_fail_permille)) {
    ++journal.faults;
    dial_failed = true;
  } else if (found != names_.end()) {
    core::Address address = found->second;
    if (request.port != 0) address.port = request.port;
    answer.addresses.push_back({address, request.host, plain.transport});
  } else if (const auto literal = core::parse_ip(request.host, plain.port)) {
    answer.addresses.push_back({*literal, request.host, plain.transport});
  }
  agenda.after(net.delay(false), [&from, answer] { from.resolved(answer); });
}

bool World::is_other_shard(const Shard& from, std::uint32_t to, const char* what) {
  const Place& place = *place_of(from);
  if (to < place.shards.size() && (!relay_rules || place.shards[to].get() != &from)) return true;
  if (relay_rules) journal.fail("%s %s to shard %u", from.name().c_str(), what, to);
  return false;
}

void World::pipe(Shard& from, core::OpenPipe request) {
  Place* place = place_of(from);
  const std::uint32_t to = request.shard;
  if (!is_other_shard(from, to, "opens a pipe")) {
    from.connect_failed(request.token, core::ConnectError::no_resources);
    return;
  }
  std::uint32_t from_index = 0;
  while (place->shards[from_index].get() != &from) ++from_index;
  agenda.after(net.delay(true), [this, &from, token = request.token, served = std::move(request.served), to, place,
                                 from_index]() mutable {
    if (!from.dials(token)) return;
    if (!place->shards[to]->serving()) {
      from.connect_failed(token, core::ConnectError::no_resources);
      return;
    }
    Stream* stream = net.open(from.limits().pipe_window_bytes);
    core::PeerInfo peer;
    peer.transport = served.transport = core::Transport::pipe;
    peer.from_shard = to;
    (void)from.adopt(stream, 0, peer, true, token);
    served.from_shard = from_index;
    (void)place->shards[to]->adopt(stream, 1, std::move(served), false, 0);
  });
}

void World::hand_over(Shard& from, std::uint32_t to, Stream* stream, Side side, core::PeerInfo peer,
                      std::string unused) {
  Place* place = place_of(from);
  if (!is_other_shard(from, to, "hands a connection")) return;
  agenda.after(net.delay(true), [place, to, stream, side, peer = std::move(peer), unused = std::move(unused)] {
    if (!place->shards[to]->takes_moved()) {
      stream->close(side);
      return;
    }
    Link& link = place->shards[to]->adopt(stream, side, peer, false, 0);
    link.unused = unused;
  });
}

void World::bind(Place& place, std::uint16_t socket, const core::Address& address) {
  for (std::size_t n = 0; n < place.listening; ++n) place.shards[n]->bind(socket, address);
}

void World::mail(Shard& from, std::uint32_t to, std::string bytes) {
  Place& place = *place_of(from);
  std::uint32_t from_index = 0;
  while (place.shards[from_index].get() != &from) ++from_index;
  if (to >= place.shards.size()) return from.metrics().add(core::Metric::mail_no_shard);
  const bool own = to == from_index;
  if (!own && mail_rng_.permille(mail_loss_permille)) {
    ++journal.faults;
    journal.line("mail from %s to shard %u is lost", from.name().c_str(), to);
    return from.metrics().add(core::Metric::mail_waiting_limit);
  }
  if ((own && !from.serving()) || !place.shards[to]->take_mail(from_index, std::move(bytes), net.delay(true),
                                                               from.limits().mail_waiting_max_bytes)) {
    return from.metrics().add(core::Metric::mail_waiting_limit);
  }
  from.metrics().add(core::Metric::mail_sent);
}

std::vector<const msrp::RelayConfig*> Place::configs_since(Instant since) const {
  std::size_t first = versions.size() - 1;
  while (first > 0 && versions[first].since >= since) --first;
  std::vector<const msrp::RelayConfig*> out;
  for (; first < versions.size(); ++first) out.push_back(versions[first].config.get());
  return out;
}

void World::reload(Place& place, std::shared_ptr<const msrp::RelayConfig> config) {
  journal.line("%s gets configuration %zu", place.host.c_str(), place.versions.size());
  place.versions.push_back({config, core::never});
  for (auto& shard : place.shards) shard->reload(policy::relay_only(config));
}

void World::reloaded(Shard& from) {
  Place& place = *place_of(from);
  if (place.versions.empty()) return;  // no relay's
  std::size_t done = place.versions.size() - 1;
  for (auto& shard : place.shards) done = std::min<std::size_t>(done, shard->reloads_done());
  for (std::size_t n = 0; n <= done; ++n) place.versions[n].since = std::min(place.versions[n].since, agenda.now());
}

void World::drain(Place& place) {
  journal.line("%s drains", place.host.c_str());
  place.draining = true;
  place.drained_at = std::min(place.drained_at, agenda.now());
  for (auto& shard : place.shards) shard->drain();
}

void World::drained(Shard& from) {
  if (on_drained) on_drained(from);
  for (const policy::Service* brain : place_of(from)->brains) {
    if (const auto left = brain->relay().live_sessions(); left != 0) {
      journal.fail("drain: %s is over while the relay has sessions, %u on one shard", from.name().c_str(), left);
    }
  }
}

void World::log(Shard& from, const core::LogRecord& record) {
  if (relay_rules) sessions.log_line(*place_of(from), record.text);
}

void World::admin_reply(Shard& from, const core::AdminReply& reply) {
  if (operators != nullptr) operators->reply(from, reply);
  if (on_admin_reply) on_admin_reply(from, reply);
}

std::int64_t World::wall_ms() {
  return wall_offset_ms_ + std::chrono::duration_cast<std::chrono::milliseconds>(agenda.now().time_since_epoch()).count();
}

void World::schedule_troubles(Instant until) {
  Rng rng(seed, 6);
  const auto span = static_cast<std::uint64_t>((until - agenda.now()).count()) / 1000;
  auto sometime = [&] { return agenda.now() + std::chrono::microseconds(rng.between(0, span)); };
  // A draw is made now and applied to what exists then.
  auto pick = [this](std::uint64_t draw) -> Stream* {
    std::vector<Stream*> live;
    for (const auto& s : net.streams()) {
      if (!s->dead() && !s->local()) live.push_back(s.get());
    }
    return live.empty() ? nullptr : live[draw % live.size()];
  };
  for (std::uint32_t n = 0; n < faults.clogs; ++n) {
    const Duration time = std::chrono::microseconds(rng.scaled(1000, static_cast<std::uint64_t>(faults.clog_max.count()) / 1000 + 1000));
    agenda.at(sometime(), [this, pick, draw = rng.next(), time] {
      Stream* s = pick(draw);
      if (faults.quiet || s == nullptr) return;
      ++journal.faults;
      journal.line("net clogs stream %u side %u", s->number(), static_cast<unsigned>(draw >> 63));
      s->clog(draw >> 63, agenda.now() + time);
    });
  }
  if (faults.swizzle) {
    // One after the other stands still; they come back in another order.
    const Instant start = sometime();
    for (std::uint32_t n = 0; n < 6; ++n) {
      const Duration back = std::chrono::milliseconds(rng.between(500, 8000));
      agenda.at(start + n * 100ms, [this, pick, draw = rng.next(), back] {
        Stream* s = pick(draw);
        if (faults.quiet || s == nullptr) return;
        ++journal.faults;
        s->clog(0, agenda.now() + back);
        s->clog(1, agenda.now() + back);
      });
    }
  }
  for (std::uint32_t n = 0; n < faults.resets; ++n) {
    // Not before something could be under way.
    agenda.at(std::max(sometime(), agenda.now() + (until - agenda.now()) / 3), [this, pick, draw = rng.next()] {
      Stream* s = pick(draw);
      if (faults.quiet || s == nullptr) return;
      ++journal.faults;
      journal.line("net resets stream %u", s->number());
      s->abort(nobody);
    });
  }
  for (std::uint32_t n = 0; n < faults.stalls; ++n) {
    const Duration time = std::chrono::microseconds(rng.scaled(1000, static_cast<std::uint64_t>(faults.stall_max.count()) / 1000 + 1000));
    agenda.at(sometime(), [this, draw = rng.next(), time] {
      if (faults.quiet) return;
      Place& place = *places_[draw % places_.size()];
      ++journal.faults;
      place.shards[(draw >> 8) % place.shards.size()]->stall(time);
    });
  }
  if (faults.wall_jumps) {
    for (int n = 0; n < 3; ++n) {
      const std::int64_t hours = rng.coin(1, 2) ? 1 : 24;
      const std::int64_t jump = (rng.coin(1, 2) ? hours : -hours) * 3'600'000;
      agenda.at(sometime(), [this, jump] {
        ++journal.faults;
        journal.line("wall clock jumps %lld ms", static_cast<long long>(jump));
        wall_offset_ms_ += jump;
      });
    }
  }
}

void World::calm() {
  journal.line("the troubles end");
  faults.quiet = true;
  faults.delay_max = {};
  faults.bytes_per_second = 0;
  faults.segment_bytes = 65536;
  faults.cut_permille = 0;
  faults.socket_bytes = std::max(faults.socket_bytes, 65536U);
  faults.piece_bytes = 65536;
  faults.short_send_permille = 0;
  faults.datagram_loss_permille = 0;
  faults.datagram_copies_permille = 0;
  faults.datagram_late_permille = 0;
  mail_loss_permille = 0;
  faults.hold_max = std::min<Duration>(faults.hold_max, 100us);
  faults.credit_max = std::min<Duration>(faults.credit_max, 1ms);
  net.calm();
}

void World::run_until(Instant when) {
  while (!journal.failed() && !agenda.empty() && agenda.next_at() <= when) agenda.run_one();
  agenda.jump_to(when);
}

}  // namespace parley::sim

// tools/parleyd/shard_set.cc - the event loops: one thread each, with the pool, the worker and the counters it owns.
#include "tools/parleyd/shard_set.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

#include "core/check.h"
#include "core/entropy.h"
#include "core/pool.h"
#include "policy/service.h"
#include "tools/parleyd/process.h"

namespace parley::parleyd {
namespace {

std::uint64_t random_number() {
  const core::Seed seed = core::system_seed();
  std::uint64_t number = 0;
  std::memcpy(&number, seed.data(), sizeof number);
  return number;
}

// Every shard may own as many sessions as one may.
std::uint32_t table_capacity(const Settings& settings, std::uint32_t shards) {
  const std::uint64_t wanted = (std::uint64_t{settings.relay.sessions_max} + settings.relay.ends_max) * shards;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, 1U << 30));
}

// An INVITE takes a transaction on each side, at least. Who wants something else recorded than the operator has for all is
// there, too.
std::uint32_t invites_capacity(const Settings& settings, std::uint32_t shards) {
  const std::uint64_t invites = std::uint64_t{settings.sip.transactions.transactions_max} * shards / 2;
  const std::uint64_t wishes = settings.sip.im.history.on ? std::uint64_t{settings.sip.settings.publications.publications_max} * shards : 0;
  const std::uint64_t wanted = invites + wishes;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, 1U << 30));
}

bool pins(const Settings& settings, std::uint32_t shards, std::size_t cpus) {
  if (settings.pin == Pin::automatic) return shards > 1 && shards == cpus;
  return settings.pin == Pin::on && shards <= cpus;
}

core::Now clock_now() {
  using std::chrono::duration_cast;
  return {.mono = core::Instant(duration_cast<core::Duration>(std::chrono::steady_clock::now().time_since_epoch())),
          .wall_ms = duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

core::LoopConfig loop_config(const Settings& settings, std::uint32_t shard, std::uint32_t shards) {
  core::LoopConfig config;
  config.shard = shard;
  config.kind = settings.loop;
  config.connections_max = (settings.connections_max + shards - 1) / shards;
  config.per_source_max = settings.connections_per_source_max;
  config.connect_timeout = settings.relay.connect_timeout;
  config.handshake_timeout = settings.tls_handshake_timeout;
  config.writer_timeout = settings.writer_timeout;
  config.gather = std::chrono::microseconds(settings.gather_us);
  config.linger = settings.linger_timeout;
  config.drain_flush = settings.flush_timeout;
  config.pipe_window_bytes = settings.pipe_window_bytes;
  return config;
}

}  // namespace

ShardSet::ShardSet(const Settings& settings, std::uint32_t count)
    : settings_(settings),
      count_(count),
      mailboxes_(count),
      sessions_(table_capacity(settings, count), random_number()),
      process_seed_(core::system_seed()) {
  if (count > 1 && !settings.sip_listeners.empty()) {
    invites_ = std::make_unique<core::SessionTable>(invites_capacity(settings, count), random_number());
  }
  for (std::uint32_t i = 0; i < count; ++i) metrics_.push_back(std::make_unique<core::Metrics>());
}

ShardSet::~ShardSet() {
  stop();
  join();
}

void ShardSet::join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

std::vector<const core::Metrics*> ShardSet::metrics() const {
  std::vector<const core::Metrics*> all;
  for (const auto& one : metrics_) all.push_back(one.get());
  return all;
}

void ShardSet::start(Parts parts) {
  CHECK(threads_.empty());
  parts_ = std::make_unique<Parts>(std::move(parts));
  for (std::uint32_t i = 0; i < count_; ++i) threads_.emplace_back([this, i] { run(i); });
}

void ShardSet::run(std::uint32_t shard) {
  name_this_thread("shard " + std::to_string(shard));
  if (const auto cpus = usable_cpus(); pins(settings_, count_, cpus.size())) pin_this_thread(cpus[shard]);

  // Made here, so that their memory is local to the core that uses it.
  core::Pool pool(settings_.pool);
  const core::Seed seed = core::system_seed();
  policy::Service service({.shard = shard,
                           .shard_count = count_,
                           .pool = pool,
                           .metrics = *metrics_[shard],
                           .sessions = sessions_,
                           .seed = seed,
                           .process_seed = process_seed_,
                           .invites = invites_.get(),
                           .config = parts_->config});
  const std::size_t restored = service.restore(parts_->stored, clock_now());
  if (restored != 0) {
    parts_->log.write(shard, {core::LogRecord::Level::info, "registrations_restored count=" + std::to_string(restored)});
  }
  core::LoopConfig config = loop_config(settings_, shard, count_);
  config.listeners = std::move(parts_->listeners[shard]);
  config.sockets = std::move(parts_->sockets[shard]);
  config.server_tls = parts_->tls.server;
  config.client_tls = parts_->tls.client;
  config.admin = &parts_->admin;
  config.log = &parts_->log;
  config.resolver = &parts_->resolver;
  config.store = parts_->store;
  core::Loop loop(std::move(config), pool, *metrics_[shard], service, mailboxes_);
  if (const std::string why = loop.run(); !why.empty()) {
    const std::lock_guard lock(error_mutex_);
    error_ = "shard " + std::to_string(shard) + ": " + why;
  }
  ended_.fetch_add(1);
  ::eventfd_write(parts_->ended_fd, 1);
}

void ShardSet::drain() {
  for (std::uint32_t i = 0; i < count_; ++i) mailboxes_.post(i, {.kind = core::Post::Kind::drain});
}

void ShardSet::stop() {
  for (std::uint32_t i = 0; i < count_; ++i) mailboxes_.post(i, {.kind = core::Post::Kind::stop});
}

void ShardSet::reload(const std::shared_ptr<const policy::Config>& config) {
  for (std::uint32_t i = 0; i < count_; ++i) mailboxes_.post(i, {.kind = core::Post::Kind::reload, .snapshot = config});
}

void ShardSet::reload(const TlsContexts& tls) {
  for (std::uint32_t i = 0; i < count_; ++i) {
    mailboxes_.post(i, {.kind = core::Post::Kind::tls, .server_tls = tls.server, .client_tls = tls.client});
  }
}

std::string ShardSet::error() {
  const std::lock_guard lock(error_mutex_);
  return error_;
}

}  // namespace parley::parleyd

// tests/sim/world.h - everything outside of the relay's brain: places and their shards, addresses, names, dials, pipes,
// troubles that come at their time.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "msrp/relay_config.h"
#include "tests/sim/ledger.h"
#include "tests/sim/sessions.h"
#include "tests/sim/shard.h"

namespace parley::core {
class SessionTable;
}
namespace parley::policy {
class Service;
}

namespace parley::sim {

class Operators;

// Sees the datagrams of all shards, as their Workers send and get them.
class DatagramWatch {
 public:
  virtual ~DatagramWatch() = default;
  virtual void out(const core::Address& to, std::string_view bytes) = 0;
  virtual void in(const core::Address& from, std::string_view bytes) = 0;
};

// Who listens at an address of the virtual network.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  virtual void accepted(Stream* stream, const core::Address& from) = 0;
};

// One parleyd: its configuration and its shards.
struct Place {
  Place();
  ~Place();

  std::string host;         // as it stands in URIs
  core::Address plain;      // listener 0, and 2 for WebSocket
  core::Address tls;        // listener 1, and 3
  std::uint16_t sip_listener = 0;  // where SIP's listeners begin, those of MSRP come before
  core::Address sip;               // its address, where there is MSRP as well
  std::vector<std::string> certificate;
  struct Version {
    std::shared_ptr<const msrp::RelayConfig> config;
    Instant since = core::never;  // all shards have it
  };
  std::vector<Version> versions;  // the first one is what it started with
  bool draining = false;
  Instant drained_at = core::never;  // when it was asked to
  [[nodiscard]] const std::shared_ptr<const msrp::RelayConfig>& config() const { return versions.back().config; }
  // Those that may have been in force between `since` and now.
  [[nodiscard]] std::vector<const msrp::RelayConfig*> configs_since(Instant since) const;
  std::unique_ptr<core::SessionTable> sessions;
  std::vector<std::unique_ptr<Shard>> shards;
  std::size_t listening = 0;                   // so many of the shards, the first ones, have the listeners
  std::vector<const policy::Service*> brains;  // of the shards; for the look at what is left at rest
};

class World final : public Outside {
 public:
  World(std::uint64_t seed, const Faults& faults, bool print);
  ~World() override;

  // A relay with `shards` shards. Config gets its listeners, name and users here.
  Place& add_place(const std::string& host, std::uint32_t number, std::uint32_t shards,
                   std::shared_ptr<msrp::RelayConfig> config);
  // The same with other Workers; `loop` is what the real loops are told.
  using MakeWorker = std::function<std::unique_ptr<core::Worker>(std::uint32_t number, Shard& shard)>;
  Place& add_place(const std::string& host, std::uint32_t number, std::uint32_t shards, const core::Pool::Config& pool,
                   const core::LoopConfig& loop, const MakeWorker& make);
  // All its processes die at once; later others begin anew in their place, with new sockets still to be bound.
  void crash(Place& place);
  void restart(Place& place, const core::Pool::Config& pool, const core::LoopConfig& loop, const MakeWorker& make);
  // A UDP socket at this address for each shard that listens, as SO_REUSEPORT makes them. Peers attach to net.datagrams.
  void bind(Place& place, std::uint16_t socket, const core::Address& address);
  void listen(const core::Address& address, Acceptor* acceptor) { acceptors_[core::to_string(address)] = acceptor; }
  // A client's connection to a place. It may write at once.
  Stream* connect(Place& place, bool tls, const core::Address& from, bool websocket = false) {
    return connect(place, static_cast<std::uint16_t>((websocket ? 2 : 0) + (tls ? 1 : 0)), from);
  }
  Stream* connect(Place& place, std::uint16_t listener, const core::Address& from);
  // What Workers refer to: it goes when the last of them has gone.
  void keep(std::shared_ptr<void> what) { kept_.push_back(std::move(what)); }
  // The only addresses a relay may dial, told by the scenario and not by the relay's configuration.
  void allow_dial(const core::Address& address) { dial_allowed_[core::to_string(address)] = true; }
  // Whoever dials it hears nothing.
  void silence(const core::Address& address) { silent_[core::to_string(address)] = true; }
  void name(const std::string& host, const core::Address& address) { names_[host] = address; }

  // Puts the troubles of the links and shards on the agenda, from now until `until`.
  void schedule_troubles(Instant until);
  // What operators may do to a relay.
  void reload(Place& place, std::shared_ptr<const msrp::RelayConfig> config);
  void drain(Place& place);
  // How late a shard may notice the time.
  [[nodiscard]] Duration time_slack() const { return 1s + faults.stall_max * faults.stalls; }
  // The liveness phase: no new trouble, and the old ones end.
  void calm();
  void run_until(Instant when);
  [[nodiscard]] std::vector<std::unique_ptr<Place>>& places() { return places_; }

  // A connection between two relays broke or did not come up: what was on its way there, reports included, may be lost.
  [[nodiscard]] bool relay_link_unsure() const;

  // Outside
  void dial(Shard& from, const core::ConnectRequest& request) override;
  void resolve(Shard& from, const core::ResolveRequest& request) override;
  void pipe(Shard& from, core::OpenPipe request) override;
  void hand_over(Shard& from, std::uint32_t to, Stream* stream, Side side, core::PeerInfo peer,
                 std::string unused) override;
  void mail(Shard& from, std::uint32_t to, std::string bytes) override;
  void reloaded(Shard& from) override;
  void drained(Shard& from) override;
  void log(Shard& from, const core::LogRecord& record) override;
  void admin_reply(Shard& from, const core::AdminReply& reply) override;
  void store(Shard& from, std::vector<core::StoreOp>& ops) override {
    if (on_store) on_store(from, ops);
  }
  std::int64_t wall_ms() override;
  void datagram_out(Shard&, const core::Address& to, std::string_view bytes) override {
    if (watch != nullptr) watch->out(to, bytes);
  }
  void datagram_in(Shard&, const core::Address& from, std::string_view bytes) override {
    if (watch != nullptr) watch->in(from, bytes);
  }

  std::uint64_t seed;
  Faults faults;
  Agenda agenda;
  Journal journal;
  Network net;
  Ledger ledger;
  Sessions sessions;
  Operators* operators = nullptr;
  DatagramWatch* watch = nullptr;
  std::function<void(Shard&)> on_drained;
  std::function<void(Shard&, const core::AdminReply&)> on_admin_reply;
  std::function<void(Shard&, std::vector<core::StoreOp>&)> on_store;
  std::uint32_t mail_loss_permille = 0;  // of mail between shards
  std::set<std::string> spared_users;  // not to be revoked: they come when all is quiet
  std::vector<Client*> clients;
  bool dial_failed = false;    // what only wanted to pass there was lost
  bool auth_may_fail = false;  // limits, or a relay behind the relay, stand in the way
  bool relay_rules = true;     // a relay opens no pipe to itself or to nowhere

 private:
  [[nodiscard]] Place* place_of(const Shard& shard);
  [[nodiscard]] bool is_other_shard(const Shard& from, std::uint32_t to, const char* what);
  [[nodiscard]] std::uint64_t shard_seed(std::uint32_t place, std::uint32_t shard) const;
  void accept_at(Place& place, std::uint16_t listener, Stream* stream, const core::Address& from,
                 std::vector<std::string> names);

  void start_shards(Place& place, std::uint32_t number, std::uint32_t shards, const core::Pool::Config& pool,
                    const core::LoopConfig& loop, const MakeWorker& make);

  std::vector<std::shared_ptr<void>> kept_;  // before all shards
  Rng rng_;
  Rng mail_rng_;
  std::vector<std::unique_ptr<Shard>> dead_shards_;  // the agenda may still name them
  std::vector<std::unique_ptr<Place>> places_;
  std::map<std::string, Acceptor*> acceptors_;
  std::vector<Stream*> relay_links_;
  std::map<std::string, bool> dial_allowed_;
  std::map<std::string, bool> silent_;
  std::map<std::string, core::Address> names_;
  std::int64_t wall_offset_ms_ = 1'700'000'000'000;
  std::uint16_t next_port_ = 40000;
};

core::Address address_v4(std::uint32_t number, std::uint16_t port);  // 127.0.x.y

}  // namespace parley::sim

// tests/sim/datagrams.h - the virtual network's UDP: datagrams between addresses, lost, doubled, late and out of order
// as the seed says.
//
// Whoever has an address attaches to it: a shard's socket (Shard::bind) or a peer that a scenario plays. Several at one
// address share it as SO_REUSEPORT does: a source stays with one of them while they stay. What is sent to an address
// without anybody vanishes. Nothing is told to the sender.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/address.h"
#include "tests/sim/faults.h"
#include "tests/sim/journal.h"

namespace parley::sim {

class DatagramEnd {
 public:
  virtual ~DatagramEnd() = default;
  // `to`: where it was sent to, one of the addresses this end is attached to.
  virtual void on_datagram(const core::Address& from, const core::Address& to, std::string_view bytes) = 0;
};

struct AddressLess {
  bool operator()(const core::Address& a, const core::Address& b) const {
    if (a.family != b.family) return a.family < b.family;
    return a.ip != b.ip ? a.ip < b.ip : a.port < b.port;
  }
};

class Datagrams {
 public:
  Datagrams(Agenda& agenda, Journal& journal, Faults& faults, std::uint64_t seed)
      : agenda_(agenda), journal_(journal), faults_(faults), rng_(seed, 11), hash_seed_(seed) {}

  // The end must be detached before it goes.
  void attach(const core::Address& address, DatagramEnd* end) { ends_[address].push_back(end); }
  void detach(const core::Address& address, DatagramEnd* end);
  // The network has the bytes from here on. Between two addresses they keep their order unless a trouble says
  // otherwise.
  void send(const core::Address& from, const core::Address& to, std::string bytes);

 private:
  void travel(const core::Address& from, const core::Address& to, std::string bytes);
  void arrive(const core::Address& from, const core::Address& to, const std::string& bytes);

  struct PairLess {
    bool operator()(const std::pair<core::Address, core::Address>& a,
                    const std::pair<core::Address, core::Address>& b) const {
      return a.first == b.first ? AddressLess()(a.second, b.second) : AddressLess()(a.first, b.first);
    }
  };

  Agenda& agenda_;
  Journal& journal_;
  Faults& faults_;
  Rng rng_;
  std::uint64_t hash_seed_;
  std::map<core::Address, std::vector<DatagramEnd*>, AddressLess> ends_;
  std::map<std::pair<core::Address, core::Address>, Instant, PairLess> last_arrival_;
};

}  // namespace parley::sim

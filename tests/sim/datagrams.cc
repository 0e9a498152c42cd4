// tests/sim/datagrams.cc - see datagrams.h.
#include "tests/sim/datagrams.h"

#include <algorithm>

namespace parley::sim {
namespace {

std::uint64_t mixed(std::uint64_t hash, const core::Address& address) {
  for (const std::uint8_t byte : address.ip) hash = (hash ^ byte) * 0x100000001b3ULL;
  hash = (hash ^ address.port) * 0x100000001b3ULL;
  return hash ^ hash >> 29;
}

}  // namespace

void Datagrams::detach(const core::Address& address, DatagramEnd* end) {
  const auto found = ends_.find(address);
  if (found == ends_.end()) return;
  std::erase(found->second, end);
  if (found->second.empty()) ends_.erase(found);
}

void Datagrams::send(const core::Address& from, const core::Address& to, std::string bytes) {
  if (rng_.permille(faults_.datagram_loss_permille)) {
    ++journal_.faults;
    journal_.line("net loses a datagram of %zu bytes to %s", bytes.size(), core::to_string(to).c_str());
    return;
  }
  if (rng_.permille(faults_.datagram_copies_permille)) {
    ++journal_.faults;
    journal_.line("net doubles a datagram of %zu bytes to %s", bytes.size(), core::to_string(to).c_str());
    travel(from, to, bytes);
  }
  travel(from, to, std::move(bytes));
}

void Datagrams::travel(const core::Address& from, const core::Address& to, std::string bytes) {
  const std::uint64_t most = micros(faults_.delay_max);
  Instant at = agenda_.now() + std::chrono::microseconds(20 + (most == 0 ? 0 : rng_.between(0, most)));
  if (rng_.permille(faults_.datagram_late_permille)) {  // others may pass it
    ++journal_.faults;
    at += std::chrono::microseconds(rng_.scaled(1, micros(faults_.datagram_late_max) + 1));
  } else {
    Instant& last = last_arrival_[{from, to}];
    at = last = std::max(at, last);
  }
  agenda_.at(at, [this, from, to, bytes = std::move(bytes)] { arrive(from, to, bytes); });
}

void Datagrams::arrive(const core::Address& from, const core::Address& to, const std::string& bytes) {
  const auto found = ends_.find(to);
  if (found == ends_.end()) {
    journal_.line("net has nobody at %s for %zu bytes", core::to_string(to).c_str(), bytes.size());
    return;
  }
  const std::vector<DatagramEnd*>& ends = found->second;
  ends[mixed(mixed(hash_seed_, from), to) % ends.size()]->on_datagram(from, to, bytes);
}

}  // namespace parley::sim

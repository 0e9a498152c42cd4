// msrp/transactions.h - requests given to a next hop and not answered yet (RFC 4976 sections 6.4.1 and 6.4.3).
//
// A slab of records named by the transaction id itself: 8 letters of slot, 16 letters of randomness, so that a response
// finds its record without a search and a forged one does not (R4975-1: 64 random bits). All deadlines are the same
// time after arming, so the due list is a queue.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "msrp/relay_types.h"

namespace parley::msrp {

class Transactions {
 public:
  explicit Transactions(core::Random& random) : random_(random) {}

  // A fresh transaction id that names no record: for requests that are never answered.
  void make_tid(std::array<char, tid_bytes>& tid);

  // A new record at the end of conn's list, and its id. `none` when `live_max` records exist. Its out_offset is not
  // known yet: written() tells it.
  [[nodiscard]] std::uint32_t create(Conn& conn, std::uint32_t live_max, std::array<char, tid_bytes>& tid);
  [[nodiscard]] Transaction& at(std::uint32_t slot) { return (*chunks_[slot / chunk_size])[slot % chunk_size]; }

  // The record a response on `conn` belongs to, or none.
  [[nodiscard]] std::uint32_t find(const Conn& conn, std::string_view tid);
  // The first record whose clock does not run although conn's bytes were taken up to its end (conn.accepted), or none.
  [[nodiscard]] std::uint32_t first_accepted(const Conn& conn);
  // Starts the clock of that record.
  void arm(Conn& conn, std::uint32_t slot, core::Instant due);
  // Starts the clock of an armed record anew.
  void postpone(std::uint32_t slot, core::Instant due);
  // The caller has taken the route reference over.
  void erase(Conn& conn, std::uint32_t slot);

  // The first record that is due, or none; it stays until erased.
  [[nodiscard]] std::uint32_t first_due(core::Instant now) const;
  [[nodiscard]] core::Instant next_due() const;
  [[nodiscard]] std::uint32_t live() const { return live_; }
  // Those that wait for a next hop; the others for another shard of this process.
  [[nodiscard]] std::uint32_t outside() const { return live_ - in_pipes_; }

 private:
  static constexpr std::uint32_t chunk_size = 1024;
  using Chunk = std::array<Transaction, chunk_size>;
  void unlink_due(Transaction& t);
  void link_due(std::uint32_t slot, core::Instant due);

  core::Random& random_;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t free_ = Transaction::none;
  std::uint32_t due_first_ = Transaction::none;
  std::uint32_t due_last_ = Transaction::none;
  std::uint32_t live_ = 0;
  std::uint32_t in_pipes_ = 0;
};

}  // namespace parley::msrp

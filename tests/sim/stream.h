// tests/sim/stream.h - one TCP-like connection of the virtual network: finite socket buffers on both sides, delay, cuts
// at any byte, coalescing, a bandwidth, one-way clogs, orderly and other ends.
//
// Owned by the Network, which keeps every stream until the run ends: what is on the agenda may name a dead one.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/datagrams.h"
#include "tests/sim/faults.h"
#include "tests/sim/journal.h"

namespace parley::sim {

// Who sits on one side of a stream.
class Socket {
 public:
  virtual ~Socket() = default;
  virtual void on_readable() = 0;  // bytes or the end can be read
  virtual void on_room() = 0;      // bytes can be written
  virtual void on_consumed(std::uint64_t) {}  // pipes: the other shard has handled so many bytes
  virtual void on_reset() = 0;     // the other side or the network broke the connection; nothing follows
};

class Network;

using Side = std::size_t;  // 0 dialled, 1 was dialled
inline constexpr Side nobody = 2;

// The bytes of one direction: accepted by the sender's kernel -> on the way -> in the receiver's kernel.
struct Lane {
  std::uint64_t unread = 0;       // pipes: taken and not yet read by the other side
  std::uint64_t accepted = 0;     // in the sender's kernel, bytes promised by `take` but not yet known included
  std::deque<std::string> ready;  // of these, the known ones
  std::size_t ready_at = 0;       // read of the first one
  struct Segment {
    std::string bytes;
    bool fin = false;
  };
  std::deque<Segment> way;
  std::uint64_t way_bytes = 0;
  Instant last_arrival{};
  std::deque<std::string> arrived;
  std::size_t arrived_at = 0;
  std::uint64_t arrived_bytes = 0;
  bool fin_asked = false, fin_on_way = false, fin_arrived = false;
  bool receiver_gone = false;     // closed without reading to the end
  Instant clogged_until{};
  bool clog_wake = false;
  bool sender_waits = false;      // the sender was told "no room" and wants to know
};

class Stream {
 public:
  Stream(Network& net, std::uint32_t pipe_window, std::uint32_t number)
      : net_(net), local_(pipe_window != 0), pipe_window_(pipe_window), number_(number) {}

  void attach(Side side, Socket* socket) { socket_[side] = socket; }

  // Writing, for the side that sends.
  [[nodiscard]] std::uint64_t room(Side side);
  // The kernel accepts `bytes`; what they are it learns later, by put.
  void take(Side side, std::uint64_t bytes) { lanes_[side].accepted += bytes, lanes_[side].unread += bytes; }
  void put(Side side, std::string bytes);
  // An orderly end behind everything that was taken.
  void finish(Side side);

  // Reading.
  [[nodiscard]] std::uint64_t available(Side side) const { return lanes_[1 - side].arrived_bytes; }
  [[nodiscard]] bool at_end(Side side) const {
    return lanes_[1 - side].fin_arrived && lanes_[1 - side].arrived_bytes == 0;
  }
  std::string read(Side side, std::uint64_t bytes_max);
  // A pipe's reader hands what it read to its Worker.
  void consumed(Side side, std::uint64_t bytes) {
    if (local_ && socket_[1 - side] != nullptr) socket_[1 - side]->on_consumed(bytes);
  }

  // close(2): no more reading; what was written still leaves, then the end. Bytes that arrive later are answered by a
  // reset.
  void close(Side side);
  // A reset, by one side or (nobody) by the network.
  void abort(Side side);
  void clog(Side from_side, Instant until);
  // The troubles have ended: what stood still goes on.
  void calm();

  [[nodiscard]] bool dead() const { return dead_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] bool local() const { return local_; }

 private:
  void pump(Side side);
  void tell_room(Side side);
  void arrive(Side side);
  void lose(Side side);

  Network& net_;
  bool local_;  // a pipe between two shards: no network in between, and a window instead of socket buffers
  std::uint32_t pipe_window_;
  std::uint32_t number_;
  bool dead_ = false;
  bool gone_[2] = {false, false};
  std::array<Lane, 2> lanes_;  // [n] is written by side n
  Socket* socket_[2] = {nullptr, nullptr};
};

class Network {
 public:
  Network(Agenda& agenda_in, Journal& journal_in, Faults& faults_in, std::uint64_t seed)
      : agenda(agenda_in), journal(journal_in), faults(faults_in), rng(seed, 3),
        datagrams(agenda_in, journal_in, faults_in, seed) {}

  // The two sides of a new connection; side 0 dialled. With a window it is a pipe between shards.
  Stream* open(std::uint32_t pipe_window = 0);
  [[nodiscard]] Duration delay(bool local);
  // Ends all clogs: the liveness phase begins.
  void calm();
  [[nodiscard]] const std::vector<std::unique_ptr<Stream>>& streams() const { return streams_; }

  Agenda& agenda;
  Journal& journal;
  Faults& faults;
  Rng rng;
  Datagrams datagrams;

 private:
  std::vector<std::unique_ptr<Stream>> streams_;
};

}  // namespace parley::sim

// tests/sim/faults.h - swarm: which kinds of trouble exist in this seed, and how often each of them strikes.
//
// Each class is off in about half of the seeds, so that every combination of few troubles gets its turn. Drawn from its
// own stream: the workload of a seed stays the same when a trouble is taken out of it.
#pragma once

#include <cstdint>

#include "tests/sim/agenda.h"
#include "tests/sim/rng.h"

namespace parley::sim {

enum class Plant : std::uint8_t { none, early_release, lost_response, wrong_order };

struct Faults {
  // Links
  Duration delay_max{};              // one way; 0..300 ms
  std::uint32_t cut_permille = 0;    // a segment is cut at a random byte
  std::uint32_t segment_bytes = 65536;
  std::uint64_t bytes_per_second = 0;  // 0: as fast as the delay allows
  std::uint32_t socket_bytes = 65536;  // each of the send and the receive buffer
  std::uint32_t clogs = 0;           // times a direction of a link stands still
  Duration clog_max{};
  bool swizzle = false;              // all links of some clients clog one after the other and come back in another order
  std::uint32_t resets = 0;          // connections reset by the network
  // Kernel below the loop
  std::uint32_t short_send_permille = 0;
  Duration hold_max{};               // the kernel keeps a sent buffer this long
  Duration credit_max{};             // `sent` comes this late
  std::uint32_t piece_bytes = 65536;  // no receive delivers more than this
  std::uint32_t small_blocks = 2048;
  std::uint32_t large_blocks = 32;
  std::uint32_t arena_blocks = 64;
  Duration stall_max{};              // one shard does not turn
  std::uint32_t stalls = 0;
  bool wall_jumps = false;
  bool late_bytes = false;           // one Input after pause, as the contract allows
  bool closed_without_half = false;  // an orderly end arrives as closed(peer_closed) at once
  // Datagrams
  std::uint32_t datagram_loss_permille = 0;
  std::uint32_t datagram_copies_permille = 0;
  std::uint32_t datagram_late_permille = 0;  // so many may be passed by others
  Duration datagram_late_max{};
  // Dials and names
  std::uint32_t connect_fail_permille = 0;
  Duration connect_max{};
  std::uint32_t resolve_fail_permille = 0;
  // Peers
  std::uint32_t slow_permille = 0;
  std::uint32_t dribble_permille = 0;
  std::uint32_t liar_permille = 0;
  std::uint32_t vanish_permille = 0;
  std::uint32_t flood_permille = 0;
  std::uint32_t mute_permille = 0;   // answers some SENDs with nothing or an error
  // Operators, and time
  std::uint32_t kicks = 0;
  std::uint32_t reloads = 0;
  bool drain = false;                // of a relay, in mid-traffic
  std::uint32_t lifetime_s = 0;      // sessions live about so long; 0: longer than the run
  std::uint32_t lapse_permille = 0;  // clients that let a session run out

  Plant plant = Plant::none;
  bool quiet = false;                // the liveness phase: nothing new happens

  static Faults draw(std::uint64_t seed) {
    Rng rng(seed, 2);
    Faults f;
    auto on = [&rng] { return rng.coin(1, 2); };
    if (on()) f.delay_max = std::chrono::microseconds(rng.scaled(50, 300'000));
    if (on()) f.cut_permille = rng.between32(1, 1000);
    if (on()) f.segment_bytes = rng.coin(1, 6) ? rng.between32(1, 100) : rng.between32(100, 1460);
    if (rng.coin(1, 4)) f.bytes_per_second = rng.scaled(20'000, 100'000'000);
    if (on()) f.socket_bytes = static_cast<std::uint32_t>(rng.scaled(512, 262'144));
    if (on()) f.clogs = rng.between32(1, 12), f.clog_max = std::chrono::milliseconds(rng.scaled(10, 30'000));
    if (f.clogs != 0) f.swizzle = rng.coin(1, 3);
    if (on()) f.resets = rng.between32(1, 3);
    if (on()) f.short_send_permille = rng.between32(1, 1000);
    if (on()) f.hold_max = std::chrono::microseconds(rng.scaled(10, 2'000'000));
    if (on()) f.credit_max = std::chrono::microseconds(rng.scaled(10, 500'000));
    if (on()) f.piece_bytes = static_cast<std::uint32_t>(rng.scaled(1, 8192));
    if (rng.coin(1, 3)) {
      f.small_blocks = rng.between32(4, 64);
      f.large_blocks = rng.between32(0, 4);
      f.arena_blocks = rng.between32(2, 16);
    }
    if (rng.coin(1, 3)) f.stalls = rng.between32(1, 5), f.stall_max = std::chrono::milliseconds(rng.scaled(5, 5000));
    f.wall_jumps = rng.coin(1, 4);
    f.late_bytes = on();
    f.closed_without_half = on();
    if (on()) f.connect_fail_permille = rng.between32(50, 500);
    if (on()) f.connect_max = std::chrono::milliseconds(rng.scaled(1, 4000));
    if (on()) f.resolve_fail_permille = rng.between32(50, 300);
    if (on()) f.slow_permille = rng.between32(50, 300);
    if (on()) f.dribble_permille = rng.between32(50, 300);
    if (on()) f.liar_permille = rng.between32(50, 400);
    if (on()) f.vanish_permille = rng.between32(50, 300);
    if (on()) f.flood_permille = rng.between32(50, 300);
    if (on()) f.mute_permille = rng.between32(20, 200);
    if (on()) f.kicks = rng.between32(1, 4);
    if (on()) f.reloads = rng.between32(1, 3);
    f.drain = rng.coin(1, 8);
    if (on()) f.lifetime_s = rng.between32(3, 20), f.lapse_permille = rng.between32(0, 600);
    if (on()) f.datagram_loss_permille = static_cast<std::uint32_t>(rng.scaled(1, 300));
    if (on()) f.datagram_copies_permille = static_cast<std::uint32_t>(rng.scaled(1, 200));
    if (on()) f.datagram_late_permille = rng.between32(1, 300);
    if (f.datagram_late_permille != 0) f.datagram_late_max = std::chrono::microseconds(rng.scaled(50, 2'000'000));
    return f;
  }
};

}  // namespace parley::sim

// msrp/ends_state.h - what is remembered of sessions that end here and of the connections that serve them (msrp/ends.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/time.h"
#include "core/timer_wheel.h"
#include "msrp/end_types.h"
#include "msrp/fan_outs.h"
#include "msrp/relay_types.h"

namespace parley::msrp {

// In the session table an end has its slot with this bit; a relay's session has not.
inline constexpr std::uint32_t end_slot_bit = 1U << 31;
// And this one, alone, when another shard has named it: that did not know the slot.
inline constexpr std::uint32_t named_end_slot = end_slot_bit | 1U << 30;

struct End {
  enum class State : std::uint8_t {
    opened,     // the peer's path is not known
    waiting,    // for the peer to come
    binding,    // dialled; our first SEND is on its way
    connected,
    lost,       // its connection has gone; the peer may come again
    failed,
  };

  // What a fan-out reads.
  Conn* conn = nullptr;  // bound, or dialled
  State state = State::opened;
  bool told_full = false;
  bool pauses = false;           // its holds have stopped its connection
  bool through_relay = false;    // it comes through a session of this relay: `via` below
  std::uint32_t chunk_max = 0;   // what the peer takes in one chunk; 0: anything
  std::string out_paths;         // "To-Path: <peer's path>\r\nFrom-Path: <uri>\r\n"

  EndHandle self;
  std::uint64_t owner = 0;
  End* prev = nullptr;           // on the same connection
  End* next = nullptr;
  std::uint32_t holds = 0;
  std::uint32_t bind_slot = Transaction::none;  // binding: the transaction of our first SEND
  bool named = false;            // by another shard
  std::uint64_t key = 0;         // in the session table; the first half of the id
  std::string id;
  std::string uri;
  EndPeer peer;
  ConnHandle early;              // opened: a connection that waits for connect() (T-70)
  std::string in_paths;          // To-Path value CRLF "From-Path: " value CRLF, as the peer writes them
  std::uint32_t in_to_length = 0;
  std::uint32_t in_from_length = 0;
  std::string response_paths;    // "To-Path: <first of the peer's path>\r\nFrom-Path: <uri>\r\n"
  // The peer is a client of this relay and comes through its session here: our URI that it was given for that (4976).
  std::string via;
  SessionHandle via_session;
  core::Timer timer;
  DialBudget dials;

  // The URI of ours that the next hop answers to.
  [[nodiscard]] std::string_view answered_at() const { return via.empty() ? uri : via; }

  [[nodiscard]] std::string_view in_to() const { return std::string_view(in_paths).substr(0, in_to_length); }
  [[nodiscard]] std::string_view in_from() const {
    return std::string_view(in_paths).substr(in_to_length + 13, in_from_length);  // CRLF "From-Path: "
  }
};

// Of a connection that serves, or waits to serve, sessions that end here.
struct ConnEnds {
  End* first = nullptr;
  End* recent = nullptr;         // whose request came last
  std::uint32_t count = 0;
  std::uint64_t last_fan_out = 0;  // number of the last one that it owes an answer to
  AnswerRing ring;
  core::Instant blocked_at{};    // when bytes were last seen waiting
  EndHandle early_end;           // what came waits for connect() of this session
  std::string early;             // and this is it
};

inline bool Conn::serves_ends() const { return ends != nullptr && ends->count != 0; }

}  // namespace parley::msrp

// core/conn.h - one connection slot of a Loop: a socket in some stage of its life, or one end of a pipe.
//
// Idle connections are many, so what only some need hangs off by pointer: bytes that wait, TLS, a dial in progress, the
// pipe's counters.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/proactor.h"
#include "core/seam.h"

namespace parley::core {

class TlsConn;

enum class Stage : std::uint8_t {
  vacant,
  connecting,   // TCP connect, or a pipe waiting for its acceptor
  handshaking,  // TLS
  open,
  moving,     // to another shard, once the kernel has let go of it
  flushing,   // the Worker has closed; its bytes leave first
  lingering,  // FIN is out; what the peer still sends is discarded until its FIN, or close would become a reset
  dying,      // waiting for the last completion; then the descriptor is closed
};

// Bytes the kernel (or the pipe's window) did not take at once, in exact-size heap blocks.
struct Backlog {
  std::vector<Slice> slices;
  std::size_t first = 0;  // slices before are sent
  std::uint64_t bytes = 0;
};

struct Dial {
  std::uint64_t token = 0;
  ::sockaddr_storage address{};
  ::socklen_t address_size = 0;
  bool tls = false;
  std::string tls_name;
};

struct PipeEnd {
  std::uint32_t shard = 0;
  ConnId peer;                   // valid once accepted
  std::uint64_t token = 0;       // of the opener
  std::uint64_t in_flight = 0;   // sent, no credit yet
  std::uint64_t uncredited = 0;  // delivered while paused: credit follows at resume
  std::vector<Slice> held;       // arrived while paused
  bool fin_held = false;         // the peer's end closed behind what is held
  std::unique_ptr<PeerInfo> served;  // accepted ones, until the Worker is told
};

struct Moving {
  std::uint32_t shard = 0;
  std::string unused;  // plaintext the Worker there gets first
};

inline constexpr std::uint32_t no_node = 0xffffffffU;

struct Conn {
  std::uint32_t generation = 1;
  int fd = -1;
  Stage stage = Stage::vacant;
  Transport transport = Transport::tcp;
  bool known : 1 = false;     // the Worker has its id and may name it
  bool accepted : 1 = false;  // by a listener
  bool paused : 1 = false;
  bool peer_fin : 1 = false;
  bool recv_armed : 1 = false;
  bool recv_repeats : 1 = false;
  bool recv_cancelled : 1 = false;
  bool writable_armed : 1 = false;
  bool connect_armed : 1 = false;
  bool streaming : 1 = false;   // receives go to large buffers
  bool small_once : 1 = false;  // the next one to a small buffer: no large one was free
  bool recv_small : 1 = false;  // what is armed now
  bool starving : 1 = false;    // on the list of those that found no buffer
  bool socket_dry : 1 = false;  // the last receive emptied it
  bool hang_up_watched : 1 = false;
  bool hung_up : 1 = false;     // receives go one at a time until one says how it ended
  bool touched : 1 = false;     // has outputs this turn
  bool sending : 1 = false;     // has a send in the coming wait
  bool writer_timer : 1 = false;
  bool owed_listed : 1 = false;
  std::uint8_t small_in_row = 0;
  std::uint16_t listener = 0;
  std::uint32_t lingered_bytes = 0;  // discarded since our FIN
  std::uint32_t first_node = no_node;  // this turn's sends
  std::uint32_t last_node = no_node;
  std::uint32_t first_cipher = no_node;  // TLS: what is ready to go, handshake included
  std::uint32_t last_cipher = no_node;
  std::int32_t send_result = 0;
  std::uint64_t owed = 0;  // accepted by the kernel, `sent` not yet delivered
  Instant progress{};      // when waiting bytes last moved
  std::unique_ptr<Backlog> backlog;
  std::unique_ptr<TlsConn> tls;
  std::unique_ptr<Dial> dial;
  std::unique_ptr<Address> source;  // counted against per_source_max
  std::unique_ptr<PipeEnd> pipe;
  std::unique_ptr<Moving> moving;

  Conn();
  ~Conn();
  Conn& operator=(Conn&& other) noexcept;
  [[nodiscard]] bool outstanding() const { return recv_armed || writable_armed || connect_armed || sending; }
  [[nodiscard]] bool has_backlog() const { return backlog != nullptr && backlog->bytes > 0; }
};

}  // namespace parley::core

// core/seam.h - the one door between the world and the logic: Inputs go in, Outputs come out, both plain values.
//
//     loop (io_uring, epoll) or simulator  --Input-->  Worker::step  --Output-->  loop or simulator
//
// Above the seam there is no descriptor, clock, thread, random source, TLS, DNS or disk. The contract:
//
//  1. A step handles one batch of Inputs; the loop then carries out the whole Outbox before the next step.
//  2. An Input that carries a Slice carries one reference, which the loop drops after the step; a Worker that keeps the
//     bytes retains them (and bytes that wait are copied once, so that a receive buffer goes home).
//  3. Outbox::send retains what it is given. The loop drops that reference when the kernel has let go of the bytes.
//     `sent` gives credit back for bytes the kernel accepted. Sends on one connection keep their order.
//  4. What the kernel does not take at once the loop copies to an exact-size heap block: a slow peer never pins a
//     receive buffer. How much may wait is the Worker's decision: it counts what it sent and what `sent` returned.
//  5. After Output close(conn) no Input names that conn again. After Input closed(conn) the id is dead: Outputs that
//     name it are ignored. A ConnId is never reused (its generation differs).
//  6. `now` is the only way time moves. The loop calls step with an empty batch when the deadline is reached.
//  7. `pause` stops reads; bytes already read may still arrive as one Input. `resume` takes reads up again.
//  8. TLS is done below: `bytes` is plaintext, `opened` and `connected` come after the handshake with the verified
//  names.
//  9. A pipe is a connection between two shards of this process: same Inputs, same Outputs, same back-pressure. Its
//     `sent` says more: these bytes were part of a step of the other Worker. What is not among them when the pipe ends
//     did not arrive.
// 10. `hand_over` moves an accepted connection to another shard, with its TLS state and whatever was read of it and not
//     used. What the same batch brings for it later is unused too: the Worker adds it. After the step no Input names it
//     here; there it comes as `opened` and then `bytes`, the unused ones first. Only for connections on which nothing
//     was sent.
// 11. A datagram is whole: 0 to 65,535 bytes, no credit, no pause. What the kernel does not take at once is dropped and
//     counted, as the network would; the next one goes on. Datagrams of one socket leave in their order. Once the loop
//     stops, or is told `drained`, none come, and what is sent later is dropped.
// 12. `mail` brings bytes to the Worker of a shard, the own one included: whole, in order for each pair of shards, no
//     answer. Too much that waits, or a shard without memory for it, loses some, counted: who must know asks again.
//     Not so what is `kept`: it is carried out as long as both shards run, and its sender bounds what is on its way.
// 13. `store` is carried out some time later, by another thread, in the order in which one shard said it. What has a
//     token is answered by a `stored` each: in that order, and only when no crash can undo it. Bodies of large messages
//     go a way of their own: there the order is that of each body (core/store/store.h).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "core/check.h"
#include "core/pool.h"
#include "core/store/store.h"
#include "core/time.h"

namespace parley::core {

struct ConnId {
  std::uint32_t index = 0xffffffffU;
  std::uint32_t generation = 0;
  bool operator==(const ConnId&) const = default;
  [[nodiscard]] bool valid() const { return index != 0xffffffffU; }
};
inline constexpr ConnId no_conn{};

enum class Transport : std::uint8_t { tcp, tls, ws, wss, udp, pipe };
[[nodiscard]] constexpr std::string_view name_of(Transport transport) {
  switch (transport) {
    case Transport::tcp: return "tcp";
    case Transport::tls: return "tls";
    case Transport::ws: return "ws";
    case Transport::wss: return "wss";
    case Transport::udp: return "udp";
    case Transport::pipe: return "pipe";
  }
  return "";
}

// What is known of a connection when it opens. Valid during the step that delivers it. Of an accepted pipe: what its
// opener told of the connection it serves.
struct PeerInfo {
  Transport transport = Transport::tcp;
  Address remote;
  Address local;
  std::uint16_t listener = 0;               // index in the configured listeners; accepted connections only
  std::uint32_t from_shard = 0;             // pipes only
  bool relay_peer = false;                  // pipes only, as their opener says
  std::vector<std::string> verified_names;  // dNSNames of a certificate that chained to the trusted CA, lower case
};

enum class CloseReason : std::uint8_t {
  peer_closed,    // orderly end by the peer, everything before it was delivered
  reset,          // reset or any other transport error
  tls_error,      // handshake or record failure
  timeout,        // handshake or writer timeout enforced below the seam
  no_memory,      // bytes that had to wait found no room
  shutting_down,  // the loop is stopping
};

enum class ConnectError : std::uint8_t { refused, unreachable, timeout, tls_error, tls_name, no_resources };

struct ResolvedAddress {
  Address address;
  // What a certificate has to match. MSRP: the SRV target or the name asked for. SIP: always the name asked for, as
  // anybody may point to any target (RFC 5922 section 4).
  std::string target;
  Transport transport = Transport::tcp;  // SIP: by which this address is to be reached
};

struct Resolution {
  std::uint64_t token = 0;
  std::vector<ResolvedAddress> addresses;  // in the order to try; empty: the name does not resolve
};

// A question from the admin side, answered by Outbox::admin_reply with the same id.
struct AdminRequest {
  enum class Kind : std::uint8_t {
    list_sessions,  // of the relay; how many at most
    kick_session,   // number
    summary,
    list_rooms,     // IM sessions; how many at most
    show_room,      // room, blank, how many members at most
    kick_member,    // room, blank, member
    close_room,     // room
    trace,          // Message-ID
    where,          // Message-ID, or Call-ID of a MESSAGE
    system_message,        // policy::put_order
    list_system_messages,  // how many at most
    close_system_message,  // id
    // Of what waits for a user: {} of a shard that is not his.
    deferred_list,     // user: etag and document
    deferred_entries,  // user: messages
    deferred_delete,   // user, blank, id: whether it was
    // Likewise of a user's history.
    history_list,     // user: etag and document
    history_entries,  // user: records
    history_delete,   // user, blank, id or "all": whether some were
  };
  std::uint64_t id = 0;
  Kind kind = Kind::summary;
  std::string argument;
};

// A new snapshot of everything SIGHUP may change; the Worker knows the concrete type behind it.
struct ConfigSnapshot {
  virtual ~ConfigSnapshot() = default;
};

struct Input {
  enum class Kind : std::uint8_t {
    opened,          // conn, peer: a peer connected to a listener, or another shard opened a pipe to us
    connected,       // conn, token, peer: our connect or open_pipe succeeded
    connect_failed,  // token, connect_error
    bytes,           // conn, slice
    half_closed,     // conn: the peer sends no more; it may still read
    sent,            // conn, count: bytes the kernel has accepted since the last `sent`
    closed,          // conn, close_reason
    resolved,        // resolution
    admin,           // admin
    reload,          // snapshot
    drain,           // stop taking new work; the Worker finishes by Outbox::drained()
    datagram,        // socket, source, slice: one whole datagram, perhaps of no bytes
    mail,            // from_shard, slice: what the Worker of that shard gave Outbox::mail, perhaps no bytes
    stored,          // stored: what became of an Outbox::store with a token
  };
  Kind kind = Kind::bytes;
  CloseReason close_reason = CloseReason::peer_closed;
  ConnectError connect_error = ConnectError::refused;
  std::uint16_t socket = 0;      // DatagramSocket::id
  std::uint32_t from_shard = 0;
  ConnId conn;
  Slice slice;
  std::uint64_t count = 0;
  std::uint64_t token = 0;
  // Owned by the loop, valid during the step.
  const PeerInfo* peer = nullptr;
  const Address* source = nullptr;
  const Resolution* resolution = nullptr;
  const AdminRequest* admin = nullptr;
  const StoreResult* stored = nullptr;
  std::shared_ptr<const ConfigSnapshot> snapshot;
};

struct ConnectRequest {
  std::uint64_t token = 0;
  Address address;
  bool tls = false;
  std::string tls_name;  // SNI and the dNSName the certificate must carry
};

struct ResolveRequest {
  // sip: RFC 3263 as a whole, for the next hop of a request or, with the transport of its Via, of a response whose
  // connection is gone.
  enum class Procedure : std::uint8_t { srv, sip };
  std::uint64_t token = 0;
  std::string host;
  std::uint16_t port = 0;   // 0: none was given. srv: ask SRV `srv_service` first, then addresses with port 2855
  std::string srv_service;  // srv: e.g. "_msrps._tcp"
  Procedure procedure = Procedure::srv;
  // The rest is for sip.
  bool secure = false;                   // a sips URI: nothing but TLS will do
  std::optional<Transport> transport{};  // as the URI or the Via says: udp, tcp, tls, ws or wss
  bool websocket = false;                // where DNS may choose the transport, it may choose ws and wss too
};

struct AdminReply {
  std::uint64_t id = 0;
  std::string json;
};

// One closing record, refusal or state change worth an operator's line. Holds no bodies and no secrets.
struct LogRecord {
  enum class Level : std::uint8_t { debug, info, warn, error };
  Level level = Level::info;
  std::string text;  // "event key=value key=value"
};

struct Output {
  enum class Kind : std::uint8_t {
    send,    // conn, slice (one reference)
    close,   // conn: what was sent before leaves first (bounded by the writer timeout), then FIN
    abort,   // conn: at once, unsent bytes are dropped
    pause,   // conn
    resume,  // conn
  };
  Kind kind = Kind::send;
  ConnId conn;
  Slice slice;
};

struct Datagram {
  std::uint16_t socket = 0;  // DatagramSocket::id
  Address to;
  Slice slice;  // one reference, unless it has no bytes and no block
};

// Bytes for the Worker of another shard, in memory that its pool takes over.
struct ShardMail {
  struct Free {
    void operator()(char* block) const { std::free(block); }
  };
  std::uint32_t shard = 0;
  std::uint32_t length = 0;
  bool kept = false;                  // whoever mails it bounds what waits: no limit drops it
  std::unique_ptr<char, Free> bytes;  // malloc'd; nullptr: there was no memory
};

struct HandOver {
  ConnId conn;
  std::uint32_t shard = 0;
  std::string unused;  // plaintext that was delivered here and is to be delivered there
};

struct OpenPipe {
  std::uint64_t token = 0;
  std::uint32_t shard = 0;
  PeerInfo served;  // what the other shard is told; transport and from_shard are the loop's
};

// Everything one step wants done, in order. Lives in the loop; memory is reused from turn to turn.
class Outbox {
 public:
  // Two arenas, so that bytes for two connections that are written in turn (a relay's forwarded requests and the
  // responses to their sender) stay contiguous for each of them.
  enum class Lane : std::uint8_t { forward, back };

  explicit Outbox(Pool& pool);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  // Room for `bytes` contiguous bytes; nullptr only when pool and heap are exhausted. Follow with commit or drop it.
  [[nodiscard]] char* reserve(Lane lane, std::uint32_t bytes) {
    const Arena& a = arena(lane);
    return a.size - a.used >= bytes && a.base != nullptr ? a.base + a.used : reserve_anew(lane, bytes);
  }
  // Sends the first `used` bytes of the last reserve(lane) on conn.
  void commit(ConnId conn, Lane lane, std::uint32_t used) {
    Arena& a = arena(lane);
    CHECK(used <= a.size - a.used);
    if (a.last_conn == conn) {
      outputs_[a.last_output].slice.length += used;  // adjacent: the arena only grows
    } else if (used != 0) {
      commit_anew(conn, a, used);
    }
    // The other lane may not be extended past this output, or bytes of one connection would change order.
    Arena& other = arenas_[lane == Lane::forward ? 1 : 0];
    if (other.last_conn == conn) other.last_conn = no_conn;
    a.used += used;
  }
  // reserve + copy + commit. False when memory is exhausted.
  [[nodiscard]] bool write(ConnId conn, Lane lane, std::string_view bytes);
  // Sends bytes by reference.
  void send(ConnId conn, Slice slice);

  // Sends the first `used` bytes of the last reserve(lane), perhaps none, as one datagram.
  void commit_datagram(std::uint16_t socket, const Address& to, Lane lane, std::uint32_t used);
  // The same by reference.
  void send_datagram(std::uint16_t socket, const Address& to, Slice slice);
  // Copies `bytes` for the Worker of a shard. A shard that does not exist loses them.
  void mail(std::uint32_t shard, std::string_view bytes, bool kept = false);
  void mail(ShardMail mail);

  void close(ConnId conn) { push({Output::Kind::close, conn, {}}); }
  void abort(ConnId conn) { push({Output::Kind::abort, conn, {}}); }
  void pause(ConnId conn) { push({Output::Kind::pause, conn, {}}); }
  void resume(ConnId conn) { push({Output::Kind::resume, conn, {}}); }

  void connect(ConnectRequest request);
  void resolve(ResolveRequest request);
  void open_pipe(std::uint64_t token, std::uint32_t shard, PeerInfo served = {});
  void hand_over(ConnId conn, std::uint32_t shard, std::string unused);
  void admin_reply(std::uint64_t id, std::string json);
  void store(StoreOp op);
  void log(LogRecord::Level level, std::string text);
  // The next time step must be called even if nothing arrives; stays until set again.
  void deadline(Instant at) { deadline_ = at; }
  // Answer to Input::drain: nothing is left that must be finished.
  void drained() { drained_ = true; }

  // For the loop: what to carry out. Connection outputs first and in order, then the rest.
  [[nodiscard]] std::span<const Output> outputs() const { return outputs_; }
  [[nodiscard]] std::span<const Datagram> datagrams() const { return datagrams_; }  // one reference each, the loop's
  [[nodiscard]] std::vector<ShardMail>& mails() { return mails_; }
  [[nodiscard]] std::vector<ConnectRequest>& connects() { return connects_; }
  [[nodiscard]] std::vector<ResolveRequest>& resolves() { return resolves_; }
  [[nodiscard]] std::vector<OpenPipe>& pipes() { return pipes_; }
  [[nodiscard]] std::vector<HandOver>& hand_overs() { return hand_overs_; }
  [[nodiscard]] std::vector<AdminReply>& replies() { return replies_; }
  [[nodiscard]] std::vector<LogRecord>& logs() { return logs_; }
  [[nodiscard]] std::vector<StoreOp>& stores() { return stores_; }
  [[nodiscard]] Instant next_deadline() const { return deadline_; }
  [[nodiscard]] bool is_drained() const { return drained_; }
  // For the loop, after everything above is carried out. Send references have passed to the loop by then.
  void clear();

 private:
  struct Arena {
    BufferId block = no_buffer;
    char* base = nullptr;  // of the block; its bytes and how many of them are used
    std::uint32_t size = 0;
    std::uint32_t used = 0;
    ConnId last_conn;  // whose output may still be extended in place
    std::size_t last_output = 0;
  };
  Arena& arena(Lane lane) { return arenas_[static_cast<std::size_t>(lane)]; }
  char* reserve_anew(Lane lane, std::uint32_t bytes);
  void commit_anew(ConnId conn, Arena& arena, std::uint32_t used);
  void push(const Output& output);
  void forget_extension(ConnId conn);

  Pool& pool_;
  Arena arenas_[2];
  std::vector<Output> outputs_;
  std::vector<Datagram> datagrams_;
  std::vector<ShardMail> mails_;
  std::vector<ConnectRequest> connects_;
  std::vector<ResolveRequest> resolves_;
  std::vector<OpenPipe> pipes_;
  std::vector<HandOver> hand_overs_;
  std::vector<AdminReply> replies_;
  std::vector<LogRecord> logs_;
  std::vector<StoreOp> stores_;
  Instant deadline_ = never;
  bool drained_ = false;
};

// The whole logic of one shard. Called by one thread.
class Worker {
 public:
  virtual ~Worker() = default;
  virtual void step(std::span<const Input> batch, const Now& now, Outbox& out) = 0;
};

}  // namespace parley::core

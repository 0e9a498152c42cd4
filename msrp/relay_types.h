// msrp/relay_types.h - what the relay remembers: connections, sessions, routes, frames in transit, transactions.
//
// All of it belongs to one shard and is used by its thread alone. Objects refer to each other by handles with
// generations (a stale handle finds nothing) or by intrusive lists whose owner unlinks them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/id_text.h"
#include "core/nonce_count.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "core/timer_wheel.h"
#include "msrp/body_scan.h"
#include "msrp/end_types.h"
#include "msrp/head.h"
#include "msrp/ws_conn.h"

namespace parley::msrp {

struct Conn;
struct ConnEnds;
struct Session;
// Of the transaction ids we make: a slot and 64 random bits (msrp/transactions.h).
inline constexpr std::size_t tid_bytes = core::letters32_chars + core::letters64_chars;

// Below this a copy next to the head costs less than a reference and one more element in the kernel's scatter list.
inline constexpr std::uint32_t copy_bytes_max = 1024;

using ConnHandle = core::SlotId;
using SessionHandle = core::SlotId;

// core::Timer::kind: what the timer is part of, and so what its owner value is.
enum TimerKind : std::uint32_t {
  timer_conn,     // owner: packed ConnHandle
  timer_session,  // owner: packed SessionHandle
  timer_inbound,  // owner: index in Relay::inbounds_
  timer_end,      // owner: packed EndHandle
};

// How often somebody may make us dial.
struct DialBudget {
  core::Instant window{};  // dials in the second that began then
  std::uint32_t dials = 0;
};

// One (To-Path, From-Path) pair as seen on one connection, resolved: where it goes and the path lines to write.
// A session repeats its paths in every request, so resolution happens once and later frames are matched by bytes.
// Counted by hand: its connection and every transaction it is the way back for hold references.
struct Route {
  std::uint32_t refs = 0;
  bool peer_bound = true;                 // checked against Session::peers; what is not SEND needs no way back
  bool transit = false;                   // handed to another shard, or from there to its client, with unchanged paths
  std::string in_paths;                   // To-Path value CRLF "From-Path: " value CRLF
  std::uint32_t to_length = 0;            // of the To-Path value in in_paths
  std::uint32_t from_length = 0;
  std::string out_paths;                  // "To-Path: ...\r\nFrom-Path: ...\r\n" towards the next hop
  std::string own_last;                   // our URI that the next hop answers to (first of the outgoing From-Path)
  std::string response_paths;             // "To-Path: <first From-Path URI>\r\nFrom-Path: <our URI>\r\n" for responses to SEND
  std::string report_paths;               // "To-Path: <whole From-Path>\r\nFrom-Path: <our URI>\r\n" for reports we make
  ConnHandle source;
  ConnHandle dest;
  std::string relay;                      // the verified name of the relay it came from; empty: from no relay
  std::array<SessionHandle, 4> sessions;  // the ones passed through; all must be live
  std::uint8_t session_count = 0;
  std::uint64_t away_key = 0;             // of the session behind them that another shard has; 0: none

  [[nodiscard]] std::string_view to_path() const { return std::string_view(in_paths).substr(0, to_length); }
  [[nodiscard]] std::string_view from_path() const {
    return std::string_view(in_paths).substr(to_length + 13, from_length);  // CRLF "From-Path: "
  }
};

// A SEND, or another request that may be answered, given to a next hop and not answered yet.
struct Transaction {
  static constexpr std::uint32_t none = 0xffffffffU;
  static constexpr std::size_t id_bytes_max = 64;  // Message-ID (RFC: 32) or transaction id (32)

  std::uint64_t random = 0;      // 0: free
  ConnHandle conn;               // the next hop's connection
  Route* route = nullptr;        // the way back; nullptr: it is our own, of the session `end`
  EndHandle end;
  std::uint64_t mark = 0;        // EndSend::mark
  bool tell_200 = false;         // EndSend::tell_200
  bool binds = false;            // the SEND by which we, the active side, bind a session
  std::uint32_t prev = none;     // on the same connection, in the order written
  std::uint32_t next = none;     // also links the free list
  std::uint32_t due_prev = none; // armed ones, in the order they fall due
  std::uint32_t due_next = none;
  std::uint64_t out_offset = 0;  // the connection's write position behind its last byte
  core::Instant due{};
  bool armed = false;
  bool is_send = true;           // otherwise the response is passed back under the transaction id in `id`
  bool auth = false;             // a forwarded AUTH: its failures count against the client
  FailureReport failure = FailureReport::yes;
  std::uint8_t id_length = 0;
  std::array<char, id_bytes_max> id{};
  std::uint64_t start = 1;       // what a report says about the bytes
  std::uint64_t length = 0;
  std::uint64_t total = ByteRange::unknown;
  bool has_body = false;

  [[nodiscard]] std::string_view id_view() const { return {id.data(), id_length}; }
};

// A head that has not arrived in full, or a whole frame of a method other than SEND that has a body.
struct Partial {
  HeadParser parser;
  std::vector<char> bytes;
  bool head_done = false;
  BodyScan scan;
  std::uint32_t body_bytes = 0;
};

// A SEND whose body is still arriving. It goes out in one or more chunks, each opened only when at least
// chunk_bytes_min are at hand or the frame has ended, so that an open chunk may be interrupted at any time (R4975-6).
struct Inbound {
  static constexpr std::uint32_t chunk_bytes_min = 2048;

  std::uint32_t index = 0;        // its own, in Relay::inbounds_
  Conn* source = nullptr;         // nullptr: free
  Route* route = nullptr;
  ConnHandle dest;
  BodyScan scan;
  std::array<char, 32> tid{};
  std::uint8_t tid_length = 0;
  FailureReport failure = FailureReport::yes;
  bool has_range = false;
  bool discard = false;           // refused or failed: the rest of the body is read and dropped
  std::uint16_t answer = 200;     // what the source is told when its frame has ended
  std::uint32_t piece_bytes = 0;  // not 0: gathered to chunks of this size with a known range (T-60)
  bool report_at_end = false;     // refused: its report waits for the range that really arrived
  std::string refusal_paths;      // "To-Path: <whole From-Path>..." for that report
  ByteRange range;                // as the source gave it
  std::uint64_t received = 0;     // body bytes that arrived
  std::uint64_t received_max = 0; // more end the connection; of a frame that could not be read, else unbounded
  std::uint64_t emitted = 0;      // body bytes written to the next hop
  bool open = false;              // a chunk of ours is open on dest
  std::uint64_t chunk_start = 0;  // `emitted` when it was opened
  std::array<char, tid_bytes> out_tid{};
  std::uint32_t transaction = Transaction::none;
  std::string headers;            // header lines to repeat in each chunk, without Byte-Range
  std::string message_id;
  std::vector<char> pending;      // at most chunk_bytes_min or piece_bytes that wait for company
  EndHandle end;                  // valid: it ends here (msrp/ends_in.cc); `headers` is then the whole head
  EndToken token;
  Head head;
  bool told = false;              // its first piece was
  core::Timer timer;               // stall and progress
  core::Instant last_bytes{};
  core::Instant window_start{};
  std::uint64_t window_received = 0;
};

struct NonceState {
  std::array<char, 22> text{};
  core::Instant issued{};
  core::NonceCounts counts;
};

// Messages of a source whose rest must not go on: their receiver has been told '#'. The last few; older ones are over.
struct AbortedMessages {
  std::vector<std::string> ids;  // --aborted-messages-max of them
  std::size_t oldest = 0;        // when there are so many
};

// What only connections that we set up ourselves need.
struct Dialled {
  std::uint64_t token = 0;
  std::string backlog;   // written while the connection is being set up
  std::string link_key;  // in Relay::links_
  std::string host;      // of the URI: what the peer's certificate must name (RFC 4976 section 9.2)
  std::vector<core::ResolvedAddress> addresses;  // left to try, the next one last
  bool tls = false;
  bool close_when_up = false;  // its client is gone, but not what it had sent
};

struct Conn {
  enum class State : std::uint8_t { dialling, open, closed };
  enum class Kind : std::uint8_t { accepted, dialled, pipe_in, pipe_out };

  // Two cache lines that every frame written to it needs.
  ConnHandle self;
  core::ConnId id;
  State state = State::open;
  Kind kind = Kind::accepted;
  core::Transport transport = core::Transport::tcp;
  bool proven = false;         // a request on it has succeeded
  bool relay_peer = false;     // another relay, by certificate or by our own dial to a configured peer
  bool failed = false;         // no memory for what it must be sent: it ends with this step
  bool ends_full = false;      // one of its ends waits for room
  bool self_held = false;      // held back because it does not read what its own requests cause
  std::uint32_t tx_count = 0;
  std::uint32_t tx_unarmed = Transaction::none;
  std::uint64_t written = 0;       // bytes handed to the loop (or to the backlog while dialling)
  std::uint64_t accepted = 0;      // bytes the kernel took
  core::Instant waiting_since{};   // when there was nothing between the two last
  Inbound* open_chunk = nullptr;   // whose chunk is open towards this connection
  std::unique_ptr<WsConn> ws;      // WebSocket clients
  std::unique_ptr<ConnEnds> ends;  // those that serve sessions which end here
  std::vector<ConnHandle> held_sources;  // senders held back because this one is slow

  std::uint16_t listener = 0;
  std::uint16_t auth_failures = 0;
  std::uint16_t replays = 0;
  std::uint16_t misses = 0;    // bad requests and such for unknown sessions before it was proven
  std::uint32_t pausers = 0;   // receivers that hold this source back
  std::uint32_t route_count = 0;  // live routes it is the source of
  core::Address remote;
  core::Address local;
  std::unique_ptr<std::vector<std::string>> names;  // verified dNSNames; pipe_in: of the connection behind it

  Partial* partial = nullptr;
  Inbound* inbound = nullptr;
  std::array<Route*, 4> routes{};  // most recently used first
  std::string response_memo;       // paths of the last response that came in
  std::uint32_t response_to_length = 0;
  std::uint32_t response_from_length = 0;

  std::uint32_t tx_first = Transaction::none;
  std::uint32_t tx_last = Transaction::none;

  std::unique_ptr<Dialled> dialled;  // connections and pipes that we opened

  ConnHandle pipe_of;              // pipe_out: the connection it serves
  std::vector<std::pair<std::uint32_t, ConnHandle>> pipes;  // shard -> pipe_out

  Session* first_session = nullptr;
  std::uint32_t session_count = 0;
  std::vector<NonceState> nonces;
  std::unique_ptr<AbortedMessages> aborted;
  core::Timer timer;                // probation, unfinished head, idle: whichever is next
  core::Instant timer_due{};
  core::Instant released_at{};     // when it was last read again after being held back
  core::Instant opened_at{};
  core::Instant last_used{};
  core::Instant head_since{};      // when the unfinished head began; Instant{} when there is none

  [[nodiscard]] bool is_pipe() const { return kind == Kind::pipe_in || kind == Kind::pipe_out; }
  // Nothing can be written to it any more.
  [[nodiscard]] bool gone() const { return state == State::closed || failed; }
  // Can be written to, whatever its transport.
  [[nodiscard]] bool writable() const { return state == State::open && !failed; }
  // What is written to it goes to the loop as it is: no backlog, no WebSocket.
  [[nodiscard]] bool direct() const { return writable() && ws == nullptr; }
  [[nodiscard]] std::uint64_t waiting_bytes() const { return written - accepted; }
  [[nodiscard]] bool serves_ends() const;
};

// A URI handed out by AUTH.
struct Session {
  SessionHandle self;
  std::uint64_t key = 0;         // in the session table; the first half of the id
  std::uint64_t number = 0;      // public handle for operators; the URI itself is a secret
  std::string id;                // 22 characters, 128 random bits
  std::string uri;
  std::string user;
  std::string client_path;       // From-Path of the AUTH; its first URI is the next hop back
  std::string owner_relay;       // not empty: valid on any connection of this relay (R4976-5)
  ConnHandle owner;
  Session* prev = nullptr;       // on the same owner connection
  Session* next = nullptr;
  core::Instant created{};
  core::Instant expires{};
  core::Timer timer;
  struct Peer {
    std::string uri;
    ConnHandle conn;
  };
  DialBudget dials;
  std::vector<Peer> peers;       // who sent to this session from where: the way back to them
  std::uint64_t messages_in = 0;   // chunks towards the owner
  std::uint64_t messages_out = 0;  // chunks from the owner
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

}  // namespace parley::msrp

// tools/parley/msrp_client.h - the client's MSRP sessions and the connections they go over (RFC 4975, RFC 4976 as a
// client, RFC 6135). R4975-5 to -12, R4976-2, R4976-9, R6135-1, T-57 to T-64, T-70, T-71.
//
// One per client, one thread. A session is named by the number its owner gives it. Without a relay its path is our own
// URI, and whoever SDP says connects; with one, it first asks the relay for a URI (AUTH), and everything goes over that
// connection. What comes of it is fetched as facts.
//
//   open(number) ... next(fact): ready      path(number) can be put into SDP
//   connect(number, peer)      : up         or failed
//   send(number, message)      : sent, and report when one was asked for
//                              : message, or piece for a session that takes bytes as they come
//   close(number)
//
//   msrp_client.cc    sessions, time, facts        msrp_links.cc   connections, AUTH
//   msrp_receive.cc   what peers send              msrp_send.cc    what we send
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest_client.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/time.h"
#include "msrp/byte_ledger.h"
#include "msrp/frame_stream.h"
#include "tools/parley/byte_source.h"

namespace parley::client {

struct MsrpConfig {
  std::string host{};      // of our URIs: a literal, IPv6 in brackets
  std::uint16_t port = 0;  // of our listener; 0: nobody can connect to us
  std::string relay{};     // msrp or msrps URI; empty: none
  std::string user{};      // for AUTH
  std::string password{};
  bool verify_names = true;  // TLS: the certificate has to match the host dialled

  std::uint32_t sessions_max = 256;
  std::uint32_t connections_max = 64;
  std::uint64_t message_bytes_max = 1 << 20;   // a message that is put together in memory: more is answered 413
  std::uint32_t messages_open_max = 16;        // begun and not complete, per session
  std::uint32_t outgoing_max = 256;            // messages that wait or are under way, per session
  std::uint32_t queue_bytes_max = 256 * 1024;  // written to a connection and not yet taken by the kernel
  std::uint32_t chunks_max = 256;              // without response, per connection
  std::uint32_t chunk_bytes = 2048;            // RFC 4975 section 7.1.1: what need not be interruptible; T-60
  core::Duration response_timeout = std::chrono::seconds(30);  // RFC 4975 section 7.1.1
  core::Duration connect_timeout = std::chrono::seconds(10);
  core::Duration come_timeout = std::chrono::seconds(10);  // T-41: for a peer that was to connect; then we do
  core::Duration bind_timeout = std::chrono::seconds(30);  // of a connection that nobody has used; RFC 4976 section 5.3
};

// What the other side's description says.
struct MsrpPeer {
  std::string path{};       // value of a=path
  bool we_connect = false;  // R6135-1; a session behind a relay never does
  std::string address{};    // OMA-MSRP-2: c= and m= where they lead elsewhere than the path; empty: they do not
  std::uint16_t port = 0;
};

// What a session takes.
struct MsrpIntake {
  std::vector<std::string> types{};  // accept-types; "*" takes all
  std::uint64_t bytes_max = 0;       // of one message; 0: message_bytes_max
  bool pieces = false;               // given out as they come
  bool judged = false;               // a message is answered by judge(), not before
};

struct OutMessage {
  std::string headers{};  // lines before Content-Type, with their line ends
  std::string content_type{};
  std::shared_ptr<const ByteSource> body{};
  bool success_report = false;
  msrp::FailureReport failure = msrp::FailureReport::yes;
};

struct MsrpFact {
  enum class Kind : std::uint8_t {
    ready,    // path() is known
    up,       // bound: messages go
    failed,   // the session is of no more use; status says why (408, 481, 506, 403 of a relay, ...)
    message,  // one is complete
    piece,    // some bytes of one
    broken,   // one that had begun will not be complete
    sent,     // outgoing `number`: status 200, all of it was taken by the next hop; else it has failed
    report,   // of outgoing `number`: status 200, all of it has arrived; else it has not
  };
  Kind kind = Kind::ready;
  std::uint32_t session = 0;
  std::uint64_t number = 0;  // outgoing; message: for judge()
  std::uint16_t status = 0;
  std::string message_id{};
  std::string content_type{};
  std::string headers{};    // message: lines of its first chunk behind From-Path
  std::string body{};       // message: all of it; piece: these bytes
  std::uint64_t start = 1;  // piece: number of its first byte
  std::uint64_t total = msrp::ByteRange::unknown;
  bool last = false;  // piece: with it the message is complete
};

class MsrpClient {
 public:
  MsrpClient(core::Random& random, MsrpConfig config) : random_(random), config_(std::move(config)) {}
  MsrpClient(const MsrpClient&) = delete;
  MsrpClient& operator=(const MsrpClient&) = delete;

  // --- in every step

  void begin(const core::Now& now, core::Outbox& out);
  // opened, connected, connect_failed, half_closed, sent, closed, resolved: of connections that are ours.
  void take(const core::Input& input);
  void take_bytes(core::ConnId conn, std::string_view bytes);
  [[nodiscard]] bool owns(core::ConnId conn) const;
  [[nodiscard]] bool next(MsrpFact& fact);
  void end();  // what waits is written as far as the connections take it
  [[nodiscard]] core::Instant next_deadline() const;

  // --- sessions

  // False at sessions_max. `secure`: the URI is an msrps one (TLS end to end, or the relay's).
  [[nodiscard]] bool open(std::uint32_t number, bool secure, MsrpIntake intake);
  [[nodiscard]] std::string_view uri(std::uint32_t number) const;  // our own; empty: no such session
  [[nodiscard]] std::string path(std::uint32_t number) const;      // R4976-9: the relay's first
  [[nodiscard]] bool ready(std::uint32_t number) const;
  void connect(std::uint32_t number, const MsrpPeer& peer);
  // Its number, for facts; 0: there is no room or no such session. It may be given before the session is up.
  [[nodiscard]] std::uint64_t send(std::uint32_t number, OutMessage message);
  // What becomes of a message of a judged session, once for each: 200, or the error its sender is told.
  void judge(std::uint32_t session, std::uint64_t number, std::uint16_t status);
  // Messages that have not been taken by the next hop.
  [[nodiscard]] std::size_t unsent(std::uint32_t number) const;
  void close(std::uint32_t number);

 private:
  struct Chunk {
    enum class Kind : std::uint8_t { data, bind, auth } kind = Kind::data;
    std::uint32_t session = 0;
    std::uint64_t number = 0;
    std::uint64_t start = 0;
    std::uint64_t last = 0;
  };
  struct Link {
    core::ConnId conn;
    std::uint64_t token = 0;  // of the look-up or dial under way
    bool open = false;
    bool used = false;                       // a session has been bound to it
    std::string to{};                        // who was dialled: "msrps://host:port"
    std::string host{};                      // for the certificate's name
    std::vector<core::Address> addresses{};  // to try next
    bool secure = false;
    core::Instant due = core::never;  // connect or bind timeout
    std::uint64_t queued = 0;
    msrp::FrameStream stream;
    // The request whose body is being read.
    std::uint32_t session = 0;                                    // of it; 0: nobody's
    std::uint16_t answer = 0;                                     // what it has deserved so far; 0: nothing wrong
    std::uint64_t at = 0;                                         // bytes of its body so far
    std::map<std::string, Chunk, std::less<>> chunks;             // by transaction id
    std::deque<std::pair<core::Instant, std::string>> deadlines;  // of them, in order
  };
  struct Outgoing {
    std::uint64_t number = 0;
    std::string message_id{};
    OutMessage message{};
    std::uint64_t total = 0;
    std::uint64_t next = 1;  // byte to send
    bool all_out = false;
    bool told = false;  // `sent` was
    msrp::ByteLedger taken{};
    msrp::ByteLedger reported{};
  };
  struct Incoming {
    std::string body{};
    std::string content_type{};
    std::string headers{};
    std::uint64_t total = msrp::ByteRange::unknown;
    msrp::ByteLedger there{};
    bool success = false;
  };
  // What of a request its response says again.
  struct Asked {
    msrp::Method method = msrp::Method::send;
    msrp::FailureReport failure = msrp::FailureReport::yes;
    std::string tid{};
    std::string to_path{};
    std::string from_path{};
  };
  struct Unjudged {
    std::uint64_t link = 0;
    Asked last{};  // the request that has completed it
    std::string message_id{};
    std::uint64_t total = 0;
    bool success = false;
  };
  enum class State : std::uint8_t { asking, idle, connecting, up, dead };
  struct Session {
    std::uint32_t number = 0;
    State state = State::idle;
    bool secure = false;
    bool behind_relay = false;
    std::string id{};
    std::string uri{};
    std::string use_path{};  // the relay's, in the order of To-Path
    std::string to_path{};
    std::string fallback{};  // "msrp://address:port", tried when the path's own does not answer
    MsrpIntake intake{};
    std::uint64_t link = 0;  // 0: none
    std::optional<core::DigestAnswer> challenge{};
    std::uint8_t refusals = 0;
    core::Instant refresh = core::never;  // of the relay's URI
    core::Instant come = core::never;     // when we connect, as the peer does not
    std::string peer_path;
    std::deque<Outgoing> outgoing;
    std::map<std::string, Incoming, std::less<>> incoming;
    std::map<std::uint64_t, Unjudged> unjudged;
  };

  // msrp_client.cc
  Session* find(std::uint32_t number);
  [[nodiscard]] const Session* find(std::uint32_t number) const;
  void fail(Session& session, std::uint16_t status);
  void tell(MsrpFact::Kind kind, const Session& session, std::uint16_t status = 0, std::uint64_t number = 0);
  void came_up(Session& session);

  // msrp_links.cc
  [[nodiscard]] std::uint64_t dial(std::string_view uri);  // 0: no room, or no place to dial
  void dial_next(std::uint64_t key, Link& link);
  void go_there(Session& session);
  void link_up(std::uint64_t key, Link& link);
  void link_lost(std::uint64_t key, std::uint16_t status);
  void ask_relay(Session& session);
  void on_auth_response(Session& session, const msrp::Head& head, std::string_view bytes);
  Link* link(std::uint64_t key);
  void write(Link& link, std::string_view bytes);

  // msrp_receive.cc
  void read(std::uint64_t key, std::string_view bytes);
  void on_request(std::uint64_t key, Link& link, const msrp::FramePiece& piece);
  void begin_request(std::uint64_t key, Link& link, const msrp::FramePiece& piece);
  [[nodiscard]] std::uint16_t take_body(Session& session, Link& link, const msrp::FramePiece& piece);
  // False: with this piece a message is complete that has to be judged.
  [[nodiscard]] bool finish_body(std::uint64_t key, Session& session, Link& link, const msrp::FramePiece& piece);
  void complete(Session& session, const std::string& message_id, Incoming& incoming);
  void on_report(Session& session, const msrp::FramePiece& piece);
  [[nodiscard]] static Asked asked(const msrp::FramePiece& piece);
  void answer(Link& link, const Asked& asked, std::uint16_t status);
  void on_response(std::uint64_t key, Link& link, const msrp::FramePiece& piece);

  // msrp_send.cc
  void pump(Session& session);
  [[nodiscard]] bool send_chunk(Session& session, Link& link, Outgoing& message);
  void send_bind(Session& session);
  void send_report(Session& session, std::string_view message_id, std::uint64_t total);
  void chunk_answered(const Chunk& chunk, std::uint16_t status);
  void finish(Session& session, std::uint64_t number, std::uint16_t status);
  [[nodiscard]] std::string make_tid();
  void note_chunk(Link& link, std::string tid, const Chunk& chunk);

  core::Random& random_;
  MsrpConfig config_;
  core::Digest digest_;
  core::Now now_;
  core::Outbox* out_ = nullptr;
  std::map<std::uint32_t, Session> sessions_;
  std::map<std::uint64_t, Link> links_;
  std::map<std::uint32_t, std::uint64_t> by_conn_;   // ConnId::index -> link
  std::map<std::uint64_t, std::uint64_t> by_token_;  // dial or look-up -> link
  std::uint64_t relay_link_ = 0;
  std::uint64_t next_link_ = 1;
  std::uint64_t next_token_ = 1;
  std::uint64_t next_message_ = 1;
  std::uint64_t next_unjudged_ = 1;
  std::deque<MsrpFact> facts_;
};

}  // namespace parley::client

// msrp/relay.h - an MSRP relay (RFC 4976): AUTH, and requests forwarded between connections as they arrive.
//
// One per shard, one thread. Everything comes in as core::Input and leaves through core::Outbox. The parts:
//   relay_conn.cc     connections: opening, closing, timers, flow control, writing
//   relay_links.cc    the ways to other relays and other shards: dialling, pipes
//   relay_ws.cc       WebSocket around both
//   relay_input.cc    bytes to frames
//   relay_bad.cc      frames that cannot be read
//   relay_route.cc    who may send what where (RFC 4976 sections 6.2 to 6.4), and the path lines that result
//   relay_send.cc     SEND: what becomes of it, and those that are there in one piece
//   relay_chunks.cc   SEND cut through chunk by chunk
//   relay_other.cc    REPORT and other methods, responses, the reports the relay itself makes
//   relay_auth.cc     AUTH and the life of sessions
//   relay_admin.cc    what operators ask
// Sessions that end here instead of passing are Ends' (msrp/ends.h); they share connections, timers and transactions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/session_table.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "msrp/auth.h"
#include "msrp/ends.h"
#include "msrp/frame_text.h"
#include "msrp/relay_config.h"
#include "msrp/relay_types.h"
#include "msrp/transactions.h"
#include "msrp/uri.h"

namespace parley::msrp {

class Relay {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    core::Pool& pool;
    core::Metrics& metrics;
    core::SessionTable& table;
    core::Random& random;
    std::shared_ptr<const RelayConfig> config;
  };
  explicit Relay(const Parts& parts);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // One step of the Worker: begin, take its Inputs, finish. Between begin and finish sessions that end here may be used,
  // and their facts are pulled behind take.
  void begin(const core::Now& now, core::Outbox& out);
  void take(std::span<const core::Input> batch);
  // What an Input of the admin side is answered, for whoever has more to say. Between begin and finish.
  [[nodiscard]] std::string answer_admin(const core::AdminRequest& request);
  void finish();
  [[nodiscard]] Ends& ends() { return ends_; }
  [[nodiscard]] const Ends& ends() const { return ends_; }
  // Between steps.
  void reload(std::shared_ptr<const RelayConfig> config) { config_ = std::move(config); }

  // After finish: when the next one is due, and whether a drain that was asked for has nothing left to wait for.
  [[nodiscard]] core::Instant next_deadline() const { return deadline_; }
  [[nodiscard]] bool drained() const { return drained_; }

  // For tests at rest.
  [[nodiscard]] std::uint32_t live_sessions() const { return sessions_.size(); }
  [[nodiscard]] std::uint32_t live_connections() const { return conns_.size(); }
  [[nodiscard]] std::uint32_t live_transactions() const { return transactions_.live(); }
  [[nodiscard]] std::size_t armed_timers() const { return wheel_.size(); }

 private:
  friend class Links;  // what Ends may do here

  // The frame being handled: its head, where its bytes are, and from whom.
  struct Frame {
    const Head& head;
    std::string_view bytes;  // from the first byte of the head
    [[nodiscard]] std::string_view operator()(Span span) const { return span.of(bytes); }
  };

  enum class Refusal : std::uint8_t {
    none,
    bad_path,         // 400
    foreign,          // not addressed to this relay: the connection is dropped
    unknown_session,  // 481
    not_authorised,   // answered like unknown_session, so that nothing is learned from the difference
    bound_elsewhere,  // 506
    unreachable,      // 408
    for_us,           // the path ends here
    no_resources,     // 413
    elsewhere,        // a fresh connection whose session lives on another shard: it moves there
    early,            // the session ends here and its peer's SDP has not been seen yet
  };
  struct Resolved {
    Refusal refusal = Refusal::none;
    Route* route = nullptr;   // when refusal is none; the connection's cache holds a reference
    std::uint32_t shard = 0;  // when elsewhere
    End* end = nullptr;       // when early; when refusal is none and there is no route
  };

  // --- connections (relay_conn.cc)
  void on_opened(const core::Input& input, Conn::Kind kind);
  void on_connected(const core::Input& input);
  void on_connect_failed(const core::Input& input);
  void on_half_closed(Conn& conn);
  void on_sent(Conn& conn, std::uint64_t count);
  void on_drain();
  [[nodiscard]] Conn* find(core::ConnId id);
  [[nodiscard]] Conn* live(ConnHandle handle);  // dialling or open, not closing
  Conn* make_conn(Conn::Kind kind);
  void prove(Conn& conn);
  // Asks the loop to close; what was written leaves first. The rest of the clean-up follows at once.
  void close(Conn& conn);
  void forget(Conn& conn);  // everything that hangs on a connection ends; the handle dies
  void hold_if_slow(Conn& source, Conn& dest);
  void hold_if_not_reading(Conn& conn);
  void release_one(Conn& source);
  void stop_reading(Conn& source);
  void release_held(Conn& dest);
  void release_if_read(Conn& dest);
  // What a relay's connection may make one receiver owe; such a source is not held back.
  [[nodiscard]] bool overrun(const Conn& source, const Conn& dest);
  [[nodiscard]] bool is_slow(const Conn& dest) const;
  void arm_conn_timer(Conn& conn);
  void on_conn_timer(Conn& conn);
  void expire_transactions();
  void run_timers();
  void end_failed();

  // --- ways to other relays and other shards (relay_links.cc)
  void know_peer(Conn& conn, core::ConnId id, const core::PeerInfo& peer);
  void forget_names(const Conn& conn);
  [[nodiscard]] Conn* link_to(std::string_view relay);
  [[nodiscard]] static const std::string* name_in(const Conn& conn, std::string_view uri);
  [[nodiscard]] static bool same_relay(const Conn& a, const Conn& b);
  [[nodiscard]] Conn* way_back(const Route& route);
  void open_pipes(Conn& conn);
  Conn* pipe_to(Conn& conn, std::uint32_t shard);
  void leave_pipe(Conn& pipe);
  void on_resolved(const core::Resolution& resolution);
  void try_next_address(Conn& conn);
  void remember_failed_dial(const std::string& link_key);
  Conn* dial(DialBudget& budget, const Uri& next_hop);
  [[nodiscard]] bool dial_allowed(const core::Address& address) const;
  [[nodiscard]] const RelayPeer* configured_peer(std::string_view host, std::uint16_t port) const;

  // --- writing (relay_conn.cc): every frame starts with begin_frame, which ends a chunk that is open on the connection
  void begin_frame(Conn& conn);
  [[nodiscard]] char* reserve(Conn& conn, core::Outbox::Lane lane, std::size_t bytes) {
    if (conn.direct()) {
      if (char* at = out_->reserve(lane, static_cast<std::uint32_t>(bytes))) return at;
    }
    return reserve_elsewhere(conn, lane, bytes);
  }
  void commit(Conn& conn, core::Outbox::Lane lane, std::uint32_t used, Piece piece = {}) {
    if (conn.direct()) {
      out_->commit(conn.id, lane, used);
      wrote(conn, used);
    } else {
      commit_elsewhere(conn, lane, used, piece);
    }
  }
  void wrote(Conn& conn, std::uint64_t bytes) {
    if (conn.written == conn.accepted) conn.waiting_since = now_.mono;
    conn.written += bytes;
  }
  char* reserve_elsewhere(Conn& conn, core::Outbox::Lane lane, std::size_t bytes);
  void commit_elsewhere(Conn& conn, core::Outbox::Lane lane, std::uint32_t used, Piece piece);
  // Both are given to a chunk that is open, or to what `around` announced.
  void write_shared(Conn& conn, core::Slice slice, Piece::Kind kind = Piece::Kind::continues);
  void write_copy(Conn& conn, core::Outbox::Lane lane, std::string_view bytes, Piece::Kind kind = Piece::Kind::continues);
  void out_of_memory(Conn& conn);

  // --- WebSocket clients (relay_ws.cc)
  void open_ws(Conn& conn);
  void on_ws_bytes(Conn& conn, core::Slice slice);
  [[nodiscard]] bool take_handshake(Conn& conn, std::span<char>& rest);
  void end_ws(Conn& conn, std::uint16_t code, core::Metric why);
  void say_goodbye(Conn& conn);
  [[nodiscard]] bool keep_ws_alive(Conn& conn);
  [[nodiscard]] core::Instant ws_ping_due(const Conn& conn) const;
  void write_unframed(Conn& conn, std::string_view bytes);
  char* reserve_ws(Conn& conn, core::Outbox::Lane lane, std::size_t bytes);
  void commit_ws(Conn& conn, core::Outbox::Lane lane, std::uint32_t used, Piece piece);
  void announce_shared(Conn& conn, std::uint32_t bytes);
  // More than a WebSocket client is sent in one chunk.
  [[nodiscard]] bool long_for_ws(ConnHandle dest, std::size_t body_bytes) {
    return body_bytes > config_->ws_chunk_bytes && is_ws(dest);
  }
  [[nodiscard]] bool is_ws(ConnHandle handle);
  [[nodiscard]] Piece around(const Conn& dest, core::Slice body);

  // --- frames (relay_input.cc)
  void on_bytes(Conn& conn, core::Slice slice);
  void consume_all(Conn& conn, core::Slice slice);
  // Handles what stands at the start of `slice`; returns how much of it is used up, 0 when the connection ended.
  std::uint32_t consume(Conn& conn, core::Slice slice);
  std::uint32_t consume_partial(Conn& conn, core::Slice slice);
  std::uint32_t consume_collected_body(Conn& conn, core::Slice slice);
  void keep_partial(Conn& conn, const HeadParser& parser, std::string_view bytes);
  void drop_partial(Conn& conn);
  void free_partial(Partial& p);
  // `rest` is what follows the head in the receive buffer; returns how much of it belongs to this frame.
  std::uint32_t on_head(Conn& conn, const HeadParser& parser, std::string_view bytes, core::Slice rest);
  void on_complete(Conn& conn, const Frame& frame, std::string_view body, Flag flag);
  std::uint32_t known_response(Conn& conn, std::string_view bytes);
  [[nodiscard]] PathMemo memo_for(const Conn& conn, std::string_view bytes) const;

  // --- frames that cannot be read (relay_bad.cc)
  std::uint32_t on_bad_head(Conn& conn, const HeadParser& parser, std::string_view bytes, std::uint32_t before);
  void answer_bad(Conn& conn, const Frame& frame);
  void skip_frame(Conn& conn, std::string_view tid, const BodyScan& scan, std::uint64_t skipped);
  [[nodiscard]] bool misses_again(Conn& conn);

  // --- routes (relay_route.cc)
  // A SEND binds its sender to the session it goes to, and may still be moved with all that was read behind it.
  // `to_path` is the frame's own, or what is read in its place.
  Resolved resolve(Conn& conn, const Frame& frame, std::string_view to_path);
  Resolved resolve_anew(Conn& conn, std::string_view to_path, std::string_view from_path, bool is_send);
  [[nodiscard]] bool route_valid(const Route& route);
  [[nodiscard]] bool is_us(const Conn& conn, const Uri& uri) const;
  [[nodiscard]] Session* find_session(const Uri& uri);
  [[nodiscard]] bool owns(const Conn& conn, const Session& session) const;
  [[nodiscard]] bool is_hop_to_owner(const Session& session, const Uri& hop) const;
  Resolved resolve_end(Conn& conn, const Uri& uri, const Ends::Paths& paths, bool is_send);
  Refusal bind_peer(Session& session, Conn& conn, std::string_view from_path);
  Conn* hop_from_owner(Session& session, const Uri& hop, Refusal& refusal);
  Route* make_route();
  void release(Route* route);

  // --- SEND (relay_send.cc)
  std::uint32_t on_send_head(Conn& conn, const Frame& frame, core::Slice rest);
  void forward_whole(Conn& conn, const Frame& frame, Route& route, core::Slice body, Flag flag);
  void forward_bodiless(Conn& conn, const Frame& frame, Route& route);
  void count_chunk(const Conn& dest, std::uint64_t body_bytes);
  // The transaction a forwarded SEND needs; false when the limit refuses it. No transaction with Failure-Report: no.
  bool open_transaction(Conn& dest, Route& route, FailureReport failure, std::string_view message_id,
                        std::array<char, tid_bytes>& tid, std::uint32_t& slot);

  // --- SEND in chunks (relay_chunks.cc)
  // For the frame `tid` on conn: it is read to its end and dropped, and nobody answers, unless the caller says more.
  Inbound& take_inbound(Conn& conn, std::string_view tid);
  Inbound* start_inbound(Conn& conn, const Frame& frame, Route* route, std::uint16_t answer);
  std::uint32_t feed(Conn& conn, core::Slice slice);
  void pass(Inbound& in, std::string_view copied, core::Slice shared);
  void gather(Inbound& in, Conn& dest, std::string_view bytes);
  // How large the chunks to a receiver that needs explicit ranges may be; 0 for all others.
  [[nodiscard]] std::uint32_t piece_bytes(const Conn& dest) const;
  bool open_chunk(Inbound& in, Conn& dest);
  void write_complete_chunk(Inbound& in, Conn& dest, Flag flag, std::string_view copied, core::Slice shared);
  void end_chunk(Inbound& in, Conn& dest, Flag flag);
  void finish(Inbound& in, Flag flag, std::string_view copied, core::Slice shared);
  void fail_inbound(Inbound& in, std::uint16_t status);
  void remember_aborted(Conn& source, std::string_view message_id);
  [[nodiscard]] bool was_aborted(const Conn& source, std::string_view message_id) const;
  void abort_inbound(Inbound& in);  // its source is gone
  void free_inbound(Inbound& in);
  void on_inbound_timer(Inbound& in);

  // --- other requests, responses, reports (relay_other.cc)
  void on_response(Conn& conn, const Frame& frame);
  void forward_other(Conn& conn, const Frame& frame, std::string_view body, Flag flag);
  // False when the client behind it has failed to authenticate too often and its connection must end.
  [[nodiscard]] bool forward_response(const Transaction& t, const Frame& frame);
  [[nodiscard]] bool head_fits(const Frame& frame, const Route& route) const;
  void respond(Conn& conn, std::string_view tid, std::uint16_t status, std::string_view paths);
  // To a SEND: between shards nothing is said, the shard that took it from its sender has answered.
  void answer(Conn& conn, std::string_view tid, std::uint16_t status, std::string_view paths) {
    if (!conn.is_pipe()) respond(conn, tid, status, paths);
  }
  // Counts it and gives the status to answer with; 0 when the connection was closed for it.
  std::uint16_t refuse(Conn& conn, Refusal refusal);
  void respond_plain(Conn& conn, const Frame& frame, std::uint16_t status, std::string_view headers);
  struct ReportFacts {
    std::string_view message_id;
    std::uint16_t status = 408;
    bool has_range = false;
    std::uint64_t start = 1;
    std::uint64_t end = 0;
    std::uint64_t total = ByteRange::unknown;
  };
  void report(Conn* source, std::string_view paths, const ReportFacts& facts);
  void report_transaction(Transaction& t, std::uint16_t status);
  void settle(Conn& conn, std::uint32_t slot);  // erases a transaction and lets go of its route
  // The same for one of a session that ends here, which is told.
  void settle_end(Conn& conn, std::uint32_t slot, std::uint16_t status);
  [[nodiscard]] std::string_view own_uri(const Transaction& t) const {
    return t.route != nullptr ? std::string_view(t.route->own_last) : ends_.answered_at(t.end);
  }
  bool hold_until_read(Conn& source, Conn& dest);

  // --- AUTH (relay_auth.cc)
  void on_auth(Conn& conn, const Frame& frame);
  [[nodiscard]] bool wants_auth_here(const Conn& conn, const Frame& frame);
  [[nodiscard]] std::string uri_for(const Conn& conn, std::string_view session_id) const;
  [[nodiscard]] static std::string uri_at(const RelayListener& listener, std::string_view session_id);
  void grant(Conn& conn, const Frame& frame, const std::string& user, std::string_view info, std::uint32_t expires_s);
  enum class SessionEnd : std::uint8_t { expired, connection, kicked };
  void link_session(Conn& conn, Session& session);
  void unlink_session(Session& session);
  void orphan_session(Session& session);
  void end_session(Session& session, SessionEnd why);
  void auth_failed(Conn& conn);

  // --- operators (relay_admin.cc)
  void on_admin(const core::AdminRequest& request);

  void count(core::Metric metric, std::uint64_t n = 1) { metrics_.add(metric, n); }
  void set_gauges();

  const std::uint32_t shard_;
  const std::uint32_t shard_count_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  core::SessionTable& table_;
  core::Random& random_;
  std::shared_ptr<const RelayConfig> config_;
  Auth auth_;

  // Valid during a step.
  core::Outbox* out_ = nullptr;
  core::Now now_;
  bool draining_ = false;
  core::Instant deadline_ = core::never;
  bool drained_ = false;

  core::TimerWheel wheel_;
  core::SlotMap<Conn> conns_;
  core::SlotMap<Session> sessions_;
  Transactions transactions_;
  std::vector<ConnHandle> by_loop_index_;  // ConnId::index -> connection
  std::map<std::string, ConnHandle, std::less<>> links_;       // "scheme host:port" -> a connection we dialled
  std::multimap<std::string, ConnHandle, std::less<>> relays_; // verified name -> that relay's connections and their pipes
  std::map<std::uint64_t, ConnHandle> dials_;                  // token -> dialling connection
  std::uint64_t next_token_ = 1;
  std::uint64_t next_session_number_ = 1;
  Ends ends_;

  // Reused objects: the message path takes from and returns to these and allocates only while they grow.
  HeadParser parser_;
  std::vector<std::unique_ptr<Partial>> partials_;
  std::vector<Partial*> free_partials_;
  std::vector<std::unique_ptr<Inbound>> inbounds_;
  std::vector<Inbound*> free_inbounds_;
  std::vector<std::unique_ptr<Route>> routes_;
  std::vector<Route*> free_routes_;
  std::vector<char> sink_;              // where frames for a connection that is being given up are written
  std::size_t backlog_mark_ = 0;        // where the frame being written to a dialling connection's backlog begins
  char* ws_base_ = nullptr;             // of the last reserve_ws, and what it left there for a header
  std::size_t ws_room_ = 0;
  std::vector<ConnHandle> failed_;      // without memory for what they must be sent; ended when the step is
  std::map<std::string, core::Instant, std::less<>> failed_dials_;  // link key -> not before
  std::vector<ConnHandle> dead_;        // closed in this step; destroyed when it ends, so that no caller dangles
};

}  // namespace parley::msrp

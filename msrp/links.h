// msrp/links.h - what sessions that end here may do with the relay's connections: the door between Ends and Relay.
#pragma once

#include <array>
#include <string_view>

#include "msrp/relay.h"

namespace parley::msrp {

class Links {
 public:
  explicit Links(Relay& relay) : r_(relay) {}

  [[nodiscard]] const RelayConfig& config() const { return *r_.config_; }
  [[nodiscard]] const core::Now& now() const { return r_.now_; }
  [[nodiscard]] core::Pool& pool() { return r_.pool_; }
  [[nodiscard]] core::Outbox& out() { return *r_.out_; }
  [[nodiscard]] core::Random& random() { return r_.random_; }
  [[nodiscard]] core::SessionTable& table() { return r_.table_; }
  [[nodiscard]] Transactions& transactions() { return r_.transactions_; }
  [[nodiscard]] std::uint32_t shard() const { return r_.shard_; }
  [[nodiscard]] bool has_session(SessionHandle handle) const { return r_.sessions_.contains(handle); }
  [[nodiscard]] bool draining() const { return r_.draining_; }
  void count(core::Metric metric, std::uint64_t n = 1) { r_.count(metric, n); }
  void arm(core::Timer& timer, core::Instant due) { r_.wheel_.arm(timer, due); }
  void cancel(core::Timer& timer) { r_.wheel_.cancel(timer); }

  // --- connections
  [[nodiscard]] Conn* live(ConnHandle handle) { return r_.live(handle); }
  [[nodiscard]] Conn* dial(DialBudget& budget, const Uri& next_hop) { return r_.dial(budget, next_hop); }
  [[nodiscard]] bool same_relay(const Conn& a, const Conn& b) const { return Relay::same_relay(a, b); }
  void prove(Conn& conn) { r_.prove(conn); }
  void close(Conn& conn) { r_.close(conn); }
  void pause(Conn& conn) { r_.stop_reading(conn); }
  void go_on(Conn& conn) { r_.release_one(conn); }
  void arm_timer(Conn& conn) { r_.arm_conn_timer(conn); }
  // What was read of it and kept, as if it came now.
  void consume(Conn& conn, core::Slice slice) { r_.consume_all(conn, slice); }

  // --- frames
  Inbound& take_inbound(Conn& conn, std::string_view tid) { return r_.take_inbound(conn, tid); }
  [[nodiscard]] std::string uri_for(const RelayListener& listener, std::string_view session_id) const {
    return Relay::uri_at(listener, session_id);
  }

  // --- writing: see Relay
  void begin_frame(Conn& conn) { r_.begin_frame(conn); }
  [[nodiscard]] char* reserve(Conn& conn, core::Outbox::Lane lane, std::size_t bytes) { return r_.reserve(conn, lane, bytes); }
  void commit(Conn& conn, core::Outbox::Lane lane, std::uint32_t used, Piece piece = {}) { r_.commit(conn, lane, used, piece); }
  void write_shared(Conn& conn, core::Slice slice, Piece::Kind kind) { r_.write_shared(conn, slice, kind); }
  void wrote(Conn& conn, std::uint64_t bytes) { r_.wrote(conn, bytes); }
  [[nodiscard]] Piece around(const Conn& conn, core::Slice body) { return r_.around(conn, body); }
  [[nodiscard]] std::uint32_t piece_bytes(const Conn& conn) const { return r_.piece_bytes(conn); }
  void out_of_memory(Conn& conn) { r_.out_of_memory(conn); }
  void respond(Conn& conn, std::string_view tid, std::uint16_t status, std::string_view paths) {
    r_.respond(conn, tid, status, paths);
  }
  void report(Conn& conn, std::string_view paths, std::string_view message_id, std::uint16_t status, const ByteRange& range) {
    r_.report(&conn, paths, {message_id, status, range.end != ByteRange::unknown, range.start, range.end, range.total});
  }
  void release_held(Conn& dest) { r_.release_held(dest); }
  void release_if_read(Conn& dest) { r_.release_if_read(dest); }
  [[nodiscard]] bool hold_until_read(Conn& source, Conn& dest) { return r_.hold_until_read(source, dest); }

 private:
  Relay& r_;
};

}  // namespace parley::msrp

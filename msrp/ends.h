// msrp/ends.h - MSRP sessions that end here (RFC 4975): chat rooms, media-path B2BUA legs, message stores.
//
// One per shard, part of its Relay: the same listeners and connections, and the same table of session-ids. Whoever opened
// a session calls down (open, connect, send, answer, close) between Relay::begin and Relay::finish of a step; what happens
// comes up as facts, pulled with next_fact(). Of message bodies nothing is known here. A body of any size passes with
// constant memory: a piece is a slice of the receive buffer, and is gone when the step ends unless it is retained (bytes
// that wait are copied, core/seam.h).
//
//   open ---- uri() into a=path ---- connect(peer's a=path) ---- fact `connected` ---- send, fan_out, `piece` ...
//        `-- the other side connects, or we do; nobody within --msrp-end-timeout: fact `failed`
//
// What is answered here without asking anybody: SENDs without a body or with an empty one (they only bind, T-58), bad
// ranges (400), sessions that are not there (481) or on another connection (506), and methods that nobody knows (501).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "core/slot_map.h"
#include "msrp/end_types.h"
#include "msrp/ends_state.h"
#include "msrp/fan_outs.h"
#include "msrp/frame_text.h"
#include "msrp/uri.h"

namespace parley::msrp {

class Links;
struct RelayListener;
class Relay;

// A SEND to many whose part behind the path lines is longer goes by reference; below that it is copied behind them.
inline constexpr std::size_t fan_out_copy_bytes_max = 1024;

class Ends {
 public:
  Ends(Relay& relay, core::Random& random, std::uint32_t ends_max);
  ~Ends();
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  // --- life of a session

  // A session-id of 128 random bits and its URI; reached by TLS (msrps) when `secure`. Not valid(): --msrp-ends-max
  // sessions exist, no listener of that kind does, or the shard drains. `owner` comes back in every fact.
  [[nodiscard]] EndHandle open(bool secure, std::uint64_t owner);
  // The same for a session that is to live on another shard, and leads there from now on: all that happens here is its
  // name. That shard opens it with open_named(), as soon as it hears of it; who comes before waits.
  struct Name {
    std::string id;
    std::string uri;
  };
  [[nodiscard]] bool name_elsewhere(bool secure, std::uint32_t shard, Name& name);
  [[nodiscard]] EndHandle open_named(std::string_view id, std::string_view uri);
  // For our a=path. Empty when the session is gone; else valid until it is.
  [[nodiscard]] std::string_view uri(EndHandle end) const;
  [[nodiscard]] std::uint64_t owner(EndHandle end) const;
  void set_owner(EndHandle end, std::uint64_t owner);
  // Once, when the peer's SDP is known. A peer that was faster than its SDP has waited for this with what it sent (T-70).
  // False: the path is none, or the session is gone. A dial that is refused or fails comes as `failed`.
  bool connect(EndHandle end, const EndPeer& peer);
  // A re-INVITE brought another path: the old connection is left (fact `closed`, if the session was connected), and all
  // is as after connect() again. The same path changes nothing while the session is connected.
  bool change_peer(EndHandle end, const EndPeer& peer);
  [[nodiscard]] bool connected(EndHandle end) const;
  // Who is behind its connection; without one nobody.
  struct Remote {
    core::Transport transport = core::Transport::tcp;
    core::Address address{};
  };
  [[nodiscard]] Remote remote(EndHandle end) const;
  [[nodiscard]] std::uint32_t live() const { return ends_.size(); }
  [[nodiscard]] std::uint32_t live_fan_outs() const { return fan_outs_.live(); }  // with legs that owe an answer
  // No fact names the session again. What was written still leaves; a connection that served nothing else ends then.
  void close(EndHandle end);

  // --- what happened: until false, after all Inputs of a step

  [[nodiscard]] bool next_fact(EndFact& fact);

  // --- answers

  // Exactly once for each token, with the last piece, later, or earlier with an error: of such a SEND no more pieces
  // come. Failure-Report decides here whether the peer sees it (R4975-8). The token is used up.
  void answer(EndToken& token, std::uint16_t status);
  // Whether answering with 200 would write anything: no answer is owed with Failure-Report no or partial.
  [[nodiscard]] static bool wants_200(const EndToken& token) { return token.failure_ == FailureReport::yes; }

  // --- sending

  enum class Sent : std::uint8_t {
    sent,
    full,  // --msrp-end-queue-max bytes wait for the peer, or --msrp-end-unanswered-max SENDs for its answer: nothing written
    gone,  // not connected (any more): nothing written
  };
  struct NotSent {
    EndHandle end;
    Sent why;
  };
  // A body above what the peer takes in one chunk (WebSocket, T-60) leaves in several; they are answered once.
  Sent send(EndHandle end, const EndSend& message);
  // The same SEND to each of them, in this order; those it could not be written to are appended to `not_sent`. A slow
  // leg stops no other.
  void fan_out(std::span<const EndHandle> ends, const EndSend& message, std::vector<NotSent>& not_sent);
  // A REPORT of ours (RFC 4975 section 7.1.2) about what the peer sent. `headers`: further lines, with CRLF.
  void report(EndHandle end, std::string_view message_id, const ByteRange& range, std::uint16_t status,
              std::string_view headers = {});

  // A NICKNAME (RFC 7701 section 7.1). `value`: of Use-Nickname, with its quotes; empty: without that line. Its response
  // comes as `answered`.
  Sent nickname(EndHandle end, std::string_view value, std::uint64_t mark);

  // --- slow ones

  // What was written for the peer and not taken by its kernel yet. Others' bytes count when they share its connection.
  [[nodiscard]] std::uint64_t waiting_bytes(EndHandle end) const;
  // Stops reading what this peer sends; counted, so each hold needs its release. On a connection that carries others
  // too, which cannot stop, its SENDs are refused with 413 instead.
  void hold(EndHandle end);
  void release(EndHandle end);
  // For what is passed on as it comes: holds `source` until `slow` has less than half of --msrp-end-queue-max waiting, if
  // more than that waits now. True when it did; repeated calls change nothing.
  bool hold_while_slow(EndHandle source, EndHandle slow);

 private:
  friend class Relay;
  // A fact that waits to be pulled, with what it shows.
  struct Queued {
    EndFact fact;
    Head head;
    std::string text;   // what lies in no receive buffer of this step
    std::string name;
  };

  // --- what the relay tells (msrp/relay.h)

  // The session that a request on `conn` with these paths is for, when it was so before.
  [[nodiscard]] End* known(Conn& conn, const Head& head, std::string_view bytes) const;
  enum class Arrival : std::uint8_t {
    here,
    unknown,    // 481
    elsewhere,  // 506
    early,      // its peer's SDP is not known: wait_for_peer()
  };
  // The same for one that comes with these paths for the first time; the first SEND binds the session to `conn`.
  struct Paths {
    std::string_view to;    // as they came
    std::string_view from;
    std::string_view via;   // the first of `to`, when that is a relay session of this shard and the peer its owner
    SessionHandle via_session;
  };
  Arrival arrive(Conn& conn, const Uri& uri, const Paths& paths, bool is_send, End*& end);
  [[nodiscard]] std::string_view answered_at(EndHandle end) const {
    const End* found = ends_.get(end);
    return found != nullptr ? found->answered_at() : std::string_view();
  }
  // Keeps `bytes` until connect() and stops reading the connection. False: too much, or somebody waits there already.
  [[nodiscard]] bool wait_for_peer(Conn& conn, End& end, std::string_view bytes);
  void keep_early(Conn& conn, std::string_view bytes);
  // As Relay::on_send_head.
  std::uint32_t on_send(Conn& conn, End& end, const Head& head, std::string_view bytes, core::Slice rest);
  void on_other(Conn& conn, End& end, const Head& head, std::string_view bytes);
  // More of a SEND that is still arriving; `flag` when that was its end.
  void on_piece(Inbound& in, std::string_view copied, core::Slice shared, const Flag* flag);
  // What a transaction of ours said about its SEND.
  struct Awaited {
    EndHandle end;
    std::uint64_t mark = 0;
    bool tell_200 = false;
    bool binds = false;
    std::uint32_t slot = Transaction::none;
  };
  // Its response, or that none will come. The transaction has ended.
  void on_answer(Conn& conn, const Awaited& awaited, std::uint16_t status);
  // The same for a SEND that went to many; `to` is the first URI of To-Path. False: this connection owes no such answer.
  [[nodiscard]] bool take_answer(Conn& conn, std::string_view tid, std::string_view to, std::uint16_t status);
  static constexpr core::Duration blocked_after = std::chrono::seconds(1);
  void on_sent(Conn& conn);
  void on_gone(Conn& conn);
  void on_timer(EndHandle end);
  void expire_fan_outs();
  [[nodiscard]] core::Instant next_due() const;
  // When the step ends. True: there are facts again.
  [[nodiscard]] bool finish();

  // --- life (ends.cc)
  [[nodiscard]] const RelayListener* listener_for(bool secure) const;
  [[nodiscard]] End* find(const Uri& uri);
  [[nodiscard]] End* find_named(std::uint64_t key, std::string_view id);
  [[nodiscard]] EndHandle make_named(std::uint64_t key, std::string_view id);
  [[nodiscard]] bool came_from_peer(const End& end, std::string_view from_path) const;
  bool dial(End& end);
  void link(End& end, Conn& conn);
  void unlink(End& end);
  void leave(End& end);
  void become_connected(End& end);
  void fail(End& end, std::uint16_t status);
  void tell_unanswered(const End& end);
  void lose(End& end);
  void let_early_go(End& end);
  void stop_reading(End& end);
  void go_on_reading(End& end);
  [[nodiscard]] bool is_shared(const Conn& conn) const;
  [[nodiscard]] bool is_slow(const Conn& conn) const;
  [[nodiscard]] bool answers(const Conn& conn) const;  // as Relay asks before senders are read again
  [[nodiscard]] bool pace(EndHandle source, Conn& slow);

  // --- facts (ends_in.cc)
  Queued& add_fact(EndFact::Kind kind, EndHandle end);
  EndToken make_token(Conn& conn, const End& end, const Head& head, std::string_view bytes) const;
  void refuse(Conn& conn, End& end, const Head& head, std::string_view bytes, std::uint16_t status);
  void drop_rest(Conn& conn, EndHandle end);

  // --- sending (ends_out.cc)
  [[nodiscard]] bool has_way(End& end);
  [[nodiscard]] Sent may_send(End& end, std::uint64_t bytes, bool answered, EndHandle source);
  void write_send(End& end, const EndSend& message);
  static void put_range(TextOut& out, const EndSend& message, bool explicit_end);
  Sent send_to(End& end, const EndSend& message);
  void tell_writable(Conn& conn);

  std::unique_ptr<Links> links_;
  core::SlotMap<End> ends_;
  std::map<std::uint64_t, EndHandle> named_;  // by key: those that another shard has named
  FanOuts fan_outs_;
  std::uint64_t fan_outs_made_ = 0;
  core::Instant next_sweep_{};
  std::vector<std::unique_ptr<Queued>> facts_;  // reused
  std::size_t facts_count_ = 0;
  std::size_t facts_pulled_ = 0;
  core::Slice current_body_;                    // of the fact that was pulled last
  bool in_early_ = false;                       // what is read now lies in no receive buffer
  std::vector<char> common_;                    // of the fan-out being written
};

}  // namespace parley::msrp

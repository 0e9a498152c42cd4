// sip/transactions.h - SIP transactions of one shard: RFC 3261 section 17 with RFC 6026 and RFC 4320.
//
// Between the transport, which gives messages in (match_request, match_response), and the transaction user, which
// decides (open_server and respond; open_client and start_client). Calls go down, facts come up as return values; what
// time or a lost connection brings is fetched with next_fact(). The machines stand as tables in transaction_rules.h;
// here events are recognised and actions are carried out.
//
// Owned by one shard. A transaction is a record in a slot map; its bytes (the request while it is needed, the response
// that may have to be repeated) are heap blocks of core::Pool. Records, indexes and lists grow to `transactions_max`
// and no further. Ids go stale when a transaction ends, which is nothing special: the answer to a stale id is `gone`.
// Over a reliable transport many transactions end within the call that completes them (their timers are zero).
//
// `owner` is whatever the user wants to find again: a packed SlotId of a dialog, a proxy context, a registration.
//
// From within Wire::send, flow_failed() may be called and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/session_table.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "core/timer_wheel.h"
#include "sip/branch.h"
#include "sip/flow.h"
#include "sip/head.h"
#include "sip/response_route.h"
#include "sip/transaction_rules.h"

namespace parley::sip {

// ---- What calls answer.

// What identifies a request; made by match_request, used by open_server.
struct RequestKey {
  core::Hash128 hash;
  bool old_rules = false;  // RFC 2543: no branch with the magic cookie
};

struct RequestMatch {
  enum class Kind : std::uint8_t {
    fresh,      // no transaction: open_server, answer statelessly, or - an ACK - look for a dialog
    absorbed,   // a retransmission, or an ACK that was waited for; all is done
    ack,        // for the 2xx of `id`, on its own branch or the INVITE's (RFC 6026 section 7.1): the user's
    cancel,     // a CANCEL that finds the INVITE transaction `id`; it wants a transaction of its own (open_server)
    elsewhere,  // an INVITE, ACK or CANCEL whose INVITE transaction `shard` has: to be given to it, untouched
  };
  Kind kind = Kind::fresh;
  TransactionId id;              // not fresh, not elsewhere
  std::uint64_t owner = 0;       // the same
  std::uint16_t shard = 0;       // elsewhere
  bool transport_error = false;  // absorbed: the last response could not be sent again; the transaction stays
  RequestKey key;
};

enum class Responded : std::uint8_t {
  sent,
  not_sent,  // the transport could not; the transaction stays in the state the response led to (RFC 6026 section 8.8)
  gone,      // no such transaction any more: a late response is not sent (RFC 4320 section 4.2)
  too_late,  // a final response was sent before, other than a 2xx to an INVITE that has got one
  refused,   // to a request other than INVITE: a 1xx, of which the only one is the transaction's own 100; a 408 (RFC 4320)
};

struct ClientTicket {
  TransactionId id;  // not valid(): no room
  Branch branch{};
  [[nodiscard]] std::string_view branch_text() const LIFETIME_BOUND { return {branch.data(), branch.size()}; }
};

struct ResponseMatch {
  enum class Kind : std::uint8_t {
    to_tu,     // the user's
    absorbed,  // a retransmission, or the answer to a CANCEL of ours
    stray,     // nothing waits for it: to be dropped, also by a proxy (RFC 6026 section 7.3)
  };
  Kind kind = Kind::stray;
  TransactionId id;  // not stray; may be stale already
  std::uint64_t owner = 0;
  bool transport_error = false;  // the ACK could not be sent
};

// What time and lost connections bring.
struct TransactionFact {
  enum class Kind : std::uint8_t {
    timeout,  // client: no final response in time, treat as 408. Server: no ACK for a final response other than 2xx, or
              // a request other than INVITE that was not answered while its sender waited. The transaction has ended.
    transport_error,  // client: ended, treat as 503. Server: a response could not be sent again; it lives on
    ended,            // an INVITE transaction that had a 2xx: neither 2xx nor ACK nor INVITE will match it any more
  };
  Kind kind = Kind::timeout;
  tx::Machine machine = tx::Machine::invite_server;
  TransactionId id;  // stale unless said otherwise
  std::uint64_t owner = 0;
};

// ---- Limits.

struct TransactionConfig {
  core::Duration t1 = std::chrono::milliseconds(500);  // RFC 3261 section 17.1.1.1; may be raised
  core::Duration t2 = std::chrono::seconds(4);
  core::Duration t4 = std::chrono::seconds(5);
  core::Duration timer_d = std::chrono::milliseconds(32'500);    // more than 32 s whatever T1 is
  core::Duration trying_after = std::chrono::milliseconds(200);  // INVITE: RFC 3261 section 17.2.1
  // Per shard. A datagram request is remembered for 32 s: 160,000 are 5,000 a second. A record has about 300 bytes.
  std::uint32_t transactions_max = 160'000;
};

class Transactions {
 public:
  // What the shards of a process have in common: where INVITE transactions are, by half of their key. The shard that a
  // request is given to looks for all of it.
  struct Shared {
    core::SessionTable* invites = nullptr;  // null: nobody else can have them
    core::HashKey key;
  };
  struct Parts {
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    Wire& wire;
    std::uint16_t shard = 0;
    TransactionConfig config{};
    core::Instant start{};
    Shared shared{};
  };
  explicit Transactions(const Parts& parts);
  ~Transactions();
  Transactions(const Transactions&) = delete;
  Transactions& operator=(const Transactions&) = delete;

  // ---- Server side.

  // For every request whose verdict is `accept`. Retransmissions are answered here (R3261-1). What another shard has
  // given to this one (its Flow says so) is at the end of its way: never `elsewhere`.
  [[nodiscard]] RequestMatch match_request(const Received& request, core::Instant now);

  // A transaction for a request that `match` called fresh or cancel; never for an ACK. Keeps a copy of the request
  // until a final response was sent. Sends 100 by itself when the user has not answered an INVITE for `trying_after`,
  // or another request until RFC 4320 section 4.1 demands one. Not valid() when there is no room: answer 503
  // statelessly.
  [[nodiscard]] TransactionId open_server(const Received& request, const RequestMatch& match, std::uint64_t owner,
                                          core::Instant now);

  // `bytes` is a whole response. A 2xx to an INVITE is sent as often as this is called until the transaction has ended:
  // the user repeats it, by its own timer, until the ACK comes (RFC 6026 section 8.5).
  Responded respond(TransactionId id, std::uint16_t status, std::string_view bytes, core::Instant now);

  // Asked once by a UAS core (not by a proxy, through which a request may come twice) for a request of its own without
  // To tag. False: another live request of the same From tag, Call-ID and CSeq was claimed before; this one came by
  // another way and deserves a 482 (R3261-4; RFC 3261 section 8.2.2.2). True: from now on this is the one.
  [[nodiscard]] bool claim(TransactionId id, const Received& request);

  // Server transactions: the request, empty when the id is stale or a final response was sent. Valid until the next
  // call.
  [[nodiscard]] std::string_view request_of(TransactionId id) LIFETIME_BOUND;

  // ---- Client side.

  // A name and a record for a request that is then written with this branch in its topmost Via, and started (or
  // discarded). Never for ACK or CANCEL.
  [[nodiscard]] ClientTicket open_client(Method method, const Flow& flow, std::uint64_t owner, std::uint64_t loop_hash);
  // Sends it. False: the transport could not, or no memory to keep what is needed; the transaction has ended and no
  // fact tells it again.
  [[nodiscard]] bool start_client(TransactionId id, std::string_view bytes, core::Instant now);

  // For every response whose verdict is `accept` and whose topmost Via is one of this shard (read_branch). ACKs for
  // final responses other than 2xx are sent here (R3261-8).
  [[nodiscard]] ResponseMatch match_response(const Received& response, core::Instant now);

  // Cancels an INVITE (R3261-7): at once when a provisional response has come, otherwise when one comes; not at all
  // when a final one comes first (T-24). Then it ends with its final response, or after 64*T1 with the fact `timeout`.
  // `reason` is the value of a Reason header (RFC 3326), or empty. False: no INVITE waits for its final response by
  // that id, or no memory.
  bool cancel(TransactionId id, core::Instant now, std::string_view reason = {});

  // A connection is lost: its client transactions end, each with a fact. Server transactions stay (RFC 6026
  // section 8.8): their responses will try a connection of their own.
  void flow_failed(const Flow& flow);

  // ---- Both.

  // Gives up a transaction whose user has gone, or that was never started: nothing more is sent or told.
  void discard(TransactionId id);
  [[nodiscard]] bool contains(TransactionId id) const;
  // Zero and a default Flow for stale ids.
  [[nodiscard]] std::uint64_t owner_of(TransactionId id) const;
  [[nodiscard]] Flow flow_of(TransactionId id) const;
  void set_owner(TransactionId id, std::uint64_t owner);
  [[nodiscard]] std::optional<tx::State> state_of(TransactionId id) const;

  // while (transactions.next_fact(now, fact)) ...   Any call may be made in between.
  [[nodiscard]] bool next_fact(core::Instant now, TransactionFact& fact);
  [[nodiscard]] core::Instant next_deadline() const;

  [[nodiscard]] std::uint32_t live() const { return records_.size(); }
  // Which rows were ever taken: the tests and the simulator ask for those that were not.
  [[nodiscard]] bool visited(tx::Machine machine, tx::State state, tx::Event event) const;

 private:
  struct Record;
  struct List {
    Record* first = nullptr;
    Record* last = nullptr;
  };
  // One transaction. Servers stand in an index by key and, when completed and not INVITE, in `completed_`; clients that
  // were started, in the list of their connection or in `failed_`.
  struct Record {
    TransactionId self;
    std::uint64_t owner = 0;
    Flow flow;  // where we send to
    tx::Machine machine = tx::Machine::invite_server;
    tx::State state = tx::State::terminated;
    Method method = Method::none;
    bool started = false;
    bool over = false;               // has ended; the record stays as long as that of its CANCEL
    bool old_rules = false;          // server
    bool claimed = false;            // server
    bool indexed = false;            // INVITE server: in the table of all shards
    std::uint16_t sent_by_port = 0;  // server: where a new connection goes
    core::Duration interval{};  // of `repeating`
    core::Timer repeating;      // A, E, G, trying
    core::Timer ending;         // all others
    core::BufferId request = core::no_buffer;
    core::BufferId last = core::no_buffer;  // server: response; INVITE client: ACK, or the CANCEL that waits
    List* in = nullptr;
    Record* prev = nullptr;
    Record* next = nullptr;

    // Server.
    core::Hash128 key;
    Record* key_next = nullptr;
    std::uint64_t request_to_tag = 0;  // old rules: hashes
    std::uint64_t response_to_tag = 0;
    std::uint64_t claim_key = 0;
    Record* claim_next = nullptr;

    // Client.
    std::uint64_t random = 0;
    TransactionId cancel;  // of an INVITE: that of its CANCEL
    TransactionId parent;  // of a CANCEL: its INVITE
  };
  // What an event brought with it.
  struct Cause {
    core::Instant now;
    std::string_view bytes{};            // request or response of the user
    const Received* response = nullptr;  // of a peer
  };
  struct Effects {
    bool absorbed = false;
    bool pass = false;
    bool failed = false;  // something could not be sent
    bool told = false;    // `told_kind` is to be told
    TransactionFact::Kind told_kind = TransactionFact::Kind::timeout;
    bool ended = false;  // the record is gone
  };

  // transactions.cc
  [[nodiscard]] Record* find(TransactionId id);
  [[nodiscard]] const Record* find(TransactionId id) const { return const_cast<Transactions*>(this)->find(id); }
  [[nodiscard]] Record* create(tx::Machine machine, const Flow& flow, std::uint64_t owner);
  void end(Record& t);
  // Into the machine's first state, and every later event. `t` may be gone afterwards.
  Effects begin(Record& t, const Cause& cause);
  Effects run(Record& t, tx::Event event, const Cause& cause);
  void carry_out(Record& t, tx::Actions actions, const Cause& cause, Effects& effects);
  [[nodiscard]] bool send_all(Record& t, tx::Actions actions, const Cause& cause);
  void start_timer(Record& t, tx::Timer timer, tx::Actions actions, core::Instant now);
  [[nodiscard]] core::Duration length_of(const Record& t, tx::Timer timer) const;
  [[nodiscard]] core::BufferId keep(std::string_view bytes);
  void release(core::BufferId& block);
  [[nodiscard]] std::string_view view(core::BufferId block) const;
  [[nodiscard]] bool give_up_completed();
  static void link(List& list, Record& t);
  static void unlink(Record& t);
  [[nodiscard]] bool happen(Record& t, tx::Event event, core::Instant now, TransactionFact& fact);
  [[nodiscard]] bool read_request(const Record& t);

  // transactions_server.cc
  [[nodiscard]] RequestKey key_of(const Received& request, std::string_view method) const;
  [[nodiscard]] std::uint64_t hash_tag(std::string_view tag) const;
  [[nodiscard]] Record* find_server(const RequestKey& key, const Received& request);
  void forget_server(Record& t);
  void look_elsewhere(const Received& request, const RequestKey& invite, RequestMatch& match) const;
  void index_invite(Record& t);
  [[nodiscard]] core::Place place_of(const Record& t) const { return {shard_, t.self.index, t.self.generation}; }
  [[nodiscard]] bool send_response(Record& t, std::string_view bytes);
  [[nodiscard]] std::string_view sent_by_host(std::string_view response);
  [[nodiscard]] bool send_trying(Record& t);
  void keep_response(Record& t, std::string_view bytes);
  void note_response_tag(Record& t, std::string_view bytes);

  // transactions_client.cc
  [[nodiscard]] bool send_request(Record& t, std::string_view bytes);
  [[nodiscard]] bool send_ack(Record& t, const Received& response);
  void send_cancel(Record& t, const Cause& cause);
  [[nodiscard]] bool write_beside(const Record& t, std::string_view method, std::string_view to,
                                  std::string_view reason);
  [[nodiscard]] List& connection_list(const Flow& flow);

  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Random& random_;
  Wire& wire_;
  const std::uint16_t shard_;
  const TransactionConfig config_;
  const core::Duration trying_other_;  // how long a client's Timer E takes to reach T2
  core::SessionTable* const invites_;
  const core::HashKey hash_key_;

  core::SlotMap<Record> records_;
  std::vector<Record*> by_key_;     // chains; a power of two
  std::vector<Record*> by_claim_;   // chains; a power of two
  std::deque<List> by_connection_;  // by the connection's index; grows to the highest one seen, never moves
  List completed_;                  // servers that only absorb, oldest first: given up when there is no room
  List failed_;                     // clients whose connection is lost
  core::TimerWheel wheel_;
  HeadParser parser_;          // of kept requests
  std::vector<char> scratch_;  // what is being written
  std::vector<HeaderText> headers_;
  std::array<bool, tx::machines * tx::states * tx::events> visited_{};
};

}  // namespace parley::sip

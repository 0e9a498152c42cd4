// tests/sim/shard.h - the simulated loop of one shard: turns what the virtual network does into Inputs and carries out
// the Outbox, by the contract of core/seam.h and no more friendly than that.
//
// Bytes that the simulated kernel has accepted are read when it lets go of them, not before: a reference dropped too
// early shows up as 0xdb on the wire (the pool of this binary poisons what is freed).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/loop.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/seam.h"
#include "tests/sim/stream.h"
#include "tests/sim/strict.h"

namespace parley::sim {

class Shard;

// One connection of a shard, accepted, dialled or a pipe.
struct Link final : Socket {
  struct Held {  // accepted by the kernel, not let go
    core::Slice slice;
    Instant until{};
    bool released = false;  // only by the planted bug
  };

  Link(Shard& owner, std::uint32_t slot) : shard(owner), index(slot) {}
  void on_readable() override;
  void on_room() override;
  void on_consumed(std::uint64_t bytes) override;
  void on_reset() override;
  [[nodiscard]] core::ConnId id() const { return {index, generation}; }

  Shard& shard;
  std::uint32_t index;
  std::uint32_t generation = 1;
  bool used = false;
  Stream* stream = nullptr;
  Side side = 1;
  core::PeerInfo peer;
  std::string unused;       // read by the shard that had the connection before, delivered first
  std::uint64_t token = 0;
  bool dialled = false;
  bool announced = false;   // opened or connected was delivered
  bool paused = false;
  bool late_piece = false;  // one more Input although paused
  bool silent = false;      // after Output close: no Input names it
  bool closing = false;     // close asked: flush, then FIN
  bool lost = false;        // reset: `closed` is due
  bool end_told = false;
  bool queued = false;      // in Shard::ready_
  bool starving = false;
  core::CloseReason why = core::CloseReason::reset;
  std::vector<core::Slice> turn_sends;
  std::deque<core::Slice> waiting;  // heap copies the kernel has no room for
  std::uint64_t waiting_bytes = 0;
  std::deque<Held> held;
  Instant last_letgo{};
  bool letgo_due = false;
  std::uint64_t uncredited = 0;
  bool credit_due = false;
  Instant progress{};       // last time the kernel took something
  StrictReader out_reader;  // for the planted loss of responses
};

// One UDP socket of a shard.
struct UdpSocket final : DatagramEnd {
  struct Arrived {
    core::Address from;
    std::string bytes;
  };
  struct Held {  // accepted by the kernel, not let go
    core::Datagram datagram;
    Instant until{};
  };

  UdpSocket(Shard& owner, std::uint16_t number, const core::Address& address)
      : shard(owner), id(number), local(address) {}
  void on_datagram(const core::Address& from, const core::Address& to, std::string_view bytes) override;

  Shard& shard;
  std::uint16_t id;
  core::Address local;
  bool open = true;
  std::deque<Arrived> arrived;
  std::uint64_t arrived_bytes = 0;
  std::deque<Held> held;
  Instant last_letgo{};
};

// What a shard asks of the world around it.
class Outside {
 public:
  virtual ~Outside() = default;
  virtual void dial(Shard& from, const core::ConnectRequest& request) = 0;
  virtual void resolve(Shard& from, const core::ResolveRequest& request) = 0;
  virtual void pipe(Shard& from, core::OpenPipe request) = 0;
  virtual void hand_over(Shard& from, std::uint32_t to, Stream* stream, Side side, core::PeerInfo peer,
                         std::string unused) = 0;
  virtual void mail(Shard& from, std::uint32_t to, std::string bytes) = 0;
  virtual void reloaded(Shard& from) = 0;  // its Worker has the configuration it was sent last
  virtual void drained(Shard& from) = 0;   // its Worker says that nothing is left to finish
  virtual void log(Shard& from, const core::LogRecord& record) = 0;
  virtual void admin_reply(Shard& from, const core::AdminReply& reply) = 0;
  // What its Worker wants stored; nothing is, unless somebody takes it.
  virtual void store(Shard& /*from*/, std::vector<core::StoreOp>& /*ops*/) {}
  // Datagrams as the Worker gave them and got them; for those who watch it.
  virtual void datagram_out(Shard&, const core::Address& /*to*/, std::string_view /*bytes*/) {}
  virtual void datagram_in(Shard&, const core::Address& /*from*/, std::string_view /*bytes*/) {}
  virtual std::int64_t wall_ms() = 0;
};

class Shard {
 public:
  // `loop`: the limits and times of the real loops; nothing else of it is looked at.
  Shard(std::string name, Network& net, Outside& outside, std::uint64_t seed, const core::Pool::Config& pool,
        const core::LoopConfig& loop);
  ~Shard();

  void start(std::unique_ptr<core::Worker> worker) { worker_ = std::move(worker); }
  // A UDP socket, DatagramSocket::id and its address; several shards may have the same one.
  void bind(std::uint16_t socket, const core::Address& local);
  // Mail of another Worker, in order for each of them; false: more than `waiting_max` bytes wait.
  [[nodiscard]] bool take_mail(std::uint32_t from_shard, std::string bytes, Duration delay, std::uint64_t waiting_max);
  // A peer connects to a listener: accepted, or closed at once.
  void accept(Stream* stream, core::PeerInfo peer);
  // A connection that came up. The Input is delivered in the next turn.
  Link& adopt(Stream* stream, Side side, core::PeerInfo peer, bool dialled, std::uint64_t token);
  // Still waits for what it dialled under this token: it has neither timed out nor stopped.
  [[nodiscard]] bool dials(std::uint64_t token) const { return dialling_.contains(token); }
  void connect_failed(std::uint64_t token, core::ConnectError error);
  void resolved(core::Resolution resolution);
  void admin(core::AdminRequest request);
  void stored(core::StoreResult result);
  void reload(std::shared_ptr<const core::ConfigSnapshot> snapshot);
  void drain();
  // Ends every connection, then the loop.
  void stop();
  // The process dies: whatever it knew is gone, its peers are reset.
  void crash();
  // Nothing turns for so long.
  void stall(Duration time);
  void stall_ends();

  [[nodiscard]] core::Pool& pool() { return pool_; }
  // Between two turns: the Outbox gives up the block that it keeps for each of its lanes, which is of the heap if there was
  // no other when it was taken. Then all that is not in the pool belongs to somebody.
  void empty_outbox() {
    if (!out_.outputs().empty() || !out_.datagrams().empty()) return;  // then it is no look at rest, and finds them
    std::destroy_at(&out_);
    std::construct_at(&out_, pool_);
  }
  [[nodiscard]] core::Metrics& metrics() { return metrics_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::uint32_t open_links() const { return open_; }
  [[nodiscard]] const core::LoopConfig& limits() const { return limits_; }
  [[nodiscard]] bool accepting() const { return accepting_; }
  [[nodiscard]] bool serving() const { return running_ == Running::serving; }
  [[nodiscard]] bool takes_moved();  // counts the refusal
  // Drained or stopped, and all its connections are over: nothing steps the Worker any more.
  [[nodiscard]] bool ended() const { return !serving() && open_ == 0 && notes_.empty() && batch_.empty(); }
  [[nodiscard]] std::uint32_t reloads_done() const { return reloads_done_; }
  [[nodiscard]] Instant deadline() const { return deadline_; }
  [[nodiscard]] std::uint64_t blocks_in_use() const { return pool_.live_blocks(); }
  [[nodiscard]] std::uint64_t turns() const { return turns_; }
  [[nodiscard]] std::uint64_t heap_top() const { return heap_top_; }
  // One line for each connection on which something stands still; empty when nothing does.
  [[nodiscard]] std::string stuck() const;
  [[nodiscard]] std::uint32_t links_top() const { return links_top_; }

 private:
  friend struct Link;
  friend struct UdpSocket;
  enum class Running : std::uint8_t { serving, flushing, stopping };
  struct Note {  // an Input that carries no bytes
    core::Input input;
    std::unique_ptr<core::PeerInfo> peer;
    std::unique_ptr<core::Resolution> resolution;
    std::unique_ptr<core::AdminRequest> admin;
    std::unique_ptr<core::StoreResult> stored;
  };

  struct MailLane {  // from one shard
    struct Item {
      Instant at{};
      std::string bytes;
    };
    std::deque<Item> items;
    std::uint64_t waiting_bytes = 0;  // of those that the ring has no room for
    Instant last{};
  };

  void wake(Instant when);
  void turn();
  void collect();
  void collect_bytes(Link& link);
  void collect_end(Link& link);
  void carry_out();
  void close_sockets();
  [[nodiscard]] bool datagrams_wait() const;
  void collect_datagrams(UdpSocket& socket);
  void send_datagrams();
  void let_datagrams_go(UdpSocket& socket, Instant until);
  [[nodiscard]] bool mail_waits() const;
  void collect_mail();
  void send_mail();
  void start_dial(core::ConnectRequest& request);
  void give_away(core::HandOver& request);
  void start_flushing();
  void flush(Link& link);
  bool keep(Link& link, const core::Slice& slice);
  void hand_to_kernel(Link& link, core::Slice slice);
  void let_go_later(Link& link);
  void let_go(Link& link, Instant until);
  void let_all_go(Link& link);
  void credit_later(Link& link, std::uint64_t bytes);
  void credit(Link& link, std::uint32_t generation);
  void watch_writer(Link& link);
  void try_finish(Link& link);
  void lose(Link& link, core::CloseReason why);
  void drop_sends(Link& link);
  void free_link(Link& link);
  void queue(Link& link);
  Link* find(core::ConnId id);
  std::string plant_loss(Link& link, std::string bytes);

  const core::LoopConfig limits_;
  std::string name_;
  Network& net_;
  Outside& outside_;
  Rng rng_;
  core::Pool pool_;
  core::Metrics metrics_;
  core::Outbox out_;
  std::unique_ptr<core::Worker> worker_;
  std::vector<std::unique_ptr<Link>> links_;
  std::vector<std::uint32_t> free_links_;
  std::deque<Note> notes_;
  std::deque<std::uint32_t> ready_;  // links with something to deliver
  std::vector<std::unique_ptr<UdpSocket>> sockets_;
  std::vector<MailLane> mail_;  // by shard
  std::vector<core::Input> batch_;
  std::deque<core::Address> batch_sources_;
  std::vector<Note> batch_notes_;
  std::vector<std::uint32_t> ended_;  // links whose `closed` is in the batch
  Instant wake_at_ = core::never;
  Instant wanted_at_ = core::never;  // when the next turn would have been, had nothing stalled
  std::uint64_t wake_number_ = 0;
  Instant stalled_until_{};
  Instant deadline_ = core::never;
  std::uint32_t idle_turns_ = 0;
  std::uint32_t open_ = 0;
  std::uint32_t links_top_ = 0;
  std::set<std::uint64_t> dialling_;
  Running running_ = Running::serving;
  bool accepting_ = true;
  std::uint32_t reloads_done_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t heap_top_ = 0;
  std::uint32_t responses_seen_ = 0;
};

}  // namespace parley::sim

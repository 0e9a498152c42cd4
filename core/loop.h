// core/loop.h - the event loop of one shard: completions become Inputs, the Worker steps, the Outbox is carried out.
//
// A turn: hand everything queued to the kernel and wait, settle the sends, turn at most 256 completions into Inputs,
// one step, carry out. All sends of a turn for one connection leave in one sendmsg; all operations of a turn enter the
// kernel in one call. In steady state a turn allocates nothing. UDP sockets stand beside that: read and written by mmsg
// calls of their own (datagram_io.h), at most 256 datagrams per turn.
//
// `sent` Inputs ride along with the next step; a step is made for them alone only when much is owed (sent_lazy_bytes),
// a connection is paused and may be waiting for them, or 5 ms have passed. That saves one turn per message.
#pragma once

#include <deque>
#include <memory>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/conn.h"
#include "core/datagram_io.h"
#include "core/lateness.h"
#include "core/mailbox.h"
#include "core/metrics.h"
#include "core/proactor.h"
#include "core/seam.h"

namespace parley::core {

class TlsContext;

struct AdminSink {
  virtual ~AdminSink() = default;
  virtual void reply(std::uint32_t shard, AdminReply reply) = 0;  // called on the shard's thread; must not block
};
struct LogSink {
  virtual ~LogSink() = default;
  virtual void write(std::uint32_t shard, const LogRecord& record) = 0;  // called on the shard's thread; must not block
};
struct ResolveSink {
  virtual ~ResolveSink() = default;
  // Answers by Mailboxes::post, exactly once. Called on the shard's thread; must not block.
  virtual void ask(std::uint32_t shard, ResolveRequest request) = 0;
};

enum class LoopKind : std::uint8_t { automatic, uring, epoll };

struct Listener {
  int fd = -1;  // bound and listening; the loop closes it
  Transport transport = Transport::tcp;
  std::uint16_t id = 0;  // PeerInfo::listener
};

struct DatagramSocket {
  int fd = -1;           // bound, of this shard alone (bind_udp of socket.h); the loop closes it
  std::uint16_t id = 0;  // Input::socket, Datagram::socket
};

struct LoopConfig {
  std::uint32_t shard = 0;
  LoopKind kind = LoopKind::automatic;
  Duration gather{};  // what one completion may wait for others (gather.h); not of epoll
  std::vector<Listener> listeners;
  std::vector<DatagramSocket> sockets;
  std::shared_ptr<TlsContext> server_tls;  // for listeners with Transport::tls
  std::shared_ptr<TlsContext> client_tls;  // for ConnectRequest::tls
  AdminSink* admin = nullptr;
  LogSink* log = nullptr;
  ResolveSink* resolver = nullptr;
  StoreSink* store = nullptr;  // null: nothing outlives the process

  std::uint32_t connections_max = 16384;  // of this shard, accepted and dialled; more are closed at once
  // With those that other shards hand over: they were let in already, so room is kept for them.
  [[nodiscard]] std::uint32_t moved_connections_max() const { return connections_max + connections_max / 4 + 1; }
  std::uint32_t per_source_max = 0;       // open connections of one IP address; 0: no limit; loopback is never limited
  Duration connect_timeout = 5s;
  Duration handshake_timeout = 10s;
  Duration writer_timeout = 30s;  // bytes wait and the peer takes none
  Duration linger = 1s;           // after our FIN, for the peer's
  Duration drain_flush = 5s;      // after Outbox::drained, for bytes that still wait
  // When `sent` is worth a step of its own. Not for operators: they bound how late a limit is seen to be left, and no limit
  // is as fine. 16 KiB is far below any watermark; 5 ms are a thousand messages' work and far below any timer.
  std::uint32_t sent_lazy_bytes = 16 * 1024;
  Duration sent_lazy = 5ms;
  std::uint32_t pipe_window_bytes = 256 * 1024;  // in flight towards another shard; the rest waits here
  // Outbox::mail that found a full ring, for one shard, with what it costs to keep it; more is dropped. Some 20,000 SIP
  // messages: a shard that is merely busy has taken them long before, one that has ended never will.
  std::uint64_t mail_waiting_max_bytes = 16 << 20;
};

// Empty when the wanted kind runs here; otherwise why not. `automatic` always runs.
std::string loop_unavailable(LoopKind kind);

class Loop {
 public:
  Loop(LoopConfig config, Pool& pool, Metrics& metrics, Worker& worker, Mailboxes& mailboxes);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Serves until stopped or drained. Empty, or why the loop could not start. All else of this class that has no comment
  // of its own belongs to the thread that runs this.
  std::string run();

  // From any thread, also from a signal-handling one (not from a signal handler).
  void stop() { mailboxes_.post(config_.shard, {.kind = Post::Kind::stop}); }
  void drain() { mailboxes_.post(config_.shard, {.kind = Post::Kind::drain}); }
  void post(AdminRequest request) {
    mailboxes_.post(config_.shard, {.kind = Post::Kind::admin, .admin = std::move(request)});
  }
  void post(std::shared_ptr<const ConfigSnapshot> snapshot) {
    mailboxes_.post(config_.shard, {.kind = Post::Kind::reload, .snapshot = std::move(snapshot)});
  }
  // New certificates: connections made from now on use them.
  void post_tls(std::shared_ptr<TlsContext> server, std::shared_ptr<TlsContext> client) {
    mailboxes_.post(config_.shard,
                    {.kind = Post::Kind::tls, .server_tls = std::move(server), .client_tls = std::move(client)});
  }

 private:
  enum class TimerKind : std::uint8_t { connect, handshake, writer, linger, accept_again, drain_flush };
  struct Timer {
    Instant at;
    TimerKind kind;
    std::uint32_t index;
    std::uint32_t generation;
    bool operator>(const Timer& other) const { return at > other.at; }
  };
  struct Node {
    Slice slice;
    std::uint32_t next;
  };
  struct SendOp {
    ConnId conn;
    std::uint32_t first_iov;
    std::uint32_t iov_count;
    std::uint32_t bytes;
    bool backlog;
  };
  struct ListenerSlot {
    Listener listener;
    std::uint32_t generation = 1;
    bool armed = false;
  };
  struct IpKey {
    std::uint64_t high;
    std::uint64_t low;
    bool operator==(const IpKey&) const = default;
  };
  struct IpHash {
    std::size_t operator()(const IpKey& key) const {
      return (key.high * 0x9e3779b97f4a7c15U) ^ (key.low * 0xff51afd7ed558ccdU);
    }
  };
  struct PipeCredit {
    ConnId conn;
    std::uint32_t bytes;
  };
  struct SocketSlot {
    int fd = -1;
    std::uint16_t id = 0;
    bool armed = false;     // polled
    bool readable = false;  // not known to be empty
    bool waits = false;     // readable, for want of blocks
    Instant behind_since = never;  // when a turn first left something in it; never: it was empty since
    std::uint32_t lost = 0;        // datagrams_lost when last counted
    std::unique_ptr<DatagramWriter> writer;
  };
  // To one shard, found its ring full.
  struct OutgoingMail {
    std::deque<Mail> waiting;
    std::uint64_t waiting_bytes = 0;  // of Workers' mail; that of pipes is bounded by windows and connections_max
  };
  enum class Running : std::uint8_t { serving, flushing, stopping };

  // loop.cc: turns, time, posts
  void turn();
  [[nodiscard]] bool may_sleep() const;
  [[nodiscard]] Duration sleep_for() const;
  void read_clock();
  void dispatch(const Completion& done);
  void step_if_due();
  [[nodiscard]] bool owed_due() const;
  void deliver_owed();
  void take_posts();
  void take_post(Post& post);
  void run_timers();
  void fire(const Timer& timer);
  void arm_timer(TimerKind kind, Instant at, std::uint32_t index, std::uint32_t generation);
  void note_lag();
  void start_stopping();
  void start_draining_out();
  void note_cut_short();
  void release_batch();
  [[nodiscard]] bool over() const;
  [[nodiscard]] bool full() const { return live_conns_ - live_pipes_ >= config_.connections_max; }
  [[nodiscard]] bool full_for_moved() const { return live_conns_ - live_pipes_ >= config_.moved_connections_max(); }
  // Each connection may need a pipe to each other shard, and each of those an end here.
  [[nodiscard]] bool pipes_full() const {
    return live_pipes_ >= std::uint64_t{config_.connections_max} * 2 * mailboxes_.shards();
  }

  // loop_conn.cc: slots, accept, connect, the close protocol
  std::uint32_t new_conn();
  Conn& conn(std::uint32_t index) { return conns_[index / conns_per_chunk][index % conns_per_chunk]; }
  [[nodiscard]] Conn* find(ConnId id);  // what the Worker names
  [[nodiscard]] Conn* find_op(const Completion& done);
  [[nodiscard]] ConnId id_of(std::uint32_t index) { return {index, conn(index).generation}; }
  void start_listeners();
  void stop_listeners();
  void on_accept(const Completion& done);
  void refuse_waiting(int listen_fd);
  void admit(std::uint32_t listener, int fd);
  [[nodiscard]] bool count_source(const Address& remote);
  void force_count_source(const Address& remote);  // it was admitted elsewhere
  void uncount_source(const Address& remote);
  [[nodiscard]] std::optional<Address> source_toward(const Address& to) const;
  void start_connects();
  void start_connect(ConnectRequest& request);
  void on_connect(std::uint32_t index, std::int32_t result);
  void fail_connect(std::uint32_t index, ConnectError error);
  void announce_open(std::uint32_t index, Input::Kind kind);
  void report_closed(std::uint32_t index, CloseReason reason);
  void end_conn(std::uint32_t index, CloseReason reason);  // trouble below the seam: Input closed, then kill
  void close_conn(std::uint32_t index);                    // Output close
  void after_flush(std::uint32_t index);
  void kill(std::uint32_t index, bool reset);
  void bury_if_over(std::uint32_t index);  // the only place that closes a connection's descriptor (U-3)

  // loop_input.cc: receives
  void arm_recv(std::uint32_t index);
  void cancel_recv(std::uint32_t index);
  void on_recv(std::uint32_t index, const Completion& done);
  void on_hung_up(std::uint32_t index);
  void choose_buffers(std::uint32_t index, std::int32_t bytes);
  void on_peer_fin(std::uint32_t index);
  void deliver(std::uint32_t index, Slice slice);  // takes over one reference
  void feed_starving();
  void set_paused(std::uint32_t index, bool paused);

  // loop_output.cc: sends
  void carry_out();
  void touch(std::uint32_t index);
  void add_node(std::uint32_t index, Slice slice);
  void drop_nodes(Conn& c);
  void drop_backlog(Conn& c);
  void queue_nodes(std::uint32_t index);
  void queue_backlog(std::uint32_t index);
  void submit_sends();
  void settle_sends(std::size_t first_fresh);
  void settle(const SendOp& op);
  void nodes_sent(std::uint32_t index, std::uint64_t bytes);
  void backlog_sent(std::uint32_t index, std::uint64_t bytes);
  [[nodiscard]] bool waits_as_it_is(const Slice& slice) const;
  [[nodiscard]] bool nodes_to_backlog(std::uint32_t index);
  [[nodiscard]] bool copy_run(Conn& c, std::uint32_t first, std::uint32_t end, std::uint32_t bytes);
  void apply(const Output& output);
  void flush();
  void flush_conn(std::uint32_t index);
  void credit(std::uint32_t index, std::uint64_t bytes);
  void on_writable(std::uint32_t index);
  void writer_waits(std::uint32_t index);
  void no_memory(std::uint32_t index);

  // loop_tls.cc
  friend class LoopCipherSink;
  void start_tls(std::uint32_t index, bool server);
  void tls_received(std::uint32_t index, Slice slice);
  void tls_handshake(std::uint32_t index);
  void tls_decrypt(std::uint32_t index);
  [[nodiscard]] BufferId plain_block(const Conn& c);
  void tls_fail(std::uint32_t index);
  [[nodiscard]] bool tls_flush(std::uint32_t index);  // this turn's plaintext becomes ciphertext nodes
  [[nodiscard]] bool tls_encrypt_nodes(std::uint32_t index);
  [[nodiscard]] bool cipher_room(std::size_t bytes);

  // loop_pipe.cc
  void open_pipes();
  void take_mail();
  void on_mail(std::uint32_t from_shard, Mail& mail);
  void send_mail(std::uint32_t shard, const Mail& mail);
  void flush_mail();
  void wake(std::uint32_t shard);
  [[nodiscard]] Conn* find_pipe(ConnId id);
  void pipe_opened(std::uint32_t from_shard, const Mail& mail, std::unique_ptr<PeerInfo> served);
  void pipe_data(std::uint32_t index, const Mail& mail);
  void pipe_deliver(std::uint32_t index, Slice slice);
  void pipe_ended(std::uint32_t index, CloseReason reason);
  [[nodiscard]] bool pipe_send(Conn& c, std::uint32_t bytes);
  void pipe_queue(std::uint32_t index);
  void pipe_pump(std::uint32_t index);
  void pipe_finish(std::uint32_t index);
  void give_pipe_credits();
  void pipe_credit(const Conn& c, std::uint64_t bytes);
  void pipe_resumed(std::uint32_t index);

  // loop_datagram.cc: UDP sockets, and mail between Workers
  void start_sockets();
  void stop_sockets();
  void close_sockets();
  void on_readable(const Completion& done);
  [[nodiscard]] std::uint32_t datagram_buffers() const;
  [[nodiscard]] bool sockets_due() const;   // something is to be done without waiting
  [[nodiscard]] bool sockets_wait() const;  // for blocks
  void note_backlog(SocketSlot& slot);
  void read_sockets();
  void read_socket(SocketSlot& slot, std::uint32_t& budget);
  void deliver_datagram(ReceivedDatagram& datagram);  // takes over one reference
  void count_lost_datagrams();
  void send_datagrams();
  void send_batch(SocketSlot& slot);
  [[nodiscard]] static std::uint64_t waiting_cost(const Mail& mail) {
    return mail.kind == Mail::Kind::worker && !mail.kept ? mail.length + sizeof(Mail) : 0;
  }
  void mail_worker(ShardMail& wanted);
  void deliver_mail(std::uint32_t from_shard, const Mail& mail);

  // loop_move.cc
  void start_moves();
  void move_if_ready(std::uint32_t index);
  void moving_received(std::uint32_t index, Slice slice);  // takes over one reference
  void adopt(std::unique_ptr<Adopted> adopted);

  static constexpr std::uint32_t conns_per_chunk = 256;
  // As many as completions: what UDP may take of a turn is what connections may.
  static constexpr std::uint32_t datagrams_per_turn = completions_per_turn;

  LoopConfig config_;
  Pool& pool_;
  Metrics& metrics_;
  Worker& worker_;
  Mailboxes& mailboxes_;
  std::unique_ptr<Proactor> proactor_;
  Outbox outbox_;
  Now now_;
  Instant turn_started_{};
  Lateness lateness_;
  Running running_ = Running::serving;
  bool accepting_ = true;
  bool drain_asked_ = false;

  std::vector<std::unique_ptr<Conn[]>> conns_;
  std::vector<std::uint32_t> free_conns_;
  std::uint32_t live_conns_ = 0;
  std::uint32_t live_pipes_ = 0;  // of them; they have a limit of their own: a refused pipe would cost its client
  std::uint32_t paused_conns_ = 0;
  std::vector<ListenerSlot> listeners_;
  std::vector<Address> listening_at_;  // of them
  std::vector<SocketSlot> sockets_;
  std::uint32_t first_socket_ = 0;  // of the next turn
  bool reading_ = true;             // sockets; false: they close as soon as nothing polls them
  std::unique_ptr<DatagramReader> datagram_reader_;
  std::vector<ReceivedDatagram> received_;  // of this turn
  std::vector<int> spare_fds_;
  std::unordered_map<IpKey, std::uint32_t, IpHash> sources_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;

  std::vector<Completion> completions_;
  std::size_t next_completion_ = 0;
  std::vector<Input> inputs_;  // for the next step
  std::vector<Input> batch_;   // of the step that runs
  std::deque<PeerInfo> peers_;
  std::vector<Post> posts_;
  std::vector<ConnId> owed_;
  std::uint64_t owed_bytes_ = 0;
  Instant owed_since_{};
  Instant fired_deadline_ = never;
  std::deque<ConnId> starving_;

  std::vector<Node> nodes_;
  std::vector<std::uint32_t> touched_;
  std::vector<ConnId> again_;  // have backlog the kernel may take now
  std::vector<SendOp> sends_;
  std::vector<::iovec> iovs_;
  std::vector<::msghdr> messages_;
  std::uint64_t bytes_this_turn_ = 0;

  std::vector<PipeCredit> pipe_credits_;    // due when the next step has consumed the bytes
  std::vector<PipeCredit> batch_credits_;   // of the step that runs
  std::vector<OutgoingMail> outgoing_mail_;  // by shard
  std::size_t mail_waits_ = 0;               // in outgoing_mail_
  bool mail_left_ = false;                   // in the rings to us
  std::unique_ptr<char[]> plain_;           // staging of one TLS record
  BufferId cipher_block_ = no_buffer;
  std::uint32_t cipher_used_ = 0;

  Instant lag_window_{};
  Duration longest_turn_{};
};

}  // namespace parley::core

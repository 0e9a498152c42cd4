// core/loop.cc - turns, time, timers and posts of the Loop. See loop.h.
#include "core/loop.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/epoll_proactor.h"
#include "core/socket.h"
#include "core/tls_conn.h"
#include "core/uring_proactor.h"

namespace parley::core {
namespace {

constexpr Duration sleep_max = 1s;          // also keeps the gauges fresh on an idle shard
constexpr Duration retry = 1ms;             // the other shard's ring is full, or datagrams wait for blocks
constexpr std::size_t turn_reserve = 1024;  // first capacity of the vectors of a turn

std::int64_t clock_ns(::clockid_t clock) {
  ::timespec at{};
  (void)::clock_gettime(clock, &at);
  return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

}  // namespace

Conn::Conn() = default;
Conn::~Conn() = default;
Conn& Conn::operator=(Conn&& other) noexcept = default;

std::string loop_unavailable(LoopKind kind) { return kind == LoopKind::uring ? uring_missing() : std::string(); }

Loop::Loop(LoopConfig config, Pool& pool, Metrics& metrics, Worker& worker, Mailboxes& mailboxes)
    : config_(std::move(config)),
      pool_(pool),
      metrics_(metrics),
      worker_(worker),
      mailboxes_(mailboxes),
      outbox_(pool),
      outgoing_mail_(mailboxes.shards()) {
  for (const DatagramSocket& socket : config_.sockets) {
    SocketSlot& slot = sockets_.emplace_back();
    slot.fd = socket.fd;
    slot.id = socket.id;
    slot.writer = std::make_unique<DatagramWriter>();
  }
  for (const Listener& listener : config_.listeners) {
    listeners_.push_back({.listener = listener});
    listening_at_.push_back(local_address(listener.fd));
  }
  completions_.reserve(turn_reserve);
  inputs_.reserve(turn_reserve);
  batch_.reserve(turn_reserve);
  nodes_.reserve(turn_reserve);
  iovs_.reserve(turn_reserve);
  sends_.reserve(turn_reserve);
  messages_.reserve(turn_reserve);
  touched_.reserve(turn_reserve);
  owed_.reserve(turn_reserve);
}

Loop::~Loop() {
  for (const ListenerSlot& slot : listeners_) {
    if (slot.listener.fd >= 0) ::close(slot.listener.fd);
  }
  for (const SocketSlot& slot : sockets_) {
    if (slot.fd >= 0) ::close(slot.fd);
  }
  for (OutgoingMail& outgoing : outgoing_mail_) {
    for (Mail& mail : outgoing.waiting) mail.drop();
  }
  if (cipher_block_ != no_buffer) pool_.release(cipher_block_);
}

std::string Loop::run() {
  std::string error;
  const int wake = mailboxes_.event_fd(config_.shard);
  // What io_uring is lent stays lent on quiet connections, so UDP needs a share of its own.
  const std::uint32_t kept = sockets_.empty() ? 0 : pool_.total(BlockClass::small) / 4;
  if (config_.kind != LoopKind::epoll) proactor_ = UringProactor::create(pool_, wake, error, kept, config_.gather);
  if (proactor_ == nullptr && config_.kind != LoopKind::uring) {
    error.clear();
    proactor_ = EpollProactor::create(pool_, wake, error);
  }
  if (proactor_ == nullptr) return error;
  mailboxes_.publish_ring(config_.shard, proactor_->ring_fd());
  read_clock();
  lag_window_ = now_.mono;
  turn_started_ = now_.mono;
  for (int i = 0; i < 2; ++i) spare_fds_.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  start_listeners();
  start_sockets();
  if (config_.log != nullptr) {
    config_.log->write(config_.shard, {LogRecord::Level::info, "loop_started " + proactor_->features()});
  }
  while (!over()) turn();
  mailboxes_.publish_ring(config_.shard, -1);
  for (const int fd : spare_fds_) ::close(fd);
  spare_fds_.clear();
  proactor_.reset();
  return {};
}

bool Loop::over() const {
  if (running_ == Running::serving || live_conns_ > 0 || !inputs_.empty()) return false;
  return std::all_of(listeners_.begin(), listeners_.end(), [](const ListenerSlot& slot) { return !slot.armed; }) &&
         std::all_of(sockets_.begin(), sockets_.end(), [](const SocketSlot& slot) { return slot.fd < 0; });
}

void Loop::turn() {
  const Instant turn_ends{Duration{clock_ns(CLOCK_MONOTONIC)}};
  const Duration worked = turn_ends - turn_started_;
  longest_turn_ = std::max(longest_turn_, worked);
  now_.mono = turn_ends;
  if (next_completion_ == completions_.size()) {
    completions_.clear();
    next_completion_ = 0;
  }
  const std::size_t first_fresh = completions_.size();
  const bool sleeps = may_sleep();
  proactor_->wait(sleeps, sleep_for(), completions_);
  read_clock();
  turn_started_ = now_.mono;
  lateness_.looked(now_.mono, worked, now_.mono - turn_ends, sleeps, first_fresh, completions_.size());
  metrics_.add(Metric::loop_turns);
  settle_sends(first_fresh);
  for (std::size_t budget = completions_per_turn; budget > 0 && next_completion_ < completions_.size(); --budget) {
    dispatch(completions_[next_completion_++]);
  }
  lateness_.taking(next_completion_);
  read_sockets();
  if (mailboxes_.look(config_.shard) || mail_left_) {
    take_mail();
    take_posts();
  }
  flush_mail();
  run_timers();
  step_if_due();
  flush();
  feed_starving();
  note_lag();
}

// Not while anything is left to do, nor while sends that are about to run hold blocks or credit somebody may wait for.
bool Loop::may_sleep() const {
  if (next_completion_ < completions_.size() || !again_.empty() || !inputs_.empty() || over()) return false;
  if (mail_left_ || sockets_due()) return false;
  if (!sends_.empty() && (bytes_this_turn_ >= config_.sent_lazy_bytes || paused_conns_ > 0 || !starving_.empty())) {
    return false;
  }
  return !owed_due();
}

Duration Loop::sleep_for() const {
  Instant until = now_.mono + sleep_max;
  if (outbox_.next_deadline() != fired_deadline_) until = std::min(until, outbox_.next_deadline());
  if (!timers_.empty()) until = std::min(until, timers_.top().at);
  if (owed_bytes_ > 0) {
    until = std::min(until, owed_since_ + config_.sent_lazy);
  } else if (!sends_.empty()) {
    until = std::min(until, now_.mono + config_.sent_lazy);
  }
  if (mail_waits_ > 0 || sockets_wait()) until = std::min(until, now_.mono + retry);
  return until - now_.mono;
}

void Loop::read_clock() {
  now_.mono = Instant{Duration{clock_ns(CLOCK_MONOTONIC)}};
  now_.wall_ms = clock_ns(CLOCK_REALTIME_COARSE) / 1'000'000;
}

void Loop::dispatch(const Completion& done) {
  switch (done.op) {
    case Op::accept: on_accept(done); return;
    case Op::readable: on_readable(done); return;
    case Op::wake:
    case Op::send:  // settled before
    case Op::none: return;
    default: break;
  }
  Conn* c = find_op(done);
  if (c == nullptr) {
    if (done.op != Op::hung_up) metrics_.add(Metric::stale_completions);
    if (done.buffer != no_buffer) pool_.release(done.buffer);
    return;
  }
  if (done.op == Op::recv) on_recv(done.index, done);
  if (done.op == Op::connect) on_connect(done.index, done.result);
  if (done.op == Op::writable) on_writable(done.index);
  if (done.op == Op::hung_up) on_hung_up(done.index);
}

bool Loop::owed_due() const {
  if (owed_bytes_ == 0) return false;
  return owed_bytes_ >= config_.sent_lazy_bytes || paused_conns_ > 0 || now_.mono >= owed_since_ + config_.sent_lazy;
}

void Loop::step_if_due() {
  const Instant due = outbox_.next_deadline();
  const bool time_is_up = due <= now_.mono && due != fired_deadline_;
  if (inputs_.empty() && !time_is_up && !owed_due()) return;
  if (time_is_up) fired_deadline_ = due;  // once per deadline, or a Worker that leaves it standing would spin
  deliver_owed();
  batch_.swap(inputs_);  // carrying out makes Inputs for the next step
  batch_credits_.swap(pipe_credits_);
  now_.lag = lateness_.lag();
  worker_.step(batch_, now_, outbox_);
  carry_out();
  release_batch();
}

void Loop::deliver_owed() {
  for (const ConnId id : owed_) {
    Conn& c = conn(id.index);
    if (c.generation != id.generation) continue;
    c.owed_listed = false;
    if (c.known && c.owed > 0) {
      Input input;
      input.kind = Input::Kind::sent;
      input.conn = id;
      input.count = c.owed;
      inputs_.push_back(std::move(input));
    }
    c.owed = 0;
  }
  owed_.clear();
  owed_bytes_ = 0;
}

void Loop::release_batch() {
  for (const Input& input : batch_) {
    if (input.slice.buffer != no_buffer) pool_.release(input.slice.buffer);
  }
  batch_.clear();
  received_.clear();
  peers_.clear();
  posts_.clear();
  give_pipe_credits();
}

void Loop::take_posts() {
  posts_.clear();  // what is left needed no step
  mailboxes_.take_posts(config_.shard, posts_);
  // Inputs point into posts_ until their step is over; that is this turn, so it does not grow in between.
  for (Post& post : posts_) take_post(post);
}

void Loop::take_post(Post& post) {
  Input input;
  switch (post.kind) {
    case Post::Kind::stop: start_stopping(); return;
    case Post::Kind::tls:
      if (post.server_tls != nullptr) config_.server_tls = std::move(post.server_tls);
      if (post.client_tls != nullptr) config_.client_tls = std::move(post.client_tls);
      return;
    case Post::Kind::drain:
      if (drain_asked_ || running_ != Running::serving) return;
      drain_asked_ = true;
      stop_listeners();
      input.kind = Input::Kind::drain;
      break;
    case Post::Kind::admin:
      input.kind = Input::Kind::admin;
      input.admin = &post.admin;
      break;
    case Post::Kind::resolved:
      input.kind = Input::Kind::resolved;
      input.resolution = &post.resolution;
      input.token = post.resolution.token;
      break;
    case Post::Kind::stored:
      for (const StoreResult& result : post.stored) {
        input.kind = Input::Kind::stored;
        input.stored = &result;
        inputs_.push_back(input);
      }
      return;
    case Post::Kind::reload:
      input.kind = Input::Kind::reload;
      input.snapshot = std::move(post.snapshot);
      break;
  }
  inputs_.push_back(std::move(input));
}

void Loop::arm_timer(TimerKind kind, Instant at, std::uint32_t index, std::uint32_t generation) {
  timers_.push({at, kind, index, generation});
}

void Loop::run_timers() {
  while (!timers_.empty() && timers_.top().at <= now_.mono) {
    const Timer timer = timers_.top();
    timers_.pop();
    fire(timer);
  }
}

void Loop::fire(const Timer& timer) {
  if (timer.kind == TimerKind::accept_again) {
    ListenerSlot& slot = listeners_[timer.index];
    if (!accepting_ || slot.armed || slot.listener.fd < 0) return;
    proactor_->arm_accept({timer.index, slot.generation}, slot.listener.fd);
    slot.armed = true;
    return;
  }
  if (timer.kind == TimerKind::drain_flush) {
    note_cut_short();
    start_stopping();
    return;
  }
  Conn& c = conn(timer.index);
  if (c.generation != timer.generation || c.stage == Stage::vacant) return;
  switch (timer.kind) {
    case TimerKind::connect:
      if (c.stage == Stage::connecting) end_conn(timer.index, CloseReason::timeout);
      return;
    case TimerKind::handshake:
      if (c.stage != Stage::handshaking) return;
      metrics_.add(Metric::handshake_timeouts);
      end_conn(timer.index, CloseReason::timeout);
      return;
    case TimerKind::linger:
      if (c.stage != Stage::lingering) return;
      metrics_.add(Metric::linger_timeouts);
      kill(timer.index, false);
      return;
    case TimerKind::writer:
      c.writer_timer = false;
      if (!c.has_backlog() || c.stage == Stage::dying) return;
      if (now_.mono < c.progress + config_.writer_timeout) {
        writer_waits(timer.index);
        return;
      }
      metrics_.add(Metric::writer_timeouts);
      end_conn(timer.index, CloseReason::timeout);
      return;
    default: return;
  }
}

void Loop::note_lag() {
  if (now_.mono - lag_window_ < 1s) return;
  metrics_.set(Metric::loop_lag_us, static_cast<std::uint64_t>(longest_turn_.count() / 1000));
  metrics_.set(Metric::pool_live_blocks, pool_.live_blocks() - proactor_->lent());
  metrics_.set(Metric::heap_bytes, pool_.heap_bytes());
  count_lost_datagrams();
  metrics_.set(Metric::cq_overflows, proactor_->overflows());
  longest_turn_ = {};
  lag_window_ = now_.mono;
}

void Loop::start_stopping() {
  if (running_ == Running::stopping) return;
  running_ = Running::stopping;
  stop_listeners();
  stop_sockets();
  const auto count = static_cast<std::uint32_t>(conns_.size() * conns_per_chunk);
  for (std::uint32_t index = 0; index < count; ++index) {
    const Stage stage = conn(index).stage;
    if (stage != Stage::vacant && stage != Stage::dying) end_conn(index, CloseReason::shutting_down);
  }
}

// Whoever still waits for bytes when draining ends will not get them.
void Loop::note_cut_short() {
  const auto count = static_cast<std::uint32_t>(conns_.size() * conns_per_chunk);
  for (std::uint32_t index = 0; index < count; ++index) {
    if (conn(index).stage == Stage::flushing) metrics_.add(Metric::flush_timeouts);
  }
}

void Loop::start_draining_out() {
  running_ = Running::flushing;
  stop_listeners();
  stop_sockets();
  arm_timer(TimerKind::drain_flush, now_.mono + config_.drain_flush, 0, 0);
  const auto count = static_cast<std::uint32_t>(conns_.size() * conns_per_chunk);
  for (std::uint32_t index = 0; index < count; ++index) {
    const Stage stage = conn(index).stage;
    if (stage == Stage::open) close_conn(index);
    if (stage == Stage::connecting || stage == Stage::handshaking) kill(index, false);
  }
}

}  // namespace parley::core

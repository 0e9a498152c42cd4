// tools/parley-load/worker.cc - the loop of one thread: wait, read and check, then let every pair send that may.
#include "tools/parley-load/worker.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "tools/parley-load/clock.h"

namespace parley::load {
namespace {

constexpr uint32_t kOpenLoopSlots = 4096;              // messages under way per pair before the open loop falls behind

}  // namespace

Worker::Worker(const Options& options, const Pattern& pattern, Shared& shared, const TlsContext* tls, int listen_fd)
    : shared_(shared),
      tls_(tls),
      context_(options, pattern),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      read_(kReadBytes + kHeadBytesMax + 64),
      events_(kEventsMax) {
  if (listen_fd >= 0) {
    listener_.role = Role::listener;
    listener_.stream.adopt(listen_fd);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &listener_}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, listen_fd, &event);
  }
}

Worker::~Worker() { ::close(epoll_); }

void Worker::add_pair(uint32_t index, Kind kind) {
  auto pair = std::make_unique<Pair>();
  pair->index = index;
  pair->slow = kind == Kind::slow;
  pair->idle = kind == Kind::idle;
  pair->receiver.role = Role::receiver;
  pair->sender.role = Role::sender;
  pair->receiver.pair = pair->sender.pair = pair.get();
  const Options& o = context_.options;
  const uint32_t slots = pair->slow ? o.slow_window : o.open_loop() ? std::max(kOpenLoopSlots, o.window) : o.window;
  if (!pair->idle) pair->slots.resize(std::bit_ceil(slots));
  pairs_.push_back(std::move(pair));
}

void Worker::run(Monitor* monitor) {
  context_.dirty.reserve(pairs_.size());
  setup_all();
  if (setup_failed()) {
    shared_.give_up = true;
    return;
  }
  ++shared_.ready;
  while (shared_.start_ns.load() == 0 && !shared_.give_up) {
    if (monitor != nullptr && shared_.ready == context_.options.threads) {
      monitor->on_setup_done();
      shared_.start_ns = now_ns() + kStartDelayNs;
      break;
    }
    turn(now_ns() + kNsPerSecond / 1000);
  }
  if (shared_.give_up) return;
  context_.start_ns = shared_.start_ns;
  if (context_.options.idle > 0) return hold_idle(monitor);
  load(monitor);
  drain(monitor);
  settle();
}

void Worker::setup_all() {
  const uint64_t deadline = now_ns() + seconds(context_.options.setup_s);
  while (ready_ < pairs_.size() && !setup_failed()) {
    while (started_ < pairs_.size() && started_ - ready_ < context_.options.setups_at_once && !setup_failed())
      start_pair(*pairs_[started_]);
    turn(now_ns() + kTurnNsMax);
    check_first_messages();
    if (shared_.stop || shared_.give_up) setup_error_ = "interrupted";
    if (now_ns() > deadline && !setup_failed())
      setup_error_ = "only " + std::to_string(ready_) + " of " + std::to_string(pairs_.size()) +
                     " pairs were ready in time (--setup-timeout)";
  }
}

// A pair is ready when one message has gone all the way. The first message is where a relay does its slow work
// (Kamailio hands the connection to another process, and drops some when thousands come at once), so it belongs to the
// set-up.
void Worker::check_first_messages() {
  std::erase_if(first_message_, [this](Pair* pair) {
    if (pair->next > 0 && pair->slot(0).failed) fail_setup(pair->sender, "the first message was refused");
    if (pair->oldest == 0) return false;
    ++ready_;
    return true;
  });
}

void Worker::load(Monitor* monitor) {
  const uint64_t begin = context_.start_ns + seconds(context_.options.warmup_s);
  const uint64_t end = begin + seconds(context_.options.duration_s);
  for (const auto& pair : pairs_) {
    if (!pair->slow) continue;
    pair->receiver.reading = false;
    update_interest(pair->receiver);
  }
  while (now_ns() < context_.start_ns) turn(context_.start_ns);
  context_.may_begin = true;
  for (const auto& pair : pairs_) make_dirty(context_, *pair);
  for (;;) {
    const uint64_t now = now_ns();
    if (now >= end || shared_.stop) break;
    if (!context_.measuring && now >= begin) {
      context_.measuring = true;
      at_begin_ = context_.counts;
      if (monitor != nullptr) monitor->on_measure_begin(now);
    }
    if (monitor != nullptr) monitor->on_turn(now);
    if (context_.options.open_loop()) schedule();
    turn(std::min({context_.measuring ? end : begin, next_due_ns(), now + kTurnNsMax}));
  }
  if (!context_.measuring) at_begin_ = context_.counts;  // stopped by a signal before the measurement
  end_measurement(monitor);
}

void Worker::end_measurement(Monitor* monitor) {
  context_.measuring = false;
  context_.may_begin = false;
  at_end_ = context_.counts;
  const uint64_t now = now_ns();
  if (monitor != nullptr) monitor->on_measure_end(now);
  for (const auto& pair : pairs_) {
    if (pair->slow) {
      pair->receiver.reading = true;
      update_interest(pair->receiver);
      continue;
    }
    per_pair_.push_back(pair->measured);
    if (context_.options.open_loop()) behind_ += pair->due - std::min(pair->due, pair->next);
    // A closed loop hides what it waits for: a starved pair records nothing, so its wait is told apart.
    for (uint64_t number = pair->oldest; number < pair->next; ++number) {
      const Slot& slot = pair->slot(number);
      if (!slot.delivered && !slot.failed && slot.due_ns < now)
        waiting_max_ns_ = std::max(waiting_max_ns_, now - slot.due_ns);
    }
  }
}

void Worker::drain(Monitor* monitor) {
  uint64_t seen = progress();
  uint64_t deadline = now_ns() + seconds(context_.options.drain_s);
  while (!all_settled() && now_ns() < deadline) {
    turn(now_ns() + kTurnNsMax);
    if (monitor != nullptr) monitor->on_turn(now_ns());
    if (progress() != seen) deadline = now_ns() + seconds(context_.options.drain_s);
    seen = progress();
  }
}

void Worker::hold_idle(Monitor* monitor) {
  const uint64_t end =
      context_.options.duration_given ? context_.start_ns + seconds(context_.options.duration_s) : UINT64_MAX;
  if (monitor != nullptr) monitor->on_measure_begin(now_ns());
  while (!shared_.stop && now_ns() < end) turn(now_ns() + kTurnNsMax);
  if (monitor != nullptr) monitor->on_measure_end(now_ns());
}

void Worker::settle() {
  for (const auto& pair : pairs_) {
    for (uint64_t number = pair->oldest; number < pair->next; ++number) {
      const Slot& slot = pair->slot(number);
      if (slot.failed) continue;
      ++(slot.delivered ? context_.counts.unanswered : context_.counts.lost);
    }
  }
}

bool Worker::all_settled() const {
  return std::all_of(pairs_.begin(), pairs_.end(),
                     [](const auto& pair) { return pair->dead || pair->idle || pair->under_way() == 0; });
}

uint64_t Worker::progress() const {
  const Counts& c = context_.counts;
  return c.chunks_sent + c.chunks_received + c.answers + c.success_reports + c.failed + c.connections_lost;
}

// Open loop: gives every pair the messages whose time has come.
void Worker::schedule() {
  const uint64_t now = now_ns();
  while (next_due_ns() <= now) {
    Pair& pair = *pairs_[scheduled_pair_];
    ++pair.due;
    make_dirty(context_, pair);
    if (++scheduled_pair_ == pairs_.size() || pairs_[scheduled_pair_]->slow) {  // slow pairs stand at the end
      scheduled_pair_ = 0;
      ++scheduled_round_;
    }
  }
}

uint64_t Worker::next_due_ns() const {
  if (!context_.options.open_loop() || pairs_.empty() || pairs_[0]->slow) return UINT64_MAX;
  return context_.due_ns(*pairs_[scheduled_pair_], scheduled_round_);
}

void Worker::turn(uint64_t deadline_ns) {
  serve_dirty();
  const uint64_t now = now_ns();
  uint64_t wait_ns = deadline_ns > now ? deadline_ns - now : 0;
  if (!context_.dirty.empty() || context_.options.spin) wait_ns = 0;
  const timespec wait{.tv_sec = static_cast<time_t>(wait_ns / kNsPerSecond),
                      .tv_nsec = static_cast<long>(wait_ns % kNsPerSecond)};
  const int count = epoll_pwait2(epoll_, events_.data(), kEventsMax, &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    on_event(*static_cast<Conn*>(event.data.ptr), event.events);
  }
  serve_dirty();
  const Counts& c = context_.counts;
  live_delivered_.store(c.delivered, std::memory_order_relaxed);
  live_bytes_.store(c.delivered_bytes, std::memory_order_relaxed);
  live_errors_.store(c.failed + c.corrupted + c.reordered + c.duplicated + c.connections_lost,
                     std::memory_order_relaxed);
}

// Senders write at the end of a turn: what several reads made possible then leaves in one call.
void Worker::serve_dirty() {
  const size_t count = context_.dirty.size();
  for (size_t i = 0; i < count; ++i) {
    Pair& pair = *context_.dirty[i];
    pair.dirty = false;
    if (!may_send(context_, pair)) continue;
    context_.now = now_ns();
    write_frames(context_, pair);
    flush(pair.sender);
    if (may_send(context_, pair)) make_dirty(context_, pair);  // a full batch: the rest goes next turn
  }
  context_.dirty.erase(context_.dirty.begin(), context_.dirty.begin() + static_cast<ptrdiff_t>(count));
}

void Worker::on_event(Conn& conn, uint32_t events) {
  if (conn.role == Role::listener) return on_accept(conn);
  if (conn.state == ConnState::closed || conn.stream.fd() < 0) return;  // closed earlier in this turn
  if (conn.state == ConnState::connecting) return on_establish(conn);
  if ((events & EPOLLOUT) != 0) {
    if (!context_.batch.flush_backlog(conn.stream, conn.backlog)) return connection_lost(conn, std::strerror(errno));
    if (conn.backlog.empty() && conn.role == Role::sender) make_dirty(context_, *conn.pair);
    if (!(conn.pair != nullptr && conn.pair->slow)) conn.reading = conn.backlog.size_bytes() < kBacklogBytesMax;
    update_interest(conn);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) on_readable(conn);
}

void Worker::on_readable(Conn& conn) {
  for (;;) {
    const size_t carried = conn.carry.size();
    std::copy(conn.carry.begin(), conn.carry.end(), read_.begin());
    const size_t room = read_.size() - carried;
    const ssize_t got = conn.stream.read(read_.data() + carried, room);
    if (got < 0) return connection_lost(conn, "closed by the server");
    if (got == 0) break;
    context_.now = now_ns();
    size_t fresh = static_cast<size_t>(got);
    if (conn.websocket != nullptr && !take_websocket(conn, read_.data() + carried, fresh)) return;
    const std::string_view data(read_.data(), carried + fresh);
    const size_t used = consume(conn, data);
    if (conn.state == ConnState::closed) return;
    conn.carry.assign(data.begin() + static_cast<ptrdiff_t>(used), data.end());
    if (static_cast<size_t>(got) < room) break;
  }
  if (!context_.batch.empty()) flush(conn);
}

// Takes whole frames and pieces of bodies; what is left needs more bytes to be understood.
size_t Worker::consume(Conn& conn, std::string_view data) {
  size_t at = 0;
  while (at < data.size() && conn.state != ConnState::closed) {
    if (context_.batch.full()) flush(conn);
    const std::string_view rest = data.substr(at);
    if (conn.in_body) {
      const BodyScan scan = conn.end_mark.scan(rest);
      on_send_body(context_, conn, rest.substr(0, scan.body_bytes));
      if (scan.flag == 0) return at + scan.body_bytes;
      at += scan.used_bytes;
      conn.in_body = false;
      if (conn.body_head.method == Method::send) on_send_end(context_, conn, scan.flag);
      continue;
    }
    Head head;
    const char* why = "";
    switch (parse_head(rest, head, &why)) {
      case HeadResult::more: return at;
      case HeadResult::bad:
        ++context_.counts.bad_frames;
        context_.note("bad frame (" + std::string(why) + "): " + std::string(rest.substr(0, 120)));
        connection_lost(conn, why);
        return at;
      case HeadResult::done: break;
    }
    at += head.size_bytes;
    on_frame(conn, head);
  }
  return at;
}

void Worker::on_frame(Conn& conn, const Head& head) {
  if (conn.pair == nullptr) return on_binding(conn, head);
  if (head.method == Method::response) {
    if (conn.state != ConnState::ready) return on_setup_answer(conn, head);
    if (conn.role == Role::sender) return on_answer(context_, *conn.pair, head);
    ++context_.counts.stray;
    return;
  }
  conn.in_body = head.has_body;
  if (head.method == Method::send && conn.role == Role::receiver) {
    on_send_head(context_, conn, head);
    if (!head.has_body) on_send_end(context_, conn, head.flag);
    return;
  }
  if (head.has_body) {  // a request we do not act on: its body is skipped
    conn.body_head = head;
    conn.body_wanted = false;
    conn.end_mark.set(head.tid);
  }
  if (head.method == Method::report && conn.role == Role::sender) return on_report(context_, *conn.pair, head);
  ++context_.counts.stray;
}

void Worker::flush(Conn& conn) {
  if (!context_.batch.flush(conn.stream, conn.backlog)) return connection_lost(conn, std::strerror(errno));
  if (conn.backlog.size_bytes() > kBacklogBytesMax) conn.reading = false;
  if (conn.state != ConnState::connecting) update_interest(conn);
}

void Worker::update_interest(Conn& conn) {
  const uint32_t mask = (conn.reading ? static_cast<uint32_t>(EPOLLIN) : 0) |
                        (conn.backlog.empty() ? 0 : static_cast<uint32_t>(EPOLLOUT));
  if (mask == conn.epoll_mask || conn.stream.fd() < 0) return;
  conn.epoll_mask = mask;
  epoll_event event{.events = mask, .data = {.ptr = &conn}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, conn.stream.fd(), &event);
}

void Worker::connection_lost(Conn& conn, const std::string& why) {
  const bool set_up = conn.state == ConnState::ready;
  if (conn.pair != nullptr && !set_up) fail_setup(conn, why);
  conn.stream.close();
  conn.state = ConnState::closed;
  conn.carry.clear();
  conn.backlog.clear();
  if (conn.pair == nullptr || !set_up) return;
  ++context_.counts.connections_lost;
  context_.note((conn.role == Role::sender ? "sender" : "receiver") + std::string(" of pair ") +
                std::to_string(conn.pair->index) + ": connection lost: " + why);
  conn.pair->dead = true;
}

}  // namespace parley::load

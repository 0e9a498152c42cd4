// tools/parley-load/sip_worker.cc - the loop of one thread: read and check, begin what may begin, repeat what is late.
#include "tools/parley-load/sip_worker.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tools/parley-load/clock.h"

namespace parley::load {
namespace {

constexpr uint64_t kSweepNs = kNsPerSecond / 20;       // how late a retransmission may be; T1 is 500 ms
constexpr uint32_t kOpenLoopFlightsMax = 1U << 16;     // under way in an open loop before it falls behind

}  // namespace

void SipWorker::run(Monitor* monitor) {
  setup_all();
  if (setup_failed()) {
    shared_.give_up = true;
    return;
  }
  ++shared_.ready;
  while (shared_.start_ns.load() == 0 && !shared_.give_up) {
    if (monitor != nullptr && shared_.ready == options_.threads) {
      monitor->on_setup_done();
      shared_.start_ns = now_ns() + kStartDelayNs;
      break;
    }
    turn(now_ns() + kNsPerSecond / 1000);
  }
  if (shared_.give_up) return;
  start_ns_ = shared_.start_ns;
  if (options_.idle > 0) return hold_idle(monitor);
  load(monitor);
  drain(monitor);
  settle();
}

void SipWorker::load(Monitor* monitor) {
  const uint64_t begin = start_ns_ + seconds(options_.warmup_s);
  const uint64_t end = begin + seconds(options_.duration_s);
  while (now_ns() < start_ns_) turn(start_ns_);
  may_begin_ = true;
  for (const auto& pair : pairs_) {
    if (options_.open_loop()) break;  // whose turn it is the clock says
    pair->dirty = true;
    dirty_.push_back(pair.get());
  }
  for (;;) {
    const uint64_t now = now_ns();
    if (now >= end || shared_.stop) break;
    if (!measuring_ && now >= begin) {
      measuring_ = true;
      at_begin_ = counts_;
      if (monitor != nullptr) monitor->on_measure_begin(now);
    }
    if (monitor != nullptr) monitor->on_turn(now);
    turn(std::min({measuring_ ? end : begin, next_due_ns(), now + kTurnNsMax}));
  }
  if (!measuring_) at_begin_ = counts_;  // stopped by a signal before the measurement
  end_measurement(monitor);
}

void SipWorker::end_measurement(Monitor* monitor) {
  measuring_ = may_begin_ = false;
  at_end_ = counts_;
  const uint64_t now = now_ns();
  if (monitor != nullptr) monitor->on_measure_end(now);
  for (const auto& pair : pairs_) per_pair_.push_back(pair->measured);
  if (!options_.open_loop()) return;
  while (next_due_ns() <= now) {
    ++scheduled_;
    ++behind_;
  }
}

void SipWorker::drain(Monitor* monitor) {
  uint64_t seen = progress();
  uint64_t deadline = now_ns() + seconds(options_.drain_s);
  while (live_ > 0 && now_ns() < deadline) {
    turn(now_ns() + kTurnNsMax);
    if (monitor != nullptr) monitor->on_turn(now_ns());
    if (progress() != seen) deadline = now_ns() + seconds(options_.drain_s);
    seen = progress();
  }
}

void SipWorker::hold_idle(Monitor* monitor) {
  const uint64_t end = options_.duration_given ? start_ns_ + seconds(options_.duration_s) : UINT64_MAX;
  if (monitor != nullptr) monitor->on_measure_begin(now_ns());
  while (!shared_.stop && now_ns() < end) turn(now_ns() + kTurnNsMax);
  if (monitor != nullptr) monitor->on_measure_end(now_ns());
}

void SipWorker::settle() {
  for (const auto& flight : flights_) {
    if (flight->live) give_up(*flight);
  }
}

uint64_t SipWorker::progress() const { return counts_.requests_received + counts_.responses_received; }

void SipWorker::turn(uint64_t deadline_ns) {
  now_ = now_ns();
  begin_what_may();
  if (now_ >= next_sweep_ns_) sweep();
  out_.flush();
  tend_links();
  now_ = now_ns();
  uint64_t wait_ns = std::min(deadline_ns, next_sweep_ns_);
  wait_ns = wait_ns > now_ ? wait_ns - now_ : 0;
  if ((may_begin_ && (more_ || !dirty_.empty())) || options_.spin) wait_ns = 0;
  const timespec wait{.tv_sec = static_cast<time_t>(wait_ns / kNsPerSecond),
                      .tv_nsec = static_cast<long>(wait_ns % kNsPerSecond)};
  const int count = epoll_pwait2(epoll_, events_.data(), kEventsMax, &wait, nullptr);
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    on_event(*static_cast<Link*>(event.data.ptr), event.events);
  }
  out_.flush();
  live_finished_.store(counts_.finished, std::memory_order_relaxed);
  live_errors_.store(counts_.refused + counts_.lost + counts_.corrupted + counts_.duplicated + counts_.connections_lost,
                     std::memory_order_relaxed);
}

void SipWorker::begin_what_may() {
  if (!may_begin_) return;
  if (options_.open_loop()) return schedule();
  if (options_.pairwise()) {
    size_t served = 0;
    uint32_t begun = 0;
    for (; served < dirty_.size() && begun < kBeginsPerTurn; ++served) {
      SipPair& pair = *dirty_[served];
      const bool alive = pair.sender->link->state == Link::State::ready;
      while (alive && pair.in_flight < options_.window && begun < kBeginsPerTurn) {
        begin_pairwise(pair, now_);
        ++begun;
      }
      if (alive && pair.in_flight < options_.window) break;  // the rest of it goes next turn
      pair.dirty = false;
    }
    dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<ptrdiff_t>(served));
    return;
  }
  const uint32_t window = std::min(options_.window, static_cast<uint32_t>(users_.size()));
  uint32_t begun = 0;
  for (; live_ < window && begun < kBeginsPerTurn; ++begun) begin_next(now_);
  more_ = begun == kBeginsPerTurn;
}

void SipWorker::schedule() {
  for (uint32_t begun = 0; begun < kBeginsPerTurn && next_due_ns() <= now_; ++begun) {
    if (live_ >= kOpenLoopFlightsMax) return;
    const uint64_t due = next_due_ns();
    ++scheduled_;
    begin_next(due);
  }
}

// The next pair's or free user's turn.
void SipWorker::begin_next(uint64_t due_ns) {
  if (options_.pairwise()) {
    return begin_pairwise(*pairs_[turn_++ % pairs_.size()], due_ns);
  }
  for (size_t tries = 0; tries < users_.size(); ++tries) {
    User& user = *users_[turn_++ % users_.size()];
    if (user.busy || user.link->state != Link::State::ready) continue;
    return options_.mode == SipMode::options ? begin_options(user, due_ns) : begin_registration(user, false, due_ns);
  }
  if (options_.open_loop()) ++behind_;  // every user is busy
}

void SipWorker::begin_pairwise(SipPair& pair, uint64_t due_ns) {
  if (options_.mode == SipMode::call) return begin_call(pair, due_ns);
  options_.mode == SipMode::pager ? begin_pager(pair, due_ns) : begin_message(pair, due_ns);
}

// The threads take turns, too.
uint64_t SipWorker::next_due_ns() const {
  if (!options_.open_loop() || !may_begin_) return UINT64_MAX;
  const double place = static_cast<double>(scheduled_) * options_.threads + thread_;
  return start_ns_ + static_cast<uint64_t>(place * 1e9 / options_.rate_per_s);
}

// Timers A, B, E and F (RFC 3261 sections 17.1.1.2 and 17.1.2.2), and what a callee repeats (section 13.3.1.4).
void SipWorker::sweep() {
  next_sweep_ns_ = now_ + kSweepNs;
  for (const auto& entry : flights_) {
    Flight& flight = *entry;
    if (!flight.live) continue;
    if (now_ >= flight.give_up_ns) {
      give_up(flight);
      continue;
    }
    if (flight.kind == SipMode::call) sweep_call(flight);
    if (!flight.live || flight.quiet || now_ < flight.resend_ns) continue;
    flight.interval_ns *= 2;
    if (flight.step != Step::inviting) flight.interval_ns = std::min(flight.interval_ns, kT2Ns);
    flight.resend_ns = now_ + flight.interval_ns;
    ++counts_.retransmitted;
    write_request(flight);
  }
}

void SipWorker::on_event(Link& link, uint32_t events) {
  if (link.state == Link::State::closed || link.fd() < 0) return;  // closed earlier in this turn
  if (link.state == Link::State::connecting) return on_establish(link);
  if (link.datagrams) return read_datagrams(link);
  if ((events & EPOLLOUT) != 0) {
    out_.flush();
    if (!out_.flush_backlog(link)) return connection_lost(link, std::strerror(errno));
    update_interest(link);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_stream(link);
}

void SipWorker::read_datagrams(Link& link) {
  for (size_t count = SipInput::kBurst; count == SipInput::kBurst;) {
    count = in_.receive(link.socket);
    now_ = now_ns();
    for (size_t i = 0; i < count; ++i) {
      const std::string_view data = in_.datagram(i);
      SipMessage message;
      const char* why = "larger than anything we sent";
      if (in_.truncated(i) || parse_sip(data, true, message, &why) != SipResult::done) {
        on_bad(link, why, data);
      } else {
        on_message(link, message);
      }
    }
    begin_what_may();
  }
}

void SipWorker::read_stream(Link& link) {
  for (;;) {
    const size_t carried = link.websocket == nullptr ? link.carry.size() : 0;  // a frame's pieces stay where they are
    std::copy_n(link.carry.begin(), carried, read_.begin());
    const size_t room = read_.size() - carried;
    const ssize_t got = link.stream.read(read_.data() + carried, room);
    if (got < 0) return connection_lost(link, "closed by the server");
    if (got == 0) break;
    now_ = now_ns();
    std::string_view rest(read_.data(), carried + static_cast<size_t>(got));
    if (link.state == Link::State::upgrading) {
      if (take_upgrade(link, rest)) link.carry.clear();
      if (setup_failed()) return;
    }
    if (link.websocket != nullptr) {
      if (!take_frames(link, {const_cast<char*>(rest.data()), rest.size()})) return;  // it lies in read_
    } else {
      if (link.state == Link::State::ready && !take_messages(link, rest)) return;
      link.carry.assign(rest.begin(), rest.end());
    }
    if (static_cast<size_t>(got) < room) break;
  }
}

// Takes whole messages off the front. False: the connection is gone.
bool SipWorker::take_messages(Link& link, std::string_view& rest) {
  while (!rest.empty()) {
    if (rest[0] == '\r' || rest[0] == '\n') {  // keep-alives (RFC 5626 section 3.5.1)
      rest.remove_prefix(1);
      continue;
    }
    SipMessage message;
    const char* why = "";
    const SipResult result = parse_sip(rest, false, message, &why);
    if (result == SipResult::more) break;
    if (result == SipResult::bad) {
      on_bad(link, why, rest);
      connection_lost(link, why);
      return false;
    }
    on_message(link, message);
    rest.remove_prefix(message.size_bytes);
  }
  return true;
}

// One message in one WebSocket message (RFC 7118 section 5.1). False: the connection is gone.
bool SipWorker::take_frames(Link& link, std::span<char> rest) {
  for (;;) {
    const core::WebSocketEvent event = link.websocket->read(rest);
    switch (event.kind) {
      case core::WebSocketEvent::Kind::none: return true;
      case core::WebSocketEvent::Kind::data: {
        const bool whole = event.ends_message && link.carry.empty();
        if (!whole) link.carry.insert(link.carry.end(), event.bytes.begin(), event.bytes.end());
        if (!event.ends_message) break;
        const std::string_view data = whole ? event.bytes : std::string_view(link.carry.data(), link.carry.size());
        SipMessage message;
        const char* why = "";
        if (parse_sip(data, true, message, &why) != SipResult::done) {
          on_bad(link, why, data);
        } else {
          on_message(link, message);
        }
        link.carry.clear();
        break;
      }
      case core::WebSocketEvent::Kind::ping: {
        const core::WebSocketMask mask{1, 2, 3, 4};
        out_.raw(link, core::WebSocketControl::pong(event.bytes, &mask).view());
        break;
      }
      case core::WebSocketEvent::Kind::pong: break;
      case core::WebSocketEvent::Kind::close:
        connection_lost(link, "WebSocket closed with " + std::to_string(event.code));
        return false;
      case core::WebSocketEvent::Kind::error:
        on_bad(link, "WebSocket", core::to_string(event.fault));
        connection_lost(link, "WebSocket error");
        return false;
    }
  }
}

void SipWorker::on_bad(Link& link, const char* why, std::string_view bytes) {
  ++counts_.bad_messages;
  note("bad message at " + link.address + " (" + why + "): " + std::string(bytes.substr(0, 200)));
}

void SipWorker::update_interest(Link& link) {
  if (link.fd() < 0 || (link.state != Link::State::ready && link.state != Link::State::upgrading)) return;
  const uint32_t mask = EPOLLIN | (link.backlog.empty() ? 0 : static_cast<uint32_t>(EPOLLOUT));
  if (mask == link.epoll_mask) return;
  link.epoll_mask = mask;
  epoll_event event{.events = mask, .data = {.ptr = &link}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, link.fd(), &event);
}

void SipWorker::tend_links() {
  for (Link* const link : out_.waiting) update_interest(*link);
  for (Link* const link : out_.broken) connection_lost(*link, "broken while sending");
  out_.waiting.clear();
  out_.broken.clear();
}

void SipWorker::connection_lost(Link& link, const std::string& why) {
  if (link.state == Link::State::closed) return;
  out_.flush();
  link.stream.close();
  link.state = Link::State::closed;
  link.carry.clear();
  link.backlog.clear();
  ++counts_.connections_lost;
  note("connection of " + link.user->account.name + " lost: " + why);
  if (start_ns_ == 0) fail_setup("connection of " + link.user->account.name + " lost: " + why);
}

}  // namespace parley::load

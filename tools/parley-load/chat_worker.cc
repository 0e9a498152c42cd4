// tools/parley-load/chat_worker.cc - see chat_worker.h.
#include "tools/parley-load/chat_worker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <span>

#include "tools/parley-load/clock.h"

namespace parley::load {
namespace {

constexpr uint64_t kTurnNs = kNsPerSecond / 20;
constexpr int kEventsMax = 1024;
constexpr size_t kNotesMax = 8;

std::string make_run() {
  std::random_device random;
  char text[9];
  std::snprintf(text, sizeof text, "%08x", random());
  return text;
}

}  // namespace

ChatWorker::ChatWorker(const ChatOptions& options, Shared& shared, const TlsContext* tls)
    : options_(options),
      shared_(shared),
      tls_(tls),
      run_(make_run()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      events_(kEventsMax),
      read_(kReadBytes) {
  for (uint32_t n = 0; n < options_.rooms; ++n) {
    rooms_.push_back(std::make_unique<ChatRoom>());
    rooms_.back()->index = n;
    rooms_.back()->uri = options_.room_uri(n);
    rooms_.back()->first_member = n * options_.members;
    rooms_.back()->sent.resize(options_.senders);
    rooms_.back()->told.resize(options_.senders);
  }
  for (uint32_t n = 0; n < options_.member_count(); ++n) {
    members_.push_back(std::make_unique<ChatMember>());
    ChatMember& member = *members_.back();
    member.index = n;
    member.room = rooms_[n / options_.members].get();
    member.place = n % options_.members;
    member.name = options_.user_name(n);
    member.aor = "sip:" + member.name + "@" + options_.domain;
    member.next.assign(options_.senders, kLoose);
    member.late = member.place >= options_.members - options_.storm;
    member.link.kind = ChatLink::Kind::member;
    member.link.member = &member;
  }
}

ChatWorker::~ChatWorker() { ::close(epoll_); }

void ChatWorker::note(const std::string& text) {
  if (notes_.size() < kNotesMax) notes_.push_back(text);
}

void ChatWorker::fail_setup(const std::string& why) {
  if (setup_error_.empty()) setup_error_ = why;
}

// --- connections

void ChatWorker::watch(ChatLink& link, uint32_t mask) {
  if (link.watched && link.mask == mask) return;
  epoll_event event{.events = mask, .data = {.ptr = &link}};
  epoll_ctl(epoll_, link.watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, link.stream.fd(), &event);
  link.watched = true;
  link.mask = mask;
}

void ChatWorker::unwatch(ChatLink& link) {
  if (link.watched) epoll_ctl(epoll_, EPOLL_CTL_DEL, link.stream.fd(), nullptr);
  link.watched = false;
  link.mask = 0;
}

void ChatWorker::send(ChatLink& link, std::string_view bytes) {
  link.waiting.append(bytes);
  if (link.established && link.waiting.size() == bytes.size()) flush(link);
}

void ChatWorker::flush(ChatLink& link) {
  size_t done = 0;
  while (done < link.waiting.size()) {
    const iovec piece{link.waiting.data() + done, link.waiting.size() - done};
    const ssize_t taken =
        link.stream.is_tls() ? link.stream.tls_write(link.waiting.data() + done, std::min<size_t>(piece.iov_len, 16384))
                             : link.stream.writev(&piece, 1);
    if (taken < 0) return lost(link, link.stream.failure());
    if (taken == 0) break;
    done += static_cast<size_t>(taken);
  }
  link.waiting.erase(0, done);
  watch(link, (link.reading ? EPOLLIN : 0U) | (link.waiting.empty() ? 0U : EPOLLOUT));
}

void ChatWorker::on_event(ChatLink& link, uint32_t events) {
  if (link.kind == ChatLink::Kind::listener) return accept_all();
  if (link.dead || link.stream.fd() < 0) return;
  if (!link.established) {
    switch (link.stream.establish()) {
      case Stream::Step::failed: return lost(link, link.stream.failure());
      case Stream::Step::want_read: return watch(link, EPOLLIN);
      case Stream::Step::want_write: return watch(link, EPOLLOUT);
      case Stream::Step::done: break;
    }
    link.established = true;
    if (link.member != nullptr) bind(*link.member);
    return flush(link);
  }
  if ((events & EPOLLOUT) != 0) flush(link);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || link.dead || !link.reading) return;
  const ssize_t got = link.stream.read(read_.data(), read_.size());
  if (got < 0) return lost(link, "closed by the server");
  if (got > 0) on_bytes(link, {read_.data(), static_cast<size_t>(got)});
}

void ChatWorker::on_bytes(ChatLink& link, std::string_view bytes) {
  std::string whole;
  if (!link.carry.empty()) {
    whole.swap(link.carry);
    whole.append(bytes);
    bytes = whole;
  }
  while (!bytes.empty() && !link.dead && link.stream.fd() >= 0) {
    size_t used = 0;
    if (link.member != nullptr) {
      used = on_frame(*link.member, bytes);
    } else if (bytes.starts_with("\r\n")) {
      used = 2;  // a keep-alive
    } else {
      SipMessage message;
      const char* why = "";
      const SipResult result = parse_sip(bytes, false, message, &why);
      if (result == SipResult::bad) {
        ++counts_.bad_frames;
        note(std::string("not SIP: ") + why);
        return lost(link, why);
      }
      if (result == SipResult::done) {
        used = message.size_bytes;
        on_sip(link, message);
      }
    }
    if (used == 0) break;
    bytes.remove_prefix(used);
  }
  link.carry.assign(bytes);
}

void ChatWorker::lost(ChatLink& link, const std::string& why) {
  if (link.dead) return;
  unwatch(link);
  link.stream.close();
  link.established = false;
  link.waiting.clear();
  link.carry.clear();
  if (link.member == nullptr) {
    if (link.ours) return fail_setup("the SIP connection: " + why);
    link.dead = true;
    dead_.push_back(&link);
    return;
  }
  ChatMember& member = *link.member;
  if (member.state == ChatMember::State::leaving || member.state == ChatMember::State::out || ending_) return;
  if (member.once_stalled) {
    ++counts_.stalled_closed;
    member.closed = true;
  } else {
    ++counts_.connections_lost;
    note(member.name + ": MSRP connection: " + why);
  }
  if (member.state != ChatMember::State::in) fail_setup(member.name + ": MSRP connection: " + why);
  is_out(member);
}

void ChatWorker::accept_all() {
  for (;;) {
    const int fd = accept4(listener_.stream.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    accepted_.push_back(std::make_unique<ChatLink>());
    ChatLink& link = *accepted_.back();
    link.stream.adopt(fd);
    link.established = true;
    watch(link, EPOLLIN);
  }
}

void ChatWorker::turn(uint64_t deadline_ns) {
  now_ = now_ns();
  int wait_ms = 0;
  if (!options_.spin && deadline_ns > now_) wait_ms = static_cast<int>((deadline_ns - now_) / 1'000'000);
  const int count = epoll_wait(epoll_, events_.data(), kEventsMax, wait_ms);
  now_ = now_ns();
  const auto ready = std::span(events_).first(count > 0 ? static_cast<size_t>(count) : 0);
  // What is measured is read first. Signalling can be a gigabyte when all of a room are told of each other, and deliveries
  // would wait for as much of it as is ready, as they do in no member's own device: what is left of it comes with the next
  // wait, behind what was not ready in this one.
  for (const epoll_event& event : ready) {
    ChatLink& link = *static_cast<ChatLink*>(event.data.ptr);
    if (link.kind != ChatLink::Kind::sip) on_event(link, event.events);
  }
  for (const epoll_event& event : ready) {
    ChatLink& link = *static_cast<ChatLink*>(event.data.ptr);
    if (link.kind != ChatLink::Kind::sip) continue;
    on_event(link, event.events);
    if (now_ns() - now_ > kSignallingNs) break;
  }
  for (ChatLink* link : dead_) std::erase_if(accepted_, [link](const auto& mine) { return mine.get() == link; });
  dead_.clear();
  begin_beats();
}

// --- phases

void ChatWorker::run(Monitor& monitor) {
  now_ = now_ns();
  contact_.host = options_.server.host.find(':') == std::string::npos ? "127.0.0.1" : "::1";
  contact_.port = "0";
  const int listener = listen_on(contact_);
  listener_.kind = ChatLink::Kind::listener;
  if (listener < 0) return fail_setup("cannot listen");
  for (uint32_t n = 0; n < options_.sip_connection_count(); ++n) {
    sips_.push_back(std::make_unique<ChatLink>());
    sips_.back()->ours = true;
    if (!sips_.back()->stream.connect(options_.server, nullptr)) return fail_setup("cannot connect to --server");
    watch(*sips_.back(), EPOLLOUT);
  }
  listener_.stream.adopt(listener);
  watch(listener_, EPOLLIN);
  const std::string host = contact_.host == "::1" ? "[::1]" : contact_.host;
  via_ = "SIP/2.0/TCP " + host + ":" + contact_.port + ";rport;branch=z9hG4bK";
  monitor.on_setup_begin();
  join_all();
  monitor.on_setup_done();
  if (setup_error_.empty()) load(monitor);
  if (!setup_error_.empty()) return;
  leave_all();
}

void ChatWorker::join_all() {
  const uint64_t deadline = now_ns() + seconds(options_.setup_s);
  const size_t wanted = members_.size() - size_t{options_.storm} * options_.rooms;
  size_t started = 0;
  while (joined_ < wanted && setup_error_.empty()) {
    for (; started < members_.size() && joining_now_ < options_.setups_at_once; ++started) {
      if (!members_[started]->late) invite(*members_[started]);
    }
    turn(now_ns() + kTurnNs);
    if (shared_.stop) fail_setup("interrupted");
    if (now_ns() > deadline)
      fail_setup("only " + std::to_string(joined_) + " of " + std::to_string(wanted) +
                 " members joined in time (--setup-timeout)");
  }
}

void ChatWorker::load(Monitor& monitor) {
  const uint64_t start = now_ns();
  begin_ns_ = start + seconds(options_.warmup_s);
  const uint64_t end = begin_ns_ + seconds(options_.duration_s);
  for (const auto& room : rooms_) {
    // Rooms do not all write in the same instant.
    room->next_beat_ns =
        start +
        (options_.open_loop() ? static_cast<uint64_t>(1e9 / options_.rate_per_s * room->index / options_.rooms) : 0);
  }
  sending_ = options_.duration_s > 0;
  while (!shared_.stop && setup_error_.empty()) {
    if (!measuring_ && now_ns() >= begin_ns_) {
      measuring_ = true;
      stall();
      at_begin_ = counts_;
      monitor.on_measure_begin(now_ns());
    }
    if (now_ns() >= end && (options_.storm == 0 || (joined_ == members_.size() && all_see()))) break;
    if (now_ns() >= end + seconds(options_.setup_s)) break;
    uint64_t wake = measuring_ ? std::max(end, now_ns() + kTurnNs) : begin_ns_;
    if (options_.open_loop()) {
      for (const auto& room : rooms_) wake = std::min(wake, room->next_beat_ns);
    }
    turn(std::min(wake, now_ns() + kTurnNs));
    if (measuring_) trouble();
    monitor.on_turn(now_);
  }
  at_end_ = counts_;
  monitor.on_measure_end(now_ns());
  measuring_ = false;
  sending_ = false;
  drain();
  for (const auto& member : members_) {
    if (!member->stalled) continue;
    member->stalled = false;
    member->link.reading = true;
    if (member->link.stream.fd() >= 0) watch(member->link, EPOLLIN | (member->link.waiting.empty() ? 0U : EPOLLOUT));
  }
  drain();
  settle();
}

// One beat of a room: --burst messages of one sender.
void ChatWorker::beat(ChatRoom& room, uint64_t due_ns) {
  ChatMember& sender = *members_[room.first_member + room.turn];
  room.turn = (room.turn + 1) % options_.senders;
  ++room.beats;
  if (sender.state != ChatMember::State::in || sender.stalled) {
    ++counts_.skipped;
    return;
  }
  room.outstanding = static_cast<uint64_t>(options_.burst) * (room.present - 1);
  text_.clear();
  for (uint32_t n = 0; n < options_.burst; ++n) write_message(room, sender, due_ns);
  send(sender.link, text_);
}

void ChatWorker::begin_beats() {
  if (!sending_) return;
  for (const auto& room : rooms_) {
    if (!options_.open_loop()) {
      if (room->outstanding == 0 && room->present > 1) beat(*room, now_);
      continue;
    }
    while (room->next_beat_ns <= now_) {
      beat(*room, room->next_beat_ns);
      room->next_beat_ns += static_cast<uint64_t>(1e9 / options_.rate_per_s);
    }
  }
}

// Senders stay out of trouble, so that what they wrote is known. The last members of a room stop reading, those before
// them lose their connection.
void ChatWorker::stall() {
  const auto stalled = static_cast<uint32_t>(options_.members * options_.stalled_percent / 100);
  const auto reconnecting = static_cast<uint32_t>(options_.members * options_.reconnect_percent / 100);
  for (const auto& m : members_) {
    ChatMember& member = *m;
    if (member.place < options_.senders) continue;
    const uint32_t from_end = options_.members - 1 - member.place;
    if (from_end < stalled) {
      member.stalled = member.once_stalled = true;
      member.link.reading = false;
      if (options_.receive_buffer_bytes > 0) {
        const int bytes = static_cast<int>(options_.receive_buffer_bytes);
        setsockopt(member.link.stream.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
      }
      watch(member.link, member.link.waiting.empty() ? 0U : EPOLLOUT);
    } else if (from_end < stalled + reconnecting) {
      member.will_reconnect = true;
      const double share = static_cast<double>(from_end - stalled + 1) / (reconnecting + 1);
      member.reconnect_ns = begin_ns_ + static_cast<uint64_t>(share * 0.8 * options_.duration_s * 1e9);
    }
  }
}

void ChatWorker::trouble() {
  if (options_.reconnect_percent > 0) {
    for (const auto& m : members_) {
      ChatMember& member = *m;
      if (!member.will_reconnect || now_ < member.reconnect_ns || member.state != ChatMember::State::in) continue;
      member.will_reconnect = false;
      member.rejoining = true;
      member.again.assign(options_.senders, ~uint64_t{0});
      member.partial.clear();
      unwatch(member.link);
      member.link.stream.close();
      member.link.established = false;
      member.link.carry.clear();
      member.link.waiting.clear();
      is_out(member);
      invite(member);
    }
  }
  for (; late_ < members_.size() && options_.storm > 0 && joining_now_ < options_.setups_at_once; ++late_) {
    if (members_[late_]->late) invite(*members_[late_]);
  }
  if (options_.joins_per_s <= 0) return;
  const auto due = static_cast<uint64_t>(static_cast<double>(now_ - begin_ns_) / 1e9 * options_.joins_per_s);
  for (size_t tried = 0; churned_ < due && tried < members_.size(); ++tried) {
    churn_at_ = (churn_at_ + 7919) % static_cast<uint32_t>(members_.size());
    ChatMember& member = *members_[churn_at_];
    if (member.place < options_.senders || member.state != ChatMember::State::in || member.once_stalled ||
        member.will_reconnect || member.rejoining)
      continue;
    ++churned_;
    leave(member);
  }
}

void ChatWorker::drain() {
  uint64_t quiet_since = now_ns();
  uint64_t seen = 0;
  while (!shared_.stop && now_ns() - quiet_since < seconds(options_.drain_s)) {
    turn(now_ns() + kTurnNs);
    const uint64_t done =
        counts_.delivered + counts_.stalled_delivered + counts_.answers + counts_.joins + counts_.notifies;
    if (done != seen) quiet_since = now_ns();
    seen = done;
    const bool busy = std::any_of(members_.begin(), members_.end(), [](const auto& m) {
      return (m->once_stalled && m->link.reading) ||
             (m->state != ChatMember::State::in && m->state != ChatMember::State::out);
    });
    if (!busy && all_arrived() && all_see()) return;
  }
}

void ChatWorker::leave_all() {
  ending_ = true;
  const uint64_t deadline = now_ns() + seconds(10);
  for (const auto& member : members_) {
    if (member->state == ChatMember::State::in) leave(*member);
    if (member->index % 64 == 0) turn(0);
  }
  const auto leaving = [](const auto& m) { return m->state == ChatMember::State::leaving; };
  while (std::any_of(members_.begin(), members_.end(), leaving) && now_ns() < deadline) turn(now_ns() + kTurnNs);
}

}  // namespace parley::load

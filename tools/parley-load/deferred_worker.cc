// tools/parley-load/deferred_worker.cc - see deferred_worker.h.
#include "tools/parley-load/deferred_worker.h"

#include <openssl/rand.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tools/parley-load/clock.h"

namespace parley::load {
namespace {

constexpr uint64_t kSweepNs = kNsPerSecond / 20;
constexpr uint32_t kTalkPending = 1U << 14;  // messages of the two under way before they fall behind

std::string random_run() {
  std::array<unsigned char, 4> raw{};
  RAND_bytes(raw.data(), static_cast<int>(raw.size()));
  std::string out(8, '0');
  SipText text(out.data());
  for (const unsigned char byte : raw) text.hex(byte, 2);
  return out;
}

}  // namespace

DeferredWorker::DeferredWorker(const DeferredOptions& options, Shared& shared)
    : options_(options),
      shared_(shared),
      pattern_(Content::letters),
      run_(random_run()),
      registrar_uri_("sip:" + options.domain),
      in_(kSipHeadBytesMax + options.size_bytes),
      kept_(options.all()),
      came_(options.all()),
      last_(size_t{options.receivers} * options.senders),
      watch_(options.server_pids) {
  users_.resize(size_t{options.receivers} + options.senders + 2);
  for (uint32_t i = 0; i < users_.size(); ++i) {
    User& user = users_[i];
    user.index = i;
    std::string name = options.user_pattern;
    name.replace(name.find('%'), 1, std::to_string(i));
    user.account = {name, options.password};
    user.aor = "sip:" + name + "@" + options.domain;
    user.call_id = "R" + run_ + std::to_string(i);
    user.link = i < options.receivers ? &away_ : i < options.receivers + options.senders ? &sending_ : &talking_;
  }
}

const DeferredOutcome& DeferredWorker::run() {
  if (options_.cpu >= 0) pin(options_.cpu);
  watch_.refresh();
  if (!open_links() || !register_few() || !store_all()) return found_;
  talk_alone();
  bring_all_back();
  sum_up();
  return found_;
}

bool DeferredWorker::open_links() {
  for (Link* const link : {&away_, &sending_, &talking_}) {
    if (!link->open_datagrams(options_.server, nullptr)) {
      found_.setup_error = std::string("UDP socket: ") + std::strerror(errno);
      return false;
    }
    link->state = Link::State::ready;
    link->name_itself(Transport::udp);
  }
  for (User& user : users_) user.contact_uri = "sip:" + user.account.name + "@" + user.link->address + ";transport=udp";
  return true;
}

// Who sends, and the two who talk.
bool DeferredWorker::register_few() {
  for (size_t i = options_.receivers; i < users_.size(); ++i) {
    begin_registration(users_[i]);
    while (live_[0] >= options_.at_once && !shared_.stop) turn();
  }
  while (live_[0] != 0 && !shared_.stop) turn();
  const bool all = found_.registered == users_.size() - options_.receivers;
  if (!all) found_.setup_error = "not all senders could register";
  return all;
}

// One round for each number, so that a message that had to be sent again can not be overtaken by its sender's next one.
bool DeferredWorker::store_all() {
  const double cpu = server_seconds();
  const uint64_t begin = now_ns();
  for (uint32_t number = 0; number < options_.messages; ++number) {
    for (uint32_t receiver = 0; receiver < options_.receivers; ++receiver) {
      begin_store(receiver, number);
      while (live_[1] >= options_.window && !shared_.stop) turn();
    }
    while (live_[1] != 0 && !shared_.stop) turn();
  }
  found_.store_s = static_cast<double>(now_ns() - begin) / 1e9;
  if (found_.stored != 0) found_.server_store_us = (server_seconds() - cpu) * 1e6 / static_cast<double>(found_.stored);
  if (found_.stored == 0) found_.setup_error = "no message was stored";
  return found_.stored != 0;
}

void DeferredWorker::talk_alone() {
  if (options_.online_per_s <= 0) return;
  talk_into_ = &found_.calm;
  talk_begin_ns_ = now_ns();
  talk_count_ = 0;
  const uint64_t end = talk_begin_ns_ + seconds(options_.calm_s);
  while (now_ns() < end && !shared_.stop) turn();
  talk_into_ = nullptr;
  const uint64_t deadline = now_ns() + seconds(options_.drain_s);
  while (live_[2] != 0 && now_ns() < deadline && !shared_.stop) turn();
}

void DeferredWorker::bring_all_back() {
  const double cpu = server_seconds();
  const uint64_t before = found_.registered;
  push_begin_ns_ = last_delivery_ns_ = now_ns();
  if (options_.online_per_s > 0) {
    talk_into_ = &found_.busy;
    talk_begin_ns_ = push_begin_ns_;
    talk_count_ = 0;
  }
  uint32_t next = 0;
  uint64_t seen = progress();
  uint64_t deadline = now_ns() + seconds(options_.drain_s);
  while ((found_.delivered < found_.stored || live_[0] != 0 || next < options_.receivers) && now_ns() < deadline &&
         !shared_.stop) {
    while (next < options_.receivers && live_[0] < options_.at_once) begin_registration(users_[next++]);
    turn();
    if (found_.registered == before + options_.receivers && found_.register_s == 0)
      found_.register_s = static_cast<double>(now_ns() - push_begin_ns_) / 1e9;
    // The two who talk are no progress of the others.
    const uint64_t done = found_.delivered + found_.registered;
    if (done != seen) deadline = now_ns() + seconds(options_.drain_s);
    seen = done;
  }
  talk_into_ = nullptr;
  const uint64_t end = now_ns() + kNsPerSecond;  // what comes twice
  while ((now_ns() < end || live_[2] != 0) && now_ns() < end + seconds(options_.drain_s) && !shared_.stop) turn();
  found_.push_s = static_cast<double>(last_delivery_ns_ - push_begin_ns_) / 1e9;
  if (found_.delivered != 0) found_.server_push_us = (server_seconds() - cpu) * 1e6 / static_cast<double>(found_.delivered);
}

void DeferredWorker::sum_up() {
  for (uint64_t i = 0; i < kept_.size(); ++i) {
    if (kept_[i] && came_[i] == 0) ++found_.lost;
  }
  found_.unanswered += live_[0] + live_[1] + live_[2];
  uint64_t in_second = 0;
  for (size_t i = 0; i < per_time_.size(); ++i) {
    in_second += per_time_[i];
    if (i >= kTimesPerSecond) in_second -= per_time_[i - kTimesPerSecond];
    found_.per_second_max = std::max(found_.per_second_max, in_second);
  }
  found_.datagrams_dropped = out_.datagrams_dropped;
}

double DeferredWorker::server_seconds() {
  if (watch_.empty()) return 0;
  const ServerSample sample = watch_.sample();
  found_.server_known = sample.ok;
  return static_cast<double>(sample.cpu_ns) / 1e9;
}

void DeferredWorker::turn() {
  now_ = now_ns();
  talk_when_due();
  if (now_ >= next_sweep_ns_) sweep();
  out_.flush();
  uint64_t until = next_sweep_ns_;
  if (talk_into_ != nullptr)
    until = std::min(until, talk_begin_ns_ + static_cast<uint64_t>(static_cast<double>(talk_count_) * 1e9 / options_.online_per_s));
  wait(until);
  // The two first: how long the others' messages take to read is not theirs.
  for (Link* const link : {&talking_, &sending_, &away_}) read(*link);
  out_.flush();
}

void DeferredWorker::wait(uint64_t until_ns) {
  std::array<pollfd, 3> fds{{{.fd = talking_.fd(), .events = POLLIN, .revents = 0},
                             {.fd = sending_.fd(), .events = POLLIN, .revents = 0},
                             {.fd = away_.fd(), .events = POLLIN, .revents = 0}}};
  const uint64_t now = now_ns();
  const uint64_t left = until_ns > now ? until_ns - now : 0;
  const timespec time{.tv_sec = static_cast<time_t>(left / kNsPerSecond), .tv_nsec = static_cast<long>(left % kNsPerSecond)};
  ppoll(fds.data(), fds.size(), &time, nullptr);
  now_ = now_ns();
}

void DeferredWorker::talk_when_due() {
  if (talk_into_ == nullptr) return;
  for (;;) {
    const uint64_t due =
        talk_begin_ns_ + static_cast<uint64_t>(static_cast<double>(talk_count_) * 1e9 / options_.online_per_s);
    if (due > now_ || live_[2] >= kTalkPending) return;
    ++talk_count_;
    begin_talk(due);
  }
}

// Timers E and F (RFC 3261 section 17.1.2.2).
void DeferredWorker::sweep() {
  next_sweep_ns_ = now_ + kSweepNs;
  for (const auto& entry : asks_) {
    Ask& ask = *entry;
    if (!ask.live) continue;
    if (now_ >= ask.give_up_ns) {
      ++found_.unanswered;
      note(ask.user->account.name + ": given up, " + (ask.answered ? "answered but not delivered" : "no answer"));
      end(ask);
      continue;
    }
    if (ask.answered || now_ < ask.resend_ns) continue;
    ask.interval_ns = std::min(2 * ask.interval_ns, kT2Ns);
    ask.resend_ns = now_ + ask.interval_ns;
    ++found_.retransmitted;
    write(ask);
  }
}

}  // namespace parley::load

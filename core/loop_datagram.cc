// core/loop_datagram.cc - UDP sockets of the Loop, and mail between Workers. See loop.h, datagram_io.h, mailbox.h.
//
// A socket is polled once, then read until it is empty or the turn's budget is used up; only an empty one is polled
// again. Sends run at once while the Outbox is carried out, so that its blocks are free again for the next step.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/check.h"
#include "core/loop.h"

namespace parley::core {
namespace {

constexpr std::uint32_t socket_generation = 1;  // a slot has one life

}  // namespace

void Loop::start_sockets() {
  if (sockets_.empty()) return;
  datagram_reader_ = std::make_unique<DatagramReader>();
  received_.reserve(datagrams_per_turn);
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    proactor_->arm_readable({i, socket_generation}, sockets_[i].fd);
    sockets_[i].armed = true;
  }
}

void Loop::stop_sockets() {
  if (!reading_) return;
  reading_ = false;
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    if (sockets_[i].armed) proactor_->cancel({i, socket_generation}, Op::readable, sockets_[i].fd);
  }
}

void Loop::on_readable(const Completion& done) {
  CHECK(done.index < sockets_.size());
  sockets_[done.index].armed = false;
  sockets_[done.index].readable = true;
}

// The reserve is the one that receives of connections leave, too.
std::uint32_t Loop::datagram_buffers() const {
  const std::uint32_t spare = pool_.free_count(BlockClass::small);
  const std::uint32_t reserve = pool_.total(BlockClass::small) / 4;
  return spare > reserve ? spare - reserve : 0;
}

bool Loop::sockets_due() const {
  for (const SocketSlot& slot : sockets_) {
    if (slot.fd < 0 || slot.armed) continue;
    if (!reading_ || datagram_buffers() > 0) return true;
  }
  return false;
}

bool Loop::sockets_wait() const {
  return reading_ && std::any_of(sockets_.begin(), sockets_.end(), [](const SocketSlot& slot) { return slot.waits; });
}

// Each turn another socket has the first go at the budget.
void Loop::read_sockets() {
  if (sockets_.empty()) return;
  if (!reading_) {
    close_sockets();
    return;
  }
  received_.clear();  // no step was needed for what is left there
  std::uint32_t budget = datagrams_per_turn;
  const auto count = static_cast<std::uint32_t>(sockets_.size());
  for (std::uint32_t n = 0; n < count; ++n) {
    SocketSlot& slot = sockets_[(first_socket_ + n) % count];
    if (!slot.readable) continue;
    read_socket(slot, budget);
    note_backlog(slot);
    if (slot.readable) continue;
    proactor_->arm_readable({(first_socket_ + n) % count, socket_generation}, slot.fd);
    slot.armed = true;
  }
  first_socket_ = (first_socket_ + 1) % count;
  for (ReceivedDatagram& datagram : received_) deliver_datagram(datagram);
}

// What a full turn leaves in the kernel's buffer (4 MiB: a tenth of a second's work) is late by no look of ours. Asked for
// only after a few such turns, so a shard that keeps up makes no call for it.
void Loop::note_backlog(SocketSlot& slot) {
  constexpr Duration worth_asking = 5ms;
  const bool behind = slot.behind_since != never;
  if (behind && now_.mono - slot.behind_since >= worth_asking) {
    lateness_.at_least(std::min(datagram_age(slot.fd), now_.mono - slot.behind_since));
  }
  if (!slot.readable) {
    slot.behind_since = never;
  } else if (!behind) {
    slot.behind_since = now_.mono;
  }
}

void Loop::read_socket(SocketSlot& slot, std::uint32_t& budget) {
  while (budget > 0) {
    const std::uint32_t most = std::min({budget, datagrams_per_call, datagram_buffers()});
    if (most == 0) {
      if (!slot.waits) metrics_.add(Metric::datagrams_no_buffers);
      slot.waits = true;
      return;
    }
    slot.waits = false;
    const std::size_t before = received_.size();
    const int got = datagram_reader_->read(slot.fd, most, pool_, received_);
    for (std::size_t i = before; i < received_.size(); ++i) received_[i].socket = slot.id;
    if (got > 0) budget -= static_cast<std::uint32_t>(got);
    if (got < static_cast<int>(most)) {  // empty; or an error, which the kernel has forgotten by now
      slot.readable = false;
      return;
    }
  }
}

void Loop::deliver_datagram(ReceivedDatagram& datagram) {
  metrics_.add(Metric::datagrams_received);
  if (datagram.slice.buffer == no_buffer) {
    metrics_.add(Metric::datagrams_no_memory);
    return;
  }
  if (pool_.block_class(datagram.slice.buffer) == BlockClass::heap) metrics_.add(Metric::datagrams_oversize);
  Input input;
  input.kind = Input::Kind::datagram;
  input.socket = datagram.socket;
  input.source = &datagram.source;  // received_ keeps still until the step is over
  input.slice = datagram.slice;
  inputs_.push_back(std::move(input));
}

void Loop::close_sockets() {
  for (SocketSlot& slot : sockets_) {
    if (slot.fd < 0 || slot.armed) continue;
    proactor_->forget(slot.fd);
    ::close(std::exchange(slot.fd, -1));
  }
}

void Loop::count_lost_datagrams() {
  for (SocketSlot& slot : sockets_) {
    if (slot.fd < 0) continue;
    const std::uint32_t lost = datagrams_lost(slot.fd);
    metrics_.add(Metric::datagrams_unread, lost - std::exchange(slot.lost, lost));
  }
}

void Loop::send_datagrams() {
  if (outbox_.datagrams().empty()) return;
  for (const Datagram& datagram : outbox_.datagrams()) {
    const auto found = std::find_if(sockets_.begin(), sockets_.end(),
                                    [&](const SocketSlot& slot) { return slot.id == datagram.socket; });
    CHECK(found != sockets_.end());
    if (found->fd < 0) {
      metrics_.add(Metric::datagrams_after_end);
      continue;
    }
    if (found->writer->full()) send_batch(*found);
    char* bytes = datagram.slice.buffer == no_buffer ? nullptr : pool_.at(datagram.slice);
    found->writer->add(datagram.to, bytes, datagram.slice.length);
  }
  for (SocketSlot& slot : sockets_) {
    if (!slot.writer->empty()) send_batch(slot);
  }
  for (const Datagram& datagram : outbox_.datagrams()) {
    if (datagram.slice.buffer != no_buffer) pool_.release(datagram.slice.buffer);
  }
}

void Loop::send_batch(SocketSlot& slot) {
  const DatagramWriter::Outcome outcome = slot.writer->send(slot.fd);
  metrics_.add(Metric::datagrams_sent, outcome.sent);
  metrics_.add(Metric::datagrams_no_room, outcome.no_room);
  metrics_.add(Metric::datagrams_unreachable, outcome.unreachable);
  metrics_.add(Metric::datagrams_refused, outcome.refused);
}

// What Workers mail: their bytes are in memory that the other shard's pool takes over, as those of pipes are.
void Loop::mail_worker(ShardMail& wanted) {
  if (wanted.shard >= mailboxes_.shards()) return metrics_.add(Metric::mail_no_shard);
  if (wanted.bytes == nullptr) return metrics_.add(Metric::mail_no_memory);
  Mail mail;
  mail.kind = Mail::Kind::worker;
  mail.kept = wanted.kept;
  mail.length = wanted.length;
  mail.bytes = wanted.bytes.get();
  if (wanted.shard == config_.shard) {
    // A Worker that writes to itself in each step would never let the loop end.
    if (running_ != Running::serving) return metrics_.add(Metric::mail_waiting_limit);
    deliver_mail(config_.shard, mail);
  } else {
    const OutgoingMail& outgoing = outgoing_mail_[wanted.shard];
    if (!mail.kept && outgoing.waiting_bytes + waiting_cost(mail) > config_.mail_waiting_max_bytes) {
      return metrics_.add(Metric::mail_waiting_limit);
    }
    send_mail(wanted.shard, mail);
  }
  (void)wanted.bytes.release();
  metrics_.add(Metric::mail_sent);
}

// Takes over the bytes.
void Loop::deliver_mail(std::uint32_t from_shard, const Mail& mail) {
  const BufferId block = pool_.adopt_heap(mail.bytes, mail.length, mail.kept);
  if (block == no_buffer) {
    std::free(mail.bytes);
    metrics_.add(Metric::mail_no_memory);
    return;
  }
  Input input;
  input.kind = Input::Kind::mail;
  input.from_shard = from_shard;
  input.slice = {block, 0, mail.length};
  inputs_.push_back(std::move(input));
}

}  // namespace parley::core

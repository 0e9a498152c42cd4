// core/loop_pipe.cc - pipes of the Loop: connections between two shards, carried by mail. See loop.h, mailbox.h.
//
// Bytes are copied once, to malloc'd memory that the receiver's pool adopts, so that each pool stays with one thread.
// At most pipe_window_bytes are on the way; the receiver gives credit for what its Worker has consumed, the rest waits
// at the sender like the bytes of a slow socket.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/loop.h"
#include "core/tls_conn.h"

namespace parley::core {

void Loop::open_pipes() {
  for (OpenPipe& request : outbox_.pipes()) {
    if (running_ != Running::serving || request.shard >= mailboxes_.shards() ||
        pipes_full()) {
      Input input;
      input.kind = Input::Kind::connect_failed;
      input.token = request.token;
      input.connect_error = ConnectError::no_resources;
      inputs_.push_back(std::move(input));
      continue;
    }
    const std::uint32_t index = new_conn();
    Conn& c = conn(index);
    c.stage = Stage::connecting;
    c.transport = Transport::pipe;
    ++live_pipes_;
    c.pipe = std::make_unique<PipeEnd>();
    c.pipe->shard = request.shard;
    c.pipe->token = request.token;
    Mail mail;
    mail.kind = Mail::Kind::open;
    mail.from = {index, c.generation};
    mail.served = std::make_unique<PeerInfo>(std::move(request.served)).release();
    send_mail(request.shard, mail);
  }
}

void Loop::send_mail(std::uint32_t shard, const Mail& mail) {
  OutgoingMail& outgoing = outgoing_mail_[shard];
  if (!outgoing.waiting.empty() || !mailboxes_.push(config_.shard, shard, mail)) {
    outgoing.waiting.push_back(mail);
    outgoing.waiting_bytes += waiting_cost(mail);
    ++mail_waits_;
    return;
  }
  wake(shard);
}

void Loop::wake(std::uint32_t shard) {
  if (mailboxes_.announce(shard)) proactor_->wake_shard(mailboxes_.ring_fd(shard), mailboxes_.event_fd(shard));
}

// Mail that found a full ring, in order for each shard.
void Loop::flush_mail() {
  if (mail_waits_ == 0) return;
  for (std::uint32_t shard = 0; shard < outgoing_mail_.size(); ++shard) {
    OutgoingMail& outgoing = outgoing_mail_[shard];
    if (outgoing.waiting.empty()) continue;
    while (!outgoing.waiting.empty() && mailboxes_.push(config_.shard, shard, outgoing.waiting.front())) {
      outgoing.waiting_bytes -= waiting_cost(outgoing.waiting.front());
      outgoing.waiting.pop_front();
      --mail_waits_;
    }
    wake(shard);
  }
}

// A ring is taken as it was found: who fills it meanwhile does not hold up the turn.
void Loop::take_mail() {
  mail_left_ = false;
  Mail mail;
  for (std::uint32_t from = 0; from < mailboxes_.shards(); ++from) {
    std::uint32_t taken = 0;
    while (taken < MailRing::slots && mailboxes_.pop(from, config_.shard, mail)) {
      on_mail(from, mail);
      ++taken;
    }
    if (taken == MailRing::slots) mail_left_ = true;
  }
}

Conn* Loop::find_pipe(ConnId id) {
  if (id.index >= conns_.size() * conns_per_chunk) return nullptr;
  Conn& c = conn(id.index);
  return c.generation == id.generation && c.pipe != nullptr ? &c : nullptr;
}

void Loop::on_mail(std::uint32_t from_shard, Mail& mail) {
  if (mail.kind == Mail::Kind::open) {
    pipe_opened(from_shard, mail, std::unique_ptr<PeerInfo>(mail.served));
    return;
  }
  if (mail.kind == Mail::Kind::adopt) {
    adopt(std::unique_ptr<Adopted>(mail.adopted));
    return;
  }
  if (mail.kind == Mail::Kind::worker) {
    deliver_mail(from_shard, mail);
    return;
  }
  Conn* c = find_pipe(mail.to);
  const std::uint32_t index = mail.to.index;
  if (c == nullptr) {
    mail.drop();
    if (mail.kind == Mail::Kind::accepted) {  // the opener has given up: its end must not stay half open
      Mail answer;
      answer.kind = Mail::Kind::abort;
      answer.to = mail.from;
      send_mail(from_shard, answer);
    }
    return;
  }
  switch (mail.kind) {
    case Mail::Kind::open:
    case Mail::Kind::adopt:
    case Mail::Kind::worker: return;
    case Mail::Kind::accepted:
      c->pipe->peer = mail.from;
      announce_open(index, Input::Kind::connected);
      return;
    case Mail::Kind::refused:
      fail_connect(index, ConnectError::no_resources);
      kill(index, false);
      return;
    case Mail::Kind::data: pipe_data(index, mail); return;
    case Mail::Kind::credit:
      c->pipe->in_flight -= mail.length;
      credit(index, mail.length);
      if (c->has_backlog()) again_.push_back(mail.to);
      return;
    case Mail::Kind::fin:
      if (c->paused && c->stage == Stage::open) {
        c->pipe->fin_held = true;
      } else {
        pipe_ended(index, CloseReason::peer_closed);
      }
      return;
    case Mail::Kind::abort: pipe_ended(index, CloseReason::reset); return;
  }
}

void Loop::pipe_opened(std::uint32_t from_shard, const Mail& mail, std::unique_ptr<PeerInfo> served) {
  Mail answer;
  answer.to = mail.from;
  if (running_ != Running::serving || pipes_full()) {
    answer.kind = Mail::Kind::refused;
    send_mail(from_shard, answer);
    return;
  }
  const std::uint32_t index = new_conn();
  Conn& c = conn(index);
  c.transport = Transport::pipe;
  ++live_pipes_;
  c.accepted = true;
  c.pipe = std::make_unique<PipeEnd>();
  c.pipe->shard = from_shard;
  c.pipe->peer = mail.from;
  c.pipe->served = std::move(served);
  answer.kind = Mail::Kind::accepted;
  answer.from = {index, c.generation};
  send_mail(from_shard, answer);
  announce_open(index, Input::Kind::opened);
}

void Loop::pipe_data(std::uint32_t index, const Mail& mail) {
  Conn& c = conn(index);
  if (c.stage != Stage::open) {  // closed here: fin is on its way to the sender
    std::free(mail.bytes);
    return;
  }
  const BufferId block = pool_.adopt_heap(mail.bytes, mail.length);
  if (block == no_buffer) {
    std::free(mail.bytes);
    no_memory(index);
    return;
  }
  const Slice slice{block, 0, mail.length};
  if (c.paused) {
    c.pipe->held.push_back(slice);
  } else {
    pipe_deliver(index, slice);
  }
}

void Loop::pipe_deliver(std::uint32_t index, Slice slice) {
  Input input;
  input.kind = Input::Kind::bytes;
  input.conn = id_of(index);
  input.slice = slice;
  inputs_.push_back(std::move(input));
  pipe_credits_.push_back({id_of(index), slice.length});
}

void Loop::pipe_ended(std::uint32_t index, CloseReason reason) {
  conn(index).pipe->peer = no_conn;  // it is gone: nothing is to be told to it
  report_closed(index, reason);
  kill(index, false);
}

// This turn's sends of a pipe.
void Loop::pipe_queue(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.first_node != no_node) {
    std::uint64_t bytes = 0;
    for (std::uint32_t at = c.first_node; at != no_node; at = nodes_[at].next) bytes += nodes_[at].slice.length;
    if (!c.has_backlog() && c.pipe->in_flight + bytes <= config_.pipe_window_bytes) {
      if (!pipe_send(c, static_cast<std::uint32_t>(bytes))) return no_memory(index);
    } else {
      if (!nodes_to_backlog(index)) return no_memory(index);
      pipe_pump(index);
      return;
    }
  }
  if (c.stage == Stage::flushing && !c.has_backlog()) after_flush(index);
}

bool Loop::pipe_send(Conn& c, std::uint32_t bytes) {
  Mail mail;
  mail.kind = Mail::Kind::data;
  mail.to = c.pipe->peer;
  mail.length = bytes;
  mail.bytes = static_cast<char*>(std::malloc(bytes));
  if (mail.bytes == nullptr) return false;
  char* to = mail.bytes;
  for (std::uint32_t at = c.first_node; at != no_node; at = nodes_[at].next) {
    std::memcpy(to, pool_.at(nodes_[at].slice), nodes_[at].slice.length);
    to += nodes_[at].slice.length;
  }
  drop_nodes(c);
  c.pipe->in_flight += bytes;
  send_mail(c.pipe->shard, mail);
  return true;
}

// As much of the backlog as the window takes.
void Loop::pipe_pump(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.stage != Stage::open && c.stage != Stage::flushing) return;
  while (c.has_backlog() && c.pipe->in_flight < config_.pipe_window_bytes) {
    Backlog& backlog = *c.backlog;
    Slice& slice = backlog.slices[backlog.first];
    const auto bytes = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(slice.length, config_.pipe_window_bytes - c.pipe->in_flight));
    Mail mail;
    mail.kind = Mail::Kind::data;
    mail.to = c.pipe->peer;
    mail.length = bytes;
    mail.bytes = static_cast<char*>(std::malloc(bytes));
    if (mail.bytes == nullptr) return no_memory(index);
    std::memcpy(mail.bytes, pool_.at(slice), bytes);
    c.pipe->in_flight += bytes;
    send_mail(c.pipe->shard, mail);
    backlog.bytes -= bytes;
    slice = slice.part(bytes, slice.length - bytes);
    if (slice.length == 0) {
      pool_.release(slice.buffer);
      ++backlog.first;
    }
    if (backlog.bytes == 0) c.backlog.reset();
  }
  if (c.stage == Stage::flushing && !c.has_backlog()) after_flush(index);
}

void Loop::pipe_finish(std::uint32_t index) {
  Conn& c = conn(index);
  // What was consumed is said before the end, this step's included: the rest is what the other side has to see to.
  for (PipeCredit& due : batch_credits_) {
    if (due.conn == ConnId{index, c.generation}) c.pipe->uncredited += std::exchange(due.bytes, 0);
  }
  pipe_credit(c, std::exchange(c.pipe->uncredited, 0));
  Mail mail;
  mail.kind = Mail::Kind::fin;
  mail.to = c.pipe->peer;
  send_mail(c.pipe->shard, mail);
  c.pipe->peer = no_conn;
  kill(index, false);
}

void Loop::give_pipe_credits() {
  for (const PipeCredit& due : batch_credits_) {
    Conn* c = find_pipe(due.conn);
    if (c == nullptr || (c->stage != Stage::open && c->stage != Stage::flushing)) continue;
    if (c->paused) {
      c->pipe->uncredited += due.bytes;
    } else {
      pipe_credit(*c, due.bytes);
    }
  }
  batch_credits_.clear();
}

void Loop::pipe_credit(const Conn& c, std::uint64_t bytes) {
  if (bytes == 0) return;
  Mail mail;
  mail.kind = Mail::Kind::credit;
  mail.to = c.pipe->peer;
  mail.length = static_cast<std::uint32_t>(bytes);
  send_mail(c.pipe->shard, mail);
}

void Loop::pipe_resumed(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.stage != Stage::open) return;
  pipe_credit(c, std::exchange(c.pipe->uncredited, 0));
  for (const Slice& slice : c.pipe->held) pipe_deliver(index, slice);
  c.pipe->held.clear();
  if (c.pipe->fin_held) pipe_ended(index, CloseReason::peer_closed);
}

}  // namespace parley::core

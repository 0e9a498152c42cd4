// core/loop_output.cc - carrying out an Outbox: one sendmsg per connection and turn, and what the kernel did not take.
// See loop.h.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/loop.h"
#include "core/tls_conn.h"

namespace parley::core {
namespace {

constexpr std::uint32_t iovs_per_send = 1024;       // UIO_MAXIOV
constexpr std::uint32_t send_bytes_max = 1U << 30;  // a completion's result has 31 bits
constexpr std::uint32_t backlog_iovs_per_send = 64;
constexpr std::uint32_t backlog_block_bytes_max = 1U << 20;  // one copy is split above this

}  // namespace

void Loop::carry_out() {
  // Before anything goes out: who has an answer, and looks whether something still waits for the disk, sees this.
  if (config_.store != nullptr && !outbox_.stores().empty()) config_.store->submit(config_.shard, outbox_.stores());
  for (const Output& output : outbox_.outputs()) apply(output);
  send_datagrams();
  for (ShardMail& mail : outbox_.mails()) mail_worker(mail);
  start_connects();
  for (ResolveRequest& request : outbox_.resolves()) {
    if (config_.resolver != nullptr) {
      config_.resolver->ask(config_.shard, std::move(request));
    } else {
      mailboxes_.post(config_.shard, {.kind = Post::Kind::resolved, .resolution = {request.token, {}}});
    }
  }
  open_pipes();
  start_moves();
  for (AdminReply& reply : outbox_.replies()) {
    if (config_.admin != nullptr) config_.admin->reply(config_.shard, std::move(reply));
  }
  for (const LogRecord& record : outbox_.logs()) {
    if (config_.log != nullptr) config_.log->write(config_.shard, record);
  }
  const bool drained = outbox_.is_drained() && drain_asked_ && running_ == Running::serving;
  outbox_.clear();
  if (drained) start_draining_out();
}

void Loop::apply(const Output& output) {
  Conn* c = find(output.conn);
  const std::uint32_t index = output.conn.index;
  if (c == nullptr) {  // the id died below while the Worker still used it
    if (output.kind == Output::Kind::send) pool_.release(output.slice.buffer);
    return;
  }
  switch (output.kind) {
    case Output::Kind::send: add_node(index, output.slice); return;
    case Output::Kind::close: close_conn(index); return;
    case Output::Kind::abort: kill(index, true); return;
    case Output::Kind::pause: set_paused(index, true); return;
    case Output::Kind::resume: set_paused(index, false); return;
  }
}

void Loop::touch(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.touched) return;
  c.touched = true;
  touched_.push_back(index);
}

void Loop::add_node(std::uint32_t index, Slice slice) {
  Conn& c = conn(index);
  const auto at = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({slice, no_node});
  if (c.first_node == no_node) {
    c.first_node = at;
    touch(index);
  } else {
    nodes_[c.last_node].next = at;
  }
  c.last_node = at;
}

void Loop::drop_nodes(Conn& c) {
  CHECK(!c.sending);
  for (std::uint32_t at = c.first_node; at != no_node; at = nodes_[at].next) pool_.release(nodes_[at].slice.buffer);
  for (std::uint32_t at = c.first_cipher; at != no_node; at = nodes_[at].next) pool_.release(nodes_[at].slice.buffer);
  c.first_node = c.last_node = c.first_cipher = c.last_cipher = no_node;
}

void Loop::drop_backlog(Conn& c) {
  if (c.backlog == nullptr) return;
  for (std::size_t i = c.backlog->first; i < c.backlog->slices.size(); ++i) pool_.release(c.backlog->slices[i].buffer);
  c.backlog.reset();
}

// Turns what this turn produced into sends, and hands them over.
void Loop::flush() {
  for (std::size_t i = 0; i < touched_.size(); ++i) {
    flush_conn(touched_[i]);
    Conn& c = conn(touched_[i]);
    c.touched = false;
    if (c.stage == Stage::moving) move_if_ready(touched_[i]);
  }
  touched_.clear();
  for (std::size_t i = 0; i < again_.size(); ++i) {
    const ConnId id = again_[i];
    if (conn(id.index).generation == id.generation) queue_backlog(id.index);
  }
  again_.clear();
  submit_sends();
}

void Loop::flush_conn(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.stage < Stage::handshaking || c.stage > Stage::flushing) return;
  if (c.pipe != nullptr) {
    pipe_queue(index);
  } else if (c.tls == nullptr || tls_flush(index)) {
    queue_nodes(index);
  }
}

void Loop::queue_nodes(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.first_node == no_node) {
    if (c.stage == Stage::flushing && !c.has_backlog()) after_flush(index);
    return;
  }
  if (c.has_backlog()) {  // order: behind what waits already
    if (!nodes_to_backlog(index)) no_memory(index);
    return;
  }
  SendOp op{{index, c.generation}, static_cast<std::uint32_t>(iovs_.size()), 0, 0, false};
  for (std::uint32_t at = c.first_node; at != no_node; at = nodes_[at].next) {
    const Slice& slice = nodes_[at].slice;
    char* base = pool_.at(slice);
    if (op.bytes + slice.length > send_bytes_max) break;
    if (op.iov_count > 0) {
      ::iovec& last = iovs_.back();
      if (static_cast<char*>(last.iov_base) + last.iov_len == base) {
        last.iov_len += slice.length;
        op.bytes += slice.length;
        continue;
      }
      if (op.iov_count == iovs_per_send) break;
    }
    iovs_.push_back({base, slice.length});
    ++op.iov_count;
    op.bytes += slice.length;
  }
  c.sending = true;
  sends_.push_back(op);
}

void Loop::queue_backlog(std::uint32_t index) {
  Conn& c = conn(index);
  if (!c.has_backlog() || c.sending || c.writable_armed || c.stage == Stage::dying) return;
  if (c.pipe != nullptr) {
    pipe_pump(index);
    return;
  }
  SendOp op{{index, c.generation}, static_cast<std::uint32_t>(iovs_.size()), 0, 0, true};
  const Backlog& backlog = *c.backlog;
  for (std::size_t i = backlog.first; i < backlog.slices.size() && op.iov_count < backlog_iovs_per_send; ++i) {
    iovs_.push_back({pool_.at(backlog.slices[i]), backlog.slices[i].length});
    ++op.iov_count;
    op.bytes += backlog.slices[i].length;
  }
  c.sending = true;
  sends_.push_back(op);
}

void Loop::submit_sends() {
  bytes_this_turn_ = 0;
  messages_.resize(sends_.size());  // both vectors keep still until the wait is over
  for (std::size_t i = 0; i < sends_.size(); ++i) {
    const SendOp& op = sends_[i];
    ::msghdr& message = messages_[i];
    message = {};
    message.msg_iov = &iovs_[op.first_iov];
    message.msg_iovlen = op.iov_count;
    Conn& c = conn(op.conn.index);
    c.send_result = static_cast<std::int32_t>(op.bytes);  // unless a completion says otherwise
    bytes_this_turn_ += op.bytes;
    proactor_->send({op.conn.index, op.conn.generation}, c.fd, &message);
  }
}

void Loop::settle_sends(std::size_t first_fresh) {
  for (std::size_t i = first_fresh; i < completions_.size(); ++i) {
    const Completion& done = completions_[i];
    if (done.op != Op::send) continue;
    Conn* c = find_op(done);
    if (c != nullptr) c->send_result = done.result;
  }
  for (const SendOp& op : sends_) conn(op.conn.index).sending = false;
  for (std::size_t i = 0; i < sends_.size(); ++i) settle(sends_[i]);
  sends_.clear();
  iovs_.clear();
  nodes_.clear();
}

void Loop::settle(const SendOp& op) {
  const std::uint32_t index = op.conn.index;
  Conn& c = conn(index);
  const std::int32_t result = c.send_result;
  if (result < 0 && result != -EAGAIN && result != -EINTR && result != -ENOBUFS && result != -ENOMEM) {
    drop_nodes(c);
    end_conn(index, CloseReason::reset);
    return;
  }
  const std::uint64_t taken = result > 0 ? static_cast<std::uint64_t>(result) : 0;
  if (taken > 0) c.progress = now_.mono;
  if (op.backlog) {
    backlog_sent(index, taken);
  } else {
    nodes_sent(index, taken);
  }
  if (c.stage == Stage::dying) return;
  if (c.has_backlog()) {
    if (taken < op.bytes) {
      if (!op.backlog) metrics_.add(Metric::short_sends);
      c.writable_armed = true;
      proactor_->arm_writable({index, c.generation}, c.fd);
    } else {
      again_.push_back({index, c.generation});
    }
  } else if (c.stage == Stage::flushing) {
    after_flush(index);
  } else if (c.stage == Stage::moving) {
    move_if_ready(index);
  }
}

void Loop::nodes_sent(std::uint32_t index, std::uint64_t bytes) {
  Conn& c = conn(index);
  credit(index, bytes);
  while (c.first_node != no_node) {
    Slice& slice = nodes_[c.first_node].slice;
    if (bytes < slice.length) {
      slice = slice.part(static_cast<std::uint32_t>(bytes), slice.length - static_cast<std::uint32_t>(bytes));
      break;
    }
    bytes -= slice.length;
    pool_.release(slice.buffer);
    c.first_node = nodes_[c.first_node].next;
  }
  if (c.first_node == no_node) {
    c.last_node = no_node;
  } else if (!nodes_to_backlog(index)) {
    no_memory(index);
  }
}

void Loop::backlog_sent(std::uint32_t index, std::uint64_t bytes) {
  Conn& c = conn(index);
  credit(index, bytes);
  Backlog& backlog = *c.backlog;
  backlog.bytes -= bytes;
  while (bytes > 0) {
    Slice& slice = backlog.slices[backlog.first];
    if (bytes < slice.length) {
      slice = slice.part(static_cast<std::uint32_t>(bytes), slice.length - static_cast<std::uint32_t>(bytes));
      break;
    }
    bytes -= slice.length;
    pool_.release(slice.buffer);
    ++backlog.first;
  }
  if (backlog.bytes == 0) {
    c.backlog.reset();
  } else if (backlog.first >= 64 && backlog.first * 2 >= backlog.slices.size()) {
    backlog.slices.erase(backlog.slices.begin(), backlog.slices.begin() + static_cast<std::ptrdiff_t>(backlog.first));
    backlog.first = 0;
  }
}

// A heap block that is mostly this one's, or for many connections the same, may wait as it is.
bool Loop::waits_as_it_is(const Slice& slice) const {
  return pool_.block_class(slice.buffer) == BlockClass::heap && slice.length >= pool_.size(slice.buffer) / 2;
}

// Bytes that must wait are copied once: runs of blocks that others need become one exact-size heap block. False: no
// memory.
bool Loop::nodes_to_backlog(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.backlog == nullptr) c.backlog = std::make_unique<Backlog>();
  const bool first_bytes = c.backlog->bytes == 0;
  while (c.first_node != no_node) {
    const Slice& slice = nodes_[c.first_node].slice;
    if (waits_as_it_is(slice)) {
      c.backlog->slices.push_back(slice);  // its reference moves over
      c.backlog->bytes += slice.length;
      c.first_node = nodes_[c.first_node].next;
      continue;
    }
    std::uint32_t bytes = 0;
    std::uint32_t end = c.first_node;
    do {
      bytes += nodes_[end].slice.length;
      end = nodes_[end].next;
    } while (end != no_node && !waits_as_it_is(nodes_[end].slice) &&
             bytes + nodes_[end].slice.length <= backlog_block_bytes_max);
    if (!copy_run(c, c.first_node, end, bytes)) return false;
    c.first_node = end;
  }
  c.last_node = no_node;
  if (first_bytes) {
    c.progress = now_.mono;
    if (c.pipe == nullptr) writer_waits(index);
  }
  return true;
}

bool Loop::copy_run(Conn& c, std::uint32_t first, std::uint32_t end, std::uint32_t bytes) {
  const BufferId block = pool_.take_heap(bytes);
  if (block == no_buffer) return false;
  char* to = pool_.data(block);
  for (std::uint32_t at = first; at != end; at = nodes_[at].next) {
    const Slice& slice = nodes_[at].slice;
    std::memcpy(to, pool_.at(slice), slice.length);
    to += slice.length;
    pool_.release(slice.buffer);
  }
  c.backlog->slices.push_back({block, 0, bytes});
  c.backlog->bytes += bytes;
  return true;
}

void Loop::no_memory(std::uint32_t index) {
  metrics_.add(Metric::heap_exhausted);
  end_conn(index, CloseReason::no_memory);
}

void Loop::credit(std::uint32_t index, std::uint64_t bytes) {
  Conn& c = conn(index);
  if (c.tls != nullptr) bytes = c.tls->plain_for(bytes);
  if (bytes == 0) return;
  if (c.pipe == nullptr) metrics_.add(Metric::bytes_sent, bytes);
  if (!c.known) return;
  if (owed_bytes_ == 0) owed_since_ = now_.mono;
  owed_bytes_ += bytes;
  c.owed += bytes;
  if (c.owed_listed) return;
  c.owed_listed = true;
  owed_.push_back({index, c.generation});
}

void Loop::on_writable(std::uint32_t index) {
  Conn& c = conn(index);
  c.writable_armed = false;
  if (c.stage == Stage::dying) {
    bury_if_over(index);
  } else if (c.has_backlog()) {
    again_.push_back({index, c.generation});
  } else if (c.stage == Stage::moving) {
    move_if_ready(index);
  }
}

void Loop::writer_waits(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.writer_timer) return;
  c.writer_timer = true;
  arm_timer(TimerKind::writer, c.progress + config_.writer_timeout, index, c.generation);
}

}  // namespace parley::core

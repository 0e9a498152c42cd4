// tests/sim/shard_out.cc - see shard.h. The way out: Outputs, the kernel's buffers, credit, the ends of connections.
#include <algorithm>
#include <cstring>

#include "tests/sim/shard.h"

namespace parley::sim {
void Shard::carry_out() {
  std::vector<std::uint32_t> touched;
  for (const core::Output& output : out_.outputs()) {
    Link* link = find(output.conn);
    if (link == nullptr || link->lost || (link->closing && output.kind == core::Output::Kind::send)) {
      if (output.kind == core::Output::Kind::send) pool_.release(output.slice.buffer);
      continue;
    }
    switch (output.kind) {
      case core::Output::Kind::send:
        link->turn_sends.push_back(output.slice);
        touched.push_back(link->index);
        break;
      case core::Output::Kind::close:
        net_.journal.line("%s conn %u.%u close", name_.c_str(), link->index, link->generation);
        link->closing = true;
        link->silent = true;
        touched.push_back(link->index);
        break;
      case core::Output::Kind::abort:
        net_.journal.line("%s conn %u.%u abort", name_.c_str(), link->index, link->generation);
        link->silent = true;
        link->stream->abort(link->side);
        free_link(*link);
        break;
      case core::Output::Kind::pause:
        link->paused = true;
        link->late_piece = net_.faults.late_bytes && !link->stream->local() && rng_.coin(1, 2);
        if (link->late_piece) queue(*link);
        break;
      case core::Output::Kind::resume:
        link->paused = false;
        link->late_piece = false;
        queue(*link);
        break;
    }
  }
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (std::uint32_t index : touched) {
    Link& link = *links_[index];
    if (!link.used) continue;
    std::vector<core::Slice> sends = std::move(link.turn_sends);
    link.turn_sends.clear();
    if (net_.faults.plant == Plant::wrong_order && sends.size() > 1 && rng_.coin(1, 20)) std::swap(sends[0], sends[1]);
    bool kept = true;
    for (const core::Slice& slice : sends) {
      if (!kept || !keep(link, slice)) {
        kept = false;
        pool_.release(slice.buffer);
      }
    }
    if (!kept) {
      metrics_.add(core::Metric::heap_exhausted);
      lose(link, core::CloseReason::no_memory);
      continue;
    }
    watch_writer(link);
    if (link.closing) try_finish(link);
  }
  send_datagrams();
  send_mail();
  for (core::HandOver& request : out_.hand_overs()) give_away(request);
  for (core::ConnectRequest& request : out_.connects()) start_dial(request);
  for (core::ResolveRequest& request : out_.resolves()) outside_.resolve(*this, request);
  for (core::OpenPipe& request : out_.pipes()) {
    dialling_.insert(request.token);
    outside_.pipe(*this, std::move(request));
  }
  if (!out_.stores().empty()) outside_.store(*this, out_.stores());
  for (const core::AdminReply& reply : out_.replies()) outside_.admin_reply(*this, reply);
  for (const core::LogRecord& record : out_.logs()) {
    net_.journal.line("%s log %s", name_.c_str(), record.text.c_str());
    outside_.log(*this, record);
  }
  deadline_ = out_.next_deadline();
}

void Shard::start_dial(core::ConnectRequest& request) {
  dialling_.insert(request.token);
  net_.agenda.after(limits_.connect_timeout, [this, token = request.token] {
    connect_failed(token, core::ConnectError::timeout);
  });
  outside_.dial(*this, request);
  if (!serving()) connect_failed(request.token, core::ConnectError::no_resources);
}

// The connection moves to another shard as it is; what was read of it travels along.
void Shard::give_away(core::HandOver& request) {
  Link* link = find(request.conn);
  if (link == nullptr || link->lost) return;
  if (link->dialled || !link->held.empty() || !link->waiting.empty() || link->uncredited != 0) {
    net_.journal.fail("%s hands over a connection that it dialled or wrote to", name_.c_str());
    return;
  }
  net_.journal.line("%s conn %u.%u goes to shard %u with %zu bytes", name_.c_str(), link->index, link->generation,
                    request.shard, request.unused.size());
  Stream* stream = link->stream;
  const Side side = link->side;
  core::PeerInfo peer = link->peer;
  std::string unused = std::move(request.unused);
  unused += link->unused;
  free_link(*link);
  outside_.hand_over(*this, request.shard, stream, side, std::move(peer), std::move(unused));
}

// Gives the kernel what it takes and copies the rest. False when there is no memory for the rest.
bool Shard::keep(Link& link, const core::Slice& slice) {
  std::uint32_t taken = 0;
  if (link.waiting.empty()) {
    std::uint64_t room = std::min<std::uint64_t>(link.stream->room(link.side), slice.length);
    if (room != 0 && rng_.permille(net_.faults.short_send_permille)) {
      room = rng_.between(0, room);
      ++net_.journal.faults;
    }
    taken = static_cast<std::uint32_t>(room);
    if (taken < slice.length) metrics_.add(core::Metric::short_sends);
  }
  if (taken == slice.length) {
    hand_to_kernel(link, slice);
    return true;
  }
  const std::uint32_t rest = slice.length - taken;
  const core::BufferId block = pool_.take_heap(rest);
  if (block == core::no_buffer) return false;
  std::memcpy(pool_.data(block), pool_.at(slice) + taken, rest);
  if (link.waiting.empty()) {
    link.progress = net_.agenda.now();
    // Without a full socket nobody would call again: a short send is followed by a new attempt.
    net_.agenda.after(100us, [this, &link, generation = link.generation] {
      if (link.used && link.generation == generation) flush(link);
    });
  }
  link.waiting.push_back({block, 0, rest});
  link.waiting_bytes += rest;
  if (taken != 0) hand_to_kernel(link, slice.part(0, taken));
  else pool_.release(slice.buffer);
  return true;
}

// The kernel accepts the bytes; it reads them when it lets go, at a time of its own.
void Shard::hand_to_kernel(Link& link, core::Slice slice) {
  link.stream->take(link.side, slice.length);
  link.progress = net_.agenda.now();
  const std::uint64_t hold = micros(net_.faults.hold_max);
  const Duration held_for = std::chrono::microseconds(hold == 0 || rng_.coin(1, 2) ? 0 : rng_.scaled(1, hold));
  if (held_for != Duration{}) ++net_.journal.faults;
  link.last_letgo = std::max(link.last_letgo, net_.agenda.now() + held_for);
  link.held.push_back({slice, link.last_letgo});
  let_go_later(link);
  if (!link.stream->local()) credit_later(link, slice.length);  // a pipe gives credit for what was consumed
}

void Shard::credit_later(Link& link, std::uint64_t bytes) {
  link.uncredited += bytes;
  if (link.credit_due) return;
  link.credit_due = true;
  const std::uint64_t late = micros(net_.faults.credit_max);
  net_.agenda.after(std::chrono::microseconds(late == 0 ? 1 : rng_.scaled(1, late)),
                    [this, &link, generation = link.generation] { credit(link, generation); });
}

void Shard::let_go_later(Link& link) {
  if (link.letgo_due || link.held.empty()) return;
  link.letgo_due = true;
  net_.agenda.at(link.held.front().until, [this, &link, generation = link.generation] {
    if (!link.used || link.generation != generation) return;
    link.letgo_due = false;
    let_go(link, net_.agenda.now());
    if (!link.used || link.generation != generation) return;
    let_go_later(link);
    if (link.closing) try_finish(link);
  });
}

void Shard::let_go(Link& link, Instant until) {
  std::string bytes;
  while (!link.held.empty() && link.held.front().until <= until) {
    const Link::Held& held = link.held.front();
    bytes.append(pool_.data(held.slice.buffer) + held.slice.offset, held.slice.length);
    if (!held.released) pool_.release(held.slice.buffer);
    link.held.pop_front();
  }
  if (net_.faults.plant == Plant::lost_response) bytes = plant_loss(link, std::move(bytes));
  link.stream->put(link.side, std::move(bytes));
}

// What was accepted leaves, what waits does not.
void Shard::let_all_go(Link& link) {
  let_go(link, Instant::max());
  drop_sends(link);
}

void Shard::credit(Link& link, std::uint32_t generation) {
  if (!link.used || link.generation != generation) return;
  link.credit_due = false;
  if (net_.faults.plant == Plant::early_release) {
    for (Link::Held& held : link.held) {
      if (held.released || pool_.block_class(held.slice.buffer) == core::BlockClass::heap) continue;
      held.released = true;
      pool_.release(held.slice.buffer);
    }
  }
  if (link.silent || link.lost) return;
  Note note;
  note.input.kind = core::Input::Kind::sent;
  note.input.conn = link.id();
  note.input.count = link.uncredited;
  link.uncredited = 0;
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

void Shard::flush(Link& link) {
  if (!link.used || link.lost) return;
  while (!link.waiting.empty()) {
    core::Slice slice = link.waiting.front();
    const auto room = static_cast<std::uint32_t>(std::min<std::uint64_t>(link.stream->room(link.side), slice.length));
    if (room == 0) return;
    link.waiting_bytes -= room;
    if (room == slice.length) {
      link.waiting.pop_front();
      hand_to_kernel(link, slice);
    } else {
      pool_.retain(slice.buffer);
      link.waiting.front() = slice.part(room, slice.length - room);
      hand_to_kernel(link, slice.part(0, room));
    }
  }
  if (link.closing) try_finish(link);
}

// The writer timeout: bytes wait and the kernel takes none.
void Shard::watch_writer(Link& link) {
  if (link.waiting.empty()) return;
  net_.agenda.at(std::max(link.progress, net_.agenda.now()) + limits_.writer_timeout,
                 [this, &link, generation = link.generation, seen = link.progress] {
                   if (!link.used || link.generation != generation || link.waiting.empty()) return;
                   if (link.progress > seen) return watch_writer(link);
                   if (link.lost) return;
                   metrics_.add(core::Metric::writer_timeouts);
                   ++net_.journal.faults;
                   link.stream->abort(link.side);
                   lose(link, core::CloseReason::timeout);
                 });
}

// After Output close: everything has left, then an orderly end, then a bounded wait for the peer's.
void Shard::try_finish(Link& link) {
  if (!link.closing || !link.waiting.empty() || !link.held.empty() || !link.used) return;
  if (link.stream->at_end(link.side) || link.stream->dead()) {
    link.stream->close(link.side);
    free_link(link);
    return;
  }
  if (link.end_told) return;
  link.end_told = true;
  link.stream->finish(link.side);
  (void)link.stream->read(link.side, ~std::uint64_t{0});
  net_.agenda.after(limits_.linger, [this, &link, generation = link.generation] {
    if (!link.used || link.generation != generation) return;
    metrics_.add(core::Metric::linger_timeouts);
    link.stream->close(link.side);
    free_link(link);
  });
}

void Shard::lose(Link& link, core::CloseReason why) {
  if (!link.used || link.lost) return;
  link.lost = true;
  link.why = why;
  if (why == core::CloseReason::shutting_down) link.stream->close(link.side);
  else if (!link.stream->dead()) link.stream->abort(link.side);
  drop_sends(link);
  if (link.silent) {
    // A link whose `closed` is in this batch is freed when the step is over.
    if (std::find(ended_.begin(), ended_.end(), link.index) == ended_.end()) free_link(link);
    return;
  }
  queue(link);
}

void Shard::drop_sends(Link& link) {
  for (const core::Slice& slice : link.turn_sends) pool_.release(slice.buffer);
  for (const core::Slice& slice : link.waiting) pool_.release(slice.buffer);
  for (const Link::Held& held : link.held) {
    if (!held.released) pool_.release(held.slice.buffer);
  }
  link.turn_sends.clear();
  link.waiting.clear();
  link.held.clear();
  link.waiting_bytes = 0;
}

void Shard::free_link(Link& link) {
  if (!link.used) return;
  drop_sends(link);
  link.stream->attach(link.side, nullptr);
  link.used = false;
  ++link.generation;
  if (!link.stream->local()) metrics_.sub(core::Metric::connections);
  --open_;
  free_links_.push_back(link.index);
}

// The planted bug "lost response": every ninth response on its way out vanishes.
std::string Shard::plant_loss(Link& link, std::string bytes) {
  std::string out;
  for (char c : bytes) {
    const std::vector<Frame> frames = link.out_reader.feed({&c, 1});
    out.push_back(c);
    if (frames.empty() || frames[0].request || ++responses_seen_ % 9 != 0) continue;
    const std::size_t start = out.rfind("MSRP " + frames[0].tid + " ");
    if (start != std::string::npos) out.erase(start);
  }
  return out;
}

}  // namespace parley::sim

// tests/sim/shard.cc - see shard.h. Turns: Inputs together, one step, the Outbox carried out.
#include "tests/sim/shard.h"

#include <algorithm>
#include <cstring>

namespace parley::sim {
namespace {

constexpr Duration turn_time = 20us;

}  // namespace

void Link::on_readable() { shard.queue(*this); }
void Link::on_room() { shard.flush(*this); }
void Link::on_consumed(std::uint64_t bytes) { shard.credit_later(*this, bytes); }
void Link::on_reset() { shard.lose(*this, core::CloseReason::reset); }

Shard::Shard(std::string name, Network& net, Outside& outside, std::uint64_t seed, const core::Pool::Config& pool,
             const core::LoopConfig& loop)
    : limits_(loop), name_(std::move(name)), net_(net), outside_(outside), rng_(seed, 10), pool_(pool), out_(pool_) {}

Shard::~Shard() {
  worker_.reset();
  close_sockets();
}

void Shard::accept(Stream* stream, core::PeerInfo peer) {
  if (!accepting_) {  // nobody listens any more
    stream->abort(1);
    return;
  }
  if (metrics_.get(core::Metric::connections) >= limits_.connections_max) {
    metrics_.add(core::Metric::accept_refused_limit);
    stream->close(1);
    return;
  }
  metrics_.add(core::Metric::connections_accepted);
  (void)adopt(stream, 1, std::move(peer), false, 0);
}

bool Shard::takes_moved() {
  if (serving() && metrics_.get(core::Metric::connections) < limits_.moved_connections_max()) return true;
  metrics_.add(core::Metric::accept_refused_limit);
  return false;
}

Link& Shard::adopt(Stream* stream, Side side, core::PeerInfo peer, bool dialled, std::uint64_t token) {
  if (free_links_.empty()) {
    free_links_.push_back(static_cast<std::uint32_t>(links_.size()));
    links_.push_back(std::make_unique<Link>(*this, free_links_.back()));
  }
  // The slot that was freed last is used first: stale ids meet their successors soon.
  const std::uint32_t index = free_links_.back();
  free_links_.pop_back();
  Link& link = *links_[index];
  const std::uint32_t generation = link.generation;
  // In place: what stands on the agenda knows the old tenant by address and generation.
  std::destroy_at(&link);
  std::construct_at(&link, *this, index);
  link.generation = generation;
  link.used = true;
  link.stream = stream;
  link.side = side;
  link.dialled = dialled;
  link.token = token;
  link.peer = std::move(peer);
  stream->attach(side, &link);
  ++open_;
  if (!stream->local()) metrics_.add(core::Metric::connections);
  if (dialled) dialling_.erase(token);
  links_top_ = std::max(links_top_, open_);
  net_.journal.line("%s conn %u.%u %s stream %u", name_.c_str(), index, generation, dialled ? "connected" : "opened",
                    stream->number());
  Note note;
  note.input.kind = dialled ? core::Input::Kind::connected : core::Input::Kind::opened;
  note.input.conn = link.id();
  note.input.token = token;
  note.peer = std::make_unique<core::PeerInfo>(link.peer);
  notes_.push_back(std::move(note));
  if (stream->dead()) {  // it broke while nobody held it
    net_.agenda.after(1us, [this, &link, generation] {
      if (link.generation == generation) lose(link, core::CloseReason::reset);
    });
  }
  wake(net_.agenda.now());
  return link;
}

void Shard::connect_failed(std::uint64_t token, core::ConnectError error) {
  if (dialling_.erase(token) == 0) return;  // it has timed out here already
  metrics_.add(core::Metric::connect_failures);
  net_.journal.line("%s connect failed token %llu error %d", name_.c_str(), static_cast<unsigned long long>(token),
                    static_cast<int>(error));
  Note note;
  note.input.kind = core::Input::Kind::connect_failed;
  note.input.token = token;
  note.input.connect_error = error;
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

void Shard::resolved(core::Resolution resolution) {
  Note note;
  note.input.kind = core::Input::Kind::resolved;
  note.resolution = std::make_unique<core::Resolution>(std::move(resolution));
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

void Shard::admin(core::AdminRequest request) {
  Note note;
  note.input.kind = core::Input::Kind::admin;
  note.admin = std::make_unique<core::AdminRequest>(std::move(request));
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

void Shard::stored(core::StoreResult result) {
  Note note;
  note.input.kind = core::Input::Kind::stored;
  note.stored = std::make_unique<core::StoreResult>(std::move(result));
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

void Shard::reload(std::shared_ptr<const core::ConfigSnapshot> snapshot) {
  Note note;
  note.input.kind = core::Input::Kind::reload;
  note.input.snapshot = std::move(snapshot);
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

void Shard::drain() {
  if (!accepting_) return;
  accepting_ = false;
  Note note;
  note.input.kind = core::Input::Kind::drain;
  notes_.push_back(std::move(note));
  wake(net_.agenda.now());
}

// The Worker has nothing left to finish: what was written leaves, within bounds, and the loop ends.
void Shard::start_flushing() {
  net_.journal.line("%s is drained", name_.c_str());
  outside_.drained(*this);
  running_ = Running::flushing;
  close_sockets();
  dialling_.clear();
  for (auto& link : links_) {
    if (!link->used || link->silent) continue;
    link->silent = true;
    link->closing = true;
    if (link->lost) free_link(*link);
    else try_finish(*link);
  }
  net_.agenda.after(limits_.drain_flush, [this] {
    for (const auto& link : links_) {
      if (link->used && !link->end_told) metrics_.add(core::Metric::flush_timeouts);
    }
    stop();
  });
}

void Shard::stop() {
  if (running_ == Running::stopping) return;
  net_.journal.line("%s stops", name_.c_str());
  running_ = Running::stopping;
  close_sockets();
  accepting_ = false;
  for (const std::uint64_t token : std::set<std::uint64_t>(dialling_)) {
    connect_failed(token, core::ConnectError::no_resources);
  }
  for (auto& link : links_) {
    if (link->used) lose(*link, core::CloseReason::shutting_down);
  }
}

void Shard::crash() {
  net_.journal.line("%s crashes", name_.c_str());
  running_ = Running::stopping;
  accepting_ = false;
  close_sockets();
  dialling_.clear();
  for (auto& link : links_) {
    if (!link->used) continue;
    if (!link->stream->dead()) link->stream->abort(link->side);
    free_link(*link);
  }
  notes_.clear();
  ready_.clear();
  ended_.clear();
  mail_.clear();
  worker_.reset();
  empty_outbox();
  if (pool_.heap_bytes() != 0 || pool_.live_blocks() != 0) {
    net_.journal.fail("rest: %s leaves %llu heap bytes and %llu blocks behind", name_.c_str(),
                      static_cast<unsigned long long>(pool_.heap_bytes()),
                      static_cast<unsigned long long>(pool_.live_blocks()));
  }
}

void Shard::stall_ends() {
  stalled_until_ = net_.agenda.now();
  wake(stalled_until_);
}

void Shard::stall(Duration time) {
  net_.journal.line("%s stalls %llu us", name_.c_str(), static_cast<unsigned long long>(micros(time)));
  stalled_until_ = std::max(stalled_until_, net_.agenda.now() + time);
}

void Shard::wake(Instant when) {
  wanted_at_ = std::min(wanted_at_, std::max(when, net_.agenda.now()));
  when = std::max({when, net_.agenda.now(), stalled_until_});
  if (when >= wake_at_) return;
  wake_at_ = when;
  net_.agenda.at(when, [this, number = ++wake_number_] {
    if (number == wake_number_) turn();
  });
}

void Shard::queue(Link& link) {
  if (link.queued || !link.used) return;
  link.queued = true;
  ready_.push_back(link.index);
  wake(net_.agenda.now());
}

Link* Shard::find(core::ConnId id) {
  if (id.index >= links_.size()) return nullptr;
  Link& link = *links_[id.index];
  return link.used && link.generation == id.generation && !link.silent ? &link : nullptr;
}

std::string Shard::stuck() const {
  std::string out;
  for (const auto& link : links_) {
    if (!link->used || link->lost) continue;
    const std::uint64_t unread = link->stream->available(link->side);
    if (unread == 0 && link->waiting_bytes == 0 && link->held.empty() && link->uncredited == 0) continue;
    out += name_ + " conn " + std::to_string(link->index) + ": unread " + std::to_string(unread) + ", waiting " +
           std::to_string(link->waiting_bytes) + ", held " + std::to_string(link->held.size()) + ", uncredited " +
           std::to_string(link->uncredited) + (link->paused ? ", paused" : "") + (link->queued ? ", queued" : "") + "; ";
  }
  return out;
}

void Shard::turn() {
  const Instant now = net_.agenda.now();
  wake_at_ = core::never;
  if (ended() || worker_ == nullptr) return;
  if (now < stalled_until_) {
    wake(stalled_until_);
    return;
  }
  const Duration late = wanted_at_ < now ? now - wanted_at_ : Duration{};
  wanted_at_ = core::never;
  collect();
  if (batch_.empty() && now < deadline_) {
    if (deadline_ != core::never) wake(deadline_);
    return;
  }
  ++turns_;
  idle_turns_ = batch_.empty() ? idle_turns_ + 1 : 0;
  if (idle_turns_ > 10'000) net_.journal.fail("%s: the deadline is due again and again and nothing happens", name_.c_str());
  worker_->step(batch_, {now, outside_.wall_ms(), late}, out_);
  carry_out();
  const bool drained = out_.is_drained() && !accepting_ && serving();
  for (const core::Input& input : batch_) {
    if (input.kind == core::Input::Kind::reload) ++reloads_done_, outside_.reloaded(*this);
  }
  for (const core::Input& input : batch_) {
    if (input.slice.buffer != core::no_buffer) pool_.release(input.slice.buffer);
  }
  batch_.clear();
  batch_sources_.clear();
  batch_notes_.clear();
  out_.clear();
  for (std::uint32_t index : ended_) free_link(*links_[index]);
  ended_.clear();
  if (drained) start_flushing();
  heap_top_ = std::max(heap_top_, pool_.heap_bytes());
  if (!ready_.empty() || !notes_.empty() || datagrams_wait() || mail_waits()) wake(now + turn_time);
  if (deadline_ != core::never) wake(std::max(deadline_, now + 1us));
}

void Shard::collect() {
  // Openings go first, or their bytes would come before them; the order of the rest is nobody's promise.
  for (Note& note : notes_) {
    if (note.input.kind == core::Input::Kind::opened || note.input.kind == core::Input::Kind::connected) {
      if (find(note.input.conn) == nullptr) continue;  // flushed before it was announced
      Link& link = *links_[note.input.conn.index];
      link.announced = true;
      if (link.stream->available(link.side) != 0 || link.stream->at_end(link.side) || link.lost || !link.unused.empty()) {
        queue(link);
      }
    }
    note.input.peer = note.peer.get();
    note.input.resolution = note.resolution.get();
    note.input.admin = note.admin.get();
    note.input.stored = note.stored.get();
    if (note.input.kind == core::Input::Kind::sent) {
      const Link* link = find(note.input.conn);
      if (link == nullptr || (link->lost && !link->stream->local())) continue;
    }
    batch_.push_back(note.input);
    batch_notes_.push_back(std::move(note));
  }
  notes_.clear();
  std::vector<std::uint32_t> now_ready(ready_.begin(), ready_.end());
  ready_.clear();
  for (std::size_t n = now_ready.size(); n > 1; --n) std::swap(now_ready[n - 1], now_ready[rng_.next() % n]);
  for (std::uint32_t index : now_ready) {
    Link& link = *links_[index];
    link.queued = false;
    if (!link.used) continue;
    if (link.silent) {  // lingering: read and dropped
      (void)link.stream->read(link.side, ~std::uint64_t{0});
      try_finish(link);
      continue;
    }
    if (!link.announced) continue;
    collect_bytes(link);
    collect_end(link);
  }
  for (auto& socket : sockets_) {
    if (!socket->arrived.empty()) collect_datagrams(*socket);
  }
  collect_mail();
}

void Shard::collect_bytes(Link& link) {
  // A reset may overtake what had arrived.
  if (link.lost && rng_.coin(1, 2)) return;
  const std::uint32_t most_pieces = rng_.between32(1, 4);
  for (std::uint32_t piece = 0; piece < most_pieces; ++piece) {
    if (link.paused && !link.late_piece) return;
    const bool old = !link.unused.empty();
    const std::uint64_t available = old ? link.unused.size() : link.stream->available(link.side);
    if (available == 0) return;
    core::BlockClass cls = rng_.coin(1, 4) ? core::BlockClass::large : core::BlockClass::small;
    core::BufferId block = pool_.take(cls);
    if (block == core::no_buffer) {
      cls = cls == core::BlockClass::large ? core::BlockClass::small : core::BlockClass::large;
      block = pool_.take(cls);
    }
    if (block == core::no_buffer) {  // famine: the bytes wait until buffers have come home
      metrics_.add(core::Metric::recv_no_buffers);
      ++net_.journal.faults;
      if (!link.starving) {
        link.starving = true;
        net_.agenda.after(1ms, [this, &link, generation = link.generation] {
          if (link.generation != generation) return;
          link.starving = false;
          queue(link);
        });
      }
      return;
    }
    std::uint64_t most = std::min<std::uint64_t>({available, pool_.size(block), net_.faults.piece_bytes});
    if (net_.faults.piece_bytes < 65536) most = rng_.between(1, most);
    const std::string bytes = old ? link.unused.substr(0, most) : link.stream->read(link.side, most);
    if (old) link.unused.erase(0, most);
    link.stream->consumed(link.side, most);
    // Anywhere in the block: who takes the block's start for the slice's will be found out.
    const auto slack = pool_.size(block) - static_cast<std::uint32_t>(bytes.size());
    const std::uint32_t offset = rng_.coin(1, 8) ? rng_.between32(0, slack) : 0;
    std::memcpy(pool_.data(block) + offset, bytes.data(), bytes.size());
    core::Input input;
    input.kind = core::Input::Kind::bytes;
    input.conn = link.id();
    input.slice = {block, offset, static_cast<std::uint32_t>(bytes.size())};
    batch_.push_back(input);
    link.late_piece = false;
  }
  if ((link.stream->available(link.side) != 0 || !link.unused.empty()) && !link.paused) queue(link);
}

void Shard::collect_end(Link& link) {
  core::Input input;
  input.conn = link.id();
  if (link.lost) {
    input.kind = core::Input::Kind::closed;
    input.close_reason = link.why;
  } else if (!link.end_told && link.stream->at_end(link.side) && link.unused.empty()) {
    link.end_told = true;
    // A pipe has no half: its end is the end.
    const bool whole = link.stream->local() || (net_.faults.closed_without_half && rng_.coin(1, 2));
    input.kind = whole ? core::Input::Kind::closed : core::Input::Kind::half_closed;
    input.close_reason = core::CloseReason::peer_closed;
    if (whole) let_all_go(link);
  } else {
    return;
  }
  net_.journal.line("%s conn %u.%u %s", name_.c_str(), link.index, link.generation,
                    input.kind == core::Input::Kind::closed ? "closed" : "half-closed");
  if (input.kind == core::Input::Kind::closed) {
    if (link.stream->local() && link.uncredited != 0) {  // what the other shard has had is known at the end
      core::Input sent;
      sent.kind = core::Input::Kind::sent;
      sent.conn = link.id();
      sent.count = link.uncredited;
      link.uncredited = 0;
      batch_.push_back(sent);
    }
    // The id is dead from here on; Outputs of this step that name it are ignored.
    link.silent = true;
    if (link.stream != nullptr && !link.stream->dead()) link.stream->close(link.side);
    ended_.push_back(link.index);
  }
  batch_.push_back(input);
}

}  // namespace parley::sim

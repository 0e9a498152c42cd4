// tests/sim/stream.cc - see stream.h.
#include "tests/sim/stream.h"

#include <algorithm>

namespace parley::sim {

Stream* Network::open(std::uint32_t pipe_window) {
  streams_.push_back(std::make_unique<Stream>(*this, pipe_window, static_cast<std::uint32_t>(streams_.size())));
  return streams_.back().get();
}

Duration Network::delay(bool local) {
  if (local) return std::chrono::microseconds(rng.between(1, 20));
  const auto most = static_cast<std::uint64_t>(faults.delay_max.count()) / 1000;
  return std::chrono::microseconds(20 + (most == 0 ? 0 : rng.between(0, most)));
}

void Network::calm() {
  for (std::size_t n = 0; n < streams_.size(); ++n) streams_[n]->calm();
}

std::uint64_t Stream::room(Side side) {
  Lane& lane = lanes_[side];
  const std::uint64_t size = local_ ? pipe_window_ : net_.faults.socket_bytes;
  const std::uint64_t used = local_ ? lane.unread : lane.accepted;
  if (dead_ || lane.fin_asked) return 0;
  if (used < size) return size - used;
  lane.sender_waits = true;
  return 0;
}

void Stream::put(Side side, std::string bytes) {
  if (dead_ || bytes.empty()) return;
  lanes_[side].ready.push_back(std::move(bytes));
  pump(side);
}

void Stream::finish(Side side) {
  if (dead_ || lanes_[side].fin_asked) return;
  lanes_[side].fin_asked = true;
  pump(side);
}

void Stream::pump(Side side) {
  Lane& lane = lanes_[side];
  Rng& rng = net_.rng;
  const Instant now = net_.agenda.now();
  const std::uint64_t window = local_ ? pipe_window_ : net_.faults.socket_bytes;
  if (dead_) return;
  if (now < lane.clogged_until) {
    if (!lane.clog_wake) {
      lane.clog_wake = true;
      net_.agenda.at(lane.clogged_until, [this, side] {
        lanes_[side].clog_wake = false;
        pump(side);
      });
    }
    return;
  }
  bool moved = false;
  while (!lane.ready.empty() && lane.way_bytes + lane.arrived_bytes < window) {
    std::uint64_t most = std::min<std::uint64_t>(window - lane.way_bytes - lane.arrived_bytes,
                                                 local_ ? 65536 : net_.faults.segment_bytes);
    // A cut: the segment ends at a random byte. Small segments in a row are the rarer case, so that time is not wasted.
    if (rng.permille(net_.faults.cut_permille)) most = rng.scaled(1, most), ++net_.journal.faults;
    Lane::Segment segment;
    while (most > 0 && !lane.ready.empty()) {
      const std::string& front = lane.ready.front();
      const std::size_t n = std::min<std::size_t>(most, front.size() - lane.ready_at);
      segment.bytes.append(front, lane.ready_at, n);
      lane.ready_at += n;
      most -= n;
      if (lane.ready_at == front.size()) lane.ready.pop_front(), lane.ready_at = 0;
    }
    Duration travel = net_.delay(local_);
    if (net_.faults.bytes_per_second != 0 && !local_) {
      const Instant start = std::max(lane.last_arrival, now + travel);
      travel = start - now +
               Duration(static_cast<std::int64_t>(segment.bytes.size() * 1'000'000'000ULL / net_.faults.bytes_per_second));
    }
    lane.last_arrival = std::max(lane.last_arrival, now + travel);
    lane.accepted -= segment.bytes.size();
    lane.way_bytes += segment.bytes.size();
    lane.way.push_back(std::move(segment));
    net_.agenda.at(lane.last_arrival, [this, side] { arrive(side); });
    moved = true;
  }
  if (lane.fin_asked && !lane.fin_on_way && lane.accepted == 0) {
    lane.fin_on_way = true;
    lane.last_arrival = std::max(lane.last_arrival, now + net_.delay(local_));
    lane.way.push_back({{}, true});
    net_.agenda.at(lane.last_arrival, [this, side] { arrive(side); });
  }
  if (moved && !local_) tell_room(side);
}

void Stream::tell_room(Side side) {
  Lane& lane = lanes_[side];
  if (!lane.sender_waits || lane.fin_asked || socket_[side] == nullptr) return;
  lane.sender_waits = false;
  socket_[side]->on_room();
}

void Stream::arrive(Side side) {
  Lane& lane = lanes_[side];
  if (dead_ || lane.way.empty()) return;
  if (net_.agenda.now() < lane.clogged_until) {
    net_.agenda.at(lane.clogged_until, [this, side] { arrive(side); });
    return;
  }
  Lane::Segment segment = std::move(lane.way.front());
  lane.way.pop_front();
  if (segment.fin) {
    lane.fin_arrived = true;
    if (lanes_[1 - side].fin_arrived && lanes_[1 - side].receiver_gone && lane.receiver_gone) dead_ = true;
    if (socket_[1 - side] != nullptr) socket_[1 - side]->on_readable();
    return;
  }
  lane.way_bytes -= segment.bytes.size();
  if (lane.receiver_gone) {
    if (!local_) abort(1 - side);  // the end of the pipe is on its way to the sender
    return;
  }
  lane.arrived_bytes += segment.bytes.size();
  lane.arrived.push_back(std::move(segment.bytes));
  if (socket_[1 - side] != nullptr) socket_[1 - side]->on_readable();
}

std::string Stream::read(Side side, std::uint64_t bytes_max) {
  Lane& lane = lanes_[1 - side];
  std::string out;
  while (bytes_max > 0 && !lane.arrived.empty()) {
    const std::string& front = lane.arrived.front();
    const std::size_t n = std::min<std::size_t>(bytes_max, front.size() - lane.arrived_at);
    out.append(front, lane.arrived_at, n);
    lane.arrived_at += n;
    bytes_max -= n;
    if (lane.arrived_at == front.size()) lane.arrived.pop_front(), lane.arrived_at = 0;
  }
  lane.arrived_bytes -= out.size();
  if (out.empty()) return out;
  if (local_) {
    lane.unread -= out.size();
    tell_room(1 - side);
  }
  pump(1 - side);
  return out;
}

void Stream::close(Side side) {
  if (dead_) return;
  gone_[side] = true;
  socket_[side] = nullptr;
  lanes_[1 - side].receiver_gone = true;
  const bool unread = lanes_[1 - side].arrived_bytes != 0;
  lanes_[1 - side].arrived.clear();
  lanes_[1 - side].arrived_bytes = 0;
  // Linux answers unread bytes by a reset instead of an orderly end.
  if (unread && !local_) {
    abort(side);
    return;
  }
  finish(side);
}

void Stream::abort(Side side) {
  if (dead_) return;
  dead_ = true;
  for (Side to = 0; to < 2; ++to) {
    if (to == side) continue;
    net_.agenda.after(net_.delay(local_), [this, to] { lose(to); });
  }
}

void Stream::lose(Side side) {
  if (socket_[side] == nullptr) return;
  Socket* socket = socket_[side];
  socket_[side] = nullptr;
  socket->on_reset();
}

void Stream::clog(Side from_side, Instant until) {
  lanes_[from_side].clogged_until = until;
  if (until > net_.agenda.now()) return;
  // What stood still on the way arrives at once.
  for (std::size_t n = lanes_[from_side].way.size(); n > 0; --n) arrive(from_side);
  pump(from_side);
}

void Stream::calm() {
  for (Side side = 0; side < 2; ++side) {
    clog(side, net_.agenda.now());
    if (!dead_ && socket_[side] != nullptr) socket_[side]->on_room();
  }
}

}  // namespace parley::sim

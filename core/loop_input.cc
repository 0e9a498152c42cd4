// core/loop_input.cc - receives of the Loop: which buffers, when armed, what becomes of the bytes. See loop.h.
#include <cerrno>
#include <utility>

#include "core/loop.h"
#include "core/tls_conn.h"

namespace parley::core {
namespace {

constexpr std::int32_t small_receive_bytes = 2048;
constexpr std::uint32_t lingered_bytes_max = 1024 * 1024;
constexpr std::uint8_t small_receives_back = 16;  // so many in a row end streaming: switching costs a cancellation

}  // namespace

// Most connections wait in one multishot receive that uses 4 KiB buffers. Who fills one is streaming and gets 64 KiB
// buffers, one receive at a time: that is also what bounds a connection's share of a turn (U-15).
void Loop::arm_recv(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.fd < 0 || c.recv_armed || c.peer_fin || c.starving) return;
  switch (c.stage) {
    case Stage::open:
      if (c.paused) return;
      break;
    case Stage::handshaking:
    case Stage::flushing:
    case Stage::lingering: break;
    default: return;
  }
  c.recv_small = !c.streaming || c.small_once;
  c.recv_repeats = !c.streaming && !c.hung_up;
  c.small_once = false;
  c.recv_armed = true;
  proactor_->arm_recv({index, c.generation}, c.fd, c.recv_small ? BlockClass::small : BlockClass::large, c.recv_repeats,
                      c.socket_dry && !c.hung_up);
  if (c.recv_repeats && !c.hang_up_watched) {
    c.hang_up_watched = true;
    proactor_->watch_hang_up({index, c.generation}, c.fd);
  }
}

void Loop::on_hung_up(std::uint32_t index) {
  Conn& c = conn(index);
  c.hang_up_watched = false;
  c.hung_up = true;
  if (c.recv_armed && c.recv_repeats) cancel_recv(index);
}

void Loop::cancel_recv(std::uint32_t index) {
  Conn& c = conn(index);
  if (!c.recv_armed || c.recv_cancelled) return;
  c.recv_cancelled = true;
  proactor_->cancel({index, c.generation}, Op::recv, c.fd);
}

void Loop::on_recv(std::uint32_t index, const Completion& done) {
  Conn& c = conn(index);
  if (!done.more) {
    c.recv_armed = false;
    c.recv_cancelled = false;
  }
  if (done.buffer != no_buffer) {
    c.socket_dry = !done.non_empty;
    if (c.stage == Stage::open || c.stage == Stage::handshaking) {
      choose_buffers(index, done.result);
      deliver(index, {done.buffer, 0, static_cast<std::uint32_t>(done.result)});
    } else if (c.stage == Stage::moving) {
      moving_received(index, {done.buffer, 0, static_cast<std::uint32_t>(done.result)});
    } else {
      pool_.release(done.buffer);  // closed by the Worker: discarded
      c.lingered_bytes += static_cast<std::uint32_t>(done.result);
      // Who goes on like this has not heard us, and will not for the rest of the time either.
      if (c.stage == Stage::lingering && c.lingered_bytes > lingered_bytes_max) kill(index, true);
    }
  } else if (done.result == 0) {
    on_peer_fin(index);
  } else if (done.result == -ENOBUFS) {
    metrics_.add(Metric::recv_no_buffers);
    c.socket_dry = false;
    if (!c.recv_small) {
      c.small_once = true;
    } else if (c.stage != Stage::dying && !c.recv_armed) {
      c.starving = true;
      starving_.push_back({index, c.generation});
    }
  } else if (done.result != -ECANCELED && done.result != -EINTR && done.result != -EAGAIN) {
    if (c.stage != Stage::dying) end_conn(index, CloseReason::reset);
  }
  // The slot may have been given back above; arming and burying look at the stage.
  arm_recv(index);
  bury_if_over(index);
  if (c.stage == Stage::moving) move_if_ready(index);
}

void Loop::choose_buffers(std::uint32_t index, std::int32_t bytes) {
  Conn& c = conn(index);
  if (!c.streaming) {
    if (bytes < static_cast<std::int32_t>(Pool::small_bytes)) return;
    c.streaming = true;
    c.small_in_row = 0;
    if (c.recv_repeats) cancel_recv(index);
    return;
  }
  if (bytes > small_receive_bytes) {
    c.small_in_row = 0;
  } else if (++c.small_in_row >= small_receives_back) {
    c.streaming = false;
  }
}

void Loop::on_peer_fin(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.peer_fin) return;
  c.peer_fin = true;
  switch (c.stage) {
    case Stage::open: {
      Input input;
      input.kind = Input::Kind::half_closed;
      input.conn = {index, c.generation};
      inputs_.push_back(std::move(input));
      return;
    }
    case Stage::handshaking: tls_fail(index); return;
    case Stage::lingering: kill(index, false); return;
    default: return;
  }
}

void Loop::deliver(std::uint32_t index, Slice slice) {
  Conn& c = conn(index);
  if (c.tls != nullptr) {
    tls_received(index, slice);
    return;
  }
  metrics_.add(Metric::bytes_received, slice.length);
  Input input;
  input.kind = Input::Kind::bytes;
  input.conn = {index, c.generation};
  input.slice = slice;
  inputs_.push_back(std::move(input));
}

// Round-robin, as many as there are buffers (U-10).
void Loop::feed_starving() {
  if (starving_.empty()) return;
  for (std::uint32_t budget = proactor_->receive_buffers(BlockClass::small); budget > 0 && !starving_.empty();
       --budget) {
    const ConnId id = starving_.front();
    starving_.pop_front();
    Conn& c = conn(id.index);
    if (c.generation != id.generation) continue;
    c.starving = false;
    arm_recv(id.index);
  }
}

void Loop::set_paused(std::uint32_t index, bool paused) {
  Conn& c = conn(index);
  if (c.paused == paused) return;
  c.paused = paused;
  if (paused) {
    ++paused_conns_;
    // A single receive in flight may bring one more Input; a repeating one must end.
    if (c.recv_armed && c.recv_repeats) cancel_recv(index);
    return;
  }
  --paused_conns_;
  if (c.pipe != nullptr) {
    pipe_resumed(index);
  } else {
    arm_recv(index);
  }
}

}  // namespace parley::core

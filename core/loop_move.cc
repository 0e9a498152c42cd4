// core/loop_move.cc - a connection goes to the shard that owns its session (seam.h rule 10). See loop.h.
//
// Receiving is cancelled and its last completion awaited; what arrives until then is kept as plaintext. Then
// descriptor, TLS state and these bytes travel in one mail; the other shard sees a connection that opens and speaks.
#include <cstring>
#include <utility>

#include "core/loop.h"
#include "core/tls_conn.h"

namespace parley::core {

void Loop::start_moves() {
  for (HandOver& wanted : outbox_.hand_overs()) {
    Conn* c = find(wanted.conn);
    if (c == nullptr) continue;
    const std::uint32_t index = wanted.conn.index;
    if (c->pipe != nullptr || wanted.shard >= mailboxes_.shards()) {
      kill(index, true);  // the Worker has given it up and there is nowhere to bring it
      continue;
    }
    c->known = false;
    c->stage = Stage::moving;
    set_paused(index, false);
    c->moving = std::make_unique<Moving>();
    c->moving->shard = wanted.shard;
    c->moving->unused = std::move(wanted.unused);
    cancel_recv(index);
    move_if_ready(index);
  }
}

void Loop::moving_received(std::uint32_t index, Slice slice) {
  Conn& c = conn(index);
  if (c.tls == nullptr) {
    metrics_.add(Metric::bytes_received, slice.length);
    c.moving->unused += pool_.view(slice);
    pool_.release(slice.buffer);
  } else {
    tls_received(index, slice);
  }
}

void Loop::move_if_ready(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.outstanding() || c.touched || c.first_node != no_node || c.has_backlog()) return;
  if (c.hang_up_watched) proactor_->cancel({index, c.generation}, Op::hung_up, c.fd);
  proactor_->forget(c.fd);
  auto adopted = std::make_unique<Adopted>();
  adopted->fd = std::exchange(c.fd, -1);
  adopted->transport = c.transport;
  adopted->listener = c.listener;
  adopted->peer_fin = c.peer_fin;
  adopted->source = std::move(c.source);
  adopted->tls = std::move(c.tls);
  adopted->unused = std::move(c.moving->unused);
  if (adopted->source != nullptr) uncount_source(*adopted->source);
  Mail mail;
  mail.kind = Mail::Kind::adopt;
  mail.adopted = adopted.release();
  send_mail(c.moving->shard, mail);
  metrics_.sub(Metric::connections);
  c.stage = Stage::dying;
  bury_if_over(index);
}

void Loop::adopt(std::unique_ptr<Adopted> adopted) {
  if (running_ != Running::serving || full_for_moved()) {
    metrics_.add(Metric::accept_refused_limit);
    return;
  }
  metrics_.add(Metric::connections);
  const std::uint32_t index = new_conn();
  Conn& c = conn(index);
  c.fd = std::exchange(adopted->fd, -1);
  c.accepted = true;
  c.transport = adopted->transport;
  c.listener = adopted->listener;
  c.tls = std::move(adopted->tls);
  c.source = std::move(adopted->source);
  if (c.source != nullptr) force_count_source(*c.source);
  announce_open(index, Input::Kind::opened);
  if (!adopted->unused.empty()) {
    const BufferId block = pool_.take_heap(static_cast<std::uint32_t>(adopted->unused.size()));
    if (block == no_buffer) return no_memory(index);
    std::memcpy(pool_.data(block), adopted->unused.data(), adopted->unused.size());
    Input input;
    input.kind = Input::Kind::bytes;
    input.conn = {index, c.generation};
    input.slice = {block, 0, static_cast<std::uint32_t>(adopted->unused.size())};
    inputs_.push_back(std::move(input));
  }
  if (adopted->peer_fin) on_peer_fin(index);
}

}  // namespace parley::core

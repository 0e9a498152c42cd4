// tests/loops/script_worker.cc - see harness.h.
#include <algorithm>
#include <utility>

#include "tests/loops/harness.h"

namespace parley::loops {

using core::Input;

void ScriptWorker::step(std::span<const Input> batch, const core::Now& now, core::Outbox& out) {
  {
    const std::lock_guard lock(mutex_);
    if (now.mono < last_now_) violation("time went back");
    last_now_ = now.mono;
    lag_max_ = std::max(lag_max_, now.lag);
    for (const Input& input : batch) {
      record(input);
      if (input.kind == Input::Kind::admin) {
        std::vector<std::function<void(core::Outbox&)>> due;
        due.swap(commands_);
        for (const auto& command : due) command(out);
      } else if (reaction_) {
        reaction_(*this, input, out);
      }
    }
    for (const std::size_t at : closing_) conns_[at].closed_by_us = true;
    closing_.clear();
    heap_bytes_ = pool_.heap_bytes();
  }
  if (on_step) on_step();
}

void ScriptWorker::record(const Input& input) {
  switch (input.kind) {
    case Input::Kind::opened:
    case Input::Kind::connected: {
      if (input.peer == nullptr) violation("no peer information");
      if (find(input.conn) != nullptr) violation("a connection id came twice");
      by_id_[{input.conn.index, input.conn.generation}] = conns_.size();
      ConnSeen seen;
      seen.id = input.conn;
      seen.accepted = input.kind == Input::Kind::opened;
      seen.token = input.token;
      if (input.peer != nullptr) {
        seen.transport = input.peer->transport;
        seen.names = input.peer->verified_names;
      }
      conns_.push_back(std::move(seen));
      return;
    }
    case Input::Kind::connect_failed: connects_failed_.emplace_back(input.token, input.connect_error); return;
    case Input::Kind::drain: drain_seen_ = true; return;
    case Input::Kind::resolved: resolutions_.push_back(*input.resolution); return;
    case Input::Kind::datagram:
      if (input.source == nullptr || input.source->port == 0) return violation("a datagram without its source");
      datagrams_.push_back({input.socket, *input.source, std::string(pool_.view(input.slice))});
      return;
    case Input::Kind::mail: mails_.push_back({input.from_shard, std::string(pool_.view(input.slice))}); return;
    case Input::Kind::admin:
    case Input::Kind::reload: return;
    default: break;
  }
  ConnSeen* seen = find(input.conn);
  if (seen == nullptr) return violation("an input names an unknown connection");
  if (seen->closed.has_value()) return violation("an input after closed");
  if (seen->closed_by_us) return violation("an input after we closed");
  ++seen->inputs;
  switch (input.kind) {
    case Input::Kind::bytes:
      if (seen->half_closed) violation("bytes after half_closed");
      if (input.slice.length == 0) violation("no bytes");
      seen->received += pool_.view(input.slice);
      return;
    case Input::Kind::half_closed: seen->half_closed = true; return;
    case Input::Kind::sent:
      if (input.count == 0) violation("sent nothing");
      seen->sent += input.count;
      if (seen->sent > seen->given) violation("more sent than given");
      return;
    case Input::Kind::closed: seen->closed = input.close_reason; return;
    default: return;
  }
}

ConnSeen* ScriptWorker::find(core::ConnId id) {
  const auto at = by_id_.find({id.index, id.generation});
  return at == by_id_.end() ? nullptr : &conns_[at->second];
}

void ScriptWorker::send(core::Outbox& out, core::ConnId conn, std::string_view bytes) {
  if (ConnSeen* seen = find(conn)) seen->given += bytes.size();
  // In pieces of an arena block: a reserve is contiguous.
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, core::Pool::arena_bytes);
    if (!out.write(conn, core::Outbox::Lane::forward, piece)) {
      violation("the outbox had no memory");
      return;
    }
    bytes.remove_prefix(piece.size());
  }
}

void ScriptWorker::send(core::Outbox& out, core::ConnId conn, core::Slice slice) {
  if (ConnSeen* seen = find(conn)) seen->given += slice.length;
  out.send(conn, slice);
}

void ScriptWorker::close(core::Outbox& out, core::ConnId conn) {
  const auto at = by_id_.find({conn.index, conn.generation});
  if (at != by_id_.end()) closing_.push_back(at->second);
  out.close(conn);
}

void ScriptWorker::abort(core::Outbox& out, core::ConnId conn) {
  const auto at = by_id_.find({conn.index, conn.generation});
  if (at != by_id_.end()) closing_.push_back(at->second);
  out.abort(conn);
}

void ScriptWorker::hand_over(core::Outbox& out, core::ConnId conn, std::uint32_t shard, std::string unused) {
  const auto at = by_id_.find({conn.index, conn.generation});
  if (at != by_id_.end()) closing_.push_back(at->second);
  out.hand_over(conn, shard, std::move(unused));
}

void ScriptWorker::drained(core::Outbox& out) {
  for (std::size_t i = 0; i < conns_.size(); ++i) closing_.push_back(i);
  out.drained();
}

void ScriptWorker::keep(core::Slice slice) {
  if (!keeps_) return;
  pool_.retain(slice.buffer);
  kept_.push_back(slice.buffer);
}

void ScriptWorker::let_go() {
  keeps_ = false;
  for (const core::BufferId block : kept_) pool_.release(block);
  kept_.clear();
}

void ScriptWorker::enqueue(std::function<void(core::Outbox&)> command) {
  const std::lock_guard lock(mutex_);
  commands_.push_back(std::move(command));
}

std::string pattern(std::size_t bytes, unsigned seed) {
  std::string text(bytes, '\0');
  std::uint32_t state = seed * 2654435761U + 1;
  for (char& ch : text) {
    state = state * 1664525U + 1013904223U;
    ch = static_cast<char>('A' + (state >> 24) % 26);
  }
  return text;
}

}  // namespace parley::loops

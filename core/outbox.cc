// core/outbox.cc - the Outbox of core/seam.h: arenas that heads are written to, and the ordered list of outputs.
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/seam.h"

namespace parley::core {

Outbox::Outbox(Pool& pool) : pool_(pool) {}

Outbox::~Outbox() {
  for (const Output& output : outputs_) {
    if (output.kind == Output::Kind::send) pool_.release(output.slice.buffer);
  }
  for (const Datagram& datagram : datagrams_) {
    if (datagram.slice.buffer != no_buffer) pool_.release(datagram.slice.buffer);
  }
  for (Arena& a : arenas_) {
    if (a.block != no_buffer) pool_.release(a.block);
  }
}

char* Outbox::reserve_anew(Lane lane, std::uint32_t bytes) {
  Arena& a = arena(lane);
  BufferId block = bytes <= Pool::arena_bytes ? pool_.take(BlockClass::arena) : no_buffer;
  // A turn that has used all arenas up has more to say.
  if (block == no_buffer && bytes < Pool::arena_bytes) block = pool_.take_heap(Pool::arena_bytes);
  if (block == no_buffer) block = pool_.take_heap(bytes);
  if (block == no_buffer) return nullptr;
  if (a.block != no_buffer) pool_.release(a.block);
  a = {block, pool_.data(block), pool_.size(block), 0, no_conn, 0};
  return a.base;
}

void Outbox::commit_anew(ConnId conn, Arena& a, std::uint32_t used) {
  CHECK(a.block != no_buffer);
  forget_extension(conn);
  pool_.retain(a.block);
  a.last_conn = conn;
  a.last_output = outputs_.size();
  outputs_.push_back({Output::Kind::send, conn, {a.block, a.used, used}});
}

bool Outbox::write(ConnId conn, Lane lane, std::string_view bytes) {
  char* at = reserve(lane, static_cast<std::uint32_t>(bytes.size()));
  if (at == nullptr) return false;
  std::memcpy(at, bytes.data(), bytes.size());
  commit(conn, lane, static_cast<std::uint32_t>(bytes.size()));
  return true;
}

void Outbox::send(ConnId conn, Slice slice) {
  if (slice.length == 0) return;
  pool_.retain(slice.buffer);
  push({Output::Kind::send, conn, slice});
}

void Outbox::commit_datagram(std::uint16_t socket, const Address& to, Lane lane, std::uint32_t used) {
  Arena& a = arena(lane);
  CHECK(a.block != no_buffer);
  CHECK(used <= a.size - a.used);
  pool_.retain(a.block);
  a.last_conn = no_conn;  // these bytes lie behind its output
  datagrams_.push_back({socket, to, {a.block, a.used, used}});
  a.used += used;
}

void Outbox::send_datagram(std::uint16_t socket, const Address& to, Slice slice) {
  if (slice.buffer != no_buffer) pool_.retain(slice.buffer);
  datagrams_.push_back({socket, to, slice});
}

void Outbox::mail(std::uint32_t shard, std::string_view bytes, bool kept) {
  ShardMail mail;
  mail.kept = kept;
  mail.shard = shard;
  mail.length = static_cast<std::uint32_t>(bytes.size());
  mail.bytes.reset(static_cast<char*>(std::malloc(bytes.empty() ? 1 : bytes.size())));
  if (mail.bytes != nullptr && !bytes.empty()) std::memcpy(mail.bytes.get(), bytes.data(), bytes.size());
  mails_.push_back(std::move(mail));
}

void Outbox::mail(ShardMail mail) { mails_.push_back(std::move(mail)); }

void Outbox::connect(ConnectRequest request) { connects_.push_back(std::move(request)); }

void Outbox::resolve(ResolveRequest request) { resolves_.push_back(std::move(request)); }

void Outbox::open_pipe(std::uint64_t token, std::uint32_t shard, PeerInfo served) {
  pipes_.push_back({token, shard, std::move(served)});
}

void Outbox::hand_over(ConnId conn, std::uint32_t shard, std::string unused) {
  forget_extension(conn);
  hand_overs_.push_back({conn, shard, std::move(unused)});
}

void Outbox::admin_reply(std::uint64_t id, std::string json) { replies_.push_back({id, std::move(json)}); }

void Outbox::store(StoreOp op) { stores_.push_back(std::move(op)); }

void Outbox::log(LogRecord::Level level, std::string text) { logs_.push_back({level, std::move(text)}); }

void Outbox::push(const Output& output) {
  forget_extension(output.conn);
  outputs_.push_back(output);
}

void Outbox::forget_extension(ConnId conn) {
  for (Arena& a : arenas_) {
    if (a.last_conn == conn) a.last_conn = no_conn;
  }
}

void Outbox::clear() {
  outputs_.clear();
  datagrams_.clear();
  mails_.clear();
  connects_.clear();
  resolves_.clear();
  pipes_.clear();
  hand_overs_.clear();
  replies_.clear();
  logs_.clear();
  stores_.clear();
  drained_ = false;
  for (Arena& a : arenas_) {
    a.last_conn = no_conn;
    // Nobody else holds the block: start over in the same, still warm, bytes. Oversized heap blocks go home.
    if (a.block == no_buffer || pool_.refs(a.block) != 1) continue;
    if (pool_.block_class(a.block) == BlockClass::arena) {
      a.used = 0;
    } else {
      pool_.release(a.block);
      a = {};
    }
  }
}

}  // namespace parley::core

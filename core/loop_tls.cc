// core/loop_tls.cc - TLS between the receives and sends of the Loop and what the Worker sees. See loop.h, tls_conn.h.
//
// All ciphertext of a turn is written to arena blocks of the loop and becomes nodes of its connection; from there it
// takes the same way as plain bytes. Plaintext of a turn is gathered into records as large as possible.
#include <algorithm>
#include <cstring>
#include <utility>

#include "core/loop.h"
#include "core/tls.h"
#include "core/tls_conn.h"

namespace parley::core {
namespace {

constexpr std::size_t record_bytes = 16384;  // RFC 8446 section 5.1

}  // namespace

class LoopCipherSink final : public CipherSink {
 public:
  LoopCipherSink(Loop& loop, std::uint32_t index) : loop_(loop), index_(index) {}
  bool take(const char* bytes, std::size_t size) override {
    if (!loop_.cipher_room(size)) return false;
    const auto length = static_cast<std::uint32_t>(size);
    const Slice slice{loop_.cipher_block_, loop_.cipher_used_, length};
    std::memcpy(loop_.pool_.at(slice), bytes, size);
    loop_.cipher_used_ += length;
    Conn& c = loop_.conn(index_);
    if (c.last_cipher != no_node) {
      Slice& last = loop_.nodes_[c.last_cipher].slice;
      if (last.buffer == slice.buffer && last.offset + last.length == slice.offset) {
        last.length += length;
        return true;
      }
    }
    loop_.pool_.retain(slice.buffer);
    const auto at = static_cast<std::uint32_t>(loop_.nodes_.size());
    loop_.nodes_.push_back({slice, no_node});
    if (c.last_cipher == no_node) {
      c.first_cipher = at;
    } else {
      loop_.nodes_[c.last_cipher].next = at;
    }
    c.last_cipher = at;
    loop_.touch(index_);
    return true;
  }

 private:
  Loop& loop_;
  std::uint32_t index_;
};

bool Loop::cipher_room(std::size_t bytes) {
  if (cipher_block_ != no_buffer) {
    if (pool_.refs(cipher_block_) == 1) cipher_used_ = 0;  // nobody else holds it: the same warm bytes again
    if (pool_.size(cipher_block_) - cipher_used_ >= bytes) return true;
    pool_.release(cipher_block_);
  }
  cipher_block_ = pool_.take(BlockClass::arena);
  if (cipher_block_ == no_buffer) cipher_block_ = pool_.take_heap(Pool::arena_bytes);
  cipher_used_ = 0;
  return cipher_block_ != no_buffer && pool_.size(cipher_block_) >= bytes;
}

void Loop::start_tls(std::uint32_t index, bool server) {
  Conn& c = conn(index);
  c.stage = Stage::handshaking;
  const std::shared_ptr<TlsContext>& context = server ? config_.server_tls : config_.client_tls;
  if (context != nullptr) c.tls = TlsConn::create(context, server, server ? std::string() : c.dial->tls_name);
  if (c.tls == nullptr) {
    metrics_.add(Metric::tls_failures);
    end_conn(index, CloseReason::tls_error);
    return;
  }
  arm_timer(TimerKind::handshake, now_.mono + config_.handshake_timeout, index, c.generation);
  arm_recv(index);
  if (!server) tls_handshake(index);
}

// Takes over the reference.
void Loop::tls_received(std::uint32_t index, Slice slice) {
  Conn& c = conn(index);
  c.tls->set_input(pool_.view(slice));
  if (c.stage == Stage::handshaking) tls_handshake(index);
  if (c.stage == Stage::open || c.stage == Stage::moving) tls_decrypt(index);
  if (c.tls != nullptr) c.tls->set_input({});
  pool_.release(slice.buffer);
}

void Loop::tls_handshake(std::uint32_t index) {
  Conn& c = conn(index);
  LoopCipherSink sink(*this, index);
  switch (c.tls->handshake(sink)) {
    case TlsResult::ok:
      metrics_.add(Metric::tls_handshakes);
      if (c.tls->resumed()) metrics_.add(Metric::tls_resumptions);
      announce_open(index, c.accepted ? Input::Kind::opened : Input::Kind::connected);
      return;
    case TlsResult::more: return;
    case TlsResult::closed:
    case TlsResult::failed: tls_fail(index); return;
  }
}

// Where plaintext goes: what one receive can become, from what the receives leave free.
BufferId Loop::plain_block(const Conn& c) {
  BufferId block = no_buffer;
  if (c.tls->input_left() <= Pool::small_bytes && !c.tls->holds_part_of_record()) {
    block = pool_.take(BlockClass::small);
  } else {
    block = pool_.take(BlockClass::large);
  }
  if (block == no_buffer) block = pool_.take(BlockClass::arena);
  if (block == no_buffer) block = pool_.take_heap(record_bytes);
  return block;
}

void Loop::tls_decrypt(std::uint32_t index) {
  Conn& c = conn(index);
  LoopCipherSink sink(*this, index);
  for (TlsResult result = TlsResult::ok; result == TlsResult::ok;) {
    const BufferId block = plain_block(c);
    if (block == no_buffer) {
      no_memory(index);
      return;
    }
    std::uint32_t used = 0;
    const std::uint32_t room = pool_.size(block);
    while (used < room && result == TlsResult::ok) {
      std::size_t bytes = 0;
      result = c.tls->read(sink, pool_.data(block) + used, room - used, bytes, now_.mono);
      used += static_cast<std::uint32_t>(bytes);
    }
    if (used > 0) metrics_.add(Metric::bytes_received, used);
    if (used > 0 && c.stage == Stage::moving) {
      c.moving->unused.append(pool_.data(block), used);
      pool_.release(block);
    } else if (used > 0) {
      Input input;
      input.kind = Input::Kind::bytes;
      input.conn = {index, c.generation};
      input.slice = {block, 0, used};
      inputs_.push_back(std::move(input));
    } else {
      pool_.release(block);
    }
    if (result == TlsResult::closed) on_peer_fin(index);
    if (result == TlsResult::failed) tls_fail(index);
  }
}

// The alert, if there is one, leaves before the connection ends.
void Loop::tls_fail(std::uint32_t index) {
  Conn& c = conn(index);
  metrics_.add(Metric::tls_failures);
  if (c.stage == Stage::handshaking && !c.accepted) {
    fail_connect(index, c.tls->name_mismatch() ? ConnectError::tls_name : ConnectError::tls_error);
  }
  report_closed(index, CloseReason::tls_error);
  close_conn(index);
}

bool Loop::tls_flush(std::uint32_t index) {
  Conn& c = conn(index);
  if (!tls_encrypt_nodes(index)) {
    if (c.tls->broken()) {
      end_conn(index, CloseReason::tls_error);
    } else {
      no_memory(index);
    }
    return false;
  }
  if (c.stage == Stage::flushing) {
    LoopCipherSink sink(*this, index);
    c.tls->close_notify(sink);
  }
  c.first_node = c.first_cipher;
  c.last_node = c.last_cipher;
  c.first_cipher = c.last_cipher = no_node;
  return true;
}

bool Loop::tls_encrypt_nodes(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.first_node == no_node) return true;
  if (c.tls->broken()) {  // only its alert is still to go
    for (std::uint32_t at = c.first_node; at != no_node; at = nodes_[at].next) pool_.release(nodes_[at].slice.buffer);
    c.first_node = c.last_node = no_node;
    return true;
  }
  if (plain_ == nullptr) plain_ = std::make_unique<char[]>(record_bytes);
  LoopCipherSink sink(*this, index);
  std::size_t staged = 0;
  bool good = true;
  const auto write = [&](const char* from, std::size_t bytes) {
    good = good && c.tls->write(sink, from, bytes) == TlsResult::ok;
  };
  for (std::uint32_t at = c.first_node; at != no_node; at = nodes_[at].next) {
    const Slice slice = nodes_[at].slice;  // a copy: the sink adds nodes
    const char* from = pool_.at(slice);
    for (std::size_t left = slice.length; left > 0;) {
      if (staged == 0 && left >= record_bytes) {  // a full record needs no staging
        write(from, record_bytes);
        from += record_bytes;
        left -= record_bytes;
        continue;
      }
      const std::size_t bytes = std::min(left, record_bytes - staged);
      std::memcpy(plain_.get() + staged, from, bytes);
      staged += bytes;
      from += bytes;
      left -= bytes;
      if (staged == record_bytes) {
        write(plain_.get(), staged);
        staged = 0;
      }
    }
    pool_.release(slice.buffer);
  }
  if (staged > 0) write(plain_.get(), staged);
  c.first_node = c.last_node = no_node;
  return good;
}

}  // namespace parley::core

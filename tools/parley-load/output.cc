// tools/parley-load/output.cc - gathering and sending of one turn's output.
#include "tools/parley-load/output.h"

#include <sys/uio.h>

#include <algorithm>

#include "core/websocket.h"

namespace parley::load {

void Backlog::add_text(std::string_view text) {
  const size_t at = text_.size();
  text_.insert(text_.end(), text.begin(), text.end());
  bytes_ += text.size();
  pieces_.push_back({.at = at, .bytes = text.size()});
}

void Backlog::add_fixed(const char* data, size_t bytes) {
  bytes_ += bytes;
  pieces_.push_back({.fixed = data, .bytes = bytes});
}

void Backlog::clear() {
  text_.clear();
  pieces_.clear();
  first_ = 0;
  bytes_ = 0;
}

Batch::Batch(bool websocket) : websocket_(websocket), text_(kTextBytes), record_(kTlsRecordBytes) {
  pieces_.reserve(1024);
  vector_.reserve(1024);
}

void Batch::wrote(size_t bytes) {
  char* from = room();
  used_ += bytes;
  bytes_ += bytes;
  if (!pieces_.empty() && pieces_.back().is_text && pieces_.back().data + pieces_.back().bytes == from) {
    pieces_.back().bytes += bytes;
  } else if (bytes > 0) {
    pieces_.push_back({from, bytes, true});
  }
}

void Batch::begin_message() {
  if (!websocket_) return;
  message_piece_ = pieces_.size();
  message_before_ = bytes_;
  pieces_.push_back({room(), core::websocket_header_bytes_max, true});
  used_ += core::websocket_header_bytes_max;
}

void Batch::end_message() {
  if (!websocket_) return;
  const core::WebSocketHeader header(
      {.opcode = core::WebSocketOpcode::binary, .payload_bytes = bytes_ - message_before_}, core::WebSocketMask{});
  Piece& first = pieces_[message_piece_];
  const size_t unused = core::websocket_header_bytes_max - header.view().size();
  std::memcpy(const_cast<char*>(first.data) + unused, header.view().data(), header.view().size());
  first.data += unused;
  first.bytes -= unused;
  bytes_ += header.view().size();
}

void Batch::add_fixed(std::string_view data) {
  if (data.size() <= kCopyBytesMax) return add(data);
  bytes_ += data.size();
  pieces_.push_back({data.data(), data.size(), false});
}

bool Batch::flush(Stream& stream, Backlog& backlog) {
  size_t taken = 0;
  bool alive = true;
  if (backlog.empty()) {
    vector_.clear();
    for (const Piece& piece : pieces_) vector_.push_back({const_cast<char*>(piece.data), piece.bytes});
    alive = send(stream, vector_, taken);
  }
  for (const Piece& piece : pieces_) {
    if (taken >= piece.bytes) {
      taken -= piece.bytes;
      continue;
    }
    if (piece.is_text) {
      backlog.add_text({piece.data + taken, piece.bytes - taken});
    } else {
      backlog.add_fixed(piece.data + taken, piece.bytes - taken);
    }
    taken = 0;
  }
  pieces_.clear();
  used_ = 0;
  bytes_ = 0;
  return alive;
}

bool Batch::flush_backlog(Stream& stream, Backlog& backlog) {
  while (!backlog.empty()) {
    vector_.clear();
    size_t wanted = 0;
    for (size_t i = backlog.first_; i < backlog.pieces_.size() && vector_.size() < 1000; ++i) {
      const Backlog::Piece& piece = backlog.pieces_[i];
      const char* data = piece.fixed != nullptr ? piece.fixed : backlog.text_.data() + piece.at;
      vector_.push_back({const_cast<char*>(data), piece.bytes});
      wanted += piece.bytes;
    }
    size_t taken = 0;
    if (!send(stream, vector_, taken)) return false;
    backlog.bytes_ -= taken;
    const bool blocked = taken < wanted;
    while (taken > 0) {
      Backlog::Piece& piece = backlog.pieces_[backlog.first_];
      const size_t step = std::min(taken, piece.bytes);
      (piece.fixed != nullptr) ? void(piece.fixed += step) : void(piece.at += step);
      piece.bytes -= step;
      taken -= step;
      if (piece.bytes == 0) ++backlog.first_;
    }
    if (blocked) return true;
  }
  backlog.clear();
  return true;
}

// Plain: one call. TLS: record by record; the pieces of a record are joined first. A record that was refused comes
// again with the same bytes in front, since whatever is not taken goes to the backlog in order.
bool Batch::send(Stream& stream, const std::vector<iovec>& pieces, size_t& taken) {
  if (pieces.empty()) return true;
  if (!stream.is_tls()) {
    const ssize_t sent = stream.writev(pieces.data(), static_cast<int>(pieces.size()));
    taken = sent > 0 ? static_cast<size_t>(sent) : 0;
    return sent >= 0;
  }
  size_t index = 0;
  size_t offset = 0;
  while (index < pieces.size()) {
    size_t joined = 0;
    while (index < pieces.size() && joined < kTlsRecordBytes) {
      const size_t step = std::min(pieces[index].iov_len - offset, kTlsRecordBytes - joined);
      std::memcpy(record_.data() + joined, static_cast<const char*>(pieces[index].iov_base) + offset, step);
      joined += step;
      offset += step;
      if (offset == pieces[index].iov_len) {
        ++index;
        offset = 0;
      }
    }
    size_t done = 0;
    while (done < joined) {
      const ssize_t sent = stream.tls_write(record_.data() + done, joined - done);
      if (sent < 0) return false;
      if (sent == 0) return true;
      done += static_cast<size_t>(sent);
      taken += static_cast<size_t>(sent);
    }
  }
  return true;
}

}  // namespace parley::load

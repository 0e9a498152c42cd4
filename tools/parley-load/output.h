// tools/parley-load/output.h - what one connection wants to send in one turn, gathered so that it leaves in one system
// call.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "tools/parley-load/stream.h"

namespace parley::load {

// Bytes the kernel did not take yet. Text is copied; body bytes stay references into the pattern, which outlives all.
// Memory grows to the largest backlog seen and is then kept.
class Backlog {
 public:
  struct Piece {
    const char* fixed = nullptr;  // pattern memory, or null: `at` is an offset into text_
    size_t at = 0;
    size_t bytes = 0;
  };
  bool empty() const { return first_ == pieces_.size(); }
  size_t size_bytes() const { return bytes_; }
  void add_text(std::string_view text);
  void add_fixed(const char* data, size_t bytes);
  void clear();

 private:
  friend class Batch;
  std::vector<char> text_;
  std::vector<Piece> pieces_;
  size_t first_ = 0;  // pieces before it are sent
  size_t bytes_ = 0;
};

// One per thread, reused for every connection and turn.
class Batch {
 public:
  explicit Batch(bool websocket = false);
  // Around each frame. With WebSocket they make a message of it, masked with zeros: the server's work is the same, and
  // bodies can stay where they are.
  void begin_message();
  void end_message();
  // Text is appended in place: ask for room, write, say how much was written.
  char* room() { return text_.data() + used_; }
  void wrote(size_t bytes);
  void add(std::string_view text) {
    if (!text.empty()) std::memcpy(room(), text.data(), text.size());
    wrote(text.size());
  }
  // Body bytes that stay valid; short ones are copied, long ones are referenced.
  void add_fixed(std::string_view data);
  bool empty() const { return pieces_.empty(); }
  // No further frame should be begun: the next one might not fit, or the turn would grow too long.
  bool full() const { return used_ + kRoomBytesMin > kTextBytes || bytes_ >= kTurnBytesMax || pieces_.size() >= 1000; }
  // Sends what is here, after what the connection still has waiting. False: the connection is broken.
  bool flush(Stream& stream, Backlog& backlog);
  bool flush_backlog(Stream& stream, Backlog& backlog);

  static constexpr size_t kRoomBytesMin = 24 * 1024;  // one frame's text: three longest paths, copied body and lines
  static constexpr size_t kCopyBytesMax = 2048;       // below it a copy is cheaper than one more iovec

 private:
  static constexpr size_t kTextBytes = 320 * 1024;
  static constexpr size_t kTurnBytesMax = 256 * 1024;   // no connection holds the thread longer than this
  static constexpr size_t kTlsRecordBytes = 16 * 1024;  // RFC 8446 5.1

  bool send(Stream& stream, const std::vector<iovec>& pieces, size_t& taken);

  struct Piece {
    const char* data;
    size_t bytes;
    bool is_text;
  };
  const bool websocket_;
  size_t message_piece_ = 0;   // where the message begins, with room for its header
  size_t message_before_ = 0;  // bytes_ when it did
  std::vector<char> text_;
  size_t used_ = 0;
  size_t bytes_ = 0;
  std::vector<Piece> pieces_;
  std::vector<iovec> vector_;
  std::vector<char> record_;
};

}  // namespace parley::load

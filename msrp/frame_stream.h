// msrp/frame_stream.h - MSRP frames out of one connection's bytes, as an endpoint reads them (RFC 4975 section 7): the
// head whole, the body in pieces as it arrives. R4975-3, R4975-4.
//
// A value per connection. It holds a head of at most HeadLimits::head_bytes_max that is not complete, and the bytes of
// the last take(); a body of any size passes through.
#pragma once

#include <string>
#include <string_view>

#include "core/check.h"
#include "msrp/body_scan.h"
#include "msrp/head.h"

namespace parley::msrp {

struct FramePiece {
  enum class Kind : std::uint8_t {
    need_more,
    piece,
    bad,  // what comes cannot be read: the connection is of no more use
  };
  Kind kind = Kind::need_more;
  bool first = false;
  bool last = false;
  Flag flag = Flag::end;          // last
  const Head* head = nullptr;     // of the frame, with head_bytes
  std::string_view head_bytes{};  // from its first byte
  std::string_view body{};
};

class FrameStream {
 public:
  explicit FrameStream(const HeadLimits& limits = {}) : limits_(limits) {}

  // After next() has said need_more.
  void take(std::string_view bytes);
  // What it shows stays until the next call of either.
  [[nodiscard]] FramePiece next() LIFETIME_BOUND;
  // Why it is bad.
  [[nodiscard]] HeadError error() const { return parser_.error(); }

 private:
  [[nodiscard]] FramePiece next_of_body();

  HeadLimits limits_;
  HeadParser parser_;
  BodyScan scan_;
  Head head_;
  std::string head_bytes_;
  std::string buffer_;
  std::size_t at_ = 0;  // of buffer_: read up to here
  std::string joined_;  // what the scan had held back, and what follows it
  bool in_body_ = false;
  bool first_ = false;  // nothing of this body was shown
  bool bad_ = false;
};

}  // namespace parley::msrp

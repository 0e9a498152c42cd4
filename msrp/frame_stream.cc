// msrp/frame_stream.cc - see frame_stream.h.
#include "msrp/frame_stream.h"

namespace parley::msrp {

using Kind = FramePiece::Kind;

void FrameStream::take(std::string_view bytes) {
  if (bad_) return;
  buffer_.erase(0, at_);
  at_ = 0;
  buffer_.append(bytes);
}

FramePiece FrameStream::next() {
  if (bad_) return {.kind = Kind::bad};
  if (in_body_) return next_of_body();
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) return {};
  switch (parser_.parse(rest, limits_, nullptr)) {
    case Progress::need_more: return {};
    case Progress::bad: bad_ = true; return {.kind = Kind::bad};
    case Progress::done: break;
  }
  head_ = parser_.head();
  parser_.reset();
  head_bytes_.assign(rest.substr(0, head_.length));
  at_ += head_.length;
  if (!head_.has_body) {
    return {.kind = Kind::piece,
            .first = true,
            .last = true,
            .flag = head_.flag,
            .head = &head_,
            .head_bytes = head_bytes_,
            .body = {}};
  }
  scan_.start(head_.tid.of(head_bytes_));
  in_body_ = first_ = true;
  return next_of_body();
}

FramePiece FrameStream::next_of_body() {
  const std::string_view rest = std::string_view(buffer_).substr(at_);
  if (rest.empty()) return {};
  const BodyScan::Result result = scan_.feed(rest);
  FramePiece piece{.kind = Kind::piece,
                   .first = first_,
                   .last = result.ended,
                   .flag = result.flag,
                   .head = &head_,
                   .head_bytes = head_bytes_,
                   .body = rest.substr(0, result.body)};
  if (result.released != 0) {
    joined_.assign(scan_.released_bytes(result)).append(piece.body);
    piece.body = joined_;
  }
  at_ += result.consumed;
  if (result.ended) in_body_ = false;
  if (piece.body.empty() && !piece.last) return {};  // all of it may be the end-line
  first_ = false;
  return piece;
}

}  // namespace parley::msrp

// msrp/relay_bad.cc - frames that cannot be read: answered where that is possible, and read over up to their own
// end-line.
//
// The connection may be another relay's and carry many clients: what one of them writes may not end it for all. So it
// ends only where nothing says any more where the next frame begins (R4975-1).
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;

// `bytes` begins with the frame; its first `before` bytes were taken from the connection earlier.
std::uint32_t Relay::on_bad_head(Conn& conn, const HeadParser& parser, std::string_view bytes, std::uint32_t before) {
  switch (parser.error()) {
    case HeadError::too_long: count(Metric::msrp_head_too_long); break;
    case HeadError::too_many_headers: count(Metric::msrp_header_too_many); break;
    default: count(Metric::msrp_bad_frame); break;
  }
  // The shard that put it into a pipe has answered 200 for it: its sender may not lose it in silence.
  if (!parser.framed() || conn.is_pipe()) {
    close(conn);
    return 0;
  }
  const Frame frame{parser.head(), bytes};
  answer_bad(conn, frame);
  if (misses_again(conn)) return 0;
  // From the CRLF of the start line: the end-line of a request without a body follows on a CRLF too.
  const std::size_t start = bytes.find("\r\n");
  BodyScan scan;
  scan.start(frame(frame.head.tid));
  const BodyScan::Result result = scan.feed(bytes.substr(start));
  if (!result.ended) skip_frame(conn, frame(frame.head.tid), scan, result.body);
  drop_partial(conn);
  return static_cast<std::uint32_t>(start) + result.consumed - before;
}

// Neither a response nor a REPORT is ever answered (R4975-10), nor what asked for no answer (R4975-8), as far as the
// head could be read.
void Relay::answer_bad(Conn& conn, const Frame& frame) {
  const Head& head = frame.head;
  if (head.method == Method::response || head.method == Method::report || head.failure == FailureReport::no) return;
  if (head.to_path.present() && head.from_path.present()) respond_plain(conn, frame, 400, {});
}

// What still comes of the frame is dropped; `scan` has looked at what is there, `skipped` bytes.
void Relay::skip_frame(Conn& conn, std::string_view tid, const BodyScan& scan, std::uint64_t skipped) {
  Inbound& in = take_inbound(conn, tid);
  in.scan = scan;
  in.received = skipped;
  in.received_max = config_->skip_bytes_max;
}

// A connection that is not proven and asks for nothing that exists or can be read is guessing. True when it was closed.
bool Relay::misses_again(Conn& conn) {
  // Not a pipe: many clients share what it carries, and the shard they are connected to counts for itself.
  if (conn.proven || conn.relay_peer || conn.is_pipe() || ++conn.misses < config_->misses_max) return false;
  count(Metric::misses_closed);
  close(conn);
  return true;
}

}  // namespace parley::msrp

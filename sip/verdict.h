// sip/verdict.h - what a message whose head was read deserves: to be handled, to be refused with a response, or to be
// dropped (RFC 3261 sections 8.2 and 18.3; the sections of RFC 4475 say what for).
//
// Only what every receiver has to ask is asked here. Whether the method, the URI's host, an extension or a body is
// served is a later question.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/keyed_hash.h"
#include "sip/address.h"
#include "sip/cseq.h"
#include "sip/head.h"
#include "sip/uri.h"
#include "sip/via.h"

namespace parley::sip {

// What each message is known by, read on the way to the verdict. After respond, what came behind the mistake is
// missing.
struct Essentials {
  Uri uri;  // requests
  Via via;  // the topmost
  Address from;
  Address to;
  std::string_view from_tag;  // null data when absent, as RFC 2543 allows
  std::string_view to_tag;
  CSeq cseq;
  std::string_view call_id;
  bool has_max_forwards = false;
  std::uint8_t max_forwards = 0;
};

struct Verdict {
  enum class Kind : std::uint8_t { accept, respond, drop };
  Kind kind = Kind::accept;
  std::uint16_t status = 0;     // respond: 400, 416, 505, 513
  std::string_view reason;      // respond: a phrase; drop: for counters and logs
  bool lost_in_stream = false;  // where the next message begins is unknown: the connection ends after the answer
};

// How the message came. A datagram is known whole: `body_bytes` is what stands behind its head. Surplus is ignored, a
// deficit is a 400 (R3261-12).
struct Carrier {
  bool stream = false;
  std::size_t body_bytes = 0;
  bool via_later = false;  // it was written here, and gets its Via with the hop it takes: it may lack one so far
};

// `head` was read to its end, or given up; `bytes` are those of the head.
[[nodiscard]] Verdict judge(const Head& head, std::string_view bytes, const Carrier& carrier, Essentials& essentials);

// What a request is known by where nothing is kept of it: the same for each of its retransmissions, and for its ACK and
// CANCEL.
[[nodiscard]] core::Hash128 request_hash(const core::HashKey& key, const Essentials& essentials);

// The body's length of a message with that verdict. On streams, a message without Content-Length has no body.
[[nodiscard]] std::size_t body_length(const Head& head, const Carrier& carrier);

}  // namespace parley::sip

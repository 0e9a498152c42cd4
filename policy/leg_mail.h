// policy/leg_mail.h - what the home of a room and the shard that serves one of its legs write to each other
// (far_legs.h, guest_legs.h), as records in the mail of leg_post.h.
//
// Values of one process, copied as they lie in memory; each begins at a multiple of 8. What has no fixed length stands
// behind its record, in the order of the fields that give its length.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/slot_map.h"
#include "msrp/end_types.h"

namespace parley::policy {

enum class LegRecord : std::uint8_t {
  // from home
  open,      // Text: session-id, URI
  connect,   // Text: path, address; flags 1: we connect, 2: loose, 4: instead of another peer
  close,
  hold,
  release,
  answer,    // Text: token; status
  send,      // Send, to `leg`
  fan_out,   // Send, to the legs that it names
  report,    // Report
  noted,     // that the leg has stopped: what comes from here on counts again
  // to home
  fact,      // Fact
  answered,  // Answered: `answered` facts with the same mark and status
  stopped,   // nothing is written to the leg until `noted` has come; status: LegStop
  dropped,   // ... which it has; Dropped
  taken,     // Count: bytes of `send` that were written
  waiting,   // Count: what waits for a leg that is slow; 0 when it no longer is
};

enum class LegStop : std::uint8_t { full, gone };

struct LegRecordHead {
  std::uint32_t bytes = 0;  // of the record with all that stands behind it
  LegRecord kind = LegRecord::open;
  std::uint8_t flags = 0;
  std::uint16_t status = 0;
  core::SlotId leg;  // as home names it
};

struct LegText {
  LegRecordHead head;
  std::uint32_t first_bytes = 0;
  std::uint32_t second_bytes = 0;
};

struct LegSend {
  LegRecordHead head;
  std::uint64_t mark = 0;
  std::uint64_t start = 0;
  std::uint64_t total = 0;
  std::uint32_t legs = 0;  // SlotIds
  std::uint32_t headers_bytes = 0;
  std::uint32_t body_bytes = 0;
  msrp::FailureReport failure = msrp::FailureReport::yes;
  msrp::Flag flag = msrp::Flag::end;
  bool tell_200 = false;
  bool has_body = false;
};

struct LegReport {
  LegRecordHead head;
  msrp::ByteRange range;
  std::uint32_t message_id_bytes = 0;
  std::uint32_t headers_bytes = 0;
};

struct LegFact {
  LegRecordHead head;
  std::uint64_t start = 0;
  std::uint64_t total = 0;
  msrp::ByteRange range;
  msrp::EndFact::Kind kind = msrp::EndFact::Kind::closed;
  msrp::Flag flag = msrp::Flag::end;
  bool first = false;
  bool last = false;
  bool has_head = false;
  std::uint32_t token_bytes = 0;
  std::uint32_t head_bytes = 0;
  std::uint32_t message_id_bytes = 0;
  std::uint32_t nickname_bytes = 0;
  std::uint32_t body_bytes = 0;
  msrp::Head parsed;
};

struct LegAnswered {
  LegRecordHead head;
  std::uint64_t mark = 0;
  std::uint64_t legs = 0;  // SlotIds
};

struct LegDropped {
  LegRecordHead head;
  std::uint64_t mark = 0;  // of the first last chunk that was not written; 0: none
  std::uint64_t some = 0;  // 1: something was not written
};

struct LegCount {
  LegRecordHead head;
  std::uint64_t bytes = 0;
};

static_assert(std::is_trivially_copyable_v<msrp::Head> && std::is_trivially_copyable_v<LegFact>);

// `mark` of what goes to a group (room_send.cc): 0 for what need not arrive; with this bit it is the last chunk of a
// message, and what stands above the 8 lowest bits is its number in the room.
inline constexpr std::uint64_t leg_mark_last = 2;
inline constexpr unsigned leg_mark_shift = 8;

}  // namespace parley::policy

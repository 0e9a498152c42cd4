// sip/reliable_provisional.h - 1xx responses that must arrive (RFC 3262): numbered, sent again until their PRACK comes,
// taken in order. R3262-1, R3262-2, R3262-3, R3262-4, R3262-5, T-27.
//
// Both sides are values that belong to one early dialog (one To tag): each has its own numbers. Nothing is sent here.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/pool.h"
#include "core/random.h"
#include "core/time.h"
#include "sip/dialog_headers.h"
#include "sip/head.h"
#include "sip/kept_bytes.h"
#include "sip/resend.h"

namespace parley::sip {

// What an INVITE says of 100rel (R3262-1). required: every 101-199 has to be reliable, or a 420 refuses the INVITE.
enum class RelWish : std::uint8_t { none, supported, required };
[[nodiscard]] RelWish rel_wish(const Head& invite, std::string_view bytes);

// 1 to 2^31-1, all equally likely: 2^31 more follow without wrapping.
[[nodiscard]] std::uint32_t first_rseq(core::Random& random);

// --- UAS ---

enum class PrackVerdict : std::uint8_t {
  acknowledged,  // 200, with the answer when the PRACK carried an offer
  unknown,       // 481
};

class ReliableSender {
 public:
  // The pool outlives it. `t1` is RFC 3261's.
  ReliableSender(core::Pool& pool, std::uint32_t invite_cseq, std::uint32_t rseq, core::Duration t1)
      : pool_(&pool), t1_(t1), invite_cseq_(invite_cseq), rseq_(rseq) {}

  // Whether a reliable 1xx may go out: none is unacknowledged, and no final response was sent. A next one has to wait
  // for the PRACK of the one before: for the first that is a MUST, for the others we want their order too.
  [[nodiscard]] bool ready() const { return !waiting_ && !closed_; }
  // The RSeq that the next one carries.
  [[nodiscard]] std::uint32_t next_rseq() const { return rseq_; }
  // It went out: `bytes` is the whole response, kept to be sent again; `has_sdp`: no 2xx before its PRACK (R3262-4).
  // Only when ready(). False when there is no memory to keep it: it must not be sent reliably then.
  [[nodiscard]] bool sent(std::string_view bytes, bool has_sdp, core::Instant now);

  // A PRACK in this dialog. A late one, after the final response, is acknowledged as well (R3262-5).
  [[nodiscard]] PrackVerdict prack(const RAck& rack);
  [[nodiscard]] bool holds_2xx() const { return waiting_ && waiting_sdp_; }
  // A final response to the INVITE goes out: nothing is sent again from now on.
  void close();

  // again: send bytes() once more. over: no PRACK in 64*T1; the INVITE is refused with 504 (a 5xx).
  [[nodiscard]] Resend::Due due(core::Instant now) { return resend_.due(now); }
  [[nodiscard]] core::Instant next_deadline() const { return resend_.next_deadline(); }
  [[nodiscard]] std::string_view bytes() const LIFETIME_BOUND { return kept_.view(); }

 private:
  core::Pool* pool_;
  KeptBytes kept_;
  Resend resend_;
  core::Duration t1_;
  std::uint32_t invite_cseq_;
  std::uint32_t rseq_;  // of the next one; the unacknowledged one has one less
  bool waiting_ = false;
  bool waiting_sdp_ = false;
  bool closed_ = false;
};

// --- UAC ---

enum class RelVerdict : std::uint8_t {
  plain,     // not reliable: taken as it is
  fresh,     // taken, and a PRACK goes out with rack_text()
  repeated,  // dropped; its PRACK is on its way
  disorder,  // dropped without PRACK: not the one after the last (R3262-3)
};

class ReliableReceiver {
 public:
  // A 1xx to the INVITE in this early dialog.
  [[nodiscard]] RelVerdict receive(const Head& response, std::string_view bytes);
  [[nodiscard]] std::uint32_t rseq() const { return rseq_; }  // of the last that was fresh

  // A final response to a PRACK, 408 for none. T-27: one that was refused does not end the call; if nothing better has
  // come 64*T1 later, due() says so and the INVITE is cancelled.
  void prack_answered(std::uint16_t status, core::Instant now, core::Duration t1);
  // A final response to the INVITE came.
  void close() { give_up_ = core::never; }
  [[nodiscard]] bool due(core::Instant now);
  [[nodiscard]] core::Instant next_deadline() const { return give_up_; }

 private:
  core::Instant give_up_ = core::never;
  std::uint32_t rseq_ = 0;
  bool begun_ = false;
};

// The value of RAck for a fresh 1xx; `out` has room for rack_chars.
inline constexpr std::size_t rack_chars = 10 + 1 + 10 + 7;
[[nodiscard]] std::string_view rack_text(std::uint32_t rseq, std::uint32_t invite_cseq, char* out);

}  // namespace parley::sip

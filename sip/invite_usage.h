// sip/invite_usage.h - one INVITE session from the first INVITE to the last BYE, as state: events in, things to do out
// (RFC 3261 sections 13 to 15, 9; the tables are invite_rules.h). R3261-2, R3261-7, R3261-9, T-22 to T-24.
//
// Whoever owns it has the transactions, the dialogs and the bytes; this says when to send which. Its owner keeps the
// bytes of the 2xx while resends, and of the ACK, and comes back at next_deadline().
#pragma once

#include <cstdint>

#include "core/time.h"
#include "sip/call_rows.h"
#include "sip/invite_rules.h"
#include "sip/resend.h"

namespace parley::sip {

struct InviteConfig {
  core::Duration t1 = std::chrono::milliseconds(500);  // RFC 3261 section 17.1.1.1
  core::Duration t2 = std::chrono::seconds(4);
  core::Duration ring_max = std::chrono::seconds(180);  // our INVITE without final response: then CANCEL
  // Theirs without an answer of ours: then 480. Longer than ring_max and the wait after CANCEL, so that what an INVITE
  // of ours for it has come to is known first.
  core::Duration decide_max = std::chrono::seconds(180 + 32 + 8);
  CallRows* rows = nullptr;  // where the rows that are taken are noted; null: nowhere
};
[[nodiscard]] core::Duration limit_duration(const InviteConfig& config, InviteLimit limit);

class InviteUsage {
 public:
  enum class Side : std::uint8_t { invited, inviting };

  // The INVITE was received or has just been sent. The configuration outlives it.
  InviteUsage(Side side, const InviteConfig& config, core::Instant now);

  // What to do: bits of invite_do. Events of the other side's table are a mistake of ours.
  [[nodiscard]] std::uint32_t on(InviteEvent event, core::Instant now);

  // A 2xx to our INVITE; `dialog` tells dialogs apart (not 0; its hash or number). The first one decides; R3261-9:
  // those of other dialogs are acknowledged and ended each for itself (ack_bye_other).
  [[nodiscard]] std::uint32_t on_2xx(std::uint64_t dialog, core::Instant now);
  // 0 until a 2xx came.
  [[nodiscard]] std::uint64_t winner() const { return winner_; }

  // What time asks for; call it again until it answers 0.
  [[nodiscard]] std::uint32_t due(core::Instant now);
  [[nodiscard]] core::Instant next_deadline() const { return std::min(limit_, resend_.next_deadline()); }

  [[nodiscard]] InviteState state() const { return state_; }
  [[nodiscard]] bool inviting() const { return side_ == Side::inviting; }
  // The session is confirmed, or will be as soon as its ACK has come or gone.
  [[nodiscard]] bool answered() const {
    return state_ == InviteState::answered || state_ == InviteState::accepted || state_ == InviteState::confirmed;
  }
  [[nodiscard]] bool over() const { return state_ == InviteState::ended; }

 private:
  void enter(InviteState next, core::Instant now);

  const InviteConfig* config_;
  core::Instant limit_ = core::never;
  Resend resend_;
  std::uint64_t winner_ = 0;
  Side side_;
  InviteState state_;
};

}  // namespace parley::sip

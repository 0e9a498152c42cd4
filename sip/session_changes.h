// sip/session_changes.h - changing a session that stands or is about to: re-INVITE and UPDATE in both directions, who
// may offer when, and what happens when both want to at once (RFC 3261 section 14, RFC 3311 section 5, RFC 5407 section
// 3). R3261-6, R3311-1, R3311-2, R3264-3, T-21.
//
// One per dialog of an INVITE session. State only, as invite_usage.h; the table is change_rules.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/random.h"
#include "core/time.h"
#include "sip/change_rules.h"
#include "sip/invite_usage.h"
#include "sip/offer_track.h"

namespace parley::sip {

struct ChangeStep {
  std::uint32_t actions = 0;             // bits of change_do, and of those below
  std::uint8_t retry_after_seconds = 0;  // for answer_500
};
namespace change_do {
inline constexpr std::uint32_t try_again = 1
                                           << 16;  // the wait after a 491 is over: want it again, if it is still wanted
inline constexpr std::uint32_t take_update = 1 << 17;  // theirs: answer_update() it, promptly
}  // namespace change_do

class SessionChanges {
 public:
  // `offers` is that of the dialog in which the first INVITE was answered; `owns_call_id` decides who waits longer
  // after a 491. The configuration and the generator outlive it.
  SessionChanges(const InviteConfig& config, core::Random& random, const OfferTrack& offers, bool owns_call_id)
      : config_(&config), random_(&random), offers_(offers), owns_call_id_(owns_call_id) {}

  // --- ours: `sdp` says whether the message carries a description ---

  // send_invite: it goes out with that CSeq. busy: it must not (an INVITE or an offer is under way).
  [[nodiscard]] ChangeStep want(bool sdp, std::uint32_t cseq, core::Instant now);
  [[nodiscard]] ChangeStep on_2xx(std::uint32_t cseq, bool sdp, core::Instant now);
  [[nodiscard]] ChangeStep acknowledge(bool sdp, core::Instant now);
  // Another final response, 408 for none.
  [[nodiscard]] ChangeStep on_refusal(std::uint16_t status, core::Instant now);

  // Whether an UPDATE may go out: with an offer only when the first exchange is complete and no offer is open.
  [[nodiscard]] bool may_update(bool sdp) const;
  void update_sent(bool sdp);
  // Its final response, 408 for none.
  [[nodiscard]] ChangeStep update_answered(std::uint16_t status, bool sdp, core::Instant now);

  // --- theirs ---

  [[nodiscard]] ChangeStep on_invite(bool sdp, core::Instant now);
  [[nodiscard]] ChangeStep answer(bool sdp, core::Instant now);
  [[nodiscard]] ChangeStep refuse(core::Instant now);
  [[nodiscard]] ChangeStep on_cancel(core::Instant now);
  [[nodiscard]] ChangeStep on_ack(bool sdp, core::Instant now);

  [[nodiscard]] ChangeStep on_update(bool sdp);
  // 2xx, or a refusal such as 488 (with Warning) or 504 (nobody could be asked).
  void update_answer_sent(std::uint16_t status, bool sdp);

  // --- time ---

  // Until it answers nothing.
  [[nodiscard]] ChangeStep due(core::Instant now);
  [[nodiscard]] core::Instant next_deadline() const { return std::min({limit_, retry_, resend_.next_deadline()}); }
  // The session ends: what is under way is the owner's to refuse (theirs: 487), nothing comes any more. But our 2xx to
  // theirs goes out until its ACK comes or 64*T1 are over: their INVITE has no other final response (13.3.1.4).
  void stop();
  [[nodiscard]] bool repeats() const { return state_ == ChangeState::theirs_ok; }

  [[nodiscard]] ChangeState state() const { return state_; }
  // For what the first INVITE's reliable 1xx, PRACK, 2xx and ACK carry.
  [[nodiscard]] OfferTrack& offers() { return offers_; }
  [[nodiscard]] const OfferTrack& offers() const { return offers_; }

 private:
  [[nodiscard]] ChangeStep on(ChangeEvent event, core::Instant now);
  void wait_after_491(core::Instant now);
  [[nodiscard]] std::uint8_t retry_after();

  const InviteConfig* config_;
  core::Random* random_;
  OfferTrack offers_;
  Resend resend_;
  core::Instant limit_ = core::never;
  core::Instant retry_ = core::never;
  std::uint32_t cseq_ = 0;  // of our latest re-INVITE
  ChangeState state_ = ChangeState::quiet;
  bool owns_call_id_;
  bool update_ours_ = false;  // out, without final response
  bool update_ours_sdp_ = false;
  bool update_theirs_ = false;
  bool update_theirs_sdp_ = false;
};

}  // namespace parley::sip

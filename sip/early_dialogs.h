// sip/early_dialogs.h - the dialogs that one INVITE of ours has opened: one per To tag that answered (RFC 3261
// sections 12.1.2 and 13.2.2.4; R3261-9, R3262-3, T-26).
//
// Each has its own numbers of reliable responses and its own answer to our offer. Until a 2xx decides, all are early;
// the winner's dialog then moves out and the others end with their INVITE.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/pool.h"
#include "sip/dialog.h"
#include "sip/offer_track.h"
#include "sip/reliable_provisional.h"

namespace parley::sip {

// Early dialogs of one INVITE: devices behind one proxy of the peer. More are only known again by their 2xx.
inline constexpr std::size_t early_dialogs_max = 8;

struct EarlyDialog {
  Dialog dialog;
  ReliableReceiver reliable;
  OfferTrack offers;
  std::uint64_t number = 0;  // for InviteUsage::on_2xx, never 0
};

class EarlyDialogs {
 public:
  // The pool outlives it. `offers` as our INVITE left it.
  EarlyDialogs(core::Pool& pool, const OfferTrack& offers) : pool_(&pool), offers_(offers) {}

  // The dialog that a 101-199 with To tag or a 2xx belongs to: known, or opened now. A 2xx confirms it. Null with a
  // fault; too_long also when there is no room for another early dialog. A 2xx takes the place of an early one when
  // there is none: it has to be acknowledged. A `fault` with a dialog tells of a route set that could not be read.
  [[nodiscard]] EarlyDialog* take(const OpeningRequest& ours, const Head& response, std::string_view bytes,
                                  const Essentials& essentials, DialogFault& fault);
  // In which one a request came: a PRACK's peer may send UPDATE, NOTIFY or BYE. Null: 481.
  [[nodiscard]] EarlyDialog* find(std::string_view remote_tag);
  [[nodiscard]] EarlyDialog* find(std::uint64_t number);
  void drop(std::uint64_t number);
  // A final response other than 2xx, or the end of waiting for more: all early ones are gone (13.2.2.3).
  void drop_early();

  // A number that is due to give up on a refused PRACK (T-27); 0 for none.
  [[nodiscard]] std::uint64_t due(core::Instant now);
  [[nodiscard]] core::Instant next_deadline() const;
  [[nodiscard]] std::size_t size() const;

 private:
  [[nodiscard]] std::optional<EarlyDialog>* free_place(bool for_2xx);

  core::Pool* pool_;
  OfferTrack offers_;
  std::uint64_t numbers_ = 0;
  std::array<std::optional<EarlyDialog>, early_dialogs_max> dialogs_;
};

}  // namespace parley::sip

// sip/invite_usage.cc - the driver of the tables in invite_rules.h.
#include "sip/invite_usage.h"

#include "core/check.h"

namespace parley::sip {

core::Duration limit_duration(const InviteConfig& config, InviteLimit limit) {
  switch (limit) {
    case InviteLimit::none: break;
    case InviteLimit::decide: return config.decide_max;
    case InviteLimit::ring: return config.ring_max;
    case InviteLimit::cancel:
    case InviteLimit::ack: return 64 * config.t1;
  }
  return core::Duration::max();
}

InviteUsage::InviteUsage(Side side, const InviteConfig& config, core::Instant now)
    : config_(&config), side_(side), state_(side == Side::invited ? InviteState::proceeding : InviteState::calling) {
  limit_ = now + limit_duration(config, limit_of(state_));
}

std::uint32_t InviteUsage::on(InviteEvent event, core::Instant now) {
  const InviteRow& row = invite_row(inviting(), state_, event);
  CHECK(row.kind != RowKind::missing);
  CHECK(row.kind != RowKind::never);
  if (config_->rows != nullptr) (inviting() ? config_->rows->inviting : config_->rows->invited).take(state_, event);
  enter(row.next, now);
  return row.actions;
}

void InviteUsage::enter(InviteState next, core::Instant now) {
  const InviteLimit limit = limit_of(next);
  if (limit == InviteLimit::none) {
    limit_ = core::never;
  } else if (limit != limit_of(state_)) {
    limit_ = now + limit_duration(*config_, limit);
  }
  if (resends(next) != resends(state_)) {
    if (resends(next)) {
      resend_.start(now, config_->t1, config_->t2);
    } else {
      resend_.stop();
    }
  }
  state_ = next;
}

std::uint32_t InviteUsage::on_2xx(std::uint64_t dialog, core::Instant now) {
  CHECK(dialog != 0);
  if (winner_ == 0) {
    winner_ = dialog;
    return on(InviteEvent::got_2xx, now);
  }
  return on(winner_ == dialog ? InviteEvent::got_2xx_again : InviteEvent::got_2xx_other, now);
}

std::uint32_t InviteUsage::due(core::Instant now) {
  if (now >= limit_) {
    limit_ = core::never;
    // A state without an edge that starts it anew has none (invite_rules.cc, check 3).
    return on(InviteEvent::limit, now);
  }
  // Both end after 64*T1: the limit decides, the resending only stops.
  return resend_.due(now) == Resend::Due::again ? invite_do::send_2xx_again : 0;
}

}  // namespace parley::sip

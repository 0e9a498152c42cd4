// policy/overload.h - how much of the work a shard has to let go, as one number: the overload ladder.
//
//   0  normal
//   1  nothing is refused; connections of strangers may be idle for half as long
//   2  refused: new sessions, OPTIONS, SUBSCRIBE
//   3  also: MESSAGE outside dialogs, early refreshes of registrations; connections of strangers end when idle
//   4  all but ACK, BYE, CANCEL, and what has priority (RFC 4412, RFC 5031)
//
// The worse of two measures counts: how late the shard's Inputs are, and how full the memory is that --heap-max bounds.
// A step of the ladder is entered at its value and left when the measure was below 80 % of it for a second, so that the
// refusals of one moment do not invite the flood of the next. Lateness has to last: one late turn (a page that was not
// there, a core that was taken away) is no overload, a queue that does not get shorter is. Memory counts at once.
//
// The second in which a level is left is no edge: of what only this level refuses, more and more is let in, from none
// to all, and half as much as soon as the measure is near its value again. Else each end of a level would be the
// beginning of the next one: refusing costs a tenth of serving, so a shard that refuses everything is idle at once.
//
// What is refused at which level is overload_refused_from(); how: 503 without Retry-After (RFC 7339 section 5.10.2:
// with it clients would go away together and come back together), before anything is kept of the request.
//
// A value, one per shard: no clock, no memory, two comparisons per rung and step.
#pragma once

#include <array>
#include <cstdint>

#include "core/time.h"
#include "sip/head.h"

namespace parley::policy {

inline constexpr unsigned overload_levels = 4;  // besides 0

struct OverloadConfig {
  // By level. All zero: that measure is not looked at. Rising otherwise.
  std::array<core::Duration, overload_levels> lag{std::chrono::milliseconds(10), std::chrono::milliseconds(20),
                                                  std::chrono::milliseconds(50), std::chrono::milliseconds(100)};
  std::array<std::uint32_t, overload_levels> memory_percent{85, 92, 95, 98};
};

class Overload {
 public:
  static constexpr core::Duration lasting = std::chrono::milliseconds(100);   // how long lateness has to last
  static constexpr core::Duration calm = std::chrono::seconds(1);             // below the value for so long: left
  static constexpr core::Duration feedback = std::chrono::milliseconds(100);  // until a change of what is let in shows

  // Of one step. The level now.
  unsigned look(const OverloadConfig& config, const core::Now& now, std::uint64_t bytes, std::uint64_t bytes_max);
  [[nodiscard]] unsigned level() const { return level_; }
  // How many of a thousand requests that are refused from this level on are let in nevertheless.
  [[nodiscard]] std::uint32_t let_in_per_mille() const { return static_cast<std::uint32_t>(eased_ * 1000 / calm); }
  // When to look again although nothing happens: an idle shard has to come down, too.
  [[nodiscard]] core::Instant next_deadline() const;

 private:
  // One step of the ladder for one measure.
  struct Rung {
    bool entered = false;
    bool above = false;     // at the last look
    core::Instant since{};  // above: from when on without a break
    core::Instant until{};  // entered: when it is left, if the measure stays low
    bool near = false;      // at the last look: at or above 80 %
    void look(bool at_value, bool near_value, core::Duration lasts, core::Instant now);
  };
  void ease(unsigned before, core::Duration since_last_look, core::Instant now);

  std::array<Rung, overload_levels> late_;
  std::array<Rung, overload_levels> full_;
  core::Instant last_look_{};
  core::Duration eased_{};  // 0 to `calm`
  core::Instant cut_{};     // when it was last halved
  unsigned level_ = 0;
};

// What the ladder asks of a request.
struct OverloadQuestion {
  sip::Method method = sip::Method::other;
  bool in_dialog = false;       // has a To tag
  bool ends_something = false;  // Expires: 0
  bool early_refresh = false;   // a REGISTER that could wait: half of the binding's time is still to come
};
// The least level at which a request without priority is refused: 2 to 4; 5: never.
[[nodiscard]] unsigned overload_refused_from(const OverloadQuestion& question);

}  // namespace parley::policy

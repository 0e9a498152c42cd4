// sip/resend.h - when to send a response again that its receiver has to acknowledge end to end: a 2xx to INVITE (RFC
// 3261 section 13.3.1.4: T1, doubling up to T2) and a reliable 1xx (RFC 3262 section 3: T1, doubling without end). On
// every transport; given up after 64*T1.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/time.h"

namespace parley::sip {

class Resend {
 public:
  enum class Due : std::uint8_t { nothing, again, over };

  // It was sent at `now` for the first time.
  void start(core::Instant now, core::Duration t1, core::Duration interval_max) {
    interval_ = t1;
    interval_max_ = interval_max;
    next_ = now + t1;
    end_ = now + 64 * t1;
  }
  void stop() { next_ = end_ = core::never; }

  // again: send it now. over: nobody has acknowledged it; it is stopped. A late call sends once, not once for each
  // interval missed.
  [[nodiscard]] Due due(core::Instant now) {
    if (now >= end_) {
      stop();
      return Due::over;
    }
    if (now < next_) return Due::nothing;
    interval_ = std::min(2 * interval_, interval_max_);
    next_ = std::min(now + interval_, end_);
    return Due::again;
  }
  [[nodiscard]] core::Instant next_deadline() const { return next_; }
  [[nodiscard]] bool running() const { return end_ != core::never; }

 private:
  core::Instant next_ = core::never;
  core::Instant end_ = core::never;
  core::Duration interval_{};
  core::Duration interval_max_{};
};

}  // namespace parley::sip

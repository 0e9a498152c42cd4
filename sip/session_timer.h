// sip/session_timer.h - session timers (RFC 4028): what is asked for, what is granted, who refreshes, and when a
// session without refreshes is over. R4028-1, R4028-2, R4028-3, R4028-4, T-10, T-14, T-28, T-29.
//
// Values: a SessionTimer belongs to one dialog and is told what was sent and received; the answers are headers to write
// and an instant to come back at. Intervals are in seconds, as on the wire.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/time.h"
#include "sip/head.h"
#include "sip/timer_headers.h"
#include "sip/tokens.h"

namespace parley::sip {

inline constexpr std::uint32_t min_se_floor_seconds =
    90;  // RFC 4028 section 5: no Min-SE is lower, an absent one is it

struct SessionTimerConfig {
  std::uint32_t interval_seconds = 1800;  // asked for, and granted at most: RFC 4028 section 4 recommends no less
  std::uint32_t min_se_seconds = min_se_floor_seconds;  // below it a 422, where the peer understands one
  // Above it a 422's Min-SE is not followed: the session would never be seen to be dead.
  std::uint32_t interval_seconds_max = 24 * 3600;
  // As UAS: a timer also for a peer that did not ask. To one that does not support it we are the refresher, without
  // Require (section 9, table 2).
  bool want = true;
  Refresher prefer = Refresher::uac;  // as UAS, where the peer leaves it open; absent: we refresh
  Refresher ask = Refresher::absent;  // as UAC: leaving it open is recommended (section 7.1)
  bool alone = false;                 // as UAC: refresh also toward a peer without timers (section 7.2)
};

// What a request or a 2xx says.
struct TimerText {
  bool supported = false;  // "timer" in Supported; in Require too (T-14)
  bool has_expires = false;
  SessionExpires expires;
  std::uint32_t min_se = 0;  // 0: none
};
[[nodiscard]] TimerText read_timer(const Head& head, std::string_view bytes);

// --- UAS ---

struct TimerGrant {
  bool refuse = false;       // 422 with min_se
  std::uint32_t min_se = 0;  // refuse: the value of Min-SE
  bool on = false;           // the 2xx has Session-Expires
  SessionExpires expires;    // always with a refresher
  bool require = false;      // and "Require: timer"
};

// --- UAC ---

// Headers of a session refresh request; "Supported: timer" is in every request of ours.
struct TimerAsk {
  bool on = false;
  SessionExpires expires;
  std::uint32_t min_se = 0;  // 0: no header
};

enum class TimerFact : std::uint8_t { nothing, refresh, expired };  // expired: BYE
enum class TimerRetry : std::uint8_t {
  now,    // the same request with timer_ask() anew, CSeq one more (422)
  later,  // next_deadline() says when; the session lives until it expires
  end,    // BYE
};

class SessionTimer {
 public:
  // What to do with a session refresh request: the INVITE, a re-INVITE or an UPDATE. Remembers its Min-SE.
  [[nodiscard]] TimerGrant grant(const SessionTimerConfig& config, const TimerText& request);
  // The 2xx that carries it goes out.
  void granted(const TimerGrant& grant, core::Instant now);

  // For the INVITE that opens the dialog, and for each re-INVITE and UPDATE in it.
  [[nodiscard]] TimerAsk ask(const SessionTimerConfig& config) const;
  // A 2xx to a request that carried `asked`. T-28: no Session-Expires turns the timer off, a larger one than asked for
  // counts as ours, a missing refresher is uac when we asked and else uas.
  void answered(const SessionTimerConfig& config, const TimerAsk& asked, const TimerText& response, core::Instant now);
  // A final response of another kind, 408 for none at all. `min_se` is that of a 422, 0 without.
  [[nodiscard]] TimerRetry refused(const SessionTimerConfig& config, const TimerAsk& asked, std::uint16_t status,
                                   std::uint32_t min_se, core::Instant now);
  void stop() { due_ = expires_ = core::never; }

  // refresh is told once; then answered() or refused() says how it goes on.
  [[nodiscard]] TimerFact due(core::Instant now);
  [[nodiscard]] core::Instant next_deadline() const { return due_; }

  [[nodiscard]] bool on() const { return interval_ != 0; }
  [[nodiscard]] std::uint32_t interval_seconds() const { return interval_; }
  [[nodiscard]] bool we_refresh() const { return we_refresh_; }
  [[nodiscard]] core::Instant expires() const { return expires_; }

 private:
  void start(std::uint32_t seconds, bool we_refresh, core::Instant now);
  void off();

  core::Instant expires_ = core::never;
  core::Instant due_ = core::never;
  std::uint32_t interval_ = 0;  // 0: no timer
  std::uint32_t min_se_ = 0;    // largest heard, 0: none
  bool we_refresh_ = false;
  bool in_dialog_ = false;  // a 2xx has been seen
};

// UPDATE without SDP when the peer's Allow has it, else a re-INVITE with the SDP unchanged (section 7.4).
[[nodiscard]] inline Method refresh_method(MethodSet peer_allows) {
  return peer_allows.has(Method::update) ? Method::update : Method::invite;
}

// --- a proxy that wants to see sessions end (section 8) ---

// Kept from request to response.
struct ProxyTimer {
  std::uint32_t interval = 0;  // of the request as it went on; 0: none
  bool peer_supports = false;
};
struct ProxyTimerEdit {
  bool refuse = false;        // 422 with min_se
  std::uint32_t min_se = 0;   // refuse; else not 0: Min-SE becomes this
  std::uint32_t expires = 0;  // not 0: Session-Expires becomes this, its refresher stays as it is
  Refresher refresher = Refresher::absent;
};
[[nodiscard]] ProxyTimerEdit proxy_timer_request(const SessionTimerConfig& config, const TimerText& request,
                                                 ProxyTimer& kept);
// Not 0: the 2xx gets "Session-Expires: N;refresher=uac" and "timer" in Require.
[[nodiscard]] std::uint32_t proxy_timer_response(const ProxyTimer& kept, const TimerText& response);

// The value of Session-Expires; `out` has room for session_expires_chars.
inline constexpr std::size_t session_expires_chars = 10 + 14;
[[nodiscard]] std::string_view session_expires_text(const SessionExpires& value, char* out);

}  // namespace parley::sip

// sip/session_timer.cc - see session_timer.h.
#include "sip/session_timer.h"

#include <algorithm>

#include "core/text_out.h"

namespace parley::sip {
namespace {

using std::chrono::seconds;

// A failed refresh is tried again after half of the time that is left, but not more often than this.
constexpr core::Duration retry_min = seconds(5);
// The side that waits for refreshes ends the session this long before it expires, at most (section 10).
constexpr core::Duration early_max = seconds(32);

std::uint32_t floor_of(const SessionTimerConfig& config) {
  return std::max(config.min_se_seconds, min_se_floor_seconds);
}

// Table 2 of section 9.
Refresher refresher_of(const SessionTimerConfig& config, const TimerText& request, bool running, bool we_refresh) {
  if (!request.supported) return Refresher::uas;                                         // rows 1 to 3
  if (request.expires.refresher != Refresher::absent) return request.expires.refresher;  // rows 5 and 6
  if (running) return we_refresh ? Refresher::uas : Refresher::uac;          // row 4: roles stay as they are
  return config.prefer == Refresher::uac ? Refresher::uac : Refresher::uas;  // row 4
}

}  // namespace

TimerText read_timer(const Head& head, std::string_view bytes) {
  TimerText text;
  OptionSet options;
  for (const HeaderId id : {HeaderId::supported, HeaderId::require}) {
    for (const Header* line = head.first(id); line != nullptr; line = head.next(*line)) {
      add_options(line->value.of(bytes), options);
    }
  }
  text.supported = options.has(OptionTag::timer);
  const std::string_view expires = head.value(HeaderId::session_expires, bytes);
  text.has_expires = expires.data() != nullptr && parse_session_expires(expires, text.expires);
  const std::string_view min_se = head.value(HeaderId::min_se, bytes);
  if (min_se.data() != nullptr && !parse_seconds(min_se, text.min_se)) text.min_se = 0;
  return text;
}

TimerGrant SessionTimer::grant(const SessionTimerConfig& config, const TimerText& request) {
  TimerGrant grant;
  const std::uint32_t floor = floor_of(config);
  if (request.has_expires && request.supported && request.expires.seconds < floor) {
    grant.refuse = true;  // 4028 9
    grant.min_se = floor;
    return grant;
  }
  min_se_ = std::max(min_se_, request.min_se);  // 4028 7.4
  const std::uint32_t lowest = std::max(min_se_floor_seconds, request.min_se);
  if (request.has_expires) {
    // Too short for us, from a peer that understands no 422: no timer, rather than a refresh every other second.
    if (request.expires.seconds < floor) return grant;
    // Only lowered, and not below what the request and the RFC allow (4028 9).
    grant.expires.seconds = std::min(request.expires.seconds, std::max(config.interval_seconds, lowest));
  } else {
    if (!config.want && !on()) return grant;  // one that runs is not given up because its peer does not ask
    grant.expires.seconds = std::max(config.interval_seconds, lowest);
  }
  grant.on = true;
  grant.expires.refresher = refresher_of(config, request, on(), we_refresh_);
  // 4028 9: MUST where the peer refreshes, SHOULD where it only has to know.
  grant.require = grant.expires.refresher == Refresher::uac || request.supported;
  return grant;
}

void SessionTimer::granted(const TimerGrant& grant, core::Instant now) {
  in_dialog_ = true;
  if (!grant.on) return off();
  start(grant.expires.seconds, grant.expires.refresher == Refresher::uas, now);
}

TimerAsk SessionTimer::ask(const SessionTimerConfig& config) const {
  TimerAsk ask;
  ask.min_se = min_se_;
  if (in_dialog_ && !on()) return ask;
  ask.on = true;
  if (on()) {
    // 4028 7.4: the current interval again, and nobody changes roles.
    ask.expires.seconds = std::max({interval_, min_se_, min_se_floor_seconds});
    ask.expires.refresher = we_refresh_ ? Refresher::uac : Refresher::uas;
  } else {
    ask.expires.seconds = std::max({config.interval_seconds, min_se_, min_se_floor_seconds});
    ask.expires.refresher = config.ask;
  }
  return ask;
}

void SessionTimer::answered(const SessionTimerConfig& config, const TimerAsk& asked, const TimerText& response,
                            core::Instant now) {
  if (!in_dialog_) min_se_ = 0;  // 4028 7.4: what 422s said before there was a dialog is forgotten
  in_dialog_ = true;
  if (!response.has_expires) {
    if (config.alone && asked.on) return start(asked.expires.seconds, true, now);
    return off();  // 4028 7.2, T-28
  }
  std::uint32_t interval = response.expires.seconds;
  if (asked.on) interval = std::min(interval, asked.expires.seconds);  // T-28
  interval = std::max(interval, min_se_floor_seconds);                 // lower is not allowed, and would keep us busy
  const bool uac =
      response.expires.refresher == Refresher::absent ? asked.on : response.expires.refresher == Refresher::uac;
  start(interval, uac, now);
}

TimerRetry SessionTimer::refused(const SessionTimerConfig& config, const TimerAsk& asked, std::uint16_t status,
                                 std::uint32_t min_se, core::Instant now) {
  if (status == 422) {
    // The same refusal again would bring the same request again: only a larger value is followed (4028 7.3, 10).
    const std::uint32_t sent = asked.on ? std::max(asked.expires.seconds, asked.min_se) : asked.min_se;
    if (min_se > sent && min_se <= config.interval_seconds_max) {
      min_se_ = std::max(min_se_, min_se);
      return TimerRetry::now;
    }
  }
  if (!in_dialog_) return TimerRetry::end;
  if (status == 408 || status == 481) return TimerRetry::end;  // 4028 10
  // Only a refresh of our own duty is tried again; any other request just failed.
  if (we_refresh_ && on() && due_ == expires_) {
    due_ = std::min(expires_, now + std::max<core::Duration>((expires_ - now) / 2, retry_min));
  }
  return TimerRetry::later;
}

TimerFact SessionTimer::due(core::Instant now) {
  if (due_ == core::never || now < due_) return TimerFact::nothing;
  if (we_refresh_ && now < expires_) {
    due_ = expires_;
    return TimerFact::refresh;
  }
  off();
  return TimerFact::expired;
}

void SessionTimer::start(std::uint32_t interval, bool we_refresh, core::Instant now) {
  const core::Duration whole = seconds(interval);
  interval_ = interval;
  we_refresh_ = we_refresh;
  expires_ = now + whole;
  due_ = we_refresh ? now + whole / 2 : expires_ - std::min(early_max, whole / 3);  // 4028 10
}

void SessionTimer::off() {
  interval_ = 0;
  stop();
}

ProxyTimerEdit proxy_timer_request(const SessionTimerConfig& config, const TimerText& request, ProxyTimer& kept) {
  ProxyTimerEdit edit;
  const std::uint32_t floor = floor_of(config);
  kept = {.interval = request.has_expires ? request.expires.seconds : 0, .peer_supports = request.supported};
  std::uint32_t lowest = std::max(request.min_se, min_se_floor_seconds);
  if (request.has_expires && request.expires.seconds < floor) {
    if (request.supported) {
      edit.refuse = true;  // 4028 8.1
      edit.min_se = floor;
      return edit;
    }
    // It could do nothing with a 422: Min-SE is raised and the interval with it. Never where "timer" is supported.
    if (request.min_se < floor) edit.min_se = floor;
    lowest = std::max(lowest, floor);
  }
  const std::uint32_t now = kept.interval;
  std::uint32_t wish = now;
  if (now == 0) {
    wish = std::max(config.interval_seconds, lowest);  // ours to insert, without a refresher
  } else if (now < lowest) {
    wish = lowest;  // 4028 8.1: the one case in which it is raised
  } else {
    wish = std::min(now, std::max(config.interval_seconds, lowest));
  }
  if (wish != now) {
    edit.expires = wish;
    edit.refresher = request.has_expires ? request.expires.refresher : Refresher::absent;
  }
  kept.interval = wish;
  return edit;
}

std::uint32_t proxy_timer_response(const ProxyTimer& kept, const TimerText& response) {
  // 4028 8.2: the UAS knows no timers; the UAC does, and has to be told that it refreshes.
  return response.has_expires || !kept.peer_supports ? 0 : kept.interval;
}

std::string_view session_expires_text(const SessionExpires& value, char* out) {
  core::TextOut text(out);
  text.number(value.seconds);
  if (value.refresher == Refresher::uac) text.put(";refresher=uac");
  if (value.refresher == Refresher::uas) text.put(";refresher=uas");
  return {out, text.size()};
}

}  // namespace parley::sip

// tests/sim/sip/agent_timer.cc - see agent.h. Session timers (RFC 4028), as a client and a server of them; and that no
// session outlives its timer.
#include <algorithm>
#include <cstdlib>

#include "tests/sim/sip/agent.h"

namespace parley::sim::sip {
namespace {

constexpr std::uint32_t least_ever = 90;  // RFC 4028 section 4

std::uint32_t seconds_of(const Message& m, std::string_view name) {
  return static_cast<std::uint32_t>(std::strtoul(m.value(name).c_str(), nullptr, 10));
}

}  // namespace

void Agent::ask_timer(Message& m, const Dialog* d, std::uint32_t at_least) const {
  if (!traits_.timer) return;
  const bool runs = d != nullptr && d->interval != 0;
  std::uint32_t wish = runs ? d->interval : traits_.asks;
  if (wish == 0 && at_least == 0) return;
  wish = std::max({wish, at_least, traits_.min_se});
  const std::string who = runs ? d->we_refresh ? "uac" : "uas" : traits_.refresher;
  m.add("Session-Expires", std::to_string(wish) + (who.empty() ? "" : ";refresher=" + who));
  const std::uint32_t least = std::max(traits_.min_se, at_least);
  if (least != 0) m.add("Min-SE", std::to_string(least));
}

bool Agent::too_short(const Message& request) const {
  const std::uint32_t wish = seconds_of(request, "Session-Expires");
  return traits_.timer && wish != 0 && wish < traits_.min_se && request.lists("Supported", "timer");
}

// Whether what we asked for may be answered 422 with that Min-SE: only who knows timers is told so, and what was shorter (RFC
// 4028 sections 8.1 and 9). Where the server proxies it may put in another time than was asked for, though none below Min-SE.
bool Agent::too_short(const Message& asked, std::uint32_t least) const {
  if (!asked.lists("Supported", "timer") || least <= seconds_of(asked, "Min-SE")) return false;
  return !legs() || (asked.has("Session-Expires") && least > seconds_of(asked, "Session-Expires"));
}

// RFC 4028 section 9.
void Agent::grant_timer(const Message& request, Fields& fields, const std::string& dialog) {
  if (!traits_.timer) return;
  const std::uint32_t wish = seconds_of(request, "Session-Expires");
  const bool peer = request.lists("Supported", "timer");
  if (wish == 0 && !rng_.coin(1, 3)) return run_session(dialog, 0, false);
  const std::uint32_t least = std::max({least_ever, seconds_of(request, "Min-SE"), traits_.min_se});
  std::uint32_t interval = wish;
  if (wish == 0) interval = rng_.between32(least, least + 200);
  if (wish > least && rng_.coin(1, 2)) interval = rng_.between32(least, wish);
  std::string who = parameter(request.value("Session-Expires"), "refresher");
  if (!peer) {
    who = "uas";
  } else if (who.empty()) {
    who = rng_.coin(1, 2) ? "uac" : "uas";
  }
  fields.emplace_back("Session-Expires", std::to_string(interval) + ";refresher=" + who);
  if (who == "uac") fields.emplace_back("Require", "timer");
  run_session(dialog, interval, who == "uas");
}

void Agent::timer_answered(const std::string& dialog, const Message& asked, const Message& answer) {
  if (!answer.has("Session-Expires")) return run_session(dialog, 0, false);
  const std::uint32_t interval = seconds_of(answer, "Session-Expires");
  const std::uint32_t wish = seconds_of(asked, "Session-Expires");
  const std::string who = parameter(answer.value("Session-Expires"), "refresher");
  const std::string wanted = parameter(asked.value("Session-Expires"), "refresher");
  const std::string all = answer.value("Session-Expires");
  const bool known = asked.lists("Supported", "timer");
  if (interval < least_ever) return fail("a session timer of " + all);
  if (who != "uac" && who != "uas") return fail("a session timer that nobody is to refresh: " + all);
  if (wish != 0 && interval > wish) return fail("a session timer of " + all + ", asked for " + std::to_string(wish));
  if (interval < seconds_of(asked, "Min-SE")) return fail("a session timer below Min-SE: " + all);
  // A proxy that answers for a callee without timers makes it the caller (RFC 4028 section 8.2).
  if (!wanted.empty() && known && who != wanted && legs()) return fail("refresher=" + who + ", asked for " + wanted);
  if (!known && (who == "uac" || answer.lists("Require", "timer")))
    return fail("a session timer for who knows none: " + all);
  if (who == "uac" && !answer.lists("Require", "timer")) return fail("no Require: timer for " + all);
  run_session(dialog, interval, who == "uac");
}

// It begins anew with each refresh, and with the 2xx to the INVITE (RFC 4028 sections 7.2 and 9): an early dialog has none.
void Agent::run_session(const std::string& dialog, std::uint32_t interval, bool we_refresh) {
  Dialog& d = dialogs_[dialog];
  const unsigned round = ++d.round;
  d.interval = traits_.timer && !d.early ? interval : 0;
  d.we_refresh = we_refresh;
  d.refreshed = world_.agenda.now();
  if (d.interval == 0) return;
  const Duration whole = std::chrono::seconds(interval);
  if (we_refresh && !rng_.permille(traits_.lapse_permille))
    after(whole / 2, [this, dialog, round] { refresh(dialog, round); });
  if (legs() && !we_refresh) {
    after(whole * 9 / 10, [this, dialog, round] {
      const Dialog& d2 = dialogs_[dialog];
      if (!d2.over && !ending_ && d2.round == round && d2.tried != round && in_good_times(d2))
        fail("the server does not refresh a session of " + std::to_string(d2.interval) + " s: " + d2.call_id);
    });
  }
  // Where the server ends sessions it has to have done so; else the user agent does it itself (section 10).
  const Duration end = legs() ? whole + 3s : whole - std::min<Duration>(32s, whole / 3);
  after(end, [this, dialog, round] { expire(dialog, round); });
}

void Agent::refresh(const std::string& dialog, unsigned round) {
  const Dialog& d = dialogs_[dialog];
  if (d.over || ending_ || d.round != round || !d.we_refresh) return;
  if (d.offering || d.asked) {
    after(2s, [this, dialog, round] { refresh(dialog, round); });
  } else if (d.peer_updates) {
    update(dialog, false);
  } else {
    re_invite(dialog, true);
  }
}

// Nothing that was said of it since its last refresh can have been lost.
bool Agent::in_good_times(const Dialog& d) {
  const unsigned life = book_.sessions[d.ref].sides[d.side].life;
  return !liar_ && !unreachable() && life == book_.life && !book_.pressure && book_.calm_at < d.refreshed;
}

// Nobody has refreshed it.
void Agent::expire(const std::string& dialog, unsigned round) {
  const Dialog& d = dialogs_[dialog];
  if (d.over || ending_ || d.round != round) return;
  if (legs() && in_good_times(d)) {
    return fail("a session outlives its timer of " + std::to_string(d.interval) + " s: " + d.call_id +
                ", refreshed by " + (d.we_refresh ? "me" : "the server"));
  }
  hang_up(dialog);
}

}  // namespace parley::sim::sip

// sip/subscription_rules.h - a subscription as its notifier and as its subscriber sees it, in two tables, and what ends
// one (RFC 6665 figures in sections 4.1.2 and 4.2.2). notifier.h and subscriber.h drive them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sip/event_headers.h"

namespace parley::sip::subscription_rules {

enum class RowKind : std::uint8_t { go, absorb, never };

template <class State, class Event>
struct Row {
  State state;
  Event event;
  State next;
  std::uint8_t actions;
  RowKind kind;
};
template <class State, class Event>
constexpr Row<State, Event> go(State state, Event event, State next, int actions = 0) {
  return {state, event, next, static_cast<std::uint8_t>(actions), RowKind::go};
}
template <class State, class Event>
constexpr Row<State, Event> absorb(State state, Event event) {
  return {state, event, state, 0, RowKind::absorb};
}
template <class State, class Event>
constexpr Row<State, Event> never(State state, Event event) {
  return {state, event, state, 0, RowKind::never};
}

// Every (state, event) has one row, where a look-up by number finds it.
template <class Rows>
constexpr bool complete(const Rows& rows, std::size_t states, std::size_t events) {
  if (rows.size() != states * events) return false;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    if (static_cast<std::size_t>(rows[n].state) != n / events) return false;
    if (static_cast<std::size_t>(rows[n].event) != n % events) return false;
  }
  return true;
}

// R6665-4: a NOTIFY, or the SUBSCRIBE of a refresh, that is answered so, ends the subscription (4.1.2.2, 4.2.2).
constexpr bool ends_subscription(unsigned status) {
  switch (status) {
    case 404:
    case 405:
    case 410:
    case 416:
    case 489:
    case 501:
    case 604: return true;
    default: return status >= 480 && status <= 485;
  }
}

// ---- the notifier ----

enum class NotifierState : std::uint8_t {
  pending,  // nobody has decided yet whether it may
  active,
  ending,  // the last NOTIFY is on its way or waits to be sent; over with its answer
  gone,
};
inline constexpr std::size_t notifier_states = 4;

enum class NotifierEvent : std::uint8_t {
  refresh,      // SUBSCRIBE with some time to go
  unsubscribe,  // SUBSCRIBE with Expires: 0
  grant,
  change,  // of what is watched
  end,     // by us: policy, or what is watched has gone
  expire,
  notify_ok,       // 2xx to a NOTIFY
  notify_failed,   // an error that says nothing about the subscription
  notify_fatal,    // ends_subscription(), or no answer (Timer F)
  final_answered,  // any of the three, for the last NOTIFY
  dialog_gone,     // what it was sent in has ended
};
inline constexpr std::size_t notifier_events = 11;

enum NotifierAction : std::uint8_t {
  arm_expiry = 1,
  notify_now = 2,   // with everything there is to say
  notify_soon = 4,  // as soon as the package's shortest interval allows and no other NOTIFY is unanswered
  notify_last = 8,  // Subscription-State: terminated
  say_all = 16,     // the next NOTIFY must not build on one that may not have arrived
  destroy = 32,
};

constexpr auto make_notifier_rows() {
  using enum NotifierState;
  using enum NotifierEvent;
  return std::array{
      // state  event          next     actions                     RFC 6665
      go(pending, refresh, pending, arm_expiry | notify_now),  // 4.2.1.2, 4.2.1.4
      go(pending, unsubscribe, ending, notify_last),           // 4.2.1.4, 4.4.3
      go(pending, grant, active, notify_now),                  // 4.2.2
      absorb(pending, change),                                 // what it may not know yet
      go(pending, end, ending, notify_last),                   // 4.2.1.3
      go(pending, expire, ending, notify_last),                // 4.2.1.4
      absorb(pending, notify_ok),
      absorb(pending, notify_failed),            // 4.2.2; nothing was said that could be missed
      go(pending, notify_fatal, gone, destroy),  // 4.2.2
      never(pending, final_answered),            // it was not sent
      go(pending, dialog_gone, gone, destroy),   // 4.5.2

      go(active, refresh, active, arm_expiry | notify_now),  // 4.2.1.2, 4.2.1.4
      go(active, unsubscribe, ending, notify_last),          // 4.2.1.4, 4.4.3
      absorb(active, grant),
      go(active, change, active, notify_soon),  // 4.2.2
      go(active, end, ending, notify_last),     // 4.2.2
      go(active, expire, ending, notify_last),  // 4.2.1.4
      absorb(active, notify_ok),
      go(active, notify_failed, active, say_all),  // 4.2.2: it stays
      go(active, notify_fatal, gone, destroy),     // 4.2.2
      never(active, final_answered),
      go(active, dialog_gone, gone, destroy),  // 4.5.2

      absorb(ending, refresh),  // find() does not show it: a SUBSCRIBE meets 481 or begins anew
      absorb(ending, unsubscribe),
      absorb(ending, grant),
      absorb(ending, change),
      absorb(ending, end),
      absorb(ending, expire),
      absorb(ending, notify_ok),  // of an earlier one
      absorb(ending, notify_failed),
      go(ending, notify_fatal, gone, destroy),    // of an earlier one; the last would be answered alike
      go(ending, final_answered, gone, destroy),  // 4.4.1
      go(ending, dialog_gone, gone, destroy),     // 4.5.2

      never(gone, refresh),  // a stale id finds no subscription
      never(gone, unsubscribe),
      never(gone, grant),
      never(gone, change),
      never(gone, end),
      never(gone, expire),
      never(gone, notify_ok),
      never(gone, notify_failed),
      never(gone, notify_fatal),
      never(gone, final_answered),
      never(gone, dialog_gone),
  };
}
inline constexpr auto notifier_rows = make_notifier_rows();
static_assert(complete(notifier_rows, notifier_states, notifier_events));

constexpr const auto& notifier_row(NotifierState state, NotifierEvent event) {
  return notifier_rows[static_cast<std::size_t>(state) * notifier_events + static_cast<std::size_t>(event)];
}

// A SUBSCRIBE is always followed by a NOTIFY (R6665-1), a subscription ends with one unless nobody would hear it, and
// every state but the last ends by something that is sure to come: time before `ending`, the answer or its absence in
// it.
constexpr bool notifier_promises() {
  using enum NotifierState;
  for (const auto& row : notifier_rows) {
    const bool live = row.state == pending || row.state == active;
    const bool tells = (row.actions & (notify_now | notify_last)) != 0;
    if (live && (row.event == NotifierEvent::refresh || row.event == NotifierEvent::unsubscribe) && !tells)
      return false;
    if (live && row.next == ending && (row.actions & notify_last) == 0) return false;
    if (live && row.event == NotifierEvent::expire && row.next != ending) return false;
    if (row.state == ending && row.event == NotifierEvent::final_answered && row.next != gone) return false;
    if (row.state != gone && (row.next == gone) != ((row.actions & destroy) != 0)) return false;
    if (row.kind == RowKind::never && row.state != gone && row.event != NotifierEvent::final_answered) return false;
  }
  return true;
}
static_assert(notifier_promises());

// ---- the subscriber ----

enum class SubscriberState : std::uint8_t {
  idle,         // not asked for yet, or between two attempts
  notify_wait,  // SUBSCRIBE sent, no NOTIFY yet
  pending,
  active,
  leaving,  // SUBSCRIBE with Expires: 0 sent
  over,     // for good
};
inline constexpr std::size_t subscriber_states = 6;

enum class SubscriberEvent : std::uint8_t {
  subscribe,  // the caller wants it, or the time to try again has come
  accepted,   // 2xx; 202 is no different (8.3.1)
  brief,      // 423: again, with the Min-Expires it names
  refused,    // an error that ends a subscription, or ought to: ends_subscription(), 403, 603
  failed,     // any other error, or no answer
  notify_active,
  notify_pending,
  notify_again,  // terminated, may be asked for again: deactivated, probation, timeout, giveup, unknown reasons
  notify_never,  // terminated, must not: rejected, noresource, invariant
  timer_n,
  refresh_due,
  expired,
  stop,  // the caller wants it no more
};
inline constexpr std::size_t subscriber_events = 13;

enum SubscriberAction : std::uint8_t {
  send_first = 1,    // SUBSCRIBE with a new Call-ID and From tag
  send_refresh = 2,  // SUBSCRIBE in the dialog
  send_last = 4,     // the same with Expires: 0
  take_expiry = 8,   // what was said about it counts
  end_usage = 16,    // the dialog has one reason less to be
  back_off = 32,     // idle: try again later
};

constexpr auto make_subscriber_rows() {
  using enum SubscriberState;
  using enum SubscriberEvent;
  return std::array{
      // state event         next         actions                       RFC 6665
      go(idle, subscribe, notify_wait, send_first),  // 4.1.2.1
      absorb(idle, accepted),                        // late, of an attempt that was given up; so the next ones
      absorb(idle, brief),
      absorb(idle, refused),
      absorb(idle, failed),
      absorb(idle, notify_active),  // the driver answers 481
      absorb(idle, notify_pending),
      absorb(idle, notify_again),
      absorb(idle, notify_never),
      absorb(idle, timer_n),
      absorb(idle, refresh_due),
      absorb(idle, expired),
      go(idle, stop, over),

      never(notify_wait, subscribe),
      go(notify_wait, accepted, notify_wait, take_expiry),    // 4.1.2.4: Timer N runs on
      go(notify_wait, brief, notify_wait, send_first),        // RFC 3261 10.2.8 for REGISTER; 4.2.1.1
      go(notify_wait, refused, over),                         // 4.1.2.1
      go(notify_wait, failed, idle, back_off),                // 4.1.2.1
      go(notify_wait, notify_active, active, take_expiry),    // 4.1.2; also before the 2xx
      go(notify_wait, notify_pending, pending, take_expiry),  // 4.1.2
      go(notify_wait, notify_again, idle, back_off),          // 4.1.3; 4.4.1: no usage came to be
      go(notify_wait, notify_never, over),                    // 4.1.3, 4.4.1
      go(notify_wait, timer_n, idle, back_off),               // 4.1.2.4
      absorb(notify_wait, refresh_due),
      absorb(notify_wait, expired),
      go(notify_wait, stop, over),  // a NOTIFY that comes now gets a 481, which ends it

      never(pending, subscribe),
      go(pending, accepted, pending, take_expiry),            // 4.1.2.2
      go(pending, brief, pending, send_refresh),              // 4.2.1.4
      go(pending, refused, idle, end_usage | back_off),       // 4.1.2.2
      absorb(pending, failed),                                // 4.1.2.2: valid until it expires
      go(pending, notify_active, active, take_expiry),        // 4.1.2
      go(pending, notify_pending, pending, take_expiry),      // 4.1.3
      go(pending, notify_again, idle, end_usage | back_off),  // 4.1.3
      go(pending, notify_never, over, end_usage),             // 4.1.3
      go(pending, timer_n, idle, end_usage | back_off),       // 4.1.2.2
      go(pending, refresh_due, pending, send_refresh),        // 4.1.2.2
      go(pending, expired, idle, end_usage | back_off),       // 4.1.2.2
      go(pending, stop, leaving, send_last),                  // 4.1.2.3

      never(active, subscribe),
      go(active, accepted, active, take_expiry),             // 4.1.2.2
      go(active, brief, active, send_refresh),               // 4.2.1.4
      go(active, refused, idle, end_usage | back_off),       // 4.1.2.2
      absorb(active, failed),                                // 4.1.2.2: valid until it expires
      go(active, notify_active, active, take_expiry),        // 4.1.3
      go(active, notify_pending, pending, take_expiry),      // 4.1.3
      go(active, notify_again, idle, end_usage | back_off),  // 4.1.3
      go(active, notify_never, over, end_usage),             // 4.1.3
      go(active, timer_n, idle, end_usage | back_off),       // 4.1.2.2
      go(active, refresh_due, active, send_refresh),         // 4.1.2.2
      go(active, expired, idle, end_usage | back_off),       // 4.1.2.2
      go(active, stop, leaving, send_last),                  // 4.1.2.3

      never(leaving, subscribe),
      absorb(leaving, accepted),                   // 4.1.2.3: a last NOTIFY follows
      go(leaving, brief, over, end_usage),         // 4.2.1.1 forbids it for 0; let it expire there
      go(leaving, refused, over, end_usage),       // 4.1.2.2
      go(leaving, failed, over, end_usage),        // it expires there
      absorb(leaving, notify_active),              // on its way before ours arrived
      absorb(leaving, notify_pending),             //
      go(leaving, notify_again, over, end_usage),  // 4.1.2.3
      go(leaving, notify_never, over, end_usage),  // 4.1.2.3
      go(leaving, timer_n, over, end_usage),       // 4.1.2.2
      absorb(leaving, refresh_due),
      absorb(leaving, expired),  // Timer N is shorter than the wait for it would be
      absorb(leaving, stop),

      absorb(over, subscribe),
      absorb(over, accepted),
      absorb(over, brief),
      absorb(over, refused),
      absorb(over, failed),
      absorb(over, notify_active),  // the driver answers 481
      absorb(over, notify_pending),
      absorb(over, notify_again),
      absorb(over, notify_never),
      absorb(over, timer_n),
      absorb(over, refresh_due),
      absorb(over, expired),
      absorb(over, stop),
  };
}
inline constexpr auto subscriber_rows = make_subscriber_rows();
static_assert(complete(subscriber_rows, subscriber_states, subscriber_events));

constexpr const auto& subscriber_row(SubscriberState state, SubscriberEvent event) {
  return subscriber_rows[static_cast<std::size_t>(state) * subscriber_events + static_cast<std::size_t>(event)];
}

// With a usage, time ends what no peer does; a usage that ends is given back once; nothing leaves `over`; every way
// into `idle` says when to try again.
constexpr bool subscriber_promises() {
  using enum SubscriberState;
  for (const auto& row : subscriber_rows) {
    const bool has_usage = row.state == pending || row.state == active || row.state == leaving;
    const bool keeps_usage = row.next == pending || row.next == active || row.next == leaving;
    if (has_usage && row.event == SubscriberEvent::timer_n && keeps_usage) return false;
    if (has_usage && keeps_usage == ((row.actions & end_usage) != 0)) return false;
    if (row.state == over && row.next != over) return false;
    if (row.next == idle && row.state != idle && (row.actions & back_off) == 0) return false;
    if (row.kind == RowKind::never && row.event != SubscriberEvent::subscribe) return false;
  }
  return true;
}
static_assert(subscriber_promises());

// When to ask again behind a NOTIFY with `terminated` (4.1.3).
enum class Again : std::uint8_t {
  at_once,
  later,    // behind retry-after, or when it seems good
  not_any,  // never
};
struct Advice {
  Again again = Again::later;
  bool retry_after_counts = true;
};
constexpr Advice advice(TerminationReason reason) {
  switch (reason) {
    case TerminationReason::deactivated: return {Again::at_once, false};
    case TerminationReason::probation: return {Again::later, true};
    case TerminationReason::rejected: return {Again::not_any, false};
    case TerminationReason::timeout: return {Again::at_once, false};
    case TerminationReason::giveup: return {Again::later, true};
    case TerminationReason::noresource: return {Again::not_any, false};
    case TerminationReason::invariant: return {Again::not_any, false};
    case TerminationReason::none:
    case TerminationReason::other: return {Again::later, true};
  }
  return {};
}

}  // namespace parley::sip::subscription_rules

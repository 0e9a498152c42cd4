// sip/fork_rules.h - forking as two tables: a branch, and the response context that holds the branches (RFC 3261
// sections 16.7 to 16.10 and 9.1; RFC 4320). fork.h drives them; nothing here knows a message.
//
// A branch of a request other than INVITE never sees `cancel` once it was started (9.1) nor `provisional` (4320 4.1):
// the driver makes the events that fine, so that one table serves both.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace parley::sip::fork_rules {

enum class BranchState : std::uint8_t {
  waiting,     // a target nothing was sent to yet
  trying,      // sent, nothing came back
  proceeding,  // some 1xx came, 100 counts
  cancelling,  // its client transaction has the CANCEL, which it holds back until a 1xx came (9.1); ends by a response,
               // by Timer B, or by the 64*T1 that 9.1 gives it
  done,
};
inline constexpr std::size_t branch_states = 5;

enum class BranchEvent : std::uint8_t {
  start,            // the request goes out
  trying_100,       // 100
  provisional,      // 101 to 199
  success,          // 2xx
  failure,          // 3xx to 6xx
  timeout,          // Timer B or F, or 64*T1 after the CANCEL
  transport_error,  // could not be sent, or its connection broke
  timer_c,
  replaced,  // another branch stands in for it: a next address, the contacts of a 3xx
  cancel,    // we want it to end
};
inline constexpr std::size_t branch_events = 10;

// What the driver does, besides going to the next state.
enum BranchAction : std::uint8_t {
  nothing = 0,
  send_request = 1,
  send_cancel = 2,
  restart_timer_c = 4,
  offer_1xx = 8,   // the context forwards it, or not
  offer_2xx = 16,  // the context forwards it, or not
  keep = 32,       // a candidate for the final response
  keep_503 = 64,   // as `keep`, and nobody sent it
};

enum class RowKind : std::uint8_t { go, absorb, never };

struct BranchRow {
  BranchState state = BranchState::waiting;
  BranchEvent event = BranchEvent::start;
  BranchState next = BranchState::waiting;
  std::uint8_t actions = nothing;
  RowKind kind = RowKind::never;
};

constexpr BranchRow go(BranchState state, BranchEvent event, BranchState next, int actions = nothing) {
  return {state, event, next, static_cast<std::uint8_t>(actions), RowKind::go};
}
constexpr BranchRow absorb(BranchState state, BranchEvent event) {
  return {state, event, state, nothing, RowKind::absorb};
}
constexpr BranchRow never(BranchState state, BranchEvent event) {
  return {state, event, state, nothing, RowKind::never};
}

constexpr auto make_branch_rows() {
  using enum BranchState;
  using enum BranchEvent;
  return std::array{
      // state     event            next        actions                         RFC 3261 where nothing else is said
      go(waiting, start, trying, send_request),  // 16.6 10
      never(waiting, trying_100),                // no client transaction, so nothing of a peer's arrives
      never(waiting, provisional),
      never(waiting, success),
      never(waiting, failure),
      never(waiting, timeout),
      never(waiting, transport_error),
      never(waiting, timer_c),
      go(waiting, replaced, done),
      go(waiting, cancel, done),  // 16.7 5: no new branches

      never(trying, start),
      go(trying, trying_100, proceeding),                                // 16.7 5: never forwarded
      go(trying, provisional, proceeding, restart_timer_c | offer_1xx),  // 16.7 2, 5
      go(trying, success, done, offer_2xx),                              // 16.7 5
      go(trying, failure, done, keep),                                   // 16.7 4
      go(trying, timeout, done),                                         // 16.6 7: nothing is stored
      go(trying, transport_error, done, keep_503),                       // 16.9
      go(trying, timer_c, done),                                         // 16.8: as a 408
      go(trying, replaced, done),                                        // 16.6 7
      go(trying, cancel, cancelling, send_cancel),                       // 16.7 10

      never(proceeding, start),
      absorb(proceeding, trying_100),                                        // 16.7 2: does not restart Timer C
      go(proceeding, provisional, proceeding, restart_timer_c | offer_1xx),  // 16.7 2, 5
      go(proceeding, success, done, offer_2xx),                              // 16.7 5
      go(proceeding, failure, done, keep),                                   // 16.7 4
      go(proceeding, timeout, done),                                         // Timer F of other requests than INVITE
      go(proceeding, transport_error, done, keep_503),                       // 16.9
      go(proceeding, timer_c, cancelling, send_cancel),                      // 16.8
      go(proceeding, replaced, done),                                        // 16.7 4
      go(proceeding, cancel, cancelling, send_cancel),                       // 16.7 10

      never(cancelling, start),
      absorb(cancelling, trying_100),
      go(cancelling, provisional, cancelling, offer_1xx),  // 16.7 5; 64*T1 is shorter than any Timer C
      go(cancelling, success, done, offer_2xx),            // 16.7 10: the 200 was faster than the CANCEL
      go(cancelling, failure, done, keep),                 // 16.7 4
      go(cancelling, timeout, done),                       // 9.1
      go(cancelling, transport_error, done, keep_503),     // 16.9
      absorb(cancelling, timer_c),                         // 16.7 10: one CANCEL
      go(cancelling, replaced, done),                      // 16.7 4
      absorb(cancelling, cancel),                          // 16.7 10: one CANCEL

      never(done, start),
      absorb(done, trying_100),            // late and reordered, also the next five
      absorb(done, provisional),           //
      go(done, success, done, offer_2xx),  // 16.7 5: also behind other 2xx (6026 7.2), also behind a timeout
      absorb(done, failure),               //
      absorb(done, timeout),               //
      absorb(done, transport_error),       //
      absorb(done, timer_c),               //
      absorb(done, replaced),
      absorb(done, cancel),
  };
}
inline constexpr auto branch_rows = make_branch_rows();

constexpr const BranchRow& branch_row(BranchState state, BranchEvent event) {
  return branch_rows[static_cast<std::size_t>(state) * branch_events + static_cast<std::size_t>(event)];
}

// The response context. `answered` from the first final response that went upstream.
enum class ContextState : std::uint8_t {
  seeking,   // may start branches
  ending,    // a 6xx or a CANCEL came: no new branches, waits for those that run
  answered,  // a final response went upstream, or is never to go
};
inline constexpr std::size_t context_states = 3;

enum class ContextEvent : std::uint8_t {
  provisional,     // 101 to 199 to an INVITE
  invite_success,  // 2xx to an INVITE
  other_success,   // 2xx to any other request
  global_failure,  // 6xx
  cancel,          // a CANCEL from upstream
  exhausted,       // no branch runs or waits
};
inline constexpr std::size_t context_events = 6;

enum ContextAction : std::uint8_t {
  no_action = 0,
  forward = 1,     // the response goes upstream as it came
  end_others = 2,  // waiting branches are dropped, running ones cancelled
  choose = 4,      // the final response is chosen from what was kept
};

struct ContextRow {
  ContextState state = ContextState::seeking;
  ContextEvent event = ContextEvent::provisional;
  ContextState next = ContextState::seeking;
  std::uint8_t actions = no_action;
};

constexpr auto make_context_rows() {
  using enum ContextState;
  using enum ContextEvent;
  return std::array{
      //         state    event           next     actions
      ContextRow{seeking, provisional, seeking, forward},                   // 16.7 5
      ContextRow{seeking, invite_success, answered, forward | end_others},  // 16.7 5, 10
      ContextRow{seeking, other_success, answered, forward | end_others},   // 16.7 5, 10
      ContextRow{seeking, global_failure, ending, end_others},              // 16.7 5
      ContextRow{seeking, cancel, ending, end_others},                      // 16.10
      ContextRow{seeking, exhausted, answered, choose},                     // 16.7 6

      ContextRow{ending, provisional, ending, forward},       // 16.7 5: until a final response has been sent
      ContextRow{ending, invite_success, answered, forward},  // 16.7 5
      ContextRow{ending, other_success, answered, forward},   // 16.7 5
      ContextRow{ending, global_failure, ending, no_action},  // others are being ended already
      ContextRow{ending, cancel, ending, no_action},          // the same
      ContextRow{ending, exhausted, answered, choose},        // 16.7 6

      ContextRow{answered, provisional, answered, no_action},     // 16.7 5
      ContextRow{answered, invite_success, answered, forward},    // 16.7 5: any 2xx to an INVITE
      ContextRow{answered, other_success, answered, no_action},   // 16.7 5: exactly one final response
      ContextRow{answered, global_failure, answered, no_action},  // 16.7 5
      ContextRow{answered, cancel, answered, no_action},          // 9.2: no effect behind a final response
      ContextRow{answered, exhausted, answered, no_action},       //
  };
}
inline constexpr auto context_rows = make_context_rows();

constexpr const ContextRow& context_row(ContextState state, ContextEvent event) {
  return context_rows[static_cast<std::size_t>(state) * context_events + static_cast<std::size_t>(event)];
}

// The order in which final responses are preferred, lower first (16.7 6): 6xx, then the lowest class; within 4xx what
// helps to try again; 503 behind all.
constexpr unsigned preference(unsigned status) {
  if (status >= 600) return 0;
  switch (status) {
    case 401: return 400;
    case 407: return 401;
    case 415: return 402;
    case 420: return 403;
    case 484: return 404;
    case 422: return 405;  // of session timers: the same with a larger interval is taken (4028 6)
    case 408:  // these two say how a branch was ended, the others what the callee has to say
    case 487: return 499;
    case 503: return 599;
    default: return status / 100 * 100 + 50;
  }
}

// Every cell has one row, and it stands where branch_row() and context_row() look for it.
constexpr bool rows_are_complete() {
  if (branch_rows.size() != branch_states * branch_events) return false;
  for (std::size_t n = 0; n < branch_rows.size(); ++n) {
    if (static_cast<std::size_t>(branch_rows[n].state) != n / branch_events) return false;
    if (static_cast<std::size_t>(branch_rows[n].event) != n % branch_events) return false;
  }
  if (context_rows.size() != context_states * context_events) return false;
  for (std::size_t n = 0; n < context_rows.size(); ++n) {
    if (static_cast<std::size_t>(context_rows[n].state) != n / context_events) return false;
    if (static_cast<std::size_t>(context_rows[n].event) != n % context_events) return false;
  }
  return true;
}
static_assert(rows_are_complete());

// A branch gets at most one CANCEL: each leads to `cancelling`, from where there is none, and out of there only to the
// end.
constexpr bool cancels_once() {
  for (const BranchRow& row : branch_rows) {
    const bool sends = (row.actions & send_cancel) != 0;
    if (sends && row.next != BranchState::cancelling) return false;
    if (row.state != BranchState::cancelling) continue;
    if (sends || (row.next != BranchState::cancelling && row.next != BranchState::done)) return false;
  }
  return true;
}
static_assert(cancels_once());

// Every running branch ends by a timeout, an ended one stays ended, a 2xx is offered wherever it can come, and only
// what no peer can cause is `never`.
constexpr bool branches_end() {
  for (const BranchRow& row : branch_rows) {
    const bool runs = row.state != BranchState::waiting && row.state != BranchState::done;
    if (runs && row.event == BranchEvent::timeout && row.next != BranchState::done) return false;
    if (row.state == BranchState::done && row.next != BranchState::done) return false;
    const bool offered = (row.actions & offer_2xx) != 0;
    if (row.state != BranchState::waiting && (row.event == BranchEvent::success) != offered) return false;
    if (row.kind == RowKind::never && row.state != BranchState::waiting && row.event != BranchEvent::start)
      return false;
  }
  return true;
}
static_assert(branches_end());

// No branch starts, and no final response is chosen, behind the first one.
constexpr bool one_final_response() {
  for (const ContextRow& row : context_rows) {
    if (row.state == ContextState::answered && row.next != ContextState::answered) return false;
    if (row.state == ContextState::answered && (row.actions & choose) != 0) return false;
    if ((row.actions & choose) != 0 && row.next != ContextState::answered) return false;
    if (row.state != ContextState::seeking && row.next == ContextState::seeking) return false;
    if (row.next != ContextState::seeking && row.state == ContextState::seeking &&
        (row.actions & (end_others | choose)) == 0) {
      return false;
    }
  }
  return true;
}
static_assert(one_final_response());

}  // namespace parley::sip::fork_rules

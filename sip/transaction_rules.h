// sip/transaction_rules.h - the four SIP transaction machines as tables (RFC 3261 section 17, RFC 6026, RFC 4320).
//
// Knows no message and no time. Transactions (transactions.h) turns what happens into events, looks the row up and
// carries its actions out; docs/sip-transactions.md is printed from these tables. A reliable transport is no second
// table: some of its timers are zero, and those that only repeat something are never started (length_on_reliable).
//
// transaction_rule_checks.h lets the compiler check them: each state and event of a machine has exactly one row; a
// timer that may run in a state is awaited there, and one that can not is `never`; so is a transport error where nothing
// is sent and no connection waited for; only what our user alone says may be `idle`; every state is left by some timer,
// except where only our own user ends the waiting.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace parley::sip::tx {

enum class Machine : std::uint8_t { invite_server, other_server, invite_client, other_client };
inline constexpr std::size_t machines = 4;
constexpr bool is_server(Machine machine) { return machine < Machine::invite_client; }

enum class State : std::uint8_t {
  calling,
  cancel_held,  // as calling; a CANCEL waits for the first provisional response (T-24)
  trying,
  proceeding,
  cancelling,  // as proceeding; a CANCEL was sent
  completed,
  confirmed,
  accepted,
  terminated,  // the record is gone
};
inline constexpr std::size_t states = 9;

enum class Event : std::uint8_t {
  // Timers first: Event and Timer have the same numbers.
  timer_a,
  timer_b,
  timer_d,
  timer_e,
  timer_f,
  timer_g,
  timer_h,
  timer_i,
  timer_j,
  timer_k,
  timer_l,
  timer_m,
  timer_trying,  // server: the user has not answered so soon that no 100 was needed
  timer_late,    // server, not INVITE: the client has given up by now
  timer_cancel,  // client, INVITE: the wait for a final response to what was cancelled
  request,       // server: the request again
  ack,
  tu_1xx,
  tu_2xx,
  tu_3xx_6xx,
  tu_cancel,
  response_1xx,
  response_2xx,
  response_3xx_6xx,
  transport_error,
};
inline constexpr std::size_t events = 25;

enum class Timer : std::uint8_t { a, b, d, e, f, g, h, i, j, k, l, m, trying, late, cancel };
inline constexpr std::size_t timers = 15;

// How long a timer runs. Those that repeat begin with T1; a row that starts one again says how it grows.
enum class Length : std::uint8_t { none, zero, t1, t4, t1_64, timer_d, trying };
struct TimerInfo {
  std::string_view name;
  Length length;
  Length length_on_reliable;
  bool repeats;  // it stands in the first of a record's two timers; all others in the second
  std::string_view where;
};
inline constexpr std::array<TimerInfo, timers> timer_infos{{
    {"A", Length::t1, Length::none, true, "17.1.1.2"},
    {"B", Length::t1_64, Length::t1_64, false, "17.1.1.2"},
    {"D", Length::timer_d, Length::zero, false, "17.1.1.2"},
    {"E", Length::t1, Length::none, true, "17.1.2.2"},
    {"F", Length::t1_64, Length::t1_64, false, "17.1.2.2"},
    {"G", Length::t1, Length::none, true, "17.2.1"},
    {"H", Length::t1_64, Length::t1_64, false, "17.2.1"},
    {"I", Length::t4, Length::zero, false, "17.2.1"},
    {"J", Length::t1_64, Length::zero, false, "17.2.2"},
    {"K", Length::t4, Length::zero, false, "17.1.2.2"},
    {"L", Length::t1_64, Length::t1_64, false, "6026 8.7"},
    {"M", Length::t1_64, Length::t1_64, false, "6026 8.4"},
    {"trying", Length::trying, Length::trying, true,
     "17.2.1; other than INVITE: 4320 4.1, when E would have reached T2"},
    {"late", Length::t1_64, Length::t1_64, false, "4320 4.2"},
    {"cancel", Length::t1_64, Length::t1_64, false, "9.1"},
}};
constexpr const TimerInfo& info(Timer timer) { return timer_infos[static_cast<std::size_t>(timer)]; }
constexpr bool is_timer(Event event) { return static_cast<std::size_t>(event) < timers; }
constexpr Event event_of(Timer timer) { return static_cast<Event>(timer); }

// What a row lets happen, in this order: stop, send or tell, start.
struct Actions {
  std::uint16_t does = 0;
  std::uint16_t stops = 0;   // bit per Timer
  std::uint16_t starts = 0;  // bit per Timer
  [[nodiscard]] constexpr bool has(Actions one) const { return (does & one.does) != 0; }
};
constexpr Actions operator|(Actions a, Actions b) {
  return {static_cast<std::uint16_t>(a.does | b.does), static_cast<std::uint16_t>(a.stops | b.stops),
          static_cast<std::uint16_t>(a.starts | b.starts)};
}
constexpr std::uint16_t bit(Timer timer) { return static_cast<std::uint16_t>(1U << static_cast<unsigned>(timer)); }
constexpr Actions start(Timer timer) { return {0, 0, bit(timer)}; }
constexpr Actions stop(Timer timer) { return {0, bit(timer), 0}; }

inline constexpr Actions nothing{};
inline constexpr Actions send{1};          // what the user brought
inline constexpr Actions repeat{2};        // what was sent last, if anything was
inline constexpr Actions send_100{4};      // made from the request
inline constexpr Actions send_ack{8};      // made from the request and the response
inline constexpr Actions keep_cancel{16};  // made from the request
inline constexpr Actions send_cancel{32};  // what was kept, or made now; it gets a transaction of its own
inline constexpr Actions pass{64};         // the message goes to the user
inline constexpr Actions tell_timeout{128};
inline constexpr Actions tell_error{256};
inline constexpr Actions tell_ended{512};
inline constexpr Actions doubled{1024};   // the timer that is started runs twice as long as before,
inline constexpr Actions up_to_t2{2048};  // but not longer than T2
inline constexpr Actions at_t2{4096};     // T2

enum class Kind : std::uint8_t {
  go,
  absorb,  // the text says, or leaves us no other choice, that nothing happens
  idle,    // as absorb; only the user of the transaction could cause it, and does not (the simulator fails if he does)
  never,   // only the driver could cause it, and does not
};
struct Row {
  State state = State::terminated;
  Event event = Event::transport_error;
  Kind kind = Kind::never;
  State next = State::terminated;
  Actions actions{};
  std::string_view where{};  // of RFC 3261 unless it begins with another number
};
constexpr Row go(State state, Event event, State next, Actions actions, std::string_view where) {
  return {state, event, Kind::go, next, actions, where};
}
constexpr Row absorb(State state, Event event, std::string_view where) {
  return {state, event, Kind::absorb, state, nothing, where};
}
constexpr Row idle(State state, Event event, std::string_view where) {
  return {state, event, Kind::idle, state, nothing, where};
}
constexpr Row never(State state, Event event) { return {state, event, Kind::never, state, nothing, {}}; }

namespace rows {
using enum State;
using enum Event;

inline constexpr Row invite_server[] = {
    // A new INVITE begins here: start(Timer::trying).
    go(proceeding, request, proceeding, repeat, "17.2.1"),
    absorb(proceeding, ack, "nothing was sent that an ACK could be for"),
    go(proceeding, tu_1xx, proceeding, send | stop(Timer::trying), "17.2.1"),
    go(proceeding, tu_2xx, accepted, send | stop(Timer::trying) | start(Timer::l), "6026 8.5"),
    go(proceeding, tu_3xx_6xx, completed, send | stop(Timer::trying) | start(Timer::g) | start(Timer::h), "17.2.1"),
    go(proceeding, transport_error, proceeding, tell_error, "6026 8.8"),
    go(proceeding, timer_trying, proceeding, send_100, "17.2.1"),
    never(proceeding, timer_g),
    never(proceeding, timer_h),
    never(proceeding, timer_i),
    never(proceeding, timer_l),

    go(completed, request, completed, repeat, "17.2.1"),
    go(completed, ack, confirmed, stop(Timer::g) | stop(Timer::h) | start(Timer::i), "17.2.1"),
    idle(completed, tu_1xx, "17.2.1"),
    idle(completed, tu_2xx, "17.2.1"),
    idle(completed, tu_3xx_6xx, "17.2.1"),
    go(completed, transport_error, completed, tell_error, "6026 8.8"),
    never(completed, timer_trying),
    go(completed, timer_g, completed, repeat | start(Timer::g) | doubled | up_to_t2, "17.2.1"),
    go(completed, timer_h, terminated, stop(Timer::g) | tell_timeout, "17.2.1"),
    never(completed, timer_i),
    never(completed, timer_l),

    absorb(confirmed, request, "17.2.1"),
    absorb(confirmed, ack, "17.2.1"),
    idle(confirmed, tu_1xx, "17.2.1"),
    idle(confirmed, tu_2xx, "17.2.1"),
    idle(confirmed, tu_3xx_6xx, "17.2.1"),
    never(confirmed, transport_error),
    never(confirmed, timer_trying),
    never(confirmed, timer_g),
    never(confirmed, timer_h),
    go(confirmed, timer_i, terminated, nothing, "17.2.1"),
    never(confirmed, timer_l),

    absorb(accepted, request, "6026 8.7"),
    go(accepted, ack, accepted, pass, "6026 8.7"),
    idle(accepted, tu_1xx, "6026 8.7"),
    go(accepted, tu_2xx, accepted, send, "6026 8.7"),
    idle(accepted, tu_3xx_6xx, "6026 8.7"),
    go(accepted, transport_error, accepted, tell_error, "6026 8.8"),
    never(accepted, timer_trying),
    never(accepted, timer_g),
    never(accepted, timer_h),
    never(accepted, timer_i),
    go(accepted, timer_l, terminated, tell_ended, "6026 8.7"),
};

inline constexpr Row other_server[] = {
    // A new request begins here: start(Timer::trying) | start(Timer::late). Its user sends no 1xx: the only one there may
    // be is the 100 of timer_trying (4320 4.1).
    absorb(trying, request, "17.2.2"),
    go(trying, tu_2xx, completed, send | stop(Timer::trying) | stop(Timer::late) | start(Timer::j), "17.2.2"),
    go(trying, tu_3xx_6xx, completed, send | stop(Timer::trying) | stop(Timer::late) | start(Timer::j), "17.2.2"),
    never(trying, transport_error),
    go(trying, timer_trying, proceeding, send_100, "4320 4.1"),
    go(trying, timer_late, terminated, stop(Timer::trying) | tell_timeout, "4320 4.2"),
    never(trying, timer_j),

    go(proceeding, request, proceeding, repeat, "17.2.2"),
    go(proceeding, tu_2xx, completed, send | stop(Timer::late) | start(Timer::j), "17.2.2"),
    go(proceeding, tu_3xx_6xx, completed, send | stop(Timer::late) | start(Timer::j), "17.2.2"),
    go(proceeding, transport_error, proceeding, tell_error, "6026 8.8"),
    never(proceeding, timer_trying),
    go(proceeding, timer_late, terminated, tell_timeout, "4320 4.2"),
    never(proceeding, timer_j),

    go(completed, request, completed, repeat, "17.2.2"),
    idle(completed, tu_2xx, "17.2.2"),
    idle(completed, tu_3xx_6xx, "17.2.2"),
    go(completed, transport_error, completed, tell_error, "6026 8.8"),
    never(completed, timer_trying),
    never(completed, timer_late),
    go(completed, timer_j, terminated, nothing, "17.2.2"),
};

inline constexpr Row invite_client[] = {
    // A new INVITE begins here: send | start(Timer::a) | start(Timer::b).
    go(calling, response_1xx, proceeding, stop(Timer::a) | stop(Timer::b) | pass, "17.1.1.2"),
    go(calling, response_2xx, accepted, stop(Timer::a) | stop(Timer::b) | pass | start(Timer::m), "6026 8.4"),
    go(calling, response_3xx_6xx, completed, stop(Timer::a) | stop(Timer::b) | send_ack | pass | start(Timer::d),
       "17.1.1.2"),
    go(calling, tu_cancel, cancel_held, keep_cancel, "9.1"),
    go(calling, transport_error, terminated, stop(Timer::a) | stop(Timer::b) | tell_error, "17.1.1.2, 17.1.4"),
    go(calling, timer_a, calling, repeat | start(Timer::a) | doubled, "17.1.1.2"),
    go(calling, timer_b, terminated, stop(Timer::a) | tell_timeout, "17.1.1.2"),
    never(calling, timer_d),
    never(calling, timer_m),
    never(calling, timer_cancel),

    go(cancel_held, response_1xx, cancelling,
       stop(Timer::a) | stop(Timer::b) | send_cancel | pass | start(Timer::cancel), "9.1"),
    go(cancel_held, response_2xx, accepted, stop(Timer::a) | stop(Timer::b) | pass | start(Timer::m), "6026 8.4"),
    go(cancel_held, response_3xx_6xx, completed, stop(Timer::a) | stop(Timer::b) | send_ack | pass | start(Timer::d),
       "17.1.1.2"),
    idle(cancel_held, tu_cancel, "9.1"),
    go(cancel_held, transport_error, terminated, stop(Timer::a) | stop(Timer::b) | tell_error, "17.1.1.2, 17.1.4"),
    go(cancel_held, timer_a, cancel_held, repeat | start(Timer::a) | doubled, "17.1.1.2"),
    go(cancel_held, timer_b, terminated, stop(Timer::a) | tell_timeout, "17.1.1.2"),
    never(cancel_held, timer_d),
    never(cancel_held, timer_m),
    never(cancel_held, timer_cancel),

    go(proceeding, response_1xx, proceeding, pass, "17.1.1.2"),
    go(proceeding, response_2xx, accepted, pass | start(Timer::m), "6026 8.4"),
    go(proceeding, response_3xx_6xx, completed, send_ack | pass | start(Timer::d), "17.1.1.2"),
    go(proceeding, tu_cancel, cancelling, send_cancel | start(Timer::cancel), "9.1"),
    go(proceeding, transport_error, terminated, tell_error, "17.1.4"),
    never(proceeding, timer_a),
    never(proceeding, timer_b),
    never(proceeding, timer_d),
    never(proceeding, timer_m),
    never(proceeding, timer_cancel),

    go(cancelling, response_1xx, cancelling, pass, "17.1.1.2"),
    go(cancelling, response_2xx, accepted, stop(Timer::cancel) | pass | start(Timer::m), "6026 8.4"),
    go(cancelling, response_3xx_6xx, completed, stop(Timer::cancel) | send_ack | pass | start(Timer::d), "17.1.1.2"),
    idle(cancelling, tu_cancel, "9.1"),
    go(cancelling, transport_error, terminated, stop(Timer::cancel) | tell_error, "17.1.4"),
    never(cancelling, timer_a),
    never(cancelling, timer_b),
    never(cancelling, timer_d),
    never(cancelling, timer_m),
    go(cancelling, timer_cancel, terminated, tell_timeout, "9.1"),

    absorb(completed, response_1xx, "17.1.1.2"),
    absorb(completed, response_2xx, "17.1.1.2"),
    go(completed, response_3xx_6xx, completed, repeat, "17.1.1.2"),
    idle(completed, tu_cancel, "9.1"),
    go(completed, transport_error, terminated, stop(Timer::d) | tell_error, "17.1.1.2"),
    never(completed, timer_a),
    never(completed, timer_b),
    go(completed, timer_d, terminated, nothing, "17.1.1.2"),
    never(completed, timer_m),
    never(completed, timer_cancel),

    absorb(accepted, response_1xx, "6026 8.4"),
    go(accepted, response_2xx, accepted, pass, "6026 8.4"),
    absorb(accepted, response_3xx_6xx, "6026 8.4"),
    idle(accepted, tu_cancel, "9.1"),
    absorb(accepted, transport_error, "only the user has anything to send"),
    never(accepted, timer_a),
    never(accepted, timer_b),
    never(accepted, timer_d),
    go(accepted, timer_m, terminated, tell_ended, "6026 8.4"),
    never(accepted, timer_cancel),
};

inline constexpr Row other_client[] = {
    // A new request begins here: send | start(Timer::e) | start(Timer::f).
    go(trying, response_1xx, proceeding, pass, "17.1.2.2"),
    go(trying, response_2xx, completed, stop(Timer::e) | stop(Timer::f) | pass | start(Timer::k), "17.1.2.2"),
    go(trying, response_3xx_6xx, completed, stop(Timer::e) | stop(Timer::f) | pass | start(Timer::k), "17.1.2.2"),
    go(trying, transport_error, terminated, stop(Timer::e) | stop(Timer::f) | tell_error, "17.1.2.2, 17.1.4"),
    go(trying, timer_e, trying, repeat | start(Timer::e) | doubled | up_to_t2, "17.1.2.2"),
    go(trying, timer_f, terminated, stop(Timer::e) | tell_timeout, "17.1.2.2"),
    never(trying, timer_k),

    go(proceeding, response_1xx, proceeding, pass, "17.1.2.2"),
    go(proceeding, response_2xx, completed, stop(Timer::e) | stop(Timer::f) | pass | start(Timer::k), "17.1.2.2"),
    go(proceeding, response_3xx_6xx, completed, stop(Timer::e) | stop(Timer::f) | pass | start(Timer::k), "17.1.2.2"),
    go(proceeding, transport_error, terminated, stop(Timer::e) | stop(Timer::f) | tell_error, "17.1.2.2, 17.1.4"),
    go(proceeding, timer_e, proceeding, repeat | start(Timer::e) | at_t2, "17.1.2.2"),
    go(proceeding, timer_f, terminated, stop(Timer::e) | tell_timeout, "17.1.2.2"),
    never(proceeding, timer_k),

    absorb(completed, response_1xx, "17.1.2.2"),
    absorb(completed, response_2xx, "17.1.2.2"),
    absorb(completed, response_3xx_6xx, "17.1.2.2"),
    never(completed, transport_error),
    never(completed, timer_e),
    never(completed, timer_f),
    go(completed, timer_k, terminated, nothing, "17.1.2.2"),
};

}  // namespace rows

struct Table {
  std::string_view name;
  State first;
  Actions begin;             // on the way into the first state
  std::uint16_t user_waits;  // bit per State that only the user ends: no timer is asked for
  std::span<const Row> rows;
};
constexpr std::uint16_t bit(State state) { return static_cast<std::uint16_t>(1U << static_cast<unsigned>(state)); }

inline constexpr std::array<Table, machines> tables{{
    // The user answers an INVITE when it can; a proxy has its Timer C.
    {"INVITE server", State::proceeding, start(Timer::trying), bit(State::proceeding), rows::invite_server},
    {"Non-INVITE server", State::trying, start(Timer::trying) | start(Timer::late), 0, rows::other_server},
    {"INVITE client", State::calling, send | start(Timer::a) | start(Timer::b), bit(State::proceeding),
     rows::invite_client},
    {"Non-INVITE client", State::trying, send | start(Timer::e) | start(Timer::f), 0, rows::other_client},
}};
constexpr const Table& table(Machine machine) { return tables[static_cast<std::size_t>(machine)]; }

// The row of a live transaction. Never `terminated`, and only events of that machine.
struct Rule {
  Kind kind = Kind::never;
  State next = State::terminated;
  Actions actions{};
};
[[nodiscard]] const Rule& rule(Machine machine, State state, Event event);

[[nodiscard]] std::string_view to_string(State state);
[[nodiscard]] std::string_view to_string(Event event);

// docs/sip-transactions.md.
[[nodiscard]] std::string print_tables();

}  // namespace parley::sip::tx

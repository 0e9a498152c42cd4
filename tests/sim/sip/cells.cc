// tests/sim/sip/cells.cc - see cells.h.
#include "tests/sim/sip/cells.h"

#include <string_view>

namespace parley::sim::sip {
namespace {

namespace tx = parley::sip::tx;
using parley::sip::CallRows;
using parley::sip::RowKind;

constexpr std::string_view invite_states[] = {"proceeding", "held",       "answered", "closing",   "left",    "calling",
                                              "cancelling", "accepted", "confirmed", "leaving", "ended"};
constexpr std::string_view invite_events[] = {
    "provisional", "answer",   "answer_held",   "refuse",        "pracked",     "cancel",       "ack",
    "got_2xx",  "got_2xx_again", "got_2xx_other", "got_refusal", "acknowledge",  "hang_up",
    "bye",         "bye_done", "dialog_lost",   "expired",       "limit",       "prack_overdue"};
constexpr std::string_view change_states[] = {"quiet", "ours", "ours_ok", "theirs", "theirs_ok"};
constexpr std::string_view change_events[] = {"want",        "got_invite", "got_glare",   "got_twice", "answer",
                                              "refuse",      "cancel",     "ack",         "got_2xx",   "got_2xx_again",
                                              "acknowledge", "got_491",    "got_refusal", "got_lost",  "limit"};
constexpr std::string_view pair_states[] = {"ringing",  "answering", "late",   "open",
                                            "draining", "only_a",    "only_b", "over"};
constexpr std::string_view pair_events[] = {"b_progress", "b_answered", "b_offered", "b_refused", "a_up", "a_up_answer",
                                            "a_ended",    "b_ended",    "a_gone",    "b_gone",    "stop"};
constexpr std::string_view relay_states[] = {"quiet", "asking", "acking", "calling_off"};
constexpr std::string_view relay_events[] = {"ask",           "other_busy",    "other_answered",
                                             "other_offered", "other_refused", "asker_ack",
                                             "asker_answer",  "asker_failed",  "asker_cancel",
                                             "over"};
static_assert(std::size(invite_states) == parley::sip::invite_states);
static_assert(std::size(invite_events) == parley::sip::invite_events);
static_assert(std::size(change_states) == parley::sip::change_states);
static_assert(std::size(change_events) == parley::sip::change_events);
static_assert(std::size(pair_states) == parley::sip::pair_states);
static_assert(std::size(pair_events) == parley::sip::pair_events);
static_assert(std::size(relay_states) == parley::sip::relay_states);
static_assert(std::size(relay_events) == parley::sip::relay_events);

// What is in the list: rows that something leads to; idle ones are not to be taken.
constexpr bool listed(RowKind kind) { return kind == RowKind::go || kind == RowKind::absorb; }

// Those of one table, but for those that nothing can cause.
template <class Rows, std::size_t states, std::size_t events, class Visit>
void visit_table(const char* table, const Rows& rows, const std::string_view (&state_names)[states],
                 const std::string_view (&event_names)[events], const CallRows::Table<states, events>& table_rows,
                 Visit&& visit) {
  for (const auto& row : rows) {
    if (row.kind == RowKind::never) continue;
    const auto s = static_cast<std::size_t>(row.state);
    const auto e = static_cast<std::size_t>(row.event);
    visit(table, state_names[s], event_names[e], table_rows.taken[s][e], listed(row.kind));
  }
}

template <class Visit>
void visit_calls(const CallRows& rows, Visit&& visit) {
  using namespace parley::sip;
  visit_table("invited", invite_table::invited, sip::invite_states, sip::invite_events, rows.invited, visit);
  visit_table("inviting", invite_table::inviting, sip::invite_states, sip::invite_events, rows.inviting, visit);
  visit_table("change", change_table::rows, sip::change_states, sip::change_events, rows.changes, visit);
  visit_table("leg pair", pair_table::rows, sip::pair_states, sip::pair_events, rows.pair, visit);
  visit_table("relayed change", relay_table::rows, sip::relay_states, sip::relay_events, rows.relay, visit);
}

template <class Visit>
void visit_transactions(Visit&& visit) {
  for (std::size_t m = 0; m < tx::machines; ++m) {
    const auto machine = static_cast<tx::Machine>(m);
    for (const tx::Row& row : tx::table(machine).rows) {
      if (row.kind != tx::Kind::never) visit(machine, row);
    }
  }
}

std::string name(std::string_view table, std::string_view state, std::string_view event) {
  return std::string(table) + " / " + std::string(state) + " / " + std::string(event);
}

std::string name_of(tx::Machine machine, const tx::Row& row) {
  return name(tx::table(machine).name, to_string(row.state), to_string(row.event));
}

}  // namespace

Cells::Cells() {
  visit_transactions([this](tx::Machine machine, const tx::Row& row) {
    if (row.kind != tx::Kind::idle) transactions_.push_back({name_of(machine, row)});
  });
  visit_calls(CallRows{}, [this](std::string_view table, std::string_view state, std::string_view event, bool, bool listed) {
    if (listed) calls_.push_back({name(table, state, event)});
  });
}

void Cells::add(const parley::sip::Transactions& transactions) {
  std::size_t place = 0;
  visit_transactions([&](tx::Machine machine, const tx::Row& row) {
    if (row.kind != tx::Kind::idle)
      transactions_[place++].machines += transactions.visited(machine, row.state, row.event);
  });
}

void Cells::add(const CallRows& rows) {
  std::size_t place = 0;
  visit_calls(rows, [&](std::string_view, std::string_view, std::string_view, bool taken, bool listed) {
    if (listed) calls_[place++].machines += taken;
  });
}

std::string idle_row(const parley::sip::Transactions& transactions) {
  std::string found;
  visit_transactions([&](tx::Machine machine, const tx::Row& row) {
    if (row.kind == tx::Kind::idle && transactions.visited(machine, row.state, row.event)) found = name_of(machine, row);
  });
  return found;
}

std::string idle_row(const CallRows& rows) {
  std::string found;
  visit_calls(rows, [&](std::string_view table, std::string_view state, std::string_view event, bool taken, bool listed) {
    if (taken && !listed) found = name(table, state, event);
  });
  return found;
}

std::vector<std::string> Cells::unvisited() const {
  std::vector<std::string> out;
  for (const auto* seen : {&transactions_, &calls_}) {
    for (const Seen& one : *seen) {
      if (one.machines == 0) out.push_back(one.name);
    }
  }
  return out;
}

std::vector<std::pair<std::uint64_t, std::string>> Cells::counts() const {
  std::vector<std::pair<std::uint64_t, std::string>> out;
  for (const auto* seen : {&transactions_, &calls_}) {
    for (const Seen& one : *seen) out.emplace_back(one.machines, one.name);
  }
  return out;
}

}  // namespace parley::sim::sip

// sip/transaction_rules.cc - rows by their place, and the page that shows them.
#include "sip/transaction_rules.h"

#include "sip/transaction_rule_checks.h"

namespace parley::sip::tx {
namespace {

using Grid = std::array<std::array<std::array<Rule, events>, states>, machines>;

constexpr Grid make_grid() {
  Grid grid{};
  for (std::size_t m = 0; m < machines; ++m) {
    for (const Row& row : tables[m].rows) {
      grid[m][static_cast<std::size_t>(row.state)][static_cast<std::size_t>(row.event)] = {row.kind, row.next,
                                                                                           row.actions};
    }
  }
  return grid;
}
constexpr Grid grid = make_grid();

constexpr std::array<std::string_view, states> state_names{"Calling",
                                                           "Calling, CANCEL held",
                                                           "Trying",
                                                           "Proceeding",
                                                           "Proceeding, CANCEL sent",
                                                           "Completed",
                                                           "Confirmed",
                                                           "Accepted",
                                                           "Terminated"};
constexpr std::array<std::string_view, events> event_names{
    "Timer A",          "Timer B", "Timer D",       "Timer E",       "Timer F",
    "Timer G",          "Timer H", "Timer I",       "Timer J",       "Timer K",
    "Timer L",          "Timer M", "Timer trying",  "Timer late",    "Timer cancel",
    "request again",    "ACK",     "1xx from user", "2xx from user", "3xx-6xx from user",
    "CANCEL from user", "1xx",     "2xx",           "3xx-6xx",       "transport error"};

struct Phrase {
  Actions action;
  std::string_view text;
};
constexpr Phrase phrases[] = {
    {send, "send"},
    {repeat, "send again"},
    {send_100, "send 100"},
    {send_ack, "send ACK"},
    {keep_cancel, "keep CANCEL"},
    {send_cancel, "send CANCEL"},
    {pass, "to user"},
    {tell_timeout, "tell user: timeout"},
    {tell_error, "tell user: transport error"},
    {tell_ended, "tell user: ended"},
};

std::string_view length_text(Length length) {
  switch (length) {
    case Length::none: return "never started";
    case Length::zero: return "0";
    case Length::t1: return "T1, then as the row says";
    case Length::t4: return "T4";
    case Length::t1_64: return "64*T1";
    case Length::timer_d: return "32.5 s";
    case Length::trying: return "200 ms; other than INVITE: 3.5 s";
  }
  return "";
}

void add(std::string& list, std::string_view text) {
  if (!list.empty()) list += ", ";
  list += text;
}

void add_timers(std::string& list, std::string_view verb, std::uint16_t set) {
  for (std::size_t i = 0; i < timers; ++i) {
    if (((std::uint32_t{set} >> i) & 1U) != 0) add(list, std::string(verb) + ' ' + std::string(timer_infos[i].name));
  }
}

std::string actions_text(Actions actions) {
  std::string list;
  add_timers(list, "stop", actions.stops);
  for (const Phrase& phrase : phrases) {
    if (actions.has(phrase.action)) add(list, phrase.text);
  }
  add_timers(list, "start", actions.starts);
  if (actions.has(doubled)) list += actions.has(up_to_t2) ? " doubled, at most T2" : " doubled";
  if (actions.has(at_t2)) list += " with T2";
  return list.empty() ? "-" : list;
}

void print_table(std::string& page, const Table& t) {
  page += "\n## ";
  page += t.name;
  page += "\n\nBegins in ";
  page += to_string(t.first);
  page += ": " + actions_text(t.begin) + ".\n\n| State | Event | Next | Actions | Where |\n|--|--|--|--|--|\n";
  for (const Row& row : t.rows) {
    if (row.kind == Kind::never) continue;
    page += "| ";
    page += to_string(row.state);
    page += " | ";
    page += to_string(row.event);
    page += " | ";
    page += row.kind == Kind::go ? to_string(row.next) : row.kind == Kind::absorb ? "(absorbed)" : "(ignored)";
    page += " | " + actions_text(row.actions) + " | ";
    page += row.where;
    page += " |\n";
  }
}

}  // namespace

const Rule& rule(Machine machine, State state, Event event) {
  return grid[static_cast<std::size_t>(machine)][static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

std::string_view to_string(State state) { return state_names[static_cast<std::size_t>(state)]; }
std::string_view to_string(Event event) { return event_names[static_cast<std::size_t>(event)]; }

std::string print_tables() {
  std::string page =
      "# SIP transactions\n"
      "\n"
      "Printed from `sip/transaction_rules.h`; `sip_transaction_rules_test` compares. Sections are those of RFC 3261 "
      "unless\n"
      "another RFC is named. Timers that can not run in a state and errors that can not be are left out: the compiler checks that. Absorbed is what\n"
      "a peer may well send; ignored is what only our own user could ask for, and does not.\n"
      "\n"
      "## Timers\n"
      "\n"
      "| Timer | Datagrams | Streams | Where |\n"
      "|--|--|--|--|\n";
  for (const TimerInfo& timer : timer_infos) {
    page += "| ";
    page += timer.name;
    page += " | ";
    page += length_text(timer.length);
    page += " | ";
    page += length_text(timer.length_on_reliable);
    page += " | ";
    page += timer.where;
    page += " |\n";
  }
  for (const Table& t : tables) print_table(page, t);
  return page;
}

}  // namespace parley::sip::tx

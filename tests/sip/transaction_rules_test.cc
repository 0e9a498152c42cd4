// tests/sip/transaction_rules_test.cc - the page of the transaction tables is current, and the compiler's checks see
// what they are there for.
#include "sip/transaction_rules.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sip/transaction_rule_checks.h"

namespace parley::tests {
namespace {

using namespace parley::sip::tx;

// A copy of a machine with one row changed.
struct Broken {
  explicit Broken(Machine machine)
      : rows(table(machine).rows.begin(), table(machine).rows.end()), copy(table(machine)) {
    copy.rows = rows;
  }
  Row& row(State state, Event event) {
    for (Row& one : rows) {
      if (one.state == state && one.event == event) return one;
    }
    std::abort();
  }
  void drop(State state, Event event) {
    std::erase_if(rows, [&](const Row& one) { return one.state == state && one.event == event; });
    copy.rows = rows;
  }
  std::vector<Row> rows;
  Table copy;
};

TEST(SipTransactionRules, PageIsCurrent) {
  // PARLEY_WRITE_PAGES=1 writes it anew.
  if (std::getenv("PARLEY_WRITE_PAGES") != nullptr) std::ofstream(TRANSACTIONS_PAGE) << print_tables();
  std::ifstream file(TRANSACTIONS_PAGE);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, print_tables());
}

TEST(SipTransactionRules, MissingOrDoubledCell) {
  Broken missing(Machine::invite_server);
  missing.drop(State::accepted, Event::request);  // the mistake RFC 6026 was written for (R3261-2)
  EXPECT_FALSE(check::complete(missing.copy));
  Broken doubled(Machine::other_client);
  doubled.rows.push_back(doubled.rows.front());
  doubled.copy.rows = doubled.rows;
  EXPECT_FALSE(check::complete(doubled.copy));
  Broken astray(Machine::other_client);
  astray.row(State::trying, Event::response_1xx).next = State::accepted;
  EXPECT_FALSE(check::complete(astray.copy));
}

TEST(SipTransactionRules, TimerThatIsAwaitedButNotStarted) {
  Broken no_g(Machine::invite_server);
  no_g.row(State::proceeding, Event::tu_3xx_6xx).actions = send | stop(Timer::trying) | start(Timer::h);
  EXPECT_FALSE(check::timers_awaited(no_g.copy));
  Broken forgotten(Machine::invite_client);
  forgotten.row(State::calling, Event::response_1xx).actions = stop(Timer::b) | pass;  // A would still run
  EXPECT_FALSE(check::timers_awaited(forgotten.copy));
  Broken left(Machine::invite_client);
  left.row(State::calling, Event::timer_b).actions = tell_timeout;  // A outlives the transaction
  EXPECT_FALSE(check::timers_awaited(left.copy));
}

TEST(SipTransactionRules, PeersCanDoNothingThatIsNever) {
  Broken table(Machine::invite_server);
  table.row(State::proceeding, Event::ack) = never(State::proceeding, Event::ack);
  EXPECT_FALSE(check::timers_awaited(table.copy));
}

TEST(SipTransactionRules, AnErrorThatCanNotBeAndOneThatCan) {
  Broken awaited(Machine::invite_server);
  awaited.row(State::confirmed, Event::transport_error) = absorb(State::confirmed, Event::transport_error, "nowhere");
  EXPECT_FALSE(check::errors_awaited(awaited.copy));
  Broken forgotten(Machine::invite_client);
  forgotten.row(State::accepted, Event::transport_error) = never(State::accepted, Event::transport_error);
  EXPECT_FALSE(check::errors_awaited(forgotten.copy));
}

TEST(SipTransactionRules, OnlyOurUserIsForgiven) {
  Broken table(Machine::invite_client);
  table.row(State::completed, Event::response_1xx) = idle(State::completed, Event::response_1xx, "17.1.1.2");
  EXPECT_FALSE(check::only_users_idle(table.copy));
}

TEST(SipTransactionRules, StateThatWaitsForever) {
  Broken table(Machine::invite_client);
  table.copy.user_waits = 0;
  EXPECT_FALSE(check::every_state_ends(table.copy));
  Broken only_repeats(Machine::other_client);
  only_repeats.row(State::proceeding, Event::timer_f).next = State::proceeding;
  EXPECT_FALSE(check::every_state_ends(only_repeats.copy));
}

TEST(SipTransactionRules, ThirdTimerAndZeroThatDoesNotEnd) {
  Broken third(Machine::other_client);
  third.copy.begin = send | start(Timer::e) | start(Timer::f) | start(Timer::k);
  EXPECT_FALSE(check::two_timers_do(third.copy));
  Broken zero(Machine::other_server);
  zero.row(State::completed, Event::timer_j).next = State::completed;
  EXPECT_FALSE(check::zero_ends(zero.copy));
}

TEST(SipTransactionRules, EveryRowSaysWhere) {
  for (const Table& t : tables) {
    for (const Row& row : t.rows) EXPECT_EQ(row.where.empty(), row.kind == Kind::never) << t.name;
  }
}

}  // namespace
}  // namespace parley::tests

// tests/sip/binding_row_test.cc - what of a binding another process can use, and what it must not.
#include "sip/binding_row.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/metrics.h"
#include "core/random.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;

Listener listener(core::Transport transport, const char* bound) {
  return {.transport = transport, .host = "sip.example.org", .port = 5060, .bound = *core::parse_address(bound)};
}

const std::vector<Listener> here = {listener(core::Transport::tcp, "192.0.2.9:5060"),
                                    listener(core::Transport::udp, "192.0.2.9:5060"),
                                    listener(core::Transport::udp, "192.0.2.9:5070"),
                                    listener(core::Transport::udp, "[2001:db8::9]:5060")};

// Two processes: their monotonic clocks have nothing in common.
const core::Now before{.mono = core::Instant(500s), .wall_ms = 1'700'000'000'000};
const core::Now after{.mono = core::Instant(7s), .wall_ms = 1'700'000'060'000};

Binding device() {
  Binding b;
  b.row = 42;
  b.contact = "sip:a@198.51.100.1:5060";
  b.display = "\"A\"";
  b.params = ";q=0.7";
  b.q = 700;
  b.call_id = "c1";
  b.cseq = 7;
  b.path = "<sip:edge;lr>";
  b.user_agent = "phone";
  b.flow = {.transport = core::Transport::udp, .shard = 3, .listener = 1, .connection = {}, .remote = *core::parse_address("198.51.100.1:40000")};
  b.expires_seconds = 3600;
  b.registered = before.mono - 100s;
  b.refreshed = before.mono;
  b.expires = before.mono + 3600s;
  b.last_event = BindingEvent::refreshed;
  return b;
}

std::optional<Binding> pass(const Binding& b, std::span<const Listener> there = here, core::Now now = after) {
  return from_row(to_row("sip:a@example.org", b, before, here), now, 1, there);
}

TEST(BindingRow, TimesAreCarriedFromOneClockToAnother) {
  const auto b = pass(device());
  ASSERT_TRUE(b);
  EXPECT_EQ(b->expires, after.mono + 3540s);
  EXPECT_EQ(b->registered, after.mono - 160s);
  EXPECT_EQ(b->refreshed, after.mono - 60s);
  EXPECT_EQ(b->row, 42U);
  EXPECT_EQ(b->contact, device().contact);
  EXPECT_EQ(b->display, device().display);
  EXPECT_EQ(b->params, device().params);
  EXPECT_EQ(b->q, 700);
  EXPECT_EQ(b->call_id, "c1");
  EXPECT_EQ(b->cseq, 7U);
  EXPECT_EQ(b->path, device().path);
  EXPECT_EQ(b->user_agent, "phone");
  EXPECT_EQ(b->expires_seconds, 3600U);
  EXPECT_EQ(b->last_event, BindingEvent::refreshed);
  EXPECT_EQ(b->flow.shard, 1);
  EXPECT_EQ(b->flow.listener, 1);
  EXPECT_EQ(b->flow.remote, device().flow.remote);
}

TEST(BindingRow, OneWhoseTimeIsOverIsGone) {
  core::Now late = after;
  late.wall_ms = before.wall_ms + 3'600'000;
  EXPECT_FALSE(pass(device(), here, late));
  late.wall_ms -= 1;
  EXPECT_TRUE(pass(device(), here, late));
}

TEST(BindingRow, AClockThatWasSetBackGivesNoMoreTime) {
  core::Now early = after;
  early.wall_ms = before.wall_ms - 86'400'000;
  const auto b = pass(device(), here, early);
  ASSERT_TRUE(b);
  EXPECT_EQ(b->expires, early.mono + 3600s);
}

TEST(BindingRow, R5626_2_WhoIsReachedBackTheWayHeCameNeedsTheSameListener) {
  Binding behind_nat = device();
  behind_nat.over_flow = true;
  const std::vector<Listener> moved = {here[2], here[1]};
  ASSERT_TRUE(pass(behind_nat, moved));
  EXPECT_EQ(pass(behind_nat, moved)->flow.listener, 1);
  const std::vector<Listener> other = {here[0], here[2]};
  EXPECT_FALSE(pass(behind_nat, other));
  ASSERT_TRUE(pass(device(), other));  // his URI leads to him from any
  EXPECT_EQ(pass(device(), other)->flow.listener, 1);
  const std::vector<Listener> other_family = {here[0], here[3]};
  EXPECT_FALSE(pass(device(), other_family));
}

TEST(BindingRow, T_35_AConnectionIsNoWayForAnotherProcess) {
  Binding b = device();
  b.flow.transport = core::Transport::tcp;
  b.flow.listener = 0;
  EXPECT_TRUE(outlives_process(b));  // it is dialled
  ASSERT_TRUE(pass(b));
  EXPECT_FALSE(pass(b)->flow.connection.valid());
  b.over_flow = true;
  EXPECT_FALSE(outlives_process(b));
  EXPECT_FALSE(pass(b));
}

TEST(BindingRow, ADamagedRowIsPassedOver) {
  core::BindingRow row = to_row("sip:a@example.org", device(), before, here);
  row.remote = "nowhere";
  EXPECT_FALSE(from_row(row, after, 0, here));
  row.remote = "198.51.100.1:40000";
  row.contact.clear();
  EXPECT_FALSE(from_row(row, after, 0, here));
}

// --- what Location says of rows

class Rows : public testing::Test {
 protected:
  Binding put(Binding b, std::uint64_t number = 0) {
    BindingChange change{.kind = BindingChange::Kind::put, .number = number, .binding = std::move(b)};
    EXPECT_EQ(location_.apply("sip:a@example.org", {&change, 1}, before.mono), Location::Applied::done);
    return fact().binding;
  }
  LocationFact fact() {
    LocationFact fact;
    EXPECT_TRUE(location_.next_fact(before.mono, last_));
    return last_;
  }
  core::Random random_{core::Seed{1}};
  core::Metrics metrics_;
  Location location_{LocationConfig{.aors_max = 10, .bindings_per_aor_max = 2}, random_, metrics_, core::Instant{}};
  LocationFact last_;
};

TEST_F(Rows, ARefreshKeepsTheRowAndALostWayLosesIt) {
  Binding b = device();
  b.row = 0;
  const Binding first = put(b);
  EXPECT_NE(first.row, 0U);
  EXPECT_EQ(last_.lost_row, 0U);
  const Binding again = put(b, first.number);
  EXPECT_EQ(again.row, first.row);
  EXPECT_EQ(last_.lost_row, 0U);
  Binding by_connection = b;
  by_connection.flow.transport = core::Transport::tls;
  by_connection.over_flow = true;
  EXPECT_EQ(put(by_connection, first.number).row, 0U);
  EXPECT_EQ(last_.lost_row, first.row);
  EXPECT_EQ(put(by_connection, first.number).row, 0U);
  EXPECT_EQ(last_.lost_row, 0U);
  const Binding back = put(b, first.number);
  EXPECT_NE(back.row, 0U);
  EXPECT_EQ(location_.remove_all("sip:a@example.org"), 1U);
  EXPECT_EQ(fact().lost_row, back.row);
}

TEST_F(Rows, WhatIsRestoredCausesNoFactAndKeepsItsRow) {
  Binding b = device();
  EXPECT_EQ(location_.restore("sip:a@example.org", b), Location::Applied::done);
  b.row = 43;
  EXPECT_EQ(location_.restore("sip:a@example.org", b), Location::Applied::done);
  EXPECT_EQ(location_.restore("sip:a@example.org", b), Location::Applied::too_many);
  EXPECT_FALSE(location_.next_fact(before.mono, last_));
  ASSERT_EQ(location_.bindings("sip:a@example.org").size(), 2U);
  const Binding there = location_.bindings("sip:a@example.org")[0];
  EXPECT_EQ(there.row, 42U);
  EXPECT_EQ(put(b, there.number).row, 42U);
  EXPECT_TRUE(location_.next_fact(before.mono + 3600s, last_));
  EXPECT_EQ(last_.event, BindingEvent::expired);
  EXPECT_EQ(metrics_.get(core::Metric::sip_location_bindings), 0U);
}

}  // namespace
}  // namespace parley::tests

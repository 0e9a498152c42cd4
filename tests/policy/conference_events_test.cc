// tests/policy/conference_events_test.cc - subscriptions to sessions as their members meet them. OMA-CONF-1,
// OMA-CONF-2, OMA-CONF-4, OMA-CONF-8 to OMA-CONF-10, SEED2-7.2.1.1-13, T-32, T-33, T-54.
#include <gtest/gtest.h>

#include "tests/policy/conference_party.h"

namespace parley::tests {
namespace {

using core::Metric;
using policy::DisconnectionMethod;
using policy::EndpointStatus;
using policy::RosterPlace;

struct ConferenceEvents : testing::Test {
  void make(const std::function<void(policy::SipConfig&)>& change = {}) {
    auto config = conference_config();
    if (change) change(*config);
    party = std::make_unique<ConferenceParty>(config);
    world = &party->world;
    (void)world->roster();
  }
  void SetUp() override { make(); }
  ConferenceWatcher& add(const std::string& name, bool stream = false) { return party->add(name, stream); }
  std::unique_ptr<ConferenceParty> party;
  ConferenceWorld* world = nullptr;
};

TEST_F(ConferenceEvents, OMA_CONF_1_RefusalsInTheirOrder) {
  ConferenceWatcher& alice = add("alice");
  const std::string wrong = "Accept: application/pidf+xml\r\n";
  world->decide = [](const sip::Received&) { return std::uint16_t{403}; };
  alice.subscribe({.expires = "1", .event = "presence", .lines = wrong});
  EXPECT_EQ(world->status, 403) << "who may not is told nothing else";
  world->decide = [](const sip::Received&) { return std::uint16_t{200}; };
  alice.subscribe({.expires = "1", .event = "presence", .lines = wrong});
  EXPECT_EQ(std::to_string(world->status) + world->refusal, "489Allow-Events: conference\n");
  alice.subscribe({.event = ""});
  EXPECT_EQ(world->status, 489);
  alice.subscribe({.expires = "1", .lines = wrong});
  EXPECT_EQ(std::to_string(world->status) + world->refusal, "406Accept: application/conference-info+xml\n");
  alice.subscribe({.expires = "59"});
  EXPECT_EQ(std::to_string(world->status) + world->refusal, "423Min-Expires: 60\n");
  alice.subscribe({.uri = "sip:factory@example.org"});
  EXPECT_EQ(world->status, 404) << "T-32: no session";
  alice.use_dialog("c", "f", "1234567890abcdef", 1);
  alice.refresh();
  EXPECT_EQ(world->status, 481) << "T-32: no dialog";
  EXPECT_EQ(world->events.watched(), 0U);
  EXPECT_EQ(alice.notifies, 0);
}

TEST_F(ConferenceEvents, OMA_CONF_2_FirstNotifyAtOnceAndFull) {
  (void)world->join("alice");
  ConferenceWatcher& alice = add("alice");
  alice.subscribe({.expires = "", .lines = "Accept: application/pidf+xml, application/conference-info+xml\r\n"});
  ASSERT_TRUE(alice.response.starts_with("SIP/2.0 200")) << alice.response;
  EXPECT_EQ(line_of(alice.response, "Expires"), "3600") << "OMA-CONF-1: the default";
  EXPECT_EQ(line_of(alice.response, "Contact"), std::string("<") + session_uri + ">;isfocus");
  EXPECT_FALSE(alice.notify_before_response) << "T-32: behind the 200";
  ASSERT_EQ(alice.notifies, 1);
  EXPECT_EQ(line_of(alice.last_notify, "Subscription-State"), "active;expires=3600");
  EXPECT_EQ(line_of(alice.last_notify, "Event"), "conference");
  EXPECT_EQ(line_of(alice.last_notify, "Content-Type"), "application/conference-info+xml");
  EXPECT_EQ(line_of(alice.last_notify, "Contact"), std::string("<") + session_uri + ">;isfocus") << "R4579-1";
  EXPECT_EQ(alice.heard(), "active full 1");
  EXPECT_EQ(alice.reader.root().attribute("entity"), session_uri);
  world->advance(10s);
  EXPECT_EQ(alice.notifies, 1) << "nothing has happened";
  world->change([] {});
  EXPECT_EQ(alice.notifies, 1) << "changed() without a change";
}

// DEC-9: of whatever kind the session is.
TEST_F(ConferenceEvents, SEED2_7_2_1_1_13_AJoinIsToldToAllBehindIt) {
  (void)world->join("alice");
  ConferenceWatcher& alice = add("alice");
  ConferenceWatcher& bob = add("bob", true);
  alice.subscribe();
  bob.subscribe();
  const std::uint64_t written = world->metrics.get(Metric::sip_conference_documents);
  EXPECT_EQ(written, 1U) << "one full document for both";
  world->advance(5s);
  (void)world->join("bob");
  for (ConferenceWatcher* watcher : {&alice, &bob}) {
    EXPECT_EQ(watcher->heard(), "active partial 2");
    EXPECT_NE(watcher->reader.users().find("sip:bob@example.org \"bob\" nick= | sip:bob@192.0.2.1 connected"),
              std::string::npos);
    EXPECT_EQ(watcher->reader.count(), "2");
  }
  EXPECT_EQ(world->metrics.get(Metric::sip_conference_documents), written + 1);
  EXPECT_EQ(world->metrics.get(Metric::sip_conference_notify_bytes), alice.notify_bytes + bob.notify_bytes);
}

TEST_F(ConferenceEvents, OMA_CONF_4_AtMostOneInFiveSecondsAndTheFirstAtOnce) {
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  world->advance(6s);
  (void)world->join("b");
  EXPECT_EQ(alice.notifies, 2) << "at once behind a silence";
  (void)world->join("c");
  const RosterPlace d = world->join("d", EndpointStatus::alerting);
  world->advance(1s);
  world->change([&] { (void)world->roster().status(d, EndpointStatus::connected); });
  world->advance(3900ms);
  EXPECT_EQ(alice.notifies, 2);
  world->advance(200ms);
  EXPECT_EQ(alice.notifies, 3);
  EXPECT_EQ(alice.heard(), "active partial 3");
  EXPECT_EQ(alice.reader.last().child("users")->children.size(), 2U) << "net: c and d once";
  EXPECT_EQ(alice.reader.count(), "3");
  world->advance(60s);
  EXPECT_EQ(alice.notifies, 3);
}

TEST_F(ConferenceEvents, OMA_CONF_4_TheIntervalIsAFlag) {
  make([](policy::SipConfig& config) { config.conference_events.package.interval_min = 100ms; });
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  (void)world->join("b");
  EXPECT_EQ(alice.notifies, 1);
  world->advance(100ms);
  EXPECT_EQ(alice.notifies, 2);
}

TEST_F(ConferenceEvents, OMA_CONF_4_DisconnectedThenDeletedWithoutFurtherChanges) {
  (void)world->join("alice");
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  const std::string before = alice.reader.users();
  world->advance(1s);
  world->change([&] {
    const RosterPlace bob = world->join("bob", EndpointStatus::connected, false);
    (void)world->roster().leave(bob, DisconnectionMethod::departed, policy::reason_text(200, "bye"));
  });
  world->advance(4500ms);
  EXPECT_EQ(alice.notifies, 2);
  EXPECT_NE(alice.reader.users().find("disconnected dialed-in departed Reason: SIP;cause=200;text=\"bye\""),
            std::string::npos);
  world->advance(4900ms);
  EXPECT_EQ(alice.notifies, 3);
  EXPECT_EQ(alice.heard(), "active partial 3");
  EXPECT_EQ(alice.reader.users(), before);
  EXPECT_EQ(world->roster().departures(), 0U) << "all have been told";
  world->advance(60s);
  EXPECT_EQ(alice.notifies, 3);
}

TEST_F(ConferenceEvents, OMA_CONF_8_FetchAndUnsubscribe) {
  (void)world->join("alice");
  ConferenceWatcher& alice = add("alice");
  alice.subscribe({.expires = "0"});
  ASSERT_TRUE(alice.response.starts_with("SIP/2.0 200"));
  EXPECT_EQ(line_of(alice.response, "Expires"), "0");
  EXPECT_EQ(alice.heard(), "terminated;reason=timeout full 1");
  EXPECT_EQ(alice.reader.count(), "1");
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
  alice.reader = {};
  alice.subscribe();
  world->advance(1s);
  alice.refresh({.expires = "300"});
  EXPECT_EQ(line_of(alice.response, "Expires"), "300");
  EXPECT_EQ(alice.heard(), "active full 2") << "a refresh is answered with all";
  alice.refresh({.expires = "0"});
  EXPECT_EQ(alice.heard(), "terminated;reason=timeout full 3");
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
  alice.refresh();
  EXPECT_EQ(world->status, 481);
}

TEST_F(ConferenceEvents, OMA_CONF_8_WhoDoesNotRefreshIsSentNoDocument) {
  ConferenceWatcher& alice = add("alice");
  alice.subscribe({.expires = "60"});
  world->advance(61s);
  EXPECT_EQ(alice.heard(), "terminated;reason=timeout nothing");
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
  EXPECT_EQ(world->metrics.get(Metric::sip_subscriptions_expired), 1U);
}

TEST_F(ConferenceEvents, OMA_CONF_8_TheSessionEnds) {
  (void)world->join("alice");
  ConferenceWatcher& alice = add("alice");
  ConferenceWatcher& bob = add("bob", true);
  alice.subscribe();
  bob.subscribe();
  bob.mute = true;
  world->end_session();
  EXPECT_EQ(alice.heard(), "terminated;reason=noresource deleted 2");
  EXPECT_TRUE(alice.reader.deleted());
  EXPECT_EQ(bob.heard(), "terminated;reason=noresource deleted 2");
  EXPECT_EQ(world->events.watched(), 1U) << "bob has not answered";
  (void)world->roster();  // another session of that name begins
  alice.reader = {};
  alice.subscribe();
  EXPECT_EQ(alice.heard(), "active full 1");
  bob.answer_now(bob.unanswered.at(0), 200);
  EXPECT_EQ(world->events.watched(), 1U);
  EXPECT_EQ(world->events.subscribers(), 1U);
}

TEST_F(ConferenceEvents, OMA_CONF_9_WhichAnswersEndASubscription) {
  for (const int status : {404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604, 500, 503, 486, 200}) {
    ConferenceWatcher& one = add("w" + std::to_string(status));
    one.answer = static_cast<std::uint16_t>(status);
    one.subscribe();
    const bool stays = status == 500 || status == 503 || status == 486 || status == 200;
    EXPECT_EQ(world->events.subscribers(), stays ? 1U : 0U) << status;
    if (!stays) continue;
    one.answer = 200;
    world->advance(5s);
    world->change([&] { (void)world->roster().lock(status != 503 && status != 200); });
    EXPECT_EQ(one.heard(), status == 200 ? "active partial 2" : "active full 2")
        << "what it may not have has to be said again";
    one.refresh({.expires = "0"});
  }
}

TEST_F(ConferenceEvents, OMA_CONF_9_WhoIsSilentIsForgotten) {
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  alice.mute = alice.deaf = true;
  world->advance(6s);
  (void)world->join("b");
  for (int n = 0; n < 10; ++n) (void)world->join("c" + std::to_string(n));
  world->advance(31s);
  EXPECT_EQ(world->events.subscribers(), 1U);
  const std::size_t repeated = alice.unanswered.size();
  EXPECT_GT(repeated, 5U);
  for (const std::string& notify : alice.unanswered) EXPECT_EQ(notify, alice.unanswered[0]) << "one NOTIFY at a time";
  world->advance(2s);
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
  EXPECT_EQ(world->metrics.get(Metric::sip_notify_failed), 1U);
}

TEST_F(ConferenceEvents, OMA_CONF_9_AConnectionThatIsGone) {
  ConferenceWatcher& alice = add("alice", true);
  alice.subscribe();
  alice.hang_up();
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U) << "it can be reached in no other way";
  (void)world->join("b");
  world->advance(5s);
  EXPECT_EQ(alice.notifies, 1);
}

TEST_F(ConferenceEvents, OMA_CONF_10_WhatIsTooLargeForADatagramGoesByTcp) {
  party->hold_calls();
  for (int n = 0; n < 20; ++n) (void)world->join("u" + std::to_string(n));
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  EXPECT_EQ(alice.notifies, 0);
  ASSERT_EQ(world->connects.size(), 1U);
  EXPECT_EQ(core::to_string(world->connects[0].address), alice.at());
  alice.deaf = true;
  const core::ConnId conn = world->connected(world->connects[0].token, alice.at());
  ASSERT_EQ(party->strays.size(), 1U) << "over the connection";
  EXPECT_NE(party->strays[0].second.find("Via: SIP/2.0/TCP"), std::string::npos);
  ConferenceReader reader;
  EXPECT_EQ(reader.take(body_in(party->strays[0].second)), ConferenceReader::Step::applied);
  EXPECT_EQ(reader.count(), "20");
  world->bytes(conn, response_text(party->strays[0].second, 200, {}));
  world->advance(5s);
  (void)world->join("one");
  EXPECT_EQ(alice.notifies, 1) << "a short one by UDP";
  EXPECT_EQ(alice.last_notify.find("Via: SIP/2.0/TCP"), std::string::npos);
}

// That it is gone says nothing about its peer, whom a new one reaches.
TEST_F(ConferenceEvents, OMA_CONF_10_AnOldConnectionThatIsGoneIsMadeAnew) {
  party->hold_calls();
  for (int n = 0; n < 20; ++n) (void)world->join("u" + std::to_string(n));
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  ASSERT_EQ(world->connects.size(), 1U);
  alice.deaf = true;
  const core::ConnId conn = world->connected(world->connects[0].token, alice.at());
  world->bytes(conn, response_text(party->strays.at(0).second, 200, {}));
  world->advance(6s);
  world->change([&] {
    for (int n = 20; n < 40; ++n) (void)world->join("u" + std::to_string(n), EndpointStatus::connected, false);
  });
  ASSERT_EQ(party->strays.size(), 2U) << "over the one that there is";
  world->close(conn);
  ASSERT_EQ(world->connects.size(), 2U);
  const core::ConnId again = world->connected(world->connects[1].token, alice.at());
  ASSERT_EQ(party->strays.size(), 3U);
  EXPECT_NE(party->strays[2].second.find("Via: SIP/2.0/TCP"), std::string::npos);
  ConferenceReader reader;
  EXPECT_EQ(reader.take(body_in(party->strays[2].second)), ConferenceReader::Step::applied) << "everything";
  EXPECT_EQ(reader.count(), "40");
  // One that breaks at once is not tried for ever.
  world->close(again);
  EXPECT_EQ(world->connects.size(), 2U);
  EXPECT_EQ(alice.notifies, 1) << "as a datagram after all";
}

TEST_F(ConferenceEvents, OMA_CONF_10_WhoRefusesTcpGetsADatagramAfterAll) {
  party->hold_calls();
  for (int n = 0; n < 20; ++n) (void)world->join("u" + std::to_string(n));
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  ASSERT_EQ(world->connects.size(), 1U);
  world->connect_failed(world->connects[0].token);
  EXPECT_EQ(alice.notifies, 1);
  EXPECT_EQ(alice.heard(), "active full 2");
  EXPECT_EQ(alice.reader.count(), "20");
}

TEST_F(ConferenceEvents, OMA_CONF_10_WhatCouldNotBeDeliveredIsSaidWithAll) {
  ConferenceWatcher& alice = add("alice");
  alice.subscribe();
  party->hold_calls();
  world->advance(6s);
  world->change([&] {
    for (int n = 0; n < 20; ++n) (void)world->join("u" + std::to_string(n), EndpointStatus::connected, false);
  });
  EXPECT_EQ(alice.notifies, 1);
  ASSERT_EQ(world->connects.size(), 1U);
  world->connect_failed(world->connects[0].token);
  EXPECT_EQ(alice.heard(), "active full 3") << "version 2 was lost, and nothing may build on it";
  EXPECT_EQ(alice.reader.count(), "20");
}

TEST_F(ConferenceEvents, WhoMayWatchNoMoreIsSentNothing) {
  (void)world->join("alice");
  ConferenceWatcher& alice = add("alice");
  ConferenceWatcher& bob = add("bob");
  alice.subscribe();
  bob.subscribe();
  world->change([&] { world->events.revoke(world->roster(), "bob"); });
  EXPECT_EQ(bob.heard(), "terminated;reason=rejected nothing");
  EXPECT_EQ(world->events.subscribers(), 1U);
  world->decide = [](const sip::Received&) { return std::uint16_t{403}; };
  alice.refresh();
  EXPECT_EQ(world->status, 403);
  EXPECT_EQ(alice.heard(), "terminated;reason=rejected nothing");
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
}

TEST_F(ConferenceEvents, T_86_LimitsOfASessionAreNot503) {
  make([](policy::SipConfig& config) {
    config.conference_events.subscriptions_per_session_max = 3;
    config.conference_events.subscriptions_per_watcher_max = 2;
    config.conference_events.notifies_unanswered_max = 2;
  });
  ConferenceWatcher& alice = add("alice");
  alice.deaf = true;
  alice.subscribe();
  alice.subscribe();
  alice.subscribe();
  EXPECT_EQ(world->status, 403);
  EXPECT_EQ(world->metrics.get(Metric::sip_conference_watcher_limit), 1U);
  ConferenceWatcher& bob = add("bob");
  bob.subscribe();
  EXPECT_EQ(world->status, 200);
  add("carol").subscribe();
  EXPECT_EQ(world->status, 500);
  EXPECT_EQ(world->metrics.get(Metric::sip_conference_subscriptions_limit), 1U);
  ASSERT_EQ(world->events.headers().size(), 1U);
  EXPECT_EQ(world->events.headers()[0].id, sip::HeaderId::retry_after);
  bob.refresh({.event = "conference;id=2"});
  EXPECT_EQ(world->status, 500) << "nor one more in a dialog";
  EXPECT_EQ(bob.notifies, 1);
  bob.refresh();
  EXPECT_EQ(world->status, 200);
  bob.mute = true;
  bob.refresh();
  bob.refresh();
  EXPECT_EQ(world->status, 200);
  bob.refresh();
  EXPECT_EQ(world->status, 500);
  EXPECT_EQ(world->metrics.get(Metric::sip_notifies_unanswered_limit), 1U);
  bob.refresh({.expires = "0"});
  EXPECT_EQ(world->status, 200) << "it may always end";
}

TEST_F(ConferenceEvents, ADocumentThatIsTooLongIsCounted) {
  make([](policy::SipConfig& config) { config.conference_events.roster.document_bytes_max = 1000; });
  for (int n = 0; n < 20; ++n) (void)world->join("u" + std::to_string(n));
  ConferenceWatcher& alice = add("alice", true);
  alice.subscribe();
  EXPECT_EQ(world->metrics.get(Metric::sip_conference_document_limit), 1U);
  EXPECT_LT(alice.notify_bytes, 2000U);
  EXPECT_EQ(alice.reader.count(), "20");
}

TEST_F(ConferenceEvents, T_54_SomeClientsGetEverythingEachTime) {
  make([](policy::SipConfig& config) { config.conference_events.always_full = {"Old-client/"}; });
  ConferenceWatcher& old = add("old");
  ConferenceWatcher& other = add("other");
  old.subscribe({.lines = "User-Agent: Old-client/1.0\r\n"});
  other.subscribe({.lines = "User-Agent: An Old-client/1.0\r\n"});
  world->advance(5s);
  const RosterPlace bob = world->join("bob");
  EXPECT_EQ(old.heard() + ", " + other.heard(), "active full 2, active partial 2");
  world->advance(5s);
  world->change([&] { (void)world->roster().leave(bob, DisconnectionMethod::departed); });
  EXPECT_EQ(old.reader.users(), "");
  world->advance(6s);
  EXPECT_EQ(old.notifies, 3);
  EXPECT_EQ(other.notifies, 4) << "disconnected, deleted";
}

// An INVITE dialog as the focus has it.
struct SharedDialog : ConferenceEvents {
  void SetUp() override {
    make();
    const std::string invite =
        "INVITE sip:conf-1@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40001;branch=z9hG4bKi\r\nMax-Forwards: "
        "70\r\n"
        "From: <sip:alice@example.org>;tag=ft\r\nTo: <sip:conf-1@example.org>\r\nCall-ID: shared\r\nCSeq: 7 INVITE\r\n"
        "Contact: <sip:alice@127.0.0.1:40001>\r\nContent-Length: 0\r\n\r\n";
    const Message message(invite, udp_flow("127.0.0.1:40001"));
    dialog = std::make_shared<sip::Dialog>(world->pool);
    const sip::Received received = message.received();
    ASSERT_EQ(dialog->accept(received.head, received.bytes, received.essentials, "focus-tag", false),
              sip::DialogFault::none);
    dialog->confirm();
    dialog->begin_usage();
    world->session_dialog = dialog;
    alice = &party->add("alice", false, "127.0.0.1:40001");
    alice->use_dialog("shared", "ft", "focus-tag", 7);
  }
  void TearDown() override {
    dialog.reset();
    world->session_dialog.reset();
  }
  std::shared_ptr<sip::Dialog> dialog;
  ConferenceWatcher* alice = nullptr;
};

TEST_F(SharedDialog, T_33_TheDialogLivesUntilBothHaveEnded) {
  alice->refresh();
  ASSERT_EQ(world->status, 200);
  EXPECT_EQ(line_of(alice->last_notify, "Call-ID"), "shared");
  EXPECT_NE(line_of(alice->last_notify, "From").find("focus-tag"), std::string::npos);
  EXPECT_EQ(alice->heard(), "active full 1");
  EXPECT_EQ(dialog->usages(), 2U);
  EXPECT_FALSE(dialog->end_usage()) << "BYE";
  world->session_dialog.reset();  // the focus knows it no more
  world->advance(5s);
  (void)world->join("bob");
  EXPECT_EQ(alice->heard(), "active partial 2");
  alice->refresh();
  EXPECT_EQ(world->status, 200);
  EXPECT_EQ(alice->heard(), "active full 3");
  alice->refresh({.expires = "0"});
  EXPECT_EQ(alice->heard(), "terminated;reason=timeout full 4");
  EXPECT_EQ(dialog->state(), sip::DialogState::terminated);
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
}

TEST_F(SharedDialog, T_33_OMA_CONF_9_TheSessionStaysWhenTheSubscriptionBreaks) {
  alice->answer = 481;
  alice->refresh();
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
  EXPECT_EQ(dialog->usages(), 1U);
  EXPECT_EQ(dialog->state(), sip::DialogState::confirmed);
  alice->answer = 200;
  alice->reader = {};
  alice->refresh();
  EXPECT_EQ(world->status, 200) << "and may begin anew";
  EXPECT_EQ(dialog->usages(), 2U);
  EXPECT_FALSE(dialog->end_usage());
  world->session_dialog.reset();
  alice->refresh();
  EXPECT_EQ(world->status, 200) << "it is found without its session";
}

TEST_F(SharedDialog, T_33_OfADialogThatIsNotThatOneIs481) {
  alice->use_dialog("shared", "ft", "other-tag", 7);
  alice->refresh();
  EXPECT_EQ(world->status, 481);
  alice->use_dialog("shared", "ft", "focus-tag", 5);
  alice->refresh();
  EXPECT_EQ(world->status, 500) << "out of order";
  EXPECT_EQ(world->events.subscribers() + world->events.watched(), 0U);
  EXPECT_EQ(dialog->usages(), 1U);
}

}  // namespace
}  // namespace parley::tests

// tests/service/history_stored_test.cc - messages that were kept for a user who could not be reached, in his history once he has
// them (OMA-HIS-3, OMA-HIS-7, OMA-X-6, OMA-DEF-13).
#include "tests/service/publisher.h"
#include "tests/service/waiting.h"

namespace parley::tests {
namespace {

using core::HistoryKind;
using core::HistoryRecordRow;

struct StoredHistory : Waiting {
  void SetUp() override { start_recording(); }
  void start_recording(const std::function<void(policy::SipConfig&)>& change = {}) {
    start([&](policy::SipConfig& c) {
      c.im.history.on = true;
      if (change) change(c);
    });
    publishers.clear();
    world->media().binds = world->media().answers = true;
    for (Phone* phone : {alice.get(), bob.get()}) phone->outbound = "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
  }
  void settle(Phone& who, bool session, bool pager) {
    auto& publisher = publishers[who.user()];
    if (!publisher) publisher = std::make_unique<Publisher>(*world, who.user(), who.address());
    const auto one = [](const std::string& type, bool active) {
      return "<im:hist-settings><im:hist-activation type=\"" + type + "\" active=\"" + (active ? "true" : "false") +
             "\"/></im:hist-settings>";
    };
    ASSERT_EQ(code(publisher->publish({.if_match = publisher->etag(),
                                       .body = settings_xml(one("session-mode", session) + one("pager-large-mode", pager))})),
              "200");
  }
  // The INVITE that brings bob what is kept, which he takes.
  std::string receives() {
    const std::string invite = bob->want("INVITE");
    std::deque<std::string>& box = line->boxes[bob->address()];
    while (!box.empty() && box.front() == invite) box.pop_front();  // sent again while time passed
    bob->call_id.clear();
    bob->respond(invite, 200, msrp_sdp("bob", "a=recvonly\r\na=setup:active\r\n", "*"));
    bob->want("ACK");
    return invite;
  }
  void fetches(std::uint64_t id) {
    bob->invite_uri(reference(id), msrp_sdp("bob", "a=recvonly\r\na=setup:active\r\n", "*"), im);
    std::string ok = bob->next();
    if (Phone::kind(ok) == "100 INVITE") ok = bob->next();
    EXPECT_EQ(code(ok), "200") << ok;
    bob->take(ok);
    bob->ack();
  }
  std::vector<HistoryRecordRow> records(const std::string& user) {
    std::vector<HistoryRecordRow> all;
    for (const auto& [id, row] : world->store.histories) {
      if (row.aor == "sip:" + user + "@example.org") all.push_back(row);
    }
    return all;
  }
  std::vector<std::string> said(const std::string& user) {
    std::vector<std::string> all;
    for (const HistoryRecordRow& record : records(user)) {
      for (const auto& [key, row] : world->store.history_messages) {
        if (key.first == record.id) all.push_back((row.sent ? "> " : "< ") + row.body);
      }
    }
    return all;
  }
  using Said = std::vector<std::string>;
  std::map<std::string, std::unique_ptr<Publisher>> publishers;
};

TEST_F(StoredHistory, OMA_HIS_3_APagerMessageThatComesAsASessionIsOneOfPagerMode) {
  for (const bool wants_session : {true, false}) {
    start_recording([](policy::SipConfig& c) { c.im.deferred.push_sessions = true; });
    settle(*bob, wants_session, !wants_session);
    leave(*bob);
    says("later", "Subject: news\r\n");
    come(*bob);
    receives();
    ended(*bob);
    line->pass(std::chrono::minutes(1));
    if (wants_session) {
      EXPECT_EQ(records("bob").size(), 0U);
      continue;
    }
    EXPECT_EQ(said("bob"), Said{"< later"});
    ASSERT_EQ(records("bob").size(), 1U);
    const HistoryRecordRow record = records("bob").front();
    EXPECT_EQ(record.kind, HistoryKind::pager_large);
    EXPECT_EQ(record.from, "\"alice\" <sip:alice@example.org>");
    EXPECT_EQ(record.to, "<sip:bob@example.org>");
    EXPECT_EQ(record.group, "") << "the session that brings it is none that anybody could ask for";
    EXPECT_EQ(record.subject, "news");
    EXPECT_NE(record.ended_ms, 0);
    EXPECT_EQ(world->service().history().talks(), 0U);
  }
}

TEST_F(StoredHistory, OMA_HIS_3_WhatHeFetchesSaysWhoHasSentIt) {
  for (const bool wants_session : {true, false}) {
    start_recording();
    settle(*bob, wants_session, !wants_session);
    leave(*bob);
    const std::uint64_t id = says("later", "Subject: news\r\n");
    fetches(id);
    ended(*bob);
    line->pass(std::chrono::minutes(1));
    EXPECT_EQ(world->store.deferred.size(), 0U);
    if (wants_session) {
      EXPECT_EQ(records("bob").size(), 0U) << "it is no session of his";
      continue;
    }
    EXPECT_EQ(said("bob"), Said{"< later"});
    ASSERT_EQ(records("bob").size(), 1U);
    const HistoryRecordRow record = records("bob").front();
    EXPECT_EQ(record.kind, HistoryKind::pager_large);
    EXPECT_EQ(record.from, "\"alice\" <sip:alice@example.org>");
    EXPECT_EQ(record.to, "<sip:bob@example.org>");
    EXPECT_EQ(record.group, "");
    EXPECT_EQ(record.subject, "news");
  }
}

TEST_F(StoredHistory, OMA_HIS_3_WhatHeDidNotTakeIsRecordedWhenHeHasIt) {
  start_recording([](policy::SipConfig& c) { c.im.deferred.push_sessions = true; });
  settle(*bob, false, true);
  leave(*bob);
  says("later");
  come(*bob);
  world->media().answers = false;
  const std::string path = path_of(receives());
  ASSERT_EQ(world->media().find(path)->chunks.size(), 1U) << "it was said to him";
  leaves(*bob);  // without an answer to it
  EXPECT_EQ(world->store.deferred.size(), 1U);
  line->pass(5s);
  EXPECT_EQ(said("bob"), Said{}) << "he may not have it";
  EXPECT_EQ(records("bob").size(), 0U);
  world->media().answers = true;
  for (int second = 0; second < 120 && line->boxes[bob->address()].empty(); ++second) line->pass(1s);
  receives();
  ended(*bob);
  line->pass(std::chrono::minutes(1));
  EXPECT_EQ(world->store.deferred.size(), 0U);
  EXPECT_EQ(said("bob"), Said{"< later"}) << "once";
  EXPECT_EQ(records("bob").size(), 1U);
  EXPECT_EQ(world->service().history().assembling_bytes(), 0U);
}

TEST_F(StoredHistory, OMA_HIS_3_WhatWasKeptAndIsAcceptedLateIsHisToo) {
  settle(*alice, false, true);
  settle(*bob, false, true);
  begins(*alice, "sip:bob@example.org");
  alice->routes = alice->outbound;
  alice->send_typed("MESSAGE", "text/plain", "slow", im + "Subject: news\r\n");
  const std::string message = bob->want("MESSAGE");
  line->pass(10100ms);
  std::string answer = alice->next();
  if (Phone::kind(answer) == "100 MESSAGE") answer = alice->next();
  ASSERT_EQ(Phone::kind(answer), "202 MESSAGE");
  EXPECT_EQ(said("alice"), Said{"> slow"});
  EXPECT_EQ(said("bob"), Said{});
  bob->respond(message, 200);
  EXPECT_EQ(said("bob"), Said{"< slow"});
  ASSERT_EQ(records("bob").size(), 1U);
  EXPECT_EQ(records("bob").front().from, "\"alice\" <sip:alice@example.org>");
  EXPECT_EQ(records("bob").front().to, "<sip:bob@example.org>");
  EXPECT_EQ(records("bob").front().subject, "news");
  EXPECT_FALSE(records("bob").front().begun_by_owner);
  line->boxes[bob->address()].clear();
  line->pass(std::chrono::minutes(2));
  EXPECT_EQ(said("bob"), Said{"< slow"}) << "once";
  EXPECT_EQ(said("alice"), Said{"> slow"});
}

}  // namespace
}  // namespace parley::tests

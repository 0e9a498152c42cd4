// tests/service/history_sessions_test.cc - histories of users who take part in sessions of which this server is the focus, and
// of messages to several (OMA-HIS-3, OMA-HIS-4, OMA-HIS-7).
#include <gtest/gtest.h>

#include "tests/service/parties.h"
#include "tests/service/publisher.h"

namespace parley::tests {
namespace {

using core::HistoryKind;
using core::HistoryRecordRow;

struct RecordedSessions : Party {
  void SetUp() override { start(); }
  void start(const std::function<void(policy::SipConfig&)>& change = {}) {
    config = focus_config();
    config->im.participating = true;
    config->im.history.on = true;
    config->im.deferred_uris = {"sip:Deferred@example.org"};
    config->stores_bindings = config->stores_messages = true;
    if (change) change(*config);
    publishers.clear();
    make(config);
    world = &line->world;
    world->media().binds = world->media().answers = true;
    for (Phone* phone : {alice.get(), bob.get(), carol.get()}) phone->outbound = "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
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
  static std::string cpim(const std::string& from, const std::string& to, const std::string& text,
                          const std::string& type = "text/plain") {
    return "From: <sip:" + from + "@example.org>\r\nTo: <" + to + ">\r\n\r\nContent-Type: " + type + "\r\n\r\n" + text;
  }
  // In a piece, as the peer of that session of ours.
  void says(const std::string& path, const std::string& text, const std::string& type = "message/cpim") {
    world->msrp(path, {.headers = "Message-ID: m" + std::to_string(++ids) + "\r\nContent-Type: " + type + "\r\n",
                       .body = text,
                       .start = 1,
                       .total = text.size()});
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
        const std::size_t end = row.body.rfind("\r\n");  // of the head of a message/cpim
        if (key.first == record.id) all.push_back((row.sent ? "> " : "< ") + row.body.substr(end == std::string::npos ? 0 : end + 2));
      }
    }
    return all;
  }
  using Said = std::vector<std::string>;

  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  std::map<std::string, std::unique_ptr<Publisher>> publishers;
  int ids = 0;
};

// The default of the server: it is the focus of sessions of two as well.
TEST_F(RecordedSessions, OMA_HIS_3_ASessionOfTwoWithTheFocusHere) {
  settle(*alice, true, false);
  settle(*bob, true, false);
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice", "a=setup:actpass\r\n", "*"), im_lines + "Subject: lunch\r\n");
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", "a=setup:active\r\n", "*"));
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  says(path_of(ok), "hello", "text/plain");
  says(path_of(invite), "hi", "text/plain");
  EXPECT_EQ(said("alice"), (Said{"> hello", "< hi"}));
  EXPECT_EQ(said("bob"), (Said{"< hello", "> hi"}));
  const HistoryRecordRow record = records("bob").front();
  EXPECT_EQ(record.kind, HistoryKind::session);
  EXPECT_EQ(record.from, "<sip:alice@example.org>");
  EXPECT_EQ(record.to, "<sip:bob@example.org>");
  EXPECT_EQ(record.group + record.people, "");
  EXPECT_EQ(record.subject, "lunch");
  EXPECT_FALSE(record.begun_by_owner);
  EXPECT_TRUE(records("alice").front().begun_by_owner);
  EXPECT_EQ(record.ended_ms, 0);
  leaves(*alice);
  ended(*bob);
  EXPECT_NE(records("alice").front().ended_ms, 0);
  EXPECT_NE(records("bob").front().ended_ms, 0);
  at_rest();
  EXPECT_EQ(world->service().history().talks(), 0U);
}

TEST_F(RecordedSessions, OMA_HIS_3_AmongSeveralEachWhoWantsItFromWhenHeIsInUntilHeLeaves) {
  settle(*alice, true, false);
  settle(*carol, true, false);
  begin(*alice, {"bob", "carol"});
  const std::string bobs = join(*bob);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  const std::string identity = alice->target;
  says(path_of(ok), cpim("alice", identity, "one"));
  const std::string carols = join(*carol);
  says(path_of(bobs), cpim("bob", identity, "two"));
  says(path_of(bobs), cpim("bob", identity, "<isComposing/>", "application/im-iscomposing+xml"));
  says(path_of(carols), cpim("carol", identity, "three"));
  EXPECT_EQ(said("alice"), (Said{"> one", "< two", "< three"}));
  EXPECT_EQ(said("carol"), (Said{"< two", "> three"}));
  EXPECT_EQ(said("bob"), Said{});
  EXPECT_EQ(records("carol").front().group, identity);
  EXPECT_NE(records("alice").front().people.find("sip:carol@example.org\n"), std::string::npos);
  leaves(*carol);
  says(path_of(bobs), cpim("bob", identity, "four"));
  EXPECT_EQ(said("carol"), (Said{"< two", "> three"}));
  EXPECT_NE(records("carol").front().ended_ms, 0);
  EXPECT_EQ(said("alice"), (Said{"> one", "< two", "< three", "< four"}));
  EXPECT_EQ(records("alice").front().ended_ms, 0);
}

TEST_F(RecordedSessions, OMA_HIS_4_WhoLeavesInTheMiddleOfAMessageLeavesNothingOfIt) {
  settle(*alice, true, false);
  settle(*carol, true, false);
  begin(*alice, {"bob", "carol"});
  const std::string bobs = join(*bob);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  const std::string identity = alice->target;
  join(*carol);
  const std::string text = cpim("alice", identity, "a story that " + std::string(10'000, 'x'));
  world->msrp(path_of(ok), {.headers = "Message-ID: half\r\nContent-Type: message/cpim\r\n",
                            .body = text,
                            .start = 1,
                            .total = text.size() + 10,
                            .flag = msrp::Flag::more});
  EXPECT_EQ(world->service().history().assembling_bytes(), text.size()) << "it was passed on";
  leaves(*alice);
  line->pass(std::chrono::seconds(1));
  EXPECT_EQ(world->service().history().assembling_bytes(), 0U) << "while the others talk on";
  says(path_of(bobs), cpim("bob", identity, "two"));
  EXPECT_EQ(said("carol"), Said{"< two"});
  EXPECT_NE(records("alice").front().ended_ms, 0);
  EXPECT_EQ(world->service().history().talks(), 1U);
}

TEST_F(RecordedSessions, OMA_HIS_7_WhoIsAnonymousAmongThemIsInTheRecordAsTheOthersSawHim) {
  settle(*bob, true, false);
  alice->anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
  begin(*alice, {"bob"}, "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  const std::string invite = join(*bob);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  says(path_of(ok), cpim("alice", alice->target, "psst"));
  ASSERT_EQ(said("bob"), Said{"< psst"});
  const HistoryRecordRow record = records("bob").front();
  const std::string all = record.from + record.to + record.group + record.people + record.subject +
                          world->store.history_messages.begin()->second.body;
  EXPECT_EQ(all.find("alice"), std::string::npos) << all;
  EXPECT_NE(all.find("anonymous"), std::string::npos) << all;
}

TEST_F(RecordedSessions, OMA_HIS_3_AMessageToAListIsOneRecordOfItsSenderAndOneOfEachWhoGetsIt) {
  settle(*alice, false, true);
  settle(*bob, false, true);
  alice->call_id = "list1";
  alice->local = "<sip:alice@example.org>;tag=l";
  alice->remote = "<sip:factory@example.org>";
  alice->target = "sip:factory@example.org";
  alice->routes = alice->outbound;
  const std::string body = "--b1\r\nContent-Type: text/plain\r\n\r\nto all\r\n--b1\r\nContent-Type: "
                           "application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n" +
                           resource_list({"bob", "carol"}) + "\r\n--b1--\r\n";
  alice->send_typed("MESSAGE", mixed_type, body, im + "Require: recipient-list-message\r\n");
  EXPECT_EQ(Phone::kind(alice->next()), "202 MESSAGE");
  for (Phone* phone : {bob.get(), carol.get()}) phone->respond(phone->want("MESSAGE"), 200);
  ASSERT_EQ(records("alice").size(), 1U);
  EXPECT_EQ(records("alice").front().people, "sip:bob@example.org\nsip:carol@example.org\n");
  EXPECT_EQ(records("alice").front().to, "<sip:factory@example.org>");
  EXPECT_EQ(world->store.history_messages.begin()->second.body, body) << "as he has sent it";
  ASSERT_EQ(records("bob").size(), 1U);
  EXPECT_EQ(records("bob").front().from, "<sip:alice@example.org>");
  EXPECT_EQ(records("carol").size(), 0U);
}

TEST_F(RecordedSessions, OMA_HIS_3_AMessageThatIsRefusedToAllIsNobodys) {
  settle(*alice, false, true);
  alice->call_id = "list1";
  alice->local = "<sip:alice@example.org>;tag=l";
  alice->remote = "<sip:factory@example.org>";
  alice->target = "sip:factory@example.org";
  alice->routes = alice->outbound;
  alice->send_typed("MESSAGE", "text/plain", "to nobody", im + "Require: recipient-list-message\r\n");
  EXPECT_NE(Phone::kind(alice->next()), "202 MESSAGE");
  EXPECT_EQ(world->store.histories.size(), 0U);
}

TEST_F(RecordedSessions, OMA_HIS_3_ALargeMessageIsOfTheSettingForPagerMessages) {
  settle(*alice, true, false);
  settle(*bob, false, true);
  alice->invite_uri("sip:factory@example.org", mixed(msrp_sdp("alice", "a=setup:actpass\r\na=sendonly\r\n", "*"), resource_list({"bob", "carol"})),
                    large + "Require: recipient-list-invite\r\n", mixed_type);
  for (Phone* phone : {bob.get(), carol.get()}) {
    const std::string invite = phone->want("INVITE");
    phone->call_id.clear();
    phone->respond(invite, 200, msrp_sdp(phone->user(), "a=setup:active\r\na=recvonly\r\n", "*"));
    phone->want("ACK");
  }
  std::string ok = alice->next();
  if (Phone::kind(ok) == "100 INVITE") ok = alice->next();
  ASSERT_EQ(Phone::kind(ok), "200 INVITE");
  alice->take(ok);
  alice->ack();
  const std::string text = "a long story that comes in several pieces";
  for (std::size_t at = 0; at < text.size(); at += 10) {
    world->msrp(path_of(ok), {.headers = "Message-ID: big\r\nContent-Type: text/plain\r\n",
                              .body = text.substr(at, 10),
                              .start = at + 1,
                              .total = text.size(),
                              .flag = at + 10 < text.size() ? msrp::Flag::more : msrp::Flag::end});
  }
  EXPECT_EQ(said("bob"), Said{"< " + text});
  ASSERT_EQ(records("bob").size(), 1U);
  EXPECT_EQ(records("bob").front().kind, HistoryKind::pager_large);
  EXPECT_EQ(world->store.history_messages.begin()->second.message_id, "big");
  EXPECT_EQ(records("alice").size() + records("carol").size(), 0U);
}

}  // namespace
}  // namespace parley::tests

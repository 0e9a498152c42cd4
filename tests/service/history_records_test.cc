// tests/service/history_records_test.cc - what is recorded of users' conversations, by sessions and pager messages from end to
// end of a server (OMA-HIS-3, -4, -6, -7, OMA-SYS-2, DEC-13).
#include <gtest/gtest.h>

#include "tests/service/parties.h"
#include "tests/service/publisher.h"

namespace parley::tests {
namespace {

using core::HistoryKind;
using core::HistoryMessageRow;
using core::HistoryRecordRow;
using core::Metric;

std::string wants(bool session, bool pager) {
  const auto one = [](const std::string& type, bool active) {
    return "<im:hist-settings><im:hist-activation type=\"" + type + "\" active=\"" + (active ? "true" : "false") +
           "\"/></im:hist-settings>";
  };
  return one("session-mode", session) + one("pager-large-mode", pager);
}

std::string cpim(const std::string& text, const std::string& id = {}, const std::string& type = "text/plain") {
  return "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\n" +
         (id.empty() ? std::string() : "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: " + id + "\r\n") +
         "\r\nContent-Type: " + type + "\r\n\r\n" + text;
}

struct Records : Calls {
  void SetUp() override { start(); }
  void start(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    config = sip_config();
    config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
    config->im.participating = true;
    config->im.history.on = true;
    config->stores_bindings = config->stores_messages = true;
    if (change) change(*config);
    make(config, shards);
    publishers.clear();
    world = &line->world;
    line->datagrams_only = true;
    alice->enrol();
    alice->outbound = "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
  }
  void settle(const std::string& user, const std::string& inside) {
    std::unique_ptr<Publisher>& publisher = publishers[user];
    if (!publisher) {
      publisher = std::make_unique<Publisher>(*world, user, user == "bob" ? "127.0.0.1:40002" : "127.0.0.1:40001");
    }
    ASSERT_EQ(code(publisher->publish({.if_match = publisher->etag(), .body = settings_xml(inside)})), "200");
  }

  // --- a session of alice with bob, and the MSRP connection of each

  struct Talker {
    core::ConnId conn{};
    std::string own;   // URI of his session
    std::string ours;  // and of the other end of it
    std::uint32_t shard = 0;
  };
  void begin(const std::string& lines = im) {
    bob->call_id.clear();
    alice->invite_uri("sip:bob@example.org", msrp_sdp("a1", "a=setup:active\r\n"), lines);
    const std::string invite = bob->want("INVITE");
    bob->respond(invite, 200, msrp_sdp("b1", "a=setup:active\r\n"));
    const std::string ok = alice->want("200 INVITE");
    alice->take(ok);
    alice->ack();
    bob->want("ACK");
    a = come("a1", path_of(ok));
    b = come("b1", path_of(invite));
  }
  Talker come(const std::string& name, const std::string& ours) {
    Talker talker{world->msrp_open(), "msrp://127.0.0.1:9000/" + name + ";tcp", ours};
    world->msrp_bytes(talker.conn, "MSRP bind SEND\r\nTo-Path: " + ours + "\r\nFrom-Path: " + talker.own + "\r\n-------bind$\r\n");
    EXPECT_NE(world->msrp_take(talker.conn).find(" 200 OK"), std::string::npos) << ours;
    return talker;
  }
  void chunk(const Talker& from, const std::string& id, const std::string& range, const std::string& type,
             const std::string& body, char flag = '$') {
    const std::string tid = "tid" + std::to_string(++tids);
    world->msrp_bytes(from.conn, "MSRP " + tid + " SEND\r\nTo-Path: " + from.ours + "\r\nFrom-Path: " + from.own +
                                     "\r\nMessage-ID: " + id + "\r\nByte-Range: " + range + "\r\nContent-Type: " + type +
                                     "\r\n\r\n" + body + "\r\n-------" + tid + flag + "\r\n");
    if (flag != '#') {
      EXPECT_NE(world->msrp_take(from.conn).find(" 200 OK"), std::string::npos) << id;
    }
    (void)world->msrp_take(a.conn);
    (void)world->msrp_take(b.conn);
  }
  void says(const Talker& from, const std::string& body, const std::string& type = "text/plain") {
    const std::string size = std::to_string(body.size());
    chunk(from, "m" + std::to_string(++ids), "1-" + size + "/" + size, type, body);
  }
  void hang_up() {
    alice->request("BYE");
    alice->want("200 BYE");
    bob->respond(bob->want("BYE"), 200);
    line->pass(std::chrono::minutes(1));
  }

  // --- pager messages

  std::string message(const std::string& text, const std::string& lines = {}, const std::string& type = "text/plain",
                      int status = 200) {
    pager(text, lines, type);
    const std::string there = bob->want("MESSAGE");
    bob->respond(there, status);
    return Phone::kind(alice->next());
  }
  void pager(const std::string& text, const std::string& lines = {}, const std::string& type = "text/plain") {
    alice->call_id = "pager" + std::to_string(++ids);
    alice->local = "\"Alice\" <sip:alice@example.org>;tag=p" + std::to_string(ids);
    alice->remote = "<sip:bob@example.org>";
    alice->target = "sip:bob@example.org";
    alice->routes = alice->outbound;
    alice->send_typed("MESSAGE", type, text, im + lines);
  }

  // --- what there is

  std::vector<HistoryRecordRow> records(const std::string& user) {
    std::vector<HistoryRecordRow> all;
    for (const auto& [id, row] : world->store.histories) {
      if (row.aor == "sip:" + user + "@example.org") all.push_back(row);
    }
    return all;
  }
  // "> hello" for what he has sent, "< hello" for what he has got.
  std::vector<std::string> said(const std::string& user) {
    std::vector<std::string> all;
    for (const HistoryRecordRow& record : records(user)) {
      for (const auto& [key, row] : world->store.history_messages) {
        if (key.first == record.id) all.push_back((row.sent ? "> " : "< ") + row.body);
      }
    }
    return all;
  }
  HistoryMessageRow only() {
    EXPECT_EQ(world->store.history_messages.size(), 1U);
    return world->store.history_messages.empty() ? HistoryMessageRow{} : world->store.history_messages.begin()->second;
  }
  using Said = std::vector<std::string>;
  [[nodiscard]] std::uint64_t counted(Metric metric) const { return line->world.metric(metric); }

  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  std::map<std::string, std::unique_ptr<Publisher>> publishers;
  Talker a, b;
  int tids = 0;
  int ids = 0;
};

// --- sessions

TEST_F(Records, OMA_HIS_4_BothWhoWantItHaveWhatWasSaidInItsOrderEachFromHisSide) {
  settle("alice", wants(true, false));
  settle("bob", wants(true, false));
  begin(im + "Subject: lunch\r\n");
  says(a, "hello");
  says(b, "hi");
  says(a, cpim("there", "id-1"), "message/cpim");
  EXPECT_EQ(said("alice"), (Said{"> hello", "< hi", "> " + cpim("there", "id-1")}));
  EXPECT_EQ(said("bob"), (Said{"< hello", "> hi", "< " + cpim("there", "id-1")}));
  const HistoryRecordRow record = records("bob").front();
  EXPECT_EQ(record.kind, HistoryKind::session);
  EXPECT_EQ(record.from, "<sip:alice@example.org>");
  EXPECT_EQ(record.to, "<sip:bob@example.org>");
  EXPECT_EQ(record.subject, "lunch");
  EXPECT_FALSE(record.begun_by_owner);
  EXPECT_TRUE(records("alice").front().begun_by_owner);
  EXPECT_EQ(record.began_ms, world->now.wall_ms);
  EXPECT_EQ(record.ended_ms, 0) << "it goes on";
  const auto& last = world->store.history_messages.rbegin()->second;
  EXPECT_EQ(last.message_id, "id-1") << "that of CPIM before that of MSRP";
  EXPECT_EQ(last.type, "message/cpim");
  EXPECT_EQ(world->store.history_messages.begin()->second.message_id, "m1");
  hang_up();
  EXPECT_NE(records("bob").front().ended_ms, 0);
  EXPECT_EQ(records("bob").front().expires_ms, records("bob").front().ended_ms + 30LL * 24 * 3'600'000);
  EXPECT_EQ(world->service().history().talks(), 0U);
}

TEST_F(Records, OMA_HIS_3_OnlyWhoWantsItHasIt) {
  settle("bob", wants(true, false));
  begin();
  says(a, "hello");
  EXPECT_EQ(said("alice"), Said{});
  EXPECT_EQ(said("bob"), Said{"< hello"});
  EXPECT_EQ(records("alice").size(), 0U);
}

TEST_F(Records, OMA_HIS_3_AMessageInTheDialogOfASessionIsPartOfIt) {
  settle("alice", wants(true, false));
  settle("bob", wants(true, false));
  begin();
  says(a, "by msrp");
  alice->send_typed("MESSAGE", "text/plain", "in the dialog");
  std::string there = bob->want("MESSAGE");
  EXPECT_EQ(said("bob"), Said{"< by msrp"}) << "he has not taken it yet";
  bob->respond(there, 200);
  alice->want("200 MESSAGE");
  bob->send_typed("MESSAGE", "message/cpim", cpim("and back", "id-2"));
  alice->respond(alice->want("MESSAGE"), 202);
  bob->want("202 MESSAGE");
  alice->send_typed("MESSAGE", "application/im-iscomposing+xml", "<isComposing/>");
  bob->respond(bob->want("MESSAGE"), 200);
  alice->want("200 MESSAGE");
  alice->send_typed("MESSAGE", "text/plain", "refused");
  bob->respond(bob->want("MESSAGE"), 488);
  alice->want("488 MESSAGE");
  EXPECT_EQ(said("bob"), (Said{"< by msrp", "< in the dialog", "> " + cpim("and back", "id-2")}));
  EXPECT_EQ(said("alice"), (Said{"> by msrp", "> in the dialog", "< " + cpim("and back", "id-2")}));
  EXPECT_EQ(records("bob").size(), 1U) << "no record of its own";
  EXPECT_EQ(world->store.history_messages.rbegin()->second.message_id, "id-2");
  EXPECT_EQ(world->store.history_messages.begin()->second.type, "text/plain");
}

TEST_F(Records, OMA_HIS_3_AMessageInTheDialogIsRecordedBetweenTheTwoPointsOnly) {
  settle("bob", wants(true, false));
  bob->call_id.clear();
  alice->invite_uri("sip:bob@example.org", msrp_sdp("a1", "a=setup:active\r\n"), im);
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 183);
  alice->take(alice->want("183 INVITE"));
  alice->send_typed("MESSAGE", "text/plain", "too early");
  const std::string early = bob->want("MESSAGE");
  bob->respond(invite, 200, msrp_sdp("b1", "a=setup:active\r\n"));
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  bob->want("ACK");
  bob->respond(early, 200);
  alice->want("200 MESSAGE");
  EXPECT_EQ(said("bob"), Said{}) << "it came before the session was up";
  alice->send_typed("MESSAGE", "text/plain", "in time");
  bob->respond(bob->want("MESSAGE"), 200);
  alice->want("200 MESSAGE");
  alice->send_typed("MESSAGE", "text/plain", "too late");
  const std::string late = bob->want("MESSAGE");
  hang_up();
  bob->respond(late, 200);
  EXPECT_EQ(said("bob"), Said{"< in time"});
  EXPECT_NE(records("bob").front().ended_ms, 0);
  EXPECT_EQ(world->service().history().talks(), 0U);
}

TEST_F(Records, OMA_HIS_3_WhereNobodyWantsItNothingGoesThroughHere) {
  bob->call_id.clear();
  alice->invite_uri("sip:bob@example.org", msrp_sdp("a1"), im);
  EXPECT_EQ(path_of(bob->want("INVITE")), "msrp://127.0.0.1:9000/a1;tcp");
  EXPECT_EQ(world->service().calls().live(), 0U);
}

TEST_F(Records, DEC_13_WhoIsOnThePathFollowsTheSettingsOfEitherEndWhicheverShardTheyLiveOn) {
  start({}, 3);
  for (const std::string user : {"alice", "bob"}) {
    for (std::uint32_t shard = 0; shard < 3; ++shard) {
      settle(user, wants(true, false));
      Phone caller(*line, "alice", "127.0.0.1:4010" + std::to_string(shard), shard);
      caller.outbound = alice->outbound;
      caller.invite_uri("sip:bob@example.org", msrp_sdp("a1"), im);
      std::string invite = bob->want("INVITE");
      EXPECT_NE(path_of(invite).find("127.0.0.1:2855/"), std::string::npos) << user << shard;
      bob->respond(invite, 486);
      settle(user, wants(false, true));
      (void)caller.next();
      line->pass(std::chrono::minutes(1));
      while (!bob->next().empty()) {
      }
      caller.invite_uri("sip:bob@example.org", msrp_sdp("a1"), im);
      invite = bob->want("INVITE");
      EXPECT_EQ(path_of(invite), "msrp://127.0.0.1:9000/a1;tcp") << "of pager messages only " << user << shard;
      bob->respond(invite, 486);
      line->pass(std::chrono::minutes(1));
      while (!bob->next().empty()) {
      }
    }
  }
}

TEST_F(Records, OMA_HIS_3_AChangeWhileItGoesOnHoldsForTheNextOne) {
  settle("bob", wants(true, false));
  begin();
  settle("bob", wants(false, false));
  says(a, "one");
  EXPECT_EQ(said("bob"), Said{"< one"});
  hang_up();
  config->im.media.path = policy::MediaPath::always;
  begin();
  settle("bob", wants(true, false));
  says(a, "two");
  EXPECT_EQ(said("bob"), Said{"< one"});
}

TEST_F(Records, OMA_HIS_4_WhatIsNoMessageOfAUserIsNotThere) {
  settle("bob", wants(true, false));
  begin();
  says(a, "<isComposing/>", "application/im-iscomposing+xml");
  says(a, cpim("<isComposing/>", "", "application/im-iscomposing+xml"), "message/cpim");
  says(b, cpim("<imdn/>", "n1", "message/imdn+xml"), "message/cpim;charset=utf-8");
  chunk(a, "empty", "1-0/0", "text/plain", "");
  chunk(a, "cut", "1-3/9", "text/plain", "abc", '+');
  chunk(a, "cut", "4-6/9", "text/plain", "def", '#');
  chunk(a, "half", "1-3/9", "text/plain", "abc", '+');
  says(b, "yes");
  EXPECT_EQ(said("bob"), Said{"> yes"});
  hang_up();
  EXPECT_EQ(said("bob"), Said{"> yes"});
  EXPECT_EQ(world->service().history().assembling_bytes(), 0U);
}

TEST_F(Records, OMA_HIS_4_AMessageInChunksIsOneMessageWhereItEnds) {
  settle("alice", wants(true, false));
  settle("bob", wants(true, false));
  begin();
  chunk(a, "long", "1-3/9", "text/plain", "abc", '+');
  chunk(b, "long", "1-2/2", "text/plain", "xx");
  chunk(a, "other", "1-1/1", "text/plain", "o");
  chunk(a, "long", "4-6/9", "text/plain", "def", '+');
  EXPECT_EQ(world->service().history().assembling_bytes(), 6U) << "once, for both";
  chunk(a, "long", "7-9/9", "text/plain", "ghi");
  EXPECT_EQ(said("alice"), (Said{"< xx", "> o", "> abcdefghi"}));
  EXPECT_EQ(said("bob"), (Said{"> xx", "< o", "< abcdefghi"}));
  EXPECT_EQ(world->service().history().assembling_bytes(), 0U);
}

TEST_F(Records, OMA_HIS_4_OfOneThatIsTooLongThereIsAllButItsBody) {
  start([](policy::SipConfig& c) { c.im.history.message_bytes_max = 200; });
  settle("bob", wants(true, false));
  begin();
  const std::string long_text = cpim(std::string(300, 'x'), "big-1");
  const std::string size = std::to_string(long_text.size());
  chunk(a, "mm", "1-150/" + size, "message/cpim", long_text.substr(0, 150), '+');
  chunk(a, "mm", "151-" + size + "/" + size, "message/cpim", long_text.substr(150));
  const HistoryMessageRow row = only();
  EXPECT_FALSE(row.kept);
  EXPECT_EQ(row.body, "");
  EXPECT_EQ(row.size, long_text.size());
  EXPECT_EQ(row.message_id, "big-1");
  EXPECT_EQ(row.type, "message/cpim");
  EXPECT_EQ(counted(Metric::history_left_out_large), 1U);
}

TEST_F(Records, OMA_HIS_4_WhatIsBeingPutTogetherIsBounded) {
  start([](policy::SipConfig& c) { c.im.history.assembling_bytes_max = 10; });
  settle("bob", wants(true, false));
  begin();
  chunk(a, "one", "1-8/16", "text/plain", "12345678", '+');
  chunk(a, "two", "1-8/16", "text/plain", "abcdefgh", '+');
  EXPECT_EQ(world->service().history().assembling_bytes(), 8U);
  chunk(a, "two", "9-16/16", "text/plain", "abcdefgh");
  EXPECT_EQ(only().size, 16U);
  EXPECT_FALSE(only().kept);
  EXPECT_EQ(counted(Metric::history_left_out_memory), 2U) << "both";
}

TEST_F(Records, OMA_HIS_7_WhoWasAnonymousStaysSo) {
  settle("bob", wants(true, true));
  alice->anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
  begin(im + "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  says(a, "psst");
  const HistoryRecordRow record = records("bob").front();
  EXPECT_EQ(record.from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
  EXPECT_EQ((record.from + record.to + record.people + record.group).find("alice"), std::string::npos);
}

TEST_F(Records, OMA_HIS_6_WhatTheStoreDoesNotTakeIsCountedAndTheSessionGoesOn) {
  settle("bob", wants(true, false));
  world->store.full = true;
  begin();
  says(a, "lost");
  EXPECT_EQ(said("bob"), Said{});
  EXPECT_GE(counted(Metric::history_records_refused), 1U);
  EXPECT_EQ(counted(Metric::history_refused), 1U);
  world->store.full = false;
  says(a, "kept");
  EXPECT_EQ(said("bob"), Said{"< kept"}) << "the record is put again";
  hang_up();
  EXPECT_NE(records("bob").front().ended_ms, 0);
}

TEST_F(Records, OMA_HIS_6_WhereItsMessagesCanNotGoThroughHereTheSessionGoesOnWithoutARecord) {
  start([](policy::SipConfig& c) { c.im.media.pairs_max = 1; });
  settle("bob", wants(true, false));
  begin();
  Phone carol(*line, "carol", "127.0.0.1:40003");
  carol.outbound = alice->outbound;
  carol.invite_uri("sip:bob@example.org", msrp_sdp("c1"), im);
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(path_of(invite), "msrp://127.0.0.1:9000/c1;tcp");
  bob->respond(invite, 200, msrp_sdp("b2"));
  carol.want("200 INVITE");
  EXPECT_EQ(records("bob").size(), 1U);
  EXPECT_EQ(counted(Metric::history_talks_limit), 1U);
}

TEST_F(Records, OMA_HIS_6_TheOldestGoAndThatIsCounted) {
  start([](policy::SipConfig& c) { c.im.history.count_max = 2; });
  settle("bob", wants(true, false));
  begin();
  for (const char* text : {"one", "two", "three"}) says(a, text);
  EXPECT_EQ(said("bob"), (Said{"< two", "< three"}));
  EXPECT_EQ(counted(Metric::history_removed), 1U);
}

TEST_F(Records, OMA_HIS_6_OrTheNewestIsNotKept) {
  start([](policy::SipConfig& c) {
    c.im.history.count_max = 2;
    c.im.history.keep_old = true;
  });
  settle("bob", wants(true, false));
  begin();
  for (const char* text : {"one", "two", "three"}) says(a, text);
  EXPECT_EQ(said("bob"), (Said{"< one", "< two"}));
  EXPECT_EQ(counted(Metric::history_full), 1U);
}

TEST_F(Records, OMA_HIS_6_WhatHasExpiredGoesByItself) {
  start([](policy::SipConfig& c) { c.im.history.age_max = std::chrono::hours(1); });
  settle("bob", wants(false, true));
  EXPECT_EQ(message("hello"), "200 MESSAGE");
  EXPECT_EQ(records("bob").size(), 1U);
  world->now.wall_ms += 3'599'000;
  line->pass(std::chrono::minutes(2));
  EXPECT_EQ(records("bob").size(), 1U);
  world->now.wall_ms += 1'000;
  line->pass(std::chrono::minutes(2));
  EXPECT_EQ(records("bob").size(), 0U);
  EXPECT_EQ(counted(Metric::history_expired), 1U);
}

TEST_F(Records, OMA_HIS_3_ALargeMessageIsOneRecordOfThePagerKindWhenThereIsOne) {
  settle("bob", wants(false, true));
  begin(large);
  EXPECT_EQ(records("bob").size(), 0U);
  says(a, "a long story");
  EXPECT_EQ(said("bob"), Said{"< a long story"});
  EXPECT_EQ(records("bob").front().kind, HistoryKind::pager_large);
  hang_up();
  EXPECT_NE(records("bob").front().ended_ms, 0);
}

TEST_F(Records, SEED4_6_1_2_2_5_5_WhatACrashInterruptsEndsWithItsLastMessage) {
  settle("bob", wants(true, false));
  begin();
  says(a, "hello");
  world->crash(config);
  EXPECT_EQ(said("bob"), Said{"< hello"});
  EXPECT_EQ(records("bob").front().ended_ms, records("bob").front().began_ms);
}

// --- pager messages

TEST_F(Records, OMA_HIS_3_APagerMessageIsARecordOfBothWhoWantIt) {
  settle("alice", wants(false, true));
  settle("bob", wants(false, true));
  EXPECT_EQ(message("hello", "Subject: news\r\n"), "200 MESSAGE");
  EXPECT_EQ(said("alice"), Said{"> hello"});
  EXPECT_EQ(said("bob"), Said{"< hello"});
  const HistoryRecordRow record = records("bob").front();
  EXPECT_EQ(record.kind, HistoryKind::pager_large);
  EXPECT_EQ(record.from, "\"Alice\" <sip:alice@example.org>");
  EXPECT_EQ(record.to, "<sip:bob@example.org>");
  EXPECT_EQ(record.subject, "news");
  EXPECT_EQ(record.ended_ms, record.began_ms);
}

TEST_F(Records, OMA_HIS_3_SessionsAndPagerMessagesHaveASettingEach) {
  settle("alice", wants(true, false));
  settle("bob", wants(true, false));
  EXPECT_EQ(message("hello"), "200 MESSAGE");
  EXPECT_EQ(records("alice").size() + records("bob").size(), 0U);
}

TEST_F(Records, OMA_HIS_3_OnlyWhatWasAccepted) {
  settle("alice", wants(false, true));
  settle("bob", wants(false, true));
  EXPECT_EQ(message("no", {}, "text/plain", 486), "486 MESSAGE");
  EXPECT_EQ(records("alice").size() + records("bob").size(), 0U);
}

TEST_F(Records, OMA_HIS_4_NoticesOfPagerModeAreNotThere) {
  settle("alice", wants(false, true));
  settle("bob", wants(false, true));
  EXPECT_EQ(message(cpim("<imdn/>", "n1", "message/imdn+xml"), {}, "message/cpim"), "200 MESSAGE");
  EXPECT_EQ(message("<isComposing/>", {}, "application/im-iscomposing+xml"), "200 MESSAGE");
  EXPECT_EQ(records("alice").size() + records("bob").size(), 0U);
  EXPECT_EQ(message(cpim("x", "id-7"), {}, "message/cpim"), "200 MESSAGE");
  EXPECT_EQ(world->store.history_messages.begin()->second.message_id, "id-7");
}

TEST_F(Records, OMA_HIS_7_APagerMessageOfSomebodyAnonymousNamesNobody) {
  settle("bob", wants(false, true));
  pager("psst", "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  bob->respond(bob->want("MESSAGE"), 200);
  alice->local = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x";
  alice->call_id = "anon";
  alice->send_typed("MESSAGE", "text/plain", "psst", im + "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  bob->respond(bob->want("MESSAGE"), 200);
  EXPECT_EQ(records("bob").back().from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
  EXPECT_EQ(records("bob").back().people, "");
  EXPECT_FALSE(records("bob").back().begun_by_owner);
}

TEST_F(Records, OMA_HIS_7_ACopyOfSomebodyAnonymousIsRecordedAsItsFromSays) {
  start([](policy::SipConfig& c) {
    c.focus.on = true;
    c.focus.factory = "sip:factory@example.org";
  });
  settle("bob", wants(false, true));
  const auto to_list = [this](const std::string& from, const std::string& lines) {
    alice->local = from + ";tag=x";
    alice->remote = "<sip:factory@example.org>";
    alice->target = "sip:factory@example.org";
    alice->call_id = "list" + std::to_string(++ids);
    alice->send_typed("MESSAGE", mixed_type, listed({"bob"}, "psst", ""),
                      im + "Require: recipient-list-message\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n" + lines);
    alice->want("202 MESSAGE");
    bob->respond(bob->want("MESSAGE"), 200);
  };
  to_list("\"Alice\" <sip:alice@example.org>", {});
  to_list("\"Anonymous\" <sip:anonymous@anonymous.invalid>", "Privacy: id\r\n");
  ASSERT_EQ(records("bob").size(), 2U);
  EXPECT_EQ(records("bob").front().from, "\"Alice\" <sip:alice@example.org>");
  EXPECT_EQ(records("bob").back().from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
  EXPECT_EQ(records("bob").back().to, "<sip:bob@example.org>");
}

TEST_F(Records, OMA_HIS_7_HisOwnRecordKnowsWhoBeganItWhateverHisFromSays) {
  settle("alice", wants(true, true));
  const std::string anonymous = "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n";
  alice->local = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x";
  alice->remote = "<sip:bob@example.org>";
  alice->target = "sip:bob@example.org";
  alice->routes = alice->outbound;
  alice->call_id = "anon";
  alice->send_typed("MESSAGE", "text/plain", "psst", im + anonymous);
  bob->respond(bob->want("MESSAGE"), 200);
  alice->want("200 MESSAGE");
  ASSERT_EQ(records("alice").size(), 1U);
  EXPECT_TRUE(records("alice").front().begun_by_owner);
  EXPECT_NE(records("alice").front().from.find("anonymous.invalid"), std::string::npos);
}

TEST_F(Records, OMA_HIS_3_SettingsOfPagerMessagesMayLiveOnAnotherShard) {
  start({}, 3);
  settle("alice", wants(false, true));
  settle("bob", wants(false, true));
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    Phone sender(*line, "alice", "127.0.0.1:4010" + std::to_string(shard), shard);
    sender.call_id = "s" + std::to_string(shard);
    sender.local = "<sip:alice@example.org>;tag=s";
    sender.remote = "<sip:bob@example.org>";
    sender.target = "sip:bob@example.org";
    sender.routes = alice->outbound;
    sender.send_typed("MESSAGE", "text/plain", "from " + std::to_string(shard), im);
    bob->respond(bob->want("MESSAGE"), 200);
  }
  EXPECT_EQ(said("alice"), (Said{"> from 0", "> from 1", "> from 2"}));
  EXPECT_EQ(said("bob"), (Said{"< from 0", "< from 1", "< from 2"}));
}

TEST_F(Records, OMA_HIS_3_OneThatIsKeptForHimIsHisWhenHeHasIt) {
  start([](policy::SipConfig& c) {
    c.im.deferred.on = true;
    c.im.deferred_uris = {"sip:Deferred@example.org"};
  });
  settle("alice", wants(false, true));
  settle("bob", wants(false, true));
  pager("later");
  bob->respond(bob->want("MESSAGE"), 480);
  EXPECT_EQ(Phone::kind(alice->next()), "202 MESSAGE");
  EXPECT_EQ(said("alice"), Said{"> later"});
  EXPECT_EQ(said("bob"), Said{});
  line->pass(std::chrono::seconds(31));
  const std::string pushed = bob->want("MESSAGE");
  bob->respond(pushed, 200);
  EXPECT_EQ(said("bob"), Said{"< later"});
  EXPECT_EQ(records("bob").front().from, "\"Alice\" <sip:alice@example.org>");
  EXPECT_EQ(said("alice"), Said{"> later"}) << "once";
}

TEST_F(Records, OMA_HIS_3_WhatIsRecordedIsNotForwardedAndForgotten) {
  start([](policy::SipConfig& c) { c.forwarding = policy::Forwarding::stateless; });
  EXPECT_EQ(message("nobody's"), "200 MESSAGE");
  EXPECT_EQ(world->store.histories.size(), 0U);
  settle("bob", wants(false, true));
  EXPECT_EQ(message("his"), "200 MESSAGE");
  EXPECT_EQ(said("bob"), Said{"< his"});
}

TEST_F(Records, OMA_HIS_3_WithoutAStoreThereIsNone) {
  start([](policy::SipConfig& c) { c.im.history.on = false; });
  settle("alice", wants(true, true));
  settle("bob", wants(true, true));
  EXPECT_EQ(message("hello"), "200 MESSAGE");
  EXPECT_EQ(world->store.histories.size(), 0U);
}

}  // namespace
}  // namespace parley::tests

// tests/service/settings_test.cc - PUBLISH of IM service settings and subscriptions to them, as clients meet them.
// SEED3-5.2.4, OMA-SET-1, OMA-SET-7 to OMA-SET-9, R3903-1.
#include <gtest/gtest.h>

#include "tests/service/publisher.h"

namespace parley::tests {
namespace {

constexpr const char* here = "127.0.0.1:40001";
constexpr std::string_view core_proxy = "127.0.0.9:5060";

struct Settings : testing::Test {
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    auto config = sip_config();
    config->im.participating = true;
    config->im.product = "IM-serv/OMA1.0 parley/1.2";
    if (change) change(*config);
    alice.reset();
    watcher.reset();
    world = std::make_unique<SipWorld>(config, shards);
    alice = std::make_unique<Publisher>(*world, "alice", here);
    watcher = std::make_unique<Watcher>(*world, "alice", "127.0.0.1:40003");
  }
  void SetUp() override { make(); }
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Publisher> alice;
  std::unique_ptr<Watcher> watcher;
};

// SEED3-5.2.4-1, -2, -6, -7
TEST_F(Settings, SEED3_5_2_4_S_EveryAnswerHasAnEntityTagAndTheGrantedTime) {
  const std::string answer = alice->publish({.body = settings_xml(isb(true))});
  ASSERT_EQ(code(answer), "200") << answer;
  EXPECT_FALSE(header(answer, "SIP-ETag").empty());
  EXPECT_EQ(header(answer, "Expires"), "3600");
  EXPECT_EQ(header(answer, "Server"), "IM-serv/OMA1.0 parley/1.2");
  EXPECT_EQ(header(answer, "Contact"), "") << "R3903-1: no dialog";
  EXPECT_EQ(header(answer, "Record-Route"), "");
  EXPECT_EQ(world->service().live_publications(), 1U);
}

TEST_F(Settings, R3903_1_ARefreshModificationAndRemovalEachHaveANewTagAndTheOldOneIsDead) {
  ASSERT_EQ(code(alice->publish({.body = settings_xml(isb(true))})), "200");
  const std::string first = alice->etag();
  ASSERT_EQ(code(alice->publish({.if_match = first})), "200");
  const std::string second = alice->etag();
  EXPECT_NE(second, first);
  EXPECT_EQ(code(alice->publish({.if_match = first})), "412");
  ASSERT_EQ(code(alice->publish({.if_match = second, .body = settings_xml(isb(false))})), "200");
  const std::string third = alice->etag();
  EXPECT_NE(third, second);
  ASSERT_EQ(code(alice->publish({.expires = "0", .if_match = third})), "200");
  EXPECT_EQ(header(alice->publish({.expires = "0", .body = settings_xml(isb(true))}), "Expires"), "0");
  EXPECT_EQ(world->service().live_publications(), 0U) << "what is over at once is not kept";
  EXPECT_EQ(code(alice->publish({.if_match = third})), "412");
  EXPECT_EQ(world->metric(core::Metric::sip_publish_initial), 1U);
  EXPECT_EQ(world->metric(core::Metric::sip_publish_refreshed), 1U);
  EXPECT_EQ(world->metric(core::Metric::sip_publish_modified), 1U);
  EXPECT_EQ(world->metric(core::Metric::sip_publish_removed), 1U);
  EXPECT_EQ(world->metric(core::Metric::sip_publications), 0U);
}

TEST_F(Settings, R3903_1_ARepetitionIsAnsweredAlikeAndChangesNothing) {
  const std::string answer = alice->publish({.body = settings_xml(isb(true))});
  EXPECT_EQ(alice->again(), answer);
  EXPECT_EQ(world->service().live_publications(), 1U);
}

TEST_F(Settings, OMA_SET_9_EachRefusalComesBeforeAllThatStandBehindIt) {
  // Each of these violates what it is refused for and, where that is possible, everything behind it.
  EXPECT_EQ(code(alice->publish({.event = "presence", .expires = "1", .to_user = "nobody"})), "404");
  EXPECT_EQ(code(alice->publish({.event = "presence", .expires = "1", .to_user = "bob"})), "403");
  const std::string event =
      alice->publish({.event = "presence", .expires = "1", .if_match = "nosuch", .body = "x", .type = "text/plain"});
  EXPECT_EQ(code(event), "489");
  EXPECT_EQ(header(event, "Allow-Events"), "poc-settings");
  EXPECT_EQ(code(alice->publish({.event = "", .expires = "1", .body = "x"})), "489");
  EXPECT_EQ(code(alice->publish({.expires = "1", .if_match = "a, b", .body = "x", .type = "text/plain"})), "400");
  EXPECT_EQ(code(alice->publish(
                {.expires = "1", .if_match = "a", .body = "x", .type = "text/plain", .lines = "SIP-If-Match: b\r\n"})),
            "400");
  EXPECT_EQ(code(alice->publish({.expires = "1", .if_match = "*", .body = "x", .type = "text/plain"})), "412");
  EXPECT_EQ(code(alice->publish({.expires = "1", .if_match = "nosuch", .body = "x", .type = "text/plain"})), "412");
  const std::string brief = alice->publish({.expires = "59", .body = "x", .type = "text/plain"});
  EXPECT_EQ(code(brief), "423");
  EXPECT_EQ(header(brief, "Min-Expires"), "60");
  EXPECT_EQ(code(alice->publish({})), "400") << "an initial one says something";
  const std::string type = alice->publish({.body = "x", .type = "text/plain"});
  EXPECT_EQ(code(type), "415");
  EXPECT_EQ(header(type, "Accept"), "application/poc-settings+xml");
  EXPECT_EQ(code(alice->publish({.body = settings_xml(isb(true)), .lines = "Content-Encoding: gzip\r\n"})), "415");
  EXPECT_EQ(code(alice->publish({.body = "<poc-settings"})), "400");
  EXPECT_EQ(code(alice->publish({.body = "<!DOCTYPE a><poc-settings/>"})), "400");
  EXPECT_EQ(code(alice->publish({.body = settings_xml(isb(true)), .auth = false})), "407");
  EXPECT_EQ(code(alice->publish({.body = settings_xml(isb(true)), .lines = "Require: teleportation\r\n"})), "420");
  EXPECT_EQ(world->service().live_publications(), 0U);
}

TEST_F(Settings, R3903_1_AModificationThatCanNotBeReadChangesNothing) {
  ASSERT_EQ(code(alice->publish({.body = settings_xml(isb(true))})), "200");
  EXPECT_EQ(code(alice->publish({.if_match = alice->etag(), .body = "<poc-settings"})), "400");
  EXPECT_EQ(code(alice->publish({.if_match = alice->etag()})), "200") << "its tag is still the right one";
}

TEST_F(Settings, T_11_LongTimesAreShortenedSilently) {
  EXPECT_EQ(header(alice->publish({.expires = "600000", .body = settings_xml(isb(true))}), "Expires"), "600000");
  EXPECT_EQ(header(alice->publish({.expires = "4294967295", .body = settings_xml(isb(true))}), "Expires"), "600000");
  EXPECT_EQ(header(alice->publish({.expires = "", .body = settings_xml(isb(true))}), "Expires"), "3600");
}

TEST_F(Settings, OMA_SET_9_StateIsSoftAndFallsBackToTheDefaults) {
  ASSERT_EQ(code(watcher->subscribe({.event = "poc-settings"})), "200");
  (void)watcher->notify();
  ASSERT_EQ(code(alice->publish({.expires = "100", .body = settings_xml(isb(true))})), "200");
  world->advance(5s);
  EXPECT_NE(body_of(watcher->notify()).find("incoming-session-barring active=\"true\""), std::string::npos);
  world->advance(95100ms);
  EXPECT_EQ(body_of(watcher->notify()).find("incoming-session-barring"), std::string::npos);
  EXPECT_EQ(world->service().live_publications(), 0U);
  EXPECT_EQ(world->metric(core::Metric::sip_publications_expired), 1U);
  EXPECT_EQ(code(alice->publish({.if_match = alice->etag()})), "412");
}

TEST_F(Settings, OMA_SET_9_LimitsRefuseAndCount) {
  make([](policy::SipConfig& config) {
    config.settings.publications.per_resource_max = 2;
    config.settings.publications.publications_max = 3;
    config.settings.publications.body_bytes_max = 600;
  });
  const Publish one{.body = settings_xml(isb(true))};
  EXPECT_EQ(code(alice->publish(one)), "200");
  EXPECT_EQ(code(alice->publish(one)), "200");
  EXPECT_EQ(code(alice->publish(one)), "403");
  EXPECT_EQ(world->metric(core::Metric::sip_publications_user_limit), 1U);
  Publisher bob(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(code(bob.publish(one)), "200");
  EXPECT_EQ(code(bob.publish(one)), "503");
  EXPECT_EQ(world->metric(core::Metric::sip_publications_limit), 1U);
  EXPECT_EQ(code(bob.publish({.if_match = bob.etag(), .body = settings_xml(std::string(600, ' '))})), "413");
  EXPECT_EQ(world->metric(core::Metric::sip_publication_bytes_limit), 1U);
  EXPECT_EQ(code(bob.publish({.if_match = bob.etag()})), "200");
}

TEST_F(Settings, SEED3_5_2_4_3_ATrustedPeerPublishesForWhomItAsserts) {
  const std::string body = settings_xml(isb(true));
  const auto text = [&](const std::string& asserted, int n) {
    return "PUBLISH sip:dave@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKt" +
           std::to_string(n) +
           "\r\nMax-Forwards: 70\r\nFrom: <sip:dave@example.org>;tag=t\r\nTo: <sip:dave@example.org>\r\nCall-ID: t" +
           std::to_string(n) + "\r\nCSeq: 1 PUBLISH\r\n" + asserted +
           "Route: <sip:127.0.0.1:5060;lr;orig>\r\nEvent: poc-settings\r\nContent-Type: "
           "application/poc-settings+xml\r\n"
           "Content-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  world->datagram(text("P-Asserted-Identity: <sip:eve@example.org>\r\n", 1), core_proxy);
  EXPECT_EQ(code(world->only().text), "403");
  world->datagram(text("P-Asserted-Identity: \"D, a\" <sip:dave@example.org>, <tel:+491234>\r\n", 2), core_proxy);
  EXPECT_EQ(code(world->only().text), "200");
}

TEST_F(Settings, OMA_SET_9_WithoutTheRoleAPublishIsForTheUsersDevices) {
  make([](policy::SipConfig& config) { config.im.participating = false; });
  EXPECT_EQ(code(alice->publish({.body = settings_xml(isb(true))})), "480");
  EXPECT_EQ(code(watcher->subscribe({.event = "poc-settings"})), "480");
}

TEST_F(Settings, OMA_REG_1_WithoutTheRoleRegistrarOnlyATrustedPeerRegisters) {
  make([](policy::SipConfig& config) { config.registers_users = false; });
  EXPECT_EQ(code(watcher->enrol()), "403");
  world->datagram(
      "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKr\r\nMax-Forwards: "
      "70\r\nFrom: "
      "<sip:scscf@example.org>;tag=r\r\nTo: <sip:alice@example.org>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\nContact: "
      "<sip:127.0.0.9:5060>\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n",
      core_proxy);
  EXPECT_EQ(code(world->only().text), "200");
}

TEST_F(Settings, OMA_SET_7_WhoPublishedNothingHasWhatTheOperatorSaysAndAReloadChangesThat) {
  auto documents = std::make_shared<policy::Documents>();
  documents->user_defaults.pager_large_barred = true;
  auto barred = sip_config();
  barred->im.participating = true;
  barred->documents = documents;
  const auto message = [&](int n) {
    world->datagram("MESSAGE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKm" +
                        std::to_string(n) +
                        "\r\nMax-Forwards: 70\r\nFrom: <sip:x@elsewhere.example>;tag=1\r\nTo: "
                        "<sip:bob@example.org>\r\nCall-ID: m" +
                        std::to_string(n) + "\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
                    core_proxy);
    return code(world->only().text);
  };
  Publisher bob(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(message(1), "480") << "nobody is there";
  world->service().reload(barred);
  EXPECT_EQ(message(2), "403");
  ASSERT_EQ(code(bob.publish({.body = settings_xml(ipab(false))})), "200");
  EXPECT_EQ(message(3), "480") << "what he says himself counts";
}

// --- documents that users have written by XCAP

// A message of somebody else's to bob.
std::string message_to_bob(SipWorld& world, int n) {
  const std::string id = std::to_string(n);
  world.datagram("MESSAGE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKx" + id +
                     "\r\nMax-Forwards: 70\r\nFrom: <sip:x@elsewhere.example>;tag=1\r\nTo: "
                     "<sip:bob@example.org>\r\nCall-ID: x" +
                     id + "\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
                 core_proxy);
  return code(world.only().text);
}

TEST_F(Settings, OMA_SET_7_WhatAUserHasWrittenHoldsWhileHeHasPublishedNothing) {
  Publisher bob(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(message_to_bob(*world, 1), "480") << "nobody is there";
  auto written = std::make_shared<policy::UserDocuments>();
  auto barred = std::make_shared<policy::ImSettings>();
  barred->pager_large_barred = true;
  written->settings.put("sip:bob@example.org", barred);
  written->changed_owner = "sip:bob@example.org";
  world->service().take(written);
  EXPECT_EQ(message_to_bob(*world, 2), "403");
  ASSERT_EQ(code(bob.publish({.body = settings_xml(ipab(false))})), "200");
  EXPECT_EQ(message_to_bob(*world, 3), "480") << "what he has published counts";
  ASSERT_EQ(code(bob.publish({.if_match = bob.etag(), .body = settings_xml(isb(true))})), "200");
  EXPECT_EQ(message_to_bob(*world, 4), "403") << "what he has not said is as he wrote it";
  auto next = std::make_shared<policy::UserDocuments>(*written);
  next->settings.erase("sip:bob@example.org");
  world->service().take(next);
  EXPECT_EQ(message_to_bob(*world, 5), "480");
  EXPECT_EQ(written->settings.size(), 1U) << "a snapshot does not change";
}

TEST_F(Settings, OMA_ACC_1_RulesThatAUserHasWrittenBarAndTheOperatorsGoBefore) {
  const auto rules = [](const std::string& what) {
    auto read = std::make_shared<policy::AccessRules>();
    EXPECT_FALSE(policy::parse_access_rules(
        "<ruleset xmlns='urn:ietf:params:xml:ns:common-policy' xmlns:p='urn:oma:xml:poc:poc-rules'><rule id='r'><conditions/>"
        "<actions><p:allow-invite>" + what + "</p:allow-invite></actions></rule></ruleset>", *read));
    return read;
  };
  auto written = std::make_shared<policy::UserDocuments>();
  written->access_rules.put("sip:bob@example.org", rules("reject"));
  written->changed_owner = "sip:bob@example.org";
  world->service().take(written);
  EXPECT_EQ(message_to_bob(*world, 1), "403");
  auto config = sip_config();
  config->im.participating = true;
  auto documents = std::make_shared<policy::Documents>();
  documents->access_rules["sip:bob@example.org"] = *rules("accept");
  config->documents = documents;
  world->service().reload(config);
  EXPECT_EQ(message_to_bob(*world, 2), "480");
  world->service().reload(sip_config());
}

TEST_F(Settings, RFC5875_WhoWatchesHisDocumentsIsToldOfThem) {
  make([](policy::SipConfig& config) { config.xcap.root = "http://x/xcap-root/"; });
  auto now = std::make_shared<policy::UserDocuments>();
  const auto say = [&](const std::string& owner, const std::string& was, const std::string& is) {
    now = std::make_shared<policy::UserDocuments>(*now);
    now->changed_owner = owner;
    now->changed_selector = "groups/users/" + owner + "/team";
    now->previous_etag = was;
    now->new_etag = is;
    if (is.empty()) {
      now->owned.erase(owner);
    } else {
      now->owned.put(owner, std::make_shared<const std::vector<policy::OwnedDocument>>(
                                std::vector<policy::OwnedDocument>{{now->changed_selector, is}}));
    }
    world->service().take(now);
  };
  say("sip:alice@example.org", "", "e1");
  ASSERT_EQ(code(watcher->subscribe({.event = "xcap-diff;diff-processing=aggregate"})), "200");
  std::string notify = watcher->notify();
  EXPECT_EQ(header(notify, "Content-Type"), "application/xcap-diff+xml");
  const std::string begin = "xcap-root=\"http://x/xcap-root/\"><document ";
  const std::string sel = "sel=\"groups/users/sip:alice@example.org/team\"/>";
  EXPECT_NE(body_of(notify).find(begin + "new-etag=\"e1\" " + sel), std::string::npos) << notify;
  say("sip:bob@example.org", "", "b1");
  say("sip:alice@example.org", "e1", "e2");
  say("sip:alice@example.org", "e2", "e3");
  world->advance(5s);
  notify = watcher->notify();
  EXPECT_NE(body_of(notify).find(begin + "new-etag=\"e3\" previous-etag=\"e1\" " + sel + "</xcap-diff>"), std::string::npos) << notify;
  say("sip:alice@example.org", "e3", "");
  world->advance(5s);
  notify = watcher->notify();
  EXPECT_NE(body_of(notify).find(begin + "previous-etag=\"e3\" " + sel), std::string::npos) << notify;
  say("sip:bob@example.org", "b1", "b2");
  world->advance(5s);
  EXPECT_TRUE(watcher->notifies().empty()) << "of his own alone";
  Watcher other(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(code(other.subscribe({.event = "xcap-diff", .to_user = "alice"})), "403");
  EXPECT_EQ(header(watcher->subscribe({.event = "conference", .to_user = "-"}), "Allow-Events"), "reg, poc-settings, xcap-diff");
}

// --- subscriptions

TEST_F(Settings, OMA_SET_1_WhoSubscribesIsToldWhatHoldsAndWhatChangesAtMostOnceInFiveSeconds) {
  const std::string answer = watcher->subscribe({.event = "poc-settings", .expires = ""});
  ASSERT_EQ(code(answer), "200");
  EXPECT_EQ(header(answer, "Expires"), "3600");
  std::string notify = watcher->notify();
  EXPECT_EQ(header(notify, "Event"), "poc-settings");
  EXPECT_EQ(header(notify, "Content-Type"), "application/poc-settings+xml");
  EXPECT_EQ(header(notify, "Subscription-State"), "active;expires=3600");
  EXPECT_NE(body_of(notify).find("urn:oma:params:xml:ns:poc:poc-settings"), std::string::npos) << notify;
  ASSERT_EQ(code(alice->publish({.body = settings_xml(isb(true) + ipab(false))})), "200");
  ASSERT_EQ(code(alice->publish({.if_match = alice->etag(), .body = settings_xml(isb(true) + ipab(true))})), "200");
  EXPECT_TRUE(watcher->notifies().empty());
  world->advance(5s);
  notify = watcher->notify();
  EXPECT_NE(body_of(notify).find("incoming-session-barring active=\"true\""), std::string::npos) << notify;
  EXPECT_NE(body_of(notify).find("incoming-personal-alert-barring active=\"true\""), std::string::npos) << notify;
  world->advance(5s);
  EXPECT_TRUE(watcher->notifies().empty());
  ASSERT_EQ(code(alice->publish({.if_match = alice->etag()})), "200");
  world->advance(5s);
  EXPECT_TRUE(watcher->notifies().empty()) << "a refresh changes nothing";
}

TEST_F(Settings, OMA_SET_8_DevicesThatDisagreeAreShownAsEntities) {
  Publisher tablet(*world, "alice", "127.0.0.1:40002");
  ASSERT_EQ(code(alice->publish({.body = settings_xml(isb(true), "phone")})), "200");
  ASSERT_EQ(code(tablet.publish({.body = settings_xml(isb(false), "tablet")})), "200");
  ASSERT_EQ(code(watcher->subscribe({.event = "poc-settings"})), "200");
  const std::string body = body_of(watcher->notify());
  EXPECT_NE(body.find("<entity id=\"phone\">"), std::string::npos) << body;
  EXPECT_NE(body.find("<entity id=\"tablet\">"), std::string::npos) << body;
}

TEST_F(Settings, OMA_SET_1_OnlyTheOwnerAndTheServersOfTheDomainMaySubscribe) {
  Watcher bob(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(code(bob.subscribe({.event = "poc-settings", .to_user = "alice"})), "403");
  EXPECT_EQ(code(watcher->subscribe({.event = "poc-settings", .accept = "text/plain"})), "406");
  const std::string other = watcher->subscribe({.event = "conference", .to_user = "-"});
  EXPECT_EQ(code(other), "489");
  EXPECT_EQ(header(other, "Allow-Events"), "reg, poc-settings");
}

TEST_F(Settings, R6665_5_RegistrationsAndSettingsAreWatchedSideBySideInOneDialog) {
  ASSERT_EQ(code(watcher->subscribe({.event = "reg"})), "200");
  (void)watcher->notify();
  ASSERT_EQ(code(watcher->refresh({.event = "poc-settings"})), "200");
  EXPECT_EQ(header(watcher->notify(), "Content-Type"), "application/poc-settings+xml");
  ASSERT_EQ(code(alice->publish({.body = settings_xml(isb(true))})), "200");
  world->advance(5s);
  EXPECT_EQ(header(watcher->notify(), "Event"), "poc-settings") << "of one package, not of the other";
  ASSERT_EQ(code(watcher->enrol()), "200");
  EXPECT_EQ(header(watcher->notify(), "Event"), "reg");
}

// --- shards

TEST_F(Settings, OMA_SET_9_WhicheverShardItComesToThereIsOneCompositor) {
  make({}, 3);
  std::vector<std::unique_ptr<Publisher>> devices;
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    devices.push_back(std::make_unique<Publisher>(*world, "alice", "127.0.0.1:4001" + std::to_string(shard), shard));
    ASSERT_EQ(code(devices.back()->publish({.body = settings_xml(isb(true))})), "200") << shard;
  }
  std::uint32_t owners = 0;
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    if (world->service(shard).live_publications() != 0) ++owners;
  }
  EXPECT_EQ(owners, 1U);
  EXPECT_EQ(code(devices[0]->publish({.if_match = devices[2]->etag(), .body = settings_xml(isb(false))})), "200");
}

}  // namespace
}  // namespace parley::tests

// tests/service/system_messages_test.cc - what an operator has to say to a user: how it is sent, the answer that he may
// demand, who is held back until he gives it, and what outlives the process (OMA-SYS-1 to OMA-SYS-7, DEC-22).
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "policy/system_message.h"
#include "tests/service/served_users.h"

namespace parley::tests {
namespace {

using core::Metric;
using nlohmann::json;
using Kind = core::AdminRequest::Kind;
using namespace std::string_literals;

constexpr const char* system_uri = "sip:system-message@example.org";
const std::string answer_type = "Content-Type: application/vnd.oma.im.system-message+xml\r\n";

std::string response(const std::string& id, const std::string& option) {
  return "<?xml version=\"1.0\"?><system-message-response id=\"" + id + "\" option=\"" + option + "\"/>";
}

struct SystemMessaging : Participating {
  void SetUp() override { begin(); }
  void begin(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    make(
        [&](policy::SipConfig& c) {
          c.im.system.uri = system_uri;
          c.im.deferred_uris = {"sip:Deferred@example.org"};
          c.im.deferred.on = true;
          c.stores_bindings = c.stores_messages = true;
          if (change) change(c);
        },
        shards);
    enrol("alice", "<sip:alice@127.0.0.1:40001>");
  }

  // What the shards say to an order; one of them has an answer.
  json order(policy::SystemMessageOrder order) {
    json given;
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      const json answer = json::parse(world->admin(Kind::system_message, policy::put_order(order), shard));
      if (!answer.empty()) given = answer;
    }
    return given;
  }
  static policy::SystemMessageOrder terms(std::uint32_t within_s = 3600) {
    return {.user = "alice",
            .text = "New terms <1>",
            .language = "en",
            .answer_within_s = within_s,
            .options = {{"yes", "I agree"}, {"no", "I do not"}}};
  }
  // Ordered and sent; its id. `message` is what alice's device got.
  std::string sends(policy::SystemMessageOrder wanted = terms()) {
    const json answer = order(std::move(wanted));
    EXPECT_TRUE(answer.contains("id")) << answer;
    message_sent = world->only();
    EXPECT_EQ(what(message_sent.text), "MESSAGE");
    return answer.value("id", "");
  }
  // And taken.
  std::string delivers(policy::SystemMessageOrder wanted = terms()) {
    const std::string id = sends(std::move(wanted));
    world->answer(message_sent, 200);
    EXPECT_EQ(world->take().size(), 0U);
    return id;
  }
  std::map<std::string, json> listed() {
    std::map<std::string, json> all;
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      for (const json& line : json::parse(world->admin(Kind::list_system_messages, "100", shard))) all[line["id"]] = line;
    }
    return all;
  }
  std::string state(const std::string& id) {
    const auto all = listed();
    return all.contains(id) ? all.at(id)["state"].get<std::string>() : "none";
  }
  // From a device of `user`, who proves himself.
  std::string from(const std::string& user, Says says, std::uint32_t shard = 0) {
    return only(comes_of(user, std::move(says), shard));
  }
  std::vector<SipWorld::Sent> comes_of(const std::string& user, Says says, std::uint32_t shard = 0) {
    const std::string at = "127.0.0.1:400" + std::to_string(50 + ++requests);
    says.from = "<sip:" + user + "@example.org>;tag=" + user;
    says.sent_by = at;
    says.branch += std::to_string(requests);
    says.call_id += std::to_string(requests);
    world->datagram(text_of(says), at, shard);
    auto sent = world->take();
    if (sent.size() == 1 && what(sent[0].text) == "407") {
      says.branch += "a";
      ++says.cseq;
      says.lines += credentials(sent[0].text, says.method, says.uri, user);
      world->datagram(text_of(says), at, shard);
      sent = world->take();
    }
    std::erase_if(sent, [](const auto& one) { return what(one.text) == "100"; });
    return sent;
  }
  static Says an_answer(const std::string& id, const std::string& option) {
    Says says = message(answer_type, response(id, option));
    says.uri = system_uri;
    return says;
  }
  std::string answers(const std::string& id, const std::string& option, const std::string& user = "alice",
                      std::uint32_t shard = 0) {
    return code(from(user, an_answer(id, option), shard));
  }
  bool held(std::uint32_t shard = 0) {
    const std::string got = from("alice", message(), shard);
    if (what(got) == "MESSAGE") world->answer({.datagram = true, .to = address(bob_at), .text = got}, 200, bob_at, shard);
    world->take();
    return what(got) == "403";
  }
  void pass(std::chrono::seconds time) {
    world->now.wall_ms += time.count() * 1000;
    world->advance(time);
    world->take();
  }

  SipWorld::Sent message_sent;
};

TEST_F(SystemMessaging, OMA_SYS_1_ItIsAMessageOfTheSystem) {
  const std::string id = sends();
  const std::string& text = message_sent.text;
  EXPECT_EQ(text.substr(0, text.find('\r')), "MESSAGE sip:alice@127.0.0.1:40001 SIP/2.0");
  EXPECT_EQ(header(text, "Accept-Contact"), "*;+g.oma.sip-im;+g.oma.sip-im.system-message") << "OMA-ID-2, T-3";
  EXPECT_TRUE(header(text, "From").starts_with("<sip:system-message@example.org>;tag=")) << text;
  EXPECT_EQ(header(text, "P-Asserted-Identity"), "<sip:system-message@example.org>") << "OMA-SYS-2";
  EXPECT_EQ(header(text, "To"), "<sip:alice@example.org>");
  EXPECT_EQ(header(text, "Expires"), "3600");
  EXPECT_EQ(header(text, "User-Agent"), "IM-serv/OMA1.0 parley/1.2");
  EXPECT_EQ(state(id), "sending");
}

TEST_F(SystemMessaging, OMA_SYS_4_ItsBodyIsForOldClientsAndForThoseThatKnowIt) {
  const std::string id = sends();
  const std::string& text = message_sent.text;
  const std::string boundary = between(header(text, "Content-Type") + "\r\n", "multipart/alternative;boundary=", "\r\n");
  ASSERT_NE(boundary, "") << text;
  EXPECT_EQ(body_of(text), "--" + boundary +
                               "\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Language: en\r\n\r\n"
                               "New terms <1>\r\nyes: I agree\r\nno: I do not\r\n--" +
                               boundary +
                               "\r\nContent-Type: application/vnd.oma.im.system-message+xml\r\n\r\n"
                               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<system-message id=\"" +
                               id +
                               "\" response-required=\"true\" timeout=\"3600\"><text xml:lang=\"en\">New terms &lt;1&gt;</text>"
                               "<option id=\"yes\">I agree</option><option id=\"no\">I do not</option></system-message>\n"
                               "\r\n--" +
                               boundary + "--\r\n");
}

TEST_F(SystemMessaging, OMA_SYS_2_NothingBarsItButOthersAreBarred) {
  allow("");
  documents->access_rules[policy::user_key("sip:alice@example.org")] =
      documents->access_rules[policy::user_key("sip:bob@example.org")];
  config->im.access_default = policy::InviteHandling::reject;
  documents->policy.service.allow = {{*policy::parse_mime_pattern("image/png"), {}}};
  Says of_bob = message("Content-Type: image/png\r\n");
  of_bob.uri = "sip:alice@example.org";
  ASSERT_EQ(code(from("bob", of_bob)), "403");
  sends();
}

TEST_F(SystemMessaging, OMA_SYS_2_WhoOnlySaysThatHeIsTheSystemIsBarred) {
  config->im.access_default = policy::InviteHandling::reject;
  Says says = message("Accept-Contact: *;+g.oma.sip-im;+g.oma.sip-im.system-message\r\n"
                      "P-Asserted-Identity: <sip:system-message@example.org>\r\n" +
                      text_type);
  says.from = "<sip:system-message@example.org>;tag=x";
  EXPECT_EQ(code(only(from_peer(says))), "403");
}

TEST_F(SystemMessaging, OMA_SYS_2_ItIsNeverKeptForLater) {
  const std::string id = sends();
  world->advance(11s);  // config.im.deferred.answer_max
  EXPECT_EQ(world->store.deferred.size(), 0U);
  world->answer(message_sent, 480);
  world->take();
  EXPECT_EQ(world->store.deferred.size(), 0U);
  EXPECT_EQ(state(id), "failed");
}

TEST_F(SystemMessaging, OMA_SYS_3_WithoutADemandItIsDoneWhenADeviceHasIt) {
  const std::string id =
      delivers({.user = "alice@example.org", .text = "We are back", .language = {}, .answer_within_s = 0, .options = {}});
  EXPECT_EQ(state(id), "taken");
  EXPECT_EQ(header(message_sent.text, "Expires"), "");
  EXPECT_NE(message_sent.text.find("response-required=\"false\"><text>We are back</text></system-message>"),
            std::string::npos);
  pass(2h);
  EXPECT_FALSE(held());
  world->stride(365 * 24h, 1h);
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_3_AnAnswerNamesMessageAndOption) {
  const std::string id = delivers();
  EXPECT_EQ(state(id), "pending");
  const std::string ok = from("alice", an_answer(id, "no"));
  EXPECT_EQ(code(ok), "200");
  EXPECT_EQ(header(ok, "Server"), "IM-serv/OMA1.0 parley/1.2");
  const json line = listed().at(id);
  EXPECT_EQ(line["state"], "answered");
  EXPECT_EQ(line["answer"], "no");
  EXPECT_EQ(line["user"], "sip:alice@example.org");
  pass(2h);
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_3_AnAnswerMayBeWrapped) {
  std::string id = delivers();
  Says says = message("Content-Type: message/cpim\r\n", "From: <sip:alice@example.org>\r\nTo: <" + std::string(system_uri) +
                                                           ">\r\n\r\n" + answer_type + "\r\n" + response(id, "yes"));
  says.uri = system_uri;
  EXPECT_EQ(code(from("alice", says)), "200");
  EXPECT_EQ(state(id), "answered");
  id = delivers();
  says = message("Content-Type: multipart/mixed;boundary=b\r\n",
                 "--b\r\n\r\nyes\r\n--b\r\n" + answer_type + "\r\n" + response(id, "yes") + "\r\n--b--\r\n");
  says.uri = system_uri;
  EXPECT_EQ(code(from("alice", says)), "200");
  EXPECT_EQ(state(id), "answered");
}

TEST_F(SystemMessaging, OMA_SYS_5_WhoDoesNotAnswerInTimeIsHeldBackUntilHeDoes) {
  const std::string id = delivers();
  pass(3599s);
  EXPECT_FALSE(held()) << "DEC-22: PENDING allows all";
  pass(2s);
  EXPECT_EQ(state(id), "overdue");
  const std::string refused = from("alice", message());
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Error-Info"), "<https://example.org/im-errors/system-message>") << "SEED4-6.1.1.1-2e";
  EXPECT_EQ(code(from("alice", invite(im, chat_sdp()))), "403");
  EXPECT_TRUE(held()) << "SEED4-6.1.1.1-2";
  // Others, what comes for her, and what DEC-22 exempts.
  enrol("alice", "<sip:alice@127.0.0.1:40001>");
  Says of_bob = message();
  of_bob.uri = "sip:alice@example.org";
  EXPECT_EQ(what(from("bob", of_bob)), "MESSAGE");
  Says aside = message("In-Reply-To: " + header(message_sent.text, "Call-ID") + "\r\n" + text_type);
  EXPECT_EQ(code(from("alice", aside)), "403") << "an answer goes to the system, not to bob";
  EXPECT_EQ(answers(id, "yes"), "200") << "late, and good for all that";
  EXPECT_FALSE(held());
  EXPECT_EQ(world->metric(Metric::im_system_overdue), 1U);
  EXPECT_EQ(world->metric(Metric::im_system_answers), 1U);
}

TEST_F(SystemMessaging, OMA_SYS_5_ASettingMayBePublished) {
  const std::string id = delivers();
  pass(3601s);
  Says publish{.method = "PUBLISH",
               .uri = "sip:alice@example.org",
               .to = "<sip:alice@example.org>",
               .lines = "Event: poc-settings\r\nContent-Type: application/poc-settings+xml\r\n",
               .body = "<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\"><entity id=\"a\"/></poc-settings>"};
  EXPECT_NE(code(from("alice", publish)), "403");
  EXPECT_TRUE(held());
}

TEST_F(SystemMessaging, OMA_SYS_5_OfTwoBothAreToBeAnswered) {
  const std::string first = delivers();
  const std::string second = delivers(terms(60));
  pass(3601s);
  EXPECT_TRUE(held());
  EXPECT_EQ(answers(second, "yes"), "200");
  EXPECT_TRUE(held());
  EXPECT_EQ(answers(first, "no"), "200");
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_5_ByAnyNameOfOurs) {
  begin([](policy::SipConfig& c) { c.domains = {"example.org", "example.net"}; });
  const std::string id = delivers();
  pass(3601s);
  Says says = message("Route: <sip:127.0.0.1:5060;lr;orig>\r\nP-Asserted-Identity: <sip:alice@example.net>\r\n" + text_type);
  EXPECT_EQ(code(only(from_peer(says))), "403");
}

TEST_F(SystemMessaging, OMA_SYS_6_WhatNoDeviceTookStartsNoTimeAndIsSeen) {
  const std::string id = sends();
  world->answer(message_sent, 603);
  const json line = listed().at(id);
  EXPECT_EQ(line["state"], "failed");
  EXPECT_EQ(line["status"], 603);
  pass(7200s);
  EXPECT_FALSE(held());
  EXPECT_EQ(world->metric(Metric::im_system_failed), 1U);
  policy::SystemMessageOrder to_carol = terms();
  to_carol.user = "carol";
  const json carols = order(to_carol);
  EXPECT_EQ(world->take().size(), 0U);
  EXPECT_EQ(listed().at(carols["id"])["status"], 480) << "she is not registered";
}

TEST_F(SystemMessaging, OMA_SYS_6_ItsTimeBeginsWithThe2xx) {
  const std::string id = sends(terms(60));
  pass(20s);
  world->answer(message_sent, 200);
  pass(59s);
  EXPECT_EQ(state(id), "pending");
  pass(2s);
  EXPECT_EQ(state(id), "overdue");
}

TEST_F(SystemMessaging, OMA_SYS_6_WhatIsOwedOutlivesTheProcess) {
  const std::string late = delivers(terms(60));
  const std::string pending = delivers();
  const std::string answered = delivers();
  EXPECT_EQ(answers(answered, "yes"), "200");
  pass(61s);
  world->crash(config);
  world->take();
  EXPECT_EQ(state(late), "overdue");
  EXPECT_EQ(state(pending), "pending");
  EXPECT_EQ(state(answered), "answered");
  EXPECT_TRUE(held());
  EXPECT_EQ(answers(answered, "yes"), "200") << "OMA-SYS-7: given before";
  EXPECT_EQ(answers(late, "no"), "200");
  EXPECT_FALSE(held());
  pass(3600s);
  EXPECT_TRUE(held()) << "the time went on";
  world->crash(config);
  EXPECT_TRUE(held());
  EXPECT_EQ(answers(pending, "no"), "200");
  world->crash(config);
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_6_TimeThatRanOutWhileNobodyWasThere) {
  const std::string id = delivers(terms(60));
  world->now.wall_ms += 61'000;
  world->crash(config);
  pass(1s);
  EXPECT_EQ(state(id), "overdue");
  EXPECT_TRUE(held());
}

TEST_F(SystemMessaging, OMA_SYS_6_WhatWasOnItsWayIsSentAgain) {
  const std::string id = sends();
  world->crash(config);
  const SipWorld::Sent again = world->only();
  EXPECT_EQ(header(again.text, "Call-ID"), header(message_sent.text, "Call-ID")) << "the same message";
  EXPECT_NE(header(again.text, "From"), header(message_sent.text, "From"));
  world->answer(again, 200);
  EXPECT_EQ(state(id), "pending");
}

TEST_F(SystemMessaging, OMA_SYS_6_AnOrderHasAnIdWhenItIsStored) {
  world->store.full = true;
  EXPECT_EQ(order(terms()), json({{"error", "the store does not take it"}}));
  EXPECT_EQ(world->take().size(), 0U);
  EXPECT_TRUE(listed().empty());
  world->store.full = false;
  world->store.stopped = true;
  EXPECT_EQ(world->admin(Kind::system_message, policy::put_order(terms())), "");
  EXPECT_EQ(world->take().size(), 0U) << "nothing goes out before";
  world->crash(config);
  world->store.stopped = false;
  world->wake();
  EXPECT_TRUE(listed().empty()) << "and nobody has its id";
  EXPECT_EQ(world->take().size(), 0U);
}

TEST_F(SystemMessaging, OMA_SYS_6_AnAnswerIsTakenWhenItIsStored) {
  const std::string id = delivers(terms(60));
  pass(61s);
  world->store.full = true;
  EXPECT_EQ(answers(id, "yes"), "503");
  EXPECT_TRUE(held());
  world->store.full = false;
  world->store.stopped = true;
  EXPECT_EQ(comes_of("alice", an_answer(id, "yes")).size(), 0U) << "not yet";
  world->store.stopped = false;
  world->wake();
  EXPECT_EQ(codes(world->take()), Codes{"200"});
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_7_AnInvalidAnswerChangesNothing) {
  const std::string id = delivers(terms(60));
  pass(61s);
  EXPECT_EQ(answers(id, "maybe"), "400");
  EXPECT_EQ(answers(id, ""), "400");
  EXPECT_EQ(answers("17", "yes"), "403");
  EXPECT_EQ(answers(id + "x", "yes"), "403");
  EXPECT_EQ(answers(id, "yes", "bob"), "403") << "it is not his";
  Says says = message(answer_type, "<system-message-response option=\"yes\"/>");
  says.uri = system_uri;
  EXPECT_EQ(code(from("alice", says)), "400");
  says.body = "<system-message id=\"" + id + "\" option=\"yes\"/>";
  EXPECT_EQ(code(from("alice", says)), "400");
  says.body = "no xml";
  EXPECT_EQ(code(from("alice", says)), "400");
  says = message(text_type, "yes");
  says.uri = system_uri;
  const std::string refused = from("alice", says);
  EXPECT_EQ(code(refused), "415");
  EXPECT_EQ(header(refused, "Accept"), "application/vnd.oma.im.system-message+xml");
  EXPECT_EQ(state(id), "overdue");
  EXPECT_TRUE(held());
  EXPECT_EQ(world->metric(Metric::im_system_bad_answers), 9U);
}

TEST_F(SystemMessaging, OMA_SYS_7_WhoHasNotProvedWhoHeIsAnswersNothing) {
  const std::string id = delivers();
  world->datagram(text_of(an_answer(id, "yes")), "127.0.0.1:40077");
  EXPECT_EQ(codes(world->take()), Codes{"407"});
  EXPECT_EQ(state(id), "pending");
}

TEST_F(SystemMessaging, OMA_SYS_7_ASecondAnswerIsTakenAndTheFirstOneCounts) {
  const std::string id = delivers();
  EXPECT_EQ(answers(id, "yes"), "200");
  EXPECT_EQ(answers(id, "yes"), "200");
  EXPECT_EQ(answers(id, "no"), "200");
  EXPECT_EQ(answers(id, "maybe"), "400");
  EXPECT_EQ(listed().at(id)["answer"], "yes");
  EXPECT_EQ(world->metric(Metric::im_system_answers), 1U);
}

TEST_F(SystemMessaging, OMA_SYS_7_AnAnswerThatComesBeforeThe2xx) {
  const std::string id = sends();
  EXPECT_EQ(answers(id, "yes"), "200");
  world->answer(message_sent, 200);
  EXPECT_EQ(state(id), "answered");
  pass(3601s);
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_5_OnAllShardsAndFromAnyOfThem) {
  for (const std::uint32_t shards : {2U, 3U}) {
    begin({}, shards);
    for (std::uint32_t at = 0; at < shards; ++at) {
      const std::string id = delivers(terms(60));
      pass(61s);
      for (std::uint32_t shard = 0; shard < shards; ++shard) EXPECT_TRUE(held(shard)) << shard;
      EXPECT_EQ(answers(id, "maybe", "alice", at), "400");
      EXPECT_EQ(answers(id, "yes", "bob", at), "403");
      EXPECT_EQ(answers(id, "yes", "alice", at), "200");
      for (std::uint32_t shard = 0; shard < shards; ++shard) EXPECT_FALSE(held(shard)) << shard;
    }
    const std::string id = delivers(terms(60));
    pass(61s);
    world->crash(config);
    world->take();
    for (std::uint32_t shard = 0; shard < shards; ++shard) EXPECT_TRUE(held(shard)) << shard;
  }
}

TEST_F(SystemMessaging, OMA_SYS_3_OnlySoManyAreOpen) {
  begin([](policy::SipConfig& c) {
    c.im.system.per_user_max = 2;
    c.im.system.messages_max = 3;
  });
  const std::string first = delivers();
  delivers();
  EXPECT_NE(order(terms()).value("error", "").find("--system-messages-per-user-max"), std::string::npos);
  policy::SystemMessageOrder to_bob = terms();
  to_bob.user = "bob";
  const std::string bobs = order(to_bob)["id"];
  world->answer(world->only(), 200);
  world->take();
  EXPECT_NE(order(to_bob).value("error", "").find("--system-messages-max"), std::string::npos);
  EXPECT_EQ(world->metric(Metric::im_system_limit), 2U);
  EXPECT_EQ(answers(first, "yes"), "200");
  order(to_bob);
  EXPECT_EQ(world->take().size(), 1U);
  EXPECT_EQ(state(first), "none") << "what is closed makes room";
  EXPECT_EQ(world->store.system_messages.size(), 3U);
}

TEST_F(SystemMessaging, OMA_SYS_3_WhatIsClosedIsForgottenAfterAWhile) {
  const std::string id = delivers();
  EXPECT_EQ(answers(id, "yes"), "200");
  world->stride(7 * 24h - 2min, 10min);
  EXPECT_EQ(state(id), "answered");
  pass(3min);
  EXPECT_EQ(state(id), "none");
  EXPECT_EQ(world->store.system_messages.size(), 0U);
  EXPECT_EQ(answers(id, "yes"), "403");
}

TEST_F(SystemMessaging, OMA_SYS_5_AnOperatorTakesItBack) {
  const std::string id = delivers(terms(60));
  pass(61s);
  EXPECT_TRUE(held());
  EXPECT_EQ(world->admin(Kind::close_system_message, id), "{\"closed\":true}");
  EXPECT_FALSE(held());
  EXPECT_EQ(world->admin(Kind::close_system_message, id), "{\"closed\":false}");
  EXPECT_EQ(world->store.system_messages.size(), 0U);
}

TEST_F(SystemMessaging, OMA_SYS_3_WhatCanNotBeOrdered) {
  const auto why = [this](const std::function<void(policy::SystemMessageOrder&)>& change) {
    policy::SystemMessageOrder wanted = terms();
    change(wanted);
    return order(wanted).value("error", "");
  };
  EXPECT_EQ(why([](auto& o) { o.user = "sip:alice@elsewhere.org"; }), "that is no user of ours");
  EXPECT_EQ(why([](auto& o) { o.user = ""; }), "that is no user of ours");
  EXPECT_EQ(why([](auto& o) { o.text = ""; }), "there is no text");
  EXPECT_EQ(why([](auto& o) { o.text.assign(4097, 'x'); }), "the text has more than 4096 bytes");
  EXPECT_EQ(why([](auto& o) { o.options.clear(); }), "an answer is demanded, but there are no options");
  EXPECT_EQ(why([](auto& o) { o.options[1].id = "yes"; }), "two options have the id yes");
  EXPECT_NE(why([](auto& o) { o.options[1].id = "a b"; }), "");
  EXPECT_NE(why([](auto& o) { o.options[1].text = ""; }), "");
  EXPECT_NE(why([](auto& o) { o.options.assign(17, {"a", "b"}); }), "");
  EXPECT_EQ(why([](auto& o) { o.language = "e\r\nX: y"; }), "the language is no language tag");
  EXPECT_EQ(world->take().size(), 0U);
  EXPECT_TRUE(listed().empty());
}

TEST_F(SystemMessaging, OMA_SYS_3_WithoutAStoreItWorksAsLongAsTheProcess) {
  begin([](policy::SipConfig& c) {
    c.stores_bindings = c.stores_messages = false;
    c.im.deferred.on = false;
  });
  const std::string id = delivers(terms(60));
  pass(61s);
  EXPECT_TRUE(held());
  EXPECT_EQ(answers(id, "yes"), "200");
  EXPECT_FALSE(held());
}

TEST_F(SystemMessaging, OMA_SYS_3_ManyAreSentAFewAtATime) {
  begin([](policy::SipConfig& c) {
    c.im.system.parallel = 2;
  });
  for (int i = 0; i < 5; ++i) order(terms());
  std::vector<SipWorld::Sent> sent = world->take();
  std::size_t all = 0;
  while (!sent.empty()) {
    EXPECT_LE(sent.size(), 2U);
    all += sent.size();
    for (const SipWorld::Sent& each : sent) world->answer(each, 200);
    sent = world->take();
  }
  EXPECT_EQ(all, 5U);
}

TEST(SystemMessageOrder, OMA_SYS_4_AnOrderIsReadAsItWasWritten) {
  const policy::SystemMessageOrder order{
      .user = "a:1", .text = "3:x\n\"", .language = "", .answer_within_s = 7, .options = {{"y", "1:2"}, {"n", ""}}};
  const std::string text = policy::put_order(order);
  EXPECT_EQ(policy::read_order(text), order);
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    const auto read = policy::read_order(std::string_view(text).substr(0, cut));
    EXPECT_TRUE(!read || *read != order) << cut;
  }
  EXPECT_FALSE(policy::read_order("99999999999999999999:a"));
  EXPECT_FALSE(policy::read_order("1:a1:b1:c1:d"));
}

}  // namespace
}  // namespace parley::tests

// tests/service/in_dialog_policy_test.cc - MESSAGE and REFER in dialogs pass what the operator's policy asks of their
// sender, as they do outside (OMA-POL-1, OMA-POL-5, SEED4-6.1.1.1, OMA-SYS-5).
#include "policy/user_key.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using policy::RatedMethod;

const std::string too_often = "399 127.0.0.1:5060 \"You send too many requests in a short time\"";
const std::string not_this = "399 127.0.0.1:5060 \"You may not send this kind of request\"";

std::optional<policy::Rate>& rate(policy::PolicyLevel& level, RatedMethod method) {
  return level.rates[static_cast<std::size_t>(method)];
}

struct SessionPolicy : Party {
  void SetUp() override {
    config = focus_config();
    config->im.participating = true;
    documents = std::make_shared<policy::Documents>();
    config->documents = documents;
    make(config);
    gather({bob.get()});
    config->trusted_peers.clear();  // they are users from now on, and no peer speaks for them
  }
  std::string says(Phone& who, const std::string& type = "text/plain", const std::string& text = "hello") {
    who.send_typed("MESSAGE", type, text);
    return who.next();
  }
  std::string refers(Phone& who, const std::string& to) {
    who.request("REFER", {}, "Refer-To: <sip:" + to + "@example.org>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n");
    return who.next();
  }
  std::shared_ptr<policy::SipConfig> config;
  std::shared_ptr<policy::Documents> documents;
};

TEST_F(SessionPolicy, OMA_POL_5_MessagesInADialogCount) {
  rate(documents->policy.service, RatedMethod::message) = policy::Rate{60, 1};
  for (Phone* const who : {alice.get(), bob.get()}) {
    EXPECT_EQ(code(says(*who)), "202") << who->user();
    const std::string refused = says(*who);
    EXPECT_EQ(code(refused), "403");
    EXPECT_EQ(header(refused, "Warning"), too_often);
    line->pass(std::chrono::seconds(1));
    EXPECT_EQ(code(says(*who)), "202") << "the dialog goes on";
  }
  EXPECT_EQ(line->world.metric(Metric::im_refused_rate), 2U);
}

TEST_F(SessionPolicy, OMA_POL_5_ARefersTargetsAreInvitedSoItCountsAsInvite) {
  rate(documents->policy.service, RatedMethod::invite) = policy::Rate{60, 1};
  EXPECT_EQ(code(refers(*alice, "carol")), "200");
  const std::string refused = refers(*alice, "dave");
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Warning"), too_often);
  carol->want("INVITE");
  dave->quiet();
}

TEST_F(SessionPolicy, SEED4_6_1_1_1_4a_ContentInADialogIsJudged) {
  documents->policy.service.allow = {{*policy::parse_mime_pattern("text/plain"), {}}};
  documents->policy.service.pager_body_bytes_max = 5;
  const std::string refused = says(*alice, "image/png", "x");
  EXPECT_EQ(code(refused), "415");
  EXPECT_EQ(header(refused, "Accept"), "text/plain");
  EXPECT_EQ(code(says(*bob, "text/plain", "longer")), "415") << "DEC-20";
  EXPECT_EQ(code(says(*bob)), "202");
}

TEST_F(SessionPolicy, SEED4_6_1_1_1_1_WhoIsBarredFromMessagesIsInADialogToo) {
  documents->policy.users[policy::user_key("sip:bob@example.org")].modes =
      1U << static_cast<unsigned>(policy::ImMode::session);
  EXPECT_EQ(header(says(*bob), "Warning"), not_this);
  EXPECT_EQ(code(says(*alice)), "202");
  EXPECT_EQ(line->world.metric(Metric::im_refused_sender), 1U);
}

TEST_F(SessionPolicy, OMA_SYS_5_ASessionThatIsOnGoesOnWhenAnAnswerIsOverdue) {
  ASSERT_TRUE(line->world.service().overdue_answers().mark(policy::user_key("sip:alice@example.org"),
                                                           "sip:system@example.org", "x"));
  documents->policy.service.client_version = policy::parse_client_version("IM-client/OMA2.0");
  EXPECT_EQ(code(says(*alice)), "202");
}

TEST_F(SessionPolicy, OMA_POL_5_APeersUsersAreItsOwnBusinessUnlessItSaysOtherwise) {
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  documents->policy.service.modes = 0;
  EXPECT_EQ(code(says(*alice)), "202");
  alice->type = "text/plain";
  alice->request("MESSAGE", "hello", "Route: <sip:127.0.0.1:5060;lr;orig>\r\n");
  EXPECT_EQ(header(alice->next(), "Warning"), not_this);
}

TEST_F(SessionPolicy, OMA_POL_5_AReferWithoutTagsOutsideTheDialogCounts) {
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  rate(documents->policy.service, RatedMethod::invite) = policy::Rate{60, 1};
  Phone desk(*line, "alice", "127.0.0.1:40008");
  for (const char* status : {"200", "403"}) {
    desk.call_id = std::string("refer") + status;
    desk.local = "<sip:alice@example.org>;tag=d";
    desk.remote = "<" + alice->target + ">";
    desk.target = alice->target;
    desk.request("REFER", {},
                 "Refer-To: <sip:carol@example.org>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n"
                 "Route: <sip:127.0.0.1:5060;lr;orig>\r\n");
    EXPECT_EQ(code(desk.next()), status);
  }
}

// --- calls that are carried leg to leg

struct CallPolicy : Calls {
  void SetUp() override {
    config = calls_config();
    config->im.participating = true;
    documents = std::make_shared<policy::Documents>();
    config->documents = documents;
    make(config);
    alice->enrol();
    connect("Accept-Contact: *;+g.oma.sip-im\r\nRoute: <sip:127.0.0.1:5060;lr;orig>\r\n");
    config->trusted_peers.clear();
  }
  std::shared_ptr<policy::SipConfig> config;
  std::shared_ptr<policy::Documents> documents;
};

TEST_F(CallPolicy, OMA_POL_5_MessagesFromEitherLegCount) {
  rate(documents->policy.service, RatedMethod::message) = policy::Rate{60, 1};
  for (const auto& [from, to] : {std::pair(alice.get(), bob.get()), std::pair(bob.get(), alice.get())}) {
    from->send_typed("MESSAGE", "text/plain", "hello");
    to->respond(to->want("MESSAGE"), 200);
    from->want("200 MESSAGE");
    from->send_typed("MESSAGE", "text/plain", "hello");
    EXPECT_EQ(header(from->want("403 MESSAGE"), "Warning"), too_often) << from->user();
    to->quiet();
    from->request("INFO", "body");
    to->respond(to->want("INFO"), 200);
    from->want("200 INFO");
  }
}

TEST_F(CallPolicy, OMA_POL_5_SoDoRefers) {
  rate(documents->policy.service, RatedMethod::invite) = policy::Rate{60, 1};
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  bob->respond(bob->want("REFER"), 202);
  alice->want("202 REFER");
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  EXPECT_EQ(header(alice->want("403 REFER"), "Warning"), too_often);
  bob->quiet();
}

// RFC 5547 section 8.1, OMA-FT-3: a re-INVITE may describe another file, which nobody has let in yet.
struct FilePolicy : CallPolicy {
  void SetUp() override {
    CallPolicy::SetUp();
    changes(*alice, *bob, file("one", 1000));
  }
  static std::string file(const std::string& id, int bytes, const std::string& type = "image/png") {
    return msrp_sdp("x", "a=sendonly\r\na=file-selector:name:\"a\" type:" + type + " size:" + std::to_string(bytes) +
                             "\r\na=file-transfer-id:" + id + "\r\n", type);
  }
  void changes(Phone& from, Phone& to, const std::string& sdp, const std::string& method = "INVITE") {
    from.request(method, sdp);
    const std::string change = to.want(method);
    EXPECT_EQ(body_of(change), sdp);
    to.respond(change, 200, msrp_sdp("y", "a=recvonly\r\n", "*"));
    if (method == "INVITE") to.want("ACK");
    from.want("200 " + method);
    if (method == "INVITE") from.ack();
  }
  void refused(Phone& from, Phone& to, const std::string& sdp, const std::string& status, const std::string& method = "INVITE") {
    from.request(method, sdp);
    from.invite_text = from.last;
    const std::string answer = from.want(status + " " + method);
    if (method == "INVITE") from.ack_refused(answer);
    EXPECT_NE(header(answer, "Warning"), "") << answer;
    EXPECT_EQ(answer.find("m=message 0") != std::string::npos, status == "488") << answer;
    to.quiet();
  }
};

TEST_F(FilePolicy, OMA_FT_3_AnotherFileIsJudgedAsOneThatBeginsASession) {
  documents->policy.service.file_bytes_max = 5000;
  refused(*alice, *bob, file("two", 5001), "488");
  refused(*alice, *bob, file("two", 5001), "488", "UPDATE");
  changes(*alice, *bob, file("two", 5000));
  refused(*bob, *alice, file("three", 5001), "488");
  changes(*bob, *alice, file("three", 4000));
  EXPECT_EQ(line->world.metric(Metric::im_refused_description), 3U);
  hang_up();
}

TEST_F(FilePolicy, OMA_FT_3_TheSameTransferHasBeenLetIn) {
  documents->policy.service.file_bytes_max = 10;
  changes(*alice, *bob, file("one", 1000));
  changes(*alice, *bob, file("one", 1000), "UPDATE");
  std::string over = file("two", 1000);
  changes(*alice, *bob, over.replace(over.find("message 9000"), 12, "message 0"));
  hang_up();
}

TEST_F(FilePolicy, OMA_FT_3_TheTypesAndTheModeCountToo) {
  documents->policy.service.allow = {{*policy::parse_mime_pattern("image/*"), policy::MimePlace::plain}};
  refused(*alice, *bob, file("two", 100, "video/mp4"), "488");
  changes(*alice, *bob, file("two", 100));
  documents->policy.users[policy::user_key("sip:alice@example.org")].modes =
      1U << static_cast<unsigned>(policy::ImMode::session);
  refused(*alice, *bob, file("three", 100), "403");
  changes(*bob, *alice, file("four", 100));
  hang_up();
}

// POL-3: the recipient's own.
TEST_F(FilePolicy, OMA_FT_3_AndSoDoesWhatItsRecipientMayHave) {
  documents->policy.users[policy::user_key("sip:bob@example.org")].file_bytes_max = 5000;
  refused(*alice, *bob, file("two", 5001), "488");
  changes(*alice, *bob, file("two", 5000));
  hang_up();
}

}  // namespace
}  // namespace parley::tests

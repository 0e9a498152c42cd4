// tests/service/focus_file_test.cc - a file or a large message for several: to a list, to a group, to who is in a session
// (OMA-FT-7, OMA-LRG-2, OMA-LRG-3). What becomes of its bytes, tests/policy/room_distribution_test.cc shows.
#include "policy/group_document.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

const std::string file_lines =
    "a=sendonly\r\na=setup:actpass\r\na=file-selector:name:\"cat.jpg\" type:image/jpeg size:80000\r\n"
    "a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\r\na=file-disposition:attachment\r\n";

struct Files : Party {
  void SetUp() override { start(focus_config()); }
  void start(const std::shared_ptr<policy::SipConfig>& config) {
    make(config);
    line->world.media().binds = true;
  }
  std::string offer(Phone& by, const std::string& more = file_lines) { return msrp_sdp(by.user(), more, "*"); }
  void send_to(Phone& by, const std::string& uri) { by.invite_uri(uri, offer(by), im_lines); }
  void send_to_list(Phone& by, const std::vector<std::string>& others, const std::string& lines = im_lines,
                    const std::string& more = file_lines) {
    by.invite_uri("sip:factory@example.org;sessiontype=adhoc", mixed(offer(by, more), resource_list(others)),
                  lines + "Require: recipient-list-invite\r\n", mixed_type);
  }
  std::string takes(Phone& who) {
    const std::string invite = who.want("INVITE");
    who.call_id.clear();
    who.respond(invite, 200, msrp_sdp(who.user(), "a=recvonly\r\na=setup:active\r\n", "*"));
    who.want("ACK");
    return invite;
  }
  std::string begins(Phone& by) {
    const std::string ok = by.want("200 INVITE");
    by.take(ok);
    by.ack();
    return ok;
  }
};

TEST_F(Files, OMA_FT_7_AFileForAListGoesToEachAndBeginsWhenAllHaveAnswered) {
  send_to_list(*alice, {"bob", "carol", "dave"});
  const std::string to_bob = takes(*bob);
  EXPECT_NE(to_bob.find("a=file-selector:name:\"cat.jpg\" type:image/jpeg size:80000\r\n"), std::string::npos);
  EXPECT_NE(to_bob.find("a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\r\n"), std::string::npos);
  EXPECT_NE(to_bob.find("a=sendonly\r\n"), std::string::npos);
  EXPECT_NE(to_bob.find("a=accept-types:*\r\n"), std::string::npos) << "as alice said";
  EXPECT_EQ(to_bob.find("a=chatroom"), std::string::npos);
  EXPECT_TRUE(header(to_bob, "Contact").ends_with(";+g.oma.sip-im")) << header(to_bob, "Contact");
  EXPECT_EQ(header(to_bob, "Allow-Events"), "") << "OMA-LRG-2";
  EXPECT_NE(to_bob.find("sip:carol@example.org"), std::string::npos) << "R5366-2: who else";
  takes(*carol);
  alice->quiet();
  dave->respond(dave->want("INVITE"), 603);
  const std::string ok = begins(*alice);
  EXPECT_NE(ok.find("a=recvonly\r\n"), std::string::npos);
  EXPECT_NE(ok.find("a=file-selector:name:\"cat.jpg\" type:image/jpeg size:80000\r\n"), std::string::npos) << "OMA-FT-2";
  EXPECT_NE(ok.find("a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\r\n"), std::string::npos);
  EXPECT_EQ(header(ok, "Contact").find("isfocus"), std::string::npos);
  leaves(*alice);
  ended(*bob);
  ended(*carol);
  at_rest();
}

TEST_F(Files, OMA_FT_7_WhoDoesNotAnswerInTimeGetsNothing) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  const std::string to_carol = carol->want("INVITE");
  carol->respond(to_carol, 180);
  EXPECT_EQ(code(alice->want("180 INVITE")), "180");
  line->pass(59s);
  alice->quiet();
  line->pass(1050ms);
  carol->respond(carol->want("CANCEL"), 200);
  carol->respond(to_carol, 487);
  carol->want("ACK");
  begins(*alice);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  leaves(*alice);
  ended(*bob);
  at_rest();
}

// A CANCEL may be answered as late as 64*T1 (RFC 3261 section 9.1).
TEST_F(Files, OMA_FT_7_WhoAnswersNotEvenHisCancelIsNotWaitedFor) {
  for (const bool late : {false, true}) {
    make(focus_config());
    line->world.media().binds = true;
    send_to_list(*alice, {"bob", "carol"});
    takes(*bob);
    const std::string to_carol = carol->want("INVITE");
    carol->respond(to_carol, 180);
    EXPECT_EQ(code(alice->want("180 INVITE")), "180");
    line->pass(60050ms);
    carol->want("CANCEL");
    begins(*alice);
    EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
    if (late) {
      line->boxes[carol->address()].clear();
      carol->call_id.clear();
      carol->respond(to_carol, 200, msrp_sdp("carol", "a=recvonly\r\na=setup:active\r\n", "*"));
      carol->want("ACK");
      ended(*carol);
      EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
    }
    leaves(*alice);
    ended(*bob);
    at_rest();
  }
}

// RFC 4975 section 5.4: her first SEND may have the first bytes, so everybody is to be there before her 200.
TEST_F(Files, OMA_FT_7_ItBeginsWhenAllAreBound) {
  line->world.media().binds = false;
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  takes(*carol);
  alice->quiet();
  line->pass(59s);
  alice->want("100 INVITE");
  alice->quiet();
  // One of them in time; the other one is not waited for.
  line->world.media().binds = true;
  bob->request("UPDATE", msrp_sdp("bob", "a=recvonly\r\na=setup:active\r\na=more\r\n", "*"), "Contact: <sip:bob@127.0.0.1:40002>\r\n");
  bob->want("200 UPDATE");
  alice->quiet();
  line->pass(1050ms);
  ended(*carol);
  begins(*alice);
  leaves(*alice);
  ended(*bob);
  at_rest();
}

TEST_F(Files, OMA_FT_7_WhoWouldNotReceiveIsLetGo) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  const std::string invite = carol->want("INVITE");
  carol->call_id.clear();
  carol->respond(invite, 200, msrp_sdp("carol", "a=inactive\r\na=setup:active\r\n", "*"));
  carol->want("ACK");
  ended(*carol);
  begins(*alice);
  leaves(*alice);
  ended(*bob);
  at_rest();
}

TEST_F(Files, OMA_FT_3_AnotherTransferIsAnotherSession) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  takes(*carol);
  begins(*alice);
  std::string other = file_lines;
  other.replace(other.find("vBnG916"), 7, "another");
  alice->request("INVITE", offer(*alice, other), im_lines);
  alice->invite_text = alice->last;
  alice->ack_refused(alice->want("488 INVITE"));
  leaves(*alice);
  ended(*bob);
  ended(*carol);
  at_rest();
}

// --- RFC 5547 section 8.4: port 0 ends it

struct EndedFiles : Files {
  void send_to_one(Phone& by, const std::string& other) {
    by.invite_uri("sip:factory@example.org;sessiontype=1-1", mixed(offer(by), resource_list({other})),
                  im_lines + "Require: recipient-list-invite\r\n", mixed_type);
  }
  std::string over(Phone& by, const std::string& more) {
    std::string sdp = offer(by, more);
    return sdp.replace(sdp.find("m=message 9000"), 14, "m=message 0");
  }
  void is_over(const std::string& answer) {
    EXPECT_NE(answer.find("m=message 0 TCP/MSRP *\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("a=file-selector:name:\"cat.jpg\" type:image/jpeg size:80000\r\n"), std::string::npos) << answer;
    EXPECT_NE(answer.find("a=file-transfer-id:vBnG916bdberum2fFEABR1FR3ExZMUrd\r\n"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("a=path"), std::string::npos) << answer;
    EXPECT_EQ(answer.find("a=file-disposition"), std::string::npos) << "RFC 5547 section 8.3.1";
  }
};

TEST_F(EndedFiles, R5547_1_WhoGivesItEndsItForAll) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  takes(*carol);
  begins(*alice);
  alice->request("INVITE", over(*alice, file_lines), im_lines);
  is_over(alice->want("200 INVITE"));
  alice->quiet();
  bob->quiet();
  alice->ack();
  EXPECT_EQ(header(ended(*alice), "Reason"), "SIP;cause=200;text=\"Transfer Ended\"");
  ended(*bob);
  ended(*carol);
  at_rest();
}

TEST_F(EndedFiles, R5547_1_WhoTakesItEndsItForHimself) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  takes(*carol);
  begins(*alice);
  std::string lines = file_lines;
  lines.replace(lines.find("sendonly"), 8, "recvonly");
  bob->request("UPDATE", over(*bob, lines));
  is_over(bob->want("200 UPDATE"));
  ended(*bob);
  alice->quiet();
  carol->quiet();
  leaves(*alice);
  ended(*carol);
  at_rest();
}

TEST_F(EndedFiles, R5547_1_OfTwoEitherEndsItForBoth) {
  for (const bool giver : {true, false}) {
    send_to_one(*alice, "bob");
    const std::string invite = bob->want("INVITE");
    bob->call_id.clear();
    std::string lines = file_lines;
    lines.replace(lines.find("sendonly"), 8, "recvonly");
    bob->respond(invite, 200, offer(*bob, lines));
    bob->want("ACK");
    begins(*alice);
    Phone& who = giver ? *alice : *bob;
    who.request("INVITE", over(who, giver ? file_lines : lines), im_lines);
    is_over(who.want("200 INVITE"));
    who.ack();
    ended(who);
    ended(giver ? *bob : *alice);
    at_rest();
  }
}

// OMA-FT-3. Nobody asks the other one, so it is a session of its own, too; this one goes on.
TEST_F(EndedFiles, OMA_FT_3_AnotherTransferOfTwoIsAnotherSession) {
  send_to_one(*alice, "bob");
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  std::string lines = file_lines;
  lines.replace(lines.find("sendonly"), 8, "recvonly");
  bob->respond(invite, 200, offer(*bob, lines));
  bob->want("ACK");
  begins(*alice);
  std::string other = file_lines;
  other.replace(other.find("vBnG916"), 7, "another");
  alice->request("INVITE", offer(*alice, other), im_lines);
  alice->invite_text = alice->last;
  alice->ack_refused(alice->want("488 INVITE"));
  bob->quiet();
  alice->request("INVITE", offer(*alice, file_lines + "a=x:1\r\n"), im_lines);
  alice->want("200 INVITE");
  alice->ack();
  leaves(*alice);
  ended(*bob);
  at_rest();
}

// All are asked at once, however many.
TEST_F(Files, OMA_FT_7_NobodyIsAskedTooLate) {
  auto config = focus_config();
  config->focus.invite_parallel = 1;
  start(config);
  send_to_list(*alice, {"bob", "carol", "dave"});
  bob->want("INVITE");
  carol->want("INVITE");
  dave->want("INVITE");
}

TEST_F(Files, OMA_FT_7_NobodyTakesIt) {
  send_to_list(*alice, {"bob", "carol"});
  bob->respond(bob->want("INVITE"), 486);
  alice->quiet();
  carol->respond(carol->want("INVITE"), 603);
  EXPECT_EQ(code(alice->want("603 INVITE")), "603") << "the best of their refusals";
  at_rest();
}

TEST_F(Files, OMA_FT_7_TheSenderCancels) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  const std::string to_carol = carol->want("INVITE");
  carol->respond(to_carol, 180);
  alice->want("180 INVITE");
  alice->cancel();
  alice->want("200 CANCEL");
  alice->want("487 INVITE");
  ended(*bob);
  carol->respond(carol->want("CANCEL"), 200);
  carol->respond(to_carol, 487);
  carol->want("ACK");
  at_rest();
}

TEST_F(Files, OMA_FT_7_InASessionItGoesToThoseWhoAreInIt) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  send_to(*alice, identity);
  const std::string to_bob = takes(*bob);
  EXPECT_EQ(to_bob.find("resource-lists"), std::string::npos) << "some of a session may be anonymous";
  EXPECT_NE(contact_uri(to_bob), identity) << "a session of its own";
  takes(*carol);
  begins(*alice);
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 2U);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 6U);
  dave->quiet();
  leaves(*alice);
  ended(*bob);
  ended(*carol);
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 1U) << "the chat goes on";
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
  // OMA-PAG-3: who is not in it can not.
  send_to(*dave, identity);
  EXPECT_EQ(code(dave->want("403 INVITE")), "403");
}

// Its members, whether they are in its session or not; a room that is entered has only those who are in.
struct GroupFiles : Files {
  void with(bool invite_members) {
    policy::GroupSpec spec;
    spec.uri = "sip:team@example.org";
    for (const char* name : {"alice", "bob", "carol"}) {
      spec.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
    }
    spec.invite_members = invite_members;
    auto config = focus_config();
    const policy::DocumentsResult read = policy::read_documents({}, {&spec, 1}, "example.org");
    ASSERT_EQ(read.error, "");
    config->documents = read.documents;
    start(config);
  }
};

TEST_F(GroupFiles, OMA_FT_7_AGroupsFileGoesToItsMembers) {
  with(true);
  send_to(*alice, "sip:team@example.org");
  const std::string to_bob = takes(*bob);
  EXPECT_EQ(to_bob.find("recipient-list-history"), std::string::npos) << "nobody is told who is in it";
  EXPECT_EQ(to_bob.find("carol"), std::string::npos) << to_bob;
  takes(*carol);
  dave->quiet();
  const std::string ok = begins(*alice);
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:team@example.org>");
  // A session of the group is another matter.
  bob->invite_uri("sip:team@example.org", msrp_sdp("bob"), im_lines);
  alice->want("INVITE");
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 2U);
  send_to(*dave, "sip:team@example.org");
  EXPECT_EQ(code(dave->want("403 INVITE")), "403");
}

TEST_F(GroupFiles, OMA_FT_7_ARoomsFileGoesToThoseWhoAreInIt) {
  with(false);
  send_to(*alice, "sip:team@example.org");
  EXPECT_EQ(code(alice->want("480 INVITE")), "480") << "nobody is in";
  for (Phone* each : {alice.get(), bob.get()}) {
    each->invite_uri("sip:team@example.org", msrp_sdp(each->user()), im_lines);
    begins(*each);
  }
  send_to(*alice, "sip:team@example.org");
  takes(*bob);
  carol->quiet();
  begins(*alice);
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 2U);
}

TEST_F(Files, OMA_LRG_2_NobodyJoinsItAndNobodyWatchesIt) {
  send_to_list(*alice, {"bob", "carol"});
  takes(*bob);
  takes(*carol);
  begins(*alice);
  const std::string identity = alice->target;
  dave->invite_uri(identity, msrp_sdp("dave"), im_lines);
  EXPECT_EQ(code(dave->want("404 INVITE")), "404");
  alice->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\nContact: <sip:alice@" + alice->address() + ">\r\n");
  EXPECT_EQ(code(alice->next()), "403");
  leaves(*alice);
  ended(*bob);
  ended(*carol);
  at_rest();
}

TEST_F(Files, OMA_LRG_3_ALargeMessageSaysSo) {
  const std::string lines =
      "Accept-Contact: *;+g.oma.sip-im.large-message\r\nUser-Agent: IM-client/OMA1.0 test\r\n"
      "Allow: INVITE, ACK, CANCEL, BYE\r\n";
  for (auto* phone : {bob.get(), carol.get()}) {
    phone->features = ";+g.oma.sip-im;+g.oma.sip-im.large-message;+sip.instance=\"<urn:uuid:" + phone->user() + ">\"";
    phone->enrol();
  }
  send_to_list(*alice, {"bob", "carol"}, lines, "a=sendonly\r\na=setup:actpass\r\n");
  const std::string to_bob = takes(*bob);
  EXPECT_EQ(header(to_bob, "Accept-Contact"), "*;+g.oma.sip-im.large-message");
  EXPECT_TRUE(header(to_bob, "Contact").ends_with(";+g.oma.sip-im.large-message")) << header(to_bob, "Contact");
  takes(*carol);
  begins(*alice);
  leaves(*alice);
  ended(*bob);
  ended(*carol);
  at_rest();
}

TEST_F(Files, OMA_FT_7_NobodyHereHasAFileToGive) {
  send_to_list(*alice, {"bob", "carol"}, im_lines,
               "a=recvonly\r\na=setup:actpass\r\na=file-selector:hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E\r\n");
  EXPECT_EQ(code(alice->want("488 INVITE")), "488");
  at_rest();
}

}  // namespace
}  // namespace parley::tests

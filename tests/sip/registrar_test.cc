// tests/sip/registrar_test.cc - REGISTERs and their answers.
#include "sip/registrar.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "sip/uri.h"
#include "tests/sip/parsed.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

// What a REGISTER of Alice says beyond what all of them say.
struct Spec {
  std::string lines{};  // Contact and the like, each with its line end
  std::string call_id = "1@alice";
  std::uint32_t cseq = 1;
  std::string via = "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1";
};

class RegistrarTest : public testing::Test {
 protected:
  RegistrarTest() {
    now_.mono = core::Instant(100s);
    now_.wall_ms = 1'289'690'940'000;
    flow_ = {.transport = core::Transport::udp,
             .shard = 0,
             .listener = 0,
             .connection = {},
             .remote = *core::parse_ip("192.0.2.7", 5060)};
    make();
  }
  void make() { location_ = std::make_unique<Location>(location_config_, random_, metrics_, now_.mono); }

  std::uint16_t ask(const std::string& text) {
    Parsed message(text);
    std::array<char, 256> key;
    register_bindings({.aor = aor_key(uri_of(message.essentials().to.uri), key.data(), key.size()),
                       .head = message.head(),
                       .bytes = message.bytes(),
                       .essentials = message.essentials(),
                       .flow = flow_,
                       .associated = associated_},
                      config_, now_, *location_, metrics_, answer_);
    return answer_.status;
  }
  std::uint16_t ask(const Spec& spec) {
    return ask("REGISTER sip:example.com SIP/2.0\nVia: " + spec.via +
               "\nFrom: <sip:alice@example.com>;tag=1\nTo: <sip:alice@example.com>\nCall-ID: " + spec.call_id +
               "\nCSeq: " + std::to_string(spec.cseq) + " REGISTER\nMax-Forwards: 70\nUser-Agent: test/1\n" +
               spec.lines + "Content-Length: 0\n\n");
  }
  static Uri uri_of(std::string_view text) {
    Uri uri;
    EXPECT_TRUE(parse_uri(text, uri)) << text;
    return uri;
  }
  // All values of one header of the answer.
  Lines answer(HeaderId id) {
    Lines lines;
    for (const HeaderText& header : answer_.headers.headers()) {
      if (header.id == id) lines.emplace_back(header.value);
    }
    return lines;
  }
  std::span<const Binding> bindings() { return location_->bindings("sip:alice@example.com"); }
  Lines facts() {
    Lines lines;
    for (LocationFact fact; location_->next_fact(now_.mono, fact);) {
      lines.push_back(fact.binding.contact + " " + std::string(to_string(fact.event)));
    }
    return lines;
  }

  core::Random random_{core::Seed{5}};
  core::Metrics metrics_;
  core::Now now_;
  LocationConfig location_config_;
  RegistrarConfig config_;
  std::vector<std::string> associated_;
  Flow flow_;
  std::unique_ptr<Location> location_;
  RegisterAnswer answer_;
};

TEST_F(RegistrarTest, R3261_14_The200ListsAllBindingsWithWhatIsLeftOfTheirTime) {
  config_.service_route = {"<sip:home.example.com;lr>"};
  associated_ = {"<sip:alice@example.com>", "<tel:+4930123>"};
  ASSERT_EQ(ask(Spec{.lines = "Contact: \"A, B\" <sip:alice@192.0.2.7>;q=0.7;+g.oma.sip-im\n"}), 200);
  EXPECT_EQ(answer(HeaderId::contact), Lines{"\"A, B\" <sip:alice@192.0.2.7>;q=0.7;+g.oma.sip-im;expires=3600"});
  EXPECT_EQ(answer(HeaderId::date), Lines{"Sat, 13 Nov 2010 23:29:00 GMT"});
  EXPECT_EQ(answer(HeaderId::service_route), config_.service_route);
  EXPECT_EQ(answer(HeaderId::p_associated_uri), associated_);
  now_.mono += 1500ms;
  ASSERT_EQ(ask(Spec{.lines = "m: sip:alice@192.0.2.8;expires=90, <sip:alice@192.0.2.9;x=y>\nExpires: 120\n",
                     .call_id = "2"}),
            200);
  EXPECT_EQ(answer(HeaderId::contact),
            (Lines{"\"A, B\" <sip:alice@192.0.2.7>;q=0.7;+g.oma.sip-im;expires=3599",
                   "<sip:alice@192.0.2.8>;expires=90", "<sip:alice@192.0.2.9;x=y>;expires=120"}));
  // Without Contact it is a question.
  ASSERT_EQ(ask(Spec{.cseq = 1}), 200);
  EXPECT_EQ(answer(HeaderId::contact).size(), 3U);
  now_.mono += 91s;
  ASSERT_EQ(ask(Spec{.cseq = 1}), 200);
  EXPECT_EQ(answer(HeaderId::contact).size(), 2U);
  EXPECT_EQ(bindings()[0].user_agent, "test/1");
}

TEST_F(RegistrarTest, R3261_14_StarStandsAloneWithExpires0) {
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>, <sip:a@192.0.2.8>\n"}), 200);
  for (const char* lines : {"Contact: *\n", "Contact: *\nExpires: 1\n", "Contact: *\nExpires: x\n",
                            "Contact: *, <sip:a@1>\nExpires: 0\n", "Contact: <sip:a@1>\nContact: *\nExpires: 0\n",
                            "Contact: *\nContact: *\nExpires: 0\n", "Contact: *;expires=0\nExpires: 0\n"}) {
    EXPECT_EQ(ask(Spec{.lines = lines, .cseq = 9}), 400) << lines;
    EXPECT_EQ(bindings().size(), 2U);
  }
  (void)facts();
  EXPECT_EQ(ask(Spec{.lines = "Contact: *\nExpires: 0\n", .cseq = 9}), 200);
  EXPECT_EQ(facts(), (Lines{"sip:a@192.0.2.7 unregistered", "sip:a@192.0.2.8 unregistered"}));
  EXPECT_TRUE(answer(HeaderId::contact).empty());
  EXPECT_EQ(ask(Spec{.lines = "Contact: *\nExpires: 0\n", .cseq = 10}), 200);
}

TEST_F(RegistrarTest, R3261_14_CSeqMustRisePerCallIdElse500AndNothingHappens) {
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>\n", .cseq = 5}), 200);
  const core::Instant expires = bindings()[0].expires;
  now_.mono += 10s;
  for (const std::uint32_t cseq : {4U, 5U}) {
    EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>\n", .cseq = cseq}), 500);
    EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:new@192.0.2.9>, <sip:a@192.0.2.7>\n", .cseq = cseq}), 500);
    EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>;expires=0\n", .cseq = cseq}), 500);
    EXPECT_EQ(ask(Spec{.lines = "Contact: *\nExpires: 0\n", .cseq = cseq}), 500);
  }
  ASSERT_EQ(bindings().size(), 1U);
  EXPECT_EQ(bindings()[0].expires, expires);
  EXPECT_EQ(bindings()[0].cseq, 5U);
  // Of another contact the same Call-ID may say anything.
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:b@192.0.2.7>\n", .cseq = 4}), 200);
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>\n", .cseq = 6}), 200);
}

TEST_F(RegistrarTest, T_35_TheSameContactFromANewCallIdReplaces) {
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>\n", .cseq = 500}), 200);
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7:5060>\n", .call_id = "2", .cseq = 1}), 200);
  EXPECT_EQ(bindings().size(), 2U);  // R3261-15: no port is not port 5060
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7;lr>;q=0.1\n", .call_id = "2", .cseq = 1}), 200);
  ASSERT_EQ(bindings().size(), 2U);
  EXPECT_EQ(bindings()[0].call_id, "2");
  EXPECT_EQ(bindings()[0].contact, "sip:a@192.0.2.7;lr");
  EXPECT_EQ(bindings()[0].q, 100);
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.7>\nExpires: 0\n", .call_id = "3", .cseq = 1}), 200);
  EXPECT_EQ(bindings().size(), 1U);
}

TEST_F(RegistrarTest, R3261_14_ExpiresParameterHeaderDefault) {
  const auto granted = [this](const std::string& lines) {
    make();
    EXPECT_EQ(ask(Spec{.lines = lines}), 200) << lines;
    return bindings().empty() ? 0 : bindings()[0].expires_seconds;
  };
  EXPECT_EQ(granted("Contact: <sip:a@b>;expires=70\nExpires: 80\n"), 70U);
  EXPECT_EQ(granted("Contact: <sip:a@b>;EXPIRES=\"70\"\nExpires: 80\n"), 70U);
  EXPECT_EQ(granted("Contact: <sip:a@b>\nExpires: 80\n"), 80U);
  EXPECT_EQ(granted("Contact: <sip:a@b>\n"), 3600U);
  EXPECT_EQ(granted("Contact: <sip:a@b>;expires=soon\nExpires: 80\n"), 3600U);
  EXPECT_EQ(granted("Contact: <sip:a@b>\nExpires: Thu, 01 Dec 1994 16:00:00 GMT\n"), 3600U);
  EXPECT_EQ(granted("Contact: <sip:a@b;expires=70>\n"), 3600U);  // T-4: that is the URI's
  EXPECT_EQ(granted("Contact: <sip:a@b>;expires=0\nExpires: 80\n"), 0U);
}

TEST_F(RegistrarTest, T_11_HugeExpiresIsClampedSilently) {
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@b>\nExpires: 99999999999999999999\n"}), 200);
  EXPECT_EQ(answer(HeaderId::contact), Lines{"<sip:a@b>;expires=600000"});
}

TEST_F(RegistrarTest, R3261_14_TooBriefIs423WithMinExpires) {
  for (const char* lines : {"Contact: <sip:a@b>;expires=59\n", "Contact: <sip:a@b>\nExpires: 1\n",
                            "Contact: <sip:b@b>, <sip:a@b>;expires=59\n"}) {
    EXPECT_EQ(ask(Spec{.lines = lines}), 423) << lines;
    EXPECT_EQ(answer(HeaderId::min_expires), Lines{"60"});
    EXPECT_TRUE(bindings().empty());
  }
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@b>;expires=60\n"}), 200);
  // An hour is never too brief.
  config_.expires_min_s = 7200;
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@b>;expires=3599\n", .cseq = 2}), 423);
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@b>;expires=3600\n", .cseq = 3}), 200);
}

TEST_F(RegistrarTest, MalformedContactsAre400) {
  for (const char* contact :
       {"", "<sip:a@b", "\"a <sip:a@b>", "<sip:a@b>,", "<isbn:2983792873>", "<tel:+49301>", "<sip:a@b>;q=1.1",
        "<sip:a@b>;q=2", "<sip:a@b>;q=x", "<sip:a@b>;q", "<sip:a@b>;q=-1", "<sip:a@b>;q=.", "<sip:a@b>;q=0.a"}) {
    EXPECT_EQ(ask(Spec{.lines = "Contact: " + std::string(contact) + "\n"}), 400) << contact;
    EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:ok@b>\nContact: " + std::string(contact) + "\n"}), 400) << contact;
  }
  EXPECT_TRUE(bindings().empty());
}

TEST_F(RegistrarTest, QHasThreeDigitsAndSomeWriteItOtherwise) {
  for (const auto& [text, q] : std::vector<std::pair<std::string, std::uint16_t>>{{"0", 0},
                                                                                  {"1", 1000},
                                                                                  {"1.000", 1000},
                                                                                  {"0.123", 123},
                                                                                  {"0.5", 500},
                                                                                  {".5", 500},
                                                                                  {"0.12345", 123},
                                                                                  {"1.", 1000}}) {
    make();
    ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@b>;q=" + text + "\n"}), 200) << text;
    EXPECT_EQ(bindings()[0].q, q) << text;
  }
}

TEST_F(RegistrarTest, LimitsRefuseAtomically) {
  location_config_.bindings_per_aor_max = 2;
  make();
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@1>\n"}), 200);
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@2>, <sip:a@3>\n"}), 403);
  EXPECT_EQ(bindings().size(), 1U);
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@2>, <sip:a@3>, <sip:a@1>;expires=0\n", .cseq = 2}), 200);
  std::string many = "Contact: <sip:b@1>";
  for (int i = 0; i < 40; ++i) many += ", <sip:b@1>";
  EXPECT_EQ(ask(Spec{.lines = many + "\n"}), 403);
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@2>;x=" + std::string(9000, 'x') + "\n", .cseq = 3}), 513);
  location_config_.aors_max = 0;
  make();
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@2>\n"}), 503);
  EXPECT_EQ(answer(HeaderId::retry_after).size(), 1U);
}

TEST_F(RegistrarTest, TheSameContactTwiceInOneRequestIsOneBinding) {
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@1>;q=0.1, <sip:A@1>, <sip:a@1>;q=0.2\n"}), 200);
  EXPECT_EQ(answer(HeaderId::contact), (Lines{"<sip:A@1>;expires=3600", "<sip:a@1>;q=0.2;expires=3600"}));
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@1>, <sip:a@1>;expires=0\n", .cseq = 2}), 200);
  EXPECT_EQ(answer(HeaderId::contact), Lines{"<sip:A@1>;expires=3600"});
  // Both equal the one that is there, but not each other.
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:A@1;x=1>, <sip:A@1;x=2>\n", .cseq = 3}), 200);
  EXPECT_EQ(bindings().size(), 2U);
}

TEST_F(RegistrarTest, R3327_1_PathIsKeptInOrderAndEchoed) {
  const std::string path =
      "Path: <sip:p2.example.com;lr>, \"a, b\" <sip:p1.example.com;lr>\n"
      "Path: <sip:edge@[2001:db8::1];lr;ob>\n";
  const std::string stored =
      "<sip:p2.example.com;lr>, \"a, b\" <sip:p1.example.com;lr>, "
      "<sip:edge@[2001:db8::1];lr;ob>";
  config_.path_without_support = false;
  EXPECT_EQ(ask(Spec{.lines = "Contact: <sip:a@1>\n" + path}), 420);
  EXPECT_EQ(answer(HeaderId::unsupported), Lines{"path"});
  EXPECT_TRUE(bindings().empty());
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@1>\nk: PATH\n" + path}), 200);
  EXPECT_EQ(answer(HeaderId::path), Lines{stored});
  EXPECT_EQ(bindings()[0].path, stored);
  EXPECT_FALSE(bindings()[0].over_flow);
  config_.path_without_support = true;
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@1>\nPath: <sip:new;lr>\n", .cseq = 2}), 200);
  EXPECT_EQ(bindings()[0].path, "<sip:new;lr>");
  for (const char* bad : {"Path: x\n", "Path: <sip:a\n", "Path: *\n"}) {
    EXPECT_EQ(ask(Spec{.lines = bad, .cseq = 3}), 400) << bad;
  }
}

TEST_F(RegistrarTest, R5626_1_AFlowIsNamedByInstanceAndRegId) {
  const auto flow = [](int reg_id, const char* host, const char* more = "") {
    return "Supported: path, outbound\nContact: <sip:a@" + std::string(host) + ">;reg-id=" + std::to_string(reg_id) +
           ";+sip.instance=\"<urn:uuid:0000-AB>\"" + more + "\n";
  };
  ASSERT_EQ(ask(Spec{.lines = flow(1, "192.0.2.7"), .call_id = "x", .cseq = 9}), 200);
  EXPECT_EQ(answer(HeaderId::require), Lines{"outbound"});
  EXPECT_EQ(answer(HeaderId::flow_timer), Lines{"120"});
  EXPECT_EQ(answer(HeaderId::contact),
            Lines{"<sip:a@192.0.2.7>;reg-id=1;+sip.instance=\"<urn:uuid:0000-AB>\";expires=3600"});
  ASSERT_EQ(ask(Spec{.lines = flow(2, "192.0.2.7"), .call_id = "y"}), 200);
  ASSERT_EQ(bindings().size(), 2U);  // the same URI over two flows
  EXPECT_TRUE(bindings()[0].over_flow);
  // After a restart: another URI, Call-ID and CSeq, over another flow.
  flow_.remote.port = 5099;
  ASSERT_EQ(ask(Spec{.lines = flow(1, "192.0.2.77"), .call_id = "z", .cseq = 1}), 200);
  ASSERT_EQ(bindings().size(), 2U);
  EXPECT_EQ(bindings()[0].contact, "sip:a@192.0.2.77");
  EXPECT_EQ(bindings()[0].flow, flow_);
  EXPECT_EQ(ask(Spec{.lines = flow(1, "192.0.2.77"), .call_id = "z", .cseq = 1}), 500);
  ASSERT_EQ(ask(Spec{.lines = flow(2, "elsewhere", ";expires=0"), .call_id = "q"}), 200);
  ASSERT_EQ(bindings().size(), 1U);
  // Who does not name a flow takes away all with that address.
  ASSERT_EQ(ask(Spec{.lines = "Contact: <sip:a@192.0.2.77>;expires=0\n", .call_id = "q"}), 200);
  EXPECT_TRUE(bindings().empty());
  EXPECT_TRUE(answer(HeaderId::require).empty());
}

TEST_F(RegistrarTest, R5626_1_OnlyOneContactMayStayBesideAFlow) {
  const std::string supported = "Supported: outbound\n";
  const std::string one = "<sip:a@1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"";
  const std::string two = "<sip:a@2>;reg-id=2;+sip.instance=\"<urn:uuid:1>\"";
  EXPECT_EQ(ask(Spec{.lines = supported + "Contact: " + one + ", " + two + "\n"}), 400);
  EXPECT_EQ(ask(Spec{.lines = supported + "Contact: " + one + ", <sip:b@1>\n"}), 400);
  EXPECT_TRUE(bindings().empty());
  EXPECT_EQ(ask(Spec{.lines = supported + "Contact: " + one + ", <sip:b@1>;expires=0\n"}), 200);
  EXPECT_EQ(ask(Spec{.lines = supported + "Contact: " + one + ", " + two + "\nExpires: 0\n", .cseq = 2}), 200);
}

TEST_F(RegistrarTest, R5626_1_TheFirstHopMustKeepFlows) {
  const Spec through{.lines = "Supported: path, outbound\nContact: <sip:a@1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\n",
                     .via = "SIP/2.0/UDP edge.example.com;branch=z9hG4bK2, SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK1"};
  EXPECT_EQ(ask(through), 439);
  Spec with_path = through;
  with_path.lines += "Path: <sip:edge.example.com;lr>\n";
  EXPECT_EQ(ask(with_path), 439);
  EXPECT_TRUE(bindings().empty());
  with_path.lines = through.lines + "Path: <sip:core.example.com;lr>, <sip:t0k@edge.example.com;lr;ob>\n";
  ASSERT_EQ(ask(with_path), 200);
  EXPECT_EQ(answer(HeaderId::require), Lines{"outbound"});
  EXPECT_TRUE(answer(HeaderId::flow_timer).empty());  // that flow ends at the edge
  EXPECT_FALSE(bindings()[0].over_flow);
  EXPECT_EQ(bindings()[0].reg_id, 1U);
  // Without `outbound` in Supported, reg-id is read over.
  Spec silent = through;
  silent.lines = "Contact: <sip:a@1>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"\n";
  silent.call_id = "silent";
  ASSERT_EQ(ask(silent), 200);
  EXPECT_TRUE(answer(HeaderId::require).empty());
  EXPECT_EQ(bindings().size(), 2U);
  EXPECT_EQ(bindings()[1].reg_id, 0U);
}

TEST_F(RegistrarTest, R5626_1_RegIdWithoutInstanceOrOutOfRangeIsReadOver) {
  for (const char* params :
       {";reg-id=1", ";reg-id=1;+sip.instance", ";reg-id=0;+sip.instance=\"<urn:uuid:1>\"",
        ";reg-id=2147483648;+sip.instance=\"<urn:uuid:1>\"", ";reg-id=x;+sip.instance=\"<urn:uuid:1>\""}) {
    make();
    ASSERT_EQ(ask(Spec{.lines = "Supported: outbound\nContact: <sip:a@1>" + std::string(params) + "\n"}), 200)
        << params;
    EXPECT_TRUE(answer(HeaderId::require).empty());
    EXPECT_EQ(bindings()[0].reg_id, 0U);
  }
}

TEST_F(RegistrarTest, NoGruuIsHandedOut) {
  ASSERT_EQ(
      ask(Spec{.lines =
                   "Supported: gruu\nContact: <sip:a@1>;pub-gruu=\"sip:x@y;gr=1\";+sip.instance=\"<urn:uuid:1>\"\n"}),
      200);
  EXPECT_EQ(answer(HeaderId::contact), Lines{"<sip:a@1>;+sip.instance=\"<urn:uuid:1>\";expires=3600"});
}

TEST_F(RegistrarTest, T_36_WhoIsReachedOverTheFlowItCameBy) {
  const auto over_flow = [this](core::Transport transport, const std::string& via_host, const std::string& contact) {
    make();
    flow_.transport = transport;
    EXPECT_EQ(ask(Spec{.lines = "Contact: <" + contact + ">\n", .via = "SIP/2.0/X " + via_host + ";branch=z9hG4bK1"}),
              200);
    return bindings()[0].over_flow;
  };
  using core::Transport;
  EXPECT_FALSE(over_flow(Transport::udp, "192.0.2.7", "sip:a@192.0.2.7"));
  EXPECT_FALSE(over_flow(Transport::udp, "host.example.com", "sip:a@192.0.2.7"));
  EXPECT_TRUE(over_flow(Transport::udp, "10.0.0.1:5060", "sip:a@10.0.0.1"));
  EXPECT_TRUE(over_flow(Transport::tcp, "10.0.0.1", "sip:a@10.0.0.1;transport=tcp"));
  EXPECT_FALSE(over_flow(Transport::tcp, "192.0.2.7", "sip:a@192.0.2.7:5070;transport=tcp"));
  EXPECT_TRUE(over_flow(Transport::tls, "192.0.2.7", "sips:a@192.0.2.7:5060"));  // the connection's own port
  EXPECT_TRUE(over_flow(Transport::wss, "df7jal23ls0d.invalid", "sips:a@df7jal23ls0d.invalid;transport=ws"));
  EXPECT_TRUE(over_flow(Transport::ws, "192.0.2.7", "sip:a@192.0.2.7;transport=ws"));
  config_.nat_flows = false;
  EXPECT_FALSE(over_flow(Transport::udp, "10.0.0.1:5060", "sip:a@10.0.0.1"));
  flow_.remote = *core::parse_ip("::ffff:192.0.2.7", 5060);
  config_.nat_flows = true;
  EXPECT_FALSE(over_flow(Transport::udp, "192.0.2.7", "sip:a@192.0.2.7"));
}

TEST_F(RegistrarTest, AThirdPartyRegistersForToNotForFrom) {
  ASSERT_EQ(ask("REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\n"
                "From: <sip:scscf.example.com>;tag=1\nTo: <sip:alice@example.com:5060;x=y>\nCall-ID: 3pty\n"
                "CSeq: 1 REGISTER\nMax-Forwards: 70\nContact: <sip:scscf.example.com>;expires=600\n\n"),
            200);
  EXPECT_EQ(bindings().size(), 1U);
}

std::string torture(const std::string& name) {
  std::ifstream in(std::string(TORTURE_FOLDER) + "/rfc4475/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST_F(RegistrarTest, R3261_14_Rfc4475ContactParametersStayWhereTheyStand) {
  const auto contact_of = [this](const std::string& name) {
    const std::string text = torture(name);
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(ask(text), 200) << name;
    const Lines contacts = answer(HeaderId::contact);
    return contacts.empty() ? std::string() : contacts[0];
  };
  EXPECT_EQ(contact_of("cparam01.dat"), "<sip:+19725552222@gw1.example.net>;unknownparam;expires=3600");
  EXPECT_EQ(contact_of("cparam02.dat"), "<sip:+19725552222@gw1.example.net;unknownparam>;expires=3600");
  EXPECT_EQ(contact_of("regescrt.dat"), "<sip:user@example.com?Route=%3Csip:sip.example.com%3E>;expires=3600");
}

TEST_F(RegistrarTest, Rfc4475UnknownSchemesAre400) {
  const std::string text = torture("unksm2.dat");
  HeadParser parser;
  ASSERT_EQ(parser.parse(text, {}), Progress::done);
  Essentials essentials;
  (void)judge(parser.head(), text, {.stream = true}, essentials);
  register_bindings({.aor = {}, .head = parser.head(), .bytes = text, .essentials = essentials, .flow = flow_}, config_,
                    now_, *location_, metrics_, answer_);
  EXPECT_EQ(answer_.status, 400);
}

TEST_F(RegistrarTest, RandomRegistrationsNeverLoseCount) {
  const char* const contacts[] = {"<sip:a@1>",
                                  "<sip:a@1;x=1>",
                                  "<sip:a@1;x=2>",
                                  "<sip:a@2>;reg-id=1;+sip.instance=\"<urn:uuid:1>\"",
                                  "<sip:a@1>;reg-id=2;+sip.instance=\"<urn:uuid:1>\"",
                                  "*",
                                  "<sip:b@1>;expires=0",
                                  "<sip:a@1>;expires=0",
                                  "<sip:a@3>;expires=61"};
  for (int i = 0; i < 20'000; ++i) {
    std::string lines = random_.uniform(2) == 0 ? "Supported: outbound\n" : "";
    for (std::uint64_t n = random_.uniform(4); n-- > 0;) {
      lines += "Contact: " + std::string(contacts[random_.uniform(std::size(contacts))]) + "\n";
    }
    if (random_.uniform(4) == 0) lines += "Expires: 0\n";
    const std::uint16_t status = ask(Spec{.lines = lines,
                                          .call_id = std::to_string(random_.uniform(3)),
                                          .cseq = static_cast<std::uint32_t>(1 + random_.uniform(50))});
    ASSERT_TRUE(status == 200 || status == 400 || status == 500 || status == 403 || status == 423) << status;
    ASSERT_LE(bindings().size(), 10U);
    now_.mono += std::chrono::seconds(random_.uniform(200));
    if (random_.uniform(3) == 0) (void)facts();
  }
  now_.mono += 600'000s;
  (void)facts();
  EXPECT_EQ(location_->binding_count(), 0U);
  EXPECT_EQ(location_->bytes(), 0U);
}

}  // namespace
}  // namespace parley::tests

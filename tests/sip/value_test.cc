// tests/sip/value_test.cc - the readers of header values: addresses, Via, parameters, CSeq, Call-ID, numbers.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sip/address.h"
#include "sip/cseq.h"
#include "sip/header_id.h"
#include "sip/params.h"
#include "sip/via.h"

namespace parley::sip {
namespace {

std::vector<std::string> addresses(std::string_view rest) {
  std::vector<std::string> found;
  while (!rest.empty()) {
    Address address;
    if (!take_address(rest, address)) {
      found.emplace_back("bad");
      break;
    }
    found.push_back(address.star ? "*"
                                 : std::string(address.display) + "|" + std::string(address.uri) + "|" +
                                       std::string(address.params));
  }
  return found;
}
using Found = std::vector<std::string>;

TEST(SipAddress, Forms) {
  EXPECT_EQ(addresses("sip:a@b"), Found{"|sip:a@b|"});
  EXPECT_EQ(addresses("sip:a@b ; tag = x"), Found{"|sip:a@b|; tag = x"});
  EXPECT_EQ(addresses("<sip:a@b;lr>;tag=x"), Found{"|sip:a@b;lr|;tag=x"});
  EXPECT_EQ(addresses("Bell Alexander\t<sip:a@b>"), Found{"Bell Alexander|sip:a@b|"});
  EXPECT_EQ(addresses("caller<sip:a@b>"), Found{"caller|sip:a@b|"});
  EXPECT_EQ(addresses("\"A, \\\"B\\\" <x>\" <sip:a@b>;q=0.1"), Found{"\"A, \\\"B\\\" <x>\"|sip:a@b|;q=0.1"});
  EXPECT_EQ(addresses("\"\"<tel:+1>"), Found{"\"\"|tel:+1|"});
  EXPECT_EQ(addresses("*"), Found{"*"});
  EXPECT_EQ(addresses("* <sip:a@b>"), Found{"*|sip:a@b|"});
  EXPECT_EQ(addresses("\"J\r\n  R\"\r\n <sip:a@b>\r\n ;x"), Found{"\"J\r\n  R\"|sip:a@b|;x"});
  EXPECT_EQ(addresses("urn:service:sos;a=b"), Found{"|urn:service:sos|;a=b"});
}

// T-5: lists of identities, commas inside quotes and brackets.
TEST(SipAddress, T_5_Lists) {
  EXPECT_EQ(addresses("\"a,b\" <sip:a,b@c> , <tel:+1>;x=\"1,2\",sip:d@e"),
            (Found{"\"a,b\"|sip:a,b@c|", "|tel:+1|;x=\"1,2\"", "|sip:d@e|"}));
  EXPECT_EQ(addresses("<sip:a@b>,"), Found{"bad"});
  EXPECT_EQ(addresses("<sip:a@b>,,<sip:c@d>"), (Found{"|sip:a@b|", "bad"}));
  EXPECT_EQ(addresses(",<sip:a@b>"), Found{"bad"});
}

TEST(SipAddress, WhatIsNone) {
  for (const char* const text : {"Bell, A. <sip:a@b>", "\"open <sip:a@b>", "<sip:a@b", "< sip:a@b>", "<sip:a@b >",
                                 "sip:a@b?x=y", "<>", "sip:a@b;=x", "sip:a@b;;x", "a <sip:a@b> b", "sip:a@b sip:c@d"}) {
    Address address;
    EXPECT_FALSE(parse_address(text, address)) << text;
  }
}

TEST(SipAddress, OneAddressIsOne) {
  Address address;
  EXPECT_TRUE(parse_address("<sip:a@b>", address));
  EXPECT_FALSE(parse_address("<sip:a@b>,<sip:c@d>", address));
  EXPECT_FALSE(parse_address("*", address));
  EXPECT_FALSE(parse_address("", address));
}

// T-4: feature tags inside the brackets belong to the URI.
TEST(SipAddress, T_4_FeatureTagsInsideTheUri) {
  EXPECT_EQ(addresses("<sip:a@b;+g.oma.sip-im>;+sip.instance=\"<urn:uuid:1>\""),
            Found{"|sip:a@b;+g.oma.sip-im|;+sip.instance=\"<urn:uuid:1>\""});
}

TEST(SipParams, Walk) {
  std::string_view rest = ";a;b=1 ; C = \"x;y\\\"z\";d=[2001:db8::1]";
  Param param;
  ASSERT_TRUE(take_param(rest, param));
  EXPECT_EQ(param.name, "a");
  EXPECT_FALSE(param.has_value);
  ASSERT_TRUE(take_param(rest, param));
  EXPECT_EQ(param.value, "1");
  ASSERT_TRUE(take_param(rest, param));
  EXPECT_EQ(param.name, "C");
  EXPECT_EQ(param.value, "\"x;y\\\"z\"");
  EXPECT_EQ(without_quotes(param.value), "x;y\\\"z");
  ASSERT_TRUE(take_param(rest, param));
  EXPECT_EQ(param.value, "[2001:db8::1]");
  EXPECT_FALSE(take_param(rest, param));
}

TEST(SipParams, ByName) {
  EXPECT_EQ(param_value(";lr;Tag=88", "tag"), "88");
  EXPECT_EQ(param_value(";lr;tag=88", "ta").data(), nullptr);
  EXPECT_NE(param_value(";lr;tag=88", "LR").data(), nullptr);
  EXPECT_EQ(param_value("", "lr").data(), nullptr);
}

TEST(SipVia, T_19_Forms) {
  Via via;
  std::string_view rest =
      "SIP  / 2.0\r\n  / TLS-SCTP     [2001:db8::9:1] : 5061 ;rport; branch = z9hG4bK1 ;X=\"a,b\" ,SIP/2.0/UDP h";
  ASSERT_TRUE(take_via(rest, via));
  EXPECT_EQ(via.protocol, "SIP");
  EXPECT_EQ(via.version, "2.0");
  EXPECT_EQ(via.transport, "TLS-SCTP");
  EXPECT_EQ(via.host, "[2001:db8::9:1]");
  EXPECT_EQ(via.port, 5061);
  EXPECT_EQ(param_value(via.params, "branch"), "z9hG4bK1");
  EXPECT_NE(param_value(via.params, "rport").data(), nullptr);
  ASSERT_TRUE(take_via(rest, via));
  EXPECT_EQ(via.host, "h");
  EXPECT_FALSE(via.has_port);
  EXPECT_TRUE(via.params.empty());
  EXPECT_TRUE(rest.empty());
}

TEST(SipVia, ReceivedWithAndWithoutBrackets) {
  Via via;
  std::string_view rest =
      "SIP/2.0/UDP h;received=[2001:db8::9:255],SIP/2.0/UDP h;received=2001:db8::9:255,SIP/2.0/UDP h";
  ASSERT_TRUE(take_via(rest, via));
  EXPECT_EQ(via_received(via), "2001:db8::9:255");
  ASSERT_TRUE(take_via(rest, via));
  EXPECT_EQ(via_received(via), "2001:db8::9:255");
  ASSERT_TRUE(take_via(rest, via));
  EXPECT_EQ(via_received(via).data(), nullptr);
}

TEST(SipVia, WhatIsNone) {
  for (const char* const text : {"", "SIP/2.0/UDP", "SIP/2.0 h", "SIP/2.0/UDP h;;,;,,", "SIP/2.0/UDP h:99999",
                                 "SIP/2.0/UDP h h", "SIP/2.0/UDP h,", "SIP/2.0/UDP 2001:db8::1"}) {
    std::string_view rest = text;
    Via via;
    EXPECT_FALSE(take_via(rest, via)) << text;
  }
}

TEST(SipCSeq, T_12_LeadingZerosAndLimits) {
  CSeq cseq;
  ASSERT_TRUE(parse_cseq("0009\r\n  INVITE", cseq));
  EXPECT_EQ(cseq.number, 9U);
  EXPECT_EQ(cseq.method, Method::invite);
  ASSERT_TRUE(parse_cseq("2147483647 invite", cseq));
  EXPECT_EQ(cseq.method, Method::other);
  EXPECT_EQ(cseq.method_name, "invite");
  for (const char* const text :
       {"", "1", "INVITE", "1INVITE", "-1 ACK", "2147483648 ACK", "1 ACK 2", "99999999999999999999 ACK"}) {
    EXPECT_FALSE(parse_cseq(text, cseq)) << text;
  }
}

TEST(SipCallId, Words) {
  EXPECT_TRUE(valid_call_id("wsinv.ndaksdj@192.0.2.1"));
  EXPECT_TRUE(valid_call_id("intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{"));
  for (const char* const text : {"", "@", "a@", "@a", "a@b@c", "a b", "a,b", "a;b"})
    EXPECT_FALSE(valid_call_id(text)) << text;
}

TEST(SipNumber, Limits) {
  std::uint64_t number = 0;
  EXPECT_TRUE(parse_number("0068", 255, number));
  EXPECT_EQ(number, 68U);
  EXPECT_TRUE(parse_number("255", 255, number));
  EXPECT_FALSE(parse_number("256", 255, number));
  EXPECT_FALSE(parse_number("", 255, number));
  EXPECT_FALSE(parse_number("+1", 255, number));
  EXPECT_FALSE(parse_number("5", 4, number));
}

// R3261-16: compact forms, and names in any case.
TEST(SipHeaderId, R3261_16_EveryNameIsKnown) {
  for (std::size_t i = 0; i < header_ids; ++i) {
    const auto id = static_cast<HeaderId>(i);
    std::string name(header_name(id));
    EXPECT_EQ(header_id(name), id);
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(header_id(name), id);
    name.back() = '~';
    EXPECT_EQ(header_id(name), HeaderId::other);
  }
  const std::vector<std::pair<char, HeaderId>> compact = {{'a', HeaderId::accept_contact},
                                                          {'b', HeaderId::referred_by},
                                                          {'c', HeaderId::content_type},
                                                          {'d', HeaderId::request_disposition},
                                                          {'e', HeaderId::content_encoding},
                                                          {'f', HeaderId::from},
                                                          {'i', HeaderId::call_id},
                                                          {'j', HeaderId::reject_contact},
                                                          {'k', HeaderId::supported},
                                                          {'l', HeaderId::content_length},
                                                          {'m', HeaderId::contact},
                                                          {'o', HeaderId::event},
                                                          {'r', HeaderId::refer_to},
                                                          {'s', HeaderId::subject},
                                                          {'t', HeaderId::to},
                                                          {'u', HeaderId::allow_events},
                                                          {'v', HeaderId::via},
                                                          {'x', HeaderId::session_expires}};
  for (int c = 0x21; c < 0x7f; ++c) {
    HeaderId expected = HeaderId::other;
    for (const auto& [letter, id] : compact) {
      if (std::tolower(c) == letter) expected = id;
    }
    const char name = static_cast<char>(c);
    EXPECT_EQ(header_id({&name, 1}), expected) << name;
  }
  EXPECT_EQ(header_id(""), HeaderId::other);
}

}  // namespace
}  // namespace parley::sip

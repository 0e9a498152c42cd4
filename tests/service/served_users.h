// tests/service/served_users.h - users whom the participating functions serve: alice proves herself with a password,
// bob is registered and publishes settings, and a trusted peer sends for others.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/user_key.h"
#include "tests/service/proxy_world.h"
#include "tests/service/publisher.h"

namespace parley::tests {

inline constexpr const char* alice_at = "127.0.0.1:40001";
inline constexpr const char* bob_at = "127.0.0.1:40002";

inline std::string chat_sdp(const std::string& lines = "a=accept-types:message/cpim text/plain\r\n") {
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 7394 TCP/MSRP *\r\n" +
         lines + "a=path:msrp://127.0.0.1:7394/s1;tcp\r\n";
}
inline std::string file_sdp(const std::string& selector = "name:\"a.txt\" type:text/plain size:100") {
  return chat_sdp("a=sendonly\r\na=accept-types:*\r\na=file-selector:" + selector + "\r\na=file-transfer-id:f1\r\n");
}
inline const std::string sdp_type = "Content-Type: application/sdp\r\n";
inline const std::string text_type = "Content-Type: text/plain\r\n";

struct Participating : testing::Test {
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    config = sip_config();
    config->im.participating = true;
    config->im.product = "IM-serv/OMA1.0 parley/1.2";
    config->im.error_info = "https://example.org/im-errors/";
    documents = std::make_shared<policy::Documents>();
    config->documents = documents;
    if (change) change(*config);
    world = std::make_unique<SipWorld>(config, shards);
    bob = std::make_unique<Publisher>(*world, "bob", bob_at);
    enrol("bob", "<sip:bob@127.0.0.1:40002>");
  }
  void SetUp() override { make(); }

  void enrol(const std::string& user, const std::string& contact) {
    world->datagram("REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKr" + user +
                        "\r\nMax-Forwards: 70\r\nFrom: <sip:" + user + "@example.org>;tag=r\r\nTo: <sip:" + user +
                        "@example.org>\r\nCall-ID: r" + user + "\r\nCSeq: 1 REGISTER\r\nContact: " + contact +
                        "\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n",
                    peer);
    ASSERT_EQ(code(world->only().text), "200");
  }
  void allow(const std::string& rules) {
    policy::AccessRules read;
    const auto error = policy::parse_access_rules(
        "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:x=\"urn:oma:xml:xdm:extensions\" "
        "xmlns:c=\"urn:oma:xml:xdm:common-policy\" xmlns:p=\"urn:oma:xml:poc:poc-rules\">" +
            rules + "</ruleset>",
        read);
    ASSERT_FALSE(error) << error.reason;
    documents->access_rules[policy::user_key("sip:bob@example.org")] = read;
  }
  static std::string rule(const std::string& conditions, const std::string& handling) {
    return "<rule id=\"r\"><conditions>" + conditions + "</conditions><actions><p:allow-invite>" + handling +
           "</p:allow-invite></actions></rule>";
  }

  // From alice's device, who proves herself, or himself as another user; what came of it.
  std::vector<SipWorld::Sent> from_alice(Says says, const std::string& user = "alice") {
    says.sent_by = alice_at;
    says.branch += std::to_string(++requests);
    says.call_id += std::to_string(requests);
    world->datagram(text_of(says), alice_at);
    auto sent = world->take();
    if (sent.empty() || what(sent[0].text) != "407") return sent;
    says.branch += "a";
    ++says.cseq;
    says.lines += credentials(sent[0].text, says.method, says.uri, user);
    world->datagram(text_of(says), alice_at);
    sent = world->take();
    std::erase_if(sent, [](const auto& one) { return what(one.text) == "100"; });
    return sent;
  }
  // From the trusted peer, who needs no proof and for whom nobody is served.
  std::vector<SipWorld::Sent> from_peer(Says says) {
    says.branch += std::to_string(++requests);
    says.call_id += std::to_string(requests);
    world->datagram(text_of(says), peer);
    auto sent = world->take();
    std::erase_if(sent, [](const auto& one) { return what(one.text) == "100"; });
    return sent;
  }
  static std::string only(const std::vector<SipWorld::Sent>& sent) {
    EXPECT_EQ(sent.size(), 1U);
    return sent.empty() ? std::string("SIP/2.0 000 nothing\r\n") : sent[0].text;
  }
  static Says message(const std::string& lines = text_type, const std::string& body = "hello") {
    return {.method = "MESSAGE", .lines = lines, .body = body};
  }
  static Says invite(const std::string& lines, const std::string& body) {
    return {.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>\r\n" + lines + sdp_type, .body = body};
  }

  std::shared_ptr<policy::SipConfig> config;
  std::shared_ptr<policy::Documents> documents;
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Publisher> bob;
  int requests = 0;
};

}  // namespace parley::tests

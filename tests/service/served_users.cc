// tests/service/served_users.cc - see served_users.h.
#include "tests/service/served_users.h"

namespace parley::tests {

std::string chat_sdp(const std::string& lines) {
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 7394 TCP/MSRP *\r\n" +
         lines + "a=path:msrp://127.0.0.1:7394/s1;tcp\r\n";
}

std::string file_sdp(const std::string& selector) {
  return chat_sdp("a=sendonly\r\na=accept-types:*\r\na=file-selector:" + selector + "\r\na=file-transfer-id:f1\r\n");
}

void Participating::make(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards) {
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

void Participating::SetUp() { make(); }

void Participating::enrol(const std::string& user, const std::string& contact) {
  world->datagram("REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKr" + user +
                      "\r\nMax-Forwards: 70\r\nFrom: <sip:" + user + "@example.org>;tag=r\r\nTo: <sip:" + user +
                      "@example.org>\r\nCall-ID: r" + user + "\r\nCSeq: 1 REGISTER\r\nContact: " + contact +
                      "\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n",
                  peer);
  ASSERT_EQ(code(world->only().text), "200");
}

void Participating::allow(const std::string& rules) {
  policy::AccessRules read;
  const auto error = policy::parse_access_rules(
      "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:x=\"urn:oma:xml:xdm:extensions\" "
      "xmlns:c=\"urn:oma:xml:xdm:common-policy\" xmlns:p=\"urn:oma:xml:poc:poc-rules\">" +
          rules + "</ruleset>",
      read);
  ASSERT_FALSE(error) << error.reason;
  documents->access_rules[policy::user_key("sip:bob@example.org")] = read;
}

std::string Participating::rule(const std::string& conditions, const std::string& handling) {
  return "<rule id=\"r\"><conditions>" + conditions + "</conditions><actions><p:allow-invite>" + handling +
         "</p:allow-invite></actions></rule>";
}

std::vector<SipWorld::Sent> Participating::from_alice(Says says, const std::string& user) {
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

std::vector<SipWorld::Sent> Participating::from_peer(Says says) {
  says.branch += std::to_string(++requests);
  says.call_id += std::to_string(requests);
  world->datagram(text_of(says), peer);
  auto sent = world->take();
  std::erase_if(sent, [](const auto& one) { return what(one.text) == "100"; });
  return sent;
}

std::string Participating::only(const std::vector<SipWorld::Sent>& sent) {
  EXPECT_EQ(sent.size(), 1U);
  return sent.empty() ? std::string("SIP/2.0 000 nothing\r\n") : sent[0].text;
}

Says Participating::message(const std::string& lines, const std::string& body) {
  return {.method = "MESSAGE", .lines = lines, .body = body};
}

Says Participating::invite(const std::string& lines, const std::string& body) {
  return {.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>\r\n" + lines + sdp_type, .body = body};
}

}  // namespace parley::tests

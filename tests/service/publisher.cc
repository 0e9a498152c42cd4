// tests/service/publisher.cc - see publisher.h.
#include "tests/service/publisher.h"

#include <gtest/gtest.h>

#include <utility>

namespace parley::tests {

std::string settings_xml(const std::string& inside, const std::string& id) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\" "
         "xmlns:im=\"urn:oma:xml:im:service-settings\"><entity id=\"" +
         id + "\">" + inside + "</entity></poc-settings>\r\n";
}

std::string isb(bool active) {
  return std::string("<isb-settings><incoming-session-barring active=\"") + (active ? "true" : "false") +
         "\"/></isb-settings>";
}

std::string ipab(bool active) {
  return std::string("<ipab-settings><incoming-personal-alert-barring active=\"") + (active ? "true" : "false") +
         "\"/></ipab-settings>";
}

std::string ft(bool active) {
  return std::string("<im:ft-settings><im:incoming-file-transfer-barring active=\"") + (active ? "true" : "false") +
         "\"/></im:ft-settings>";
}

Publisher::Publisher(SipWorld& world, std::string user, std::string address, std::uint32_t shard)
    : world_(world), user_(std::move(user)), address_(std::move(address)), shard_(shard) {}

std::string Publisher::publish(const Publish& what) {
  std::string answer = once(what, {});
  if (what.auth && answer.starts_with("SIP/2.0 407"))
    answer = once(what, credentials(answer, "PUBLISH", uri(what), user_));
  if (answer.starts_with("SIP/2.0 200")) etag_ = header(answer, "SIP-ETag");
  return answer;
}

std::string Publisher::uri(const Publish& what) const {
  return "sip:" + (what.to_user.empty() ? user_ : what.to_user) + "@example.org";
}

std::string Publisher::once(const Publish& what, const std::string& more) {
  ++cseq_;
  std::string text = "PUBLISH " + uri(what) + " SIP/2.0\r\nVia: SIP/2.0/UDP " + address_ + ";branch=z9hG4bKp" + user_ +
                     address_.substr(10) + "x" + std::to_string(cseq_) +
                     ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + user_ + "@example.org>;tag=p1\r\nTo: <" + uri(what) +
                     ">\r\nCall-ID: pub" + user_ + address_ + "\r\nCSeq: " + std::to_string(cseq_) + " PUBLISH\r\n";
  if (!what.event.empty()) text += "Event: " + what.event + "\r\n";
  if (!what.expires.empty()) text += "Expires: " + what.expires + "\r\n";
  if (!what.if_match.empty()) text += "SIP-If-Match: " + what.if_match + "\r\n";
  if (!what.body.empty()) text += "Content-Type: " + what.type + "\r\n";
  text += what.lines + more + "Content-Length: " + std::to_string(what.body.size()) + "\r\n\r\n" + what.body;
  last_ = text;
  return exchange(text);
}

std::string Publisher::exchange(const std::string& text) {
  (void)world_.take();
  world_.datagram(text, address_, shard_);
  const auto sent = world_.take();
  EXPECT_EQ(sent.size(), 1U);
  return sent.empty() ? std::string() : sent.back().text;
}

}  // namespace parley::tests

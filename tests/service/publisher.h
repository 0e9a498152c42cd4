// tests/service/publisher.h - a client that publishes its settings.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "tests/service/watcher.h"

namespace parley::tests {

// A PUBLISH and what it says otherwise than usual.
struct Publish {
  std::string event = "poc-settings";  // "": no Event
  std::string expires = "3600";        // "": no Expires
  std::string if_match{};              // "": none
  std::string body{};
  std::string type = "application/poc-settings+xml";
  std::string to_user{};  // "": himself
  std::string lines{};
  bool auth = true;
};

// What OMA-SET-10 shows, with some of it: isb="true" and its like.
inline std::string settings_xml(const std::string& inside, const std::string& id = "epa-1") {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\" "
         "xmlns:im=\"urn:oma:xml:im:service-settings\"><entity id=\"" +
         id + "\">" + inside + "</entity></poc-settings>\r\n";
}
inline std::string isb(bool active) {
  return std::string("<isb-settings><incoming-session-barring active=\"") + (active ? "true" : "false") +
         "\"/></isb-settings>";
}
inline std::string ipab(bool active) {
  return std::string("<ipab-settings><incoming-personal-alert-barring active=\"") + (active ? "true" : "false") +
         "\"/></ipab-settings>";
}
inline std::string ft(bool active) {
  return std::string("<im:ft-settings><im:incoming-file-transfer-barring active=\"") + (active ? "true" : "false") +
         "\"/></im:ft-settings>";
}

class Publisher {
 public:
  Publisher(SipWorld& world, std::string user, std::string address, std::uint32_t shard = 0)
      : world_(world), user_(std::move(user)), address_(std::move(address)), shard_(shard) {}

  // The final response. What a success said is remembered: etag().
  std::string publish(const Publish& what) {
    std::string answer = once(what, {});
    if (what.auth && answer.starts_with("SIP/2.0 407"))
      answer = once(what, credentials(answer, "PUBLISH", uri(what), user_));
    if (answer.starts_with("SIP/2.0 200")) etag_ = header(answer, "SIP-ETag");
    return answer;
  }
  [[nodiscard]] const std::string& etag() const { return etag_; }
  [[nodiscard]] const std::string& last() const { return last_; }
  // As it stands, once more.
  std::string again() { return exchange(last_); }

 private:
  [[nodiscard]] std::string uri(const Publish& what) const {
    return "sip:" + (what.to_user.empty() ? user_ : what.to_user) + "@example.org";
  }
  std::string once(const Publish& what, const std::string& more) {
    ++cseq_;
    std::string text = "PUBLISH " + uri(what) + " SIP/2.0\r\nVia: SIP/2.0/UDP " + address_ + ";branch=z9hG4bKp" +
                       user_ + address_.substr(10) + "x" + std::to_string(cseq_) +
                       ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + user_ + "@example.org>;tag=p1\r\nTo: <" +
                       uri(what) + ">\r\nCall-ID: pub" + user_ + address_ + "\r\nCSeq: " + std::to_string(cseq_) +
                       " PUBLISH\r\n";
    if (!what.event.empty()) text += "Event: " + what.event + "\r\n";
    if (!what.expires.empty()) text += "Expires: " + what.expires + "\r\n";
    if (!what.if_match.empty()) text += "SIP-If-Match: " + what.if_match + "\r\n";
    if (!what.body.empty()) text += "Content-Type: " + what.type + "\r\n";
    text += what.lines + more + "Content-Length: " + std::to_string(what.body.size()) + "\r\n\r\n" + what.body;
    last_ = text;
    return exchange(text);
  }
  std::string exchange(const std::string& text) {
    (void)world_.take();
    world_.datagram(text, address_, shard_);
    const auto sent = world_.take();
    EXPECT_EQ(sent.size(), 1U);
    return sent.empty() ? std::string() : sent.back().text;
  }

  SipWorld& world_;
  std::string user_;
  std::string address_;
  std::uint32_t shard_;
  std::string etag_;
  std::string last_;
  std::uint32_t cseq_ = 0;
};

}  // namespace parley::tests

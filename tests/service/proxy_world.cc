// tests/service/proxy_world.cc - see proxy_world.h.
#include "tests/service/proxy_world.h"

#include <utility>

namespace parley::tests {

std::string text_of(const Says& s) {
  return s.method + " " + s.uri + " SIP/2.0\r\nVia: SIP/2.0/" + s.transport + " " + s.sent_by + ";branch=" + s.branch +
         ";rport\r\nMax-Forwards: 70\r\nFrom: " + s.from + "\r\nTo: " + s.to + "\r\nCall-ID: " + s.call_id +
         "\r\nCSeq: " + std::to_string(s.cseq) + " " + s.method + "\r\n" + s.lines +
         "Content-Length: " + std::to_string(s.body.size()) + "\r\n\r\n" + s.body;
}

Says beside(Says s, std::string method, std::string to) {
  s.method = std::move(method);
  if (!to.empty()) s.to = std::move(to);
  s.lines.clear();
  s.body.clear();
  return s;
}

std::string what(std::string_view message) {
  return std::string(message.starts_with("SIP/2.0 ") ? message.substr(8, 3) : message.substr(0, message.find(' ')));
}

std::vector<std::string> codes(const std::vector<SipWorld::Sent>& sent) {
  std::vector<std::string> all;
  for (const auto& one : sent) all.push_back(what(one.text));
  return all;
}

std::vector<std::string> values(std::string_view message, const std::string& name) {
  std::vector<std::string> all;
  for (std::string value; !(value = header(message, name)).empty();) {
    all.push_back(value);
    message.remove_prefix(message.find("\r\n" + name + ": ") + 2);
  }
  return all;
}

std::string enrol(SipWorld& world, const std::string& user, const std::string& contact, std::string_view from,
                  std::uint32_t shard) {
  static std::uint32_t number = 0;
  ++number;
  const std::string own = "<sip:" + user + "@example.org>";
  world.datagram(text_of({.method = "REGISTER",
                          .uri = "sip:example.org",
                          .branch = "z9hG4bKr" + std::to_string(number),
                          .from = own + ";tag=r",
                          .to = own,
                          .call_id = "reg" + std::to_string(number),
                          .cseq = number,
                          .lines = "Contact: " + contact + "\r\n"}),
                 from, shard);
  return world.only().text;
}

}  // namespace parley::tests

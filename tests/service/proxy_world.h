// tests/service/proxy_world.h - requests through the proxy as texts: from a trusted peer, who needs no digest, to
// registered users.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tests/service/sip_world.h"

namespace parley::tests {

inline constexpr std::string_view peer = "127.0.0.9:5060";  // the trusted one

// A request and what it says otherwise than usual.
struct Says {
  std::string method = "MESSAGE";
  std::string uri = "sip:bob@example.org";
  std::string transport = "UDP";
  std::string sent_by = "127.0.0.9:5060";
  std::string branch = "z9hG4bKone";
  std::string from = "<sip:alice@example.org>;tag=a1";
  std::string to = "<sip:bob@example.org>";
  std::string call_id = "call-1";
  std::uint32_t cseq = 1;
  std::string lines{};  // whole header lines
  std::string body{};
};
inline std::string text_of(const Says& s) {
  return s.method + " " + s.uri + " SIP/2.0\r\nVia: SIP/2.0/" + s.transport + " " + s.sent_by + ";branch=" + s.branch +
         ";rport\r\nMax-Forwards: 70\r\nFrom: " + s.from + "\r\nTo: " + s.to + "\r\nCall-ID: " + s.call_id +
         "\r\nCSeq: " + std::to_string(s.cseq) + " " + s.method + "\r\n" + s.lines +
         "Content-Length: " + std::to_string(s.body.size()) + "\r\n\r\n" + s.body;
}
// The same in the method that goes with it: CANCEL, ACK.
inline Says beside(Says s, std::string method, std::string to = {}) {
  s.method = std::move(method);
  if (!to.empty()) s.to = std::move(to);
  s.lines.clear();
  s.body.clear();
  return s;
}

// "200" or "MESSAGE".
inline std::string what(std::string_view message) {
  return std::string(message.starts_with("SIP/2.0 ") ? message.substr(8, 3) : message.substr(0, message.find(' ')));
}
inline std::vector<std::string> codes(const std::vector<SipWorld::Sent>& sent) {
  std::vector<std::string> all;
  for (const auto& one : sent) all.push_back(what(one.text));
  return all;
}
using Codes = std::vector<std::string>;

// Of all headers of that name.
inline std::vector<std::string> values(std::string_view message, const std::string& name) {
  std::vector<std::string> all;
  for (std::string value; !(value = header(message, name)).empty();) {
    all.push_back(value);
    message.remove_prefix(message.find("\r\n" + name + ": ") + 2);
  }
  return all;
}

// By the trusted peer, as an edge proxy in front of the user's device does.
inline std::string enrol(SipWorld& world, const std::string& user, const std::string& contact,
                         std::string_view from = peer, std::uint32_t shard = 0) {
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

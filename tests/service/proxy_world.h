// tests/service/proxy_world.h - requests through the proxy as texts: from a trusted peer, who needs no digest, to
// registered users.
#pragma once

#include <cstdint>
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
std::string text_of(const Says& s);
// The same in the method that goes with it: CANCEL, ACK.
Says beside(Says s, std::string method, std::string to = {});

// "200" or "MESSAGE".
std::string what(std::string_view message);
std::vector<std::string> codes(const std::vector<SipWorld::Sent>& sent);
using Codes = std::vector<std::string>;

// Of all headers of that name.
std::vector<std::string> values(std::string_view message, const std::string& name);

// By the trusted peer, as an edge proxy in front of the user's device does.
std::string enrol(SipWorld& world, const std::string& user, const std::string& contact, std::string_view from = peer,
                  std::uint32_t shard = 0);

}  // namespace parley::tests

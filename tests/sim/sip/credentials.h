// tests/sim/sip/credentials.h - a user agent's answers to digest challenges (RFC 7616; RFC 3261 section 22).
#pragma once

#include <string>

#include "tests/sim/sip/message.h"

namespace parley::sim::sip {

class Credentials {
 public:
  // The password of "user0" is "user0-secret".
  Credentials(std::string user, bool sha256) : user_(std::move(user)), algorithm_(sha256 ? "SHA-256" : "MD5") {}

  // Adds an answer to a 401 or 407 to the request. False: no challenge is for the algorithm.
  [[nodiscard]] bool answer(Message& request, const Message& challenge, const std::string& cnonce);
  // The same to the last challenge that there was.
  void add(Message& request, const char* header, const std::string& cnonce);
  [[nodiscard]] bool challenged() const { return !challenge_.empty(); }

 private:
  std::string user_;
  std::string algorithm_;
  std::string challenge_;  // the last one, and how often its nonce was used
  std::string nonce_;
  unsigned count_ = 0;
};

}  // namespace parley::sim::sip

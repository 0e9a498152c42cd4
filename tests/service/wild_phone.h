// tests/service/wild_phone.h - a phone that does anything at any time: answers twice, late, wrongly or never, cancels and
// hangs up in the middle of all.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/random.h"
#include "tests/service/phones.h"

namespace parley::tests {

class Wild {
 public:
  Wild(Line& line, core::Random& random, const std::string& user, const std::string& address, std::uint32_t shard);

  virtual ~Wild() = default;

  Phone phone;

  void act();

 protected:
  bool chance(std::uint64_t percent) { return random_.uniform(100) < percent; }
  int one_of(std::initializer_list<int> list) { return list.begin()[random_.uniform(list.size())]; }
  virtual std::string body() { return chance(60) ? "sdp" : ""; }
  std::string timer();
  std::string abilities();

  void on_request(const std::string& text);

  void answer_one();

  void on_response(const std::string& text);

  virtual void ask();

  [[nodiscard]] Line& line() { return line_; }

  core::Random& random_;
  Line& line_;
  std::vector<std::string> invites_;
};

}  // namespace parley::tests

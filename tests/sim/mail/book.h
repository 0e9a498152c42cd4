// tests/sim/mail/book.h - what all know together: what was written, how it was answered, and who took it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "tests/sim/agenda.h"

namespace parley::sim::mail {

struct Book {
  struct Mail {
    std::string from, to;  // users; `to` may be the group
    std::uint64_t number = 0;  // of its sender for that receiver
    int status = 0;            // its answer; 0: none
    std::map<std::string, unsigned> taken;    // by user: how often he answered it 2xx
    std::map<std::string, unsigned> refused;  // and with what he has decided
  };
  std::string domain = "sim.example";
  std::string group = "team";
  std::map<std::string, Mail> mails;  // by Message-ID
  // In the order in which they were taken first: by sender, to whom they were written, and who took them.
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::string>> order;
  bool calm = false;
  std::uint64_t written = 0, answered = 0, taken = 0;
};

}  // namespace parley::sim::mail

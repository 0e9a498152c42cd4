// tests/sim/mail/book.h - what all know together: what was written, how it was answered, and who took it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
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
  // One that goes over MSRP.
  struct Large {
    std::string from;
    std::string target;           // a user, or what stands for several
    std::vector<std::string> to;  // users
    bool several = false;         // it goes to a list or group, though there may be one user in it
    std::uint64_t number = 0;     // of its sender for that target
    std::size_t bytes = 0;
    unsigned attempts = 0;
    Instant began{};              // the last one of them
    bool reported = false;        // its sender has a REPORT that says 200
    Instant reported_at{};
    bool given_up = false;        // he was told that it has failed, and lets it be
    std::map<std::string, unsigned> taken;  // by user: how often it came to him whole
  };
  std::string domain = "sim.example";
  std::string group = "team";
  std::string crew = "crew";  // those who write and take large messages
  bool limited = false;       // by so low limits that some can not be kept
  std::map<std::string, Mail> mails;  // by Message-ID
  std::map<std::string, Large> larges;
  // In the order in which they were taken first: by sender, to whom they were written, and who took them.
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<std::string>> order;
  bool calm = false;
  std::uint64_t written = 0, answered = 0, taken = 0, reported = 0;
};

}  // namespace parley::sim::mail

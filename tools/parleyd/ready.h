// tools/parleyd/ready.h - the one JSON line that says parleyd serves, and where: tests and supervisors wait for it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace parley::parleyd {

struct Ready {
  std::vector<std::string> sip;   // "udp:127.0.0.1:5060", ports as bound
  std::vector<std::string> msrp;  // "tcp:127.0.0.1:2855", ports as bound
  std::string admin;              // "127.0.0.1:9090"; empty: no admin listener
  std::vector<std::string> xcap{};  // "http:127.0.0.1:8080", ports as bound
};

// {"pid":71,"msrp":["tcp:127.0.0.1:2855"],"admin":"127.0.0.1:9090"} and a newline.
std::string ready_line(const Ready& ready, int pid);

// Writes the line to a file (whole or not at all: written beside it and renamed) and to a descriptor, which is closed.
// Returns what went wrong.
std::optional<std::string> announce(const std::string& line, const std::string& file, int fd);

}  // namespace parley::parleyd

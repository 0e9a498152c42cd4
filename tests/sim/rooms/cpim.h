// tests/sim/rooms/cpim.h - message/cpim (RFC 3862) and session descriptions, as the simulator's participants write and
// read them. Nothing of it is shared with policy/ or sip/.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace parley::sim::rooms {

struct Cpim {
  std::string from, to, content;  // from and to: what stands between the brackets
};
[[nodiscard]] std::string write_cpim(const std::string& from, const std::string& to, const std::string& content);
// What is wrong with it; empty: nothing.
[[nodiscard]] std::string read_cpim(std::string_view bytes, Cpim& out);

// The values of a=name in a description.
[[nodiscard]] std::vector<std::string> attributes(const std::string& sdp, const std::string& name);
[[nodiscard]] std::string describe(const std::string& path, const std::string& setup, const std::string& direction,
                                   unsigned version);
// RFC 5366: a description and who is to be invited, as multipart/mixed with this boundary.
[[nodiscard]] std::string with_recipients(const std::string& sdp, const std::vector<std::string>& uris,
                                          const std::string& boundary);

}  // namespace parley::sim::rooms

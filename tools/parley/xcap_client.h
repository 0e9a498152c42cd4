// tools/parley/xcap_client.h - the user's documents on the XCAP server (RFC 4825). The client's logic sees no HTTP.
#pragma once

#include <cstdint>
#include <string>

namespace parley::client {

class XcapClient {
 public:
  virtual ~XcapClient() = default;
  // DELETE; `path`: below the XCAP root, percent-encoded. What comes of it is told by Client::on_erased(), in a later
  // step.
  virtual void erase(std::uint32_t ticket, std::string path) = 0;
};

}  // namespace parley::client

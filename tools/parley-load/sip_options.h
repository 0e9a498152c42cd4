// tools/parley-load/sip_options.h - what the command line asked of `parley-load sip`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/parley-load/digest.h"
#include "tools/parley-load/pager_options.h"
#include "tools/parley-load/stream.h"

namespace CLI {
class App;
}

namespace parley::load {

enum class SipMode : uint8_t { registration, message, call, options, pager };
enum class Transport : uint8_t { udp, tcp, tls, ws, wss };

struct SipOptions {
  std::string mode_text;
  SipMode mode = SipMode::message;
  std::string server_text;
  Address server;
  std::string transport_text = "udp";
  Transport transport = Transport::udp;
  std::string domain;
  bool insecure = false;
  std::string tls_ca;

  std::vector<std::string> users_text;  // --user
  std::string users_file;
  uint32_t user_count = 0;  // --users
  std::string user_pattern = "u%";
  std::string password = "secret";
  std::vector<Credentials> users;
  bool registers = true;        // before messages and calls
  bool challenge_each = false;  // every registration begins without credentials
  bool outbound = false;        // RFC 5626: instance and reg-id
  uint32_t expires_s = 3600;
  uint32_t sockets = 1;   // UDP sockets per thread; 0: one for each user
  std::string bind_text;  // UDP: where the first socket of thread 0 is bound
  Address bind;

  uint32_t pairs = 0;  // 0: as many as there are two users for
  uint32_t window = 1;
  double rate_per_s = 0;  // 0: closed loop
  uint32_t size_bytes = 200;
  bool ring = false;
  double hold_s = 0;
  PagerOptions pager;

  double duration_s = 10;
  bool duration_given = false;
  double warmup_s = 1;
  double drain_s = 10;
  double setup_s = 60;
  double timeout_s = 32;  // 64*T1: Timers B and F (RFC 3261 table 4)
  uint32_t setups_at_once = 64;
  uint32_t threads = 1;
  int cpu = -1;
  bool spin = false;
  uint32_t idle = 0;
  std::vector<int> server_pids;
  std::string json_file;
  bool progress = true;
  bool allow_errors = false;

  bool open_loop() const { return rate_per_s > 0; }
  bool datagrams() const { return transport == Transport::udp; }
  bool secure() const { return transport == Transport::tls || transport == Transport::wss; }
  bool websocket() const { return transport == Transport::ws || transport == Transport::wss; }
  bool pairwise() const { return mode == SipMode::message || mode == SipMode::call || mode == SipMode::pager; }
  // The users of pair `index`: of their own when there are enough, else the next pair's receiver sends.
  uint32_t receiver_of(uint32_t index) const { return users.size() >= 2ULL * pairs ? 2 * index : index; }
  uint32_t sender_of(uint32_t index) const {
    return users.size() >= 2ULL * pairs ? 2 * index + 1 : (index + 1) % static_cast<uint32_t>(users.size());
  }
};

void add_sip_flags(CLI::App& app, SipOptions& options);
// Those of them that `pager` has, too.
void add_shared_flags(CLI::App& app, SipOptions& options);
// Checks what flags alone cannot; an empty string when all is well, else what is wrong and with which flag.
std::string finish_sip_options(SipOptions& options);

}  // namespace parley::load

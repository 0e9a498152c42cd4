// tools/parley-load/chat_options.h - what the command line asked of `parley-load chat`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/parley-load/frame.h"
#include "tools/parley-load/stream.h"

namespace CLI {
class App;
}

namespace parley::load {

struct ChatOptions {
  std::string server_text;
  Address server;  // SIP over TCP
  std::string domain;
  std::string room_pattern = "room%";
  std::string user_pattern = "m%";
  std::string password = "secret";
  bool asserted = false;  // P-Asserted-Identity instead of digest: the server must trust this host
  bool tls = false;       // MSRP over TLS
  bool insecure = false;
  std::string tls_ca;

  uint32_t rooms = 1;
  uint32_t members = 100;  // of each room
  uint32_t senders = 1;    // of each room
  double rate_per_s = 0;   // beats per second and room; 0: closed loop
  uint32_t burst = 1;      // messages of one beat
  uint32_t size_bytes = 200;
  std::string failure_report_text = "no";
  FailureReport failure_report = FailureReport::no;
  bool subscribe = false;

  double stalled_percent = 0;         // stop reading when the measurement begins, and read again when it is over
  double reconnect_percent = 0;       // lose their connection once while measuring, and join again
  double joins_per_s = 0;             // members that leave and join again while measuring
  uint32_t storm = 0;                 // of each room, that join while measuring
  uint32_t receive_buffer_bytes = 0;  // SO_RCVBUF of the stalled ones, 0: the system's

  double duration_s = 10;
  double warmup_s = 1;
  double drain_s = 5;
  double setup_s = 120;
  uint32_t setups_at_once = 32;
  uint32_t sip_connections = 1;  // 0: one for each member
  int cpu = -1;
  bool spin = false;
  std::vector<int> server_pids;
  std::string json_file;
  std::string groups_dir;  // write the group documents here and do nothing else
  bool progress = true;
  bool allow_errors = false;

  bool open_loop() const { return rate_per_s > 0; }
  uint32_t member_count() const { return rooms * members; }
  uint32_t sip_connection_count() const { return sip_connections == 0 ? member_count() : sip_connections; }
  std::string user_name(uint32_t member) const;
  std::string room_uri(uint32_t room) const;
};

void add_chat_flags(CLI::App& app, ChatOptions& options);
// Checks what flags alone cannot; an empty string when all is well, else what is wrong and with which flag.
std::string finish_chat_options(ChatOptions& options);
// A pre-defined group for each room, open to all users (OMA-GRP-1). False: the directory cannot be written.
bool write_group_documents(const ChatOptions& options);

}  // namespace parley::load

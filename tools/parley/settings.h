// tools/parley/settings.h - what the command line says, as values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/loop.h"
#include "core/time.h"
#include "tools/parley/stored_list.h"

namespace parley::client {

// Exit statuses; --help and docs/operations.md list them.
enum Exit : int {
  exit_done = 0,
  exit_refused = 1,      // by the other side or a server on the way
  exit_usage = 2,        // a bad flag or file
  exit_unreachable = 3,  // no server, no answer in time
  exit_undelivered = 4,  // taken, but the receipt asked for did not come or says no
  exit_login = 5,        // the password is refused
};

struct Settings {
  // Who and where.
  std::string user{};  // AOR
  std::string display_name{};
  std::string password_file{};
  std::string server{};  // udp|tcp|tls:HOST[:PORT]
  std::string relay{};   // msrp(s):// URI
  std::string tls_ca{};
  std::string tls_name{};
  std::string bind{};  // our address; empty: the one that leads to the server
  std::string factory{};
  std::string xcap{};  // XCAP root
  std::vector<std::string> deferred_uris{};
  bool privacy = false;
  std::string alias{};
  std::uint16_t msrp_port = 0;

  // Limits.
  std::uint32_t expires = 3600;
  std::uint32_t session_expires = 1800;
  std::uint32_t sessions_max = 16;
  std::uint64_t message_bytes_max = 1 << 20;
  std::uint64_t file_bytes_max = 1U << 30;
  std::uint64_t saved_bytes_max = 1U << 30;
  std::uint32_t chunk_bytes = 2048;
  core::Duration timeout = std::chrono::seconds(40);  // of what a one-shot command waits for: longer than Timer F
  core::LoopKind loop = core::LoopKind::automatic;

  enum class Command : std::uint8_t {
    enrol,
    send,
    receive,
    chat,
    settings_get,
    settings_set,
    group_create,
    stored_list,
    stored_get,
    stored_delete
  };
  Command command = Command::enrol;
  std::vector<std::string> to{};  // of send, chat, group create
  std::string text{};             // of send; "-": from standard input
  bool has_text = false;
  std::string file{};  // of send
  std::string content_type{};
  bool report = false;
  bool display = false;  // and that it was shown
  bool json = false;
  bool once = false;        // register: then give it up again
  std::uint64_t count = 0;  // recv: messages and files after which it ends; 0: never
  std::string directory{};  // recv, chat, get: where files go; empty: they are refused
  bool ask = false;         // recv, chat: invitations wait for an answer
  std::string subject{};
  bool joins_group = false;          // group_create: `to` is one group, not a list for the factory
  std::vector<std::string> pairs{};  // settings set
  Stored stored = Stored::deferred;  // history, deferred
  std::string id{};
};

}  // namespace parley::client

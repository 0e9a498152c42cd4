// tools/parleyd/settings.h - everything an operator decides, as one value: what the flags fill and main hands out.
//
// Limits of the relay are kept where they are explained, in msrp::RelayConfig; the rest has its default here.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/loop.h"
#include "core/pool.h"
#include "core/seam.h"
#include "core/store/sqlite_store.h"
#include "core/time.h"
#include "msrp/relay_config.h"
#include "policy/documents.h"
#include "policy/room_config.h"
#include "policy/sip_config.h"
#include "tools/parleyd/host_port.h"
#include "tools/parleyd/http_server.h"
#include "tools/parleyd/xcap_front.h"

namespace parley::parleyd {

enum class Pin : std::uint8_t { automatic, on, off };

struct ListenSpec {
  core::Transport transport = core::Transport::tcp;
  std::string host;
  std::uint16_t port = 0;  // 0: any free port
};

struct XcapListener {
  std::string host;  // as in the flag
  std::uint16_t port = 0;
  bool secure = false;
  bool operator==(const XcapListener&) const = default;
};
struct XcapSettings {
  std::vector<XcapListener> listeners;  // none: there is no XCAP
  std::string uri;                      // of the root; empty: that of the first listener
  HttpServerConfig http;
  XcapFrontConfig front;
};

struct Settings {
  // Listeners and names
  std::vector<ListenSpec> msrp;
  std::vector<ListenSpec> sip_listeners;
  std::vector<HostPort> advertise;  // of all listeners, those for MSRP first; or empty
  std::vector<std::string> domains;
  std::string realm;  // after parsing: never empty

  // Users; `users` holds secrets until their digests are computed
  std::vector<std::string> users;
  std::string users_file;

  // Documents
  std::string documents;  // their directory; empty: none
  std::vector<policy::GroupSpec> groups;
  std::uint32_t documents_files_max = 200'000;
  std::uint64_t documents_bytes_max = std::uint64_t{256} << 20;

  // Documents that users write
  XcapSettings xcap;

  // What outlives the process
  core::SqliteStoreConfig store;  // no directory: nothing does

  // TLS
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;
  core::Duration tls_handshake_timeout = std::chrono::seconds(10);

  // The relay's policy, times and limits. Listeners, domains, realm and users are filled in by make_relay_config.
  msrp::RelayConfig relay;

  // Rooms of IM sessions.
  policy::RoomConfig rooms;

  // SIP's policy, times and limits. Listeners and users are filled in by make_sip_config.
  policy::SipConfig sip;

  // Connections and memory
  std::uint32_t connections_max = 0;                // in all; 0: 80 % of the descriptor limit
  std::uint32_t connections_per_source_max = 1024;  // room for a carrier's NAT; loopback is not counted
  std::uint32_t gather_us = 100;
  core::Duration writer_timeout = std::chrono::seconds(30);
  core::Duration linger_timeout = std::chrono::seconds(1);
  core::Duration flush_timeout = std::chrono::seconds(5);
  std::uint32_t pipe_window_bytes = 256 * 1024;
  core::Pool::Config pool;

  // DNS
  std::string dns_servers;  // empty: what /etc/resolv.conf says
  core::Duration dns_timeout = std::chrono::seconds(5);
  std::uint32_t dns_waiting_max = 1024;

  // Process
  std::uint32_t shards = 0;  // 0: one per core this process may use
  Pin pin = Pin::automatic;
  core::LoopKind loop = core::LoopKind::automatic;
  std::string admin = "127.0.0.1:9090";  // "none": no admin listener
  std::string admin_token_file;
  int ready_fd = -1;
  std::string ready_file;
  core::LogRecord::Level log_level = core::LogRecord::Level::info;
  core::LogFormat log_format = core::LogFormat::text;
  bool dumpable = false;
  core::Duration drain_timeout = std::chrono::seconds(10);
};

// What completes names without one; after parsing.
inline const std::string& home_domain(const Settings& settings) {
  return settings.domains.empty() ? settings.realm : settings.domains.front();
}

}  // namespace parley::parleyd

// msrp/relay_config.h - what an operator decides about the relay, as one immutable value per reload.
//
// Shared read-only by all shards. The flags that fill it stand in tools/parleyd/flags.cc; limits carry their unit in the
// name and the reason for their default here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/credentials.h"
#include "core/digest.h"
#include "core/seam.h"
#include "core/time.h"
#include "core/websocket_server.h"
#include "msrp/head.h"

namespace parley::msrp {

// How a listener is named in the URIs that are handed out on it.
struct RelayListener {
  std::string host;         // advertised host or literal (IPv6 with brackets), lower case
  std::uint16_t port = 0;   // advertised port
  std::uint16_t bound_port = 0;
  core::Address bound;      // never dialled: that would be ourselves
  bool secure = false;      // msrps
  bool websocket = false;   // for RFC 7977; its clients are reached by others through a listener that is not
};

// A relay or server that may be dialled, and that may use its certificate instead of a password.
struct RelayPeer {
  std::string host;        // lower case
  std::uint16_t port = 0;  // 0: any
};

enum class PlainAuth : std::uint8_t { never, loopback, always };
enum class UnknownMethods : std::uint8_t { forward, block };

struct RelayConfig {
  std::vector<RelayListener> listeners;    // index = PeerInfo::listener
  std::vector<std::string> domains;        // names the relay answers to besides its listeners' hosts
  std::string realm = "localhost";
  std::vector<core::DigestAlgorithm> algorithms = {core::DigestAlgorithm::sha256, core::DigestAlgorithm::md5};
  core::Credentials users;
  std::vector<RelayPeer> relay_peers;
  std::vector<core::Cidr> dial_allow;      // besides relay_peers
  std::vector<core::Cidr> dial_deny;
  PlainAuth plain_auth = PlainAuth::loopback;
  UnknownMethods unknown_methods = UnknownMethods::forward;

  core::WebSocketWelcome ws;                           // who may come by WebSocket
  core::Duration ws_ping = std::chrono::seconds(50);   // of silence, then a ping; proxies drop what is silent for 60 s
  std::uint32_t ws_chunk_bytes = 64 * 1024;            // to a WebSocket client, which gets a chunk when it is whole
  std::uint32_t ws_small_frames_max = 65'536;          // of one message, below 1 KiB each

  HeadLimits head;                                     // 16 KiB, 64 headers
  std::uint32_t expires_min_s = 60;                    // bounds of AUTH Expires, as the AG relay uses them
  std::uint32_t expires_default_s = 600;
  std::uint32_t expires_max_s = 3600;
  core::Duration nonce_life = std::chrono::seconds(60);
  std::uint32_t auth_failures_max = 3;                 // per connection, then it is closed (RFC 4976 section 6.3)
  std::uint32_t auth_failures_user_per_minute = 10;    // from other than loopback
  std::uint32_t auth_failures_source_per_minute = 60;  // from other than loopback
  core::Duration probation = std::chrono::seconds(30); // RFC 4976 section 6.1
  core::Duration head_timeout = std::chrono::seconds(10);      // a head that has begun must be complete
  core::Duration idle = std::chrono::hours(1);         // RFC 4976 section 6.5
  core::Duration response_timeout = std::chrono::seconds(30);  // RFC 4976 section 6.4.1
  core::Duration stall = std::chrono::seconds(2);      // a chunk whose source is silent this long is ended with '+'
  core::Duration body_window = std::chrono::seconds(30);       // a body that we read must bring in each such window
  std::uint32_t body_window_bytes_min = 30 * 1024;             // this many bytes (1 KiB/s), or its connection is closed
  core::Duration connect_timeout = std::chrono::seconds(5);
  std::uint32_t misses_max = 20;                       // bad or aimless requests of a connection before one succeeds
  std::uint32_t skip_bytes_max = 16 * 1024 * 1024;     // of a frame that can not be read: as much as a large message
  std::vector<core::Cidr> explicit_ranges_for;         // receivers that read a body by the length in Byte-Range (T-60)
  std::uint32_t explicit_range_bytes = 2048;           // their chunks: what RFC 4975 section 7.1.1 lets go uninterrupted
  std::uint32_t sessions_per_connection_max = 1024;
  std::uint32_t sessions_max = 65'536;                 // per shard; 51 bytes each in the table, taken at start
  std::uint32_t transactions_per_connection_max = 16'384;      // forwarded and unanswered, 160 bytes each
  std::uint32_t transactions_max = 1'000'000;          // per shard
  std::uint32_t watermark_high_bytes = 256 * 1024;     // waiting for one receiver: its senders are held back
  std::uint32_t watermark_low_bytes = 128 * 1024;      // and read again
  std::uint32_t shared_queue_bytes_max = 1024 * 1024;  // waiting for one receiver from a connection that carries others too
  std::uint32_t routes_per_connection_max = 256;       // different paths in use at one time, up to 20 KiB each
  std::uint32_t routes_per_relay_max = 16'384;         // the same for a relay's connection
  std::uint32_t dials_per_session_per_second = 10;
  std::uint32_t dials_max = 500;                       // connections being set up
  core::Duration dial_retry_after = std::chrono::seconds(1);   // a next hop that could not be reached is left alone
  std::uint32_t failed_dials_max = 1024;               // such next hops remembered, 200 bytes each
  std::uint32_t peers_per_session_max = 16;            // connected ones that send to a session, 200 bytes each
  std::uint32_t aborted_messages_max = 16;             // of one sender, whose rest must not go on, 64 bytes each

  // Sessions that end here (msrp/ends.h).
  std::uint32_t ends_max = 65'536;                     // per shard; 51 bytes each in the table, taken at start
  core::Duration end_timeout = std::chrono::seconds(10);       // for the peer to come, once its SDP is known
  std::uint32_t end_queue_bytes_max = 256 * 1024;      // waiting for one peer: a second of video chat's worth of text
  std::uint32_t end_unanswered_max = 256;              // SENDs to one peer, 8 bytes each
  std::uint32_t end_early_bytes_max = 64 * 1024;       // of a peer that was faster than its SDP: one large read
  std::uint32_t fan_outs_max = 65'536;                 // with legs that have not answered, 48 bytes each
};

}  // namespace parley::msrp

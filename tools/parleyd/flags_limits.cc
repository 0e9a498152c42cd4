// tools/parleyd/flags_limits.cc - how long connections and MSRP may take, and how much of everything there may be.
#include "tools/parleyd/flags_limits.h"

namespace parley::parleyd {

using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

void add_timers(FlagTable& flags, Settings& s) {
  flags.group("Times");
  auto& r = s.relay;
  flags.duration("--probation", r.probation, 100ms, hours(1),
                 "A new connection must make a successful request within this time (RFC 4976 section 6.1). Raising it "
                 "lets strangers hold connections longer.");
  flags.duration(
      "--idle-timeout", r.idle, 1s, hours(24 * 7),
      "A connection without any request for this long is closed (RFC 4976 section 6.5). Raising it keeps dead "
      "peers longer.");
  flags.duration("--msrp-response-timeout", r.response_timeout, 100ms, minutes(10),
                 "A next hop must answer a SEND within this time, else its sender gets a 408 report (RFC 4975 section "
                 "7.1.1). Raising it keeps more transactions open.");
  flags.duration(
      "--stall-timeout", r.stall, 10ms, minutes(5),
      "A chunk whose source is silent this long is ended with '+' and continued later, so that others may pass.");
  flags.duration("--head-timeout", r.head_timeout, 100ms, minutes(10),
                 "A head that has begun must be complete within this time, else its connection is closed.");
  flags.duration(
      "--body-window", r.body_window, 100ms, hours(1),
      "While a body is being read, each such window must bring --body-window-bytes-min, else its connection is "
      "closed. Raising it helps slow senders, honest or not.");
  flags.size("--body-window-bytes-min", r.body_window_bytes_min, 0, gib,
             "Bytes of a body that each --body-window must bring; 0 asks for nothing.");
  flags.duration("--writer-timeout", s.writer_timeout, 100ms, hours(1),
                 "A peer that takes no byte for this long while bytes wait is closed. Raising it keeps memory for dead "
                 "receivers longer.");
  flags.duration("--linger-timeout", s.linger_timeout, 10ms, minutes(5),
                 "After we end a connection its peer may take this long to end its side. Raising it keeps descriptors of "
                 "dead peers longer.");
  flags.duration("--drain-timeout", s.drain_timeout, 0s, hours(24),
                 "After SIGTERM live sessions may go on for this long; then the rest is closed. Raise it for upgrades that may wait "
                 "for conversations to end (and TimeoutStopSec of the service with it).");
  flags.duration("--flush-timeout", s.flush_timeout, 0s, minutes(10),
                 "When draining has ended, bytes that still wait for their receivers get this long.");
}

void add_limits(FlagTable& flags, Settings& s) {
  flags.group("Limits");
  auto& r = s.relay;
  flags.count(
      "--connections-max", s.connections_max, 1, 10'000'000,
      "Open connections, all shards together; more are closed at once. Each costs a descriptor and about 1 KiB, "
      "with TLS about 20 KiB.",
      "80 % of the descriptor limit");
  flags.count("--connections-per-source-max", s.connections_per_source_max, 0, 10'000'000,
              "Open connections from one address, per shard; 0: no limit; loopback is not counted. Raising it lets one "
              "host take more of the rest.");
  flags.count("--sessions-max", r.sessions_max, 1, 16'000'000,
              "Session URIs that live at one time, per shard. Each costs about 1 KiB.");
  flags.count("--sessions-per-connection-max", r.sessions_per_connection_max, 1, 1'000'000,
              "Session URIs owned by one connection.");
  flags.count("--peers-per-session-max", r.peers_per_session_max, 1, 100'000,
              "Connected peers that send to one session URI; further ones are refused. Each costs about 200 bytes.");
  flags.count("--aborted-messages-max", r.aborted_messages_max, 1, 100'000,
              "Aborted messages of one connection whose rest is refused; with more, the oldest is forgotten. Each costs "
              "about 64 bytes.");
  flags.count("--transactions-max", r.transactions_max, 16, 100'000'000,
              "SENDs forwarded and not yet answered, per shard; more are refused. Each costs about 200 bytes.");
  flags.count("--transactions-per-connection-max", r.transactions_per_connection_max, 1, 100'000'000,
              "SENDs forwarded to one connection and not yet answered; at this many its senders are held back (what was read "
              "of them already, at most 64 KiB each, still goes).");
  flags.count("--routes-per-connection-max", r.routes_per_connection_max, 4, 10'000'000,
              "Different To-Path and From-Path pairs of one client connection in use at one time; more are refused. Each "
              "costs up to 20 KiB.");
  flags.count("--routes-per-relay-max", r.routes_per_relay_max, 4, 10'000'000,
              "The same for the connection of another relay, which carries many sessions.");
  flags.size("--head-bytes-max", r.head.head_bytes_max, 512, 64 * kib,
             "Longest head of a request or response; a longer one is refused. Raising it lets a stranger fill "
             "more memory before he is known.");
  flags.count("--headers-max", r.head.headers_max, 16, 1024, "Most header lines in a head; one with more is refused.");
  flags.size("--skip-bytes-max", r.skip_bytes_max, 64 * kib, gib,
             "A request or response that can not be read is read over to its end-line, which must come within this many "
             "bytes, else the connection is closed. Lowering it ends connections of relays whose clients send large nonsense.");
  flags.count("--misses-max", r.misses_max, 1, 1000,
              "Requests of a new connection that are bad or for unknown sessions, then it is closed; the first success "
              "ends the count. Raising it helps guessing.");
  flags.size(
      "--watermark-high", r.watermark_high_bytes, 4 * kib, gib,
      "Bytes waiting for one receiver, then its senders are no longer read. Raising it buys smoothness with memory "
      "per slow receiver.");
  flags.size("--watermark-low", r.watermark_low_bytes, 1 * kib, gib,
             "Bytes waiting for one receiver at which its senders are read again.");
  flags.size(
      "--shared-queue-max", r.shared_queue_bytes_max, 4 * kib, gib,
      "Bytes waiting for one receiver whose sender's connection carries other sessions too and is not held back; "
      "above it chunks fail with a report. Raising it costs memory per slow receiver.");

  flags.count("--msrp-ends-max", r.ends_max, 1, 16'000'000,
              "MSRP sessions that end here (participants of chats, stored messages), per shard. Each costs about 2 KiB.");
  flags.duration("--msrp-end-timeout", r.end_timeout, seconds(1), minutes(10),
                 "The peer of such a session must connect, or answer our connection, within this time after its SDP. Raise "
                 "it for peers on slow links.");
  flags.size("--msrp-end-queue-max", r.end_queue_bytes_max, 4 * kib, gib,
             "Bytes waiting for the peer of such a session; what does not fit is not sent to it. Raising it costs memory per "
             "slow peer.");
  flags.count("--msrp-end-unanswered-max", r.end_unanswered_max, 1, 65'536,
              "SENDs to one peer that it owes answers to; more are not sent to it. Each costs 12 bytes.");
  flags.size("--msrp-end-early-max", r.end_early_bytes_max, 1 * kib, 16 * mib,
             "Bytes of a peer that connects before its SDP is known; with more its connection is closed.");
  flags.count("--msrp-fan-outs-max", r.fan_outs_max, 16, 16'000'000,
              "Messages to chat rooms that some participants owe answers to, per shard; more are not sent. Each costs 48 bytes.");

  flags.size("--pipe-window", s.pipe_window_bytes, 4 * kib, gib,
             "Bytes on their way from one shard to another for one connection; the rest waits at the sending shard. "
             "Raising it costs memory per connection that serves sessions of another shard.");

  flags.group("Memory");
  flags.count("--recv-buffers", s.pool.small_count, 8, 1'000'000,
              "Receive buffers of 4 KiB per shard, taken at start. More help when many connections have data at once.");
  flags.count(
      "--recv-buffers-large", s.pool.large_count, 1, 100'000,
      "Receive buffers of 64 KiB per shard for connections that stream, taken at start. Few stay in the cache.");
  flags.count("--arena-blocks", s.pool.arena_count, 4, 100'000,
              "Blocks of 32 KiB per shard for generated heads, taken at start; when all are out, --heap-max serves.");
  flags.size(
      "--heap-max", s.pool.heap_bytes_max, 1 * mib, 1024 * gib,
      "Bytes per shard that may wait for slow receivers in all; above it connections are closed. Raising it is paid "
      "only while receivers are slow.");
}

}  // namespace parley::parleyd

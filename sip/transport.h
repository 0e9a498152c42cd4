// sip/transport.h - SIP messages over UDP, TCP, TLS and WebSocket (RFC 3261 section 18, RFC 5626, RFC 7118): bytes and
// datagrams in, whole messages out, and back.
//
// One per shard, one thread. Knows nothing of transactions: it finds where messages begin and end, answers keep-alives,
// keeps connections and their limits, dials. The parts:
//   transport.cc           what comes in by kind, sending, timers
//   transport_stream.cc    messages out of a byte stream
//   transport_ws.cc        WebSocket connections
//   transport_dial.cc      connections of our own making
//
// A step of the Worker:
//   transport.begin(now, out);
//   for each Input of SIP:  transport.take(input);  while (const Received* message = transport.next()) handle(*message);
//   while (transport.next_gone(flow)) ...
//   transport.end();
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "core/websocket_upgrade.h"
#include "sip/flow.h"
#include "sip/shard_mail.h"
#include "sip/transport_config.h"
#include "sip/ws_conn.h"

namespace parley::sip {

// Marks tokens of connects and look-ups that SIP asked for.
inline constexpr std::uint64_t sip_token_bit = std::uint64_t{1} << 63;

// Where a request can be sent that no flow leads to yet.
struct Destination {
  core::Transport transport = core::Transport::udp;  // udp, tcp, tls
  core::Address address;
  std::string tls_name;  // what the certificate has to match
};

class Transport final : public Wire {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    core::Pool& pool;
    core::Metrics& metrics;
    std::shared_ptr<const TransportConfig> config;
  };
  explicit Transport(const Parts& parts);
  ~Transport() override;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  void begin(const core::Now& now, core::Outbox& out);
  // opened, connected, connect_failed, bytes, half_closed, sent, closed, datagram, mail
  void take(const core::Input& input);
  // The next message of what was taken; null when it is used up. What it shows stays until the next call.
  [[nodiscard]] const Received* next();
  // Connections that have ended, as they end; also those of other shards that somebody here sent to.
  [[nodiscard]] bool next_gone(Flow& flow);
  // Mail of MailKind::service, once take() has seen one; else nothing.
  [[nodiscard]] std::optional<std::string_view> service_mail() const { return service_mail_; }
  void end();

  // Wire. To another shard's connection by mail; should that be gone, next_gone tells later.
  [[nodiscard]] bool send(const Flow& flow, std::string_view message) override;
  [[nodiscard]] std::optional<Flow> reopen(const Flow& to, std::string_view host) override;
  // A connection that is up or being dialled, or one of our sockets for datagrams. Nothing when no listener has an
  // address of that family, at a limit, and for WebSocket, whose servers are not called.
  [[nodiscard]] std::optional<Flow> flow_to(const Destination& to);
  // Gives a message that arrived here to the shard that has to handle it.
  void pass_on(std::uint32_t shard, const Received& message);
  // `kept`: it is not dropped when much waits; how many of them there are is bounded by whoever sends them.
  void send_mail(std::uint32_t shard, std::string_view payload, bool kept = false);
  // Ends a connection, after what was written to it.
  void close(const Flow& flow);
  // Somebody relies on this connection (a binding, a subscription): until then it is not closed for being idle. The
  // latest time counts. `silence_max` other than zero: its peer has promised keep-alives (R5626-3) and is gone when
  // nothing comes for so long.
  void keep_until(const Flow& flow, core::Instant until, core::Duration silence_max = {});
  // Its peer is who it says: the short limits for strangers end.
  void prove(const Flow& flow);
  // Of a connection of this shard.
  [[nodiscard]] bool proven(const Flow& flow) const;
  // Adds those that peers made who have not proven themselves, on which nothing is going on and nothing came for so long.
  // Looks at a few connections with each call, so that it may be called in every step.
  void find_idle_strangers(core::Duration silence, std::vector<Flow>& out);
  // A connection of this shard that has been established and is not known to be gone.
  [[nodiscard]] bool established(const Flow& flow) const;
  // A connection that its peer made. It may be gone by now; one of another shard counts as such.
  [[nodiscard]] bool accepted(const Flow& flow) const;
  // dNSNames of the peer's certificate; nothing for other flows.
  [[nodiscard]] std::span<const std::string> verified_names(const Flow& flow) const;

  void reload(std::shared_ptr<const TransportConfig> config) { config_ = std::move(config); }
  // Takes no new connections any more; connections without anything to wait for end.
  void drain();

  [[nodiscard]] core::Instant next_deadline() const { return wheel_.next_deadline(); }
  [[nodiscard]] const TransportConfig& config() const { return *config_; }
  [[nodiscard]] const Listener& listener(const Flow& flow) const { return config_->listeners[flow.listener]; }
  [[nodiscard]] std::uint32_t connections() const { return connections_.size(); }

 private:
  enum class State : std::uint8_t { dialling, upgrading, open };

  // A message of which only a part has come.
  struct Partial {
    HeadParser parser;
    std::vector<char> bytes;
    std::size_t total = 0;  // 0: the head is not complete
  };

  struct Connection {
    core::SlotId self;
    core::ConnId conn;
    State state = State::open;
    core::Transport transport = core::Transport::tcp;
    std::uint16_t listener = 0;
    bool proven : 1 = false;
    bool paused : 1 = false;
    bool cr_pending : 1 = false;  // a CR between messages whose LF has not come
    bool dialled : 1 = false;
    bool half_closed : 1 = false;  // the peer sends no more; responses still go to it
    std::uint32_t unanswered = 0;  // requests that came by it and have had no final response by it
    std::uint8_t lines = 0;        // CRLFs between messages since the last pong
    core::Address remote;
    std::uint64_t queued_bytes = 0;  // written, not yet taken by the kernel
    core::Instant last_used{};       // something came or went
    core::Instant last_heard{};      // something came
    core::Instant keep_until{};
    core::Duration silence_max{};
    core::Instant begun{};  // when the message that is incomplete began
    std::unique_ptr<Partial> partial;
    std::unique_ptr<WsConn> ws;
    std::unique_ptr<std::string> waiting;  // while dialling
    std::unique_ptr<std::vector<std::string>> verified_names;
    std::unique_ptr<Destination> target;  // dialled ones
    std::uint64_t token = 0;
    core::Timer timer;
  };

  struct DestinationKey {
    core::Transport transport;
    core::Address::Family family;
    std::array<std::uint8_t, 16> ip;
    std::uint16_t port;
    std::string tls_name;
    auto operator<=>(const DestinationKey&) const = default;
  };
  static DestinationKey key_of(const Destination& to);

  // What take() left to be read.
  struct Cursor {
    enum class Kind : std::uint8_t { none, stream, ws, datagram, mail };
    Kind kind = Kind::none;
    core::SlotId connection;
    char* at = nullptr;
    std::size_t size = 0;
    Flow flow;  // datagram, mail
    [[nodiscard]] std::string_view rest() const { return {at, size}; }
    void skip(std::size_t bytes) {
      at += bytes;
      size -= bytes;
    }
  };

  // transport.cc
  void on_opened(const core::Input& input);
  void on_bytes(const core::Input& input);
  void on_half_closed(Connection& c);
  void on_closed(Connection& c);
  void on_mail(const core::Input& input);
  const Received* next_datagram();
  const Received* next_mail();
  const Received* deliver(const Flow& flow, const Head& head, std::string_view bytes, bool stream);
  const Received* parse_whole(const Flow& flow, std::string_view bytes, bool stream);
  void settle_last();
  [[nodiscard]] bool write(Connection& c, std::string_view bytes);
  void note_answer(Connection& c, std::string_view message);
  [[nodiscard]] bool send_datagram(const Flow& flow, std::string_view message);
  void hold_back(Connection& c);
  void close_now(Connection& c, core::Metric why);
  void close_now(Connection& c);
  void forget(Connection& c);
  [[nodiscard]] core::Instant quiet_end(const Connection& c) const;
  void arm(Connection& c);
  void on_timer(Connection& c);
  [[nodiscard]] Connection* find(core::ConnId conn);
  [[nodiscard]] const Connection* find(const Flow& flow) const;
  [[nodiscard]] Connection* find(const Flow& flow);
  [[nodiscard]] Flow flow_of(const Connection& c) const;
  [[nodiscard]] Connection* make(core::Transport transport, std::uint16_t listener);
  void count(core::Metric metric, std::uint64_t n = 1) { metrics_.add(metric, n); }

  // transport_stream.cc
  const Received* next_of_stream();
  [[nodiscard]] bool skip_lines(Connection& c);
  void pong(Connection& c);
  void start_partial(Connection& c, const HeadParser& parser, std::string_view bytes, std::size_t total);
  const Received* continue_partial(Connection& c);
  const Received* give_up(Connection& c, const Head& head, std::string_view bytes);
  [[nodiscard]] std::size_t message_bytes(const Head& head) const;
  void drop_partial(Connection& c);

  // transport_ws.cc
  const Received* next_of_ws();
  void upgrade(Connection& c);
  const Received* ws_data(Connection& c, const core::WebSocketEvent& event);
  void ws_end(Connection& c, std::uint16_t code, core::Metric why);

  // transport_dial.cc
  void on_connected(const core::Input& input);
  void on_connect_failed(const core::Input& input);
  [[nodiscard]] std::optional<std::uint16_t> listener_for(core::Transport transport, const core::Address& to) const;

  const std::uint32_t shard_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  std::shared_ptr<const TransportConfig> config_;
  core::Now now_;
  core::Outbox* out_ = nullptr;
  bool draining_ = false;

  core::TimerWheel wheel_;
  core::SlotMap<Connection> connections_;
  std::vector<core::SlotId> by_conn_;  // index: core::ConnId::index
  std::map<DestinationKey, core::SlotId> dialled_;
  std::map<std::uint64_t, core::SlotId> dials_;  // by token
  std::uint64_t next_token_ = 1;
  std::deque<Flow> gone_;
  std::uint32_t strangers_at_ = 0;  // where find_idle_strangers goes on

  Cursor cursor_;
  HeadParser parser_;
  Verdict verdict_;
  Essentials essentials_;
  std::optional<Received> received_;
  std::unique_ptr<Partial> handled_;  // holds the bytes of the message that was delivered last
  std::vector<core::SlotId> ending_;  // connections to close when that message is handled
  std::optional<std::string_view> service_mail_;
  std::string scratch_;
};

}  // namespace parley::sip

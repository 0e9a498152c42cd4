// tests/sim/sip/wire.h - how a user agent reaches the server and is reached: a UDP address, and connections both ways; or
// connections of WebSocket that it makes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/websocket.h"
#include "tests/sim/world.h"

namespace parley::sim::sip {

// Where something goes, or has come from.
struct Way {
  bool stream = false;
  core::Address to;          // datagrams
  std::uint32_t number = 0;  // streams: which connection; never used again
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_bytes(const Way& from, std::string_view message) = 0;
  virtual void on_lost(std::uint32_t connection) = 0;  // broken or ended; told once
};

class Wire final : public DatagramEnd, public Acceptor {
 public:
  Wire(World& world, Place& place, const core::Address& own, const core::Address& server_udp, Receiver& receiver,
       bool websocket = false);
  ~Wire() override;

  [[nodiscard]] Way datagram() const { return {false, server_udp_, 0}; }
  // The connection to the server that is used now; a new one when there is none.
  [[nodiscard]] Way stream();
  // False: that connection is gone.
  bool send(const Way& way, const std::string& bytes);
  [[nodiscard]] bool alive(const Way& way) const { return !way.stream || connections_.contains(way.number); }
  [[nodiscard]] const core::Address& own() const { return own_; }

  void cut();        // all connections, hard
  void close_all();  // orderly
  // Nothing comes or goes any more.
  void vanish();

  void on_datagram(const core::Address& from, const core::Address& to, std::string_view bytes) override;
  void accepted(Stream* stream, const core::Address& from) override;

 private:
  struct Connection final : Socket {
    Connection(Wire& wire_in, Stream& stream_in, Side side_in, std::uint32_t number_in)
        : wire(wire_in), stream(stream_in), side(side_in), number(number_in) {
      stream.attach(side, this);
    }
    void on_readable() override { wire.read(number); }
    void on_room() override { wire.pump(*this); }
    void on_reset() override { wire.lose(number); }
    Wire& wire;
    Stream& stream;
    Side side;
    std::uint32_t number;
    std::string in, out;
    std::unique_ptr<WebSocketClient> websocket;
    std::vector<std::string> waiting;  // messages, for the handshake
  };
  void read(std::uint32_t number);
  [[nodiscard]] std::vector<std::string> messages_of(Connection& c);
  [[nodiscard]] std::vector<std::string> websocket_messages_of(Connection& c);
  void pump(Connection& c);
  void lose(std::uint32_t number);

  World& world_;
  Place& place_;
  core::Address own_;
  core::Address server_udp_;
  const bool websocket_;
  Receiver& receiver_;
  std::map<std::uint32_t, std::unique_ptr<Connection>> connections_;
  std::uint32_t next_number_ = 1;
  std::uint32_t main_ = 0;  // the one that was dialled last
  std::uint16_t next_port_ = 20000;
  bool gone_ = false;
};

}  // namespace parley::sim::sip

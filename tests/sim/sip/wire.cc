// tests/sim/sip/wire.cc - see wire.h.
#include "tests/sim/sip/wire.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/sim/sip/message.h"

namespace parley::sim::sip {

namespace {

constexpr std::uint16_t websocket_listener = 3;  // among those of SIP, see server.cc

}  // namespace

Wire::Wire(World& world, Place& place, const core::Address& own, const core::Address& server_udp, Receiver& receiver,
           bool websocket)
    : world_(world), place_(place), own_(own), server_udp_(server_udp), websocket_(websocket), receiver_(receiver) {
  world_.net.datagrams.attach(own_, this);
  world_.listen(own_, this);
  world_.allow_dial(own_);
}

Wire::~Wire() {
  for (const auto& [number, c] : connections_) c->stream.attach(c->side, nullptr);
  if (gone_) return;
  world_.net.datagrams.detach(own_, this);
  world_.listen(own_, nullptr);
}

Way Wire::stream() {
  if (!connections_.contains(main_)) {
    core::Address from = own_;
    from.port = next_port_++;
    main_ = next_number_++;
    const auto listener = static_cast<std::uint16_t>(place_.sip_listener + (websocket_ ? websocket_listener : 0));
    auto made = std::make_unique<Connection>(*this, *world_.connect(place_, listener, from), Side{0}, main_);
    Connection& c = *(connections_[main_] = std::move(made));
    if (websocket_) {
      c.websocket = std::make_unique<WebSocketClient>(world_.seed, own_.port * 100U + main_, WebSocketClient::Speaks::sip);
      c.out = c.websocket->take_owed();
      pump(c);
    }
  }
  return {true, {}, main_};
}

bool Wire::send(const Way& way, const std::string& bytes) {
  if (gone_) return false;
  if (!way.stream) {
    world_.net.datagrams.send(own_, way.to, bytes);
    return true;
  }
  const auto found = connections_.find(way.number);
  if (found == connections_.end()) return false;
  Connection& c = *found->second;
  if (c.websocket == nullptr) {
    c.out += bytes;
  } else if (c.websocket->open()) {
    c.out += c.websocket->wrap_message(bytes);
  } else {
    c.waiting.push_back(bytes);
  }
  pump(c);
  return true;
}

void Wire::pump(Connection& c) {
  while (!c.out.empty()) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(c.stream.room(c.side), c.out.size()));
    if (room == 0) return;
    std::string part = c.out.substr(0, room);
    c.out.erase(0, room);
    c.stream.take(c.side, room);
    c.stream.put(c.side, std::move(part));
  }
}

// What has come whole.
std::vector<std::string> Wire::messages_of(Connection& c) {
  std::vector<std::string> whole;
  c.in += c.stream.read(c.side, ~std::uint64_t{0});
  std::string complaint;
  for (;;) {
    std::size_t skip = 0;
    const std::size_t size = first_message(c.in, skip, complaint);
    if (size == 0) break;
    whole.push_back(c.in.substr(skip, size));
    c.in.erase(0, skip + size);
  }
  if (!complaint.empty()) world_.journal.fail("the server sends %s", complaint.c_str());
  return whole;
}

std::vector<std::string> Wire::websocket_messages_of(Connection& c) {
  (void)c.websocket->feed(c.stream.read(c.side, ~std::uint64_t{0}));
  if (!c.websocket->violation().empty()) world_.journal.fail("the server sends %s", c.websocket->violation().c_str());
  c.out += c.websocket->take_owed();
  if (c.websocket->open()) {
    for (const std::string& message : std::exchange(c.waiting, {})) c.out += c.websocket->wrap_message(message);
  }
  pump(c);
  std::vector<std::string> whole = c.websocket->take_messages();
  std::erase(whole, "\r\n");  // keep-alives (RFC 7118 section 6)
  return whole;
}

void Wire::read(std::uint32_t number) {
  auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  const std::vector<std::string> whole = c.websocket == nullptr ? messages_of(c) : websocket_messages_of(c);
  const bool end = c.stream.at_end(c.side);
  for (const std::string& message : whole) {
    receiver_.on_bytes({true, {}, number}, message);
    if (!connections_.contains(number)) return;
  }
  if (end) {
    c.stream.close(c.side);
    lose(number);
  }
}

void Wire::lose(std::uint32_t number) {
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  found->second->stream.attach(found->second->side, nullptr);
  connections_.erase(found);
  receiver_.on_lost(number);
}

void Wire::cut() {
  std::vector<std::uint32_t> all;
  for (const auto& [number, c] : connections_) all.push_back(number);
  for (const std::uint32_t number : all) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) continue;
    Stream& stream = found->second->stream;
    if (!stream.dead()) stream.abort(found->second->side);
    lose(number);
  }
}

void Wire::close_all() {
  std::vector<std::uint32_t> all;
  for (const auto& [number, c] : connections_) all.push_back(number);
  for (const std::uint32_t number : all) {
    const auto found = connections_.find(number);
    if (found == connections_.end()) continue;
    found->second->stream.close(found->second->side);
    lose(number);
  }
}

void Wire::vanish() {
  if (gone_) return;
  gone_ = true;
  world_.net.datagrams.detach(own_, this);
  world_.listen(own_, nullptr);
  cut();
}

void Wire::on_datagram(const core::Address& from, const core::Address&, std::string_view bytes) {
  if (from != server_udp_) {
    world_.journal.fail("a datagram from %s, where no server is", core::to_string(from).c_str());
    return;
  }
  receiver_.on_bytes({false, from, 0}, bytes);
}

void Wire::accepted(Stream* stream, const core::Address&) {
  const std::uint32_t number = next_number_++;
  connections_[number] = std::make_unique<Connection>(*this, *stream, Side{1}, number);
}

}  // namespace parley::sim::sip

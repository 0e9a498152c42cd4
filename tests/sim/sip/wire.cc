// tests/sim/sip/wire.cc - see wire.h.
#include "tests/sim/sip/wire.h"

#include <algorithm>
#include <vector>

#include "tests/sim/sip/message.h"

namespace parley::sim::sip {

Wire::Wire(World& world, Place& place, const core::Address& own, const core::Address& server_udp, Receiver& receiver)
    : world_(world), place_(place), own_(own), server_udp_(server_udp), receiver_(receiver) {
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
    connections_[main_] = std::make_unique<Connection>(*this, *world_.connect(place_, place_.sip_listener, from), Side{0}, main_);
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
  found->second->out += bytes;
  pump(*found->second);
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

void Wire::read(std::uint32_t number) {
  auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& c = *found->second;
  c.in += c.stream.read(c.side, ~std::uint64_t{0});
  const bool end = c.stream.at_end(c.side);
  std::string complaint;
  for (;;) {
    std::size_t skip = 0;
    const std::size_t size = first_message(c.in, skip, complaint);
    if (size == 0) break;
    const std::string message = c.in.substr(skip, size);
    c.in.erase(0, skip + size);
    receiver_.on_bytes({true, {}, number}, message);
    if (!connections_.contains(number)) return;
  }
  if (!complaint.empty()) world_.journal.fail("the server sends %s", complaint.c_str());
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

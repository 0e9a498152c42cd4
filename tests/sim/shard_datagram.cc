// tests/sim/shard_datagram.cc - see shard.h. UDP sockets, and mail between Workers.
#include <algorithm>
#include <cstring>

#include "core/mailbox.h"
#include "tests/sim/shard.h"

namespace parley::sim {
namespace {

constexpr std::uint64_t socket_bytes_max = 4 << 20;  // what waits in a UDP socket's receive buffer
constexpr std::uint64_t datagram_cost = 768;         // of the kernel's, besides its bytes
constexpr std::size_t udp_bytes_max = 65507;
constexpr Duration retry = 1ms;

std::uint64_t mail_cost(std::size_t bytes) { return bytes + sizeof(core::Mail); }

}  // namespace

void UdpSocket::on_datagram(const core::Address& from, const core::Address&, std::string_view bytes) {
  if (arrived_bytes + bytes.size() + datagram_cost > socket_bytes_max) {
    shard.metrics().add(core::Metric::datagrams_unread);
    return;
  }
  arrived_bytes += bytes.size() + datagram_cost;
  arrived.push_back({from, std::string(bytes)});
  shard.wake(shard.net_.agenda.now());
}

void Shard::bind(std::uint16_t socket, const core::Address& local) {
  sockets_.push_back(std::make_unique<UdpSocket>(*this, socket, local));
  net_.datagrams.attach(local, sockets_.back().get());
}

// What was sent has left; what has arrived and was not read is lost.
void Shard::close_sockets() {
  for (auto& socket : sockets_) {
    if (!socket->open) continue;
    socket->open = false;
    let_datagrams_go(*socket, Instant::max());
    net_.datagrams.detach(socket->local, socket.get());
    socket->arrived.clear();
    socket->arrived_bytes = 0;
  }
}

bool Shard::datagrams_wait() const {
  return std::any_of(sockets_.begin(), sockets_.end(), [](const auto& socket) { return !socket->arrived.empty(); });
}

void Shard::collect_datagrams(UdpSocket& socket) {
  for (std::uint32_t most = rng_.between32(1, 64); most > 0 && !socket.arrived.empty(); --most) {
    const std::string& bytes = socket.arrived.front().bytes;
    const auto length = static_cast<std::uint32_t>(bytes.size());
    core::BufferId block = pool_.take(core::BlockClass::small);
    if (block == core::no_buffer) {  // the next turn is a new attempt; at the latest this one
      metrics_.add(core::Metric::datagrams_no_buffers);
      ++net_.journal.faults;
      net_.agenda.after(retry, [this] { wake(net_.agenda.now()); });
      return;
    }
    metrics_.add(core::Metric::datagrams_received);
    outside_.datagram_in(*this, socket.arrived.front().from, bytes);
    if (length > core::Pool::small_bytes) {
      pool_.release(block);
      block = pool_.take_heap(length);
      metrics_.add(block == core::no_buffer ? core::Metric::datagrams_no_memory : core::Metric::datagrams_oversize);
    }
    if (block != core::no_buffer) {
      const std::uint32_t slack = pool_.size(block) - length;
      const std::uint32_t offset = slack != 0 && rng_.coin(1, 8) ? rng_.between32(0, slack) : 0;
      std::memcpy(pool_.data(block) + offset, bytes.data(), length);
      core::Input input;
      input.kind = core::Input::Kind::datagram;
      input.socket = socket.id;
      input.source = &batch_sources_.emplace_back(socket.arrived.front().from);
      input.slice = {block, offset, length};
      batch_.push_back(input);
    }
    socket.arrived_bytes -= length + datagram_cost;
    socket.arrived.pop_front();
  }
}

void Shard::send_datagrams() {
  for (const core::Datagram& datagram : out_.datagrams()) {
    const auto found = std::find_if(sockets_.begin(), sockets_.end(),
                                    [&](const auto& socket) { return socket->id == datagram.socket; });
    if (found == sockets_.end()) net_.journal.fail("%s sends from socket %u", name_.c_str(), datagram.socket);
    const bool open = found != sockets_.end() && (*found)->open;
    if (!open || datagram.slice.length > udp_bytes_max) {
      metrics_.add(open ? core::Metric::datagrams_refused : core::Metric::datagrams_after_end);
      if (datagram.slice.buffer != core::no_buffer) pool_.release(datagram.slice.buffer);
      continue;
    }
    UdpSocket& socket = **found;
    metrics_.add(core::Metric::datagrams_sent);
    outside_.datagram_out(*this, datagram.to,
                          datagram.slice.buffer == core::no_buffer ? std::string_view() : pool_.view(datagram.slice));
    // As with connections: the kernel reads the bytes when it lets go, at a time of its own.
    const std::uint64_t hold = micros(net_.faults.hold_max);
    const Duration held_for = std::chrono::microseconds(hold == 0 || rng_.coin(1, 2) ? 0 : rng_.scaled(1, hold));
    socket.last_letgo = std::max(socket.last_letgo, net_.agenda.now() + held_for);
    socket.held.push_back({datagram, socket.last_letgo});
    net_.agenda.at(socket.last_letgo, [this, &socket] { let_datagrams_go(socket, net_.agenda.now()); });
  }
}

void Shard::let_datagrams_go(UdpSocket& socket, Instant until) {
  while (!socket.held.empty() && socket.held.front().until <= until) {
    const core::Datagram datagram = socket.held.front().datagram;
    socket.held.pop_front();
    std::string bytes;
    if (datagram.slice.buffer != core::no_buffer) {
      bytes = pool_.view(datagram.slice);
      pool_.release(datagram.slice.buffer);
    }
    net_.datagrams.send(socket.local, datagram.to, std::move(bytes));
  }
}

bool Shard::take_mail(std::uint32_t from_shard, std::string bytes, Duration delay, std::uint64_t waiting_max) {
  if (mail_.size() <= from_shard) mail_.resize(from_shard + 1);
  MailLane& lane = mail_[from_shard];
  // As many as the ring holds lie there; what is beyond waits at the sender.
  const bool beyond = lane.items.size() >= core::MailRing::slots;
  if (beyond && lane.waiting_bytes + mail_cost(bytes.size()) > waiting_max) return false;
  if (beyond) lane.waiting_bytes += mail_cost(bytes.size());
  lane.last = std::max(lane.last, net_.agenda.now() + delay);
  lane.items.push_back({lane.last, std::move(bytes)});
  net_.agenda.at(lane.last, [this] { wake(net_.agenda.now()); });
  return true;
}

bool Shard::mail_waits() const {
  return std::any_of(mail_.begin(), mail_.end(), [this](const MailLane& lane) {
    return !lane.items.empty() && lane.items.front().at <= net_.agenda.now();
  });
}

void Shard::collect_mail() {
  for (std::uint32_t from = 0; from < mail_.size(); ++from) {
    MailLane& lane = mail_[from];
    if (lane.items.empty()) continue;
    std::uint32_t most = rng_.between32(1, core::MailRing::slots);
    for (; most > 0 && !lane.items.empty() && lane.items.front().at <= net_.agenda.now(); --most) {
      const std::string bytes = std::move(lane.items.front().bytes);
      lane.items.pop_front();
      if (lane.items.size() >= core::MailRing::slots) {  // one more found room in the ring
        lane.waiting_bytes -= mail_cost(lane.items[core::MailRing::slots - 1].bytes.size());
      }
      const auto length = static_cast<std::uint32_t>(bytes.size());
      const core::BufferId block = pool_.take_heap(length);
      if (block == core::no_buffer) {
        metrics_.add(core::Metric::mail_no_memory);
        continue;
      }
      std::memcpy(pool_.data(block), bytes.data(), length);
      core::Input input;
      input.kind = core::Input::Kind::mail;
      input.from_shard = from;
      input.slice = {block, 0, length};
      batch_.push_back(input);
    }
  }
}

void Shard::send_mail() {
  for (const core::ShardMail& mail : out_.mails()) {
    outside_.mail(*this, mail.shard, std::string(mail.bytes.get(), mail.length));
  }
}

}  // namespace parley::sim

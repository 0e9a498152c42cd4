// tests/loops/resolver_fixture.h - the resolver with a DNS server that the test plays on loopback.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/resolver.h"
#include "core/socket.h"

namespace parley::loops {

using core::Mailboxes;
using core::Post;
using core::Resolution;
using core::Resolver;
using namespace std::chrono_literals;

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_srv = 33;
constexpr std::uint16_t type_naptr = 35;

inline void put16(std::string& to, unsigned value) {
  to += static_cast<char>(value >> 8 & 0xff);
  to += static_cast<char>(value & 0xff);
}
inline void put_name(std::string& to, const std::string& name) {
  std::size_t at = 0;
  while (at < name.size()) {
    const std::size_t dot = std::min(name.find('.', at), name.size());
    to += static_cast<char>(dot - at);
    to += name.substr(at, dot - at);
    at = dot + 1;
  }
  to += '\0';
}

struct Srv {
  unsigned priority, weight, port;
  std::string target;
};
struct Naptr {
  unsigned order, preference;
  std::string flags, service, regexp, replacement;
};
inline void put_text(std::string& to, const std::string& text) {
  to += static_cast<char>(text.size());
  to += text;
}

// Answers what it knows; "name does not exist" for the rest; nothing at all for names that begin with "silent".
class DnsServer {
 public:
  DnsServer() : fd_(::socket(AF_INET, SOCK_DGRAM, 0)) {
    ::sockaddr_storage storage;
    const ::socklen_t size = core::to_sockaddr(*core::parse_address("127.0.0.1:0"), storage);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const ::sockaddr*>(&storage), size), 0);
    EXPECT_EQ(::pipe(stop_), 0);
  }
  ~DnsServer() {
    (void)!::write(stop_[1], "x", 1);
    thread_.join();
    ::close(fd_);
    ::close(stop_[0]);
    ::close(stop_[1]);
  }
  void start() {
    thread_ = std::thread([this] { serve(); });
  }
  [[nodiscard]] std::string address() const { return core::to_string(core::local_address(fd_)); }
  [[nodiscard]] int questions() const { return questions_; }
  std::map<std::string, std::string> hosts;  // name to four bytes
  std::map<std::string, std::vector<Srv>> services;
  std::map<std::string, std::vector<Naptr>> naptrs;
  unsigned ttl_s = 60;
  unsigned srv_ttl_s = 60;
  std::chrono::milliseconds delay{};

 private:
  void serve() {
    char question[1500];
    for (;;) {
      ::pollfd watched[2] = {{fd_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
      (void)::poll(watched, 2, -1);
      if ((watched[1].revents & POLLIN) != 0) return;
      ::sockaddr_storage from{};
      ::socklen_t size = sizeof from;
      const ::ssize_t got = ::recvfrom(fd_, question, sizeof question, 0, reinterpret_cast<::sockaddr*>(&from), &size);
      if (got < 17) continue;
      ++questions_;
      const std::string reply = answer(std::string(question, static_cast<std::size_t>(got)));
      if (delay.count() != 0) std::this_thread::sleep_for(delay);
      if (!reply.empty())
        (void)::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<::sockaddr*>(&from), size);
    }
  }
  std::string answer(const std::string& question) {
    std::string name;
    std::size_t at = 12;
    while (question[at] != 0) {
      const auto length = static_cast<std::size_t>(question[at]);
      name += (name.empty() ? "" : ".") + question.substr(at + 1, length);
      at += 1 + length;
    }
    const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(question[at + 2]));
    if (name.starts_with("silent")) return {};
    std::string records;
    unsigned count = 0;
    const auto record = [&](const std::string& data) {
      put16(records, 0xc00c);
      put16(records, type);
      put16(records, 1);
      put16(records, 0);
      put16(records, type == type_a ? ttl_s : srv_ttl_s);
      put16(records, static_cast<unsigned>(data.size()));
      records += data;
      ++count;
    };
    if (type == type_a && hosts.contains(name)) record(hosts[name]);
    if (type == type_srv) {
      for (const Srv& each : services[name]) {
        std::string data;
        put16(data, each.priority);
        put16(data, each.weight);
        put16(data, each.port);
        put_name(data, each.target);
        record(data);
      }
    }
    if (type == type_naptr) {
      for (const Naptr& each : naptrs[name]) {
        std::string data;
        put16(data, each.order);
        put16(data, each.preference);
        put_text(data, each.flags);
        put_text(data, each.service);
        put_text(data, each.regexp);
        put_name(data, each.replacement);
        record(data);
      }
    }
    const bool known = hosts.contains(name) || !services[name].empty() || !naptrs[name].empty();
    std::string reply = question.substr(0, 2);
    put16(reply, known ? 0x8580 : 0x8583);
    put16(reply, 1);
    put16(reply, count);
    put16(reply, 0);
    put16(reply, 0);
    return reply + question.substr(12, at + 5 - 12) + records;
  }

  int fd_;
  int stop_[2] = {-1, -1};
  std::thread thread_;
  std::atomic<int> questions_{0};
};

class ResolverTest : public testing::Test {
 protected:
  Resolution ask(Resolver& resolver, const std::string& host, std::uint16_t port, const std::string& service) {
    resolver.ask(0, {.token = ++token_, .host = host, .port = port, .srv_service = service});
    return next();
  }
  Resolution ask(Resolver& resolver, core::ResolveRequest request) {
    request.token = ++token_;
    resolver.ask(0, std::move(request));
    return next();
  }
  Resolution next() {
    std::vector<Post> posts;
    while (posts.empty()) {
      ::pollfd watched{mailboxes_.event_fd(0), POLLIN, 0};
      EXPECT_EQ(::poll(&watched, 1, 20'000), 1) << "no answer";
      std::uint64_t ignored = 0;
      (void)!::read(mailboxes_.event_fd(0), &ignored, sizeof ignored);
      (void)mailboxes_.look(0);
      mailboxes_.take_posts(0, posts);
      if (watched.revents == 0) return {};
    }
    EXPECT_EQ(posts.size(), 1U);
    EXPECT_EQ(posts[0].kind, Post::Kind::resolved);
    EXPECT_EQ(posts[0].resolution.token, token_);
    return posts[0].resolution;
  }
  Mailboxes mailboxes_{1};
  DnsServer dns_;
  std::uint64_t token_ = 0;
};

}  // namespace parley::loops

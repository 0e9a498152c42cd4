// tests/loops/resolver_test.cc - the resolver against a DNS server played by the test on loopback.
#include "core/resolver.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <string>
#include <thread>

#include "core/socket.h"

namespace parley::loops {
namespace {

using core::Mailboxes;
using core::Post;
using core::Resolution;
using core::Resolver;
using namespace std::chrono_literals;

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_srv = 33;

void put16(std::string& to, unsigned value) {
  to += static_cast<char>(value >> 8 & 0xff);
  to += static_cast<char>(value & 0xff);
}
void put_name(std::string& to, const std::string& name) {
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
  unsigned ttl_s = 60;

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
      put16(records, ttl_s);
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
    const bool known = hosts.contains(name) || !services[name].empty();
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

TEST_F(ResolverTest, literals_are_answered_at_once) {
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  const Resolution v4 = ask(resolver, "192.0.2.7", 0, "_msrps._tcp");
  ASSERT_EQ(v4.addresses.size(), 1U);
  EXPECT_EQ(core::to_string(v4.addresses[0].address), "192.0.2.7:2855");
  const Resolution v6 = ask(resolver, "[2001:db8::1]", 99, "");
  ASSERT_EQ(v6.addresses.size(), 1U);
  EXPECT_EQ(core::to_string(v6.addresses[0].address), "[2001:db8::1]:99");
  EXPECT_EQ(dns_.questions(), 0);
}

TEST_F(ResolverTest, R4976_srv_comes_first_in_order_of_priority) {
  dns_.services["_msrps._tcp.example.org"] = {{20, 1, 3000, "b.example.org"}, {10, 1, 2000, "a.example.org"}};
  dns_.hosts["a.example.org"] = {"\x7f\x00\x00\x02", 4};
  dns_.hosts["b.example.org"] = {"\x7f\x00\x00\x03", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  const Resolution found = ask(resolver, "example.org", 0, "_msrps._tcp");
  ASSERT_EQ(found.addresses.size(), 2U);
  EXPECT_EQ(core::to_string(found.addresses[0].address), "127.0.0.2:2000");
  EXPECT_EQ(found.addresses[0].target, "a.example.org");
  EXPECT_EQ(core::to_string(found.addresses[1].address), "127.0.0.3:3000");
}

TEST_F(ResolverTest, without_srv_the_name_itself_with_the_default_port) {
  dns_.hosts["plain.example.org"] = {"\x7f\x00\x00\x04", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  const Resolution found = ask(resolver, "plain.example.org", 0, "_msrps._tcp");
  ASSERT_EQ(found.addresses.size(), 1U);
  EXPECT_EQ(core::to_string(found.addresses[0].address), "127.0.0.4:2855");
  const Resolution ported = ask(resolver, "plain.example.org", 7777, "_msrps._tcp");
  ASSERT_EQ(ported.addresses.size(), 1U);
  EXPECT_EQ(ported.addresses[0].address.port, 7777);
}

TEST_F(ResolverTest, answers_are_kept_for_their_time) {
  dns_.hosts["kept.example.org"] = {"\x7f\x00\x00\x05", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  EXPECT_EQ(ask(resolver, "kept.example.org", 1, "").addresses.size(), 1U);
  const int before = dns_.questions();
  EXPECT_EQ(ask(resolver, "kept.example.org", 1, "").addresses.size(), 1U);
  EXPECT_EQ(dns_.questions(), before);
}

TEST_F(ResolverTest, unknown_and_refused_names_have_no_address) {
  dns_.services["_msrps._tcp.none.example.org"] = {{0, 0, 0, "."}};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  EXPECT_TRUE(ask(resolver, "nowhere.example.org", 5, "").addresses.empty());
  EXPECT_TRUE(ask(resolver, "none.example.org", 0, "_msrps._tcp").addresses.empty());
}

TEST_F(ResolverTest, a_silent_server_costs_the_time_out_and_no_more) {
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address(), .timeout = 300ms});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(ask(resolver, "silent.example.org", 5, "").addresses.empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(ResolverTest, too_many_questions_are_answered_without_asking) {
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address(), .waiting_max = 1});
  resolver.ask(0, {.token = 1, .host = "silent.example.org", .port = 5, .srv_service = ""});
  token_ = 1;
  EXPECT_TRUE(ask(resolver, "silent2.example.org", 5, "").addresses.empty());
}

TEST_F(ResolverTest, ends_with_questions_open) {
  dns_.start();
  {
    Resolver resolver(mailboxes_, {.servers = dns_.address()});
    for (std::uint64_t i = 0; i < 20; ++i)
      resolver.ask(0, {.token = i, .host = "silent" + std::to_string(i), .port = 5, .srv_service = ""});
  }
  std::vector<Post> posts;
  mailboxes_.take_posts(0, posts);
  EXPECT_LE(posts.size(), 20U);
}

}  // namespace
}  // namespace parley::loops

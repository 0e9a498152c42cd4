// tests/core/datagram_io_test.cc - reading and writing datagrams on real sockets, and what errors do to the next one.
#include "core/datagram_io.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "core/socket.h"

namespace parley::core {
namespace {

using namespace std::chrono_literals;

class Bound {
 public:
  explicit Bound(const char* where, bool reuse_port = false) : made_(bind_udp(*parse_address(where), reuse_port)) {
    EXPECT_GE(made_.fd, 0) << made_.error;
  }
  ~Bound() { ::close(made_.fd); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  [[nodiscard]] int fd() const { return made_.fd; }
  [[nodiscard]] const Address& address() const { return made_.bound; }

 private:
  Listening made_;
};

Address closed_port() { return Bound("127.0.0.1:0").address(); }

void wait_for_error(int fd) {
  ::pollfd watched{fd, 0, 0};
  EXPECT_EQ(::poll(&watched, 1, 5000), 1);
}

// A socket that wants to hear of ICMP errors has one waiting after this.
void provoke_error(const Bound& from) {
  const int on = 1;
  ASSERT_EQ(::setsockopt(from.fd(), IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
  DatagramWriter writer;
  char byte = 'x';
  writer.add(closed_port(), &byte, 1);
  (void)writer.send(from.fd());
  wait_for_error(from.fd());
}

std::vector<std::string> read_all(DatagramReader& reader, const Bound& from, Pool& pool) {
  std::vector<ReceivedDatagram> got;
  while (reader.read(from.fd(), 16, pool, got) > 0) {
  }
  std::vector<std::string> texts;
  for (const ReceivedDatagram& datagram : got) {
    texts.emplace_back(pool.view(datagram.slice));
    pool.release(datagram.slice.buffer);
  }
  return texts;
}

void write(const Bound& from, const Address& to, std::string text) {
  DatagramWriter writer;
  writer.add(to, text.data(), static_cast<std::uint32_t>(text.size()));
  EXPECT_EQ(writer.send(from.fd()).sent, 1U);
}

// what a full turn leaves in the kernel has an age.
TEST(DatagramIo, the_kernel_says_how_long_a_datagram_has_waited) {
  Pool pool({});
  DatagramReader reader;
  const Bound from("127.0.0.1:0");
  const Bound to("127.0.0.1:0");
  (void)datagram_age(to.fd());  // from now on arrivals are noted, a little later perhaps
  const auto give_up = std::chrono::steady_clock::now() + 10s;
  Duration age{};
  while (age < 3ms && std::chrono::steady_clock::now() < give_up) {
    write(from, to.address(), "x");
    const auto until = std::chrono::steady_clock::now() + 3ms;
    while (std::chrono::steady_clock::now() < until) {
    }
    EXPECT_EQ(read_all(reader, to, pool).size(), 1U);
    age = datagram_age(to.fd());
  }
  EXPECT_GE(age, 3ms);
  EXPECT_LT(age, 1s);
}

TEST(DatagramIo, a_datagram_knows_its_source_also_over_ipv6) {
  for (const char* where : {"127.0.0.1:0", "[::1]:0"}) {
    const Bound a(where);
    const Bound b(where);
    Pool pool({});
    DatagramReader reader;
    write(a, b.address(), "hello");
    std::vector<ReceivedDatagram> got;
    ASSERT_EQ(reader.read(b.fd(), 64, pool, got), 1);
    EXPECT_EQ(pool.view(got[0].slice), "hello");
    EXPECT_EQ(got[0].source, a.address());
    pool.release(got[0].slice.buffer);
    EXPECT_EQ(reader.read(b.fd(), 64, pool, got), -EAGAIN);
    EXPECT_EQ(pool.live_blocks(), 0U);
  }
}

TEST(DatagramIo, a_long_datagram_is_copied_once_and_costs_its_size) {
  const Bound a("127.0.0.1:0");
  const Bound b("127.0.0.1:0");
  Pool pool({.heap_bytes_max = 70'000});
  DatagramReader reader;
  std::string text(65507, 'a');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  write(a, b.address(), text);
  write(a, b.address(), text);
  write(a, b.address(), "short");
  std::vector<ReceivedDatagram> got;
  ASSERT_EQ(reader.read(b.fd(), 64, pool, got), 3);
  EXPECT_TRUE(pool.view(got[0].slice) == text);
  EXPECT_EQ(pool.heap_bytes(), text.size());
  EXPECT_EQ(got[1].slice.buffer, no_buffer);  // no memory left for it
  EXPECT_EQ(pool.view(got[2].slice), "short");
  pool.release(got[0].slice.buffer);
  pool.release(got[2].slice.buffer);
  EXPECT_EQ(pool.live_blocks(), 0U);
}

TEST(DatagramIo, an_error_that_waits_in_the_socket_costs_no_datagram_that_is_sent) {
  const Bound a("127.0.0.1:0");
  const Bound b("127.0.0.1:0");
  provoke_error(a);
  char text[] = "one";
  DatagramWriter writer;
  for (int i = 0; i < 3; ++i) writer.add(b.address(), text, 3);
  EXPECT_EQ(writer.send(a.fd()).sent, 3U);
  Pool pool({});
  DatagramReader reader;
  EXPECT_EQ(read_all(reader, b, pool).size(), 3U);
}

TEST(DatagramIo, an_error_that_waits_in_the_socket_costs_no_datagram_that_is_received) {
  const Bound a("127.0.0.1:0");
  const Bound b("127.0.0.1:0");
  write(b, a.address(), "first");
  provoke_error(a);
  write(b, a.address(), "second");
  Pool pool({});
  DatagramReader reader;
  std::vector<ReceivedDatagram> got;
  EXPECT_LT(reader.read(a.fd(), 16, pool, got), 0);  // says what is wrong, once
  EXPECT_EQ(read_all(reader, a, pool), (std::vector<std::string>{"first", "second"}));
}

TEST(DatagramIo, our_sockets_do_not_hear_of_closed_ports) {
  const Bound a("127.0.0.1:0");
  const Address closed = closed_port();
  for (int i = 0; i < 10; ++i) write(a, closed, "x");
  ::pollfd watched{a.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 50), 0);
}

TEST(DatagramIo, what_can_not_leave_is_dropped_alone_wherever_it_stands) {
  const Bound a("127.0.0.1:0");
  const Bound b("127.0.0.1:0");
  Pool pool({});
  DatagramReader reader;
  std::string long_text(65508, 'x');
  const Address v6 = *parse_address("[::1]:9");
  DatagramWriter writer;
  std::string texts[64];
  std::uint32_t good = 0;
  for (int i = 0; i < 64; ++i) {
    if (i == 0 || i == 1 || i == 30 || i == 62 || i == 63) {
      writer.add(i == 30 ? v6 : b.address(), long_text.data(), i == 30 ? 1 : 65508);
      continue;
    }
    texts[i] = std::to_string(i);
    writer.add(b.address(), texts[i].data(), static_cast<std::uint32_t>(texts[i].size()));
    ++good;
  }
  EXPECT_TRUE(writer.full());
  const DatagramWriter::Outcome outcome = writer.send(a.fd());
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(outcome.sent, good);
  EXPECT_EQ(outcome.refused, 5U);
  const std::vector<std::string> got = read_all(reader, b, pool);
  ASSERT_EQ(got.size(), good);
  EXPECT_EQ(got.front(), "2");
  EXPECT_EQ(got.back(), "61");
}

TEST(DatagramIo, a_full_receive_buffer_is_counted) {
  const Bound a("127.0.0.1:0");
  const Bound b("127.0.0.1:0");
  const int small = 4096;
  ASSERT_EQ(::setsockopt(b.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
  for (int i = 0; i < 100; ++i) write(a, b.address(), std::string(1000, 'x'));
  Pool pool({});
  DatagramReader reader;
  const std::size_t got = read_all(reader, b, pool).size();
  EXPECT_LT(got, 100U);
  EXPECT_EQ(datagrams_lost(b.fd()), 100 - got);
}

TEST(DatagramIo, several_sockets_share_a_port_when_told_so) {
  const Bound a("127.0.0.1:0", true);
  const Listening b = bind_udp(a.address(), true);
  EXPECT_GE(b.fd, 0) << b.error;
  ::close(b.fd);
  const Listening c = bind_udp(a.address(), false);
  EXPECT_LT(c.fd, 0);
  EXPECT_NE(c.error, "");
}

}  // namespace
}  // namespace parley::core

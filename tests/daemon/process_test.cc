// tests/daemon/process_test.cc - what the process tells its supervisor.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "tools/parleyd/notify.h"
#include "tools/parleyd/ready.h"

namespace parley::parleyd {
namespace {

struct TempDir {
  char path[32] = "/tmp/parley-process-XXXXXX";
  TempDir() { EXPECT_NE(::mkdtemp(path), nullptr); }
  ~TempDir() { EXPECT_EQ(std::system(("rm -rf " + std::string(path)).c_str()), 0); }
};

TEST(Notify, speaks_the_datagram_protocol) {
  const TempDir dir;
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::snprintf(at.sun_path, sizeof at.sun_path, "%s/notify", dir.path);
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
  ::setenv("NOTIFY_SOCKET", at.sun_path, 1);
  ::setenv("WATCHDOG_USEC", "10000000", 1);
  const Notify notify = Notify::from_environment();
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(notify.watchdog_period(), std::chrono::milliseconds(5000));
  const auto next = [fd] {
    char text[256];
    const ssize_t got = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
    return got < 0 ? std::string("nothing") : std::string(text, static_cast<std::size_t>(got));
  };
  notify.ready("serving");
  EXPECT_EQ(next(), "READY=1\nSTATUS=serving");
  notify.watchdog();
  EXPECT_EQ(next(), "WATCHDOG=1");
  notify.reloading();
  EXPECT_EQ(next().rfind("RELOADING=1\nMONOTONIC_USEC=", 0), 0U);
  notify.stopping();
  EXPECT_EQ(next().rfind("STOPPING=1", 0), 0U);
  ::close(fd);
  notify.watchdog();  // the manager is gone: nothing happens
}

TEST(Notify, without_a_manager_nothing_is_sent_and_no_watchdog_is_due) {
  ::unsetenv("NOTIFY_SOCKET");
  const Notify notify = Notify::from_environment();
  EXPECT_FALSE(notify.watchdog_period().has_value());
  notify.ready("");
}

TEST(Ready, one_json_line) {
  EXPECT_EQ(ready_line({{}, {"tcp:127.0.0.1:2855", "tls:[::1]:2856"}, "127.0.0.1:9090"}, 71),
            "{\"pid\":71,\"msrp\":[\"tcp:127.0.0.1:2855\",\"tls:[::1]:2856\"],\"admin\":\"127.0.0.1:9090\"}\n");
  EXPECT_EQ(ready_line({{}, {"tcp:127.0.0.1:1"}, ""}, 1), "{\"pid\":1,\"msrp\":[\"tcp:127.0.0.1:1\"]}\n");
  EXPECT_EQ(ready_line({{"udp:127.0.0.1:5060"}, {}, ""}, 1), "{\"pid\":1,\"sip\":[\"udp:127.0.0.1:5060\"],\"msrp\":[]}\n");
}

TEST(Ready, goes_to_a_file_and_a_descriptor_which_then_ends) {
  const TempDir dir;
  const std::string file = std::string(dir.path) + "/ready.json";
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_FALSE(announce("line\n", file, ends[1]).has_value());
  std::ifstream in(file);
  EXPECT_EQ(std::string((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>()), "line\n");
  char text[16];
  EXPECT_EQ(::read(ends[0], text, sizeof text), 5);
  EXPECT_EQ(::read(ends[0], text, sizeof text), 0);
  ::close(ends[0]);
  EXPECT_NE(announce("line\n", "/nonexistent/ready", -1)->find("--ready-file"), std::string::npos);
}

}  // namespace
}  // namespace parley::parleyd

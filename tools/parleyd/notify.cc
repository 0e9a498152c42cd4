// tools/parleyd/notify.cc - readiness and liveness told to the service manager (sd_notify(3), the socket protocol).
#include "tools/parleyd/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <ctime>

namespace parley::parleyd {

Notify Notify::from_environment() {
  Notify notify;
  if (const char* path = std::getenv("NOTIFY_SOCKET")) notify.path_ = path;
  const char* period = std::getenv("WATCHDOG_USEC");
  const char* pid = std::getenv("WATCHDOG_PID");
  const bool for_us = pid == nullptr || std::strtol(pid, nullptr, 10) == ::getpid();
  if (period != nullptr && for_us) {
    const long long microseconds = std::strtoll(period, nullptr, 10);
    if (microseconds > 0) notify.watchdog_period_ = std::chrono::milliseconds(microseconds / 2000);
  }
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  ::unsetenv("WATCHDOG_PID");
  return notify;
}

void Notify::send(std::string_view message) const {
  if (path_.empty()) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path_.size() >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path_.data(), path_.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';  // an abstract name
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  // A manager that does not listen is its own trouble: the service goes on.
  (void)!::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                  reinterpret_cast<const sockaddr*>(&to), length);
  ::close(fd);
}

void Notify::ready(std::string_view status) const {
  std::string message = "READY=1\nSTATUS=";
  message += status;
  send(message);
}

void Notify::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const long long microseconds = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void Notify::stopping() const { send("STOPPING=1\nSTATUS=draining"); }
void Notify::watchdog() const { send("WATCHDOG=1"); }

}  // namespace parley::parleyd

// tools/parleyd/notify.h - readiness and liveness told to the service manager (sd_notify(3), the socket protocol).
//
// Nothing is linked for it: one datagram to $NOTIFY_SOCKET. Without that variable every call does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace parley::parleyd {

class Notify {
 public:
  // Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID once and removes them, so that nothing inherits them.
  static Notify from_environment();

  Notify() = default;
  explicit Notify(std::string socket_path) : path_(std::move(socket_path)) {}

  void ready(std::string_view status) const;
  void reloading() const;
  void stopping() const;
  void watchdog() const;

  // How often watchdog() is due: half of what the manager waits.
  [[nodiscard]] std::optional<std::chrono::milliseconds> watchdog_period() const { return watchdog_period_; }

 private:
  void send(std::string_view message) const;

  std::string path_;  // empty: nobody listens
  std::optional<std::chrono::milliseconds> watchdog_period_;
};

}  // namespace parley::parleyd

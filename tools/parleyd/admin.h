// tools/parleyd/admin.h - HTTP for operators: probes, metrics, sessions, log level, drain. On threads of its own.
//
//   GET  /livez                       200 while every shard answers
//   GET  /readyz                      200 while new sessions are taken, 503 before that and while draining
//   GET  /metrics                     Prometheus text
//   GET  /api/v1/summary              counts per shard
//   GET  /api/v1/sessions             live sessions (?limit=N per shard, 1000 if not given)
//   POST /api/v1/sessions/ID/kick     ends one; ID as the list shows it, which is not the URI: that is a secret
//   GET  /api/v1/rooms                IM sessions (?limit=N per shard, 1000 if not given)
//   GET  /api/v1/rooms/ID             one of them, and who takes part (?limit=N)
//   POST /api/v1/rooms/ID/close       ends it; ID as the list shows it
//   POST /api/v1/rooms/ID/members/ID/kick   takes somebody out of it
//   GET  /api/v1/trace?message-id=ID  what became of a message
//   GET  /api/v1/where?message-id=ID  where a message is: what waits, what is on its way, where it went; 404: nobody knows it
//   POST /api/v1/system-messages      {"user":..,"text":..,"language":..,"answer_within":"1h","options":[{"id":..,"text":..}]}:
//                                     writes to a user; 201 {"id":..} when it is stored, 409 says why it is not sent
//   GET  /api/v1/system-messages      what has become of those (?limit=N per shard, 1000 if not given)
//   POST /api/v1/system-messages/ID/close   takes one back: nobody owes an answer to it any more
//   GET  /api/v1/log-level            PUT the same with debug, info, warn or error as its body
//   POST /api/v1/reload               what SIGHUP does; 409 says why nothing has changed
//   POST /api/v1/drain                what SIGTERM does
//   POST /api/v1/backup               copies the store, into a directory in it; 409 without one, or why it could not be done
//
// Requests from web pages (Origin header, foreign Host) are refused; a token is asked for where one is configured.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/seam.h"
#include "tools/parleyd/gather.h"

namespace parley::parleyd {

// What the HTTP side may ask of the process. Called by several admin threads at once.
class AdminBackend {
 public:
  enum class State : std::uint8_t { starting, serving, draining };
  virtual ~AdminBackend() = default;
  virtual State state() = 0;
  virtual std::string metrics() = 0;
  virtual Gather::Answers ask_all(core::AdminRequest::Kind kind, const std::string& argument) = 0;
  virtual std::optional<std::string> ask(std::uint32_t shard, core::AdminRequest::Kind kind,
                                         const std::string& argument) = 0;
  virtual core::LogRecord::Level log_level() = 0;
  virtual void set_log_level(core::LogRecord::Level level) = 0;
  virtual void drain() = 0;
  // Waits until it has been done: empty, or why it was refused; nothing: not in time.
  virtual std::optional<std::string> reload() = 0;
  // Waits until the store has been copied: empty, and which file it is, or why it has not.
  virtual std::string backup(std::string& file) = 0;
};

struct AdminConfig {
  std::string host;        // as in the flag: a literal or a name
  std::uint16_t port = 0;  // 0: any
  std::string token;       // empty: none is asked for
};

class AdminServer {
 public:
  AdminServer(AdminConfig config, AdminBackend& backend);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  // Binds; what went wrong, or nothing.
  std::optional<std::string> bind();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void start();
  void stop();  // waits for requests being served

 private:
  struct Http;
  void add_routes();
  void add_room_routes();

  const AdminConfig config_;
  AdminBackend& backend_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Http> http_;
  std::thread thread_;
};

std::string_view to_string(core::LogRecord::Level level);
std::optional<core::LogRecord::Level> parse_log_level(std::string_view text);

}  // namespace parley::parleyd

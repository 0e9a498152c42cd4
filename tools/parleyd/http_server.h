// tools/parleyd/http_server.h - HTTP/1.1 for many who are not trusted (RFC 9110, RFC 9112): one thread moves bytes, a
// few others answer, so that whoever is slow costs a slot and no thread. Plain or TLS. Bodies have a Content-Length.
//
// Bounded: connections, also of one source, bytes of a head (core/http_head.h) and a body, and the time in which a
// request has to be there and an answer has to be taken. Every connection has at most one request that waits.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/address.h"
#include "core/time.h"

namespace parley::core {
class TlsContext;
}

namespace parley::parleyd {

struct HttpAsked {
  std::string method;
  std::string target;                                          // as sent
  std::vector<std::pair<std::string, std::string>> headers{};  // in their order
  std::string body{};
  core::Address remote{};
  bool secure = false;
  // The first of that name, without regard to case; null: there is none.
  [[nodiscard]] const std::string* header(std::string_view name) const;
  // The values of all of that name, with commas between them; nothing: there is none.
  [[nodiscard]] std::string list(std::string_view name) const;
};

struct HttpAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};  // without Content-Length, Connection and Date
  std::string body{};
};

struct HttpServerConfig {
  std::uint32_t connections_max = 1024;
  std::uint32_t per_source_max = 64;  // loopback is not counted
  std::uint32_t body_bytes_max = 256 * 1024;
  core::Duration request_time = std::chrono::seconds(10);  // for a request to come in, and for an answer to be taken
  core::Duration idle_time = std::chrono::seconds(30);     // between two requests of one connection
  std::uint32_t threads = 4;                               // that answer
};

// For reports, by any thread.
struct HttpCounts {
  std::uint64_t connections = 0;  // now
  std::uint64_t accepted = 0;
  std::uint64_t requests = 0;
  std::uint64_t refused_connections = 0;  // connections_max
  std::uint64_t refused_source = 0;       // per_source_max
  std::uint64_t refused_body = 0;         // body_bytes_max: 413
  std::uint64_t refused_head = 0;         // 431
  std::uint64_t bad = 0;                  // what is no HTTP: 400, 411, 505
  std::uint64_t timeouts = 0;             // request_time
  std::uint64_t tls_failures = 0;
};

class HttpServer {
 public:
  // Called on the answering threads, several at a time.
  using Handler = std::function<HttpAnswer(const HttpAsked&)>;
  HttpServer(HttpServerConfig config, Handler handler);
  ~HttpServer();  // stops
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Before start(). `bound` has the real port. Empty, or what is wrong.
  [[nodiscard]] std::string listen(const core::Address& address, bool secure, core::Address& bound);
  // For connections from now on; by any thread.
  void set_tls(std::shared_ptr<core::TlsContext> context);
  void start();
  // What is being answered is, within a few seconds.
  void stop();
  [[nodiscard]] HttpCounts counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The words that go with a status.
[[nodiscard]] std::string_view http_reason(int status);

}  // namespace parley::parleyd

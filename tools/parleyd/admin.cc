// tools/parleyd/admin.cc - HTTP for operators, by cpp-httplib on a small pool of its own threads.
#include "tools/parleyd/admin.h"

#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "core/address.h"
#include "core/digest.h"
#include "core/json_text.h"
#include "core/side_thread.h"
#include "tools/parleyd/admin_deferred.h"
#include "tools/parleyd/admin_history.h"
#include "tools/parleyd/admin_json.h"
#include "tools/parleyd/admin_system.h"
#include "tools/parleyd/admin_where.h"
#include "tools/parleyd/host_port.h"

namespace parley::parleyd {
namespace {

using Kind = core::AdminRequest::Kind;
using Level = core::LogRecord::Level;

constexpr std::size_t threads = 4;
constexpr std::size_t waiting_max = 64;  // connections accepted and not yet served; then the kernel's backlog fills
constexpr std::size_t payload_bytes_max = 32 * 1024;        // a system message, escaped; all others have no more than a word
constexpr const char* lines_per_shard_default = "1000";  // a list is made in one turn of the shard's loop
constexpr const char* json_type = "application/json";
constexpr const char* text_type = "text/plain; charset=utf-8";
constexpr const char* metrics_type = "text/plain; version=0.0.4; charset=utf-8";

constexpr std::array<std::pair<std::string_view, Level>, 4> levels = {
    {{"debug", Level::debug}, {"info", Level::info}, {"warn", Level::warn}, {"error", Level::error}}};

// A pool whose queue is bounded: the accepting thread waits for room.
class BoundedPool : public httplib::TaskQueue {
 public:
  BoundedPool() {
    for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  }
  void enqueue(std::function<void()> task) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return tasks_.size() < waiting_max; });
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }
  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

 private:
  void work() {
    core::begin_side_thread("admin http");
    for (;;) {
      std::function<void()> task;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      changed_.notify_all();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::thread> workers_;
  bool stopping_ = false;
};

// A page of another site that was resolved to this address sends that site's name here.
bool host_is_ours(const std::string& header, const std::string& configured) {
  const auto at = parse_host_port(header);
  return at && (at->host == "localhost" || at->host == configured || is_ip_literal(at->host));
}

void answer_json(httplib::Response& response, const std::string& body, int status = 200) {
  response.status = status;
  response.set_content(body, json_type);
}

// Nothing: it has been answered with 400.
std::optional<std::string> limit_of(const httplib::Request& request, httplib::Response& response) {
  std::string limit = request.has_param("limit") ? request.get_param_value("limit") : lines_per_shard_default;
  const bool digits = std::all_of(limit.begin(), limit.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits && !limit.empty() && limit.size() <= 9) return limit;
  answer_json(response, error_json("limit is not a number"), 400);
  return std::nullopt;
}

std::string no_room(bool answered) { return answered ? "no such room" : "no such room, or its shard does not answer"; }

}  // namespace

std::string_view to_string(Level level) {
  for (const auto& [name, value] : levels) {
    if (value == level) return name;
  }
  return "info";
}

std::optional<Level> parse_log_level(std::string_view text) {
  for (const auto& [name, value] : levels) {
    if (name == text) return value;
  }
  return std::nullopt;
}

struct AdminServer::Http {
  httplib::Server server;
};

AdminServer::AdminServer(AdminConfig config, AdminBackend& backend)
    : config_(std::move(config)), backend_(backend), http_(std::make_unique<Http>()) {
  auto& server = http_->server;
  server.new_task_queue = [] { return new BoundedPool; };
  server.set_payload_max_length(payload_bytes_max);
  // A connection holds a thread: it may not do so for long.
  server.set_keep_alive_max_count(20);
  server.set_keep_alive_timeout(1);
  server.set_read_timeout(2);
  server.set_write_timeout(5);
  // Without SO_REUSEPORT, the library's default: nobody else may take a share of this port.
  server.set_socket_options([](int fd) {
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  server.set_tcp_nodelay(true);
  add_routes();
}

AdminServer::~AdminServer() { stop(); }

std::optional<std::string> AdminServer::bind() {
  const std::string host = without_brackets(config_.host);
  if (config_.port == 0) {
    const int port = http_->server.bind_to_any_port(host);
    if (port <= 0) return "--admin: cannot listen on " + config_.host;
    port_ = static_cast<std::uint16_t>(port);
  } else {
    if (!http_->server.bind_to_port(host, config_.port)) {
      return "--admin: cannot listen on " + config_.host + ":" + std::to_string(config_.port);
    }
    port_ = config_.port;
  }
  return std::nullopt;
}

void AdminServer::start() {
  thread_ = std::thread([this] {
    core::begin_side_thread("admin");
    http_->server.listen_after_bind();
  });
  // stop() has no effect on a server that does not listen yet. httplib tells nobody when it does; and yielding, with a
  // real-time priority, would never let its thread come to it.
  while (!http_->server.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void AdminServer::stop() {
  if (!thread_.joinable()) return;
  http_->server.stop();
  thread_.join();
}

void AdminServer::add_routes() {
  auto& server = http_->server;
  using httplib::Request;
  using httplib::Response;
  using Handled = httplib::Server::HandlerResponse;

  server.set_pre_routing_handler([this](const Request& request, Response& response) {
    if (request.has_header("Origin") || !host_is_ours(request.get_header_value("Host"), config_.host)) {
      answer_json(response, error_json("not for web pages"), 403);
      return Handled::Handled;
    }
    const bool probe = request.path == "/livez" || request.path == "/readyz";
    if (!config_.token.empty() && !probe &&
        !core::equal_constant_time("Bearer " + config_.token, request.get_header_value("Authorization"))) {
      response.set_header("WWW-Authenticate", "Bearer");
      answer_json(response, error_json("needs Authorization: Bearer TOKEN"), 401);
      return Handled::Handled;
    }
    return Handled::Unhandled;
  });

  server.Get("/livez", [this](const Request&, Response& response) {
    const auto answers = backend_.ask_all(Kind::summary, "");
    const auto silent = std::count(answers.begin(), answers.end(), std::nullopt);
    response.status = silent == 0 ? 200 : 503;
    response.set_content(silent == 0 ? "ok\n" : std::to_string(silent) + " shards do not answer\n", text_type);
  });
  server.Get("/readyz", [this](const Request&, Response& response) {
    const auto state = backend_.state();
    response.status = state == AdminBackend::State::serving ? 200 : 503;
    response.set_content(state == AdminBackend::State::serving    ? "ok\n"
                         : state == AdminBackend::State::draining ? "draining\n"
                                                                  : "starting\n",
                         text_type);
  });
  server.Get("/metrics",
             [this](const Request&, Response& response) { response.set_content(backend_.metrics(), metrics_type); });
  server.Get("/api/v1/summary", [this](const Request&, Response& response) {
    answer_json(response, summary_json(backend_.ask_all(Kind::summary, "")));
  });
  server.Get("/api/v1/sessions", [this](const Request& request, Response& response) {
    const auto limit = limit_of(request, response);
    if (limit) answer_json(response, sessions_json(backend_.ask_all(Kind::list_sessions, *limit)));
  });
  server.Post(R"(/api/v1/sessions/([0-9]{1,4}-[0-9]{1,20})/kick)", [this](const Request& request, Response& response) {
    const std::string id = request.matches[1];
    const auto handle = parse_session_handle(id);
    if (!handle) return answer_json(response, error_json("no such session"), 404);
    const auto answer = backend_.ask(handle->shard, Kind::kick_session, std::to_string(handle->number));
    if (answer && was_kicked(*answer)) return answer_json(response, "{\"kicked\":\"" + id + "\"}\n");
    if (answer) return answer_json(response, error_json("no such session"), 404);
    answer_json(response, error_json("no such session, or its shard does not answer"), 404);
  });
  add_room_routes();
  add_system_routes(server, backend_);
  add_deferred_routes(server, backend_);
  add_where_route(server, backend_);
  add_history_routes(server, backend_);
  const auto show_level = [this](Response& response) {
    answer_json(response, "{\"level\":\"" + std::string(to_string(backend_.log_level())) + "\"}\n");
  };
  server.Get("/api/v1/log-level", [show_level](const Request&, Response& response) { show_level(response); });
  server.Put("/api/v1/log-level", [this, show_level](const Request& request, Response& response) {
    std::string word = request.body;
    while (!word.empty() && (word.back() == '\n' || word.back() == '\r')) word.pop_back();
    const auto level = parse_log_level(word);
    if (!level) return answer_json(response, error_json("send debug, info, warn or error"), 400);
    backend_.set_log_level(*level);
    show_level(response);
  });
  server.Post("/api/v1/drain", [this](const Request&, Response& response) {
    backend_.drain();
    answer_json(response, "{\"draining\":true}\n", 202);
  });
  server.Post("/api/v1/backup", [this](const Request&, Response& response) {
    std::string file;
    if (const std::string why = backend_.backup(file); !why.empty()) return answer_json(response, error_json(why), 409);
    std::string json = "{\"directory\":";
    core::put_json_string(json, file);
    answer_json(response, json + "}\n");
  });
  server.Post("/api/v1/reload", [this](const Request&, Response& response) {
    const std::optional<std::string> why = backend_.reload();
    if (!why) return answer_json(response, error_json("not done in time; the log will say how it ended"), 503);
    if (!why->empty()) return answer_json(response, error_json(*why), 409);
    answer_json(response, "{\"reloaded\":true}\n");
  });
}

void AdminServer::add_room_routes() {
  auto& server = http_->server;
  using httplib::Request;
  using httplib::Response;

  server.Get("/api/v1/rooms", [this](const Request& request, Response& response) {
    const auto limit = limit_of(request, response);
    if (limit) answer_json(response, list_json(backend_.ask_all(Kind::list_rooms, *limit), "rooms"));
  });
  server.Get(R"(/api/v1/rooms/([0-9]{1,4}-[0-9]{1,10}\.[0-9]{1,10}))", [this](const Request& request, Response& response) {
    const auto limit = limit_of(request, response);
    if (!limit) return;
    const auto place = parse_room_place(request.matches[1]);
    const auto answer = place ? backend_.ask(place->shard, Kind::show_room, place->room + " " + *limit) : std::nullopt;
    const auto room = answer ? room_json(place->shard, *answer) : std::nullopt;
    if (!room) return answer_json(response, error_json(no_room(answer.has_value())), 404);
    answer_json(response, *room);
  });
  server.Post(R"(/api/v1/rooms/([0-9]{1,4}-[0-9]{1,10}\.[0-9]{1,10})/close)",
              [this](const Request& request, Response& response) {
                const std::string id = request.matches[1];
                const auto place = parse_room_place(id);
                const auto answer = place ? backend_.ask(place->shard, Kind::close_room, place->room) : std::nullopt;
                if (answer && was_done(*answer, "closed")) return answer_json(response, "{\"closed\":\"" + id + "\"}\n");
                answer_json(response, error_json(no_room(answer.has_value())), 404);
              });
  server.Post(R"(/api/v1/rooms/([0-9]{1,4}-[0-9]{1,10}\.[0-9]{1,10})/members/([0-9]{1,10}\.[0-9]{1,10})/kick)",
              [this](const Request& request, Response& response) {
                const auto place = parse_room_place(request.matches[1]);
                const std::string member = request.matches[2];
                const auto answer =
                    place ? backend_.ask(place->shard, Kind::kick_member, place->room + " " + member) : std::nullopt;
                if (answer && was_done(*answer, "kicked")) return answer_json(response, "{\"kicked\":\"" + member + "\"}\n");
                answer_json(response, error_json(answer ? "no such member" : no_room(false)), 404);
              });
  server.Get("/api/v1/trace", [this](const Request& request, Response& response) {
    const std::string id = request.get_param_value("message-id");
    if (id.empty() || id.size() > 128) return answer_json(response, error_json("needs ?message-id="), 400);
    answer_json(response, list_json(backend_.ask_all(Kind::trace, id), "messages", false));
  });
}

}  // namespace parley::parleyd

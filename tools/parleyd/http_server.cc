// tools/parleyd/http_server.cc - see http_server.h.
#include "tools/parleyd/http_server.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "core/http_head.h"
#include "core/side_thread.h"
#include "core/socket.h"
#include "core/text.h"
#include "core/tls.h"

namespace parley::parleyd {
namespace {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;

constexpr std::uint32_t requests_per_connection_max = 1000;
constexpr std::chrono::seconds linger{1};            // for the other side to read the last answer
constexpr std::chrono::seconds stop_time{3};         // for what is being answered
constexpr std::chrono::milliseconds no_accept{100};  // after it failed for want of descriptors
constexpr std::size_t piece_bytes = 16 * 1024;

struct Conn {
  enum class State : std::uint8_t { reading, answering, writing, lingering };
  ~Conn() {
    if (ssl != nullptr) ::SSL_free(ssl);
    if (fd >= 0) ::close(fd);
  }
  std::uint64_t id = 0;
  int fd = -1;
  SSL* ssl = nullptr;
  std::shared_ptr<core::TlsContext> tls;
  core::Address remote;
  State state = State::reading;
  core::HttpHeadReader reader{core::HttpHeadReader::Kind::request};
  std::string in;
  std::string out;
  std::size_t out_at = 0;
  bool close = false;          // behind the answer
  bool is_head = false;        // HEAD: the answer has no body
  bool told_continue = false;  // 100
  bool wants_write = false;    // TLS has to write before it can go on reading
  std::uint32_t served = 0;
  TimePoint deadline;
};

struct Task {
  std::uint64_t conn = 0;
  HttpAsked asked;
};
struct Done {
  std::uint64_t conn = 0;
  HttpAnswer answer;
};

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
  return {text.data(), size};
}

std::string source_of(const core::Address& address) {
  core::Address plain = core::unmapped(address);
  if (plain.family == core::Address::Family::v6) std::fill(plain.ip.begin() + 8, plain.ip.end(), std::uint8_t{0});
  return core::ip_to_string(plain);
}

}  // namespace

std::string_view http_reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Answer";
  }
}

const std::string* HttpAsked::header(std::string_view name) const {
  for (const auto& [header, value] : headers) {
    if (core::equal_ignore_case(header, name)) return &value;
  }
  return nullptr;
}

std::string HttpAsked::list(std::string_view name) const {
  std::string all;
  for (const auto& [header, value] : headers) {
    if (!core::equal_ignore_case(header, name)) continue;
    if (!all.empty()) all += ", ";
    all += value;
  }
  return all;
}

struct HttpServer::State {
  HttpServerConfig config;
  Handler handler;
  struct Listener {
    int fd = -1;
    bool secure = false;
  };
  std::vector<Listener> listeners;
  int event_fd = -1;
  std::thread mover;
  std::vector<std::thread> answerers;
  std::atomic<bool> stopping{false};

  std::mutex tls_mutex;
  std::shared_ptr<core::TlsContext> tls;

  std::mutex mutex;  // of these
  std::condition_variable work;
  std::deque<Task> tasks;  // at most one of each connection
  std::vector<Done> done;
  bool over = false;

  // Of the moving thread alone.
  std::map<std::uint64_t, std::unique_ptr<Conn>> conns;
  std::map<std::string, std::uint32_t> sources;
  std::uint64_t next_id = 1;
  TimePoint accept_again{};

  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refused_connections{0};
  std::atomic<std::uint64_t> refused_source{0};
  std::atomic<std::uint64_t> refused_body{0};
  std::atomic<std::uint64_t> refused_head{0};
  std::atomic<std::uint64_t> bad{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> tls_failures{0};

  void answer_all();
  void move_all();
  void turn();
  void accept_from(const Listener& listener);
  void drop(std::uint64_t id);
  // What there is to read, to be written, to be understood. False: the connection is over.
  [[nodiscard]] bool read(Conn& conn);
  [[nodiscard]] bool write(Conn& conn);
  [[nodiscard]] bool understand(Conn& conn);
  [[nodiscard]] bool refuse(Conn& conn, int status);
  [[nodiscard]] bool begin_answer(Conn& conn, const HttpAnswer& answer);
  [[nodiscard]] bool tls_goes_on(Conn& conn, int result);
  void take_answers();
  [[nodiscard]] TimePoint after(core::Duration time) const {
    return SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(time);
  }
};

// --- answering

void HttpServer::State::answer_all() {
  core::begin_side_thread("xcap");
  for (;;) {
    Task task;
    {
      std::unique_lock lock(mutex);
      work.wait(lock, [this] { return over || !tasks.empty(); });
      if (tasks.empty()) return;
      task = std::move(tasks.front());
      tasks.pop_front();
    }
    HttpAnswer answer = handler(task.asked);
    {
      const std::lock_guard lock(mutex);
      done.push_back({task.conn, std::move(answer)});
    }
    ::eventfd_write(event_fd, 1);
  }
}

// --- moving bytes

void HttpServer::State::move_all() {
  core::begin_side_thread("xcap io");
  std::optional<TimePoint> ends;
  for (;;) {
    if (stopping.load()) {
      if (!ends) ends = SteadyClock::now() + stop_time;
      const bool busy = std::any_of(conns.begin(), conns.end(), [](const auto& each) {
        return each.second->state == Conn::State::answering || each.second->state == Conn::State::writing;
      });
      if (!busy || SteadyClock::now() >= *ends) break;
    }
    turn();
  }
  conns.clear();
  connections.store(0);
}

void HttpServer::State::turn() {
  std::vector<pollfd> watched = {{event_fd, POLLIN, 0}};
  const TimePoint now = SteadyClock::now();
  const bool accepts = !stopping.load() && now >= accept_again;
  if (accepts) {
    for (const Listener& listener : listeners) watched.push_back({listener.fd, POLLIN, 0});
  }
  const std::size_t first = watched.size();
  std::vector<std::uint64_t> ids;
  TimePoint next = accepts ? now + std::chrono::seconds(10) : now + no_accept;
  for (const auto& [id, conn] : conns) {
    if (conn->state == Conn::State::answering) continue;
    const bool writes = conn->state == Conn::State::writing || conn->wants_write;
    watched.push_back({conn->fd, static_cast<short>(writes ? POLLOUT : POLLIN), 0});
    ids.push_back(id);
    next = std::min(next, conn->deadline);
  }
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::max(next - now, SteadyClock::duration::zero()));
  (void)::poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
  eventfd_t seen = 0;
  if (watched[0].revents != 0) (void)::eventfd_read(event_fd, &seen);
  take_answers();
  for (std::size_t n = 1; n < first; ++n) {
    if (watched[n].revents != 0) accept_from(listeners[n - 1]);
  }
  const TimePoint later = SteadyClock::now();
  for (std::size_t n = 0; n < ids.size(); ++n) {
    const auto found = conns.find(ids[n]);
    if (found == conns.end() || found->second->state == Conn::State::answering) continue;
    Conn& conn = *found->second;
    bool lives = true;
    if (later >= conn.deadline) {  // also for who sends all the time
      // Between two requests, and behind the last one, it is nobody's fault.
      const bool idle = conn.state == Conn::State::lingering || (conn.in.empty() && conn.served != 0);
      if (conn.state == Conn::State::writing || !idle) timeouts.fetch_add(1);
      lives = false;
    } else if (watched[first + n].revents != 0) {
      lives = conn.state == Conn::State::writing ? write(conn) : read(conn);
    }
    if (!lives) drop(ids[n]);
  }
}

void HttpServer::State::accept_from(const Listener& listener) {
  for (int n = 0; n < 64; ++n) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    const int fd = ::accept4(listener.fd, reinterpret_cast<sockaddr*>(&storage), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        accept_again = SteadyClock::now() + no_accept;
      }
      return;
    }
    auto conn = std::make_unique<Conn>();
    conn->fd = fd;
    conn->remote = core::from_sockaddr(storage);
    if (conns.size() >= config.connections_max) {
      refused_connections.fetch_add(1);
      continue;
    }
    std::uint32_t& of_source = sources[source_of(conn->remote)];
    if (!core::is_loopback(core::unmapped(conn->remote)) && of_source >= config.per_source_max) {
      refused_source.fetch_add(1);
      continue;
    }
    if (listener.secure) {
      const std::lock_guard lock(tls_mutex);
      conn->tls = tls;
      conn->ssl = tls == nullptr ? nullptr : ::SSL_new(tls->get());
      if (conn->ssl == nullptr || ::SSL_set_fd(conn->ssl, fd) != 1) {
        tls_failures.fetch_add(1);
        if (of_source == 0) sources.erase(source_of(conn->remote));
        continue;
      }
      ::SSL_set_mode(conn->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
      ::SSL_set_accept_state(conn->ssl);
    }
    ++of_source;
    conn->id = next_id++;
    conn->deadline = after(config.request_time);
    accepted.fetch_add(1);
    conns.emplace(conn->id, std::move(conn));
    connections.store(conns.size());
  }
}

void HttpServer::State::drop(std::uint64_t id) {
  const auto found = conns.find(id);
  const auto source = sources.find(source_of(found->second->remote));
  if (source != sources.end() && --source->second == 0) sources.erase(source);
  conns.erase(found);
  connections.store(conns.size());
}

bool HttpServer::State::tls_goes_on(Conn& conn, int result) {
  const int why = ::SSL_get_error(conn.ssl, result);
  ::ERR_clear_error();
  conn.wants_write = why == SSL_ERROR_WANT_WRITE;
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return true;
  if (why != SSL_ERROR_ZERO_RETURN && ::SSL_is_init_finished(conn.ssl) == 0) tls_failures.fetch_add(1);
  return false;
}

bool HttpServer::State::read(Conn& conn) {
  std::array<char, piece_bytes> piece;
  const std::size_t most = core::http_head_bytes_max + std::size_t{config.body_bytes_max} + piece_bytes;
  // What is thrown away is no reason to keep others waiting.
  for (std::size_t thrown = 0; conn.in.size() < most && thrown < most;) {
    std::ptrdiff_t got = 0;
    if (conn.ssl != nullptr) {
      ::ERR_clear_error();
      got = ::SSL_read(conn.ssl, piece.data(), static_cast<int>(piece.size()));
      if (got <= 0) {
        if (!tls_goes_on(conn, static_cast<int>(got))) return false;
        break;
      }
      conn.wants_write = false;
    } else {
      got = ::recv(conn.fd, piece.data(), piece.size(), 0);
      if (got == 0) return false;
      if (got < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) return false;
        break;
      }
    }
    if (conn.state == Conn::State::lingering) {
      thrown += static_cast<std::size_t>(got);
      continue;
    }
    if (conn.in.empty()) conn.deadline = after(config.request_time);
    conn.in.append(piece.data(), static_cast<std::size_t>(got));
  }
  return conn.state == Conn::State::lingering || understand(conn);
}

bool HttpServer::State::refuse(Conn& conn, int status) {
  (status == 413 ? refused_body : status == 431 ? refused_head : bad).fetch_add(1);
  conn.close = true;
  return begin_answer(conn, {.status = status});
}

bool HttpServer::State::understand(Conn& conn) {
  if (conn.state != Conn::State::reading || conn.in.empty()) return true;
  switch (conn.reader.read(conn.in)) {
    case core::HttpProgress::need_more: return true;
    case core::HttpProgress::bad: return refuse(conn, 400);
    case core::HttpProgress::too_long: return refuse(conn, 431);
    case core::HttpProgress::done: break;
  }
  const core::HttpHead& head = conn.reader.head();
  const std::string_view bytes = conn.in;
  conn.is_head = head.method.of(bytes) == "HEAD";
  if (head.version != 10 && head.version != 11) return refuse(conn, 505);
  const bool modern = head.version == 11;
  if (head.find("Host", bytes).count > 1 || (modern && head.find("Host", bytes).count == 0)) return refuse(conn, 400);
  if (head.find("Transfer-Encoding", bytes).count != 0) return refuse(conn, 411);
  const core::HttpHead::Found length = head.find("Content-Length", bytes);
  std::uint64_t body = 0;
  for (const char c : length.value) {
    if (c < '0' || c > '9' || body > 0xffff'ffffU) return refuse(conn, 400);
    body = body * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (length.count > 1 || (length.count == 1 && length.value.empty())) return refuse(conn, 400);
  if (body > config.body_bytes_max) return refuse(conn, 413);
  if (bytes.size() < head.length + body) {
    const auto expects = head.list_element("Expect", "100-continue", core::HttpHead::Case::ignored, bytes);
    if (modern && expects.data() != nullptr && !conn.told_continue) {
      conn.told_continue = true;
      static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      // A client that does not take these few bytes goes on after a while by itself.
      if (conn.ssl != nullptr) {
        ::ERR_clear_error();
        (void)::SSL_write(conn.ssl, go_on.data(), static_cast<int>(go_on.size()));
        ::ERR_clear_error();
      } else {
        (void)::send(conn.fd, go_on.data(), go_on.size(), MSG_NOSIGNAL);
      }
    }
    return true;
  }
  const auto none = std::string_view{}.data();
  const bool wants_close =
      head.list_element("Connection", "close", core::HttpHead::Case::ignored, bytes).data() != none;
  const bool wants_more =
      head.list_element("Connection", "keep-alive", core::HttpHead::Case::ignored, bytes).data() != none;
  conn.close = wants_close || (!modern && !wants_more) || ++conn.served >= requests_per_connection_max;
  Task task{.conn = conn.id, .asked = {}};
  task.asked.method = head.method.of(bytes);
  task.asked.target = head.target.of(bytes);
  for (std::size_t n = 0; n < head.header_count; ++n) {
    task.asked.headers.emplace_back(head.headers[n].name.of(bytes), head.headers[n].value.of(bytes));
  }
  task.asked.body = bytes.substr(head.length, body);
  task.asked.remote = core::unmapped(conn.remote);
  task.asked.secure = conn.ssl != nullptr;
  conn.in.erase(0, head.length + body);
  conn.reader = core::HttpHeadReader(core::HttpHeadReader::Kind::request);
  conn.told_continue = false;
  conn.state = Conn::State::answering;
  requests.fetch_add(1);
  {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
  }
  work.notify_one();
  return true;
}

void HttpServer::State::take_answers() {
  std::vector<Done> answers;
  {
    const std::lock_guard lock(mutex);
    answers.swap(done);
  }
  for (const Done& each : answers) {
    const auto found = conns.find(each.conn);
    if (found != conns.end() && !begin_answer(*found->second, each.answer)) drop(each.conn);
  }
}

bool HttpServer::State::begin_answer(Conn& conn, const HttpAnswer& answer) {
  if (stopping.load()) conn.close = true;
  std::string& out = conn.out;
  out = "HTTP/1.1 " + std::to_string(answer.status) + " ";
  out.append(http_reason(answer.status)).append("\r\nDate: ").append(date_text()).append("\r\nServer: parley\r\n");
  for (const auto& [name, value] : answer.headers) out.append(name).append(": ").append(value).append("\r\n");
  if (answer.status != 304) out.append("Content-Length: ").append(std::to_string(answer.body.size())).append("\r\n");
  if (conn.close) out.append("Connection: close\r\n");
  out.append("\r\n");
  if (!conn.is_head && answer.status != 304) out.append(answer.body);
  conn.out_at = 0;
  conn.state = Conn::State::writing;
  conn.deadline = after(config.request_time);
  return write(conn);
}

bool HttpServer::State::write(Conn& conn) {
  while (conn.out_at < conn.out.size()) {
    const char* const from = conn.out.data() + conn.out_at;
    const std::size_t left = conn.out.size() - conn.out_at;
    std::ptrdiff_t sent = 0;
    if (conn.ssl != nullptr) {
      ::ERR_clear_error();
      sent = ::SSL_write(conn.ssl, from, static_cast<int>(std::min<std::size_t>(left, 1 << 20)));
      if (sent <= 0) return tls_goes_on(conn, static_cast<int>(sent));
    } else {
      sent = ::send(conn.fd, from, left, MSG_NOSIGNAL);
      if (sent < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN || errno == EWOULDBLOCK;
      }
    }
    conn.out_at += static_cast<std::size_t>(sent);
  }
  conn.out.clear();
  conn.wants_write = false;
  if (conn.close) {
    // What is still coming is read and thrown away for a moment: a reset could overtake the answer.
    if (conn.ssl != nullptr) (void)::SSL_shutdown(conn.ssl);
    ::ERR_clear_error();
    ::shutdown(conn.fd, SHUT_WR);
    conn.state = Conn::State::lingering;
    conn.in.clear();
    conn.deadline = SteadyClock::now() + linger;
    return true;
  }
  conn.state = Conn::State::reading;
  conn.deadline = after(conn.in.empty() ? config.idle_time : config.request_time);
  return understand(conn);
}

// --- the outside

HttpServer::HttpServer(HttpServerConfig config, Handler handler) : state_(std::make_unique<State>()) {
  state_->config = config;
  state_->handler = std::move(handler);
}

HttpServer::~HttpServer() {
  stop();
  for (const State::Listener& listener : state_->listeners) ::close(listener.fd);
  if (state_->event_fd >= 0) ::close(state_->event_fd);
}

std::string HttpServer::listen(const core::Address& address, bool secure, core::Address& bound) {
  const core::Listening listening = core::listen_tcp(address, false);
  if (listening.fd < 0) return listening.error;
  bound = listening.bound;
  (void)::fcntl(listening.fd, F_SETFL, O_NONBLOCK);
  state_->listeners.push_back({listening.fd, secure});
  return "";
}

void HttpServer::set_tls(std::shared_ptr<core::TlsContext> context) {
  const std::lock_guard lock(state_->tls_mutex);
  state_->tls = std::move(context);
}

void HttpServer::start() {
  state_->event_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  for (std::uint32_t n = 0; n < state_->config.threads; ++n) {
    state_->answerers.emplace_back([state = state_.get()] { state->answer_all(); });
  }
  state_->mover = std::thread([state = state_.get()] { state->move_all(); });
}

void HttpServer::stop() {
  if (!state_->mover.joinable()) return;
  state_->stopping.store(true);
  ::eventfd_write(state_->event_fd, 1);
  state_->mover.join();
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
    state_->tasks.clear();
  }
  state_->work.notify_all();
  for (std::thread& thread : state_->answerers) thread.join();
}

HttpCounts HttpServer::counts() const {
  const State& s = *state_;
  return {.connections = s.connections.load(),
          .accepted = s.accepted.load(),
          .requests = s.requests.load(),
          .refused_connections = s.refused_connections.load(),
          .refused_source = s.refused_source.load(),
          .refused_body = s.refused_body.load(),
          .refused_head = s.refused_head.load(),
          .bad = s.bad.load(),
          .timeouts = s.timeouts.load(),
          .tls_failures = s.tls_failures.load()};
}

}  // namespace parley::parleyd

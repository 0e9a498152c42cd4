// tools/compare/fanout/fanout_load.cc - members and a publisher for servers that are no chat rooms: Redis (PUBLISH to
// subscribers), fanout_loop and fanout_ends. Closed loop: the next burst goes when every member has the last one.
#include <sys/epoll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "tools/parley-load/clock.h"
#include "tools/parley-load/histogram.h"
#include "tools/parley-load/process.h"
#include "tools/parley-load/report_parts.h"
#include "tools/parley-load/server_cpu.h"
#include "tools/parley-load/stream.h"

namespace {

using namespace parley::load;

struct Options {
  std::string protocol;
  std::string server;
  uint32_t members = 1000;
  uint32_t bytes = 200;
  uint32_t burst = 1;
  double duration_s = 5;
  double warmup_s = 1;
  int cpu = -1;
  std::vector<int> pids;
  std::string json;
  std::string uris;     // ends: of the members and the publisher
  bool answer = false;  // ends: with 200
};

constexpr size_t tid_bytes = 24;  // of parleyd's transactions

struct Member {
  Stream stream;
  uint64_t received = 0;
  std::string uri;                 // ends
  std::string peer;
  char head[5 + tid_bytes] = {};   // of the message that is arriving: "MSRP tid"
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "fanout_load: %s\n", what.c_str());
  std::exit(2);
}

void write_all(Stream& stream, std::string_view bytes) {
  while (!bytes.empty()) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    const ssize_t taken = stream.writev(&piece, 1);
    if (taken < 0) fail("the server closed the connection");
    bytes.remove_prefix(static_cast<size_t>(taken));
  }
}

void connect(Stream& stream, const Address& server) {
  if (!stream.connect(server, nullptr)) fail("cannot connect");
  for (int tries = 0; stream.establish() != Stream::Step::done; ++tries) {
    if (tries > 10'000) fail("cannot connect");
    usleep(100);
  }
}

std::string redis(std::initializer_list<std::string_view> words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string_view word : words)
    out += "$" + std::to_string(word.size()) + "\r\n" + std::string(word) + "\r\n";
  return out;
}

// Bytes of one message at a member, measured: what the first one brought.
class Load {
 public:
  explicit Load(const Options& options) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(256 * 1024) {
    std::ifstream file(options.uris);
    for (std::string line; std::getline(file, line);) uris_.push_back(line);
    if (is_ends() && uris_.size() < options.members + 1) fail("--uris: too few");
  }

  void run() {
    Address server;
    if (!parse_address(options_.server, server)) fail("--server: HOST:PORT expected");
    const bool is_redis = options_.protocol == "redis";
    for (uint32_t n = 0; n < options_.members; ++n) {
      members_.push_back(std::make_unique<Member>());
      Member& member = *members_.back();
      connect(member.stream, server);
      if (is_ends()) bind(member, n);
      if (is_redis) {
        write_all(member.stream, redis({"SUBSCRIBE", "room"}));
        std::string answer;
        while (!answer.ends_with(":1\r\n")) {
          char text[256];
          const ssize_t got = member.stream.read(text, sizeof text);
          if (got < 0) fail("closed");
          answer.append(text, static_cast<size_t>(got));
        }
      }
      epoll_event event{.events = EPOLLIN, .data = {.ptr = &member}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, member.stream.fd(), &event);
    }
    connect(publisher_.stream, server);
    const std::string body(options_.bytes, 'x');
    std::string one = is_redis ? redis({"PUBLISH", "room", body}) : body;
    if (is_ends()) {
      bind(publisher_, options_.members);
      one = "MSRP d93kswow8s7de SEND\r\nTo-Path: " + publisher_.uri + "\r\nFrom-Path: " + publisher_.peer +
            "\r\nMessage-ID: 01234567.0.0.00000001\r\nFailure-Report: no\r\nContent-Type: message/cpim\r\n\r\n" + body +
            "\r\n-------d93kswow8s7de$\r\n";
    }
    message_bytes_ = first_message(one);
    for (uint32_t n = 0; n < options_.burst; ++n) burst_ += one;

    ServerWatch watch(options_.pids);
    watch.refresh();
    beats_until(now_ns() + static_cast<uint64_t>(options_.warmup_s * 1e9));
    delivered_ = 0;
    latency_ = Histogram();
    const ServerSample begin = watch.sample();
    const uint64_t own = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const uint64_t start = now_ns();
    beats_until(start + static_cast<uint64_t>(options_.duration_s * 1e9));
    const ServerSample end = watch.sample();
    const double deliveries = static_cast<double>(delivered_);
    const double seconds = static_cast<double>(now_ns() - start) / 1e9;
    if (!begin.ok || !end.ok) fail("--server-pid: cannot be read");
    (void)write_json_text({{"server_us_per_delivery", static_cast<double>(end.cpu_ns - begin.cpu_ns) / 1000 / deliveries},
                           {"own_us_per_delivery", static_cast<double>(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - own) / 1000 / deliveries},
                           {"deliveries_per_s", deliveries / seconds},
                           {"message_bytes", message_bytes_},
                           {"delivery_us", latency_json(latency_)},
                           {"wrong", nlohmann::json::array()}},
                          options_.json);
  }

 private:
  [[nodiscard]] bool is_ends() const { return options_.protocol == "ends"; }

  // RFC 4975 section 5.4: a SEND without a body, and its 200.
  void bind(Member& member, uint32_t number) {
    char peer[64];
    std::snprintf(peer, sizeof peer, "msrp://127.0.0.1:9/m%06u;tcp", number);
    member.peer = peer;
    member.uri = uris_[number];
    write_all(member.stream, "MSRP bind SEND\r\nTo-Path: " + member.uri + "\r\nFrom-Path: " + member.peer + "\r\n-------bind$\r\n");
    std::string answer;
    while (!answer.ends_with("-------bind$\r\n")) {
      char text[512];
      const ssize_t got = member.stream.read(text, sizeof text);
      if (got < 0) fail("closed");
      answer.append(text, static_cast<size_t>(got));
    }
    if (!answer.starts_with("MSRP bind 200")) fail(answer);
  }

  // The same length for all messages: what has come of the last one ends where that says. Each gets its 200.
  void answer(Member& member, const char* bytes, size_t count) {
    std::string answers;
    for (size_t done = 0; done < count;) {
      const size_t at = (member.received + done) % message_bytes_;
      const size_t part = std::min(count - done, message_bytes_ - at);
      for (size_t i = at; i < std::min(sizeof member.head, at + part); ++i) member.head[i] = bytes[done + i - at];
      done += part;
      if (at + part != message_bytes_) break;
      const std::string_view tid(member.head + 5, tid_bytes);
      answers.append("MSRP ").append(tid).append(" 200 OK\r\nTo-Path: ").append(member.uri).append("\r\nFrom-Path: ");
      answers.append(member.peer).append("\r\n-------").append(tid).append("$\r\n");
    }
    if (!answers.empty()) write_all(member.stream, answers);
  }

  uint64_t first_message(const std::string& one) {
    write_all(publisher_.stream, one);
    const uint64_t quiet = now_ns() + kNsPerSecond;  // a second is long enough for all of one message
    while (now_ns() < quiet) turn(UINT64_MAX, 50);
    const uint64_t bytes = members_[0]->received;
    for (const auto& member : members_) {
      if (member->received != bytes || bytes == 0) fail("members got different messages");
      member->received = 0;
    }
    return bytes;
  }

  // How many members have become complete.
  uint32_t turn(uint64_t wanted, int wait_ms) {
    epoll_event events[512];
    const int count = epoll_wait(epoll_, events, 512, wait_ms);
    const uint64_t now = now_ns();
    uint32_t complete = 0;
    for (int n = 0; n < count; ++n) {
      Member& member = *static_cast<Member*>(events[n].data.ptr);
      const ssize_t got = member.stream.read(buffer_.data(), buffer_.size());
      if (got < 0) fail("the server closed a member's connection");
      if (wanted != UINT64_MAX) {
        const uint64_t whole = (member.received % message_bytes_ + static_cast<uint64_t>(got)) / message_bytes_;
        delivered_ += whole;
        for (uint64_t i = 0; i < whole; ++i) latency_.record(now - sent_ns_);
      }
      if (options_.answer && wanted != UINT64_MAX) answer(member, buffer_.data(), static_cast<size_t>(got));
      member.received += static_cast<uint64_t>(got);
      if (member.received > wanted) fail("more than was published");
      complete += member.received == wanted;
    }
    while (options_.protocol == "redis") {  // how many it went to
      const ssize_t got = publisher_.stream.read(buffer_.data(), buffer_.size());
      if (got < 0) fail("closed");
      if (got == 0) break;
    }
    return complete;
  }

  void beats_until(uint64_t deadline) {
    while (now_ns() < deadline) {
      for (const auto& member : members_) member->received = 0;
      sent_ns_ = now_ns();
      write_all(publisher_.stream, burst_);
      for (uint32_t left = options_.members; left > 0;) left -= turn(options_.burst * message_bytes_, 100);
    }
  }

  const Options& options_;
  int epoll_;
  std::vector<char> buffer_;
  std::vector<std::unique_ptr<Member>> members_;
  Member publisher_;
  std::vector<std::string> uris_;
  std::string burst_;
  uint64_t message_bytes_ = 1;
  uint64_t sent_ns_ = 0;
  uint64_t delivered_ = 0;
  Histogram latency_;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app{"fanout_load: members and a publisher, for servers that are no chat rooms"};
  app.add_option("--protocol", o.protocol, "redis, loop or ends")->required()->check(CLI::IsMember({"redis", "loop", "ends"}));
  app.add_option("--server", o.server, "HOST:PORT")->required();
  app.add_option("--members", o.members)->check(CLI::Range(1U, 100'000U));
  app.add_option("--size", o.bytes)->check(CLI::Range(1U, 60'000U));
  app.add_option("--burst", o.burst)->check(CLI::Range(1U, 1024U));
  app.add_option("--duration", o.duration_s);
  app.add_option("--warmup", o.warmup_s);
  app.add_option("--cpu", o.cpu);
  app.add_option("--server-pid", o.pids)->required();
  app.add_option("--json", o.json)->required();
  app.add_option("--uris", o.uris, "ends: the file that fanout_ends wrote");
  app.add_flag("--answer", o.answer, "ends: 200 to each SEND");
  CLI11_PARSE(app, argc, argv);
  raise_fd_limit();
  if (o.cpu >= 0) pin(o.cpu);
  Load(o).run();
  return 0;
}

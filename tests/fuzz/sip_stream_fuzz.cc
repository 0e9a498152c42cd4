// tests/fuzz/sip_stream_fuzz.cc - SIP messages out of a stream: cut anywhere they are the same, over TCP the ones that
// a reader of lines finds, over WebSocket one a message; what is kept of incomplete ones is counted and within bounds.
//
// Input: a byte of flags, one byte n, n distances between cuts (a byte each), then the stream.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "sip/transport.h"
#include "tests/fuzz/cost.h"
#include "tests/sip/slow_head.h"

namespace {

using namespace parley;
using core::Metric;
using sip::Received;
using sip::Verdict;

constexpr std::uint8_t websocket_flag = 1;
constexpr std::uint8_t small_flag = 2;
// Byte by byte costs a step of the transport each; longer inputs are cut less.
constexpr std::size_t trickled_bytes_max = 2048;

constexpr std::string_view upgrade =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n";

std::shared_ptr<const sip::TransportConfig> config_of(std::uint8_t flags) {
  auto config = std::make_shared<sip::TransportConfig>();
  const auto transport = (flags & websocket_flag) != 0 ? core::Transport::ws : core::Transport::tcp;
  config->listeners = {{transport, "h", 5060, {}}};
  config->connections_max = 4;
  if ((flags & small_flag) != 0) {
    config->head = {.head_bytes_max = 600, .headers_max = 9};
    config->stream_message_bytes_max = 900;
  }
  return config;
}

struct Told {
  bool lost = false;
  std::string line;   // the verdict
  std::string bytes;  // of a message whose end was found
};

// One connection. What it writes and whether it was closed is noted.
class Line {
 public:
  explicit Line(std::uint8_t flags)
      : transport_({.shard = 0, .pool = pool_, .metrics = metrics_, .config = config_of(flags)}) {
    core::PeerInfo peer;
    peer.transport = transport_.config().listeners[0].transport;
    core::Input input;
    input.kind = core::Input::Kind::opened;
    input.conn = conn;
    input.peer = &peer;
    step(input, nullptr);
    if ((flags & websocket_flag) != 0) feed(upgrade, nullptr);
    written_bytes_ = 0;
  }
  ~Line() {
    if (!closed_) {
      core::Input input;
      input.kind = core::Input::Kind::closed;
      input.conn = conn;
      step(input, nullptr);
    }
    CHECK(metrics_.get(Metric::sip_partial_bytes) == 0);
    CHECK(metrics_.get(Metric::sip_connections) == 0);
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void feed(std::string_view bytes, std::vector<Told>* story) {
    if (closed_ || bytes.empty()) return;
    const core::BufferId block = pool_.take_heap(static_cast<std::uint32_t>(bytes.size()));
    CHECK(block != core::no_buffer);
    std::copy(bytes.begin(), bytes.end(), pool_.data(block));
    core::Input input;
    input.kind = core::Input::Kind::bytes;
    input.conn = conn;
    input.slice = {block, 0, static_cast<std::uint32_t>(bytes.size())};
    step(input, story);
    pool_.release(block);
  }
  [[nodiscard]] std::uint64_t messages() const {
    return metrics_.get(Metric::sip_requests) + metrics_.get(Metric::sip_responses) + metrics_.get(Metric::sip_others);
  }
  [[nodiscard]] std::uint64_t keep_alives() const { return metrics_.get(Metric::sip_keep_alives); }
  [[nodiscard]] std::uint64_t partial_bytes() const { return metrics_.get(Metric::sip_partial_bytes); }
  [[nodiscard]] std::uint64_t written_bytes() const { return written_bytes_; }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  static constexpr core::ConnId conn{0, 1};

  void step(const core::Input& input, std::vector<Told>* story) {
    transport_.begin({core::Instant{} + std::chrono::hours(1), 0}, out_);
    transport_.take(input);
    while (const Received* const message = transport_.next()) {
      CHECK(!closed_);
      if (story != nullptr) tell(*message, *story);
    }
    sip::Flow gone;
    while (transport_.next_gone(gone)) closed_ = true;
    transport_.end();
    for (const core::Output& output : out_.outputs()) {
      if (output.kind != core::Output::Kind::send) continue;
      written_bytes_ += output.slice.length;
      pool_.release(output.slice.buffer);
    }
    out_.clear();
  }

  static void tell(const Received& message, std::vector<Told>& story) {
    const Verdict& verdict = message.verdict;
    Told told{.lost = verdict.lost_in_stream, .line = {}, .bytes = {}};
    told.line = std::to_string(static_cast<int>(verdict.kind)) + ' ' + std::to_string(verdict.status) + ' ' +
                std::string(verdict.reason) + ' ' + std::string(to_string(message.head.error)) + ' ' +
                std::to_string(message.head.header_count) + ' ' + std::to_string(message.body.size());
    if (!told.lost) told.bytes = std::string(message.bytes);
    CHECK(message.bytes.empty() || !message.bytes.starts_with("\r\n"));
    story.push_back(told);
  }

  core::Pool pool_{{.small_count = 1, .large_count = 1, .arena_count = 4, .heap_bytes_max = 64 << 20}};
  core::Metrics metrics_;
  core::Outbox out_{pool_};
  sip::Transport transport_;
  std::uint64_t written_bytes_ = 0;
  bool closed_ = false;
};

bool same(const std::vector<Told>& a, const std::vector<Told>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Told& x, const Told& y) {
    return x.lost == y.lost && x.line == y.line && x.bytes == y.bytes;
  });
}

void show(const char* name, const std::vector<Told>& story) {
  for (const Told& told : story)
    std::fprintf(stderr, "%s: %s, %zu bytes\n", name, told.line.c_str(), told.bytes.size());
}

// The messages that a reader of lines finds, up to the first one whose end it cannot tell.
struct Plain {
  std::vector<std::string> messages;
  bool lost = false;  // the last one was such
};

Plain plain_messages(std::string stream) {
  Plain plain;
  for (;;) {
    while (!stream.empty() && (stream.front() == '\n' || stream.compare(0, 2, "\r\n") == 0))
      stream.erase(0, stream.front() == '\n' ? 1 : 2);
    const tests::SlowSipHead head = tests::slow_sip_head(stream);
    if (head.outcome == tests::SlowSipHead::Outcome::need_more) return plain;
    plain.lost = head.outcome == tests::SlowSipHead::Outcome::not_sip;
    std::string length;
    for (const auto& [name, value] : head.headers) {
      std::string lower;
      for (const char c : name) lower += core::lower(c);
      if (lower != "content-length" && lower != "l") continue;
      std::string digits = value;
      if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) plain.lost = true;
      digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
      if (digits.size() > 9 || (!length.empty() && length != '0' + digits)) plain.lost = true;
      length = '0' + digits;
    }
    if (plain.lost) return plain;
    const std::size_t total = head.length + (length.empty() ? 0 : std::stoul(length));
    if (total > stream.size()) return plain;
    plain.messages.push_back(stream.substr(0, total));
    stream.erase(0, total);
  }
}

void check_plain(const std::vector<Told>& story, const Plain& plain) {
  for (std::size_t i = 0; i < plain.messages.size(); ++i) {
    CHECK(i < story.size());
    if (story[i].lost) return;  // a limit
    CHECK(story[i].bytes == plain.messages[i]);
  }
  CHECK(story.size() <= plain.messages.size() + 1);
  if (story.size() > plain.messages.size()) CHECK(story.back().lost);
  if (plain.lost) CHECK(story.size() > plain.messages.size());
}

// Nobody looks at the messages: what is measured is the transport alone.
void check_cost(std::string_view stream, std::uint8_t flags, std::size_t piece_bytes) {
  Line line(flags);
  const tests::Cost cost(stream.size());
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
    line.feed(stream.substr(at, piece_bytes), nullptr);
    CHECK(line.partial_bytes() <= stream.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint8_t flags = data[0];
  const std::size_t cuts = std::min<std::size_t>(data[1] % 32, size - 2);
  const std::string_view stream(reinterpret_cast<const char*>(data + 2 + cuts), size - 2 - cuts);

  std::vector<Told> story;
  Line whole(flags);
  whole.feed(stream, &story);
  CHECK(whole.messages() == story.size());
  CHECK(!whole.closed() || whole.partial_bytes() == 0);
  if ((flags & websocket_flag) == 0) check_plain(story, plain_messages(std::string(stream)));

  const auto check_cut = [&](const std::vector<Told>& cut_story, const Line& line) {
    if (!same(cut_story, story)) {
      show("whole", story);
      show("cut", cut_story);
    }
    CHECK(same(cut_story, story));
    CHECK(line.messages() == whole.messages());
    CHECK(line.keep_alives() == whole.keep_alives());
    CHECK(line.written_bytes() == whole.written_bytes());
    CHECK(line.closed() == whole.closed());
  };
  std::vector<Told> cut_story;
  Line cut(flags);
  std::size_t at = 0;
  for (std::size_t i = 0; i < cuts && at < stream.size(); ++i) {
    cut.feed(stream.substr(at, data[2 + i]), &cut_story);
    at += std::min<std::size_t>(data[2 + i], stream.size() - at);
  }
  cut.feed(stream.substr(at), &cut_story);
  check_cut(cut_story, cut);

  std::vector<Told> even_story;
  Line even(flags);
  const std::size_t piece_bytes = stream.size() <= trickled_bytes_max ? 1 : 61;
  for (std::size_t from = 0; from < stream.size(); from += piece_bytes)
    even.feed(stream.substr(from, piece_bytes), &even_story);
  check_cut(even_story, even);

  check_cost(stream, flags, stream.size() + 1);
  check_cost(stream, flags, 509);
  return 0;
}

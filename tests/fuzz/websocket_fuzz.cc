// tests/fuzz/websocket_fuzz.cc - frames cut anywhere tell the same story, and it is the one that wslay tells.
//
// Input: a byte of flags, one byte n, n distances between cuts (a byte each), then the frames.
#include <wslay/wslay.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/websocket.h"
#include "tests/core/websocket_story.h"
#include "tests/fuzz/cost.h"

namespace {

using namespace parley::core;
using parley::tests::WebSocketStory;
using Lines = std::vector<std::string>;

constexpr std::uint8_t client_flag = 1;
constexpr std::uint8_t small_flag = 2;
constexpr std::uint8_t few_frames_flag = 4;

WebSocketConfig config_of(std::uint8_t flags) {
  return {.side = (flags & client_flag) != 0 ? WebSocketConfig::Side::client : WebSocketConfig::Side::server,
          .frames_max = (flags & few_frames_flag) != 0 ? 3U : 0xffffffffU,      // wslay does not count them
          .message_bytes_max = (flags & small_flag) != 0 ? 130U : 64U * 1024};  // wslay counts control frames too
}

// The other reader. It answers by itself: an error shows as the code in its close frame.
class Foreign {
 public:
  explicit Foreign(const WebSocketConfig& config) {
    ::wslay_event_callbacks callbacks{};
    callbacks.recv_callback = receive;
    callbacks.send_callback = send;
    callbacks.genmask_callback = make_mask;
    callbacks.on_msg_recv_callback = message;
    const bool server = config.side == WebSocketConfig::Side::server;
    CHECK((server ? ::wslay_event_context_server_init(&context_, &callbacks, this)
                  : ::wslay_event_context_client_init(&context_, &callbacks, this)) == 0);
    ::wslay_event_config_set_max_recv_msg_length(context_, config.message_bytes_max);
    answers_ = {.side = server ? WebSocketConfig::Side::client : WebSocketConfig::Side::server};
  }
  ~Foreign() { ::wslay_event_context_free(context_); }
  Foreign(const Foreign&) = delete;
  Foreign& operator=(const Foreign&) = delete;

  void feed(std::string_view bytes) {
    input_ = bytes;
    const int result = ::wslay_event_recv(context_);
    if (result != 0) error_ = websocket_code::protocol_error;
    if (result == 0) (void)::wslay_event_send(context_);
    WebSocketStory answers(answers_);
    answers.feed(output_);
    for (const std::string& line : answers.lines()) {
      CHECK(!line.starts_with("error"));
      if (line.starts_with("close") && !closed_) error_ = static_cast<std::uint16_t>(std::stoi(line.substr(6)));
    }
  }
  [[nodiscard]] const Lines& lines() const { return lines_; }
  [[nodiscard]] std::uint16_t error() const { return error_; }

 private:
  static Foreign& self(void* user) { return *static_cast<Foreign*>(user); }
  static ssize_t receive(::wslay_event_context_ptr context, std::uint8_t* to, std::size_t size, int, void* user) {
    std::string_view& input = self(user).input_;
    if (input.empty()) {
      ::wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    const std::size_t taken = std::min(size, input.size());
    std::copy_n(input.begin(), taken, to);
    input.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }
  static ssize_t send(::wslay_event_context_ptr, const std::uint8_t* bytes, std::size_t size, int, void* user) {
    self(user).output_.append(reinterpret_cast<const char*>(bytes), size);
    return static_cast<ssize_t>(size);
  }
  static int make_mask(::wslay_event_context_ptr, std::uint8_t* to, std::size_t size, void*) {
    std::fill_n(to, size, std::uint8_t{0x5a});
    return 0;
  }
  static void message(::wslay_event_context_ptr, const ::wslay_event_on_msg_recv_arg* arg, void* user) {
    Lines& lines = self(user).lines_;
    std::string payload(reinterpret_cast<const char*>(arg->msg), arg->msg_length);
    switch (arg->opcode) {
      case WSLAY_TEXT_FRAME: lines.push_back("text " + payload); break;
      case WSLAY_BINARY_FRAME: lines.push_back("binary " + payload); break;
      case WSLAY_PING: lines.push_back("ping " + payload); break;
      case WSLAY_PONG: lines.push_back("pong " + payload); break;
      default:
        self(user).closed_ = true;
        lines.push_back("close " + std::to_string(arg->status_code == 0 ? 1005 : arg->status_code) + " " +
                        payload.substr(std::min<std::size_t>(payload.size(), 2)));
        break;
    }
  }

  ::wslay_event_context_ptr context_ = nullptr;
  WebSocketConfig answers_;
  std::string_view input_;
  std::string output_;
  Lines lines_;
  bool closed_ = false;
  std::uint16_t error_ = 0;
};

Lines play(std::string_view stream, std::size_t piece_bytes, const WebSocketConfig& config) {
  WebSocketStory story(config);
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes) story.feed(stream.substr(at, piece_bytes));
  return story.lines();
}

void check_cost(std::string_view stream, const WebSocketConfig& config) {
  std::vector<char> block(stream.begin(), stream.end());
  WebSocketReader reader(config);
  const parley::tests::NoMemory measured(stream.size());
  std::span<char> rest(block);
  while (reader.read(rest).kind != WebSocketEvent::Kind::none) continue;
}

bool too_many_frames(const Lines& lines) { return !lines.empty() && lines.back().starts_with("error 1009 too many"); }

// What wslay takes for wrong: codes registered after it was written.
bool late_close_code(const Lines& lines) {
  if (lines.empty()) return false;
  const std::string& last = lines.back();
  return last.starts_with("close 1012") || last.starts_with("close 1013") || last.starts_with("close 1014");
}

void compare(const Lines& ours, std::string_view stream, const WebSocketConfig& config) {
  if (too_many_frames(ours) || late_close_code(ours)) return;
  Foreign foreign(config);
  foreign.feed(stream);
  const bool failed = !ours.empty() && ours.back().starts_with("error");
  // We judge each byte of a frame's header when it comes, wslay the whole header: give it the rest of one.
  if (failed && foreign.error() == 0) foreign.feed(std::string(16, '\0'));
  Lines told = ours;
  if (failed) told.pop_back();
  // RFC 6455 5.5.1: a close frame has no payload or a code of two bytes. wslay takes one byte for none.
  if (failed && ours.back().ends_with(" bad close payload") && foreign.error() == 0) told.push_back("close 1005 ");
  CHECK(foreign.lines() == told);
  if (!failed && foreign.error() != 0) {
    // wslay judges the payload of a close while it comes, we when it has come.
    const Lines later = play(std::string(stream) + std::string(websocket_control_bytes_max, '\0'), 1, config);
    CHECK(later.size() > told.size());
    CHECK(later[told.size()].starts_with("error"));
    return;
  }
  if (!failed || (!told.empty() && told.back().starts_with("close"))) {
    CHECK(foreign.error() == 0);
    return;
  }
  CHECK(foreign.error() != 0);
  // A header with two mistakes: each of us names the one it looks for first.
  const std::string code = ours.back().substr(6, 4);
  CHECK(code == std::to_string(foreign.error()) || code == "1002" || foreign.error() == websocket_code::protocol_error);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const WebSocketConfig config = config_of(data[0]);
  const std::size_t cuts = std::min<std::size_t>(data[1] % 32, size - 2);
  const std::string_view stream(reinterpret_cast<const char*>(data + 2 + cuts), size - 2 - cuts);

  const Lines story = play(stream, stream.size() + 1, config);
  WebSocketStory cut(config);
  std::size_t at = 0;
  for (std::size_t i = 0; i < cuts && at < stream.size(); ++i) {
    cut.feed(stream.substr(at, data[2 + i]));
    at += std::min<std::size_t>(data[2 + i], stream.size() - at);
  }
  cut.feed(stream.substr(at));
  CHECK(cut.lines() == story);
  CHECK(play(stream, 1, config) == story);
  check_cost(stream, config);
  compare(story, stream, config);
  return 0;
}

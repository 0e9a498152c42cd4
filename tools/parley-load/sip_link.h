// tools/parley-load/sip_link.h - a UDP socket that users share or a user's connection, and what one turn sends on it.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/websocket.h"
#include "tools/parley-load/output.h"
#include "tools/parley-load/sip_options.h"
#include "tools/parley-load/stream.h"

namespace parley::load {

struct User;

struct Link {
  enum class State : uint8_t { unused, connecting, upgrading, ready, closed };
  State state = State::unused;
  bool datagrams = false;
  Stream stream;                                     // of a connection
  int socket = -1;                                   // UDP
  User* user = nullptr;                              // of a connection
  std::string address;                               // our end, HOST:PORT
  std::string via;                                   // "SIP/2.0/UDP HOST:PORT;rport;branch=z9hG4bK"
  std::unique_ptr<core::WebSocketReader> websocket;  // null: plain
  std::string websocket_key;
  Backlog backlog;
  std::vector<char> carry;  // the beginning of a message
  uint32_t epoll_mask = 0;

  Link() = default;
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  int fd() const { return datagrams ? socket : stream.fd(); }
  // A socket connected to `to` alone, so that nothing else is read; `from` may be null. False with errno set.
  bool open_datagrams(const Address& to, const Address* from);
  // When connected: says what `address` and `via` are.
  void name_itself(Transport transport);
};

// One per thread. Messages for one link gather until another link's turn comes or there are enough of them.
class SipOutput {
 public:
  SipOutput();
  // Room for one message's head: kSipRoomBytes.
  char* open(Link& link);
  // Head bytes written at open's result; body and tail must outlive the run (pattern memory, constants).
  void close(size_t head_bytes, std::string_view body, std::string_view tail = {});
  // Bytes that are no SIP message: WebSocket's own.
  void raw(Link& link, std::string_view bytes);
  void flush();
  // What a connection could not take before. False: it is broken.
  bool flush_backlog(Link& link) { return batch_.flush_backlog(link.stream, link.backlog); }
  // Links whose connection broke while sending, and links that have a new backlog; the caller takes them away.
  std::vector<Link*> broken;
  std::vector<Link*> waiting;
  uint64_t datagrams_dropped = 0;  // refused by our own kernel

  static constexpr size_t kSipRoomBytes = Batch::kRoomBytesMin;
  static constexpr size_t kBurst = 64;  // datagrams per system call

 private:
  void flush_datagrams();
  core::WebSocketMask next_mask();

  Link* link_ = nullptr;
  Batch batch_;
  std::vector<char> text_;  // heads of datagrams, or one head for a WebSocket frame
  size_t used_ = 0;
  size_t count_ = 0;
  uint64_t mask_state_ = 0;
  std::array<mmsghdr, kBurst> headers_{};
  std::array<std::array<iovec, 3>, kBurst> pieces_{};
};

// One per thread: the datagrams of one system call.
class SipInput {
 public:
  // The largest datagram that can be read whole. The places are an odd number of cache lines apart, lest they all fall
  // into one set of the first-level cache.
  explicit SipInput(size_t datagram_bytes_max);
  // How many came; 0 when nothing is there.
  size_t receive(int socket);
  std::string_view datagram(size_t index) const { return {bytes_.data() + index * stride_, headers_[index].msg_len}; }
  bool truncated(size_t index) const { return (headers_[index].msg_hdr.msg_flags & MSG_TRUNC) != 0; }

  static constexpr size_t kBurst = 64;

 private:
  size_t stride_;
  std::vector<char> bytes_;
  std::array<mmsghdr, kBurst> headers_{};
  std::array<iovec, kBurst> pieces_{};
};

}  // namespace parley::load

// core/mailbox.h - how shards write to each other, and how other threads write to a shard.
//
// Between shards: one bounded ring per (from, to) pair, one writer and one reader each. From other threads (admin, DNS,
// signals): a small locked list per shard, never on the message path. A shard is woken at most once for all that came
// since it last looked: by a message to its ring when both run io_uring, else by its eventfd.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/seam.h"

namespace parley::core {

class TlsContext;
class TlsConn;

// A connection on its way to another shard (seam.h rule 10).
struct Adopted {
  int fd = -1;
  Transport transport = Transport::tcp;
  std::uint16_t listener = 0;
  bool peer_fin = false;
  std::unique_ptr<Address> source;
  std::unique_ptr<TlsConn> tls;
  std::string unused;  // plaintext
  Adopted();
  ~Adopted();  // closes the descriptor
};

// One step of a pipe (seam.h rule 9) on its way to the shard that owns the other end.
struct Mail {
  enum class Kind : std::uint8_t {
    open,      // from: opener's end, served: owned by the mail
    accepted,  // to: opener's end, from: acceptor's end
    refused,   // to: opener's end
    data,      // to, bytes, length: malloc'd, owned by the mail
    credit,    // to, length: bytes the receiver's Worker has consumed
    fin,       // to: no more will come and nothing is read any more, everything before was sent
    abort,     // to
    adopt,     // adopted: owned by the mail
    worker,    // bytes, length: as for data, from one Worker to the other (seam.h rule 12)
  };
  Kind kind = Kind::data;
  bool kept = false;  // worker: ShardMail::kept
  std::uint32_t length = 0;
  ConnId to;
  ConnId from;
  char* bytes = nullptr;
  Adopted* adopted = nullptr;
  PeerInfo* served = nullptr;

  void drop();  // frees what the mail owns
};

// From a thread that is no shard.
struct Post {
  enum class Kind : std::uint8_t { stop, drain, admin, reload, resolved, stored, tls };
  Kind kind = Kind::stop;
  AdminRequest admin{};
  Resolution resolution{};
  std::vector<StoreResult> stored{};
  std::shared_ptr<const ConfigSnapshot> snapshot{};
  // tls: new contexts for connections made from now on; null keeps the old one.
  std::shared_ptr<TlsContext> server_tls{};
  std::shared_ptr<TlsContext> client_tls{};
};

class MailRing {
 public:
  static constexpr std::uint32_t slots = 256;
  [[nodiscard]] bool push(const Mail& mail) {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == slots) return false;
    items_[tail % slots] = mail;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }
  [[nodiscard]] bool pop(Mail& mail) {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    mail = items_[head % slots];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  alignas(64) std::atomic<std::uint32_t> head_{0};
  alignas(64) Mail items_[slots];
};

class Mailboxes {
 public:
  explicit Mailboxes(std::uint32_t shards);
  ~Mailboxes();
  Mailboxes(const Mailboxes&) = delete;
  Mailboxes& operator=(const Mailboxes&) = delete;

  [[nodiscard]] std::uint32_t shards() const { return count_; }
  // By the thread of shard `from`. False: full, keep the mail and try again next turn.
  [[nodiscard]] bool push(std::uint32_t from, std::uint32_t to, const Mail& mail) { return ring(from, to).push(mail); }
  [[nodiscard]] bool pop(std::uint32_t from, std::uint32_t to, Mail& mail) { return ring(from, to).pop(mail); }

  // By any thread; wakes the shard.
  void post(std::uint32_t to, Post post);
  void take_posts(std::uint32_t shard, std::vector<Post>& out);

  // After pushing: true when the caller has to wake `to`; others have done so already otherwise.
  [[nodiscard]] bool announce(std::uint32_t to) { return !boxes_[to].announced.exchange(true); }
  // Before looking: true when somebody has announced something since the last call.
  [[nodiscard]] bool look(std::uint32_t shard) {
    std::atomic<bool>& announced = boxes_[shard].announced;
    return announced.load(std::memory_order_relaxed) && announced.exchange(false);
  }

  [[nodiscard]] int event_fd(std::uint32_t shard) const { return boxes_[shard].event_fd; }
  [[nodiscard]] int ring_fd(std::uint32_t shard) const { return boxes_[shard].ring_fd.load(std::memory_order_relaxed); }
  // By the shard itself: its ring exists (fd) or will be gone (-1).
  void publish_ring(std::uint32_t shard, int fd) { boxes_[shard].ring_fd.store(fd, std::memory_order_relaxed); }

 private:
  struct alignas(64) Box {
    std::atomic<bool> announced{false};
    std::atomic<int> ring_fd{-1};
    int event_fd = -1;
    std::mutex mutex;
    std::vector<Post> posts;
  };
  MailRing& ring(std::uint32_t from, std::uint32_t to) { return rings_[std::size_t{from} * count_ + to]; }

  std::uint32_t count_;
  std::vector<Box> boxes_;
  std::vector<MailRing> rings_;
};

}  // namespace parley::core

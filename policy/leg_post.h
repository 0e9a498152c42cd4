// policy/leg_post.h - the mail between a room's home and the shards that serve its legs: records (leg_mail.h) in order,
// one mail for each shard and step.
//
// One per shard, used by its thread alone. Nothing is lost: such mail is `kept` (core/seam.h rule 12), and who writes
// looks at unread() and stops. What the other shard has read it says with the next mail back, or with one of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "core/pool.h"
#include "core/seam.h"
#include "core/time.h"
#include "policy/leg_mail.h"

namespace parley::policy {

class LegPost {
 public:
  // Above this a shard gets no more copies, and what its members send is not read: some 100 messages to 2,500 members.
  static constexpr std::uint64_t window_bytes = 4 << 20;
  // Answers are mailed when there are so many bytes of them or so much time has passed.
  static constexpr std::size_t answers_bytes = 4096;
  static constexpr core::Duration answers_wait = std::chrono::milliseconds(5);

  LegPost(std::uint32_t shard, std::uint32_t shards, core::Pool& pool) : shard_(shard), pool_(pool), peers_(shards) {}
  ~LegPost();
  LegPost(const LegPost&) = delete;
  LegPost& operator=(const LegPost&) = delete;

  [[nodiscard]] std::uint32_t shard() const { return shard_; }
  [[nodiscard]] std::uint32_t shards() const { return static_cast<std::uint32_t>(peers_.size()); }

  // --- out

  // Begins a record for that shard with `more` bytes behind it. The reference and what was appended before move with
  // the next call of anything here.
  template <typename Record>
  Record& add(std::uint32_t shard, LegRecord kind, core::SlotId leg, std::size_t more = 0) {
    Record record;
    record.head.bytes = static_cast<std::uint32_t>(padded(sizeof(Record) + more));
    record.head.kind = kind;
    record.head.leg = leg;
    char* const at = room(shard, record.head.bytes);
    std::memcpy(at, &record, sizeof record);
    behind_ = at + sizeof record;
    return *reinterpret_cast<Record*>(at);
  }
  // Behind the record that was begun last.
  void put(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(behind_, bytes.data(), bytes.size());
    behind_ += bytes.size();
  }
  // One more leg for the `answered` record that was written last for that shard, or a new one.
  void add_answer(std::uint32_t shard, core::SlotId leg, std::uint64_t mark, std::uint16_t status);
  // What the other shard has not read yet, and what is still to be mailed.
  [[nodiscard]] std::uint64_t unread(std::uint32_t shard) const {
    const Peer& peer = peers_[shard];
    return peer.mailed + peer.out.size - peer.read_by_it;
  }
  [[nodiscard]] bool full(std::uint32_t shard) const { return unread(shard) > window_bytes; }
  [[nodiscard]] bool busy(std::uint32_t shard) const { return unread(shard) > window_bytes / 2; }
  // Mails what there is; when the step ends. Answers alone wait for more of them: a shard is not woken for each.
  void flush(core::Outbox& out, core::Instant now);
  [[nodiscard]] core::Instant next_deadline() const { return next_deadline_; }

  // --- in

  [[nodiscard]] static bool is_ours(std::string_view mail) {
    return mail.size() >= sizeof(MailHead) && static_cast<std::uint8_t>(mail[0]) == mail_mark;
  }
  void take(const core::Input& mail);
  struct Incoming {
    std::uint32_t from = 0;
    const LegRecordHead* head = nullptr;
    core::Slice bytes;  // the record; its block holds a reference of ours until the next call
  };
  // The next record, in order for each shard, until false.
  [[nodiscard]] bool next(Incoming& record);
  [[nodiscard]] core::Pool& pool() { return pool_; }

 private:
  static constexpr std::uint8_t mail_mark = 0xa7;  // none of sip::MailKind
  struct MailHead {
    std::uint8_t mark = mail_mark;
    std::uint32_t number = 0;  // of the mail to this shard, from 0
    std::uint64_t read = 0;    // of all that came from there
  };
  struct Bytes {
    char* data = nullptr;  // malloc'd
    std::size_t size = 0;
    std::size_t capacity = 0;
  };
  struct Peer {
    Bytes out;
    std::uint64_t mailed = 0;
    std::uint64_t read_by_it = 0;
    std::uint64_t read = 0;       // of what it mailed
    std::uint64_t told_read = 0;  // and has been told of
    std::uint32_t mails_out = 0;
    std::uint32_t mails_in = 0;
    std::size_t answered_at = 0;  // the `answered` record that may grow; 0: none
    bool only_answers = true;     // there is nothing else to mail
    core::Instant since{};        // when that began
  };
  [[nodiscard]] static constexpr std::size_t padded(std::size_t bytes) { return (bytes + 7) & ~std::size_t{7}; }
  [[nodiscard]] char* room(std::uint32_t shard, std::size_t bytes);

  const std::uint32_t shard_;
  core::Pool& pool_;
  std::vector<Peer> peers_;
  char* behind_ = nullptr;
  struct Mail {
    std::uint32_t from = 0;
    core::Slice bytes;
  };
  std::deque<Mail> mails_;
  std::uint32_t at_ = 0;  // in the first of them
  core::Instant next_deadline_ = core::never;
};

// A record, and what stands behind it, front to back.
template <typename Record>
class LegReader {
 public:
  explicit LegReader(const LegPost::Incoming& incoming)
      : base_(reinterpret_cast<const char*>(incoming.head)), bytes_(incoming.bytes) {}
  const Record* operator->() const { return reinterpret_cast<const Record*>(base_); }
  [[nodiscard]] std::string_view text(std::size_t bytes) {
    const std::string_view text(base_ + at_, bytes);
    at_ += bytes;
    return text;
  }
  [[nodiscard]] std::span<const core::SlotId> legs(std::size_t count) {
    const std::span legs(reinterpret_cast<const core::SlotId*>(base_ + at_), count);
    at_ += count * sizeof(core::SlotId);
    return legs;
  }
  // By reference, which the mail has; none when there are no bytes.
  [[nodiscard]] core::Slice slice(std::size_t bytes) {
    if (bytes == 0) return {};
    const core::Slice slice = bytes_.part(static_cast<std::uint32_t>(at_), static_cast<std::uint32_t>(bytes));
    at_ += bytes;
    return slice;
  }

 private:
  const char* base_;
  core::Slice bytes_;
  std::size_t at_ = sizeof(Record);
};

}  // namespace parley::policy

// policy/leg_post.cc - see leg_post.h.
#include "policy/leg_post.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/check.h"

namespace parley::policy {

LegPost::~LegPost() {
  for (Peer& peer : peers_) std::free(peer.out.data);
  for (const Mail& mail : mails_) pool_.release(mail.bytes.buffer);
}

// --- out

char* LegPost::room(std::uint32_t shard, std::size_t bytes) {
  Peer& peer = peers_[shard];
  peer.answered_at = 0;
  peer.only_answers = false;
  Bytes& out = peer.out;
  const std::size_t at = std::max(out.size, sizeof(MailHead));
  if (at + bytes > out.capacity) {
    out.capacity = std::max({at + bytes, out.capacity * 2, std::size_t{512}});
    out.data = static_cast<char*>(std::realloc(out.data, out.capacity));
    CHECK(out.data != nullptr);
  }
  out.size = at + bytes;
  return out.data + at;
}

void LegPost::add_answer(std::uint32_t shard, core::SlotId leg, std::uint64_t mark, std::uint16_t status) {
  Peer& peer = peers_[shard];
  const bool alone = peer.only_answers;
  if (peer.answered_at != 0) {
    const std::size_t at = peer.answered_at;
    const auto* const last = reinterpret_cast<const LegAnswered*>(peer.out.data + at);
    if (last->mark == mark && last->head.status == status) {
      char* const more = room(shard, sizeof leg);
      std::memcpy(more, &leg, sizeof leg);
      auto* const record = reinterpret_cast<LegAnswered*>(peer.out.data + at);
      record->head.bytes += static_cast<std::uint32_t>(sizeof leg);
      ++record->legs;
      peer.answered_at = at;
      peer.only_answers = alone;
      return;
    }
  }
  auto& record = add<LegAnswered>(shard, LegRecord::answered, leg, sizeof leg);
  record.head.status = status;
  record.mark = mark;
  record.legs = 1;
  put({reinterpret_cast<const char*>(&leg), sizeof leg});
  peer.answered_at = static_cast<std::size_t>(reinterpret_cast<char*>(&record) - peer.out.data);
  peer.only_answers = alone;
}

void LegPost::flush(core::Outbox& out, core::Instant now) {
  next_deadline_ = core::never;
  for (std::uint32_t shard = 0; shard < peers_.size(); ++shard) {
    Peer& peer = peers_[shard];
    if (peer.out.size == 0) {
      if (peer.read - peer.told_read < window_bytes / 8) continue;
      (void)room(shard, 0);
    } else if (peer.only_answers && peer.out.size < answers_bytes) {
      if (peer.since == core::Instant{}) peer.since = now;
      if (now - peer.since < answers_wait) {
        next_deadline_ = std::min(next_deadline_, peer.since + answers_wait);
        continue;
      }
    }
    const MailHead head{.number = peer.mails_out++, .read = peer.read};
    std::memcpy(peer.out.data, &head, sizeof head);
    peer.told_read = peer.read;
    core::ShardMail mail;
    mail.shard = shard;
    mail.length = static_cast<std::uint32_t>(peer.out.size);
    mail.kept = true;
    mail.bytes.reset(std::exchange(peer.out, {}).data);
    // Mail that only says what was read is not to be answered by one that says the same.
    if (mail.length > sizeof head) peer.mailed += mail.length;
    peer.answered_at = 0;
    peer.only_answers = true;
    peer.since = {};
    out.mail(std::move(mail));
  }
}

// --- in

void LegPost::take(const core::Input& input) {
  pool_.retain(input.slice.buffer);
  mails_.push_back({input.from_shard, input.slice});
  MailHead head;
  std::memcpy(&head, pool_.at(input.slice), sizeof head);
  Peer& peer = peers_[input.from_shard];
  CHECK(head.number == peer.mails_in);  // nothing is lost
  ++peer.mails_in;
  peer.read_by_it = head.read;
}

bool LegPost::next(Incoming& record) {
  while (!mails_.empty()) {
    const Mail& mail = mails_.front();
    if (at_ == 0) at_ = sizeof(MailHead);
    if (at_ < mail.bytes.length) {
      record.from = mail.from;
      record.head = reinterpret_cast<const LegRecordHead*>(pool_.at(mail.bytes) + at_);
      record.bytes = mail.bytes.part(at_, record.head->bytes);
      at_ += record.head->bytes;
      return true;
    }
    if (mail.bytes.length > sizeof(MailHead)) peers_[mail.from].read += mail.bytes.length;
    pool_.release(mail.bytes.buffer);
    mails_.pop_front();
    at_ = 0;
  }
  return false;
}

}  // namespace parley::policy

// msrp/transactions.cc - see transactions.h.
#include "msrp/transactions.h"

#include <cstring>

#include "core/check.h"

namespace parley::msrp {

namespace {
constexpr std::uint32_t none = Transaction::none;
constexpr std::uint32_t slots_max = 1U << 24;

void write_tid(std::uint32_t slot, std::uint64_t random, std::array<char, tid_bytes>& tid) {
  core::letters_encode32(slot, tid.data());
  core::letters_encode64(random, tid.data() + core::letters32_chars);
}
}  // namespace

void Transactions::make_tid(std::array<char, tid_bytes>& tid) { write_tid(none, random_.next(), tid); }

std::uint32_t Transactions::create(Conn& conn, std::uint32_t live_max, std::array<char, tid_bytes>& tid) {
  if (live_ >= live_max) return none;
  if (free_ == none) {
    const auto first = static_cast<std::uint32_t>(chunks_.size()) * chunk_size;
    if (first >= slots_max) return none;
    chunks_.push_back(std::make_unique<Chunk>());
    for (std::uint32_t n = chunk_size; n-- > 0;) {
      (*chunks_.back())[n].next = free_;
      free_ = first + n;
    }
  }
  const std::uint32_t slot = free_;
  Transaction& t = at(slot);
  free_ = t.next;
  // Field by field: the id's bytes are written by the caller anyway.
  t.route = nullptr;
  t.end = {};
  t.next = t.due_prev = t.due_next = none;
  t.armed = t.auth = t.has_body = t.binds = false;
  t.is_send = true;
  t.failure = FailureReport::yes;
  t.id_length = 0;
  t.start = 1;
  t.length = 0;
  t.total = ByteRange::unknown;
  do {
    t.random = random_.next();
  } while (t.random == 0);  // 0 marks a free record
  t.conn = conn.self;
  t.out_offset = ~std::uint64_t{0};
  t.prev = conn.tx_last;
  if (conn.tx_last != none) {
    at(conn.tx_last).next = slot;
  } else {
    conn.tx_first = slot;
  }
  conn.tx_last = slot;
  if (conn.tx_unarmed == none) conn.tx_unarmed = slot;
  ++conn.tx_count;
  ++live_;
  if (conn.is_pipe()) ++in_pipes_;
  write_tid(slot, t.random, tid);
  return slot;
}

std::uint32_t Transactions::find(const Conn& conn, std::string_view tid) {
  if (tid.size() != tid_bytes) return none;
  const auto slot = core::letters_decode32(tid.data());
  if (!slot || *slot / chunk_size >= chunks_.size()) return none;
  const Transaction& t = at(*slot);
  std::array<char, core::letters64_chars> random;
  core::letters_encode64(t.random, random.data());
  const bool same = t.random != 0 && t.conn == conn.self &&
                    std::memcmp(random.data(), tid.data() + core::letters32_chars, random.size()) == 0;
  return same ? *slot : none;
}

std::uint32_t Transactions::first_accepted(const Conn& conn) {
  return conn.tx_unarmed != none && at(conn.tx_unarmed).out_offset <= conn.accepted ? conn.tx_unarmed : none;
}

void Transactions::arm(Conn& conn, std::uint32_t slot, core::Instant due) {
  CHECK(conn.tx_unarmed == slot);
  Transaction& t = at(slot);
  t.armed = true;
  link_due(slot, due);
  conn.tx_unarmed = t.next;
}

void Transactions::link_due(std::uint32_t slot, core::Instant due) {
  Transaction& t = at(slot);
  t.due = due;
  t.due_prev = due_last_;
  t.due_next = none;
  if (due_last_ != none) {
    at(due_last_).due_next = slot;
  } else {
    due_first_ = slot;
  }
  due_last_ = slot;
}

void Transactions::postpone(std::uint32_t slot, core::Instant due) {
  unlink_due(at(slot));
  link_due(slot, due);
}

void Transactions::unlink_due(Transaction& t) {
  if (t.due_prev != none) {
    at(t.due_prev).due_next = t.due_next;
  } else {
    due_first_ = t.due_next;
  }
  if (t.due_next != none) {
    at(t.due_next).due_prev = t.due_prev;
  } else {
    due_last_ = t.due_prev;
  }
}

void Transactions::erase(Conn& conn, std::uint32_t slot) {
  Transaction& t = at(slot);
  CHECK(t.random != 0);
  CHECK(t.conn == conn.self);
  if (t.armed) unlink_due(t);
  if (conn.tx_unarmed == slot) conn.tx_unarmed = t.next;
  if (t.prev != none) {
    at(t.prev).next = t.next;
  } else {
    conn.tx_first = t.next;
  }
  if (t.next != none) {
    at(t.next).prev = t.prev;
  } else {
    conn.tx_last = t.prev;
  }
  --conn.tx_count;
  --live_;
  if (conn.is_pipe()) --in_pipes_;
  t.random = 0;
  t.route = nullptr;
  t.next = free_;
  free_ = slot;
}

std::uint32_t Transactions::first_due(core::Instant now) const {
  if (due_first_ == none) return none;
  const Transaction& t = (*chunks_[due_first_ / chunk_size])[due_first_ % chunk_size];
  return t.due <= now ? due_first_ : none;
}

core::Instant Transactions::next_due() const {
  if (due_first_ == none) return core::never;
  return (*chunks_[due_first_ / chunk_size])[due_first_ % chunk_size].due;
}

}  // namespace parley::msrp

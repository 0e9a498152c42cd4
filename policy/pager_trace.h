// policy/pager_trace.h - the last pager messages of a shard, for operators who look for one of them: which way each
// took, what came of it, never what it says. Another one has the last messages of MSRP that media pairs have passed
// (media_pair.h).
//
// A circle of `capacity` records, about 600 bytes each; the oldest makes room for a new one. A message costs one
// record, where what names it is hashed, and a store into it for each hop, answer and end: records are found by their
// number, and by their Message-ID where it is said whose that is. Operators' looking for one compares the hashes of all of them.
// Core-local.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "core/keyed_hash.h"
#include "core/seam.h"

namespace parley::policy {

// As much of a text as it has room for.
template <std::size_t bytes_max>
class ShownText {
 public:
  static_assert(bytes_max < 256);
  void assign(std::string_view text) {
    length_ = static_cast<std::uint8_t>(std::min(text.size(), bytes_max));
    if (length_ != 0) std::memcpy(bytes_.data(), text.data(), length_);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), length_}; }

 private:
  std::array<char, bytes_max> bytes_;
  std::uint8_t length_ = 0;
};

struct TracedHop {
  enum class Result : std::uint8_t { open, answered, silent, lost, unawaited };
  core::Address remote;
  core::Transport transport = core::Transport::udp;
  Result result = Result::open;
  std::uint8_t branch = 0;
  std::uint16_t status = 0;       // answered
  std::uint32_t sent_ms = 0;      // since the message came
  std::uint32_t answered_ms = 0;  // likewise: when `result` became what it is
};

struct TracedPager {
  enum class Way : std::uint8_t {
    direct,   // from its sender
    list,     // to a list or group: taken, to be sent to several
    copy,     // of such, to one of them
    stored,   // out of the store, to its user
    session,  // likewise, by MSRP: what is large
    fetched,  // likewise, as he or whoever he named has asked for it
    system,   // the operator's
    notice,   // ours about another
    carried,  // by MSRP, in a session that goes through here leg to leg
  };
  // Of what is carried: how much of it its sender has sent.
  enum class Came : std::uint8_t {
    whole,
    part,        // and more may follow
    broken_off,  // he has aborted it, or his connection was lost in it; he may go on with it
  };
  static constexpr std::size_t hops_max = 4;

  std::uint64_t number = 0;
  Way way = Way::direct;
  Came came = Came::whole;
  bool kept = false;  // its user was not reached: it waits for him
  std::uint16_t status = 0;  // what its sender was answered; 0: nothing so far
  std::uint32_t answered_ms = 0;
  std::uint32_t hops = 0;  // of which the first hops_max are here
  std::int64_t wall_ms = 0;
  std::uint64_t bytes = 0;
  // list: recipients, and what has come of them.
  std::uint32_t copies = 0;
  std::uint32_t taken = 0;
  std::uint32_t failed = 0;
  ShownText<64> message_id;  // imdn.Message-ID
  ShownText<64> call_id;     // of the request that its sender sent
  ShownText<80> sender;
  ShownText<80> recipient;
  std::array<TracedHop, hops_max> hop{};
};

class PagerTrace {
 public:
  explicit PagerTrace(const core::HashKey& key) : key_(key) {}

  // Forgets what was kept, when that changes. 0: nothing is kept.
  void set_capacity(std::uint32_t capacity);
  [[nodiscard]] bool on() const { return !records_.empty(); }

  // What one of them is looked for by; empty ones are none.
  struct Names {
    std::string_view message_id{};
    std::string_view call_id{};
    std::string_view leg_call_id{};  // of the request that went on under another
    std::uint64_t whose = 0;         // who gives Message-IDs out, for number_of()
  };
  struct About {
    TracedPager::Way way = TracedPager::Way::direct;
    std::string_view sender;
    std::string_view recipient;
    std::uint64_t bytes = 0;
    std::int64_t wall_ms = 0;
    std::uint32_t copies = 0;
    TracedPager::Came came = TracedPager::Came::whole;
    std::uint64_t previous = 0;  // number of the one before from him: see break_off()
  };
  // Its number; 0: nothing is kept.
  std::uint64_t add(const Names& names, const About& about);

  // Those whose number is not kept (any more) do nothing.
  void sent(std::uint64_t number, unsigned branch, core::Transport transport, const core::Address& remote, std::int64_t wall_ms);
  // `unawaited`: forwarded, and nobody here hears what came of it.
  void heard(std::uint64_t number, unsigned branch, TracedHop::Result result, std::uint16_t status, std::int64_t wall_ms);
  void answered(std::uint64_t number, std::uint16_t status, bool kept, std::int64_t wall_ms);
  // A report says how it ended, whatever its hop has said before.
  void reported(std::uint64_t number, std::uint16_t status, std::int64_t wall_ms);
  void has_bytes(std::uint64_t number, std::uint64_t bytes);
  void copy_over(std::uint64_t number, bool taken);
  // What is whole stays so.
  void has_come(std::uint64_t number, TracedPager::Came came, std::int64_t wall_ms);
  // The newest with that Message-ID among all that are kept; 0: none.
  [[nodiscard]] std::uint64_t number_of(std::uint64_t whose, std::string_view message_id) const;
  // Of the last `count` from one sender, of which that is the last, what has come in part is broken off.
  void break_off(std::uint64_t last, std::uint32_t count, std::int64_t wall_ms);
  // None of those from him comes to an end any more: all that are under way get that status.
  void end(std::uint64_t last, std::uint16_t status, std::int64_t wall_ms);

  // For tests: how many records one step of the above may look at.
  [[nodiscard]] std::size_t longest_chain() const;

  // Those with that Message-ID or Call-ID, the newest first.
  template <typename Visit>
  void for_each(std::string_view id, Visit&& visit) const {
    if (id.empty()) return;
    const core::Hash128 wanted = hash(id);
    for (std::uint64_t number = last_; number + records_.size() > last_ && number != 0; --number) {
      const Record& record = records_[number % records_.size()];
      if (std::find(record.names.begin(), record.names.end(), wanted) != record.names.end()) visit(record.message);
    }
  }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;
  struct Record {
    std::array<core::Hash128, 3> names{};
    TracedPager message;
    std::uint64_t previous = 0;
    // Its place_of(); 0: nobody looks for it so, or a newer one has that. Each is there once, so chains are as short as
    // hashes are even, whatever Message-IDs senders give out.
    std::uint64_t place = 0;
    std::uint32_t next = none;  // index of one with the same head
  };
  [[nodiscard]] Record* record_of(std::uint64_t number);
  [[nodiscard]] TracedPager* find(std::uint64_t number) {
    Record* const found = record_of(number);
    return found == nullptr ? nullptr : &found->message;
  }
  [[nodiscard]] std::uint64_t place_of(std::uint64_t whose, std::string_view message_id) const {
    return whose == 0 ? 0 : core::KeyedHash(key_).add(message_id).add(whose).finish().low | 1;
  }
  [[nodiscard]] std::size_t head_of(std::uint64_t place) const { return (place >> 1) % heads_.size(); }
  void unlink(std::uint32_t index);
  [[nodiscard]] std::uint32_t index_of(std::uint64_t place) const;
  [[nodiscard]] core::Hash128 hash(std::string_view name) const {
    return name.empty() ? core::Hash128{} : core::KeyedHash(key_).add(name).finish();
  }

  const core::HashKey key_;
  std::vector<Record> records_;       // by number
  std::vector<std::uint32_t> heads_;  // indexes of the newest, by what number_of() asks for
  std::uint64_t last_ = 0;
};

}  // namespace parley::policy

// sip/branch.h - the branch parameters of our own requests (R3261-10; RFC 3261 section 8.1.1.7, RFC 5393 section 4.2).
//
//   z9hG4bK, shard (4 letters), slot and generation (16), random (16), '-', loop hash (16)     letters as in
//   core/id_text.h
//
// The slot lets a response find its transaction without a search; the random part keeps one that nobody asked for from
// finding any. The loop hash is the proxy's, which reads it again in the Via of a request that comes back.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/slot_map.h"
#include "sip/via.h"

namespace parley::sip {

using TransactionId = core::SlotId;

inline constexpr std::string_view magic_cookie = "z9hG4bK";

struct BranchName {
  std::uint16_t shard = 0;
  TransactionId transaction;
  std::uint64_t random = 0;
  std::uint64_t loop_hash = 0;
  bool operator==(const BranchName&) const = default;
};

inline constexpr std::size_t branch_bytes = 7 + 4 + 16 + 16 + 1 + 16;
using Branch = std::array<char, branch_bytes>;
void write_branch(const BranchName& name, Branch& text);

// Nothing unless `text` has that form. Whether there ever was such a transaction is another question.
[[nodiscard]] std::optional<BranchName> read_branch(std::string_view text);

// The branch parameter of a Via, null data when it has none. Most are found without the grammar: on each message, that
// is a fifth of what its transaction costs (bench/sip_transaction_bench).
[[nodiscard]] std::string_view branch_of(const Via& via);

// Whether a branch was made by the rules of RFC 3261: the magic cookie, and something behind it (R3261-1).
[[nodiscard]] bool has_magic_cookie(std::string_view branch);

}  // namespace parley::sip

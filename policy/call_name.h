// policy/call_name.h - the names that our side of a dialog has in messages: its tags, and the user part of our Contacts.
// A name says which shard's which call, participant or session it is, so any shard finds the owner of a request without
// a search (R3261-5, OMA-ID-10). It is sealed with a key of this process: names of others, and guesses, are none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/keyed_hash.h"
#include "core/random.h"
#include "core/slot_map.h"

namespace parley::policy {

enum class NameKind : std::uint8_t {
  call,         // of Calls: a tag, and a Contact
  participant,  // of Focus: the tag of one participant's dialog
  session,      // of Focus: the session identity
};

struct CallName {
  std::uint16_t shard = 0;
  core::SlotId call;
  NameKind kind = NameKind::call;
};

//   kind (1 letter), shard (4), slot and generation (16), random (8), seal (8)     letters as in core/id_text.h
inline constexpr std::size_t call_name_chars = 1 + 4 + 16 + 8 + 8;
[[nodiscard]] std::string make_call_name(const CallName& name, const core::HashKey& key, core::Random& random);

// Who sends a request in a dialog of ours, as that dialog knows him.
struct DialogParty {
  std::string_view user{};  // of our realm, who proved to have begun it
  std::string_view uri{};   // empty: it has none, `user` or the request says it
  bool im = false;          // the dialog is of the IM service
};

// Nothing unless `text` was made with that key. Whether there still is such a call is another question.
[[nodiscard]] std::optional<CallName> read_call_name(std::string_view text, const core::HashKey& key);

}  // namespace parley::policy

// policy/focus_checks.h - who may begin or join a session, as an ordered list of checks on facts (design: facts first,
// then the list, each check with its requirement and its answer). OMA-GRP-3 to OMA-GRP-9, OMA-ID-9, OMA-SES-1,
// OMA-ALIAS-2, OMA-POL-4.
//
// Facts are gathered by Focus; nothing here asks anybody.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace parley::policy {

struct JoinFacts {
  bool known = true;              // factory, user, group or session with that name
  bool kind_known = true;         // sessiontype
  bool session_alive = true;      // of a session identity
  std::uint16_t body_status = 0;  // of InviteBody
  bool list_required = false;     // Require: recipient-list-invite
  bool list_there = true;
  bool list_wrong = false;        // can not be read
  bool list_useless = false;      // none of its entries can be invited
  bool list_too_long = false;
  bool understood = true;         // everything the group's document demands
  bool scheduled = true;          // a group's session may be active now
  bool member = true;             // may join
  bool anonymity_disallowed = false;  // only that stands against it
  bool alias_free = true;
  bool active = true;             // a session of that group is on, or he begins one
  bool chat_room = false;
  bool may_begin = true;
  bool locked = false;
  bool full = false;
  bool sdp_wrong = false;         // can not be read
  bool sdp_useless = false;       // no section that we could take
};

struct JoinRefusal {
  std::string_view id;       // of the requirement
  bool (*holds)(const JoinFacts&);
  std::uint16_t status;
  std::string_view warning;  // text of a Warning 399; empty: none
};

// In their order.
[[nodiscard]] std::span<const JoinRefusal> join_refusals();
// The first one that holds; null: welcome.
[[nodiscard]] const JoinRefusal* first_refusal(const JoinFacts& facts);

}  // namespace parley::policy

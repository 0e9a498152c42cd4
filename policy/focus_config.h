// policy/focus_config.h - what an operator decides about the controlling function, as part of SipConfig.
//
// Numbers are per shard where nothing else is said. The flags that fill it stand in tools/parleyd/flags_focus.cc.
#pragma once

#include <cstdint>
#include <string>

#include "core/time.h"
#include "policy/resource_list.h"

namespace parley::policy {

// Who carries a session of two users (OMA-SES-2).
enum class OneToOne : std::uint8_t {
  focus,   // as a conference of two, by us
  direct,  // the two of them
};
// When the originator of an ad-hoc session gets his 200 (OMA-SES-3).
enum class FocusAnswer : std::uint8_t {
  first,      // when the first of those he invites accepts
  immediate,  // at once
};
// Toward whom the Contact of a session of two has `isfocus` (T-31): RCS clients take it for a group chat.
enum class OneToOneFocus : std::uint8_t { always, never, oma_clients };

struct FocusConfig {
  bool on = false;                         // the role
  std::string factory;                     // URI of the conference factory
  OneToOne one_to_one = OneToOne::focus;
  OneToOneFocus one_to_one_isfocus = OneToOneFocus::oma_clients;
  FocusAnswer answer = FocusAnswer::first;

  std::uint32_t sessions_max = 50'000;             // about 2 KiB each
  std::uint32_t participants_max = 200'000;        // of all sessions, about 6 KiB each with its dialog
  std::uint32_t participants_per_session_max = 500;
  std::uint32_t spread_min = 64;                   // MSRP sessions of participants above are spread over the shards; 0: never
  std::uint32_t adhoc_max = 20;                    // that one list may name besides the inviter (OMA-GRP-5)
  std::uint32_t invite_parallel = 32;              // INVITEs of one session, or copies of one message, that wait for an answer
  std::uint32_t list_copies_max = 20'000;          // of pager messages to several, per shard, that wait
  core::Duration invite_timeout = std::chrono::seconds(180);  // OMA-SES-5: below Timer C
  core::Duration distribution_wait = std::chrono::seconds(60);  // for those who are to get a file or a large message
  core::Duration idle = std::chrono::seconds(600);            // without a message: the session ends (OMA-SES-8); zero: never
  core::Duration lost_max = std::chrono::minutes(5);          // without an MSRP connection: his dialog ends
  core::Duration left_max = std::chrono::hours(24);           // of a process that is gone: its sessions may be come back to
  std::uint32_t requests_max = 16;                 // of ours to one participant that wait for an answer
  std::uint32_t refers_max = 64;                   // REFERs of one session whose outcome is still to be told
  std::uint64_t message_bytes_max = 0;             // a=max-size of what we offer; 0: not said
  ListRules list;
  // Remembered for operators: of all rooms, and of pager messages and what media pairs pass (600 bytes each); 0: none.
  std::uint32_t trace_messages = 256;
};

}  // namespace parley::policy

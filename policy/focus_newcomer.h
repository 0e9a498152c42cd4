// policy/focus_newcomer.h - who sends an INVITE to the focus, and what he wants: as it is read, before anything begins.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/focus.h"
#include "policy/user_key.h"

namespace parley::policy {

struct Focus::Newcomer {
  InviteBody body;
  Recipients recipients;
  bool list_wrong = false;
  MediaTerms terms;
  std::uint16_t sdp_status = 0;
  SessionKind kind = SessionKind::adhoc;
  bool kind_known = true;
  FocusSession* session = nullptr;  // that he joins
  const core::SessionRow* left = nullptr;  // that he comes back to as the first one
  bool distribution = false;        // he has a file or a large message for several
  bool large_message = false;
  const Group* group = nullptr;         // whose members it is for, or
  const FocusSession* among = nullptr;  // who is in that session
  Participant* replaced = nullptr;      // by Replaces
  bool named_unknown = false;           // Replaces or Join: no such dialog
  std::string uri;
  std::string key;                // user_key(uri)
  std::vector<std::string> keys;  // of him, that one first: Home::put_keys
  std::string display;
  std::string instance;
  bool anonymous = false;
  bool oma_client = false;
  std::string recorder;

  [[nodiscard]] bool is(std::string_view other) const { return has_key(keys, other); }
};

}  // namespace parley::policy

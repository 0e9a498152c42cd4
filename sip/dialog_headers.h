// sip/dialog_headers.h - headers that name a dialog or a response of it: Target-Dialog (RFC 4538), Replaces (RFC 3891),
// Join (RFC 3911), RSeq and RAck (RFC 3262).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

// R4538-1: tags as the recipient sees them.
struct TargetDialog {
  std::string_view call_id;
  std::string_view local_tag;
  std::string_view remote_tag;
};
[[nodiscard]] bool parse_target_dialog(std::string_view value, TargetDialog& out);

// The to-tag is the recipient's own. Exactly one of each tag, else false (RFC 3891 section 6.1).
struct Replaces {
  std::string_view call_id;
  std::string_view to_tag;
  std::string_view from_tag;
  bool early_only = false;
};
[[nodiscard]] bool parse_replaces(std::string_view value, Replaces& out);
// The same form without early-only.
[[nodiscard]] bool parse_join(std::string_view value, Replaces& out);

[[nodiscard]] bool parse_rseq(std::string_view value, std::uint32_t& out);

// R3262-3
struct RAck {
  std::uint32_t rseq = 0;
  std::uint32_t cseq = 0;
  std::string_view method;
};
[[nodiscard]] bool parse_rack(std::string_view value, RAck& out);

}  // namespace parley::sip

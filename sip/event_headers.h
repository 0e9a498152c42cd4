// sip/event_headers.h - Event, Subscription-State, SIP-ETag and SIP-If-Match (RFC 6665 section 8.2, RFC 3903
// section 11.3).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

struct Event {
  std::string_view package;  // with its templates: "presence.winfo"
  std::string_view id;
  bool has_id = false;
  std::string_view parameters;
};
[[nodiscard]] bool parse_event(std::string_view value, Event& out);
// R6665-3: package and id, with case.
[[nodiscard]] bool same_event(const Event& a, const Event& b);

enum class SubscriptionStatus : std::uint8_t { active, pending, terminated, other };
enum class TerminationReason : std::uint8_t {
  none,
  deactivated,
  probation,
  rejected,
  timeout,
  giveup,
  noresource,
  invariant,
  other,
};
// R6665-2
struct SubscriptionState {
  SubscriptionStatus status = SubscriptionStatus::other;
  TerminationReason reason = TerminationReason::none;
  bool has_expires = false;  // R6665-5: may be missing
  bool has_retry_after = false;
  std::uint32_t expires_seconds = 0;
  std::uint32_t retry_after_seconds = 0;
};
[[nodiscard]] bool parse_subscription_state(std::string_view value, SubscriptionState& out);
std::string_view to_string(SubscriptionStatus status);
std::string_view to_string(TerminationReason reason);

// R3903-1: one unquoted token.
[[nodiscard]] bool parse_entity_tag(std::string_view value, std::string_view& out);

}  // namespace parley::sip

// sip/event_headers.cc - see event_headers.h.
#include "sip/event_headers.h"

#include <array>

#include "sip/value.h"

namespace parley::sip {
namespace {

constexpr std::array statuses = {SubscriptionStatus::active, SubscriptionStatus::pending,
                                 SubscriptionStatus::terminated};
constexpr std::array reasons = {TerminationReason::deactivated, TerminationReason::probation,
                                TerminationReason::rejected,    TerminationReason::timeout,
                                TerminationReason::giveup,      TerminationReason::noresource,
                                TerminationReason::invariant};

SubscriptionStatus status_named(std::string_view name) {
  for (const SubscriptionStatus status : statuses) {
    if (core::equal_ignore_case(name, to_string(status))) return status;
  }
  return SubscriptionStatus::other;
}

TerminationReason reason_named(std::string_view name) {
  for (const TerminationReason reason : reasons) {
    if (core::equal_ignore_case(name, to_string(reason))) return reason;
  }
  return TerminationReason::other;
}

}  // namespace

bool parse_event(std::string_view value, Event& out) {
  out = {};
  const Item item = split_item(trim(value));
  if (!is_token(item.head) || !are_params(item.parameters)) return false;
  const std::string_view id = find_param(item.parameters, "id");
  out = {.package = item.head, .id = id, .has_id = id.data() != nullptr, .parameters = item.parameters};
  return true;
}

bool same_event(const Event& a, const Event& b) {
  return a.package == b.package && a.has_id == b.has_id && a.id == b.id;
}

bool parse_subscription_state(std::string_view value, SubscriptionState& out) {
  out = {};
  const Item item = split_item(trim(value));
  if (!is_token(item.head) || !are_params(item.parameters)) return false;
  out.status = status_named(item.head);
  const std::string_view reason = find_param(item.parameters, "reason");
  if (reason.data() != nullptr) out.reason = reason_named(reason);
  out.has_expires = clamped_number(find_param(item.parameters, "expires"), out.expires_seconds);
  out.has_retry_after = clamped_number(find_param(item.parameters, "retry-after"), out.retry_after_seconds);
  return true;
}

std::string_view to_string(SubscriptionStatus status) {
  switch (status) {
    case SubscriptionStatus::active: return "active";
    case SubscriptionStatus::pending: return "pending";
    case SubscriptionStatus::terminated: return "terminated";
    case SubscriptionStatus::other: return "";
  }
  return "";
}

std::string_view to_string(TerminationReason reason) {
  switch (reason) {
    case TerminationReason::deactivated: return "deactivated";
    case TerminationReason::probation: return "probation";
    case TerminationReason::rejected: return "rejected";
    case TerminationReason::timeout: return "timeout";
    case TerminationReason::giveup: return "giveup";
    case TerminationReason::noresource: return "noresource";
    case TerminationReason::invariant: return "invariant";
    case TerminationReason::none:
    case TerminationReason::other: return "";
  }
  return "";
}

bool parse_entity_tag(std::string_view value, std::string_view& out) {
  out = trim(value);
  return is_token(out);
}

}  // namespace parley::sip

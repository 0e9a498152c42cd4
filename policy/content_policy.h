// policy/content_policy.h - the operator's policy on what a request brings: content and size of a pager message, types
// and sizes that an offer names, and how what is allowed is said (415 with Accept, 488 with a description). OMA-POL-2,
// OMA-POL-4, OMA-LRG-5, OMA-FT-5, DEC-20, T-38.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/im_request.h"
#include "policy/operator_policy.h"
#include "sip/flow.h"

namespace parley::policy {

struct ContentVerdict {
  bool types = true;
  bool size = true;
  [[nodiscard]] bool allowed() const { return types && size; }
};
[[nodiscard]] ContentVerdict judge_content(const UserPolicy& policy, const sip::Received& request);
// The offer of a request of that kind; one without a description, or with one that can not be read, names nothing.
[[nodiscard]] ContentVerdict judge_description(const UserPolicy& policy, ImKind kind, std::string_view description);

// For Accept of a 415.
[[nodiscard]] std::string accept_of(const UserPolicy& policy);
// The body of a 488: each m= line of the offer with port 0, with what would be taken (RFC 3264 section 9). `address` is
// ours, without brackets.
[[nodiscard]] std::string capabilities_of(const UserPolicy& policy, ImKind kind, std::string_view description,
                                          std::string_view address, std::uint64_t session_id);

}  // namespace parley::policy

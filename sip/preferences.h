// sip/preferences.h - which of a user's bindings a request goes to, as its sender prefers (RFC 3841).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "sip/head.h"
#include "sip/location.h"

namespace parley::sip {

// Request-Disposition (RFC 3841 section 9.1). Other directives are read over (R3841-3).
struct Disposition {
  bool redirect = false;
  bool no_fork = false;
  bool no_cancel = false;
  bool no_recurse = false;
  bool sequential = false;
  bool queue = false;
};
// All Request-Disposition headers together.
[[nodiscard]] Disposition disposition_of(const Head& head, std::string_view bytes);

struct TargetPlan {
  std::vector<Target> targets;  // in order, each followed by its fallbacks (order_targets)
  // Where a group begins that may be tried in parallel, as an index of targets: equal q and equal preference. With
  // `sequential` each is a group of its own, together with its fallbacks.
  std::vector<std::uint32_t> groups;
  bool preferred_none = false;  // there were bindings, and explicit preferences left none: 480 (R3841-2)
};

// `plan` is overwritten and may be reused; `bindings` must live as long as it is used. With no targets the answer is
// 480.
void plan_targets(std::span<const Binding> bindings, const Head& head, std::string_view bytes, core::Instant now,
                  TargetPlan& plan);

}  // namespace parley::sip

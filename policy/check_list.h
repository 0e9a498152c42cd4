// policy/check_list.h - what a check of the participating functions answers, and how a list of them is judged: facts
// first, then the list in its order, and the first violated check decides (design: ordered check lists).
#pragma once

#include <cstdint>
#include <string_view>

#include "core/metrics.h"

namespace parley::policy {

// What a refusal tells beside its status.
enum class Tells : std::uint8_t {
  nothing,
  warning,      // Warning 399 with the check's text
  error_info,   // Error-Info, and the Warning (DEC-21)
  formats,      // Accept with what the policy allows, and the Warning when it was the size (DEC-20)
  description,  // a session description with what the policy allows (OMA-POL-4), and the Warning
};

template <class Facts>
struct Check {
  std::string_view id;
  bool (*violated)(const Facts&);
  std::uint16_t status = 403;
  Tells tells = Tells::nothing;
  std::string_view text{};  // for people: of Warning; of Error-Info the last part of the URI is `page`
  std::string_view page{};
  core::Metric counter = core::Metric::im_refused_sender;
};

// nullptr: nothing speaks against it.
template <class Facts, std::size_t count>
[[nodiscard]] constexpr const Check<Facts>* first_refusal(const Check<Facts> (&list)[count], const Facts& facts) {
  for (const Check<Facts>& check : list) {
    if (check.violated(facts)) return &check;
  }
  return nullptr;
}

}  // namespace parley::policy

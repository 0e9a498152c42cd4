// sip/value.h - walking along header values: the items of a comma list, the parameters of an item (RFC 3261
// section 7.3.1).
//
// Everything is a view into the value. Folds and blanks are taken wherever RFC 3261 section 25.1 allows LWS or SWS.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace parley::sip {

// Without the LWS around it.
[[nodiscard]] std::string_view trim(std::string_view text);

// The items of a comma list, trimmed. Commas inside quotes and angle brackets are data (R3261-16). Empty items are
// passed over: an empty list has none (T-13).
class Items {
 public:
  explicit Items(std::string_view value) : rest_(value) {}
  [[nodiscard]] bool next(std::string_view& item);
  // False after next() has met a quote or a bracket that never ends.
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// What stands before an item's parameters, and these from their first ';' on. Semicolons inside quotes and angle
// brackets are data.
struct Item {
  std::string_view head;
  std::string_view parameters;
};
[[nodiscard]] Item split_item(std::string_view item);

// The parameter of that name without quotes around it; null data when there is none, not null and empty without a
// value.
[[nodiscard]] std::string_view find_param(std::string_view parameters, std::string_view name);
[[nodiscard]] bool has_param(std::string_view parameters, std::string_view name);
// Whether `parameters` are parameters to their end.
[[nodiscard]] bool are_params(std::string_view parameters);

[[nodiscard]] bool is_token(std::string_view text);

// Digits with blanks around them; past 2^32-1 it is 2^32-1 (T-11; RFC 3261 section 20.19 for delta-seconds).
[[nodiscard]] bool clamped_number(std::string_view value, std::uint32_t& out);

}  // namespace parley::sip

// core/units.h - durations and sizes as operators write them: 500ms 30s 5m 1h, 64KiB 1MiB 1GB, plain bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace parley::core {

// A whole number and its unit, without a space: ms, s, m, h, d. "0" needs no unit. Nothing else is a duration.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
// In the largest unit that leaves a whole number; what parse_duration reads back as the same value. Whole ms only: the
// rest is cut off. `duration` must not be negative.
[[nodiscard]] std::string duration_to_string(Duration duration);

// A whole number of bytes, or with one of B, KiB, MiB, GiB, TiB (1024) or KB, MB, GB, TB (1000), without a space.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string size_to_string(std::uint64_t bytes);

}  // namespace parley::core

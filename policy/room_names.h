// policy/room_names.h - comparing what messages say about people and types with what a room knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace parley::policy {

inline constexpr std::size_t room_key_bytes_max = 512;

// One spelling for all URIs of one user or room: aor_key, with im: as sip: (T-81: parameters do not count). Empty when
// it is none.
[[nodiscard]] std::string_view room_key(std::string_view uri, char (&out)[room_key_bytes_max]);

// "sip:anonymous7@anonymous.invalid" (OMA-ALIAS-3).
[[nodiscard]] std::string anonymous_uri(std::uint32_t number);
// What a client writes that does not know its number.
[[nodiscard]] bool is_anybody(std::string_view key);

// "type/subtype" of a Content-Type, without parameters.
[[nodiscard]] std::string_view bare_type(std::string_view content_type);

// R3994-1: passed on, never kept, counted or reported.
[[nodiscard]] bool is_composing(std::string_view content_type);

// Whether an a=accept-types value ("text/plain image/* *", T-37) has the type. Parameters do not count; an empty list
// has nothing.
[[nodiscard]] bool accepts_type(std::string_view list, std::string_view content_type);

}  // namespace parley::policy

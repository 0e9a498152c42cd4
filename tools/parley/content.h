// tools/parley/content.h - what the user sees of a message, and what his own are wrapped in: text, message/cpim (RFC
// 3862), notifications of disposition (RFC 5438).
//
// Values in, values out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::client {

enum class Disposition : std::uint8_t { delivered, displayed, processed, stored, failed, forbidden, error };
[[nodiscard]] std::string_view to_string(Disposition disposition);

struct Imdn {
  std::string message_id{};
  Disposition disposition = Disposition::delivered;
  std::string recipient{};
};

struct ContentPart {
  std::string type{};  // without parameters, lower case
  std::string body{};
};

// A message as it was received, unwrapped: its text where it has one, else what stands first.
struct Content : ContentPart {
  std::vector<ContentPart> more{};  // what else is for the user
  bool wrapped = false;  // the rest is of the CPIM head
  std::string from_uri{};
  std::string from_name{};
  std::string to_uri{};
  std::string date{};
  std::string imdn_id{};
  std::vector<std::string> imdn_route{};  // R5438-3: IMDN-Record-Route values, topmost first
  bool wants_delivery = false;            // positive-delivery
  bool wants_display = false;
  std::optional<Imdn> imdn{};  // it is a notification itself
};
// Of whatever a peer sent; what cannot be read is shown as it is.
[[nodiscard]] Content read_content(std::string_view content_type, std::string_view body);

[[nodiscard]] std::string base64(std::string_view bytes);

// What of a peer's words may stand in a file's name.
[[nodiscard]] std::string in_file_name(std::string_view text);

struct CpimWish {
  std::string from_name{};
  std::string from_uri{};
  std::string to_uri{};
  std::int64_t wall_ms = 0;
  std::string imdn_id{};  // not empty: asks for what follows
  bool want_delivery = false;
  bool want_display = false;
  bool is_notification = false;
  std::vector<std::string> imdn_route{};
  std::string content_type{};
  std::string body{};
};
[[nodiscard]] std::string wrap_cpim(const CpimWish& wish);

// message/imdn+xml (R5438-1).
[[nodiscard]] std::string imdn_document(std::string_view message_id, Disposition disposition,
                                        std::string_view recipient, std::int64_t wall_ms);

}  // namespace parley::client

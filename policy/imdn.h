// policy/imdn.h - instant message disposition notification (RFC 5438) as far as a server has a part in it: what the sender
// of a message asks for, and what he is told by somebody who keeps or carries it for others (R5438-1, R5438-2, OMA-DR-5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace parley::policy {

enum class Notice : std::uint32_t {
  negative = 1,    // negative-delivery: `failed` when it can not be brought
  processing = 2,  // processing: `stored` when it has to wait
};
[[nodiscard]] constexpr bool wants(std::uint32_t notices, Notice notice) {
  return (notices & static_cast<std::uint32_t>(notice)) != 0;
}

// What a message asks for; views into `body`. Nothing when it is no message/cpim, or asks for nothing.
struct WantedNotices {
  std::uint32_t notices = 0;      // bits of Notice
  // Also where nothing is asked for: imdn.Message-ID, and the URI of imdn.Original-To, to which its sender wrote it.
  std::string_view message_id{};
  std::string_view original_to{};
};
[[nodiscard]] WantedNotices wanted_notices(std::string_view content_type, std::string_view body);

// Whether a message only says that somebody writes (RFC 3994), also wrapped: it is worth nothing later.
[[nodiscard]] bool is_composing(std::string_view content_type, std::string_view body);

// A message/cpim with message/imdn+xml.
struct NoticeText {
  enum class Status : std::uint8_t {
    failed,  // delivery-notification
    stored,  // processing-notification
  };
  Status status = Status::failed;
  std::string_view from;        // URI of who tells
  std::string_view to;          // URI of the sender
  std::string_view message_id;  // of the message that it is about
  std::string_view own_id;
  std::string_view recipient;           // URI; empty: who was meant is hidden (OMA-DR-5)
  std::string_view original_recipient;  // URI that the sender wrote to
  std::int64_t wall_ms = 0;
};
void put_notice(const NoticeText& notice, std::string& out);

}  // namespace parley::policy

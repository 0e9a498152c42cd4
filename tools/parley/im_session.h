// tools/parley/im_session.h - one IM session of the client: the INVITE's dialog, its timers, and the MSRP session
// beside it. State; client_*.cc act on it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/pool.h"
#include "sip/dialog.h"
#include "sip/invite_usage.h"
#include "sip/session_changes.h"
#include "sip/session_timer.h"
#include "sip/tokens.h"
#include "tools/parley/byte_source.h"
#include "tools/parley/session_sdp.h"
#include "tools/parley/user_agent.h"

namespace parley::client {

[[nodiscard]] constexpr std::string_view mode_of(SessionKind kind) {
  switch (kind) {
    case SessionKind::chat: return "session";
    case SessionKind::large: return "large";
    case SessionKind::file: return "file";
    case SessionKind::stored: return "stored";
  }
  return "session";
}
// As the one who invites.
[[nodiscard]] constexpr bool takes_messages(SessionKind kind) {
  return kind == SessionKind::chat || kind == SessionKind::stored;
}

// A message that waits for its session, or is under way in it.
struct SessionMessage {
  std::uint32_t ticket = 0;
  std::uint64_t number = 0;  // of MSRP; 0: not given to it yet
  std::string content_type{};
  std::string imdn_id{};
  std::shared_ptr<const ByteSource> body{};
  bool want_report = false;
  bool told = false;  // `sent` was
};

struct ImSession {
  ImSession(core::Pool& pool, const sip::InviteConfig& config, bool is_outgoing, core::Instant now)
      : outgoing(is_outgoing),
        usage(is_outgoing ? sip::InviteUsage::Side::inviting : sip::InviteUsage::Side::invited, config, now),
        dialog(pool) {}

  std::uint32_t number = 0;
  std::uint32_t ticket = 0;  // large, file: of the message that it is for
  SessionKind kind = SessionKind::chat;
  bool outgoing;
  bool group = false;  // its messages are CPIM and its roster is subscribed to
  bool from_deferred = false;
  Stored stored = Stored::deferred;  // stored: of what its messages are
  std::string stored_id{};
  std::string peer{};       // who it is with: user or group
  std::string identity{};   // SEED0-8.2.2.1-4, SEED1-7.1.1.1-9: the Contact's URI
  bool is_focus = false;    // DEC-3: Contact has isfocus
  sip::MethodSet allows{};  // SEED0-8.2.2.1-3, SEED1-7.1.1.1-8
  bool allow_known = false;
  sip::OptionSet supports{};

  sip::InviteUsage usage;
  sip::Dialog dialog;
  sip::SessionTimer timer{};
  std::optional<sip::SessionChanges> changes{};  // once it is confirmed

  // As the one who invites.
  SessionWish wish{};
  Envelope envelope{};
  std::uint32_t exchange = 0;  // of the INVITE under way
  std::string ack{};           // of its 2xx
  bool invite_again = false;   // 422, 302: with what was learned

  // As the one who was invited, also by a re-INVITE.
  sip::TransactionId server{};
  std::uint32_t invite_cseq = 0;
  std::string local_tag{};
  sip::TimerGrant grant{};
  std::string answer{};  // our 2xx, until its ACK
  bool offered_nothing = false;
  bool user_decides = false;

  // Media.
  std::string own_sdp{};
  std::uint64_t sdp_id = 0;
  std::uint64_t sdp_version = 1;
  std::string their_sdp{};
  std::optional<OfferView> remote{};
  std::optional<FileOffer> file{};
  bool media_open = false;
  bool media_up = false;
  bool file_begun = false;
  bool told_ended = false;
  bool done = false;  // large, file: the one message has come or gone
  std::deque<SessionMessage> messages;
  core::Instant lost_at = core::never;   // the media connection is gone: until then the other side's BYE may come
  core::Instant leave_at = core::never;  // large, file: no REPORT is waited for any longer
  std::string failure{};                 // why it ended

  std::uint32_t refresh_cseq = 0;
  bool refresh_by_update = false;
  std::uint32_t subscription = 0;
};

}  // namespace parley::client

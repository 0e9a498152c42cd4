// tools/parley/requests.h - what the client's requests and answers contain, clause by clause: straight lines, one
// statement per item with its id (OMA IM TS 5.2.4, 7.1.1.1, 7.1.2.1, 8.1.1, 9.1.1.1 as the seed documents have them).
//
// Values in, values out. What names dialogs and ways (Via, From tag, Call-ID, CSeq, Route) is user_agent's and
// Dialog's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/session_timer.h"
#include "tools/parley/request.h"
#include "tools/parley/stored_list.h"

namespace parley::client {

inline constexpr std::string_view im_tag = "+g.oma.sip-im";                           // OMA-ID-1
inline constexpr std::string_view large_message_tag = "+g.oma.sip-im.large-message";  // OMA-ID-2
inline constexpr std::string_view own_methods = "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, NOTIFY, UPDATE";
inline constexpr std::string_view own_options = "timer, norefersub, tdialog";
inline constexpr std::string_view anonymous_uri = "sip:anonymous@anonymous.invalid";

// Who we are.
struct Self {
  std::string aor{};           // "sip:alice@example.org"
  std::string display_name{};  // SEED3-7.1.1.1-9; empty: none
  std::string contact{};       // URI
  std::string instance{};      // "urn:uuid:..."
  std::string version{};       // "IM-client/OMA1.0 parley/0.1.0": User-Agent and Server (OMA-ID-3, OMA-ID-5)
  bool flows = false;          // by a connection: outbound's parameters (RFC 5626)

  // OMA-ALIAS-1: the real identity goes to the servers of the home domain alone.
  bool anonymous = false;
  std::string alias{};
};

// Whatever a peer, a document or the user has said becomes a Request-URI only when it is a SIP, SIPS or TEL URI and
// brings no headers (RFC 3261 section 19.1.1).
[[nodiscard]] bool can_be_called(std::string_view text);

// A display name as a quoted string with a blank behind it; empty for an empty one.
[[nodiscard]] std::string quoted_name(std::string_view name);

enum class SessionKind : std::uint8_t { chat, large, file, stored };  // stored: we fetch what the server keeps

struct SessionWish {
  SessionKind kind = SessionKind::chat;
  std::string to{};                       // a user, a group, a session identity, or the factory
  std::vector<std::string> recipients{};  // ad-hoc group: who is invited by the factory
  std::string subject{};
  std::string sdp{};
  sip::TimerAsk timer{};
};
[[nodiscard]] Request session_invite(const Self& self, const SessionWish& wish);

// Of every response but 100 to an INVITE, of ours as the one who was invited. `grant`: of a 2xx.
[[nodiscard]] Lines invite_answer(const Self& self, std::uint16_t status, SessionKind kind,
                                  const sip::TimerGrant& grant, std::string_view sdp);
// Of any other response of ours.
[[nodiscard]] Lines answer_lines(const Self& self);

struct PagerWish {
  std::vector<std::string> to{};  // one: a user, a group or a session; several: a list
  std::string factory{};          // where a list goes
  bool in_session = false;        // `to` is the identity of a session; with the dialog of it:
  std::string target_dialog{};    // Target-Dialog value, or empty
  std::string content_type{};
  std::string body{};
  std::optional<std::uint32_t> expires{};
};
[[nodiscard]] Request pager_message(const Self& self, const PagerWish& wish);

struct RegisterWish {
  std::string registrar{};  // "sip:example.org"
  std::uint32_t expires = 3600;
};
[[nodiscard]] Request register_request(const Self& self, const RegisterWish& wish);

struct PublishWish {
  std::string document{};  // empty: a refresh or a removal
  std::string etag{};      // of what is published; empty: nothing is
  std::uint32_t expires = 600'000;
};
[[nodiscard]] Request publish_settings(const Self& self, const PublishWish& wish);
// To see what holds: a fetch (Expires: 0).
[[nodiscard]] Request fetch_settings(const Self& self);
// Which messages the deferred messaging function keeps for us (SEED3-5.2.4-10, OMA-DEF-11), or what records there are
// of our conversations (OMA-HIS-1): a fetch, too.
[[nodiscard]] Request fetch_list(const Self& self, Stored what);

// The first SUBSCRIBE; later ones have the same lines in the dialog.
[[nodiscard]] Request subscribe_conference(const Self& self, std::string_view session, std::string_view target_dialog,
                                           std::uint32_t expires);

// In the session's dialog. One user; or several, by a list.
[[nodiscard]] Lines refer_add(const Self& self, const std::vector<std::string>& users);
[[nodiscard]] Lines refer_expel(const Self& self, std::string_view user);

// re-INVITE or UPDATE for the session timer.
[[nodiscard]] Lines refresh_lines(const Self& self, SessionKind kind, const sip::TimerAsk& timer);
[[nodiscard]] Lines bye_lines(const Self& self);

// application/resource-lists+xml, everybody with copyControl="to" (OMA-GRP-6).
[[nodiscard]] std::string resource_list(const std::vector<std::string>& users);

struct BodyPart {
  std::string content_type{};
  std::string disposition{};  // value, or empty
  std::string content_id{};   // with brackets, or empty
  std::string body{};
};
// multipart/mixed: the body, and its Content-Type.
[[nodiscard]] std::string multipart(const std::vector<BodyPart>& parts, std::string& content_type);

}  // namespace parley::client

// policy/errand.h - a request that a user agent here wants sent: what it says and where it has to go, without the parts that only
// the hop it takes decides.
//
// Values: Calls, Focus, Exploder, Deferred and SystemMessages make them, SipService carries them out over its targets, hops and transactions. A `request` is
// answered by on_response() (each provisional response above 100, each 2xx, the final one) or on_failed() of its client,
// and ends with on_over() when nothing more can come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/slot_map.h"
#include "core/time.h"
#include "sip/flow.h"
#include "sip/head.h"

namespace parley::policy {

struct Errand {
  enum class Kind : std::uint8_t {
    request,
    ack,     // to a 2xx: sent once, nobody answers it
    cancel,  // of the INVITE with that number; T-24 is kept
    keep,    // a call relies on `flow` until `until`
  };
  // Whose it is, and what `call` names there.
  enum class Client : std::uint8_t { calls, participant, session, copy, deferred, announcement, retrieval, system, nobody };
  Kind kind = Kind::request;
  Client client = Client::calls;
  core::SlotId call;
  std::uint32_t number = 0;  // unique in its call
  sip::Method method = sip::Method::other;

  // The whole request but for Via, Contact and what identity needs at the edge of trust.
  std::string text;
  std::string contact_user;    // of the Contact that names us on the way it takes; empty: it has none
  std::string contact_params;  // ";isfocus"
  bool secure = false;         // sips

  // Where it goes: over `flow` when that is there, else to the bindings of `aor`, else to `next` or its request URI. With
  // both `aor` and `next` the core has the bindings: what goes to him is checked, and goes to `next`.
  std::string aor;
  std::string next;
  std::optional<sip::Flow> flow;
  std::optional<sip::Flow> came_by;  // ack: of the 2xx; taken when nothing else is known at once
  bool by_uri = false;               // none of these: its request URI says whether that is one of our users, or outside
  bool outside = false;              // needs leave to go out (--dial-allow)
  bool by_core = false;              // the core reaches whom nothing else leads to
  bool in_dialog = true;
  std::uint8_t tries = 0;            // that came to nobody; SipService counts them where it tries again
  bool from_store = false;  // our deferred messaging function delivers it (OMA-DEF-8)
  bool of_history = false;  // what it brings has been recorded before

  // Who is behind it.
  std::string user;  // of our realm, who has proved to be that; empty: somebody else
  bool from_trusted = false;

  std::string origin;  // Call-ID of the MESSAGE that this one brings to somebody else; empty: it is none

  std::string reason;     // cancel: value of Reason, or empty
  core::Instant until{};  // keep
};

}  // namespace parley::policy

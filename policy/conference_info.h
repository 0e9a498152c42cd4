// policy/conference_info.h - who is in a session, as its subscribers are told: application/conference-info+xml (RFC
// 4575). OMA-CONF-2 to OMA-CONF-7, OMA-ALIAS-3, OMA-ALIAS-4, DEC-9.
//
// One per session, owned by its focus and used by the focus's thread. Changes come in as calls, documents come out. It
// keeps a text of some 400 bytes for each user, the last RosterLimits::history_max departures, and the last
// RosterLimits::documents_max documents. No clock: nothing happens between two calls.
//
// Each change makes a new version of the roster. A subscriber is at a RosterPosition: what it was told last and before
// that. What is behind its version= attribute depends on the position alone, so it is written once for all subscribers
// that are at the same one, and the attribute stands at the end of a head of its own (the number counts NOTIFYs of one
// subscription):
//
//   put_head(state, number, out)        <?xml ..?><conference-info .. state="partial" version="7
//   document(position).tail             "><conference-state>..</conference-state><users ..>..</conference-info>
//
// A partial document says the net of what has changed: each user that did, whole. Who leaves is `disconnected` in the
// next document and `deleted` in the one behind it, for every subscriber, also when he came and left between two
// (OMA-CONF-4). A position that lies before the history, and a partial document that would be too long, get a full one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "policy/roster_limits.h"

namespace parley::policy {

inline constexpr std::string_view conference_info_type = "application/conference-info+xml";

// OMA-CONF-5
enum class EndpointStatus : std::uint8_t {
  connected,
  disconnected,  // by leave() only
  on_hold,
  muted_via_focus,
  pending,
  alerting,
  dialing_in,
  dialing_out,
  disconnecting,
};
enum class JoiningMethod : std::uint8_t { dialed_in, dialed_out, focus_owner };
enum class DisconnectionMethod : std::uint8_t { departed, booted, failed, busy };
[[nodiscard]] std::string_view to_string(EndpointStatus status);
[[nodiscard]] std::string_view to_string(JoiningMethod method);
[[nodiscard]] std::string_view to_string(DisconnectionMethod method);

// Of conference-description.
struct ConferenceDescription {
  std::string subject{};
  std::string display_text{};
  std::uint32_t maximum_user_count = 0;  // 0: not said
  std::vector<std::string> conf_uris{};
};

// An endpoint of the roster. A user has the same number whenever he comes back while he is remembered.
struct RosterPlace {
  std::uint32_t user = 0;      // 0: none
  std::uint32_t endpoint = 0;  // of the user
  [[nodiscard]] bool valid() const { return user != 0; }
};

struct RosterJoin {
  std::string_view aor;        // who he is, the same text for equal URIs (aor_key); never shown
  std::string_view entity;     // his URI as it is shown; the first spelling counts as long as he is known (T-54)
  std::string_view display{};  // empty: none
  std::string_view alias{};    // shown instead of it, and as nickname
  // `entity`, `display` and `endpoint` are not shown; another user than the same `aor` in the open.
  bool anonymous = false;
  std::string_view endpoint{};  // URI of his device, as Contact
  EndpointStatus status = EndpointStatus::connected;
  JoiningMethod method = JoiningMethod::dialed_in;
};

// What one subscriber has been told; a new one nothing.
struct RosterPosition {
  std::uint64_t before = 0;  // version of the document before the last one
  std::uint64_t told = 0;    // of the last one
  auto operator<=>(const RosterPosition&) const = default;
};

struct RosterDocument {
  std::string_view tail;  // valid until the next change, document() or end of the roster
  bool full = false;
  bool truncated = false;  // users were left out
  bool more = false;       // who is `disconnected` in it has to be `deleted` in one more
};

enum class ConferenceInfoState : std::uint8_t { full, partial, deleted };

// "Reason: SIP;cause=200;text=\"Booted by focus\"", the form of RFC 3326 that RFC 4575 recommends. No cause: 0.
[[nodiscard]] std::string reason_text(std::uint32_t cause, std::string_view text);
// <?xml ..?><conference-info .. version="7
void put_conference_head(std::string_view entity, ConferenceInfoState state, std::uint32_t version, std::string& out);
// What follows it in a document with state="deleted".
inline constexpr std::string_view conference_deleted_tail = "\"/>\n";

class Roster {
 public:
  // `entity`: the session identity, which is subscribed to.
  Roster(std::string entity, ConferenceDescription description, const RosterLimits& limits = {});
  ~Roster() { CHECK(watch == 0); }  // ConferenceEvents::ended() first
  Roster(const Roster&) = delete;   // who watches it knows its address
  Roster& operator=(const Roster&) = delete;

  // --- changes

  // Not valid(): above a limit, nothing has changed. Of an endpoint that is in already (by its URI): another of it.
  [[nodiscard]] RosterPlace join(const RosterJoin& what);
  // False, here and below: nothing has changed.
  bool status(RosterPlace place, EndpointStatus status);
  // `reason` as reason_text() has it; empty: none. All read it: a peer's own words may say who is anonymous.
  bool leave(RosterPlace place, DisconnectionMethod method, std::string_view reason = {});
  bool alias(std::uint32_t user, std::string_view alias);
  bool lock(bool locked);
  bool activate(bool active);
  void describe(ConferenceDescription description);

  // --- what it says

  [[nodiscard]] const std::string& entity() const { return entity_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] std::uint32_t users() const { return present_; }         // who is shown in a full document
  [[nodiscard]] std::uint32_t user_count() const { return connected_; }  // who takes part
  // As shown in documents and to be shown elsewhere (OMA-ALIAS-3): empty for who is not there.
  [[nodiscard]] std::string_view entity_of(std::uint32_t user) const;
  [[nodiscard]] std::string_view display_of(std::uint32_t user) const;
  // Who is shown so (OMA-ALIAS-5); 0: nobody.
  [[nodiscard]] std::uint32_t user_of(std::string_view entity) const;

  // --- documents

  // For a subscriber at `at`, which moves on. A full one when that is asked for, or when no other will do.
  [[nodiscard]] RosterDocument document(RosterPosition& at, bool full);
  void put_head(ConferenceInfoState state, std::uint32_t version, std::string& out) const {
    put_conference_head(entity_, state, version, out);
  }
  // No subscriber's position is before that one: what left until then is forgotten.
  void forget(std::uint64_t before);

  // For measuring: documents that were written, and departures that are remembered.
  [[nodiscard]] std::uint64_t documents_written() const { return documents_written_; }
  [[nodiscard]] std::size_t departures() const { return departures_.size(); }

  std::uint64_t watch = 0;  // of ConferenceEvents: its name for this roster; 0: nobody subscribes

 private:
  struct Endpoint {
    std::uint32_t number = 0;
    std::string entity;
    EndpointStatus status = EndpointStatus::connected;
    JoiningMethod method = JoiningMethod::dialed_in;
    DisconnectionMethod disconnection = DisconnectionMethod::departed;
    std::string reason;
    std::uint64_t left = 0;  // version; 0: it is in
  };
  struct User {
    std::string key;
    std::string entity;
    std::string display;
    std::string alias;
    std::uint32_t anonymous = 0;  // number; 0: not anonymous
    std::uint32_t endpoints_ever = 0;
    std::vector<Endpoint> endpoints;
    bool counted = false;       // in connected_
    std::uint64_t changed = 0;  // version
    std::uint64_t left = 0;     // version; 0: he is in
    std::string xml;            // whole, as he is; empty: to be written
  };
  struct Departure {
    std::uint32_t user = 0;
    std::uint32_t endpoint = 0;  // 0: with the user
  };
  struct Kept {
    RosterPosition at;  // {0, 0}: full
    RosterDocument document;
    std::string text;
  };

  // conference_info.cc
  User* find(std::uint32_t user);
  Endpoint* find(RosterPlace place, User*& user);
  User* take_user(const RosterJoin& what, std::uint32_t& number);
  std::uint32_t anonymous_number(const std::string& key);
  void touch(std::uint32_t number, User& user);
  void change();
  void remember(Departure departure);
  void erase(std::map<std::uint64_t, Departure>::iterator departure);

  // conference_documents.cc
  void write_full(Kept& kept);
  void write_partial(const RosterPosition& at, Kept& kept);
  [[nodiscard]] const std::string& xml_of(User& user);
  static void put_user(const User& user, std::uint64_t told, std::string& out);

  const std::string entity_;
  const RosterLimits limits_;
  ConferenceDescription description_;
  bool active_ = true;
  bool locked_ = false;
  std::uint64_t version_ = 1;  // of the roster
  std::uint64_t description_changed_ = 1;
  std::uint64_t state_changed_ = 1;
  std::uint64_t forgotten_ = 0;  // departures until this version are
  std::uint32_t present_ = 0;
  std::uint32_t connected_ = 0;
  std::uint32_t users_ever_ = 0;
  std::uint32_t anonymous_ever_ = 0;

  std::map<std::uint32_t, User> users_;  // by number, in order of their coming
  std::map<std::string, std::uint32_t, std::less<>> by_key_;
  std::map<std::string, std::uint32_t, std::less<>> by_entity_;
  std::map<std::string, std::uint32_t, std::less<>> anonymous_;  // key to number, for the whole session (OMA-CONF-6)
  std::map<std::uint64_t, std::uint32_t> by_change_;             // version to user, his last change
  std::map<std::uint64_t, Departure> departures_;                // by version
  std::deque<Kept> kept_;
  std::uint64_t documents_written_ = 0;
};

}  // namespace parley::policy

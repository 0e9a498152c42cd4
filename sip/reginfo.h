// sip/reginfo.h - documents about registrations, application/reginfo+xml (RFC 3680 section 5). R3680-1.
//
// A writer of the six elements there are; nothing here reads XML. What comes from peers is escaped, and what XML does
// not allow at all (control characters, bytes that are no UTF-8) becomes U+FFFD, so that no registration can make a
// document that is not well-formed or says something else.
//
// How often: EventPackage::interval_min of reg_package, which notifier.h obeys. The version of a document is the number
// of its NOTIFY less one, when each NOTIFY of the subscription carries one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace parley::sip {

inline constexpr std::string_view reginfo_type = "application/reginfo+xml";

// `terminated` is said once, behind the last contact; afterwards it is `init` (section 4.7.1).
enum class RegistrationState : std::uint8_t { init, active, terminated };

enum class ContactEvent : std::uint8_t {
  registered,
  created,  // by an administrator
  refreshed,
  shortened,
  expired,  // from here on the contact is terminated
  deactivated,
  probation,
  unregistered,
  rejected,
};
[[nodiscard]] constexpr bool ends_contact(ContactEvent event) { return event >= ContactEvent::expired; }
[[nodiscard]] std::string_view to_string(RegistrationState state);
[[nodiscard]] std::string_view to_string(ContactEvent event);

struct ReginfoContact {
  std::string_view id;  // the same in all documents of a subscription, and nobody else's
  ContactEvent event = ContactEvent::registered;
  std::string_view uri;
  std::string_view display{};  // as in the Contact header: quoted or not; empty: none
  std::string_view
      params{};  // of the Contact header, from the first ';' on; those of RFC 3261 (q, expires) are left out
  std::optional<std::uint64_t> expires_seconds{};      // not written for a terminated contact; `shortened` needs it
  std::optional<std::uint64_t> retry_after_seconds{};  // `probation` needs it, others do not have it
  std::optional<std::uint64_t> registered_seconds{};   // duration-registered
  std::optional<std::uint16_t> q{};                    // thousandths
  std::string_view call_id{};                          // of the last REGISTER; empty: none
  std::optional<std::uint32_t> cseq{};
};

struct ReginfoRegistration {
  std::string_view aor;
  std::string_view id;  // the same in all documents of a subscription
  RegistrationState state = RegistrationState::init;
  std::span<const ReginfoContact> contacts{};
};

struct ReginfoDocument {
  std::uint32_t version = 0;
  bool full = true;  // false: what is not named has not changed
  std::span<const ReginfoRegistration> registrations{};
};

// Appends the document to `out`, in UTF-8.
void put_reginfo(const ReginfoDocument& document, std::string& out);

// ---- the changes between two documents of one subscription ----

// 32: more contacts than an address of record may have change in 5 s only when something is wrong, or all at once; then
// the next document is a full one.
inline constexpr std::size_t reginfo_changes_max = 32;

// What happened to contacts since the last document; one entry for each contact, its last event. Copies texts.
class ReginfoChanges {
 public:
  void add(const ReginfoContact& contact);
  // Contacts in the order of their first change, for a partial document; views until the next add() or clear(). A full
  // one names all contacts there are and, from here, those that have ended.
  [[nodiscard]] std::vector<ReginfoContact> contacts() const;
  // There were more than reginfo_changes_max: only a full document will do.
  [[nodiscard]] bool overflown() const { return overflown_; }
  [[nodiscard]] bool empty() const { return entries_.empty() && !overflown_; }
  // A document has been sent.
  void clear();

 private:
  struct Entry {
    std::string id, uri, display, params, call_id;
    ReginfoContact contact;  // without its texts
  };
  std::vector<Entry> entries_;
  bool overflown_ = false;
};

// ---- as subscriber: the order of documents (section 5.2) ----

enum class ReginfoStep : std::uint8_t {
  process,
  process_and_refresh,  // one or more are missing: ask for the full state (Subscriber::refresh_now)
  discard,
};
// `version` of a document against the last one that was processed; nothing before the first.
[[nodiscard]] constexpr ReginfoStep reginfo_step(std::optional<std::uint32_t> last, std::uint32_t version) {
  if (!last || version == *last + 1) return ReginfoStep::process;
  return version > *last ? ReginfoStep::process_and_refresh : ReginfoStep::discard;
}

}  // namespace parley::sip

// policy/terminating.h - what an IM request to a user served here has to pass before it goes to his devices: the
// ordered list of SEED4-6.1.2.1, and what becomes of it when he can not be reached.
//
// Pure: facts in, the first violated check or a decision out. SipService gathers the facts and carries out the answer
// (sip_participating.cc).
#pragma once

#include "policy/check_list.h"
#include "policy/im_request.h"
#include "policy/poc_settings.h"

namespace parley::policy {

struct TerminatingFacts {
  ImKind kind = ImKind::session;
  bool deferred_delivery = false;  // of our deferred messaging function: what bars and rejects was asked before (DEC-2)
  bool session_barred = false;     // isb
  bool pager_large_barred = false;               // ipab
  bool file_transfer_barred = false;             // its own barring, or isb (DEC-17)
  InviteHandling access = InviteHandling::pass;  // of the user's rules, for what is wanted (DEC-16)
  bool content_allowed = true;                   // pager: types and size
  bool description_allowed = true;               // the others: types and sizes of the offer
  bool expired = false;                          // pager: its time was over when it came (DEC-14)
  bool in_another = false;  // in a session, and takes part in one at a time (OMA-SES-11)
};
using TerminatingCheck = Check<TerminatingFacts>;

// DEC-16: sessions by isb, pager and large messages by ipab; DEC-17: files by either of theirs.
[[nodiscard]] constexpr bool is_barred(const TerminatingFacts& f) {
  switch (f.kind) {
    case ImKind::session: return f.session_barred;
    case ImKind::file_transfer: return f.session_barred || f.file_transfer_barred;
    case ImKind::pager:
    case ImKind::large_message: return f.pager_large_barred;
    case ImKind::other: return false;
  }
  return false;
}
// Whether a rule of his speaks about such a request at all.
[[nodiscard]] constexpr bool has_access_rule(ImKind kind) { return kind != ImKind::other; }

// "Otherwise continue": the order is the clause's.
inline constexpr TerminatingCheck terminating_checks[] = {
    {.id = "SEED4-6.1.2.1-1",
     .violated = [](const TerminatingFacts& f) { return !f.deferred_delivery && is_barred(f); },
     .counter = core::Metric::im_refused_barred},
    {.id = "SEED4-6.1.2.1-2a",
     .violated =
         [](const TerminatingFacts& f) {
           return !f.deferred_delivery && f.kind != ImKind::pager && has_access_rule(f.kind) &&
                  f.access == InviteHandling::reject;
         },
     .tells = Tells::warning,
     .text = "The recipient does not take this from you",
     .counter = core::Metric::im_refused_access},
    {.id = "SEED4-6.1.2.1-2b",
     .violated =
         [](const TerminatingFacts& f) {
           return !f.deferred_delivery && f.kind == ImKind::pager && f.access == InviteHandling::reject;
         },
     .tells = Tells::warning,
     .text = "The recipient does not take messages from you",
     .counter = core::Metric::im_refused_access},
    {.id = "SEED4-6.1.2.1-3a",
     .violated = [](const TerminatingFacts& f) { return f.kind == ImKind::pager && !f.content_allowed; },
     .status = 415,
     .tells = Tells::formats,
     .counter = core::Metric::im_refused_content},
    {.id = "SEED4-6.1.2.1-3b",
     .violated = [](const TerminatingFacts& f) { return f.kind != ImKind::pager && !f.description_allowed; },
     .status = 488,
     .tells = Tells::description,
     .text = "Size or content is not allowed here",
     .counter = core::Metric::im_refused_description},
    {.id = "SEED4-6.1.2.1-4",
     .violated = [](const TerminatingFacts& f) { return f.kind == ImKind::pager && f.expired; },
     .status = 480,
     .tells = Tells::warning,
     .text = "expired",
     .counter = core::Metric::im_refused_expired},
    {.id = "OMA-SES-11",
     .violated = [](const TerminatingFacts& f) { return f.kind == ImKind::session && f.in_another; },
     .status = 486,
     .tells = Tells::warning,
     .text = "The recipient is in another session",
     .counter = core::Metric::im_refused_simultaneous},
};

[[nodiscard]] constexpr const TerminatingCheck* refusal(const TerminatingFacts& facts) {
  return first_refusal(terminating_checks, facts);
}

static_assert(refusal(TerminatingFacts{
                          .session_barred = true, .access = InviteHandling::reject, .description_allowed = false})
                  ->id == "SEED4-6.1.2.1-1");
static_assert(refusal(TerminatingFacts{.access = InviteHandling::reject, .description_allowed = false})->id ==
              "SEED4-6.1.2.1-2a");
static_assert(
    refusal(TerminatingFacts{
                .kind = ImKind::pager, .access = InviteHandling::reject, .content_allowed = false, .expired = true})
        ->id == "SEED4-6.1.2.1-2b");
static_assert(refusal(TerminatingFacts{.kind = ImKind::pager, .content_allowed = false, .expired = true})->id ==
              "SEED4-6.1.2.1-3a");
static_assert(refusal(TerminatingFacts{
                  .deferred_delivery = true, .session_barred = true, .access = InviteHandling::reject}) == nullptr);
static_assert(refusal(TerminatingFacts{}) == nullptr);

// SEED4-6.1.2.1-5, OMA-FT-6: what becomes of a request whose user has no device that takes it.
enum class WhenUnreachable : std::uint8_t {
  unavailable,  // 480
  defer,        // a deferred messaging function keeps it for him
};
[[nodiscard]] constexpr WhenUnreachable when_unreachable(ImKind kind) {
  return kind == ImKind::pager || kind == ImKind::large_message ? WhenUnreachable::defer : WhenUnreachable::unavailable;
}
// OMA-PAG-5: answers of his devices that mean that they could not be reached, and not what he decided.
[[nodiscard]] constexpr bool means_unreachable(std::uint16_t status) {
  return status == 408 || status == 430 || status == 480 || status == 503;
}

}  // namespace parley::policy

// policy/originating.h - what an IM request of a user served here has to pass before it goes anywhere: the ordered list
// of SEED4-6.1.1.1.
//
// Pure: facts in, the first violated check out. SipService gathers the facts and carries out the answer
// (sip_participating.cc).
#pragma once

#include "policy/check_list.h"
#include "policy/im_request.h"

namespace parley::policy {

struct OriginatingFacts {
  ImKind kind = ImKind::session;
  bool sender_allowed = true;       // his identity, the mode, and the domain he wants to reach
  bool rate_allowed = true;         // OMA-POL-5
  bool answer_overdue = false;      // of a system message, and this request is not that answer (DEC-22)
  bool client_allowed = true;       // its release, where one is asked for
  bool content_allowed = true;      // pager: types and size
  bool description_allowed = true;  // the others: types and sizes of the offer
};
using OriginatingCheck = Check<OriginatingFacts>;

// "Otherwise continue": the order is the clause's.
inline constexpr OriginatingCheck originating_checks[] = {
    {.id = "SEED4-6.1.1.1-1",
     .violated = [](const OriginatingFacts& f) { return !f.sender_allowed; },
     .tells = Tells::warning,
     .text = "You may not send this kind of request",
     .counter = core::Metric::im_refused_sender},
    {.id = "OMA-POL-5",  // a part of whether he may send it
     .violated = [](const OriginatingFacts& f) { return !f.rate_allowed; },
     .tells = Tells::warning,
     .text = "You send too many requests in a short time",
     .counter = core::Metric::im_refused_rate},
    {.id = "SEED4-6.1.1.1-2",
     .violated = [](const OriginatingFacts& f) { return f.answer_overdue; },
     .tells = Tells::error_info,
     .text = "A system message waits for your answer",
     .page = "system-message",
     .counter = core::Metric::im_refused_system_message},
    {.id = "SEED4-6.1.1.1-3",
     .violated = [](const OriginatingFacts& f) { return !f.client_allowed; },
     .tells = Tells::error_info,
     .text = "This release of your client is not supported",
     .page = "client-release",
     .counter = core::Metric::im_refused_version},
    {.id = "SEED4-6.1.1.1-4a",
     .violated = [](const OriginatingFacts& f) { return f.kind == ImKind::pager && !f.content_allowed; },
     .status = 415,
     .tells = Tells::formats,
     .counter = core::Metric::im_refused_content},
    {.id = "SEED4-6.1.1.1-4b",
     .violated = [](const OriginatingFacts& f) { return f.kind != ImKind::pager && !f.description_allowed; },
     .status = 488,
     .tells = Tells::description,
     .text = "Size or content is not allowed here",
     .counter = core::Metric::im_refused_description},
};

[[nodiscard]] constexpr const OriginatingCheck* refusal(const OriginatingFacts& facts) {
  return first_refusal(originating_checks, facts);
}

static_assert(refusal(OriginatingFacts{.sender_allowed = false,
                                       .rate_allowed = false,
                                       .answer_overdue = true,
                                       .client_allowed = false,
                                       .content_allowed = false,
                                       .description_allowed = false})
                  ->id == "SEED4-6.1.1.1-1");
static_assert(refusal(OriginatingFacts{.answer_overdue = true, .client_allowed = false, .description_allowed = false})
                  ->id == "SEED4-6.1.1.1-2");
static_assert(refusal(OriginatingFacts{.client_allowed = false, .description_allowed = false})->id ==
              "SEED4-6.1.1.1-3");
static_assert(refusal(OriginatingFacts{}) == nullptr);

}  // namespace parley::policy

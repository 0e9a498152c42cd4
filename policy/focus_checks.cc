// policy/focus_checks.cc - see focus_checks.h.
#include "policy/focus_checks.h"

namespace parley::policy {
namespace {

using F = JoinFacts;

// clang-format off
constexpr JoinRefusal checks[] = {
    // requirement      what speaks against it                                          answer
    {"OMA-GRP-4",    [](const F& f) { return !f.known; },                               404, ""},
    {"OMA-SES-1",    [](const F& f) { return !f.session_alive; },                       404, ""},
    {"OMA-ID-9",     [](const F& f) { return !f.kind_known; },                          403, "unknown session type"},
    {"R3261-4",      [](const F& f) { return f.body_status == 415; },                   415, ""},
    {"R3261-4",      [](const F& f) { return f.body_status != 0; },                     400, ""},
    {"R5366-1",      [](const F& f) { return f.list_required && !f.list_there; },       400, "no recipient list"},
    {"OMA-GRP-8",    [](const F& f) { return f.list_wrong; },                           400, "recipient list can not be read"},
    {"OMA-GRP-8",    [](const F& f) { return f.list_useless; },                         404, "nobody in the list can be invited"},
    {"OMA-GRP-5",    [](const F& f) { return f.list_too_long; },                        403, "too many recipients, at most "},
    {"OMA-GRP-3",    [](const F& f) { return !f.understood; },                          403, "the group asks for what this server does not know"},
    {"OMA-GRP-9",    [](const F& f) { return f.anonymity_disallowed; },                 433, ""},
    {"OMA-GRP-4",    [](const F& f) { return !f.member; },                              403, "not allowed to join"},
    {"OMA-ALIAS-2",  [](const F& f) { return !f.alias_free; },                          403, "alias in use"},
    {"OMA-GRP-3",    [](const F& f) { return !f.scheduled; },                           480, "not at this time"},
    {"OMA-GRP-4",    [](const F& f) { return !f.active && !f.may_begin && f.chat_room; },  480, "nobody there"},
    {"OMA-GRP-4",    [](const F& f) { return !f.active && !f.may_begin; },              403, "not allowed to begin the session"},
    {"OMA-GRP-4",    [](const F& f) { return f.locked; },                               403, "locked"},
    {"OMA-GRP-4",    [](const F& f) { return f.full; },                                 486, "session is full"},
    {"R3264-1",      [](const F& f) { return f.sdp_wrong; },                            400, "session description can not be read"},
    {"OMA-POL-4",    [](const F& f) { return f.sdp_useless; },                          488, "no MSRP session that could be taken"},
};
// clang-format on

constexpr const JoinRefusal* first(const JoinFacts& facts) {
  for (const JoinRefusal& check : checks) {
    if (check.holds(facts)) return &check;
  }
  return nullptr;
}

// The order is part of the requirement.
static_assert(first({}) == nullptr);
static_assert(first({.known = false, .member = false})->status == 404);
static_assert(first({.list_too_long = true, .full = true})->status == 403);
static_assert(first({.member = false, .anonymity_disallowed = true})->status == 433);
static_assert(first({.member = false, .active = false, .may_begin = false, .full = true})->status == 403);
static_assert(first({.active = false, .chat_room = true, .may_begin = false})->status == 480);
static_assert(first({.full = true, .sdp_useless = true})->status == 486);

}  // namespace

std::span<const JoinRefusal> join_refusals() { return checks; }
const JoinRefusal* first_refusal(const JoinFacts& facts) { return first(facts); }

}  // namespace parley::policy

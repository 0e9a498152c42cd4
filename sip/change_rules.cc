// sip/change_rules.cc - what must hold of the table in change_rules.h, checked when it is compiled.
#include "sip/change_rules.h"

#include <iterator>

namespace parley::sip {
namespace {

using C = ChangeState;
using V = ChangeEvent;

constexpr C all_changes[] = {C::quiet, C::ours, C::ours_ok, C::theirs, C::theirs_ok};
constexpr V change_events_all[] = {V::want,        V::got_invite, V::got_glare,   V::got_twice, V::answer,
                                   V::refuse,      V::cancel,     V::ack,         V::got_2xx,   V::got_2xx_again,
                                   V::acknowledge, V::got_491,    V::got_refusal, V::got_lost,  V::limit};
static_assert(std::size(all_changes) == change_states && std::size(change_events_all) == change_events);
static_assert(complete(change_table::cells, std::size(change_table::rows), all_changes, change_events_all));

// `never` is what the driver keeps away: a timer that does not run, a CANCEL of nothing, a 2xx to nothing (it is a
// repetition), and the reason why an INVITE of theirs can not be taken where another INVITE is one already.
constexpr bool may_be(C state, V event) {
  switch (event) {
    case V::limit: return limit_of(state) != InviteLimit::none;
    case V::cancel: return state == C::theirs;
    case V::got_2xx: return state == C::ours;
    case V::got_glare:
    case V::got_twice: return state == C::quiet || state == C::theirs_ok;
    default: return true;
  }
}
// `idle` is only what the owner alone can say.
constexpr bool of_owner(V event) {
  return event == V::answer || event == V::refuse || event == V::acknowledge || event == V::got_491 ||
         event == V::got_refusal || event == V::got_lost;
}

constexpr bool changes_sound() {
  for (const C state : all_changes) {
    for (const V event : change_events_all) {
      const ChangeRow& row = change_row(state, event);
      const bool runs = limit_of(state) != InviteLimit::none;
      if ((row.kind == RowKind::never) == may_be(state, event)) return false;
      if (row.kind == RowKind::idle && !of_owner(event)) return false;
      if (event == V::limit && runs && row.next != C::quiet) return false;  // every state ends without the peer
      // Every INVITE of theirs is taken or answered, every want of ours done or refused.
      const std::uint32_t answers = change_do::take_invite | change_do::answer_491 | change_do::answer_500;
      const bool theirs = event == V::got_invite || event == V::got_glare || event == V::got_twice;
      if (theirs && may_be(state, event) && (row.actions & answers) == 0) return false;
      if (event == V::want && (row.actions & (change_do::send_invite | change_do::busy)) == 0) return false;
    }
  }
  // A 2xx to ours is acknowledged on every way on.
  for (const ChangeRow& row : change_table::rows) {
    if (row.state == C::ours_ok && row.next != C::ours_ok && (row.actions & change_do::send_ack) == 0) return false;
  }
  return true;
}
static_assert(changes_sound());

}  // namespace
}  // namespace parley::sip

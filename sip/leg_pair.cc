// sip/leg_pair.cc - what passes between legs; and what must hold of the tables in leg_rules.h.
#include "sip/leg_pair.h"

#include <iterator>

#include "core/text.h"

namespace parley::sip {
namespace {

static_assert(complete(pair_table::cells, std::size(pair_table::rows)));
static_assert(complete(relay_table::cells, std::size(relay_table::rows)));

// Only that a leg is gone without having ended is impossible, and that is ours to tell. When a leg ends, the other one
// is ended too, and that is told once; when both are gone, the pair is over.
constexpr bool pair_sound() {
  constexpr auto alive = [](PairState state) {
    return state == PairState::ringing || state == PairState::answering || state == PairState::late ||
           state == PairState::open;
  };
  for (const PairRow& row : pair_table::rows) {
    const bool gone = row.event == PairEvent::a_gone || row.event == PairEvent::b_gone;
    if ((row.kind == RowKind::never) != (gone && alive(row.state))) return false;
    const bool closes = alive(row.state) && row.kind == RowKind::go && !alive(row.next);
    if (closes != ((row.actions & pair_do::tell_closing) != 0)) return false;
    const bool ends_a = row.event == PairEvent::a_ended;
    const bool ends_b = row.event == PairEvent::b_ended || row.event == PairEvent::b_refused;
    const std::uint32_t to_a = pair_do::hang_up_a | pair_do::refuse_a;
    if (closes && !ends_a && (row.actions & to_a) == 0) return false;
    if (closes && !ends_b && (row.actions & pair_do::hang_up_b) == 0) return false;
    if ((row.next == PairState::over && row.kind == RowKind::go) != ((row.actions & pair_do::tell_over) != 0))
      return false;
  }
  return true;
}
static_assert(pair_sound());

// Whoever asked is answered or refused, unless its leg ends or it has cancelled; and the other leg's 2xx is acknowledged
// unless both end. Behind a CANCEL nothing is said to the asker any more, and no 2xx leaves the session it made standing.
constexpr bool relay_sound() {
  for (const RelayRow& row : relay_table::rows) {
    const std::uint32_t answers = relay_do::answer_asker | relay_do::refuse_asker | relay_do::refuse_491;
    if (row.state == RelayState::asking && row.next != RelayState::asking && row.event != RelayEvent::over &&
        row.event != RelayEvent::asker_cancel && (row.actions & answers) == 0) {
      return false;
    }
    const bool cancels = row.next == RelayState::calling_off && row.state != RelayState::calling_off;
    if (cancels != ((row.actions & relay_do::cancel_other) != 0)) return false;
    if (row.state == RelayState::calling_off) {
      std::uint32_t due = row.event == RelayEvent::ask ? relay_do::refuse_491 : 0;
      if (row.event == RelayEvent::other_answered) due = relay_do::ack_other | relay_do::restore_other;
      if (row.event == RelayEvent::other_offered) due = relay_do::ack_other | relay_do::stop_both;
      if (row.actions != due) return false;
    }
    const std::uint32_t acks = relay_do::ack_other_answer | relay_do::stop_both;
    if (row.state == RelayState::acking && row.next != RelayState::acking && row.event != RelayEvent::over &&
        (row.actions & acks) == 0) {
      return false;
    }
  }
  return true;
}
static_assert(relay_sound());

}  // namespace

HeaderPass header_pass(HeaderId id, std::string_view name, bool pass_unknown) {
  switch (id) {
    // A leg's dialog, route, transaction and what is negotiated on it.
    case HeaderId::allow:
    case HeaderId::allow_events:
    case HeaderId::authentication_info:
    case HeaderId::authorization:
    case HeaderId::call_id:
    case HeaderId::contact:
    case HeaderId::content_length:
    case HeaderId::cseq:
    case HeaderId::flow_timer:
    case HeaderId::from:
    case HeaderId::max_breadth:
    case HeaderId::max_forwards:
    case HeaderId::min_expires:
    case HeaderId::min_se:
    case HeaderId::path:
    case HeaderId::proxy_authenticate:
    case HeaderId::proxy_authentication_info:
    case HeaderId::proxy_authorization:
    case HeaderId::proxy_require:
    case HeaderId::rack:
    case HeaderId::record_route:
    case HeaderId::require:
    case HeaderId::route:
    case HeaderId::rseq:
    case HeaderId::server:
    case HeaderId::service_route:
    case HeaderId::session_expires:
    case HeaderId::sip_etag:
    case HeaderId::sip_if_match:
    case HeaderId::supported:
    case HeaderId::timestamp:
    case HeaderId::to:
    case HeaderId::unsupported:
    case HeaderId::user_agent:
    case HeaderId::via:
    case HeaderId::www_authenticate: return HeaderPass::own;

    // Identities and privacy, targets, and names of dialogs, which are other ones on the other leg.
    case HeaderId::accept_contact:
    case HeaderId::event:
    case HeaderId::expires:
    case HeaderId::history_info:
    case HeaderId::join:
    case HeaderId::p_access_network_info:
    case HeaderId::p_asserted_identity:
    case HeaderId::p_asserted_service:
    case HeaderId::p_associated_uri:
    case HeaderId::p_called_party_id:
    case HeaderId::p_charging_function_addresses:
    case HeaderId::p_charging_vector:
    case HeaderId::p_preferred_identity:
    case HeaderId::p_preferred_service:
    case HeaderId::p_visited_network_id:
    case HeaderId::privacy:
    case HeaderId::refer_sub:
    case HeaderId::refer_to:
    case HeaderId::referred_by:
    case HeaderId::reject_contact:
    case HeaderId::replaces:
    case HeaderId::reply_to:
    case HeaderId::request_disposition:
    case HeaderId::subscription_state:
    case HeaderId::target_dialog: return HeaderPass::policy;

    case HeaderId::content_disposition:
    case HeaderId::content_encoding:
    case HeaderId::content_id:
    case HeaderId::content_language:
    case HeaderId::content_type:
    case HeaderId::mime_version: return HeaderPass::body;

    // T-16: Error-Info, Reason, Warning. T-9: what binds sessions together for RCS and CPM clients.
    case HeaderId::accept:
    case HeaderId::accept_encoding:
    case HeaderId::accept_language:
    case HeaderId::alert_info:
    case HeaderId::call_info:
    case HeaderId::contribution_id:
    case HeaderId::conversation_id:
    case HeaderId::date:
    case HeaderId::error_info:
    case HeaderId::in_reply_to:
    case HeaderId::inreplyto_contribution_id:
    case HeaderId::organization:
    case HeaderId::priority:
    case HeaderId::reason:
    case HeaderId::retry_after:
    case HeaderId::session_replaces:
    case HeaderId::subject:
    case HeaderId::warning: return HeaderPass::pass;

    case HeaderId::other: break;
  }
  // Agreements between neighbours, and signatures over headers that change.
  for (const std::string_view hop :
       {"Security-Client", "Security-Server", "Security-Verify", "Identity", "Recv-Info"}) {
    if (core::equal_ignore_case(name, hop)) return HeaderPass::own;
  }
  return pass_unknown ? HeaderPass::pass : HeaderPass::own;
}

std::uint16_t refusal_passed(std::uint16_t status) {
  if (status < 400) return 480;  // where to go instead was said to us
  switch (status) {
    case 401:
    case 407: return 403;  // it is we who have no credentials
    case 408: return 480;  // ours to it, not the other side's to us
    case 420:
    case 421:
    case 422: return 500;  // of our own headers
    case 481: return 480;  // our dialog, not theirs
    case 482:
    case 483: return 500;
    case 487: return 480;  // only a CANCEL of its own gives a leg a 487
    case 503: return 500;  // 3261 16.7: it would keep the other side away from all of us
    default: return status;
  }
}

}  // namespace parley::sip

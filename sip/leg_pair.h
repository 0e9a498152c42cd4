// sip/leg_pair.h - the state of two legs that are one session (tables: leg_rules.h), and what of one leg's messages
// goes on to the other: which headers (T-9, T-16) and which refusals.
//
// State and decisions only. Its owner has an InviteUsage, SessionChanges and SessionTimer per leg and turns their
// answers into facts.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "sip/call_rows.h"
#include "sip/header_id.h"
#include "sip/leg_rules.h"

namespace parley::sip {

enum class Leg : std::uint8_t { a, b };
constexpr Leg other(Leg leg) { return leg == Leg::a ? Leg::b : Leg::a; }

class LegPair {
 public:
  // `rows`: as InviteConfig::rows.
  explicit LegPair(CallRows* rows = nullptr) : rows_(rows) {}

  // Bits of pair_do.
  [[nodiscard]] std::uint32_t on(PairEvent event) {
    const PairRow& row = pair_row(state_, event);
    CHECK(row.kind != RowKind::missing);
    CHECK(row.kind != RowKind::never);
    if (rows_ != nullptr) rows_->pair.take(state_, event);
    state_ = row.next;
    return row.actions;
  }
  [[nodiscard]] PairState state() const { return state_; }

  // A re-INVITE or UPDATE was taken on `leg`; bits of relay_do. Only its own leg's refuse_491 while another is under
  // way.
  [[nodiscard]] std::uint32_t ask(Leg leg) {
    if (relay_ == RelayState::quiet) asker_ = leg;
    return on(RelayEvent::ask);
  }
  // All other facts; asker() says which leg is which.
  [[nodiscard]] std::uint32_t on(RelayEvent event) {
    const RelayRow& row = relay_row(relay_, event);
    CHECK(row.kind != RowKind::missing);
    if (rows_ != nullptr) rows_->relay.take(relay_, event);
    relay_ = row.next;
    return row.actions;
  }
  [[nodiscard]] Leg asker() const { return asker_; }
  [[nodiscard]] RelayState relay() const { return relay_; }

 private:
  CallRows* rows_;
  PairState state_ = PairState::ringing;
  RelayState relay_ = RelayState::quiet;
  Leg asker_ = Leg::a;
};

// What happens to a header of one leg's request or response on the other leg.
enum class HeaderPass : std::uint8_t {
  own,     // each leg has its own: written anew, never copied
  policy,  // names or protects somebody, or a dialog: the service decides
  body,    // goes with the body it describes
  pass,    // goes on as it stands
};
// T-9: headers we do not know pass when `pass_unknown`. `name` is looked at when `id` is HeaderId::other.
[[nodiscard]] HeaderPass header_pass(HeaderId id, std::string_view name, bool pass_unknown);

// The final response that the other leg gets for one from this leg (3261 16.7 in spirit): a redirection or a challenge
// is for us and not for the other side, 503 would shut us out as a whole, and what concerns our own request is ours.
[[nodiscard]] std::uint16_t refusal_passed(std::uint16_t status);

}  // namespace parley::sip

// sip/subscriber.h - one subscription we want to have with somebody: when to send SUBSCRIBE, which NOTIFYs count, when
// to give up and when to ask again (RFC 6665 section 4.1). R6665-1, R6665-2, R6665-5.
//
// A value without clock and without messages. The caller has the dialog, sends what is asked for, tells what came and
// calls due() at deadline(). A NOTIFY may come before the 2xx and makes the dialog (T-32).
//
//   Subscriber s({.expires_seconds = 3761});
//   s.start(now)                       {first}: SUBSCRIBE with a new Call-ID and From tag
//   s.notify({active, 3600}, now)      {answer 200}
//   s.due(deadline)                    {refresh}: SUBSCRIBE in the dialog
//   s.notify({terminated, ...}, now)   {answer 200, usage_ended}; at deadline() due() says {first} again, or never
//
// Forks: as long as takes_dialogs(), a NOTIFY from another dialog for the same SUBSCRIBE may be given to a copy of the
// Subscriber made before its first NOTIFY; packages without forking (reg: RFC 3680 section 4.9) answer it 481.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "sip/event_headers.h"
#include "sip/subscription_rules.h"

namespace parley::sip {

struct SubscriberConfig {
  std::uint32_t expires_seconds = 3600;                    // asked for
  core::Duration timer_n = std::chrono::seconds(32);       // 64*T1
  core::Duration retry_min = std::chrono::seconds(1);      // behind the first failure; doubled by each further one
  core::Duration retry_max = std::chrono::minutes(30);     // up to here, so that a dead peer costs little
  core::Duration refresh_lead = std::chrono::seconds(40);  // before it ends: longer than Timer N, for one try
  core::Duration retry_after_max = std::chrono::hours(24 * 365);  // what a peer may ask us to wait
};

enum class SubscribeKind : std::uint8_t {
  none,
  first,    // new Call-ID, From tag and route
  refresh,  // in the dialog
  last,     // in the dialog, Expires: 0
};

struct SubscriberStep {
  SubscribeKind send = SubscribeKind::none;
  std::uint32_t expires_seconds = 0;  // of what is sent
  bool usage_ended = false;           // the dialog has one reason less to be
  std::uint16_t answer = 0;           // to a NOTIFY: 200 or 481
};

// The final response to a SUBSCRIBE of ours.
struct SubscribeResponse {
  std::uint16_t status = 408;  // also when none came
  bool has_expires = false;
  std::uint32_t expires_seconds = 0;
  std::uint32_t min_expires_seconds = 0;  // 423
  std::uint32_t retry_after_seconds = 0;
};

class Subscriber {
 public:
  explicit Subscriber(const SubscriberConfig& config) : config_(config), expires_seconds_(config.expires_seconds) {}

  // Once.
  [[nodiscard]] SubscriberStep start(core::Instant now);
  // No longer wanted. In `idle` and before the first NOTIFY nothing has to be sent.
  [[nodiscard]] SubscriberStep stop(core::Instant now);
  // Of the last SUBSCRIBE; a challenge is the caller's to answer, by the same SUBSCRIBE with credentials.
  [[nodiscard]] SubscriberStep response(const SubscribeResponse& response, core::Instant now);
  // A NOTIFY of this subscription: its Call-ID, tags and event are right. Who finds no Subscriber for one answers 481;
  // one without a readable Subscription-State, 400.
  [[nodiscard]] SubscriberStep notify(const SubscriptionState& state, core::Instant now);
  // At deadline(), or later.
  [[nodiscard]] SubscriberStep due(core::Instant now);
  [[nodiscard]] core::Instant deadline() const;

  // A document had a version gap: ask for the full state (RFC 3680 section 5.2).
  [[nodiscard]] SubscriberStep refresh_now(core::Instant now);

  [[nodiscard]] subscription_rules::SubscriberState state() const { return state_; }
  [[nodiscard]] bool over() const { return state_ == subscription_rules::SubscriberState::over; }
  // Timer N of the first SUBSCRIBE runs.
  [[nodiscard]] bool takes_dialogs(core::Instant now) const { return now < first_ends_; }

 private:
  [[nodiscard]] SubscriberStep apply(subscription_rules::SubscriberEvent event, core::Instant now);
  void send(SubscribeKind kind, SubscriberStep& step, core::Instant now);
  void expires_in(std::uint32_t seconds, core::Instant now);
  void back_off(core::Instant now);
  void refresh_failed(core::Instant now);

  SubscriberConfig config_;
  subscription_rules::SubscriberState state_ = subscription_rules::SubscriberState::idle;
  std::uint32_t expires_seconds_;   // asked for; a 423 raises it
  std::uint32_t said_seconds_ = 0;  // by what take_expiry takes
  bool said_ = false;
  bool notify_said_ = false;    // a NOTIFY behind the last SUBSCRIBE named the time: the 2xx does not count
  bool at_once_ = false;        // asking again needs no back-off
  core::Duration wait_min_{};   // retry-after
  unsigned failures_ = 0;       // since it was active
  core::Instant first_sent_{};  // the last one of them
  core::Instant first_ends_ = core::Instant::min();  // its Timer N
  core::Instant timer_n_ = core::never;
  core::Instant refresh_ = core::never;
  core::Instant expires_ = core::never;
  core::Instant again_ = core::never;
};

}  // namespace parley::sip

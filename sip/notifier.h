// sip/notifier.h - the subscriptions that peers have with us: when each gets a NOTIFY, what its Subscription-State
// says, and when it ends (RFC 6665 section 4.2). R6665-1 to R6665-5.
//
// One per shard, used by its thread alone; holds at most NotifierConfig::subscriptions_max, about 300 bytes each. It
// writes no messages and knows no documents: what is to be sent comes out as facts, and the caller, who has the dialog
// and what is watched, writes the NOTIFY.
//
//   SUBSCRIBE          judge_subscribe(), authorisation, find() in its dialog, then subscribe() or refresh() and the
//   200;
//                      then drain next_fact(): the NOTIFY goes out behind the 200 (T-32)
//   NOTIFY answered    notify_answered(): 408 when Timer F fired
//   watched changes    changed(resource)
//
// Dialogs and resources are numbers of the caller's. Several subscriptions may share a dialog, told apart by package
// and id, and with an INVITE (T-33, RFC 6665 section 4.5.2): each `ended` is one reason less for the dialog to be.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/metrics.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "core/timer_wheel.h"
#include "sip/event_headers.h"
#include "sip/event_packages.h"
#include "sip/subscription_rules.h"

namespace parley::sip {

struct NotifierConfig {
  std::uint32_t subscriptions_max = 100'000;       // per shard
  std::uint32_t subscriptions_per_dialog_max = 8;  // a client has one for each package; a REFER makes one more
  std::uint32_t restored_per_second = 1000;        // how many of an earlier process get their first NOTIFY
  std::uint32_t event_id_bytes_max = 128;          // of the Event header's id, which is sent back in each NOTIFY
};

using SubscriptionId = core::SlotId;

struct NewSubscription {
  std::uint64_t dialog = 0;
  std::uint64_t resource = 0;
  std::uint8_t package = 0;  // index into the packages
  Event event{};             // copied
  std::uint32_t expires_seconds = 0;
  bool pending = false;  // authorisation is not settled yet
};

// One of an earlier process.
struct LeftSubscription {
  std::uint64_t dialog = 0;
  std::uint64_t resource = 0;
  std::uint8_t package = 0;
  Event event{};  // copied
  core::Instant expires{};
  core::Instant notify_at{};  // its first NOTIFY, with everything; changes wait until then
  bool held = false;          // none: nothing reaches its subscriber until he comes by himself
};

// What a subscription is, as long as nothing changes.
struct SubscriptionView {
  std::string_view event;  // value of the Event header
  std::uint8_t package = 0;
  core::Instant expires{};
  bool held = false;
};

// A NOTIFY to send, as its Subscription-State says.
struct NotifyFact {
  SubscriptionId subscription;
  std::uint64_t dialog = 0;
  std::uint64_t resource = 0;
  std::uint8_t package = 0;
  std::string event;         // value of the Event header
  std::uint32_t number = 0;  // for notify_answered()
  SubscriptionStatus status = SubscriptionStatus::active;
  std::uint32_t expires_seconds = 0;  // active and pending
  TerminationReason reason = TerminationReason::none;
  std::uint32_t retry_after_seconds = 0;  // 0: none
  bool full = true;                       // the whole state, not only what has changed
};

// A subscription is no more.
struct EndedFact {
  SubscriptionId subscription;
  std::uint64_t dialog = 0;
  std::uint64_t resource = 0;
};

struct NotifierFact {
  enum class Kind : std::uint8_t { notify, ended };
  Kind kind = Kind::notify;
  NotifyFact notify{};
  EndedFact ended{};
};

// "active;expires=3600", "terminated;reason=giveup;retry-after=60"
[[nodiscard]] std::string subscription_state(const NotifyFact& notify);

class Notifier {
 public:
  // `packages` outlive it.
  Notifier(const NotifierConfig& config, std::span<const EventPackage> packages, core::Metrics& metrics,
           core::Instant now);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // The subscription a SUBSCRIBE in that dialog refreshes. Not valid(): none, also when it is ending. Then it is a new
  // one (RFC 6665 section 4.5.2) if the dialog has another reason to be, else 481.
  [[nodiscard]] SubscriptionId find(std::uint64_t dialog, const Event& event) const;

  // Accepted with 200; its first NOTIFY is queued. With expires_seconds 0 it is also the last (4.4.3). Not valid(): a
  // limit; of the shard when it is full(), answer 503; else of the dialog, answer 500 (T-86).
  [[nodiscard]] SubscriptionId subscribe(const NewSubscription& what, core::Instant now);
  // Not valid(): a limit.
  [[nodiscard]] SubscriptionId restore(const LeftSubscription& what, core::Instant now);
  // Refreshed with 200, 0 ends it; a NOTIFY is queued. False: no such subscription, answer 481.
  [[nodiscard]] bool refresh(SubscriptionId id, std::uint32_t expires_seconds, core::Instant now);
  // Authorisation came. Stale ids are no mistake, here and below.
  void grant(SubscriptionId id, core::Instant now);
  // What they watch has changed: of a NOTIFY each, as soon as their package's interval allows.
  void changed(std::uint64_t resource, core::Instant now);
  // There is more to tell this one alone, as soon as that interval allows.
  void remind(SubscriptionId id, core::Instant now);
  // Ended by us, with a last NOTIFY.
  void end(SubscriptionId id, TerminationReason reason, std::uint32_t retry_after_seconds, core::Instant now);
  void end_all(std::uint64_t resource, TerminationReason reason, core::Instant now);
  // The dialog broke: its subscriptions end without a word.
  void dialog_gone(std::uint64_t dialog, core::Instant now);
  // The final response to that NOTIFY, 408 when none came or it could not be sent.
  void notify_answered(SubscriptionId id, std::uint32_t number, std::uint16_t status, core::Instant now);

  // That NOTIFY found nobody, in a way that says nothing of him: unless that was the end, he is told nothing more until he
  // comes by himself.
  void notify_unheard(SubscriptionId id, std::uint32_t number, core::Instant now);

  // What is to be done, in order, until there is nothing.
  [[nodiscard]] bool next_fact(core::Instant now, NotifierFact& fact);
  [[nodiscard]] core::Instant next_deadline() const;

  [[nodiscard]] const NotifierConfig& config() const { return config_; }
  [[nodiscard]] std::uint32_t size() const { return subscriptions_.size(); }
  [[nodiscard]] bool full() const { return subscriptions_.size() >= config_.subscriptions_max; }
  // It is there and not ending.
  [[nodiscard]] bool lives(SubscriptionId id) const;
  // Nothing: it is not there, or is ending.
  [[nodiscard]] std::optional<SubscriptionView> view(SubscriptionId id) const;
  // Subscriptions that share a dialog, those that are ending included.
  [[nodiscard]] std::uint32_t in_dialog(std::uint64_t dialog) const;

 private:
  enum TimerKind : std::uint32_t { expiry_timer, interval_timer };
  struct Subscription {
    SubscriptionId self{};
    std::uint64_t dialog = 0;
    std::uint64_t resource = 0;
    std::string event{};
    std::string event_id{};
    bool has_event_id = false;
    std::uint8_t package = 0;
    subscription_rules::NotifierState state = subscription_rules::NotifierState::pending;
    TerminationReason reason = TerminationReason::none;
    std::uint32_t retry_after_seconds = 0;
    bool queued = false;   // in due_
    bool changed = false;  // a NOTIFY waits for its time or for an answer
    bool say_all = true;
    bool held = false;  // only a refresh or the end is followed by a NOTIFY
    std::uint32_t sent = 0;         // NOTIFYs, the number of the last one
    std::uint32_t unanswered = 0;   // of these
    std::uint32_t last_number = 0;  // of the one with `terminated`, once sent
    core::Instant expires{};
    core::Instant may_notify{};  // by the package's interval
    core::Timer expiry{};
    core::Timer interval{};
  };
  // dialog or resource, packed id
  using Key = std::pair<std::uint64_t, std::uint64_t>;

  struct Place {
    std::uint64_t dialog = 0;
    std::uint64_t resource = 0;
    std::uint8_t package = 0;
  };
  [[nodiscard]] Subscription* place(const Place& where, const Event& event);
  void apply(Subscription& at, subscription_rules::NotifierEvent event, core::Instant now);
  void end(Subscription& at, subscription_rules::NotifierEvent event, TerminationReason reason, core::Instant now);
  void notify_when_allowed(Subscription& at, core::Instant now);
  void queue(Subscription& at);
  void destroy(Subscription& at);
  void fire(const core::Timer& timer, core::Instant now);
  [[nodiscard]] NotifyFact make_notify(Subscription& at, core::Instant now);

  const NotifierConfig config_;
  const std::span<const EventPackage> packages_;
  core::Metrics& metrics_;
  core::TimerWheel wheel_;
  core::SlotMap<Subscription> subscriptions_;
  std::set<Key> by_dialog_;
  std::set<Key> by_resource_;
  std::deque<SubscriptionId> due_;  // NOTIFYs to send now
  std::deque<EndedFact> ended_;
};

}  // namespace parley::sip

// policy/reg_events.h - who watches registrations: subscriptions to the `reg` event package (RFC 3680) for the
// addresses of record of one shard. R6665-1 to R6665-4, R3680-1.
//
// One per shard, used by its thread alone; at most NotifierConfig::subscriptions_max subscriptions, each about 1 KiB
// with its dialog (heap blocks of the pool). Whether a sender may watch is settled before; what the bindings are, the
// location knows. SUBSCRIBEs that are accepted are answered here, since the 200 makes the dialog; the NOTIFY leaves
// behind it.
//
//   begin(now)
//   subscribe(), refresh()          a SUBSCRIBE without and with To tag
//   on_binding()                    a fact of the location
//   on_response(), on_fact(), on_flow_gone()
//   end()                           sends what is due
//
// A NOTIFY goes the way the subscriber came when that was a connection, or a datagram through a NAT; else to its route
// or Contact, when these are addresses, or back to where the SUBSCRIBE came from. Names are not looked up.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "policy/sip_config.h"
#include "sip/dialog.h"
#include "sip/event_packages.h"
#include "sip/header_lines.h"
#include "sip/location.h"
#include "sip/notifier.h"
#include "sip/reginfo.h"
#include "sip/transactions.h"
#include "sip/transport.h"

namespace parley::policy {

// The value of Allow-Events: what this server can be asked about.
inline constexpr std::string_view allowed_events = "reg";

class RegEvents {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    sip::Transactions& transactions;
    sip::Transport& transport;
    const sip::Location& location;
    std::shared_ptr<const SipConfig> config;
  };
  explicit RegEvents(const Parts& parts);
  ~RegEvents();
  RegEvents(const RegEvents&) = delete;
  RegEvents& operator=(const RegEvents&) = delete;

  void begin(core::Instant now) { now_ = now; }
  void end();

  // 200: it has been answered, its sender counts on us for granted_s(). Else what it is to be answered, with headers().
  // `aor` is the key of a user of ours; `user` is how our Contact names him, so that later SUBSCRIBEs find the same
  // shard.
  [[nodiscard]] std::uint16_t subscribe(const sip::Received& request, const sip::RequestMatch& match,
                                        std::string_view aor, std::string_view user);
  // In a dialog.
  [[nodiscard]] std::uint16_t refresh(const sip::Received& request, const sip::RequestMatch& match);
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return lines_.headers(); }
  void clear() { lines_.clear(); }
  [[nodiscard]] std::uint32_t granted_s() const { return granted_s_; }

  void on_binding(const sip::LocationFact& fact);
  // Of a transaction whose Owner is `subscriber`.
  void on_response(core::SlotId subscriber, const sip::Received& response, sip::TransactionId client);
  void on_fact(core::SlotId subscriber, const sip::TransactionFact& fact);
  void on_flow_gone(const sip::Flow& flow);

  void reload(std::shared_ptr<const SipConfig> config);
  // Ends all subscriptions with `deactivated`, so that their owners come back at once and find another node. A few at a
  // time.
  void drain();
  // All have been told, and have had some time to answer.
  [[nodiscard]] bool drained() const { return to_end_.empty() && (subscribers_.empty() || now_ >= end_next_ + last_words); }

  [[nodiscard]] core::Instant next_deadline() const;
  [[nodiscard]] std::uint32_t subscribers() const { return subscribers_.size(); }

 private:
  static constexpr core::Duration last_words = std::chrono::seconds(3);  // in which UDP sends a NOTIFY three times

  // How a NOTIFY is sent; the next one is tried when the one before can not be.
  enum class Way : std::uint8_t { back, hop, source, none };
  struct Pending {
    sip::TransactionId client;
    sip::NotifyFact fact;
    Way way = Way::back;
    bool tried_stream = false;  // too large for a datagram
  };
  struct Usage {
    sip::SubscriptionId subscription;
    sip::ReginfoChanges changes;  // since its last document
  };
  // One dialog.
  struct Subscriber {
    explicit Subscriber(core::Pool& pool) : dialog(pool) {}
    core::SlotId self;
    sip::Dialog dialog;
    std::uint64_t tag = 0;  // key of ours
    core::SlotId watched;
    std::string contact;  // our own, as a header value
    sip::Flow flow;       // that its last SUBSCRIBE came by
    bool back = false;    // NOTIFYs go back over it
    std::vector<Usage> usages;
    std::vector<Pending> pending;  // NOTIFYs without a final response
  };
  // One address of record.
  struct Watched {
    std::string aor;
    std::vector<core::SlotId> subscribers;
  };
  // connection's shard, connection, subscriber
  using FlowKey = std::tuple<std::uint16_t, std::uint64_t, std::uint64_t>;

  // reg_events.cc
  [[nodiscard]] std::uint16_t judge(const sip::Received& request, sip::SubscribeAnswer& answer);
  [[nodiscard]] std::uint16_t no_room(core::Metric metric, std::uint16_t status);
  [[nodiscard]] bool answer(const sip::Received& request, const sip::RequestMatch& match, const Subscriber& s,
                            bool opens_dialog);
  [[nodiscard]] Subscriber* make(std::string_view aor);
  void forget(Subscriber& s);
  void take_flow(Subscriber& s, const sip::Received& request);
  void forget_flow(const Subscriber& s);
  void on_ended(const sip::EndedFact& fact);
  void end_some();

  // reg_notify.cc
  // `id` is shown in it.
  [[nodiscard]] static sip::ReginfoContact contact_of(const sip::Binding& binding, sip::BindingEvent event,
                                                      std::string_view id, core::Instant now);
  void notify(const sip::NotifyFact& fact);
  [[nodiscard]] bool send(Subscriber& s, Pending& pending, bool again);
  [[nodiscard]] bool send_by(Subscriber& s, Pending& pending, const sip::Flow& flow, std::size_t& bytes);
  [[nodiscard]] std::optional<sip::Flow> flow_for(const Subscriber& s, Way way, bool as_stream);
  void put_document(const Subscriber& s, const sip::NotifyFact& fact, bool again);
  void settle(Subscriber& s, std::size_t index, std::uint16_t status);

  const std::uint32_t shard_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Random& random_;
  sip::Transactions& transactions_;
  sip::Transport& transport_;
  const sip::Location& location_;
  std::shared_ptr<const SipConfig> config_;
  core::Instant now_{};
  bool draining_ = false;

  sip::EventPackage packages_[1];
  sip::Notifier notifier_;
  core::SlotMap<Subscriber> subscribers_;
  core::SlotMap<Watched> watched_;
  std::map<std::string, core::SlotId, std::less<>> by_aor_;
  std::map<std::uint64_t, core::SlotId> by_tag_;
  std::set<FlowKey> by_flow_;
  std::deque<sip::SubscriptionId> to_end_;  // while draining
  core::Instant end_next_{};

  // Scratch, kept and reused.
  std::uint32_t granted_s_ = 0;
  sip::HeaderLines lines_;
  std::string text_;
  std::string via_;
  std::string body_;
  std::vector<std::string> ids_;
  std::vector<sip::ReginfoContact> contacts_;
};

}  // namespace parley::policy

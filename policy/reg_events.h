// policy/reg_events.h - who watches the users of one shard: subscriptions to their registrations (`reg`, RFC 3680), to
// their IM service settings (`poc-settings`, RFC 4354) and to the documents that they have written by XCAP (`xcap-diff`,
// RFC 5875). R3680-1, OMA-SET-1.
//
// One per shard, used by its thread alone; at most NotifierConfig::subscriptions_max subscriptions (event_dialogs.h).
// Whether a sender may watch is settled before; what the bindings are, the location knows, and what the settings are,
// Settings. SUBSCRIBEs that are accepted are answered here, since the 200 makes the dialog; the NOTIFY leaves behind it.
//
//   restore()                       of an earlier process, before the first step
//   begin(now, out)
//   subscribe(), refresh()          a SUBSCRIBE without and with To tag
//   on_binding(), on_settings(), take()     something has changed
//   on_response(), on_fact(), on_flow_gone()
//   end()                           sends what is due
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "policy/event_dialogs.h"
#include "policy/settings.h"
#include "policy/sip_config.h"
#include "policy/store_owner.h"
#include "policy/user_documents.h"
#include "policy/watched_users.h"
#include "policy/xcap_diff.h"
#include "sip/event_packages.h"
#include "sip/location.h"
#include "sip/notifier.h"
#include "sip/reginfo.h"
#include "sip/transactions.h"
#include "sip/transport.h"

namespace parley::policy {

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
    const Settings* settings = nullptr;  // null: nobody is told of settings
    std::shared_ptr<const SipConfig> config;
  };
  explicit RegEvents(const Parts& parts);
  ~RegEvents();
  RegEvents(const RegEvents&) = delete;
  RegEvents& operator=(const RegEvents&) = delete;

  // Of this shard.
  void restore(const core::SubscriptionRow& row, const core::Now& now);
  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // 200: it has been answered, its sender counts on us for granted_s(). Else what it is to be answered, with headers().
  // `aor` is the key of a user of ours; `user` is how our Contact names him, so that later SUBSCRIBEs find the same
  // shard.
  [[nodiscard]] std::uint16_t subscribe(const sip::Received& request, const sip::RequestMatch& match,
                                        std::string_view aor, std::string_view user);
  // In a dialog.
  [[nodiscard]] std::uint16_t refresh(const sip::Received& request, const sip::RequestMatch& match);
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return dialogs_.headers(); }
  void clear() { dialogs_.clear(); }
  [[nodiscard]] std::uint32_t granted_s() const { return dialogs_.granted_s(); }
  // The value of Allow-Events: what can be asked about users.
  [[nodiscard]] const std::string& allowed_events() const { return allowed_events_; }
  [[nodiscard]] bool serves(std::string_view package) const;

  void on_binding(const sip::LocationFact& fact);
  void on_settings(std::string_view aor);
  // What users have written, one change after the other.
  void take(std::shared_ptr<const UserDocuments> documents);
  // Of a transaction whose Owner is `subscriber`.
  void on_response(core::SlotId subscriber, const sip::Received& response, sip::TransactionId client) {
    dialogs_.on_response(subscriber, response, client);
  }
  void on_fact(core::SlotId subscriber, const sip::TransactionFact& fact) { dialogs_.on_fact(subscriber, fact); }
  void on_flow_gone(const sip::Flow& flow) { dialogs_.on_flow_gone(flow); }

  void reload(std::shared_ptr<const SipConfig> config);
  // Ends all subscriptions with `deactivated`.
  void drain() { dialogs_.drain(); }
  [[nodiscard]] bool drained() const { return dialogs_.drained(); }

  [[nodiscard]] core::Instant next_deadline() const { return dialogs_.next_deadline(); }
  [[nodiscard]] std::uint32_t subscribers() const { return dialogs_.dialogs(); }

 private:
  enum Package : std::uint8_t { registrations, settings, documents, package_count };  // index into packages_
  struct Usage {
    sip::SubscriptionId subscription;
    std::uint8_t package = registrations;
    sip::ReginfoChanges changes{};  // of registrations, since its last document
    std::uint32_t version = 0;      // of the next document (RFC 3680 section 5.1)
    XcapChanges documents{};        // of documents, since the last NOTIFY
  };
  using Watched = WatchedUsers<Usage>::Watched;

  // `id` is shown in it.
  [[nodiscard]] static sip::ReginfoContact contact_of(const sip::Binding& binding, sip::BindingEvent event,
                                                      std::string_view id, core::Instant now);
  void tell(const Watched& watched, std::uint8_t package);
  void put_registrations(core::SlotId id, Usage& usage, bool full);
  void put_documents(const Watched& watched, Usage& usage, bool full);
  void notify(const sip::NotifyFact& fact);
  void keep(const KeepFact& fact);

  core::Metrics& metrics_;
  sip::Transport& transport_;
  const sip::Location& location_;
  const Settings* const settings_;
  std::shared_ptr<const SipConfig> config_;
  std::shared_ptr<const UserDocuments> user_documents_ = std::make_shared<UserDocuments>();
  core::Instant now_{};

  sip::EventPackage packages_[package_count];
  const std::span<const sip::EventPackage> served_;  // the first of them
  const std::string allowed_events_;
  EventDialogs dialogs_;
  WatchedUsers<Usage> watched_;

  // Scratch, kept and reused.
  std::string body_;
  std::vector<std::string> ids_;
  std::vector<sip::ReginfoContact> contacts_;
};

}  // namespace parley::policy

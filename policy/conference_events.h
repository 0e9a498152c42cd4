// policy/conference_events.h - who watches sessions: subscriptions to the `conference` event package (RFC 4575) for the
// session identities of one shard. OMA-CONF-1, OMA-CONF-2, OMA-CONF-4, OMA-CONF-8 to OMA-CONF-10, SEED2-7.2.1.1-13,
// DEC-9.
//
// One per shard, used by its thread alone; at most NotifierConfig::subscriptions_max subscriptions, each about 1.5 KiB.
// Who is in a session the focus knows, and tells the session's Roster; who may watch it the focus decides.
//
//   restore()              of an earlier process, before the first step
//   begin(now, out)
//   on_subscribe()         a SUBSCRIBE to a session identity, or in its dialog
//   changed(roster)        behind changes of a roster, one or many
//   revoke(roster, who)    somebody may watch no more
//   ended(roster)          the session is over, the roster is going
//   on_response(), on_fact() of transactions whose Owner is conference_subscriber; on_flow_gone()
//   end()                  sends what is due, behind the responses of this step (T-32)
//
// A subscriber gets a full document first and partial ones then, at most one in EventPackage::interval_min and one that
// is not answered; the first change behind a silence is told at once. NOTIFYs cost bytes in proportion to what each
// subscriber has not been told, and a document is written once for all who have been told the same (conference_info.h).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "policy/conference_info.h"
#include "policy/event_dialogs.h"
#include "policy/sip_config.h"
#include "sip/dialog.h"
#include "sip/event_packages.h"
#include "sip/transactions.h"
#include "sip/transport.h"

namespace parley::policy {

struct ConferenceSubscribe {
  const sip::Received& request;
  const sip::RequestMatch& match;
  // The focus's: 200 he may, else what to answer (403, 404). Asked for refreshes too; another than 200 ends them.
  std::uint16_t decision = 200;
  std::string_view watcher;  // who it is, as RosterJoin::aor
  std::string_view contact;  // the session identity with its feature tags, as a Contact value (R4579-1)
  // The dialog of the session, when it came in that (T-33): it lives until neither side uses it, and its INVITE has
  // begun a usage of its own. Its CSeq is not checked before.
  std::shared_ptr<sip::Dialog> dialog{};
};

class ConferenceEvents {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    sip::Transactions& transactions;
    sip::Transport& transport;
    std::shared_ptr<const SipConfig> config;
  };
  explicit ConferenceEvents(const Parts& parts);
  ~ConferenceEvents();  // lets go of all rosters
  ConferenceEvents(const ConferenceEvents&) = delete;
  ConferenceEvents& operator=(const ConferenceEvents&) = delete;

  // Its session is gone, whoever may come back to it: its subscriber is told, as far as he can be, that this one is over and
  // that he may come again at once (`deactivated`, RFC 6665 section 4.1.3). Not that the session is.
  void restore(const core::SubscriptionRow& row, const core::Now& now);
  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // 200: it has been answered, its sender counts on us for granted_s(). Else what it is to be answered, with headers().
  // In this order: `decision`; 481; 489, 406, 423; limits. The roster stays where it is until ended().
  [[nodiscard]] std::uint16_t on_subscribe(const ConferenceSubscribe& what, Roster& roster);
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return dialogs_.headers(); }
  [[nodiscard]] std::uint32_t granted_s() const { return dialogs_.granted_s(); }

  // What subscriptions in the dialog of a SUBSCRIBE watch, and for whom they were let in; null: none of them lives.
  struct Known {
    Roster* roster = nullptr;
    std::string_view watcher{};  // until the next call
  };
  [[nodiscard]] Known known(const sip::Received& request) const;

  void changed(Roster& roster);
  // Ends his subscriptions with `rejected`, and without a document: he has left or was expelled, and no rule lets him.
  void revoke(Roster& roster, std::string_view watcher);
  // Ends all with `noresource`. The roster may go.
  void ended(Roster& roster);

  void on_response(core::SlotId dialog, const sip::Received& response, sip::TransactionId client) {
    dialogs_.on_response(dialog, response, client);
  }
  void on_fact(core::SlotId dialog, const sip::TransactionFact& fact) { dialogs_.on_fact(dialog, fact); }
  void on_flow_gone(const sip::Flow& flow) { dialogs_.on_flow_gone(flow); }

  void reload(std::shared_ptr<const SipConfig> config);
  // Ends all subscriptions with `deactivated`, for a node that hands its sessions over.
  void drain() { dialogs_.drain(); }
  [[nodiscard]] bool drained() const { return dialogs_.drained(); }

  [[nodiscard]] core::Instant next_deadline() const { return dialogs_.next_deadline(); }
  [[nodiscard]] std::uint32_t subscribers() const { return dialogs_.dialogs(); }
  [[nodiscard]] std::uint32_t watched() const { return watched_.size(); }

 private:
  struct Usage {
    RosterPosition at;
    std::uint32_t version = 0;  // of its last document
    bool always_full = false;
    bool fetch = false;  // it has asked for the end, and the state with it
    std::string watcher;
  };
  // One session.
  struct Watched {
    Roster* roster = nullptr;  // null: the session is over
    bool left = false;         // or was that of an earlier process
    std::string entity;
    std::uint64_t version = 0;                      // of the roster, when changed() was called last
    bool dirty = false;                             // in dirty_
    std::map<std::uint64_t, Usage> usages;          // by subscription
    std::set<std::uint64_t> up_to_date;             // of these, for whom no NOTIFY has been asked since their last one
    std::map<std::uint64_t, std::uint32_t> before;  // RosterPosition::before of usages that need the history: how many
    std::map<std::string, std::uint32_t, std::less<>> watchers;
  };

  [[nodiscard]] core::SlotId watched_of(Roster& roster);
  [[nodiscard]] std::uint16_t room_for(const Watched& watched, std::string_view watcher);
  void add(Watched& watched, sip::SubscriptionId id, const ConferenceSubscribe& what);
  void forget(Watched& watched, std::map<std::uint64_t, Usage>::iterator usage);
  void release(core::SlotId id);
  void move(Watched& watched, Usage& usage, const RosterPosition& to);
  void tell_history(Watched& watched);
  std::size_t notify(const sip::NotifyFact& fact);  // its bytes
  [[nodiscard]] EventDocument put_document(Watched& watched, Usage& usage, const sip::NotifyFact& fact, bool& more);
  void on_ended(const sip::EndedFact& fact);
  void keep(const KeepFact& fact);

  core::Metrics& metrics_;
  std::shared_ptr<const SipConfig> config_;
  sip::EventPackage packages_[1];
  EventDialogs dialogs_;
  core::SlotMap<Watched> watched_;
  std::vector<core::SlotId> dirty_;  // rosters that have changed in this step

  std::string body_;  // scratch
};

}  // namespace parley::policy

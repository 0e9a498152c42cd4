// policy/event_dialogs.h - the dialogs that SUBSCRIBEs make with this server, whatever they ask about: answers,
// refreshes, ways back to the subscriber, NOTIFYs and what comes of them (RFC 6665 section 4.2). R6665-1 to R6665-5.
//
// One per shard and owner of event packages, used by its thread alone; at most NotifierConfig::subscriptions_max
// subscriptions, each about 1 KiB with its dialog (heap blocks of the pool). It knows no documents: what is watched is
// a number of the caller's, NOTIFYs that are due come out as facts, and the caller gives the document to send.
//
//   restore()                                          of an earlier process, before the first step
//   begin(now, out)
//   judge(), then subscribe(), refresh() or join()     a SUBSCRIBE; 200 when it has been answered
//   changed(), remind(), end_all(), end_one()
//   on_response(), on_fact(), on_flow_gone()
//   next(fact), until there is none                    behind the 200s; `notify` is followed by send(),
//                                                      `keep` by keep()
//
// With a store a subscription outlives the process (event_store.cc): what is stored is written behind, with a SUBSCRIBE, a
// new target and the end, not with each NOTIFY. The next process goes on in the same dialogs, with numbers that are far
// above (core/store/store.h), and gives each subscriber everything once. A connection does not outlive the process: who
// came by one is called, where he can be; else nothing is sent to him until he refreshes over another one, or his time is over.
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
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/store/store.h"
#include "core/time.h"
#include "policy/owner.h"
#include "policy/sip_config.h"
#include "sip/dialog.h"
#include "sip/event_packages.h"
#include "sip/header_lines.h"
#include "sip/notifier.h"
#include "sip/transactions.h"
#include "sip/transport.h"

namespace parley::policy {

// A SUBSCRIBE whose sender may.
struct EventAsk {
  const sip::Received& request;
  const sip::RequestMatch& match;
  std::uint64_t resource = 0;  // what it is about
  std::string_view contact;    // our own, as a header value
};

struct EventOutcome {
  std::uint16_t status = 0;            // 200: it has been answered. Else what to answer, with headers()
  sip::SubscriptionId subscription{};  // 200
  std::uint64_t resource = 0;          // 200
  bool created = false;                // 200: a subscription that was not there
};

// What is stored of it is to be written anew.
struct KeepFact {
  sip::SubscriptionId subscription;
  std::uint64_t dialog = 0;
  std::uint64_t resource = 0;
};

// What its owner alone knows of that.
struct KeptDetails {
  std::string_view resource;
  std::string_view watcher{};
  std::uint32_t version = 0;
  bool changes_only = false;
};

struct EventFact {
  enum class Kind : std::uint8_t { notify, ended, keep };
  Kind kind = Kind::notify;
  sip::NotifyFact notify{};  // `full` also when an earlier attempt could not be delivered
  sip::EndedFact ended{};
  KeepFact keep{};
};

struct RestoredEvent {
  sip::SubscriptionId subscription{};  // not valid(): it is none any more
  std::uint8_t package = 0;            // index into the packages
};

struct EventDocument {
  std::string_view type;  // empty: none
  std::string_view body;
};

class EventDialogs {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    sip::Transactions& transactions;
    sip::Transport& transport;
    std::shared_ptr<const SipConfig> config;
    Owner owner = Owner::none;                    // of the transactions of NOTIFYs
    std::span<const sip::EventPackage> packages;  // outlive it
    std::string_view allowed_events;              // value of Allow-Events of a 489; outlives it
    sip::NotifierConfig notifier;
    std::uint32_t notifies_unanswered_max = 8;
    bool tells_delivered = false;  // whoever has it asks next_delivered()
    std::string_view kept_as{};    // in the store; outlives it; empty: nothing is stored
  };
  explicit EventDialogs(const Parts& parts);
  ~EventDialogs();
  EventDialogs(const EventDialogs&) = delete;
  EventDialogs& operator=(const EventDialogs&) = delete;

  void begin(const core::Now& now, core::Outbox& out);

  // --- what outlives the process

  // `resource` as that of an EventAsk. `ends`: its subscriber is told that it is over, and that he may come again at once.
  [[nodiscard]] RestoredEvent restore(const core::SubscriptionRow& row, std::uint64_t resource, bool ends,
                                      const core::Now& now);
  // One that nobody wants.
  void drop(const core::SubscriptionRow& row);
  void keep(const KeepFact& fact, const KeptDetails& details);
  // Its subscriber can not be told anything until he comes by himself.
  [[nodiscard]] bool held(sip::SubscriptionId id) const;

  // --- SUBSCRIBE

  // What it deserves before anything is looked up; of other than 200 with headers().
  [[nodiscard]] sip::SubscribeAnswer judge(const sip::Received& request);
  // Without To tag: makes a dialog.
  [[nodiscard]] EventOutcome subscribe(const EventAsk& ask, const sip::SubscribeAnswer& asked);
  // In a dialog that a subscription has been in before; else 481.
  [[nodiscard]] EventOutcome refresh(const sip::Received& request, const sip::RequestMatch& match);
  // In a dialog that something else has made and shares (T-33): the first, or a refresh. Its CSeq is checked here.
  [[nodiscard]] EventOutcome join(const EventAsk& ask, const std::shared_ptr<sip::Dialog>& dialog);
  // Whether a subscription has been in the dialog of this request.
  [[nodiscard]] bool knows(const sip::Received& request) const { return of_dialog(request).valid(); }
  // Of that dialog a subscription that lives, and what it is about; none: nothing valid().
  struct Known {
    sip::SubscriptionId subscription{};
    std::uint64_t resource = 0;
  };
  [[nodiscard]] Known known(const sip::Received& request) const;
  // The subscription that a SUBSCRIBE with To tag is about, if it lives.
  [[nodiscard]] sip::SubscriptionId find(const sip::Received& request) const;
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return lines_.headers(); }
  void clear() { lines_.clear(); }
  // 500 with Retry-After in headers(): one session or peer has too much of something.
  [[nodiscard]] std::uint16_t busy(core::Metric metric);
  [[nodiscard]] std::uint32_t granted_s() const { return granted_s_; }

  // --- what is watched

  void changed(std::uint64_t resource) { notifier_.changed(resource, now_); }
  // There is more to tell this one, when it may be told next.
  void remind(sip::SubscriptionId id) { notifier_.remind(id, now_); }
  void end_all(std::uint64_t resource, sip::TerminationReason reason) { notifier_.end_all(resource, reason, now_); }
  void end_one(sip::SubscriptionId id, sip::TerminationReason reason) { notifier_.end(id, reason, 0, now_); }

  // --- NOTIFY

  [[nodiscard]] bool next(EventFact& fact);
  // A NOTIFY has been answered with 2xx.
  [[nodiscard]] bool next_delivered(sip::NotifyFact& fact);
  // Bytes of the message; 0: it could not be sent, and counts as unanswered.
  std::size_t send(const sip::NotifyFact& fact, const EventDocument& document);
  // Of a transaction with that owner.
  void on_response(core::SlotId dialog, const sip::Received& response, sip::TransactionId client);
  void on_fact(core::SlotId dialog, const sip::TransactionFact& fact);
  void on_flow_gone(const sip::Flow& flow);

  void reload(std::shared_ptr<const SipConfig> config, std::uint32_t notifies_unanswered_max);
  // Ends all subscriptions with `deactivated`, so that their owners come back at once and find another node. A few at a
  // time.
  void drain();
  // All have been told, and have had some time to answer.
  [[nodiscard]] bool drained() const {
    return to_end_.empty() && (subscribers_.empty() || now_ >= end_next_ + last_words);
  }

  // In the past when next() has more to give.
  [[nodiscard]] core::Instant next_deadline() const;
  [[nodiscard]] std::uint32_t dialogs() const { return subscribers_.size(); }

 private:
  static constexpr core::Duration last_words = std::chrono::seconds(3);  // in which UDP sends a NOTIFY three times

  // How a NOTIFY is sent; the next one is tried when the one before can not be.
  enum class Way : std::uint8_t { back, hop, source, none };
  struct Pending {
    sip::TransactionId client;
    sip::NotifyFact fact;
    Way way = Way::back;
    bool tried_stream = false;  // too large for a datagram
    bool by_old = false;        // over a connection to the next hop that there was already
    bool renewed = false;       // that failed once
    bool again = false;         // waits to be sent once more
  };
  // One dialog. It is shared with what else uses it, an INVITE: two owners, and it lives as long as either
  // (RFC 6665 section 4.5.2).
  struct Usage {
    sip::SubscriptionId id;
    std::uint64_t row = 0;  // its id in the store; 0: it has none
    bool kept = false;      // it is there
    bool to_keep = false;   // in to_keep_
  };
  struct Subscriber {
    core::SlotId self;
    std::shared_ptr<sip::Dialog> dialog;
    bool joined = false;    // somebody else made it
    std::uint64_t tag = 0;  // key of ours, where we made it
    std::uint64_t resource = 0;
    std::string contact;  // our own, as a header value
    sip::Flow flow;       // that its last SUBSCRIBE came by
    bool back = false;    // NOTIFYs go back over it
    bool lost = false;    // it was a connection of an earlier process
    std::uint32_t kept_cseq = 0;  // of ours, as it is stored
    std::vector<Usage> usages;
    std::vector<Pending> pending;  // NOTIFYs without a final response
  };
  struct Again {
    core::SlotId dialog;
    sip::SubscriptionId subscription;
    std::uint32_t number = 0;
  };
  // connection's shard, connection, subscriber
  using FlowKey = std::tuple<std::uint16_t, std::uint64_t, std::uint64_t>;

  // event_dialogs.cc
  [[nodiscard]] std::uint16_t no_room(core::Metric metric, std::uint16_t status);
  [[nodiscard]] std::uint16_t busy();
  [[nodiscard]] std::uint16_t not_taken() { return notifier_.full() ? std::uint16_t{503} : busy(); }
  [[nodiscard]] EventOutcome take_in(Subscriber& s, const sip::Received& request, const sip::RequestMatch& match,
                                     const sip::SubscribeAnswer& asked);
  [[nodiscard]] sip::SubscriptionId add(Subscriber& s, const sip::SubscribeAnswer& asked);
  [[nodiscard]] bool answer(const sip::Received& request, const sip::RequestMatch& match, const Subscriber& s,
                            bool opens_dialog);
  [[nodiscard]] Subscriber* make(const EventAsk& ask, std::shared_ptr<sip::Dialog> dialog);
  [[nodiscard]] static std::string joined_key(std::string_view call_id, std::string_view local_tag) {
    return std::string(call_id).append("\n").append(local_tag);
  }
  [[nodiscard]] core::SlotId of_dialog(const sip::Received& request) const;
  void forget(Subscriber& s);
  void take_flow(Subscriber& s, const sip::Received& request);
  void forget_flow(const Subscriber& s);
  void on_ended(const sip::EndedFact& fact);
  void end_some();

  // event_store.cc
  [[nodiscard]] bool keeps() const { return !kept_as_.empty() && config_->stores_bindings; }
  void keep_soon(Subscriber& s);
  void unkeep(Subscriber& s, sip::SubscriptionId id);
  [[nodiscard]] bool next_kept(EventFact& fact);
  [[nodiscard]] Subscriber* restored_dialog(const core::SubscriptionRow& row, std::uint64_t resource);
  [[nodiscard]] static bool called(const Subscriber& s);

  // event_notify.cc
  [[nodiscard]] std::size_t send(Subscriber& s, Pending& pending, const EventDocument& document);
  [[nodiscard]] bool send_by(Subscriber& s, Pending& pending, const EventDocument& document, const sip::Flow& flow);
  [[nodiscard]] std::optional<sip::Flow> flow_for(const Subscriber& s, Way way, bool as_stream);
  [[nodiscard]] bool next_again(EventFact& fact);
  void settle(Subscriber& s, std::size_t index, std::uint16_t status);

  const std::uint32_t shard_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Random& random_;
  sip::Transactions& transactions_;
  sip::Transport& transport_;
  std::shared_ptr<const SipConfig> config_;
  const Owner owner_;
  const std::span<const sip::EventPackage> packages_;
  const std::string_view allowed_events_;
  std::uint32_t notifies_unanswered_max_;
  const bool tells_delivered_;
  const std::string_view kept_as_;
  core::Instant now_{};
  std::int64_t wall_ms_ = 0;
  core::Outbox* out_ = nullptr;
  bool draining_ = false;

  sip::Notifier notifier_;
  core::SlotMap<Subscriber> subscribers_;
  std::map<std::uint64_t, core::SlotId> by_tag_;
  std::map<std::string, core::SlotId, std::less<>> by_joined_;  // Call-ID and our tag
  std::set<FlowKey> by_flow_;
  std::deque<Again> again_;                 // at most one for each pending NOTIFY
  std::deque<sip::NotifyFact> delivered_;
  std::deque<sip::SubscriptionId> to_end_;  // while draining, and at the start
  std::deque<KeepFact> to_keep_;
  std::vector<std::uint64_t> rows_over_;    // of restore(), until the first step
  std::uint32_t restored_ = 0;
  core::Instant end_next_{};

  // Scratch, kept and reused.
  std::uint32_t granted_s_ = 0;
  sip::HeaderLines lines_;
  std::string text_;
  std::string via_;
};

}  // namespace parley::policy

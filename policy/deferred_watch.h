// policy/deferred_watch.h - what users are told of the messages that wait for them: subscriptions to the list of these
// (OMA-DEF-11), a MESSAGE with it to those who do not want them sent and are not subscribed (OMA-DEF-7, OMA-DEF-12),
// the reminder that some will be gone soon (OMA-DEF-6), and what others ask of it: the list, and that one is deleted
// (OMA-DEF-10).
//
// One per shard, used by its thread alone; a user belongs to the shard that his address of record names. Rows lie in
// the store (core/store/store.h) and are read, without bodies, whenever a document is due: nothing of them is kept
// here. What is sent comes out as Errands, as those of Deferred do.
//
//   subscribe(), refresh()   a SUBSCRIBE without and with To tag, as those of RegEvents
//   available()              he has registered, or has changed what he wants
//   changed()                what waits for him has
//   list(), remove()         questions; answered by Outbox::admin_reply
//   next_removed(), next_reminded()   what others have to hear of
//   on_stored(), on_outcome(), on_response(), on_fact(), on_flow_gone()
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/deferred.h"
#include "policy/deferred_list.h"
#include "policy/event_dialogs.h"
#include "policy/settings.h"
#include "policy/store_owner.h"
#include "policy/user_agent.h"
#include "policy/watched_users.h"
#include "sip/location.h"

namespace parley::policy {

class DeferredWatch : public UserAgent {
 public:
  DeferredWatch(const Parts& parts, const sip::Location& location, const Settings& settings, const Deferred& deferred);
  ~DeferredWatch();

  // Of this shard and an earlier process, before the first step.
  void restore(const core::SubscriptionRow& row, const core::Now& now);
  void begin(const core::Now& now, core::Outbox& out);
  void end();

  // --- SUBSCRIBE

  [[nodiscard]] bool serves(std::string_view package) const;
  // Whether a subscription has been in the dialog of this request.
  [[nodiscard]] bool knows(const Received& request) const { return dialogs_.knows(request); }
  // As RegEvents::subscribe() and refresh(); `aor` is the key of its sender.
  [[nodiscard]] std::uint16_t subscribe(const Received& request, const sip::RequestMatch& match, std::string_view aor,
                                        std::string_view user);
  [[nodiscard]] std::uint16_t refresh(const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] std::span<const sip::HeaderText> headers() { return dialogs_.headers(); }
  void clear() { dialogs_.clear(); }
  [[nodiscard]] std::uint32_t granted_s() const { return dialogs_.granted_s(); }
  [[nodiscard]] const std::string& allowed_events() const { return allowed_events_; }

  // --- what happens to what waits for users of this shard

  void available(std::string_view aor);
  void changed(std::string_view aor) { watched_.remind(aor, dialogs_); }
  // Some of it will be gone soon.
  void remind(std::string_view aor);

  // --- questions

  enum class Form : std::uint8_t {
    document,  // {"etag":"...","document":"<?xml ..."}
    entries,   // deferred_list_json
  };
  void list(std::uint64_t question, std::string_view aor, Form form);
  // {"deleted":true}, or false: he has no such message. It is not sent any more; who wrote it is not told, since it was
  // delivered as far as its user wanted it to be.
  void remove(std::uint64_t question, std::string_view aor, std::uint64_t id);

  // --- what others have to hear of

  struct Removed {
    std::string aor;
    std::uint64_t id = 0;
  };
  [[nodiscard]] bool next_removed(Removed& removed);
  // Users of whatever shard who are to be reminded there.
  [[nodiscard]] bool next_reminded(std::string& aor);

  // --- what comes of it

  void on_stored(const core::StoreResult& result);
  // Of the MESSAGE with that number: its final response.
  void on_outcome(std::uint32_t number, std::uint16_t status);
  void on_over(std::uint32_t number);
  // Of a transaction whose Owner is `deferred_subscriber`.
  void on_response(core::SlotId subscriber, const Received& response, sip::TransactionId client);
  void on_fact(core::SlotId subscriber, const sip::TransactionFact& fact) { dialogs_.on_fact(subscriber, fact); }
  void on_flow_gone(const sip::Flow& flow) { dialogs_.on_flow_gone(flow); }

  void reload(std::shared_ptr<const SipConfig> config);
  void drain();
  [[nodiscard]] bool drained() const { return dialogs_.drained() && announced_.empty(); }
  [[nodiscard]] core::Instant next_deadline() const;
  // For tests at rest: without the look for who has to be reminded, which never ends.
  [[nodiscard]] bool rests() const { return to_announce_.empty() && dialogs_.next_deadline() == core::never; }
  [[nodiscard]] std::uint32_t subscribers() const { return dialogs_.dialogs(); }

  // For tests at rest.
  [[nodiscard]] std::size_t open_work() const { return loads_.size() + announced_.size() + to_announce_.size(); }

 private:
  // How far the rate of announcements may be ahead of itself, so that a step makes more than one.
  static constexpr core::Duration announcement_burst = std::chrono::milliseconds(20);
  enum Package : std::uint8_t { sip_profile, ua_profile, package_count };  // index into packages_
  // What a document has told: of which rows, in which state they are now.
  struct Told {
    std::vector<std::uint64_t> waiting;
    std::vector<std::uint64_t> expiring;
  };
  struct Usage {
    sip::SubscriptionId subscription;
    bool diff = false;   // it is only told that the list has changed
    std::string etag{};  // that it was told last, by the NOTIFY with that number, of
    std::uint32_t number = 0;
    Told told{};
  };
  struct Announced {
    std::string aor;
    Told told;
  };
  using Watched = WatchedUsers<Usage>::Watched;
  // A list that is being read, and what for.
  struct Load {
    std::string aor{};
    std::vector<DeferredEntry> entries{};
    std::deque<sip::NotifyFact> notifies{};
    bool announces = false;
    std::uint64_t question = 0;
    Form form = Form::document;
    std::uint64_t removes = 0;      // no list: that message is looked for
    bool removing = false;          // and was found
    bool reminds = false;           // no list: who has to be reminded is looked for, or
    std::set<std::string> users{};  // was found, and is in the store
  };

  void start(Load load, std::uint64_t after);
  void finish(Load& load, bool good);
  void on_removing(Load& load, const core::StoreResult& result);
  void on_reminding(Load& load, const core::StoreResult& result);
  [[nodiscard]] DeferredList document_of(const Load& load, std::uint64_t bytes_max);
  void notify(const sip::NotifyFact& fact, const DeferredList* list, const Load& load);
  [[nodiscard]] bool is_announced_to(std::string_view aor);
  void announce_more();
  void announce(const Load& load);
  void mark(const Told& told);
  [[nodiscard]] static Told told_by(const Load& load, std::size_t count);
  void reply(std::uint64_t question, std::string json) { out_->admin_reply(question, std::move(json)); }
  [[nodiscard]] std::string_view own_uri() const { return config_->im.deferred_uris.front(); }
  [[nodiscard]] std::string_view domain() const;
  [[nodiscard]] static std::uint64_t token(std::uint64_t number) {
    return store_token(StoreOwner::deferred_watch, number);
  }

  const sip::Location& location_;
  const Settings& settings_;
  const Deferred& deferred_;
  core::Digest digest_;
  core::Outbox* out_ = nullptr;
  std::int64_t wall_ms_ = 0;
  bool draining_ = false;
  bool reminding_ = false;  // who has to be reminded is being looked for

  sip::EventPackage packages_[package_count];
  const std::string allowed_events_;
  EventDialogs dialogs_;
  WatchedUsers<Usage> watched_;

  std::uint64_t numbers_ = 0;                   // of tokens
  std::map<std::uint64_t, Load> loads_;         // by number
  std::deque<std::string> to_announce_;         // at --deferred-push-rate
  std::set<std::string, std::less<>> in_line_;  // they
  core::Instant next_announcement_{};
  std::uint32_t messages_ = 0;                    // their numbers
  std::map<std::uint32_t, Announced> announced_;  // by number: on their way
  std::set<std::string, std::less<>> hearing_;    // to whom
  std::deque<Removed> removed_;
  std::deque<std::string> reminded_;
  core::TimerWheel wheel_;
  core::Timer reminder_timer_;  // of the first shard: looks for those of all users
};

}  // namespace parley::policy

// policy/service.h - the whole brain of one shard: takes the loop's Inputs apart and hands them to the roles.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/session_table.h"
#include "msrp/relay.h"
#include "policy/config.h"
#include "policy/far_legs.h"
#include "policy/guest_legs.h"
#include "policy/media_pair.h"
#include "policy/room.h"
#include "policy/room_legs.h"
#include "policy/session_media.h"
#include "policy/sip_service.h"
#include "policy/stored_legs.h"

namespace parley::policy {

class Service final : public core::Worker {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    core::Pool& pool;
    core::Metrics& metrics;
    core::SessionTable& sessions;  // one for the process
    core::Seed seed;               // the only source of randomness; 32 bytes, different for each shard
    core::Seed process_seed{};     // the same for all shards of the process
    core::SessionTable* invites = nullptr;  // SIP's, one for the process; null where there is one shard
    std::shared_ptr<const Config> config;
  };
  explicit Service(const Parts& parts);

  // What an earlier process has stored, of all shards, before the first step. How many bindings came back here.
  std::size_t restore(const core::StoreContents& stored, const core::Now& now) {
    return sip_ == nullptr ? 0 : sip_->restore(stored, now);
  }
  void step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) override;

  // For tests at rest.
  [[nodiscard]] const msrp::Relay& relay() const { return relay_; }
  [[nodiscard]] const SipService* sip() const { return sip_.get(); }
  [[nodiscard]] const MediaPairs* pairs() const { return pairs_.get(); }
  [[nodiscard]] const Rooms* rooms() const { return rooms_.get(); }

  // For tests and benchmarks of MSRP without SIP: who plays the owner of the sessions that end here.
  struct FactTaker {
    virtual ~FactTaker() = default;
    virtual void on_step(msrp::Ends& ends) = 0;  // the step has begun
    virtual void on_fact(msrp::EndFact& fact) = 0;
  };
  void give_facts_to(FactTaker* taker) { facts_ = taker; }

 private:
  [[nodiscard]] bool is_sip(const core::Input& input);
  [[nodiscard]] bool is_leg_mail(const core::Input& input) const;
  void reload(const core::Input& input);
  [[nodiscard]] std::string answer_admin(const core::AdminRequest& request);
  void take_leg_mail(std::span<const core::Input> batch, const core::Now& now);
  void pull_far_facts();
  void pull_facts();
  void pull_stored_facts();
  void tell_histories(core::Outbox& out);

  core::Pool& pool_;
  core::Random random_;
  msrp::Relay relay_;
  std::unique_ptr<MediaPairs> pairs_;  // null: no messages of calls go through this server
  // Sessions that end here; only where SIP is served.
  std::unique_ptr<SessionEnds> media_;
  std::unique_ptr<RoomEnds> legs_;
  // Legs on other shards, of rooms here and the other way round; null where there is one shard.
  std::unique_ptr<LegPost> leg_post_;
  std::unique_ptr<FarLegs> far_legs_;
  std::unique_ptr<GuestLegs> guest_legs_;
  std::unique_ptr<StoredLegs> stored_;  // messages of the store as legs
  std::unique_ptr<Rooms> rooms_;
  std::unique_ptr<SipService> sip_;
  FactTaker* facts_ = nullptr;
  msrp::EndFact fact_;
  bool draining_ = false;
  // Of a shard that serves SIP: which connections are SIP's, by ConnId::index, and what is left for the relay.
  std::vector<std::uint32_t> sip_conns_;  // generation; odd ones of other connections do not match
  std::vector<core::Input> relay_batch_;
  std::vector<const core::AdminRequest*> questions_;  // of this step
};

}  // namespace parley::policy

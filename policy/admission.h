// policy/admission.h - what is not taken at all: datagrams of strangers beyond their budget (source_budget.h), and what
// the overload ladder lets go (overload.h).
//
// One per shard, core-local. It refuses nothing itself: whoever asks does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "policy/home.h"
#include "policy/overload.h"
#include "policy/refresh_times.h"
#include "policy/sip_config.h"
#include "policy/source_budget.h"
#include "sip/flow.h"
#include "sip/transport.h"

namespace parley::policy {

class Admission {
 public:
  struct Parts {
    const Home& home;
    sip::Transport& transport;
    core::Pool& pool;
    core::Random& random;
    core::Metrics& metrics;
    core::HashKey key;  // of who is let in when not all are
    std::shared_ptr<const SipConfig> config;
  };
  explicit Admission(const Parts& parts);
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }

  // In each step.
  void begin(const core::Now& now, core::Outbox& out);
  void close_idle_strangers();
  [[nodiscard]] unsigned level() const { return overload_.level(); }
  [[nodiscard]] core::Instant next_deadline() const { return overload_.next_deadline(); }

  // Before a datagram is parsed. Responses pass: nobody answers them, and what they end is work that was begun.
  [[nodiscard]] bool wants(const core::Input& datagram);
  // False: 503, and it has been counted.
  [[nodiscard]] bool lets_in(const sip::Received& request);

  // Credentials were accepted with that request.
  void prove(const sip::Received& request);
  // What this REGISTER asked for was granted for so long.
  void granted(const sip::Received& request, std::uint32_t granted_s) {
    refresh_times_.put(request, granted_s, now_.mono);
  }

 private:
  [[nodiscard]] bool is_one_of_those(const sip::Received& request) const;
  [[nodiscard]] bool has_priority(const sip::Received& request) const;

  const Home& home_;
  sip::Transport& transport_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  const core::HashKey key_;
  std::shared_ptr<const SipConfig> config_;
  core::Now now_;
  Overload overload_;
  SourceBudget sources_;
  RefreshTimes refresh_times_;
  std::vector<sip::Flow> strangers_;
};

}  // namespace parley::policy

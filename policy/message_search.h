// policy/message_search.h - where a message is: what operators are told of one of them. Where it waits, to whom it has
// yet to go, which way it went.
//
// One per shard, core-local. Answers are JSON of our own numbers and of texts that are escaped; what messages say is
// not in them. What waits is in the store: each shard asks it, and tells of the users it has. At most
// --where-questions-max wait for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/seam.h"
#include "policy/deferred.h"
#include "policy/exploder.h"
#include "policy/focus.h"
#include "policy/home.h"
#include "policy/pager_trace.h"
#include "policy/sip_config.h"

namespace parley::policy {

class MessageSearch {
 public:
  // Who knows of messages.
  struct Parts {
    const Home& home;
    const PagerTrace& trace;
    const PagerTrace& carried;  // by media pairs
    Exploder& exploder;
    Deferred& deferred;
    Focus& focus;
    core::Metrics& metrics;
    std::shared_ptr<const SipConfig> config;
  };
  explicit MessageSearch(const Parts& parts) : parts_(parts) {}
  void reload(std::shared_ptr<const SipConfig> config) { parts_.config = std::move(config); }
  void begin(const core::Now& now, core::Outbox& out) {
    wall_ms_ = now.wall_ms;
    out_ = &out;
  }

  // Empty: it is answered when the store has said what it has.
  [[nodiscard]] std::string answer(const core::AdminRequest& request);
  void on_found(const core::StoreResult& result);

 private:
  void put(std::string_view id, std::span<const core::DeferredRow> rows, std::string_view note, std::string& json);

  Parts parts_;
  std::int64_t wall_ms_ = 0;
  core::Outbox* out_ = nullptr;
  std::map<std::uint64_t, core::AdminRequest> asked_;  // by number of their tokens
  std::uint64_t numbers_ = 0;
};

}  // namespace parley::policy

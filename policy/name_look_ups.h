// policy/name_look_ups.h - names of next hops that are being resolved (RFC 3263), and who waits for each.
//
// One per shard, core-local; at most SipConfig::look_ups_max. The bytes of an ACK that waits are its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

#include "core/pool.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "sip/flow.h"

namespace parley::policy {

class NameLookUps {
 public:
  // A branch, or an ACK that is held.
  struct Wanted {
    core::SlotId proxied{};
    unsigned branch = 0;
    core::BufferId ack = core::no_buffer;
    sip::Flow source{};  // of the ACK
  };
  explicit NameLookUps(core::Pool& pool) : pool_(pool) {}
  ~NameLookUps() {
    for (const auto& [token, wanted] : waiting_) {
      if (wanted.ack != core::no_buffer) pool_.release(wanted.ack);
    }
  }
  NameLookUps(const NameLookUps&) = delete;
  NameLookUps& operator=(const NameLookUps&) = delete;

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  // False: `uri` names nothing that can be looked up.
  [[nodiscard]] bool ask(std::string_view uri, const Wanted& wanted, core::Outbox& out);
  // Who has waited for that; nothing: nobody. An ACK is the caller's from then on.
  [[nodiscard]] std::optional<Wanted> take(const core::Resolution& resolution);

 private:
  core::Pool& pool_;
  std::map<std::uint64_t, Wanted> waiting_;  // by token
  std::uint64_t next_token_ = 1;
};

}  // namespace parley::policy

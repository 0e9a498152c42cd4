// policy/left_sessions.h - sessions that a process had which is gone, and that their participants may come back to by the
// identity that they know (OMA-SES-9, OMA-X-5: who gets 404 begins anew, with another list).
//
// One per shard, used by its thread alone. Every shard knows all of them, so that a request finds the shard that one belongs
// to; there it becomes a session of Focus again when the first participant joins it. Of a group only the identity counts: who
// joins that joins the group.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/slot_map.h"
#include "core/store/store.h"

namespace parley::policy {

struct LeftSession {
  core::SessionRow row;
  core::SlotId session{};  // not valid(): nobody has come back yet
};

class LeftSessions {
 public:
  void restore(const core::SessionRow& row) { by_name_.insert_or_assign(row.name, LeftSession{.row = row}); }
  // By the user part of its identity, for finding the shard that it belongs to. Valid until the next call that is not const.
  [[nodiscard]] const LeftSession* find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  }
  // On that shard. Null: there is none, or it was left for longer than `left_max_ms`. Valid likewise.
  [[nodiscard]] const LeftSession* find(std::string_view name, std::int64_t wall_ms, std::int64_t left_max_ms) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return nullptr;
    const LeftSession& left = found->second;
    return left.session.valid() || left.row.left_ms + left_max_ms > wall_ms ? &left : nullptr;
  }
  // Somebody has come back; or nothing has become of it.
  void is_on(std::string_view name, core::SlotId session) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) found->second.session = session;
  }
  void ended(std::string_view name) {
    if (const auto found = by_name_.find(name); found != by_name_.end()) by_name_.erase(found);
  }
  [[nodiscard]] bool empty() const { return by_name_.empty(); }

 private:
  std::map<std::string, LeftSession, std::less<>> by_name_;
};

}  // namespace parley::policy

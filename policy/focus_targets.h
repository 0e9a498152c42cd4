// policy/focus_targets.h - whether a request is for the focus, and what it names there (OMA-X-2): a session by its
// identity, also one that an earlier process had, a group, the factory, or a user who is talked to through it.
//
// One per shard, core-local; it keeps scratch alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "policy/documents.h"
#include "policy/focus.h"
#include "policy/home.h"
#include "policy/routing.h"
#include "policy/sip_config.h"
#include "policy/user_documents.h"
#include "sip/flow.h"

namespace parley::policy {

class FocusTargets {
 public:
  FocusTargets(const Home& home, Focus& focus, std::shared_ptr<const SipConfig> config)
      : home_(home), focus_(focus), config_(std::move(config)) {}
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }
  void take(std::shared_ptr<const UserDocuments> documents) { written_ = std::move(documents); }

  // The operator's before those of users; null: there is none.
  [[nodiscard]] std::shared_ptr<const Group> group_named(std::string_view aor);
  // Whose session a request is for, by the name it is sent to; nothing: nobody's that is known by that.
  [[nodiscard]] std::optional<std::uint32_t> shard_of(const Routing& routing);
  // False: it is not for the focus.
  [[nodiscard]] bool find(const sip::Received& request, const Routing& routing, const Sender& sender,
                          Focus::Invitation& target);

 private:
  [[nodiscard]] std::shared_ptr<const Group> group_of(const Routing& routing);
  [[nodiscard]] static std::string_view place_of(const LeftSession& left);
  [[nodiscard]] bool target_left(const LeftSession& left, Focus::Invitation& target);

  const Home& home_;
  Focus& focus_;
  std::shared_ptr<const SipConfig> config_;
  std::shared_ptr<const UserDocuments> written_ = std::make_shared<UserDocuments>();
  std::string aor_;
};

}  // namespace parley::policy

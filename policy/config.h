// policy/config.h - what SIGHUP may change, for all roles: the value behind core::Input::snapshot.
#pragma once

#include <memory>
#include <utility>

#include "core/seam.h"
#include "msrp/relay_config.h"
#include "policy/room_config.h"
#include "policy/sip_config.h"
#include "policy/user_documents.h"

namespace parley::policy {

struct Config final : core::ConfigSnapshot {
  std::shared_ptr<const msrp::RelayConfig> relay;
  std::shared_ptr<const SipConfig> sip;  // null: SIP is not served
  std::shared_ptr<const RoomConfig> rooms = std::make_shared<RoomConfig>();
  // What users have written; null: nothing, or as it was.
  std::shared_ptr<const UserDocuments> user_documents{};
};

// Nothing but what users have written: everything else stays as it is.
inline std::shared_ptr<const Config> user_documents_only(std::shared_ptr<const UserDocuments> documents) {
  auto config = std::make_shared<Config>();
  config->user_documents = std::move(documents);
  return config;
}

// Of a relay alone.
inline std::shared_ptr<const Config> relay_only(std::shared_ptr<const msrp::RelayConfig> relay) {
  auto config = std::make_shared<Config>();
  config->relay = std::move(relay);
  return config;
}

}  // namespace parley::policy

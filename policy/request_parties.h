// policy/request_parties.h - which user of ours a request is from, and which one it is for: by whom it is proven to
// come, by what a trusted peer says, and by where it goes.
//
// One per shard, core-local; it keeps scratch alone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/home.h"
#include "policy/participating.h"
#include "policy/routing.h"
#include "policy/settings.h"
#include "policy/sip_config.h"
#include "sip/flow.h"

namespace parley::policy {

// Addresses of record come in `room`; empty: nobody of ours.
class RequestParties {
 public:
  RequestParties(const Home& home, const Participating& participating, const Settings& settings,
                 std::shared_ptr<const SipConfig> config)
      : home_(home), participating_(participating), settings_(settings), config_(std::move(config)) {}
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }

  // Who is served here and sends it.
  [[nodiscard]] std::string_view sender_aor(const sip::Received& request, const Routing& routing, const Sender& sender,
                                            std::string& room) const;
  // AO-IMA: what is proven, else what a trusted peer asserts, else how he calls himself (OMA-ID-6). Until the next
  // call.
  [[nodiscard]] std::string_view identity_of(const sip::Received& request, const Sender& sender);
  // Whom one outside of dialogs is for, as far as that is known yet.
  [[nodiscard]] std::string_view addressed_aor(const sip::Received& request, const Routing& routing,
                                               const Sender& sender, std::string& room) const;

  // What a trusted peer says of whom we are to serve (SEED4-6.1.1.1-IMS, SEED4-6.1.2.1-IMS).
  void read_served(const sip::Received& request, Routing& routing) const;
  // The core asks for the terminating checks, of whatever session (SEED4-6.1.1.2.1-IMS, SEED4-6.1.2.2.1-IMS): its Route
  // leads here and then back to it, which has the user's bindings.
  [[nodiscard]] bool comes_by_core(const sip::Received& request, const Routing& routing, const Sender& sender) const;
  // Whose checks these are.
  [[nodiscard]] std::string_view core_aor(const Routing& routing, std::string& room) const;

  // Whether one of its ends wants it recorded (OMA-HIS-3).
  [[nodiscard]] bool is_recorded(const sip::Received& request, const Routing& routing, const Sender& sender,
                                 HistoryMode mode) const;
  // Who sends a pager message and wants it recorded.
  [[nodiscard]] std::string_view recorded_sender(const sip::Received& request, const Routing& routing,
                                                 const Sender& sender, std::string& room) const;
  // Who sends an INVITE and wants what it begins recorded, which may be that he `fetches` a message.
  [[nodiscard]] std::string_view session_recorder(const sip::Received& request, const Routing& routing,
                                                  const Sender& sender, std::string& room, bool fetches = false) const;

 private:
  const Home& home_;
  const Participating& participating_;
  const Settings& settings_;
  std::shared_ptr<const SipConfig> config_;
  std::string identity_;
  std::vector<std::string> known_;
};

}  // namespace parley::policy

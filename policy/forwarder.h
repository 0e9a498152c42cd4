// policy/forwarder.h - what a message looks like when it goes on (RFC 3261 sections 16.6 and 16.7): our Via and
// Record-Route, the Route that is left, who its sender is shown to be, and none of our credentials.
//
// One per shard, core-local. It sends nothing and keeps nothing but scratch: a text stays until the next one is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/errand.h"
#include "policy/home.h"
#include "policy/routing.h"
#include "policy/scratch.h"
#include "policy/sip_config.h"
#include "sip/flow.h"
#include "sip/identity.h"
#include "sip/session_timer.h"
#include "sip/transport.h"
#include "sip/writer.h"

namespace parley::policy {

class Forwarder {
 public:
  Forwarder(const Home& home, const sip::Transport& transport, std::shared_ptr<const SipConfig> config);
  void reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }

  struct Onward {  // of a request that goes on
    const sip::Flow& source;
    sip::Method method = sip::Method::other;
    bool from_trusted = false;
    bool in_dialog = false;
    std::string_view user;   // who proved to be its sender
    std::string_view uri;    // where to
    std::string_view route;  // Route value in front
    sip::ProxyTimerEdit timer{};
  };
  [[nodiscard]] std::string_view request(const Onward& on, const sip::Received& request, const Routing& routing,
                                         const sip::Flow& out, std::string_view branch_name, std::uint16_t breadth);
  [[nodiscard]] std::string_view ack(const sip::Received& request, const Routing& routing, const sip::Flow& out,
                                     std::string_view branch_name);
  [[nodiscard]] std::string_view errand(const Errand& errand, const sip::Received& request, const sip::Flow& out,
                                        std::string_view branch_name, std::string_view uri, std::string_view route);
  // `timer`: of its request, when that is proxied.
  [[nodiscard]] std::string_view response(bool to_trusted, const sip::Received& response,
                                          const sip::ProxyTimer* timer = nullptr);
  // To one of our own: with its Via.
  [[nodiscard]] std::string_view response_here(bool to_trusted, const sip::Received& response);

  // What of the Route remains, with the target's own in front.
  static void put_routes(const sip::Received& request, const Routing& routing, std::string_view in_front,
                         std::string& out);

 private:
  // The edits that every request gets; the last of them writes it.
  void begin_edits(const sip::Received& request, const sip::Flow& out, std::string_view branch_name);
  void edit_for(const sip::Flow& out, const sip::Received& request);
  void edit_credentials(const sip::Received& request);
  [[nodiscard]] std::string_view edit_route(const sip::Received& request, const Routing& routing,
                                            std::string_view in_front, std::string_view uri);
  [[nodiscard]] std::string_view put_request(const sip::Received& request, std::string_view uri);
  void edit_identity(bool from_trusted, std::string_view user, const sip::Received& request, const sip::Flow& out);
  void edit_timer(const sip::ProxyTimerEdit& timer);
  [[nodiscard]] std::string_view put_response_on(bool to_trusted, const sip::Received& response);
  void put_record_routes(const sip::Received& request, const sip::Flow& source, const sip::Flow& out,
                         std::string (&values)[2], std::size_t& count);
  [[nodiscard]] std::string_view put_whole(const sip::Received& message, const sip::ForwardText& text);
  void put_own_uri(std::string& out, const sip::Flow& flow, std::string_view user) const;

  const Home& home_;
  const sip::Transport& transport_;
  std::shared_ptr<const SipConfig> config_;

  Scratch text_;
  sip::Edits edits_;
  std::vector<sip::HeaderEdit> edit_list_;
  std::string via_;
  std::string route_;
  std::string routes_;
  std::string strict_uri_;
  std::string record_routes_[2];
  std::string hops_left_;
  std::string breadth_;
  std::string contact_;
  std::string expires_;
  std::string min_se_;
  std::string identity_text_;
  std::vector<std::string> own_identities_;
  std::vector<std::string_view> identities_;
};

}  // namespace parley::policy

// policy/home.h - what is ours: the URIs that name this server and its domains, its users under the one spelling that
// each has, the shard that each belongs to, the peers that are believed and the addresses that may be called; and what
// the Route of a request comes to by that (RFC 3261 section 16.4).
//
// One per shard, core-local: the configuration and the keys of the process, nothing else. Answers stay the same until
// reload().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "core/keyed_hash.h"
#include "policy/routing.h"
#include "policy/sip_config.h"
#include "policy/user_key.h"
#include "sip/flow.h"
#include "sip/loop.h"
#include "sip/route_token.h"
#include "sip/uri.h"

namespace parley::policy {

class Home {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    core::HashKey route_key;  // seals route tokens
    core::HashKey owner_key;  // says which shard has a user
    std::shared_ptr<const SipConfig> config;
  };
  explicit Home(const Parts& parts);
  void reload(std::shared_ptr<const SipConfig> config);

  // --- names
  [[nodiscard]] bool has_domain(std::string_view host) const;
  // A host and port that we listen at, or a domain of ours.
  [[nodiscard]] bool names_us(const sip::Uri& uri) const;
  [[nodiscard]] bool names_deferred(const sip::Uri& uri) const;  // deferred-msg-func-uri
  [[nodiscard]] bool names_history(const sip::Uri& uri) const;   // conv-hist-func-uri, where that can be asked
  // Either, where it is served.
  [[nodiscard]] bool names_function(const sip::Uri& uri) const;
  // Whether a Via of it may be ours at all: most requests have one, of the client that sends them.
  [[nodiscard]] bool may_have_sent(const sip::Received& request) const;
  // Hosts and ports in our Vias.
  [[nodiscard]] std::span<const sip::SentBy> sent_by() const { return sent_by_; }

  // --- users
  // The one spelling under which a user of ours is kept, whichever of our names stands behind the '@': in `room`.
  // Empty: no user.
  std::string_view aor_of(const sip::Uri& uri, std::string& room) const;
  // Of whoever goes by that URI; empty: somebody else's.
  std::string_view user_aor(std::string_view identity, std::string& room) const;
  // Whether a URI is that of a user of ours. A number may be anybody's.
  [[nodiscard]] bool serves(std::string_view user) const;
  // The keys of whoever goes by that URI or key, appended, each once: user_key of it, and of a user of ours whose name
  // is a number that number, which is his. The other way round a number is a user of ours where there is an account of
  // that name.
  void put_keys(std::string_view uri, std::vector<std::string>& keys) const;
  [[nodiscard]] std::vector<std::string> keys_of(std::string_view uri) const {
    std::vector<std::string> keys;
    put_keys(uri, keys);
    return keys;
  }
  // The numbers of those of `named` (each with a `key`) who are among them by their address here. Who is there by his
  // number as well is there twice, and reached at the address (T-51).
  template <typename Named>
  [[nodiscard]] NumberKeys numbers_of(const Named& named) const {
    NumberKeys numbers;
    for (const auto& one : named) put_number(one.key, numbers);
    return numbers;
  }
  // Whether the key `other` and these, of one user, lead to one another, whichever of them knows more names: so that he
  // is not taken for two. Who may do something is asked by has_key().
  [[nodiscard]] bool same_user(std::span<const std::string> keys, std::string_view other) const;
  // Whether `text` names the user that a request is for, under whichever of our names (T-18).
  [[nodiscard]] bool is_user(std::string_view text, const Routing& routing) const;
  [[nodiscard]] std::uint32_t shard_of(std::string_view aor) const;
  [[nodiscard]] bool has(std::string_view aor) const { return shard_of(aor) == shard_; }

  // --- peers
  [[nodiscard]] bool trusts(const core::Address& address) const;  // OMA-ID-6: by its address
  [[nodiscard]] bool may_reach(const core::Address& address) const;
  [[nodiscard]] bool may_reach_outside(const core::Address& address) const;

  // --- routes
  // Value of the Route to the core that the operator names; empty: there is none.
  [[nodiscard]] const std::string& core_route() const { return core_route_; }
  // False: a Route can not be read.
  [[nodiscard]] bool read_routing(const sip::Received& request, Routing& routing) const;
  [[nodiscard]] std::string_view write_token(const sip::RouteToken& token, std::string_view call_id,
                                             sip::RouteTokenText& room) const {
    return sip::write_route_token(token, call_id, route_key_, room);
  }
  [[nodiscard]] std::optional<sip::RouteToken> read_token(std::string_view text, std::string_view call_id) const {
    return sip::read_route_token(text, call_id, route_key_);
  }

 private:
  void put_number(std::string_view key, NumberKeys& numbers) const;

  const std::uint32_t shard_;
  const std::uint32_t shard_count_;
  const core::HashKey route_key_;
  const core::HashKey owner_key_;
  std::shared_ptr<const SipConfig> config_;
  std::vector<sip::SentBy> sent_by_;  // into config_
  std::string core_route_;
};

}  // namespace parley::policy

// policy/sip_config.h - what an operator decides about SIP, as one immutable value per reload.
//
// Shared read-only by all shards. The flags that fill it stand in tools/parleyd/flags_sip.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/credentials.h"
#include "core/time.h"
#include "sip/digest_auth.h"
#include "sip/event_packages.h"
#include "sip/identity.h"
#include "sip/location.h"
#include "sip/notifier.h"
#include "sip/registrar.h"
#include "sip/transactions.h"
#include "sip/transport_config.h"

namespace parley::policy {

// From where digest credentials are taken on transports without TLS.
enum class PlainDigest : std::uint8_t { never, loopback, always };

enum class Forwarding : std::uint8_t {
  stateful,
  stateless,  // requests other than INVITE with one target: nothing is remembered, nothing retransmitted
};

// Subscriptions to registrations (RFC 3680).
struct RegEventsConfig {
  sip::EventPackage package = sip::reg_package;  // times of subscriptions and between NOTIFYs
  sip::NotifierConfig notifier;
  std::uint32_t subscriptions_per_user_max = 20;  // his devices, some of which come back before their old one is over
  std::uint32_t notifies_unanswered_max = 8;      // of one dialog; then it can not be refreshed, only ended
};

struct SipConfig {
  sip::TransportConfig transport;
  sip::TransactionConfig transactions;
  sip::DigestAuthConfig digest;
  sip::LocationConfig location;
  sip::RegistrarConfig registrar;
  sip::UntrustedConfig untrusted;
  RegEventsConfig reg_events;

  std::vector<std::string> domains;  // ours, lower case; the first one is the identity of users
  std::string realm = "localhost";
  core::Credentials users;           // of the realm
  std::vector<core::Cidr> trusted_peers;  // whose assertions of identity are believed, and who need no digest
  std::vector<core::Cidr> dial_allow;     // where requests for other domains may go
  std::vector<core::Cidr> dial_deny;      // where nothing ever goes
  PlainDigest plain_digest = PlainDigest::loopback;
  Forwarding forwarding = Forwarding::stateful;
  core::Duration timer_c = std::chrono::seconds(181);  // RFC 3261 section 16.6 item 11: more than 3 minutes
  std::uint32_t proxied_max = 160'000;                 // requests being proxied, per shard
  std::uint32_t look_ups_max = 1024;                   // names being resolved, per shard
  std::uint32_t hops_max = 8;                          // addresses of one name that are tried
};

}  // namespace parley::policy

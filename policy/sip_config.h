// policy/sip_config.h - what an operator decides about SIP, as one immutable value per reload.
//
// Shared read-only by all shards. The flags that fill it stand in tools/parleyd/flags_sip.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/credentials.h"
#include "core/time.h"
#include "policy/deferred_config.h"
#include "policy/history_access.h"
#include "policy/documents.h"
#include "policy/media_config.h"
#include "policy/focus_config.h"
#include "policy/history_config.h"
#include "policy/overload.h"
#include "policy/roster_limits.h"
#include "policy/source_budget.h"
#include "policy/system_message_config.h"
#include "sip/digest_auth.h"
#include "sip/event_packages.h"
#include "sip/identity.h"
#include "sip/location.h"
#include "sip/notifier.h"
#include "sip/publication.h"
#include "sip/registrar.h"
#include "sip/session_timer.h"
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

// IM service settings: what users publish, and who watches that (RFC 3903, RFC 4354).
struct SettingsConfig {
  sip::EventPackage package = sip::poc_settings_package;  // times of subscriptions and between NOTIFYs
  sip::PublicationConfig publications;
};

// Documents that users write by HTTP, as far as SIP is concerned: who watches them (RFC 5875).
struct XcapEventsConfig {
  sip::EventPackage package = sip::xcap_diff_package;  // times of subscriptions and between NOTIFYs
  std::string root;  // URI of the XCAP root; empty: there is none, and nobody watches
};

// The IM service (OMA SIMPLE IM).
struct ImConfig {
  bool participating = false;  // the role: originating and terminating checks, settings
  MediaConfig media;
  std::string product = "IM-serv/OMA1.0 parley";  // Server in responses, User-Agent in requests of ours (OMA-ID-5)
  std::string error_info = "https://localhost/im-errors/";  // Error-Info: this, and the name of the reason (DEC-21)
  // Identities of deferred messaging functions: user without case, and host (DEC-1). The first one is ours.
  std::vector<std::string> deferred_uris;
  DeferredConfig deferred;
  HistoryConfig history;
  HistoryAccess history_access;
  SystemMessageConfig system;
  InviteHandling access_default = InviteHandling::pass;  // of users without access rules, or where none matches (OMA-ACC-4)
  std::uint32_t rate_users_max = 100'000;                // users whose rates are counted, per shard
  std::uint32_t overdue_answers_max = 100'000;           // users who owe an answer to a system message, per shard
};

// Subscriptions to sessions (RFC 4575).
struct ConferenceEventsConfig {
  sip::EventPackage package = sip::conference_package;  // times of subscriptions and between NOTIFYs
  sip::NotifierConfig notifier;
  std::uint32_t subscriptions_per_session_max = 20'000;
  std::uint32_t subscriptions_per_watcher_max = 20;  // of one session: his devices, also those that came back
  std::uint32_t notifies_unanswered_max = 8;         // of one dialog; then it can not be refreshed, only ended
  RosterLimits roster;
  std::vector<std::string> always_full;  // User-Agents that begin so take no partial documents (T-54)
};

// How INVITE sessions between users and trusted peers are carried.
enum class Carrying : std::uint8_t {
  proxy,
  b2bua,  // each side has a dialog with us
};

struct CallsConfig {
  Carrying carrying = Carrying::proxy;
  bool proxied_timer = false;             // `timer` also where INVITEs are proxied (R4028-4)
  sip::SessionTimerConfig timer{.alone = true};  // of each leg
  std::uint32_t calls_max = 50'000;       // per shard
  std::uint32_t requests_max = 16;        // of ours in one call that have not come to their end
  std::uint32_t refers_max = 8;           // subscriptions of REFERs in one call whose ids are translated
  bool pass_unknown = true;               // headers that we do not know go on (T-9)
  core::Duration drain = std::chrono::seconds(30);  // for draining: calls may go on for nearly as long
};

struct SipConfig {
  sip::TransportConfig transport;
  sip::TransactionConfig transactions;
  sip::DigestAuthConfig digest;
  sip::LocationConfig location;
  // Somebody takes what Outbox::store says of bindings, and of messages.
  bool stores_bindings = false;
  bool stores_messages = false;
  core::Duration store_answer = std::chrono::seconds(5);  // how long a sender is let wait for the disk
  std::uint32_t where_questions_max = 64;                 // of operators, that wait for the disk
  sip::RegistrarConfig registrar;
  sip::UntrustedConfig untrusted;
  RegEventsConfig reg_events;
  ConferenceEventsConfig conference_events;
  OverloadConfig overload;
  SourceBudgetConfig sources;
  CallsConfig calls;
  SettingsConfig settings;
  XcapEventsConfig xcap;
  ImConfig im;
  FocusConfig focus;
  std::shared_ptr<const Documents> documents;  // groups, rules, operator's policy; null: there are none

  bool registers_users = true;       // the role registrar: who is no trusted peer may register, too
  std::vector<std::string> domains;  // ours, lower case; the first one is the identity of users
  std::string realm = "localhost";
  core::Credentials users;           // of the realm
  std::vector<core::Cidr> trusted_peers;  // whose assertions of identity are believed, and who need no digest
  // The next hop toward users whom another server registers: URI of a loose router, one of trusted_peers; empty: none.
  std::string core;
  std::vector<core::Cidr> dial_allow;     // where requests for other domains may go
  PlainDigest plain_digest = PlainDigest::loopback;
  Forwarding forwarding = Forwarding::stateful;
  core::Duration timer_c = std::chrono::seconds(181);  // RFC 3261 section 16.6 item 11: more than 3 minutes
  std::uint32_t proxied_max = 160'000;                 // requests being proxied, per shard
  core::Duration shard_answer =
      std::chrono::seconds(2);  // what one shard asks another is answered within, or its mail is lost
  std::uint32_t look_ups_max = 1024;                   // names being resolved, per shard
  std::uint32_t hops_max = 8;                          // addresses of one name that are tried
};

}  // namespace parley::policy

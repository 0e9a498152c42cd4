// policy/responder.h - responses of our own (RFC 3261 section 8.2.6): by a transaction, or without one.
//
// One per shard, core-local; it keeps scratch alone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/time.h"
#include "policy/home.h"
#include "policy/scratch.h"
#include "sip/flow.h"
#include "sip/transactions.h"
#include "sip/transport.h"
#include "sip/writer.h"

namespace parley::policy {

class Responder {
 public:
  struct Parts {
    const Home& home;
    sip::Transport& transport;
    sip::Transactions& transactions;
    core::Metrics& metrics;
    core::HashKey key;  // of To tags
  };
  explicit Responder(const Parts& parts);
  void begin(core::Instant now) { now_ = now; }

  // Without a transaction: one answer for one request (an unproven source gets no more).
  void refuse(const sip::Received& request, std::uint16_t status, std::span<const sip::HeaderText> headers = {},
              std::string_view reason = {});
  // By one where the answer has to be the same again.
  void refuse_once(const sip::Received& request, const sip::RequestMatch& match, std::uint16_t status,
                   std::span<const sip::HeaderText> headers = {});
  // By a transaction always, or with 503 where there is no room for one. Of a sender who is proven: a copy of what he
  // sent would be challenged, for the same nonce comes twice (R3261-1).
  void refuse_by_transaction(const sip::Received& request, const sip::RequestMatch& match, std::uint16_t status,
                             std::span<const sip::HeaderText> headers, std::string_view body = {});
  void answer(const sip::Received& request, sip::TransactionId server, std::uint16_t status,
              std::span<const sip::HeaderText> headers = {}, std::string_view reason = {}, std::string_view body = {});
  // What would be sent, for as long as nothing else is.
  [[nodiscard]] std::string_view compose(const sip::Received& request, std::uint16_t status,
                                         std::span<const sip::HeaderText> headers, std::string_view reason,
                                         std::string_view body = {});
  // One that goes another way.
  void count(std::uint16_t status);

 private:
  // The reply as a stranger may have it over UDP; empty: none.
  [[nodiscard]] std::string_view bounded_reply(const sip::Received& request, std::uint16_t status,
                                               std::span<const sip::HeaderText> headers, std::string_view reason);
  void to_tag_for(const sip::Received& request, std::string& tag) const;

  const Home& home_;
  sip::Transport& transport_;
  sip::Transactions& transactions_;
  core::Metrics& metrics_;
  const core::HashKey key_;
  core::Instant now_{};
  Scratch text_;
  std::string tag_;
};

}  // namespace parley::policy

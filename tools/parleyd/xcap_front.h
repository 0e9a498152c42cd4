// tools/parleyd/xcap_front.h - XCAP over HTTP (RFC 4825): who asks, what policy/xcap_service.h says to it, and that a
// change is on the disk and with every shard before it is answered.
//
//   HTTP threads --> XcapFront --> XcapService            one change at a time, readers beside it
//                       |--> store, and waits             commit before 200 or 201
//                       |--> all shards, and waits        in effect before 200 or 201
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/log.h"
#include "core/store/store.h"
#include "policy/sip_config.h"
#include "policy/xcap_service.h"
#include "tools/parleyd/http_digest.h"
#include "tools/parleyd/http_server.h"

namespace parley::parleyd {

struct XcapFrontConfig {
  policy::XcapConfig service;
  sip::DigestAuthConfig digest;
  std::string realm;
  policy::PlainDigest plain_digest = policy::PlainDigest::loopback;
  std::vector<core::Cidr> trusted;  // proxies whose X-3GPP-Asserted-Identity is believed
  core::Duration store_answer = std::chrono::seconds(5);
};

// For reports.
struct XcapCounts {
  std::uint64_t documents = 0;  // now
  std::uint64_t bytes = 0;      // now
  std::uint64_t changes = 0;
  std::uint64_t unstored = 0;              // changes that the store refused, or did not take in time: 503
  std::array<std::uint64_t, 6> answers{};  // by the first digit of their status
  std::array<std::uint64_t, policy::xcap_limits> limits{};  // changes that were refused, by XcapLimit
};

class XcapFront {
 public:
  struct Parts {
    XcapFrontConfig config;
    std::vector<std::unique_ptr<const policy::XcapUsage>> usages;
    core::StoreSink* store = nullptr;  // null: nothing outlives the process
    std::uint32_t store_shard = 0;     // in whose name it is asked
    // Gives a snapshot to all shards; with `wait` until they have it, as long as that may take.
    std::function<void(std::shared_ptr<const policy::UserDocuments>, bool wait)> publish;
    std::function<bool()> draining;
  };
  explicit XcapFront(Parts parts);

  // --- by the main thread

  // What an earlier process has left, before the first request; the snapshot that shards begin with.
  [[nodiscard]] std::shared_ptr<const policy::UserDocuments> begin(std::shared_ptr<const policy::Documents> operators,
                                                                   std::shared_ptr<const core::Credentials> accounts,
                                                                   std::vector<core::XcapRow>&& rows,
                                                                   std::vector<std::string>& warnings);
  // After a reload.
  void reload(std::shared_ptr<const policy::Documents> operators, std::shared_ptr<const core::Credentials> accounts,
              std::vector<std::string>& warnings);

  // --- by any thread

  [[nodiscard]] HttpAnswer answer(const HttpAsked& asked);
  // From the store's thread.
  void on_stored(std::vector<core::StoreResult>&& results);
  [[nodiscard]] XcapCounts counts() const;
  [[nodiscard]] HttpDigestCounts auth_counts() const { return digest_.counts(); }

 private:
  struct Sender {
    std::vector<std::string> users;  // user_keys; none: `refusal` says what to answer
    std::string info;
    HttpAnswer refusal;
  };
  [[nodiscard]] HttpAnswer respond(const HttpAsked& asked);
  [[nodiscard]] Sender identify(const HttpAsked& asked);
  [[nodiscard]] policy::XcapAnswer change(const policy::XcapAsk& ask, const policy::XcapRequest& request);
  // True when it can not be lost any more.
  [[nodiscard]] bool commit(const policy::XcapChange& change);
  void settle();
  void carry_out(policy::XcapChange&& change, bool wait);

  const XcapFrontConfig config_;
  core::StoreSink* const store_;
  const std::uint32_t store_shard_;
  const std::function<void(std::shared_ptr<const policy::UserDocuments>, bool wait)> publish_;
  const std::function<bool()> draining_;
  HttpDigest digest_;

  std::mutex change_mutex_;  // one change at a time, from its judgement until shards have it; taken before the others
  core::Random random_;      // under change_mutex_
  // A change of which the store has not said in time what became of it. Until it does there is no other one.
  std::optional<policy::XcapChange> unsettled_;

  mutable std::shared_mutex state_mutex_;  // of these two
  policy::XcapService service_;
  std::shared_ptr<const core::Credentials> accounts_;

  std::mutex stored_mutex_;  // of what the store has said
  std::condition_variable stored_;
  std::uint64_t token_ = 0;                        // of the last operation
  std::optional<core::StoreResult::Status> said_;  // of it

  std::atomic<std::uint64_t> changes_{0};
  std::atomic<std::uint64_t> unstored_{0};
  std::array<std::atomic<std::uint64_t>, 6> answers_{};
  std::array<std::atomic<std::uint64_t>, policy::xcap_limits> limits_{};
};

// The URIs in X-3GPP-Asserted-Identity: "sip:a@x", "tel:+1".
[[nodiscard]] std::vector<std::string> asserted_uris(std::string_view value);

}  // namespace parley::parleyd

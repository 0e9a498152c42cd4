// tests/service/sip_world.h - SipServices of one process driven by hand: datagrams and connections are texts, mail
// between shards is carried when a step is over, time is set.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/seam.h"
#include "core/session_table.h"
#include "policy/sip_service.h"
#include "tests/service/fake_media.h"
#include "tests/service/fake_store.h"
#include "tests/service/message_text.h"
#include "tests/sip/transaction_world.h"

namespace parley::tests {

std::shared_ptr<policy::SipConfig> sip_config();

class SipWorld {
 public:
  struct Sent {
    std::uint32_t shard = 0;
    bool datagram = false;
    core::Address to;     // datagrams
    core::ConnId conn{};  // streams
    std::string text;
  };

  explicit SipWorld(const std::shared_ptr<const policy::SipConfig>& config = sip_config(), std::uint32_t count = 1,
                    std::uint64_t heap_bytes_max = 64 << 20);
  ~SipWorld();

  policy::SipService& service(std::uint32_t shard = 0);
  FakeMedia& media(std::uint32_t shard = 0);
  [[nodiscard]] std::uint64_t metric(core::Metric metric) const;
  core::Pool& pool(std::uint32_t shard = 0);
  [[nodiscard]] std::size_t shards() const { return shards_.size(); }

  // --- what comes in

  void datagram(std::string_view text, std::string_view from = "127.0.0.1:40001", std::uint32_t shard = 0);
  core::ConnId open(std::string_view remote = "127.0.0.1:40002", std::uint32_t shard = 0, std::uint16_t listener = 1);
  core::ConnId connected(std::uint64_t token, std::string_view remote, std::uint32_t shard = 0);
  void connect_failed(std::uint64_t token, std::uint32_t shard = 0);
  // The answer to a look-up; no addresses: none.
  void resolved(const core::ResolveRequest& asked, const std::vector<std::string>& addresses, std::uint32_t shard = 0);
  void bytes(core::ConnId conn, std::string_view text, std::uint32_t shard = 0);
  void close(core::ConnId conn, std::uint32_t shard = 0);
  // A question of the admin side, and its answer; nothing: it will be among `replies`.
  std::string admin(core::AdminRequest::Kind kind, const std::string& argument = {}, std::uint32_t shard = 0);
  void drain();
  // Time passes; each service is woken at its deadlines on the way.
  void advance(core::Duration duration);
  // A long time passes, in which the services are woken only so often: what was due is that late.
  void stride(core::Duration duration, core::Duration each);
  void wake();

  // A SEND of the peer of that session of ours.
  struct MsrpSend {
    std::string headers;  // of it, with Content-Type last
    std::string body;
    std::uint64_t start = 1;
    std::uint64_t total = msrp::ByteRange::unknown;
    msrp::Flag flag = msrp::Flag::end;
  };
  void msrp(const std::string& uri, const MsrpSend& send, std::uint32_t shard = 0);
  // Its peer's connection is gone.
  void msrp_gone(const std::string& uri, std::uint32_t shard = 0);
  // A connection of a client to the MSRP listener, what it sends there, and what has come since it was asked last.
  core::ConnId msrp_open(std::uint32_t shard = 0);
  void msrp_bytes(core::ConnId conn, std::string_view text, std::uint32_t shard = 0);
  std::string msrp_take(core::ConnId conn, std::uint32_t shard = 0);
  // And comes back, by the same path.
  void msrp_back(const std::string& uri, std::uint32_t shard = 0);
  policy::StoredLegs& stored_legs(std::uint32_t shard = 0);

  // --- what went out

  std::vector<Sent> take() { return std::exchange(sent_, {}); }
  // The only message that went out since the last call.
  Sent only();
  std::vector<core::ConnectRequest> connects;
  std::vector<core::ResolveRequest> resolves;
  std::vector<core::ConnId> closes;  // that we asked for
  std::vector<policy::HistoryFact> histories;
  std::vector<core::AdminReply> replies;

  // The process is killed and another one begins with what is on the disk; connections are gone.
  void crash(const std::shared_ptr<const policy::SipConfig>& config);

  // As the peer that got it: back where it came from.
  void answer(const Sent& request, std::uint16_t status, std::string_view from = {}, std::uint32_t shard = 0);

  core::Now now{core::Instant{} + 1h, 1'700'000'000'000};
  bool lose_mail = false;
  std::uint64_t kept_mails = 0;
  core::SessionTable invites{1024, 1};
  FakeStore store;

 private:
  struct Shard;
  struct Mail {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::string bytes;
  };

  core::ConnId came_up(std::uint32_t shard, core::Input::Kind kind, std::uint64_t token, const core::PeerInfo& peer);
  void with_bytes(std::uint32_t shard, core::Input& input, std::string_view bytes);
  void step_msrp(std::uint32_t number, const core::Input& input);
  void step(std::uint32_t number, std::span<const core::Input> inputs, std::span<const core::Input> msrp = {});
  void step(std::uint32_t number, const core::Input& input);
  void carry_out(std::uint32_t number);
  void settle();
  void deliver_mails();

  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<Sent> sent_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> msrp_sent_;  // by shard and connection
  std::deque<Mail> mails_;
};

}  // namespace parley::tests

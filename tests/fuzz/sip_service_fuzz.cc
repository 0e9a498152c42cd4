// tests/fuzz/sip_service_fuzz.cc - datagrams to a whole SIP service: each is counted once, a stranger's gets at most
// one answer and moves nothing else, memory stays within its bound, and everything settles when nothing more comes.
//
// Input: datagrams with lines between them that say whose the next one is; the first one is a stranger's.
//
//   %%s  a stranger's              %%t  a trusted peer's
//   %%d  a device's, to which bob's calls go
//   %%r  its answer to what it got last: start line, what a response repeats, then the lines that stand here
//   %%w  nobody's: 40 s pass
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/digest.h"
#include "policy/sip_service.h"
#include "tests/fuzz/cost.h"

namespace {

using namespace parley;
using namespace std::chrono_literals;
using core::Metric;

constexpr std::array arrivals = {Metric::sip_requests, Metric::sip_responses, Metric::sip_others,
                                 Metric::sip_keep_alives};
// What becomes of a stranger's message that is not answered 200.
constexpr std::array outcomes = {Metric::sip_not_sip,         Metric::sip_dropped,       Metric::sip_foreign_responses,
                                 Metric::sip_stray_responses, Metric::sip_challenged,    Metric::sip_refused_400,
                                 Metric::sip_refused_403,     Metric::sip_refused_404,   Metric::sip_refused_420,
                                 Metric::sip_refused_481,     Metric::sip_refused_482,   Metric::sip_refused_483,
                                 Metric::sip_refused_503,     Metric::sip_refused_other, Metric::sip_absorbed_requests};

core::Address address(std::string_view text) { return *core::parse_address(text); }

const core::Address& stranger() {
  static const core::Address at = address("192.0.2.1:40001");
  return at;
}
const core::Address& trusted_peer() {
  static const core::Address at = address("192.0.2.9:5060");
  return at;
}
const core::Address& device() {
  static const core::Address at = address("192.0.2.5:5070");
  return at;
}

std::shared_ptr<const policy::SipConfig> config() {
  static const std::shared_ptr<const policy::SipConfig> made = [] {
    auto config = std::make_shared<policy::SipConfig>();
    config->transport.listeners = {{core::Transport::udp, "192.0.2.20", 5060, address("192.0.2.20:5060")}};
    config->transport.connections_max = 16;
    config->domains = {"example.org"};
    config->realm = "example.org";
    config->plain_digest = policy::PlainDigest::always;
    config->digest.failures = {.user_per_minute = 0, .source_per_minute = 0};
    config->trusted_peers = {*core::parse_cidr("192.0.2.9/32")};
    config->dial_allow = {*core::parse_cidr("192.0.2.0/24")};
    config->proxied_max = 64;
    config->transactions.transactions_max = 256;
    config->location.aors_max = 64;
    config->digest.nonces_max = 64;
    config->reg_events.notifier.subscriptions_max = 64;
    core::Digest digest;
    for (const char* name : {"alice", "bob"}) {
      core::Credential user;
      user.ha1[core::DigestAlgorithm::md5] =
          std::string(digest.ha1(core::DigestAlgorithm::md5, name, config->realm, "secret").view());
      config->users.emplace(name, user);
    }
    return config;
  }();
  return made;
}

class Service {
 public:
  // What is kept from one request to the next is there afterwards: slots, and room to write messages in.
  Service() {
    datagram(trusted_peer(),
             request("REGISTER", "sip:example.org", "Contact: <sip:bob@192.0.2.5:5070>\r\nExpires: 3600\r\n"));
    for (const char* method : {"MESSAGE", "INVITE"}) {
      datagram(trusted_peer(), request(method, "sip:bob@example.org", ""));
      CHECK(forwarded_.starts_with(method));  // else nothing behind the registrar is reached
      datagram(device(), answered("SIP/2.0 486 Busy Here\r\n"));
    }
    datagram(trusted_peer(),
             request("SUBSCRIBE", "sip:bob@example.org",
                     "P-Asserted-Identity: <sip:bob@example.org>\r\nContact: <sip:bob@192.0.2.5:5070>\r\n"
                     "Event: reg\r\nExpires: 0\r\n"));
    datagram(trusted_peer(), request("INFO", "sip:bob@192.0.2.77;transport=tcp", ""));
    pass(5min);
    CHECK(service_.live_transactions() == 0);
    datagram(stranger(), request("MESSAGE", "sip:bob@example.org", ""));
    CHECK(metrics_.get(Metric::sip_challenged) == 1);
    datagram(stranger(), request("MESSAGE", "sip:bob@example.org",
                                 "Proxy-Authorization: Digest username=\"bob\", realm=\"example.org\", nonce=\"n\", "
                                 "uri=\"sip:bob@example.org\", response=\"00\"\r\n"));
    CHECK(metrics_.get(Metric::sip_auth_failed) == 1);
    out_.clear();
    blocks_at_rest_ = pool_.live_blocks();
    warm_ = true;
  }
  ~Service() {
    pass(20min);
    CHECK(service_.live_transactions() == 0);
    CHECK(service_.live_proxied() == 0);
    out_.clear();
    CHECK(pool_.live_blocks() == blocks_at_rest_);
  }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  void datagram(const core::Address& from, std::string_view bytes) {
    const std::uint64_t arrived = sum(arrivals);
    const std::uint64_t became = sum(outcomes);
    // Who guesses somebody's branch may cancel or acknowledge for him; who cannot finds nothing.
    const bool alone = service_.live_transactions() == 0;
    const std::uint64_t kept_alive = metrics_.get(Metric::sip_keep_alives);
    core::Input input;
    input.kind = core::Input::Kind::datagram;
    input.source = &from;
    const core::BufferId block = pool_.take_heap(static_cast<std::uint32_t>(std::max<std::size_t>(bytes.size(), 1)));
    CHECK(block != core::no_buffer);
    std::copy(bytes.begin(), bytes.end(), pool_.data(block));
    input.slice = {block, 0, static_cast<std::uint32_t>(bytes.size())};
    sent_ = 0;
    ok_sent_ = false;
    {
      std::optional<tests::Cost> cost;
      if (warm_) cost.emplace(bytes.size());
      step(&input);
    }
    carry_out();
    pool_.release(block);
    CHECK(sum(arrivals) == arrived + 1);
    if (from != stranger() || !alone) return;
    CHECK(sent_ <= 1);
    CHECK(sum(outcomes) - became <= 1);
    CHECK(ok_sent_ || sum(outcomes) == became + 1 || metrics_.get(Metric::sip_keep_alives) != kept_alive);
  }

  static std::string request(const std::string& method, const std::string& uri, const std::string& lines) {
    return method + ' ' + uri + " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKwarm" + method +
           "\r\nMax-Forwards: 9\r\nFrom: <sip:alice@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: warm-" +
           method + "\r\nCSeq: 1 " + method + "\r\n" + lines + "\r\n";
  }

  // The device's response to the last request it got.
  std::string answered(std::string_view lines) const {
    const std::size_t start = std::min(lines.find('\n'), lines.size() - 1) + 1;
    std::string text(lines.substr(0, start));
    if (lines.empty() || lines[start - 1] != '\n') text += "\r\n";
    std::string_view rest = forwarded_;
    while (!rest.empty() && rest != "\r\n") {
      const std::string_view line = rest.substr(0, rest.find('\n') + 1);
      rest.remove_prefix(line.size());
      for (const char* name : {"Via:", "From:", "To:", "Call-ID:", "CSeq:", "Record-Route:"}) {
        if (!line.starts_with(name)) continue;
        const bool without_tag = line.starts_with("To:") && line.find("tag=") == std::string_view::npos;
        text += without_tag ? std::string(line.substr(0, line.size() - 2)) + ";tag=d\r\n" : std::string(line);
      }
      if (line == "\r\n") break;
    }
    text += lines.substr(start);
    if (text.find("\r\n\r\n") == std::string::npos) text += "\r\n";
    return text;
  }

  void pass(core::Duration duration) {
    const core::Instant end = now_.mono + duration;
    for (std::size_t steps = 0;; ++steps) {
      CHECK(steps < 100'000);
      const core::Instant next = service_.next_deadline();
      if (next > end) break;
      now_.mono = std::max(now_.mono + 1ms, next);
      step(nullptr);
      carry_out();
    }
    now_.mono = end;
    step(nullptr);
    carry_out();
  }

 private:
  template <std::size_t count>
  [[nodiscard]] std::uint64_t sum(const std::array<Metric, count>& metrics) const {
    std::uint64_t total = 0;
    for (const Metric metric : metrics) total += metrics_.get(metric);
    return total;
  }

  void step(const core::Input* input) {
    service_.begin(now_, out_);
    if (input != nullptr) service_.take(*input);
    service_.end();
  }

  // As a loop would, in a network where no name and no connection exists.
  void carry_out() {
    std::vector<std::uint64_t> failed;
    for (;;) {
      for (const core::Output& output : out_.outputs()) {
        if (output.kind == core::Output::Kind::send) pool_.release(output.slice.buffer);
      }
      for (const core::Datagram& datagram : out_.datagrams()) {
        const std::string_view bytes = pool_.view(datagram.slice);
        ++sent_;
        if (bytes.starts_with("SIP/2.0 2")) ok_sent_ = true;
        if (datagram.to == device() && !bytes.starts_with("SIP/2.0 ")) forwarded_ = std::string(bytes);
        pool_.release(datagram.slice.buffer);
      }
      CHECK(out_.mails().empty());
      failed.clear();
      for (const core::ConnectRequest& request : out_.connects()) failed.push_back(request.token);
      for (const core::ResolveRequest& request : out_.resolves()) names_.push_back(request.token);
      out_.clear();
      if (failed.empty() && names_.empty()) return;
      for (const std::uint64_t token : failed) {
        core::Input input;
        input.kind = core::Input::Kind::connect_failed;
        input.token = token;
        step(&input);
      }
      for (const std::uint64_t token : std::exchange(names_, {})) {
        const core::Resolution resolution{.token = token, .addresses = {}};
        core::Input input;
        input.kind = core::Input::Kind::resolved;
        input.resolution = &resolution;
        step(&input);
      }
    }
  }

  core::Now now_{core::Instant{} + 1h, 1'700'000'000'000};
  core::Pool pool_{{.small_count = 1, .large_count = 1, .arena_count = 8, .heap_bytes_max = 64 << 20}};
  core::Metrics metrics_;
  core::Random random_{core::Seed{1}};
  core::Outbox out_{pool_};
  policy::SipService service_{{.shard = 0,
                               .shard_count = 1,
                               .pool = pool_,
                               .metrics = metrics_,
                               .random = random_,
                               .process_seed = core::Seed{7},
                               .config = config()}};
  std::vector<std::uint64_t> names_;
  std::string forwarded_;  // what the device got last
  std::size_t sent_ = 0;
  bool ok_sent_ = false;
  std::uint64_t blocks_at_rest_ = 0;
  bool warm_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t datagram_bytes_max = 65'507;
  constexpr std::size_t datagrams_max = 16;
  Service service;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  char whose = 's';
  for (std::size_t count = 0; count < datagrams_max; ++count) {
    std::size_t border = rest.find("%%");
    while (border != std::string_view::npos && (border + 3 >= rest.size() || rest[border + 3] != '\n'))
      border = rest.find("%%", border + 1);
    const std::string_view bytes = rest.substr(0, std::min({border, rest.size(), datagram_bytes_max}));
    switch (whose) {
      case 't': service.datagram(trusted_peer(), bytes); break;
      case 'd': service.datagram(device(), bytes); break;
      case 'r': service.datagram(device(), service.answered(bytes)); break;
      case 'w': service.pass(40s); break;
      default: service.datagram(stranger(), bytes); break;
    }
    if (border == std::string_view::npos) break;
    whose = rest[border + 2];
    rest.remove_prefix(border + 4);
  }
  return 0;
}

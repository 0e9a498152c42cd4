// tests/service/sip_world.cc - see sip_world.h.
#include "tests/service/sip_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "core/check.h"
#include "core/digest.h"
#include "msrp/relay.h"
#include "policy/media_pair.h"
#include "policy/stored_legs.h"

namespace parley::tests {

std::shared_ptr<policy::SipConfig> sip_config() {
  auto config = std::make_shared<policy::SipConfig>();
  config->transport.listeners = {{core::Transport::udp, "127.0.0.1", 5060, address("127.0.0.1:5060")},
                                 {core::Transport::tcp, "127.0.0.1", 5060, address("127.0.0.1:5060")},
                                 {core::Transport::ws, "127.0.0.1", 5080, address("127.0.0.1:5080")}};
  config->domains = {"example.org"};
  config->realm = "example.org";
  config->plain_digest = policy::PlainDigest::always;
  config->trusted_peers = {*core::parse_cidr("127.0.0.9/32")};
  core::Digest digest;
  for (const char* name : {"alice", "bob", "carol"}) {
    core::Credential user;
    for (const auto algorithm : {core::DigestAlgorithm::md5, core::DigestAlgorithm::sha256}) {
      user.ha1[algorithm] = std::string(digest.ha1(algorithm, name, config->realm, "secret").view());
    }
    config->users.emplace(name, user);
  }
  return config;
}

struct SipWorld::Shard {
  Shard(const std::shared_ptr<const policy::SipConfig>& config, std::uint32_t number, std::uint32_t count,
        std::uint64_t heap_bytes_max, core::SessionTable* invites)
      : pool({.small_count = 64, .large_count = 8, .arena_count = 16, .heap_bytes_max = heap_bytes_max}),
        random(core::Seed{static_cast<std::uint8_t>(number + 1)}),
        out(pool),
        rooms({.pool = pool,
               .metrics = metrics,
               .random = random,
               .legs = stored,
               .config = std::make_shared<policy::RoomConfig>()}) {
    const policy::MediaPath path = config->im.media.path;
    if (path == policy::MediaPath::always || (path == policy::MediaPath::automatic && config->im.history.on))
      serve_media(number, count, config->im.media);
    made.emplace(policy::SipService::Parts{.shard = number,
                                           .shard_count = count,
                                           .pool = pool,
                                           .metrics = metrics,
                                           .random = random,
                                           .process_seed = core::Seed{7},
                                           .pairs = pairs.get(),
                                           .invites = invites,
                                           .media = config->focus.on ? &media : nullptr,
                                           .rooms = config->focus.on ? &rooms : nullptr,
                                           .stored = config->focus.on ? &stored : nullptr,
                                           .config = config});
  }
  // Sessions that end here, to which nobody connects; that we connect is among `connects`.
  void serve_media(std::uint32_t number, std::uint32_t count, const policy::MediaConfig& config) {
    auto served = std::make_shared<msrp::RelayConfig>();
    served->listeners.push_back({"127.0.0.1", 2855, 2855, address("127.0.0.1:2855"), false});
    served->dial_allow = {*core::parse_cidr("127.0.0.0/8")};
    relay = std::make_unique<msrp::Relay>(msrp::Relay::Parts{number, count, pool, metrics, sessions, random, served});
    pairs = std::make_unique<policy::MediaPairs>(config, pool, metrics, relay->ends());
  }
  ~Shard() { out.clear(); }
  core::Pool pool;
  core::Metrics metrics;
  core::Random random;
  core::Outbox out;
  FakeMedia media;
  FakeLegs legs{media, pool};
  policy::StoredLegs stored{{.pool = pool, .metrics = metrics, .others = legs}};
  policy::Rooms rooms;
  core::SessionTable sessions{1024, 1};
  std::unique_ptr<msrp::Relay> relay;
  std::unique_ptr<policy::MediaPairs> pairs;
  std::optional<policy::SipService> made;
  policy::SipService& service() { return *made; }
  std::uint32_t next_conn = 0;
};

SipWorld::SipWorld(const std::shared_ptr<const policy::SipConfig>& config, std::uint32_t count,
                   std::uint64_t heap_bytes_max) {
  for (std::uint32_t i = 0; i < count; ++i)
    shards_.push_back(std::make_unique<Shard>(config, i, count, heap_bytes_max, count > 1 ? &invites : nullptr));
  for (std::uint32_t i = 0; i < count; ++i) step(i, std::span<const core::Input>{});
  settle();
}

SipWorld::~SipWorld() = default;

policy::SipService& SipWorld::service(std::uint32_t shard) { return shards_[shard]->service(); }

FakeMedia& SipWorld::media(std::uint32_t shard) { return shards_[shard]->media; }

std::uint64_t SipWorld::metric(core::Metric metric) const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->metrics.get(metric);
  return sum;
}

core::Pool& SipWorld::pool(std::uint32_t shard) { return shards_[shard]->pool; }

void SipWorld::datagram(std::string_view text, std::string_view from, std::uint32_t shard) {
  const core::Address source = address(from);
  core::Input input;
  input.kind = core::Input::Kind::datagram;
  input.source = &source;
  with_bytes(shard, input, text);
  settle();
}

core::ConnId SipWorld::open(std::string_view remote, std::uint32_t shard, std::uint16_t listener) {
  core::PeerInfo peer;
  peer.transport = core::Transport::tcp;
  peer.remote = address(remote);
  peer.local = address("127.0.0.1:5060");
  peer.listener = listener;
  return came_up(shard, core::Input::Kind::opened, 0, peer);
}

core::ConnId SipWorld::connected(std::uint64_t token, std::string_view remote, std::uint32_t shard) {
  core::PeerInfo peer;
  peer.transport = core::Transport::tcp;
  peer.remote = address(remote);
  return came_up(shard, core::Input::Kind::connected, token, peer);
}

void SipWorld::connect_failed(std::uint64_t token, std::uint32_t shard) {
  core::Input input;
  input.kind = core::Input::Kind::connect_failed;
  input.token = token;
  step(shard, input);
  settle();
}

void SipWorld::resolved(const core::ResolveRequest& asked, const std::vector<std::string>& addresses,
                        std::uint32_t shard) {
  core::Resolution resolution;
  resolution.token = asked.token;
  for (const std::string& at : addresses)
    resolution.addresses.push_back({address(at), asked.host, core::Transport::udp});
  core::Input input;
  input.kind = core::Input::Kind::resolved;
  input.resolution = &resolution;
  step(shard, input);
  settle();
}

void SipWorld::bytes(core::ConnId conn, std::string_view text, std::uint32_t shard) {
  core::Input input;
  input.kind = core::Input::Kind::bytes;
  input.conn = conn;
  with_bytes(shard, input, text);
  settle();
}

void SipWorld::close(core::ConnId conn, std::uint32_t shard) {
  core::Input input;
  input.kind = core::Input::Kind::closed;
  input.conn = conn;
  step(shard, input);
  settle();
}

std::string SipWorld::admin(core::AdminRequest::Kind kind, const std::string& argument, std::uint32_t shard) {
  Shard& at = *shards_[shard];
  at.rooms.begin(now);
  at.service().begin(now, at.out);
  std::string json = at.service().answer_admin({1, kind, argument});
  at.service().end();
  carry_out(shard);
  settle();
  if (json.empty() && !replies.empty()) {
    json = replies.back().json;
    replies.pop_back();
  }
  return json;
}

void SipWorld::drain() {
  for (const auto& shard : shards_) shard->service().drain();
  wake();
}

void SipWorld::advance(core::Duration duration) {
  const core::Instant end = now.mono + duration;
  for (;;) {
    core::Instant next = core::never;
    for (const auto& shard : shards_) {
      next = std::min({next, shard->service().next_deadline(), shard->rooms.next_deadline()});
    }
    if (next > end) break;
    now.mono = std::max(now.mono + 1ms, next);
    wake();
  }
  now.mono = end;
  wake();
}

void SipWorld::stride(core::Duration duration, core::Duration each) {
  while (duration > core::Duration{}) {
    const core::Duration step = std::min(duration, each);
    duration -= step;
    now.mono += step;
    now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(step).count();
    wake();
  }
}

void SipWorld::wake() {
  for (std::uint32_t i = 0; i < shards_.size(); ++i) step(i, std::span<const core::Input>{});
  settle();
}

void SipWorld::msrp(const std::string& uri, const MsrpSend& send, std::uint32_t shard) {
  Shard& at = *shards_[shard];
  const std::string frame = "MSRP tid1 SEND\r\nTo-Path: " + uri + "\r\nFrom-Path: msrp://127.0.0.1:9000/peer;tcp\r\n" +
                            "Byte-Range: " + std::to_string(send.start) + "-*/*\r\n" + send.headers + "\r\n";
  msrp::HeadParser parser;
  EXPECT_EQ(parser.parse(frame, {}, nullptr), msrp::Progress::done) << frame;
  msrp::EndFact fact;
  fact.kind = msrp::EndFact::Kind::piece;
  fact.end = at.media.end_of(uri);
  fact.first = fact.last = true;
  fact.flag = send.flag;
  fact.head = &parser.head();
  fact.head_bytes = frame;
  fact.message_id = parser.head().message_id.of(frame);
  fact.start = send.start;
  fact.total = send.total;
  if (!send.body.empty()) {
    fact.body = {at.pool.take_heap(static_cast<std::uint32_t>(send.body.size())), 0,
                 static_cast<std::uint32_t>(send.body.size())};
    std::copy(send.body.begin(), send.body.end(), at.pool.data(fact.body.buffer));
  }
  at.media.facts.push_back(fact);
  step(shard, std::span<const core::Input>{});
  if (fact.body.buffer != core::no_buffer) at.pool.release(fact.body.buffer);
  settle();
}

void SipWorld::msrp_gone(const std::string& uri, std::uint32_t shard) {
  msrp::EndFact fact;
  fact.kind = msrp::EndFact::Kind::closed;
  fact.end = shards_[shard]->media.end_of(uri);
  shards_[shard]->media.facts.push_back(fact);
  wake();
}

core::ConnId SipWorld::msrp_open(std::uint32_t shard) {
  core::PeerInfo peer;
  peer.transport = core::Transport::tcp;
  peer.remote = address("127.0.0.1:9000");
  peer.local = address("127.0.0.1:2855");
  core::Input input;
  input.kind = core::Input::Kind::opened;
  input.conn = {shards_[shard]->next_conn++, 1};
  input.peer = &peer;
  msrp_sent_[{shard, input.conn.index}] = {};
  step_msrp(shard, input);
  settle();
  return input.conn;
}

void SipWorld::msrp_bytes(core::ConnId conn, std::string_view text, std::uint32_t shard) {
  core::Pool& pool = shards_[shard]->pool;
  const core::BufferId block = pool.take_heap(static_cast<std::uint32_t>(text.size()));
  CHECK(block != core::no_buffer);
  std::copy(text.begin(), text.end(), pool.data(block));
  core::Input input;
  input.kind = core::Input::Kind::bytes;
  input.conn = conn;
  input.slice = {block, 0, static_cast<std::uint32_t>(text.size())};
  step_msrp(shard, input);
  pool.release(block);
  settle();
}

std::string SipWorld::msrp_take(core::ConnId conn, std::uint32_t shard) {
  return std::exchange(msrp_sent_[{shard, conn.index}], {});
}

void SipWorld::msrp_back(const std::string& uri, std::uint32_t shard) {
  msrp::EndFact fact;
  fact.kind = msrp::EndFact::Kind::connected;
  fact.end = shards_[shard]->media.end_of(uri);
  shards_[shard]->media.facts.push_back(fact);
  wake();
}

policy::StoredLegs& SipWorld::stored_legs(std::uint32_t shard) { return shards_[shard]->stored; }

SipWorld::Sent SipWorld::only() {
  const std::vector<Sent> sent = take();
  EXPECT_EQ(sent.size(), 1U);
  return sent.empty() ? Sent{} : sent.front();
}

void SipWorld::crash(const std::shared_ptr<const policy::SipConfig>& config) {
  const auto count = static_cast<std::uint32_t>(shards_.size());
  shards_.clear();
  mails_.clear();
  store.lose_waiting();
  store.begin(now.wall_ms);
  core::StoreContents left = store.contents();
  for (core::SessionRow& row : left.sessions) row.left_ms = row.left_ms == 0 ? now.wall_ms : row.left_ms;
  for (std::uint32_t i = 0; i < count; ++i) {
    shards_.push_back(std::make_unique<Shard>(config, i, count, 64 << 20, count > 1 ? &invites : nullptr));
    (void)shards_.back()->service().restore(left, now);
  }
  wake();
}

void SipWorld::answer(const Sent& request, std::uint16_t status, std::string_view from, std::uint32_t shard) {
  const std::string text = response_text(request.text, status, {});
  if (request.datagram) {
    datagram(text, from.empty() ? core::to_string(request.to) : std::string(from), shard);
  } else {
    bytes(request.conn, text, request.shard);
  }
}

core::ConnId SipWorld::came_up(std::uint32_t shard, core::Input::Kind kind, std::uint64_t token,
                               const core::PeerInfo& peer) {
  core::Input input;
  input.kind = kind;
  input.conn = {shards_[shard]->next_conn++, 1};
  input.token = token;
  input.peer = &peer;
  step(shard, input);
  settle();
  return input.conn;
}

void SipWorld::with_bytes(std::uint32_t shard, core::Input& input, std::string_view bytes) {
  core::Pool& pool = shards_[shard]->pool;
  const core::BufferId block = pool.take_heap(static_cast<std::uint32_t>(std::max<std::size_t>(bytes.size(), 1)));
  CHECK(block != core::no_buffer);
  std::copy(bytes.begin(), bytes.end(), pool.data(block));
  input.slice = {block, 0, static_cast<std::uint32_t>(bytes.size())};
  step(shard, input);
  pool.release(block);
}

void SipWorld::step_msrp(std::uint32_t number, const core::Input& input) { step(number, {}, std::span(&input, 1)); }

void SipWorld::step(std::uint32_t number, std::span<const core::Input> inputs, std::span<const core::Input> msrp) {
  Shard& shard = *shards_[number];
  if (shard.relay != nullptr) shard.relay->begin(now, shard.out);
  shard.rooms.begin(now);
  shard.service().begin(now, shard.out);
  for (const core::Input& input : inputs) shard.service().take(input);
  if (shard.relay != nullptr) {
    shard.relay->take(msrp);
    for (msrp::EndFact fact; shard.relay->ends().next_fact(fact);) (void)shard.pairs->on_fact(fact);
  }
  do {
    for (const msrp::EndHandle end : std::exchange(shard.media.bound, {})) {
      msrp::EndFact fact;
      fact.kind = msrp::EndFact::Kind::connected;
      fact.end = end;
      (void)shard.rooms.on_fact(fact);
    }
    while (!shard.media.facts.empty()) {
      msrp::EndFact fact = shard.media.facts.front();
      shard.media.facts.pop_front();
      shard.stored.on_other_fact(fact);
      (void)shard.rooms.on_fact(fact);
    }
    for (msrp::EndFact fact; shard.stored.next_fact(fact);) (void)shard.rooms.on_fact(fact);
    shard.rooms.expire();
    for (policy::RoomFact fact; shard.rooms.next_fact(fact);) shard.service().on_room_fact(fact);
  } while (!shard.media.bound.empty() || !shard.media.facts.empty() || shard.stored.has_facts());
  shard.service().end();
  for (policy::HistoryFact fact; shard.service().next_history(fact);) histories.push_back(fact);
  if (shard.relay != nullptr) shard.relay->finish();
  carry_out(number);
}

void SipWorld::step(std::uint32_t number, const core::Input& input) { step(number, std::span(&input, 1)); }

void SipWorld::carry_out(std::uint32_t number) {
  Shard& shard = *shards_[number];
  std::vector<core::Input> credit;
  std::vector<core::Input> msrp_credit;
  for (const core::Output& output : shard.out.outputs()) {
    if (output.kind == core::Output::Kind::close) closes.push_back(output.conn);
    if (output.kind != core::Output::Kind::send) continue;
    const auto msrp = msrp_sent_.find({number, output.conn.index});
    if (msrp != msrp_sent_.end()) {
      msrp->second += shard.pool.view(output.slice);
    } else {
      sent_.push_back({number, false, {}, output.conn, std::string(shard.pool.view(output.slice))});
    }
    core::Input input;
    input.kind = core::Input::Kind::sent;
    input.conn = output.conn;
    input.count = output.slice.length;
    (msrp != msrp_sent_.end() ? msrp_credit : credit).push_back(input);
    shard.pool.release(output.slice.buffer);
  }
  for (const core::Datagram& datagram : shard.out.datagrams()) {
    sent_.push_back({number, true, datagram.to, {}, std::string(shard.pool.view(datagram.slice))});
    shard.pool.release(datagram.slice.buffer);
  }
  for (core::ShardMail& mail : shard.out.mails()) {
    if (mail.kept) ++kept_mails;
    if (!lose_mail || mail.kept) mails_.push_back({number, mail.shard, std::string(mail.bytes.get(), mail.length)});
  }
  store.submit(number, shard.out.stores());
  for (core::AdminReply& reply : shard.out.replies()) replies.push_back(std::move(reply));
  for (const core::ConnectRequest& request : shard.out.connects()) connects.push_back(request);
  for (const core::ResolveRequest& request : shard.out.resolves()) resolves.push_back(request);
  shard.out.clear();
  if (!credit.empty() || !msrp_credit.empty()) step(number, credit, msrp_credit);
}

void SipWorld::settle() {
  deliver_mails();
  for (FakeStore::Answer answer; store.next(answer);) {
    core::Input input;
    input.kind = core::Input::Kind::stored;
    input.stored = &answer.result;
    step(answer.shard, input);
    deliver_mails();
  }
}

void SipWorld::deliver_mails() {
  while (!mails_.empty()) {
    const Mail mail = std::move(mails_.front());
    mails_.pop_front();
    core::Input input;
    input.kind = core::Input::Kind::mail;
    input.from_shard = mail.from;
    with_bytes(mail.to, input, mail.bytes);
  }
}

}  // namespace parley::tests

// tests/service/large.h - large messages for users who can not be reached: who writes them, what comes of it, who gets
// them later.
#pragma once

#include <gtest/gtest.h>

#include "tests/service/parties.h"

namespace parley::tests {

inline const std::string gives = "a=sendonly\r\na=setup:actpass\r\n";
inline const std::string takes_it = "a=recvonly\r\na=setup:active\r\n";
inline const std::string sends = "Success-Report: yes\r\nFailure-Report: yes\r\n";

// alice writes, bob is the one who is not there.
struct Large : Party {
  void SetUp() override { start({}); }
  void start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1) {
    config = deferring_config();
    if (change) change(*config);
    make(config, shards);
    world = &line->world;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      world->media(shard).binds = world->media(shard).answers = true;
    }
  }

  // alice's INVITE to `uri`.
  void invites(const std::string& uri = "sip:bob@example.org", const std::string& more = gives,
               const std::string& lines = {}) {
    alice->invite_uri(uri, msrp_sdp("alice", more, "message/cpim text/plain"), large + "Subject: a book\r\n" + lines);
  }
  std::string answered() {
    std::string ok = alice->next();
    if (Phone::kind(ok) == "100 INVITE") ok = alice->next();
    EXPECT_EQ(Phone::kind(ok), "200 INVITE") << ok;
    alice->take(ok);
    alice->ack();
    return ok;
  }
  std::string refused() {
    std::string response = alice->next();
    if (Phone::kind(response) == "100 INVITE") response = alice->next();
    alice->ack_refused(response);
    return response;
  }
  static std::string head(const std::string& id, const std::string& type = "text/plain",
                          const std::string& lines = sends) {
    return "Message-ID: " + id + "\r\n" + lines + "Content-Type: " + type + "\r\n";
  }
  // In chunks, over that session.
  void writes(const std::string& path, const std::string& text, const std::string& id = "m1",
              const std::string& type = "text/plain", const std::string& lines = sends, std::size_t chunk = 5000) {
    for (std::size_t at = 0; at < text.size(); at += chunk) {
      const bool last = at + chunk >= text.size();
      world->msrp(path, {.headers = head(id, type, lines),
                         .body = text.substr(at, chunk),
                         .start = at + 1,
                         .total = text.size(),
                         .flag = last ? msrp::Flag::end : msrp::Flag::more});
    }
  }
  std::vector<FakeMedia::Session::Report> reports(const std::string& path) {
    const auto* const session = world->media().find(path);
    if (session != nullptr) return session->reports;
    const auto past = world->media().past.find(path);
    return past == world->media().past.end() ? std::vector<FakeMedia::Session::Report>{} : past->second.reports;
  }
  // All of it: alice to bob, who is not there.
  void deposits(const std::string& text, const std::string& id = "m1", const std::string& type = "text/plain") {
    invites();
    const std::string path = path_of(answered());
    writes(path, text, id, type);
    const auto told = reports(path);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].status, 200);
    leaves(*alice);
  }
  // A pager message to bob, who is not there.
  void says(Phone& who, const std::string& text) {
    who.call_id = "msg" + std::to_string(++messages);
    who.local = "<sip:" + who.user() + "@example.org>;tag=m" + std::to_string(messages);
    who.remote = "<sip:bob@example.org>";
    who.target = "sip:bob@example.org";
    who.send_typed("MESSAGE", "text/plain", text, im);
    who.want("202 MESSAGE");
  }
  // The list of what waits for him.
  void watches(Phone& who) {
    who.local = "<sip:" + who.user() + "@example.org>;tag=w";
    who.remote = "<sip:Deferred@example.org>";
    who.target = "sip:Deferred@example.org";
    who.call_id = "watch";
    who.request("SUBSCRIBE", {},
                "Event: ua-profile\r\nExpires: 600\r\nAccept: application/vnd.oma.im.deferred-list+xml\r\n");
    who.want("200 SUBSCRIBE");
    who.respond(who.want("NOTIFY"), 200);
    line->pass(20s);
  }
  // The INVITE that comes to bob, which he takes; and what he gets.
  struct Got {
    std::string invite;
    std::string headers;
    std::string body;
    std::size_t chunks = 0;
  };
  Got receives(Phone& who) {
    Got got;
    got.invite = who.want("INVITE");
    std::deque<std::string>& box = line->boxes[who.address()];
    while (!box.empty() && box.front() == got.invite) box.pop_front();  // sent again while time passed
    who.call_id.clear();
    who.respond(got.invite, 200, msrp_sdp(who.user(), takes_it, "*"));
    who.want("ACK");
    read(path_of(got.invite), got);
    return got;
  }
  void read(const std::string& path, Got& got) {
    for (const std::uint32_t shard : {0U, static_cast<std::uint32_t>(world->shards() - 1)}) {
      const auto* session = world->media(shard).find(path);
      const auto past = world->media(shard).past.find(path);
      if (session == nullptr && past != world->media(shard).past.end()) session = &past->second;
      if (session == nullptr) continue;
      got.body = FakeMedia::whole(*session);
      got.chunks = session->chunks.size();
      if (!session->chunks.empty()) got.headers = session->chunks.front().headers;
    }
  }
  void at_rest() {
    Party::at_rest();
    EXPECT_EQ(world->store.deferred.size(), 0U);
    EXPECT_EQ(world->store.bodies.size(), 0U);
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      EXPECT_EQ(world->service(shard).deferred().boxes(), 0U);
      EXPECT_EQ(world->service(shard).deferred().users(), 0U);
      EXPECT_EQ(world->stored_legs(shard).live(), 0U);
    }
  }
  // The time of all that is stored.
  void over() {
    world->now.wall_ms += std::chrono::milliseconds(std::chrono::hours(24 * 7) + std::chrono::minutes(1)).count();
    line->pass(11s);
  }
  static std::string book(std::size_t bytes) {
    std::string text(bytes, ' ');
    for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return text;
  }
  const core::DeferredRow& row() { return world->store.deferred.begin()->second; }
  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  int messages = 0;
};

}  // namespace parley::tests

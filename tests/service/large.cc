// tests/service/large.cc - see large.h.
#include "tests/service/large.h"

#include <chrono>
#include <deque>

namespace parley::tests {

void Large::SetUp() { start({}); }

void Large::start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards) {
  config = deferring_config();
  if (change) change(*config);
  make(config, shards);
  world = &line->world;
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    world->media(shard).binds = world->media(shard).answers = true;
  }
}

void Large::invites(const std::string& uri, const std::string& more, const std::string& lines) {
  alice->invite_uri(uri, msrp_sdp("alice", more, "message/cpim text/plain"), large + "Subject: a book\r\n" + lines);
}

std::string Large::answered() {
  std::string ok = alice->next();
  if (Phone::kind(ok) == "100 INVITE") ok = alice->next();
  EXPECT_EQ(Phone::kind(ok), "200 INVITE") << ok;
  alice->take(ok);
  alice->ack();
  return ok;
}

std::string Large::refused() {
  std::string response = alice->next();
  if (Phone::kind(response) == "100 INVITE") response = alice->next();
  alice->ack_refused(response);
  return response;
}

std::string Large::head(const std::string& id, const std::string& type, const std::string& lines) {
  return "Message-ID: " + id + "\r\n" + lines + "Content-Type: " + type + "\r\n";
}

void Large::writes(const std::string& path, const std::string& text, const std::string& id, const std::string& type,
                   const std::string& lines, std::size_t chunk) {
  for (std::size_t at = 0; at < text.size(); at += chunk) {
    const bool last = at + chunk >= text.size();
    world->msrp(path, {.headers = head(id, type, lines),
                       .body = text.substr(at, chunk),
                       .start = at + 1,
                       .total = text.size(),
                       .flag = last ? msrp::Flag::end : msrp::Flag::more});
  }
}

std::vector<FakeMedia::Session::Report> Large::reports(const std::string& path) {
  const auto* const session = world->media().find(path);
  if (session != nullptr) return session->reports;
  const auto past = world->media().past.find(path);
  return past == world->media().past.end() ? std::vector<FakeMedia::Session::Report>{} : past->second.reports;
}

void Large::deposits(const std::string& text, const std::string& id, const std::string& type) {
  invites();
  const std::string path = path_of(answered());
  writes(path, text, id, type);
  const auto told = reports(path);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].status, 200);
  leaves(*alice);
}

void Large::says(Phone& who, const std::string& text) {
  who.call_id = "msg" + std::to_string(++messages);
  who.local = "<sip:" + who.user() + "@example.org>;tag=m" + std::to_string(messages);
  who.remote = "<sip:bob@example.org>";
  who.target = "sip:bob@example.org";
  who.send_typed("MESSAGE", "text/plain", text, im);
  who.want("202 MESSAGE");
}

void Large::watches(Phone& who) {
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

Large::Got Large::receives(Phone& who) {
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

void Large::read(const std::string& path, Got& got) {
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

void Large::at_rest() {
  Party::at_rest();
  EXPECT_EQ(world->store.deferred.size(), 0U);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
    EXPECT_EQ(world->service(shard).deferred().boxes(), 0U);
    EXPECT_EQ(world->service(shard).deferred().users(), 0U);
    EXPECT_EQ(world->stored_legs(shard).live(), 0U);
  }
}

void Large::over() {
  world->now.wall_ms += std::chrono::milliseconds(std::chrono::hours(24 * 7) + std::chrono::minutes(1)).count();
  line->pass(11s);
}

std::string Large::book(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

}  // namespace parley::tests

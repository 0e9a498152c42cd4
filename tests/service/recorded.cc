// tests/service/recorded.cc - see recorded.h.
#include "tests/service/recorded.h"

namespace parley::tests {

void Recorded::SetUp() { start_recorded({}); }

void Recorded::start_recorded(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards) {
  start(
      [&](policy::SipConfig& c) {
        c.im.history_access.on = true;
        c.im.history_access.uri = history_function;
        if (change) change(c);
      },
      shards);
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    world->media(shard).binds = world->media(shard).answers = true;
  }
}

core::HistoryRecordRow& Recorded::record(std::uint64_t id, const std::string& user) {
  core::HistoryRecordRow& row = world->store.histories[id];
  row = {.id = id,
         .aor = "sip:" + user + "@example.org",
         .from = "\"Alice\" <sip:alice@example.org>",
         .to = "<sip:" + user + "@example.org>",
         .began_ms = world->now.wall_ms - 60'000,
         .ended_ms = world->now.wall_ms - 30'000,
         .expires_ms = world->now.wall_ms + 86'400'000};
  return row;
}

core::HistoryMessageRow& Recorded::message(std::uint64_t record, std::uint32_t number, const std::string& body,
                                           const std::string& type, bool sent) {
  core::HistoryMessageRow& row = world->store.history_messages[{record, number}];
  row = {.record = record,
         .number = number,
         .at_ms = world->now.wall_ms - 60'000 + number * 1000,
         .sent = sent,
         .type = type,
         .body = body,
         .size = body.size()};
  return row;
}

void Recorded::fetch(Phone& who, std::uint64_t id, const std::string& types, const std::string& more) {
  who.invite_uri(policy::history_reference(id, "example.org"), msrp_sdp(who.user(), more, types), im);
}

std::string Recorded::final(Phone& who) {
  const std::string response = who.next();
  return Phone::kind(response) == "100 INVITE" ? who.next() : response;
}

std::string Recorded::refusal(Phone& who, std::uint64_t id) {
  fetch(who, id);
  const std::string response = final(who);
  EXPECT_NE(code(response), "200") << response;
  who.ack_refused(response);
  return code(response);
}

std::string Recorded::fetched(Phone& who, std::uint64_t id, const std::string& types) {
  fetch(who, id, types);
  const std::string ok = final(who);
  EXPECT_EQ(code(ok), "200") << ok;
  who.take(ok);
  who.ack();
  return ok;
}

std::vector<Recorded::Got> Recorded::got(const std::string& path, std::uint32_t shard) {
  const auto* session = world->media(shard).find(path);
  const auto past = world->media(shard).past.find(path);
  if (session == nullptr && past != world->media(shard).past.end()) session = &past->second;
  std::vector<Got> all;
  if (session == nullptr) return all;
  bool whole = true;
  for (const FakeMedia::Session::Chunk& chunk : session->chunks) {
    if (whole) all.push_back({chunk.headers, {}});
    EXPECT_EQ(chunk.headers, all.back().headers) << "messages are not mixed";
    EXPECT_EQ(chunk.start, all.back().body.size() + 1);
    all.back().body += chunk.body;
    whole = chunk.flag == msrp::Flag::end;
  }
  return all;
}

std::string Recorded::line_of(const std::string& headers, const std::string& name) {
  return header("\r\n" + headers, name);
}

std::string Recorded::listed(const std::string& user) {
  return document_in(asks(Kind::history_list, user));
}

std::string Recorded::tag() { return between(asks(Kind::history_list, "bob"), "\"etag\":\"", "\""); }

void Recorded::at_rest() {
  Waiting::at_rest();
  for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
    EXPECT_EQ(world->service(shard).history_lists().open_work(), 0U);
    EXPECT_EQ(world->stored_legs(shard).live(), 0U);
  }
}

}  // namespace parley::tests

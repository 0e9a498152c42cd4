// tests/service/waiting.cc - see waiting.h.
#include "tests/service/waiting.h"

#include <deque>

namespace parley::tests {

std::string states(const std::string& xml) {
  policy::XmlDocument document;
  if (document.parse(xml) || document.root().name() != "deferred-list") return "!";
  std::string text;
  for (const policy::XmlElement entry : document.root().children()) {
    if (!text.empty()) text += ' ';
    for (const policy::XmlElement part : entry.children()) {
      if (part.name() == "status") text += part.text();
    }
  }
  return text;
}

void Waiting::SetUp() { start({}); }

void Waiting::start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards) {
  config = deferring_config();
  config->im.deferred.xcap_root = "https://example.org/";
  if (change) change(*config);
  make(config, shards);
  world = &line->world;
}

void Waiting::wants_offline(Phone& who, bool active) {
  ++requests;
  const std::string body = offline_settings(active);
  who.send("PUBLISH sip:" + who.user() + "@example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + who.address() +
           ";branch=z9hG4bKpub" + std::to_string(requests) + "\r\nMax-Forwards: 70\r\nFrom: <sip:" + who.user() +
           "@example.org>;tag=p\r\nTo: <sip:" + who.user() + "@example.org>\r\nCall-ID: pub" + who.user() +
           "\r\nCSeq: " + std::to_string(requests) + " PUBLISH\r\nEvent: poc-settings\r\nExpires: 86400\r\n" +
           (etag.empty() ? "" : "SIP-If-Match: " + etag + "\r\n") +
           "Content-Type: application/poc-settings+xml\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           body);
  etag = header(who.want("200 PUBLISH"), "SIP-ETag");
}

void Waiting::begins(Phone& by, const std::string& uri) {
  by.call_id = "ask" + std::to_string(++requests);
  by.local = "\"" + by.user() + "\" <sip:" + by.user() + "@example.org>;tag=m" + std::to_string(requests);
  by.remote = "<" + uri + ">";
  by.target = uri;
  by.routes.clear();
}

std::uint64_t Waiting::says(const std::string& text, const std::string& lines, Phone* by, const std::string& type) {
  Phone& who = by == nullptr ? *alice : *by;
  begins(who, "sip:bob@example.org");
  who.send_typed("MESSAGE", type, text, im + lines);
  who.want("202 MESSAGE");
  return world->store.deferred.empty() ? 0 : world->store.deferred.rbegin()->first;
}

std::string Waiting::takes(Phone& who, int status) {
  const std::string message = who.want("MESSAGE");
  if (!message.empty()) who.respond(message, status);
  return message;
}

std::string Waiting::asks(Kind kind, const std::string& argument) {
  for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
    std::string json = world->admin(kind, argument, shard);
    if (json != "{}") return json;
  }
  return {};
}

std::string Waiting::document(const std::string& user) {
  return document_in(asks(Kind::deferred_list, user));
}

std::string Waiting::subscribes(Phone& who, const std::string& uri, const std::string& event,
                                const std::string& accept) {
  begins(who, uri);
  who.request("SUBSCRIBE", {},
              "Event: " + event + "\r\nExpires: 600\r\n" + (accept.empty() ? "" : "Accept: " + accept + "\r\n"));
  who.take(who.want("200 SUBSCRIBE"));
  return told(who);
}

std::string Waiting::told(Phone& who) {
  const std::string notify = who.want("NOTIFY");
  std::deque<std::string>& box = line->boxes[who.address()];
  while (!box.empty() && box.front() == notify) box.pop_front();  // sent again while time passed
  if (!notify.empty()) who.respond(notify, 200);
  return notify;
}

std::string Waiting::refers(Phone& who, const std::string& uri, const std::string& to, const std::string& lines,
                            const std::string& body, const std::string& type) {
  begins(who, uri);
  who.send_typed("REFER", type, body, "Refer-To: <" + to + ">\r\n" + lines);
  return who.next();
}

std::string Waiting::fragment(const std::string& notify) { return between(body_of(notify), "SIP/2.0 ", " "); }

void Waiting::at_rest() {
  Party::at_rest();
  for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
    EXPECT_EQ(world->service(shard).deferred_watch().open_work(), 0U);
    EXPECT_EQ(world->service(shard).deferred_retrieval().live(), 0U);
  }
}

}  // namespace parley::tests

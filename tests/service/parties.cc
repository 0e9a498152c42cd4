// tests/service/parties.cc - see parties.h.
#include "tests/service/parties.h"

#include <chrono>

namespace parley::tests {

std::string offline_settings(bool active) {
  return std::string(
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<poc-settings "
             "xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\" "
             "xmlns:im=\"urn:oma:xml:im:service-settings\"><entity id=\"e\"><im:deferred-settings><im:offline-delivery "
             "active=\"") +
         (active ? "true" : "false") + "\"/></im:deferred-settings></entity></poc-settings>\r\n";
}

std::shared_ptr<policy::SipConfig> focus_config() {
  auto config = sip_config();
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  config->focus.on = true;
  config->focus.factory = "sip:factory@example.org";
  config->focus.idle = core::Duration::zero();
  config->im.product = "IM-serv/OMA1.0 parley/0.0";
  return config;
}

std::shared_ptr<policy::SipConfig> deferring_config() {
  auto config = focus_config();
  config->focus.one_to_one = policy::OneToOne::direct;
  config->im.participating = true;
  config->im.deferred.on = true;
  config->im.deferred_uris = {"sip:Deferred@example.org"};
  config->stores_bindings = config->stores_messages = true;
  return config;
}

std::string path_of(const std::string& message) { return between(message, "a=path:", "\r\n"); }

std::string msrp_sdp(const std::string& name, const std::string& more, const std::string& types) {
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 9000 TCP/MSRP *\r\n"
         "a=accept-types:" +
         types + "\r\na=accept-wrapped-types:*\r\n" + more + "a=path:msrp://127.0.0.1:9000/" + name + ";tcp\r\n";
}

std::string resource_list(const std::vector<std::string>& users, const std::string& copy) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\" "
      "xmlns:cp=\"urn:ietf:params:xml:ns:copycontrol\"><list>";
  for (const std::string& user : users) {
    const std::string uri = user.find(':') == std::string::npos ? "sip:" + user + "@example.org" : user;
    text += "<entry uri=\"" + uri + "\" " + copy + "/>";
  }
  return text + "</list></resource-lists>\r\n";
}

std::string mixed(const std::string& sdp, const std::string& list) {
  return "--b1\r\nContent-Type: application/sdp\r\n\r\n" + sdp +
         "\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n"
         "Content-ID: <l1@example.org>\r\n\r\n" +
         list + "\r\n--b1--\r\n";
}

std::string part(const std::string& headers, const std::string& body) {
  return "--b1\r\n" + headers + "\r\n" + body + "\r\n";
}

std::string listed(const std::vector<std::string>& users, const std::string& text, const std::string& copy) {
  return part("Content-Type: text/plain\r\n", text) +
         part("Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n",
              resource_list(users, copy)) +
         "--b1--\r\n";
}

void Party::make(const std::shared_ptr<policy::SipConfig>& config, std::uint32_t shards) {
  config->users.emplace("dave", config->users.at("bob"));
  line = std::make_unique<Line>(config, shards);
  line->datagrams_only = true;
  alice = phone("alice", 1, 0);
  bob = phone("bob", 2, shards - 1);
  carol = phone("carol", 3, 0);
  dave = phone("dave", 4, 0);
}

void Party::SetUp() { make(focus_config()); }

std::unique_ptr<Phone> Party::phone(const std::string& user, int number, std::uint32_t shard) {
  auto made = std::make_unique<Phone>(*line, user, "127.0.0.1:4000" + std::to_string(number), shard);
  made->features = ";+g.oma.sip-im;+sip.instance=\"<urn:uuid:" + user + ">\"";
  made->enrol();
  return made;
}

void Party::registers(Phone& who, int seconds) {
  const std::string number = std::to_string(++registrations);
  who.send("REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + who.address() + ";branch=z9hG4bKr" + number +
           "\r\nFrom: <sip:" + who.user() + "@example.org>;tag=r\r\nTo: <sip:" + who.user() +
           "@example.org>\r\nCall-ID: reg" + who.address() + "\r\nCSeq: " + std::to_string(100 + registrations) +
           " REGISTER\r\n" + who.contact() + "Expires: " + std::to_string(seconds) + "\r\nContent-Length: 0\r\n\r\n");
  who.want("200 REGISTER");
}

void Party::begin(Phone& by, const std::vector<std::string>& others, const std::string& lines) {
  by.invite_uri("sip:factory@example.org;sessiontype=adhoc", mixed(msrp_sdp(by.user()), resource_list(others)),
                im_lines + "Require: recipient-list-invite\r\n" + lines, mixed_type);
}

std::string Party::join(Phone& who, int status) {
  const std::string invite = who.want("INVITE");
  who.call_id.clear();
  who.respond(invite, status, status == 200 ? msrp_sdp(who.user(), "a=setup:active\r\n") : std::string(),
              status == 200 ? "Supported: timer\r\nSession-Expires: 1800;refresher=uas\r\n"
                              "Allow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n"
                            : "");
  who.want("ACK");
  return invite;
}

std::string Party::gather(const std::vector<Phone*>& others) {
  std::vector<std::string> names;
  for (const Phone* other : others) names.push_back(other->user());
  begin(*alice, names);
  for (Phone* other : others) join(*other);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  return ok;
}

void Party::leaves(Phone& who) {
  who.request("BYE");
  who.want("200 BYE");
}

std::string Party::ended(Phone& who) {
  const std::string bye = who.want("BYE");
  who.respond(bye, 200);
  return bye;
}

void Party::at_rest() {
  line->pass(std::chrono::minutes(6));
  for (std::uint32_t shard = 0; shard < line->world.shards(); ++shard) {
    EXPECT_EQ(line->world.service(shard).focus().sessions(), 0U);
    EXPECT_EQ(line->world.service(shard).focus().participants(), 0U);
    EXPECT_EQ(line->world.service(shard).live_proxied(), 0U);
    EXPECT_EQ(line->world.service(shard).live_transactions(), 0U);
    EXPECT_EQ(line->world.media(shard).sessions.size(), 0U);
  }
  EXPECT_EQ(line->world.metric(core::Metric::sip_sessions), 0U);
  EXPECT_EQ(line->world.metric(core::Metric::sip_session_participants), 0U);
}

}  // namespace parley::tests

// tests/service/focus_walk_test.cc - phones that do anything at any time take part in sessions of a focus. Whatever they do,
// nothing of the sessions is left when they have fallen silent.
#include "tests/service/parties.h"
#include "tests/service/wild_phone.h"

namespace parley::tests {
namespace {

using namespace std::chrono_literals;

class WildParty final : public Wild {
 public:
  // `identities`: session identities that somebody has seen.
  WildParty(Line& line, core::Random& random, std::vector<std::string>& identities, const std::string& user,
            const std::string& address, std::uint32_t shard)
      : Wild(line, random, user, address, shard), identities_(identities) {
    phone.features = ";+g.oma.sip-im";
    if (chance(50)) phone.features += ";+sip.instance=\"<urn:uuid:" + user + ">\"";
  }

 private:
  std::string body() override {
    if (chance(15)) return "";
    if (chance(5)) return "sdp";
    if (chance(5)) return "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=message 0 TCP/MSRP *\r\n";
    return msrp_sdp(phone.user() + std::to_string(random_.uniform(4)),
                    chance(50) ? "a=setup:active\r\n" : chance(50) ? "a=setup:passive\r\na=inactive\r\n" : "");
  }
  std::string someone() {
    constexpr const char* users[] = {"alice", "bob", "carol", "dave", "nobody"};
    return users[random_.uniform(5)];
  }
  std::string lines() { return abilities() + (chance(80) ? "Accept-Contact: *;+g.oma.sip-im\r\n" : ""); }
  std::string identity() {
    if (identities_.empty()) return "sip:factory@example.org";
    return identities_[random_.uniform(identities_.size())];
  }

  void ask() override {
    const std::string contact = contact_uri("x\r\nContact: <" + phone.target + ">\r\n");
    if (contact.size() > 50 && identities_.size() < 8) identities_.push_back(contact);
    if (phone.call_id.empty() || chance(15)) {
      phone.cseq = 0;
      if (chance(40)) {
        phone.invite_uri("sip:factory@example.org", mixed(body(), resource_list({someone(), someone()})), lines(),
                         mixed_type);
      } else if (chance(50)) {
        phone.invite_uri(identity(), body(), lines());
      } else {
        phone.invite_uri("sip:" + someone() + "@example.org", body(), lines());
      }
      return;
    }
    const std::string refer_to = "Refer-To: <sip:" + someone() + "@example.org" + (chance(40) ? ";method=BYE>\r\n" : ">\r\n");
    switch (random_.uniform(9)) {
      case 0:
        if (!phone.invite_text.empty()) phone.cancel();
        break;
      case 1: phone.request("BYE"); break;
      case 2: phone.request("INVITE", body(), abilities()); break;
      case 3: phone.request("UPDATE", body(), timer()); break;
      case 4: phone.send_typed("MESSAGE", "text/plain", "hello"); break;
      case 5: phone.request("REFER", {}, refer_to + (chance(30) ? "Refer-Sub: false\r\n" : "")); break;
      case 6: phone.request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n"); break;
      case 7: outside(refer_to); break;
      default: phone.ack(body()); break;
    }
  }
  void outside(const std::string& refer_to) {
    Phone desk(line(), phone.user(), phone.address());
    desk.call_id = "desk" + std::to_string(++desks_) + phone.user();
    desk.local = "<sip:" + phone.user() + "@example.org>;tag=d";
    desk.target = identity();
    desk.remote = "<" + desk.target + ">";
    if (chance(50)) {
      desk.request("REFER", {}, refer_to);
    } else {
      desk.request("SUBSCRIBE", {}, "Event: conference\r\n");
    }
  }

  std::vector<std::string>& identities_;
  int desks_ = 0;
};

class FocusWalk : public testing::TestWithParam<int> {};

TEST_P(FocusWalk, OMA_SES_8_NothingIsLeftWhateverTheParticipantsDo) {
  using core::Metric;
  constexpr Metric reasons[] = {Metric::sip_session_invites, Metric::sip_calls_no_ack, Metric::sip_cancels_sent};
  std::uint64_t reached[std::size(reasons)] = {};
  for (int seed = GetParam() * 50; seed < GetParam() * 50 + 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    core::Random random(core::Seed{static_cast<std::uint8_t>(seed), static_cast<std::uint8_t>(seed >> 8)});
    const std::uint32_t shards = 1 + static_cast<std::uint32_t>(seed % 2);
    auto config = focus_config();
    config->users.emplace("dave", config->users.at("bob"));
    config->focus.requests_max = 8;
    config->focus.sessions_max = 6;
    config->focus.participants_max = 16;
    if (seed % 3 == 0) config->focus.answer = policy::FocusAnswer::immediate;
    Line line(config, shards);
    line.datagrams_only = true;
    std::vector<std::string> identities;
    WildParty phones[] = {{line, random, identities, "alice", "127.0.0.1:40001", 0},
                          {line, random, identities, "bob", "127.0.0.1:40002", shards - 1},
                          {line, random, identities, "bob", "127.0.0.1:40003", 0},
                          {line, random, identities, "carol", "127.0.0.1:40004", 0}};
    for (Wild& wild : phones) wild.phone.enrol();
    for (int step = 0; step < 160; ++step) {
      phones[random.uniform(std::size(phones))].act();
      if (random.uniform(4) == 0) line.pass(std::chrono::milliseconds(random.uniform(3000)));
      if (random.uniform(40) == 0) line.pass(std::chrono::seconds(random.uniform(200)));
    }
    line.pass(30h);  // they are silent: sessions are not refreshed, requests not answered
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      EXPECT_EQ(line.world.service(shard).focus().sessions(), 0U);
      EXPECT_EQ(line.world.service(shard).focus().participants(), 0U);
      EXPECT_EQ(line.world.service(shard).live_proxied(), 0U);
      EXPECT_EQ(line.world.service(shard).live_transactions(), 0U);
      EXPECT_EQ(line.world.media(shard).sessions.size(), 0U);
    }
    EXPECT_EQ(line.world.metric(Metric::sip_sessions), 0U);
    if (testing::Test::HasFailure()) return;
    for (std::size_t i = 0; i < std::size(reached); ++i) reached[i] += line.world.metric(reasons[i]);
  }
  for (std::size_t i = 0; i < std::size(reached); ++i) EXPECT_GT(reached[i], 0U) << "never seen: " << i;
}
INSTANTIATE_TEST_SUITE_P(Seeds, FocusWalk, testing::Range(0, 4));

}  // namespace
}  // namespace parley::tests

// tests/service/proxied_timer_test.cc - session timers where calls are proxied (RFC 4028 section 8).
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

struct ProxiedTimer : Calls {
  void SetUp() override {
    auto config = calls_config();
    config->calls.carrying = policy::Carrying::proxy;
    config->calls.proxied_timer = true;
    config->calls.timer.interval_seconds = 600;
    config->calls.timer.min_se_seconds = 120;
    make(config);
  }
  // What the other side sees of it.
  std::string seen(const std::string& lines) {
    alice->invite("bob", "offer", lines);
    invite = bob->want("INVITE");
    return header(invite, "Session-Expires");
  }
  std::string invite;
};

TEST_F(ProxiedTimer, R4028_4_IsInsertedAndLoweredAndTheRefresherStays) {
  EXPECT_EQ(seen(""), "600");
  EXPECT_EQ(seen("Supported: timer\r\nSession-Expires: 3600;refresher=uas\r\n"), "600;refresher=uas");
  EXPECT_EQ(seen("Supported: timer\r\nSession-Expires: 300\r\n"), "300");
  EXPECT_EQ(seen("Supported: timer\r\nSession-Expires: 3600\r\nMin-SE: 900\r\n"), "900") << "not below what it allows";
}

TEST_F(ProxiedTimer, R4028_4_TooShortIs422WhereThatIsUnderstood) {
  alice->invite("bob", "offer", "Supported: timer\r\nSession-Expires: 100\r\n");
  EXPECT_EQ(header(alice->want("422 INVITE"), "Min-SE"), "120");
  bob->quiet();
  EXPECT_EQ(seen("Session-Expires: 100\r\n"), "120");
  EXPECT_EQ(header(invite, "Min-SE"), "120");
}

TEST_F(ProxiedTimer, R4028_4_TheCallerIsToldWhenTheCalleeKnowsNoTimers) {
  (void)seen("Supported: timer\r\n");
  bob->respond(invite, 200, "answer");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Session-Expires"), "600;refresher=uac");
  EXPECT_EQ(header(ok, "Require"), "timer");
  (void)seen("");
  bob->respond(invite, 200, "answer");
  EXPECT_EQ(header(alice->want("200 INVITE"), "Session-Expires"), "") << "neither does she";
  (void)seen("Supported: timer\r\n");
  bob->respond(invite, 200, "answer", "Session-Expires: 600;refresher=uas\r\n");
  EXPECT_EQ(header(alice->want("200 INVITE"), "Session-Expires"), "600;refresher=uas");
}

}  // namespace
}  // namespace parley::tests

// tests/loops/loop_tls_test.cc - TLS below the seam, on both kernels' loops, against OpenSSL's own client and server.
#include <gtest/gtest.h>

#include <openssl/x509v3.h>

#include <optional>
#include <thread>

#include "core/tls.h"
#include "tests/loops/tls_end.h"

namespace parley::loops {
namespace {

using core::CloseReason;
using core::ConnectError;
using core::Input;
using core::LoopKind;
using core::Metric;
using core::Outbox;
using core::TlsContext;
using namespace std::chrono_literals;

void echo(ScriptWorker& worker, const Input& input, Outbox& out) {
  if (input.kind == Input::Kind::bytes) worker.send(out, input.conn, input.slice);
  if (input.kind == Input::Kind::half_closed) worker.close(out, input.conn);
}

class LoopTls : public testing::TestWithParam<LoopKind> {
 protected:
  void SetUp() override {
    if (const std::string missing = core::loop_unavailable(GetParam()); !missing.empty()) {
      GTEST_SKIP() << missing;  // a host that forbids io_uring has only the epoll loop
    }
  }
  SceneSetup tls_setup() {
    SceneSetup setup;
    setup.reaction = echo;
    std::string error;
    setup.config.server_tls = TlsContext::server({.certificate_file = ours_.certificate_file,
                                                  .key_file = ours_.key_file,
                                                  .ca_file = ca_.ca_file(),
                                                  .tickets = {}},
                                                 error);
    EXPECT_EQ(error, "");
    return setup;
  }
  std::shared_ptr<TlsContext> client_context(const Identity* identity) {
    std::string error;
    auto made = TlsContext::client({.certificate_file = identity != nullptr ? identity->certificate_file : "",
                                    .key_file = identity != nullptr ? identity->key_file : "",
                                    .ca_file = ca_.ca_file(),
                                    .tickets = {}},
                                   error);
    EXPECT_EQ(error, "");
    return made;
  }
  void start(SceneSetup setup) { h_ = std::make_unique<RealHarness>(GetParam(), std::move(setup)); }

  TestCa ca_;
  Identity ours_ = ca_.issue({"relay.example.org"});
  std::unique_ptr<RealHarness> h_;
};

TEST_P(LoopTls, both_versions_carry_bytes) {
  start(tls_setup());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsEnd far(h_->connect(), {.min_version = version, .max_version = version, .ca_file = ca_.ca_file()});
    ASSERT_TRUE(far.ok());
    for (const std::size_t bytes : {1U, 100U, 16384U, 16385U, 200000U}) {
      const std::string text = pattern(bytes);
      std::thread writer([&] { EXPECT_TRUE(far.send(text)); });
      writer.join();
      ASSERT_TRUE(far.receive(bytes) == text) << bytes;
    }
  }
  EXPECT_EQ(h_->metric(Metric::tls_handshakes, 0), 2U);
  EXPECT_TRUE(h_->worker(0).conn(0).names.empty());
}

TEST_P(LoopTls, version_1_1_is_refused) {
  start(tls_setup());
  TlsEnd far(h_->connect(), {.min_version = TLS1_1_VERSION, .max_version = TLS1_1_VERSION});
  EXPECT_FALSE(far.ok());
  EXPECT_TRUE(h_->wait([&] { return h_->metric(Metric::tls_failures, 0) == 1; }));
  EXPECT_EQ(h_->worker(0).conn_count(), 0U);
}

TEST_P(LoopTls, one_byte_records) {
  start(tls_setup());
  TlsEnd far(h_->connect(), {});
  const std::string text = pattern(500);
  for (std::size_t i = 0; i < text.size(); ++i) ASSERT_TRUE(far.send(std::string_view(text).substr(i, 1)));
  EXPECT_EQ(far.receive(text.size()), text);
}

TEST_P(LoopTls, a_client_certificate_names_its_owner) {
  start(tls_setup());
  const Identity other = ca_.issue({"Other.Example.ORG", "*.wild.example.org"});
  TlsEnd far(h_->connect(), {.identity = &other});
  ASSERT_TRUE(far.send("x"));
  ASSERT_EQ(far.receive(1), "x");
  const std::vector<std::string> names{"other.example.org", "*.wild.example.org"};
  EXPECT_EQ(h_->worker(0).conn(0).names, names);
}

TEST_P(LoopTls, a_bad_client_certificate_ends_the_handshake) {
  start(tls_setup());
  const Identity expired = ca_.issue({"other.example.org"}, true);
  TestCa stranger;
  const Identity unknown = stranger.issue({"other.example.org"});
  std::uint64_t failures = 0;
  for (const Identity* identity : {&expired, &unknown}) {
    TlsEnd far(h_->connect(), {.identity = identity});
    // A 1.3 client has finished by then; the alert ends its next read.
    EXPECT_EQ(far.receive(1), "");
    ++failures;
    EXPECT_TRUE(h_->wait([&] { return h_->metric(Metric::tls_failures, 0) == failures; }));
  }
  EXPECT_EQ(h_->worker(0).conn_count(), 0U);
}

TEST_P(LoopTls, sessions_resume_and_tickets_outlive_a_reload) {
  SceneSetup setup = tls_setup();
  const auto keys = core::TicketKeys::create();
  const auto context = [&](std::shared_ptr<const core::TicketKeys> tickets) {
    std::string error;
    auto made = TlsContext::server({.certificate_file = ours_.certificate_file,
                                    .key_file = ours_.key_file,
                                    .ca_file = {},
                                    .tickets = std::move(tickets)},
                                   error);
    EXPECT_EQ(error, "");
    return made;
  };
  setup.config.server_tls = context(keys);
  start(std::move(setup));
  ::SSL_SESSION* session = nullptr;
  {
    TlsEnd far(h_->connect(), {});
    ASSERT_TRUE(far.send("x"));
    ASSERT_EQ(far.receive(1), "x");
    session = ::SSL_get1_session(far.ssl());
    ::SSL_shutdown(far.ssl());  // OpenSSL forgets sessions that end without
  }
  h_->loop(0).post_tls(context(core::TicketKeys::rotate(*keys)), nullptr);
  h_->command([](Outbox&) {}, 0);  // posts keep their order
  TlsEnd far(h_->connect(), {.resume = session});
  EXPECT_EQ(::SSL_session_reused(far.ssl()), 1);
  ASSERT_TRUE(far.send("y"));
  EXPECT_EQ(far.receive(1), "y");
  EXPECT_EQ(h_->metric(Metric::tls_resumptions, 0), 1U);
  ::SSL_SESSION_free(session);
}

TEST_P(LoopTls, new_certificates_are_used_from_then_on) {
  start(tls_setup());
  TlsEnd before(h_->connect(), {});
  const Identity renewed = ca_.issue({"renewed.example.org"});
  std::string error;
  h_->loop(0).post_tls(
      TlsContext::server(
          {.certificate_file = renewed.certificate_file, .key_file = renewed.key_file, .ca_file = {}, .tickets = {}},
          error),
      nullptr);
  h_->command([](Outbox&) {}, 0);  // posts keep their order
  TlsEnd after(h_->connect(), {});
  ::X509* shown = ::SSL_get0_peer_certificate(after.ssl());
  ASSERT_NE(shown, nullptr);
  EXPECT_EQ(::X509_check_host(shown, "renewed.example.org", 0, 0, nullptr), 1);
  ASSERT_TRUE(before.send("still there"));
  EXPECT_EQ(before.receive(11), "still there");
}

TEST_P(LoopTls, a_silent_client_times_out) {
  SceneSetup setup = tls_setup();
  setup.config.handshake_timeout = 100ms;
  start(std::move(setup));
  const auto far = h_->connect();
  EXPECT_NE(far->receive_end(nullptr), End::none);
  EXPECT_EQ(h_->metric(Metric::handshake_timeouts, 0), 1U);
}

TEST_P(LoopTls, garbage_is_not_a_handshake) {
  start(tls_setup());
  const auto far = h_->connect();
  far->send("MSRP 1234 SEND\r\n" + pattern(3000));
  EXPECT_NE(far->receive_end(nullptr), End::none);
  EXPECT_TRUE(h_->wait([&] { return h_->metric(Metric::tls_failures, 0) == 1; }));
}

TEST_P(LoopTls, a_slow_reader_gets_all_and_credit_is_exact) {
  SceneSetup setup = tls_setup();
  setup.reaction = nullptr;
  start(std::move(setup));
  TlsEnd far(h_->connect(), {});
  ASSERT_TRUE(h_->wait([&] { return h_->worker(0).conns().size() == 1; }));
  const std::string text = pattern(12 << 20);
  h_->command([&](Outbox& out) { h_->worker(0).send(out, h_->worker(0).conn(0).id, text); }, 0);
  ASSERT_TRUE(h_->wait([&] { return h_->metric(Metric::short_sends, 0) > 0; }));
  h_->command([&](Outbox&) { EXPECT_LT(h_->worker(0).conn(0).sent, text.size()); }, 0);
  EXPECT_TRUE(far.receive(text.size()) == text);
  EXPECT_TRUE(h_->wait([&] { return h_->worker(0).conn(0).sent == text.size(); }));
}

TEST_P(LoopTls, close_says_goodbye) {
  SceneSetup setup = tls_setup();
  setup.reaction = nullptr;
  start(std::move(setup));
  TlsEnd far(h_->connect(), {});
  ASSERT_TRUE(h_->wait([&] { return h_->worker(0).conns().size() == 1; }));
  h_->command(
      [&](Outbox& out) {
        h_->worker(0).send(out, h_->worker(0).conn(0).id, "last words");
        h_->worker(0).close(out, h_->worker(0).conn(0).id);
      },
      0);
  EXPECT_EQ(far.receive(10), "last words");
  EXPECT_TRUE(far.ends_properly());
}

TEST_P(LoopTls, a_clients_goodbye_is_a_half_close) {
  SceneSetup setup = tls_setup();
  setup.reaction = nullptr;
  start(std::move(setup));
  TlsEnd far(h_->connect(), {});
  ASSERT_TRUE(far.send("bye"));
  ::SSL_shutdown(far.ssl());
  ASSERT_TRUE(h_->wait([&] { return h_->worker(0).conns().size() == 1 && h_->worker(0).conn(0).half_closed; }));
  EXPECT_EQ(h_->worker(0).conn(0).received, "bye");
}

TEST_P(LoopTls, a_broken_record_closes) {
  SceneSetup setup = tls_setup();
  start(std::move(setup));
  TlsEnd far(h_->connect(), {});
  ASSERT_TRUE(far.send("x"));
  ASSERT_EQ(far.receive(1), "x");
  far.below().send(std::string("\x17\x03\x03\x00\x20", 5) + pattern(32));
  ASSERT_TRUE(h_->wait([&] { return h_->worker(0).conn(0).closed.has_value(); }));
  EXPECT_EQ(h_->worker(0).conn(0).closed, CloseReason::tls_error);
}

TEST_P(LoopTls, a_flood_of_key_updates_closes) {
  start(tls_setup());
  TlsEnd far(h_->connect(), {});
  ASSERT_TRUE(far.send("x"));
  ASSERT_EQ(far.receive(1), "x");
  for (int i = 0; i < 100; ++i) {
    ::SSL_key_update(far.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    if (::SSL_do_handshake(far.ssl()) != 1) break;
  }
  ASSERT_TRUE(h_->wait([&] { return h_->worker(0).conn(0).closed.has_value(); }));
  EXPECT_EQ(h_->worker(0).conn(0).closed, CloseReason::tls_error);
}

TEST_P(LoopTls, a_connection_moves_with_its_tls_state) {
  SceneSetup setup = tls_setup();
  setup.shards = 2;
  setup.reaction = nullptr;
  start(std::move(setup));
  TlsEnd far(h_->connect(), {});
  ASSERT_TRUE(far.send("first"));
  ASSERT_TRUE(h_->wait([&] { return h_->worker(0).conns().size() == 1 && h_->worker(0).conn(0).received == "first"; }));
  h_->command(
      [&](Outbox& out) { h_->worker(0).hand_over(out, h_->worker(0).conn(0).id, 1, h_->worker(0).conn(0).received); },
      0);
  const std::string text = pattern(100000);
  ASSERT_TRUE(far.send(text));
  ASSERT_TRUE(h_->wait(
      [&] { return h_->worker(1).conns().size() == 1 && h_->worker(1).conn(0).received.size() == 5 + text.size(); }));
  EXPECT_TRUE(h_->worker(1).conn(0).received == "first" + text);
  h_->command([&](Outbox& out) { h_->worker(1).send(out, h_->worker(1).conn(0).id, "answer"); }, 1);
  EXPECT_EQ(far.receive(6), "answer");
}

// Outgoing connections: the server's name decides.
TEST_P(LoopTls, dialled_names_are_checked) {
  const Identity good = ca_.issue({"next.example.org"});
  const Identity expired = ca_.issue({"next.example.org"}, true);
  const Identity wild = ca_.issue({"*.example.org"});
  const Identity partial = ca_.issue({"n*t.example.org"});
  const Identity nameless = ca_.issue({});
  TestCa stranger;
  const Identity unknown = stranger.issue({"next.example.org"});
  const Identity own = ca_.issue({"me.example.org"});
  SceneSetup setup;
  setup.reaction = echo;
  setup.config.client_tls = client_context(&own);
  start(std::move(setup));
  const auto dial = [&](const Identity& identity, const std::string& name) {
    const auto listener = h_->listen();
    std::thread server([&] {
      TlsEnd far(listener->accept(), {.server = true, .identity = &identity, .ca_file = ca_.ca_file()});
      if (!far.ok()) return;
      (void)far.send("hello");
      (void)far.receive(5);
    });
    const std::size_t up = h_->worker(0).conn_count();
    const std::size_t failed = h_->worker(0).connects_failed().size();
    h_->command(
        [&](Outbox& out) { out.connect({.token = 1, .address = listener->address(), .tls = true, .tls_name = name}); },
        0);
    EXPECT_TRUE(h_->wait([&] {
      return h_->worker(0).connects_failed().size() > failed ||
             (h_->worker(0).conns().size() > up && h_->worker(0).conns().back().received == "hello");
    }));
    server.join();
    if (h_->worker(0).connects_failed().size() > failed)
      return std::optional(h_->worker(0).connects_failed().back().second);
    return std::optional<ConnectError>();
  };
  EXPECT_EQ(dial(good, "next.example.org"), std::nullopt);
  EXPECT_EQ(h_->worker(0).conn(0).names, std::vector<std::string>{"next.example.org"});
  EXPECT_EQ(dial(wild, "next.example.org"), std::nullopt);
  EXPECT_EQ(dial(good, "other.example.org"), ConnectError::tls_name);
  EXPECT_EQ(dial(partial, "next.example.org"), ConnectError::tls_name);
  EXPECT_EQ(dial(nameless, "common.name.is.not.looked.at"), ConnectError::tls_name);
  EXPECT_EQ(dial(expired, "next.example.org"), ConnectError::tls_error);
  EXPECT_EQ(dial(unknown, "next.example.org"), ConnectError::tls_error);
}

TEST(TlsContextFiles, a_missing_file_is_named) {
  std::string error;
  EXPECT_EQ(
      TlsContext::server(
          {.certificate_file = "/nowhere/c.pem", .key_file = "/nowhere/k.pem", .ca_file = {}, .tickets = {}}, error),
      nullptr);
  EXPECT_NE(error.find("/nowhere/c.pem"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(RealSockets, LoopTls, testing::Values(LoopKind::uring, LoopKind::epoll),
                         [](const auto& kind) { return kind.param == LoopKind::uring ? "uring" : "epoll"; });

}  // namespace
}  // namespace parley::loops

// tests/daemon/flags_test.cc - what the command line means, and that a wrong one is named.
#include "tools/parleyd/flags.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tools/parleyd/relay_setup.h"

namespace parley::parleyd {
namespace {

using namespace std::chrono_literals;
using Outcome = Parsed::Outcome;

Parsed parse(std::vector<std::string> more) {
  std::vector<std::string> arguments = {"--msrp", "tcp:127.0.0.1:0", "--domain", "example.org", "--user", "a:b"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return parse_flags(arguments);
}

std::string complaint(std::vector<std::string> more) {
  const Parsed parsed = parse(std::move(more));
  return parsed.outcome == Outcome::bad ? parsed.text : "no complaint";
}

class TempFile {
 public:
  explicit TempFile(const std::string& text) {
    const int fd = ::mkstemp(path_.data());
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
  }
  ~TempFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/parley-flags-XXXXXX";
};

TEST(Flags, defaults_are_those_of_the_relay_configuration) {
  const Parsed parsed = parse({});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  const msrp::RelayConfig defaults;
  EXPECT_EQ(parsed.settings.relay.probation, defaults.probation);
  EXPECT_EQ(parsed.settings.relay.expires_max_s, defaults.expires_max_s);
  EXPECT_EQ(parsed.settings.relay.watermark_high_bytes, defaults.watermark_high_bytes);
  EXPECT_EQ(parsed.settings.realm, "example.org");
  EXPECT_TRUE(parsed.warnings.empty());
}

TEST(Flags, times_and_sizes_carry_their_unit) {
  const Parsed parsed = parse({"--probation", "500ms", "--idle-timeout", "2h", "--watermark-high", "1MiB",
                               "--head-bytes-max", "8192", "--auth-expires-min", "1", "--auth-expires-max", "90s"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  EXPECT_EQ(parsed.settings.relay.probation, 500ms);
  EXPECT_EQ(parsed.settings.relay.idle, 2h);
  EXPECT_EQ(parsed.settings.relay.watermark_high_bytes, 1024U * 1024);
  EXPECT_EQ(parsed.settings.relay.head.head_bytes_max, 8192U);
  EXPECT_EQ(parsed.settings.relay.expires_min_s, 1U);
  EXPECT_EQ(parsed.settings.relay.expires_max_s, 90U);
  EXPECT_EQ(parsed.settings.relay.expires_default_s, 90U);  // follows a bound that passed it
}

TEST(Flags, ladders_have_four_rising_values_or_are_off) {
  const Parsed usual = parse({});
  EXPECT_EQ(usual.settings.sip.overload.lag, policy::OverloadConfig{}.lag);
  EXPECT_EQ(usual.settings.sip.overload.memory_percent, policy::OverloadConfig{}.memory_percent);
  const Parsed parsed = parse({"--overload-lag", "1ms,2ms,1s,1m", "--overload-memory", "off"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  EXPECT_EQ(parsed.settings.sip.overload.lag, (std::array<core::Duration, 4>{1ms, 2ms, 1s, 1min}));
  EXPECT_EQ(parsed.settings.sip.overload.memory_percent, (std::array<std::uint32_t, 4>{}));
  for (const char* text : {"1ms", "1ms,2ms,3ms", "1ms,2ms,3ms,4ms,5ms", "1ms,2ms,2ms,4ms", "0ms,1ms,2ms,3ms", "1,2,3,4",
                           "a,b,c,d", "1ms,2ms,3ms,"}) {
    EXPECT_NE(complaint({"--overload-lag", text}).find("--overload-lag"), std::string::npos) << text;
  }
  for (const char* text : {"85,92,95,101", "85,92,95", "95,92,85,98", "85%,92%,95%,98%", "0,1,2,3", "-1,2,3,4"}) {
    EXPECT_NE(complaint({"--overload-memory", text}).find("--overload-memory"), std::string::npos) << text;
  }
}

TEST(Flags, a_bad_value_names_its_flag) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--probation", "10x"}, "--probation"},
      {{"--probation", "10"}, "--probation"},
      {{"--probation", "1ms"}, "--probation"},
      {{"--heap-max", "12QB"}, "--heap-max"},
      {{"--shards", "0"}, "--shards"},
      {{"--shards", "-1"}, "--shards"},
      {{"--shards", "many"}, "--shards"},
      {{"--auth-failures-max", "4294967296"}, "--auth-failures-max"},
      {{"--auth-algorithms", "SHA-256,SHA-1"}, "--auth-algorithms"},
      {{"--auth-algorithms", "MD5,MD5"}, "--auth-algorithms"},
      {{"--auth-algorithms", ""}, "--auth-algorithms"},
      {{"--auth-expires-min", "1500ms"}, "--auth-expires-min"},
      {{"--auth-expires-min", "2h"}, "--auth-expires-max"},
      {{"--auth-expires-default", "2h"}, "--auth-expires-default"},
      {{"--plain-auth", "sometimes"}, "--plain-auth"},
      {{"--unknown-methods", "drop"}, "--unknown-methods"},
      {{"--loop", "select"}, "--loop"},
      {{"--roles", "controlling"}, "--roles"},
      {{"--log-level", "loud"}, "--log-level"},
      {{"--msrp", "tcp:127.0.0.1"}, "--msrp"},
      {{"--msrp", "tcp:127.0.0.1:65536"}, "--msrp"},
      {{"--msrp", "tcp:127.1:80"}, "--msrp"},
      {{"--msrp", "tcp:::1:80"}, "--msrp"},
      {{"--msrp", "udp:127.0.0.1:0"}, "does not start with tcp:, tls:, ws: or wss:"},
      {{"--msrp", "wss:127.0.0.1:0"}, "--tls-cert"},
      {{"--msrp", "tls:127.0.0.1:0"}, "--tls-cert"},
      {{"--tls-cert", "x.pem"}, "--tls-key"},
      {{"--domain", "a b"}, "--domain"},
      {{"--domain", "example.org:2855"}, "--domain"},
      {{"--relay-peer", "peer.example.org:0"}, "--relay-peer"},
      {{"--dial-allow", "10.0.0.0/33"}, "--dial-allow"},
      {{"--dial-deny", "example.org"}, "--dial-deny"},
      {{"--user", "nosecret"}, "--user"},
      {{"--user", "a:again"}, "--user"},
      {{"--user", ":secret"}, "--user"},
      {{"--watermark-low", "256KiB"}, "--watermark-low"},
      {{"--watermark-high", "512MiB"}, "--heap-max"},
      {{"--shared-queue-max", "8KiB"}, "--shared-queue-max"},
      {{"--admin", "127.0.0.1"}, "--admin"},
      {{"--admin", "192.0.2.1:9090"}, "--admin-token-file"},
      {{"--admin", "0.0.0.0:9090"}, "--admin-token-file"},
      {{"--realm", "a\"b"}, "--realm"},
      {{"--sip", "sctp:127.0.0.1:5060"}, "--sip"},
      {{"--sip", "udp:127.0.0.1"}, "--sip"},
      {{"--sip", "wss:127.0.0.1:0"}, "--tls-cert"},
      {{"--roles", "registrar"}, "--roles"},
      {{"--trusted-peer", "example.org"}, "--trusted-peer"},
      {{"--roles", "participating"}, "--roles"},  // messages do not go through it
      {{"--core", "mailto:a@example.org;lr"}, "--core"},
      {{"--core", "sip:10.0.0.1", "--trusted-peer", "10.0.0.1/32"}, "needs ;lr"},
      {{"--core", "sip:10.0.0.1;lr", "--trusted-peer", "10.0.0.2/32"}, "is no --trusted-peer"},
      {{"--core", "sip:10.0.0.1;lr,<sip:x>", "--trusted-peer", "10.0.0.1/32"}, "--core"},
      {{"--register-expires-min", "10s", "--register-expires-max", "5s"}, "--register-expires-max"},
      {{"--no-such-flag"}, "--no-such-flag"},
      {{"stray"}, "stray"},
  };
  for (const auto& [more, name] : cases) EXPECT_NE(complaint(more).find(name), std::string::npos) << complaint(more);
}

TEST(Flags, OMA_ID_5_the_im_service_names_itself_and_its_roles) {
  const Parsed all = parse({"--sip", "udp:127.0.0.1:0"});
  ASSERT_EQ(all.outcome, Outcome::run) << all.text;
  EXPECT_TRUE(all.settings.sip.im.participating);
  EXPECT_TRUE(all.settings.sip.registers_users);
  EXPECT_TRUE(all.settings.sip.im.product.starts_with("IM-serv/OMA1.0 parley/")) << all.settings.sip.im.product;
  EXPECT_EQ(all.settings.sip.im.error_info, "https://example.org/im-errors/");
  EXPECT_EQ(all.settings.sip.im.deferred_uris, std::vector<std::string>{"sip:Deferred@example.org"});
  EXPECT_EQ(all.settings.sip.im.system.uri, "sip:system-message@example.org") << "OMA-SYS-2";
  const Parsed alone = parse_flags({"--sip", "udp:127.0.0.1:0", "--roles", "participating", "--im-release", "2.0"});
  ASSERT_EQ(alone.outcome, Outcome::run) << alone.text;
  EXPECT_FALSE(alone.settings.sip.registers_users);
  EXPECT_TRUE(alone.settings.sip.im.product.starts_with("IM-serv/OMA2.0 parley/"));
  EXPECT_FALSE(parse({"--roles", "relay,registrar"}).settings.sip.im.participating);
  const Parsed core = parse({"--sip", "tcp:127.0.0.1:0", "--roles", "participating", "--pf-media-path", "always", "--trusted-peer",
                             "10.0.0.1/32", "--core", "sip:10.0.0.1:5060;transport=tcp;lr;stage=orig"});
  EXPECT_EQ(core.settings.sip.core, "sip:10.0.0.1:5060;transport=tcp;lr;stage=orig");
}

TEST(Flags, what_the_im_service_can_not_do_is_named) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--publish-expires-min", "100s", "--publish-expires-max", "50s"}, "--publish-expires-max"},
      {{"--settings-event-expires-min", "100s", "--settings-event-expires-max", "50s"}, "--settings-event-expires-max"},
      {{"--im-deferred-uri", "sip:example.org"}, "--im-deferred-uri"},
      {{"--im-system-uri", "sip:example.org"}, "--im-system-uri"},
      {{"--im-system-uri", "tel:+1555"}, "--im-system-uri"},
      {{"--im-system-uri", "sip:news@example.net"}, "--im-system-uri"},
      {{"--im-system-uri", "sip:news@example.org> x"}, "--im-system-uri"},
      {{"--system-messages-per-user-max", "0"}, "--system-messages-per-user-max"},
      {{"--im-error-info", "https://x/ y"}, "--im-error-info"},
      {{"--im-release", "3.0"}, "--im-release"},
      {{"--im-access-default", "maybe"}, "--im-access-default"},
      {{"--pf-media-path", "sometimes"}, "--pf-media-path"},
  };
  for (const auto& [more, name] : cases) EXPECT_NE(complaint(more).find(name), std::string::npos) << complaint(more);
  EXPECT_NE(parse_flags({"--sip", "udp:127.0.0.1:0", "--pf-media-path", "always"}).text.find("--pf-media-path"),
            std::string::npos)
      << "there is nowhere for messages to go";
}

TEST(Flags, RFC4825_xcap_has_listeners_of_its_own) {
  const Parsed parsed = parse({"--sip", "udp:127.0.0.1:0", "--xcap", "127.0.0.1:0", "--xcap", "http:[::1]:8080", "--xcap-root",
                               "/a/b/", "--xcap-trusted", "10.0.0.0/8", "--xcap-document-max", "64KiB"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  const XcapSettings& x = parsed.settings.xcap;
  EXPECT_EQ(x.listeners, (std::vector<XcapListener>{{"127.0.0.1", 0, false}, {"[::1]", 8080, false}}));
  EXPECT_EQ(x.front.service.root, "/a/b");
  EXPECT_EQ(x.front.service.domain, "example.org");
  EXPECT_EQ(x.front.trusted.size(), 1U);
  EXPECT_EQ(x.http.body_bytes_max, 64U * 1024);
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"--sip", "udp:127.0.0.1:0"});
    return complaint(std::move(more));
  };
  EXPECT_EQ(complaint({"--xcap", "127.0.0.1:0"}), "--xcap: needs --sip: nothing else looks at these documents");
  EXPECT_EQ(with({"--xcap", "https:127.0.0.1:0"}), "--xcap: https needs --tls-cert");
  for (const char* const bad : {"127.0.0.1", "ftp:127.0.0.1:1", "", "http:"}) {
    EXPECT_EQ(with({"--xcap", bad}).substr(0, 7), "--xcap:") << bad;
  }
  EXPECT_EQ(with({"--xcap", "127.0.0.1:0", "--xcap-root", "a b"}), "--xcap-root: is not a path");
  EXPECT_EQ(with({"--xcap", "127.0.0.1:0", "--xcap-uri", "sip:x"}), "--xcap-uri: is no HTTP URI");
  EXPECT_EQ(with({"--xcap", "127.0.0.1:0", "--xcap-trusted", "x"}), "--xcap-trusted: 'x' is not an address or CIDR block");
}

TEST(Flags, promises_are_kept_in_a_directory_unless_told_otherwise) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"--sip", "udp:127.0.0.1:0"});
    const Parsed parsed = parse(std::move(more));
    EXPECT_EQ(parsed.outcome, Outcome::run) << parsed.text;
    return parsed.settings;
  };
  const Settings usual = with({});
  EXPECT_EQ(usual.store.directory, "./parley-data");
  EXPECT_TRUE(usual.sip.stores_messages && usual.sip.im.deferred.on && usual.sip.im.history.on);
  EXPECT_EQ(with({"--store", "sqlite:/a"}).store.directory, "/a");
  const Settings none = with({"--store", "memory"});
  EXPECT_EQ(none.store.directory, "");
  EXPECT_FALSE(none.sip.stores_bindings || none.sip.im.deferred.on || none.sip.im.history.on);
  EXPECT_EQ(parse({}).settings.store.directory, "") << "a relay has nothing to keep";
  EXPECT_EQ(parse({"--store", "sqlite:/a"}).settings.store.directory, "");
}

TEST(Flags, OMA_LRG_3_who_is_silent_is_stored_for_before_others_begin) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"--sip", "udp:127.0.0.1:0"});
    return complaint(std::move(more));
  };
  const std::string rest = "--distribution-wait: is not longer than --deferred-after and --store-answer-max together";
  EXPECT_EQ(with({"--distribution-wait", "15s"}).substr(0, rest.size()), rest);
  EXPECT_EQ(with({"--distribution-wait", "15001ms"}), "no complaint");
  EXPECT_EQ(with({"--distribution-wait", "8s", "--deferred-after", "2s"}), "no complaint");
  EXPECT_EQ(with({"--distribution-wait", "2s", "--store", "memory"}), "no complaint");
  EXPECT_EQ(with({"--distribution-wait", "2s", "--roles", "relay,participating,controlling"}), "no complaint");
  EXPECT_EQ(with({"--invite-timeout", "10s"}).substr(0, 50), "--invite-timeout: is not longer than --deferred-af");
  EXPECT_EQ(with({"--sip-timer-c", "10s"}).substr(0, 47), "--sip-timer-c: is not longer than --deferred-af");
  EXPECT_EQ(with({"--sip-timer-c", "10s", "--store", "memory"}), "no complaint");
  const std::string sessions = "--deferred-push-by: session needs the role controlling, --sip and --msrp";
  EXPECT_EQ(parse_flags({"--sip", "udp:127.0.0.1:0", "--deferred-push-by", "session"}).text, sessions);
  EXPECT_EQ(with({"--deferred-push-by", "session", "--roles", "relay,registrar,participating,deferred"}), sessions);
  EXPECT_EQ(with({"--deferred-push-by", "session"}), "no complaint");
}

TEST(Flags, OMA_HIS_6_the_longest_message_of_a_record_finds_room) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.begin(), {"--sip", "udp:127.0.0.1:0"});
    return parse(std::move(more));
  };
  EXPECT_EQ(with({"--history-bytes-max", "64KiB"}).settings.sip.im.history.message_bytes_max, 64U * 1024) << "goes along";
  for (const char* const flag : {"--history-bytes-max", "--history-memory-max"}) {
    EXPECT_NE(with({flag, "64KiB", "--history-message-max", "65KiB"}).text.find("--history-message-max"), std::string::npos) << flag;
    EXPECT_EQ(with({flag, "64KiB", "--history-message-max", "64KiB"}).outcome, Outcome::run) << flag;
  }
}

TEST(Flags, no_listener_is_a_bad_configuration) {
  EXPECT_NE(parse_flags({"--domain", "example.org"}).text.find("--msrp"), std::string::npos);
}

TEST(Flags, a_secret_never_stands_in_a_complaint) {
  EXPECT_EQ(complaint({"--user", "hunter2hunter2"}).find("hunter2"), std::string::npos);
  EXPECT_EQ(complaint({"--user", "a:hunter2"}).find("hunter2"), std::string::npos);
}

TEST(Flags, a_wildcard_listener_needs_a_name_to_show) {
  EXPECT_NE(parse_flags({"--msrp", "tcp:0.0.0.0:2855"}).text.find("--advertise"), std::string::npos);
  EXPECT_NE(parse_flags({"--msrp", "tcp:[::]:2855"}).text.find("--advertise"), std::string::npos);
  EXPECT_NE(parse_flags({"--msrp", "tcp:0.0.0.0:2855", "--advertise", "0.0.0.0"}).text.find("--advertise"),
            std::string::npos);
  EXPECT_EQ(parse_flags({"--msrp", "tcp:0.0.0.0:2855", "--advertise", "relay.example.org"}).outcome, Outcome::run);
}

TEST(Flags, advertise_names_all_listeners_or_each) {
  const auto config = [](std::vector<std::string> arguments) {
    const Parsed parsed = parse_flags(arguments);
    EXPECT_EQ(parsed.outcome, Outcome::run) << parsed.text;
    std::vector<RelayListenerAt> bound;
    std::uint16_t port = 4000;
    for (const ListenSpec& spec : parsed.settings.msrp) {
      bound.push_back({spec, *core::parse_ip("127.0.0.1", port)});
      ++port;
    }
    return make_relay_config(parsed.settings, bound, {});
  };
  const std::vector<std::string> two = {"--msrp", "tcp:127.0.0.1:0", "--msrp", "tcp:[::1]:0"};
  auto plain = config(two);
  EXPECT_EQ(plain->listeners[1].host, "[::1]");
  EXPECT_EQ(plain->listeners[1].port, 4001);
  auto shared = two;
  shared.insert(shared.end(), {"--advertise", "Relay.Example.ORG"});
  EXPECT_EQ(config(shared)->listeners[0].host, "relay.example.org");
  EXPECT_EQ(config(shared)->listeners[1].port, 4001);
  auto each = two;
  each.insert(each.end(), {"--advertise", "a.example.org:2855", "--advertise", "b.example.org:80"});
  EXPECT_EQ(config(each)->listeners[1].host, "b.example.org");
  EXPECT_EQ(config(each)->listeners[1].port, 80);
  EXPECT_EQ(config(each)->listeners[1].bound_port, 4001);
  auto one_port = two;
  one_port.insert(one_port.end(), {"--advertise", "a.example.org:2855"});
  EXPECT_EQ(parse_flags(one_port).outcome, Outcome::bad);
}

TEST(Flags, the_last_of_a_repeated_flag_counts_and_lists_grow) {
  const Parsed parsed = parse({"--shards", "2", "--shards", "3", "--domain", "example.net", "--user", "c:d"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  EXPECT_EQ(parsed.settings.shards, 3U);
  EXPECT_EQ(parsed.settings.domains, (std::vector<std::string>{"example.org", "example.net"}));
  EXPECT_EQ(parsed.settings.users.size(), 2U);
}

TEST(Flags, R7977_1_websocket_is_a_listener_and_one_policy_for_both_protocols) {
  const Parsed parsed = parse_flags({"--msrp", "ws:127.0.0.1:0", "--sip", "ws:127.0.0.1:0", "--ws-origin", "https://chat.example.org",
                                     "--ws-path", "/chat", "--msrp-ws-ping", "20s"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  EXPECT_EQ(parsed.settings.msrp[0].transport, core::Transport::ws);
  EXPECT_EQ(parsed.settings.relay.ws_ping, std::chrono::seconds(20));
  for (const core::WebSocketWelcome& welcome : {parsed.settings.relay.ws, parsed.settings.sip.transport.ws}) {
    EXPECT_EQ(welcome.origins, std::vector<std::string>{"https://chat.example.org"});
    EXPECT_EQ(welcome.paths, std::vector<std::string>{"/chat"});
  }
}

TEST(Flags, algorithms_keep_their_order) {
  const Parsed parsed = parse({"--auth-algorithms", "MD5,SHA-512-256"});
  ASSERT_EQ(parsed.outcome, Outcome::run) << parsed.text;
  EXPECT_EQ(parsed.settings.relay.algorithms,
            (std::vector{core::DigestAlgorithm::md5, core::DigestAlgorithm::sha512_256}));
}

TEST(Flags, a_file_gives_flags_and_the_command_line_wins) {
  const TempFile file(
      "msrp=[\"tcp:127.0.0.1:0\", \"tcp:[::1]:0\"]\nprobation=\"5s\"\nshards=4\n# why\ndomain=\"example.com\"\n");
  const Parsed parsed = parse_flags({"--config", file.path(), "--shards", "2", "--check-config"});
  ASSERT_EQ(parsed.outcome, Outcome::check) << parsed.text;
  EXPECT_EQ(parsed.settings.msrp.size(), 2U);
  EXPECT_EQ(parsed.settings.relay.probation, 5s);
  EXPECT_EQ(parsed.settings.shards, 2U);
}

TEST(Flags, a_file_with_an_unknown_or_bad_flag_is_refused_by_name) {
  const TempFile unknown("msrp=\"tcp:127.0.0.1:0\"\nprobatoin=\"5s\"\n");
  EXPECT_NE(parse_flags({"--config", unknown.path()}).text.find("'probatoin' is not a flag"), std::string::npos);
  const TempFile bad("msrp=\"tcp:127.0.0.1:0\"\nprobation=\"5 apples\"\n");
  EXPECT_NE(parse_flags({"--config", bad.path()}).text.find("--probation"), std::string::npos);
  EXPECT_NE(parse_flags({"--config", "/nonexistent/parleyd.conf"}).text.find("--config"), std::string::npos);
}

TEST(Flags, help_shows_each_flag_with_its_default) {
  const Parsed parsed = parse_flags({"--help"});
  EXPECT_EQ(parsed.outcome, Outcome::print);
  for (const char* text : {"--msrp tcp|tls|ws|wss:HOST:PORT (repeatable)", "--probation TIME", "default 30s", "default 256KiB",
                           "--check-config", "--version", "--config FILE"}) {
    EXPECT_NE(parsed.text.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(parse_flags({"--version"}).text.rfind("parleyd ", 0), 0U);
}

TEST(Flags, secrets_leave_argv) {
  char program[] = "parleyd";
  char flag[] = "--user";
  char value[] = "alice:secret:with:colons";
  char joined[] = "--user=bob:hush";
  char* argv[] = {program, flag, value, joined, nullptr};
  const auto arguments = take_arguments(4, argv);
  EXPECT_EQ(arguments, (std::vector<std::string>{"--user", "alice:secret:with:colons", "--user=bob:hush"}));
  EXPECT_STREQ(value, "alice:******************");
  EXPECT_STREQ(joined, "--user=bob:****");
}

TEST(Flags, what_a_reload_can_not_change_is_named) {
  const Settings running = parse({}).settings;
  EXPECT_EQ(needs_restart(running, parse({"--probation", "1s", "--relay-peer", "r.example.org"}).settings), "");
  EXPECT_EQ(needs_restart(running, parse({"--msrp", "tcp:[::1]:0", "--shards", "9"}).settings), "--msrp, --shards");
}

TEST(HostPort, forms) {
  EXPECT_EQ(parse_host_port("Relay.example.org:2855")->host, "relay.example.org");
  EXPECT_EQ(parse_host_port("[2001:DB8::1]:1")->host, "[2001:db8::1]");
  EXPECT_FALSE(parse_host_port("localhost")->port.has_value());
  for (const char* bad : {"", ":1", "a:", "a:b", "a:1:2", "[::1", "[::1]x", "[1.2.3.4]:1", "a..b", "-a", "a-",
                          "0x7f.1:1", "1.2.3:1", "a b", "a:65536", "a:-1", "a_b"}) {
    EXPECT_FALSE(parse_host_port(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace parley::parleyd

// tests/loops/resolver_test.cc - the resolver against a DNS server played by the test on loopback.
#include <chrono>
#include <string>
#include <vector>

#include "tests/loops/resolver_fixture.h"

namespace parley::loops {
namespace {

TEST_F(ResolverTest, literals_are_answered_at_once) {
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  const Resolution v4 = ask(resolver, "192.0.2.7", 0, "_msrps._tcp");
  ASSERT_EQ(v4.addresses.size(), 1U);
  EXPECT_EQ(core::to_string(v4.addresses[0].address), "192.0.2.7:2855");
  const Resolution v6 = ask(resolver, "[2001:db8::1]", 99, "");
  ASSERT_EQ(v6.addresses.size(), 1U);
  EXPECT_EQ(core::to_string(v6.addresses[0].address), "[2001:db8::1]:99");
  EXPECT_EQ(dns_.questions(), 0);
}

TEST_F(ResolverTest, R4976_srv_comes_first_in_order_of_priority) {
  dns_.services["_msrps._tcp.example.org"] = {{20, 1, 3000, "b.example.org"}, {10, 1, 2000, "a.example.org"}};
  dns_.hosts["a.example.org"] = {"\x7f\x00\x00\x02", 4};
  dns_.hosts["b.example.org"] = {"\x7f\x00\x00\x03", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  const Resolution found = ask(resolver, "example.org", 0, "_msrps._tcp");
  ASSERT_EQ(found.addresses.size(), 2U);
  EXPECT_EQ(core::to_string(found.addresses[0].address), "127.0.0.2:2000");
  EXPECT_EQ(found.addresses[0].target, "a.example.org");
  EXPECT_EQ(core::to_string(found.addresses[1].address), "127.0.0.3:3000");
}

TEST_F(ResolverTest, without_srv_the_name_itself_with_the_default_port) {
  dns_.hosts["plain.example.org"] = {"\x7f\x00\x00\x04", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  const Resolution found = ask(resolver, "plain.example.org", 0, "_msrps._tcp");
  ASSERT_EQ(found.addresses.size(), 1U);
  EXPECT_EQ(core::to_string(found.addresses[0].address), "127.0.0.4:2855");
  const Resolution ported = ask(resolver, "plain.example.org", 7777, "_msrps._tcp");
  ASSERT_EQ(ported.addresses.size(), 1U);
  EXPECT_EQ(ported.addresses[0].address.port, 7777);
}

TEST_F(ResolverTest, answers_are_kept_for_their_time) {
  dns_.hosts["kept.example.org"] = {"\x7f\x00\x00\x05", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  EXPECT_EQ(ask(resolver, "kept.example.org", 1, "").addresses.size(), 1U);
  const int before = dns_.questions();
  EXPECT_EQ(ask(resolver, "kept.example.org", 1, "").addresses.size(), 1U);
  EXPECT_EQ(dns_.questions(), before);
}

TEST_F(ResolverTest, unknown_and_refused_names_have_no_address) {
  dns_.services["_msrps._tcp.none.example.org"] = {{0, 0, 0, "."}};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address()});
  EXPECT_TRUE(ask(resolver, "nowhere.example.org", 5, "").addresses.empty());
  EXPECT_TRUE(ask(resolver, "none.example.org", 0, "_msrps._tcp").addresses.empty());
}

TEST_F(ResolverTest, a_full_cache_gives_up_one_answer_and_no_more) {
  for (const char* name : {"a.example.org", "b.example.org", "c.example.org"})
    dns_.hosts[name] = {"\x7f\x00\x00\x05", 4};
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address(), .cached_max = 2});
  for (const char* name : {"a.example.org", "b.example.org", "c.example.org"})
    EXPECT_EQ(ask(resolver, name, 1, "").addresses.size(), 1U);
  const int before = dns_.questions();
  EXPECT_EQ(ask(resolver, "b.example.org", 1, "").addresses.size(), 1U);
  EXPECT_EQ(ask(resolver, "C.Example.org", 1, "").addresses.size(), 1U);
  EXPECT_EQ(dns_.questions(), before);
}

TEST_F(ResolverTest, what_comes_after_the_deadline_is_dropped) {
  dns_.hosts["late.example.org"] = {"\x7f\x00\x00\x05", 4};
  dns_.services["_msrps._tcp.late.example.org"] = {{1, 1, 2000, "late.example.org"}};
  dns_.delay = 300ms;
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address(), .timeout = 100ms, .cache_failure = 1ms});
  EXPECT_TRUE(ask(resolver, "late.example.org", 0, "_msrps._tcp").addresses.empty());
  std::this_thread::sleep_for(500ms);
  EXPECT_TRUE(ask(resolver, "late.example.org", 0, "_msrps._tcp").addresses.empty());
}

TEST_F(ResolverTest, a_silent_server_costs_the_time_out_and_no_more) {
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address(), .timeout = 300ms});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(ask(resolver, "silent.example.org", 5, "").addresses.empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST_F(ResolverTest, too_many_questions_are_answered_without_asking) {
  dns_.start();
  Resolver resolver(mailboxes_, {.servers = dns_.address(), .waiting_max = 1});
  resolver.ask(0, {.token = 1, .host = "silent.example.org", .port = 5, .srv_service = ""});
  token_ = 1;
  EXPECT_TRUE(ask(resolver, "silent2.example.org", 5, "").addresses.empty());
}

TEST_F(ResolverTest, ends_with_questions_open) {
  dns_.start();
  {
    Resolver resolver(mailboxes_, {.servers = dns_.address()});
    for (std::uint64_t i = 0; i < 20; ++i)
      resolver.ask(0, {.token = i, .host = "silent" + std::to_string(i), .port = 5, .srv_service = ""});
  }
  std::vector<Post> posts;
  mailboxes_.take_posts(0, posts);
  EXPECT_LE(posts.size(), 20U);
}

}  // namespace
}  // namespace parley::loops

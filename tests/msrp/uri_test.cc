// tests/msrp/uri_test.cc - parse_uri and same_uri (R4975-13, T-72), against a slow reading and on chosen pairs.
#include <gtest/gtest.h>

#include <string>

#include "msrp/uri.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"
#include "tests/msrp/head_source.h"
#include "tests/msrp/slow_uri.h"

namespace parley::tests {
namespace {

using namespace parley::msrp;

Uri read(std::string_view text) {
  Uri uri;
  EXPECT_TRUE(parse_uri(text, uri)) << text;
  return uri;
}

bool same(std::string_view a, std::string_view b) {
  const Uri uri_a = read(a);
  const Uri uri_b = read(b);
  EXPECT_EQ(same_uri(uri_a, uri_b), same_uri(uri_b, uri_a));
  return same_uri(uri_a, uri_b);
}

TEST(Uri, PiecesOfAFullUri) {
  const std::string text = "msrps://alice:a;b=c@relay.example.com:2855/a/b+c=~;tcp;x;y=z";
  const Uri uri = read(text);
  EXPECT_TRUE(uri.secure);
  EXPECT_EQ(uri.userinfo, "alice:a;b=c");
  EXPECT_EQ(uri.host, "relay.example.com");
  EXPECT_TRUE(uri.has_port);
  EXPECT_EQ(uri.port, 2855);
  EXPECT_EQ(uri.session_id, "a/b+c=~");
  EXPECT_EQ(uri.transport, "tcp");
  EXPECT_EQ(uri.text, text);
}

TEST(Uri, R4976_1_TheRelayItselfNoPortNoSessionId) {
  const Uri uri = read("msrps://alice@relay.example.com;tcp");
  EXPECT_EQ(uri.userinfo, "alice");
  EXPECT_FALSE(uri.has_port);
  EXPECT_EQ(uri.port, 0);
  EXPECT_EQ(uri.session_id, "");
}

TEST(Uri, NothingOfAnEarlierUriStays) {
  Uri uri = read("msrps://u@h:1/s;tcp;p");
  ASSERT_TRUE(parse_uri("msrp://h;ws", uri));
  EXPECT_FALSE(uri.secure);
  EXPECT_FALSE(uri.has_port);
  EXPECT_EQ(uri.userinfo, "");
  EXPECT_EQ(uri.session_id, "");
}

TEST(Uri, T72_UserinfoThatLooksLikeTheRest) {
  const Uri uri = read("msrp://host:1;tcp@other:2/s;ws");
  EXPECT_EQ(uri.userinfo, "host:1;tcp");
  EXPECT_EQ(uri.host, "other");
  EXPECT_EQ(uri.port, 2);
  EXPECT_EQ(uri.transport, "ws");
  const Uri without_port = read("msrp://host:1;tcp@other;ws");
  EXPECT_FALSE(without_port.has_port);
}

TEST(Uri, WhatIsNotAUri) {
  for (const char* text : {"",
                           "msrp",
                           "msrp:",
                           "msrp://",
                           "msrp://h",
                           "msrp://h:1",
                           "msrp://h;",
                           "msrp://;tcp",
                           "msrp://h:;tcp",
                           "msrp://h/;tcp",
                           "msrp://h:65536;tcp",
                           "msrp://h:123456;tcp",
                           "msrp://h:-1;tcp",
                           "msrp://a@b@c;tcp",
                           "msrp://h;tcp ",
                           " msrp://h;tcp",
                           "msrp://h;t-p",
                           "msrp://h;tcp;",
                           "msrp://h;tcp;=b",
                           "msrp://h;tcp;a=",
                           "msrp://h;tcp;a=b=c",
                           "sip:a@b",
                           "msrpss://h;tcp",
                           "msrp://[::1;tcp",
                           "msrp://::1;tcp",
                           "msrp://[1:2];tcp",
                           "msrp://[:::];tcp",
                           "msrp://[::1]x;tcp",
                           "msrp://h%4;tcp",
                           "msrp://h%4g;tcp",
                           "msrp://h/%41;tcp",
                           "msrp://h/a?b;tcp",
                           "msrp://h/a#b;tcp",
                           "msrp://\xc3\xa4;tcp",
                           "msrp://h/\xc3\xa4;tcp",
                           "msrp://[::1%25lo];tcp",
                           "msrp://[1::2::3];tcp",
                           "msrp://[::256.0.0.1];tcp",
                           "msrp://[12345::];tcp"}) {
    Uri uri;
    EXPECT_FALSE(parse_uri(text, uri)) << text;
  }
  Uri uri;
  EXPECT_FALSE(parse_uri(std::string_view("msrp://h\0;tcp", 13), uri));
}

TEST(Uri, R4975_13_SchemeHostAndTransportWithoutCase) {
  EXPECT_TRUE(same("msrp://Relay.Example.COM:1/a;tcp", "MSRP://relay.example.com:1/a;TCP"));
  EXPECT_FALSE(same("msrp://h:1/a;tcp", "msrps://h:1/a;tcp"));
  EXPECT_FALSE(same("msrp://h:1/a;tcp", "msrp://h:1/a;ws"));
  EXPECT_FALSE(same("msrp://h:1/a;tcp", "msrp://g:1/a;tcp"));
}

TEST(Uri, R4975_13_SessionIdWithCase) {
  EXPECT_TRUE(same("msrp://h:1/aB;tcp", "msrp://h:1/aB;tcp"));
  EXPECT_FALSE(same("msrp://h:1/aB;tcp", "msrp://h:1/ab;tcp"));
  EXPECT_FALSE(same("msrp://h:1/a;tcp", "msrp://h:1;tcp"));
}

TEST(Uri, R4975_13_PortExactAndAbsentIsNoPort) {
  EXPECT_FALSE(same("msrp://h:2855/a;tcp", "msrp://h/a;tcp"));
  EXPECT_FALSE(same("msrp://h:0/a;tcp", "msrp://h/a;tcp"));
  EXPECT_FALSE(same("msrp://h:1/a;tcp", "msrp://h:2/a;tcp"));
  EXPECT_TRUE(same("msrp://h:02855/a;tcp", "msrp://h:2855/a;tcp"));
}

TEST(Uri, R4975_13_UserinfoAndOtherParametersDoNotCount) {
  EXPECT_TRUE(same("msrp://alice@h:1/a;tcp;x=y", "msrp://bob@h:1/a;tcp"));
  EXPECT_TRUE(same("msrp://h:1/a;tcp;x", "msrp://h:1/a;tcp;y=z"));
}

TEST(Uri, R4975_13_T72_HostsByValue) {
  EXPECT_TRUE(same("msrp://h.example.:1/a;tcp", "msrp://H.example:1/a;tcp"));
  EXPECT_FALSE(same("msrp://h.example..:1/a;tcp", "msrp://h.example:1/a;tcp"));
  EXPECT_TRUE(same("msrp://[2001:DB8:0:0::1]:1/a;tcp", "msrp://[2001:db8::1]:1/a;tcp"));
  EXPECT_TRUE(same("msrp://[::ffff:192.0.2.1]:1/a;tcp", "msrp://[::FFFF:c000:201]:1/a;tcp"));
  EXPECT_FALSE(same("msrp://[::1]:1/a;tcp", "msrp://[::2]:1/a;tcp"));
  EXPECT_FALSE(same("msrp://[::ffff:192.0.2.1]:1/a;tcp", "msrp://192.0.2.1:1/a;tcp"));
  EXPECT_FALSE(same("msrp://192.0.2.1:1/a;tcp", "msrp://192.0.2.2:1/a;tcp"));
}

TEST(Uri, WalksAlongAPath) {
  const std::string_view path = "msrp://a;tcp msrp://b;tcp msrp://c;tcp";
  EXPECT_EQ(path_length(path), 3U);
  EXPECT_EQ(path_length("msrp://a;tcp"), 1U);
  EXPECT_EQ(path_length(""), 0U);
  PathSplit split = split_path(path);
  EXPECT_EQ(split.first, "msrp://a;tcp");
  EXPECT_EQ(split.rest, "msrp://b;tcp msrp://c;tcp");
  split = split_path(split_path(split.rest).rest);
  EXPECT_EQ(split.first, "msrp://c;tcp");
  EXPECT_EQ(split.rest, "");
  EXPECT_EQ(last_of_path(path), "msrp://c;tcp");
  EXPECT_EQ(last_of_path("msrp://a;tcp"), "msrp://a;tcp");
}

TEST(Uri, AgreesWithASlowReadingOnAHundredThousandUris) {
  HeadSource source(13);
  GuardedPages pages(4096);
  std::size_t accepted = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = source.one_in(2) ? source.damaged(source.uri()) : source.uri();
    const SlowUri slow = slow_uri(text);
    Uri uri;
    ASSERT_EQ(parse_uri(pages.put(text), uri), slow.ok) << text;
    if (!slow.ok) continue;
    ++accepted;
    ASSERT_EQ(uri.secure, slow.secure) << text;
    ASSERT_EQ(uri.userinfo, slow.userinfo) << text;
    ASSERT_EQ(uri.host, slow.host) << text;
    ASSERT_EQ(uri.has_port, !slow.port.empty()) << text;
    ASSERT_EQ(uri.port, slow.port.empty() ? 0 : std::stoi(slow.port)) << text;
    ASSERT_EQ(uri.session_id, slow.session_id) << text;
    ASSERT_EQ(uri.transport, slow.transport) << text;
    ASSERT_TRUE(same_uri(uri, uri)) << text;
  }
  EXPECT_GT(accepted, 40'000U);
  EXPECT_LT(accepted, 95'000U);
}

TEST(Uri, AllocatesNothing) {
  const std::string text = "msrp://alice@[2001:DB8::1]:2855/a;tcp";
  const std::size_t before = allocations;
  Uri uri;
  const bool ok = parse_uri(text, uri) && same_uri(uri, uri);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(ok);
}

}  // namespace
}  // namespace parley::tests

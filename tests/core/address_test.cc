// tests/core/address_test.cc - only real IP literals pass: no names, octal, hexadecimal, short or decorated forms.
#include "core/address.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::core {
namespace {

Address ip(std::string_view text) {
  const std::optional<Address> address = parse_ip(text, 0);
  EXPECT_TRUE(address) << text;
  return address.value_or(Address{});
}

TEST(Address, literals_are_read_and_printed) {
  const std::pair<const char*, const char*> pairs[] = {
      {"127.0.0.1:2855", "127.0.0.1:2855"},
      {"0.0.0.0:0", "0.0.0.0:0"},
      {"255.255.255.255:65535", "255.255.255.255:65535"},
      {"[::1]:2855", "[::1]:2855"},
      {"[::]:1", "[::]:1"},
      {"[2001:DB8::A]:9", "[2001:db8::a]:9"},
      {"[2001:0db8:0000:0000:0000:0000:0000:000a]:9", "[2001:db8::a]:9"},
      {"[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80"},
      {"[::ffff:0a00:0001]:80", "[::ffff:10.0.0.1]:80"},
      {"[1:2:3:4:5:6:7:8]:80", "[1:2:3:4:5:6:7:8]:80"},
      {"[1:2:3:4:5:6:1.2.3.4]:80", "[1:2:3:4:5:6:102:304]:80"},
  };
  for (const auto& [text, printed] : pairs) {
    const std::optional<Address> address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), printed);
    EXPECT_EQ(parse_address(to_string(*address)), address);
  }
  EXPECT_EQ(ip("[::1]"), ip("::1"));
  EXPECT_EQ(parse_ip("10.0.0.1", 7)->port, 7);
  EXPECT_EQ(ip_to_string(Address{}), "");
}

// Forms that some resolver or C library somewhere takes for an address, most of them for 127.0.0.1.
constexpr const char* nasty_ips[] = {"",
                                     " ",
                                     "localhost",
                                     "example.org",
                                     "127.1",
                                     "127.0.1",
                                     "127",
                                     "2130706433",
                                     "017700000001",
                                     "0x7f000001",
                                     "0X7F000001",
                                     "0x7f.0.0.1",
                                     "0x7f.0x0.0x0.0x1",
                                     "0177.0.0.1",
                                     "0177.0000.0000.0001",
                                     "127.0.0.01",
                                     "127.0.0.001",
                                     "00.0.0.0",
                                     "127.00.0.1",
                                     "127.0.0.1.",
                                     ".127.0.0.1",
                                     "127..0.1",
                                     "127.0.0.",
                                     "127.0.0.1.1",
                                     "256.0.0.1",
                                     "127.0.0.256",
                                     "127.0.0.-1",
                                     "+127.0.0.1",
                                     "-1",
                                     "127.0.0.1 ",
                                     " 127.0.0.1",
                                     "127.0.0.1\n",
                                     "127.0.0.1\t",
                                     "127.0.0.1/8",
                                     "127.0.0.1%lo",
                                     "127.0.0.1:80",
                                     "127,0,0,1",
                                     "127.0.0.1e0",
                                     "1e3",
                                     "4294967296",
                                     "127.0.0.1#",
                                     "user@127.0.0.1",
                                     "[127.0.0.1]",
                                     "[]",
                                     "[",
                                     "]",
                                     "[::1",
                                     "::1]",
                                     "[[::1]]",
                                     "[ ::1]",
                                     "::1 ",
                                     ":",
                                     ":::",
                                     "::1::",
                                     "1::2::3",
                                     "1:2:3:4:5:6:7",
                                     "1:2:3:4:5:6:7:8:9",
                                     "1:2:3:4:5:6:7:8::",
                                     "12345::",
                                     "::g",
                                     "::1%lo",
                                     "[::1%25lo]",
                                     "fe80::1%eth0",
                                     "::127.1",
                                     "::ffff:127.0.0",
                                     "::ffff:0177.0.0.1",
                                     "::ffff:0x7f.0.0.1",
                                     "::ffff:127.0.0.01",
                                     "::ffff:256.0.0.1",
                                     "::1.2.3.4:5",
                                     "1.2.3.4::",
                                     "0x::1",
                                     "::0x1",
                                     ":1:2:3:4:5:6:7",
                                     "1:2:3:4:5:6:7:",
                                     "::1/128",
                                     "\xef\xbc\x91.0.0.1",
                                     "127\xe3\x80\x82\x30.0.1",
                                     "v1.fe",
                                     "[v1.fe]",
                                     "0000:0000:0000:0000:0000:ffff:127.000.000.001"};

TEST(Address, nasty_forms_are_refused) {
  for (const char* text : nasty_ips) {
    EXPECT_EQ(parse_ip(text, 0), std::nullopt) << text;
    EXPECT_EQ(parse_cidr(std::string(text) + "/8"), std::nullopt) << text;
    EXPECT_EQ(parse_address(std::string(text) + ":80"), std::nullopt) << text;
    EXPECT_EQ(parse_address("[" + std::string(text) + "]:80"), std::nullopt) << text;
  }
  EXPECT_EQ(parse_ip(std::string_view("127.0.0.1\0", 10), 0), std::nullopt);
  EXPECT_EQ(parse_ip(std::string_view("127.0.0.1\0.evil.example", 23), 0), std::nullopt);
  EXPECT_EQ(parse_ip(std::string_view("::1\0", 4), 0), std::nullopt);
  EXPECT_EQ(parse_ip(std::string(100'000, '1'), 0), std::nullopt);
  EXPECT_EQ(parse_ip(std::string(100'000, ':'), 0), std::nullopt);
}

TEST(Address, an_address_needs_a_plain_port) {
  for (const char* text : {"127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1: 80",
                           "127.0.0.1:+80",
                           "127.0.0.1:-1",
                           "127.0.0.1:65536",
                           "127.0.0.1:99999999999999999999",
                           "127.0.0.1:080",
                           "127.0.0.1:0x50",
                           "127.0.0.1:80 ",
                           "127.0.0.1:http",
                           ":80",
                           "::1:80",
                           "::1",
                           "[::1]",
                           "[::1]80",
                           "[::1]:",
                           "1:2:3:4:5:6:7:8:80",
                           "[127.0.0.1]:80",
                           "localhost:80",
                           "127.0.0.1:80:80",
                           "[::1]:80:80"}) {
    EXPECT_EQ(parse_address(text), std::nullopt) << text;
  }
}

TEST(Address, v4_mapped_is_v4) {
  EXPECT_EQ(unmapped(ip("::ffff:10.1.2.3")), ip("10.1.2.3"));
  EXPECT_EQ(unmapped(ip("::fffe:10.1.2.3")), ip("::fffe:10.1.2.3"));
  EXPECT_EQ(unmapped(ip("::10.1.2.3")), ip("::10.1.2.3"));
  EXPECT_EQ(unmapped(ip("10.1.2.3")), ip("10.1.2.3"));
  EXPECT_EQ(unmapped(*parse_address("[::ffff:10.1.2.3]:55")).port, 55);
}

TEST(Address, loopback_and_unspecified) {
  for (const char* text : {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_loopback(ip(text))) << text;
  }
  for (const char* text :
       {"128.0.0.1", "126.0.0.1", "::2", "::", "1::1", "::ffff:10.0.0.1", "::127.0.0.1", "0.0.0.0"}) {
    EXPECT_FALSE(is_loopback(ip(text))) << text;
  }
  for (const char* text : {"0.0.0.0", "::", "::ffff:0.0.0.0"}) EXPECT_TRUE(is_unspecified(ip(text))) << text;
  for (const char* text : {"0.0.0.1", "::1", "127.0.0.1"}) EXPECT_FALSE(is_unspecified(ip(text))) << text;
  EXPECT_FALSE(is_loopback(Address{}));
  EXPECT_FALSE(is_unspecified(Address{}));
}

bool in(const char* block, const char* address) {
  const std::optional<Cidr> cidr = parse_cidr(block);
  EXPECT_TRUE(cidr) << block;
  return cidr && contains(*cidr, ip(address));
}

TEST(Cidr, contains_its_addresses_and_no_others) {
  EXPECT_TRUE(in("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(in("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(in("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_FALSE(in("::ffff:10.0.0.0/104", "11.1.2.3"));
  EXPECT_TRUE(in("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(in("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(in("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(in("192.0.2.7/32", "192.0.2.6"));
  EXPECT_TRUE(in("192.0.2.6/31", "192.0.2.7"));
  EXPECT_TRUE(in("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
  EXPECT_FALSE(in("::/0", "203.0.113.9"));
  EXPECT_FALSE(in("::/0", "::ffff:203.0.113.9"));
  EXPECT_TRUE(in("::/0", "2001:db8::1"));
  EXPECT_TRUE(in("fd00::/8", "fdff::1"));
  EXPECT_FALSE(in("fd00::/8", "fc00::1"));
  EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(in("::1/128", "::1"));
  EXPECT_FALSE(contains(*parse_cidr("0.0.0.0/0"), Address{}));
}

TEST(Cidr, slips_are_refused) {
  for (const char* text : {"10.0.0.1/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8",
                           "10/8", "10.0.0.0/255.0.0.0", "[fd00::]/8", "fd00::/129", "fd00::1/64", "/8", "", "any",
                           "::ffff:10.0.0.1/104", "10.0.0.0 /8", "10.0.0.0/ 8"}) {
    EXPECT_EQ(parse_cidr(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace parley::core

// tests/relay/explicit_range_test.cc - receivers that read a body by the length in Byte-Range get no other chunks.
#include "tests/relay/fixture.h"

namespace parley::testing {
namespace {

using core::Metric;

class ExplicitRange : public CallerAndBob {
 protected:
  ExplicitRange() : CallerAndBob(for_loopback()) {}

  static std::shared_ptr<msrp::RelayConfig> for_loopback() {
    auto config = default_config();
    config->explicit_ranges_for = {*core::parse_cidr("127.0.0.0/8")};
    return config;
  }

  // What bob was sent: each chunk as its Byte-Range, its flag, and the length of its body when the range lies about it.
  std::string chunks() {
    std::string seen;
    const std::string got = relay.take(b);
    for (std::size_t at = 0; at < got.size();) {
      const std::string tid = tid_of(got.substr(at));
      const std::size_t body = got.find("\r\n\r\n", at) + 4;
      const std::size_t end = got.find("\r\n-------" + tid, body);
      EXPECT_NE(end, std::string::npos) << got.substr(at, 300);
      if (end == std::string::npos) break;
      const std::string range = header(got.substr(at, body - at), "Byte-Range");
      const std::string first = range.substr(0, range.find('-'));
      const std::string last = text_between(range, "-", "/");
      if (last == "*" || std::stoul(last) + 1 - std::stoul(first) != end - body)
        seen += "wrong:" + std::to_string(end - body) + " ";
      const std::size_t flag = end + 9 + tid.size();
      seen += range + got[flag] + " ";
      at = flag + 3;
    }
    return seen;
  }
};

TEST_F(ExplicitRange, T_60_a_large_body_goes_in_small_chunks_of_known_length_however_it_comes) {
  const std::string whole = to_bob("t001", "Message-ID: m1\r\n", std::string(5000, 'x'));
  const std::string wanted = "1-2048/*+ 2049-4096/*+ 4097-5000/5000$ ";
  for (std::size_t cut = 1; cut <= whole.size(); cut += 13) {
    relay.send(a, whole.substr(0, cut));
    relay.send(a, whole.substr(cut));
    ASSERT_EQ(chunks(), wanted) << "cut at " << cut;
    ASSERT_EQ(relay.take(a), ok("t001", a_uri, use_b));
  }
  for (const char c : whole) relay.send(a, {&c, 1});
  EXPECT_EQ(chunks(), wanted);
}

TEST_F(ExplicitRange, T_60_what_is_known_of_the_message_is_said) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  EXPECT_EQ(chunks(), "1-2/2$ ");
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 1-*/9000\r\n", std::string(2048, 'x'), '+'));
  EXPECT_EQ(chunks(), "1-2048/9000+ ");
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 2049-*/9000\r\n", std::string(2049, 'x'), '+'));
  EXPECT_EQ(chunks(), "2049-4096/9000+ 4097-4097/9000+ ");
  relay.send(a, to_bob("t001", "Message-ID: m2\r\nByte-Range: 1-0/0\r\n", ""));
  EXPECT_EQ(chunks(), "1-0/0$ ");
}

// Who got "1-0/0" behind 2048 bytes would have a message of none.
TEST_F(ExplicitRange, R4975_5_an_empty_last_chunk_says_where_it_stands) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 1-*/*\r\n", std::string(2048, 'x'), '+'));
  EXPECT_EQ(chunks(), "1-2048/*+ ");
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 2049-2048/2048\r\n", ""));
  EXPECT_EQ(chunks(), "2049-2048/2048$ ");
}

TEST_F(ExplicitRange, T_60_a_message_that_ends_early_is_ended_for_its_receiver) {
  const std::string whole = to_bob("t001", "Message-ID: m1\r\n", std::string(9000, 'x'));
  relay.send(a, whole.substr(0, 3000));
  EXPECT_EQ(chunks(), "1-2048/*+ ");
  relay.close(a);
  EXPECT_TRUE(chunks().ends_with("/*# "));
}

TEST_F(ExplicitRange, T_60_a_receiver_that_refuses_a_chunk_gets_no_more) {
  const std::string whole = to_bob("t001", "Message-ID: m1\r\n", std::string(9000, 'x'));
  relay.send(a, whole.substr(0, 3000));
  const std::string tid = tid_of(relay.take(b));
  relay.send(
      b, "MSRP " + tid + " 413 Stop\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + b_uri + "\r\n-------" + tid + "$\r\n");
  relay.send(a, whole.substr(3000));
  EXPECT_EQ(relay.take(b), "");
  EXPECT_NE(relay.take(a).find("Status: 000 413 "), std::string::npos);
}

TEST_F(ExplicitRange, T_60_only_these_addresses) {
  const auto far = relay.open(core::Transport::tcp, "192.0.2.1:40000");
  relay.send(far, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  EXPECT_EQ(chunks(), "1-2/2$ ");
  relay.send(b, send_frame("t002", use_b + " " + a_uri, b_uri, "Message-ID: m2\r\n", "yo"));
  EXPECT_EQ(header(relay.take(far), "Byte-Range"), "");
}

}  // namespace
}  // namespace parley::testing

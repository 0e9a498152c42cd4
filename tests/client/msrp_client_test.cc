// MSRP as the client speaks it, byte by byte.
#include <algorithm>

#include "tests/client/msrp_up.h"

namespace parley::tests {
namespace {

TEST(MsrpClient, R4975_12_R6135_1_T_71_the_active_side_binds_with_a_send_without_body) {
  Up world;
  EXPECT_TRUE(world.bind.starts_with("MSRP "));
  EXPECT_EQ(value(world.bind, "To-Path"), peer_path);
  EXPECT_EQ(value(world.bind, "From-Path"), world.uri());
  EXPECT_FALSE(value(world.bind, "Message-ID").empty());
  EXPECT_EQ(value(world.bind, "Byte-Range"), "1-0/0");
  EXPECT_EQ(value(world.bind, "Content-Type"), "");
}

TEST(MsrpClient, R4975_12_told_twice_where_to_go_it_goes_once) {
  MsrpWorld world;
  const MsrpPeer peer{.path = peer_path, .we_connect = true, .address = {}, .port = 0};
  world.step([&] {
    EXPECT_TRUE(world.client().open(1, false, text()));
    world.client().connect(1, peer);
  });
  world.step([&] { world.client().connect(1, peer); });  // before the dial has succeeded
  EXPECT_EQ(world.fact(Kind::up).session, 0U);
  EXPECT_EQ(world.dials.size(), 1U);
  const core::ConnId conn = world.connected();
  EXPECT_EQ(frames(world.written(conn)).size(), 1U);
  EXPECT_EQ(world.fact(Kind::up).session, 1U);
  world.step([&] { world.client().connect(1, peer); });
  EXPECT_EQ(world.written(conn), "");
}

TEST(MsrpClient, R4975_16_our_uri_cannot_be_guessed) {
  MsrpWorld world;
  std::vector<std::string> ids;
  world.step([&] {
    for (std::uint32_t i = 1; i <= 20; ++i) {
      EXPECT_TRUE(world.client().open(i, false, text()));
      ids.emplace_back(world.client().uri(i));
      EXPECT_GE(ids.back().size(), std::string("msrp://192.0.2.1:2855/;tcp").size() + 22);
    }
  });
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST(MsrpClient, R4975_2_R4975_5_a_message_in_one_chunk) {
  Up world;
  const std::uint64_t number = world.say("hello");
  const std::string sent = world.written(world.conn);
  EXPECT_EQ(value(sent, "Byte-Range"), "1-5/5");
  EXPECT_EQ(value(sent, "Success-Report"), "");
  EXPECT_NE(sent.find("\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------" + tid_of(sent) + "$\r\n"),
            std::string::npos);
  EXPECT_EQ(world.fact(Kind::sent).session, 0U);
  world.bytes(world.conn, respond(sent));
  const MsrpFact fact = world.fact(Kind::sent);
  EXPECT_EQ(fact.number, number);
  EXPECT_EQ(fact.status, 200);
}

TEST(MsrpClient, R4975_8_R4975_11_a_judged_message_is_answered_when_its_owner_has_decided) {
  Up world({}, {.types = {"*"}, .bytes_max = 0, .pieces = false, .judged = true});
  const std::string lines = "Message-ID: m1\r\nSuccess-Report: yes\r\nByte-Range: 1-3/3\r\n";
  world.bytes(world.conn, world.send("abcd1", lines, "one") + world.send("abcd2", lines, "two"));
  EXPECT_EQ(world.written(world.conn), "");
  const std::uint64_t first = world.fact(Kind::message).number;
  const std::uint64_t second = world.fact(Kind::message).number;
  world.step([&] { world.client().judge(1, second, 413); });
  std::string said = world.written(world.conn);
  EXPECT_TRUE(said.starts_with("MSRP abcd2 413 ")) << said;
  EXPECT_EQ(frames(said).size(), 1U) << "no REPORT of success";
  world.step([&] { world.client().judge(1, first, 200); });
  said = world.written(world.conn);
  EXPECT_NE(said.find("MSRP abcd1 200 "), std::string::npos) << said;
  EXPECT_NE(said.find(" REPORT\r\n"), std::string::npos) << said;
  world.step([&] { world.client().judge(1, first, 413); });
  EXPECT_EQ(world.written(world.conn), "") << "once";
  world.bytes(world.conn, world.send("abcd3", lines, "six"));
  const std::uint64_t third = world.fact(Kind::message).number;
  world.closed(world.conn);
  world.step([&] { world.client().judge(1, third, 200); });
}

TEST(MsrpClient, R4975_6_T_60_longer_ones_in_chunks_of_2048_with_explicit_ranges) {
  Up world;
  world.say(std::string(5000, 'x'));
  const std::vector<std::string> chunks = frames(world.written(world.conn));
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(value(chunks[0], "Byte-Range"), "1-2048/5000");
  EXPECT_EQ(value(chunks[1], "Byte-Range"), "2049-4096/5000");
  EXPECT_EQ(value(chunks[2], "Byte-Range"), "4097-5000/5000");
  EXPECT_TRUE(chunks[0].ends_with("+\r\n"));
  EXPECT_TRUE(chunks[2].ends_with("$\r\n"));
  for (const std::string& chunk : chunks) EXPECT_EQ(value(chunk, "Message-ID"), value(chunks[0], "Message-ID"));
  world.bytes(world.conn, respond(chunks[2]) + respond(chunks[0]));
  EXPECT_EQ(world.fact(Kind::sent).session, 0U);
  world.bytes(world.conn, respond(chunks[1]));
  EXPECT_EQ(world.fact(Kind::sent).status, 200);
}

TEST(MsrpClient, R4975_6_larger_chunks_can_be_interrupted) {
  MsrpConfig config;
  config.chunk_bytes = 4096;
  Up world(config);
  world.say(std::string(5000, 'x'));
  EXPECT_EQ(value(frames(world.written(world.conn))[0], "Byte-Range"), "1-*/5000");
}

TEST(MsrpClient, T_46_an_empty_message_is_one_chunk) {
  Up world;
  world.say("");
  const std::string sent = world.written(world.conn);
  EXPECT_EQ(value(sent, "Byte-Range"), "1-0/0");
  EXPECT_EQ(value(sent, "Content-Type"), "text/plain");
  world.bytes(world.conn, respond(sent));
  EXPECT_EQ(world.fact(Kind::sent).status, 200);
}

TEST(MsrpClient, R4975_8_no_response_in_30_s_is_a_failure) {
  Up world;
  const std::uint64_t number = world.say("hello");
  world.pass(std::chrono::milliseconds(29'900));
  EXPECT_EQ(world.fact(Kind::sent).session, 0U);
  EXPECT_LE(world.client().next_deadline(), world.now() + std::chrono::milliseconds(100));
  world.pass(std::chrono::milliseconds(100));
  const MsrpFact fact = world.fact(Kind::sent);
  EXPECT_EQ(fact.number, number);
  EXPECT_EQ(fact.status, 408);
}

TEST(MsrpClient, R4975_8_with_failure_report_no_nobody_is_waited_for) {
  Up world;
  world.say("hello", false, msrp::FailureReport::no);
  EXPECT_EQ(value(world.written(world.conn), "Failure-Report"), "no");
  EXPECT_EQ(world.fact(Kind::sent).status, 200);
}

TEST(MsrpClient, R4975_11_T_74_an_error_ends_the_message_and_not_the_session) {
  Up world;
  world.say(std::string(5000, 'x'));
  const std::vector<std::string> chunks = frames(world.written(world.conn));
  world.bytes(world.conn, respond(chunks[0], "413 No"));
  EXPECT_EQ(world.fact(Kind::sent).status, 413);
  EXPECT_EQ(world.fact(Kind::failed).session, 0U);
  world.say("next");
  EXPECT_NE(world.written(world.conn).find("next"), std::string::npos);
}

TEST(MsrpClient, R4975_11_the_receiver_learns_that_no_more_comes) {
  MsrpConfig config;
  config.chunks_max = 1;
  Up world(config);
  world.say(std::string(5000, 'x'));
  const std::string first = world.written(world.conn);
  world.bytes(world.conn, respond(first, "413 No"));
  const std::string last = world.written(world.conn);
  EXPECT_EQ(value(last, "Message-ID"), value(first, "Message-ID"));
  EXPECT_TRUE(last.ends_with("#\r\n"));
}

TEST(MsrpClient, T_74_481_and_506_end_the_session) {
  for (const char* status : {"481 Gone", "506 Bound"}) {
    Up world;
    const std::uint64_t number = world.say("hello");
    world.bytes(world.conn, respond(world.written(world.conn), status));
    EXPECT_EQ(world.fact(Kind::sent).number, number);
    EXPECT_EQ(world.fact(Kind::failed).session, 1U) << status;
  }
}

TEST(MsrpClient, R4975_10_T_64_success_is_told_when_reports_cover_all_of_it) {
  Up world;
  const std::uint64_t number = world.say(std::string(3000, 'x'), true);
  const std::vector<std::string> chunks = frames(world.written(world.conn));
  EXPECT_EQ(value(chunks[0], "Success-Report"), "yes");
  const auto report = [&](const std::string& range, const std::string& status) {
    return "MSRP rrrr1111 REPORT\r\nTo-Path: " + world.uri() + "\r\nFrom-Path: " + peer_path +
           "\r\nMessage-ID: " + value(chunks[0], "Message-ID") + "\r\nByte-Range: " + range + "\r\nStatus: " + status +
           "\r\n-------rrrr1111$\r\n";
  };
  world.bytes(world.conn, report("2001-3000/3000", "000 200 OK"));  // before the 200s
  EXPECT_EQ(world.fact(Kind::report).session, 0U);
  world.bytes(world.conn, report("1-2000/3000", "000 200 OK"));
  EXPECT_EQ(world.fact(Kind::report).number, number);
  EXPECT_EQ(world.written(world.conn), "");  // never answered
}

TEST(MsrpClient, R4975_10_a_failure_report_ends_the_message) {
  Up world;
  world.say("hello", true);
  const std::string sent = world.written(world.conn);
  world.bytes(world.conn, respond(sent));
  EXPECT_EQ(world.fact(Kind::sent).status, 200);
  world.bytes(world.conn, "MSRP rrrr1111 REPORT\r\nTo-Path: " + world.uri() + "\r\nFrom-Path: " + peer_path +
                              "\r\nMessage-ID: " + value(sent, "Message-ID") +
                              "\r\nByte-Range: 1-5/5\r\nStatus: 000 408 late\r\n-------rrrr1111$\r\n");
  EXPECT_EQ(world.fact(Kind::report).status, 408);
}

// --- what comes

TEST(MsrpClient, R4975_9_a_send_is_answered_to_the_first_from_path_uri) {
  Up world;
  std::string message = world.send("tttt1111", "Message-ID: m1\r\nByte-Range: 1-2/2\r\n", "hi");
  message.replace(message.find(peer_path), std::string(peer_path).size(), "msrp://relay:1/r;tcp msrp://far:1/f;tcp");
  world.bytes(world.conn, message);
  const std::string response = world.written(world.conn);
  EXPECT_TRUE(response.starts_with("MSRP tttt1111 200"));
  EXPECT_EQ(value(response, "To-Path"), "msrp://relay:1/r;tcp");
  EXPECT_EQ(value(response, "From-Path"), world.uri());
  const MsrpFact fact = world.fact(Kind::message);
  EXPECT_EQ(fact.body, "hi");
  EXPECT_EQ(fact.message_id, "m1");
  EXPECT_EQ(fact.content_type, "text/plain");
}

TEST(MsrpClient, R4975_7_T_59_T_61_chunks_in_any_order_of_any_size) {
  Up world;
  world.bytes(world.conn, world.send("tttt1111", "Message-ID: m1\r\nByte-Range: 5-*/8\r\n", "5678"));
  world.bytes(world.conn, world.send("tttt1112", "Message-ID: m1\r\nByte-Range: 1-9999/8\r\n", "1234", '+'));
  EXPECT_EQ(world.fact(Kind::message).body, "12345678");
}

TEST(MsrpClient, R4975_5_without_a_range_the_end_marker_says_how_long_it_is) {
  Up world;
  world.bytes(world.conn, world.send("tttt1111", "", "whole"));
  EXPECT_EQ(world.fact(Kind::message).body, "whole");
}

TEST(MsrpClient, T_68_two_messages_beside_each_other) {
  Up world;
  world.bytes(world.conn, world.send("tttt1111", "Message-ID: a\r\nByte-Range: 1-2/4\r\n", "aa", '+') +
                              world.send("tttt1112", "Message-ID: b\r\nByte-Range: 1-2/4\r\n", "bb", '+') +
                              world.send("tttt1113", "Message-ID: a\r\nByte-Range: 3-4/4\r\n", "AA") +
                              world.send("tttt1114", "Message-ID: b\r\nByte-Range: 3-4/4\r\n", "BB"));
  EXPECT_EQ(world.fact(Kind::message).body, "aaAA");
  EXPECT_EQ(world.fact(Kind::message).body, "bbBB");
}

TEST(MsrpClient, R4975_7_an_aborted_message_is_told_and_forgotten) {
  Up world;
  world.bytes(world.conn, world.send("tttt1111", "Message-ID: a\r\nByte-Range: 1-2/4\r\n", "aa", '+') +
                              world.send("tttt1112", "Message-ID: a\r\nByte-Range: 3-*/4\r\n", "", '#'));
  EXPECT_EQ(world.fact(Kind::broken).message_id, "a");
  EXPECT_EQ(world.fact(Kind::message).session, 0U);
}

TEST(MsrpClient, R4975_4_T_58_a_send_without_body_is_answered_and_not_shown) {
  Up world;
  world.bytes(world.conn, "MSRP tttt1111 SEND\r\nTo-Path: " + world.uri() + "\r\nFrom-Path: " + peer_path +
                              "\r\n-------tttt1111$\r\n");
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1111 200"));
  EXPECT_TRUE(world.facts.empty());
}

TEST(MsrpClient, R4975_15_what_was_not_offered_is_415) {
  Up world;
  std::string message = world.send("tttt1111", "Message-ID: m1\r\n", "hi");
  message.replace(message.find("text/plain"), 10, "image/png");
  world.bytes(world.conn, message);
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1111 415"));
  EXPECT_TRUE(world.facts.empty());
}

TEST(MsrpClient, T_37_types_are_compared_without_case_and_parameters) {
  Up world;
  std::string message = world.send("tttt1111", "Message-ID: m1\r\n", "hi");
  message.replace(message.find("text/plain"), 10, "Text/PLAIN;charset=UTF-8");
  world.bytes(world.conn, message);
  EXPECT_EQ(world.fact(Kind::message).body, "hi");
}

TEST(MsrpClient, R4975_11_what_is_too_long_is_413_and_kept_nowhere) {
  MsrpConfig config;
  config.message_bytes_max = 10;
  Up world(config);
  world.bytes(world.conn, world.send("tttt1111", "Message-ID: a\r\nByte-Range: 1-*/*\r\n", std::string(11, 'x')));
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1111 413"));
  world.bytes(world.conn, world.send("tttt1112", "Message-ID: b\r\nByte-Range: 9223372036854775000-*/*\r\n", "x"));
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1112 413"));
  world.bytes(world.conn, world.send("tttt1113", "Message-ID: c\r\nByte-Range: 1-1/11\r\n", "x", '+'));
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1113 413"));
}

TEST(MsrpClient, messages_that_are_begun_and_never_end_are_bounded) {
  MsrpConfig config;
  config.messages_open_max = 3;
  Up world(config);
  for (int i = 0; i < 3; ++i) {
    world.bytes(world.conn,
                world.send("tttt111" + std::to_string(i), "Message-ID: m" + std::to_string(i) + "\r\n", "x", '+'));
    EXPECT_TRUE(world.written(world.conn).find(" 200 ") != std::string::npos);
  }
  world.bytes(world.conn, world.send("tttt1119", "Message-ID: m9\r\n", "x", '+'));
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1119 413"));
}

TEST(MsrpClient, R4975_8_T_62_who_wants_no_answer_gets_none) {
  Up world;
  world.bytes(world.conn, world.send("tttt1111", "Failure-Report: no\r\n", "a") +
                              world.send("tttt1112", "Failure-Report: partial\r\n", "b"));
  EXPECT_EQ(world.written(world.conn), "");
  std::string bad = world.send("tttt1113", "Failure-Report: partial\r\n", "c");
  bad.replace(bad.find("text/plain"), 10, "image/png");
  world.bytes(world.conn, bad);
  EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1113 415"));
}

TEST(MsrpClient, R4975_10_success_is_reported_for_the_whole_message) {
  Up world;
  world.bytes(world.conn,
              world.send("tttt1111", "Message-ID: m1\r\nSuccess-Report: yes\r\nByte-Range: 1-2/4\r\n", "ab", '+'));
  EXPECT_EQ(world.written(world.conn).find("REPORT"), std::string::npos);
  world.bytes(world.conn,
              world.send("tttt1112", "Message-ID: m1\r\nSuccess-Report: yes\r\nByte-Range: 3-4/4\r\n", "cd"));
  const std::string out = world.written(world.conn);
  const std::size_t at = out.find(" REPORT\r\n");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(value(out, "Status"), "000 200 OK");
  EXPECT_EQ(value(out, "Byte-Range"), "1-4/4");
}

TEST(MsrpClient, R4975_12_strangers_get_481_and_a_second_connection_506) {
  Up world;
  const core::ConnId other = world.accept();
  world.bytes(other, world.send("tttt1111", "", "x"));
  EXPECT_TRUE(world.written(other).starts_with("MSRP tttt1111 506"));
  std::string unknown = world.send("tttt1112", "", "x");
  unknown.replace(unknown.find(world.uri()), world.uri().size(), "msrp://192.0.2.1:2855/nobody;tcp");
  world.bytes(other, unknown);
  EXPECT_TRUE(world.written(other).starts_with("MSRP tttt1112 481"));
  EXPECT_TRUE(world.facts.empty());
}

TEST(MsrpClient, R4975_11_other_methods_are_501) {
  Up world;
  for (const char* method : {"AUTH", "NICKNAME", "DANCE"}) {
    world.bytes(world.conn, std::string("MSRP tttt1111 ") + method + "\r\nTo-Path: " + world.uri() +
                                "\r\nFrom-Path: " + peer_path + "\r\n-------tttt1111$\r\n");
    EXPECT_TRUE(world.written(world.conn).starts_with("MSRP tttt1111 501")) << method;
  }
}

TEST(MsrpClient, T_63_responses_to_nothing_are_swallowed) {
  Up world;
  world.bytes(world.conn, "MSRP zzzz9999 200 OK\r\nTo-Path: " + world.uri() + "\r\nFrom-Path: " + peer_path +
                              "\r\n-------zzzz9999$\r\n");
  EXPECT_TRUE(world.facts.empty());
  EXPECT_TRUE(world.closes.empty());
}

TEST(MsrpClient, T_66_what_cannot_be_read_ends_the_connection_and_its_session) {
  Up world;
  world.bytes(world.conn, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(world.fact(Kind::failed).session, 1U);
  ASSERT_EQ(world.closes.size(), 1U);
}

TEST(MsrpClient, pieces_are_given_out_as_they_come) {
  Up world({}, {.types = {"*"}, .bytes_max = 100, .pieces = true});
  const std::string message = world.send("tttt1111", "Message-ID: f\r\nByte-Range: 1-*/6\r\n", "abcdef");
  const std::size_t cut = message.find("def");
  world.bytes(world.conn, message.substr(0, cut));
  MsrpFact piece = world.fact(Kind::piece);
  EXPECT_EQ(piece.body, "abc");
  EXPECT_EQ(piece.start, 1U);
  EXPECT_EQ(piece.total, 6U);
  world.bytes(world.conn, message.substr(cut));
  piece = world.fact(Kind::piece);
  EXPECT_EQ(piece.body, "def");
  EXPECT_EQ(piece.start, 4U);
  EXPECT_TRUE(world.fact(Kind::piece).last);
}

}  // namespace
}  // namespace parley::tests

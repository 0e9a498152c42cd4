// tests/relay/relay_test.cc - the relay above the seam: bytes in, bytes out, by hand-written frames.
#include "core/id_text.h"
#include "tests/relay/fixture.h"

namespace parley::testing {
namespace {

using core::Metric;

TEST_F(RelayTest, R4976_2_AUTH_without_credentials_is_challenged_once_per_algorithm_in_order) {
  const auto conn = relay.open();
  relay.send(conn, auth_frame("aut1", a_uri, ""));
  const std::string out = relay.take(conn);
  const std::size_t sha = out.find("algorithm=SHA-256");
  const std::size_t md5 = out.find("algorithm=MD5");
  ASSERT_NE(sha, std::string::npos) << out;
  ASSERT_NE(md5, std::string::npos) << out;
  EXPECT_LT(sha, md5);
  EXPECT_EQ(header(out, "To-Path"), a_uri);
  EXPECT_EQ(header(out, "From-Path"), "msrp://127.0.0.1:2855;tcp");
  EXPECT_TRUE(out.ends_with("-------aut1$\r\n")) << out;
}

TEST_F(AliceAndBob, R4976_8_a_SEND_between_two_authenticated_clients_passes_both_sessions) {
  relay.send(a, send_frame("t001", path_to_b, a_uri,
                           "Message-ID: m1\r\nByte-Range: 1-5/5\r\nX-Kept: yes\r\n", "hello"));
  const std::string to_a = relay.take(a);
  EXPECT_EQ(to_a, "MSRP t001 200 OK\r\nTo-Path: " + a_uri + "\r\nFrom-Path: " + use_a + "\r\n-------t001$\r\n");
  const std::string to_b = relay.take(b);
  const std::string tid = tid_of(to_b);
  EXPECT_NE(tid, "t001");
  EXPECT_EQ(to_b, "MSRP " + tid + " SEND\r\nTo-Path: " + b_uri + "\r\nFrom-Path: " + path_to_a +
                      "\r\nMessage-ID: m1\r\nByte-Range: 1-5/5\r\nX-Kept: yes\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------" +
                      tid + "$\r\n");
  EXPECT_EQ(relay.metrics.get(Metric::relay_transactions), 1U);
  relay.send(b, "MSRP " + tid + " 200 OK\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + b_uri + "\r\n-------" + tid + "$\r\n");
  EXPECT_EQ(relay.metrics.get(Metric::relay_transactions), 0U);
  EXPECT_EQ(relay.take(a), "");
}

TEST_F(RelayTest, R4976_7_a_caller_without_AUTH_reaches_a_live_session_and_is_reached_back) {
  const auto b = relay.open();
  const auto caller = relay.open();
  const std::string use_b = authenticate(b, "bob", b_uri);
  relay.send(caller, send_frame("t001", use_b + " " + b_uri, a_uri, "Message-ID: m1\r\n", "hi"));
  EXPECT_TRUE(relay.take(caller).starts_with("MSRP t001 200 "));
  EXPECT_NE(relay.take(b).find("hi"), std::string::npos);
  relay.send(b, send_frame("t002", use_b + " " + a_uri, b_uri, "Message-ID: m2\r\n", "yo"));
  EXPECT_TRUE(relay.take(b).starts_with("MSRP t002 200 "));
  EXPECT_NE(relay.take(caller).find("yo"), std::string::npos);
}

TEST_F(RelayTest, R4976_7_a_foreign_first_URI_drops_the_connection) {
  const auto a = relay.open();
  relay.send(a, send_frame("t001", "msrp://other.example.org:2855/x;tcp " + b_uri, a_uri, "Message-ID: m1\r\n", "hi"));
  EXPECT_TRUE(relay.closed(a));
  EXPECT_EQ(relay.metrics.get(Metric::relay_foreign_uri), 1U);
}

TEST_F(RelayTest, R4976_7_an_unknown_session_is_answered_481_and_reported) {
  const auto a = relay.open();
  relay.send(a, send_frame("t001", "msrp://127.0.0.1:2855/nosuchsession;tcp " + b_uri, a_uri,
                           "Message-ID: m1\r\nByte-Range: 1-*/9\r\n", "hi"));
  const std::string out = relay.take(a);
  EXPECT_TRUE(out.starts_with("MSRP t001 481 ")) << out;
  EXPECT_NE(out.find("Status: 000 481 "), std::string::npos) << out;
  EXPECT_NE(out.find("Byte-Range: 1-2/2\r\n"), std::string::npos) << out;
}

TEST_F(CallerAndBob, R4976_10_no_response_in_time_becomes_a_408_report) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 1-*/5\r\n", "hello"));
  relay.take(a);
  relay.wait(std::chrono::milliseconds(29'900));
  EXPECT_EQ(relay.take(a), "");
  relay.wait(std::chrono::milliseconds(200));
  const std::string out = relay.take(a);
  EXPECT_NE(out.find(" REPORT\r\nTo-Path: " + a_uri + "\r\nFrom-Path: " + use_b + "\r\nMessage-ID: m1\r\nByte-Range: 1-5/5\r\n"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("Status: 000 408 "), std::string::npos) << out;
  EXPECT_EQ(relay.metrics.get(Metric::relay_transactions), 0U);
}

TEST_F(CallerAndBob, R4976_10_an_error_response_becomes_a_report_with_its_code_unless_reports_are_off) {
  for (const char* wanted : {"yes", "partial"}) {
    relay.send(a, send_frame("t001", use_b + " " + b_uri, a_uri,
                             std::string("Message-ID: m1\r\nFailure-Report: ") + wanted + "\r\n", "hello"));
    EXPECT_EQ(relay.take(a).empty(), std::string(wanted) == "partial");
    const std::string tid = tid_of(relay.take(b));
    relay.send(b, "MSRP " + tid + " 413 Stop\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + b_uri + "\r\n-------" + tid + "$\r\n");
    EXPECT_NE(relay.take(a).find("Status: 000 413 "), std::string::npos) << wanted;
  }
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nFailure-Report: no\r\n", "hello"));
  const std::string tid = tid_of(relay.take(b));
  relay.send(b, "MSRP " + tid + " 413 Stop\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + b_uri + "\r\n-------" + tid + "$\r\n");
  EXPECT_EQ(relay.take(a), "");
  EXPECT_EQ(relay.metrics.get(Metric::relay_transactions), 0U);
}

TEST_F(AliceAndBob, R4975_6_a_body_that_is_still_arriving_is_cut_through_and_interrupted_by_a_response) {
  const std::string whole = send_frame("t001", path_to_b, a_uri, "Message-ID: m1\r\nByte-Range: 1-*/9000\r\n", std::string(9000, 'x'));
  const std::size_t body_at = whole.find("\r\n\r\n") + 4;
  relay.send(a, whole.substr(0, body_at + 1000));
  EXPECT_EQ(relay.take(b), "") << "less than 2048 bytes are not worth a chunk";
  relay.send(a, whole.substr(body_at + 1000, 3000));
  const std::string first = relay.take(b);
  EXPECT_NE(first.find("Byte-Range: 1-*/9000\r\n"), std::string::npos) << first.substr(0, 400);
  EXPECT_FALSE(first.ends_with("+\r\n"));
  EXPECT_EQ(relay.take(a), "") << "the frame has not ended";

  // B sends something: its 200 may not wait for A's chunk to end.
  relay.send(b, send_frame("t900", path_to_a, b_uri, "Message-ID: m9\r\n", "yo"));
  const std::string second = relay.take(b);
  EXPECT_TRUE(second.starts_with("\r\n-------" + tid_of(first) + "+\r\nMSRP t900 200 ")) << second;
  relay.take(a);

  relay.send(a, whole.substr(body_at + 4000));
  const std::string third = relay.take(b);
  EXPECT_NE(third.find("Byte-Range: 4000-9000/9000\r\n"), std::string::npos) << third.substr(0, 400);
  EXPECT_TRUE(third.ends_with("$\r\n"));
  EXPECT_NE(tid_of(third), tid_of(first));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP t001 200 "));
}

TEST_F(AliceAndBob, R4975_5_a_message_interrupted_just_before_its_end_line_ends_with_a_chunk_that_has_bytes) {
  const std::string whole = send_frame("t001", path_to_b, a_uri, "Message-ID: m1\r\n", std::string(9000, 'x'));
  const std::size_t end_line = whole.find("\r\n-------t001$");
  relay.send(a, whole.substr(0, end_line));
  relay.send(b, send_frame("t900", path_to_a, b_uri, "Message-ID: m9\r\n", "yo"));
  relay.take(b);
  relay.send(a, whole.substr(end_line));
  const std::string last = relay.take(b);
  EXPECT_NE(last.find("Byte-Range: 9000-9000/9000\r\n"), std::string::npos) << last;
  EXPECT_NE(last.find("\r\n\r\nx\r\n-------"), std::string::npos) << last;
}

TEST_F(CallerAndBob, R4975_8_partial_runs_no_timer) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nFailure-Report: partial\r\n", "hello"));
  relay.wait(std::chrono::seconds(40));
  EXPECT_EQ(relay.take(a), "");
  EXPECT_EQ(relay.metrics.get(Metric::relay_transactions), 0U);
}

TEST_F(CallerAndBob, R4975_13_only_the_URI_that_was_handed_out_is_that_session) {
  std::string no_port = use_b;
  no_port.erase(no_port.find(":2855"), 5);
  std::string secure = use_b;
  secure.insert(4, "s");
  for (const std::string& wrong : {no_port, secure}) {
    relay.send(a, send_frame("t001", wrong + " " + b_uri, a_uri, "Message-ID: m1\r\n", "hi"));
    EXPECT_TRUE(relay.take(a).starts_with("MSRP t001 481 ")) << wrong;
  }
  EXPECT_EQ(relay.take(b), "");
}

TEST_F(CallerAndBob, R4975_5_a_range_that_starts_behind_its_total_is_refused) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 11-*/10\r\n", "hi"));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP t001 400 "));
  EXPECT_EQ(relay.take(b), "");
}

TEST_F(RelayTest, R4976_6_a_second_relay_that_cannot_be_reached_is_said_so) {
  auto config = default_config();
  config->relay_peers.push_back({"other.example.org", 2855});
  Harness two(config);
  const auto a = two.open();
  const std::string use_a = authenticate_bob(two, a, a_uri);
  two.send(a, "MSRP aut9 AUTH\r\nTo-Path: " + use_a + " msrp://other.example.org:2855;tcp\r\nFrom-Path: " + a_uri +
                  "\r\n-------aut9$\r\n");
  ASSERT_EQ(two.resolves.size(), 1U);
  two.resolved(two.resolves[0].token, {});
  const std::string out = two.take(a);
  EXPECT_TRUE(out.starts_with("MSRP aut9 408 ")) << out;
}

TEST_F(RelayTest, R4976_6_three_failed_AUTHs_further_on_end_the_connection_even_when_the_client_answers_itself) {
  const auto a = relay.open();
  const std::string use_a = authenticate(a, "alice", a_uri);
  for (int i = 0; i < 3 && !relay.closed(a); ++i) {
    const std::string tid = "auth" + std::to_string(i);
    relay.send(a, "MSRP " + tid + " AUTH\r\nTo-Path: " + use_a + " " + a_uri + "\r\nFrom-Path: " + a_uri +
                      "\r\nAuthorization: Digest username=\"x\"\r\n-------" + tid + "$\r\n");
    const std::string out = relay.take(a);
    const std::string asked = tid_of(out);
    relay.send(a, "MSRP " + asked + " 401 No\r\nTo-Path: " + use_a + " " + a_uri + "\r\nFrom-Path: " + a_uri + "\r\n-------" +
                      asked + "$\r\n");
    EXPECT_TRUE(relay.take(a).starts_with("MSRP " + tid + " 401 "));
  }
  EXPECT_TRUE(relay.closed(a));
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
}

TEST_F(RelayTest, X_21_a_sender_that_does_not_read_its_answers_is_held_back) {
  const auto a = relay.open();
  relay.stop_kernel(a, true);
  for (int i = 0; i < 100'000 && !relay.paused(a); ++i) relay.send(a, auth_frame("aut" + std::to_string(i), a_uri, ""));
  EXPECT_TRUE(relay.paused(a));
  relay.stop_kernel(a, false);
  EXPECT_FALSE(relay.paused(a));
}

TEST_F(AliceAndBob, R4976_10_silence_of_a_receiver_whose_own_sending_is_held_back_proves_nothing) {
  const auto c = relay.open();
  relay.stop_kernel(a, true);
  for (int i = 0; i < 100 && !relay.paused(b); ++i) {
    relay.send(b, send_frame("t" + std::to_string(1000 + i), path_to_a, b_uri, "Message-ID: big\r\n",
                             std::string(10'000, 'x')));
  }
  ASSERT_TRUE(relay.paused(b));
  relay.take(b);
  relay.send(c, send_frame("t001", use_b + " " + b_uri, "msrp://c.example.net:1/c;tcp", "Message-ID: m1\r\n", "hi"));
  relay.take(c);
  relay.wait(std::chrono::seconds(40));
  EXPECT_EQ(relay.take(c), "") << "bob may have answered long ago";
  relay.stop_kernel(a, false);
  ASSERT_FALSE(relay.paused(b));
  relay.wait(std::chrono::seconds(65));
  EXPECT_NE(relay.take(c).find("Status: 000 408 "), std::string::npos) << "read again and still silent";
}

TEST_F(CallerAndBob, R4976_8_a_path_that_would_be_too_long_for_the_next_hop_is_refused) {
  std::string from = a_uri;
  for (int i = 0; i < 7; ++i) from += " msrp://r" + std::to_string(i) + ".example.net:2855/r;tcp";
  relay.send(a, send_frame("t001", use_b + " " + b_uri, from, "Message-ID: m1\r\n", "hi"));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP t001 400 "));
  EXPECT_EQ(relay.take(b), "");
  EXPECT_FALSE(relay.closed(a));
}

TEST_F(AliceAndBob, X_02_nobody_else_comes_from_one_of_our_sessions) {
  const auto c = relay.open();
  relay.send(c, send_frame("t001", use_b + " " + b_uri, use_a + " " + a_uri, "Message-ID: m1\r\n", "I am alice"));
  EXPECT_TRUE(relay.take(c).starts_with("MSRP t001 481 "));
  EXPECT_EQ(relay.take(b), "");
}

TEST_F(CallerAndBob, paths_that_change_with_every_request_are_bounded) {
  int refused = 0;
  for (int i = 0; i < 1000; ++i) {
    relay.send(a, send_frame("t" + std::to_string(1000 + i), use_b + " " + b_uri, a_uri + " msrp://x" + std::to_string(i) + ".example:1/x;tcp",
                             "Message-ID: m1\r\n", "hi"));
    if (relay.take(a).find(" 413 ") != std::string::npos) ++refused;
  }
  EXPECT_GT(refused, 700);
  EXPECT_GT(relay.metrics.get(Metric::relay_routes_limit), 700U);
}

TEST_F(RelayTest, memory_that_runs_out_ends_connections_and_nothing_else) {
  for (std::uint64_t heap = 0; heap < 400'000; heap += 20'000) {
    Harness poor(default_config(), {.small_count = 8, .large_count = 2, .arena_count = 2, .heap_bytes_max = heap});
    const auto a = poor.open();
    const auto b = poor.open();
    const std::string use_b = authenticate_bob(poor, b, b_uri);
    poor.keep_blocks = true;
    for (int i = 0; i < 40 && !poor.closed(a) && !poor.closed(b); ++i) {
      const std::string tid = "t" + std::to_string(1000 + i);
      const std::string frame = send_frame(tid, use_b + " " + b_uri, a_uri, "Message-ID: m" + std::to_string(i) + "\r\n", std::string(9000, 'x'));
      poor.send(a, frame.substr(0, 5000));
      poor.send(a, frame.substr(5000));
    }
    poor.keep_blocks = false;
    poor.close(a);
    poor.close(b);
    EXPECT_EQ(poor.service.relay().live_connections(), 0U) << heap;
    EXPECT_EQ(poor.service.relay().live_transactions(), 0U) << heap;
    EXPECT_EQ(poor.service.relay().armed_timers(), 0U) << heap;
  }
}

TEST_F(RelayTest, R4975_12_a_second_connection_may_not_take_over_a_peer_URI_while_the_first_lives_T_69) {
  const auto b = relay.open();
  const auto first = relay.open();
  const auto second = relay.open();
  const std::string use_b = authenticate(b, "bob", b_uri);
  relay.send(first, send_frame("t001", use_b + " " + b_uri, a_uri, "Message-ID: m1\r\n", "hi"));
  EXPECT_TRUE(relay.take(first).starts_with("MSRP t001 200 "));
  relay.send(second, send_frame("t002", use_b + " " + b_uri, a_uri, "Message-ID: m2\r\n", "it is me"));
  EXPECT_TRUE(relay.take(second).starts_with("MSRP t002 506 "));
  relay.close(first);
  relay.send(second, send_frame("t003", use_b + " " + b_uri, a_uri, "Message-ID: m3\r\n", "back again"));
  EXPECT_TRUE(relay.take(second).starts_with("MSRP t003 200 "));
}

TEST_F(CallerAndBob, T_61_a_chunk_of_10_KB_with_an_explicit_end_passes) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 1-10240/20480\r\n",
                           std::string(10'240, 'x'), '+'));
  const std::string out = relay.take(b);
  EXPECT_NE(out.find("Byte-Range: 1-10240/20480\r\n"), std::string::npos);
  EXPECT_TRUE(out.ends_with("+\r\n"));
}

TEST_F(CallerAndBob, T_62_an_absent_Failure_Report_is_answered_at_once_whatever_the_far_end_does) {
  relay.stop_kernel(b, true);
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP t001 200 "));
}

TEST_F(CallerAndBob, T_63_an_answer_to_a_REPORT_is_swallowed) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  relay.take(a);
  relay.send(b, "MSRP r001 REPORT\r\nTo-Path: " + use_b + " " + a_uri + "\r\nFrom-Path: " + b_uri +
                    "\r\nMessage-ID: m1\r\nByte-Range: 1-2/2\r\nStatus: 000 200 OK\r\n-------r001$\r\n");
  const std::string report = relay.take(a);
  EXPECT_NE(report.find("Status: 000 200 OK\r\n"), std::string::npos);
  relay.take(b);
  relay.send(a, ok(tid_of(report), use_b, a_uri));
  EXPECT_EQ(relay.take(b), "");
  EXPECT_EQ(relay.take(a), "");
  EXPECT_FALSE(relay.closed(a));
}

TEST_F(CallerAndBob, T_64_a_REPORT_about_another_range_and_before_the_200_passes) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\nByte-Range: 1-5/5\r\n", "hello"));
  relay.take(a);
  const std::string tid = tid_of(relay.take(b));
  relay.send(b, "MSRP r001 REPORT\r\nTo-Path: " + use_b + " " + a_uri + "\r\nFrom-Path: " + b_uri +
                    "\r\nMessage-ID: m1\r\nByte-Range: 1-3/5\r\nStatus: 000 200 OK\r\n-------r001$\r\n");
  EXPECT_NE(relay.take(a).find("Byte-Range: 1-3/5\r\n"), std::string::npos);
  relay.send(b, ok(tid, use_b, b_uri));
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
}

TEST_F(CallerAndBob, T_67_a_transaction_id_used_twice_is_answered_twice) {
  const std::string once = to_bob("t001", "Message-ID: m1\r\n", "hi");
  relay.send(a, once + once);
  const std::string out = relay.take(a);
  const std::string answer = ok("t001", a_uri, use_b);
  EXPECT_EQ(out, answer + answer);
}

TEST_F(RelayTest, T_71_AUTH_with_Message_ID_and_without_uri_is_accepted) {
  const auto a = relay.open();
  relay.send(a, auth_frame("aut1", a_uri, "Message-ID: x1\r\n"));
  const std::string challenge = relay.take(a);
  relay.send(a, auth_frame("aut2", a_uri, "Message-ID: x2\r\nByte-Range: 1-0/0\r\n" + credentials("alice", challenge)));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP aut2 200 "));
}

TEST_F(CallerAndBob, T_73_a_response_with_the_whole_path_settles_its_transaction) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  relay.send(b, ok(tid_of(relay.take(b)), use_b + " " + a_uri, b_uri));
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
}

TEST_F(CallerAndBob, T_74_an_unknown_code_fails_the_message_and_not_the_session) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  relay.take(a);
  const std::string tid = tid_of(relay.take(b));
  relay.send(b, "MSRP " + tid + " 677 Never heard of\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + b_uri + "\r\n-------" + tid + "$\r\n");
  EXPECT_NE(relay.take(a).find("Status: 000 677 "), std::string::npos);
  relay.send(a, to_bob("t002", "Message-ID: m2\r\n", "again"));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP t002 200 "));
}

TEST_F(RelayTest, a_request_for_a_session_of_another_shard_takes_its_connection_there) {
  const auto a = relay.open();
  char id[core::id128_chars];
  core::id_encode128({77, 88}, id);
  ASSERT_EQ(relay.table.insert(77, {1, 5, 1}), core::SessionTable::Insert::done);
  const std::string frame = send_frame("t001", "msrp://127.0.0.1:2855/" + std::string(id, sizeof id) + ";tcp " + b_uri, a_uri,
                                       "Message-ID: m1\r\n", "hi");
  relay.send(a, frame + frame);
  ASSERT_EQ(relay.hand_overs.size(), 1U);
  EXPECT_EQ(relay.hand_overs[0].shard, 1U);
  EXPECT_EQ(relay.hand_overs[0].unused, frame + frame);
  EXPECT_EQ(relay.take(a), "");
  relay.table.erase(77);
}

TEST_F(RelayTest, operators_see_as_many_sessions_as_they_ask_for) {
  std::vector<core::ConnId> conns;
  for (int i = 0; i < 5; ++i) {
    conns.push_back(relay.open());
    authenticate(conns.back(), "alice", a_uri);
  }
  core::AdminRequest request{1, core::AdminRequest::Kind::list_sessions, "3"};
  core::Input input;
  input.kind = core::Input::Kind::admin;
  input.admin = &request;
  relay.step(input);
  std::size_t listed = 0;
  for (std::size_t at = 0; (at = relay.admin.find("\"user\":\"alice\"", at)) != std::string::npos; ++at) ++listed;
  EXPECT_EQ(listed, 3U);
  EXPECT_EQ(relay.admin.find("msrp://127.0.0.1:2855/"), std::string::npos) << "URIs are secrets";
}

TEST_F(CallerAndBob, R4975_6_a_source_that_dies_in_mid_chunk_aborts_the_message) {
  const std::string whole = to_bob("t001", "Message-ID: m1\r\n", std::string(9000, 'x'));
  relay.send(a, whole.substr(0, 5000));
  const std::string first = relay.take(b);
  relay.close(a);
  EXPECT_EQ(relay.take(b), "\r\n-------" + tid_of(first) + "#\r\n");
}

TEST_F(CallerAndBob, R4976_5_the_URI_dies_with_its_connection) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hello"));
  relay.take(a);
  relay.close(b);
  EXPECT_NE(relay.take(a).find("Status: 000 408 "), std::string::npos) << "the sender learns that its peer has gone";
  relay.send(a, to_bob("t002", "Message-ID: m2\r\n", "hello"));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP t002 481 "));
  EXPECT_EQ(relay.service.relay().live_sessions(), 0U);
}

TEST_F(CallerAndBob, a_slow_receiver_holds_its_sender_back_and_nothing_is_lost) {
  relay.stop_kernel(b, true);
  int sent = 0;
  for (; sent < 100 && !relay.paused(a); ++sent) {
    relay.send(a, send_frame("t" + std::to_string(1000 + sent), use_b + " " + b_uri, a_uri,
                             "Message-ID: m" + std::to_string(sent) + "\r\n", std::string(10'000, 'x')));
  }
  EXPECT_GE(sent, 25);
  EXPECT_LE(sent, 30);
  relay.stop_kernel(b, false);
  EXPECT_FALSE(relay.paused(a));
  EXPECT_EQ(relay.pool.heap_bytes(), 0U);
}

TEST_F(CallerAndBob, R4975_12_peers_of_one_session_are_bounded) {
  auto config = default_config();
  config->peers_per_session_max = 2;
  relay.reload(config);
  std::vector<core::ConnId> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(relay.open());
    const std::string own = "msrp://a.example.net:7777/" + std::to_string(i) + ";tcp";
    relay.send(peers.back(), send_frame("t001", use_b + " " + b_uri, own, "Message-ID: m1\r\n", "hi"));
    EXPECT_TRUE(relay.take(peers.back()).starts_with(i < 2 ? "MSRP t001 200 " : "MSRP t001 413 ")) << i;
  }
  EXPECT_EQ(relay.metrics.get(Metric::relay_peers_limit), 1U);
  EXPECT_EQ(relay.metrics.get(Metric::relay_transactions_limit), 0U);
  relay.close(peers[0]);
  relay.send(peers[2], send_frame("t002", use_b + " " + b_uri, a_uri, "Message-ID: m2\r\n", "hi"));
  EXPECT_TRUE(relay.take(peers[2]).starts_with("MSRP t002 200 "));
}

TEST_F(CallerAndBob, R4975_11_the_rest_of_an_aborted_message_is_refused_while_it_is_remembered) {
  auto config = default_config();
  config->aborted_messages_max = 2;
  relay.reload(config);
  for (int i = 0; i < 3; ++i) {
    const std::string id = "Message-ID: m" + std::to_string(i) + "\r\n";
    const std::string whole = to_bob("t001", id, std::string(9000, 'x'), '+');
    relay.send(a, whole.substr(0, 5000));
    const std::string tid = tid_of(relay.take(b));
    relay.send(b, "MSRP " + tid + " 413 Stop\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + b_uri + "\r\n-------" + tid + "$\r\n");
    relay.send(a, whole.substr(5000));
    relay.take(a);
    relay.take(b);
  }
  EXPECT_EQ(relay.metrics.get(Metric::relay_aborted_limit), 1U);
  for (int i = 0; i < 3; ++i) {
    relay.send(a, to_bob("t002", "Message-ID: m" + std::to_string(i) + "\r\nByte-Range: 9001-9002/9002\r\n", "yz"));
    EXPECT_TRUE(relay.take(a).starts_with(i == 0 ? "MSRP t002 200 " : "MSRP t002 413 ")) << i;
  }
}

TEST_F(RelayTest, R4976_10_a_next_hop_that_can_not_be_reached_is_left_alone_for_a_while) {
  auto config = default_config();
  config->relay_peers = {{"one.example.org", 2855}, {"two.example.org", 2855}};
  config->failed_dials_max = 1;
  config->dial_retry_after = std::chrono::seconds(3);
  Harness hops(config);
  const auto bob = hops.open();
  const std::string use_bob = authenticate_bob(hops, bob, b_uri);
  const auto send_to = [&](const std::string& host) {
    hops.send(bob, send_frame("t001", use_bob + " msrp://" + host + ":2855/x;tcp", b_uri, "Message-ID: m1\r\n", "hi"));
    const std::size_t asked = hops.resolves.size();
    if (asked != 0) {
      hops.resolved(hops.resolves.back().token, {});
      hops.resolves.clear();
    }
    hops.take(bob);
    return asked;
  };
  EXPECT_EQ(send_to("one.example.org"), 1U);
  EXPECT_EQ(send_to("one.example.org"), 0U);
  EXPECT_EQ(hops.metrics.get(Metric::relay_dials_put_off), 1U);
  EXPECT_EQ(send_to("two.example.org"), 1U);
  EXPECT_EQ(hops.metrics.get(Metric::relay_failed_dials_limit), 1U);
  EXPECT_EQ(send_to("one.example.org"), 1U) << "forgotten for the other";
  hops.wait(std::chrono::seconds(3));
  EXPECT_EQ(send_to("one.example.org"), 1U);
  EXPECT_EQ(send_to("two.example.org"), 1U);
}

TEST_F(CallerAndBob, at_rest_nothing_is_left) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", std::string(70'000, 'x')));
  relay.send(a, to_bob("t002", "Message-ID: m1\r\n", std::string(10'000, 'x')).substr(0, 5000));
  relay.close(a);
  relay.close(b);
  EXPECT_EQ(relay.service.relay().live_connections(), 0U);
  EXPECT_EQ(relay.service.relay().live_sessions(), 0U);
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
  EXPECT_EQ(relay.service.relay().armed_timers(), 0U);
  EXPECT_EQ(relay.table.count(), 0U);
}

}  // namespace
}  // namespace parley::testing

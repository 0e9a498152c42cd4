// tests/core/websocket_test.cc - frames of RFC 6455 in and out: its examples, every cut, fragments, violations, limits,
// UTF-8.
#include "core/websocket.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/websocket_story.h"

namespace parley::core {
namespace {

using namespace std::string_literals;
using tests::bare_frame;
using tests::masked_frame;
using tests::WebSocketStory;
using Lines = std::vector<std::string>;
using enum WebSocketOpcode;

constexpr WebSocketConfig server;
constexpr WebSocketConfig client{.side = WebSocketConfig::Side::client};

// The story of the whole stream, after making sure that each single cut and no bytes together tell the same.
Lines story(const std::string& stream, const WebSocketConfig& config = server) {
  WebSocketStory whole(config);
  whole.feed(stream);
  for (std::size_t cut = 0; cut <= stream.size() && stream.size() < 1000; ++cut) {
    WebSocketStory parts(config);
    parts.feed(std::string_view(stream).substr(0, cut));
    parts.feed({});
    parts.feed(std::string_view(stream).substr(cut));
    EXPECT_EQ(parts.lines(), whole.lines()) << "cut at " << cut;
  }
  WebSocketStory bytes(config);
  for (const char byte : stream) bytes.feed({&byte, 1});
  EXPECT_EQ(bytes.lines(), whole.lines()) << "byte by byte";
  return whole.lines();
}

std::string hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 3)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return bytes;
}

// ---- RFC 6455 section 5.7

TEST(WebSocket, R7118_1_a_single_frame_text_message_masked) {
  EXPECT_EQ(story(hex("81 85 37 fa 21 3d 7f 9f 4d 51 58")), Lines{"text Hello"});
}
TEST(WebSocket, a_single_frame_text_message_from_a_server) {
  EXPECT_EQ(story(hex("81 05 48 65 6c 6c 6f"), client), Lines{"text Hello"});
}
TEST(WebSocket, a_fragmented_text_message) {
  EXPECT_EQ(story(hex("01 03 48 65 6c 80 02 6c 6f"), client), Lines{"text Hello"});
}
TEST(WebSocket, ping_and_pong) {
  EXPECT_EQ(story(hex("89 05 48 65 6c 6c 6f"), client), Lines{"ping Hello"});
  EXPECT_EQ(story(hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58")), Lines{"pong Hello"});
  EXPECT_EQ(WebSocketControl::ping("Hello").view(), hex("89 05 48 65 6c 6c 6f"));
  const WebSocketMask mask{0x37, 0xfa, 0x21, 0x3d};
  EXPECT_EQ(WebSocketControl::pong("Hello", &mask).view(), hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"));
}
TEST(WebSocket, headers_of_256_bytes_and_64_kib) {
  EXPECT_EQ(WebSocketHeader({.opcode = binary, .payload_bytes = 256}).view(), hex("82 7e 01 00"));
  EXPECT_EQ(WebSocketHeader({.opcode = binary, .payload_bytes = 65536}).view(), hex("82 7f 00 00 00 00 00 01 00 00"));
  const std::string message(256, 'x');
  EXPECT_EQ(story(hex("82 7e 01 00") + message, client), Lines{"binary " + message});
  const std::string large(65536, 'x');
  EXPECT_EQ(story(hex("82 7f 00 00 00 00 00 01 00 00") + large, client), Lines{"binary " + large});
}

// ---- lengths

TEST(WebSocket, lengths_around_their_forms_come_back) {
  for (const std::size_t size : {0U, 1U, 7U, 8U, 9U, 124U, 125U, 126U, 127U, 128U, 999U, 65535U, 65536U}) {
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>('a' + i % 26);
    EXPECT_EQ(story(masked_frame(text, payload)), Lines{"text " + payload}) << size;
    EXPECT_EQ(story(bare_frame(binary, payload), client), Lines{"binary " + payload}) << size;
    EXPECT_LE(WebSocketHeader({.payload_bytes = size}).view().size(), 10U);
  }
}
TEST(WebSocket, lengths_must_be_in_their_shortest_form) {
  const Lines bad{"error 1002 length not in its shortest form"};
  EXPECT_EQ(story(hex("82 7e 00 7d"), client), bad);
  EXPECT_EQ(story(hex("82 7e 00 00"), client), bad);
  EXPECT_EQ(story(hex("82 7f 00 00 00 00 00 00 ff ff"), client), bad);
  EXPECT_EQ(story(hex("82 7f 80 00 00 00 00 00 00 00"), client), bad);  // the highest bit must be 0
  EXPECT_EQ(story(hex("82 7e 00 7e"), client), Lines{});
}
TEST(WebSocket, a_message_above_the_limit_is_refused_when_its_header_is_read) {
  const Lines bad{"error 1009 message too long"};
  const WebSocketConfig small{.message_bytes_max = 10};
  EXPECT_EQ(story(masked_frame(binary, "0123456789"), small), Lines{"binary 0123456789"});
  EXPECT_EQ(story(masked_frame(binary, "0123456789a"), small), bad);
  EXPECT_EQ(story(hex("82 ff 7f ff ff ff ff ff ff ff 00 00 00 00")), bad);
  const std::string halves = masked_frame(binary, "012345", false);
  EXPECT_EQ(story(halves + masked_frame(continuation, "6789"), small), Lines{"binary 0123456789"});
  EXPECT_EQ(story(halves + masked_frame(continuation, "6789a"), small), bad);
  EXPECT_EQ(story(halves + hex("80 ff 7f ff ff ff ff ff ff ff 00 00 00 00"), small), bad);
  // Each message has the whole of it, and control frames do not count.
  const std::string twice =
      masked_frame(binary, "0123456789") + masked_frame(ping, "ping") + masked_frame(text, "abcdefghij");
  EXPECT_EQ(story(twice, small), (Lines{"binary 0123456789", "ping ping", "text abcdefghij"}));
}
TEST(WebSocket, a_message_may_have_16_frames) {
  std::string frames = masked_frame(binary, "0", false);
  for (int i = 1; i < 15; ++i) frames += masked_frame(continuation, i % 2 == 0 ? "" : "1", false);
  EXPECT_EQ(story(frames + masked_frame(ping, "") + masked_frame(continuation, "2")),
            (Lines{"ping ", "binary 011111112"}));
  EXPECT_EQ(story(frames + masked_frame(continuation, "", false)), Lines{});
  EXPECT_EQ(story(frames + masked_frame(continuation, "", false) + masked_frame(continuation, "2")),
            Lines{"error 1009 too many frames in a message"});
}
TEST(WebSocket, empty_messages_and_frames) {
  EXPECT_EQ(story(masked_frame(text, "")), Lines{"text "});
  EXPECT_EQ(
      story(masked_frame(binary, "", false) + masked_frame(continuation, "", false) + masked_frame(continuation, "")),
      Lines{"binary "});
  EXPECT_EQ(story(masked_frame(binary, "ab", false) + masked_frame(continuation, "")), Lines{"binary ab"});
}

// ---- fragments and control frames

TEST(WebSocket, T_77_frames_and_messages_have_borders_of_their_own) {
  const std::string stream = masked_frame(binary, "first", false) + masked_frame(ping, "one") +
                             masked_frame(continuation, " second", false) + masked_frame(pong, "") +
                             masked_frame(continuation, " third") + masked_frame(text, "next");
  EXPECT_EQ(story(stream), (Lines{"ping one", "pong ", "binary first second third", "text next"}));
}
TEST(WebSocket, data_is_told_as_it_comes) {
  WebSocketReader reader(server);
  std::string bytes = masked_frame(binary, "abcdef");
  std::span<char> head(bytes.data(), 9);
  WebSocketEvent event = reader.read(head);
  EXPECT_EQ(event.bytes, "abc");
  EXPECT_FALSE(event.ends_message);
  EXPECT_EQ(reader.read(head).kind, WebSocketEvent::Kind::none);
  EXPECT_TRUE(reader.within_message());
  std::span<char> tail(bytes.data() + 9, bytes.size() - 9);
  event = reader.read(tail);
  EXPECT_EQ(event.bytes, "def");
  EXPECT_TRUE(event.ends_message);
  EXPECT_FALSE(reader.within_message());
}
TEST(WebSocket, messages_do_not_nest_and_nothing_continues_nothing) {
  EXPECT_EQ(story(masked_frame(text, "a", false) + masked_frame(text, "b")),
            Lines{"error 1002 message within a message"});
  EXPECT_EQ(story(masked_frame(text, "a", false) + masked_frame(binary, "b")),
            Lines{"error 1002 message within a message"});
  EXPECT_EQ(story(masked_frame(continuation, "b")), Lines{"error 1002 nothing to continue"});
  EXPECT_EQ(story(masked_frame(text, "a") + masked_frame(continuation, "b")),
            (Lines{"text a", "error 1002 nothing to continue"}));
}
TEST(WebSocket, control_frames_are_short_and_whole) {
  EXPECT_EQ(story(masked_frame(ping, std::string(125, 'p'))), Lines{"ping " + std::string(125, 'p')});
  EXPECT_EQ(story(masked_frame(ping, std::string(126, 'p'))), Lines{"error 1002 control frame too long"});
  EXPECT_EQ(story(hex("88 ff")), Lines{"error 1002 control frame too long"});
  for (const WebSocketOpcode opcode : {close, ping, pong})
    EXPECT_EQ(story(masked_frame(opcode, "", false)), Lines{"error 1002 fragmented control frame"});
}

// ---- violations

TEST(WebSocket, clients_mask_and_servers_do_not) {
  EXPECT_EQ(story(bare_frame(text, "a")), Lines{"error 1002 masking"});
  EXPECT_EQ(story(masked_frame(text, "a"), client), Lines{"error 1002 masking"});
  EXPECT_EQ(story(masked_frame(text, "a", true, {})), Lines{"text a"});
}
TEST(WebSocket, reserved_bits_and_opcodes_are_errors) {
  for (const int bits : {0x10, 0x20, 0x40, 0x70})
    EXPECT_EQ(story(std::string(1, static_cast<char>(0x81 | bits))), Lines{"error 1002 reserved bits"});
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    EXPECT_EQ(story(std::string(1, static_cast<char>(0x80 | opcode))), Lines{"error 1002 unknown opcode"});
    EXPECT_EQ(story(std::string(1, static_cast<char>(opcode))), Lines{"error 1002 unknown opcode"});
  }
}
TEST(WebSocket, after_an_error_or_a_close_it_is_over) {
  EXPECT_EQ(story(hex("83") + masked_frame(text, "late")), Lines{"error 1002 unknown opcode"});
  EXPECT_EQ(story(masked_frame(close, "") + masked_frame(text, "late")), Lines{"close 1005 "});
}

// ---- close

std::string close_payload(unsigned code, const std::string& reason = "") {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} + reason;
}
TEST(WebSocket, close_tells_code_and_reason) {
  EXPECT_EQ(story(masked_frame(close, "")), Lines{"close 1005 "});
  EXPECT_EQ(story(masked_frame(close, close_payload(1000))), Lines{"close 1000 "});
  EXPECT_EQ(story(masked_frame(close, close_payload(1001, "going"))), Lines{"close 1001 going"});
  EXPECT_EQ(story(masked_frame(text, "a", false) + masked_frame(close, close_payload(1000))), Lines{"close 1000 "});
  EXPECT_EQ(story(masked_frame(close, "\x03")), Lines{"error 1002 bad close payload"});
  EXPECT_EQ(story(masked_frame(close, close_payload(1000, "\xc3"))), Lines{"error 1007 not UTF-8"});
  EXPECT_EQ(story(masked_frame(close, close_payload(1000, std::string(123, 'r')))),
            Lines{"close 1000 " + std::string(123, 'r')});
}
TEST(WebSocket, close_codes) {
  for (const unsigned code :
       {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U, 1013U, 1014U, 3000U, 3999U, 4000U, 4999U})
    EXPECT_EQ(story(masked_frame(close, close_payload(code))), Lines{"close " + std::to_string(code) + " "});
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 1100U, 2000U, 2999U, 5000U, 65535U})
    EXPECT_EQ(story(masked_frame(close, close_payload(code))), Lines{"error 1002 bad close payload"}) << code;
}
TEST(WebSocket, close_frames_of_our_own) {
  EXPECT_EQ(WebSocketControl::close(1002).view(), hex("88 02 03 ea"));
  EXPECT_EQ(WebSocketControl::close(1005).view(), hex("88 00"));
  EXPECT_EQ(WebSocketControl::close(1000, "bye").view(), hex("88 05 03 e8 62 79 65"));
  const WebSocketMask mask{1, 2, 3, 4};
  EXPECT_EQ(story(std::string(WebSocketControl::close(4000, "bye", &mask).view())), Lines{"close 4000 bye"});
  // 123 bytes are left for a reason; no character is cut in two.
  EXPECT_EQ(story(std::string(WebSocketControl::close(1000, std::string(122, 'r') + "\xc3\xa4").view()), client),
            Lines{"close 1000 " + std::string(122, 'r')});
  EXPECT_EQ(story(std::string(WebSocketControl::close(1000, std::string(200, 'r')).view()), client),
            Lines{"close 1000 " + std::string(123, 'r')});
}

// ---- text

TEST(WebSocket, T_77_text_that_is_not_utf8_ends_it) {
  const Lines bad{"error 1007 not UTF-8"};
  EXPECT_EQ(story(masked_frame(text, "a\xff z")), bad);
  EXPECT_EQ(story(masked_frame(text, "a\xe2\x82")), bad);  // ends within a character
  EXPECT_EQ(story(masked_frame(text, "\xe2\x82", false) + masked_frame(continuation, "")), bad);
  EXPECT_EQ(
      story(masked_frame(text, "\xe2", false) + masked_frame(ping, "\xff") + masked_frame(continuation, "\x82\xac")),
      (Lines{"ping \xff", "text \xe2\x82\xac"}));
  EXPECT_EQ(story(masked_frame(binary, "a\xff z")), Lines{"binary a\xff z"});
  // The check begins anew with each message.
  EXPECT_EQ(story(masked_frame(binary, "\xe2\x82") + masked_frame(text, "\xac")), (Lines{"binary \xe2\x82", bad[0]}));
}
TEST(WebSocket, the_text_check_can_be_left_out) {
  const WebSocketConfig unchecked{.check_utf8 = false};
  EXPECT_EQ(story(masked_frame(text, "a\xff z"), unchecked), Lines{"text a\xff z"});
  EXPECT_EQ(story(masked_frame(close, close_payload(1000, "\xff")), unchecked), Lines{"error 1007 not UTF-8"});
}
TEST(WebSocket, bad_text_is_refused_at_the_byte_that_shows_it) {
  WebSocketStory partly(server);
  const std::string frame = masked_frame(text, "fine \xf4\x90 and much more");
  partly.feed(std::string_view(frame).substr(0, 6 + 6));
  EXPECT_TRUE(partly.lines().empty());
  partly.feed(std::string_view(frame).substr(6 + 6, 1));
  EXPECT_EQ(partly.lines(), Lines{"error 1007 not UTF-8"});
}

TEST(Utf8Check, good_text) {
  for (const std::string& each :
       {""s, "ascii only, longer than eight"s, "\x00\x7f"s, "\xc2\x80"s, "\xdf\xbf"s, "\xe0\xa0\x80"s, "\xe1\x80\x80"s,
        "\xed\x9f\xbf"s, "\xee\x80\x80"s, "\xef\xbf\xbd"s, "\xef\xbf\xbf"s, "\xf0\x90\x80\x80"s, "\xf1\x80\x80\x80"s,
        "\xf4\x8f\xbf\xbf"s, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"s, "1234567\xc3\xa4"s,
        "12345678\xc3\xa4 12345678"s}) {
    Utf8Check check;
    EXPECT_TRUE(check.take(each) && check.whole()) << testing::PrintToString(each);
    check.reset();
    for (const char byte : each) EXPECT_TRUE(check.take({&byte, 1}));
    EXPECT_TRUE(check.whole());
  }
}
TEST(Utf8Check, bad_text) {
  for (const std::string& each : {"\x80"s,
                                  "\xbf"s,
                                  "\xc0\x80"s,
                                  "\xc1\xbf"s,
                                  "\xe0\x80\x80"s,
                                  "\xe0\x9f\xbf"s,
                                  "\xed\xa0\x80"s,
                                  "\xed\xbf\xbf"s,
                                  "\xf0\x80\x80\x80"s,
                                  "\xf0\x8f\xbf\xbf"s,
                                  "\xf4\x90\x80\x80"s,
                                  "\xf5\x80\x80\x80"s,
                                  "\xf8\x88\x80\x80\x80"s,
                                  "\xfc\x84\x80\x80\x80\x80"s,
                                  "\xfe"s,
                                  "\xff"s,
                                  "\xc3("s,
                                  "\xe2\x82("s,
                                  "\xf0\x90\x80("s,
                                  "\xc3\xc3"s,
                                  "12345678\xff"s}) {
    Utf8Check check;
    EXPECT_FALSE(check.take(each)) << testing::PrintToString(each);
    EXPECT_FALSE(check.take("a")) << "it stays wrong";
    Utf8Check slow;
    bool good = true;
    for (const char byte : each) good = slow.take({&byte, 1});
    EXPECT_FALSE(good);
  }
}
TEST(Utf8Check, a_character_cut_short_is_not_whole) {
  for (const std::string& each : {"\xc3"s, "\xe2\x82"s, "\xf0\x90\x80"s, "abc\xf0"s}) {
    Utf8Check check;
    EXPECT_TRUE(check.take(each));
    EXPECT_FALSE(check.whole());
  }
}

// ---- masks

TEST(WebSocket, a_mask_applied_in_pieces_is_the_mask_applied_at_once) {
  const WebSocketMask mask{0x11, 0x22, 0x44, 0x88};
  const std::string clear(67, 'q');
  std::string expected = clear;
  for (std::size_t i = 0; i < clear.size(); ++i)
    expected[i] = static_cast<char>(clear[i] ^ static_cast<char>(mask[i % 4]));
  for (std::size_t cut = 0; cut <= clear.size(); ++cut) {
    std::string bytes = clear;
    apply_mask(std::span(bytes).first(cut), mask);
    apply_mask(std::span(bytes).subspan(cut), mask, cut);
    EXPECT_EQ(bytes, expected) << cut;
  }
}

}  // namespace
}  // namespace parley::core

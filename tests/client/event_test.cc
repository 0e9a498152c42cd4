// Events as lines.
#include "tools/parley/event.h"

#include <gtest/gtest.h>

#include "tools/parley/disk_files.h"
#include "tools/parley/plain_text.h"

namespace parley::tests {
namespace {

using client::Event;

TEST(Json, one_line_whatever_peers_send) {
  Event event("message");
  event.text("text", "a\n\"b\"\x01\xff").number("ticket", 7).flag("good", true).list("users", {"x", "y"});
  const std::string line = client::to_json(event);
  EXPECT_EQ(line,
            "{\"event\":\"message\",\"text\":\"a\\n\\\"b\\\"\\u0001\xef\xbf\xbd\",\"ticket\":7,\"good\":true,\"users\":"
            "[\"x\",\"y\"]}");
}

TEST(PlainText, nobody_drives_the_terminal) {
  Event event("message");
  event.text("from", "sip:a\x1b[2J@x").text("text", "hi\x1b]0;t\x07\nthere");
  EXPECT_EQ(client::plain_text(event), "sip:a?[2J@x: hi?]0;t?\n  there");
}

TEST(PlainText, controls_are_none_in_any_form_and_letters_stay) {
  const auto line = [](std::string_view text) { return client::harmless(text, false); };
  EXPECT_EQ(line("a\x9b"
                 "2Jb"), "a?2Jb");
  EXPECT_EQ(line("a\xc2\x9b"
                 "2Jb\xc2\x80\xc2\x9f"), "a?2Jb??");
  EXPECT_EQ(line("\xe0\x82\x9b"), "???") << "overlong";
  EXPECT_EQ(line("\xc2"), "?");
  EXPECT_EQ(line("\xc2\xa0 \xc3\xa4 \xe2\x80\x93 \xf0\x9f\x98\x80"), "\xc2\xa0 \xc3\xa4 \xe2\x80\x93 \xf0\x9f\x98\x80");
  EXPECT_EQ(line("\xc3\xa4\xe2\x80\x1b[2J"), "\xc3\xa4???[2J");
  EXPECT_EQ(client::harmless("a\r\nb\tc\x7f", true), "a\nb\tc?");
}

TEST(PlainText, a_name_does_not_turn_the_sentence_that_it_stands_in) {
  for (const char* hidden : {"\xd8\x9c", "\xe2\x80\x8b", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa",
                             "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9", "\xef\xbb\xbf"}) {
    Event event("message");
    event.text("from", "sip:a@x").text("name", std::string("A") + hidden + "B").text("text", std::string("t") + hidden);
    EXPECT_EQ(client::plain_text(event), std::string("A?B: t") + hidden) << "a text is its own line";
    event = Event("file");
    event.text("from", "sip:a@x").text("name", "n").number("size", 1).text("path", std::string("/x") + hidden + "gnp");
    EXPECT_EQ(client::plain_text(event), "sip:a@x: [n, 1 bytes: /x?gnp]");
  }
  // Those next to them are letters and signs.
  for (const char* seen : {"\xd8\x9b", "\xe2\x80\x8a", "\xe2\x80\x90", "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\x9f",
                           "\xe2\x81\xb0", "\xd7\x90"}) {
    EXPECT_EQ(client::harmless(seen, false), seen);
  }
}

TEST(PlainText, what_is_not_saved_is_said) {
  Event event("message");
  event.text("from", "sip:a@x").text("type", "image/png").number("size", 7).text("path", "/x.part");
  event.flag("good", false).text("why", "full");
  EXPECT_EQ(client::plain_text(event), "sip:a@x: [image/png, 7 bytes, not saved: full]");
}

TEST(PlainText, what_is_no_text_is_named) {
  Event saved("part");
  saved.text("from", "sip:a@x")
      .text("type", "image/\x1b")
      .number("size", 7)
      .text("path", "/x\n.png")
      .flag("good", true);
  EXPECT_EQ(client::plain_text(saved), "sip:a@x: [image/?, 7 bytes: /x?.png]");
  Event told("message");
  told.text("from", "sip:a@x").text("name", "A").text("type", "image/png").number("size", 0).text("base64", "");
  EXPECT_EQ(client::plain_text(told), "A: [image/png, 0 bytes]");
}

TEST(PlainText, what_happens_is_said_in_words) {
  const auto line = [](Event event) { return client::plain_text(event); };
  EXPECT_EQ(line(Event("registered").text("user", "sip:a@x").number("expires", 60)), "* registered as sip:a@x");
  EXPECT_EQ(line(Event("register_failed").text("user", "sip:a@x").number("status", 403)),
            "* not registered: 403 Forbidden");
  EXPECT_EQ(line(Event("register_failed").text("user", "sip:a@x").number("status", 401)),
            "* not registered: 401, the password is refused");
  EXPECT_EQ(line(Event("register_failed").text("user", "sip:a@x").number("status", 503)),
            "* not registered: 503 Service Unavailable; it is tried again");
  EXPECT_EQ(
      line(Event("session").number("session", 1).text("state", "ended").text("peer", "sip:b@x").text("why", "486\x1b")),
      "* session 1 with sip:b@x: ended, 486?");
  EXPECT_EQ(line(Event("invited")
                     .number("session", 2)
                     .text("from", "sip:b@x")
                     .text("kind", "chat")
                     .text("subject", "lunch\n")
                     .flag("accepted", false)),
            "* sip:b@x invites: lunch?; /accept 2 or /decline 2");
  EXPECT_EQ(line(Event("invited")
                     .number("session", 2)
                     .text("from", "sip:b@x")
                     .text("kind", "file")
                     .flag("accepted", true)
                     .text("file", "a\x07.png")
                     .number("size", 9)),
            "* sip:b@x sends the file a?.png, 9 bytes");
  EXPECT_EQ(line(Event("file")
                     .number("session", 2)
                     .text("from", "sip:b@x")
                     .text("name", "a.png")
                     .number("size", 9)
                     .flag("good", true)
                     .text("path", "./a.png")),
            "sip:b@x: [a.png, 9 bytes: ./a.png]");
  EXPECT_EQ(line(Event("settings").flag("invisible", true).flag("pager-barring", false)),
            "invisible=on pager-barring=off");
  EXPECT_EQ(
      line(Event("roster").number("session", 1).list("users", {"sip:a@x", "sip:b@\x1b"}).list("names", {"A", "B"})),
      "* in session 1: sip:a@x sip:b@?");
}

TEST(FileNames, T_46_a_peer_chooses_no_directory) {
  EXPECT_EQ(client::safe_name("../../etc/passwd"), "passwd");
  EXPECT_EQ(client::safe_name("..\\boot.ini"), "boot.ini");
  EXPECT_EQ(client::safe_name(".."), "file");
  EXPECT_EQ(client::safe_name(".bashrc"), "bashrc");
  EXPECT_EQ(client::safe_name("a\nb"), "ab");
  EXPECT_EQ(client::safe_name(""), "file");
  EXPECT_LE(client::safe_name(std::string(1000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace parley::tests

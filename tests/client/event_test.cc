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
  EXPECT_EQ(client::plain_text(event), "sip:a?[2J@x: hi?]0;t?\nthere");
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

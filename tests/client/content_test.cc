// What the user sees of a message, and what his own are wrapped in.
#include "tools/parley/content.h"

#include <gtest/gtest.h>

namespace parley::tests {
namespace {

using namespace client;

CpimWish hello() {
  CpimWish wish;
  wish.from_name = "Alice";
  wish.from_uri = "sip:alice@example.org";
  wish.to_uri = "sip:bob@example.org";
  wish.wall_ms = 1'700'000'000'000;
  wish.content_type = "text/plain;charset=utf-8";
  wish.body = "hello";
  return wish;
}

TEST(Cpim, R3862_1_two_blocks_and_two_blank_lines) {
  EXPECT_EQ(
      wrap_cpim(hello()),
      "From: \"Alice\" <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nDateTime: 2023-11-14T22:13:20Z\r\n\r\n"
      "Content-Type: text/plain;charset=utf-8\r\n\r\nhello");
}

TEST(Cpim, SEED3_8_1_1_10_R5438_1_a_receipt_is_asked_for_with_a_name_and_a_date) {
  CpimWish wish = hello();
  wish.imdn_id = "m1";
  wish.want_delivery = wish.want_display = true;
  const Content content = read_content("message/cpim", wrap_cpim(wish));
  EXPECT_TRUE(content.wrapped);
  EXPECT_EQ(content.imdn_id, "m1");
  EXPECT_TRUE(content.wants_delivery);
  EXPECT_TRUE(content.wants_display);
  EXPECT_EQ(content.date, "2023-11-14T22:13:20Z");
  EXPECT_EQ(content.from_uri, "sip:alice@example.org");
  EXPECT_EQ(content.from_name, "Alice");
  EXPECT_EQ(content.type, "text/plain");
  EXPECT_EQ(content.body, "hello");
}

TEST(Imdn, R5438_1_what_is_written_is_read) {
  for (const Disposition disposition : {Disposition::delivered, Disposition::displayed, Disposition::failed}) {
    CpimWish wish = hello();
    wish.is_notification = true;
    wish.imdn_id = "n1";
    wish.content_type = "message/imdn+xml";
    wish.body = imdn_document("m1", disposition, "sip:bob@example.org", 0);
    const Content content = read_content("message/cpim", wrap_cpim(wish));
    ASSERT_TRUE(content.imdn) << wish.body;
    EXPECT_EQ(content.imdn->message_id, "m1");
    EXPECT_EQ(content.imdn->disposition, disposition);
    EXPECT_EQ(content.imdn->recipient, "sip:bob@example.org");
  }
}

TEST(Imdn, R5438_2_a_notification_asks_for_none) {
  CpimWish wish = hello();
  wish.is_notification = true;
  wish.imdn_id = "n1";
  wish.want_delivery = true;
  const std::string text = wrap_cpim(wish);
  EXPECT_EQ(text.find("Disposition-Notification"), std::string::npos);
  EXPECT_NE(text.find("Content-Disposition: notification"), std::string::npos);
}

TEST(Imdn, R5438_3_the_recorded_route_is_gone_back) {
  CpimWish wish = hello();
  wish.is_notification = true;
  wish.imdn_id = "n1";
  wish.imdn_route = {"<sip:list@example.org>"};
  EXPECT_NE(wrap_cpim(wish).find("imdn.IMDN-Route: <sip:list@example.org>\r\n"), std::string::npos);
}

TEST(Imdn, OMA_ALIAS_4_nobody_anonymous_gets_a_receipt) {
  CpimWish wish = hello();
  wish.from_uri = "sip:anonymous1@anonymous.invalid";
  wish.imdn_id = "m1";
  wish.want_delivery = true;
  EXPECT_FALSE(read_content("message/cpim", wrap_cpim(wish)).wants_delivery);
}

TEST(Read, T_90_of_several_parts_the_text_is_shown) {
  const Content content = read_content("multipart/mixed;boundary=b",
                                       "--b\r\nContent-Type: application/resource-lists+xml\r\n\r\n<x/>\r\n"
                                       "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b--\r\n");
  EXPECT_EQ(content.body, "hi");
  EXPECT_EQ(content.type, "text/plain");
  EXPECT_TRUE(content.more.empty()) << "who else got it is no content";
}

TEST(Read, T_90_what_stands_beside_the_text_is_not_lost) {
  const std::string inner = "--c\r\nContent-Type: text/html\r\n\r\n<b>\r\n--c\r\n\r\nplain\r\n--c--";
  const Content content = read_content("multipart/mixed;boundary=b",
                                       "--b\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n"
                                       "--b\r\nContent-Type: multipart/alternative;boundary=c\r\n\r\n" +
                                           inner + "\r\n--b\r\nContent-Type: Text/Plain\r\n\r\nend\r\n--b--\r\n");
  EXPECT_EQ(content.body, "plain");
  ASSERT_EQ(content.more.size(), 2U);
  EXPECT_EQ(content.more[0].type, "image/png");
  EXPECT_EQ(content.more[0].body, "\x89PNG");
  EXPECT_EQ(content.more[1].body, "end");
}

TEST(Read, T_90_of_alternatives_without_text_the_last_is_the_best) {
  const Content content = read_content("multipart/alternative;boundary=b",
                                       "--b\r\nContent-Type: image/gif\r\n\r\ngif\r\n"
                                       "--b\r\nContent-Type: image/png\r\n\r\npng\r\n--b--\r\n");
  EXPECT_EQ(content.type, "image/png");
  EXPECT_TRUE(content.more.empty());
}

TEST(Read, a_message_of_more_parts_than_anybody_sends_is_one) {
  std::string inner = "--c\r\n\r\nx\r\n--c\r\n\r\ny\r\n--c\r\n\r\nz\r\n--c--";
  std::string body;
  for (int i = 0; i < 10; ++i) body += "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n" + inner + "\r\n";
  const Content content = read_content("multipart/mixed;boundary=b", body + "--b--\r\n");
  EXPECT_EQ(content.body, "x");
  ASSERT_EQ(content.more.size(), 5U * 3 - 1 + 5);
  EXPECT_EQ(content.more.back().type, "multipart/mixed");
}

TEST(Read, what_is_broken_is_shown_as_it_is) {
  for (const char* type :
       {"message/cpim", "multipart/mixed", "multipart/mixed;boundary=x", ";;", "", "message/imdn+xml"}) {
    const Content content = read_content(type, std::string("\0no\nsense", 9));
    EXPECT_FALSE(content.imdn) << type;
    EXPECT_FALSE(content.wants_delivery) << type;
  }
}

}  // namespace
}  // namespace parley::tests

// tools/parley-load/test/pager_text_test.cc - bodies of pager messages, and what is none.
#include "tools/parley-load/pager_text.h"

#include <gtest/gtest.h>

namespace parley::load {
namespace {

constexpr std::string_view kRun = "00c0ffee";

TEST(PagerText, AStampIsReadBackAndNoOther) {
  std::string text;
  put_stamp(text, kRun, {{.slot = 7, .serial = 0x123456789a, .attempt = 0}, 99});
  EXPECT_EQ(text.size(), kPagerStampBytes);
  text += "rest";
  for (size_t cut = 0; cut < kPagerStampBytes; ++cut) {
    std::string_view less = std::string_view(text).substr(0, cut);
    PagerStamp stamp;
    EXPECT_FALSE(take_stamp(less, kRun, stamp)) << cut;
  }
  std::string_view whole = text;
  PagerStamp stamp;
  EXPECT_FALSE(take_stamp(whole, "00c0ffef", stamp));
  ASSERT_TRUE(take_stamp(whole, kRun, stamp));
  EXPECT_EQ(stamp.id.slot, 7U);
  EXPECT_EQ(stamp.id.serial, 0x123456789aU);
  EXPECT_EQ(stamp.number, 99U);
  EXPECT_EQ(whole, "rest");
}

TEST(PagerText, TheTextIsFoundWhereverItIsWrapped) {
  std::string cpim;
  put_cpim_head(cpim, "sip:a@b", "sip:c@d", "2026-01-01T00:00:00Z", "m1");
  cpim += "hello\r\n\r\nyou";
  EXPECT_EQ(pager_text_of("text/plain", "hello"), "hello");
  EXPECT_EQ(pager_text_of("Message/CPIM", cpim), "hello\r\n\r\nyou");
  std::string mixed;
  begin_list(mixed);
  put_list_entry(mixed, "sip:c@d");
  end_list(mixed, "message/cpim");
  mixed += cpim;
  mixed += kMixedEnd;
  EXPECT_EQ(pager_text_of(kMixedType, mixed), "hello\r\n\r\nyou");
  EXPECT_EQ(pager_text_of("multipart/mixed; boundary=\"b 1\"; x=y", "--b 1\r\n\r\nhi\r\n--b 1--\r\n"), "hi");
  EXPECT_EQ(pager_text_of("multipart/mixed;boundary=b", "--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n"), "");
  EXPECT_EQ(pager_text_of("multipart/mixed;boundary=b", "--b\r\n\r\ncut"), "");
  EXPECT_EQ(pager_text_of("multipart/mixed", "--b\r\n\r\nhi\r\n--b--\r\n"), "");
  EXPECT_EQ(pager_text_of("message/cpim", "From: <sip:a@b>\r\n\r\nno second head"), "");
}

}  // namespace
}  // namespace parley::load

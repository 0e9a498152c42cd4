// tools/parley-load/test/frame_test.cc - heads, end-lines and the search for them, cut at every byte.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tools/parley-load/frame.h"

namespace parley::load {
namespace {

constexpr std::string_view kSend =
    "MSRP d93kswow SEND\r\nTo-Path: msrp://b.example:8888/9di4eae923wzd;tcp\r\n"
    "From-Path: msrp://r.example:1/x;tcp msrp://a.example:7654/iau39soe2843z;tcp\r\nMessage-ID: 12339sdqwer\r\n"
    "byte-range: 1-16/16\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\nContent-Type: text/plain\r\n\r\n";

TEST(Frame, AHeadIsReadWholeAndNeverHalf) {
  const std::string frame = std::string(kSend) + "Hi, I'm Alice!\r\n\r\n-------d93kswow$\r\n";
  Head head;
  const char* why = "";
  for (size_t cut = 0; cut < kSend.size(); ++cut)
    ASSERT_EQ(parse_head(std::string_view(frame).substr(0, cut), head, &why), HeadResult::more) << cut;
  ASSERT_EQ(parse_head(frame, head, &why), HeadResult::done) << why;
  EXPECT_EQ(head.size_bytes, kSend.size());
  EXPECT_EQ(head.method, Method::send);
  EXPECT_EQ(head.tid, "d93kswow");
  EXPECT_EQ(first_uri(head.from_path), "msrp://r.example:1/x;tcp");
  EXPECT_EQ(head.message_id, "12339sdqwer");
  EXPECT_TRUE(head.has_body && head.has_range && head.success_report);
  EXPECT_EQ(head.failure_report, FailureReport::partial);
  EXPECT_EQ(head.range.end, 16U);
}

TEST(Frame, TheEndLineIsFoundAtEveryCutAndNothingElseIsTakenForIt) {
  const std::string body = "a\r\n-------abcd\r\n-------abcde$\r\n-------abc$\r\n-------abcd*\r\n-------abcd+x\r\n--";
  const std::string stream = body + "\r\n-------abcd+\r\nMSRP next";
  EndMark mark;
  mark.set("abcd");
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    std::string got;
    std::string waiting;
    size_t ended_at = 0;
    char flag = 0;
    for (const std::string& part : {stream.substr(0, cut), stream.substr(cut)}) {
      if (flag != 0) break;
      waiting += part;
      const BodyScan scan = mark.scan(waiting);
      got += waiting.substr(0, scan.body_bytes);
      flag = scan.flag;
      ended_at = scan.used_bytes;
      if (flag == 0)
        waiting.erase(0, scan.body_bytes);
      else
        EXPECT_EQ(waiting.substr(ended_at), std::string("MSRP next").substr(0, waiting.size() - ended_at));
    }
    EXPECT_EQ(flag, '+') << cut;
    EXPECT_EQ(got, body) << cut;
  }
}

TEST(Frame, ResponsesAndBodilessRequestsEndWithTheirHead) {
  Head head;
  const char* why = "";
  const std::string ok = "MSRP Labc 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------Labc$\r\n";
  for (size_t cut = 0; cut < ok.size(); ++cut)
    ASSERT_EQ(parse_head(std::string_view(ok).substr(0, cut), head, &why), HeadResult::more);
  ASSERT_EQ(parse_head(ok, head, &why), HeadResult::done);
  EXPECT_EQ(head.method, Method::response);
  EXPECT_EQ(head.code, 200U);
  EXPECT_EQ(head.size_bytes, ok.size());
  ASSERT_EQ(parse_head("MSRP Labc REPORT\r\nTo-Path: a\r\nFrom-Path: b\r\nStatus: 000 413 no\r\n-------Labc$\r\n", head,
                       &why),
            HeadResult::done);
  EXPECT_EQ(parse_status(head.status), 413U);
}

TEST(Frame, WhatIsNoFrameIsRefused) {
  const std::vector<std::string> wrong = {"HTTP/1.1 200 OK\r\n",
                                          "MSRP abc SEND\r\n",
                                          "MSRP abcd send\r\n",
                                          "MSRP abcd 20 OK\r\n",
                                          "MSRP abcd SEND\nTo-Path: a\r\n",
                                          "MSRP abcd SEND\r\nTo-Path a\r\n",
                                          "MSRP abcd 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------abce$\r\n",
                                          "MSRP abcd 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------abcd?\r\n",
                                          "MSRP abcd 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n\r\n",
                                          "MSRP abcd SEND\r\nFrom-Path: b\r\n-------abcd$\r\n",
                                          "MSRP abcd SEND\r\nByte-Range: 1-x/3\r\n",
                                          "MSRP abcd SEND\r\n" + std::string(kHeadBytesMax, 'x')};
  for (const std::string& text : wrong) {
    Head head;
    const char* why = "";
    EXPECT_EQ(parse_head(text, head, &why), HeadResult::bad) << text.substr(0, 60);
  }
}

TEST(Frame, RangesMayHaveStarsAnd64Bits) {
  ByteRange range;
  ASSERT_TRUE(parse_range("1-*/*", range));
  EXPECT_EQ(range.end, kRangeUnknown);
  EXPECT_EQ(range.total, kRangeUnknown);
  ASSERT_TRUE(parse_range("5000000000-5000000009/6000000000", range));
  EXPECT_EQ(range.start, 5000000000ULL);
  EXPECT_FALSE(parse_range("*-1/2", range));
  EXPECT_FALSE(parse_range("1-2", range));
  EXPECT_FALSE(parse_range("99999999999999999999-2/3", range));
}

}  // namespace
}  // namespace parley::load

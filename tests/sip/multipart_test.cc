// tests/sip/multipart_test.cc - Content-Type values and the parts of multipart bodies.
#include "sip/multipart.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sip/content_type.h"
#include "sip/head.h"
#include "sip/value.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

ContentType type_of(std::string_view value) {
  ContentType content;
  EXPECT_TRUE(parse_content_type(value, content)) << value;
  return content;
}

TEST(ContentType, R3261_16_BlanksFoldsQuotesAndCase) {
  const ContentType content = type_of(" Multipart / Mixed\r\n ; Boundary = \"a;b, c\" ; start=x;charset=UTF-8");
  EXPECT_TRUE(is_type(content, "multipart", "mixed"));
  EXPECT_FALSE(is_type(content, "multipart", "mixe"));
  EXPECT_EQ(find_param(content.parameters, "boundary"), "a;b, c");
  EXPECT_EQ(find_param(content.parameters, "charset"), "UTF-8");
  EXPECT_FALSE(has_param(content.parameters, "bound"));
  EXPECT_TRUE(is_type(type_of("application/im-iscomposing+xml"), "application", "im-iscomposing+xml"));
}

TEST(ContentType, WhatIsNone) {
  ContentType content;
  for (const char* value : {"", "text", "text/", "/plain", "text/pla in", "text/plain;=x", "text/plain;charset=\"x",
                            "text/plain, text/html", "text/plain x", "te(xt/plain"}) {
    EXPECT_FALSE(parse_content_type(value, content)) << value;
  }
}

TEST(ContentType, T_50_DispositionWithHandling) {
  ContentDisposition disposition;
  ASSERT_TRUE(parse_content_disposition("recipient-list; Handling=OPTIONAL", disposition));
  EXPECT_EQ(disposition.type, "recipient-list");
  EXPECT_TRUE(disposition.optional);
  ASSERT_TRUE(parse_content_disposition("session;handling=required", disposition));
  EXPECT_FALSE(disposition.optional);
  ASSERT_TRUE(parse_content_disposition("attachment; filename=\"a;b\"", disposition));
  EXPECT_EQ(find_param(disposition.parameters, "filename"), "a;b");
  EXPECT_FALSE(parse_content_disposition("", disposition));
}

struct Parts {
  explicit Parts(std::string bytes, std::string_view boundary = "b") : body(std::move(bytes)) {
    error = parse_multipart(body, boundary, parts);
  }
  [[nodiscard]] std::string text(std::size_t i) const { return std::string(parts.parts[i].body.of(body)); }
  [[nodiscard]] std::string type(std::size_t i) const { return std::string(parts.parts[i].content_type.of(body)); }
  std::string body;
  Multipart parts;
  MultipartError error;
};

TEST(Multipart, PartsWithHeadersFoldsAndWithout) {
  const Parts read(
      "preamble\r\n--b\r\nContent-Type: application/sdp\r\nCONTENT-ID: <x@y>\r\n"
      "Content-Disposition: session;\r\n handling=optional\r\n\r\nv=0\r\n\r\n--b  \r\n\r\nplain\r\n--b\r\n"
      "c: text/html\r\nContent-Transfer-Encoding: binary\r\n\r\n\r\n--b--\r\nepilogue --b");
  ASSERT_EQ(read.error, MultipartError::none);
  ASSERT_EQ(read.parts.count, 3);
  EXPECT_TRUE(read.parts.closed);
  EXPECT_EQ(read.type(0), "application/sdp");
  EXPECT_EQ(read.parts.parts[0].content_id.of(read.body), "<x@y>");
  EXPECT_EQ(read.parts.parts[0].content_disposition.of(read.body), "session;\r\n handling=optional");
  EXPECT_EQ(read.text(0), "v=0\r\n");
  EXPECT_EQ(read.type(1), "");
  EXPECT_EQ(read.text(1), "plain");
  EXPECT_EQ(read.type(2), "text/html");
  EXPECT_EQ(read.parts.parts[2].content_transfer_encoding.of(read.body), "binary");
  EXPECT_EQ(read.text(2), "");
}

TEST(Multipart, R4475_BinaryPartWithNul) {
  const std::string binary("\0\r\n--bx\r\n--\n--b\0\xff--b", 21);
  const Parts read("--b\r\nContent-Type: application/octet-stream\r\n\r\n" + binary + "\r\n--b--");
  ASSERT_EQ(read.error, MultipartError::none);
  ASSERT_EQ(read.parts.count, 1);
  EXPECT_EQ(read.text(0), binary);
}

// RFC 4475 section 3.1.1.11
TEST(Multipart, R4475_Mpart01) {
  std::ifstream in(TORTURE_FOLDER "/rfc4475/mpart01.dat", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  HeadParser parser;
  ASSERT_EQ(parser.parse(bytes, {}), Progress::done);
  const std::string_view value = parser.head().value(HeaderId::content_type, bytes);
  const Parts read(bytes.substr(parser.head().length), find_param(type_of(value).parameters, "boundary"));
  ASSERT_EQ(read.error, MultipartError::none);
  ASSERT_EQ(read.parts.count, 2);
  EXPECT_TRUE(read.parts.closed);
  EXPECT_EQ(read.text(0), "Hello");
  EXPECT_EQ(read.type(1), "application/octet-stream");
  EXPECT_NE(read.text(1).find('\0'), std::string::npos);
  EXPECT_EQ(parser.head().content_length, read.body.size());
}

TEST(Multipart, LineFeedAloneWhereTheFirstBoundaryHasIt) {
  const Parts read("--b\nContent-Type: text/plain\n\none\n--b\n\ntwo\n--b--\n");
  ASSERT_EQ(read.error, MultipartError::none);
  ASSERT_EQ(read.parts.count, 2);
  EXPECT_EQ(read.text(0), "one");
  EXPECT_EQ(read.text(1), "two");
}

TEST(Multipart, ABoundaryThatNeverClosesEndsWithTheBody) {
  const Parts read("--b\r\n\r\none\r\n--b\r\n\r\ntwo");
  ASSERT_EQ(read.error, MultipartError::none);
  EXPECT_FALSE(read.parts.closed);
  ASSERT_EQ(read.parts.count, 2);
  EXPECT_EQ(read.text(1), "two");
}

TEST(Multipart, PartsWithoutBodyAndWithoutAnything) {
  const Parts read("--b\r\nContent-Type: text/plain\r\n\r\n--b\r\n--b\r\n\r\n--b--");
  ASSERT_EQ(read.error, MultipartError::none);
  ASSERT_EQ(read.parts.count, 3);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(read.text(i), "");
  EXPECT_EQ(read.type(0), "text/plain");
}

TEST(Multipart, WhatCannotBeRead) {
  EXPECT_EQ(Parts("", "b").error, MultipartError::no_part);
  EXPECT_EQ(Parts("--b--", "b").error, MultipartError::no_part);
  EXPECT_EQ(Parts("x--b\r\n\r\n", "b").error, MultipartError::no_part);
  EXPECT_EQ(Parts("--b\r\n\r\n", "").error, MultipartError::boundary);
  EXPECT_EQ(Parts("--b\r\n\r\n", std::string(71, 'b')).error, MultipartError::boundary);
  EXPECT_EQ(Parts("--b\r\nContent-Type: text/plain").error, MultipartError::headers);
  EXPECT_EQ(Parts("--b\r\nnot a header\r\n\r\nx\r\n--b--").error, MultipartError::headers);
  EXPECT_EQ(Parts("--b\r\nA B: c\r\n\r\nx\r\n--b--").error, MultipartError::headers);
  std::string many;
  for (int i = 0; i < multipart_parts_max; ++i) many += "--b\r\n\r\nx\r\n";
  EXPECT_EQ(Parts(many + "--b--").error, MultipartError::none);
  EXPECT_EQ(Parts(many + "--b\r\n\r\nx\r\n--b--").error, MultipartError::too_many_parts);
}

TEST(Multipart, CutAnywhereReadsNothingBehindTheEndAndAllocatesNothing) {
  const std::string body = "x\r\n--b\r\nContent-Type: a/b\r\n fold\r\n\r\nv=0\r\n--b \r\n\r\nplain\n--b\r\n--b--\r\n";
  GuardedPages pages(4096);
  const std::size_t before = allocations;
  for (std::size_t size = 0; size <= body.size(); ++size) {
    Multipart out;
    (void)parse_multipart(pages.put(std::string_view(body).substr(0, size)), "b", out);
  }
  EXPECT_EQ(allocations, before);
}

TEST(Multipart, R5368_1_ContentIdsCompareWithoutBrackets) {
  EXPECT_TRUE(same_content_id("<a@b>", "a@b"));
  EXPECT_TRUE(same_content_id("a@b", " <a@b> "));
  EXPECT_FALSE(same_content_id("<a@b>", "A@b"));
}

}  // namespace
}  // namespace parley::tests

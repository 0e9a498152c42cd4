// tests/sip/sdp_test.cc - descriptions of every page, whole and cut short, and walking along them.
#include "sip/sdp.h"

#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "sip/sdp_types.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"
#include "tests/msrp/golden_page.h"
#include "tests/sip/sdp_lines.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

class GoldenSdp : public testing::TestWithParam<GoldenPage> {};

TEST_P(GoldenSdp, ReadsAsThePageSays) {
  const ExactBlock block(GetParam().bytes);
  Sdp sdp;
  const SdpVerdict verdict = parse_sdp(block.view(), {}, sdp);
  EXPECT_EQ(sdp_lines(block.view(), sdp, verdict), GetParam().events);
}

TEST_P(GoldenSdp, CutAnywhereReadsNothingBehindTheEnd) {
  GuardedPages pages(GetParam().bytes.size() + 1);
  for (std::size_t size = 0; size <= GetParam().bytes.size(); ++size) {
    Sdp sdp;
    (void)parse_sdp(pages.put(std::string_view(GetParam().bytes).substr(0, size)), {}, sdp);
  }
}

std::string page_name(const testing::TestParamInfo<GoldenPage>& page) {
  std::string name = page.param.file + "_" + page.param.sentence;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pages, GoldenSdp, testing::ValuesIn(read_golden_pages(GOLDEN_SDP_FOLDER)), page_name);

const std::string smallest = "v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";

TEST(Sdp, R4566_1_StrictRefusesWhatTolerantTakes) {
  Sdp sdp;
  EXPECT_TRUE(parse_sdp(smallest, {.strict = true}, sdp).ok());
  for (const std::string text : {"v=0\r\no=a 1 1 IN IP4 192.0.2.1\r\ns=\r\nt=0 0\r\n",
                                 "v=0\r\no=a 1 1 IN IP4 h\r\ns=-\r\n", "v=0\no=a 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\n"}) {
    EXPECT_TRUE(parse_sdp(text, {}, sdp).ok()) << text;
    EXPECT_EQ(parse_sdp(text, {.strict = true}, sdp).error, SdpError::strict) << text;
  }
  EXPECT_EQ(parse_sdp(smallest + "y=1\r\n", {.strict = true}, sdp).error, SdpError::strict);
}

TEST(Sdp, TooLongIsSaidBeforeAnythingIsRead) {
  Sdp sdp;
  const auto size = static_cast<std::uint32_t>(smallest.size());
  EXPECT_TRUE(parse_sdp(smallest, {.bytes_max = size}, sdp).ok());
  EXPECT_EQ(parse_sdp(smallest, {.bytes_max = size - 1}, sdp).error, SdpError::too_long);
}

TEST(Sdp, R4566_2_TypesAreMergedFromAllLines) {
  const std::string text =
      smallest +
      "m=message 1 TCP/MSRP *\r\na=accept-types: message/cpim  Text/Plain;charset=UTF-8\r\n"
      "a=accept-types:image/*\r\na=accept-wrapped-types:*\r\nm=message 2 TCP/MSRP *\r\na=accept-types:video/mp4\r\n";
  Sdp sdp;
  ASSERT_TRUE(parse_sdp(text, {}, sdp).ok());
  const std::string_view section = sdp.media[0].section.of(text);
  for (const char* type : {"message/cpim", "message/CPIM", "text/plain", "text/plain; charset=utf-8", "image/png"}) {
    EXPECT_TRUE(accepts_type(section, "accept-types", type)) << type;
  }
  for (const char* type : {"video/mp4", "text/html", "imag/png", "text", "", "image", "text/plainer", "*"}) {
    EXPECT_FALSE(accepts_type(section, "accept-types", type)) << type;
  }
  EXPECT_TRUE(accepts_type(section, "accept-wrapped-types", "video/mp4"));
  EXPECT_TRUE(accepts_type(sdp.media[1].section.of(text), "accept-types", "video/mp4"));
  EXPECT_FALSE(accepts_type(sdp.media[1].section.of(text), "accept-wrapped-types", "video/mp4"));
}

// R4975-15: a type counts inside a container where either list has it, the container itself must be in the first.
TEST(Sdp, R4975_15_WrappedTypesCountInsideContainersOnly) {
  const std::string text = smallest +
                           "m=message 1 TCP/MSRP *\r\na=accept-types:message/cpim text/plain\r\n"
                           "a=accept-wrapped-types:text/html\r\n";
  Sdp sdp;
  ASSERT_TRUE(parse_sdp(text, {}, sdp).ok());
  const std::string_view section = sdp.media[0].section.of(text);
  EXPECT_TRUE(accepts_root(section, "text/plain"));
  EXPECT_FALSE(accepts_root(section, "text/html"));
  EXPECT_TRUE(accepts_wrapped(section, "message/cpim", "text/html"));
  EXPECT_TRUE(accepts_wrapped(section, "message/cpim", "text/plain"));
  EXPECT_FALSE(accepts_wrapped(section, "message/cpim", "image/png"));
  EXPECT_FALSE(accepts_wrapped(section, "multipart/mixed", "text/html"));
}

TEST(Sdp, R4975_14_FirstAndLastOfAPath) {
  EXPECT_EQ(first_word("  msrp://a;tcp msrp://b;tcp\tmsrp://c;tcp "), "msrp://a;tcp");
  EXPECT_EQ(last_word("  msrp://a;tcp msrp://b;tcp\tmsrp://c;tcp "), "msrp://c;tcp");
  EXPECT_EQ(first_word(""), "");
  EXPECT_EQ(last_word(" "), "");
}

TEST(Sdp, AttributesAreWalkedAsTheyStand) {
  SdpAttributes walk("m=message 1 TCP/MSRP *\r\na=x\r\ni=a=y\r\na=z: 1 \na=empty:");
  SdpAttribute attribute;
  ASSERT_TRUE(walk.next(attribute));
  EXPECT_EQ(attribute.name, "x");
  EXPECT_FALSE(attribute.has_value);
  ASSERT_TRUE(walk.next(attribute));
  EXPECT_EQ(attribute.name, "z");
  EXPECT_EQ(attribute.value, "1");
  ASSERT_TRUE(walk.next(attribute));
  EXPECT_EQ(attribute.name, "empty");
  EXPECT_TRUE(attribute.has_value);
  EXPECT_FALSE(walk.next(attribute));
}

TEST(Sdp, ParsingAllocatesNothing) {
  Sdp sdp;
  const std::string text = smallest + "m=message 1 TCP/MSRP *\r\na=path:x\r\n";
  const std::size_t before = allocations;
  EXPECT_TRUE(parse_sdp(text, {}, sdp).ok());
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace parley::tests

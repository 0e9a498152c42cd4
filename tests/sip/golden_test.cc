// tests/sip/golden_test.cc - every wire page on a stream, whole, at every cut in two and byte by byte.
#include <gtest/gtest.h>

#include <cctype>
#include <string>

#include "tests/msrp/golden_page.h"
#include "tests/sip/message_reader.h"

namespace parley::tests {
namespace {

class SipGolden : public testing::TestWithParam<GoldenPage> {};

TEST_P(SipGolden, ReadsAsThePageSays) {
  const GoldenPage& page = GetParam();
  const std::string_view bytes = page.bytes;
  MessageReader whole;
  whole.feed(bytes);
  ASSERT_EQ(whole.finish(), page.events);
  MessageReader bytewise;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytewise.feed(bytes.substr(i, 1));
  ASSERT_EQ(bytewise.finish(), page.events) << "byte by byte";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    MessageReader reader;
    reader.feed(bytes.substr(0, cut));
    reader.feed(bytes.substr(cut));
    ASSERT_EQ(reader.finish(), page.events) << "cut at " << cut;
  }
}

std::string page_name(const testing::TestParamInfo<GoldenPage>& page) {
  std::string name = page.param.file + "_" + page.param.sentence;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}
INSTANTIATE_TEST_SUITE_P(Pages, SipGolden, testing::ValuesIn(read_golden_pages(GOLDEN_FOLDER)), page_name);

}  // namespace
}  // namespace parley::tests

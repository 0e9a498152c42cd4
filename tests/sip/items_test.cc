// tests/sip/items_test.cc - walking along lists, and what stands before parameters.
#include "sip/value.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

std::vector<std::string> items(std::string_view value) {
  std::vector<std::string> out;
  Items walk(value);
  for (std::string_view item; walk.next(item);) out.emplace_back(item);
  if (!walk.ok()) out.emplace_back("bad");
  return out;
}

using Lines = std::vector<std::string>;

TEST(Items, R3261_16_CommasInQuotesAndBracketsAreData) {
  EXPECT_EQ(items("a, b ,\r\n c"), (Lines{"a", "b", "c"}));
  EXPECT_EQ(items("\"x, \\\", y\" <sip:a,b@c>;q=1, <sip:d>"), (Lines{"\"x, \\\", y\" <sip:a,b@c>;q=1", "<sip:d>"}));
  EXPECT_EQ(items("a,,b, ,"), (Lines{"a", "b"}));
  EXPECT_EQ(items("a, \"b"), (Lines{"a", "bad"}));
  EXPECT_EQ(items("<a"), (Lines{"bad"}));
}

TEST(Items, T_13_AnEmptyListHasNoItems) {
  EXPECT_EQ(items(""), Lines{});
  EXPECT_EQ(items(" \r\n "), Lines{});
}

TEST(Items, ParametersToTheEndOrNot) {
  for (const char* text : {"", " ", ";a=1;b;c=\"x;\\\"y\"", " ; a = 1\r\n ; b ", ";+g.3gpp.iari-ref=\"urn%3Aurn-7\""}) {
    EXPECT_TRUE(are_params(text)) << text;
  }
  for (const char* text : {";a=1 b", ";a;b c", "a=1", ";a=\"1", ";=1"}) EXPECT_FALSE(are_params(text)) << text;
}

TEST(Items, FindingAParameter) {
  EXPECT_EQ(find_param(";Tag=x;tag=y", "tag"), "x");
  EXPECT_EQ(find_param(";a=\"x;y\"", "a"), "x;y");
  EXPECT_TRUE(has_param(";lr", "LR"));
  EXPECT_EQ(find_param(";lr", "lr"), "");
  EXPECT_FALSE(has_param(";lrx;xlr", "lr"));
}

TEST(Items, SplittingAnItem) {
  const Item item = split_item("\"a;b\" <sip:x;lr> ;tag=1;y");
  EXPECT_EQ(item.head, "\"a;b\" <sip:x;lr>");
  EXPECT_EQ(item.parameters, ";tag=1;y");
  EXPECT_EQ(split_item("presence").head, "presence");
  EXPECT_EQ(split_item("presence").parameters, "");
}

TEST(Items, NumbersAreClampedAndNothingElseIsTaken) {
  std::uint32_t number = 7;
  EXPECT_TRUE(clamped_number(" 0070\r\n ", number));
  EXPECT_EQ(number, 70U);
  EXPECT_TRUE(clamped_number("99999999999999999999999999", number));
  EXPECT_EQ(number, 4294967295U);
  for (const char* value : {"", " ", "-1", "1x", "1 2", "0x10", "+1"})
    EXPECT_FALSE(clamped_number(value, number)) << value;
}

TEST(Items, CutAnywhereReadsNothingBehindTheEndAndAllocatesNothing) {
  const std::string value = "\"x, \\\"\" <sip:a,b@c>;q=1 ; tag = \"a\\\\b\",\r\n <sip:d>;lr ;; x";
  GuardedPages pages(4096);
  const std::size_t before = allocations;
  for (std::size_t size = 0; size <= value.size(); ++size) {
    Items walk(pages.put(std::string_view(value).substr(0, size)));
    for (std::string_view item; walk.next(item);) (void)are_params(split_item(item).parameters);
  }
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace parley::tests

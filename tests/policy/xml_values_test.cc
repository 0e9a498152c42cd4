// tests/policy/xml_values_test.cc - booleans, numbers, times and durations of documents.
#include <gtest/gtest.h>

#include "policy/xml_reader.h"

namespace parley::policy {
namespace {

TEST(XmlValues, booleans) {
  for (const char* text : {"true", "1", " TRUE\n"}) EXPECT_EQ(xml_boolean(text), true) << text;
  for (const char* text : {"false", "0", "\tFalse "}) EXPECT_EQ(xml_boolean(text), false) << text;
  for (const char* text : {"", "2", "yes", "true false", "01"}) EXPECT_EQ(xml_boolean(text), std::nullopt) << text;
}

TEST(XmlValues, numbers) {
  EXPECT_EQ(xml_number(" 007 "), 7U);
  EXPECT_EQ(xml_number("+4294967295"), 4294967295U);
  for (const char* text : {"", "-1", "4294967296", "1.0", "1 2", "++1", "0x1"})
    EXPECT_EQ(xml_number(text), std::nullopt) << text;
}

TEST(XmlValues, times) {
  EXPECT_EQ(xml_date_time_ms("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(xml_date_time_ms("2003-12-24T17:00:00+01:00"), 1'072'281'600'000);
  EXPECT_EQ(xml_date_time_ms("2003-08-15T10:20:00.000-05:00"), 1'060'960'800'000);
  EXPECT_EQ(xml_date_time_ms(" 2000-02-29T24:00:00.5 "), 951'868'800'500);
  EXPECT_EQ(xml_date_time_ms("1969-12-31T23:59:59.9999Z"), -1);
  for (const char* text :
       {"", "2003", "2003-02-29T00:00:00Z", "2003-13-01T00:00:00Z", "2003-01-01 00:00:00", "2003-01-01T25:00:00",
        "2003-01-01T24:00:01", "2003-01-01T00:60:00", "2003-01-01T00:00:00.", "2003-01-01T00:00:00+1:00",
        "2003-01-01T00:00:00+15:00", "2003-01-01T00:00:00Zx", "-2003-01-01T00:00:00", "0000-06-01T00:00:00",
        "0001-01-01T00:00:00+01:00", "9999-12-31T24:00:00"}) {
    EXPECT_EQ(xml_date_time_ms(text), std::nullopt) << text;
  }
}

TEST(XmlValues, times_are_written_as_they_are_read) {
  for (const char* text : {"0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2000-02-29T12:34:56.789Z"}) {
    const auto ms = xml_date_time_ms(text);
    ASSERT_TRUE(ms.has_value()) << text;
    EXPECT_EQ(xml_date_time(*ms), text);
  }
}

TEST(XmlValues, durations) {
  EXPECT_EQ(xml_duration_seconds("3600"), 3600U);
  EXPECT_EQ(xml_duration_seconds("PT1H"), 3600U);
  EXPECT_EQ(xml_duration_seconds("P1DT2H3M4S"), 93'784U);
  EXPECT_EQ(xml_duration_seconds("P2D"), 172'800U);
  for (const char* text :
       {"", "P", "PT", "P1DT", "P1M", "P1Y", "PT1", "PT1S1M", "P1H", "-PT1H", "PT1.5S", "PT5000000000S", "P100000D"}) {
    EXPECT_EQ(xml_duration_seconds(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace parley::policy

// tests/sip/file_selector_test.cc - the attributes of files.
#include "sip/file_selector.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::tests {
namespace {

using namespace parley::sip;

FileSelector read(std::string_view value) {
  FileSelector selector;
  EXPECT_TRUE(parse_file_selector(value, selector)) << value;
  return selector;
}

std::string decoded(std::string_view name) {
  std::string room(name.size(), '?');
  return std::string(decode_file_name(name, room.data()));
}

TEST(FileSelector, R5547_1_TheExampleOfTheRfc) {
  const FileSelector selector = read(
      "name:\"My cool picture.jpg\" type:image/jpeg;x=\"a b\" size:32349 "
      "hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E");
  EXPECT_EQ(selector.name, "My cool picture.jpg");
  EXPECT_EQ(selector.type, "image/jpeg;x=\"a b\"");
  EXPECT_TRUE(selector.has_size);
  EXPECT_EQ(selector.size, 32349U);
  Sha1 hash;
  ASSERT_TRUE(decode_file_hash(selector.hash, hash));
  EXPECT_EQ(hash.front(), 0x72);
  EXPECT_EQ(hash.back(), 0x2e);
}

TEST(FileSelector, R5547_1_WithoutSelectorsItOnlySaysThatFilesAreKnown) {
  const FileSelector selector = read("");
  EXPECT_FALSE(selector.has_name);
  EXPECT_FALSE(selector.has_size);
  EXPECT_FALSE(selector.has_hash);
}

TEST(FileSelector, T_46_WhatPeersGetWrong) {
  EXPECT_EQ(read("name:\"a \"b\".jpg\" size:0").name, "a \"b\".jpg");
  EXPECT_TRUE(read("name:\"a\" size:0").has_size);
  EXPECT_EQ(read("name:\"J\xc3\xbcrgen.txt\"").name, "J\xc3\xbcrgen.txt");
  EXPECT_EQ(decoded("100%25 %22%4g%"), "100% \"%4g%");
  EXPECT_EQ(decoded(""), "");
  Sha1 hash;
  EXPECT_TRUE(decode_file_hash("72245fe8653ddaf371362f86d471913ee4a2ce2e", hash));
  EXPECT_FALSE(decode_file_hash("72245fe8653ddaf371362f86d471913ee4a2ce", hash));
  EXPECT_FALSE(decode_file_hash("72245fe8653ddaf371362f86d471913ee4a2ce2eff", hash));
  EXPECT_FALSE(decode_file_hash("7", hash));
  EXPECT_FALSE(decode_file_hash("", hash));
  EXPECT_FALSE(read("size:99999999999999999999").has_size);
}

TEST(FileSelector, OtherHashesAndSelectorsArePassedOver) {
  const FileSelector selector = read("hash:sha-256:AA:BB colour:blue NAME:\"x\" hash:sha-1:00");
  EXPECT_TRUE(selector.has_hash);
  EXPECT_EQ(selector.hash, "00");
  EXPECT_EQ(selector.name, "x");
  FileSelector out;
  for (const char* value : {"name:x", "name:\"x", "size:", "size:x", "hash:sha-1:xyz", "type:"}) {
    EXPECT_FALSE(parse_file_selector(value, out)) << value;
  }
}

TEST(FileRange, R5547_1_FromOneToAnOpenEnd) {
  FileRange range;
  ASSERT_TRUE(parse_file_range("1-*", range));
  EXPECT_EQ(range.stop, FileRange::open);
  ASSERT_TRUE(parse_file_range(" 100-200 ", range));
  EXPECT_EQ(range.start, 100U);
  EXPECT_EQ(range.stop, 200U);
  for (const char* value : {"", "-", "0-5", "5-4", "1-", "-5", "1-x", "x-1"})
    EXPECT_FALSE(parse_file_range(value, range)) << value;
}

TEST(FileDate, R5547_1_ByName) {
  const std::string value = "creation:\"Mon, 15 May 2006 15:01:31 +0300\" read:\"x\"";
  EXPECT_EQ(file_date(value, "creation"), "Mon, 15 May 2006 15:01:31 +0300");
  EXPECT_EQ(file_date(value, "Read"), "x");
  EXPECT_EQ(file_date(value, "modification"), "");
  EXPECT_EQ(file_date("creation:\"", "creation"), "");
}

}  // namespace
}  // namespace parley::tests

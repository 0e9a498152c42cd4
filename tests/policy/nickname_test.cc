// tests/policy/nickname_test.cc - nicknames by RFC 8266, its examples among them.
#include "policy/nickname.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::tests {
namespace {

using policy::enforce_nickname;
using policy::nickname_key;

std::string key(std::string_view text) {
  std::string out;
  return nickname_key(text, out) ? out : "(none)";
}
std::string enforced(std::string_view text) {
  std::string out;
  return enforce_nickname(text, out) ? out : "(none)";
}

// RFC 8266 section 3, table 1.
TEST(Nickname, R7701_3_TheExamplesOfRfc8266) {
  EXPECT_EQ(key("Foo"), "foo");
  EXPECT_EQ(key("foo"), "foo");
  EXPECT_EQ(key("Foo Bar"), "foo bar");
  EXPECT_EQ(key("foo bar"), "foo bar");
  EXPECT_EQ(key("\u03a3"), "\u03c3");
  EXPECT_EQ(key("\u03c3"), "\u03c3");
  EXPECT_EQ(key("\u03c2"), "\u03c2");
  EXPECT_EQ(key("\u03d4"), "\u03cb");
  EXPECT_EQ(key("\u221e"), "\u221e");
  EXPECT_EQ(key("Richard \u2163"), "richard iv");
}

TEST(Nickname, R7701_3_SpacesAreMapped) {
  EXPECT_EQ(enforced("stpeter "), "stpeter");
  EXPECT_EQ(enforced("  St  Peter   x "), "St Peter x");
  EXPECT_EQ(enforced("St\u00a0\u3000Peter"), "St Peter");
  EXPECT_EQ(enforced("   "), "(none)");
  EXPECT_EQ(enforced(""), "(none)");
  EXPECT_EQ(key(" St  PETER"), key("St Peter"));
}

TEST(Nickname, R7701_3_CaseIsKeptWhenShownAndDropsOutWhenCompared) {
  EXPECT_EQ(enforced("Alice in Wonderland"), "Alice in Wonderland");
  EXPECT_EQ(key("ALICE in wonderland"), "alice in wonderland");
  // Full width letters, ligatures and composed accents are the same as their plain forms.
  EXPECT_EQ(key("\uff21lice"), "alice");
  EXPECT_EQ(key("\ufb01sh"), "fish");
  EXPECT_EQ(key("Jose\u0301"), key("JOS\u00c9"));
  EXPECT_NE(key("BOY"), key("B0Y"));
}

TEST(Nickname, R7701_3_WhatTheFreeformClassDoesNotHave) {
  EXPECT_EQ(enforced("a\tb"), "(none)");
  EXPECT_EQ(enforced(std::string_view("a\0b", 3)), "(none)");
  EXPECT_EQ(enforced("a\x7f"), "(none)");
  EXPECT_EQ(enforced("a\u200b"), "(none)");  // zero width space
  EXPECT_EQ(enforced("a\u00ad"), "(none)");  // soft hyphen
  EXPECT_EQ(enforced("a\u202e"), "(none)");  // right-to-left override
  EXPECT_EQ(enforced("\u1100"), "(none)");   // old Hangul
  EXPECT_EQ(enforced("\u0640"), "(none)");   // tatweel
  EXPECT_EQ(enforced("\u0378"), "(none)");   // unassigned
  EXPECT_EQ(enforced("\ufdd0"), "(none)");   // no character
  EXPECT_EQ(enforced("\ue000"), "(none)");   // private use
  EXPECT_EQ(enforced("\U0001f600"), "\U0001f600");
}

TEST(Nickname, R7701_3_ContextDecides) {
  EXPECT_EQ(enforced("l\u00b7l"), "l\u00b7l");
  EXPECT_EQ(enforced("a\u00b7l"), "(none)");
  EXPECT_EQ(enforced("\u00b7l"), "(none)");
  EXPECT_EQ(enforced("\u0375\u03b1"), "\u0375\u03b1");
  EXPECT_EQ(enforced("\u0375a"), "(none)");
  EXPECT_EQ(enforced("\u05d0\u05f3"), "\u05d0\u05f3");
  EXPECT_EQ(enforced("a\u05f3"), "(none)");
  EXPECT_EQ(enforced("\u30a2\u30fb"), "\u30a2\u30fb");
  EXPECT_EQ(enforced("a\u30fb"), "(none)");
  EXPECT_EQ(enforced("\u0661\u0662"), "\u0661\u0662");
  EXPECT_EQ(enforced("\u0661\u06f2"), "(none)");
  EXPECT_EQ(enforced("\u0915\u094d\u200d"), "\u0915\u094d\u200d");  // joiner behind a virama
  EXPECT_EQ(enforced("a\u200d"), "(none)");
  EXPECT_EQ(enforced("\u0628\u200c\u0628"), "\u0628\u200c\u0628");  // non-joiner between letters that join
  EXPECT_EQ(enforced("a\u200c"
                     "b"),
            "(none)");
}

TEST(Nickname, R7701_3_OnlyUtf8AndNotTooLong) {
  EXPECT_EQ(enforced("\xff"), "(none)");
  EXPECT_EQ(enforced("a\xc3"), "(none)");
  EXPECT_EQ(enforced("\xed\xa0\x80"), "(none)");
  EXPECT_EQ(enforced("\xc0\x80"), "(none)");
  EXPECT_EQ(enforced(std::string(1023, 'x')), std::string(1023, 'x'));
  EXPECT_EQ(enforced(std::string(1024, 'x')), "(none)");
  // The longest of all decompositions, as often as can be.
  std::string longest;
  while (longest.size() + 3 <= 1023) longest += "\ufdfa";
  EXPECT_NE(key(longest), "(none)");
}

}  // namespace
}  // namespace parley::tests

// tests/policy/entry_headers_test.cc - what the URI of a list's entry may ask for (R5365-1, RFC 3261 section 19.1.5).
#include "policy/entry_headers.h"

#include <gtest/gtest.h>

namespace parley::policy {
namespace {

// "Subject: hi; Priority: urgent"
std::string asked(std::string_view uri) {
  std::string text;
  for (const EntryHeader& header : entry_headers(uri)) {
    text += (text.empty() ? "" : "; ") + std::string(sip::header_name(header.id)) + ": " + header.value;
  }
  return text;
}

TEST(EntryHeaders, R5365_1_WhatARequestIsAboutIsHonoured) {
  EXPECT_EQ(asked("sip:bob@example.org"), "");
  EXPECT_EQ(asked("sip:bob@example.org?"), "");
  EXPECT_EQ(asked("sip:bob@example.org?Subject=hi"), "Subject: hi");
  EXPECT_EQ(asked("sip:bob@example.org;x=1?subject=hi%20bob%3f&Priority=urgent"), "Subject: hi bob?; Priority: urgent");
  EXPECT_EQ(asked("sip:bob@example.org?Subject="), "Subject: ");
  EXPECT_EQ(asked("sip:bob@example.org?s=short&Subject=late"), "Subject: short") << "once, by any of its names";
}

TEST(EntryHeaders, R5365_1_WhoSendsItAndWhereItGoesIsNot) {
  for (const char* name : {"From", "f", "To", "Call-ID", "CSeq", "Via", "Record-Route", "Route", "Contact", "Accept", "Allow",
                           "Supported", "Require", "User-Agent", "Organization", "Content-Type", "Date", "body", "Privacy",
                           "P-Asserted-Identity", "Authorization", "Replaces", "Refer-To", "X-Unknown", "Max-Forwards"}) {
    EXPECT_EQ(asked("sip:bob@example.org?" + std::string(name) + "=x&Subject=hi"), "Subject: hi") << name;
  }
}

TEST(EntryHeaders, R5365_1_ALineStaysALine) {
  for (const char* value : {"a%0d%0aRoute: <sip:x>", "a%00", "a%7f", "a%0", "a%", "a%zz"}) {
    EXPECT_EQ(asked("sip:bob@example.org?Subject=" + std::string(value)), "") << value;
  }
  EXPECT_EQ(asked("sip:bob@example.org?Subject"), "");
  EXPECT_EQ(asked("sip:bob@example.org?Sub%6aect=hi"), "Subject: hi");
  EXPECT_EQ(asked("sip:bob@example.org?&&=x&Subject=hi&"), "Subject: hi");
}

TEST(EntryHeaders, R5365_1_TheyStandInPlaceOfWhatAllGet) {
  std::vector<sip::HeaderText> texts = {{.id = sip::HeaderId::subject, .value = "lunch"}, {.id = sip::HeaderId::to, .value = "x"}};
  const auto own = entry_headers("sip:bob@example.org?Subject=hi");
  put_entry_headers(own, texts);
  ASSERT_EQ(texts.size(), 2U);
  EXPECT_EQ(texts[0].value, "x");
  EXPECT_EQ(texts[1].value, "hi");
}

}  // namespace
}  // namespace parley::policy

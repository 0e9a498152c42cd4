// tests/sip/feature_tags_test.cc - caller preferences against feature tags.
#include "sip/feature_tags.h"

#include <gtest/gtest.h>

namespace parley::tests {
namespace {

using namespace parley::sip;

TEST(FeatureTags, T_20_WholeTokens) {
  EXPECT_TRUE(has_feature_tag(";isfocus;+G.oma.sip-im", "+g.oma.sip-im"));
  EXPECT_FALSE(has_feature_tag(";+g.oma.sip-im.large-message", "+g.oma.sip-im"));
  EXPECT_FALSE(has_feature_tag(";+g.oma.sip-im-foo", "+g.oma.sip-im"));
  EXPECT_FALSE(has_feature_tag(";+g.3gpp.iari-ref=\"+g.oma.sip-im\"", "+g.oma.sip-im"));
  EXPECT_FALSE(has_feature_tag(";+g.oma.sip-im=\"FALSE\"", "+g.oma.sip-im"));
}

TEST(FeatureTags, T_3_AllWaysToAskForTheService) {
  for (const char* item : {"*;+g.oma.sip-im", "* ; +g.oma.sip-im;require;explicit", "*;+g.oma.sip-im;explicit",
                           "*;+g.oma.sip-im=\"TRUE\""}) {
    ContactPredicate predicate;
    ASSERT_TRUE(parse_contact_predicate(item, predicate)) << item;
    EXPECT_TRUE(has_feature_tag(predicate.parameters, "+g.oma.sip-im")) << item;
    EXPECT_TRUE(predicate.any_tag());
  }
  ContactPredicate predicate;
  ASSERT_TRUE(parse_contact_predicate("*;require;explicit", predicate));
  EXPECT_TRUE(predicate.require);
  EXPECT_TRUE(predicate.is_explicit);
  EXPECT_FALSE(predicate.any_tag());
  for (const char* item : {"", "+g.oma.sip-im", "x;a", "*;a b"}) {
    EXPECT_FALSE(parse_contact_predicate(item, predicate)) << item;
  }
}

TEST(FeatureTags, R3841_1_ContactsWithoutTagsAreImmune) {
  EXPECT_FALSE(rejects_contact(";q=0.5;expires=60", "*;video"));
  const ContactScore score = score_contact(";q=0.5", "*;video;require;explicit");
  EXPECT_FALSE(score.dropped);
  EXPECT_EQ(score.score, 1000U);
}

TEST(FeatureTags, R3841_1_RejectNeedsAllTagsOfThePredicate) {
  EXPECT_TRUE(rejects_contact(";video;audio", "*;video"));
  EXPECT_TRUE(rejects_contact(";video;audio", "*;text, *;video;audio"));
  EXPECT_FALSE(rejects_contact(";audio", "*;video;audio"));
  EXPECT_FALSE(rejects_contact(";video=\"FALSE\";audio", "*;video"));
  EXPECT_FALSE(rejects_contact(";video", "*"));
}

TEST(FeatureTags, R3841_1_AcceptScores) {
  const char* contact = ";audio;video;methods=\"INVITE,BYE,OPTIONS\"";
  EXPECT_EQ(score_contact(contact, "*;audio;video").score, 1000U);
  EXPECT_EQ(score_contact(contact, "*;audio;text").score, 500U);
  EXPECT_EQ(score_contact(contact, "*;audio;text;explicit").score, 0U);
  EXPECT_FALSE(score_contact(contact, "*;audio;text;explicit").dropped);
  EXPECT_TRUE(score_contact(contact, "*;audio;text;explicit;require").dropped);
  EXPECT_FALSE(score_contact(contact, "*;audio;text;require").dropped);  // a missing tag is no mismatch
  EXPECT_TRUE(score_contact(contact, "*;audio=\"FALSE\";require").dropped);
  EXPECT_EQ(score_contact(contact, "*;audio=\"FALSE\"").score, 0U);
  EXPECT_EQ(score_contact(contact, "*;audio, *;text").score, 500U);
  EXPECT_EQ(score_contact(contact, "*;methods=\"BYE\"").score, 1000U);
  EXPECT_TRUE(score_contact(contact, "*;methods=\"MESSAGE\";require").dropped);
  EXPECT_FALSE(score_contact(contact, "*;methods=\"!MESSAGE\";require").dropped);
}

}  // namespace
}  // namespace parley::tests

// tests/sip/feature_tags_test.cc - caller preferences against feature tags.
#include "sip/feature_tags.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(FeatureTags, R3840_1_NamesAndKindsOfValues) {
  const auto holds = [](const char* contact, const std::string& predicate) {
    return !score_contact(contact, "*;" + predicate + ";require;explicit").dropped;
  };
  // Tags of the base set stand without '+', all others with it; what some vendors use in names is taken, too.
  EXPECT_TRUE(holds(";isfocus", "isfocus"));
  EXPECT_TRUE(holds(";+g.3gpp.icsi_ref;audio", "+g.3gpp.icsi_ref"));
  EXPECT_FALSE(is_feature_tag("q"));
  EXPECT_FALSE(is_feature_tag("expires"));
  EXPECT_FALSE(is_feature_tag("+sip.instance"));
  // Alone it is TRUE.
  EXPECT_TRUE(holds(";automata", "automata=\"TRUE\""));
  EXPECT_TRUE(holds(";automata=\"true\"", "automata"));
  EXPECT_FALSE(holds(";automata=\"FALSE\"", "automata"));
  // Tokens: no case. Strings: case.
  EXPECT_TRUE(holds(";mobility=\"Mobile\"", "mobility=\"mobile\""));
  EXPECT_TRUE(holds(";description=\"<PC>\"", "description=\"<PC>\""));
  EXPECT_FALSE(holds(";description=\"<PC>\"", "description=\"<pc>\""));
  EXPECT_TRUE(holds(";description=\"<a, b>,<c\"", "description=\"<a, b>\""));
  // Lists, and what is excluded.
  EXPECT_TRUE(holds(";schemes=\"sip,tel\"", "schemes=\"tel,http\""));
  EXPECT_FALSE(holds(";schemes=\"sip,tel\"", "schemes=\"http\""));
  EXPECT_TRUE(holds(";schemes=\"sip\"", "schemes=\"!http\""));
  // Numbers.
  EXPECT_TRUE(holds(";priority=\"#=20\"", "priority=\"#20.0:30\""));
  EXPECT_TRUE(holds(";priority=\"#>=20\"", "priority=\"#=1000000\""));
  EXPECT_TRUE(holds(";priority=\"#-3:5\"", "priority=\"#<=-3\""));
  EXPECT_FALSE(holds(";priority=\"#=20\"", "priority=\"#=20.5\""));
  EXPECT_FALSE(holds(";priority=\"#<=20\"", "priority=\"#>=20.000001\""));
  EXPECT_FALSE(holds(";priority=\"#=20\"", "priority=\"#>=1234567890\"")) << "what is no number is a token";
}

}  // namespace
}  // namespace parley::tests

// tests/sip/preferences_test.cc - what callers prefer, against what contacts say of themselves.
#include "sip/preferences.h"

#include <gtest/gtest.h>

#include <list>
#include <string>
#include <vector>

#include "tests/sip/parsed.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

class PreferencesTest : public testing::Test {
 protected:
  Binding& add(const std::string& name, const std::string& params, std::uint16_t q = 1000) {
    Binding& b = bindings_.emplace_back();
    b.number = bindings_.size();
    b.contact = name;
    b.params = params;
    b.q = q;
    b.expires = core::Instant(1h);
    // The first is the newest, so that nothing stands in its order by chance.
    b.refreshed = core::Instant(1min - std::chrono::seconds(bindings_.size()));
    return b;
  }
  // "a b | c, d": groups parted by '|', fallbacks behind ','.
  std::string plan(const std::string& lines, const std::string& method = "MESSAGE") {
    const Parsed message(method + " sip:bob@example.com SIP/2.0\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\n" +
                         "From: <sip:alice@example.com>;tag=1\nTo: <sip:bob@example.com>\nCall-ID: 1\nCSeq: 1 " +
                         method + "\nMax-Forwards: 70\n" + lines + "Content-Length: 0\n\n");
    plan_targets(bindings_, message.head(), message.bytes(), core::Instant(2min), plan_);
    std::string text;
    std::size_t group = 0;
    for (std::size_t i = 0; i < plan_.targets.size(); ++i) {
      const Target& target = plan_.targets[i];
      const bool begins = group < plan_.groups.size() && plan_.groups[group] == i;
      if (begins) ++group;
      EXPECT_EQ(target.fallback && begins, false);
      if (i != 0) text += target.fallback ? ", " : begins ? " | " : " ";
      text += target.binding->contact;
    }
    EXPECT_EQ(group, plan_.groups.size());
    return text;
  }

  std::vector<Binding> bindings_;
  TargetPlan plan_;
};

TEST_F(PreferencesTest, R3841_1_RejectContactTakesOutWhatMentionsAllOfIt) {
  add("a", ";+g.oma.sip-im;mobility=\"mobile\"");
  add("b", ";+g.oma.sip-im");
  add("c", "");
  EXPECT_EQ(plan("Reject-Contact: *;+g.oma.sip-im;mobility=\"mobile\"\n"), "b c");
  EXPECT_EQ(plan("j: *;mobility=\"fixed\"\n"), "a b c");
  EXPECT_EQ(plan("j: *;+g.oma.sip-im\n"), "c");
  EXPECT_EQ(plan("Reject-Contact: *;+g.oma.sip-im\nReject-Contact: *;mobility=\"mobile\"\n"), "c");
  EXPECT_EQ(plan("Reject-Contact: *\n"), "a b c");
}

TEST_F(PreferencesTest, R3841_1_AcceptContactScoresAndRequires) {
  add("none", ";audio");
  add("half", ";+g.oma.sip-im;audio");
  add("both", ";+g.oma.sip-im;video;audio");
  add("not", ";+g.oma.sip-im;video=\"FALSE\"");
  add("immune", "");
  // A tag that is not mentioned only lowers the score, one with another value is a mismatch. Equal scores go together.
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;video\n"), "both immune | half | none not");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;video;require\n"), "both immune | half | none");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;video;require;explicit\n"), "both immune");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;video;explicit\n"), "both immune | none half not");
  // The mean over several predicates, in one header or in two.
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im, *;video\n"), "both immune | half not | none");
  EXPECT_EQ(plan("a: *;+g.oma.sip-im\nAccept-Contact: *;video\n"), "both immune | half not | none");
}

TEST_F(PreferencesTest, R3841_1_QComesBeforePreference) {
  add("low", ";+g.oma.sip-im", 100);
  add("high", ";audio", 900);
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im\n"), "high | low");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;explicit;require\n"), "low");
}

TEST_F(PreferencesTest, R3841_2_ExplicitAndNoneLeftIs480) {
  add("a", ";audio");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;require;explicit\n"), "");
  EXPECT_TRUE(plan_.preferred_none);
  bindings_.clear();
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;require;explicit\n"), "");
  EXPECT_FALSE(plan_.preferred_none);
}

TEST_F(PreferencesTest, R3841_2_TheMethodIsPreferredOnlyWhenNothingIsSaid) {
  add("calls", ";methods=\"INVITE,ACK,BYE\"");
  add("texts", ";methods=\"MESSAGE,OPTIONS\"");
  add("silent", ";+g.oma.sip-im");
  add("old", "");
  EXPECT_EQ(plan(""), "texts silent old");
  EXPECT_EQ(plan("", "INVITE"), "calls silent old");
  EXPECT_EQ(plan("Reject-Contact: *;video\n"), "calls texts silent old");
  // Nobody left: as if nothing had been preferred.
  bindings_.resize(2);
  EXPECT_EQ(plan("", "REFER"), "calls texts");
  EXPECT_FALSE(plan_.preferred_none);
}

TEST_F(PreferencesTest, R3841_2_TheEventPackageIsPreferredToo) {
  add("a", ";methods=\"SUBSCRIBE\";events=\"presence\"");
  add("b", ";methods=\"SUBSCRIBE\";events=\"conference,reg\"");
  EXPECT_EQ(plan("Event: conference;id=7\n", "SUBSCRIBE"), "b");
}

TEST_F(PreferencesTest, R3841_3_NoForkAndSequential) {
  add("a", "");
  add("b", "");
  add("c", "", 500);
  EXPECT_EQ(plan(""), "a b | c");
  EXPECT_EQ(plan("Request-Disposition: sequential\n"), "a | b | c");
  EXPECT_EQ(plan("d: proxy, NO-FORK\n"), "a");
  EXPECT_EQ(plan("Request-Disposition: fork, parallel, recurse, cancel, x-unknown\n"), "a b | c");
  const Parsed message(
      "MESSAGE sip:b@c SIP/2.0\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\n"
      "To: <sip:b@c>\nCall-ID: 1\nCSeq: 1 MESSAGE\nMax-Forwards: 70\n"
      "Request-Disposition: redirect, no-cancel\nd: no-recurse,queue\n\n");
  const Disposition d = disposition_of(message.head(), message.bytes());
  EXPECT_TRUE(d.redirect && d.no_cancel && d.no_recurse && d.queue);
  EXPECT_FALSE(d.no_fork || d.sequential);
}

TEST_F(PreferencesTest, R5626_2_AFallbackTakesOverWhenItsFirstFlowDoesNotFit) {
  add("new", ";audio").instance = "<urn:uuid:1>";
  add("old", ";+g.oma.sip-im", 700).instance = "<urn:uuid:1>";
  add("other", ";+g.oma.sip-im", 800);
  EXPECT_EQ(plan("d: no-fork\n"), "new, old");
  EXPECT_EQ(plan(""), "new, old | other");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;require;explicit\n"), "other | old");
}

TEST_F(PreferencesTest, T_3_AllWaysToWriteATagChooseTheSame) {
  add("im", ";+g.oma.sip-im;+sip.instance=\"<urn:uuid:1>\"");
  add("voice", ";audio");
  for (const char* lines :
       {"Accept-Contact: *;+g.oma.sip-im;require;explicit\n", "a: *;+g.oma.sip-im=\"TRUE\";require;explicit\n",
        "ACCEPT-CONTACT: * ;explicit; +G.OMA.SIP-IM ;require\n"}) {
    EXPECT_EQ(plan(lines), "im") << lines;
  }
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im\n"), "im | voice");
}

TEST_F(PreferencesTest, T_4_ATagInsideTheUriIsNoCapability) {
  add("sip:a@192.0.2.7;+g.oma.sip-im", ";audio");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;require;explicit\n"), "");
}

TEST_F(PreferencesTest, T_20_TagsAreComparedWhole) {
  add("large", ";+g.oma.sip-im.large-message");
  add("foo", ";+g.oma.sip-im-foo");
  add("iari", ";+g.3gpp.iari-ref=\"urn%3Aurn-7%3A3gpp-application.ims.iari.rcse.im,urn%3Ax\"");
  EXPECT_EQ(plan("Accept-Contact: *;+g.oma.sip-im;require;explicit\n"), "");
  EXPECT_EQ(plan("Accept-Contact: *;+g.3gpp.iari-ref=\"urn%3Ax\";require;explicit\n"), "iari");
}

TEST_F(PreferencesTest, MalformedPreferencesAreNone) {
  add("a", ";audio");
  for (const char* lines : {"Accept-Contact: \n", "Accept-Contact: sip:x\n", "Accept-Contact: *;\"\n",
                            "Reject-Contact: *;=;\n", "Accept-Contact: *;+g.x=\"<\"\n"}) {
    EXPECT_EQ(plan(lines), "a") << lines;
  }
}

}  // namespace
}  // namespace parley::tests

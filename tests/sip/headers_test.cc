// tests/sip/headers_test.cc - the typed readers of header values: what the RFCs write and what the field writes.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "sip/dialog_headers.h"
#include "sip/event_headers.h"
#include "sip/privacy.h"
#include "sip/reason_headers.h"
#include "sip/timer_headers.h"
#include "sip/tokens.h"
#include "sip/value.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

TEST(EventHeader, R6665_3_PackageAndIdWithCase) {
  Event a;
  Event b;
  ASSERT_TRUE(parse_event("presence.winfo ; id = 7", a));
  EXPECT_EQ(a.package, "presence.winfo");
  EXPECT_EQ(a.id, "7");
  ASSERT_TRUE(parse_event("presence.winfo;x=y;id=7", b));
  EXPECT_TRUE(same_event(a, b));
  ASSERT_TRUE(parse_event("presence.winfo", b));
  EXPECT_FALSE(same_event(a, b));
  ASSERT_TRUE(parse_event("Presence.winfo;id=7", b));
  EXPECT_FALSE(same_event(a, b));
  for (const char* value : {"", ";id=7", "pres ence", "refer;id", "refer;id=\"x"}) {
    EXPECT_EQ(parse_event(value, b), std::string_view(value) == "refer;id") << value;
  }
}

TEST(SubscriptionStateHeader, R6665_2_StatesAndReasons) {
  SubscriptionState state;
  ASSERT_TRUE(parse_subscription_state("active;expires=3600", state));
  EXPECT_EQ(state.status, SubscriptionStatus::active);
  EXPECT_TRUE(state.has_expires);
  EXPECT_EQ(state.expires_seconds, 3600U);
  const std::array reasons = {TerminationReason::deactivated, TerminationReason::probation,
                              TerminationReason::rejected,    TerminationReason::timeout,
                              TerminationReason::giveup,      TerminationReason::noresource,
                              TerminationReason::invariant};
  for (const TerminationReason reason : reasons) {
    ASSERT_TRUE(
        parse_subscription_state("Terminated ;reason=" + std::string(to_string(reason)) + ";retry-after=5", state));
    EXPECT_EQ(state.status, SubscriptionStatus::terminated);
    EXPECT_EQ(state.reason, reason);
    EXPECT_EQ(state.retry_after_seconds, 5U);
  }
  ASSERT_TRUE(parse_subscription_state("terminated;reason=boredom", state));
  EXPECT_EQ(state.reason, TerminationReason::other);
  ASSERT_TRUE(parse_subscription_state("waiting", state));
  EXPECT_EQ(state.status, SubscriptionStatus::other);
  EXPECT_FALSE(parse_subscription_state("", state));
}

TEST(SubscriptionStateHeader, R6665_5_ExpiresMayBeMissing) {
  SubscriptionState state;
  ASSERT_TRUE(parse_subscription_state("pending", state));
  EXPECT_EQ(state.status, SubscriptionStatus::pending);
  EXPECT_FALSE(state.has_expires);
  EXPECT_EQ(state.reason, TerminationReason::none);
}

TEST(EntityTagHeader, R3903_1_OneToken) {
  std::string_view tag;
  EXPECT_TRUE(parse_entity_tag(" dx200xyz ", tag));
  EXPECT_EQ(tag, "dx200xyz");
  for (const char* value : {"", "\"dx\"", "a, b", "a b"}) EXPECT_FALSE(parse_entity_tag(value, tag)) << value;
}

TEST(SessionExpiresHeader, T_10_BlanksAndCase) {
  SessionExpires session;
  ASSERT_TRUE(parse_session_expires("1800 ; Refresher = UAC", session));
  EXPECT_EQ(session.seconds, 1800U);
  EXPECT_EQ(session.refresher, Refresher::uac);
  ASSERT_TRUE(parse_session_expires("90;refresher=uas;x", session));
  EXPECT_EQ(session.refresher, Refresher::uas);
  ASSERT_TRUE(parse_session_expires("90", session));
  EXPECT_EQ(session.refresher, Refresher::absent);
  for (const char* value : {"", "x", "-1", "90;;=", "90 90"})
    EXPECT_FALSE(parse_session_expires(value, session)) << value;
}

TEST(SecondsHeader, T_11_HugeNumbersAreClamped) {
  std::uint32_t seconds = 0;
  ASSERT_TRUE(parse_seconds("600000", seconds));
  EXPECT_EQ(seconds, 600000U);
  ASSERT_TRUE(parse_seconds("1000000000000000;lr", seconds));
  EXPECT_EQ(seconds, 4294967295U);
  EXPECT_FALSE(parse_seconds("Thu, 01 Dec 1994 16:00:00 GMT", seconds));
}

TEST(RetryAfterHeader, R3261_18_CommentAndDuration) {
  RetryAfter retry;
  ASSERT_TRUE(parse_retry_after("18000;duration=3600", retry));
  EXPECT_EQ(retry.seconds, 18000U);
  EXPECT_TRUE(retry.has_duration);
  EXPECT_EQ(retry.duration_seconds, 3600U);
  ASSERT_TRUE(parse_retry_after("120 (I'm in (a \\) long) meeting) ;duration=1", retry));
  EXPECT_EQ(retry.seconds, 120U);
  EXPECT_EQ(retry.comment, "I'm in (a \\) long) meeting");
  EXPECT_EQ(retry.duration_seconds, 1U);
  for (const char* value : {"", "x", "1 (x", "1 x", "1 (x) y"}) EXPECT_FALSE(parse_retry_after(value, retry)) << value;
}

TEST(MaxForwardsHeader, T_12_LeadingZerosAndTooMuch) {
  std::uint8_t hops = 0;
  ASSERT_TRUE(parse_max_forwards("0070", hops));
  EXPECT_EQ(hops, 70);
  ASSERT_TRUE(parse_max_forwards("300", hops));
  EXPECT_EQ(hops, 255);
  EXPECT_FALSE(parse_max_forwards("-1", hops));
}

TEST(TargetDialogHeader, R4538_1_TagsOfTheRecipient) {
  TargetDialog dialog;
  ASSERT_TRUE(parse_target_dialog("fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz- ;remote-tag=6544", dialog));
  EXPECT_EQ(dialog.call_id, "fa77as7dad8-sd98ajzz@host.example.com");
  EXPECT_EQ(dialog.local_tag, "kkaz-");
  EXPECT_EQ(dialog.remote_tag, "6544");
  for (const char* value : {"", "a", "a;local-tag=1", "a;remote-tag=1", ";local-tag=1;remote-tag=2",
                            "a;local-tag=1;local-tag=1;remote-tag=2", "a b;local-tag=1;remote-tag=2"}) {
    EXPECT_FALSE(parse_target_dialog(value, dialog)) << value;
  }
}

TEST(ReplacesHeader, CallIdWithQuotesAndBothTags) {
  Replaces replaces;
  ASSERT_TRUE(parse_replaces("98\"<32@bigbox;from-tag=ff87ff;to-tag=12345;Early-Only", replaces));
  EXPECT_EQ(replaces.call_id, "98\"<32@bigbox");
  EXPECT_EQ(replaces.to_tag, "12345");
  EXPECT_EQ(replaces.from_tag, "ff87ff");
  EXPECT_TRUE(replaces.early_only);
  ASSERT_TRUE(parse_join("1@b;from-tag=2;to-tag=3", replaces));
  EXPECT_FALSE(replaces.early_only);
  EXPECT_FALSE(parse_replaces("1@b;to-tag=3", replaces));
}

TEST(RAckHeader, R3262_3_NumberNumberMethod) {
  RAck rack;
  ASSERT_TRUE(parse_rack(" 776656  1 INVITE", rack));
  EXPECT_EQ(rack.rseq, 776656U);
  EXPECT_EQ(rack.cseq, 1U);
  EXPECT_EQ(rack.method, "INVITE");
  for (const char* value : {"", "1", "1 2", "1 INVITE", "1 2 INV ITE", "x 2 INVITE"}) {
    EXPECT_FALSE(parse_rack(value, rack)) << value;
  }
}

TEST(ReasonHeader, R3261_18_SeveralOfThem) {
  Items items("SIP ;cause=600 ;text=\"Busy, Everywhere\", Q.850;cause=16");
  std::string_view item;
  Reason reason;
  ASSERT_TRUE(items.next(item));
  ASSERT_TRUE(parse_reason(item, reason));
  EXPECT_EQ(reason.protocol, "SIP");
  EXPECT_EQ(reason.cause, 600U);
  EXPECT_EQ(reason.text, "Busy, Everywhere");
  ASSERT_TRUE(items.next(item));
  ASSERT_TRUE(parse_reason(item, reason));
  EXPECT_EQ(reason.protocol, "Q.850");
  EXPECT_EQ(reason.cause, 16U);
  EXPECT_EQ(reason.text, "");
  ASSERT_TRUE(parse_reason("SIP", reason));
  EXPECT_FALSE(reason.has_cause);
  EXPECT_FALSE(parse_reason("", reason));
}

TEST(WarningHeader, R3261_18_CodeAgentText) {
  Warning warning;
  ASSERT_TRUE(parse_warning("301 isi.edu \"Incompatible network address type 'E.164'\"", warning));
  EXPECT_EQ(warning.code, 301);
  EXPECT_EQ(warning.agent, "isi.edu");
  EXPECT_EQ(warning.text, "Incompatible network address type 'E.164'");
  ASSERT_TRUE(parse_warning("399 [2001:db8::1]:5060 \"a \\\" b\"", warning));
  EXPECT_EQ(warning.text, "a \\\" b");
  for (const char* value : {"", "30 a \"b\"", "3010 a \"b\"", "301 a b", "301 \"b\"", "301 a \"b"}) {
    EXPECT_FALSE(parse_warning(value, warning)) << value;
  }
}

TEST(InfoHeader, R3261_18_TheUriOfErrorInfo) {
  std::string_view uri;
  ASSERT_TRUE(parse_info_uri("<sip:not-in-service-recording@atlanta.com;x=1> ;purpose=info", uri));
  EXPECT_EQ(uri, "sip:not-in-service-recording@atlanta.com;x=1");
  for (const char* value : {"", "<>", "sip:a", "<sip:a", "x <sip:a>"})
    EXPECT_FALSE(parse_info_uri(value, uri)) << value;
}

TEST(DateHeader, R3261_16_OneFormOnly) {
  std::int64_t seconds = 0;
  ASSERT_TRUE(parse_date("Thu, 01 Jan 1970 00:00:00 GMT", seconds));
  EXPECT_EQ(seconds, 0);
  ASSERT_TRUE(parse_date("Sat, 13 Nov 2010 23:29:00 GMT", seconds));
  EXPECT_EQ(seconds, 1289690940);
  ASSERT_TRUE(parse_date("Thu, 29 Feb 2024 12:00:00 gmt", seconds));
  EXPECT_EQ(seconds, 1709208000);
  // RFC 4475 section 3.1.2.12 has EST.
  for (const char* value :
       {"Fri, 01 Jan 2010 16:00:00 EST", "Fri, 29 Feb 2023 00:00:00 GMT", "", "Fri, 32 Jan 2010 16:00:00 GMT",
        "Fri, 01 Jan 2010 24:00:00 GMT", "01 Jan 2010 16:00:00 GMT", "Fri, 00 Jan 2010 16:00:00 GMT"}) {
    EXPECT_FALSE(parse_date(value, seconds)) << value;
  }
}

Privacy privacy_of(std::string_view value) {
  Privacy privacy;
  EXPECT_TRUE(parse_privacy(value, privacy)) << value;
  return privacy;
}

std::string text_of(const Privacy& privacy) {
  std::array<char, privacy_bytes_max> room;
  core::TextOut out(room.data());
  put_privacy(out, privacy);
  return {room.data(), out.size()};
}

TEST(PrivacyHeader, R3323_1_TokensSeparatedByEitherMark) {
  const Privacy privacy = privacy_of("Header; user,ID ;critical");
  EXPECT_TRUE(privacy.header);
  EXPECT_TRUE(privacy.user);
  EXPECT_TRUE(privacy.id);
  EXPECT_TRUE(privacy.critical);
  EXPECT_FALSE(privacy.session);
  EXPECT_TRUE(privacy.wanted());
  EXPECT_TRUE(privacy_of("id;cloak").other);
  EXPECT_FALSE(privacy_of("none").wanted());
  Privacy none;
  for (const char* value : {"", ";", "none;id", "a b"}) EXPECT_FALSE(parse_privacy(value, none)) << value;
}

TEST(PrivacyHeader, R3323_1_ServedTokensGoAndTheLastTakesTheHeaderWithIt) {
  Privacy privacy = privacy_of("user;id;critical");
  privacy.user = false;
  EXPECT_EQ(text_of(privacy), "id;critical");
  privacy.id = false;
  EXPECT_EQ(text_of(privacy), "");
  EXPECT_EQ(text_of(privacy_of("none")), "none");
}

TEST(OptionTags, T_13_AnEmptyListIsNoError) {
  OptionSet set;
  add_options("", set);
  EXPECT_TRUE(set.empty());
  MethodSet methods;
  add_methods(" ", methods);
  EXPECT_TRUE(methods.empty());
}

TEST(OptionTags, T_15_ExactlyTheUnsupportedAreNamed) {
  OptionSet supported;
  add_options("timer, 100rel,TDialog, recipient-list-invite,multiple-refer,pref", supported);
  EXPECT_TRUE(supported.has(OptionTag::rel100));
  EXPECT_TRUE(supported.has(OptionTag::tdialog));
  EXPECT_FALSE(supported.has(OptionTag::gruu));
  std::string_view rest = "timer, nothing-like-this, 100rel , gruu";
  EXPECT_EQ(next_unsupported(rest, supported), "nothing-like-this");
  EXPECT_EQ(next_unsupported(rest, supported), "gruu");
  EXPECT_EQ(next_unsupported(rest, supported), "");
  for (std::size_t i = 0; i < option_tags; ++i) {
    const auto tag = static_cast<OptionTag>(i);
    EXPECT_EQ(option_tag(to_string(tag)), tag) << i;
  }
  EXPECT_EQ(option_tag(""), OptionTag::unknown);
}

TEST(Methods, R3261_16_AllowIsReadWithCase) {
  MethodSet methods;
  add_methods("INVITE, ACK,\r\n MESSAGE,update", methods);
  EXPECT_TRUE(methods.has(Method::invite));
  EXPECT_TRUE(methods.has(Method::message));
  EXPECT_FALSE(methods.has(Method::update));
  EXPECT_TRUE(methods.has(Method::other));
  EXPECT_TRUE(has_token("conference, presence", "presence"));
  EXPECT_FALSE(has_token("conference, presence.winfo", "presence"));
}

TEST(AcceptHeader, R3261_4_TheClosestRangeDecides) {
  EXPECT_TRUE(accepts("application/sdp, text/*;q=0.5", "text", "plain"));
  EXPECT_FALSE(accepts("application/sdp, text/*;q=0.5", "image", "png"));
  EXPECT_TRUE(accepts("*/*", "image", "png"));
  EXPECT_FALSE(accepts("*/*, image/png;q=0.0", "image", "png"));
  EXPECT_TRUE(accepts("*/*;q=0, image/png", "Image", "PNG"));
  EXPECT_FALSE(accepts("", "text", "plain"));
}

}  // namespace
}  // namespace parley::tests

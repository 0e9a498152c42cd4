// tests/policy/history_list_test.cc - what the list of a user's records looks like (OMA-HIS-2, OMA-HIS-7).
#include <gtest/gtest.h>

#include "policy/history_list.h"
#include "policy/xml_reader.h"

namespace parley::tests {
namespace {

constexpr std::int64_t noon = 1'700'000'000'000;

core::HistoryRecordRow session(std::uint64_t id = 7) {
  return {.id = id,
          .aor = "sip:bob@example.org",
          .from = "\"Alice \\\"A\\\"\" <sip:alice@example.org>",
          .to = "<sip:bob@example.org>",
          .subject = "lunch & <more>",
          .began_ms = noon,
          .ended_ms = noon + 60'000,
          .expires_ms = noon + 86'400'000,
          .messages = 2,
          .bytes = 345};
}
std::string document(const std::vector<core::HistoryRecordRow>& rows, std::uint64_t bytes_max = 0) {
  core::Digest digest;
  policy::HistoryList list(policy::HistoryList::Form::document, "example.org", bytes_max);
  for (const core::HistoryRecordRow& row : rows) list.add(row, digest);
  const std::string text = list.finish().text;
  policy::XmlDocument read;
  EXPECT_FALSE(read.parse(text)) << text;
  EXPECT_EQ(read.root().name(), "history-list");
  EXPECT_EQ(read.root().space(), "urn:oma:xml:im:history-list");
  return text;
}
// The only record of a list, without its tag.
std::string only(const core::HistoryRecordRow& row) {
  const std::string text = document({row});
  const std::size_t from = text.find('>', text.find("<history ")) + 1;
  return text.substr(from, text.find("</history>") - from);
}

TEST(HistoryListDocument, OMA_HIS_2_ASessionIsAConference) {
  EXPECT_EQ(only(session()),
            "<size>345</size><expiry>2023-11-15T22:13:20.000Z</expiry><subject>lunch &amp; &lt;more&gt;</subject>"
            "<date>2023-11-14T22:13:20.000Z</date>"
            "<history-reference>sip:history-aaaaaaaahaaaaaaa@example.org</history-reference>"
            "<conference><time-start>2023-11-14T22:13:20.000Z</time-start><time-end>2023-11-14T22:14:20.000Z</time-end>"
            "<recording-name>history-aaaaaaaahaaaaaaa</recording-name><conf-list>"
            "<entry><display-name>Alice &quot;A&quot;</display-name><uri>sip:alice@example.org</uri></entry>"
            "<entry><uri>sip:bob@example.org</uri></entry></conf-list></conference>");
}

TEST(HistoryListDocument, OMA_HIS_2_OneThatGoesOnHasNoEndAndOneWithoutSubjectNone) {
  core::HistoryRecordRow row = session();
  row.ended_ms = 0;
  row.subject.clear();
  const std::string text = only(row);
  EXPECT_EQ(text.find("time-end"), std::string::npos) << text;
  EXPECT_EQ(text.find("subject"), std::string::npos) << text;
}

TEST(HistoryListDocument, OMA_HIS_2_OfAGroupTheListHasItsNameAndWhoWasNamed) {
  core::HistoryRecordRow row = session();
  row.to = "\"The team\" <sip:team@example.org>";
  row.group = "sip:team@example.org";
  row.people = "sip:carol@example.org\nsip:dave@example.org\nsip:carol@example.org\n";
  const std::string text = only(row);
  EXPECT_NE(text.find("<conf-list><entry><display-name>Alice &quot;A&quot;</display-name><uri>sip:alice@example.org</uri></entry>"
                      "<entry><uri>sip:carol@example.org</uri></entry><entry><uri>sip:dave@example.org</uri></entry>"
                      "<group-uri>sip:team@example.org</group-uri><group-display-name>The team</group-display-name>"
                      "</conf-list>"),
            std::string::npos)
      << text;
}

TEST(HistoryListDocument, OMA_HIS_2_AMessageIsAPager) {
  core::HistoryRecordRow row = session();
  row.kind = core::HistoryKind::pager_large;
  const std::string text = only(row);
  EXPECT_NE(text.find("<pager><time-stamp>2023-11-14T22:13:20.000Z</time-stamp>"
                      "<from display-name=\"Alice &quot;A&quot;\">sip:alice@example.org</from><to>sip:bob@example.org</to>"
                      "<auth-id>sip:alice@example.org</auth-id></pager>"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("conference"), std::string::npos) << text;
  // That he has sent to several, whatever his From is.
  row.begun_by_owner = true;
  row.from = "<tel:+4912345>";
  row.to = "<sip:exploder@example.org>";
  row.people = "sip:carol@example.org\r\nsip:dave@example.org\r\n";
  const std::string sent = only(row);
  EXPECT_NE(sent.find("<to>sip:exploder@example.org</to><recipient-list><entry><uri>sip:carol@example.org</uri></entry>"
                      "<entry><uri>sip:dave@example.org</uri></entry></recipient-list>"
                      "<auth-id>sip:bob@example.org</auth-id></pager>"),
            std::string::npos)
      << sent;
}

TEST(HistoryListDocument, OMA_HIS_7_WhoWasAnonymousIsNotNamed) {
  core::HistoryRecordRow row = session();
  row.from = "<sip:anonymous@anonymous.invalid>";
  row.kind = core::HistoryKind::pager_large;
  const std::string text = only(row);
  EXPECT_NE(text.find("<from>sip:anonymous@anonymous.invalid</from>"), std::string::npos) << text;
  EXPECT_EQ(text.find("auth-id"), std::string::npos) << text;
}

TEST(HistoryListDocument, OMA_HIS_2_TextsOfOthersBreakNothing) {
  core::HistoryRecordRow row = session();
  row.subject = "\xff ]]> \x01";
  row.from = "what is no address at all <";
  row.people = "\n\n<\n";
  row.group = "\"";
  const std::string text = document({row});
  EXPECT_NE(text.find("<history id=\"7\">"), std::string::npos) << text;
}

TEST(HistoryListDocument, OMA_HIS_1_NoMoreThanItsLengthIsInMemoryAndTheNewestAreShown) {
  core::Digest digest;
  policy::HistoryList whole(policy::HistoryList::Form::document, "example.org", 0);
  policy::HistoryList shown(policy::HistoryList::Form::document, "example.org", 2000);
  for (std::uint64_t id = 1; id <= 100; ++id) {
    whole.add(session(id), digest);
    shown.add(session(id), digest);
  }
  const policy::ListDocument part = shown.finish();
  EXPECT_LE(part.text.size(), 2200U);
  EXPECT_EQ(part.etag, whole.finish().etag) << "of all of it";
  EXPECT_EQ(whole.finish().left_out, 0U);
  EXPECT_NE(part.text.find("<history id=\"100\">"), std::string::npos);
  EXPECT_NE(part.text.find(" left-out=\"" + std::to_string(part.left_out) + "\""), std::string::npos) << part.text;
  std::size_t entries = 0;
  for (std::size_t at = 0; (at = part.text.find("<history ", at)) != std::string::npos; ++at) ++entries;
  EXPECT_EQ(entries + part.left_out, 100U);
}

}  // namespace
}  // namespace parley::tests
